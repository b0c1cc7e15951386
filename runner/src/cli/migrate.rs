//! `tsmigrate migrate`: runs a migration and prints its report.

use std::io::Write;
use std::path::Path;

use tsmigrate::human;
use tsmigrate::migrate::{self, Args};
use tsmigrate::report::{self, Format, Outcome, Report};

use super::failure::{Failure, Status};
use super::runtime::runtime;
use super::terminal::note;

/// Clean when it is done and verified, or planned; findings where it is blocked and nothing was written.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    let report = runtime()?.block_on(migrate::run(args, give_up));
    let written = write(args, &report);
    // Who reads the report may have gone; what was done stays done.
    let _ = match args.format {
        Format::Json => writeln!(std::io::stdout(), "{}", report::json(&report)),
        Format::Text => writeln!(anstream::stdout(), "{}", report.colored().trim_end()),
    };
    written?;
    Ok(match report.outcome {
        Outcome::Migrated | Outcome::Planned => Status::Clean,
        Outcome::Blocked => Status::Findings,
        Outcome::Failed | Outcome::Interrupted | Outcome::Differs => Status::Failed,
    })
}

/// Writes the reports that stay.
fn write(args: &Args, report: &Report) -> Result<(), Failure> {
    if let Some(path) = &args.report {
        let is_page = path.extension().is_some_and(|end| end.eq_ignore_ascii_case("html"));
        std::fs::File::create(path)
            .and_then(
                |mut out| {
                    if is_page { report.html(&mut out) } else { writeln!(out, "{}", report::json(report)) }
                },
            )
            .map_err(|error| Failure::io("the report cannot be written", path, &error))?;
    }
    if let Some(folder) = &report.work_dir {
        report::write_files(report, folder.as_ref())?;
    }
    Ok(())
}

/// A second signal: nothing more can be done, and nothing is lost.
fn give_up(signal: &str, work: &Path) {
    note(&format!(
        "tsmigrate: {signal} again: stopped at once. What may be open (restoring mode of the target, paused jobs of the \
         source) is in {}; tsmigrate cleanup closes it, --resume goes on",
        human::line(&work.display().to_string())
    ));
    std::process::exit(2);
}
