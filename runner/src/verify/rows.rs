//! Rows of every table, counted on both ends at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::PoisonError;

use super::catalog::{Catalog, Relation};
use super::{Difference, Expect, Sessions, Verification};
use crate::connect::{Session, identifier};
use crate::error::Error;
use crate::progress::Progress;

/// Sessions on each end. Counting is bound by reading; more would take the servers from their users.
const READERS: usize = 2;

/// What a count said.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Count {
    Rows(u64),
    /// A materialized view that was never filled.
    Unpopulated,
    /// The server does not let us count.
    Refused(String),
}

type Counts = BTreeMap<(String, String), Count>;

/// Counts every table of both ends and adds what differs to `verification`.
pub(super) async fn compare(
    sessions: &Sessions<'_>,
    expect: &Expect<'_>,
    source: &Catalog,
    target: &Catalog,
    progress: &Progress,
    verification: &mut Verification,
) -> Result<(), Error> {
    let tasks = tasks(&source.relations, expect);
    let there = |(_, relation, _): &&Task| target.relations.contains(relation);
    let target_tasks: Vec<_> = tasks.iter().filter(there).cloned().collect();
    let mut readers = (Vec::new(), Vec::new());
    for _ in 0..READERS {
        readers.0.push(super::reader(sessions).await?);
        readers.1.push(sessions.target.open().await?);
    }
    progress.line(&format!("  counting the rows of {} tables on both ends", tasks.len()));
    let (ours, theirs) = tokio::try_join!(count(&readers.0, &tasks), count(&readers.1, &target_tasks))?;
    for (key, wanted) in ours {
        let (kind, object) = key.clone();
        let Some(found) = theirs.get(&key) else {
            // The table itself is missing, and its absence has been told.
            continue;
        };
        *verification.compared.entry("tables' rows".into()).or_default() += 1;
        let found = match (found, expect.rows.get(&object)) {
            (Count::Refused(why), Some(rows)) => {
                verification.notes.push(format!("{object} was counted while it was loaded: {why}"));
                Count::Rows(*rows)
            }
            (found, _) => found.clone(),
        };
        if wanted != found {
            let reason = expect.skipped.contains(&object).then(|| "its rows stayed behind".to_owned());
            let difference =
                Difference { kind, object, expected: Some(show(&wanted)), found: Some(show(&found)), reason };
            match difference.reason {
                Some(_) => verification.announced.push(difference),
                None => verification.differences.push(difference),
            }
        }
    }
    Ok(())
}

fn show(count: &Count) -> String {
    match count {
        Count::Rows(rows) => rows.to_string(),
        Count::Unpopulated => "not populated".into(),
        Count::Refused(why) => format!("no count ({why})"),
    }
}

type Task = (&'static str, Relation, String);

fn tasks(relations: &BTreeSet<Relation>, expect: &Expect<'_>) -> Vec<Task> {
    let mut tasks = Vec::new();
    for relation in relations {
        let name = format!("{}.{}", identifier(&relation.schema), identifier(&relation.name));
        tasks.push(("rows", relation.clone(), format!("SELECT pg_catalog.count(*) FROM ONLY {name}")));
    }
    // Through the hypertable as an application asks: a target in restoring mode answers zero.
    for hypertable in expect.source.timescale.iter().flat_map(|timescale| &timescale.hypertables) {
        let relation = Relation { schema: hypertable.schema.clone(), name: hypertable.name.clone() };
        if relation.schema == "_timescaledb_internal" {
            continue;
        }
        let name = format!("{}.{}", identifier(&relation.schema), identifier(&relation.name));
        tasks.push(("hypertable rows", relation, format!("SELECT pg_catalog.count(*) FROM {name}")));
    }
    tasks
}

async fn count(readers: &[Session], tasks: &[Task]) -> Result<Counts, Error> {
    let counts = Mutex::new(Counts::new());
    let next = std::sync::atomic::AtomicUsize::new(0);
    let work = |session| {
        let (counts, next) = (&counts, &next);
        async move {
            while let Some((kind, relation, sql)) =
                tasks.get(next.fetch_add(1, std::sync::atomic::Ordering::Relaxed))
            {
                let count = one(session, sql).await?;
                let name = format!("{}.{}", relation.schema, relation.name);
                counts
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(((*kind).to_owned(), name), count);
            }
            Ok::<(), Error>(())
        }
    };
    match readers {
        [first, second] => drop(tokio::try_join!(work(first), work(second))?),
        readers => {
            for session in readers {
                work(session).await?;
            }
        }
    }
    Ok(counts.into_inner().unwrap_or_else(PoisonError::into_inner))
}

async fn one(session: &Session, sql: &str) -> Result<Count, Error> {
    // On the source this runs in the snapshot's transaction, which one refusal must not end.
    let _ = session.client().batch_execute("SAVEPOINT one").await;
    let answer = session.client().simple_query(sql).await;
    let count = match answer {
        Ok(messages) => {
            let value = messages.iter().find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0)?.parse().ok(),
                _ => None,
            });
            Count::Rows(value.unwrap_or_default())
        }
        Err(error) => match error.as_db_error() {
            Some(answer) if answer.code().code() == "55000" => Count::Unpopulated,
            Some(answer) => Count::Refused(answer.message().to_owned()),
            None => return session.run(sql).await.map(|()| Count::Rows(0)),
        },
    };
    let _ = session.client().batch_execute("ROLLBACK TO SAVEPOINT one; RELEASE SAVEPOINT one").await;
    Ok(count)
}
