//! Who does what when: readers that copy parts, and builders that begin with a table as soon as its rows are
//! there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::builds::{Build, ForeignKeys, OfTable};
use super::objects;
use super::pool::{self, Engine};
use super::queue::{Builds, Job, Piece, Plan, Takes, WaitingKeys};
use super::rows::RowSource;
use super::target::LiveTarget;
use super::together;
use crate::error::Error;
use crate::names::Relation;
use crate::progress::TaskKind;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// The data stage: parts of tables, largest tables first, large objects, and what is built on each table.
#[derive(Clone)]
pub struct Load {
    /// Tables with their parts.
    pub tables: Vec<(Table, Vec<CopyRange>)>,
    /// Large objects.
    pub objects: Vec<objects::Batch>,
    /// What is built on tables.
    pub builds: BTreeMap<Relation, OfTable>,
    /// Foreign keys between these tables.
    pub foreign_keys: Vec<ForeignKeys>,
    /// Tables whose statistics come with those of the whole they are part of.
    pub analyzed_with_root: Arc<dyn Fn(&Relation) -> bool + Send + Sync>,
}

impl Engine {
    /// Runs the data stage.
    ///
    /// # Errors
    /// The first that does not pass; of those that rows are the reason of all, at the end.
    pub async fn load(self: &Arc<Self>, load: Load) -> Result<(), Error> {
        let mut builds = Builds::default();
        let mut to_copy = Vec::new();
        let mut parts = Vec::new();
        let (mut tables, mut left) = (Vec::new(), Vec::new());
        let mut ready = Vec::new();
        let mut of_tables = load.builds;
        for (number, (table, ranges)) in load.tables.into_iter().enumerate() {
            let mut of = of_tables.remove(&table.relation).unwrap_or_default();
            let rows = !ranges.is_empty();
            of.indexes.retain(|build| self.marks.done(&build.step).is_none());
            of.constraints.retain(|build| self.marks.done(&build.step).is_none());
            builds.left.push(of.indexes.len());
            builds.analyze.push(false);
            builds.of.push(of);
            builds.open += 1;
            let missing: Vec<CopyRange> =
                ranges.into_iter().filter(|range| self.marks.done(&range.step(&table)).is_none()).collect();
            left.push(AtomicUsize::new(missing.len()));
            parts.push(missing.clone());
            if missing.is_empty() {
                ready.push((number, rows && !(load.analyzed_with_root)(&table.relation)));
            }
            to_copy.extend(missing.into_iter().map(|range| (number, range)));
            tables.push(table);
        }
        let mut pieces = together::put_together(to_copy, &tables, self.small.max(self.jobs));
        pieces.extend(
            load.objects
                .into_iter()
                .filter(|batch| self.marks.done(&batch.step()).is_none())
                .map(Piece::Objects),
        );
        let numbers: BTreeMap<Relation, usize> =
            tables.iter().enumerate().map(|(number, table)| (table.relation.clone(), number)).collect();
        builds.keys = load
            .foreign_keys
            .into_iter()
            .map(|keys| {
                let all = keys.references.iter().chain([&keys.table]);
                let all: BTreeSet<usize> = all.filter_map(|table| numbers.get(table).copied()).collect();
                let small = all.iter().all(|number| tables.get(*number).is_some_and(together::is_small));
                WaitingKeys { tables: all, small, keys }
            })
            .collect();
        let plan = Arc::new(Plan {
            tables,
            left,
            pieces: Mutex::new(pieces),
            builds: Mutex::new(builds),
            changed: Notify::new(),
            keys: tokio::sync::Mutex::default(),
        });
        let analyze = load.analyzed_with_root;
        // Empty tables, and those that a run before has copied.
        let is_small = |(number, _): &(usize, bool)| plan.tables.get(*number).is_some_and(together::is_small);
        let (small, large): (Vec<_>, Vec<_>) = ready.into_iter().partition(is_small);
        for list in small.chunks(together::length(small.len(), self.builders)) {
            let analyzed = list.iter().filter(|(_, rows)| *rows).map(|(number, _)| *number);
            let analyzed: BTreeSet<usize> = analyzed.collect();
            let numbers = list.iter().map(|(number, _)| *number).collect();
            plan.small_are_there(numbers, |number| analyzed.contains(&number));
        }
        for (number, rows) in large {
            plan.rows_are_there(number, rows);
        }
        let mut workers = JoinSet::new();
        for number in 0..self.small.max(self.jobs) {
            let takes = if number < self.jobs { Takes::All } else { Takes::Small };
            workers.spawn(copy_all(self.clone(), plan.clone(), takes, analyze.clone()));
        }
        for _ in 0..self.builders {
            workers.spawn(build_all(self.clone(), plan.clone()));
        }
        pool::all(workers).await?;
        Box::pin(self.try_refused(&plan, &parts)).await;
        self.broken().map_or(Ok(()), Err)
    }
}

