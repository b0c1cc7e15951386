//! Small tables go over together: the way to the target and back, and a commit, count more than their rows.
//!
//! Each keeps its own step, with its own mark; what is done together is done or not done together. Where that is refused,
//! each is done by itself, so that an error names what it is about.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::builds::Build;
use super::copy::{Copied, Source, check, pump};
use super::pool::{Busy, CopySessions, Engine, copy_range};
use super::queue::{Piece, Plan};
use super::rate::Rate;
use super::retry;
use super::rows::RowSource;
use super::statements::refused;
use super::target::LiveTarget;
use crate::error::{Error, Server};
use crate::progress::TaskKind;
use crate::step::Step;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// A table with fewer bytes is small.
const SMALL: u64 = 1 << 20;

/// So many tables go over together at the most: all of them have to go again when the connection breaks.
const MOST: usize = 64;

/// Lists for each worker at the least, so that all of them have work to the end.
const LISTS: usize = 4;

pub(super) fn is_small(table: &Table) -> bool {
    table.bytes < SMALL
}

/// So many of `count` small tables go together, for so many workers.
pub(super) fn length(count: usize, workers: usize) -> usize {
    count.div_ceil(workers.max(1) * LISTS).clamp(1, MOST)
}

/// Puts small tables together that are copied as a whole, for so many workers.
pub(super) fn put_together(
    ranges: Vec<(usize, CopyRange)>,
    tables: &[Table],
    workers: usize,
) -> VecDeque<Piece> {
    let whole =
        |(number, range): &(usize, CopyRange)| range.of == 1 && tables.get(*number).is_some_and(is_small);
    let (small, large): (Vec<_>, Vec<_>) = ranges.into_iter().partition(whole);
    let most = length(small.len(), workers);
    let mut pieces: VecDeque<Piece> =
        large.into_iter().map(|(number, range)| Piece::Range(number, range)).collect();
    pieces.extend(small.chunks(most).map(|list| Piece::Together(list.to_vec())));
    pieces
}

/// Copies tables in one transaction; none where one of them is there already.
async fn copy(
    source: &mut RowSource,
    target: &mut LiveTarget,
    tables: &[(&Table, &CopyRange)],
    rate: &Rate,
    moved: impl Fn(u64) + Send + Sync,
) -> Result<Option<Vec<(Copied, Instant)>>, Error> {
    let steps: Vec<Step> = tables.iter().map(|(table, range)| range.step(table)).collect();
    if !target.transaction(&steps).await? {
        return Ok(None);
    }
    let copies = target.prepare(tables).await?;
    let mut loaded: Vec<(Copied, Instant)> = Vec::with_capacity(tables.len());
    let mut counted = Vec::with_capacity(tables.len());
    for ((table, range), copy) in tables.iter().zip(&copies) {
        let (rows, begun) =
            tokio::join!(target.turn_to(Some((&table.into, copy))), source.begin(table, range));
        let rows = rows?;
        begun?;
        if let Some((before, _)) = loaded.last_mut() {
            before.rows = rows;
        }
        let bytes = pump(source, target, rate, &moved).await?;
        counted.push(source.counted());
        loaded.push((Copied { rows: 0, bytes }, Instant::now()));
    }
    let rows = target.turn_to(None).await?;
    if let Some((last, _)) = loaded.last_mut() {
        last.rows = rows;
    }
    let rows: Vec<u64> = loaded.iter().map(|(copied, _)| copied.rows).collect();
    for (((table, _), expected), taken) in tables.iter().zip(counted).zip(&rows) {
        check(&table.relation, expected, *taken)?;
    }
    target.end(&rows).await?;
    Ok(Some(loaded))
}

