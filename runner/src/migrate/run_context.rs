//! What every run has, wherever its rows come from: the target, what people see, what has to be undone, and the record of
//! it all.

use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::brought::Brought;
use super::copied::Copied;
use crate::capacity::Workers;
use crate::connect::Connector;
use crate::engine::retry::RetryPolicy;
use crate::error::Error;
use crate::jobs::Job;
use crate::journal::{self, Event, Journal};
use crate::progress::{self, Progress};
use crate::report::{self, Report, Stage};
use crate::step::Step;
use crate::workdir::WorkDir;

/// What every run has, and shares with whoever has to clean up after it.
pub(crate) struct RunContext {
    pub(crate) target: Connector,
    pub(crate) progress: Progress,
    pub(crate) report: Mutex<Report>,
    pub(crate) undo: Mutex<Undo>,
    pub(crate) work: WorkDir,
    /// The run's id.
    pub(crate) run: String,
    /// When this process began: stages and tables tell their times from here.
    pub(crate) begun: Instant,
    pub(crate) journal: OnceLock<Journal>,
    /// Copies and builds at once, and what is to say of their number.
    pub(crate) workers: OnceLock<(Workers, Vec<String>)>,
    /// It was said that steps cannot be written down.
    pub(crate) deaf: AtomicBool,
    /// What the target has of the rows.
    pub(crate) copied: Mutex<Copied>,
    /// What the database brings, where it is one of several.
    brought: Mutex<Option<Brought>>,
    pub(crate) tuning: Tuning,
}

/// What a person may say of how any run goes.
#[derive(Clone, Copy)]
pub(crate) struct Tuning {
    /// A run of before goes on.
    pub(crate) resume: bool,
    /// Nothing is written.
    pub(crate) dry_run: bool,
    /// Copies and builds at once, as long as nothing more is known.
    pub(crate) workers: Workers,
    pub(crate) retry_policy: RetryPolicy,
    /// Other databases may be on the target.
    pub(crate) beside: bool,
    /// No statistics are made.
    pub(crate) no_analyze: bool,
}

/// What has to be undone at the end, however it comes.
#[derive(Default)]
pub(crate) struct Undo {
    /// Jobs of the source that are paused.
    pub(crate) jobs: Vec<Job>,
    /// The target is in restoring mode.
    pub(crate) restoring: bool,
    /// What the target may hold.
    pub(crate) reached: Reached,
    /// TimescaleDB's catalogs are part of it.
    pub(crate) timescale: bool,
}

/// How far a run has come on the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Nothing is written.
    #[default]
    Nothing,
    /// Something is, and all of it belongs to the administrator.
    Written,
    /// Some of it has been given to other roles.
    Given,
}

impl RunContext {
    /// A new run, or the one that goes on. Nothing is asked of a server yet. `source` is what people read of where rows come
    /// from.
    ///
    /// # Errors
    /// When the work directory is not ours.
    pub(crate) fn new(
        mut target: Connector,
        work: WorkDir,
        source: String,
        mode: progress::Mode,
        tuning: Tuning,
    ) -> Result<Self, Error> {
        // A dry run writes nothing there, and says what a run would be refused for.
        let mut refused = work.check_ours().err();
        if !tuning.dry_run {
            refused.take().map_or(Ok(()), Err)?;
            journal::free(work.path())?;
        }
        let past = work.past().ok().flatten().filter(|past| tuning.resume && !past.done);
        let run = past.map_or_else(new_id, |past| past.run);
        target.named(&session_name(&run));
        let progress = Progress::new(mode);
        if let Some(refused) = refused {
            progress.warn(&format!("a run would not begin in this work directory: {refused}"));
        }
        let report = Report {
            version: report::VERSION,
            source,
            target: target.endpoint().to_string(),
            started: progress::event::now(),
            ..Report::default()
        };
        Ok(Self {
            target,
            progress,
            report: Mutex::new(report),
            undo: Mutex::default(),
            work,
            run,
            begun: Instant::now(),
            journal: OnceLock::new(),
            workers: OnceLock::new(),
            deaf: AtomicBool::new(false),
            copied: Mutex::default(),
            brought: Mutex::default(),
            tuning,
        })
    }

