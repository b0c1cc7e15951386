//! How a run ends: by itself, by a signal, by a panic; and what its report says of that.

use std::path::Path;

use tokio::task::JoinHandle;
use tsmigrate_analyzer::quote::shell;

use super::run_context::{Reached, RunContext};
use crate::error::Error;
use crate::human::count;
use crate::journal::Event;
use crate::progress::Progress;
use crate::report::{self, Outcome, Report};
use crate::{defect, progress, record, signals};

/// Waits for the end of a run, which is in a task of its own, so that even a panic comes back here as a value. A first signal
/// stops it in order; at the second one `give_up` is called.
pub(super) async fn until_end<T>(
    progress: &Progress,
    work: &Path,
    mut task: JoinHandle<Result<T, Error>>,
    give_up: impl FnOnce(&str, &Path) + Send + 'static,
) -> Result<T, Error> {
    let result = tokio::select! {
        joined = &mut task => joined.unwrap_or_else(|error| {
            Err(Error::Defect(match error.try_into_panic() {
                Ok(panic) => defect::said(&*panic),
                Err(error) => error.to_string(),
            }))
        }),
        signal = signals::stop() => {
            progress.warn(&format!(
                "{signal}: rolling back what is under way (once more: at once)"
            ));
            let work = work.to_owned();
            tokio::spawn(async move {
                let signal = signals::stop().await;
                give_up(signal, &work);
            });
            task.abort();
            // Sessions close and pg_dump ends when the task has dropped them.
            match task.await {
                Ok(done @ Ok(_)) => done,
                _ => Err(Error::Interrupted(signal)),
            }
        }
    };
    progress.stop();
    result
}

/// Why a run has stopped that has come to its end: who ends it may keep the target as it is.
pub(super) const DIFFERS: &str = "the target differs from the source";

/// Writes down how it ended; `closed` where nothing is open any more.
pub(super) fn note(context: &RunContext, closed: bool, result: &Result<Outcome, Error>) {
    let last = match result {
        _ if !closed => Event::Stopped { why: "something is still open".to_owned() },
        Ok(Outcome::Differs) if context.undo().reached != Reached::Nothing => {
            Event::Stopped { why: DIFFERS.to_owned() }
        }
        Ok(_) => Event::Done,
        Err(_) if context.undo().reached == Reached::Nothing => Event::Done,
        Err(error) => Event::Stopped { why: error.to_string() },
    };
    if let Err(error) = context.journal(last) {
        context.progress.warn(&error.to_string());
    }
    context.progress.flush();
}

/// The report of a run that could not begin.
pub(super) fn not_begun(error: &Error) -> Report {
    let mut report = Report { version: report::VERSION, ..Report::default() };
    match error.unreachable() {
        Some(found) => report.unreachable(found),
        None => report.error = Some(error.to_string()),
    }
    report
}

/// The report of a run, but for how it ended.
pub(super) fn report(context: &RunContext) -> Report {
    let mut report = context.report().clone();
    report.seconds = progress::seconds(context.begun.elapsed());
    report.activity = context.progress.past(context.begun);
    // A dry run keeps nothing.
    let missing = report.missing.clone();
    crate::left_out::add(&mut report.scripts, &missing);
    report.work_dir = context.journal.get().map(|_| context.work.path().display().to_string());
    report
}

/// Says in the report what stopped the run.
pub(super) fn failed(report: &mut Report, error: Error) {
    let interrupted = matches!(error, Error::Interrupted(_));
    report.outcome = if interrupted { Outcome::Interrupted } else { Outcome::Failed };
    let unreachable = error.unreachable();
    report.error = Some(match error {
        Error::Preflight(blockers) => {
            report.blockers = blockers;
            "the preflight failed".to_owned()
        }
        Error::Refused { what, next } => {
            report.next = next;
            what
        }
        error => error.to_string(),
    });
    if let Some(found) = unreachable {
        report.unreachable(found);
    }
}

