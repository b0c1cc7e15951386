//! `tsmigrate restore`: what `pg_dump` or `pg_dumpall` wrote, one target, one run. It shares the stages of a migration that ask nothing of
//! a source's server.

mod contents;
mod context;
mod dump;
pub(super) mod entries;
mod hypertables;
mod known;
mod large_objects;
mod moved;
mod options;
mod past_policies;
mod pipeline;
mod refused;
mod schema;
mod several;
mod target;
mod verify;
mod violations;
mod writing;

use std::path::Path;
use std::sync::Arc;

pub use options::Args;

use self::context::Restore;
use super::several::One;
use super::stages::restoring;
use super::{allowing, broken_rows, ending, has_own_steps, kept, refused};
use crate::error::Error;
use crate::record;
use crate::report::Report;

/// The runs of a restore of several databases, one after the other; none where it is one. The report says why there are none
/// where they cannot begin.
///
/// # Errors
/// The report of what stands in the way.
pub fn several(args: &Args) -> Result<Vec<One<Args>>, Box<Report>> {
    several::several(args).map_err(|error| Box::new(refused(args.resume, error)))
}

/// Restores an archive, and leaves the target in order whatever ends it. A first signal stops it; at the second one
/// `give_up` is called, as in a migration.
pub async fn run(args: &Args, give_up: impl FnOnce(&str, &Path) + Send + 'static) -> Report {
    let context = match Restore::new(args) {
        Ok(context) => Arc::new(context),
        Err(error) => return refused(args.resume, error),
    };
    context.target.endpoint().warnings().iter().for_each(|warning| context.progress.warn(warning));
    let task = tokio::spawn(pipeline::restore(context.clone()));
    let result = ending::until_end(&context.progress, context.work.path(), task, give_up).await;
    if result.is_err() {
        context.target.cancel_all().await;
    }
    let closed = restoring::leave_in_the_end(&context).await;
    ending::note(&context, closed, &result);
    let rows = match &result {
        Ok(_) => Vec::new(),
        Err(error) => broken_rows(&context.target, &context.target, error).await,
    };
    let mut report = ending::report(&context);
    match result {
        Ok(outcome) => report.outcome = outcome,
        Err(error) => {
            let interrupted = matches!(error, Error::Interrupted(_));
            let (own_steps, gone) = (has_own_steps(&error), error.is_gone());
            ending::failed(&mut report, error);
            if !rows.is_empty() {
                let said: Vec<&str> = rows.iter().map(|broken| broken.said.as_str()).collect();
                report.error = Some(said.join("\n"));
            }
            if interrupted {
                ending::go_on(&context, &mut report);
            } else if ending::state(&context, &mut report) && !own_steps {
                let resume = ending::again(std::env::args(), true);
                report.next.push(match allowing(&rows) {
                    Some(options) => format!("{}: {resume} {options}", kept(&rows)),
                    None => ending::way_on(gone, &resume),
                });
                let cleanup = record::cleanup(context.work.path(), true);
                report.next.push(format!("or give it up: {cleanup}"));
            }
        }
    }
    report
}
