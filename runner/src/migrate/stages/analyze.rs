//! Statistics of tables that have parts: of partitioned tables before privileges are taken away, of hypertables, which are
//! larger, while rows are compared.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::connect::Session;
use crate::error::Error;
use crate::human;
use crate::migrate::RunContext;
use crate::migrate::driver::{StageResult, TargetRun, open_target};
use crate::migrate::engine_setup::SETUP;
use crate::migrate::loaded::Loaded;
use crate::names::Relation;
use crate::timescale::Catalogs;

/// Partitioned tables, and their partitions, whose statistics come with those of the whole.
pub(in crate::migrate) struct Partitioned {
    pub(in crate::migrate) roots: Vec<Relation>,
    pub(in crate::migrate) partitions: BTreeSet<Relation>,
}

/// Lists the partitioned tables of a server.
pub(in crate::migrate) async fn partitioned(session: &Session) -> Result<Partitioned, Error> {
    let rows = session
        .ask(
            "SELECT n.nspname, c.relname, c.relispartition FROM pg_catalog.pg_class c \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relispartition AND c.relkind = 'r' OR c.relkind = 'p' AND NOT c.relispartition",
        )
        .await?;
    let mut found = Partitioned { roots: Vec::new(), partitions: BTreeSet::new() };
    for row in rows {
        let relation = row.relation(0)?;
        if row.flag(2)? {
            found.partitions.insert(relation);
        } else {
            found.roots.push(relation);
        }
    }
    Ok(found)
}

/// Analyzes partitioned tables, and lists the hypertables, whose turn comes later.
pub(in crate::migrate) async fn run(
    run: &TargetRun<'_>,
    session: &Session,
    loaded: &mut Loaded,
) -> Result<StageResult, Error> {
    let built = run.engine.take_built();
    if run.context.tuning.no_analyze {
        return Ok(StageResult { built, ..StageResult::default() });
    }
    let catalogs = Catalogs::read(session).await?;
    if !catalogs.is_empty() {
        let rows = session
            .ask(&format!("SELECT schema_name, table_name FROM ({}) t", catalogs.hypertables()?))
            .await?;
        loaded.hypertables = rows.iter().map(|row| row.relation(0)).collect::<Result<_, _>>()?;
    }
    let summary = analyze(run.context, partitioned(session).await?.roots).await;
    Ok(StageResult { summary, built, ..StageResult::default() })
}

/// Analyzes hypertables.
pub(in crate::migrate) async fn hypertables(context: &RunContext, hypertables: Vec<Relation>) {
    let start = Instant::now();
    if let Some(summary) = analyze(context, hypertables).await {
        context.stage("analyze", summary, start.elapsed());
    }
}

/// Analyzes tables, several at once. Statistics that cannot be made now are made by autovacuum later: not worth a failed
/// run.
async fn analyze(context: &RunContext, relations: Vec<Relation>) -> Option<String> {
    if relations.is_empty() {
        return None;
    }
    let count = relations.len();
    let queue = Mutex::new(relations);
    let worker = || async {
        let session = open_target(context).await?;
        // Shared catalogs are not ours to analyse, and the server warns of each of them.
        session.run(&format!("{SETUP}; SET client_min_messages = error")).await?;
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(relation) = next else { return Ok::<(), Error>(()) };
            session.run(&format!("ANALYZE {}", relation.sql())).await?;
        }
    };
    let workers: Vec<_> =
        (0..usize::try_from(context.builders()).unwrap_or(1).min(count)).map(|_| worker()).collect();
    for error in futures_util::future::join_all(workers).await.into_iter().filter_map(Result::err) {
        context.progress.warn(&format!("statistics: {error}"));
    }
    Some(format!("statistics of {}", human::count(count as u64, "partitioned table")))
}
