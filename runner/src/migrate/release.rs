//! The end of a run on the target.

use super::RunContext;
use super::run_context::Reached;
use crate::engine::marks::Marks;
use crate::engine::retry::retrying;
use crate::error::Error;
use crate::journal::Event;

/// Drops the marks: nothing of ours stays on the target.
pub(super) async fn target(context: &RunContext, equal: bool) -> Result<(), Error> {
    context.journal(Event::Ending { equal })?;
    retrying(context.retry_policy(), &context.progress, "the end", || async {
        Marks::drop(&context.target.open().await?).await
    })
    .await?;
    context.undo().reached = Reached::Nothing;
    Ok(())
}
