//! The engine that copies and builds, with the settings of its sessions.

use std::sync::Arc;

use super::snapshot::Snapshot;
use super::{Context, evaluation};
use crate::connect::Session;
use crate::engine::marks::Marks;
use crate::engine::pool::Engine;
use crate::error::Error;

/// Settings of every session that writes.
pub(super) const SETUP: &str = "SET synchronous_commit = off; SET check_function_bodies = off";

/// The engine of a run.
pub(super) async fn engine(
    context: &Arc<Context>,
    snapshot: &Snapshot,
    marks: Marks,
) -> Result<Engine, Error> {
    let args = &context.args;
    let session = context.target.open().await?;
    let builders = usize::try_from(context.builders()).unwrap_or(1);
    let setup = format!("{SETUP}{}", evaluation::settings(context, &session).await?);
    let (build_setup, processors) = size_of(&session, builders, &setup).await?;
    let watcher = context.clone();
    Ok(Engine {
        source: context.source.clone(),
        target: context.target.clone(),
        holder: snapshot.holder.clone(),
        marks,
        progress: context.progress.clone(),
        retry_policy: context.retry_policy(),
        rate: crate::engine::rate::Rate::new(args.max_rate.map(|rate| rate.as_u64())),
        jobs: usize::try_from(context.jobs()).unwrap_or(1),
        small: usize::try_from(context.small()).unwrap_or(1),
        builders,
        setup,
        build_setup,
        processors,
        busy: std::sync::atomic::AtomicUsize::new(0),
        on_step: Box::new(move |step, rows| watcher.step(step, rows)),
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
