//! TS-03: TimescaleDB's functions by their bare names, after a dump has emptied `search_path`.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{qualified, quoted, strings, text};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, Class, StatementKind, canonical, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::{calls_at, paths};
use crate::target::{is_builtin, members};

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "TS-03",
    name: "unqualified-restore-call",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::Limit {
        slug: "ts.post-restore-unqualified",
        how: "The calls without their schema, where search_path is empty.",
    },
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
        sources: &["timescale/docs, migrate/pg-dump-and-restore: the call lacks its schema there"],
        link: "https://www.tigerdata.com/docs/migrate/latest/pg-dump-and-restore",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if ctx.facts.search_path.iter().any(|schema| &**schema == "public") {
        return;
    }
    for (path, call) in calls_at(node) {
        let Some((schema, name)) = qualified(&call.funcname) else { continue };
        let is_ours = members("timescaledb").is_some_and(|known| known.has(Class::Function, name))
            && !is_builtin(Class::Function, name);
        if !is_ours || schema.is_some_and(|schema| schema != SCHEMA) {
            continue;
        }
        let table = unqualified_table(ctx, call);
        if schema.is_none() {
            function(ctx, statement, call, name, &path, table);
        } else if let Some(table) = table {
            let text = format!("relation \"{table}\" does not exist");
            let draft = Draft::new(format!(
                "{SCHEMA}.{name}('{table}') names no schema, and search_path is empty here"
            ))
            .object(format!("table {SCHEMA}.{table}"))
            .server(ServerError::new("42P01", text));
            ctx.report(match qualify_table(statement, FixDraft::edit("Name its schema"), table) {
                Some(fix) => draft.fix(fix),
                None => draft,
            });
        }
    }
}

/// Where TimescaleDB's own functions are on the service, and where a session's usual search_path finds tables.
const SCHEMA: &str = "public";

/// The table that the call's first argument names without a schema, where the dump has one of that name in the usual
/// schema.
fn unqualified_table<'a>(ctx: &Context<'_>, call: &'a pg::FuncCall) -> Option<&'a str> {
    let name = text(call.args.first()?)?;
    let id = ObjectId::new(Class::Relation, Some(SCHEMA), name);
    ctx.facts.relations.contains_key(&id).then_some(name)
}

fn function(
    ctx: &mut Context<'_>,
    statement: &Statement<'_>,
    call: &pg::FuncCall,
    name: &str,
    path: &str,
    table: Option<&str>,
) {
    let Some(range) = usize::try_from(call.location).ok().and_then(|at| statement.name_at(at)) else {
        return;
    };
    let names: Vec<serde_json::Value> = [SCHEMA]
        .into_iter()
        .chain(strings(&call.funcname))
        .map(|name| serde_json::json!({ "String": { "sval": name } }))
        .collect();
    let mut fix = FixDraft::edit("name its schema")
        .replace(range.start..range.start, format!("{SCHEMA}."))
        .change(Change::Set(format!("{path}/funcname"), serde_json::Value::Array(names)));
    if let Some(table) = table {
        let Some(with) = qualify_table(statement, fix, table) else { return };
        fix = with;
    }
    let arguments = if call.args.is_empty() { "" } else { "…" };
    ctx.report(
        Draft::new(format!("{name}() is in schema {SCHEMA}, which is not in search_path here"))
            .at(range)
            .object(format!("function {SCHEMA}.{name}"))
            .server(ServerError::new("42883", format!("function {name}({arguments}) does not exist")))
            .fix(fix),
    );
}

/// Puts the schema into the string that names the table.
fn qualify_table(statement: &Statement<'_>, fix: FixDraft, table: &str) -> Option<FixDraft> {
    let literal = format!("'{table}'");
    let is_literal = |token: &&crate::parse::Token| token.text(statement.sql()) == literal;
    let token = statement.code().find(is_literal)?;
    let value =
        |value: &serde_json::Value| value.get("sval").and_then(serde_json::Value::as_str) == Some(table);
    let places = paths(&canonical(statement.node()), &value);
    let [place] = places.as_slice() else { return None };
    let new = format!("{}.{}", SCHEMA, quoted(table));
    Some(
        fix.replace(token.start..token.end, format!("'{new}'"))
            .change(Change::set_str(format!("{place}/sval"), &new)),
    )
}
