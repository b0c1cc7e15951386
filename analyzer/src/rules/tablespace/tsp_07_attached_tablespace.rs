//! TSP-07: A hypertable is attached to a tablespace.

use super::tsp_03_default_tablespace::{is_usable, no_tablespace};
use crate::edit::Safety;
use crate::facts::names::{options, qualified, quoted_path, string, text};
use crate::finding::Severity;
use crate::locate::Statement;
use crate::parse::{NodeEnum, StatementKind, TokenKind, Tokens, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::calls;

pub(crate) const RULE: Rule = Rule {
    id: "TSP-07",
    name: "attached-tablespace",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "tablespace.ts-catalog",
        "Rows of TimescaleDB's own table of tablespaces, and calls that attach one.",
    ),
    also_answers: &["TS-07"],
    statements: &[
        StatementKind::CallStmt,
        StatementKind::CopyStmt,
        StatementKind::CreateFunctionStmt,
        StatementKind::InsertStmt,
        StatementKind::SelectStmt,
    ],
    doc: Doc {
        summary: "A hypertable is attached to a tablespace.",
        what: "Rows of TimescaleDB's catalog table _timescaledb_catalog.tablespace, which a full dump carries with --no-tablespaces too, and calls of attach_tablespace, detach_tablespace and move_chunk that name a tablespace, in statements and in the bodies of functions.",
        why: "The rows restore without an error. The first INSERT that needs a new chunk then fails. The calls fail at once.",
        server: &[
            "42704 tablespace \"ts1\" does not exist (at the first INSERT that needs a new chunk)",
            "HINT The tablespace needs to be created before attaching it to a hypertable.",
        ],
        help: "The rows and the calls are removed: chunks go to the service's own storage. In place of moving old chunks to a slower tablespace the service has tiered storage: see its documentation.",
        before: "COPY _timescaledb_catalog.tablespace (id, hypertable_id, tablespace_name) FROM stdin;\n1	1	ts1\n\\.\n",
        after: "-- tsmigrate TSP-07: Remove it: chunks go to the service's own storage\n-- COPY _timescaledb_catalog.tablespace (id, hypertable_id, tablespace_name) FROM stdin;\n-- 1	1	ts1\n-- \\.\n",
        sources: Doc::sources(&["TimescaleDB src/ts_catalog/tablespace.c, tablespace_attach_internal"]),
        link: "https://www.tigerdata.com/docs/use-timescale/latest/data-tiering",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CopyStmt(s) if s.is_from && is_catalog(s.relation.as_ref()) => rows(ctx, true),
        NodeEnum::InsertStmt(s) if is_catalog(s.relation.as_ref()) => rows(ctx, false),
        NodeEnum::SelectStmt(_) | NodeEnum::CallStmt(_) => {
            for (call, only) in calls(node) {
                self::call(ctx, statement, call, only);
            }
        }
        NodeEnum::CreateFunctionStmt(s) => {
            let body = options(&s.options).find(|option| option.defname == "as").and_then(|option| {
                match option.arg.as_ref()?.node.as_ref()? {
                    NodeEnum::List(list) => list.items.first().and_then(string),
                    _ => None,
                }
            });
            if let Some(name) = body.and_then(called_in_body) {
                let function = qualified(&s.funcname).map(|(schema, name)| quoted_path(schema, name));
                let object = format!("function {}", function.unwrap_or_default());
                ctx.report(
                    Draft::new(format!(
                        "{object} calls {name}, and the target has no tablespaces to give to it"
                    ))
                    .severity(Severity::Warning)
                    .object(object)
                    .advice("Change the function, and the jobs that run it: the service has tiered storage."),
                );
            }
        }
        _ => {}
    }
}

fn is_catalog(relation: Option<&pg::RangeVar>) -> bool {
    relation.is_some_and(|r| r.schemaname == "_timescaledb_catalog" && r.relname == "tablespace")
}

fn rows(ctx: &mut Context<'_>, copy: bool) {
    let draft =
        Draft::new("hypertables are attached to tablespaces: the first row for a new chunk would fail")
            .object("table _timescaledb_catalog.tablespace")
            .server(no_tablespace("…"))
            .advice("Or detach them on the source before the dump: SELECT detach_tablespaces('table').")
            .fix(
                FixDraft::remove("chunks go to the service's own storage")
                    .lost("attachments of hypertables to tablespaces"),
            );
    ctx.report(if copy { draft.needs_rows() } else { draft });
}

/// The tablespaces that a call names.
fn named(call: &pg::FuncCall) -> Option<(&str, Vec<&str>)> {
    let (_, function) = qualified(&call.funcname)?;
    let positions: &[usize] = match function {
        "attach_tablespace" | "detach_tablespace" => &[0],
        "move_chunk" => &[1, 2],
        _ => return None,
    };
    let mut names = Vec::new();
    for (index, argument) in call.args.iter().enumerate() {
        match &argument.node {
            Some(NodeEnum::NamedArgExpr(argument)) => {
                let is_tablespace = matches!(
                    &*argument.name,
                    "tablespace" | "destination_tablespace" | "index_destination_tablespace"
                );
                names.extend(argument.arg.as_deref().filter(|_| is_tablespace).and_then(text));
            }
            _ if positions.contains(&index) => names.extend(text(argument)),
            _ => {}
        }
    }
    Some((function, names))
}

fn call(ctx: &mut Context<'_>, statement: &Statement<'_>, call: &pg::FuncCall, only: bool) {
    let Some((function, names)) = named(call) else { return };
    let Some(name) = names.into_iter().find(|name| !is_usable(name)) else { return };
    let error = no_tablespace(name);
    let error = if function == "attach_tablespace" {
        error.hint("The tablespace needs to be created before attaching it to a hypertable.")
    } else {
        error
    };
    let mut draft =
        Draft::new(format!("{function} names tablespace \"{name}\", which the target does not have"))
            .object(format!("tablespace {name}"))
            .server(error);
    if let Some(range) = usize::try_from(call.location).ok().and_then(|at| statement.name_at(at)) {
        draft = draft.at(range);
    }
    if only {
        draft = draft.fix(FixDraft::remove("chunks go to the service's own storage"));
    }
    ctx.report(draft);
}

/// `attach_tablespace(` or `move_chunk(` in the body of a function.
fn called_in_body(body: &str) -> Option<&'static str> {
    let function = ["attach_tablespace", "move_chunk"].into_iter().find(|name| body.contains(*name))?;
    let tokens = Tokens::scan(body);
    tokens
        .as_slice()
        .windows(2)
        .any(|pair| {
            matches!(pair, [name, bracket] if name.kind != TokenKind::Comment
                && name.is_word(body, function) && bracket.text(body) == "(")
        })
        .then_some(function)
}
