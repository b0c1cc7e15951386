//! HT-03: a partitioned table that is to be a hypertable.

use super::links::LIMITS;
use super::obstacle::{NewHypertable, Obstacle};
use crate::edit::Safety;
use crate::facts::tables::Strategy;
use crate::finding::Severity;
use crate::rule::{Answers, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-03",
    name: "hypertable-partitioned",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("ht.partitioned", "Partitioned tables."),
    doc: Doc {
        summary: "A partitioned table that is to be a hypertable.",
        what: "create_hypertable on a table that is PARTITION BY anything, and (as a note) tables partitioned \
               by ranges of time that could be hypertables.",
        why: "A hypertable has chunks in the place of partitions, and creates them by itself.",
        server: &[
            "42809 table \"d\" is already partitioned (DETAIL: It is not possible to turn partitioned tables \
               into hypertables.)",
        ],
        help: "Make a table of the same columns without PARTITION BY, make that one the hypertable, and put the \
               rows of all partitions into it. The script convert-to-hypertables.sql does so after the restore.",
        before: "CREATE TABLE public.d (ts timestamp with time zone NOT NULL) PARTITION BY RANGE (ts);\nSELECT \
               create_hypertable('public.d', 'ts');",
        after: "",
        sources: Doc::sources(&[
            "TimescaleDB src/hypertable.c, ts_hypertable_create_from_info",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    ..Rule::DEFAULT
};

/// The partitions of the table, where PostgreSQL divides it.
pub(crate) fn partitions(new: &NewHypertable<'_>) -> Option<u32> {
    let by = new.table.facts.partitioned.get(new.table.id)?;
    (by.strategy != Strategy::Inheritance).then_some(by.partitions)
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let Some(partitions) = partitions(new) else { return };
    found.push(new.already_partitioned(
        &RULE,
        format!("{} is partitioned by PostgreSQL ({partitions} partitions in the dump)", new.path()),
        ("42809", "It is not possible to turn partitioned tables into hypertables."),
        format!(
            "A hypertable with the same columns takes the rows of all partitions; chunks take the partitions' \
             place. The script convert-to-hypertables.sql does so for {} after the restore.",
            new.path()
        ),
    ));
}
