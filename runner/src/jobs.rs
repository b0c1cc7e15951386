//! Background jobs of a TimescaleDB source: paused while it is read, and always put back.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::connect::{Connector, Session};
use crate::error::Error;
use crate::timescale::Catalogs;

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
    Ok(rows
        .into_iter()
        .filter_map(|row| match &row[..] {
            [Some(id), Some(name), Some(owner), scheduled] => Some(Job {
                id: id.parse().ok()?,
                name: name.clone(),
                owner: unquoted(owner),
                scheduled: scheduled.as_deref() == Some("t"),
            }),
            _ => None,
        })
        .collect())
}

/// A `regrole` as it is printed, without its quotes.
#[must_use]
pub fn unquoted(name: &str) -> String {
    match name.strip_prefix('"').and_then(|name| name.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => name.to_owned(),
    }
}

/// Stops one job from being started, or lets it start again.
///
/// # Errors
/// When the server refuses; the Apache edition knows the call and does not have it.
pub async fn schedule(session: &Session, schema: &str, id: i64, scheduled: bool) -> Result<(), Error> {
    session.run(&command(schema, id, scheduled)).await
}

/// The command that does it, for people to copy.
#[must_use]
pub fn command(schema: &str, id: i64, scheduled: bool) -> String {
    format!("SELECT {}.alter_job({id}, scheduled => {scheduled})", crate::connect::identifier(schema))
}

/// Waits until none of `jobs` runs, or for two minutes; returns the names of those that still do.
///
/// # Errors
/// When the server refuses the question.
pub async fn settle(session: &Session, jobs: &[Job]) -> Result<Vec<String>, Error> {
    let names: Vec<_> = jobs.iter().map(|job| crate::connect::literal(&job.name)).collect();
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
        let running: Vec<_> = session.ask(&question).await?.into_iter().flatten().flatten().collect();
        if running.is_empty() || start.elapsed() > PATIENCE {
            return Ok(running);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Puts `jobs` back through a session of its own: whatever ended the run may have ended the others.
/// Returns the commands for those that could not be.
pub async fn put_back(source: &Connector, schema: &str, jobs: &[Job]) -> Vec<String> {
    let all = || jobs.iter().map(|job| format!("{};", command(schema, job.id, true))).collect();
    let Ok(session) = source.open().await else { return all() };
    let mut left = Vec::new();
    for job in jobs {
        if schedule(&session, schema, job.id, true).await.is_err() {
            left.push(format!("{};", command(schema, job.id, true)));
        }
    }
    left
}
