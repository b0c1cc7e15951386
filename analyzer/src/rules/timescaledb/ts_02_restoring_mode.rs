//! TS-02: a full dump of a TimescaleDB source needs restoring mode.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Doc, Draft, Finish, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "TS-02",
    name: "restoring-mode",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::limit(
        "ts.pre-restore",
        "A full dump needs restoring mode. The migration turns it on before and off after, however it ends.",
    ),
    doc: Doc {
        summary: "A full dump of a TimescaleDB source is restored between timescaledb_pre_restore() and timescaledb_post_restore().",
        what: "Dumps with rows of TimescaleDB's catalogs, and scripts that call timescaledb_pre_restore() and never \
               timescaledb_post_restore(). It covers TS-11 as well: a parallel pg_restore cannot be seen in a dump.",
        why: "Outside of restoring mode TimescaleDB takes the rows of a chunk for new ones, and refuses statements on the \
              tables that it finds half restored. A database that stays in restoring mode reads hypertables as empty \
              tables, in every new session. With pg_restore --jobs the rows of the catalogs must be there before the \
              chunks' own, and foreign keys among them decide about their order: restore --section=pre-data first, then \
              the schemas _timescaledb_catalog and _timescaledb_config, then other data and --section=post-data with \
              --jobs.",
        server: &[
            "0A000 ONLY option not supported on hypertable operations",
            "XX000 could not find hypertable with id 1",
            "23503 insert or update on table \"chunk\" violates foreign key constraint \"chunk_hypertable_id_fkey\" (pg_restore --jobs)",
        ],
        help: "psql -X -v ON_ERROR_STOP=1 -c \"SELECT public.timescaledb_pre_restore()\" -f dump.sql -c \"SELECT \
               public.timescaledb_post_restore()\". Call timescaledb_post_restore() after a failure too. tsmigrate \
               migrate does all of this, in parallel, and always leaves restoring mode.",
        before: "SELECT public.timescaledb_pre_restore();\n",
        after: "",
        sources: Doc::sources(&["TimescaleDB sql/restoring.sql", "timescaledb-backup, ts-restore"]),
        link: "https://www.tigerdata.com/docs/migrate/latest/pg-dump-and-restore",
    },
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn finish(all: &mut Finish<'_>) {
    if all.options.catalogs_follow {
        return;
    }
    let timescale = &all.facts.timescale;
    match (timescale.restoring, timescale.catalogs) {
        ((Some(begin), None), _) => all.report(
            begin,
            Draft::new("the database stays in restoring mode: hypertables read as empty in every new session").advice(
                "Call it at the end, after a failure too: SELECT public.timescaledb_post_restore().",
            ),
        ),
        ((None, _), Some(place)) if timescale.is_used() => all.report(
            place,
            Draft::new("a full dump of a TimescaleDB source is restored in restoring mode").severity(Severity::Note).advice(
                "psql -X -v ON_ERROR_STOP=1 -c \"SELECT public.timescaledb_pre_restore()\" -f dump.sql -c \"SELECT \
                 public.timescaledb_post_restore()\". Or tsmigrate migrate, which does it for you.",
            ),
        ),
        _ => {}
    }
}
