//! A target whose TimescaleDB has another version than the source's: it gives way for the migration, and comes back after it.

use std::time::{Duration, Instant};

use super::servers::{Servers, VERSION};
use super::{Context, RunContext};
use crate::connect::{Connector, Session};
use crate::engine::retry::retrying;
use crate::error::{Blocker, Error};
use crate::inspect::Facts;
use crate::plan::{self, Bridge};
use crate::quote::{identifier, literal};
use crate::timescale::updates;

/// So long a restore waits for who uses the target's TimescaleDB.
const PATIENCE: Duration = Duration::from_secs(10);

/// Not CASCADE: what depends on it is not ours to drop.
const DROP: &str = "DROP EXTENSION timescaledb";

/// What keeps both versions apart; none where they are one, or the target's gives way. That it does is tried, and rolled back.
pub(super) async fn obstacle(context: &Context, servers: &Servers) -> Result<Option<Blocker>, Error> {
    let (source, target) = (&servers.source, &servers.target);
    let Some(bridge) = plan::bridge(source, target) else {
        let Some(mut blocker) = plan::timescale_version(source, target) else { return Ok(None) };
        if let Some(to) = plan::source_update(source, target) {
            // What an update refuses is ended before it.
            blocker.next.splice(0..0, refused(context, servers, &to).await?);
        }
        return Ok(Some(blocker));
    };
    let stays = stays(&context.target, source, target, &bridge, context.args.lock_timeout).await?;
    if stays.is_none() && context.args.update_timescaledb {
        return later_update(context, servers, &bridge).await;
    }
    Ok(stays)
}

/// What keeps the target's version from giving way. That it does is tried, and rolled back.
async fn stays(
    connector: &Connector,
    source: &Facts,
    target: &Facts,
    bridge: &Bridge,
    patience: Duration,
) -> Result<Option<Blocker>, Error> {
    let session = connector.open().await?;
    let timeout = patience.as_millis();
    match session.run(&format!("BEGIN; SET LOCAL lock_timeout = {timeout}; {DROP}; ROLLBACK")).await {
        Ok(()) => Ok(None),
        Err(error) => match error.answer() {
            Some(answer) => Ok(Some(plan::stays(bridge, source, target, &answer.message))),
            None => Err(error),
        },
    }
}

/// The same of an archive, whose version nobody can change any more.
pub(super) async fn obstacle_of_archive(
    connector: &Connector,
    source: &Facts,
    target: &Facts,
) -> Result<Option<Blocker>, Error> {
    let found = match plan::bridge(source, target) {
        Some(bridge) => stays(connector, source, target, &bridge, PATIENCE).await?,
        None => plan::timescale_version(source, target),
    };
    Ok(found.map(|mut blocker| {
        blocker
            .next
            .push("then dump the source again: an archive keeps the version that it was dumped with".into());
        blocker
    }))
}

/// What an update of what the source holds to that version refuses.
async fn refused(context: &Context, servers: &Servers, to: &str) -> Result<Vec<String>, Error> {
    let Some(ours) = servers.source.timescale.as_ref().map(|timescale| &timescale.version) else {
        return Ok(Vec::new());
    };
    updates::refused(&context.source.open().await?, ours, to).await
}

/// The update that was asked for at the end would be refused: better known before the first row than after the last.
async fn later_update(
    context: &Context,
    servers: &Servers,
    bridge: &Bridge,
) -> Result<Option<Blocker>, Error> {
    let mut next = refused(context, servers, &bridge.theirs).await?;
    if next.is_empty() {
        return Ok(None);
    }
    next.push(
        "do that on the source first; or move without --update-timescaledb, and do it on the target".into(),
    );
    Ok(Some(Blocker {
        check: "timescaledb-update",
        what: format!("the target's TimescaleDB could not be updated to {} at the end", bridge.theirs),
        next,
    }))
}

/// What has to be done on the target before its TimescaleDB is updated by hand, for the plan.
pub(super) async fn notes(context: &Context, servers: &Servers) -> Result<Vec<String>, Error> {
    match plan::bridge(&servers.source, &servers.target) {
        Some(bridge) if !context.args.update_timescaledb => refused(context, servers, &bridge.theirs).await,
        _ => Ok(Vec::new()),
    }
}

/// Gives the target the source's version, unless it has it already.
pub(super) async fn cross(context: &RunContext, source: &Facts, target: &Facts) -> Result<(), Error> {
    let Some(Bridge { ours, theirs }) = plan::bridge(source, target) else { return Ok(()) };
    let begun = Instant::now();
    let crossed = retrying(context.retry_policy(), &context.progress, "timescaledb", || async {
        let session = context.target.open().await?;
        match session.ask_one(VERSION).await? {
            Some(version) if version == ours => return Ok(false),
            // Somebody has updated it meanwhile: what is there is not dropped.
            Some(_) if holds_hypertables(&session).await? => return Ok(false),
            Some(_) => session.run(DROP).await?,
            None => {}
        }
        // In a session that has not loaded the other version.
        let create = format!("CREATE EXTENSION timescaledb WITH SCHEMA public VERSION {}", identifier(&ours));
        context.target.open().await?.run(&create).await.map(|()| true)
    })
    .await?;
    if crossed {
        context.stage("timescaledb", format!("{ours} on the target, in place of {theirs}"), begun.elapsed());
    }
    Ok(())
}

/// The target's own version has come back after a migration.
pub(super) async fn is_back(context: &RunContext, source: &Facts, target: &Facts) -> Result<bool, Error> {
    let Some(Bridge { theirs, .. }) = plan::bridge(source, target) else { return Ok(false) };
    Ok(context.target.open().await?.ask_one(VERSION).await?.as_ref() == Some(&theirs))
}

async fn holds_hypertables(session: &Session) -> Result<bool, Error> {
    session.ask_flag("SELECT EXISTS (SELECT FROM _timescaledb_catalog.hypertable)").await
}

/// The command that brings the target's own version back, in a session of its own.
fn update_sql(version: &str) -> String {
    format!("ALTER EXTENSION timescaledb UPDATE TO {}", literal(version))
}

/// Updates the target to the version that it had, where it is to `update`; else says how. True where it was updated.
pub(super) async fn back(
    context: &RunContext,
    source: &Facts,
    target: &Facts,
    update: bool,
) -> Result<bool, Error> {
    let Some(Bridge { theirs, .. }) = plan::bridge(source, target) else { return Ok(false) };
    if !update {
        context.report().next.push(format!(
            "update the target's TimescaleDB to {theirs} again: psql -X \"$TARGET\" -c \"{}\"",
            update_sql(&theirs)
        ));
        return Ok(false);
    }
    let begun = Instant::now();
    retrying(context.retry_policy(), &context.progress, "update", || async {
        if context.target.open().await?.ask_one(VERSION).await?.as_ref() == Some(&theirs) {
            return Ok(());
        }
        context.target.run_first(&update_sql(&theirs)).await
    })
    .await?;
    context.stage("update", format!("TimescaleDB {theirs} on the target again"), begun.elapsed());
    Ok(true)
}
