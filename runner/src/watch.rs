//! Who waits for whom: a session beside the others, that asks every two seconds which of ours wait for a lock and who
//! has it, and which sessions of others wait for ours. Both stand on the live display and in the log until they are over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::connect::{Connector, Session};
use crate::error::Error;
use crate::names::Relation;
use crate::progress::{Progress, Wait};
use crate::quote::{literal, quoted};
use crate::tools;

/// Seen twice in a row, a wait is told: none shorter than this is, and none that lasts twice as long is not.
const EVERY: Duration = Duration::from_millis(1500);

/// So much of a statement is shown, in characters.
const SHOWN: usize = 120;

/// Looks until it is dropped.
#[must_use]
pub struct Watch(AbortHandle);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a row `a` of `pg_stat_activity` tells of a process, as far as we may know it.
fn process(a: &str) -> String {
    format!(
        "{a}.pid, {a}.usename, {a}.application_name, {a}.state, \
         pg_catalog.to_char({a}.query_start AT TIME ZONE 'UTC', 'HH24:MI:SS'), {a}.query, {a}.backend_type"
    )
}

/// Watches this side. Where no session is to be had for it, nothing is told.
pub fn start(connector: &Connector, progress: &Progress) -> Watch {
    let (connector, progress) = (connector.clone(), progress.clone());
    let task = tokio::spawn(async move {
        let mut session = None;
        let mut shown = BTreeMap::new();
        let mut seen = BTreeSet::new();
        loop {
            tokio::time::sleep(EVERY).await;
            let asked = match session.take() {
                Some(open) => Ok(open),
                None => connector.open().await,
            };
            let Ok(open) = asked else { continue };
            let Ok(found) = waits(&open, connector.name()).await else { continue };
            // A statement that is sent again after its time is up has not gone on.
            let Ok(held) = held(&open, &found, &shown).await else { continue };
            session = Some(open);
            let ended: Vec<Key> = shown
                .keys()
                .filter(|key| !found.contains_key(key) && !held.contains(&key.2))
                .cloned()
                .collect();
            ended.iter().filter_map(|key| shown.remove(key)).for_each(Wait::over);
            for (key, found) in &found {
                if seen.contains(key) && !shown.contains_key(key) {
                    shown.insert(key.clone(), found.show(connector.side().name(), &progress));
                }
            }
            seen = found.into_keys().collect();
        }
    });
    Watch(task.abort_handle())
}

/// Who waits, and for whom. Ours that wait for one lock are one: the relation, and 0 for whichever of them it is.
type Key = (String, i32, i32);

/// Those of the processes that ours no longer wait for, which still have a lock that nobody else may have.
async fn held(
    session: &Session,
    found: &BTreeMap<Key, Found>,
    shown: &BTreeMap<Key, Wait>,
) -> Result<BTreeSet<i32>, Error> {
    let gone = shown.keys().filter(|key| key.1 == 0 && !found.contains_key(key));
    let gone: Vec<String> = gone.map(|key| key.2.to_string()).collect();
    if gone.is_empty() {
        return Ok(BTreeSet::new());
    }
    let question = format!(
        "SELECT DISTINCT coalesce(pid, 0) FROM pg_catalog.pg_locks WHERE locktype = 'relation' AND granted \
         AND mode = 'AccessExclusiveLock' AND coalesce(pid, 0) IN ({})",
        gone.join(", ")
    );
    let rows = session.ask(&question).await?;
    rows.iter().map(|row| row.number(0)).collect()
}

struct Found {
    ours: bool,
    relation: String,
    waits: Process,
    holds: Process,
}

/// A server's process.
struct Process {
    pid: i32,
    name: String,
    query: String,
}

impl Process {
    /// From the columns of [`process`]. A transaction that is prepared has no process: its number is 0.
    fn new(columns: &[Option<String>]) -> Self {
        let text = |column: usize| columns.get(column).and_then(Option::as_deref).unwrap_or_default();
        let pid = text(0).parse().unwrap_or_default();
        if pid == 0 {
            let name = "a prepared transaction (pg_prepared_xacts)".to_owned();
            return Self { pid, name, query: String::new() };
        }
        let known = [text(2), text(3)];
        let mut known: Vec<String> =
            known.into_iter().filter(|text| !text.is_empty()).map(str::to_owned).collect();
        if !["", "client backend"].contains(&text(6)) {
            known.push(text(6).to_owned());
        }
        if !text(4).is_empty() {
            known.push(format!("since {} UTC", text(4)));
        }
        let user = if text(1).is_empty() { String::new() } else { format!(" of {}", quoted(text(1))) };
        let known = if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) };
        Self { pid, name: format!("process {pid}{user}{known}"), query: short(text(5)) }
    }

    fn all(&self) -> String {
        if self.query.is_empty() { self.name.clone() } else { format!("{}: {}", self.name, self.query) }
    }
}

