//! What a dump that was killed has left open: jobs of its source that are paused.

use std::path::Path;

use tsmigrate_analyzer::quote::shell_file;

use super::folder::{Folder, Unfinished};
use crate::connect::{Connector, Side};
use crate::error::Error;
use crate::human::{self, count};
use crate::inspect::{self, Facts};
use crate::jobs;
use crate::journal::Identity;
use crate::migrate::manifest::cleanup;
use crate::migrate::others::Say;
use crate::quote::quoted;

/// Refuses to schedule jobs of another database: their numbers are those of the one that was dumped.
///
/// # Errors
/// When this is another one.
pub(super) fn check_source(directory: &Path, before: &Unfinished, facts: &Facts) -> Result<(), Error> {
    let now = Identity::of(facts);
    // A database may be given another name meanwhile.
    let Some(was) = before.source.as_ref().filter(|was| (&was.system, &was.oid) != (&now.system, &now.oid))
    else {
        return Ok(());
    };
    let paused =
        human::first(before.paused.iter().map(|job| format!("{} ({})", human::line(&job.name), job.id)), 5);
    Err(Error::Refused {
        what: format!(
            "{} has the rest of a dump of another database ({} of server {}), which was killed while {} of it were \
             paused: {paused}",
            directory.display(),
            quoted(&was.database),
            was.system,
            count(before.paused.len() as u64, "job"),
        ),
        next: vec![
            format!("schedule them again there: {} with SOURCE as it was then", cleanup(directory)),
            "if that database has moved to another server, there by hand: SELECT public.alter_job(ID, scheduled => true)".into(),
            "or dump into a new directory".into(),
        ],
    })
}

/// Schedules jobs again that a dump into this directory has paused, and says so.
///
/// # Errors
/// When a dump is at work in it, it is none's, or the source refuses.
pub(in crate::migrate) async fn close(
    source: &Connector,
    directory: &Path,
    say: Say<'_>,
) -> Result<(), Error> {
    let folder = Folder::of(directory);
    let shown = directory.display();
    let Some(before) = folder.left()? else {
        if folder.is_whole() {
            say(&format!("✓ the dump in {shown} is whole: nothing is open"));
            return Ok(());
        }
        return Err(Error::Refused {
            what: format!("{shown} has no dump of tsmigrate"),
            next: vec!["name the directory that tsmigrate dump was to write".into()],
        });
    };
    say(&format!("a dump that was interrupted is in {shown}"));
    if before.paused.is_empty() {
        say("✓ source: no job is paused by it");
    } else {
        let facts = inspect::inspect(&source.open().await?, Side::Source).await?;
        check_source(directory, &before, &facts)?;
        jobs::schedule_again(source, &before.paused, say).await?;
        let failed = |error| Error::File { what: format!("write into {shown}"), error };
        folder.jobs_are_back().map_err(failed)?;
    }
    let directory = shell_file(&shown.to_string());
    say(&format!(
        "it is not whole: dump it again (tsmigrate dump {directory}), or remove it (rm -r {directory})"
    ));
    Ok(())
}
