//! A session on a server, and the questions that are asked in it.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::Client;

use super::row::{Question, Row};
use super::side::Side;
use super::stream::Streams;
use crate::error::{Error, Server};

/// How long a request to stop something may take.
pub(super) const CANCEL: std::time::Duration = std::time::Duration::from_secs(5);

pub(super) type Notices = Arc<Mutex<Vec<String>>>;

/// A connection that was made.
pub(super) struct Opened {
    pub(super) client: Client,
    pub(super) notices: Notices,
    /// What requests to stop it go through: as it does.
    pub(super) streams: Streams,
}

/// One session.
pub struct Session {
    pub(super) side: Side,
    pub(super) client: Client,
    pub(super) notices: Notices,
    pub(super) streams: Streams,
}

impl Session {
    /// Which server it is on.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Asks the server to stop what this session runs. What it answers comes to the one who waits for it.
    pub async fn cancel(&self) {
        // A session that is gone or idle has nothing to stop.
        let token = self.client.cancel_token();
        let _ = tokio::time::timeout(CANCEL, token.cancel_query(self.streams.clone())).await;
    }

    /// The driver's client.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Sends SQL of our own.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn run(&self, sql: &str) -> Result<(), Error> {
        self.client.batch_execute(sql).await.map_err(|error| self.failed(sql, &error))
    }

    /// Asks a question.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn ask(&self, sql: &str) -> Result<Vec<Row>, Error> {
        self.try_ask(sql).await.map_err(|error| self.failed(sql, &error))
    }

    /// Asks a question whose refusal is an answer too.
    pub(crate) async fn try_ask(&self, sql: &str) -> Result<Vec<Row>, tokio_postgres::Error> {
        let messages = self.client.simple_query(sql).await?;
        let question = Question { side: self.side, sql: crate::redact::statement(sql) };
        Ok(Row::all(question, &messages))
    }

    /// Asks a question that has exactly one row for an answer.
    ///
    /// # Errors
    /// When the server refuses it, or answers without a row.
    pub async fn ask_row(&self, sql: &str) -> Result<Row, Error> {
        self.ask(sql).await?.into_iter().next().ok_or_else(|| Error::Answer {
            side: self.side.name(),
            why: "it has no row".to_owned(),
            sql: crate::redact::statement(sql),
        })
    }

    /// Asks for a text.
    ///
    /// # Errors
    /// When the server refuses the question, or answers nothing or NULL.
    pub async fn ask_text(&self, sql: &str) -> Result<String, Error> {
        self.ask_row(sql).await?.text(0).map(str::to_owned)
    }

    /// Asks for a boolean.
    ///
    /// # Errors
    /// When the server refuses the question, or answers nothing, NULL or something else.
    pub async fn ask_flag(&self, sql: &str) -> Result<bool, Error> {
        self.ask_row(sql).await?.flag(0)
    }

    /// Asks for a list of texts.
    ///
    /// # Errors
    /// When the server refuses the question, or one of them is NULL.
    pub async fn ask_list<T: FromIterator<String>>(&self, sql: &str) -> Result<T, Error> {
        self.ask(sql).await?.iter().map(|row| row.text(0).map(str::to_owned)).collect()
    }

    /// Asks for one value; none where there is no row, or it is NULL.
    ///
    /// # Errors
    /// When the server refuses the question.
    pub async fn ask_one(&self, sql: &str) -> Result<Option<String>, Error> {
        match self.ask(sql).await?.first() {
            Some(row) => Ok(row.optional(0)?.map(str::to_owned)),
            None => Ok(None),
        }
    }

    /// What the server has said (warnings) since the last call.
    #[must_use]
    pub fn take_notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn failed(&self, sql: &str, error: &tokio_postgres::Error) -> Error {
        Error::Query {
            side: self.side.name(),
            sql: crate::redact::statement(sql),
            answer: Box::new(Server::new(error).to(sql)),
        }
    }
}
