//! HT-12: a time column that may be NULL.

use super::ht_10_column_type::usable;
use super::links::LIMITS;
use super::obstacle::{NewHypertable, Obstacle};
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::facts::tables::Traits;
use crate::finding::{ServerError, Severity};
use crate::rule::{Answers, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-12",
    name: "hypertable-nullable-column",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::limit("ht.null", "Time columns that may be NULL."),
    doc: Doc {
        summary: "A time column that may be NULL.",
        what: "create_hypertable on a column without NOT NULL, and (as a note) such columns of tables that \
               could be hypertables.",
        why: "A row without a time has no chunk. The column becomes NOT NULL, and rows without a time stop the \
               conversion or the COPY.",
        server: &[
            "23502 column \"ts\" of relation \"n\" contains null values",
            "23502 NULL value in column \"ts\" violates not-null constraint",
        ],
        help: "Look for such rows on the source, and give them a time or leave them out.",
        before: "CREATE TABLE public.q (ts timestamp with time zone);\nSELECT create_hypertable('public.q', \
               'ts');",
        after: "",
        sources: Doc::sources(&[
            "TimescaleDB src/dimension.c (NOTICE: adding not-null constraint to column)",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    ..Rule::DEFAULT
};

/// What the server answers where rows have no time.
pub(crate) fn answer(column: &str) -> ServerError {
    ServerError::new("23502", format!("NULL value in column \"{column}\" violates not-null constraint"))
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let Some((column, _)) = usable(new) else { return };
    let time = new.time();
    if !column.traits.has(Traits::NOT_NULL) {
        found.push(new.of_time_column(
            &RULE,
            format!("{} of {} may be NULL: a hypertable makes it NOT NULL", quoted(time), new.path()),
            answer(time),
            format!(
                "Look for such rows on the source: SELECT count(*) FROM {} WHERE {} IS NULL;",
                new.path(),
                quoted(time)
            ),
            Severity::Warning,
        ));
    }
}
