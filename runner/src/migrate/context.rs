//! What a migration has besides what every run has: its options, and the source's server.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Args;
use super::run_context::{RunContext, Tuning, session_name};
use crate::capacity::Workers;
use crate::connect::{Connector, Side};
use crate::engine::retry::RetryPolicy;
use crate::error::Error;
use crate::moving::Moving;
use crate::workdir::WorkDir;

/// What a migration shares with whoever has to clean up after it.
pub(crate) struct Context {
    pub(crate) args: Args,
    pub(crate) source: Connector,
    /// What becomes of the source's schemas, where they move: as its schema was read last.
    moving: Mutex<Option<Arc<Moving>>>,
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
        check_moving(args)?;
        let [source] = &args.source[..] else {
            return Err(Error::Refused {
                what: "several databases are named with --source".into(),
                next: vec!["give each of them a schema: --source URI --into-schema NAME".into()],
            });
        };
        let mut source = Connector::new(Side::Source, source)?;
        let target = Connector::new(Side::Target, &args.target)?;
        let work = WorkDir::new(args.work_dir.as_deref(), source.endpoint().database());
        let tuning = Tuning {
            resume: args.resume,
            dry_run: args.dry_run,
            workers: args.workers(Workers::by_distance(Duration::ZERO, 0, 0)),
            retry_policy: RetryPolicy { retries: args.retries, disk: args.wait_for_disk },
            beside: !args.schemas.is_empty(),
            no_analyze: args.no_analyze,
        };
        let shown = source.endpoint().to_string();
        let run = RunContext::new(target, work, shown, args.shown.progress, tuning)?;
        source.named(&session_name(&run.run));
        Ok(Self { args: args.clone(), source, moving: Mutex::default(), run })
    }

    /// What becomes of the source's schemas; none where they stay.
    pub(crate) fn moving(&self) -> Option<Arc<Moving>> {
        self.moving.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The source's schema was read.
    pub(super) fn set_moving(&self, moving: Moving) {
        *self.moving.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(moving));
    }
}

/// Refuses options that name what is on the source where its schemas move.
fn check_moving(args: &Args) -> Result<(), Error> {
    if args.schemas.is_empty() {
        return Ok(());
    }
    args.schemas.read()?;
    let options = [
        (!args.include.is_empty(), "--include"),
        (!args.exclude.is_empty(), "--exclude"),
        (!args.exclude_data.is_empty(), "--exclude-data"),
        (!args.hypertable.is_empty(), "--hypertable"),
        (args.update_timescaledb, "--update-timescaledb"),
    ];
    match options.iter().find(|(given, _)| *given) {
        None => Ok(()),
        Some((_, option)) => Err(Error::Refused {
            what: format!(
                "{option} is not possible where schemas move: --into-schema moves a whole database"
            ),
            next: vec!["leave one of the two out".into()],
        }),
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
