//! Rows of extensions' own tables (`pg_extension_config_dump`), TimescaleDB's catalog among them.

use crate::engine::config;
use crate::engine::copy::LiveSource;
use crate::engine::retry::retrying;
use crate::engine::target::LiveTarget;
use crate::error::Error;
use crate::human::count;
use crate::migrate::driver::{Run, StageResult};
use crate::migrate::engine_setup::SETUP;
use crate::migrate::loaded::Loaded;
use crate::tables;

/// Copies them in one transaction.
pub(in crate::migrate) async fn run(
    run: &Run<'_>,
    shapes: &tables::Shapes,
    loaded: &mut Loaded,
) -> Result<StageResult, Error> {
    let engine = &run.engine;
    let servers = tokio::sync::Mutex::new((
        LiveSource::new(&run.context.source, &run.snapshot.holder, &engine.progress),
        LiveTarget::new(&engine.target, SETUP),
    ));
    let filled = retrying(engine.retry_policy, &engine.progress, "extensions' tables", || async {
        let mut servers = servers.lock().await;
        let (source, target) = &mut *servers;
        let tables = config::list(source.session().await?, run.servers.filter.chosen()).await?;
        if tables.is_empty() {
            return Ok(None);
        }
        let filled = config::copy(source, target, &tables, shapes, &run.servers.target.user).await;
        if filled.is_err() {
            tokio::join!(source.reset(), target.reset());
        }
        filled
    })
    .await?;
    let Some(filled) = filled else { return Ok(StageResult::default()) };
    let rows: u64 = filled.rows.values().sum();
    engine.done().bytes += filled.bytes;
    loaded.rows.extend(filled.rows);
    loaded.skipped.extend(filled.skipped);
    Ok(StageResult {
        rows,
        missing: filled.missing,
        ..StageResult::done(format!("{} of extensions' own tables", count(rows, "row")))
    })
}
