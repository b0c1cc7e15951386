//! HT-11: a generated column as the time column of a hypertable.

use super::links::LIMITS;
use super::obstacle::{NewHypertable, Obstacle};
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::facts::tables::Traits;
use crate::finding::{ServerError, Severity};
use crate::rule::{Answers, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-11",
    name: "hypertable-generated-column",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("ht.generated", "Generated time columns."),
    doc: Doc {
        summary: "A generated column as the time column of a hypertable.",
        what: "create_hypertable on a column that is GENERATED ALWAYS AS (…).",
        why: "The chunk of a row is looked up before its generated columns are computed.",
        server: &[
            "0A000 invalid partitioning column (HINT: Generated columns cannot be used as partitioning \
               dimensions.)",
        ],
        help: "Use the column that it is created from, or make it an ordinary column that a trigger or the application fills.",
        before: "CREATE TABLE public.b (t0 timestamp, ts timestamp GENERATED ALWAYS AS ((t0 + \
               '01:00:00'::interval)) STORED);\nSELECT create_hypertable('public.b', 'ts');",
        after: "",
        sources: Doc::sources(&["TimescaleDB src/dimension.c", "seen on 2.19.3, 2.29.2 and 2.31.0"]),
        link: LIMITS,
    },
    ..Rule::DEFAULT
};

/// What the server answers.
pub(crate) fn answer() -> ServerError {
    ServerError::new("0A000", "invalid partitioning column")
        .hint("Generated columns cannot be used as partitioning dimensions.")
}

/// True where the time column is generated.
pub(crate) fn is_generated(new: &NewHypertable<'_>) -> bool {
    new.time_column().is_some_and(|column| column.traits.has(Traits::GENERATED))
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    if is_generated(new) {
        found.push(new.of_time_column(
            &RULE,
            format!("{} of {} is a generated column", quoted(new.time()), new.path()),
            answer(),
            "Use the column that it is created from, or make it an ordinary column that a trigger or the application fills."
                .into(),
            Severity::Error,
        ));
    }
}
