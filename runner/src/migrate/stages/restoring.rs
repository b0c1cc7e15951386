//! TimescaleDB's restoring mode: on before its tables are created, off when they and their rows exist.
//!
//! A dump empties `search_path`, so its functions are named with their schema. A setting of the database reaches sessions
//! that begin after it.

use crate::connect::{Connector, Session};
use crate::engine::retry::retrying;
use crate::error::Error;
use crate::journal::Event;
use crate::migrate::RunContext;
use crate::migrate::driver::{StageResult, TargetRun};
use crate::step::Step;

/// Turns restoring mode on.
pub(in crate::migrate) async fn enter(run: &TargetRun<'_>) -> Result<StageResult, Error> {
    turn_on(run.context).await?;
    Ok(StageResult::done("on"))
}

/// Turns restoring mode on for sessions that begin later. The journal knows before: whatever ends this process, the next
/// start turns it off.
pub(in crate::migrate) async fn turn_on(context: &RunContext) -> Result<(), Error> {
    context.journal(Event::Restoring)?;
    context.undo().restoring = true;
    retrying(context.retry_policy(), &context.progress, "restoring mode", || async {
        context.target.open().await?.run("SELECT public.timescaledb_pre_restore()").await
    })
    .await
}

/// Turns restoring mode off, in a session of its own: the others may have ended.
pub(in crate::migrate) async fn end(target: &Connector) -> Result<Session, Error> {
    let session = target.open().await?;
    session.run("SELECT public.timescaledb_post_restore()").await?;
    Ok(session)
}

/// Turns restoring mode off where the run turned it on.
pub(in crate::migrate) async fn leave(run: &TargetRun<'_>) -> Result<StageResult, Error> {
    let (context, engine) = (run.context, &run.engine);
    let mut session =
        retrying(engine.retry_policy, &engine.progress, "restoring mode", || end(&context.target)).await?;
    context.undo().restoring = false;
    context.journal(Event::Restored)?;
    engine.marks.set(run.still(&mut session).await?, &Step::Restored).await?;
    Ok(StageResult::done("restoring mode is off"))
}

/// Turns restoring mode off where an error has left it on; false where it stays on.
pub(in crate::migrate) async fn leave_in_the_end(context: &RunContext) -> bool {
    if !std::mem::take(&mut context.undo().restoring) {
        return true;
    }
    let (closed, line) = match end(&context.target).await {
        Ok(_) => {
            let _ = context.journal(Event::Restored);
            (true, "the target has left restoring mode".to_owned())
        }
        Err(error) => (
            false,
            format!(
                "the target IS STILL IN RESTORING MODE, hypertables read as empty there: {error}\n\
                 run: tsmigrate cleanup, or psql -X \"$TARGET\" -c 'SELECT public.timescaledb_post_restore()'"
            ),
        ),
    };
    context.progress.warn(&line);
    context.report().state.push(line);
    closed
}
