//! What a run shares with whoever has to clean up after it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use super::Args;
use crate::capacity::Workers;
use crate::connect::Connector;
use crate::engine::retry::Patience;
use crate::error::Error;
use crate::jobs::Job;
use crate::journal::{Event, Journal};
use crate::progress::{self, Progress};
use crate::report::{Report, Stage};
use crate::workdir::WorkDir;

/// What a run shares with whoever has to clean up after it.
pub(crate) struct Context {
    pub(crate) args: Args,
    pub(crate) source: Connector,
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
    /// Fewer copies and builds than were asked for, and why.
    pub(crate) workers: OnceLock<(Workers, String)>,
    /// It was said that steps cannot be written down.
    pub(crate) deaf: AtomicBool,
}

/// What has to be undone at the end, however it comes.
#[derive(Default)]
pub(crate) struct Undo {
    /// Jobs of the source that are paused.
    pub(crate) jobs: Vec<Job>,
    /// The schema of the source's TimescaleDB functions.
    pub(crate) jobs_schema: String,
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

impl Context {
    pub(crate) fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn undo(&self) -> MutexGuard<'_, Undo> {
        self.undo.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Copies and builds at once: as many as were asked for, or as the servers take.
    pub(crate) fn workers(&self) -> Workers {
        self.workers.get().map_or_else(|| self.args.workers(), |(fitted, _)| *fitted)
    }

    /// Copies at once.
    pub(crate) fn jobs(&self) -> u64 {
        self.workers().jobs
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

    pub(crate) fn patience(&self) -> Patience {
        Patience { retries: self.args.retries, disk: self.args.wait_for_disk }
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

    /// Writes down that a step is done.
    pub(crate) fn step(&self, step: &crate::step::Step, rows: u64) {
        if let Some(Err(error)) = self.journal.get().map(|journal| journal.step(step, rows))
            && !self.deaf.swap(true, Ordering::Relaxed)
        {
            // The target knows by itself; what else the journal is needed for says so when it comes to that.
            self.progress.warn(&error.to_string());
        }
    }

    /// Remembers jobs that are about to be paused, here and in the journal.
    pub(crate) fn pausing(&self, schema: &str, jobs: &[Job]) -> Result<(), Error> {
        {
            let mut undo = self.undo();
            schema.clone_into(&mut undo.jobs_schema);
            undo.jobs = jobs.to_vec();
        }
        self.journal(Event::Pausing { schema: schema.to_owned(), jobs: jobs.to_vec() })
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
