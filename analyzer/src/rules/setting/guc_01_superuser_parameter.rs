//! GUC-01: parameters that only a superuser may set, and those that are gone.

use std::ops::Range;

use crate::edit::Safety;
use crate::facts::Scope;
use crate::facts::names::{options, role};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::function::bodies::runs;

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "GUC-01",
    name: "superuser-parameter",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::Limit {
        slug: "guc.superuser",
        how: "Parameters of superusers, and those that are gone.",
    },
    also_answers: &["ROLE-10", "SU-05", "DATA-07", "COL-03", "PG-17"],
    statement_groups: &[StatementKind::SETTING, StatementKind::RUNNING],
    in_bodies: InBodies::Yes { queries: true, by_name: true },
    doc: Doc {
        summary: "A parameter that only a superuser may set: log_statement, session_replication_role and others.",
        what: "ALTER ROLE … SET and ALTER DATABASE … SET, the SET clause of a function, and SET by itself, of a \
               parameter whose context is superuser, or that the target's version no longer has. set_config in a query \
               is the same.",
        why: "Storing a value asks for the same right as setting it.",
        server: &[
            "42501 permission denied to set parameter \"log_statement\"",
            "42704 unrecognized configuration parameter \"force_parallel_mode\" (gone in 16)",
        ],
        help: "The setting is taken out and listed. Many of these are parameters of the service: set them for all in \
               its console. Where SET session_replication_role was to keep triggers and foreign keys quiet while rows \
               load, load the rows before the triggers and keys are made, as a dump of the whole database does.",
        before: "CREATE ROLE app;\nALTER ROLE app SET log_statement TO 'all';",
        after: "CREATE ROLE app;\n-- tsmigrate GUC-01: only a superuser may set log_statement\n-- ALTER ROLE app SET log_statement TO 'all';",
        sources: &[
            "PostgreSQL src/backend/utils/misc/guc.c, set_config_with_handle, validate_option_array_item",
            "pg_settings of PostgreSQL 14 to 18, context = superuser",
        ],
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// A parameter that a statement sets.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    /// The SET itself.
    pub(crate) set: &'a pg::VariableSetStmt,
    /// What it is stored for; `None` for the session.
    pub(crate) stored: Option<String>,
    /// A clause among others: its bytes and its place in the tree.
    pub(crate) clause: Option<(Range<usize>, String)>,
    /// True where a value that is stored takes effect in a function's body.
    pub(crate) function: bool,
    /// The role or database that it is stored for.
    pub(crate) scope: Option<Scope>,
}

impl Setting<'_> {
    /// Takes it out.
    pub(crate) fn without(&self, statement: &Statement<'_>, title: String) -> FixDraft {
        match &self.clause {
            Some((range, path)) => {
                FixDraft::edit(title).delete(statement.with_gap(range)).change(Change::Remove(path.clone()))
            }
            None => FixDraft::remove(title),
        }
    }

    /// What is lost with it.
    pub(crate) fn lost(&self) -> String {
        match &self.stored {
            Some(stored) => format!("setting {} of {stored}", self.set.name),
            None => format!("SET {}", self.set.name),
        }
    }
}

/// All parameters that the statement sets.
pub(crate) fn settings<'a>(ctx: &Context<'a>) -> Vec<Setting<'a>> {
    let Some((statement, node)) = ctx.node() else { return Vec::new() };
    let one = |set: &'a pg::VariableSetStmt, stored: Option<String>, scope: Option<Scope>| {
        vec![Setting { set, stored, clause: None, function: false, scope }]
    };
    match node {
        NodeEnum::VariableSetStmt(set) => one(set, None, None),
        NodeEnum::AlterRoleSetStmt(s) => {
            let Some(set) = &s.setstmt else { return Vec::new() };
            let name = s.role.as_ref().map_or(Some("ALL"), role).unwrap_or("the current role");
            let scope = if s.database.is_empty() {
                Scope::Role(name.into())
            } else {
                Scope::RoleInDatabase(name.into(), s.database.as_str().into())
            };
            one(set, Some(format!("role {name}")), Some(scope))
        }
        NodeEnum::AlterDatabaseSetStmt(s) => {
            let Some(set) = &s.setstmt else { return Vec::new() };
            one(set, Some(format!("database {}", s.dbname)), Some(Scope::Database(s.dbname.as_str().into())))
        }
        NodeEnum::CreateFunctionStmt(s) => {
            let stored = created(node).map(|object| ctx.describe(&object)).unwrap_or_default();
            let path = "/CreateFunctionStmt/options";
            clauses(statement, &s.options, path, &stored, s.sql_body.is_some())
        }
        NodeEnum::AlterFunctionStmt(s) => {
            let stored = subject(node).map(|object| ctx.describe(&object)).unwrap_or_default();
            clauses(statement, &s.actions, "/AlterFunctionStmt/actions", &stored, false)
        }
        _ => Vec::new(),
    }
}

