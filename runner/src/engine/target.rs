//! The target's server: transactions that begin with the marks of their steps, and rows that go into them.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{SinkExt, future};
use tokio_postgres::{CopyInSink, SimpleQueryMessage};

use super::copy::{Target, check, refused};
use super::marks::Marks;
use crate::connect::{Connector, Session};
use crate::error::{Error, Server};
use crate::names::Relation;
use crate::step::Step;
use crate::tables::Table;
use crate::tables::range::CopyRange;

fn query(sql: &str, answer: Server) -> Error {
    Error::Query { side: "target", sql: sql.to_owned(), answer: Box::new(answer) }
}

/// The connection that a step's transaction was in is closed: the step has not happened.
fn gone(steps: &[Step]) -> Error {
    let message = "the connection closed before the step was committed".to_owned();
    let step = steps.first().map(ToString::to_string).unwrap_or_default();
    query(&step, Server { message, ..Server::default() })
}

/// A table smaller than this is not worth a file of its own for `FREEZE`.
const FREEZE_FROM: u64 = 128 << 10;

fn freezes(table: &Table, range: &CopyRange) -> bool {
    range.of == 1 && !table.routed && table.bytes >= FREEZE_FROM && table.into == table.relation
}

fn truncate(table: &Table) -> String {
    format!("TRUNCATE ONLY {}", table.into.sql())
}

/// The COPY that writes a part.
fn copy_in(table: &Table, range: &CopyRange) -> String {
    let name = table.into.sql();
    let columns = if table.columns.is_empty() { String::new() } else { format!(" ({})", table.columns) };
    let (format, freeze) = (table.format.name(), if freezes(table, range) { ", FREEZE" } else { "" });
    format!("COPY {name}{columns} FROM STDIN (FORMAT {format}{freeze})")
}

/// The target's server.
pub struct LiveTarget {
    connector: Connector,
    setup: String,
    session: Option<Session>,
    sink: Option<Pin<Box<CopyInSink<Bytes>>>>,
    table: Relation,
    steps: Vec<Step>,
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
            steps: Vec::new(),
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
            _ if self.in_transaction => return Err(gone(&self.steps)),
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

    /// Begins a transaction for `steps`; false where one of them is done. Their marks come first: should a session of before
    /// still be about to commit the same steps, this one waits for it.
    ///
    /// # Errors
    /// What the server answers.
    pub async fn transaction(&mut self, steps: &[Step]) -> Result<bool, Error> {
        if self.in_transaction {
            self.reset().await;
        }
        self.steps = steps.to_vec();
        self.session().await?;
        self.in_transaction = true;
        let session = self.session().await?;
        let sql = format!("BEGIN; {}", Marks::begin_sql(steps));
        if session.ask(&sql).await?.len() < steps.len() {
            session.run("ROLLBACK").await?;
            self.in_transaction = false;
            return Ok(false);
        }
        Ok(true)
    }

    /// Commits what the transaction did, with the rows of each of its steps. Their marks are written once more, whatever
    /// `rows` says: in a transaction that has failed COMMIT alone would roll back without an error.
    ///
    /// # Errors
    /// What the server answers. The steps count as not done then.
    pub async fn end(&mut self, rows: &[u64]) -> Result<(), Error> {
        self.end_behind(&[], rows, |_, _| None).await
    }

