//! `tsmigrate migrate`: one source, one target, one run; whatever ends it, both servers are left in order.

mod administrator;
mod all_roles;
pub mod cleanup;
mod context;
mod copy_plan;
mod driver;
mod engine_setup;
mod evaluation;
mod fingerprint;
mod handover;
mod inspection;
mod limits;
mod loaded;
mod options;
mod ownership;
mod pipeline;
mod planning;
mod possession;
mod refusal;
mod renewal;
mod resume;
mod schema;
mod scripts;
mod servers;
mod snapshot;
mod stages;
mod torn;
mod ways_on;
mod weigh;
mod wrappers;

use std::path::Path;
use std::sync::Arc;

pub(crate) use context::{Context, Reached, session_name};
pub use options::{Args, Check};

use crate::error::Error;
use crate::journal::Event;
use crate::report::{self, Outcome, Report};
use crate::{jobs, progress};

/// Runs a migration, and puts both servers in order whatever ends it. A first signal (Ctrl-C, SIGTERM, SIGHUP) stops it in
/// order; at the second one `give_up` is called, which may end the process at once: the journal knows what is open. It is
/// told which signal it was, and where the work directory is.
pub async fn run(args: &Args, give_up: impl FnOnce(&str, &Path) + Send + 'static) -> Report {
    let context = match Context::new(args) {
        Ok(context) => Arc::new(context),
        Err(error) => {
            return Report { version: report::VERSION, error: Some(error.to_string()), ..Report::default() };
        }
    };
    for end in [&context.source, &context.target] {
        end.endpoint().warnings().iter().for_each(|warning| context.progress.warn(warning));
    }
    // In a task of its own, so that even a panic comes back here as a value.
    let mut task = tokio::spawn(pipeline::migrate(context.clone()));
    let result = tokio::select! {
        joined = &mut task => joined.unwrap_or_else(|error| Err(Error::Defect(error.to_string()))),
        signal = stop_signal() => {
            context.progress.warn(&format!(
                "{signal}: stopping; what is under way is rolled back, both servers are put in order (once more: at once)"
            ));
            let work = context.work.clone();
            tokio::spawn(async move {
                let signal = stop_signal().await;
                give_up(signal, work.path());
            });
            task.abort();
            // Sessions close and pg_dump ends when the task has dropped them.
            match task.await {
                Ok(done @ Ok(_)) => done,
                _ => Err(Error::Interrupted(signal)),
            }
        }
    };
    context.progress.stop();
    if result.is_err() {
        tokio::join!(context.source.cancel_all(), context.target.cancel_all());
    }
    let closed = clean_up(&context).await;
    let last = match &result {
        _ if !closed => Event::Stopped { why: "something is still open".to_owned() },
        Ok(_) => Event::Done,
        Err(_) if context.undo().reached == Reached::Nothing => Event::Done,
        Err(error) => Event::Stopped { why: error.to_string() },
    };
    if let Err(error) = context.journal(last) {
        context.progress.warn(&error.to_string());
    }
    context.progress.flush();
    let mut report = context.report().clone();
    report.seconds = progress::seconds(context.begun.elapsed());
    // A dry run keeps nothing.
    let missing = report.missing.clone();
    crate::left_out::add(&mut report.scripts, &missing);
    report.work_dir = context.journal.get().map(|_| context.work.path().display().to_string());
    match result {
        Ok(outcome) => report.outcome = outcome,
        Err(error) => {
            report.outcome = Outcome::Failed;
            if let Error::Preflight(blockers) = &error {
                report.blockers.clone_from(blockers);
            }
            let own = has_own_steps(&error);
            let by_rows = BY_ROWS.contains(&error.code());
            report.error = Some(match error {
                Error::Preflight(_) => "the preflight failed".to_owned(),
                error => error.to_string(),
            });
            explain(&context, &mut report, own, by_rows);
        }
    }
    report
}

/// The error says itself how to go on: another command beside it would be another one.
fn has_own_steps(error: &Error) -> bool {
    let own = |next: &String| ["--resume", "tsmigrate "].iter().any(|how| next.contains(how));
    matches!(error, Error::Refused { next, .. } if next.iter().any(own))
}

/// What the target answers where rows break a foreign key, a unique index or a CHECK.
const BY_ROWS: [&str; 3] = ["23503", "23505", "23514"];

fn explain(context: &Context, report: &mut Report, own_steps: bool, by_rows: bool) {
    let undo = context.undo();
    if undo.reached == Reached::Nothing {
        // Of a run that goes on the target holds what was written before.
        let by = if context.args.resume { "by this start" } else { "to the target" };
        report.state.push(format!("nothing was written {by}"));
        return;
    }
    report.state.push(format!(
        "the target is half filled; what is done stays, and is known to it and to {}",
        context.work.path().display()
    ));
    if own_steps {
        report.next.push("as the error says".to_owned());
        return;
    }
    let go_on = if by_rows {
        "correct these rows on the source, and copy anew what has changed there: the same command with --resume --new-snapshot"
    } else {
        "remove the cause, and go on with what is left: the same command with --resume"
    };
    report.next.push(go_on.to_owned());
    report.next.push(
        "or give it up and empty the target: tsmigrate cleanup --drop-target (with the same --source, --target, --work-dir)"
            .to_owned(),
    );
}

/// Waits for the first signal to stop; later ones are heard and do nothing, for cleaning up is under way.
async fn stop_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};

    let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "Ctrl-C",
        _ = terminate.recv() => "SIGTERM",
        _ = hangup.recv() => "SIGHUP",
    }
}

/// Undoes what a run has changed for its own sake. Every part is tried, whatever becomes of the others; false where
/// something is still open.
async fn clean_up(context: &Context) -> bool {
    let mut closed = true;
    let (restoring, jobs, schema) = {
        let mut undo = context.undo();
        (std::mem::take(&mut undo.restoring), std::mem::take(&mut undo.jobs), undo.jobs_schema.clone())
    };
    if restoring {
        let line = match stages::restoring::end(&context.target).await {
            Ok(()) => {
                let _ = context.journal(Event::Restored);
                "the target has left restoring mode".to_owned()
            }
            Err(error) => {
                closed = false;
                format!(
                    "the target IS STILL IN RESTORING MODE, hypertables read as empty there: {error}\n\
                 run: tsmigrate cleanup, or psql -X \"$TARGET\" -c 'SELECT public.timescaledb_post_restore()'"
                )
            }
        };
        context.progress.warn(&line);
        context.report().state.push(line);
    }
    if !jobs.is_empty() {
        let left = jobs::put_back(&context.source, &schema, &jobs).await;
        if left.is_empty() {
            let _ = context.journal(Event::JobsBack);
            context.progress.line(&format!("  {} jobs of the source are scheduled again", jobs.len()));
        } else {
            closed = false;
            let line = format!(
                "jobs of the source ARE STILL PAUSED; run tsmigrate cleanup, or there:\n  {}",
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
