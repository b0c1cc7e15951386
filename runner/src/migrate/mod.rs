//! `tsmigrate migrate`: one source, one target, one run; whatever ends it, both servers are left in order.

mod administrator;
mod all_roles;
mod anew;
mod beside;
mod bridging;
mod broken;
mod brought;
pub mod cleanup;
mod constraint_questions;
mod context;
mod copied;
mod copy_plan;
mod driver;
pub mod dump;
mod ending;
mod engine_setup;
mod enums;
mod evaluation;
mod excluded;
mod fingerprint;
mod given_up;
mod handover;
mod inspection;
mod limits;
mod loaded;
mod manifest;
mod mended;
mod of_database;
mod options;
mod order;
mod others;
mod ownership;
mod pipeline;
mod planning;
mod possession;
mod refusal;
mod release;
mod renewal;
pub mod restore;
mod resume;
mod rewind;
mod run_context;
mod schema;
mod scripts;
mod servers;
mod several;
mod snapshot;
mod sorted_builds;
mod sources;
mod stages;
pub mod started;
mod torn;
mod tries;
pub mod unchecked;
mod undone;
mod violations;
mod ways_on;
mod weigh;
mod wrappers;
mod written;

use std::path::Path;
use std::sync::Arc;

pub(crate) use context::Context;
pub use options::{Args, Check};
pub(crate) use run_context::{Reached, RunContext, session_name};
pub use several::{Filled, Fills, One, Told, compare, several};

use crate::connect::Connector;
use crate::engine::allowed::BY_ROWS;
use crate::error::Error;
use crate::human::count;
use crate::journal::Event;
use crate::moving::Moving;
use crate::quote::argument;
use crate::report::Report;
use crate::{jobs, record};

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
        sources::each(self)
    }

    async fn fill(&self, give_up: impl FnOnce(&str, &Path) + Send + 'static) -> Filled {
        fill(self, give_up).await
    }

    async fn arrived(&self) -> Result<(), Box<Report>> {
        resume::arrived(self).await.map_err(|error| Box::new(several::refused(true, error)))
    }
}

/// Runs a migration, and puts both servers in order whatever ends it: see [`Fills::fill`].
async fn fill(args: &Args, give_up: impl FnOnce(&str, &Path) + Send + 'static) -> Filled {
    let context = match Context::new(args) {
        Ok(context) => Arc::new(context),
        Err(error) => return Filled { report: ending::not_begun(&error), brought: None },
    };
    for end in [&context.source, &context.target] {
        end.endpoint().warnings().iter().for_each(|warning| context.progress.warn(warning));
    }
    let task = tokio::spawn(pipeline::migrate(context.clone()));
    let result = ending::until_end(&context.progress, context.work.path(), task, give_up).await;
    if result.is_err() {
        tokio::join!(context.source.cancel_all(), context.target.cancel_all());
    }
    let closed = clean_up(&context).await;
    ending::note(&context, closed, &result);
    let rows = match &result {
        Ok(_) => Vec::new(),
        Err(error) => {
            broken_rows((&context.source, context.moving().as_deref()), &context.target, error).await
        }
    };
    let mut report = ending::report(&context);
    match result {
        Ok(outcome) => report.outcome = outcome,
        Err(error) => {
            let interrupted = matches!(error, Error::Interrupted(_));
            let (own, gone) = (has_own_steps(&error), error.is_gone() && error.unreachable().is_none());
            ending::failed(&mut report, error);
            if !rows.is_empty() {
                let said: Vec<&str> = rows.iter().map(|broken| broken.said.as_str()).collect();
                report.error = Some(said.join("\n"));
            }
            if interrupted {
                ending::go_on(&context, &mut report);
            } else {
                explain(&context, &mut report, (own, gone), &rows);
            }
        }
    }
    Filled { report, brought: context.take_brought() }
}

/// The error says itself how to go on: another command beside it would be another one.
fn has_own_steps(error: &Error) -> bool {
    let own = |next: &String| ["--resume", "tsmigrate "].iter().any(|how| next.contains(how));
    matches!(error, Error::Refused { next, .. } if next.iter().any(own))
}

/// Rows that break a constraint or a unique index.
struct BrokenRows {
    /// Its name, as `--allow-violations` takes it.
    constraint: Option<String>,
    /// The error, with the rows' keys where they can be told.
    said: String,
}

/// So many constraints are looked at for the keys of their rows.
const LOOKED_AT: usize = 8;

