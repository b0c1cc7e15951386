//! Roles: created, with their attributes and memberships.

use crate::engine::retry::retrying;
use crate::engine::statements;
use crate::error::{Error, Server};
use crate::human::count;
use crate::migrate::driver::{StageResult, TargetRun};
use crate::script::{Class, Statement};
use crate::step::Step;

const NAME: &str = "roles";

/// Runs the statements of the roles' dump. A role of an earlier run, or of somebody else, stays: its attributes follow
/// from the statements after it.
pub(in crate::migrate) async fn run(run: &TargetRun<'_>, roles: &[Statement]) -> Result<StageResult, Error> {
    if roles.is_empty() {
        return Ok(StageResult::default());
    }
    let engine = &run.engine;
    let existing = retrying(engine.retry_policy, &engine.progress, NAME, || async {
        let session = run.target().await?;
        let mut existing = 0;
        for batch in roles.chunks(statements::BATCH) {
            // Each is a transaction of its own, for one that exists is no reason to undo others.
            let batch: Vec<&Statement> = batch.iter().collect();
            for (statement, answer) in batch.iter().zip(statements::sent(&session, &batch).await) {
                match answer.map_err(|error| statements::refused(NAME, statement, Server::new(&error))) {
                    Err(error)
                        if matches!(statement.class, Class::CreateRole(_)) && error.code() == "42710" =>
                    {
                        existing += 1;
                    }
                    result => result?,
                }
            }
        }
        engine.marks.set(&session, &Step::Roles).await.map(|()| existing)
    })
    .await?;
    let existed = if existing > 0 { format!(", {} existed", count(existing, "role")) } else { String::new() };
    Ok(StageResult {
        statements: roles.len() as u64,
        ..StageResult::done(format!("{}{existed}", count(roles.len() as u64, "statement")))
    })
}
