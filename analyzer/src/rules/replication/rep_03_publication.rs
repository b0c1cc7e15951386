//! REP-03: publications move, and their subscribers do not.

use crate::edit::Safety;
use crate::facts::Object;
use crate::finding::Severity;
use crate::parse::Class;
use crate::rule::{Answers, Doc, Draft, Finish, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "REP-03",
    name: "publication",
    severity: Severity::Note,
    fix: Safety::None,
    answers: Answers::limit(
        "publication.table",
        "Publications of tables are taken: one note for all of them.",
    ),
    also_answers: &["REP-06"],
    doc: Doc {
        summary: "Publications: they are restored, and nobody subscribes to them.",
        what: "CREATE PUBLICATION. Reported once for a migration, at the first of them.",
        why: "A dump holds no replication slots and nothing of the subscribers: whoever follows the source, be it a \
              subscription or a program such as Debezium, goes on following the source. The publication itself can be created by the owner of its tables.",
        server: &[
            "WARNING 55000 wal_level is insufficient to publish logical changes (where the target's is)",
        ],
        help: "Create the subscriptions and slots again against the target once it is in use, or leave publications out: \
               pg_dump --no-publications. A published table cannot become unlogged; changes of a hypertable are those \
               of its chunks, which are not in the publication of the table.",
        before: "CREATE TABLE public.orders (id integer PRIMARY KEY);\nCREATE PUBLICATION shop FOR TABLE public.orders;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL documentation, Logical Replication, Restrictions",
            "src/bin/pg_dump/pg_dump.c, dumpPublication",
        ]),
        link: TROUBLESHOOTING,
    },
    finish: Some(finish),
    ..Rule::DEFAULT
};

// What there is to say can only be said once all publications are known.

fn finish(end: &mut Finish<'_>) {
    let all: Vec<_> = end
        .facts
        .objects
        .iter()
        .filter(|(id, _)| id.class == Class::Publication && !end.facts.absent.contains_key(id))
        .collect();
    let Some((id, first)) = all.iter().min_by_key(|(_, declared)| declared.place) else { return };
    let object = Object { word: "publication", id: (*id).clone() }.to_string();
    let message = match all.len() {
        1 => format!("{object} has no subscribers on the target"),
        n => format!("{object} and {} more have no subscribers on the target", n - 1),
    };
    let draft = Draft::new(message)
        .object(object)
        .advice("Slots and subscriptions are not in a dump: create them again against the target, or leave publications out.");
    end.report(first.place, draft);
}
