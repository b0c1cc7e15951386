//! Sums of the source's rows, as the snapshot shows them.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures_util::TryStreamExt;

use crate::archive::Archive;
use crate::connect::{Connector, Session};
use crate::engine::fields::{self, Fields};
use crate::engine::holder::reader;
use crate::engine::sums::{Shape, Sum, Summing};
use crate::error::{Error, Server};
use crate::migrate::restore::entries;
use crate::migrate::snapshot::Snapshot;
use crate::names::{self, Relation};
use crate::tables::Table;

/// Rows and sums of all tables that the archive creates; of an extension's own nobody knows which rows were dumped.
pub(super) async fn sums(
    source: &Connector,
    snapshot: &Snapshot,
    archive: &Path,
    (jobs, lock_wait): (u16, Duration),
) -> Result<Vec<(Relation, Sum)>, Error> {
    let failed = |error: tsmigrate_analyzer::archive::Damage| Error::Refused {
        what: format!("what pg_dump has written cannot be read: {error}"),
        next: vec!["dump it again".into()],
    };
    let archive = Archive::of_directory(archive).map_err(failed)?;
    let all = &archive.toc().entries;
    let created: BTreeSet<Relation> =
        all.iter().filter(|entry| entry.is("TABLE")).filter_map(entries::name).collect();
    let rows = all.iter().filter(|entry| entry.has_data && entry.is("TABLE DATA"));
    let tables: Vec<Table> = rows
        .filter_map(|entry| entries::table(entry, 0))
        .filter(|table| created.contains(&table.relation))
        .collect();
    let queue = Mutex::new(tables);
    let found = Mutex::new(Vec::new());
    let fields = fields::read(&source.open().await?).await?;
    let worker = || async {
        let session = reader(source, snapshot.holder.snapshot()).await?;
        let wait = lock_wait.as_millis();
        session.run(&format!("SET LOCAL lock_timeout = {wait}")).await?;
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(table) = next else { return Ok::<(), Error>(()) };
            let sum = sum(&session, &table, &fields).await?;
            found.lock().unwrap_or_else(PoisonError::into_inner).push((table.relation, sum));
        }
    };
    futures_util::future::try_join_all((0..jobs).map(|_| worker())).await?;
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

async fn sum(session: &Session, table: &Table, fields: &Fields) -> Result<Sum, Error> {
    let refused = |error: tokio_postgres::Error| Error::Copy {
        table: table.relation.to_string(),
        side: "source",
        answer: Box::new(Server::new(&error)),
    };
    let shape = Shape::new(&fields::of_table(fields, &table.relation, names::list(&table.columns)), false);
    let copy = format!("COPY {} TO STDOUT", fields::copied(&table.relation, &table.columns));
    let mut rows = std::pin::pin!(session.client().copy_out(&copy).await.map_err(refused)?);
    let mut summing = Summing::new(shape);
    while let Some(row) = rows.try_next().await.map_err(refused)? {
        summing.take(&row);
    }
    Ok(summing.sum())
}
