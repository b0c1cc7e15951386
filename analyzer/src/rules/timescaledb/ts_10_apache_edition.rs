//! TS-10: the source runs TimescaleDB's Apache edition.

use crate::edit::Safety;
use crate::facts::timescale::Edition;
use crate::finding::Severity;
use crate::rule::{Answers, Doc, Draft, Finish, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "TS-10",
    name: "apache-edition",
    severity: Severity::Note,
    fix: Safety::None,
    answers: Answers::limit("ts.apache-edition", "Sources of the Apache edition."),
    doc: Doc {
        summary: "The source runs TimescaleDB's Apache edition, the service the Community edition.",
        what: "The comment on the extension ends in (Apache 2 Edition).",
        why: "Nothing is lost. The service has what the Apache edition lacks: compression, continuous aggregates, \
              retention and other policies, and user-defined actions.",
        server: &[],
        help: "After the migration think of compression and retention policies for large hypertables, and of continuous \
               aggregates in place of materialized views that are refreshed as a whole.",
        before: "COMMENT ON EXTENSION timescaledb IS 'Enables scalable inserts and complex queries for time-series data (Apache 2 Edition)';",
        after: "",
        sources: Doc::sources(&["timescale/docs, about/timescaledb-editions.md"]),
        link: "https://www.tigerdata.com/docs/about/latest/timescaledb-editions",
    },
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn finish(all: &mut Finish<'_>) {
    if let Some((Edition::Apache, place)) = all.facts.timescale.edition {
        all.report(
            place,
            Draft::new(
                "the source runs TimescaleDB's Apache edition: the service has compression, continuous aggregates and \
                 policies too",
            ),
        );
    }
}