/// Copies small tables together, or each by itself where that is refused. Returns the numbers of those whose rows the target
/// refuses, for they break a constraint.
pub(super) async fn copy_small(
    engine: &Engine,
    sessions: &CopySessions,
    plan: &Plan,
    list: &[(usize, CopyRange)],
) -> Result<Vec<usize>, Error> {
    let mut tables: Vec<(&Table, &CopyRange)> = Vec::new();
    for (number, range) in list {
        tables.extend(plan.tables.get(*number).map(|table| (table, range)));
    }
    let [(first, range), others @ ..] = tables.as_slice() else { return Ok(Vec::new()) };
    if !others.is_empty() {
        let start = Instant::now();
        let bytes = tables.iter().map(|(_, range)| range.bytes).sum();
        let label = format!("{} and {} more", range.label(first), others.len());
        let busy = Busy::new(&engine.busy);
        let copied = retry::retrying(engine.retry_policy, &engine.progress, &label, || async {
            let task = engine.progress.task(TaskKind::Copy, &label, bytes);
            let mut sessions = sessions.lock().await;
            let (source, target) = &mut *sessions;
            let copied = copy(source, target, &tables, &engine.rate, |bytes| task.add(bytes)).await;
            if copied.is_err() {
                task.failed();
                tokio::join!(source.reset(), target.reset());
            }
            copied
        })
        .await;
        drop(busy);
        match copied {
            Ok(Some(copied)) => {
                let mut begun = start;
                for ((table, range), (copied, ended)) in tables.iter().zip(copied) {
                    engine.copied(table, range, copied, begun, ended);
                    begun = ended;
                }
                return Ok(Vec::new());
            }
            Err(error) if retry::transient(&error) => return Err(error),
            // Each by itself.
            Ok(None) | Err(_) => {}
        }
    }
    let mut refused = Vec::new();
    for (number, range) in list {
        let Some(table) = plan.tables.get(*number) else { continue };
        if engine.marks.done(&range.step(table)).is_none()
            && let Err(error) = copy_range(engine, sessions, table, range).await
        {
            engine.put_off(error)?;
            refused.push(*number);
        }
    }
    Ok(refused)
}

/// Builds in one transaction, or each by itself where that is refused.
pub(super) async fn build(
    engine: &Arc<Engine>,
    target: &mut LiveTarget,
    kind: TaskKind,
    builds: &[Build],
) -> Result<(), Error> {
    let builds: Vec<&Build> =
        builds.iter().filter(|build| engine.marks.done(&build.step).is_none()).collect();
    if let [first, _, ..] = builds.as_slice() {
        let start = Instant::now();
        let label = format!("{} and {} more", first.name, builds.len() - 1);
        let task = engine.progress.task(kind, &label, 0);
        let busy = Busy::new(&engine.busy);
        let built = once(target, &builds).await;
        drop((busy, task));
        if matches!(built, Ok(true)) {
            let each = start.elapsed() / u32::try_from(builds.len()).unwrap_or(u32::MAX);
            let mut begun = start;
            for build in builds {
                engine.built(build, kind, begun, each);
                begun += each;
            }
            return Ok(());
        }
        target.reset().await;
    }
    for build in builds {
        engine.one_or_put_off(target, kind, build).await?;
    }
    Ok(())
}

/// True where all of it was committed.
async fn once(target: &mut LiveTarget, builds: &[&Build]) -> Result<bool, Error> {
    let steps: Vec<Step> = builds.iter().map(|build| build.step.clone()).collect();
    if !target.transaction(&steps).await? {
        return Ok(false);
    }
    let sql: Vec<&str> = builds.iter().flat_map(|build| &build.sql).map(String::as_str).collect();
    let Some(first) = builds.first() else { return Ok(false) };
    target
        .end_with(&sql.join(";\n"), |error| refused("post-data", &first.statement, Server::new(error)))
        .await
        .map(|()| true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Relation;
    use crate::tables::format::Format;

    fn table(name: &str, bytes: u64) -> Table {
        Table {
            from: None,
            relation: Relation::new("s", name),
            into: Relation::new("s", name),
            columns: String::new(),
            blocks: 1,
            bytes,
            rows: 0,
            ranges: true,
            format: Format::Text,
            routed: false,
            null_batches: Vec::new(),
        }
    }

    #[test]
    fn small_tables_go_together_and_every_worker_has_some() {
        let tables: Vec<Table> =
            (0..1000).map(|n| table(&format!("t{n}"), if n < 2 { SMALL } else { 8192 })).collect();
        let range = |number| CopyRange { number, of: 1, blocks: None, bytes: 8192 };
        let whole = (0..1000).map(|number| (number, range(0))).collect();
        let pieces = put_together(whole, &tables, 4);
        let lists: Vec<usize> = pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Together(list) => Some(list.len()),
                _ => None,
            })
            .collect();
        assert!(matches!(pieces.front(), Some(Piece::Range(0, _))), "large ones go first");
        assert_eq!(lists.iter().sum::<usize>(), 998);
        assert!(lists.len() >= 16 && lists.iter().all(|&length| length <= MOST));
    }

    #[test]
    fn a_part_of_a_table_goes_by_itself() {
        let parts =
            (0..3).map(|number| (0, CopyRange { number, of: 3, blocks: None, bytes: 8192 })).collect();
        let pieces = put_together(parts, &[table("t", 8192)], 1);
        assert!(pieces.iter().all(|piece| matches!(piece, Piece::Range(..))) && pieces.len() == 3);
    }
}
