//! What is done, told by the target itself: a row for each step, written in the transaction of the step's own effect.
//! So a step is done exactly if its mark is there, whoever was killed, cut off or restarted in between, and although
//! `synchronous_commit` is off.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::connect::{Session, literal};
use crate::error::Error;

/// The schema of the marks. It is gone at the end of a run.
pub const SCHEMA: &str = "_tsmigrate";

/// The run that a target belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its id.
    pub id: String,
    /// When it began, in the server's words.
    pub started: String,
    /// Its source.
    pub source: String,
}

/// Steps that are done, with their rows.
#[derive(Debug, Default)]
pub struct Marks(Mutex<BTreeMap<String, u64>>);

impl Marks {
    /// Takes possession of the target for the run `id`.
    ///
    /// # Errors
    /// When the target refuses.
    pub async fn create(session: &Session, id: &str, source: &str) -> Result<Self, Error> {
        session
            .run(&format!(
                "BEGIN; CREATE SCHEMA {SCHEMA}; \
                 CREATE TABLE {SCHEMA}.run (id text NOT NULL, started timestamptz NOT NULL DEFAULT pg_catalog.now(), source text); \
                 CREATE TABLE {SCHEMA}.done (step text PRIMARY KEY, rows bigint NOT NULL); \
                 INSERT INTO {SCHEMA}.run (id, source) VALUES ({}, {}); COMMIT",
                literal(id),
                literal(source)
            ))
            .await?;
        Ok(Self::default())
    }

    /// Whose target it is, where a run is under way or was left.
    ///
    /// # Errors
    /// When the target refuses the question.
    pub async fn owner(session: &Session) -> Result<Option<Owner>, Error> {
        let there = format!("SELECT pg_catalog.to_regclass('{SCHEMA}.run') IS NOT NULL");
        if session.ask_one(&there).await?.as_deref() != Some("t") {
            return Ok(None);
        }
        let rows = session.ask(&format!("SELECT id, started::text, source FROM {SCHEMA}.run")).await?;
        Ok(rows.into_iter().next().map(|row| {
            let text = |column: usize| row.get(column).cloned().flatten().unwrap_or_default();
            Owner { id: text(0), started: text(1), source: text(2) }
        }))
    }

    /// Reads the marks of a run that goes on.
    ///
    /// # Errors
    /// When the target refuses the question.
    pub async fn read(session: &Session) -> Result<Self, Error> {
        let rows = session.ask(&format!("SELECT step, rows FROM {SCHEMA}.done")).await?;
        let marks = rows.into_iter().filter_map(|row| match &row[..] {
            [Some(step), Some(rows)] => Some((step.clone(), rows.parse().ok()?)),
            _ => None,
        });
        Ok(Self(Mutex::new(marks.collect())))
    }

    /// The rows of a step that is done.
    #[must_use]
    pub fn done(&self, step: &str) -> Option<u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(step).copied()
    }

    /// Steps that are done and begin with `prefix`.
    #[must_use]
    pub fn with_prefix(&self, prefix: &str) -> Vec<String> {
        let marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        marks.keys().filter(|step| step.starts_with(prefix)).cloned().collect()
    }

    /// How many steps are done.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The statement that marks a step, to stand in the transaction of its effect.
    #[must_use]
    pub fn sql(step: &str, rows: u64) -> String {
        format!(
            "INSERT INTO {SCHEMA}.done VALUES ({}, {rows}) ON CONFLICT (step) DO UPDATE SET rows = excluded.rows",
            literal(step)
        )
    }

    /// The same for a mark that the transaction has written already: it finds no row elsewhere.
    #[must_use]
    pub fn update_sql(step: &str, rows: u64) -> String {
        format!("UPDATE {SCHEMA}.done SET rows = {rows} WHERE step = {}", literal(step))
    }

    /// Takes the mark of a committed step down here too.
    pub fn note(&self, step: &str, rows: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(step.to_owned(), rows);
    }

    /// Marks a step whose effect was not ours to put into a transaction, or may be had twice.
    ///
    /// # Errors
    /// When the target refuses.
    pub async fn set(&self, session: &Session, step: &str) -> Result<(), Error> {
        session.run(&Self::sql(step, 0)).await?;
        self.note(step, 0);
        Ok(())
    }

    /// Steps that were done, and that the target does not know any more: a server that crashes forgets what it had
    /// confirmed a moment before, for `synchronous_commit` is off. They are forgotten here too. What is there now stays.
    ///
    /// # Errors
    /// When the target refuses.
    pub async fn lost(&self, session: &Session) -> Result<Vec<String>, Error> {
        session.run("SET synchronous_commit = on").await?;
        // With this commit everything before it is on the disk.
        session.run(&Self::sql("confirmed", 0)).await?;
        let there = Self::read(session).await?;
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lost: Vec<String> = marks.keys().filter(|step| there.done(step).is_none()).cloned().collect();
        marks.retain(|step, _| !lost.contains(step));
        Ok(lost)
    }

    /// Forgets steps, in the transaction that undoes them.
    #[must_use]
    pub fn forget_sql(steps: &[String]) -> String {
        let steps: Vec<String> = steps.iter().map(|step| literal(step)).collect();
        format!("DELETE FROM {SCHEMA}.done WHERE step IN ({})", steps.join(", "))
    }

    /// Forgets them here too.
    pub fn forget(&self, steps: &[String]) {
        let mut marks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for step in steps {
            marks.remove(step);
        }
    }

    /// Gives the target back.
    ///
    /// # Errors
    /// When the target refuses.
    pub async fn drop(session: &Session) -> Result<(), Error> {
        session.run(&format!("DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")).await
    }
}