    pub(crate) fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn undo(&self) -> MutexGuard<'_, Undo> {
        self.undo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the work directory has of a run before. A dry run may look into one that a run would refuse, and has said so.
    ///
    /// # Errors
    /// When its journal cannot be read.
    pub(super) fn past(&self) -> Result<Option<journal::State>, Error> {
        match self.work.past() {
            Err(_) if self.tuning.dry_run => Ok(None),
            past => past,
        }
    }

    /// It is known what the database brings.
    pub(super) fn set_brought(&self, brought: Brought) {
        *self.brought.lock().unwrap_or_else(PoisonError::into_inner) = Some(brought);
    }

    /// What the database brings, for who asks at the end.
    pub(super) fn take_brought(&self) -> Option<Brought> {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Copies and builds at once: as many as were asked for, or as are worth their while, and as the servers take.
    pub(crate) fn workers(&self) -> Workers {
        self.workers.get().map_or(self.tuning.workers, |(workers, _)| *workers)
    }

    /// Copies at once.
    pub(crate) fn jobs(&self) -> u64 {
        self.workers().jobs
    }

    /// Copies of small tables at once.
    pub(crate) fn small(&self) -> u64 {
        self.workers().small
    }

    /// Builds at once.
    pub(crate) fn builders(&self) -> u64 {
        self.workers().builders
    }

    /// The name of this run's sessions.
    pub(crate) fn name(&self) -> String {
        session_name(&self.run)
    }

    /// Seconds since this process began.
    pub(crate) fn age(&self) -> u64 {
        self.begun.elapsed().as_secs() + 1
    }

    pub(crate) fn retry_policy(&self) -> RetryPolicy {
        self.tuning.retry_policy
    }

    /// Opens the journal, and writes down with what it begins. `before` is the run that it had told of.
    pub(crate) fn open_journal(&self, before: Option<&str>, first: Event) -> Result<(), Error> {
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
        let first = match first {
            Event::Start { format, run, version, source, target, options, .. } => {
                Event::Start { format, run, version, source, target, options, file: journal.number() }
            }
            other => other,
        };
        journal.write(first)?;
        self.progress.log_to(self.work.log()?);
        // Opened once: there is one start in each process.
        let _ = self.journal.set(journal);
        Ok(())
    }

    /// Writes an event down.
    pub(crate) fn journal(&self, event: Event) -> Result<(), Error> {
        self.journal.get().map_or(Ok(()), |journal| journal.write(event))
    }

    pub(crate) fn copied(&self) -> MutexGuard<'_, Copied> {
        self.copied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down that a step is done.
    pub(crate) fn step(&self, step: &Step, rows: u64) {
        self.copied().note(step, rows);
        if let Some(Err(error)) = self.journal.get().map(|journal| journal.step(step, rows))
            && !self.deaf.swap(true, Ordering::Relaxed)
        {
            // The target knows by itself; what else the journal is needed for says so when it comes to that.
            self.progress.warn(&error.to_string());
        }
    }

    /// Remembers jobs that are about to be paused, here and in the journal.
    pub(crate) fn pausing(&self, jobs: &[Job]) -> Result<(), Error> {
        self.undo().jobs = jobs.to_vec();
        self.journal(Event::Pausing { jobs: jobs.to_vec() })
    }

    pub(crate) fn stage(&self, name: &'static str, result: String, took: Duration) {
        self.progress.done(name, &result, took);
        let begun = progress::seconds(self.begun.elapsed().saturating_sub(took));
        self.report().stages.push(Stage { name, result, begun, seconds: progress::seconds(took) });
    }
}

/// The name of a run's sessions, so that a later start finds those that were left.
pub(crate) fn session_name(run: &str) -> String {
    format!("tsmigrate {}", run.get(..8).unwrap_or(run))
}

/// A new run's id. Two runs of the same database have to differ, no more.
fn new_id() -> String {
    let half = || std::hash::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", half(), half())
}
