//! Statements that run in the dump's order: tables, functions and types before the rows; what is not built by itself, and
//! row security, after them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::builds;
use crate::engine::retry::retrying;
use crate::engine::statements::List;
use crate::engine::target::LiveTarget;
use crate::error::Error;
use crate::human::count;
use crate::migrate::driver::{StageResult, TargetRun};
use crate::names::Relation;
use crate::script::Statement;
use crate::step;

/// Runs a list as a stage of its name.
pub(in crate::migrate) async fn stage(
    run: &TargetRun<'_>,
    list: step::List,
    statements: &[Statement],
) -> Result<(), Error> {
    run.stage(list.name(), self::run(run, list, statements)).await
}

/// Empties what makes an index that the target has: where all behind the rows was taken back, indexes of materialized views
/// and of partitioned tables stayed. Places stay, for steps are known by numbers.
pub(in crate::migrate) async fn without_built(
    run: &TargetRun<'_>,
    statements: &mut [Statement],
) -> Result<(), Error> {
    // Of a run that begins the target has none.
    if !run.context.tuning.resume {
        return Ok(());
    }
    let indexes: Vec<(usize, Relation)> = statements
        .iter()
        .enumerate()
        .filter_map(|(number, statement)| Some((number, builds::index_of(&statement.sql)?)))
        .collect();
    if indexes.is_empty() {
        return Ok(());
    }
    let engine = &run.engine;
    let question = "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c \
                    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('i', 'I')";
    let built: BTreeSet<Relation> = retrying(engine.retry_policy, &engine.progress, "indexes", || async {
        run.target().await?.ask(question).await?.iter().map(|row| row.relation(0)).collect()
    })
    .await?;
    for (number, _) in indexes.iter().filter(|(_, index)| built.contains(index)) {
        if let Some(statement) = statements.get_mut(*number) {
            statement.sql.clear();
        }
    }
    Ok(())
}

/// Runs a list in steps of some hundred statements, each step in a transaction.
async fn run(run: &TargetRun<'_>, list: step::List, statements: &[Statement]) -> Result<StageResult, Error> {
    if statements.is_empty() {
        return Ok(StageResult::default());
    }
    let engine = &run.engine;
    let name = list.name();
    let list = List { list, statements };
    let target = tokio::sync::Mutex::new(LiveTarget::new(&engine.target, &engine.setup));
    let mut fresh = true;
    let mut done = 0;
    for (step, range) in list.steps() {
        if run.is_done(&step) {
            continue;
        }
        done += range.len();
        let first = AtomicBool::new(fresh);
        retrying(engine.retry_policy, &engine.progress, name, || async {
            let mut target = target.lock().await;
            let result =
                list.run(&mut target, &step, range.clone(), first.swap(false, Ordering::Relaxed)).await;
            if result.is_err() {
                target.reset().await;
                first.store(true, Ordering::Relaxed);
            }
            result
        })
        .await?;
        fresh = first.into_inner();
        engine.finished(&step, 0);
    }
    // What the server said goes with its connection.
    let warnings = match target.into_inner().session().await {
        Ok(session) => session.take_notices(),
        Err(_) => Vec::new(),
    };
    Ok(StageResult {
        statements: done as u64,
        warnings,
        ..StageResult::done(count(done as u64, "statement"))
    })
}
