//! Parts of tables are read by a query, and planning that must call no functions of users as us (see [`crate::guard`]).

use crate::connect::{Connector, Session};
use crate::error::Error;
use crate::guard;
use crate::names::Relation;

/// After so long a table is asked for once more that another session keeps locked.
pub(super) const LOCKED: std::time::Duration = std::time::Duration::from_secs(1);

/// So often.
pub(super) const TRIES: u32 = 600;

/// Makes sure that planning to read a part of a table calls no functions of users as us, until the session that comes back
/// is dropped: its lock keeps indexes and statistics from being created. None where the lock is not to be had at once.
pub(super) async fn plannable(
    source: &Connector,
    table: &Relation,
    oid: u32,
) -> Result<Option<Session>, Error> {
    let session = source.open().await?;
    session.run(&format!("{BEGIN}; SET LOCAL lock_timeout = '1s'")).await?;
    match still(&session, &session, table, oid).await {
        Err(error) if error.code() == "55P03" => Ok(None),
        result => result.map(|still| still.then_some(session)),
    }
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY";

/// Locks a table against indexes and statistics in `session`, where its owner is a user, and looks at those that it has in
/// `watch`, which sees the server as it is now; false where another session may be creating some.
pub(super) async fn still(
    session: &Session,
    watch: &Session,
    table: &Relation,
    oid: u32,
) -> Result<bool, Error> {
    let look = async || -> Result<(bool, bool), Error> {
        let id = oid.to_string();
        let sql = format!("SELECT {}, {}", guard::folded(&id), guard::owned(&id));
        let row = watch.ask_row(&sql).await?;
        Ok((!row.flag(0)?, !row.flag(1)?))
    };
    let (mut plain, trusted) = look().await?;
    if plain && !trusted {
        session
            .run(&format!(
                "LOCK TABLE ONLY {} IN ROW EXCLUSIVE MODE; LOCK TABLE pg_catalog.pg_statistic_ext IN SHARE MODE",
                table.sql()
            ))
            .await?;
        if !watch.ask(&guard::creating(&[oid])).await?.is_empty() {
            return Ok(false);
        }
        (plain, _) = look().await?;
    }
    if plain {
        return Ok(true);
    }
    Err(Error::Refused {
        what: format!(
            "parts of {table} cannot be read: its indexes or statistics call a user's function by now"
        ),
        next: vec![
            "drop what was created there since the run began, then the same command with --resume".into(),
            "or start anew: such a table is read as a whole then".into(),
        ],
    })
}

/// Another session had the lock all the time.
pub(super) fn kept_locked(table: &Relation) -> Error {
    Error::Refused {
        what: format!(
            "parts of {table} cannot be read: another session keeps it locked as who creates an index or statistics does"
        ),
        next: vec!["wait for it or end it (pg_locks names it), then the same command with --resume".into()],
    }
}
