//! The source as it was: its snapshot is what all sessions read, and its locks keep every table from being emptied or
//! rewritten, which a snapshot does not see.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::written::{self, Counts};
use crate::connect::pinned::LOCK_TIMEOUT;
use crate::connect::{Connector, Session};
use crate::engine::holder::{Holder, reader};
use crate::error::{Blocker, Error};
use crate::names::Relation;
use crate::progress::Progress;
use crate::tables::{self, Listing};
use crate::watch;

/// So many tables are locked in one statement.
const BATCH: usize = 500;

/// How often a table that was rewritten or altered in between makes us begin anew.
const TRIES: usize = 5;

/// How often a table that another session holds is asked for.
const LOCK_TRIES: u32 = 20;

/// Often enough that no firewall forgets the connection.
const PING: Duration = Duration::from_secs(30);

/// An exported snapshot.
pub(super) struct Snapshot {
    /// Its name, and the session that keeps it.
    pub(super) holder: Arc<Holder>,
    /// `pg_current_snapshot()`: which transactions it sees.
    pub(super) state: String,
    /// The tables it shows.
    pub(super) listing: Listing,
    /// Rows that had been written to each table.
    pub(super) writes: Counts,
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
        for attempt in 1..=TRIES {
            let session = source.open().await?;
            session
                .run(&format!(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL lock_timeout = {}",
                    lock_timeout.as_millis()
                ))
                .await?;
            let row = session
                .ask_row("SELECT pg_catalog.pg_export_snapshot(), pg_catalog.pg_current_snapshot()::text")
                .await?;
            let (name, state) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
            seen(source, &name).await?;
            // Catalogs that were read stay locked like tables: not for as long as the snapshot lives.
            session.run("SAVEPOINT names").await?;
            let mut tables = tables::names(&session).await?;
            session.run("ROLLBACK TO SAVEPOINT names").await?;
            tables.retain(|(_, table)| wanted(table));
            match lock(&session, &tables, progress).await {
                // A table went away after the snapshot was taken.
                Err(error) if error.code() == "42P01" => continue,
                result => result?,
            }
            session.run(&format!("SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")).await?;
            let oids: Vec<u32> = tables.iter().map(|(oid, _)| *oid).collect();
            let tables = tables.into_iter().map(|(oid, table)| (table, oid)).collect();
            let holder = Arc::new(Holder::new(session, name, tables).await?);
            // Now nobody can change them; before, somebody might have.
            let listing = tables::list(&*holder.turn().await?, Some(&oids)).await?;
            // Definitions that changed before the locks came are not what the snapshot shows, and `pg_dump` prints some of
            // them as they are now. Under changes that do not end the verification says what became of them.
            let definitions = definitions(&oids);
            let shown = holder.turn().await?.ask_row(&definitions).await?;
            let beside = source.open().await?;
            let is_same = shown.values() == beside.ask_row(&definitions).await?.values();
            let writes = written::counts(&beside).await?;
            holder.ping().await?;
            if listing.rewritten.is_empty() && (is_same || attempt == TRIES) {
                let ping = tokio::spawn(ping(holder.clone())).abort_handle();
                return Ok(Self { holder, state, listing, writes, ping });
            }
            if !listing.rewritten.is_empty() {
                last = listing.rewritten;
            }
        }
        let tables: Vec<String> = last.iter().take(5).map(ToString::to_string).collect();
        Err(Error::Refused {
            what: format!(
                "tables of the source are being rewritten, emptied or replaced again and again (VACUUM FULL, CLUSTER, \
                 TRUNCATE, ALTER TABLE): {}",
                tables.join(", ")
            ),
            next: vec!["wait for that to end, then start again".into()],
        })
    }
}

/// Whether another session sees the snapshot: each of them has to come to the same server.
async fn seen(source: &Connector, name: &str) -> Result<(), Error> {
    match reader(source, name).await {
        Err(Error::SnapshotLost) => {
            let Blocker { what, next, .. } = several();
            Err(Error::Refused { what, next })
        }
        result => result.map(drop),
    }
}

