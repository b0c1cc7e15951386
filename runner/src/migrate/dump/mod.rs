//! `tsmigrate dump`: one consistent snapshot of a source as an archive of `pg_dump`, its roles, and a manifest of what no dump
//! tells.

mod folder;
pub(super) mod left;
mod rows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use tsmigrate_analyzer::quote::shell_file;

use self::folder::Folder;
use super::ending;
use super::inspection::unreadable;
use super::manifest::{self, Manifest};
use super::run_context::session_name;
use super::snapshot::{self, Snapshot};
use super::stages::jobs::not_pausable;
use super::{all_roles, schema};
use crate::connect::{Connector, Session, Side};
use crate::error::Error;
use crate::human::{self, count};
use crate::inspect::{self, Facts, Timescale};
use crate::jobs::{self, Job};
use crate::journal::Identity;
use crate::plan;
use crate::progress::{self, Progress};
use crate::tools::{self, Tools};
use crate::{hazards, omitted, states, watch};

/// The first major version whose `pg_dump` compresses by Zstandard, where it was built with it.
const ZSTD: u32 = 16;

/// So often a statement that wants a table for itself is let through, and the dump begins anew.
const LET_THROUGH: u32 = 5;

/// So long it has to take its lock.
const PAUSE: Duration = Duration::from_secs(1);

/// So long `pg_dump` waits for a lock. We have all of them when it begins: whoever keeps it waiting waits for us.
const LOCK_WAIT: Duration = Duration::from_secs(1);

const STOPPED: &str =
    "a statement that wants a table for itself waits for the dump's locks, and is let through";

/// Options of `tsmigrate dump`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Examples:
  export SOURCE='postgres://postgres@old.example:5432/shop'
  tsmigrate dump shop.dump            dump it; jobs wait meanwhile
  tsmigrate restore shop.dump         months later, where only the target is
                                      reached: restored and verified

DIR gets what pg_dump -Fd writes, roles.sql, and manifest.json with what no
dump tells, the number of rows of each table and a checksum of them.

Exit status: 0 if all of it is there, 2 if not")]
pub struct Args {
    /// New or empty directory
    #[arg(value_name = "DIR")]
    pub directory: PathBuf,

    /// Source: postgres://user@host/database
    #[arg(long, env = "SOURCE", value_name = "URI", hide_env_values = true, help_heading = "Source")]
    pub source: String,

    /// Directory of pg_dump and pg_dumpall
    #[arg(long, value_name = "DIR", help_heading = "Source")]
    pub pg_bin: Option<PathBuf>,

    /// Let the source's jobs run meanwhile
    #[arg(long, help_heading = "Run")]
    pub no_pause_jobs: bool,

    /// Longest wait for a lock
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = humantime::parse_duration, help_heading = "Run")]
    pub lock_timeout: Duration,

    /// Tables at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64), help_heading = "Speed")]
    pub jobs: u16,

    /// What is shown meanwhile, and how the report is printed.
    #[command(flatten)]
    pub shown: crate::report::Shown,
}

impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The URI may hold a password.
        f.debug_struct("Args").field("directory", &self.directory).finish_non_exhaustive()
    }
}

/// What was dumped.
#[derive(Clone, Debug, Serialize)]
pub struct Dumped {
    /// Where it is.
    pub directory: PathBuf,
    /// The database.
    pub database: String,
    /// Tables with a checksum, and their rows.
    pub tables: usize,
    /// Rows of those.
    pub rows: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Seconds that it took.
    pub seconds: f64,
    /// What stands in the way of a restore.
    pub warnings: Vec<String>,
    /// What to do next.
    pub next: Vec<String>,
}

/// A dump that is under way.
struct Dump {
    args: Args,
    source: Connector,
    progress: Progress,
    folder: Folder,
    /// Jobs that are paused.
    paused: Mutex<Vec<Job>>,
}

/// Dumps a source, and puts its jobs back whatever ends it. A first signal stops it; at the second one `give_up` is called.
///
/// # Errors
/// When the source refuses, or it cannot be written.
pub async fn run(args: &Args, give_up: impl FnOnce(&str, &Path) + Send + 'static) -> Result<Dumped, Error> {
    let mut source = Connector::new(Side::Source, &args.source)?;
    source.named(&session_name("dump"));
    let progress = Progress::new(args.shown.progress);
    source.endpoint().warnings().iter().for_each(|warning| progress.warn(warning));
    let folder = Folder::of(&args.directory);
    let dump = Arc::new(Dump { args: args.clone(), source, progress, folder, paused: Mutex::default() });
    let task = tokio::spawn(dump_all(dump.clone()));
    let result = ending::until_end(&dump.progress, &args.directory, task, give_up).await;
    if result.is_err() {
        dump.source.cancel_all().await;
    }
    let closed = dump.put_back().await;
    dump.progress.flush();
    match (result, closed) {
        (Ok(dumped), Ok(())) => {
            let failed = |error| Error::File { what: format!("finish {}", args.directory.display()), error };
            dump.folder.finish().map_err(failed)?;
            Ok(dumped)
        }
        (Err(Error::Interrupted(signal)), Ok(())) => Err(Error::Refused {
            what: format!("stopped by {signal}: {} is not whole", args.directory.display()),
            next: vec![format!("dump it anew: {}", ending::again(std::env::args(), false))],
        }),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}

impl Dump {
    fn failed(&self, error: std::io::Error) -> Error {
        Error::File { what: format!("write into {}", self.args.directory.display()), error }
    }

    /// Puts paused jobs back.
    async fn put_back(&self) -> Result<(), Error> {
        let jobs = {
            let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *paused)
        };
        if jobs.is_empty() {
            return Ok(());
        }
        let left = jobs::put_back(&self.source, &jobs).await;
        if left.is_empty() {
            self.folder.jobs_are_back().map_err(|error| self.failed(error))?;
            let jobs = count(jobs.len() as u64, "job");
            self.progress.line(&format!("  scheduled again: {jobs} of the source"));
            return Ok(());
        }
        let what = format!("{} of the source ARE STILL PAUSED", count(left.len() as u64, "job"));
        self.progress.warn(&format!("{what}; there:\n  {}", left.join("\n  ")));
        Err(Error::Refused { what, next: left })
    }
}

