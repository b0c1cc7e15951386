//! HT-15: a time column without time zone.

use super::ht_10_column_type::usable;
use super::interval::{TimeType, time_type};
use super::links::LIMITS;
use super::obstacle::{NewHypertable, Obstacle};
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::rule::{Answers, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-15",
    name: "hypertable-timestamp",
    severity: Severity::Note,
    fix: Safety::None,
    answers: Answers::limit("ht.types-warning", "timestamp without time zone, varchar(n)."),
    doc: Doc {
        summary: "A time column without time zone.",
        what: "create_hypertable on a timestamp without time zone, and such columns of tables that could be \
               hypertables.",
        why: "It works. But what such a value means depends on who reads it, and now(), time_bucket and \
               policies count in the time zone of the session: TimescaleDB warns.",
        server: &[
            "01000 column type \"timestamp without time zone\" used for \"ts\" does not follow best practices \
               (HINT: Use datatype TIMESTAMPTZ instead.)",
        ],
        help: "Change the type while the table is empty, before the restore of its rows, with the time zone \
               that the values are meant in.",
        before: "CREATE TABLE public.r (ts timestamp without time zone NOT NULL);\nSELECT \
               create_hypertable('public.r', 'ts');",
        after: "",
        sources: Doc::sources(&[
            "TimescaleDB src/dimension.c, src/process_utility.c",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    ..Rule::DEFAULT
};

/// What the server says.
pub(crate) fn answer(column: &str) -> ServerError {
    ServerError::new(
        "01000",
        format!(
            "column type \"timestamp without time zone\" used for \"{column}\" does not follow best practices"
        ),
    )
    .hint("Use datatype TIMESTAMPTZ instead.")
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let Some((_, data_type)) = usable(new) else { return };
    let time = new.time();
    if time_type(data_type) == Some(TimeType::Timestamp) {
        found.push(new.of_time_column(
            &RULE,
            format!("{} of {} is timestamp without time zone", quoted(time), new.path()),
            answer(time),
            format!(
                "It works, with a warning. ALTER TABLE {} ALTER COLUMN {} TYPE timestamptz; while the table is \
                 empty, under the time zone that its values are meant in.",
                new.path(),
                quoted(time)
            ),
            Severity::Note,
        ));
    }
}
