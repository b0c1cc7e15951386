//! Background jobs of a TimescaleDB source: paused while it is read, and always put back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::connect::{Connector, Session};
use crate::error::Error;
use crate::human;
use crate::timescale::{Catalogs, Function};

/// How long a job that runs may take to come to its end.
const PATIENCE: Duration = Duration::from_secs(120);

/// One job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// Its id; TimescaleDB's own have ids below 1000.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The role it runs as.
    pub owner: String,
    /// It was scheduled before we came.
    pub scheduled: bool,
}

/// The table that jobs are in; none where there is no TimescaleDB.
///
/// # Errors
/// When the server refuses the question, or its TimescaleDB is not known.
pub async fn table(session: &Session) -> Result<Option<String>, Error> {
    let catalogs = Catalogs::read(session).await?;
    if catalogs.is_empty() { Ok(None) } else { catalogs.jobs().map(Some) }
}

/// The jobs that users or policies have made.
///
/// # Errors
/// When the server refuses the question.
pub async fn list(session: &Session) -> Result<Vec<Job>, Error> {
    let Some(table) = table(session).await? else { return Ok(Vec::new()) };
    let rows = session
        .ask(&format!(
            "SELECT id, application_name, owner::text, scheduled FROM {table} WHERE id >= 1000 ORDER BY id"
        ))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Job {
                id: row.number(0)?,
                name: row.text(1)?.to_owned(),
                owner: unquoted(row.text(2)?),
                scheduled: row.flag(3)?,
            })
        })
        .collect()
}

/// Those of `jobs` that the session's user may not pause: TimescaleDB asks for the privileges of a job's owner.
///
/// # Errors
/// When the server refuses the question.
pub async fn not_ours<'a>(session: &Session, jobs: &'a [Job]) -> Result<Vec<&'a Job>, Error> {
    let ours: BTreeSet<String> = session
        .ask_list("SELECT rolname FROM pg_catalog.pg_roles WHERE pg_catalog.pg_has_role(current_user, oid, 'USAGE')")
        .await?;
    Ok(jobs.iter().filter(|job| job.scheduled && !ours.contains(&job.owner)).collect())
}

/// A `regrole` as it is printed, without its quotes.
#[must_use]
pub fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// TimescaleDB's own `alter_job`.
///
/// It calls the job's check of its configuration (`add_job(…, check_config => …)`) as whoever asks, although nothing of the
/// configuration changes; TimescaleDB's own checks of policies call the function that says what time it is in a hypertable
/// by integers (`set_integer_now_func`), which is a user's. So such a job is changed in its table, and TimescaleDB's
/// scheduler, which reads the table when `alter_job` was used, is told by a call for another job that changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alter {
    function: Function,
    /// The table of jobs.
    table: String,
    /// Jobs whose change calls a function of a user's.
    checked: BTreeSet<i64>,
    /// A job whose change calls none.
    unchecked: Option<i64>,
}

impl Alter {
    /// Finds it.
    ///
    /// # Errors
    /// When the server refuses the question, or TimescaleDB has no such function.
    pub async fn find(session: &Session) -> Result<Self, Error> {
        let catalogs = Catalogs::read(session).await?;
        let table = catalogs.jobs()?;
        let function = Function::find(session, "alter_job").await?;
        let mut alter = Self { function, table: table.clone(), ..Self::default() };
        let of_user = if catalogs.has("bgw_job", "check_schema") {
            "coalesce(NOT pg_catalog.starts_with(nullif(check_schema, '')::text, '_timescaledb_'), false)"
        } else {
            "false"
        };
        let by_now = if catalogs.has("dimension", "integer_now_func") { NOW } else { "false" };
        for row in
            session.ask(&format!("SELECT id, {of_user} OR {by_now} FROM {table} j ORDER BY id")).await?
        {
            let id = row.number(0)?;
            if row.flag(1)? {
                alter.checked.insert(id);
            } else {
                alter.unchecked.get_or_insert(id);
            }
        }
        Ok(alter)
    }

    /// A change of the job calls a function of a user's.
    #[must_use]
    pub fn has_check(&self, id: i64) -> bool {
        self.checked.contains(&id)
    }

    /// The call that starts a job when it is due; at once where nothing is named.
    #[must_use]
    pub fn start(&self, id: i64, due: Option<&str>) -> String {
        self.sql(id, Some(true), due)
    }

