//! `tsmigrate cleanup`: closes what a run that was killed has left open, and on demand gives up what it has written.

use std::path::PathBuf;

use crate::human::count;

use super::ending;
use super::given_up;
use super::others::Say;
use super::session_name;
use super::stages::restoring;
use crate::connect::{Connector, Session, Side};
use crate::engine::marks::{Marks, Owner};
use crate::error::Error;
use crate::inspect;
use crate::jobs;
use crate::journal::{ARCHIVE, Event, Journal, State};
use crate::record;
use crate::watch;
use crate::workdir::WorkDir;

/// Options of `tsmigrate cleanup`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Examples:
  tsmigrate cleanup                 start paused jobs, leave restoring mode
  tsmigrate cleanup --drop-target   also drop what the run wrote
  tsmigrate cleanup --dump DIR      start jobs that a killed dump has paused

Exit status: 0 if nothing is open any more, 2 if something is")]
pub struct Args {
    /// Database that was read; not of a restore
    #[arg(long, env = "SOURCE", value_name = "URI", hide_env_values = true)]
    pub source: Option<String>,

    /// Service that was written; not of a dump
    #[arg(
        long,
        env = "TARGET",
        value_name = "URI",
        hide_env_values = true,
        required_unless_present = "dump"
    )]
    pub target: Option<String>,

    /// Work directory of the run [default: tsmigrate-DATABASE]
    #[arg(long, value_name = "DIR")]
    pub work_dir: Option<PathBuf>,

    /// Directory of a dump that was killed, in place of a run
    #[arg(long, value_name = "DIR", conflicts_with_all = ["work_dir", "drop_target"])]
    pub dump: Option<PathBuf>,

    /// Give the run up: drop everything that it wrote
    #[arg(long)]
    pub drop_target: bool,

    /// With --drop-target: also drop others' objects
    #[arg(long, requires = "drop_target")]
    pub with_others: bool,
}

impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URIs may hold passwords.
        f.debug_struct("Args").field("drop_target", &self.drop_target).finish_non_exhaustive()
    }
}

/// Closes what is open, and says so line by line.
///
/// # Errors
/// When something is still open, or a server refuses.
pub async fn run(args: &Args, say: Say<'_>) -> Result<(), Error> {
    let source = args.source.as_deref().map(|uri| Connector::new(Side::Source, uri)).transpose()?;
    if let Some(directory) = &args.dump {
        let source = source.ok_or_else(|| Error::Refused {
            what: format!("the database that was dumped into {} is not named", directory.display()),
            next: vec!["name it with --source, or in SOURCE".into()],
        })?;
        return super::dump::left::close(&source, directory, say).await;
    }
    let target = args.target.as_deref().ok_or_else(|| Error::Defect("no target is named".into()))?;
    let target = Connector::new(Side::Target, target)?;
    let work = match (&args.work_dir, &source) {
        (Some(directory), _) => WorkDir::new(Some(directory), ""),
        (None, Some(source)) => WorkDir::new(None, source.endpoint().database()),
        (None, None) => {
            return Err(Error::Refused {
                what: "nothing says which run is meant".into(),
                next: vec!["name its work directory with --work-dir, or its source with --source".into()],
            });
        }
    };
    close(args, source, &target, &work, say).await
}

/// Closes what a run has left open.
async fn close(
    args: &Args,
    source: Option<Connector>,
    target: &Connector,
    work: &WorkDir,
    say: Say<'_>,
) -> Result<(), Error> {
    work.check_ours()?;
    let past = work.past()?.filter(|past| !past.done);
    // A restore has no source's server to put in order.
    let is_restore = past.as_ref().is_some_and(|past| past.source.system == ARCHIVE);
    let source = source.filter(|_| !is_restore);
    if source.is_none() && past.as_ref().is_some_and(|past| !is_restore && past.unknown == 0) {
        return Err(Error::Refused {
            what: format!("the run in {} has read a database, which is not named", work.path().display()),
            next: vec!["name it with --source".into()],
        });
    }
    // Nobody else may be at work in it.
    let journal = past.as_ref().map(|_| Journal::open(work.path())).transpose()?;
    let session = target.open().await?;
    let owner = Marks::owner(&session).await?;
    if let (Some(past), Some(owner)) = (&past, &owner)
        && past.run != owner.id
    {
        return Err(Error::Refused {
            what: format!(
                "the run in {} is not the one that the target belongs to ({}, begun at {} from {})",
                work.path().display(),
                owner.id,
                owner.started,
                owner.source
            ),
            next: vec!["name the work directory of that run with --work-dir".into()],
        });
    }
    // Of a run whose journal we hold, nobody is left; of another one, or of a copy, only the servers know.
    if let Some(owner) = owner.as_ref().filter(|_| past.as_ref().is_none_or(|past| past.is_copy)) {
        let of_source = match &source {
            Some(source) => Some(source.open().await?),
            None => None,
        };
        let sessions: Vec<&Session> = of_source.iter().chain([&session]).collect();
        check_over(&sessions, owner).await?;
    }
    match &past {
        Some(past) => say(&format!(
            "a run that began at {}, {} steps done{}",
            past.started,
            past.steps,
            past.stopped.as_ref().map(|why| format!("; it stopped: {why}")).unwrap_or_default()
        )),
        None => say(&format!("no run that is open in {}", work.path().display())),
    }
    let format = past.as_ref().map(|past| past.format).or_else(|| owner.as_ref().map(|owner| owner.format));
    let other = format.is_some_and(|format| format != record::FORMAT);
    if other {
        foreign(past.as_ref(), owner.as_ref(), say);
    }
    let run =
        past.as_ref().map(|past| past.run.clone()).or_else(|| owner.as_ref().map(|owner| owner.id.clone()));
    if let Some(run) = run.as_ref().filter(|run| !run.is_empty()) {
        if let Some(source) = &source {
            end_sessions(&source.open().await?, run, say).await?;
        }
        end_sessions(&session, run, say).await?;
    }
    if let Some(source) = &source {
        put_jobs_back(source, past.as_ref(), journal.as_ref(), say).await?;
    }
    leave_restoring(target, &session, past.as_ref(), owner.as_ref(), journal.as_ref(), say).await?;
    if args.drop_target {
        let run = (past.as_ref(), owner.as_ref());
        given_up::run((source.as_ref(), target), &session, run, (work, args.with_others), say).await?;
        if let Some(journal) = &journal {
            journal.write(Event::Done)?;
        }
    } else if owner.is_some() && !other && past.as_ref().is_some_and(has_only_differed) {
        Marks::drop(&session).await?;
        if let Some(journal) = &journal {
            journal.write(Event::Done)?;
        }
        say("✓ target: stays as it is; the run's own schema is removed");
    } else if owner.is_some() {
        let give_up = record::cleanup(work.path(), true);
        let go_on = if other {
            "with the version of tsmigrate that began the run"
        } else {
            "with the command that began the run and --resume"
        };
        say(&format!("the target keeps what was written: go on {go_on}, or give it up: {give_up}"));
    } else if let Some(journal) = &journal {
        journal.write(Event::Done)?;
    }
    Ok(())
}

