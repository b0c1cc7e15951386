//! What is still to be copied and built, in the order in which workers take it.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::builds::{Build, ForeignKeys, OfTable};
use super::objects;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// What is copied in one go.
pub(super) enum Piece {
    Range(usize, CopyRange),
    Objects(objects::Batch),
}

/// What a builder does next.
pub(super) enum Job {
    Index(usize, Build),
    Constraints(usize),
    ForeignKeys(ForeignKeys),
    Analyze(usize),
}

pub(super) struct Plan {
    pub(super) tables: Vec<Table>,
    /// Parts of each table that are still to come.
    pub(super) left: Vec<AtomicUsize>,
    pub(super) pieces: Mutex<VecDeque<Piece>>,
    pub(super) builds: Mutex<Builds>,
    pub(super) changed: Notify,
}

#[derive(Default)]
pub(super) struct Builds {
    pub(super) of: Vec<OfTable>,
    /// Indexes of each table that are still to come.
    pub(super) left: Vec<usize>,
    /// Tables whose statistics are to be made.
    pub(super) analyze: Vec<bool>,
    /// Foreign keys, each with the tables that are still to come.
    pub(super) keys: Vec<(BTreeSet<usize>, ForeignKeys)>,
    pub(super) ready: VecDeque<Job>,
    /// Tables whose rows are still to come, and jobs that may make others ready.
    pub(super) open: usize,
}

impl Builds {
    /// Constraints and ANALYZE would wait for the locks of indexes that are being built, and keep a builder busy.
    fn after_indexes(&mut self, number: usize) {
        if self.of.get(number).is_some_and(|of| !of.constraints.is_empty()) {
            self.open += 1;
            self.ready.push_front(Job::Constraints(number));
        } else {
            self.after_constraints(number);
        }
    }

    /// What this table and others have to be ready for comes next.
    fn after_constraints(&mut self, number: usize) {
        let mut waiting = Vec::new();
        for (mut tables, keys) in std::mem::take(&mut self.keys) {
            tables.remove(&number);
            if tables.is_empty() {
                self.open += 1;
                self.ready.push_back(Job::ForeignKeys(keys));
            } else {
                waiting.push((tables, keys));
            }
        }
        self.keys = waiting;
        if self.analyze.get(number).is_some_and(|wanted| *wanted) {
            self.open += 1;
            self.ready.push_back(Job::Analyze(number));
        }
    }
}

impl Plan {
    pub(super) fn builds(&self) -> MutexGuard<'_, Builds> {
        self.builds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All rows of a table are there: what is built on it can begin.
    pub(super) fn rows_are_there(&self, number: usize, analyze: bool) {
        let mut builds = self.builds();
        if let Some(wanted) = builds.analyze.get_mut(number) {
            *wanted = analyze;
        }
        let indexes = builds.of.get_mut(number).map(|of| std::mem::take(&mut of.indexes)).unwrap_or_default();
        if indexes.is_empty() {
            builds.after_indexes(number);
        }
        // The table stays open until its last job is done.
        builds.open += indexes.len();
        builds.open -= 1;
        builds.ready.extend(indexes.into_iter().map(|build| Job::Index(number, build)));
        drop(builds);
        self.changed.notify_waiters();
    }

    pub(super) fn job_is_done(&self, job: &Job) {
        let mut builds = self.builds();
        match job {
            &Job::Index(number, _) => {
                let last = builds.left.get_mut(number).is_some_and(|left| {
                    *left -= 1;
                    *left == 0
                });
                if last {
                    builds.after_indexes(number);
                }
            }
            &Job::Constraints(number) => builds.after_constraints(number),
            Job::ForeignKeys(_) | Job::Analyze(_) => {}
        }
        builds.open -= 1;
        drop(builds);
        self.changed.notify_waiters();
    }

    /// The next job, none when all is built.
    pub(super) async fn job(&self) -> Option<Job> {
        loop {
            let changed = self.changed.notified();
            let mut changed = std::pin::pin!(changed);
            changed.as_mut().enable();
            {
                let mut builds = self.builds();
                if let Some(job) = builds.ready.pop_front() {
                    return Some(job);
                }
                if builds.open == 0 {
                    return None;
                }
            }
            changed.await;
        }
    }
}
