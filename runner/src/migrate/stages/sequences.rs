//! Values of sequences, as the source has them when its rows are copied.

use crate::engine::retry::retrying;
use crate::engine::sequences;
use crate::error::Error;
use crate::migrate::driver::{Run, StageResult};
use crate::migrate::loaded::Loaded;
use crate::quote::literal;
use crate::results::Missing;
use crate::timescale;

/// Sets them.
pub(in crate::migrate) async fn run(run: &Run<'_>, loaded: &mut Loaded) -> Result<StageResult, Error> {
    let engine = &run.engine;
    let ((set, refused), values) = retrying(engine.retry_policy, &engine.progress, "sequences", || async {
        let source = run.context.source.open().await?;
        let mut values = sequences::read(&source, |name| run.servers.filter.has(name)).await?;
        // Those of TimescaleDB number what its catalogs hold.
        values.retain(|name, _| !timescale::is_own(&name.schema) || run.servers.source.timescale.is_some());
        if let Some(moving) = run.context.moving() {
            values = values.into_iter().map(|(name, value)| (moving.relation(&name), value)).collect();
        }
        let set = sequences::write(&engine.target.open().await?, &values).await?;
        Ok((set, values))
    })
    .await?;
    loaded.sequences = values;
    let missing = refused.into_iter().map(|(name, why)| Missing {
        what: format!("value of sequence {name}"),
        why,
        sql: loaded.sequences.get(&name).map(|(value, called)| {
            format!("SELECT pg_catalog.setval({}, {value}, {called});", literal(&name.sql()))
        }),
    });
    run.context.report().missing.extend(missing);
    Ok(if set > 0 { StageResult::done(format!("{set} set")) } else { StageResult::default() })
}
