//! The parameters that a statement sets, for the session or stored.

use std::ops::Range;

use crate::facts::Scope;
use crate::facts::names::{options, role};
use crate::facts::objects::{created, subject};
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, pg};
use crate::rule::{Context, FixDraft};
use crate::rules::function::bodies::runs;

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
    pub(crate) fn without(&self, statement: &Statement<'_>, reason: impl AsRef<str>) -> FixDraft {
        match &self.clause {
            Some((range, path)) => FixDraft::without(reason)
                .delete(statement.with_gap(range))
                .change(Change::Remove(path.clone())),
            None => FixDraft::remove(reason),
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

/// True for SET x TO v and SET x FROM CURRENT, and for RESET x where it asks for the same right: in a
/// session, and where other settings are stored in the same place (GUCArrayDelete looks at the name only
/// where there is an array).
pub(crate) fn sets(ctx: &Context<'_>, setting: &Setting<'_>) -> bool {
    use pg::VariableSetKind as K;
    match K::try_from(setting.set.kind) {
        Ok(K::VarSetValue | K::VarSetCurrent) => true,
        Ok(K::VarReset | K::VarSetDefault) => {
            // A function's setting is looked at whatever it has (update_proconfig_value).
            setting.stored.is_none()
                || setting.function
                || setting.scope.as_ref().is_some_and(|scope| {
                    let same = |name: &str| setting.set.name.eq_ignore_ascii_case(name);
                    ctx.facts.settings.iter().any(|other| other.scope == *scope && !same(&other.name))
                })
        }
        _ => false,
    }
}

/// The first parameter that a statement sets by `set_config` when it runs and that is refused: its name, the bytes of the
/// call and why.
pub(crate) fn set_by_call<'a, T>(
    statement: &'a Statement<'_>,
    refusal: impl Fn(&str) -> Option<T>,
) -> Option<(&'a str, Option<Range<usize>>, T)> {
    called(statement, "set_config", refusal)
}

/// The same of a parameter that a call of this function names.
pub(crate) fn called<'a, T>(
    statement: &'a Statement<'_>,
    function: &str,
    refusal: impl Fn(&str) -> Option<T>,
) -> Option<(&'a str, Option<Range<usize>>, T)> {
    if !runs(statement.node()) {
        return None;
    }
    statement.references().iter().filter(|reference| *reference.name == *function).find_map(|reference| {
        let name = reference.parameter.as_deref()?;
        let range = reference.location.and_then(|at| statement.name_at(usize::try_from(at).ok()?));
        Some((name, range, refusal(name)?))
    })
}