/// Says in the report which state the target is in; false where nothing was written.
pub(super) fn state(context: &RunContext, report: &mut Report) -> bool {
    let undo = context.undo();
    if undo.reached == Reached::Nothing {
        // Of a run that goes on the target holds what was written before.
        let by = if context.tuning.resume { "by this start" } else { "to the target" };
        report.state.push(format!("nothing was written {by}"));
        return false;
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
    true
}

/// How a run goes on that failed, with the command that continues it.
pub(super) fn way_on(gone: bool, resume: &str) -> String {
    let when = if gone { "when the server can be reached again," } else { "remove the cause, then" };
    format!("{when} continue with: {resume}")
}

/// How a run goes on that somebody stopped.
pub(super) fn go_on(context: &RunContext, report: &mut Report) {
    let reached = context.undo().reached;
    report.state.push(match reached {
        Reached::Nothing => "nothing was written".to_owned(),
        _ => "what was copied stays on the target and is not copied again".to_owned(),
    });
    let resume = reached != Reached::Nothing || context.tuning.resume;
    report.next.push(format!("continue with: {}", again(std::env::args(), resume)));
    if resume {
        report.next.push(format!("or give it up: {}", record::cleanup(context.work.path(), true)));
    }
}

/// The command of this run.
pub(super) fn command(context: &RunContext) -> String {
    again(std::env::args(), context.tuning.resume)
}

/// The command of this process as it can be pasted: servers come from the environment, as they may hold passwords.
pub(super) fn again(args: impl Iterator<Item = String>, resume: bool) -> String {
    let all: Vec<String> = args.skip(1).filter(|arg| arg != "--resume").collect();
    let is_source = |arg: &&String| *arg == "--source" || arg.starts_with("--source=");
    let several = all.iter().filter(is_source).count() > 1;
    let mut words = vec!["tsmigrate".to_owned()];
    let mut sources = 0;
    let mut args = all.into_iter();
    while let Some(arg) = args.next() {
        let server =
            [("--source", "SOURCE"), ("--target", "TARGET")].into_iter().find_map(|(option, variable)| {
                let rest = arg.strip_prefix(option)?;
                (rest.is_empty() || rest.starts_with('=')).then_some((option, variable))
            });
        let Some((option, variable)) = server else {
            words.push(shell(&arg));
            continue;
        };
        let value = match arg.split_once('=') {
            Some((_, value)) => value.to_owned(),
            None => args.next().unwrap_or_default(),
        };
        sources += u32::from(option == "--source");
        words.push(match (several && option == "--source", holds_password(&value)) {
            (true, false) => format!("{option} {}", shell(&value)),
            // One variable is not enough for all of them.
            (true, true) => format!("{option} \"$SOURCE_{sources}\""),
            _ => format!("{option} \"${variable}\""),
        });
    }
    if resume {
        words.push("--resume".to_owned());
    }
    words.join(" ")
}

/// True for an address that may hold a password.
fn holds_password(address: &str) -> bool {
    let server =
        address.split_once("://").map_or("", |(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
    let user = server.rsplit_once('@').map_or("", |(user, _)| user);
    let is_known = address.starts_with("postgres://") || address.starts_with("postgresql://");
    // Parameters may be written in other letters: %70assword.
    let is_hidden = address.split_once('?').is_some_and(|(_, parameters)| parameters.contains('%'));
    !is_known || user.contains(':') || address.to_ascii_lowercase().contains("password") || is_hidden
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
        // Of several sources each is another one.
        assert_eq!(
            of(
                "tsmigrate migrate --source postgres://u@h/a --source=postgres://u:secret@h/b --into-schema b --source postgres://h/c?password=secret --into-schema c",
                true
            ),
            "tsmigrate migrate --source postgres://u@h/a --source \"$SOURCE_2\" --into-schema b --source \"$SOURCE_3\" --into-schema c --resume"
        );
    }
}