/// A run that has come to its end, but for differences.
fn has_only_differed(past: &State) -> bool {
    past.stopped.as_deref() == Some(ending::DIFFERS)
}

/// Refuses to touch a run that has sessions: it may be at work, with a work directory that we do not know.
async fn check_over(sessions: &[&Session], owner: &Owner) -> Result<(), Error> {
    let name = crate::quote::literal(&session_name(&owner.id));
    let mut alive = Vec::new();
    let mut commands = Vec::new();
    for session in sessions.iter().copied() {
        let sessions = watch::named(session, &session_name(&owner.id)).await?;
        let Some(first) = sessions.first() else { continue };
        let side = session.side().name();
        alive.push(format!("{} on the {side}, such as {first}", count(sessions.len() as u64, "session")));
        commands.push(format!(
            "  psql -X \"${}\" -c \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = {name}\"",
            side.to_uppercase()
        ));
    }
    if alive.is_empty() {
        return Ok(());
    }
    let mut next = vec![
        "let it end, or stop it with Ctrl-C where it runs".to_owned(),
        "if it was killed, name its work directory: tsmigrate cleanup --work-dir DIR".to_owned(),
        "or, where that is lost, end its sessions, and start this again:".to_owned(),
    ];
    next.extend(commands);
    Err(Error::Refused {
        what: format!(
            "the run that the target belongs to ({}, begun at {} from {}) is alive: it has {}",
            owner.id,
            owner.started,
            owner.source,
            alive.join(", and ")
        ),
        next,
    })
}

/// Says what cannot be known of a run of another version.
fn foreign(past: Option<&State>, owner: Option<&Owner>, say: Say<'_>) {
    let places = [
        past.map(|past| ("the journal", past.format)),
        owner.map(|owner| ("the schema _tsmigrate of the target", owner.format)),
    ];
    for (place, format) in places.into_iter().flatten().filter(|(_, format)| *format != record::FORMAT) {
        say(&format!("! {}; what is understood is closed", record::problem(place, format)));
    }
    if let Some(past) = past.filter(|past| past.unknown > 0) {
        say(&format!(
            "! the journal has {} that this version does not understand: look for paused jobs on the source \
             (SELECT job_id, proc_name FROM timescaledb_information.jobs WHERE NOT scheduled)",
            count(past.unknown as u64, "line")
        ));
    }
}

/// Ends the sessions that the run may have left.
async fn end_sessions(session: &Session, run: &str, say: Say<'_>) -> Result<(), Error> {
    let rows = session
        .ask(&format!(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity \
             WHERE datname = pg_catalog.current_database() AND pid <> pg_catalog.pg_backend_pid() AND application_name = {}",
            crate::quote::literal(&session_name(run))
        ))
        .await?;
    if !rows.is_empty() {
        say(&format!(
            "✓ {}: ended {} of the run",
            session.side().name(),
            count(rows.len() as u64, "session")
        ));
    }
    Ok(())
}

async fn put_jobs_back(
    source: &Connector,
    past: Option<&State>,
    journal: Option<&Journal>,
    say: Say<'_>,
) -> Result<(), Error> {
    let Some(jobs) = past.and_then(|past| past.jobs.as_ref()) else {
        say("✓ source: no job is paused by us");
        return Ok(());
    };
    jobs::schedule_again(source, jobs, say).await?;
    journal.map_or(Ok(()), |journal| journal.write(Event::JobsBack))
}

async fn leave_restoring(
    target: &Connector,
    session: &Session,
    past: Option<&State>,
    owner: Option<&Owner>,
    journal: Option<&Journal>,
    say: Say<'_>,
) -> Result<(), Error> {
    let facts = inspect::inspect(session, Side::Target).await?;
    if !facts.timescale.is_some_and(|timescale| timescale.restoring) {
        say("✓ target: not in restoring mode");
        return Ok(());
    }
    if past.is_none_or(|past| !past.restoring) && owner.is_none() {
        return Err(Error::Refused {
            what: "the target is in restoring mode, and no run of ours says that it did that".into(),
            next: vec![
                "if no restore is under way: psql -X \"$TARGET\" -c 'SELECT public.timescaledb_post_restore()'".into(),
            ],
        });
    }
    restoring::end(target).await?;
    if let Some(journal) = journal {
        journal.write(Event::Restored)?;
    }
    say("✓ target: has left restoring mode");
    Ok(())
}