/// Dumps all of it.
async fn dump_all(dump: Arc<Dump>) -> Result<Dumped, Error> {
    let begun = Instant::now();
    let before = dump.folder.begin()?;
    let session = dump.source.open().await?;
    let facts = inspect::inspect(&session, Side::Source).await?;
    if let Some(before) = before.filter(|before| !before.paused.is_empty()) {
        left::check_source(&dump.args.directory, &before, &facts)?;
        let paused = human::first(before.paused.iter().map(|job| human::line(&job.name)), 5);
        dump.progress.line(&format!("  a dump before was killed while jobs were paused: {paused}"));
        *dump.paused.lock().unwrap_or_else(PoisonError::into_inner) = before.paused;
        dump.put_back().await?;
    }
    dump.folder.empty()?;
    let _watch = watch::start(&dump.source, &dump.progress);
    let jobs = jobs::list(&session).await?;
    let tools = preflight(&dump, &session, &facts, &jobs).await?;
    dump.progress.done("preflight", &format!("PostgreSQL {}", facts.major()), begun.elapsed());
    let mut due = BTreeMap::new();
    if let Some(timescale) = &facts.timescale {
        // A job that is paused is not due.
        due = jobs::due(&session).await?;
        pause(&dump, &session, timescale, &facts, &jobs).await?;
    }
    let mut manifest = told(&dump, &session, facts, jobs).await?;
    manifest.due = due;
    manifest.pg_dump.clone_from(&tools.version);
    let mut let_through = 0;
    while let Err(error) = dump_one_snapshot(&dump, &tools, &mut manifest).await {
        if !tools::stopped_by_a_lock(&error) && error.code() != "55P03" {
            return Err(error);
        }
        if let_through == LET_THROUGH {
            return Err(watch::explain(error, &dump.source).await);
        }
        // It waits for our locks, and we would wait for it: so would everybody who wants that table.
        let_through += 1;
        dump.progress.retry("the dump", STOPPED, PAUSE, let_through, LET_THROUGH);
        tokio::time::sleep(PAUSE).await;
        dump.folder.empty()?;
    }
    let warnings: Vec<String> = manifest.hazards.iter().map(|hazard| hazard.what.clone()).collect();
    for warning in &warnings {
        dump.progress.warn(warning);
    }
    let (writer, database) = (dump.clone(), manifest.source.database.clone());
    let written = tokio::task::spawn_blocking(move || {
        writer.folder.settle(&mut manifest).map_err(|error| writer.failed(error)).map(|()| manifest.counts())
    });
    let (tables, rows, bytes) =
        written.await.unwrap_or_else(|error| Err(Error::Defect(error.to_string())))?;
    let directory = dump.args.directory.clone();
    let restore = format!("tsmigrate restore {} --dry-run", shell_file(&directory.display().to_string()));
    Ok(Dumped {
        next: vec![format!("see what of it fits the service: {restore}")],
        directory,
        database,
        tables,
        rows,
        bytes,
        seconds: progress::seconds(begun.elapsed()),
        warnings,
    })
}

/// Dumps all of it once, as one snapshot shows it.
async fn dump_one_snapshot(dump: &Dump, tools: &Tools, manifest: &mut Manifest) -> Result<(), Error> {
    manifest.begun = progress::event::now();
    let snapshot = Snapshot::take(&dump.source, dump.args.lock_timeout, &dump.progress, |_| true).await?;
    manifest.snapshot.clone_from(&snapshot.state);
    let start = Instant::now();
    write_archive(dump, tools, &snapshot).await?;
    dump.progress.done("pg_dump", &tools.version, start.elapsed());
    let start = Instant::now();
    let at_once = (dump.args.jobs, dump.args.lock_timeout.min(LOCK_WAIT));
    for (table, sum) in rows::sums(&dump.source, &snapshot, &dump.folder.archive(), at_once).await? {
        manifest.table(table, sum);
    }
    let (tables, rows, _) = manifest.counts();
    let summary = format!("{} of {}", count(rows, "row"), count(tables as u64, "table"));
    dump.progress.done("checksums", &summary, start.elapsed());
    manifest.ended = progress::event::now();
    Ok(())
}

