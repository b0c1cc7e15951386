//! Which backend of a server a session has: without a pooler in between each has one of its own.

use std::time::Duration;

use super::endpoint::Endpoint;
use super::session::Session;
use super::side::Side;
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
/// Another session may have all backends of a small pool.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Two sessions at once, in which nothing was set: does one of them change its backend, or do both have the same?
pub(super) async fn transactions(
    two: impl Future<Output = Result<(Session, Session), Error>>,
) -> Result<Option<Pooler>, Error> {
    let (one, other) = match tokio::time::timeout(PATIENCE, two).await {
        Ok(Ok(two)) => two,
        Ok(Err(error)) if is_pooler(&error) => return Ok(Some(Pooler::Transactions)),
        Ok(Err(error)) => return Err(error),
        // Nothing can be said of a server that is slow to log in.
        Err(_) => return Ok(None),
    };
    let found = between(&one, &other).await;
    // A backend that goes back in the middle of a transaction is closed.
    if matches!(found, Ok(Some(_))) {
        let _ = tokio::time::timeout(PATIENCE, other.run("ROLLBACK")).await;
    }
    found
}

async fn between(one: &Session, other: &Session) -> Result<Option<Pooler>, Error> {
    const FOUND: Option<Pooler> = Some(Pooler::Transactions);

    let first = pid(one).await?;
    for _ in 0..ROUNDS {
        match other.run("BEGIN").await {
            Err(error) if is_pooler(&error) => return Ok(FOUND),
            result => result?,
        }
        let busy = pid(other).await?;
        if busy == first {
            return Ok(FOUND);
        }
        match tokio::time::timeout(PATIENCE, pid(one)).await {
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
            if pid(one).await? != first {
                return Ok(FOUND);
            }
        }
    }
    Ok(None)
}

/// `PgBouncer` refuses what its mode cannot do with an SQLSTATE that says nothing of that (08P01, as for each error of its own).
/// So its words decide: "transaction blocks not allowed in statement pooling mode".
fn is_pooler(error: &Error) -> bool {
    error.to_string().contains("pooling mode")
}

async fn pid(session: &Session) -> Result<Option<String>, Error> {
    session.ask_one("SELECT pg_catalog.pg_backend_pid()").await
}

/// What to say of a pooler that was found.
#[must_use]
pub fn blocker(side: Side, endpoint: &Endpoint, pooler: Pooler) -> Blocker {
    let side = side.name();
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
