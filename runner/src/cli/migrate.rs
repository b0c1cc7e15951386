//! `tsmigrate migrate`: runs a migration and prints its report.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use tokio::runtime::Runtime;
use tsmigrate::human;
use tsmigrate::migrate::{self, Args, started};
use tsmigrate::report::{self, Format, Outcome, Report};
use tsmigrate_analyzer::clean;

use super::failure::{Failure, Status};
use super::output;
use super::question;
use super::runtime::runtime;
use super::several::{self, Each};
use super::terminal::note;

/// Clean when it is done and verified, or planned; findings where it is blocked and nothing was written.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    args.report.iter().try_for_each(|path| output::check(path, &[]))?;
    let each = Each {
        dry_run: args.dry_run,
        plan: &|own: &Args| {
            Ok(runtime()?.block_on(migrate::run(&Args { dry_run: true, ..own.clone() }, give_up)))
        },
        finish: &|own, report| finish(report, own.report.as_deref(), own.shown.format),
        run: &one,
    };
    match migrate::several(args) {
        Ok(all) if all.is_empty() => one(args),
        Ok(all) => several::run(&all, &each),
        Err(report) => finish(&report, args.report.as_deref(), args.shown.format),
    }
}

fn one(args: &Args) -> Result<Status, Failure> {
    let runtime = runtime()?;
    let report = runtime.block_on(migrate::run(args, give_up));
    let status = finish(&report, args.report.as_deref(), args.shown.format)?;
    if args.shown.format == Format::Text {
        start_jobs(&runtime, &args.target, report, args.report.as_deref());
    }
    Ok(status)
}

/// Writes and prints the report of a run that has ended; how the process ends.
pub(super) fn finish(report: &Report, file: Option<&Path>, format: Format) -> Result<Status, Failure> {
    let written = write(report, file);
    // Who reads the report may have gone; what was done stays done.
    let _ = match format {
        Format::Json => report::json(report, &mut std::io::stdout()),
        Format::Text => writeln!(anstream::stdout(), "{}", report.colored().trim_end()),
    };
    match (&written, report.outcome) {
        // What was moved and verified stays so, whatever becomes of a file that tells of it.
        (Err(failure), Outcome::Migrated | Outcome::Restored) => {
            note(&not_written(failure, report));
        }
        _ => written?,
    }
    Ok(match report.outcome {
        Outcome::Migrated | Outcome::Restored | Outcome::Planned => Status::Clean,
        Outcome::Blocked => Status::Findings,
        Outcome::Failed | Outcome::Interrupted | Outcome::Differs => Status::Failed,
    })
}

/// Asks whether the jobs of the target are to run now, where somebody can answer, and starts them. The summary has said how
/// that is done at any other time.
pub(super) fn start_jobs(runtime: &Runtime, target: &str, mut report: Report, file: Option<&Path>) {
    let Some(script) = started::script(&report).filter(|_| question::can_ask()) else { return };
    let title = clean::text(&script.title);
    if !question::yes(runtime, &format!("\n{title}\nRun it now?")) {
        return;
    }
    match runtime.block_on(started::start(target, &mut report)) {
        Ok(jobs) => {
            note(&format!("started {} on the target", human::count(jobs, "job")));
            if let Err(failure) = write(&report, file) {
                note(&not_written(&failure, &report));
            }
        }
        Err(error) => note(&clean::text(&format!("error: no job was started: {error}"))),
    }
}

/// What is said of a run that came to its end and whose reports could not be written: with its scripts, which are nowhere else.
fn not_written(failure: &Failure, report: &Report) -> String {
    let place = failure.place.iter().map(|place| format!("\n  {place}"));
    let mut said = format!("warning: {}{}", failure.what, place.collect::<String>());
    said.push_str("\n  the run itself has ended as the summary says, and so does the exit status");
    for script in &report.scripts {
        // Writing to a String cannot fail.
        let _ =
            write!(said, "\n  what {} would have held, to be kept:\n{}", script.file, script.sql.trim_end());
    }
    clean::text(&said)
}

/// Writes the reports that stay.
fn write(report: &Report, file: Option<&Path>) -> Result<(), Failure> {
    // A migration that is done has scripts to run, whatever becomes of a file beside them.
    if let Some(folder) = &report.work_dir {
        report::write_files(report, folder.as_ref())?;
    }
    let Some(path) = file else { return Ok(()) };
    output::write("the report", path, |out| {
        if report::is_page(path) { report.html(out) } else { report::json(report, out) }
    })
}

/// A second signal: nothing more can be done, and nothing is lost.
pub(super) fn give_up(signal: &str, work: &Path) {
    note(&format!(
        "tsmigrate: {signal} again: stopped at once. What may be open (restoring mode of the target, paused jobs of the \
         source) is in {}; tsmigrate cleanup closes it, --resume goes on",
        human::line(&work.display().to_string())
    ));
    std::process::exit(2);
}
