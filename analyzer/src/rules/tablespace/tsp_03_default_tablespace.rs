//! TSP-03: SET default_tablespace names a tablespace that the target does not have.

use crate::edit::Safety;
use crate::facts::names::{set_config, text};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, StatementKind, TokenKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "TSP-03",
    name: "default-tablespace",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "tablespace.default-guc",
        "SET default_tablespace, as pg_dump writes it before an object.",
    ),
    statements: &[StatementKind::SelectStmt, StatementKind::VariableSetStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "SET default_tablespace names a tablespace that the target does not have.",
        what: "pg_dump writes no TABLESPACE clauses: before a table, index, materialized view or constraint that lives in a tablespace it writes SET default_tablespace = name. The same as SELECT set_config('default_tablespace', …).",
        why: "The service has no tablespaces but its own. The statement fails; a restore that goes on puts the objects that follow where the one before stood. pg_global is taken, but then nothing can be created: it is for the server's shared catalogs.",
        server: &[
            "22023 invalid value for parameter \"default_tablespace\": \"ts1\"",
            "DETAIL Tablespace \"ts1\" does not exist.",
            "42501 permission denied for tablespace pg_global",
        ],
        help: "The value is replaced by '': the objects that follow go to the target's own storage. Or write the dump with --no-tablespaces.",
        before: "SET default_tablespace = ts1;",
        after: "SET default_tablespace = '';",
        sources: Doc::sources(&["PostgreSQL src/bin/pg_dump/pg_backup_archiver.c, _selectTablespace"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let (name, value, path) = match node {
        NodeEnum::VariableSetStmt(set) if set.name == "default_tablespace" => {
            let Some(name) = set.args.first().and_then(text) else { return };
            // The value is the last token: a name or a string.
            let body = statement.body();
            let value = statement.code().rfind(|token| token.end <= body.end).map(Statement::token_range);
            (name, value, "/VariableSetStmt/args/0/AConst/val/Sval/sval")
        }
        NodeEnum::SelectStmt(select) => match set_config(select) {
            Some((parameter, name)) if parameter.eq_ignore_ascii_case("default_tablespace") => {
                let mut strings = statement.code().filter(|token| token.kind == TokenKind::String);
                let value = strings.nth(1).map(Statement::token_range);
                (name, value, "/SelectStmt/target_list/0/ResTarget/val/FuncCall/args/1/AConst/val/Sval/sval")
            }
            _ => return,
        },
        _ => return,
    };
    let Some(range) = value.filter(|_| !is_usable(name)) else { return };
    let (message, error) = if name == "pg_global" {
        ("nothing can be created in tablespace \"pg_global\"".to_owned(), no_tablespace(name))
    } else {
        let error = format!("invalid value for parameter \"default_tablespace\": \"{name}\"");
        (
            format!("tablespace \"{name}\" does not exist on the target"),
            ServerError::new("22023", error).detail(format!("Tablespace \"{name}\" does not exist.")),
        )
    };
    ctx.report(Draft::new(message).at(range.clone()).object(format!("tablespace {name}")).server(error).fix(
        FixDraft::edit("Use the target's own storage").replace(range, "''").change(Change::set_str(path, "")),
    ));
}

/// True where objects can be made in the tablespace on every server. It means the same as ''.
#[must_use]
pub fn is_usable(name: &str) -> bool {
    matches!(name, "" | "pg_default")
}

/// What the server answers where a statement names a tablespace that is not to be had.
#[must_use]
pub fn no_tablespace(name: &str) -> ServerError {
    if name == "pg_global" {
        ServerError::new("42501", "permission denied for tablespace pg_global")
    } else {
        ServerError::new("42704", format!("tablespace \"{name}\" does not exist"))
    }
}
