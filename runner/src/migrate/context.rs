//! What a migration has besides what every run has: its options, and the source's server.

use std::ops::Deref;
use std::time::Duration;

use super::Args;
use super::run_context::{RunContext, Tuning, session_name};
use crate::capacity::Workers;
use crate::connect::{Connector, Side};
use crate::engine::retry::RetryPolicy;
use crate::error::Error;
use crate::workdir::WorkDir;

/// What a migration shares with whoever has to clean up after it.
pub(crate) struct Context {
    pub(crate) args: Args,
    pub(crate) source: Connector,
    run: RunContext,
}

/// All that holds for every run holds for a migration.
impl Deref for Context {
    type Target = RunContext;

    fn deref(&self) -> &RunContext {
        &self.run
    }
}

impl Context {
    /// What a new run, or the one that goes on, begins with. Nothing is asked of a server yet.
    ///
    /// # Errors
    /// When an option or a connection string cannot be understood, or the work directory is not ours.
    pub(crate) fn new(args: &Args) -> Result<Self, Error> {
        check_rules(&args.accept)?;
        let mut source = Connector::new(Side::Source, &args.source)?;
        let target = Connector::new(Side::Target, &args.target)?;
        let work = WorkDir::new(args.work_dir.as_deref(), source.endpoint().database());
        let tuning = Tuning {
            resume: args.resume,
            dry_run: args.dry_run,
            workers: args.workers(Workers::by_distance(Duration::ZERO, 0, 0)),
            retry_policy: RetryPolicy { retries: args.retries, disk: args.wait_for_disk },
            no_analyze: args.no_analyze,
        };
        let shown = source.endpoint().to_string();
        let run = RunContext::new(target, work, shown, args.shown.progress, tuning)?;
        source.named(&session_name(&run.run));
        Ok(Self { args: args.clone(), source, run })
    }
}

/// Refuses to accept a rule that does not exist.
pub(super) fn check_rules(accept: &[String]) -> Result<(), Error> {
    let is_unknown = |given: &&String| {
        tsmigrate_analyzer::rules::rule(given).is_none()
            && !crate::hazards::ACCEPTABLE.iter().any(|check| check.eq_ignore_ascii_case(given))
    };
    match accept.iter().find(is_unknown) {
        None => Ok(()),
        Some(given) => Err(Error::Refused {
            what: format!("--accept {given}: there is no such rule (tsmigrate rules lists them)"),
            next: Vec::new(),
        }),
    }
}
