//! Parts of tables are read by a query, and planning that must call no functions of users as us (see [`crate::guard`]).

use crate::connect::{Connector, Session};
use crate::error::{Error, is_locked};
use crate::guard::{self, Plans};
use crate::names::Relation;
use crate::progress::{Progress, Wait};
use crate::tables::Table;
use crate::tables::range::CopyRange;
use crate::watch;

/// After so long a table is asked for once more that another session keeps locked.
pub(super) const PAUSE: std::time::Duration = std::time::Duration::from_secs(1);

/// So often: half an hour.
pub(super) const TRIES: u32 = 1200;

/// Shorter than `deadlock_timeout`: nobody's session is ended for a lock that we can ask for again.
pub(super) const WAIT: &str = "SET LOCAL lock_timeout = '250ms'";

/// The COPY that reads a part.
pub(super) fn copy_out(table: &Table, range: &CopyRange) -> String {
    let name = table.on_source().sql();
    let format = table.format.name();
    let columns = if table.columns.is_empty() { String::new() } else { format!(" ({})", table.columns) };
    match range.blocks {
        None => format!("COPY {name}{columns} TO STDOUT (FORMAT {format})"),
        Some((from, to)) => {
            let end = to.map(|to| format!(" AND ctid < '({to},0)'::pg_catalog.tid")).unwrap_or_default();
            format!(
                "COPY (SELECT {} FROM ONLY {name} WHERE ctid >= '({from},0)'::pg_catalog.tid{end}) TO STDOUT (FORMAT {format})",
                table.columns
            )
        }
    }
}

/// Makes sure that planning to read a part of a table calls no functions of users as us, until the session that comes back
/// is dropped: its lock keeps indexes and statistics from being created. None where the lock is not to be had at once.
pub(super) async fn plannable(
    source: &Connector,
    table: &Relation,
    oid: u32,
) -> Result<Option<Session>, Error> {
    let session = source.open().await?;
    session.run(&format!("{BEGIN}; {WAIT}")).await?;
    match still(&session, &session, table, oid).await {
        Err(error) if is_locked(error.code()) => Ok(None),
        result => result.map(|still| still.then_some(session)),
    }
}

/// Who keeps a part from being read: sessions that create an index or statistics, or change either.
pub(super) async fn who(source: &Connector, oid: u32) -> Result<Vec<String>, Error> {
    watch::changing(&source.open().await?, source.name(), oid).await
}

/// Tells whom a part waits for, once for as long as they are the same.
pub(super) fn tell(
    waits: &mut Option<(Vec<String>, ShownWait)>,
    progress: &Progress,
    table: &Relation,
    who: Vec<String>,
) {
    if who.is_empty() || waits.as_ref().is_some_and(|(before, _)| *before == who) {
        return;
    }
    let why = format!("for who may be creating an index or statistics there: {}", who.join("; "));
    // What was told before is over first.
    *waits = None;
    *waits = Some((who, ShownWait(Some(progress.wait(&format!("source: a part of {table}"), &why)))));
}

/// A wait that is over when this is dropped.
pub(super) struct ShownWait(Option<Wait>);

impl Drop for ShownWait {
    fn drop(&mut self) {
        if let Some(wait) = self.0.take() {
            wait.over();
        }
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
    let look = async || Ok::<_, Error>(Plans::answer(&watch.ask(&Plans::question(&[oid])).await?));
    let mut plans = look().await?;
    if plans == Plans::OwnersMayAdd {
        let taken = format!(
            "LOCK TABLE ONLY {} IN ROW EXCLUSIVE MODE; LOCK TABLE pg_catalog.pg_statistic_ext IN SHARE MODE",
            table.sql()
        );
        session.run(&taken).await.map_err(|error| forbidden(table, error))?;
        if !watch.ask(&guard::creating(&[oid])).await?.is_empty() {
            return Ok(false);
        }
        plans = look().await?;
    }
    if plans != Plans::CallsUsers {
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

/// The run began as a superuser, who alone can keep users from that: without one, tables are divided into no parts.
fn forbidden(table: &Relation, error: Error) -> Error {
    // Not our table or catalog to lock; a standby.
    if !["42501", "25006"].contains(&error.code()) {
        return error;
    }
    Error::Refused {
        what: format!("parts of {table} cannot be read: {error}"),
        next: vec![
            "go on as the superuser that the run began with, by --source, and --resume".into(),
            "or start anew: such a table is read as a whole then".into(),
        ],
    }
}

/// Another session had the lock all the time.
pub(super) fn kept_locked(table: &Relation, who: &[String]) -> Error {
    let mut next: Vec<String> = who.iter().map(|who| format!("wait for it or end it: {who}")).collect();
    next.push("then the same command with --resume".into());
    Error::Refused {
        what: format!(
            "parts of {table} cannot be read: another session keeps it locked as who creates an index or statistics does"
        ),
        next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::format::Format;

    #[test]
    fn a_part_is_read_by_its_blocks() {
        let table = Table {
            from: None,
            relation: Relation::new("S", "t\"t"),
            into: Relation::new("S", "t\"t"),
            columns: "a, \"B\"".into(),
            blocks: 10,
            bytes: 0,
            rows: 0,
            ranges: true,
            format: Format::Binary,
            routed: false,
            null_batches: Vec::new(),
        };
        let range = |blocks| CopyRange { number: 0, of: 1, blocks, bytes: 0 };
        assert_eq!(
            copy_out(&table, &range(None)),
            "COPY \"S\".\"t\"\"t\" (a, \"B\") TO STDOUT (FORMAT binary)"
        );
        assert_eq!(
            copy_out(&table, &range(Some((5, Some(10))))),
            "COPY (SELECT a, \"B\" FROM ONLY \"S\".\"t\"\"t\" WHERE ctid >= '(5,0)'::pg_catalog.tid \
             AND ctid < '(10,0)'::pg_catalog.tid) TO STDOUT (FORMAT binary)"
        );
        assert!(copy_out(&table, &range(Some((5, None)))).contains("'(5,0)'::pg_catalog.tid) TO STDOUT"));
    }
}
