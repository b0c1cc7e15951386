//! TS-08: continuous aggregates of the old format, and time_bucket_ng.

use crate::edit::Safety;
use crate::facts::timescale::Version;
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Finish, Rule};

/// The first version without either.
const GONE: Version = Version(2, 25, 0);

pub(crate) const RULE: Rule = Rule {
    id: "TS-08",
    name: "old-continuous-aggregate",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit(
        "ts.partial-cagg",
        "Continuous aggregates of the old form, in a dump and on a live source.",
    ),
    statements: &[StatementKind::ViewStmt],
    doc: Doc {
        summary: "A continuous aggregate in the format of before TimescaleDB 2.7, or one with time_bucket_ng.",
        what: "Rows of continuous_agg with finalized = f, views that call finalize_agg, and views that call \
               timescaledb_experimental.time_bucket_ng.",
        why: "The old format holds states of aggregate functions as bytes, which another PostgreSQL version may not \
              read. TimescaleDB 2.25 has neither: an update to it is blocked. time_bucket_ng makes no new continuous \
              aggregate from 2.15 on.",
        server: &[
            "08P01 insufficient data left in message (when it is read on another PostgreSQL version)",
            "42883 function timescaledb_experimental.time_bucket_ng(interval, timestamp with time zone) does not exist (2.25 and newer)",
        ],
        help: "On the source, before the dump: CALL cagg_migrate('schema.aggregate'). It creates an aggregate of the new format, and replaces time_bucket_ng by time_bucket (2.14.2 and newer).",
        before: "COPY _timescaledb_catalog.continuous_agg (mat_hypertable_id, raw_hypertable_id, user_view_schema, user_view_name, materialized_only, finalized) FROM stdin;\n3	1	public	hourly	t	f\n\\.\n",
        after: "",
        sources: Doc::sources(&[
            "TimescaleDB CHANGELOG 2.7.0, 2.15.0, 2.25.0",
            "timescale/docs, use-timescale/continuous-aggregates/migrate.md",
        ]),
        link: "https://www.tigerdata.com/docs/use-timescale/latest/continuous-aggregates/migrate",
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::ViewStmt(view))) = ctx.node() else { return };
    // Each continuous aggregate has three views with the same call: the one with the query counts.
    let name = view.view.as_ref().map_or(("", ""), |range| (&*range.schemaname, &*range.relname));
    let is_copy = name.0 == "_timescaledb_internal" && !name.1.starts_with("_direct_view_");
    let is_users = super::orphans::aggregate_of(statement).is_some();
    let found = statement.references().iter().find(|r| {
        r.class == Class::Function
            && r.schema.as_deref() == Some("timescaledb_experimental")
            && &*r.name == "time_bucket_ng"
    });
    let Some(found) = found.filter(|_| !is_copy && !is_users) else { return };
    let range = found.location.and_then(|at| statement.name_at(at as usize));
    let gone = ctx.target.timescaledb.installed.is_some_and(|installed| installed >= GONE);
    let mut draft = Draft::new(
        "no continuous aggregate can use time_bucket_ng from TimescaleDB 2.15 on, and it is gone from 2.25 on",
    )
    .object("function timescaledb_experimental.time_bucket_ng")
    .advice("Replace it by time_bucket on the source: for a continuous aggregate CALL cagg_migrate('…').");
    if let Some(range) = range {
        draft = draft.at(range);
    }
    draft = if gone {
        draft.server(ServerError::new(
            "42883",
            "function timescaledb_experimental.time_bucket_ng(…) does not exist",
        ))
    } else {
        draft.severity(Severity::Warning)
    };
    ctx.report(draft);
}

fn finish(all: &mut Finish<'_>) {
    let gone = all.target.timescaledb.installed.is_some_and(|installed| installed >= GONE);
    let source = all.facts.headers.iter().find_map(crate::facts::Header::server_major);
    let other = source.is_some_and(|source| source != all.target.version);
    let old = all.facts.timescale.aggregates.iter().filter(|(_, aggregate)| !aggregate.finalized);
    let old: Vec<_> = old
        .filter_map(|(id, aggregate)| {
            let view = aggregate.view.as_ref().map_or_else(|| id.to_string(), crate::facts::ObjectId::path);
            Some((view, aggregate.place?))
        })
        .collect();
    for (view, place) in old {
        let why = match () {
            () if gone => "the target's TimescaleDB does not know it",
            () if other => "on another PostgreSQL version it may not be readable",
            () => "TimescaleDB 2.25 and newer do not know it",
        };
        all.report(
            place,
            Draft::new(format!("continuous aggregate {view} is in the format of before 2.7: {why}"))
                .severity(if gone || other { Severity::Error } else { Severity::Warning })
                .object(format!("continuous aggregate {view}"))
                .advice(format!(
                    "On the source, before the dump: CALL cagg_migrate('{}').",
                    view.replace('\'', "''")
                )),
        );
    }
}
