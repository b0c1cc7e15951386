//! IN-05: A setting at the head of the dump that the target's version does not know.

use crate::edit::Safety;
use crate::facts::names::{set_config, truth};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::text::parse_bool;

pub(crate) const RULE: Rule = Rule {
    id: "IN-05",
    name: "unknown-preamble-setting",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "preamble.guc",
        "transaction_timeout for targets up to 16, default_with_oids for all.",
    ),
    also_answers: &["PG-17"],
    statements: &[StatementKind::SelectStmt, StatementKind::VariableSetStmt],
    doc: Doc {
        summary: "A setting at the head of the dump that the target's version does not know.",
        what: "pg_dump 17 and newer sets transaction_timeout whatever the version of the source. pg_dump up to 11 sets default_with_oids, and sets it to true before tables WITH OIDS.",
        why: "transaction_timeout came with 17: older servers refuse it. Tables WITH OIDS are gone since 12.",
        server: &[
            "42704 unrecognized configuration parameter \"transaction_timeout\" (16 and older)",
            "0A000 tables declared WITH OIDS are not supported",
        ],
        help: "The statement is removed. transaction_timeout = 0 is what a server without it does anyway. Where tables had hidden oid columns, look whether the application reads them.",
        before: "SET default_with_oids = true;",
        after: "-- tsmigrate IN-05: Remove it: no server since 12 has oid columns\n-- SET default_with_oids = true;",
        sources: Doc::sources(&[
            "PostgreSQL src/bin/pg_dump/pg_backup_archiver.c, _doSetFixedOutputState; utils/misc/guc_tables.c",
        ]),
        link: "https://www.postgresql.org/docs/current/runtime-config-client.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let (name, is_on) = match ctx.node() {
        Some((_, NodeEnum::VariableSetStmt(set))) => {
            (set.name.as_str(), set.args.first().and_then(truth) == Some(true))
        }
        Some((_, NodeEnum::SelectStmt(select))) => match set_config(select) {
            Some((name, value)) => (name, parse_bool(value) == Some(true)),
            None => return,
        },
        _ => return,
    };
    if name.eq_ignore_ascii_case("default_with_oids") && is_on {
        ctx.report(
            Draft::new("tables cannot have hidden oid columns any more")
                .server(ServerError::new("0A000", "tables declared WITH OIDS are not supported"))
                .fix(
                    FixDraft::remove("no server since 12 has oid columns")
                        .lost("the hidden oid columns of the tables that follow"),
                ),
        );
    } else if name.eq_ignore_ascii_case("transaction_timeout") && ctx.target.version < 17 {
        ctx.report(
            Draft::new(format!("PostgreSQL {} has no transaction_timeout", ctx.target.version))
                .server(ServerError::new("42704", format!("unrecognized configuration parameter \"{name}\"")))
                .fix(FixDraft::remove("the target has no transaction_timeout, and so none is in the way")),
        );
    }
}
