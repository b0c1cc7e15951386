//! The session that keeps the source as it was: its snapshot is what all others read, and its locks keep every table
//! from being emptied or rewritten, which a snapshot does not see.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::connect::{Connector, Session};
use crate::engine::table::{self, Listing, Relation};
use crate::error::Error;
use crate::progress::Progress;

/// So many tables are locked in one statement.
const BATCH: usize = 500;

/// How often a table that was rewritten in between makes us begin anew.
const TRIES: usize = 5;

/// Often enough that no firewall forgets the connection.
const PING: Duration = Duration::from_secs(30);

/// An exported snapshot.
pub(super) struct Snapshot {
    /// The name that other sessions take it by.
    pub(super) name: String,
    /// `pg_current_snapshot()`: which transactions it sees.
    pub(super) state: String,
    /// The tables it shows.
    pub(super) listing: Listing,
    session: Arc<Session>,
    ping: AbortHandle,
}

impl Snapshot {
    /// Takes a snapshot, and locks the tables that `wanted` names against being changed as a whole. The locks are those
    /// of `pg_dump`: nobody who reads or writes rows waits for them.
    pub(super) async fn take(
        source: &Connector,
        lock_timeout: Duration,
        progress: &Progress,
        wanted: impl Fn(&Relation) -> bool,
    ) -> Result<Self, Error> {
        let mut last = Vec::new();
        for _ in 0..TRIES {
            let session = source.open().await?;
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let row = session
                .ask("SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_snapshot()::text")
                .await?;
            let mut row = row.into_iter().flatten().flatten();
            let (name, state) = (row.next().unwrap_or_default(), row.next().unwrap_or_default());
            let mut listing = table::list(&session).await?;
            listing.tables.retain(|table| wanted(&table.relation));
            match lock(&session, &listing, lock_timeout, progress).await {
                // A table went away after the snapshot was taken.
                Err(error) if error.code() == "42P01" => continue,
                result => result?,
            }
            // Now nobody can; before, somebody might have.
            listing = table::list(&session).await?;
            listing.tables.retain(|table| wanted(&table.relation));
            listing.rewritten.retain(|table| wanted(table));
            if listing.rewritten.is_empty() {
                let session = Arc::new(session);
                let ping = tokio::spawn(ping(session.clone())).abort_handle();
                return Ok(Self { name, state, listing, session, ping });
            }
            last = listing.rewritten;
        }
        let tables: Vec<String> = last.iter().take(5).map(ToString::to_string).collect();
        Err(Error::Refused {
            what: format!(
                "tables of the source are being rewritten or emptied again and again (VACUUM FULL, CLUSTER, TRUNCATE, \
                 ALTER TABLE): {}",
                tables.join(", ")
            ),
            next: vec!["wait for that to end, then start again".into()],
        })
    }

    /// The session: in the snapshot's transaction.
    pub(super) fn session(&self) -> &Session {
        &self.session
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.ping.abort();
    }
}

async fn ping(session: Arc<Session>) {
    loop {
        tokio::time::sleep(PING).await;
        if session.run("SELECT 1").await.is_err() {
            return;
        }
    }
}

async fn lock(
    session: &Session,
    listing: &Listing,
    lock_timeout: Duration,
    progress: &Progress,
) -> Result<(), Error> {
    let names: Vec<String> = listing.tables.iter().map(|table| table.relation.sql()).collect();
    session.run(&format!("SET LOCAL lock_timeout = {}", lock_timeout.as_millis())).await?;
    for batch in names.chunks(BATCH) {
        let sql = format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", batch.join(", ONLY "));
        let mut attempt = 0;
        loop {
            session.run("SAVEPOINT locks").await?;
            match session.run(&sql).await {
                Ok(()) => break,
                Err(error) if error.code() == "53200" => {
                    return Err(Error::Refused {
                        what: format!(
                            "the source has no room for the locks of {} tables: {}",
                            names.len(),
                            error.answer().map(ToString::to_string).unwrap_or_default()
                        ),
                        next: vec![
                            "raise max_locks_per_transaction of the source (ALTER SYSTEM SET, then restart it); pg_dump \
                             needs the same"
                                .into(),
                        ],
                    });
                }
                Err(error) if error.code() == "55P03" && attempt < 20 => {
                    session.run("ROLLBACK TO SAVEPOINT locks").await?;
                    attempt += 1;
                    let pause = Duration::from_secs(attempt.min(10));
                    let why = "another session holds a table of the source for itself alone";
                    progress.retry("lock", why, pause, u32::try_from(attempt).unwrap_or(u32::MAX), 20);
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
    session.run("SET LOCAL lock_timeout = 0").await
}
