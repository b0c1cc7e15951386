//! Foreign keys that could not be built while rows were copied: those of tables that are not copied, and those that refer
//! to a hypertable.

use crate::engine::builds::ForeignKeys;
use crate::error::Error;
use crate::migrate::driver::{Run, StageResult};
use crate::progress::TaskKind;

/// Adds them one after the other, for each takes a short lock on two tables; then checks them side by side.
pub(in crate::migrate) async fn run(run: &Run<'_>, keys: Vec<ForeignKeys>) -> Result<StageResult, Error> {
    let count: usize = keys.iter().map(|keys| keys.add.len()).sum();
    if count == 0 {
        return Ok(StageResult::default());
    }
    let mut add = Vec::new();
    let mut check = Vec::new();
    for keys in keys {
        add.extend(keys.add);
        check.extend(keys.checks);
    }
    let engine = &run.engine;
    engine.build_in_order(TaskKind::ForeignKey, add).await?;
    engine.build(TaskKind::ForeignKey, check, |_, error| Err(error)).await?;
    Ok(StageResult { built: engine.take_built(), ..StageResult::done(format!("{count} added and checked")) })
}
