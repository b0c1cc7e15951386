//! `tsmigrate migrate`: one source, one target, one run; whatever ends it, both ends are left in order.

mod administrator;
pub mod cleanup;
mod copy_plan;
mod driver;
mod engine_setup;
mod evaluation;
mod fingerprint;
mod limits;
mod options;
mod ownership;
mod pipeline;
mod resume;
mod schema;
mod servers;
mod snapshot;
mod stages;
mod weigh;

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

pub use options::{Args, Check};

use crate::capacity::Workers;
use crate::connect::{Connector, Side};
use crate::engine::retry::Patience;
use crate::error::Error;
use crate::human;
use crate::jobs::{self, Job};
use crate::journal::{self, Event, Journal};
use crate::progress::{self, Progress};
use crate::report::{self, Format, Outcome, Report, Stage};
use crate::workdir::WorkDir;

/// Runs a migration and prints its report. The result is the process's exit status:
/// 0 done and verified (or planned), 1 blocked with nothing written, 2 failed.
#[must_use]
pub fn run(args: &Args) -> u8 {
    // pg_query walks a statement's tree on the stack, and a worker's default of 2 MB is soon full.
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(64 << 20).build();
    let report = match runtime {
        Ok(runtime) => runtime.block_on(supervise(args)),
        Err(error) => Report { error: Some(format!("cannot start: {error}")), ..Report::default() },
    };
    print(args, &report)
}

fn print(args: &Args, report: &Report) -> u8 {
    use std::io::Write;

    let json = || report::json(report);
    let mut code = match report.outcome {
        Outcome::Migrated | Outcome::Planned => 0,
        Outcome::Blocked => 1,
        Outcome::Failed | Outcome::Differs => 2,
    };
    if let Some(path) = &args.report
        && let Err(error) = std::fs::write(path, json() + "\n")
    {
        let path = human::line(&path.display().to_string());
        let _ = writeln!(anstream::stderr(), "tsmigrate: cannot write {path}: {error}");
        code = 2;
    }
    if let Some(folder) = &report.work_dir
        && let Err(error) = report::write_files(report, folder.as_ref())
    {
        let _ = writeln!(anstream::stderr(), "tsmigrate: {}", human::clean(&error.to_string()));
    }
    // Who reads the report may have gone; what was done stays done.
    let _ = match args.format {
        Format::Json => writeln!(std::io::stdout(), "{}", json()),
        Format::Text => writeln!(anstream::stdout(), "{}", report.colored().trim_end()),
    };
    code
}

/// What a run shares with whoever has to clean up after it.
struct Context {
    args: Args,
    source: Connector,
    target: Connector,
    progress: Progress,
    report: Mutex<Report>,
    undo: Mutex<Undo>,
    work: WorkDir,
    /// The run's id.
    run: String,
    /// When this process began: stages and tables tell their times from here.
    begun: Instant,
    journal: OnceLock<Journal>,
    /// Fewer copies and builds than were asked for, and why.
    workers: OnceLock<(Workers, String)>,
    /// It was said that steps cannot be written down.
    deaf: AtomicBool,
}

/// What has to be undone at the end, however it comes.
#[derive(Default)]
struct Undo {
    /// Jobs of the source that are paused.
    jobs: Vec<Job>,
    /// The schema of the source's TimescaleDB functions.
    jobs_schema: String,
    /// The target is in restoring mode.
    restoring: bool,
    /// What the target may hold.
    reached: Reached,
    /// TimescaleDB's catalogs are part of it.
    timescale: bool,
}

/// How far a run has come on the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reached {
    /// Nothing is written.
    #[default]
    Nothing,
    /// Something is, and all of it belongs to the administrator.
    Written,
    /// Some of it has been given to other roles.
    Given,
}

impl Context {
    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn undo(&self) -> MutexGuard<'_, Undo> {
        self.undo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies and builds at once: as many as were asked for, or as the servers take.
    fn workers(&self) -> Workers {
        self.workers.get().map_or_else(|| self.args.workers(), |(fitted, _)| *fitted)
    }

    /// Copies at once.
    fn jobs(&self) -> u64 {
        self.workers().jobs
    }

    /// Builds at once.
    fn builders(&self) -> u64 {
        self.workers().builders
    }

    /// The name of this run's sessions.
    fn name(&self) -> String {
        session_name(&self.run)
    }

    /// Seconds since this process began.
    fn age(&self) -> u64 {
        self.begun.elapsed().as_secs() + 1
    }

    fn patience(&self) -> Patience {
        Patience { retries: self.args.retries, disk: self.args.wait_for_disk }
    }

    /// Opens the journal, and writes down with what it begins. `before` is the run that it had told of.
    fn open_journal(&self, before: Option<&str>, first: Event) -> Result<(), Error> {
        self.work.create()?;
        let journal = Journal::open(self.work.path())?;
        // Now nobody else writes it; since it was read, somebody may have.
        if self.work.past()?.map(|past| past.run).as_deref() != before {
            return Err(Error::Refused {
                what: format!(
                    "another run has begun in {} since this one was started",
                    self.work.path().display()
                ),
                next: vec!["look at its report, or name another directory with --work-dir".into()],
            });
        }
        journal.write(first)?;
        self.progress.log_to(self.work.log()?);
        // Opened once: there is one start in each process.
        let _ = self.journal.set(journal);
        Ok(())
    }

    /// Writes an event down.
    fn journal(&self, event: Event) -> Result<(), Error> {
        self.journal.get().map_or(Ok(()), |journal| journal.write(event))
    }

