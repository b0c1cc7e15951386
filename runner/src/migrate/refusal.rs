//! Refusals to resume a run.

use super::RunContext;
use crate::error::Error;
use crate::record;

/// The error that says why a run cannot go on.
pub(super) fn refused(context: &RunContext, what: &str) -> Error {
    Error::Refused {
        what: format!("--resume: {what}"),
        next: vec!["go on with the servers and options of before".into(), anew_from_start(context)],
    }
}

/// What starts from the beginning, as a next step.
pub(super) fn anew_from_start(context: &RunContext) -> String {
    let cleanup = record::cleanup(context.work.path(), true);
    format!("or start anew: {cleanup}, then the same command without --resume")
}

/// The same where there is no other way.
pub(super) fn begin_anew(context: &RunContext) -> String {
    let cleanup = record::cleanup(context.work.path(), true);
    format!("start anew: {cleanup}, then the same command without --resume and --new-snapshot")
}
