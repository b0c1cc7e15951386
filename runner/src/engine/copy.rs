//! Where rows come from and where they go. Two traits, so that the files of a dump could stand behind either; here are
//! the servers.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, TryStreamExt};
use tokio_postgres::{CopyInSink, CopyOutStream, SimpleQueryMessage};

use super::holder::{Holder, SAVEPOINT, Turn, lock_sql, reader, replaced};
use super::marks::{Marks, SCHEMA};
use super::plannable::{self, PAUSE, TRIES, kept_locked, still};
use super::rate::Rate;
use crate::connect::{Connector, Session};
use crate::error::{Error, Server, is_locked};
use crate::names::Relation;
use crate::progress::Progress;
use crate::quote::literal;
use crate::step::Step;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// Something that rows can be read from.
pub trait Source: Send {
    /// Begins to read a part, in the table's format.
    fn begin(&mut self, table: &Table, range: &CopyRange) -> impl Future<Output = Result<(), Error>> + Send;

    /// The next bytes; none at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, Error>> + Send;
}

/// Something that rows can be written to.
pub trait Target: Send {
    /// Begins to write a part; false where it is there already.
    fn begin(&mut self, table: &Table, range: &CopyRange)
    -> impl Future<Output = Result<bool, Error>> + Send;

    /// Takes bytes.
    fn send(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Error>> + Send;

    /// Keeps all of it, or nothing; returns the number of rows.
    fn commit(&mut self) -> impl Future<Output = Result<u64, Error>> + Send;
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
    let mut buffer = BytesMut::with_capacity(SEND);
    let mut bytes = 0;
    while let Some(row) = source.next().await? {
        if buffer.len() + row.len() > SEND && !buffer.is_empty() {
            bytes += flush(&mut buffer, target, rate, &moved).await?;
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
    bytes += flush(&mut buffer, target, rate, &moved).await?;
    Ok(Some(Copied { rows: target.commit().await?, bytes }))
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

fn refused(table: &Relation, side: &'static str, error: &tokio_postgres::Error) -> Error {
    Error::Copy { table: table.to_string(), side, answer: Box::new(Server::new(error)) }
}

fn query(sql: &str, answer: Server) -> Error {
    Error::Query { side: "target", sql: sql.to_owned(), answer: Box::new(answer) }
}

/// The connection that a step's transaction was in is closed: the step has not happened.
fn gone(step: Option<&Step>) -> Error {
    let message = "the connection closed before the step was committed".to_owned();
    let step = step.map(ToString::to_string).unwrap_or_default();
    query(&step, Server { message, ..Server::default() })
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
        (self.rows, self.turn) = (None, None);
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
}

/// Locks, checks and begins to read, in one way there and back.
async fn copy(session: &Session, table: &Relation, lock: &str, sql: &str) -> Result<CopyOutStream, Error> {
    // Sent in this order, before either is answered.
    let (same, stream) =
        futures_util::future::join(session.ask_one(lock), session.client().copy_out(sql)).await;
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
        let sql = plannable::copy_out(table, range);
        let Some(oid) = self.holder.oid(&table.relation).filter(|_| range.blocks.is_some()) else {
            return self.copy(&table.relation, None, &sql).await;
        };
        let mut waits = None;
        for _ in 0..TRIES {
            // Rows arrive when all is planned: the lock is given back then.
            if let Some(_still) = plannable::plannable(&self.connector, &table.relation, oid).await? {
                return self.copy(&table.relation, None, &sql).await;
            }
            if self.part_of_holder(&table.relation, oid, &sql).await? {
                return Ok(());
            }
            let who = plannable::who(&self.connector, oid).await?;
            plannable::tell(&mut waits, &self.progress, &table.relation, who);
            tokio::time::sleep(PAUSE).await;
        }
        Err(kept_locked(&table.relation, &plannable::who(&self.connector, oid).await?))
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some((table, rows)) = &mut self.rows else { return Ok(None) };
        match rows.try_next().await {
            Ok(Some(row)) => Ok(Some(row)),
            Ok(None) => {
                self.rows = None;
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

/// A table smaller than this is not worth a file of its own for `FREEZE`.
const FREEZE_FROM: u64 = 128 << 10;

/// The target's server.
pub struct LiveTarget {
    connector: Connector,
    setup: String,
    session: Option<Session>,
    sink: Option<Pin<Box<CopyInSink<Bytes>>>>,
    table: Relation,
    step: Option<Step>,
    /// A transaction has begun in the session, and has not ended.
    in_transaction: bool,
}

impl LiveTarget {
    /// A writer; `setup` is run in each of its sessions.
    #[must_use]
    pub fn new(connector: &Connector, setup: &str) -> Self {
        Self {
            connector: connector.clone(),
            setup: setup.to_owned(),
            session: None,
            sink: None,
            table: Relation::default(),
            step: None,
            in_transaction: false,
        }
    }

    /// Ends the session, and so undoes what it has not committed.
    pub async fn reset(&mut self) {
        self.sink = None;
        self.in_transaction = false;
        if let Some(session) = self.session.take() {
            session.cancel().await;
        }
    }

    /// A session: within a transaction always the one that it began in. Another one would commit the mark of a step
    /// without its rows.
    ///
    /// # Errors
    /// When the server cannot be reached, or a transaction has gone with its connection.
    pub async fn session(&mut self) -> Result<&Session, Error> {
        let session = match self.session.take() {
            Some(session) if !session.client().is_closed() => session,
            _ if self.in_transaction => return Err(gone(self.step.as_ref())),
            _ => {
                let session = self.connector.open().await?;
                if !self.setup.is_empty() {
                    session.run(&self.setup).await?;
                }
                session
            }
        };
        Ok(self.session.insert(session))
    }

    /// Begins a transaction for `step`; false where the step is done. The mark comes first: should a session of before
    /// still be about to commit the same step, this one waits for it.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn transaction(&mut self, step: &Step) -> Result<bool, Error> {
        if self.in_transaction {
            self.reset().await;
        }
        self.step = Some(step.clone());
        self.session().await?;
        self.in_transaction = true;
        let session = self.session().await?;
        let sql = format!(
            "BEGIN; INSERT INTO {SCHEMA}.done VALUES ({}, 0) ON CONFLICT (step) DO NOTHING RETURNING 1",
            literal(&step.to_string())
        );
        if session.ask_one(&sql).await?.is_none() {
            session.run("ROLLBACK").await?;
            self.in_transaction = false;
            return Ok(false);
        }
        Ok(true)
    }

    /// Commits what the transaction did. The mark is written once more, whatever `rows` says: in a transaction that has
    /// failed COMMIT alone would roll back without an error.
    ///
    /// # Errors
    /// What the server answers. The step counts as not done then.
    pub async fn end(&mut self, rows: u64) -> Result<(), Error> {
        let Some(step) = self.step.clone() else { return Err(gone(None)) };
        let sql = format!("{}; COMMIT", Marks::update_sql(&step, rows));
        let session = self.session().await?;
        let answers = session.client().simple_query(&sql).await;
        let answers = answers.map_err(|error| query(&sql, Server::new(&error)))?;
        let marked = answers.iter().any(|answer| matches!(answer, SimpleQueryMessage::CommandComplete(1)));
        self.in_transaction = false;
        // Only the transaction that began the step sees its mark.
        if marked { Ok(()) } else { Err(gone(self.step.as_ref())) }
    }

    /// Runs `sql` and commits, in one message: the way there and back counts where steps are small and many.
    ///
    /// # Errors
    /// What the server answers, as the driver gives it; a transaction that has gone with its connection.
    pub async fn end_with(
        &mut self,
        sql: &str,
        refused: impl FnOnce(&tokio_postgres::Error) -> Error,
    ) -> Result<(), Error> {
        let session = self.session().await?;
        let answer = session.client().batch_execute(&format!("{sql};\nCOMMIT")).await;
        self.in_transaction = answer.is_err();
        answer.map_err(|error| refused(&error))
    }

    /// Begins `sql`, a COPY from standard input.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn copy(&mut self, table: &Relation, sql: &str) -> Result<(), Error> {
        self.table = table.clone();
        let sink = self.session().await?.client().copy_in(sql).await;
        self.sink = Some(Box::pin(sink.map_err(|error| refused(table, "target", &error))?));
        Ok(())
    }

    /// Ends the COPY; the number of rows.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn copied(&mut self) -> Result<u64, Error> {
        match self.sink.take() {
            Some(mut sink) => {
                sink.as_mut().finish().await.map_err(|error| refused(&self.table, "target", &error))
            }
            None => Ok(0),
        }
    }
}

impl Target for LiveTarget {
    async fn begin(&mut self, table: &Table, range: &CopyRange) -> Result<bool, Error> {
        if !self.transaction(&range.step(table)).await? {
            return Ok(false);
        }
        let name = table.into.sql();
        let freeze =
            range.of == 1 && !table.routed && table.bytes >= FREEZE_FROM && table.into == table.relation;
        if freeze {
            self.session().await?.run(&format!("TRUNCATE ONLY {name}")).await?;
        }
        let columns = if table.columns.is_empty() { String::new() } else { format!(" ({})", table.columns) };
        let (format, freeze) = (table.format.name(), if freeze { ", FREEZE" } else { "" });
        self.copy(&table.into, &format!("COPY {name}{columns} FROM STDIN (FORMAT {format}{freeze})")).await?;
        Ok(true)
    }

    async fn send(&mut self, bytes: Bytes) -> Result<(), Error> {
        let Some(sink) = &mut self.sink else { return Ok(()) };
        if let Err(error) = sink.send(bytes).await {
            // The sink only knows that nobody listens any more; what the server said comes with the end.
            let answer = sink.as_mut().finish().await.err().unwrap_or(error);
            return Err(refused(&self.table, "target", &answer));
        }
        Ok(())
    }

    async fn commit(&mut self) -> Result<u64, Error> {
        let rows = self.copied().await?;
        self.end(rows).await?;
        Ok(rows)
    }
}
