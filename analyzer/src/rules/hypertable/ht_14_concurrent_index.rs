//! HT-14: cREATE INDEX CONCURRENTLY and ADD CONSTRAINT … USING INDEX on a hypertable.

use super::links::LIMITS;
use super::statements::{added, commands, hypertable};
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-14",
    name: "hypertable-index",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "ht.index-concurrently/using-index",
        "CREATE INDEX CONCURRENTLY and USING INDEX.",
    ),
    statements: &[StatementKind::AlterTableStmt, StatementKind::IndexStmt],
    doc: Doc {
        summary: "CREATE INDEX CONCURRENTLY and ADD CONSTRAINT … USING INDEX on a hypertable.",
        what: "Both, on a table that a statement before has made a hypertable.",
        why: "An index of a hypertable is one index for each chunk.",
        server: &[
            "0A000 hypertables do not support concurrent index creation",
            "0A000 hypertables do not support adding a constraint using an existing index",
        ],
        help: "The rewrite removes CONCURRENTLY: nobody else uses the table during a restore. On a running \
               service, WITH (timescaledb.transaction_per_chunk) locks one chunk at a time. In place of USING \
               INDEX, add the constraint with its columns and drop the index.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nCREATE INDEX CONCURRENTLY m_id_idx ON public.m USING btree \
               (id);",
        after: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nCREATE INDEX m_id_idx ON public.m USING btree (id);",
        sources: Doc::sources(&[
            "TimescaleDB src/process_utility.c, process_index_start and process_altertable_start",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::IndexStmt(s) if s.concurrent => {
            let Some((id, _)) = hypertable(ctx, s.relation.as_ref()) else { return };
            let mut draft =
                Draft::new(format!("{} is a hypertable: its indexes are created chunk by chunk", id.path()))
                    .object(format!("table {}", id.path()))
                    .server(ServerError::new(
                        "0A000",
                        "hypertables do not support concurrent index creation",
                    ));
            if let Some(word) = statement.words(&["CONCURRENTLY"]) {
                draft = draft.at(word.clone()).fix(
                    FixDraft::edit("Remove CONCURRENTLY")
                        .delete(statement.with_gap(&word))
                        .change(Change::Set("/IndexStmt/concurrent".into(), serde_json::Value::Bool(false))),
                );
            }
            ctx.report(draft);
        }
        NodeEnum::AlterTableStmt(s) => {
            let Some((id, _)) = hypertable(ctx, s.relation.as_ref()) else { return };
            for (_, command) in commands(s) {
                let Some(constraint) = added(command).filter(|constraint| !constraint.indexname.is_empty())
                else {
                    continue;
                };
                let draft = Draft::new(format!(
                    "the hypertable {} takes no constraint that uses the index {}",
                    id.path(),
                    quoted(&constraint.indexname)
                ))
                .object(format!("constraint {} on {}", quoted(&constraint.conname), id.path()))
                .server(ServerError::new(
                    "0A000",
                    "hypertables do not support adding a constraint using an existing index",
                ));
                ctx.report(draft);
            }
        }
        _ => {}
    }
}
