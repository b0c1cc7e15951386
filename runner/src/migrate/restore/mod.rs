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
use super::several::{Filled, Fills, One, Told, refused};
use super::stages::restoring;
use super::{allowing, broken_rows, ending, has_own_steps, kept};
use crate::error::Error;
use crate::record;
use crate::report::Report;

impl Fills for Args {
    fn told(&self) -> Told<'_> {
        Told {
            dry_run: self.dry_run,
            resume: self.resume,
            target: &self.target,
            report: self.report.as_deref(),
            format: self.shown.format,
        }
    }

    fn dry(&self) -> Self {
        Self { dry_run: true, ..self.clone() }
    }

    fn each(&self) -> Result<Vec<One<Self>>, Error> {
        several::each(self)
    }

    async fn fill(&self, give_up: impl FnOnce(&str, &Path) + Send + 'static) -> Filled {
        fill(self, give_up).await
    }

    async fn arrived(&self) -> Result<(), Box<Report>> {
        pipeline::arrived(self).await.map_err(|error| Box::new(refused(true, error)))
    }
}

/// Restores an archive, and leaves the target in order whatever ends it: see [`Fills::fill`].
async fn fill(args: &Args, give_up: impl FnOnce(&str, &Path) + Send + 'static) -> Filled {
    let context = match Restore::new(args).await {
        Ok(context) => Arc::new(context),
        Err(error) => return Filled { report: refused(args.resume, error), brought: None },
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
        Err(error) => broken_rows((&context.target, None), &context.target, error).await,
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
    Filled { report, brought: context.take_brought() }
}
