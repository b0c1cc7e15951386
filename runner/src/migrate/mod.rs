//! `tsmigrate migrate`: one source, one target, one run; whatever ends it, both servers are left in order.

mod administrator;
mod all_roles;
mod anew;
mod bridging;
mod broken;
pub mod cleanup;
mod context;
mod copied;
mod copy_plan;
mod driver;
mod engine_setup;
mod enums;
mod evaluation;
mod fingerprint;
mod handover;
mod inspection;
mod limits;
mod loaded;
mod mended;
mod options;
mod others;
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
mod unchecked;
mod undone;
mod violations;
mod ways_on;
mod weigh;
mod wrappers;
mod written;

use std::path::Path;
use std::sync::Arc;

use tsmigrate_analyzer::quote::shell;

pub(crate) use context::{Context, Reached, session_name};
pub use options::{Args, Check};

use crate::engine::allowed::BY_ROWS;
use crate::error::Error;
use crate::human::count;
use crate::journal::Event;
use crate::report::{self, Outcome, Report};
use crate::{defect, jobs, progress, record, signals};

/// Runs a migration, and puts both servers in order whatever ends it. A first signal (Ctrl-C, SIGTERM, SIGHUP) stops it in
/// order; at the second one `give_up` is called, which may end the process at once: the journal knows what is open. It is
/// told which signal it was, and where the work directory is.
pub async fn run(args: &Args, give_up: impl FnOnce(&str, &Path) + Send + 'static) -> Report {
    let context = match Context::new(args) {
        Ok(context) => Arc::new(context),
        Err(error) => {
            let mut report = Report { version: report::VERSION, ..Report::default() };
            match error.unreachable() {
                Some(found) => report.unreachable(found),
                None => report.error = Some(error.to_string()),
            }
            return report;
        }
    };
    for end in [&context.source, &context.target] {
        end.endpoint().warnings().iter().for_each(|warning| context.progress.warn(warning));
    }
    // In a task of its own, so that even a panic comes back here as a value.
    let mut task = tokio::spawn(pipeline::migrate(context.clone()));
    let result = tokio::select! {
        joined = &mut task => joined.unwrap_or_else(|error| {
            Err(Error::Defect(match error.try_into_panic() {
                Ok(panic) => defect::said(&*panic),
                Err(error) => error.to_string(),
            }))
        }),
        signal = signals::stop() => {
            context.progress.warn(&format!(
                "{signal}: stopping; what is under way is rolled back, both servers are put in order (once more: at once)"
            ));
            let work = context.work.clone();
            tokio::spawn(async move {
                let signal = signals::stop().await;
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
    report.activity = context.progress.past(context.begun);
    // A dry run keeps nothing.
    let missing = report.missing.clone();
    crate::left_out::add(&mut report.scripts, &missing);
    report.work_dir = context.journal.get().map(|_| context.work.path().display().to_string());
    match result {
        Ok(outcome) => report.outcome = outcome,
        Err(error) => {
            let interrupted = matches!(error, Error::Interrupted(_));
            report.outcome = if interrupted { Outcome::Interrupted } else { Outcome::Failed };
            if let Error::Preflight(blockers) = &error {
                report.blockers.clone_from(blockers);
            }
            let own = has_own_steps(&error);
            let unreachable = error.unreachable();
            let rows = broken_rows(&context, &error).await;
            report.error = Some(match error {
                Error::Preflight(_) => "the preflight failed".to_owned(),
                _ if !rows.is_empty() => {
                    rows.iter().map(|broken| broken.said.clone()).collect::<Vec<_>>().join("\n")
                }
                error => error.to_string(),
            });
            if let Some(found) = unreachable {
                report.unreachable(found);
            }
            if interrupted {
                go_on(&context, &mut report);
            } else {
                explain(&context, &mut report, own, &rows);
            }
        }
    }
    report
}

/// How a run goes on that somebody stopped.
fn go_on(context: &Context, report: &mut Report) {
    let reached = context.undo().reached;
    report.state.push(match reached {
        Reached::Nothing => "nothing was written".to_owned(),
        _ => "what was copied stays on the target and is not copied again".to_owned(),
    });
    let resume = reached != Reached::Nothing || context.args.resume;
    report.next.push(format!("continue with: {}", again(std::env::args(), resume)));
    if resume {
        report.next.push(format!("or give it up: {}", record::cleanup(context.work.path(), true)));
    }
}

/// The command of this process as it can be pasted: servers come from the environment, as they may hold passwords.
fn again(args: impl Iterator<Item = String>, resume: bool) -> String {
    let mut words = vec!["tsmigrate".to_owned()];
    let mut args = args.skip(1).filter(|arg| arg != "--resume");
    while let Some(arg) = args.next() {
        let server = [("--source", "SOURCE"), ("--target", "TARGET")].into_iter().find(|(option, _)| {
            arg.strip_prefix(option).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
        });
        match server {
            Some((option, variable)) => {
                if arg == option {
                    args.next();
                }
                words.push(format!("{option} \"${variable}\""));
            }
            None => words.push(shell(&arg)),
        }
    }
    if resume {
        words.push("--resume".to_owned());
    }
    words.join(" ")
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

async fn broken_rows(context: &Context, error: &Error) -> Vec<BrokenRows> {
    let all = match error {
        Error::Rows(all) => &all[..],
        error => std::slice::from_ref(error),
    };
    let is_by_rows = |error: &&Error| BY_ROWS.contains(&error.code());
    let mut found = Vec::new();
    for (number, error) in all.iter().filter(is_by_rows).enumerate() {
        let constraint = error.answer().and_then(|answer| answer.constraint.clone());
        let keys = match constraint.as_ref().filter(|_| number < LOOKED_AT) {
            Some(constraint) => match (context.source.open().await, context.target.open().await) {
                // The error itself has said what it is: keys are more.
                (Ok(source), Ok(target)) => {
                    broken::keys(&source, &target, constraint, "60s").await.ok().flatten()
                }
                _ => None,
            },
            None => None,
        };
        let said = keys.map_or_else(|| error.to_string(), |keys| format!("{error}\n  rows: {keys}"));
        found.push(BrokenRows { constraint, said });
    }
    found
}

fn explain(context: &Context, report: &mut Report, own_steps: bool, rows: &[BrokenRows]) {
    let undo = context.undo();
    if undo.reached == Reached::Nothing {
        // Of a run that goes on the target holds what was written before.
        let by = if context.args.resume { "by this start" } else { "to the target" };
        report.state.push(format!("nothing was written {by}"));
        return;
    }
    let copied = context.copied().counts();
    report.moved.rows = copied.rows;
    report.moved.tables = copied.whole + copied.in_part;
    let of = if copied.tables == 0 {
        String::new()
    } else {
        format!(
            ": {} of {} are copied whole{}, {}",
            copied.whole,
            count(copied.tables, "table"),
            if copied.in_part == 0 { String::new() } else { format!(" and {} in part", copied.in_part) },
            count(copied.rows, "row")
        )
    };
    report.state.push(format!(
        "the target has a part of the source{of}; it stays, and {} has the record of it",
        context.work.path().display()
    ));
    if own_steps {
        report.next.push("as the error says".to_owned());
        return;
    }
    let resume = again(std::env::args(), true);
    report.next.push(if rows.is_empty() {
        format!("remove the cause, then continue with: {resume}")
    } else {
        let new_snapshot = if context.args.new_snapshot { "" } else { " --new-snapshot" };
        format!("correct these rows on the source, then copy what has changed: {resume}{new_snapshot}")
    });
    let constraints: Vec<String> =
        rows.iter().filter_map(|rows| rows.constraint.as_deref().map(shell)).collect();
    if !constraints.is_empty() {
        report.next.push(format!(
            "or keep them, without {} on the target: {resume} --allow-violations {}",
            if constraints.len() == 1 { "that check" } else { "these checks" },
            constraints.join(" ")
        ));
    }
    report.next.push(format!("or give it up: {}", record::cleanup(context.work.path(), true)));
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
            Ok(_) => {
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
            context
                .progress
                .line(&format!("  scheduled again: {} of the source", count(jobs.len() as u64, "job")));
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
    fn the_command_that_continues_can_be_pasted_and_holds_no_password() {
        let of = |args: &str, resume| again(args.split(' ').map(str::to_owned), resume);
        assert_eq!(
            of(
                "/x/tsmigrate migrate --source postgres://u:secret@h/d --jobs 2 --target=postgres://u:secret@h/d",
                true
            ),
            "tsmigrate migrate --source \"$SOURCE\" --jobs 2 --target \"$TARGET\" --resume"
        );
        assert_eq!(
            of("tsmigrate migrate --resume --include a.*", true),
            "tsmigrate migrate --include 'a.*' --resume"
        );
        assert_eq!(of("tsmigrate migrate --dry-run", false), "tsmigrate migrate --dry-run");
    }

    #[test]
    fn an_error_that_says_how_to_go_on_is_the_only_one_to_say_it() {
        let refused = |next: &str| Error::Refused { what: "x".into(), next: vec![next.to_owned()] };
        assert!(has_own_steps(&refused("or the same command with --resume --new-snapshot")));
        assert!(has_own_steps(&refused("begin anew: tsmigrate cleanup --drop-target, and the same command")));
        assert!(!has_own_steps(&refused("drop the table")));
        assert!(!has_own_steps(&Error::SnapshotLost));
    }
}
