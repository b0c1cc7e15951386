//! HT-10: a time column of a type that cannot be one.

use super::ht_11_generated::is_generated;
use super::links::LIMITS;
use super::obstacle::{NewHypertable, Obstacle};
use crate::edit::Safety;
use crate::facts::Column;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::rule::{Answers, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-10",
    name: "hypertable-column-type",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("ht.type", "Columns that cannot be a time dimension."),
    doc: Doc {
        summary: "A time column of a type that cannot be one.",
        what: "create_hypertable on a column that is no timestamp, date, integer or (newer versions) uuid.",
        why: "Chunks cover ranges of time or of integers.",
        server: &["42809 invalid type for dimension \"ts\" (HINT: Use an integer, timestamp, or date type.)"],
        help: "Give the column a time type, or add one that has it.",
        before: "CREATE TABLE public.j (ts text NOT NULL);\nSELECT create_hypertable('public.j', 'ts');",
        after: "",
        sources: Doc::sources(&[
            "TimescaleDB src/dimension.c, dimension_info_validate_open",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    ..Rule::DEFAULT
};

/// What the server answers.
pub(crate) fn answer(column: &str) -> ServerError {
    ServerError::new("42809", format!("invalid type for dimension \"{column}\""))
        .hint("Use an integer, timestamp, or date type.")
}

/// The parser's names of types that no version takes, with SQL's words for them.
const REFUSED: [(&str, &str); 16] = [
    ("text", "text"),
    ("varchar", "character varying"),
    ("bpchar", "character"),
    ("bool", "boolean"),
    ("numeric", "numeric"),
    ("float4", "real"),
    ("float8", "double precision"),
    ("json", "json"),
    ("jsonb", "jsonb"),
    ("time", "time"),
    ("timetz", "time with time zone"),
    ("interval", "interval"),
    ("inet", "inet"),
    ("bytea", "bytea"),
    ("tstzrange", "tstzrange"),
    ("tsrange", "tsrange"),
];

/// True for types that are refused. Domains and types of the user's are the server's to judge.
pub(crate) fn is_refused(data_type: &str) -> bool {
    REFUSED.iter().any(|(name, _)| *name == data_type)
}

/// The type in SQL's words.
pub(crate) fn words(data_type: &str) -> &str {
    REFUSED.iter().find(|(name, _)| *name == data_type).map_or(data_type, |(_, words)| words)
}

/// The time column and its type, where the column can be a time dimension.
pub(crate) fn usable<'a>(new: &NewHypertable<'a>) -> Option<(&'a Column, &'a str)> {
    let column = new.time_column().filter(|_| !is_generated(new))?;
    let data_type = new.table.data_type(column);
    (!is_refused(data_type)).then_some((column, data_type))
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let Some(column) = new.time_column().filter(|_| !is_generated(new)) else { return };
    let (time, data_type) = (new.time(), new.table.data_type(column));
    if is_refused(data_type) {
        found.push(new.of_time_column(
            &RULE,
            format!("{} of {} is {}", quoted(time), new.path(), words(data_type)),
            answer(time),
            format!(
                "Give the column a time type: ALTER TABLE {} ALTER COLUMN {} TYPE timestamptz USING {}::timestamptz;",
                new.path(),
                quoted(time),
                quoted(time)
            ),
            Severity::Error,
        ));
    }
}