/// The source's address leads to more than one server.
fn several() -> Blocker {
    Blocker {
        check: "source-several-servers",
        what: "a second session of the source does not see the snapshot of the first".into(),
        next: vec![
            "name one server with --source: its address leads to several, such as a balancer of readers does"
                .into(),
        ],
    }
}

/// So many sessions look for a snapshot: of two servers each sees it with one half of the chances.
const LOOKS: usize = 3;

/// Tries before anything is planned whether other sessions see a snapshot of this one, which is in no transaction.
pub(super) async fn of_one_server(source: &Connector, session: &Session) -> Result<Option<Blocker>, Error> {
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
    let look = async {
        let name = session.ask_text("SELECT pg_catalog.pg_export_snapshot()").await?;
        for _ in 0..LOOKS {
            match reader(source, &name).await {
                Err(Error::SnapshotLost) => return Ok(Some(several())),
                result => result.map(drop)?,
            }
        }
        Ok(None)
    };
    let found = look.await;
    session.run("ROLLBACK").await?;
    found
}

/// A question whose answer is another one when columns, indexes, constraints, triggers or rules of these tables are.
fn definitions(oids: &[u32]) -> String {
    let oids = oids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let catalogs = [
        ("pg_attribute", "attrelid", "attnum"),
        ("pg_index", "indrelid", "indexrelid"),
        ("pg_constraint", "conrelid", "oid"),
        ("pg_trigger", "tgrelid", "oid"),
        ("pg_rewrite", "ev_class", "oid"),
    ];
    let sums = catalogs.map(|(catalog, table, row)| {
        format!(
            "(SELECT pg_catalog.sum(pg_catalog.hashtextextended(pg_catalog.concat_ws(':', {table}, {row}, xmin), 0)) \
             FROM pg_catalog.{catalog} WHERE {table} = ANY ('{{{oids}}}'::pg_catalog.oid[]))"
        )
    });
    format!("SELECT {}", sums.join(", "))
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        self.ping.abort();
    }
}

async fn ping(holder: Arc<Holder>) {
    loop {
        tokio::time::sleep(PING).await;
        if holder.ping().await.is_err() {
            return;
        }
    }
}

async fn lock(session: &Session, tables: &[(u32, Relation)], progress: &Progress) -> Result<(), Error> {
    for batch in tables.chunks(BATCH) {
        let names: Vec<String> = batch.iter().map(|(_, table)| table.sql()).collect();
        let sql = format!("LOCK TABLE ONLY {} IN ACCESS SHARE MODE", names.join(", ONLY "));
        let mut attempt = 0;
        loop {
            session.run("SAVEPOINT locks").await?;
            match session.run(&sql).await {
                Ok(()) => break session.run("RELEASE SAVEPOINT locks").await?,
                Err(error) if error.code() == "53200" => {
                    return Err(Error::Refused {
                        what: format!(
                            "the source has no room for the locks of {} tables: {}",
                            tables.len(),
                            error.answer().map(ToString::to_string).unwrap_or_default()
                        ),
                        next: vec![
                            "raise max_locks_per_transaction of the source (ALTER SYSTEM SET, then restart it); pg_dump \
                             needs the same"
                                .into(),
                        ],
                    });
                }
                Err(error) if error.code() == "55P03" => {
                    session.run("ROLLBACK TO SAVEPOINT locks; RELEASE SAVEPOINT locks").await?;
                    let holders = watch::holders(session, batch.iter().map(|(oid, _)| *oid)).await?;
                    attempt += 1;
                    if attempt > LOCK_TRIES {
                        return Err(held(&holders));
                    }
                    let pause = Duration::from_secs(u64::from(attempt.min(10)));
                    let who =
                        if holders.is_empty() { "another session".to_owned() } else { holders.join("; ") };
                    let why = format!("a table of the source is held by {who}");
                    progress.retry("lock", &why, pause, attempt, LOCK_TRIES);
                    tokio::time::sleep(pause).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Nobody lets us read.
fn held(holders: &[String]) -> Error {
    Error::Refused {
        what: format!(
            "tables of the source cannot be locked for reading: another session holds them{}{}",
            if holders.is_empty() { "" } else { ": " },
            holders.join("; ")
        ),
        next: vec![
            "wait for it, or end it (SELECT pg_terminate_backend(…) on the source), then start again".into(),
        ],
    }
}