/// The SET clauses of a function.
fn clauses<'a>(
    statement: &Statement<'_>,
    nodes: &'a [pg::Node],
    path: &str,
    stored: &str,
    has_body: bool,
) -> Vec<Setting<'a>> {
    let start = |option: &pg::DefElem| usize::try_from(option.location).ok();
    let starts: Vec<usize> = options(nodes).filter_map(start).collect();
    options(nodes)
        .enumerate()
        .filter_map(|(index, option)| {
            let Some(NodeEnum::VariableSetStmt(set)) = option.arg.as_ref()?.node.as_ref() else {
                return None;
            };
            let from = start(option)?;
            // Up to the next option, the body of standard SQL, or the end.
            let next = starts.iter().copied().filter(|other| *other > from).min();
            let body = has_body
                .then(|| {
                    let word = |word: &str| statement.words_from(from, &[word]).map(|range| range.start);
                    [word("RETURN"), word("BEGIN")].into_iter().flatten().min()
                })
                .flatten();
            let until = [next, body].into_iter().flatten().min();
            let until = until.unwrap_or(statement.body().end);
            let end = statement.code().rfind(|token| token.end <= until)?.end;
            // What is alone in an ALTER FUNCTION goes with it.
            let clause = (nodes.len() > 1).then(|| (from..end, format!("{path}/{index}")));
            Some(Setting { set, stored: Some(stored.to_owned()), clause, function: true, scope: None })
        })
        .collect()
}

/// What the server says to setting this parameter, whatever the value; `None` where it takes it.
pub(crate) fn refusal(ctx: &Context<'_>, set: &pg::VariableSetStmt) -> Option<ServerError> {
    superuser_only(ctx, &set.name).or_else(|| super::guc_02_extension_parameter::refusal(ctx, set))
}

fn superuser_only(ctx: &Context<'_>, parameter: &str) -> Option<ServerError> {
    let name = parameter.to_ascii_lowercase();
    let gone = ctx.target.removed_parameters.get(&name).is_some_and(|since| *since <= ctx.target.version);
    if gone {
        let text = format!("unrecognized configuration parameter \"{parameter}\"");
        Some(ServerError::new("42704", text))
    } else if ctx.target.superuser_parameters.contains(&name) {
        Some(ServerError::new("42501", format!("permission denied to set parameter \"{parameter}\"")))
    } else {
        None
    }
}

/// True for SET x TO v and SET x FROM CURRENT, and for RESET x where it asks for the same right: in a
/// session, and where other settings are stored in the same place (GUCArrayDelete looks at the name only
/// where there is an array).
pub(crate) fn sets(ctx: &Context<'_>, setting: &Setting<'_>) -> bool {
    use pg::VariableSetKind as K;
    match K::try_from(setting.set.kind) {
        Ok(K::VarSetValue | K::VarSetCurrent) => true,
        Ok(K::VarReset | K::VarSetDefault) => {
            setting.stored.is_none()
                || setting.scope.as_ref().is_some_and(|scope| {
                    let same = |name: &str| setting.set.name.eq_ignore_ascii_case(name);
                    ctx.facts.settings.iter().any(|other| other.scope == *scope && !same(&other.name))
                })
        }
        _ => false,
    }
}

fn check(ctx: &mut Context<'_>) {
    let Some(statement) = ctx.statement() else { return };
    calls(ctx, statement);
    for setting in settings(ctx) {
        if !sets(ctx, &setting) {
            continue;
        }
        let name = setting.set.name.as_str();
        let Some(error) = superuser_only(ctx, name) else { continue };
        let gone = error.sqlstate == "42704";
        let title = if gone {
            format!("PostgreSQL {} has no {name}", ctx.target.version)
        } else {
            format!("only a superuser may set {name}")
        };
        let mut draft = Draft::new(title.clone()).object(setting.lost()).server(error);
        if let Some((range, _)) = &setting.clause {
            draft = draft.at(range.clone());
        }
        let mut fix = setting.without(statement, title).lost(setting.lost());
        let quiet = name.eq_ignore_ascii_case("session_replication_role");
        if quiet && (setting.stored.is_none() || setting.function) {
            // Triggers fire that did not.
            fix = fix.review();
            draft = draft.advice(if setting.function {
                "Without it triggers fire and foreign keys are checked in what the function does: see whether it \
                 still does what it should."
            } else {
                "Without it triggers fire and foreign keys are checked while rows load: load the rows before they \
                 are made."
            });
        } else if !gone && setting.stored.is_some() {
            draft = draft.advice(
                "Where the service offers it, set it for the whole service in its console (database parameters).",
            );
        }
        ctx.report(draft.fix(fix));
    }
}

/// `set_config('log_statement', …)` in a query asks for the same right as SET.
fn calls(ctx: &mut Context<'_>, statement: &Statement<'_>) {
    let found = set_by_call(statement, |name| superuser_only(ctx, name));
    let Some((name, range, error)) = found else { return };
    let title = if error.sqlstate == "42704" {
        format!("PostgreSQL {} has no {name}", ctx.target.version)
    } else {
        format!("only a superuser may set {name}")
    };
    let object = format!("SET {name}");
    let mut draft = Draft::new(title.clone())
        .object(object.clone())
        .server(error)
        .fix(FixDraft::remove(title).review().lost(object));
    if let Some(range) = range {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// The first parameter that a statement sets by `set_config` when it runs and that is refused: its name, the bytes of the
/// call and why.
pub(crate) fn set_by_call<'a, T>(
    statement: &'a Statement<'_>,
    refusal: impl Fn(&str) -> Option<T>,
) -> Option<(&'a str, Option<Range<usize>>, T)> {
    if !runs(statement.node()) {
        return None;
    }
    statement.references().iter().find_map(|reference| {
        let name = reference.parameter.as_deref()?;
        let range = reference.location.and_then(|at| statement.name_at(usize::try_from(at).ok()?));
        Some((name, range, refusal(name)?))
    })
}
