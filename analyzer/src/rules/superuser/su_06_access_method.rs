//! SU-06: access methods that only a superuser can bring.

use crate::edit::Safety;
use crate::facts::names::{quoted, text};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::{absence, has_extension, providers};
use crate::target::is_builtin;

pub(crate) const RULE: Rule = Rule {
    id: "SU-06",
    name: "access-method",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("am", "Access methods and tables that use them: the tables become heap."),
    statements: &[
        StatementKind::AlterTableStmt,
        StatementKind::CreateAmStmt,
        StatementKind::CreateStmt,
        StatementKind::CreateTableAsStmt,
        StatementKind::IndexStmt,
        StatementKind::VariableSetStmt,
    ],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "CREATE ACCESS METHOD, and tables and indexes that use one the target does not have.",
        what: "CREATE ACCESS METHOD; SET default_table_access_method = x, as pg_dump writes it before a table; \
               USING x of a table or materialized view; ALTER TABLE … SET ACCESS METHOD x; CREATE INDEX … USING x \
               of an index method that no extension of the dump brings.",
        why: "An access method is C code in the server. Only a superuser can create one, and the service's tables \
               are heap tables (TimescaleDB's columnstore works on hypertables; its table access method hypercore \
               is gone since 2.22).",
        server: &[
            "42501 permission denied to create access method \"a\"",
            "22023 invalid value for parameter \"default_table_access_method\": \"a\"",
            "DETAIL Table access method \"a\" does not exist.",
            "42704 access method \"a\" does not exist",
        ],
        help: "Tables become heap tables: their rows are the same. pg_dump --no-table-access-method writes a dump \
               without it. For columnar tables look at hypertables with the columnstore.",
        before: "SET default_table_access_method = columnar;",
        after: "SET default_table_access_method = heap;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/amcmds.c, CreateAccessMethod",
            "PostgreSQL src/backend/access/table/tableamapi.c, check_default_table_access_method",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreateAmStmt(s) => {
            let words = format!("access method {}", quoted(&s.amname));
            let error = format!("permission denied to create access method \"{}\"", s.amname);
            let draft = Draft::new(format!("only a superuser can create {words}"))
                .object(words.clone())
                .server(
                    ServerError::new("42501", error).hint("Must be superuser to create an access method."),
                )
                .fix(FixDraft::remove("the target cannot have an access method of its own").lost(words));
            ctx.report(draft);
        }
        NodeEnum::VariableSetStmt(s) if s.name == "default_table_access_method" => {
            let Some(name) = s.args.first().and_then(text).filter(|name| *name != "heap") else { return };
            let body = statement.body();
            let Some(value) = statement.code().rfind(|token| token.end <= body.end) else { return };
            let range = value.start..value.end;
            let draft = Draft::new(format!(
                "the target has no table access method \"{name}\": tables are heap there"
            ))
            .at(range.clone())
            .object(format!("access method {}", quoted(name)))
            .server(
                ServerError::new(
                    "22023",
                    format!("invalid value for parameter \"default_table_access_method\": \"{name}\""),
                )
                .detail(format!("Table access method \"{name}\" does not exist.")),
            )
            .fix(
                FixDraft::edit("Use heap")
                    .replace(range, "heap")
                    .change(Change::set_str("/VariableSetStmt/args/0/AConst/val/Sval/sval", "heap"))
                    .lost(format!(
                        "access method {} of the tables that follow: they are heap tables",
                        quoted(name)
                    )),
            );
            ctx.report(draft);
        }
        NodeEnum::CreateStmt(s) => clause(ctx, &s.access_method, "/CreateStmt/access_method"),
        NodeEnum::CreateTableAsStmt(s) => {
            if let Some(into) = &s.into {
                clause(ctx, &into.access_method, "/CreateTableAsStmt/into/access_method");
            }
        }
        NodeEnum::AlterTableStmt(s) => {
            let [command] = s.cmds.as_slice() else { return };
            let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return };
            let name = &command.name;
            if command.subtype != pg::AlterTableType::AtSetAccessMethod as i32
                || matches!(name.as_str(), "" | "heap")
            {
                return;
            }
            let Some(object) = subject(node) else { return };
            let words = ctx.describe(&object);
            let draft = Draft::new(format!("{words} stays a heap table: there is no access method {name}"))
                .object(words.clone())
                .server(missing(name))
                .fix(
                    FixDraft::remove("tables are heap on the target")
                        .lost(format!("access method {} of {words}", quoted(name))),
                );
            ctx.report(draft);
        }
        NodeEnum::IndexStmt(s) => index(ctx, &s.access_method),
        _ => {}
    }
}

/// `USING x` of a table.
fn clause(ctx: &mut Context<'_>, name: &str, path: &str) {
    if matches!(name, "" | "heap") {
        return;
    }
    let Some((statement, node)) = ctx.node() else { return };
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let Some(using) = statement.words(&["USING"]) else { return };
    let Some(range) = statement.name_at(using.end) else { return };
    let draft =
        Draft::new(format!("the target has no table access method \"{name}\": {words} becomes a heap table"))
            .at(range.clone())
            .object(words.clone())
            .server(missing(name))
            .fix(
                FixDraft::edit("Use heap")
                    .delete(statement.with_gap(&(using.start..range.end)))
                    .change(Change::set_str(path, ""))
                    .lost(format!("access method {} of {words}: it is a heap table", quoted(name))),
            );
    ctx.report(draft);
}

/// An index method that no extension of the dump brings. One of an extension that is absent is DEP-01's.
fn index(ctx: &mut Context<'_>, name: &str) {
    // The server takes gist for rtree, which it had until version 8.2 (DefineIndex).
    if is_builtin(Class::AccessMethod, name)
        || name == "rtree"
        || absence(ctx, Class::AccessMethod, name).is_some()
        || providers(Class::AccessMethod, name).iter().any(|extension| has_extension(ctx, extension))
    {
        return;
    }
    let Some((statement, node)) = ctx.node() else { return };
    let Some(object) = created(node).or_else(|| subject(node)) else { return };
    let words = ctx.describe(&object);
    let range = statement.words(&["USING"]).and_then(|using| statement.name_at(using.end));
    let mut draft =
        Draft::new(format!("{words} needs index method {name}, which nothing in this dump brings"))
            .object(words.clone())
            .server(missing(name))
            .fix(FixDraft::remove(format!("there is no index method {name}")).review().lost(words));
    if let Some(range) = range {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

fn missing(name: &str) -> ServerError {
    ServerError::new("42704", format!("access method \"{name}\" does not exist"))
}
