//! FN-01: a body that does what the target refuses. It restores, and fails when it is called.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::bodies::{body, fails_already, runs, troubles};
use super::roles;
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::relation;
use crate::finding::{Place, ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::ownership::own_03_grant;
use crate::rules::role::known::missing_message;
use crate::rules::superuser::su_19_alter_system;
use crate::rules::superuser::su_23_server_access::{place, refusal};

pub(crate) const RULE: Rule = Rule {
    id: "FN-01",
    name: "superuser-call",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit(
        "body.superuser-call",
        "Bodies of functions and DO blocks that do what only a superuser can.",
    ),
    also_answers: &["SU-23"],
    statements: StatementKind::ALL,
    after: &["*", "DEP-01", "DEP-02"],
    doc: Doc {
        summary: "A function, procedure, DO block or view does what the target refuses.",
        what: "Each statement and expression in a body in SQL or PL/pgSQL, and each text that it gives to EXECUTE as far as it is written there, is held against the rules for statements: files and programs of the server, parameters for superusers, extensions that the target refuses, and so on. Of a DO block also the roles that it names. Views and bodies of standard SQL are looked through for functions and tables of the server that are closed.",
        why: "The server does not look into a body when it is created. Nothing is said at the restore; the first call fails. A DO block runs at once: it fails at the restore, and so does a statement that calls such a function.",
        server: &[
            "42501 permission denied for function pg_read_file (when it is called)",
            "42501 permission denied to set parameter \"session_replication_role\" (when it is called)",
        ],
        help: "Change what the body does, before or after the move: the rule in brackets says why it fails, and its own \
               help what to do instead. What stands in a branch may never be reached.",
        before: "CREATE FUNCTION app.reload() RETURNS boolean LANGUAGE sql AS $$ SELECT pg_catalog.pg_reload_conf() $$;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/pg_proc.c, ProcedureCreate (check_function_bodies); \
             src/backend/executor/execExpr.c, ExecInitFunc",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// Functions, procedures and views that fail whenever they are used.
#[derive(Clone, Debug, Default)]
struct FailingObjects(BTreeMap<ObjectId, Failing>);

/// Why a function or view fails.
#[derive(Clone, Debug)]
struct Failing {
    /// The server's words.
    error: Option<ServerError>,
    /// What fails in it.
    message: String,
    /// Where.
    place: Place,
}

/// Something in the statement that fails when it runs.
struct Fault {
    rule: &'static str,
    message: String,
    error: Option<ServerError>,
    advice: Option<String>,
    range: Option<Range<usize>>,
    conditional: bool,
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreateFunctionStmt(_) | NodeEnum::DoStmt(_) | NodeEnum::ViewStmt(_) => {}
        NodeEnum::CreateTableAsStmt(_) if !runs(node) => {}
        _ => return uses(ctx),
    }
    if fails_already(ctx) {
        return;
    }
    let mut said = BTreeSet::new();
    let mut faults = stored(ctx, statement);
    for part in body(ctx).iter() {
        for trouble in troubles(ctx, part) {
            let finding = trouble.finding;
            faults.push(Fault {
                rule: finding.rule.id,
                message: finding.message.into(),
                error: of_body(finding.rule, finding.server_error),
                advice: finding.advice.map(|advice| advice.to_string()),
                range: Some(part.range(&trouble.range)).filter(|range| !range.is_empty()),
                conditional: part.conditional,
            });
        }
    }
    let words = ctx.created(node).map_or_else(|| "the DO block".to_owned(), |object| ctx.describe(&object));
    let at_once = matches!(node, NodeEnum::DoStmt(_));
    if at_once {
        let parts = body(ctx);
        faults.extend(roles::missing(ctx, &parts).into_iter().map(|(part, role)| Fault {
            rule: own_03_grant::RULE.id,
            message: missing_message(&role),
            error: Some(ServerError::missing_role(&role)),
            advice: None,
            range: Some(part.range(&(0..part.sql().len()))).filter(|range| !range.is_empty()),
            conditional: part.conditional,
        }));
    }
    for fault in faults {
        if !said.insert((fault.rule, fault.message.clone())) {
            continue;
        }
        let message = match (at_once, fault.conditional) {
            (true, false) => format!("{words} fails: {} [{}]", fault.message, fault.rule),
            (true, true) => format!("{words} fails where it gets there: {} [{}]", fault.message, fault.rule),
            (false, false) => {
                format!("{words} is created, but fails when it is used: {} [{}]", fault.message, fault.rule)
            }
            (false, true) => {
                format!(
                    "{words} is created, but fails when it gets there: {} [{}]",
                    fault.message, fault.rule
                )
            }
        };
        if let Some(object) = ctx.created(node).filter(|_| !fault.conditional) {
            let at = fault.range.clone().unwrap_or_else(|| statement.body());
            let failing = Failing {
                error: fault.error.clone(),
                message: fault.message.clone(),
                place: statement.place(&at),
            };
            let id = ctx.resolved(&object.id);
            ctx.states.of::<FailingObjects>().0.entry(id).or_insert(failing);
        }
        let mut draft = Draft::new(message).object(words.clone());
        if !at_once || fault.conditional {
            draft = draft.severity(Severity::Warning);
        }
        if let Some(error) = fault.error {
            draft = draft.server(error);
        }
        if let Some(advice) = fault.advice {
            draft = draft.advice(advice);
        }
        if let Some(range) = fault.range {
            draft = draft.at(range);
        }
        ctx.report(draft);
    }
}

/// What the server says of a statement in a body, where it is something else than of the same statement alone.
fn of_body(rule: &Rule, error: Option<ServerError>) -> Option<ServerError> {
    if *rule == su_19_alter_system::RULE {
        return Some(ServerError::new("25001", "ALTER SYSTEM cannot be executed from a function"));
    }
    error
}

/// Closed functions and tables in a view, and in a body that is part of the statement's own tree.
fn stored(ctx: &Context<'_>, statement: &Statement<'_>) -> Vec<Fault> {
    if matches!(statement.node(), NodeEnum::CreateFunctionStmt(s) if s.sql_body.is_none())
        || matches!(statement.node(), NodeEnum::DoStmt(_))
    {
        return Vec::new();
    }
    let found = statement.references().iter().filter_map(|reference| {
        let refusal = refusal(ctx, reference)?;
        Some(Fault {
            rule: "SU-23",
            message: refusal.message,
            error: Some(refusal.error),
            advice: refusal.advice.map(Into::into),
            range: place(statement, reference),
            conditional: false,
        })
    });
    found.collect()
}

/// A statement that uses a function or view which always fails.
fn uses(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if ctx.states.get::<FailingObjects>().is_none() || fails_already(ctx) {
        return;
    }
    let refreshed = match node {
        NodeEnum::RefreshMatViewStmt(s) if !s.skip_data => s.relation.as_ref().map(relation),
        _ if runs(node) => None,
        _ => return,
    };
    let mut used =
        statement.references().iter().filter(|r| matches!(r.class, Class::Relation | Class::Function));
    let failing = ctx.states.get::<FailingObjects>();
    let known = |id: ObjectId| failing?.0.get(&ctx.resolved(&id)).map(|failing| (id, failing.clone()));
    let found = match refreshed {
        Some((schema, name)) => {
            known(ObjectId::new(Class::Relation, schema, name)).map(|found| (found, None))
        }
        None => used.find_map(|r| Some((known(ObjectId::of(r))?, place(statement, r)))),
    };
    let Some(((id, failing), range)) = found else { return };
    let relation = ctx.facts.relations.get(&ctx.resolved(&id));
    let word = relation.map_or("function", |relation| relation.word);
    let name = id.path();
    let mut draft = Draft::new(format!("{word} {name} fails when it is used: {}", failing.message))
        .object(format!("{word} {name}"))
        .related(failing.place, failing.message);
    if let Some(error) = failing.error {
        draft = draft.server(error);
    }
    if let Some(range) = range {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
