//! Where rows come from and where they go: two traits, so that the files of a dump could stand behind either; and the
//! source's server.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, future};
use tokio_postgres::CopyOutStream;

use super::holder::{Holder, SAVEPOINT, Turn, lock_sql, reader, replaced};
use super::null_batches::NullBatches;
use super::plannable::{self, PAUSE, TRIES, kept_locked, still};
use super::rate::Rate;
use crate::connect::{Connector, Session};
use crate::error::{Error, Server, is_locked};
use crate::names::Relation;
use crate::progress::Progress;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// Something that rows can be read from.
pub trait Source: Send {
    /// Begins to read a part, in the table's format.
    fn begin(&mut self, table: &Table, range: &CopyRange) -> impl Future<Output = Result<(), Error>> + Send;

    /// The next bytes; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Error>> + Send;

    /// Rows of the part that has come to its end, where they are counted while they are read.
    fn counted(&self) -> Option<u64> {
        None
    }
}

/// Something that rows can be written to.
pub trait Target: Send {
    /// Begins to write a part; false where it is there already.
    fn begin(&mut self, table: &Table, range: &CopyRange)
    -> impl Future<Output = Result<bool, Error>> + Send;

    /// Takes bytes.
    fn send(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Error>> + Send;

    /// Keeps all of it, or nothing; returns the number of rows, which is `expected` where that is known.
    fn commit(&mut self, expected: Option<u64>) -> impl Future<Output = Result<u64, Error>> + Send;
}

/// As much goes to the target at once. Servers send a message for each row; fewer and larger ones cost the target less.
const SEND: usize = 128 << 10;

/// What has gone over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Rows, as the target counted them.
    pub rows: u64,
    /// Bytes of COPY data.
    pub bytes: u64,
}

/// Copies one part; none where it is there already.
///
/// # Errors
/// Those of both servers. Nothing of the part has been kept then.
pub async fn copy_rows(
    source: &mut impl Source,
    target: &mut impl Target,
    table: &Table,
    range: &CopyRange,
    rate: &Rate,
    moved: impl Fn(u64) + Send + Sync,
) -> Result<Option<Copied>, Error> {
    if !target.begin(table, range).await? {
        return Ok(None);
    }
    source.begin(table, range).await?;
    let bytes = pump(source, target, rate, &moved).await?;
    Ok(Some(Copied { rows: target.commit(source.counted()).await?, bytes }))
}

/// Takes all rows from the one to the other; their bytes.
pub(super) async fn pump(
    source: &mut impl Source,
    target: &mut impl Target,
    rate: &Rate,
    moved: &impl Fn(u64),
) -> Result<u64, Error> {
    let mut buffer = BytesMut::with_capacity(SEND);
    let mut bytes = 0;
    while let Some(row) = source.next().await? {
        if buffer.len() + row.len() > SEND && !buffer.is_empty() {
            bytes += flush(&mut buffer, target, rate, moved).await?;
        }
        if row.len() >= SEND {
            bytes += row.len() as u64;
            moved(row.len() as u64);
            rate.take(row.len() as u64).await;
            target.send(row).await?;
        } else {
            buffer.extend_from_slice(&row);
        }
    }
    Ok(bytes + flush(&mut buffer, target, rate, moved).await?)
}

async fn flush(
    buffer: &mut BytesMut,
    target: &mut impl Target,
    rate: &Rate,
    moved: &impl Fn(u64),
) -> Result<u64, Error> {
    let bytes = buffer.len() as u64;
    if bytes > 0 {
        rate.take(bytes).await;
        target.send(buffer.split().freeze()).await?;
        buffer.reserve(SEND);
        moved(bytes);
    }
    Ok(bytes)
}

/// Refuses a part of which the target has taken other rows than were read: nothing of it is kept.
pub(super) fn check(table: &Relation, expected: Option<u64>, taken: u64) -> Result<(), Error> {
    match expected.filter(|expected| *expected != taken) {
        None => Ok(()),
        Some(expected) => Err(Error::Refused {
            what: format!("{table}: {expected} rows were read, and the target has taken {taken}"),
            next: vec!["look at the archive's rows of this table: is there a line of \\. alone?".into()],
        }),
    }
}

pub(super) fn refused(table: &Relation, side: &'static str, error: &tokio_postgres::Error) -> Error {
    Error::Copy { table: table.to_string(), side, answer: Box::new(Server::new(error)) }
}

/// The source's server.
pub struct LiveSource {
    connector: Connector,
    holder: Arc<Holder>,
    /// Where it is told whom a part waits for.
    progress: Progress,
    session: Option<Session>,
    /// Where rows come through the holder.
    turn: Option<Turn>,
    rows: Option<(Relation, Pin<Box<CopyOutStream>>)>,
    null_batches: Option<NullBatches>,
}

impl LiveSource {
    /// A reader of the snapshot.
    #[must_use]
    pub fn new(connector: &Connector, holder: &Arc<Holder>, progress: &Progress) -> Self {
        Self {
            connector: connector.clone(),
            holder: holder.clone(),
            progress: progress.clone(),
            session: None,
            turn: None,
            rows: None,
            null_batches: None,
        }
    }

    /// Ends what is under way: what the session still sends is of no use.
    pub async fn reset(&mut self) {
        let reading = self.rows.take().is_some();
        if let Some(session) = self.session.take() {
            session.cancel().await;
        }
        // The holder goes on: only its COPY is stopped.
        if let Some(turn) = self.turn.take().filter(|_| reading) {
            turn.cancel().await;
        }
    }