    /// Runs statements in their order, and commits as [`LiveTarget::end`] does, all in one way there and back. After a
    /// refusal the rest is refused too, the marks among them, so that nothing is committed; `refused` names the statement
    /// by its number.
    ///
    /// # Errors
    /// What the server answers. The steps count as not done then.
    pub(super) async fn end_behind(
        &mut self,
        statements: &[&str],
        rows: &[u64],
        refused: impl Fn(usize, &tokio_postgres::Error) -> Option<Error>,
    ) -> Result<(), Error> {
        if self.steps.is_empty() {
            return Err(gone(&self.steps));
        }
        let marks = self.steps.len() as u64;
        let sql = format!("{}; COMMIT", Marks::update_sql(&self.steps, rows));
        let client = self.session().await?.client();
        // Sent in this order, before anything is answered.
        let sends = future::join_all(statements.iter().map(|statement| client.batch_execute(statement)));
        let (ran, answers) = future::join(sends, client.simple_query(&sql)).await;
        for (number, answer) in ran.iter().enumerate() {
            if let Err(error) = answer {
                return Err(refused(number, error).unwrap_or_else(|| query(&sql, Server::new(error))));
            }
        }
        let answers = answers.map_err(|error| query(&sql, Server::new(&error)))?;
        let marked = answers
            .iter()
            .any(|answer| matches!(answer, SimpleQueryMessage::CommandComplete(n) if *n == marks));
        self.in_transaction = false;
        // Only the transaction that began the steps sees their marks.
        if marked { Ok(()) } else { Err(gone(&self.steps)) }
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

    /// Begins a transaction that is never committed: it has no steps. [`LiveTarget::reset`] ends it.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub(super) async fn begin_trial(&mut self) -> Result<(), Error> {
        self.reset().await;
        self.steps.clear();
        self.session().await?.run("BEGIN").await?;
        self.in_transaction = true;
        Ok(())
    }

    /// Begins to write a part of a table, within the transaction.
    pub(super) async fn begin_part(&mut self, table: &Table, range: &CopyRange) -> Result<(), Error> {
        if freezes(table, range) {
            self.session().await?.run(&truncate(table)).await?;
        }
        self.copy(&table.into, &copy_in(table, range)).await
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

    /// Truncates tables where `COPY … FREEZE` wants that, and has the COPY of each understood, in one way there and back.
    pub(super) async fn prepare(
        &mut self,
        tables: &[(&Table, &CopyRange)],
    ) -> Result<Vec<tokio_postgres::Statement>, Error> {
        let first = tables.iter().filter(|(table, range)| freezes(table, range));
        let first: Vec<String> = first.map(|(table, _)| truncate(table)).collect();
        let copies: Vec<(Relation, String)> =
            tables.iter().map(|(table, range)| (table.into.clone(), copy_in(table, range))).collect();
        self.understood(&first.join("; "), &copies).await
    }

    /// Runs `first`, and has the COPY of each table understood, in one way there and back.
    pub(super) async fn understood(
        &mut self,
        first: &str,
        copies: &[(Relation, String)],
    ) -> Result<Vec<tokio_postgres::Statement>, Error> {
        let session = self.session().await?;
        // Sent in this order, before anything is answered.
        let sends = copies.iter().map(|(_, copy)| session.client().prepare(copy));
        let (ran, answers) = future::join(session.run(first), future::join_all(sends)).await;
        ran?;
        let of = |((table, _), copy): (&(Relation, String), Result<_, tokio_postgres::Error>)| {
            copy.map_err(|error| refused(table, "target", &error))
        };
        copies.iter().zip(answers).map(of).collect()
    }

    /// Ends the COPY that is under way, if one is, and begins `next`, in one way there and back; the rows of the one that
    /// has ended.
    pub(super) async fn turn_to(
        &mut self,
        next: Option<(&Relation, &tokio_postgres::Statement)>,
    ) -> Result<u64, Error> {
        let sink = self.sink.take();
        let client = self.session().await?.client();
        let ended = async {
            match sink {
                Some(mut sink) => sink.as_mut().finish().await,
                None => Ok(0),
            }
        };
        let begun = async {
            match next {
                Some((_, copy)) => client.copy_in(copy).await.map(Some),
                None => Ok(None),
            }
        };
        let (ended, begun) = future::join(ended, begun).await;
        let rows = ended.map_err(|error| refused(&self.table, "target", &error))?;
        if let Some((table, _)) = next {
            self.table = table.clone();
        }
        let begun = begun.map_err(|error| refused(&self.table, "target", &error))?;
        self.sink = begun.map(Box::pin);
        Ok(rows)
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
        if !self.transaction(&[range.step(table)]).await? {
            return Ok(false);
        }
        self.begin_part(table, range).await?;
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

    async fn commit(&mut self, expected: Option<u64>) -> Result<u64, Error> {
        let rows = self.copied().await?;
        check(&self.table, expected, rows)?;
        self.end(&[rows]).await?;
        Ok(rows)
    }
}
