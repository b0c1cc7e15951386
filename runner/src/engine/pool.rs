//! What workers share, and one piece of work: a part that is copied, something that is built, with its tries.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::builds::Build;
use super::copy::{self, Copied};
use super::marks::Marks;
use super::objects;
use super::rate::Rate;
use super::retry::{self, RetryPolicy};
use super::rows::{RowSource, Rows};
use super::statements::refused;
use super::target::LiveTarget;
use crate::connect::Connector;
use crate::error::{Error, Server};
use crate::names::Relation;
use crate::progress::{Progress, TaskKind, seconds};
use crate::results::{Built, MovedTable};
use crate::step::Step;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// Told of a step that is done, with its rows.
pub type OnStep = Box<dyn Fn(&Step, u64) + Send + Sync>;

/// Everything that workers share.
pub struct Engine {
    /// Where rows come from.
    pub rows: Rows,
    /// The target.
    pub target: Connector,
    /// What is done.
    pub marks: Marks,
    /// What people see.
    pub progress: Progress,
    /// How long to put up with errors.
    pub retry_policy: RetryPolicy,
    /// How fast it may go.
    pub rate: Rate,
    /// Parts that go over at once.
    pub jobs: usize,
    /// Lists of small tables that go over at once: more, where each mostly waits.
    pub small: usize,
    /// Builds that run at once.
    pub builders: usize,
    /// Settings of sessions that write rows and run statements.
    pub setup: String,
    /// Settings of sessions that build.
    pub build_setup: String,
    /// Processes that the target has the processors for.
    pub processors: usize,
    /// Parts and builds that are under way.
    pub busy: AtomicUsize,
    /// Told of every step that is done.
    pub on_step: OnStep,
    /// When the process began, from where the report tells its times.
    pub begun: Instant,
    /// What has been done in this run.
    pub done: Mutex<Done>,
    /// What rows have broken: the run stops for it when all rows are there.
    pub broken: Mutex<Vec<Error>>,
}

/// What has been done in one run.
#[derive(Debug, Default)]
pub struct Done {
    /// Tables.
    pub tables: BTreeMap<Relation, MovedTable>,
    /// Builds.
    pub built: Vec<Built>,
    /// Bytes.
    pub bytes: u64,
    /// When the last rows were there.
    pub last: Option<Instant>,
}

impl Engine {
    /// What has been done so far.
    pub fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has been built since the last call.
    pub fn take_built(&self) -> Vec<Built> {
        std::mem::take(&mut self.done().built)
    }

    /// Seconds from the beginning of the process to `start`.
    fn since(&self, start: Instant) -> f64 {
        seconds(start.saturating_duration_since(self.begun))
    }

    /// Takes note of a step that the target has committed.
    pub fn finished(&self, step: &Step, rows: u64) {
        self.marks.note(step, rows);
        (self.on_step)(step, rows);
    }

    /// Runs builds side by side, in no order. Those that are done are left out. `give_up` says what becomes of an
    /// error that does not pass: it ends the stage, or is taken note of.
    ///
    /// # Errors
    /// What `give_up` returns.
    pub async fn build(
        self: &Arc<Self>,
        kind: TaskKind,
        builds: Vec<Build>,
        give_up: impl Fn(&Build, Error) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let queue: VecDeque<Build> =
            builds.into_iter().filter(|build| self.marks.done(&build.step).is_none()).collect();
        let queue = Arc::new(Mutex::new(queue));
        let give_up = Arc::new(give_up);
        let mut workers = JoinSet::new();
        for _ in 0..self.builders {
            let (engine, queue, give_up) = (self.clone(), queue.clone(), give_up.clone());
            workers.spawn(async move {
                let mut target = LiveTarget::new(&engine.target, &engine.build_setup);
                loop {
                    let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                    let Some(build) = next else { return Ok(()) };
                    if let Err(error) = engine.one(&mut target, kind, &build).await {
                        give_up(&build, error)?;
                    }
                }
            });
        }
        all(workers).await
    }

    /// Runs builds one after the other.
    ///
    /// # Errors
    /// The first that does not pass.
    pub async fn build_in_order(&self, kind: TaskKind, builds: Vec<Build>) -> Result<(), Error> {
        let mut target = LiveTarget::new(&self.target, &self.build_setup);
        for build in builds {
            if self.marks.done(&build.step).is_none() {
                self.one(&mut target, kind, &build).await?;
            }
        }
        Ok(())
    }

    /// Runs one build in a transaction of its own, tried again where that may help.
    pub(super) async fn one(
        &self,
        target: &mut LiveTarget,
        kind: TaskKind,
        build: &Build,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let task = self.progress.task(kind, &build.name, 0);
        let _busy = Busy::new(&self.busy);
        let mut result = self.tried(target, build).await;
        let stays_away = |error: &Error| build.instead.as_ref().filter(|way| way.answers(error.code()));
        for sql in result.as_ref().err().and_then(stays_away).into_iter().flat_map(|way| &way.sql) {
            result = self.tried(target, &Build { sql: vec![sql.clone()], ..build.clone() }).await;
            if result.as_ref().err().is_none_or(retry::transient) {
                break;
            }
        }
        result?;
        drop(task);
        self.built(build, kind, start, start.elapsed());
        Ok(())
    }

