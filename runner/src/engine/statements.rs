//! Statements of a dump in their order: some hundred in one transaction, sent without waiting for each answer, and
//! with a mark, so that a run that ends in between goes on behind the last one.

use futures_util::future::{self, join_all};
use tokio_postgres::error::SqlState;

use super::target::LiveTarget;
use crate::connect::Session;
use crate::error::{Error, Refused, Server};
use crate::script::{Class, Statement};
use crate::step::{self, Step};

/// So many are one step, and are sent without waiting for an answer.
pub(crate) const BATCH: usize = 200;

/// A list of statements.
pub struct List<'a> {
    /// Which one.
    pub list: step::List,
    /// The statements.
    pub statements: &'a [Statement],
}

impl List<'_> {
    /// The steps, each with the statements it runs.
    #[must_use]
    pub fn steps(&self) -> Vec<(Step, std::ops::Range<usize>)> {
        steps(self.list, self.statements.len())
    }

    /// Runs one step. A session that is new gets the settings of the statements before.
    ///
    /// # Errors
    /// The statement that the target refused.
    pub async fn run(
        &self,
        target: &mut LiveTarget,
        step: &Step,
        range: std::ops::Range<usize>,
        fresh: bool,
    ) -> Result<(), Error> {
        let part = self.list.part();
        let before = self.statements.get(..range.start).unwrap_or_default();
        if fresh {
            let settings: Vec<&Statement> =
                before.iter().filter(|statement| statement.class == Class::Setting).collect();
            let session = target.session().await?;
            // Each is a transaction of its own here, and one that the server lacks is nobody else's matter.
            for (setting, answer) in settings.iter().zip(sent(session, &settings).await) {
                match answer {
                    Err(error) if error.code().map(SqlState::code) == Some(UNKNOWN) => {}
                    answer => answer.map_err(|error| refused(part, setting, Server::new(&error)))?,
                }
            }
        }
        if !target.transaction(std::slice::from_ref(step)).await? {
            return Ok(());
        }
        let batch = self.statements.get(range).unwrap_or_default();
        let is_setting = |statement: &Statement| statement.class == Class::Setting;
        let mut groups: Vec<&[Statement]> = batch.chunk_by(|a, b| is_setting(a) == is_setting(b)).collect();
        let last = groups.pop_if(|group| !group.first().is_some_and(is_setting)).unwrap_or_default();
        for group in groups {
            let session = target.session().await?;
            if group.first().is_some_and(is_setting) {
                set_all(session, part, group).await?;
                continue;
            }
            let group: Vec<&Statement> = group.iter().collect();
            for (statement, answer) in group.iter().zip(sent(session, &group).await) {
                answer.map_err(|error| refused(part, statement, Server::new(&error)))?;
            }
        }
        let sql: Vec<&str> = last.iter().map(|statement| statement.sql.as_str()).collect();
        let refused = |number: usize, error: &tokio_postgres::Error| {
            last.get(number).map(|statement| refused(part, statement, Server::new(error)))
        };
        target.end_behind(&sql, &[0], refused).await
    }
}

/// Sends statements without waiting for each answer, in their order: the driver sends them as they are polled first. In a
/// transaction the rest fails too after a refusal, and the first answer is the one that counts.
pub(crate) async fn sent(
    session: &Session,
    statements: &[&Statement],
) -> Vec<Result<(), tokio_postgres::Error>> {
    join_all(statements.iter().map(|statement| session.client().batch_execute(&statement.sql))).await
}

/// The steps of a list with so many statements, each with those that it runs.
#[must_use]
pub fn steps(list: step::List, length: usize) -> Vec<(Step, std::ops::Range<usize>)> {
    let step = |from: usize| {
        let to = (from + BATCH).min(length);
        (Step::Statements(list, from, to), from..to)
    };
    (0..length).step_by(BATCH).map(step).collect()
}

/// The code of a setting that the server does not have: pg_dump sets what the source's version knows
/// (`transaction_timeout`), and the target may be older.
const UNKNOWN: &str = "42704";

/// Runs settings within a transaction: together, or one by one where the server does not have one of them.
async fn set_all(session: &Session, part: &'static str, settings: &[Statement]) -> Result<(), Error> {
    let all: Vec<&Statement> = settings.iter().collect();
    let (begun, answers) = future::join(session.run("SAVEPOINT setting"), sent(session, &all)).await;
    begun?;
    if answers.iter().all(Result::is_ok) {
        return Ok(());
    }
    session.run("ROLLBACK TO SAVEPOINT setting").await?;
    for setting in settings {
        session.run("SAVEPOINT setting").await?;
        match execute(session, part, setting).await {
            Err(error) if error.code() == UNKNOWN => session.run("ROLLBACK TO SAVEPOINT setting").await?,
            result => result?,
        }
    }
    Ok(())
}

/// Statements that run in their order, some hundred in one transaction and one way there and back. What is refused together
/// runs by itself. Where the connection breaks, some may run twice.
pub struct InOrder<'a> {
    sql: Vec<&'a str>,
    at: usize,
    most: usize,
}

impl<'a> InOrder<'a> {
    /// These statements, none of which has run.
    #[must_use]
    pub fn new(sql: Vec<&'a str>) -> Self {
        Self { sql, at: 0, most: BATCH }
    }

    /// Runs them up to one that has to run by itself, now: its number. None where all have run.
    pub async fn refused(&mut self, session: &Session) -> Option<usize> {
        loop {
            let batch = self.sql.get(self.at..(self.at + self.most).min(self.sql.len()))?;
            let passed = match batch {
                [] => return None,
                [_] => 0,
                batch => together(session, batch).await,
            };
            if passed == batch.len() {
                self.at += passed;
                self.most = (self.most * 2).min(BATCH);
            } else if passed > 0 {
                // Those before the one that was refused.
                self.most = passed;
            } else {
                // Many that are refused are soon run one by one.
                self.most = if batch.len() == 1 { 2 } else { batch.len() / 2 };
                self.at += 1;
                return Some(self.at - 1);
            }
        }
    }
}

/// Runs statements in one transaction: how many, or the number of the first that was refused; then nothing has happened.
async fn together(session: &Session, statements: &[&str]) -> usize {
    let count = statements.len();
    let all = std::iter::once("BEGIN").chain(statements.iter().copied()).chain(std::iter::once("COMMIT"));
    let answers = join_all(all.map(|sql| session.client().batch_execute(sql))).await;
    match answers.iter().position(Result::is_err) {
        None => count,
        // Of a transaction whose end is refused, or not heard of, the last is run by itself.
        Some(number) => number.saturating_sub(1).min(count.saturating_sub(1)),
    }
}

/// Runs one statement.
///
/// # Errors
/// With the statement's place, where the target refuses it.
pub async fn execute(session: &Session, part: &'static str, statement: &Statement) -> Result<(), Error> {
    let answer = session.client().batch_execute(&statement.sql).await;
    answer.map_err(|error| refused(part, statement, Server::new(&error)))
}

/// A statement that the target refused.
#[must_use]
pub fn refused(part: &'static str, statement: &Statement, server: Server) -> Error {
    Error::Statement(Box::new(Refused {
        part,
        line: statement.line,
        column: statement.column,
        object: statement.object.clone(),
        sql: crate::redact::statement(&statement.sql),
        server: server.to(&statement.sql),
    }))
}
