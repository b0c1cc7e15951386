//! Rows of extensions' own tables (`pg_extension_config_dump`), TimescaleDB's catalog among them.

use crate::engine::config::{self, ConfigTable};
use crate::engine::retry::retrying;
use crate::engine::rows::RowSource;
use crate::engine::target::LiveTarget;
use crate::error::Error;
use crate::human::count;
use crate::migrate::driver::{Run, StageResult, TargetRun};
use crate::migrate::engine_setup::SETUP;
use crate::migrate::loaded::Loaded;
use crate::tables;
use crate::timescale;

/// Those of a source.
pub(in crate::migrate) async fn of_source(run: &Run<'_>) -> Result<Vec<ConfigTable>, Error> {
    let chosen = run.servers.filter.chosen();
    let mut tables = config::list(&*run.snapshot.holder.turn().await?, chosen).await?;
    // Beside other databases TimescaleDB's are those of whoever has hypertables there.
    tables.retain(|table| !run.context.tuning.beside || !timescale::is_own(&table.relation().schema));
    Ok(tables)
}

/// Those whose rows stay behind: an earlier start may have filled the others.
pub(in crate::migrate) async fn left_behind(
    run: &TargetRun<'_>,
    tables: &[ConfigTable],
    shapes: &tables::Shapes,
    loaded: &mut Loaded,
) -> Result<(), Error> {
    loaded.skipped.extend(config::left_behind(&run.target().await?, tables, shapes).await?);
    Ok(())
}

/// Copies them in one transaction.
pub(in crate::migrate) async fn run(
    run: &TargetRun<'_>,
    tables: &[ConfigTable],
    shapes: &tables::Shapes,
    admin: &str,
    loaded: &mut Loaded,
) -> Result<StageResult, Error> {
    if tables.is_empty() {
        return Ok(StageResult::default());
    }
    let engine = &run.engine;
    let servers = tokio::sync::Mutex::new((
        RowSource::new(&engine.rows, &engine.progress),
        LiveTarget::new(&engine.target, SETUP),
    ));
    let filled = retrying(engine.retry_policy, &engine.progress, "extensions' tables", || async {
        let mut servers = servers.lock().await;
        let (source, target) = &mut *servers;
        let filled = config::copy(source, target, tables, shapes, admin).await;
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
