//! What keeps objects of a database's users from running as us while we read its relations.
//!
//! We read as a superuser on the source and as the administrator on the target, and four things of a user's could answer:
//! a relation of the same name in place of the one that was listed, a column of another type with a cast of the user's,
//! a view's query, and functions that the planner calls. A [`Guard`] rules out the first three: it names the relation by
//! its object id and its columns by their types, and [`Guard::hold`] locks it and looks again, without planning anything.
//! `tableoid` tells tables from views, which have no such column. `FOLDING` knows the last: PostgreSQL simplifies the
//! expressions of a table's indexes, statistics and partition key whenever a query on the table is planned, and so calls
//! their immutable functions as whoever asks (`RelationGetIndexExpressions`, `get_relation_statistics`,
//! `RelationBuildPartitionKey`). COPY of a table plans nothing.
//!
//! What an owner creates after that look would be planned all the same. [`still`] keeps it out: parse analysis of DELETE
//! takes ROW EXCLUSIVE on a table or a materialized view (LOCK TABLE refuses those) until the transaction or its savepoint
//! ends, and CREATE INDEX waits for it (CREATE INDEX CONCURRENTLY leaves an index that is not valid, which the planner
//! skips). CREATE STATISTICS does not conflict with that lock, but writes `pg_statistic_ext`, which is locked as well; one
//! that has written and not yet committed is known by its lock of the relation. The DELETE is never run. Where others
//! inherit from a relation that is read with them, SHARE UPDATE EXCLUSIVE on all of them keeps ATTACH PARTITION out too.

use futures_util::future;

use crate::connect::{Row, Session, Side};
use crate::error::Server;
use crate::quote::identifier;

/// Of the relation `{oid}` and all that inherits from it: functions of users in expressions that planning simplifies.
/// Trusted are functions of superusers and of the user who asks. Operators count as their functions.
const FOLDING: &str = "EXISTS (
  WITH RECURSIVE tree(oid) AS (
    SELECT {oid}::pg_catalog.oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON i.inhparent = t.oid),
  object(class, oid) AS (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, t.oid FROM tree t
    UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, i.indexrelid
    FROM tree t JOIN pg_catalog.pg_index i ON i.indrelid = t.oid WHERE i.indexprs IS NOT NULL OR i.indpred IS NOT NULL
    UNION ALL SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid
    FROM tree t JOIN pg_catalog.pg_statistic_ext s ON s.stxrelid = t.oid)
  SELECT FROM object x, LATERAL (
    SELECT coalesce(o.oprcode::pg_catalog.oid, d.refobjid) AS function FROM pg_catalog.pg_depend d
    LEFT JOIN pg_catalog.pg_operator o
      ON d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = d.refobjid
    WHERE d.classid = x.class AND d.objid = x.oid AND d.refclassid IN
      ('pg_catalog.pg_operator'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)
    OFFSET 0) f
  JOIN pg_catalog.pg_proc p ON p.oid = f.function
  JOIN pg_catalog.pg_roles r ON r.oid = p.proowner AND NOT r.rolsuper AND r.rolname <> current_user)";

/// Of the relation `{oid}` and all that inherits from it: one whose owner, who may create indexes and statistics at any
/// time, is no superuser and not the user who asks.
const OWNED: &str = "EXISTS (
  WITH RECURSIVE tree(oid) AS (
    SELECT {oid}::pg_catalog.oid UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree t ON i.inhparent = t.oid)
  SELECT FROM tree t JOIN pg_catalog.pg_class c ON c.oid = t.oid
  JOIN pg_catalog.pg_roles r ON r.oid = c.relowner AND NOT r.rolsuper AND r.rolname <> current_user)";

/// For a list of all relations, what [`folded`] and `owned` are for few: begins a query that joins `folded` and `owned` by
/// their `oid`. They go from functions and owners up to tables, and to what those inherit from: a look down at all that
/// inherits from each takes hours where a hypertable has 100,000 chunks.
pub const FOLDED_AND_OWNED: &str = "
WITH RECURSIVE function(oid) AS (
  SELECT p.oid FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_roles r ON r.oid = p.proowner AND NOT r.rolsuper AND r.rolname <> current_user),
object(class, oid) AS (
  SELECT d.classid, d.objid FROM function f
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.refobjid = f.oid
  UNION ALL SELECT d.classid, d.objid FROM function f
  JOIN pg_catalog.pg_operator o ON o.oprcode::pg_catalog.oid = f.oid
  JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND d.refobjid = o.oid),
