//! The engine that copies and builds, with the settings of its sessions.

use std::sync::Arc;

use super::snapshot::Snapshot;
use super::{Context, RunContext, evaluation};
use crate::connect::Session;
use crate::engine::marks::Marks;
use crate::engine::pool::{Engine, OnStep};
use crate::engine::rate::Rate;
use crate::engine::rows::Rows;
use crate::error::Error;

/// Settings of every session that writes.
pub(super) const SETUP: &str = "SET synchronous_commit = off; SET check_function_bodies = off";

/// The engine of a migration.
pub(super) async fn engine(
    context: &Arc<Context>,
    snapshot: &Snapshot,
    marks: Marks,
) -> Result<Engine, Error> {
    let session = context.target.open().await?;
    let settings = evaluation::settings(context, &session).await?;
    let rate = Rate::new(context.args.max_rate.map(|rate| rate.as_u64()));
    let rows = Rows::Live(Box::new(context.source.clone()), snapshot.holder.clone());
    let watcher = context.clone();
    let on_step: OnStep = Box::new(move |step, rows| watcher.step(step, rows));
    of_run(context, &session, rows, marks, &settings, rate, on_step).await
}

/// The engine of any run. `settings` are statements for sessions that write, each behind a semicolon.
pub(super) async fn of_run(
    context: &RunContext,
    session: &Session,
    rows: Rows,
    marks: Marks,
    settings: &str,
    rate: Rate,
    on_step: OnStep,
) -> Result<Engine, Error> {
    let builders = usize::try_from(context.builders()).unwrap_or(1);
    let setup = format!("{SETUP}{settings}");
    let (build_setup, processors) = size_of(session, builders, &setup).await?;
    Ok(Engine {
        rows,
        target: context.target.clone(),
        marks,
        progress: context.progress.clone(),
        retry_policy: context.retry_policy(),
        rate,
        jobs: usize::try_from(context.jobs()).unwrap_or(1),
        small: usize::try_from(context.small()).unwrap_or(1),
        builders,
        setup,
        build_setup,
        processors,
        busy: std::sync::atomic::AtomicUsize::new(0),
        on_step,
        begun: context.begun,
        done: std::sync::Mutex::default(),
        broken: std::sync::Mutex::default(),
    })
}

/// Memory for builds and the number of processors, from what the target's settings say of its size. `shared_buffers` is
/// about a quarter of a service's memory; all builds together get half as much, and none less than the server gives by
/// itself. A service's `max_parallel_workers` is the number of its processors (timescaledb-tune).
async fn size_of(session: &Session, builders: usize, setup: &str) -> Result<(String, usize), Error> {
    let row = session
        .ask_row(
            "SELECT pg_catalog.pg_size_bytes(pg_catalog.current_setting('shared_buffers')) >> 20, \
             pg_catalog.pg_size_bytes(pg_catalog.current_setting('maintenance_work_mem')) >> 20, \
             pg_catalog.current_setting('max_parallel_workers')",
        )
        .await?;
    let (buffers, memory): (u64, u64) = (row.number(0)?, row.number(1)?);
    let builders = u64::try_from(builders).unwrap_or(1).max(1);
    let memory = (buffers / 2 / builders).clamp(64, 2048).max(memory);
    let setup = format!("{setup}; SET maintenance_work_mem = '{memory}MB'");
    Ok((setup, row.number(2)?))
}
