//! HT-16: statements on rows of a hypertable that it does not take as a table does.

use super::links::LIMITS;
use super::statements::hypertable;
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-16",
    name: "hypertable-update",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("ht.update-partition", "Updates that move a row to another chunk."),
    statements: &[StatementKind::InsertStmt, StatementKind::UpdateStmt],
    doc: Doc {
        summary: "Statements on rows of a hypertable that it refuses as a table does.",
        what: "UPDATE that sets the time column of a hypertable, and INSERT … ON CONFLICT (columns) without it.",
        why: "A row does not move from one chunk to another, and the only unique keys are those with the time \
               column.",
        server: &[
            "23514 new row for relation \"_hyper_1_1_chunk\" violates check constraint \"constraint_1\"",
            "42P10 there is no unique or exclusion constraint matching the ON CONFLICT specification",
        ],
        help: "Delete the row and insert it with its new time. Name the key that the hypertable has in ON \
               CONFLICT. Look for both in functions and in the application: no dump shows what an application \
               does.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nINSERT INTO public.m VALUES ('2024-01-01 00:00:00+00', 1) \
               ON CONFLICT (id) DO NOTHING;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/optimizer/util/plancat.c, infer_arbiter_indexes",
            "https://www.tigerdata.com/docs/use-timescale/latest/limitations",
        ]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    match node {
        NodeEnum::UpdateStmt(s) => {
            let Some((id, hypertable)) = hypertable(ctx, s.relation.as_ref()) else { return };
            let sets = |column: &str| {
                s.target_list.iter().any(
                    |node| matches!(&node.node, Some(NodeEnum::ResTarget(target)) if target.name == column),
                )
            };
            let Some(column) = hypertable.columns.iter().find(|column| sets(column)) else { return };
            let draft = Draft::new(format!(
                "rows of the hypertable {} whose {} changes stay in their chunk, or the UPDATE fails",
                id.path(),
                quoted(column)
            ))
            .severity(Severity::Warning)
            .object(format!("table {}", id.path()))
            .server(ServerError::new(
                "23514",
                "new row for relation \"_hyper_1_1_chunk\" violates check constraint \"constraint_1\"",
            ));
            ctx.report(draft);
        }
        NodeEnum::InsertStmt(s) => {
            let Some((id, hypertable)) = hypertable(ctx, s.relation.as_ref()) else { return };
            let inferred = s.on_conflict_clause.as_ref().and_then(|clause| clause.infer.as_ref());
            let Some(inferred) = inferred.filter(|infer| !infer.index_elems.is_empty()) else { return };
            let names = |column: &str| {
                inferred.index_elems.iter().any(
                    |node| matches!(&node.node, Some(NodeEnum::IndexElem(element)) if element.name == column),
                )
            };
            let Some(missing) = hypertable.columns.iter().find(|column| !names(column)) else { return };
            let draft = Draft::new(format!(
                "ON CONFLICT names no key of the hypertable {}: its keys hold {}",
                id.path(),
                quoted(missing)
            ))
            .object(format!("table {}", id.path()))
            .server(ServerError::new(
                "42P10",
                "there is no unique or exclusion constraint matching the ON CONFLICT specification",
            ));
            ctx.report(draft);
        }
        _ => {}
    }
}
