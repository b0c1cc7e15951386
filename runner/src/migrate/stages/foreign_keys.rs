//! Foreign keys that could not be built while rows were copied: those of tables that are not copied, and those that refer
//! to a hypertable.

use std::collections::BTreeSet;

use crate::engine::builds::ForeignKeys;
use crate::error::Error;
use crate::migrate::driver::{StageResult, TargetRun};
use crate::names::Relation;
use crate::progress::TaskKind;
use crate::quote::literal;
use crate::step::Step;

/// Adds them one after the other, for each takes a short lock on two tables; then checks them side by side.
pub(in crate::migrate) async fn run(
    run: &TargetRun<'_>,
    keys: Vec<ForeignKeys>,
) -> Result<StageResult, Error> {
    let count: usize = keys.iter().map(|keys| keys.add.len()).sum();
    if count == 0 {
        return Ok(StageResult::default());
    }
    let mut add = Vec::new();
    let mut check = Vec::new();
    for keys in keys {
        add.extend(keys.add);
        check.extend(keys.checks);
    }
    let engine = &run.engine;
    engine.build_in_order(TaskKind::ForeignKey, add).await?;
    engine.build(TaskKind::ForeignKey, check, |_, error| Err(error)).await?;
    Ok(StageResult { built: engine.take_built(), ..StageResult::done(format!("{count} added and checked")) })
}

/// Where rows have broken constraints, the same of keys that would have come later: all that is broken is said at once. Not of
/// keys whose tables lack the rows that were refused, by `steps` or with what inherits from them: those would look broken.
///
/// # Errors
/// What rows are not the reason of.
pub(in crate::migrate) async fn with_later(
    run: &TargetRun<'_>,
    error: Error,
    steps: &[(Relation, Vec<Step>)],
    mut keys: Vec<ForeignKeys>,
) -> Result<Error, Error> {
    let Error::Rows(mut broken) = error else { return Ok(error) };
    let is_short = |(_, steps): &&(Relation, Vec<Step>)| !steps.iter().all(|step| run.is_done(step));
    let mut short = BTreeSet::new();
    for (table, _) in steps.iter().filter(is_short) {
        short.extend(with_parents(run, table).await?);
    }
    keys.retain(|keys| !short.contains(&keys.table) && keys.references.is_disjoint(&short));
    run.engine.look_for_broken(&keys).await?;
    if let Some(Error::Rows(more)) = run.engine.broken() {
        broken.extend(more);
    }
    Ok(Error::Rows(broken))
}

/// A table of the target, and all that it inherits from.
async fn with_parents(run: &TargetRun<'_>, table: &Relation) -> Result<Vec<Relation>, Error> {
    let question = format!(
        "WITH RECURSIVE up(oid) AS (SELECT pg_catalog.to_regclass({})::pg_catalog.oid \
         UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN up ON i.inhrelid = up.oid) \
         SELECT n.nspname, c.relname FROM up JOIN pg_catalog.pg_class c ON c.oid = up.oid \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace",
        literal(&table.sql())
    );
    run.target().await?.ask(&question).await?.iter().map(|row| row.relation(0)).collect()
}
