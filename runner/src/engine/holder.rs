//! The session that keeps the source's snapshot and holds the locks of its tables.
//!
//! Who changes a table as a whole (ALTER TABLE, TRUNCATE, VACUUM FULL, `drop_chunks`) waits for those locks, and whoever
//! asks for the table later waits behind: our own readers too. PostgreSQL sees no deadlock there, for the holder waits
//! for nobody. So readers never queue: one that does not get its lock at once reads through the holder, which has it.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::connect::{Connector, Session};
use crate::error::Error;
use crate::names::Relation;
use crate::quote::literal;

/// Whatever is done in a session that reads the snapshot is done after this savepoint: to roll back to it gives back
/// what was locked last, and an error costs neither the snapshot nor the locks that were taken before it.
pub const SAVEPOINT: &str = "part";

/// The session that keeps the snapshot.
pub struct Holder {
    snapshot: String,
    oids: BTreeMap<Relation, u32>,
    session: Session,
    turn: Arc<Mutex<()>>,
    null_batches: AtomicU64,
}

/// The holder's session, for one at a time.
pub struct Turn {
    holder: Arc<Holder>,
    _turn: OwnedMutexGuard<()>,
}

impl Holder {
    /// Takes over a session in whose transaction the snapshot was exported and the tables `oids` are locked.
    ///
    /// # Errors
    /// When the server refuses the savepoint.
    pub async fn new(
        session: Session,
        snapshot: String,
        oids: BTreeMap<Relation, u32>,
    ) -> Result<Self, Error> {
        session.run(&format!("SAVEPOINT {SAVEPOINT}")).await?;
        Ok(Self { snapshot, oids, session, turn: Arc::default(), null_batches: AtomicU64::new(0) })
    }

    /// The snapshot's name, by which other sessions take it.
    #[must_use]
    pub fn snapshot(&self) -> &str {
        &self.snapshot
    }

    /// The object id of a table that is locked.
    #[must_use]
    pub fn oid(&self, table: &Relation) -> Option<u32> {
        self.oids.get(table).copied()
    }

    /// Notes batches of compressed rows that went over as NULL.
    pub(super) fn add_null_batches(&self, batches: u64) {
        self.null_batches.fetch_add(batches, Ordering::Relaxed);
    }

    /// Batches of compressed rows, NULL throughout in a column, that went over as NULL.
    #[must_use]
    pub fn null_batches(&self) -> u64 {
        self.null_batches.load(Ordering::Relaxed)
    }

    /// The session has ended, and the snapshot with it.
    #[must_use]
    pub fn lost(&self) -> bool {
        self.session.client().is_closed()
    }

    /// Waits until nobody else reads through the session.
    ///
    /// # Errors
    /// [`Error::SnapshotLost`] where the session has ended.
    pub async fn turn(self: &Arc<Self>) -> Result<Turn, Error> {
        let turn = Turn { holder: self.clone(), _turn: self.turn.clone().lock_owned().await };
        let mut tries = 0;
        loop {
            match turn.run(&format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}")).await {
                _ if self.lost() => return Err(Error::SnapshotLost),
                // The one before was stopped, and the request comes late.
                Err(error) if error.code() == "57014" && tries < 3 => tries += 1,
                result => return result.map(|()| turn),
            }
        }
    }

    /// Sends something small, so that no firewall forgets the connection; nothing where it is in use.
    ///
    /// # Errors
    /// When the session has ended.
    pub async fn ping(&self) -> Result<(), Error> {
        match self.turn.try_lock() {
            Ok(_turn) => self.session.run(&format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}")).await,
            Err(_) => Ok(()),
        }
    }
}

impl Deref for Turn {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.holder.session
    }
}

/// Opens a session that sees the source as the snapshot does.
///
/// # Errors
/// [`Error::SnapshotLost`] where the session that keeps it has ended, or what the server answers.
pub async fn reader(source: &Connector, snapshot: &str) -> Result<Session, Error> {
    let session = source.open().await?;
    let sql = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT {}; SAVEPOINT {SAVEPOINT}",
        literal(snapshot)
    );
    match session.run(&sql).await {
        // `invalid snapshot identifier`, and from 17 on `snapshot … does not exist`.
        Err(error) if ["22023", "42704"].contains(&error.code()) => Err(Error::SnapshotLost),
        result => result.map(|()| session),
    }
}

/// Locks a table for reading, gives back the lock before it, and says under the lock whether the name still means the
/// table with this object id, and that it is no view: `t` or `f`. Names are looked up as they are now, not as the
/// snapshot shows them. With `wait`, others are waited for as long as `lock_timeout` says.
#[must_use]
pub fn lock_sql(table: &Relation, oid: u32, wait: bool) -> String {
    let name = table.sql();
    format!(
        "ROLLBACK TO SAVEPOINT {SAVEPOINT}; LOCK TABLE ONLY {name} IN ACCESS SHARE MODE{}; \
         SELECT coalesce(pg_catalog.to_regclass({})::pg_catalog.oid OPERATOR(pg_catalog.=) {oid} \
         AND pg_catalog.pg_relation_filenode({oid}) IS NOT NULL, false)",
        if wait { "" } else { " NOWAIT" },
        literal(&name)
    )
}

/// A table's name means something else than it did.
#[must_use]
pub fn replaced(table: &Relation) -> Error {
    Error::Refused {
        what: format!(
            "{table} of the source is not the table that was listed: it was dropped, renamed or replaced"
        ),
        next: vec![
            "find out who did it; then begin anew: tsmigrate cleanup --drop-target, and the same command"
                .into(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_had_at_once_or_not_at_all_and_the_name_is_asked_under_it() {
        let table = Relation::new("s", "t'\"");
        let sql = lock_sql(&table, 7, false);
        assert!(
            sql.contains("LOCK TABLE ONLY \"s\".\"t'\"\"\" IN ACCESS SHARE MODE NOWAIT; SELECT"),
            "{sql}"
        );
        assert!(sql.contains("to_regclass('\"s\".\"t''\"\"\"')"), "{sql}");
        assert!(!lock_sql(&table, 7, true).contains("NOWAIT"));
    }
}
