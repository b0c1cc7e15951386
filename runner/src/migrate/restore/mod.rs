//! `tsmigrate restore`: an archive of `pg_dump`, one target, one run. It shares the stages of a migration that ask nothing of
//! a source's server.

mod contents;
mod context;
mod entries;
mod known;
mod large_objects;
mod options;
mod pipeline;
mod refused;
mod schema;
mod target;
mod verify;

use std::path::Path;
use std::sync::Arc;

pub(super) use contents::SYSTEM;
pub use options::Args;

use self::context::Restore;
use super::{ending, has_own_steps};
use crate::error::Error;
use crate::record;
use crate::report::Report;

/// Restores an archive, and leaves the target in order whatever ends it. A first signal stops it; at the second one
/// `give_up` is called, as in a migration.
pub async fn run(args: &Args, give_up: impl FnOnce(&str, &Path) + Send + 'static) -> Report {
    let context = match Restore::new(args) {
        Ok(context) => Arc::new(context),
        Err(Error::Preflight(blockers)) => {
            let mut report = ending::not_begun(&Error::Preflight(Vec::new()));
            ending::failed(&mut report, Error::Preflight(blockers));
            report.state.push("nothing was written to the target".to_owned());
            return report;
        }
        Err(error) => return ending::not_begun(&error),
    };
    context.target.endpoint().warnings().iter().for_each(|warning| context.progress.warn(warning));
    let task = tokio::spawn(pipeline::restore(context.clone()));
    let result = ending::until_end(&context, task, give_up).await;
    if result.is_err() {
        context.target.cancel_all().await;
    }
    ending::note(&context, true, &result);
    let mut report = ending::report(&context);
    match result {
        Ok(outcome) => report.outcome = outcome,
        Err(error) => {
            let interrupted = matches!(error, Error::Interrupted(_));
            let (own_steps, gone) = (has_own_steps(&error), error.is_gone());
            ending::failed(&mut report, error);
            if interrupted {
                ending::go_on(&context, &mut report);
            } else if ending::state(&context, &mut report) && !own_steps {
                let resume = ending::again(std::env::args(), true);
                report.next.push(ending::way_on(gone, &resume));
                let cleanup = record::cleanup(context.work.path(), true);
                report.next.push(format!("or give it up: {cleanup}"));
            }
        }
    }
    report
}