    /// Writes down that a step is done.
    fn step(&self, step: &crate::engine::step::Step, rows: u64) {
        if let Some(Err(error)) = self.journal.get().map(|journal| journal.step(step, rows))
            && !self.deaf.swap(true, Ordering::Relaxed)
        {
            // The target knows by itself; what else the journal is needed for says so when it comes to that.
            self.progress.warn(&error.to_string());
        }
    }

    /// Remembers jobs that are about to be paused, here and in the journal.
    fn pausing(&self, schema: &str, jobs: &[Job]) -> Result<(), Error> {
        {
            let mut undo = self.undo();
            schema.clone_into(&mut undo.jobs_schema);
            undo.jobs = jobs.to_vec();
        }
        self.journal(Event::Pausing { schema: schema.to_owned(), jobs: jobs.to_vec() })
    }

    fn stage(&self, name: &'static str, result: String, took: Duration) {
        self.progress.done(name, &result, took);
        let begun = progress::seconds(self.begun.elapsed().saturating_sub(took));
        self.report().stages.push(Stage { name, result, begun, seconds: progress::seconds(took) });
    }
}

/// The name of a run's sessions, so that a later start finds those that were left.
fn session_name(run: &str) -> String {
    format!("tsmigrate {}", run.get(..8).unwrap_or(run))
}

/// A new run's id. Two runs of the same database have to differ, no more.
fn new_id() -> String {
    let half = || std::hash::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}

/// The first rule to accept that does not exist.
fn unknown_rule(args: &Args) -> Option<&String> {
    args.accept.iter().find(|given| {
        tsmigrate_analyzer::rules::rule(given).is_none()
            && !crate::hazards::ACCEPTABLE.iter().any(|check| check.eq_ignore_ascii_case(given))
    })
}

#[allow(clippy::too_many_lines, reason = "to be cut up with the stages")]
async fn supervise(args: &Args) -> Report {
    if let Some(given) = unknown_rule(args) {
        return Report {
            version: report::VERSION,
            error: Some(format!("--accept {given}: there is no such rule (tsmigrate rules lists them)")),
            ..Report::default()
        };
    }
    let ends = Connector::new(Side::Source, &args.source)
        .and_then(|source| Ok((source, Connector::new(Side::Target, &args.target)?)));
    let (source, target) = match ends {
        Ok(ends) => ends,
        Err(error) => {
            return Report { version: report::VERSION, error: Some(error.to_string()), ..Report::default() };
        }
    };
    let (mut source, mut target) = (source, target);
    let work = WorkDir::new(args.work_dir.as_deref(), source.endpoint().database());
    // A dry run writes nothing there.
    let free =
        work.check_ours().and_then(|()| if args.dry_run { Ok(()) } else { journal::free(work.path()) });
    if let Err(error) = free {
        return Report { version: report::VERSION, error: Some(error.to_string()), ..Report::default() };
    }
    let past = work.past().ok().flatten().filter(|past| args.resume && !past.done);
    let run = past.map_or_else(new_id, |past| past.run);
    source.named(&session_name(&run));
    target.named(&session_name(&run));
    let report = Report {
        version: report::VERSION,
        source: source.endpoint().to_string(),
        target: target.endpoint().to_string(),
        started: progress::event::now(),
        ..Report::default()
    };
    let context = Arc::new(Context {
        args: args.clone(),
        source,
        target,
        progress: Progress::new(args.progress),
        report: Mutex::new(report),
        undo: Mutex::default(),
        work,
        run,
        begun: Instant::now(),
        journal: OnceLock::new(),
        workers: OnceLock::new(),
        deaf: AtomicBool::new(false),
    });
    for end in [&context.source, &context.target] {
        end.endpoint().warnings().iter().for_each(|warning| context.progress.warn(warning));
    }
    // In a task of its own, so that even a panic comes back here as a value.
    let mut task = tokio::spawn(pipeline::migrate(context.clone()));
    let result = tokio::select! {
        joined = &mut task => joined.unwrap_or_else(|error| Err(Error::Defect(error.to_string()))),
        signal = stop_signal() => {
            context.progress.warn(&format!(
                "{signal}: stopping; what is under way is rolled back, both ends are put in order (once more: at once)"
            ));
            let work = context.work.clone();
            tokio::spawn(async move {
                let signal = stop_signal().await;
                // Nothing more can be done, and nothing is lost: the journal knows what is open.
                eprintln!(
                    "tsmigrate: {signal} again: stopped at once. What may be open (restoring mode of the target, paused jobs of \
                     the source) is in {}; tsmigrate cleanup closes it, --resume goes on",
                    human::line(&work.path().display().to_string())
                );
                std::process::exit(2);
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
    crate::left_out::add(&mut report);
    report.work_dir = context.journal.get().map(|_| context.work.path().display().to_string());
    match result {
        Ok(outcome) => report.outcome = outcome,
        Err(error) => {
            report.outcome = Outcome::Failed;
            if let Error::Preflight(blockers) = &error {
                report.blockers.clone_from(blockers);
            }
            report.error = Some(match error {
                Error::Preflight(_) => "the preflight failed".to_owned(),
                error => error.to_string(),
            });
            explain(&context, &mut report);
        }
    }
    report
}

fn explain(context: &Context, report: &mut Report) {
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
    report
        .next
        .push("remove the cause, and go on with what is left: the same command with --resume".to_owned());
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