async fn copy_all(
    engine: Arc<Engine>,
    plan: Arc<Plan>,
    takes: Takes,
    analyzed_with_root: Arc<dyn Fn(&Relation) -> bool + Send + Sync>,
) -> Result<(), Error> {
    let sessions = tokio::sync::Mutex::new((
        RowSource::new(&engine.rows, &engine.progress),
        LiveTarget::new(&engine.target, &engine.setup),
    ));
    loop {
        let Some(piece) = plan.piece(takes) else { return Ok(()) };
        match piece {
            Piece::Range(number, range) => {
                let Some(table) = plan.tables.get(number) else { continue };
                if let Err(error) = pool::copy_range(&engine, &sessions, table, &range).await {
                    engine.put_off(error)?;
                    plan.give_up(number);
                    continue;
                }
                if plan.left.get(number).is_some_and(|left| left.fetch_sub(1, Ordering::AcqRel) == 1) {
                    plan.rows_are_there(number, !analyzed_with_root(&table.relation));
                }
            }
            Piece::Together(list) => {
                let refused = together::copy_small(&engine, &sessions, &plan, &list).await?;
                for number in &refused {
                    plan.give_up(*number);
                }
                let analyze = |number: usize| {
                    plan.tables.get(number).is_some_and(|table| !analyzed_with_root(&table.relation))
                };
                let there = list.iter().map(|(number, _)| *number);
                plan.small_are_there(there.filter(|number| !refused.contains(number)).collect(), analyze);
            }
            Piece::Objects(batch) => pool::copy_objects(&engine, &sessions, &batch).await?,
        }
    }
}

async fn build_all(engine: Arc<Engine>, plan: Arc<Plan>) -> Result<(), Error> {
    let mut target = LiveTarget::new(&engine.target, &engine.build_setup);
    while let Some(job) = plan.job().await {
        match &job {
            Job::Index(_, build) => engine.one_or_put_off(&mut target, TaskKind::Index, build).await?,
            Job::Constraints(number) => {
                let of = plan.builds().of.get(*number).map(|of| of.constraints.clone()).unwrap_or_default();
                for build in &of {
                    engine.one_or_put_off(&mut target, TaskKind::Index, build).await?;
                }
            }
            Job::Together(_, builds) => {
                together::build(&engine, &mut target, TaskKind::Index, builds).await?;
            }
            Job::ForeignKeys(keys) => {
                let _alone = if keys.len() > 1 { Some(plan.keys.lock().await) } else { None };
                let all: Vec<Build> =
                    keys.iter().flat_map(|keys| keys.add.iter().chain(&keys.checks)).cloned().collect();
                if keys.len() > 1 {
                    together::build(&engine, &mut target, TaskKind::ForeignKey, &all).await?;
                } else {
                    for build in all.iter().filter(|build| engine.marks.done(&build.step).is_none()) {
                        engine.one_or_put_off(&mut target, TaskKind::ForeignKey, build).await?;
                    }
                }
            }
            Job::Analyze(numbers) => {
                let tables = numbers.iter().filter_map(|number| plan.tables.get(*number));
                let tables: Vec<String> = tables.map(|table| table.into.sql()).collect();
                // Statistics make themselves after a while: not worth a failed run.
                let analyzed = match target.session().await {
                    Ok(session) => session.run(&format!("ANALYZE {}", tables.join(", "))).await,
                    Err(error) => Err(error),
                };
                if analyzed.is_err() {
                    target.reset().await;
                }
            }
        }
        plan.job_is_done(&job);
    }
    Ok(())
}
