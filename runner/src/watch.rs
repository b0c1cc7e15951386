//! Who waits for whom: a session beside the others, that asks every two seconds which of ours wait for a lock and who
//! has it, and which sessions of others wait for ours. Both stand on the live display and in the log until they are over.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::task::AbortHandle;

use crate::connect::{Connector, Session, literal};
use crate::error::Error;
use crate::progress::{Progress, Wait};

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
            session = Some(open);
            shown.retain(|key, _| found.contains_key(key));
            for (key, found) in &found {
                if seen.contains(key) && !shown.contains_key(key) {
                    shown.insert(*key, found.show(connector.side().name(), &progress));
                }
            }
            seen = found.into_keys().collect();
        }
    });
    Watch(task.abort_handle())
}

/// Who waits, and for whom; `true` where one of ours waits.
type Key = (bool, i32, i32);

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
        let user = if text(1).is_empty() { String::new() } else { format!(" of {}", text(1)) };
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
        let ours = row.first().and_then(Option::as_deref) == Some("t");
        let relation = row.get(1).cloned().flatten().unwrap_or_default();
        let (waits, holds) = row.get(2..).unwrap_or_default().split_at_checked(7).unwrap_or_default();
        let (waits, holds) = (Process::new(waits), Process::new(holds));
        found.insert((ours, waits.pid, holds.pid), Found { ours, relation, waits, holds });
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
    Ok(rows.iter().map(|row| Process::new(row).all()).collect())
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
