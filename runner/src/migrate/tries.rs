//! A run that goes on from its marks by itself, where a server was away between two steps: each step has tries of its own.

use std::time::Duration;

use super::run_context::RunContext;
use crate::engine::retry::transient;
use crate::error::Error;

/// So often a run goes on from its marks.
const FROM_MARKS: u32 = 2;

/// So long a server that was away is left alone before.
const PAUSE: Duration = Duration::from_secs(2);

/// How often a run has gone on.
#[derive(Debug, Default)]
pub(super) struct Tries {
    gone_on: u32,
    /// Retries of steps before this try.
    retries: u64,
}

impl Tries {
    /// A try begins.
    pub(super) fn begin(&mut self, context: &RunContext) {
        self.retries = context.progress.retries();
    }

    /// True where the run goes on from its marks after this error, once a moment has passed: between steps nothing is tried again
    /// by itself. So it is where a server was away since the try began, and something is not there that the run has made: one
    /// that crashes forgets what it has confirmed a moment before.
    pub(super) async fn goes_on(&mut self, context: &RunContext, error: &Error) -> bool {
        let is_missing = matches!(error.code(), "42830" | "42P01" | "42703" | "42704" | "42883" | "3F000");
        let may_pass = transient(error) || is_missing && context.progress.retries() > self.retries;
        if !may_pass || self.gone_on >= FROM_MARKS.min(context.retry_policy().retries) {
            return false;
        }
        self.gone_on += 1;
        let why = error.answer().map(ToString::to_string).unwrap_or_default();
        let why = why.lines().next().unwrap_or_default();
        context.progress.retry("the run", why, PAUSE, self.gone_on, FROM_MARKS);
        tokio::time::sleep(PAUSE).await;
        true
    }
}
