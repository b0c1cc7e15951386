//! EXT-04: TimescaleDB in a schema other than public.

use super::ext_03_extension_schema::{TIMESCALEDB, already_there, uses};
use super::moved::{Moved, MovedExtensions};
use crate::edit::Safety;
use crate::finding::Severity;
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "EXT-04",
    name: "timescaledb-schema",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("extension.timescaledb-schema", "TimescaleDB outside of schema public."),
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "CREATE EXTENSION timescaledb WITH SCHEMA other than public, and all names qualified with that \
               schema.",
        what: "TimescaleDB's functions (time_bucket, first, last, create_hypertable …) are named with their schema \
               throughout a dump.",
        why: "The service has TimescaleDB in schema public only. CREATE EXTENSION prepares it again in the schema that \
              is given, and fails; everything that names the other schema fails too.",
        server: &[
            "42883 function ts.timescaledb_pre_restore() does not exist",
            "42883 function ts.time_bucket(interval, timestamp with time zone) does not exist",
        ],
        help: "The schema becomes public in the statement and in every name of TimescaleDB's in views, defaults, \
               checks and indexes. In the bodies of functions names are text: those are shown.",
        before: "CREATE SCHEMA ts;\nCREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA ts;\nCREATE VIEW public.v AS SELECT ts.time_bucket('1 day'::interval, now()) AS day;",
        after: "CREATE SCHEMA ts;\nCREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA public;\nCREATE VIEW public.v AS SELECT public.time_bucket('1 day'::interval, now()) AS day;",
        sources: Doc::sources(&[
            "timescale/docs, migrate/troubleshooting.md, TimescaleDB extension in the public schema",
        ]),
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if let NodeEnum::CreateExtensionStmt(s) = node {
        if s.extname == TIMESCALEDB {
            already_there(ctx, s, "public");
        }
        return;
    }
    let Some(moved) = ctx.states.get::<MovedExtensions>() else { return };
    let moved: Vec<Moved> = moved.0.iter().filter(|m| m.extension == TIMESCALEDB).cloned().collect();
    for moved in moved {
        uses(ctx, statement, &moved);
    }
}
