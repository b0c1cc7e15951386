//! TS-03: TimescaleDB's functions by their bare names, after a dump has emptied `search_path`.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::hypertables::{named_table, regclass};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, Reference, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::qualify::qualify;
use crate::target::{is_builtin, members};

pub(crate) const RULE: Rule = Rule {
    id: "TS-03",
    name: "unqualified-restore-call",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "ts.post-restore-unqualified",
        "The calls without their schema, where search_path is empty.",
    ),
    statements: &[StatementKind::SelectStmt, StatementKind::CallStmt],
    doc: Doc {
        summary: "A function of TimescaleDB, or a table that is given to one, without its schema where search_path is empty.",
        what: "timescaledb_post_restore(), create_hypertable('readings', 'time') and their like in the session of a dump: \
               every dump empties search_path at its start.",
        why: "The functions are in schema public, and nothing is looked for there any more. The database stays in restoring \
              mode, the table stays a plain one.",
        server: &[
            "42883 function timescaledb_post_restore() does not exist",
            "42P01 relation \"readings\" does not exist",
        ],
        help: "public. is put before the names.",
        before: "SELECT pg_catalog.set_config('search_path', '', false);\nSELECT timescaledb_pre_restore();\nSELECT timescaledb_post_restore();",
        after: "SELECT pg_catalog.set_config('search_path', '', false);\nSELECT public.timescaledb_pre_restore();\nSELECT public.timescaledb_post_restore();",
        sources: Doc::sources(&[
            "timescale/docs, migrate/pg-dump-and-restore: the call lacks its schema there",
        ]),
        link: "https://www.tigerdata.com/docs/migrate/latest/pg-dump-and-restore",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let on_path = |schema: &str| ctx.facts.search_path.iter().any(|one| &**one == schema);
    let is_ours = |name: &str| {
        members("timescaledb").is_some_and(|known| known.has(Class::Function, name))
            && !is_builtin(Class::Function, name)
    };
    let called = |reference: &&Reference| reference.class == Class::Function && is_ours(&reference.name);
    let calls: Vec<&Reference> = statement.references().iter().filter(called).collect();
    if calls.is_empty() {
        return;
    }
    let hidden = |reference: &&&Reference| reference.schema.is_none() && !on_path(SCHEMA);
    let mut bare: Vec<&Reference> = calls.iter().filter(hidden).copied().collect();
    bare.sort_by(|a, b| a.name.cmp(&b.name));
    bare.dedup_by(|a, b| a.name == b.name);
    // The one that the statement begins with is the one to speak of.
    bare.sort_by_key(|reference| reference.location);
    let table = unqualified_table(ctx, node);
    let mut fix = Some(FixDraft::edit("Name its schema"));
    for reference in &bare {
        fix = fix.and_then(|fix| qualify(statement, (Class::Function, &reference.name), SCHEMA, fix));
    }
    if let Some((name, schemas)) = &table {
        fix = match schemas.as_slice() {
            [schema] => fix.and_then(|fix| qualify(statement, (Class::Relation, name), schema, fix)),
            _ => None,
        };
    }
    let draft = if let Some(first) = bare.first() {
        let name = &first.name;
        let arguments = if first.arguments == Some(0) { "" } else { "…" };
        let draft = Draft::new(format!("{name}() is in schema {SCHEMA}, which is not in search_path here"))
            .object(format!("function {SCHEMA}.{name}"))
            .server(ServerError::new("42883", format!("function {name}({arguments}) does not exist")));
        match first.location.and_then(|at| statement.name_at(usize::try_from(at).ok()?)) {
            Some(range) => draft.at(range),
            None => draft,
        }
    } else if let Some((name, schemas)) = &table {
        let path = if ctx.facts.search_path.is_empty() { "is empty" } else { "does not lead to it" };
        Draft::new(format!("table {name} is named without its schema, and search_path {path} here"))
            .object(format!("table {}.{name}", schemas.first().map_or(SCHEMA, String::as_str)))
            .server(ServerError::new("42P01", format!("relation \"{name}\" does not exist")))
    } else {
        return;
    };
    let draft = match &table {
        Some((_, schemas)) if schemas.len() > 1 => {
            draft.advice(format!("Write the table's schema before its name: {}.", schemas.join(" or ")))
        }
        _ => draft,
    };
    ctx.report(match fix {
        Some(fix) => draft.fix(fix),
        None => draft,
    });
}

/// Where TimescaleDB's own functions are on the service.
const SCHEMA: &str = "public";

/// The table that a call of TimescaleDB names without its schema where search_path does not lead to it, and the schemas in
/// which the inputs create a table of that name.
fn unqualified_table(ctx: &Context<'_>, node: &NodeEnum) -> Option<(String, Vec<String>)> {
    let text = named_table(node)?;
    let (None, name) = regclass(text)? else { return None };
    let id = ctx.resolved(&ObjectId::new(Class::Relation, None, &name));
    let on_path = |schema: &str| ctx.facts.search_path.iter().any(|one| &**one == schema);
    if ctx.facts.declares(&id) && id.schema.as_deref().is_some_and(on_path) {
        return None;
    }
    let schemas: Vec<String> =
        ctx.facts.schemas_with(Class::Relation, &name).into_iter().map(str::to_owned).collect();
    (!schemas.is_empty()).then_some((name, schemas))
}