    /// Takes note of what the target has built and committed.
    pub(super) fn built(&self, build: &Build, kind: TaskKind, begun: Instant, took: Duration) {
        self.finished(&build.step, 0);
        let kind = match kind {
            TaskKind::ForeignKey => "foreign-key",
            TaskKind::Refresh => "refresh",
            _ => "index",
        };
        let entry = Built {
            kind: kind.to_owned(),
            name: build.name.clone(),
            begun: self.since(begun),
            seconds: seconds(took),
        };
        self.done().built.push(entry);
    }

    /// Takes note of rows that the target has committed.
    pub(super) fn copied(
        &self,
        table: &Table,
        range: &CopyRange,
        copied: Copied,
        begun: Instant,
        ended: Instant,
    ) {
        let Copied { rows, bytes } = copied;
        self.finished(&range.step(table), rows);
        let mut done = self.done();
        done.bytes += bytes;
        done.last = Some(Instant::now());
        let moved = done.tables.entry(table.relation.clone()).or_insert_with(|| MovedTable {
            name: table.relation.to_string(),
            format: table.format.name().to_owned(),
            begun: self.since(begun),
            ..MovedTable::default()
        });
        moved.parts += 1;
        moved.rows += rows;
        moved.bytes += bytes;
        moved.ended = self.since(ended);
        moved.seconds =
            seconds(Duration::from_secs_f64(moved.seconds) + ended.saturating_duration_since(begun));
    }

    async fn tried(&self, target: &mut LiveTarget, build: &Build) -> Result<(), Error> {
        let target = tokio::sync::Mutex::new(target);
        retry::retrying(self.retry_policy, &self.progress, &build.name, || async {
            let mut target = target.lock().await;
            // Processors that nobody uses are left for the workers of this one.
            let idle = self.processors.saturating_sub(self.busy.load(Ordering::Relaxed)).min(MOST_WORKERS);
            let result = build_once(&mut target, build, idle).await;
            if result.is_err() {
                target.reset().await;
            }
            result
        })
        .await
    }
}

/// Waits for all; the first error ends the others.
pub(super) async fn all(mut workers: JoinSet<Result<(), Error>>) -> Result<(), Error> {
    while let Some(ended) = workers.join_next().await {
        ended.unwrap_or_else(|error| Err(Error::Defect(error.to_string())))?;
    }
    Ok(())
}

/// More workers than this gain an index nothing.
const MOST_WORKERS: usize = 8;

/// Something that keeps a processor of the target busy, until it is dropped.
pub(super) struct Busy<'a>(&'a AtomicUsize);

impl<'a> Busy<'a> {
    pub(super) fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn build_once(target: &mut LiveTarget, build: &Build, workers: usize) -> Result<(), Error> {
    if !target.transaction(std::slice::from_ref(&build.step)).await? {
        return Ok(());
    }
    let sql = build.sql.join(";\n");
    let sql = format!("SET LOCAL max_parallel_maintenance_workers = {workers};\n{sql}");
    target.end_with(&sql, |error| refused("post-data", &build.statement, Server::new(error))).await
}

pub(super) type CopySessions = tokio::sync::Mutex<(RowSource, LiveTarget)>;

pub(super) async fn copy_range(
    engine: &Engine,
    sessions: &CopySessions,
    table: &Table,
    range: &CopyRange,
) -> Result<(), Error> {
    let start = Instant::now();
    let _busy = Busy::new(&engine.busy);
    let label = range.label(table);
    let copied = retry::retrying(engine.retry_policy, &engine.progress, &label, || async {
        // A new one for each try: what did not arrive did not go over.
        let task = engine.progress.task(TaskKind::Copy, &label, range.bytes);
        let mut sessions = sessions.lock().await;
        let (source, target) = &mut *sessions;
        let copied =
            copy::copy_rows(source, target, table, range, &engine.rate, |bytes| task.add(bytes)).await;
        if copied.is_err() {
            task.failed();
            tokio::join!(source.reset(), target.reset());
        }
        copied
    })
    .await?;
    let copied = match copied {
        Some(copied) => copied,
        // A try before was committed, although nobody heard of it.
        None => Copied { rows: marked(engine, &range.step(table)).await?, bytes: 0 },
    };
    engine.copied(table, range, copied, start, Instant::now());
    Ok(())
}

/// The rows of a step as the target's mark tells them.
async fn marked(engine: &Engine, step: &Step) -> Result<u64, Error> {
    retry::retrying(engine.retry_policy, &engine.progress, &step.to_string(), || async {
        let marks = Marks::read(&engine.target.open().await?).await?;
        Ok(marks.done(step).unwrap_or_default())
    })
    .await
}

pub(super) async fn copy_objects(
    engine: &Engine,
    sessions: &CopySessions,
    batch: &objects::Batch,
) -> Result<(), Error> {
    let label = format!("large objects {}", batch.number + 1);
    let bytes = retry::retrying(engine.retry_policy, &engine.progress, &label, || async {
        let task = engine.progress.task(TaskKind::LargeObjects, &label, 0);
        let mut sessions = sessions.lock().await;
        let (source, target) = &mut *sessions;
        let RowSource::Live(source) = source else {
            return Err(Error::Defect("large objects are not read from an archive".into()));
        };
        let copied = objects::copy(source, target, batch, &engine.rate, |bytes| task.add(bytes)).await;
        if copied.is_err() {
            task.failed();
            tokio::join!(source.reset(), target.reset());
        }
        copied
    })
    .await?;
    engine.finished(&batch.step(), batch.ids.len() as u64);
    engine.done().bytes += bytes.unwrap_or_default();
    Ok(())
}
