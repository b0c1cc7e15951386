//! Rows of tables and large objects, and what is built on each table as soon as its rows are complete.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Instant;

use crate::human::count;

use crate::engine::load::Load;
use crate::engine::retry::retrying;
use crate::error::Error;
use crate::migrate::driver::{StageResult, TargetRun};
use crate::migrate::loaded::Loaded;
use crate::names::Relation;
use crate::progress::rate;
use crate::step::Step;
use crate::tables::Table;
use crate::tables::range::CopyRange;
use crate::{human, timescale};

/// Copies everything, again where a crash of the target has taken it back. Statistics of `partitions` come with those of the
/// whole.
pub(in crate::migrate) async fn run(
    run: &TargetRun<'_>,
    mut load: Load,
    partitions: BTreeSet<Relation>,
    loaded: &mut Loaded,
) -> Result<StageResult, Error> {
    let start = Instant::now();
    let (context, engine) = (run.context, &run.engine);
    let total: u64 = load.tables.iter().flat_map(|(_, parts)| parts).map(|part| part.bytes).sum();
    let steps: Vec<(Relation, Vec<Step>)> = load
        .tables
        .iter()
        .map(|(table, parts)| (table.relation.clone(), parts.iter().map(|part| part.step(table)).collect()))
        .collect();
    context.progress.start("data", total);
    // What a run before has copied is not copied again: the display begins behind it.
    let is_done = |(table, part): &(&Table, &CopyRange)| engine.marks.done(&part.step(table)).is_some();
    let parts = load.tables.iter().flat_map(|(table, parts)| parts.iter().map(move |part| (table, part)));
    let before: u64 = parts.filter(is_done).map(|(_, part)| part.bytes).sum();
    if before > 0 {
        context.progress.at(before, "parts of tables that are done");
    }
    let none = context.tuning.no_analyze;
    load.analyzed_with_root =
        Arc::new(move |table| none || partitions.contains(table) || table.schema == timescale::INTERNAL);
    let result = loop {
        if let Err(error) = engine.load(load.clone()).await {
            break Err(error);
        }
        match lost(run).await {
            Ok(lost) if lost.is_empty() => break Ok(()),
            Ok(lost) => context.progress.warn(&format!(
                "the target's server has crashed and lost {} steps that it had confirmed: they are done again",
                lost.len()
            )),
            Err(error) => break Err(error),
        }
    };
    context.progress.stop();
    context.report().moved.bytes = engine.done().bytes;
    result?;
    for (table, steps) in steps {
        let rows = steps.iter().filter_map(|step| engine.marks.done(step)).sum();
        loaded.rows.insert(table, rows);
    }
    let mut summary = report(run, loaded, start);
    // The source's TimescaleDB keeps them in a form that no restore reads, and NULL means the same.
    match engine.rows.null_batches() {
        0 => {}
        1 => summary.push_str("; 1 compressed batch of NULLs written as NULL"),
        batches => {
            let batches = human::thousands(batches);
            let _ = write!(summary, "; {batches} compressed batches of NULLs written as NULL");
        }
    }
    Ok(StageResult::done(summary))
}

/// Steps that a crash of the target has taken back.
async fn lost(run: &TargetRun<'_>) -> Result<Vec<Step>, Error> {
    let engine = &run.engine;
    retrying(engine.retry_policy, &engine.progress, "confirmation", || async {
        engine.marks.lost(&engine.target.open().await?).await
    })
    .await
}

/// Refuses to end a run of which a crash of the target has taken steps back.
pub(in crate::migrate) async fn nothing_is_lost(run: &TargetRun<'_>) -> Result<(), Error> {
    match lost(run).await?.len() {
        0 => Ok(()),
        number => Err(Error::Refused {
            what: format!("the target's server has crashed and lost {number} steps that it had confirmed"),
            next: vec!["do them again: the same command with --resume".into()],
        }),
    }
}

/// Writes what was copied into the report; in words.
fn report(run: &TargetRun<'_>, loaded: &Loaded, start: Instant) -> String {
    let took = start.elapsed();
    let done = run.engine.done();
    let rows: u64 = done.tables.values().map(|table| table.rows).sum();
    let (bytes, built) = (done.bytes, done.built.len());
    let mut report = run.context.report();
    report.moved.rows = loaded.rows.values().sum();
    report.moved.tables = loaded.rows.values().filter(|&&rows| rows > 0).count() as u64;
    report.moved.bytes = bytes;
    report.moved.seconds = done.last.map_or(0.0, |last| last.saturating_duration_since(start).as_secs_f64());
    report.tables = done.tables.values().cloned().collect();
    let (rows, indexes) = (count(rows, "row"), if built == 1 { "index" } else { "indexes" });
    let (size, per_second) = (human::bytes(bytes), human::rate(rate(bytes, took)));
    format!("{rows}, {size}, {per_second}, {built} {indexes}")
}
