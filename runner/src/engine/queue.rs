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
    /// Small tables, in one transaction.
    Together(Vec<(usize, CopyRange)>),
    Objects(objects::Batch),
}

/// What a builder does next.
pub(super) enum Job {
    Index(usize, Box<Build>),
    Constraints(usize),
    /// Indexes and constraints of small tables.
    Together(Vec<usize>, Vec<Build>),
    /// More than one are those of small tables.
    ForeignKeys(Vec<ForeignKeys>),
    Analyze(Vec<usize>),
}

pub(super) struct Plan {
    pub(super) tables: Vec<Table>,
    /// Parts of each table that are still to come.
    pub(super) left: Vec<AtomicUsize>,
    pub(super) pieces: Mutex<VecDeque<Piece>>,
    pub(super) builds: Mutex<Builds>,
    pub(super) changed: Notify,
    /// Foreign keys that are added together lock two tables each: never two lists at once, which could wait for each other.
    pub(super) keys: tokio::sync::Mutex<()>,
}

/// Foreign keys of a table, which wait for tables whose rows or indexes are still to come.
pub(super) struct WaitingKeys {
    pub(super) tables: BTreeSet<usize>,
    /// All of their tables are small.
    pub(super) small: bool,
    pub(super) keys: ForeignKeys,
}

#[derive(Default)]
pub(super) struct Builds {
    pub(super) of: Vec<OfTable>,
    /// Indexes of each table that are still to come.
    pub(super) left: Vec<usize>,
    /// Tables whose statistics are to be made.
    pub(super) analyze: Vec<bool>,
    pub(super) keys: Vec<WaitingKeys>,
    pub(super) ready: VecDeque<Job>,
    /// Tables whose rows are refused.
    pub(super) given_up: BTreeSet<usize>,
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
            self.after_constraints(&[number]);
        }
    }

    /// What these tables and others have to be ready for comes next.
    fn after_constraints(&mut self, numbers: &[usize]) {
        let mut together = Vec::new();
        for mut waiting in std::mem::take(&mut self.keys) {
            waiting.tables.retain(|table| !numbers.contains(table));
            match waiting {
                WaitingKeys { tables, .. } if !tables.is_empty() => {
                    self.keys.push(WaitingKeys { tables, ..waiting });
                }
                WaitingKeys { small: true, keys, .. } => together.push(keys),
                WaitingKeys { keys, .. } => self.next(Job::ForeignKeys(vec![keys])),
            }
        }
        if !together.is_empty() {
            self.next(Job::ForeignKeys(together));
        }
        let wanted = |number: &usize| self.analyze.get(*number).is_some_and(|wanted| *wanted);
        let analyze: Vec<usize> = numbers.iter().copied().filter(wanted).collect();
        if !analyze.is_empty() {
            self.next(Job::Analyze(analyze));
        }
    }

    fn next(&mut self, job: Job) {
        self.open += 1;
        self.ready.push_back(job);
    }
}

/// What a worker copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    All,
    /// Small tables alone.
    Small,
}

impl Plan {
    /// The next piece for a worker.
    pub(super) fn piece(&self, takes: Takes) -> Option<Piece> {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        match takes {
            Takes::All => pieces.pop_front(),
            Takes::Small => {
                let is_small = |piece: &Piece| matches!(piece, Piece::Together(_));
                let first = pieces.iter().position(is_small)?;
                pieces.remove(first)
            }
        }
    }

    pub(super) fn builds(&self) -> MutexGuard<'_, Builds> {
        self.builds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows of a table are refused: nothing is built on it, and keys that touch it wait for ever.
    pub(super) fn give_up(&self, number: usize) {
        let mut pieces = self.pieces.lock().unwrap_or_else(PoisonError::into_inner);
        pieces.retain(|piece| !matches!(piece, Piece::Range(of, _) if *of == number));
        drop(pieces);
        let mut builds = self.builds();
        if builds.given_up.insert(number) {
            builds.open -= 1;
        }
        drop(builds);
        self.changed.notify_waiters();
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
        builds.ready.extend(indexes.into_iter().map(|build| Job::Index(number, Box::new(build))));
        drop(builds);
        self.changed.notify_waiters();
    }

    /// All rows of small tables are there.
    pub(super) fn small_are_there(&self, numbers: Vec<usize>, analyze: impl Fn(usize) -> bool) {
        let mut builds = self.builds();
        let mut all = Vec::new();
        for &number in &numbers {
            if let Some(wanted) = builds.analyze.get_mut(number) {
                *wanted = analyze(number);
            }
            let of = builds.of.get_mut(number).map(std::mem::take).unwrap_or_default();
            all.extend(of.indexes.into_iter().chain(of.constraints));
        }
        builds.open -= numbers.len();
        if all.is_empty() {
            builds.after_constraints(&numbers);
        } else {
            builds.next(Job::Together(numbers, all));
        }
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
            &Job::Constraints(number) => builds.after_constraints(&[number]),
            Job::Together(numbers, _) => builds.after_constraints(numbers),
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
