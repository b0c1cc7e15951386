//! A connection pooler between us and a server, found out by what it does.
//!
//! A server gives each connection a backend of its own. Two connections on one backend, a connection whose backend
//! changes, or a backend that is older than its connection: none of these happens without a pooler.

use std::time::Duration;

use super::{Connector, Session};
use crate::error::{Blocker, Error};

/// The check that a pooler of whole sessions fails; `--accept` takes it.
pub const SESSIONS: &str = "session-pooler";

/// What a pooler does with sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooler {
    /// Each transaction, or each statement, goes to any backend.
    Transactions,
    /// A connection keeps its backend, and the next one gets it afterwards.
    Sessions,
}

/// Pools give away what was given back last, or first, or anything: so often is asked.
const ROUNDS: usize = 3;
/// So often where each time takes a while; two sessions are asked then.
const SLOW_ROUNDS: usize = 2;
/// Another session may have all backends of a small pool.
const PATIENCE: Duration = Duration::from_secs(5);
/// A pooler needs a moment to take a backend back.
const GIVE_BACK: Duration = Duration::from_millis(100);

/// Looks for a pooler.
///
/// # Errors
/// When the server cannot be reached or refuses a question.
pub async fn find(connector: &Connector) -> Result<Option<Pooler>, Error> {
    if let Some(found) = transactions(connector).await? {
        return Ok(Some(found));
    }
    sessions(connector).await
}

/// Two sessions at once: does one of them change its backend, or do both have the same?
async fn transactions(connector: &Connector) -> Result<Option<Pooler>, Error> {
    const FOUND: Option<Pooler> = Some(Pooler::Transactions);

    let (one, other) = match tokio::time::timeout(PATIENCE, two(connector)).await {
        Ok(Ok(two)) => two,
        Ok(Err(error)) if error.to_string().contains("pooling mode") => return Ok(FOUND),
        Ok(Err(error)) => return Err(error),
        // Nothing can be said of a server that is slow to log in.
        Err(_) => return Ok(None),
    };
    let first = pid(&one).await?;
    for _ in 0..ROUNDS {
        match other.run("BEGIN").await {
            Err(error) if error.to_string().contains("pooling mode") => return Ok(FOUND),
            result => result?,
        }
        let busy = pid(&other).await?;
        if busy == first {
            return Ok(FOUND);
        }
        match tokio::time::timeout(PATIENCE, pid(&one)).await {
            Ok(now) => {
                if now? != first {
                    return Ok(FOUND);
                }
            }
            Err(_) => return Ok(None),
        }
        other.run("COMMIT").await?;
        // Next comes the backend that was given back last, or the one that has waited longest: of two, both are seen.
        for _ in 0..2 {
            if pid(&one).await? != first {
                return Ok(FOUND);
            }
        }
    }
    Ok(None)
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

async fn pid(session: &Session) -> Result<Option<String>, Error> {
    session.ask_one("SELECT pg_catalog.pg_backend_pid()").await
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

/// What to say of a pooler that was found.
#[must_use]
pub fn blocker(connector: &Connector, pooler: Pooler) -> Blocker {
    let side = connector.side().name();
    let endpoint = connector.endpoint();
    let mut next = match pooler {
        Pooler::Transactions => vec![
            "a migration needs sessions of its own: a snapshot, settings and COPY hold for one backend only".to_owned(),
        ],
        Pooler::Sessions => vec![
            "it keeps sessions apart, and still it ends long ones, makes ours wait for each other when its pool is \
             full, and hides a server that is gone"
                .to_owned(),
        ],
    };
    next.push(format!(
        "name the server itself with --{side}, not the pooler (PgBouncer's own port is often 6432)"
    ));
    if endpoint.to_string().contains("-pooler.") {
        next.push(
            "its host name has `-pooler` in it: the server's own is the same name without that".to_owned(),
        );
    }
    if pooler == Pooler::Sessions {
        next.push(format!("or go on as it is: --accept {SESSIONS}"));
    }
    Blocker {
        check: if pooler == Pooler::Sessions { SESSIONS } else { "pooler" },
        what: format!("there is a connection pooler in front of the {side} {endpoint}"),
        next,
    }
}
