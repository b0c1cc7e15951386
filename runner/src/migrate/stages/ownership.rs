//! Owners and grants before any row: see [`crate::migrate::ownership`].

use crate::connect::Session;
use crate::engine::retry::retrying;
use crate::error::Error;
use crate::migrate::driver::{StageResult, TargetRun};
use crate::migrate::engine_setup::SETUP;
use crate::migrate::handover::Handover;
use crate::migrate::loaded::Loaded;
use crate::migrate::scripts::AccessStatement;
use crate::migrate::{Reached, ownership};
use crate::step::Step;

/// Runs those of the access statements that may come early, and hands over hypertables with their chunks.
pub(in crate::migrate) async fn run(
    run: &TargetRun<'_>,
    access: &[AccessStatement],
    handover: &Handover,
    admin: &str,
    loaded: &mut Loaded,
) -> Result<StageResult, Error> {
    let engine = &run.engine;
    run.context.undo().reached = Reached::Given;
    let (count, refused) = retrying(engine.retry_policy, &engine.progress, "owners", || async {
        let session = run.target().await?;
        session.run(SETUP).await?;
        let count = ownership::apply_early(&session, access, handover).await? + handover.count();
        let refused = handover.apply(&session, admin).await?;
        engine.marks.set(&session, &Step::Owners).await.map(|()| (count, refused))
    })
    .await?;
    loaded.refused = refused;
    Ok(StageResult::done(format!("{count} owners and grants")))
}

/// What stayed the administrator's of the hypertables, once all is handed over; a run that goes on asks again.
pub(in crate::migrate) async fn kept(
    session: &Session,
    handover: &Handover,
    admin: &str,
    loaded: &mut Loaded,
) -> Result<StageResult, Error> {
    let kept = handover.kept(session).await?;
    let missing = handover.missing(&kept, &loaded.refused, admin);
    loaded.kept.owners = kept.into_keys().collect();
    Ok(StageResult { missing, ..StageResult::default() })
}
