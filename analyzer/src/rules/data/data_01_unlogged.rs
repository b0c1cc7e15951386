//! DATA-01: unlogged tables and sequences, which a failover empties.

use std::ops::Range;

use crate::edit::Safety;
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "DATA-01",
    name: "unlogged",
    severity: Severity::Warning,
    fix: Safety::Review,
    answers: Answers::limit("unlogged", "Unlogged tables and sequences."),
    statements: &[
        StatementKind::AlterTableStmt,
        StatementKind::CreateSeqStmt,
        StatementKind::CreateStmt,
        StatementKind::CreateTableAsStmt,
    ],
    doc: Doc {
        summary: "An unlogged table or sequence: a crash or a failover of the service empties it.",
        what: "CREATE UNLOGGED TABLE, CREATE UNLOGGED SEQUENCE, CREATE UNLOGGED TABLE … AS and ALTER TABLE … SET \
               UNLOGGED.",
        why: "What is unlogged is not written to the write-ahead log. The server empties it when it recovers from a \
              crash, and a replica never has its rows: a service that fails over to one, or is restored from a \
              backup, comes up without them. On a server of one's own that may be rare; on a service it is how \
              maintenance works.",
        server: &[
            "0A000 cannot access temporary or unlogged relations during recovery (on a replica)",
            "0A000 partitioned tables cannot be unlogged (18 and newer)",
        ],
        help: "Make it logged unless its rows may vanish at any time: --accept DATA-01 removes the word UNLOGGED. \
               Writing then costs what it costs for every other table.",
        before: "CREATE UNLOGGED TABLE public.sessions (\n    id integer NOT NULL\n);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL documentation, CREATE TABLE, UNLOGGED",
            "src/backend/catalog/storage.c",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-UNLOGGED",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let path = match node {
        NodeEnum::CreateStmt(s) if is_unlogged(s.relation.as_ref()) => "/CreateStmt/relation",
        NodeEnum::CreateSeqStmt(s) if is_unlogged(s.sequence.as_ref()) => "/CreateSeqStmt/sequence",
        NodeEnum::CreateTableAsStmt(s) if is_unlogged(s.into.as_ref().and_then(|into| into.rel.as_ref())) => {
            "/CreateTableAsStmt/into/rel"
        }
        NodeEnum::AlterTableStmt(s) if s.cmds.iter().any(unlogs) => "",
        _ => return,
    };
    let Some(object) = created(node).or_else(|| subject(node)) else { return };
    // The chunks of a hypertable are as it is.
    if ctx.resolved(&object.id).schema.is_some_and(|schema| schema.starts_with("_timescaledb_")) {
        return;
    }
    let words = ctx.describe(&object);
    let rows = if object.word == "sequence" { "starts again" } else { "is empty" };
    let Some(word) = statement.words(&["UNLOGGED"]) else { return };
    let fix = if path.is_empty() {
        let NodeEnum::AlterTableStmt(s) = node else { return };
        let gone: Vec<usize> = (0..s.cmds.len()).filter(|i| s.cmds.get(*i).is_some_and(unlogs)).collect();
        (gone.len() == s.cmds.len()).then(|| FixDraft::remove("it stays logged").review())
    } else {
        Some(to_logged(statement, &word, path).review())
    };
    let is_in_partitions = matches!(node, NodeEnum::CreateStmt(s) if s.partspec.is_some());
    let draft = if is_in_partitions && ctx.target.version >= 18 {
        // It has no rows that would be unlogged.
        Draft::new(format!("{words} is in partitions, which PostgreSQL 18 takes for no unlogged table"))
            .severity(Severity::Error)
            .server(ServerError::new("0A000", "partitioned tables cannot be unlogged"))
            .fix(to_logged(statement, &word, path))
    } else {
        let draft = Draft::new(format!("{words} is unlogged: after a failover of the service it {rows}"));
        match fix {
            Some(fix) => draft.fix(fix),
            None => draft,
        }
    };
    ctx.report(draft.at(word).object(words));
}

/// Takes the word away.
fn to_logged(statement: &Statement<'_>, word: &Range<usize>, path: &str) -> FixDraft {
    FixDraft::edit("Make it logged")
        .delete(statement.with_gap(word))
        .change(Change::set_str(format!("{path}/relpersistence"), "p"))
}

fn is_unlogged(range: Option<&pg::RangeVar>) -> bool {
    range.is_some_and(|range| range.relpersistence == "u")
}

fn unlogs(command: &pg::Node) -> bool {
    matches!(&command.node, Some(NodeEnum::AlterTableCmd(c)) if c.subtype == pg::AlterTableType::AtSetUnLogged as i32)
}