/// What stands in the way of a dump, and the tools to do it with.
async fn preflight(dump: &Dump, session: &Session, facts: &Facts, jobs: &[Job]) -> Result<Tools, Error> {
    let mut blockers = plan::of_source(facts);
    blockers.extend(not_pausable(dump.args.no_pause_jobs, session, facts, jobs).await?);
    blockers.extend(unreadable(session, facts, |_| true).await?);
    blockers.extend(hazards::cut_names(session, |_| true).await?);
    blockers.extend(snapshot::of_one_server(&dump.source, session).await?);
    if !blockers.is_empty() {
        return Err(Error::Preflight(blockers));
    }
    let major = facts.major();
    let found = tools::find(dump.args.pg_bin.as_deref(), major, major).await?;
    match tools::choose(&found, major, major) {
        Some(tools) => Ok(tools.clone()),
        None => Err(tools::missing(&found, facts, major).await),
    }
}

/// Pauses jobs; the folder knows before which.
async fn pause(
    dump: &Dump,
    session: &Session,
    timescale: &Timescale,
    facts: &Facts,
    jobs: &[Job],
) -> Result<(), Error> {
    let (scheduled, off): (Vec<Job>, Vec<Job>) = jobs.iter().cloned().partition(|job| job.scheduled);
    if !off.is_empty() {
        let names = human::first(off.iter().map(|job| human::line(&job.name)), 5);
        dump.progress
            .line(&format!("  jobs that are not scheduled, and will not be after a restore: {names}"));
    }
    if dump.args.no_pause_jobs || !timescale.runs_jobs() || scheduled.is_empty() {
        return Ok(());
    }
    let start = Instant::now();
    dump.folder.pausing(Identity::of(facts), &scheduled).map_err(|error| dump.failed(error))?;
    dump.paused.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&scheduled);
    let running = jobs::pause(session, &scheduled).await?;
    for name in &running {
        dump.progress.warn(&format!("{name} of the source still runs; what it drops now may be missed"));
    }
    dump.progress.done("pause jobs", &count(scheduled.len() as u64, "job"), start.elapsed());
    let cleanup = manifest::cleanup(&dump.args.directory);
    dump.progress
        .line(&format!("  if this is killed, they are scheduled again by the same command, or by {cleanup}"));
    Ok(())
}

/// What the source tells and no dump does.
async fn told(dump: &Dump, session: &Session, source: Facts, jobs: Vec<Job>) -> Result<Manifest, Error> {
    let mut manifest = Manifest::new(source);
    if let Some(timescale) = &manifest.source.timescale {
        manifest.hazards =
            hazards::find(session, timescale, |_| true).await?.into_iter().map(Into::into).collect();
    }
    manifest.jobs = jobs;
    manifest.omitted = omitted::find(session).await?.into_iter().map(Into::into).collect();
    manifest.states = states::find(session).await?.into_iter().map(Into::into).collect();
    let settings = all_roles::settings(&dump.source).await?;
    manifest.settings_of_all_roles = String::from_utf8_lossy(&settings).into_owned();
    Ok(manifest)
}

/// Has `pg_dump` and `pg_dumpall` write.
async fn write_archive(dump: &Dump, tools: &Tools, snapshot: &Snapshot) -> Result<(), Error> {
    let endpoint = dump.source.endpoint();
    let (roles, has_passwords) = schema::dump_roles(tools, endpoint).await?;
    if !has_passwords {
        dump.progress.warn("roles are dumped without passwords: only a superuser can read them");
    }
    dump.folder.write_roles(&roles)?;
    let archive = dump.folder.archive().display().to_string();
    let (file, snapshot) =
        (format!("--file={archive}"), format!("--snapshot={}", snapshot.holder.snapshot()));
    let (jobs, wait) = (
        format!("--jobs={}", dump.args.jobs),
        format!("--lock-wait-timeout={}", dump.args.lock_timeout.min(LOCK_WAIT).as_millis()),
    );
    let all = ["--format=directory", "--encoding=UTF8", &file, &snapshot, &jobs, &wait];
    if tools.major >= ZSTD {
        let zstd: Vec<&str> = all.iter().copied().chain(["--compress=zstd"]).collect();
        match tools.output("pg_dump", endpoint, &zstd).await {
            Err(Error::ToolFailed { output, .. }) if output.contains("does not support compression") => {}
            result => return result.map(drop),
        }
    }
    tools.output("pg_dump", endpoint, &all).await.map(drop)
}

/// A line for people: what was dumped.
#[must_use]
pub fn summary(dumped: &Dumped) -> String {
    format!(
        "{} dumped into {}: {} of {}, {}",
        human::line(&dumped.database),
        dumped.directory.display(),
        count(dumped.rows, "row"),
        count(dumped.tables as u64, "table"),
        human::bytes(dumped.bytes)
    )
}
