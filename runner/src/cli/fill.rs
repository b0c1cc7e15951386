//! `tsmigrate migrate` and `tsmigrate restore`: run for one database or for several, and print the reports.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use tokio::runtime::Runtime;
use tsmigrate::human;
use tsmigrate::migrate::{self, Filled, Fills, One, Told, started};
use tsmigrate::report::{self, Format, Outcome, Report};
use tsmigrate_analyzer::clean;

use super::failure::{Failure, Status};
use super::output;
use super::question;
use super::runtime::runtime;
use super::terminal::note;

/// Clean when it is done and verified, or planned; findings where it is blocked and nothing was written.
pub(super) fn run(args: &impl Fills) -> Result<Status, Failure> {
    let told = args.told();
    told.report.iter().try_for_each(|path| output::check(path, &[]))?;
    match migrate::several(args) {
        Ok(all) if all.is_empty() => one(args),
        Ok(all) => several(&all, told),
        Err(report) => finish(&report, told),
    }
}

/// Several databases, one after the other, once all of them may begin: the first that does not come to its end is the last.
fn several<A: Fills>(all: &[One<A>], told: Told<'_>) -> Result<Status, Failure> {
    // What was begun is written: each says at its turn what stands in its way.
    let has_begun = all.iter().any(|one| one.goes_on || one.has_ended);
    let mut plans: Vec<(&str, &A, Filled)> = Vec::new();
    for One { name, args, has_ended, .. } in all {
        if *has_ended {
            if let Err(report) = runtime()?.block_on(args.arrived()) {
                say(name, "has arrived by another run than this");
                return finish(&report, args.told());
            }
            say(name, "has arrived");
            continue;
        }
        if has_begun {
            continue;
        }
        let plan = runtime()?.block_on(args.dry().fill(give_up));
        if plan.report.outcome != Outcome::Planned {
            say(name, "cannot begin, and nothing was written of any");
            return finish(&plan.report, args.told());
        }
        plans.push((name, args, plan));
    }
    let compared: Vec<_> = plans.iter().map(|(name, _, plan)| (*name, plan)).collect();
    match migrate::compare(&compared) {
        Ok(notes) => notes.iter().for_each(|line| note(&clean::text(line))),
        Err(report) => {
            note("the databases cannot come to one target as they are, and nothing was written of any");
            return finish(&report, told);
        }
    }
    if told.dry_run {
        for (name, args, plan) in &plans {
            say(name, "would come");
            finish(&plan.report, args.told())?;
        }
        return Ok(Status::Clean);
    }
    drop(plans);
    for One { name, args, .. } in all.iter().filter(|one| !one.has_ended) {
        say(name, "comes");
        let status = one(args)?;
        if status != Status::Clean {
            return Ok(status);
        }
    }
    Ok(Status::Clean)
}

fn say(name: &str, what: &str) {
    note(&clean::text(&format!("database {name} {what}")));
}

fn one(args: &impl Fills) -> Result<Status, Failure> {
    let (runtime, told) = (runtime()?, args.told());
    let report = runtime.block_on(args.fill(give_up)).report;
    let status = finish(&report, told)?;
    if told.format == Format::Text {
        start_jobs(&runtime, told.target, report, told.report);
    }
    Ok(status)
}

/// Writes and prints the report of a run that has ended; how the process ends.
fn finish(report: &Report, told: Told<'_>) -> Result<Status, Failure> {
    let written = write(report, told.report);
    // Who reads the report may have gone; what was done stays done.
    let _ = match told.format {
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
fn start_jobs(runtime: &Runtime, target: &str, mut report: Report, file: Option<&Path>) {
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
