//! Sessions on the two servers.

mod passfile;
mod tls;
pub mod uri;

use std::sync::{Arc, Mutex, PoisonError};

use tokio_postgres::{AsyncMessage, CancelToken, Client};
use tokio_postgres_rustls::MakeRustlsConnect;

pub use uri::Endpoint;

use crate::error::{Error, Server};

/// Which of the two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The server that is read.
    Source,
    /// The server that is written.
    Target,
}

impl Side {
    /// `source` or `target`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// How a server is reached, checked once and used for every session.
#[derive(Clone)]
pub struct Connector {
    side: Side,
    endpoint: Endpoint,
    config: tokio_postgres::Config,
    tls: MakeRustlsConnect,
    running: Arc<Mutex<Vec<CancelToken>>>,
}

impl Connector {
    /// Reads a connection string.
    ///
    /// # Errors
    /// When it cannot be read, or names certificates that cannot.
    pub fn new(side: Side, uri: &str) -> Result<Self, Error> {
        let endpoint = Endpoint::parse(side.name(), uri)?;
        let mut config = endpoint.driver(side.name())?;
        let (mode, tls) = tls::connector(side.name(), &endpoint)?;
        config.ssl_mode(mode).application_name("tsmigrate");
        if endpoint.get("connect_timeout").is_none() {
            config.connect_timeout(std::time::Duration::from_secs(30));
        }
        Ok(Self { side, endpoint, config, tls, running: Arc::default() })
    }

    /// Names the sessions that are opened from now on, as `pg_stat_activity` shows them.
    pub fn named(&mut self, name: &str) {
        self.config.application_name(name);
    }

    /// Which server this is.
    #[must_use]
    pub fn side(&self) -> Side {
        self.side
    }

    /// Where the server is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Opens a session with the settings every session of ours needs.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses the login.
    pub async fn open(&self) -> Result<Session, Error> {
        let refused = |error: tokio_postgres::Error| Error::Connect {
            side: self.side.name(),
            endpoint: self.endpoint.to_string(),
            why: Server::new(&error),
        };
        let (client, mut connection) = self.config.connect(self.tls.clone()).await.map_err(refused)?;
        let notices: Notices = Arc::default();
        let sink = notices.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = std::future::poll_fn(|cx| connection.poll_message(cx)).await {
                if let AsyncMessage::Notice(notice) = message {
                    let text = format!("{}: {}", notice.severity(), notice.message());
                    sink.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                }
            }
        });
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push(client.cancel_token());
        let session = Session { side: self.side, client, notices, tls: self.tls.clone() };
        session
            .run(
                "SET statement_timeout = 0; SET lock_timeout = 0; SET idle_in_transaction_session_timeout = 0; \
                 SET default_transaction_read_only = off; SET client_min_messages = warning; SET search_path = ''; SET client_encoding = 'UTF8'; \
                 SET row_security = off; SET DateStyle = ISO; SET IntervalStyle = postgres; SET extra_float_digits = 3",
            )
            .await?;
        Ok(session)
    }

    /// Asks the server to stop whatever our sessions run, so that nothing goes on after we have ended.
    pub async fn cancel_all(&self) {
        let tokens = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for token in tokens {
            // A session that is gone or idle has nothing to stop: the answer does not matter.
            let _ = tokio::time::timeout(CANCEL, token.cancel_query(self.tls.clone())).await;
        }
    }
}

/// How long a request to stop something may take.
const CANCEL: std::time::Duration = std::time::Duration::from_secs(5);

type Notices = Arc<Mutex<Vec<String>>>;

/// One session.
pub struct Session {
    side: Side,
    client: Client,
    notices: Notices,
    tls: MakeRustlsConnect,
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
        let _ = tokio::time::timeout(CANCEL, token.cancel_query(self.tls.clone())).await;
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

    /// Asks a question; every value comes as the server's text, NULL as `None`.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn ask(&self, sql: &str) -> Result<Vec<Vec<Option<String>>>, Error> {
        let messages = self.client.simple_query(sql).await.map_err(|error| self.failed(sql, &error))?;
        Ok(messages
            .into_iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|i| row.get(i).map(str::to_owned)).collect())
                }
                _ => None,
            })
            .collect())
    }

    /// Asks for one value.
    ///
    /// # Errors
    /// When the server refuses the question.
    pub async fn ask_one(&self, sql: &str) -> Result<Option<String>, Error> {
        Ok(self.ask(sql).await?.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
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
            answer: Server::new(error),
        }
    }
}

/// `text` as an SQL string literal.
#[must_use]
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if text.contains('\\') { format!(" E'{}'", quoted.replace('\\', r"\\")) } else { format!("'{quoted}'") }
}

/// `name` as an SQL identifier.
#[must_use]
pub fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