folded(oid) AS (
  (SELECT x.oid FROM object x WHERE x.class = 'pg_catalog.pg_class'::pg_catalog.regclass
   UNION ALL SELECT i.indrelid FROM object x JOIN pg_catalog.pg_index i ON i.indexrelid = x.oid
   WHERE x.class = 'pg_catalog.pg_class'::pg_catalog.regclass AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
   UNION ALL SELECT s.stxrelid FROM object x JOIN pg_catalog.pg_statistic_ext s ON s.oid = x.oid
   WHERE x.class = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass)
  UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN folded f ON i.inhrelid = f.oid),
owned(oid) AS (
  SELECT c.oid FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_roles r ON r.oid = c.relowner AND NOT r.rolsuper AND r.rolname <> current_user
  WHERE c.relkind IN ('r', 'p', 'f')
  UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN owned o ON i.inhrelid = o.oid)";

/// A condition that is true where users own a relation or what inherits from it. `oid` is an expression.
fn owned(oid: &str) -> String {
    OWNED.replace("{oid}", oid)
}

/// A condition that is true where [`still`] can keep owners of relations from creating what [`folded`] looks for: a superuser
/// can, for nobody else may lock `pg_statistic_ext`; on a standby nobody can.
pub const LOCKS_OWNERS_OUT: &str = "pg_catalog.has_table_privilege('pg_catalog.pg_statistic_ext', 'UPDATE')
    AND NOT pg_catalog.pg_is_in_recovery()";

/// A condition that is true where planning a query on a relation would call functions of users. `oid` is an expression.
#[must_use]
pub fn folded(oid: &str) -> String {
    FOLDING.replace("{oid}", oid)
}

/// A relation as it was listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Its name as SQL writes it, with ONLY where only it is read.
    pub from: String,
    /// Its object id.
    pub oid: u32,
    /// The columns that are read, with the ids of their types. An id of 0 is any type: PostgreSQL describes a domain by
    /// the type below it, and what reads the column takes every type.
    pub columns: Vec<(String, u32)>,
    /// Nothing inherits from it, though it is read without ONLY: a chunk.
    pub alone: bool,
}

impl Guard {
    /// A sequence, by its name as SQL writes it.
    #[must_use]
    pub fn of_sequence(from: &str, oid: u32) -> Self {
        // int8, bool
        let columns = vec![("last_value".to_owned(), 20), ("is_called".to_owned(), 16)];
        Self { from: from.to_owned(), oid, columns, alone: true }
    }

    /// The question that locks the relation, and whose description tells what it is.
    fn question(&self) -> String {
        let columns = self.columns.iter().map(|(name, _)| identifier(name));
        let columns: Vec<_> = std::iter::once("tableoid".to_owned()).chain(columns).collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.from)
    }

    /// Its lock lets others have the one that CREATE STATISTICS takes.
    fn shares(&self) -> bool {
        self.from.starts_with("ONLY ") || self.alone
    }

    /// The statements that keep others from creating indexes and statistics on it, or from attaching partitions.
    fn lock(&self) -> String {
        if self.shares() {
            format!("PREPARE tsmigrate_lock AS DELETE FROM {}; DEALLOCATE tsmigrate_lock", self.from)
        } else {
            format!("LOCK TABLE {} IN SHARE UPDATE EXCLUSIVE MODE", self.from)
        }
    }

    fn is(&self, found: &tokio_postgres::Statement) -> bool {
        let mut columns = found.columns().iter();
        let same = columns.next().is_some_and(|first| first.table_oid() == Some(self.oid));
        same && self.columns.iter().zip(columns).all(|((_, wanted), found)| {
            found.table_oid() == Some(self.oid) && (*wanted == 0 || found.type_().oid() == *wanted)
        })
    }

    /// Locks the relation until the transaction or its savepoint ends, and looks whether it is still what was listed. Sent
    /// behind `first`, without waiting for its answer. Nothing of the relation runs: the question is parsed, not planned.
    ///
    /// # Errors
    /// What the server answers; code `42P01` where the name stands for something else by now.
    pub async fn hold(&self, session: &Session, first: &str) -> Result<(), Server> {
        Self::hold_all(std::slice::from_ref(self), session, first).await
    }

    /// The same for several.
    ///
    /// # Errors
    /// As [`Guard::hold`].
    pub async fn hold_all(guards: &[Self], session: &Session, first: &str) -> Result<(), Server> {
        let questions: Vec<String> = guards.iter().map(Self::question).collect();
        let client = session.client();
        // The driver sends in the order of the first poll.
        let descriptions = future::join_all(questions.iter().map(|question| client.prepare(question)));
        let (before, found) = future::join(client.batch_execute(first), descriptions).await;
        before.map_err(|error| Server::new(&error))?;
        for (guard, found) in guards.iter().zip(found) {
            let found = found.map_err(|error| Server::new(&error))?;
            if !guard.is(&found) {
                return Err(Server {
                    code: "42P01".into(),
                    message: format!("{} is not the relation any more that was listed", guard.from),
                    ..Server::default()
                });
            }
        }
        Ok(())
    }
}

