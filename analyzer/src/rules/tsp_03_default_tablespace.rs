//! TSP-03: `SET default_tablespace`, the way pg_dump writes tablespaces.

use super::{Context, Doc, Draft, FixDraft, Rule, TROUBLESHOOTING};
use crate::edit::Safety;
use crate::facts::names::text;
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum};

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "TSP-03",
    name: "default-tablespace",
    severity: Severity::Error,
    fix: Safety::Safe,
    doc: Doc {
        summary: "SET default_tablespace names a tablespace that the target does not have.",
        what: "pg_dump writes no TABLESPACE clauses: before a table, index, materialized view or constraint that \
               lives in a tablespace it writes SET default_tablespace = name.",
        why: "The service has no tablespaces but its own. The statement fails; a restore that goes on puts the \
              objects that follow where the one before stood.",
        server: &[
            "22023 invalid value for parameter \"default_tablespace\": \"ts1\"",
            "DETAIL Tablespace \"ts1\" does not exist.",
        ],
        help: "The value is replaced by '': the objects that follow go to the target's own storage. Or write the \
               dump with --no-tablespaces.",
        before: "SET default_tablespace = ts1;",
        after: "SET default_tablespace = '';",
        sources: &["PostgreSQL src/bin/pg_dump/pg_backup_archiver.c, _selectTablespace"],
        link: TROUBLESHOOTING,
    },
    check,
    finish: None,
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::VariableSetStmt(set))) = ctx.node() else { return };
    if set.name != "default_tablespace" {
        return;
    }
    // pg_default is there on every server, and means the same as ''.
    let Some(name) = set.args.first().and_then(text).filter(|name| !matches!(*name, "" | "pg_default")) else {
        return;
    };
    // The value is the last token: a name or a string.
    let body = statement.body();
    let Some(value) = statement.code().rfind(|token| token.end <= body.end) else { return };
    let range = value.start..value.end;
    ctx.report(
        Draft::new(format!("tablespace \"{name}\" does not exist on the target"))
            .at(range.clone())
            .object(format!("tablespace {name}"))
            .server(
                ServerError::new(
                    "22023",
                    format!("invalid value for parameter \"default_tablespace\": \"{name}\""),
                )
                .detail(format!("Tablespace \"{name}\" does not exist.")),
            )
            .fix(
                FixDraft::edit("use the target's own storage")
                    .replace(range, "''")
                    .change(Change::set_str("/VariableSetStmt/args/0/AConst/val/Sval/sval", "")),
            ),
    );
}
