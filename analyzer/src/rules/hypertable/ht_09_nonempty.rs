//! HT-09: a table with rows that is to be a hypertable.

use super::links::LIMITS;
use super::obstacle::When;
use super::obstacle::{NewHypertable, Obstacle};
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::rule::{Answers, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-09",
    name: "hypertable-nonempty",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("ht.nonempty", "Tables that have rows already."),
    doc: Doc {
        summary: "A table with rows that is to be a hypertable.",
        what: "create_hypertable without migrate_data => true after a COPY or INSERT into the table.",
        why: "Rows have to move from the table into chunks, which takes a lock and time: the server wants it \
               said.",
        server: &[
            "0A000 table \"c\" is not empty (HINT: You can migrate data by specifying 'migrate_data => true' \
               when calling this function.)",
        ],
        help: "Call create_hypertable before the rows come, or with migrate_data => true.",
        before: "CREATE TABLE public.c (ts timestamp with time zone NOT NULL);\nINSERT INTO public.c VALUES \
               (now());\nSELECT create_hypertable('public.c', 'ts');",
        after: "",
        sources: Doc::sources(&[
            "TimescaleDB src/hypertable.c, ts_hypertable_create_from_info",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    ..Rule::DEFAULT
};

/// What the server answers.
pub(crate) fn answer(table: &str) -> ServerError {
    ServerError::new("0A000", format!("table \"{table}\" is not empty"))
        .hint("You can migrate data by specifying 'migrate_data => true' when calling this function.")
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let table = &new.table;
    if matches!(new.when, When::Now { migrates: false }) && table.facts.filled.contains(table.id) {
        found.push(Obstacle {
            rule: &RULE,
            place: table.relation.place,
            object: Some(format!("table {}", table.id.path())),
            message: format!("{} has rows by now", table.id.path()),
            server: Some(answer(&table.id.name)),
            advice:
                "Make the table a hypertable before its rows come, or say migrate_data => true: the rows are \
                     moved into chunks then, and the table is locked while they are."
                    .into(),
            severity: Severity::Error,
            decision: false,
        });
    }
}