/// A question with a row where another session may have created statistics on one of these relations and not yet
/// committed: it keeps its lock of the relation until then, though not that of `pg_statistic_ext`. To be asked when that
/// catalog is locked, and before the look at what there is. Our own sessions, which nobody else can log in as, lock chunks
/// in that mode while they read the hypertable.
#[must_use]
pub fn creating(oids: &[u32]) -> String {
    let oids: Vec<String> = std::iter::once("0".to_owned()).chain(oids.iter().map(u32::to_string)).collect();
    format!(
        "SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database \
         LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
         WHERE l.granted AND d.datname = pg_catalog.current_database() AND l.mode = 'ShareUpdateExclusiveLock' \
         AND l.relation IN ({}) AND a.backend_type IS DISTINCT FROM 'autovacuum worker' \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity o WHERE o.pid = pg_catalog.pg_backend_pid() \
         AND (o.usesysid, o.application_name) = (a.usesysid, a.application_name)) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_vacuum v WHERE v.pid = l.pid) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index i WHERE i.pid = l.pid \
         AND i.command LIKE '%CONCURRENTLY') LIMIT 1",
        oids.join(", ")
    )
}

/// A condition that is true of the row `c` of `pg_class` in a session's snapshot where the table has been rewritten or
/// emptied since: the snapshot sees none of its rows.
pub const REWRITTEN: &str = "c.relfilenode IS DISTINCT FROM pg_catalog.pg_relation_filenode(c.oid)";

/// A question for a session's snapshot while these relations are locked. It has a row for each table, of those that inherit
/// from them too, that was rewritten or emptied after the snapshot was taken: the snapshot sees none of its rows.
#[must_use]
pub fn unseen(guards: &[Guard]) -> String {
    let oids: Vec<String> = guards.iter().map(|guard| format!("({}::pg_catalog.oid)", guard.oid)).collect();
    format!(
        "WITH RECURSIVE tree(oid) AS (VALUES {} UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i \
         JOIN tree t ON i.inhparent = t.oid) \
         SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM tree t \
         JOIN pg_catalog.pg_class c ON c.oid = t.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'r' AND {REWRITTEN} LIMIT 1",
        if oids.is_empty() { "(0::pg_catalog.oid)".to_owned() } else { oids.join(", ") }
    )
}

/// The code of an answer that says nothing, for the snapshot does not see the rows.
pub const UNSEEN: &str = "unseen";

/// What planning a query on relations would call that belongs to users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plans {
    /// Functions of users, now.
    CallsUsers,
    /// Nothing now; their owners, who are users, may add some at any time.
    OwnersMayAdd,
    /// Nothing, and nobody but the user who asks and superusers may add some.
    Nothing,
}

impl Plans {
    /// The question, of the relations with these object ids; for a session that sees the server as it is now.
    #[must_use]
    pub fn question(oids: &[u32]) -> String {
        let values: Vec<_> = oids.iter().map(|oid| format!("({oid}::pg_catalog.oid)")).collect();
        format!(
            "SELECT pg_catalog.bool_or({}), pg_catalog.bool_or({}) FROM (VALUES {}) g(oid)",
            folded("g.oid"),
            owned("g.oid"),
            if values.is_empty() { "(0::pg_catalog.oid)".to_owned() } else { values.join(", ") }
        )
    }

    /// The answer; the worst where there is none.
    #[must_use]
    pub fn answer(rows: &[Row]) -> Self {
        match rows.first().map(Row::values) {
            Some([Some(folded), Some(owned)]) if folded == "f" && owned == "f" => Self::Nothing,
            Some([Some(folded), Some(_)]) if folded == "f" => Self::OwnersMayAdd,
            _ => Self::CallsUsers,
        }
    }
}

/// Others wait this long for what a query of ours keeps locked, and we for them.
const WAIT: &str = "500ms";

