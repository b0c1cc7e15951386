//! A connection pooler between us and a server, found out by what it does.
//!
//! A server gives each connection a backend of its own. Two connections on one backend, a connection whose backend
//! changes, or a backend that is older than its connection: none of these happens without a pooler.

use std::time::Duration;

use super::backends::PATIENCE;
pub use super::backends::{Pooler, SESSIONS, blocker};
use super::{Connector, Session};
use crate::error::Error;

/// So often is asked where each time takes a while; two sessions are asked then.
const SLOW_ROUNDS: usize = 2;
/// A pooler needs a moment to take a backend back.
const GIVE_BACK: Duration = Duration::from_millis(100);

/// Looks for a pooler.
///
/// # Errors
/// When the server cannot be reached or refuses a question.
pub async fn find(connector: &Connector) -> Result<Option<Pooler>, Error> {
    match Box::pin(connector.pooler_of_transactions()).await? {
        Some(found) => Ok(Some(found)),
        None => sessions(connector).await,
    }
}

async fn two(connector: &Connector) -> Result<(Session, Session), Error> {
    tokio::try_join!(connector.open(), connector.open())
}

/// Two sessions, or one where a pool has no more.
async fn up_to_two(connector: &Connector) -> Result<Vec<Session>, Error> {
    match tokio::time::timeout(PATIENCE, two(connector)).await {
        Ok(two) => two.map(|(one, other)| vec![one, other]),
        Err(_) => Ok(vec![connector.open().await?]),
    }
}

/// Sessions after others: is a later one's backend older than the end of those before?
async fn sessions(connector: &Connector) -> Result<Option<Pooler>, Error> {
    for _ in 0..SLOW_ROUNDS {
        let before = up_to_two(connector).await?;
        let Some(first) = before.first() else { return Ok(None) };
        let now = first.ask_text("SELECT pg_catalog.clock_timestamp()").await?;
        drop(before);
        tokio::time::sleep(GIVE_BACK).await;
        let question = format!(
            "SELECT backend_start < {}::timestamptz FROM pg_catalog.pg_stat_activity \
             WHERE pid = pg_catalog.pg_backend_pid()",
            crate::quote::literal(&now)
        );
        for after in up_to_two(connector).await? {
            if after.ask_one(&question).await?.as_deref() == Some("t") {
                return Ok(Some(Pooler::Sessions));
            }
        }
    }
    Ok(None)
}
