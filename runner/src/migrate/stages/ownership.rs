//! Owners and grants before any row: see [`crate::migrate::ownership`].

use crate::engine::retry::retrying;
use crate::error::Error;
use crate::migrate::driver::{Run, StageResult};
use crate::migrate::engine_setup::SETUP;
use crate::migrate::scripts::AccessStatement;
use crate::migrate::{Reached, ownership};
use crate::step::Step;

/// Runs those of the access statements that may come early.
pub(in crate::migrate) async fn run(run: &Run<'_>, access: &[AccessStatement]) -> Result<StageResult, Error> {
    let engine = &run.engine;
    run.context.undo().reached = Reached::Given;
    let count = retrying(engine.retry_policy, &engine.progress, "owners", || async {
        let session = run.target().await?;
        session.run(SETUP).await?;
        let count = ownership::apply_early(&session, access).await?;
        engine.marks.set(&session, &Step::Owners).await.map(|()| count)
    })
    .await?;
    Ok(StageResult::done(format!("{count} owners and grants")))
}
