//! What a restore has besides what every run has: its options, the archive, and the roles.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::contents::Contents;
use super::options::Args;
use crate::capacity::Workers;
use crate::connect::{Connector, Side};
use crate::engine::retry::RetryPolicy;
use crate::error::Error;
use crate::inspect;
use crate::migrate::context::check_rules;
use crate::migrate::run_context::{RunContext, Tuning};
use crate::workdir::WorkDir;

/// What a restore has besides what every run has.
pub(super) struct Restore {
    pub(super) args: Args,
    pub(super) contents: Arc<Contents>,
    /// The roles' dump; empty where none was given.
    pub(super) roles: Vec<u8>,
    pub(super) run: RunContext,
}

/// All that holds for every run holds for a restore.
impl Deref for Restore {
    type Target = RunContext;

    fn deref(&self) -> &RunContext {
        &self.run
    }
}

/// The schemas of the extensions that the target has, where schemas move: names of their members are to be those. Of a target that
/// does not answer the inspection says why.
async fn installed(args: &Args, target: &Connector) -> BTreeMap<String, String> {
    if args.schemas.is_empty() {
        return BTreeMap::new();
    }
    let Ok(session) = target.open().await else { return BTreeMap::new() };
    let extensions = inspect::extensions(&session).await.unwrap_or_default();
    extensions.into_iter().map(|(name, extension)| (name, extension.schema)).collect()
}

impl Restore {
    pub(super) async fn new(args: &Args) -> Result<Self, Error> {
        check_rules(&args.accept)?;
        let target = Connector::new(Side::Target, &args.target)?;
        let (contents, roles) = Contents::open(args, &installed(args, &target).await)?;
        let work = WorkDir::new(args.work_dir.as_deref(), &contents.facts.database);
        let tuning = Tuning {
            resume: args.resume,
            dry_run: args.dry_run,
            workers: args.workers(Workers::by_distance(Duration::ZERO, 0, 0)),
            retry_policy: RetryPolicy { retries: args.retries, disk: args.wait_for_disk },
            beside: contents.map.is_some(),
            no_analyze: args.no_analyze,
        };
        let shown = args.shown_files();
        let run = RunContext::new(target, work, shown, args.shown.progress, tuning)?;
        Ok(Self { args: args.clone(), contents: Arc::new(contents), roles, run })
    }

    /// A hash of what decides what arrives, but for the archive.
    pub(super) fn fingerprint(&self) -> String {
        let mut accept = self.args.accept.clone();
        accept.sort();
        let roles = crate::human::hex(&Sha256::digest(&self.roles));
        let text = match &self.args.schemas {
            schemas if schemas.is_empty() => serde_json::to_vec(&(accept, roles)),
            schemas => serde_json::to_vec(&(accept, roles, schemas)),
        }
        .unwrap_or_default();
        crate::human::hex(&Sha256::digest(&text))
    }
}