/// Keeps these relations as they are until the transaction or its savepoint ends, where users own one of them and so could
/// create an index or statistics between our look and our question. `watch` is a session that sees the server as it is
/// now. True where locks were taken, false where none are needed. The relations are held already.
///
/// # Errors
/// Why the planner must not be asked: it would call functions of users, or nobody can be kept from creating such indexes.
pub async fn still(guards: &[Guard], session: &Session, watch: &Session) -> Result<bool, Server> {
    let ids: Vec<u32> = guards.iter().map(|guard| guard.oid).collect();
    let look = async || {
        let rows = watch.try_ask(&Plans::question(&ids)).await.map_err(|error| Server::new(&error))?;
        Ok::<_, Server>(Plans::answer(&rows))
    };
    match look().await? {
        Plans::CallsUsers => return Err(refused(CALLS)),
        Plans::Nothing => return Ok(false),
        Plans::OwnersMayAdd => {}
    }
    // The administrator of a service may not lock a catalog.
    let statistics = match session.side() {
        Side::Source => "; LOCK TABLE pg_catalog.pg_statistic_ext IN SHARE MODE",
        Side::Target => "",
    };
    let locks: Vec<_> = guards.iter().map(Guard::lock).collect();
    let sql = format!("SAVEPOINT still; SET LOCAL lock_timeout = '{WAIT}'; {}{statistics}", locks.join("; "));
    if let Err(error) = session.client().batch_execute(&sql).await {
        let error = Server::new(&error);
        session
            .client()
            .batch_execute("ROLLBACK TO SAVEPOINT still")
            .await
            .map_err(|error| Server::new(&error))?;
        return match error.code.as_str() {
            // Who has not the privilege to lock partitions on a service.
            "42501" if session.side() == Side::Target => Ok(false),
            _ => Err(refused(&format!("{OWNERS}: {}", error.message))),
        };
    }
    if session.side() == Side::Source {
        let shared: Vec<u32> = guards.iter().filter(|guard| guard.shares()).map(|guard| guard.oid).collect();
        let others = watch.try_ask(&creating(&shared)).await.map_err(|error| Server::new(&error))?;
        if !others.is_empty() {
            return Err(refused(&format!("{OWNERS}: another session is about to")));
        }
    }
    match look().await? {
        Plans::CallsUsers => Err(refused(CALLS)),
        Plans::OwnersMayAdd | Plans::Nothing => Ok(true),
    }
}

const CALLS: &str = "planning a query would call functions of its indexes, statistics or partition key, \
                     which belong to users, as us";
const OWNERS: &str = "its owner, who is no superuser, cannot be kept from creating indexes while it is read";

/// Waits until somebody waits for what [`still`] has locked, and stops the query of the server's process `pid` then.
///
/// # Errors
/// When the server does not say who waits.
pub async fn stop_for_others(guards: &[Guard], pid: i32, watch: &Session) -> Result<(), Server> {
    let ids: Vec<_> = guards.iter().map(|guard| guard.oid.to_string()).collect();
    let question = format!(
        "SELECT FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_database d ON d.oid = l.database \
         WHERE NOT l.granted AND d.datname = pg_catalog.current_database() \
         AND l.mode IN ('RowExclusiveLock', 'ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock') \
         AND l.relation IN ('pg_catalog.pg_statistic_ext'::pg_catalog.regclass, {}) LIMIT 1",
        ids.join(", ")
    );
    loop {
        tokio::time::sleep(LOOK).await;
        let others = watch.try_ask(&question).await.map_err(|error| Server::new(&error))?;
        if !others.is_empty() {
            // When this is answered the process has been told: it stops nothing that is asked later, as a request through
            // a connection of its own can.
            let stop = format!("SELECT pg_catalog.pg_cancel_backend({pid})");
            return watch.try_ask(&stop).await.map(drop).map_err(|error| Server::new(&error));
        }
    }
}

/// So often is looked for others who wait.
const LOOK: std::time::Duration = std::time::Duration::from_millis(500);

/// The code of our own refusal to plan a query.
pub const FOLDED: &str = "folded";

/// Our own refusal to plan a query.
#[must_use]
pub fn refused(why: &str) -> Server {
    Server { code: FOLDED.into(), message: why.to_owned(), ..Server::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_names_every_column_and_reads_none() {
        let columns = vec![("a".to_owned(), 23), ("B\"".to_owned(), 0)];
        let guard = Guard { from: "ONLY \"s\".\"t\"".into(), oid: 7, columns, alone: false };
        assert_eq!(guard.question(), "SELECT tableoid, \"a\", \"B\"\"\" FROM ONLY \"s\".\"t\"");
    }

    #[test]
    fn the_condition_is_about_the_relation_that_is_asked_for() {
        let condition = folded("c.oid");
        assert!(condition.contains("SELECT c.oid::pg_catalog.oid") && !condition.contains('{'));
    }
}
