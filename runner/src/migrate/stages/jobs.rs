//! Background jobs: paused on the source before it is read, started on the target when everything has arrived.

use std::collections::BTreeSet;

use crate::engine::retry::retrying;
use crate::error::Error;
use crate::jobs::{self, Job};
use crate::migrate::Context;
use crate::migrate::driver::StageResult;
use crate::migrate::servers::Servers;
use crate::results::MovedJob;

/// Jobs of the source that have to be paused.
pub(in crate::migrate) fn pausable(servers: &Servers) -> impl Iterator<Item = &Job> {
    let runs = servers.source.timescale.as_ref().is_some_and(|timescale| timescale.license != "apache");
    servers.jobs.iter().filter(move |job| runs && job.scheduled)
}

/// Pauses them, and waits for those that run. The journal knows before: whatever ends this process, the next start puts
/// them back.
pub(in crate::migrate) async fn pause(context: &Context, servers: &Servers) -> Result<StageResult, Error> {
    let Some(timescale) = &servers.source.timescale else { return Ok(StageResult::default()) };
    let scheduled: Vec<Job> = pausable(servers).cloned().collect();
    let session = context.source.open().await?;
    context.pausing(&timescale.schema, &scheduled)?;
    if !scheduled.is_empty() {
        let alter = jobs::Alter::find(&session).await?;
        for job in &scheduled {
            alter.schedule(&session, job.id, false, None).await?;
        }
    }
    let running = jobs::settle(&session, &scheduled).await?;
    for name in &running {
        context.progress.warn(&format!("{name} of the source still runs; what it drops now may be missed"));
    }
    Ok(StageResult::done(format!("{} jobs of the source", scheduled.len())))
}

/// Starts the copied jobs when they are due on the source: what a dump does not carry would let them all run at once. They
/// came paused, so that none of them drops a chunk that is still to be counted.
pub(in crate::migrate) async fn start(
    context: &Context,
    servers: &Servers,
    equal: bool,
) -> Result<(), Error> {
    if servers.source.timescale.is_none() {
        return Ok(());
    }
    let session = context.target.open().await?;
    let Some(table) = jobs::table(&session).await? else { return Ok(()) };
    let alter = jobs::Alter::find(&session).await?;
    let existing: BTreeSet<i64> = jobs::list(&session).await?.into_iter().map(|job| job.id).collect();
    let due = retrying(context.retry_policy(), &context.progress, "jobs", || async {
        jobs::due(&context.source.open().await?).await
    })
    .await?;
    for job in servers.jobs.iter().filter(|job| existing.contains(&job.id)) {
        let scheduled = job.scheduled && equal;
        let due = due.get(&job.id).map(String::as_str);
        if scheduled && alter.schedule(&session, job.id, true, due).await.is_err() {
            // The Apache edition has no alter_job.
            session.run(&format!("UPDATE {table} SET scheduled = true WHERE id = {}", job.id)).await?;
        }
        if job.scheduled && !scheduled {
            let start = jobs::start_command("public", job.id, due);
            context.report().next.push(format!("start the job: {start};"));
        }
        context.report().jobs.push(MovedJob {
            id: job.id,
            name: job.name.clone(),
            owner: job.owner.clone(),
            new_owner: servers.target.user.clone(),
            scheduled,
        });
    }
    Ok(())
}
