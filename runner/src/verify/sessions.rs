//! The sessions that a comparison reads in.

use std::sync::Arc;

use futures_util::future;

use crate::connect::{Connector, Row, Session, pinned};
use crate::engine::holder::Holder;
use crate::error::{Error, Server};
use crate::quote::literal;

/// How both servers are read: the source as it was when the data was read.
pub struct Sessions<'a> {
    /// The source.
    pub source: &'a Connector,
    /// The target.
    pub target: &'a Connector,
    /// The exported snapshot; its transaction is still open.
    pub snapshot: &'a str,
    /// The session that holds the locks of the source's tables, where one does.
    pub holder: Option<&'a Arc<Holder>>,
}

/// The two sessions that everything but rows is read in.
pub(super) struct SessionPair<'a> {
    pub(super) source: &'a Session,
    pub(super) target: &'a Session,
    /// The target's exported snapshot; empty where it exports none.
    pub(super) snapshot: &'a str,
}

pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A session that sees a server as an exported snapshot shows it, or as it is where there is none. Where another session
/// holds the locks (`held`), nothing is waited for long: what is locked is read there.
pub(super) async fn reader(connector: &Connector, snapshot: &str, held: bool) -> Result<Session, Error> {
    let session = connector.open().await?;
    let import = match snapshot {
        "" => String::new(),
        snapshot => format!("SET TRANSACTION SNAPSHOT {}", literal(snapshot)),
    };
    let lock = if held { "SET LOCAL lock_timeout = '2s'" } else { "" };
    session.run(&format!("{BEGIN}; {import}; {lock}; {}", pinned::views(false, false))).await?;
    Ok(session)
}

/// Asks the server's own catalogs within a transaction that goes on whatever the answer is. What the server refuses is an
/// answer; a session that is lost is an error.
pub(super) async fn attempt(session: &Session, sql: &str) -> Result<Result<Vec<Row>, Server>, Error> {
    // Sent in this order, before anything is answered.
    let (begun, answer, ended) =
        future::join3(session.run("SAVEPOINT attempt"), session.try_ask(sql), back(session)).await;
    begun?;
    ended?;
    Ok(answer.map_err(|error| Server::new(&error)))
}

/// Ends an attempt, whatever came of it.
pub(super) async fn back(session: &Session) -> Result<(), Error> {
    session.run("ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt").await
}

/// So often something is read again that another session keeps locked.
pub(super) const TRIES: u32 = 5;
