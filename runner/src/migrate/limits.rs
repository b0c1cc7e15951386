//! What both servers and this machine have room for: found out before anything is written.

use std::time::Duration;

use crate::human::count;

use super::servers::Weight;
use super::{Check, Context};
use crate::capacity::{self, Connections, LEAST_SOURCE, LEAST_TARGET, Workers};
use crate::connect::{Session, Side};
use crate::engine::marks;
use crate::error::{Blocker, Error};
use crate::filter::Filter;

/// A session on either server.
pub(super) async fn open(context: &Context) -> Result<(Session, Session), Error> {
    let (source, target) = tokio::join!(context.source.open(), context.target.open());
    let mut blockers = Vec::new();
    for (side, result) in [(Side::Source, &source), (Side::Target, &target)] {
        if let Err(Error::Pooler(blocker)) = result {
            blockers.push(Blocker::clone(blocker));
        }
        // too_many_connections: the server's, the role's or the database's limit.
        if let Err(error) = result
            && error.code() == "53300"
            && let Some(answer) = error.answer()
        {
            blockers.push(Blocker {
                check: capacity::of_sessions(side),
                what: format!("the {} takes no session at all: {}", side.name(), answer.message),
                next: vec!["close other sessions there, or raise the limit that it names".into()],
            });
        }
    }
    if blockers.is_empty() { Ok((source?, target?)) } else { Err(Error::Preflight(blockers)) }
}

/// What both servers take of sessions, and how far they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub(super) source: Connections,
    pub(super) target: Connections,
    /// To the farther one, and back.
    pub(super) round_trip: Duration,
}

/// Asks how many sessions both servers take and how far they are, settles how many copies and builds run at once where
/// nobody says so, and makes do with fewer where there are not sessions enough. `bytes` is the size of what is copied.
pub(super) async fn sessions(
    context: &Context,
    bytes: u64,
    source: &Session,
    target: &Session,
) -> Result<Reach, Error> {
    let (of_source, of_target, to_source, to_target) = tokio::try_join!(
        capacity::connections(source),
        capacity::connections(target),
        capacity::round_trip(source),
        capacity::round_trip(target)
    )?;
    let reach = Reach { source: of_source, target: of_target, round_trip: to_source.max(to_target) };
    let left = of_source.left.min(of_target.left);
    let mut wanted = context.args.workers(Workers::by_distance(reach.round_trip, bytes, left));
    let mut lines = Vec::new();
    if context.args.jobs.is_none() {
        let farther = if to_source > to_target { Side::Source } else { Side::Target };
        lines.push(wanted.reason(farther, reach.round_trip, bytes, left));
    } else {
        wanted = wanted.over_distance(reach.round_trip, left);
    }
    let ends = [
        (context.source.endpoint(), Side::Source, of_source, wanted.on_source(), LEAST_SOURCE),
        (context.target.endpoint(), Side::Target, of_target, wanted.on_target(), LEAST_TARGET),
    ];
    let mut blockers = Vec::new();
    let mut few = Vec::new();
    for (endpoint, side, connections, wanted, least) in ends {
        if connections.left < wanted {
            let (sessions, why) = (count(connections.left, "session"), connections.reason(endpoint));
            few.push(format!("the {} accepts {sessions} ({why})", side.name()));
        }
        blockers.extend(connections.too_few(endpoint, side, (least, wanted)));
    }
    if !blockers.is_empty() {
        return Err(Error::Preflight(blockers));
    }
    let mut workers = wanted;
    if let Some(fitted) = wanted.fitted(of_source.left, of_target.left)
        && fitted != wanted
    {
        let line = fewer(wanted, fitted, &few.join(", "));
        context.progress.warn(&line);
        lines.push(line);
        workers = fitted;
    }
    // A second look at the servers changes nothing.
    let _ = context.workers.set((workers, lines));
    Ok(reach)
}

fn fewer(wanted: Workers, fitted: Workers, why: &str) -> String {
    let mut words = Vec::new();
    if fitted.jobs < wanted.jobs {
        words.push(format!("{} at once, not {}", count(fitted.jobs, "table"), wanted.jobs));
    }
    if fitted.builders < wanted.builders {
        let indexes = if fitted.builders == 1 { "index" } else { "indexes" };
        words.push(format!("{} {indexes} at once, not {}", fitted.builders, wanted.builders));
    }
    format!("{}: {why}", words.join(", "))
}

/// Asks what else has to have room: locks, marks, the work directory.
pub(super) async fn room(
    context: &Context,
    weight: &Weight,
    filter: &Filter,
    source: &Session,
    target: &Session,
) -> Result<(), Error> {
    let mut blockers = Vec::new();
    blockers.extend(context.work.full(weight.things()));
    blockers.extend(schema_of_marks(source, filter, !context.tuning.beside).await?);
    let compares = context.args.verify != Check::None;
    for session in [source, target] {
        blockers.extend(capacity::locks(session).await?.too_few(session.side(), weight.lockable(), compares));
    }
    if blockers.is_empty() { Ok(()) } else { Err(Error::Preflight(blockers)) }
}

/// A schema of the source that has the name of the one in which the target keeps our marks.
async fn schema_of_marks(
    source: &Session,
    filter: &Filter,
    can_leave_out: bool,
) -> Result<Option<Blocker>, Error> {
    let schema = marks::SCHEMA;
    if !filter.has_schema(schema) {
        return Ok(None);
    }
    let ours = source
        .ask_one(&format!(
            "SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_class c WHERE c.relnamespace = n.oid \
             AND c.relkind = 'r' AND c.relname IN ('run', 'done')) = 2 \
             FROM pg_catalog.pg_namespace n WHERE n.nspname = '{schema}'"
        ))
        .await?;
    let leave_out = can_leave_out.then(|| format!("or leave it out: --exclude {schema}"));
    Ok(match ours.as_deref() {
        None => None,
        Some("t") => Some(Blocker {
            check: "source-marks",
            what: format!(
                "the source has the schema {schema}: it was the target of a migration that did not come to its end"
            ),
            next: [
                "if nobody will go on with that migration, drop its marks there:".to_owned(),
                format!("  psql -X \"$SOURCE\" -c 'DROP SCHEMA {schema} CASCADE'"),
            ]
            .into_iter()
            .chain(leave_out)
            .collect(),
        }),
        Some(_) => Some(Blocker {
            check: "source-marks",
            what: format!(
                "the source has a schema {schema} of its own, and tsmigrate keeps its marks on the target under that name"
            ),
            next: [
                "give it another name there:".to_owned(),
                format!("  psql -X \"$SOURCE\" -c 'ALTER SCHEMA {schema} RENAME TO tsmigrate_old'"),
            ]
            .into_iter()
            .chain(leave_out)
            .collect(),
        }),
    })
}