    /// The statement that starts a job when it is due without a call, and so without a user's function: it writes what the call
    /// writes (`bgw_job_stat_insert_relation` in TimescaleDB's `src/bgw/job_stat.c`; the table is the same from 2.17 to 2.30). The
    /// scheduler sees that when `alter_job` is used for another job, or when it starts.
    #[must_use]
    pub fn start_in_tables(&self, id: i64, due: Option<&str>) -> String {
        let start = format!("UPDATE {} SET scheduled = true WHERE id = {id}", self.table);
        let Some(due) = due.map(crate::quote::literal) else { return start };
        format!(
            "WITH started AS ({start} RETURNING id) INSERT INTO {STATISTICS} (job_id, last_start, last_finish, next_start, \
             last_successful_finish, last_run_success, total_runs, total_duration, total_duration_failures, total_successes, \
             total_failures, total_crashes, consecutive_failures, consecutive_crashes) SELECT id, '-infinity', '-infinity', {due}, \
             '-infinity', true, 0, '0', '0', 0, 0, 0, 0, 0 FROM started \
             ON CONFLICT (job_id) DO UPDATE SET next_start = excluded.next_start"
        )
    }

    /// Whether the session's user may do that.
    ///
    /// # Errors
    /// When the server refuses the question.
    pub async fn writes_tables(&self, session: &Session) -> Result<bool, Error> {
        let may = |table: &str, what: &str| {
            let table = crate::quote::literal(table);
            format!("pg_catalog.has_table_privilege(pg_catalog.to_regclass({table}), '{what}')")
        };
        let sql = format!(
            "SELECT coalesce({} AND {} AND {}, false)",
            may(&self.table, "UPDATE"),
            may(STATISTICS, "INSERT"),
            may(STATISTICS, "UPDATE")
        );
        session.ask_flag(&sql).await
    }

    fn sql(&self, id: i64, scheduled: Option<bool>, due: Option<&str>) -> String {
        let call = self.function.call(|argument| match argument {
            "job_id" => Some(id.to_string()),
            "scheduled" => scheduled.map(|on| on.to_string()),
            "if_exists" => Some("false".to_owned()),
            "next_start" => due.map(crate::quote::literal),
            _ => None,
        });
        format!("SELECT {call}")
    }

    /// Stops one job from being started, or lets it start again.
    ///
    /// # Errors
    /// When the server refuses; the Apache edition knows the call and does not have it.
    pub async fn schedule(&self, session: &Session, id: i64, scheduled: bool) -> Result<(), Error> {
        if self.has_check(id) {
            let update = format!("UPDATE {} SET scheduled = {scheduled} WHERE id = {id}", self.table);
            match session.run(&update).await {
                // Who is no superuser may not write there, and has no more to lose than the job's owner gave him.
                Err(error) if error.code() == "42501" => {}
                Err(error) => return Err(error),
                Ok(()) => {
                    return match self.unchecked {
                        Some(other) => session.run(&self.sql(other, None, None)).await,
                        None => Ok(()),
                    };
                }
            }
        }
        session.run(&self.sql(id, Some(scheduled), None)).await
    }
}

/// The job's hypertable has a function of a user's that says what time it is in it. That of a continuous aggregate has it
/// from the hypertable below.
const NOW: &str =
    "EXISTS (WITH RECURSIVE below(id) AS (SELECT j.hypertable_id
    UNION SELECT a.raw_hypertable_id FROM _timescaledb_catalog.continuous_agg a JOIN below b ON a.mat_hypertable_id = b.id)
  SELECT FROM _timescaledb_catalog.dimension d JOIN below b ON b.id = d.hypertable_id
  WHERE nullif(d.integer_now_func, '') IS NOT NULL)";

/// When jobs ran, and when they are due.
const STATISTICS: &str = "_timescaledb_internal.bgw_job_stat";