impl Found {
    fn show(&self, side: &str, progress: &Progress) -> Wait {
        let on = if self.relation.is_empty() { String::new() } else { format!(" of {}", self.relation) };
        let (waits, holds) = (&self.waits, &self.holds);
        if self.ours {
            let end = if holds.pid == 0 {
                String::new()
            } else {
                format!(". SELECT pg_terminate_backend({}) on the {side} ends it", holds.pid)
            };
            progress.wait(
                &format!("{side}: {}", waits.query),
                &format!("for a lock{on} that is another's, {}{end}", holds.all()),
            )
        } else {
            progress.wait(
                &format!("{side}: {}", waits.name),
                &format!(
                    "for this run's lock{on}, and whoever asks for the table now waits behind it: {}. It goes on when the \
                     run ends. SELECT pg_cancel_backend({}) on the {side} lets the others go on now",
                    waits.query, waits.pid
                ),
            )
        }
    }
}

/// A statement in one line, without what is secret.
fn short(query: &str) -> String {
    let shown = crate::redact::statement(query).split_whitespace().collect::<Vec<_>>().join(" ");
    crate::human::clip(&shown, SHOWN)
}

/// Waits between sessions of ours (they all have this name, those of `pg_dump` too) and of others.
async fn waits(session: &Session, name: &str) -> Result<BTreeMap<Key, Found>, Error> {
    let name = literal(name);
    let question = format!(
        "SELECT coalesce(w.application_name, '') = {name}, \
           (SELECT pg_catalog.min(l.relation::pg_catalog.regclass::pg_catalog.text) FROM pg_catalog.pg_locks l \
            WHERE l.pid = w.pid AND NOT l.granted), {}, {} \
         FROM pg_catalog.pg_stat_activity w CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(w.pid)) x(pid) \
         LEFT JOIN pg_catalog.pg_stat_activity b ON b.pid = x.pid \
         WHERE w.wait_event_type = 'Lock' AND w.datname = pg_catalog.current_database() \
         AND (coalesce(w.application_name, '') = {name}) <> (coalesce(b.application_name, '') = {name})",
        process("w"),
        process("b")
    );
    let mut found = BTreeMap::new();
    for row in session.ask(&question).await? {
        let (ours, relation) = (row.flag(0)?, row.optional(1)?.unwrap_or_default().to_owned());
        let columns = row.values().get(2..).unwrap_or_default();
        let (waits, holds) = columns.split_at_checked(7).unwrap_or_default();
        let (waits, holds) = (Process::new(waits), Process::new(holds));
        let who = if ours { (relation.clone(), 0) } else { (String::new(), waits.pid) };
        found.insert((who.0, who.1, holds.pid), Found { ours, relation, waits, holds });
    }
    Ok(found)
}

/// Who has one of these tables for itself alone, or waits for that before us, in words; of any table where none is named.
///
/// # Errors
/// When the server refuses the question.
pub async fn holders(session: &Session, oids: impl Iterator<Item = u32>) -> Result<Vec<String>, Error> {
    let oids: Vec<String> = oids.map(|oid| oid.to_string()).collect();
    let tables = if oids.is_empty() {
        String::new()
    } else {
        format!(" AND l.relation = ANY ('{{{}}}'::pg_catalog.oid[])", oids.join(","))
    };
    let rows = session
        .ask(&format!(
            "SELECT {} FROM pg_catalog.pg_stat_activity a WHERE a.pid <> pg_catalog.pg_backend_pid() AND a.pid IN \
             (SELECT l.pid FROM pg_catalog.pg_locks l WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' \
              AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()){tables}) ORDER BY a.query_start",
            process("a")
        ))
        .await?;
    Ok(rows.iter().map(|row| Process::new(row.values()).all()).collect())
}