    /// A session in the snapshot.
    ///
    /// # Errors
    /// As [`reader`].
    pub async fn session(&mut self) -> Result<&Session, Error> {
        let session = match self.session.take() {
            Some(session) if !session.client().is_closed() => session,
            _ => reader(&self.connector, self.holder.snapshot()).await?,
        };
        Ok(self.session.insert(session))
    }

    /// Begins to read a part through the holder, which waits for nobody who waits for its lock; false where another
    /// session has a lock that keeps us from reading in parts: it creates an index.
    async fn part_of_holder(&mut self, table: &Relation, oid: u32, sql: &str) -> Result<bool, Error> {
        (self.rows, self.turn) = (None, None);
        let watch = self.connector.open().await?;
        let turn = self.holder.turn().await?;
        let lock = format!("SELECT pg_catalog.pg_relation_filenode({oid}) IS NOT NULL");
        let begun = async {
            turn.run(plannable::WAIT).await?;
            if still(&turn, &watch, table, oid).await? {
                copy(&turn, table, &lock, sql).await.map(Some)
            } else {
                Ok(None)
            }
        };
        match begun.await {
            Ok(Some(stream)) => {
                self.rows = Some((table.clone(), Box::pin(stream)));
                self.turn = Some(turn);
                Ok(true)
            }
            Err(error) if !is_locked(error.code()) => Err(error),
            _ => {
                turn.run(&format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}")).await?;
                Ok(false)
            }
        }
    }

    /// Begins to read what `sql`, a COPY to standard output, gives of a table, under the table's lock. A table that the
    /// holder has locked is never waited for; any other one, `oid`, as long as `lock_timeout` says.
    ///
    /// # Errors
    /// What the server answers; [`Error::Refused`] where the name means another table than was listed.
    pub async fn copy(&mut self, table: &Relation, oid: Option<u32>, sql: &str) -> Result<(), Error> {
        (self.rows, self.turn, self.null_batches) = (None, None, None);
        let held = self.holder.oid(table);
        let Some(oid) = held.or(oid) else {
            return Err(Error::Defect(format!("nobody knows the object id of {table}")));
        };
        let lock = lock_sql(table, oid, held.is_none());
        self.session().await?;
        let Some(session) = &self.session else { return Err(Error::SnapshotLost) };
        let stream = match copy(session, table, &lock, sql).await {
            // Somebody waits to change it. The session forgets the error with its savepoint.
            Err(error) if error.code() == "55P03" && held.is_some() => {
                session.run(&format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}")).await?;
                let turn = self.turn.insert(self.holder.turn().await?);
                copy(turn, table, &lock, sql).await?
            }
            result => result?,
        };
        self.rows = Some((table.clone(), Box::pin(stream)));
        Ok(())
    }

    async fn begin_range(&mut self, table: &Table, range: &CopyRange) -> Result<(), Error> {
        let sql = plannable::copy_out(table, range);
        let Some(oid) = self.holder.oid(table.on_source()).filter(|_| range.blocks.is_some()) else {
            return self.copy(table.on_source(), None, &sql).await;
        };
        let mut waits = None;
        for _ in 0..TRIES {
            // Rows arrive when all is planned: the lock is given back then.
            if let Some(_still) = plannable::plannable(&self.connector, table.on_source(), oid).await? {
                return self.copy(table.on_source(), None, &sql).await;
            }
            if self.part_of_holder(table.on_source(), oid, &sql).await? {
                return Ok(());
            }
            let who = plannable::who(&self.connector, oid).await?;
            plannable::tell(&mut waits, &self.progress, table.on_source(), who);
            tokio::time::sleep(PAUSE).await;
        }
        Err(kept_locked(table.on_source(), &plannable::who(&self.connector, oid).await?))
    }
}

/// Locks, checks and begins to read, in one way there and back.
async fn copy(session: &Session, table: &Relation, lock: &str, sql: &str) -> Result<CopyOutStream, Error> {
    // Sent in this order, before either is answered.
    let (same, stream) = future::join(session.ask_one(lock), session.client().copy_out(sql)).await;
    match same {
        Ok(same) if same.as_deref() == Some("t") => {}
        // No such schema, no such table, a column or a sequence of that name.
        Err(error) if !["3F000", "42P01", "42809"].contains(&error.code()) => return Err(error),
        _ => return Err(replaced(table)),
    }
    stream.map_err(|error| refused(table, "source", &error))
}

impl Source for LiveSource {
    async fn begin(&mut self, table: &Table, range: &CopyRange) -> Result<(), Error> {
        self.begin_range(table, range).await?;
        self.null_batches = NullBatches::of(table);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some((table, rows)) = &mut self.rows else { return Ok(None) };
        match rows.try_next().await {
            Ok(Some(row)) => Ok(Some(match &mut self.null_batches {
                Some(batches) => batches.rows(row),
                None => row,
            })),
            Ok(None) => {
                self.rows = None;
                if let Some(batches) = self.null_batches.take() {
                    self.holder.add_null_batches(batches.replaced());
                }
                // The holder goes on, and others wait for what was locked for this part.
                if let Some(turn) = self.turn.take() {
                    turn.run(&format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}")).await?;
                }
                Ok(None)
            }
            Err(error) => Err(refused(table, "source", &error)),
        }
    }
}
