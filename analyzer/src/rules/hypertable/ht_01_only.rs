//! HT-01: aLTER TABLE ONLY on a hypertable.

use super::links::LIMITS;
use super::statements::{commands, hypertable};
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-01",
    name: "hypertable-only",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("ht.only", "ONLY on a table that becomes a hypertable."),
    also_answers: &["REP-05", "TS-05"],
    statements: &[StatementKind::AlterTableStmt, StatementKind::TruncateStmt],
    doc: Doc {
        summary: "ALTER TABLE ONLY on a hypertable.",
        what: "ALTER TABLE ONLY and TRUNCATE ONLY of a table that a statement before has made a hypertable. \
               pg_dump writes ONLY in all its ALTER TABLE, so this is what stops a dump whose tables are made \
               hypertables before its constraints come.",
        why: "The rows of a hypertable lie in chunks, and what is done to it is done to them.",
        server: &[
            "0A000 ONLY option not supported on hypertable operations",
            "42809 cannot truncate only a hypertable",
        ],
        help: "The rewrite removes ONLY. Or create the hypertables after the whole restore, with migrate_data \
               => true: ONLY is no trouble then.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nALTER TABLE ONLY public.m ALTER COLUMN id SET STATISTICS \
               1000;",
        after: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nALTER TABLE public.m ALTER COLUMN id SET STATISTICS 1000;",
        sources: Doc::sources(&[
            "TimescaleDB src/process_utility.c, check_alter_table_allowed_on_ht_with_compression and \
               process_altertable_start",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if ctx.facts.converted.is_empty() {
        return;
    }
    let (range, path, answer) = match node {
        NodeEnum::AlterTableStmt(s) if !is_taken(s) => (
            s.relation.as_ref(),
            "/AlterTableStmt/relation/inh".to_owned(),
            ServerError::new("0A000", "ONLY option not supported on hypertable operations"),
        ),
        NodeEnum::TruncateStmt(s) => {
            let only = s.relations.iter().enumerate().find_map(|(index, node)| match &node.node {
                Some(NodeEnum::RangeVar(range)) if !range.inh && hypertable(ctx, Some(range)).is_some() => {
                    Some((range, index))
                }
                _ => None,
            });
            let Some((range, index)) = only else { return };
            (
                Some(range),
                format!("/TruncateStmt/relations/{index}/RangeVar/inh"),
                ServerError::new("42809", "cannot truncate only a hypertable")
                    .hint("Do not specify the ONLY keyword, or use truncate only on the chunks directly."),
            )
        }
        _ => return,
    };
    let Some((id, _)) = hypertable(ctx, range).filter(|_| range.is_some_and(|range| !range.inh)) else {
        return;
    };
    let at = usize::try_from(range.map_or(0, |range| range.location)).unwrap_or(0);
    let word = statement.code().rfind(|token| token.end <= at && token.is_word(statement.sql(), "ONLY"));
    let mut draft = Draft::new(format!("{} is a hypertable, and ONLY leaves out its chunks", id.path()))
        .object(format!("table {}", id.path()))
        .server(answer);
    if let Some(word) = word {
        let range = word.start..word.end;
        draft = draft.at(range.clone()).fix(
            FixDraft::edit("Remove ONLY")
                .delete(statement.with_gap(&range))
                .change(Change::Set(path, serde_json::Value::Bool(true))),
        );
    }
    ctx.report(draft);
}

/// Parameters of storage are set on the hypertable alone by newer versions, whether ONLY is said or not.
fn is_taken(s: &pg::AlterTableStmt) -> bool {
    use pg::AlterTableType as A;
    commands(s).all(|(_, command)| {
        matches!(A::try_from(command.subtype), Ok(A::AtSetRelOptions | A::AtResetRelOptions))
    })
}