/// Constraints that rows break, by an error of a run. `source` is who tells their definitions, with what they are called there.
async fn broken_rows(
    (source, moving): (&Connector, Option<&Moving>),
    target: &Connector,
    error: &Error,
) -> Vec<BrokenRows> {
    let all = match error {
        Error::Rows(all) => &all[..],
        error => std::slice::from_ref(error),
    };
    let is_by_rows = |error: &&Error| BY_ROWS.contains(&error.code());
    let mut found = Vec::new();
    for (number, error) in all.iter().filter(is_by_rows).enumerate() {
        let constraint = error.answer().and_then(|answer| answer.constraint.clone());
        let is_there = error.answer().is_some_and(|answer| !answer.rolled_back);
        let (mut keys, mut why_it_stays) = (None, None);
        // The error itself has said what it is: keys are more.
        if let Some(constraint) = &constraint
            && let (Ok(source), Ok(target)) = (source.open().await, target.open().await)
        {
            if number < LOOKED_AT && is_there {
                keys = broken::keys(&source, &target, constraint, "60s", moving).await.ok().flatten();
            }
            why_it_stays = violations::why_it_stays(&source, constraint, moving).await.ok().flatten();
        }
        let mut said = keys.map_or_else(|| error.to_string(), |keys| format!("{error}\n  rows: {keys}"));
        if let Some(why) = &why_it_stays {
            said.push_str("\n  note: ");
            said.push_str(why);
            said.push_str(": correct the rows on the source");
        }
        found.push(BrokenRows { constraint: constraint.filter(|_| why_it_stays.is_none()), said });
    }
    found
}

/// The option that lets rows break all of these.
fn allowing(rows: &[BrokenRows]) -> Option<String> {
    let all: Vec<String> = rows.iter().filter_map(|rows| rows.constraint.as_deref().map(argument)).collect();
    (!all.is_empty()).then(|| format!("--allow-violations {}", all.join(" ")))
}

fn kept(rows: &[BrokenRows]) -> &'static str {
    let named = rows.iter().filter(|rows| rows.constraint.is_some()).count();
    if named == 1 {
        "keep them, without that check on the target"
    } else {
        "keep them, without these checks on the target"
    }
}

fn explain(context: &Context, report: &mut Report, (own_steps, gone): (bool, bool), rows: &[BrokenRows]) {
    if !ending::state(context, report) {
        if gone {
            let again = ending::again(std::env::args(), context.tuning.resume);
            report.next.push(ending::way_on(true, &again));
        }
        return;
    }
    if own_steps {
        return;
    }
    let resume = ending::again(std::env::args(), true);
    report.next.push(if rows.is_empty() {
        ending::way_on(gone, &resume)
    } else {
        let new_snapshot = if context.args.new_snapshot { "" } else { " --new-snapshot" };
        format!("correct these rows on the source, then copy what has changed: {resume}{new_snapshot}")
    });
    report.next.extend(allowing(rows).map(|options| format!("or {}: {resume} {options}", kept(rows))));
    report.next.push(format!("or give it up: {}", record::cleanup(context.work.path(), true)));
}

/// Undoes what a run has changed for its own sake. Every part is tried, whatever becomes of the others; false where
/// something is still open.
async fn clean_up(context: &Context) -> bool {
    let mut closed = stages::restoring::leave_in_the_end(context).await;
    let jobs = std::mem::take(&mut context.undo().jobs);
    if !jobs.is_empty() {
        let left = jobs::put_back(&context.source, &jobs).await;
        if left.is_empty() {
            let _ = context.journal(Event::JobsBack);
            context
                .progress
                .line(&format!("  scheduled again: {} of the source", count(jobs.len() as u64, "job")));
        } else {
            closed = false;
            let line = format!(
                "jobs of the source ARE STILL PAUSED; run tsmigrate cleanup, or on the source:\n  {}",
                left.join("\n  ")
            );
            context.progress.warn(&line);
            context.report().state.push(line);
        }
    }
    closed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_that_says_how_to_go_on_is_the_only_one_to_say_it() {
        let refused = |next: &str| Error::Refused { what: "x".into(), next: vec![next.to_owned()] };
        assert!(has_own_steps(&refused("or the same command with --resume --new-snapshot")));
        assert!(has_own_steps(&refused("begin anew: tsmigrate cleanup --drop-target, and the same command")));
        assert!(!has_own_steps(&refused("drop the table")));
        assert!(!has_own_steps(&Error::SnapshotLost));
    }
}