/// When jobs are due next, by their ids, in UTC. A job that is not among them is due at once.
///
/// # Errors
/// When the server refuses the question.
pub async fn due(session: &Session) -> Result<BTreeMap<i64, String>, Error> {
    let exists = "SELECT pg_catalog.to_regclass('_timescaledb_internal.bgw_job_stat') IS NOT NULL";
    if !session.ask_flag(exists).await? {
        return Ok(BTreeMap::new());
    }
    let rows = session
        .ask(
            "SELECT job_id, pg_catalog.to_char(next_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US') || '+00' \
             FROM _timescaledb_internal.bgw_job_stat \
             WHERE pg_catalog.isfinite(next_start) AND next_start > pg_catalog.now()",
        )
        .await?;
    rows.iter().map(|row| Ok((row.number(0)?, row.text(1)?.to_owned()))).collect()
}

/// Pauses `jobs`, and waits for those that run; returns the names of those that still do.
///
/// # Errors
/// When the server refuses.
pub async fn pause(session: &Session, jobs: &[Job]) -> Result<Vec<String>, Error> {
    if !jobs.is_empty() {
        let alter = Alter::find(session).await?;
        for job in jobs {
            if let Err(error) = alter.schedule(session, job.id, false).await
                && list(session).await?.iter().any(|now| now.id == job.id)
            {
                // One that somebody has deleted since it was listed does not run.
                return Err(error);
            }
        }
    }
    settle(session, jobs).await
}

/// Waits until none of `jobs` runs, or for two minutes; returns the names of those that still do.
async fn settle(session: &Session, jobs: &[Job]) -> Result<Vec<String>, Error> {
    let names: Vec<_> = jobs.iter().map(|job| crate::quote::literal(&job.name)).collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let question = format!(
        "SELECT application_name FROM pg_catalog.pg_stat_activity \
         WHERE datname = current_database() AND application_name IN ({})",
        names.join(", ")
    );
    let start = Instant::now();
    loop {
        let running: Vec<_> = session.ask_list(&question).await?;
        if running.is_empty() || start.elapsed() > PATIENCE {
            return Ok(running);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Puts `jobs` back through a session of its own: whatever ended the run may have ended the others.
/// Returns the commands for those that could not be, and their names where nobody can tell the command.
pub async fn put_back(source: &Connector, jobs: &[Job]) -> Vec<String> {
    let all = || jobs.iter().map(|job| format!("schedule it again: {}", human::line(&job.name))).collect();
    let Ok(session) = source.open().await else { return all() };
    let Ok(alter) = Alter::find(&session).await else { return all() };
    let Ok(now) = list(&session).await else { return all() };
    // One that could not be paused either is as it was, and somebody may have deleted one meanwhile.
    let paused: BTreeSet<i64> = now.iter().filter(|job| !job.scheduled).map(|job| job.id).collect();
    let mut left = Vec::new();
    for job in jobs.iter().filter(|job| paused.contains(&job.id)) {
        if alter.schedule(&session, job.id, true).await.is_err() {
            left.push(format!("{};", alter.start(job.id, None)));
        }
    }
    left
}

/// The same, and says so.
///
/// # Errors
/// When not all could be.
pub async fn schedule_again(
    source: &Connector,
    jobs: &[Job],
    say: &(dyn Fn(&str) + Sync),
) -> Result<(), Error> {
    let left = put_back(source, jobs).await;
    if left.is_empty() {
        say(&format!("✓ source: scheduled {} again", human::count(jobs.len() as u64, "job")));
        return Ok(());
    }
    let what =
        format!("{} of the source could not be scheduled again", human::count(left.len() as u64, "job"));
    Err(Error::Refused { what, next: left })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_altered_by_a_call_of_all_arguments() {
        let argument = |name: &str, of_type: &str| (name.to_owned(), of_type.to_owned());
        let function = Function {
            name: "public.alter_job".into(),
            arguments: vec![
                argument("job_id", "integer"),
                argument("scheduled", "boolean"),
                argument("config", "jsonb"),
                argument("next_start", "timestamp with time zone"),
            ],
        };
        let alter = Alter { function, ..Alter::default() };
        assert_eq!(
            alter.sql(1000, Some(true), Some("2099-01-01 00:00:00+00")),
            "SELECT public.alter_job(1000::integer, true::boolean, NULL::jsonb, '2099-01-01 00:00:00+00'::timestamp with time zone)"
        );
        assert_eq!(
            alter.sql(1, None, None),
            "SELECT public.alter_job(1::integer, NULL::boolean, NULL::jsonb, NULL::timestamp with time zone)"
        );
    }
}
