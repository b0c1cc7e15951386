//! The driver of all stages that write: it skips what is done, journals, times and reports.

use std::ops::Deref;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::servers::Servers;
use super::snapshot::Snapshot;
use super::{Context, RunContext};
use crate::connect::Session;
use crate::engine::pool::Engine;
use crate::engine::retry::retrying;
use crate::error::Error;
use crate::results::{Built, Finding, Missing};
use crate::step::Step;

/// What every stage works with that asks nothing of a source's server.
pub(super) struct TargetRun<'a> {
    pub(super) context: &'a RunContext,
    pub(super) engine: Arc<Engine>,
}

/// What the stages of a migration work with.
pub(super) struct Run<'a> {
    pub(super) context: &'a Arc<Context>,
    pub(super) servers: &'a Servers,
    pub(super) snapshot: &'a Snapshot,
    on_target: TargetRun<'a>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        context: &'a Arc<Context>,
        servers: &'a Servers,
        snapshot: &'a Snapshot,
        engine: Arc<Engine>,
    ) -> Self {
        Self { context, servers, snapshot, on_target: TargetRun { context, engine } }
    }
}

impl<'a> Deref for Run<'a> {
    type Target = TargetRun<'a>;

    fn deref(&self) -> &TargetRun<'a> {
        &self.on_target
    }
}

/// What a stage did.
#[derive(Debug, Default)]
pub(super) struct StageResult {
    /// In words; none where there was nothing to do.
    pub(super) summary: Option<String>,
    /// Rows that the target took, for the journal.
    pub(super) rows: u64,
    /// Statements that were run.
    pub(super) statements: u64,
    /// What did not arrive.
    pub(super) missing: Vec<Missing>,
    /// What the analysis found in text that came up only now.
    pub(super) findings: Vec<Finding>,
    /// What the target's server warned of.
    pub(super) warnings: Vec<String>,
    /// What was built.
    pub(super) built: Vec<Built>,
}

impl StageResult {
    /// A stage that did something.
    pub(super) fn done(summary: impl Into<String>) -> Self {
        Self { summary: Some(summary.into()), ..Self::default() }
    }
}

impl TargetRun<'_> {
    /// Runs a stage of any number of steps, which looks itself at what is done.
    pub(super) async fn stage(
        &self,
        name: &'static str,
        stage: impl Future<Output = Result<StageResult, Error>>,
    ) -> Result<(), Error> {
        let start = Instant::now();
        let result = stage.await?;
        self.report(name, result, start.elapsed());
        Ok(())
    }

    /// Runs a stage that is one step, unless the target says that it is done. The stage marks it on the target, in the
    /// transaction of its effect where it has one.
    pub(super) async fn step(
        &self,
        name: &'static str,
        step: Step,
        stage: impl Future<Output = Result<StageResult, Error>>,
    ) -> Result<(), Error> {
        if self.is_done(&step) {
            return Ok(());
        }
        let start = Instant::now();
        let result = stage.await?;
        if result.summary.is_some() {
            self.engine.finished(&step, result.rows);
        }
        self.report(name, result, start.elapsed());
        Ok(())
    }

    /// The target says that a step is done.
    pub(super) fn is_done(&self, step: &Step) -> bool {
        self.engine.marks.done(step).is_some()
    }

    /// A session on the target; a server that has just gone away is waited for.
    pub(super) async fn target(&self) -> Result<Session, Error> {
        open_target(self.context).await
    }

    /// The same session, or another one where it has ended: to open one takes many ways there and back.
    pub(super) async fn still<'s>(&self, session: &'s mut Session) -> Result<&'s Session, Error> {
        if session.client().is_closed() {
            *session = self.target().await?;
        }
        Ok(session)
    }

    fn report(&self, name: &'static str, result: StageResult, took: Duration) {
        {
            let mut report = self.context.report();
            report.moved.statements += result.statements;
            report.missing.extend(result.missing);
            report.findings.extend(result.findings);
            report.warnings.extend(result.warnings);
            report.built.extend(result.built);
        }
        if let Some(summary) = result.summary {
            self.context.stage(name, summary, took);
        }
    }
}

/// Opens a session on the target; a server that has just gone away is waited for.
pub(super) async fn open_target(context: &RunContext) -> Result<Session, Error> {
    retrying(context.retry_policy(), &context.progress, "connection", || context.target.open()).await
}