/// Who has what keeps indexes and statistics of a table from being looked at in peace ([`crate::guard`]), or waits for
/// that before us, in words: sessions but those of this name.
///
/// # Errors
/// When the server refuses the question.
pub async fn changing(session: &Session, name: &str, oid: u32) -> Result<Vec<String>, Error> {
    let rows = session
        .ask(&format!(
            "SELECT {} FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
             WHERE l.locktype = 'relation' AND coalesce(a.application_name, '') <> {} \
             AND a.backend_type IS DISTINCT FROM 'autovacuum worker' \
             AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) \
             AND (l.relation = {oid} AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', \
                  'ExclusiveLock', 'AccessExclusiveLock') \
               OR l.relation = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass AND l.mode IN ('RowExclusiveLock', \
                  'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')) \
             ORDER BY a.query_start, l.pid",
            process("a"),
            literal(name)
        ))
        .await?;
    let mut who: Vec<String> = rows.iter().map(|row| Process::new(row.values()).all()).collect();
    who.dedup();
    Ok(who)
}

/// The sessions of this name in the database, in words.
///
/// # Errors
/// When the server refuses the question.
pub async fn named(session: &Session, name: &str) -> Result<Vec<String>, Error> {
    let rows = session
        .ask(&format!(
            "SELECT {} FROM pg_catalog.pg_stat_activity a WHERE a.datname = pg_catalog.current_database() \
             AND a.pid <> pg_catalog.pg_backend_pid() AND a.application_name = {} ORDER BY a.backend_start",
            process("a"),
            literal(name)
        ))
        .await?;
    Ok(rows.iter().map(|row| Process::new(row.values()).name).collect())
}

/// Tables that somebody has for himself alone, or waits to have before us: the table, who it is, and the process's number.
const LOCKED: &str = "FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_class c ON c.oid = l.relation \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
    WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid() \
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()) \
    AND n.nspname !~ '^pg_(toast|temp)' ORDER BY l.granted DESC, c.relkind <> 'r', c.oid LIMIT 1";

const OVER: &str = ", which has ended since";

/// Nobody has the lock any more that stopped us: the same can be tried again.
#[must_use]
pub fn is_over(error: &Error) -> bool {
    matches!(error, Error::Refused { what, .. } if what.ends_with(OVER))
}

/// The words for an error that means no more than that a lock was not to be had in time: which table it is, who has it,
/// and what to do. Every other error stays as it is.
pub async fn explain(error: Error, connector: &Connector) -> Error {
    if error.code() != "55P03" && !tools::stopped_by_a_lock(&error) {
        return error;
    }
    let locked = async {
        let question = format!("SELECT n.nspname, c.relname, {} {LOCKED}", process("a"));
        connector.open().await?.ask(&question).await
    };
    let Ok(rows) = locked.await else { return error };
    let side = connector.side().name();
    let again = "then run the same command again".to_owned();
    let Some((Some(schema), Some(name), columns)) = rows.first().and_then(|row| match row.values() {
        [schema, name, columns @ ..] => Some((schema.as_ref(), name.as_ref(), columns)),
        _ => None,
    }) else {
        return Error::Refused {
            what: format!("a table of the {side} was locked by another session{OVER}"),
            next: vec!["run the same command again".to_owned()],
        };
    };
    let holder = Process::new(columns);
    let end = match holder.pid {
        0 => "end it there: COMMIT PREPARED or ROLLBACK PREPARED (SELECT gid FROM pg_prepared_xacts)"
            .to_owned(),
        pid => {
            format!(
                "wait until its transaction ends, or end it there: SELECT pg_catalog.pg_terminate_backend({pid})"
            )
        }
    };
    Error::Refused {
        what: format!(
            "table {} of the {side} is locked, and cannot be read: {}",
            Relation::new(schema, name),
            holder.all()
        ),
        next: vec![end, again],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(columns: [&str; 7]) -> Process {
        Process::new(&columns.map(|text| Some(text.to_owned())))
    }

    #[test]
    fn a_process_says_what_is_known_of_it() {
        let query = "ALTER TABLE small\n  ADD COLUMN zz int";
        let known = told(["42", "app", "psql", "active", "06:31:02", query, "client backend"]);
        assert_eq!(
            known.all(),
            "process 42 of app (psql, active, since 06:31:02 UTC): ALTER TABLE small ADD COLUMN zz int"
        );
        let hidden = Process::new(&[Some("42".into()), Some("app".into()), None, None, None, None, None]);
        assert_eq!(hidden.all(), "process 42 of app");
        assert_eq!(Process::new(&[]).all(), "a prepared transaction (pg_prepared_xacts)");
        let secret = told(["1", "app", "", "active", "", "ALTER ROLE x PASSWORD 'secret'", "client backend"]);
        assert!(!secret.all().contains("secret"));
    }
}
