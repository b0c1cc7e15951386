//! Jobs that a run has left paused on the target, started once somebody says so.

use std::collections::BTreeSet;

use super::stages::jobs::SCRIPT;
use crate::connect::{Connector, Side};
use crate::error::Error;
use crate::jobs;
use crate::report::{Outcome, Report};
use crate::results::Script;

/// The script that starts them, of a run that has arrived and was not told to.
#[must_use]
pub fn script(report: &Report) -> Option<&Script> {
    let has_arrived = matches!(report.outcome, Outcome::Migrated | Outcome::Restored);
    report.scripts.iter().find(|script| has_arrived && script.file == SCRIPT)
}

/// Runs that script on `target`, all of it or nothing, and has the report say so. How many jobs run now.
///
/// # Errors
/// When the target cannot be reached, or refuses a statement of it: then no job was started.
pub async fn start(target: &str, report: &mut Report) -> Result<u64, Error> {
    let Some(sql) = script(report).map(|script| script.sql.clone()) else { return Ok(0) };
    let session = Connector::new(Side::Target, target)?.open().await?;
    session.run(&format!("BEGIN;\n{sql}COMMIT;")).await?;
    let scheduled: BTreeSet<i64> =
        jobs::list(&session).await?.into_iter().filter(|job| job.scheduled).map(|job| job.id).collect();
    let mut started = 0;
    for job in report.jobs.iter_mut().filter(|job| !job.scheduled && scheduled.contains(&job.id)) {
        job.scheduled = true;
        started += 1;
    }
    if let Some(folder) = &report.work_dir {
        // What has been done needs no script; where it stays, to run it again does no harm.
        let _ = std::fs::remove_file(std::path::Path::new(folder).join(SCRIPT));
    }
    report.scripts.retain(|script| script.file != SCRIPT);
    report.next.retain(|next| !next.contains(SCRIPT));
    Ok(started)
}
