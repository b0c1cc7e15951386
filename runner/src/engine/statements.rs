//! Statements of a dump in their order: some hundred in one transaction, sent without waiting for each answer, and
//! with a mark, so that a run that ends in between goes on behind the last one.

use futures_util::future::join_all;

use super::copy::LiveTarget;
use crate::connect::Session;
use crate::error::{Error, Refused, Server};
use crate::script::{Class, Statement};
use crate::step::{self, Step};

/// So many are one step.
const BATCH: usize = 200;

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
        (0..self.statements.len())
            .step_by(BATCH)
            .map(|from| {
                let to = (from + BATCH).min(self.statements.len());
                (Step::Statements(self.list, from, to), from..to)
            })
            .collect()
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
            for setting in before.iter().filter(|statement| statement.class == Class::Setting) {
                set(target.session().await?, part, setting).await?;
            }
        }
        if !target.transaction(step).await? {
            return Ok(());
        }
        let batch = self.statements.get(range).unwrap_or_default();
        for group in batch.chunk_by(|a, b| (a.class == Class::Setting) == (b.class == Class::Setting)) {
            let session = target.session().await?;
            if group.first().is_some_and(|first| first.class == Class::Setting) {
                for setting in group {
                    session.run("SAVEPOINT setting").await?;
                    set(session, part, setting).await?;
                }
                continue;
            }
            // In their order: the driver sends them as they are polled first. After a refusal the rest fails too, and
            // the first answer is the one that counts.
            let sends = group.iter().map(|statement| session.client().batch_execute(&statement.sql));
            for (statement, answer) in group.iter().zip(join_all(sends).await) {
                answer.map_err(|error| refused(part, statement, Server::new(&error)))?;
            }
        }
        target.end(0).await
    }
}

/// pg_dump sets what the source's version knows (`transaction_timeout`), and the target may be older.
async fn set(session: &Session, part: &'static str, statement: &Statement) -> Result<(), Error> {
    match execute(session, part, statement).await {
        Err(error) if error.code() == "42704" => {
            // Outside of a transaction there is nothing to go back to.
            let _ = session.client().batch_execute("ROLLBACK TO SAVEPOINT setting").await;
            Ok(())
        }
        result => result,
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
