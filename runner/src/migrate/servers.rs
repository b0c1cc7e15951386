//! Both servers as they were before anything was written.

use super::violations::Violation;
use super::{Context, RunContext};
use crate::capacity::Connections;
use crate::converted::Conversions;
use crate::engine::retry::retrying;
use crate::error::{Blocker, Error};
use crate::estimate::Estimate;
use crate::filter::Filter;
use crate::inspect::Facts;
use crate::jobs::Job;
use crate::tools::Tools;
use crate::volume::Volume;

/// Both servers, inspected.
pub(super) struct Servers {
    pub(super) source: Facts,
    /// As it was before anything was written.
    pub(super) target: Facts,
    pub(super) tools: Tools,
    /// The source's jobs as they were before any was paused.
    pub(super) jobs: Vec<Job>,
    pub(super) hazards: Vec<Blocker>,
    /// Which schemas and tables are copied.
    pub(super) filter: Filter,
    pub(super) weight: Weight,
    /// Tables that become hypertables.
    pub(super) convert: Conversions,
    /// Constraints that rows may break.
    pub(super) violations: Vec<Violation>,
    /// The same as they were named, by this start and those before.
    pub(super) violations_given: Vec<String>,
}

impl Servers {
    /// Which schemas and tables are copied, and how.
    pub(super) fn chosen(&self) -> (&Filter, &Conversions) {
        (&self.filter, &self.convert)
    }
}

/// The version of a database's TimescaleDB; no row where it has none.
pub(super) const VERSION: &str =
    "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timescaledb'";

/// Refuses to write where a maintenance has changed TimescaleDB's version on one server since both were inspected.
pub(super) async fn check_versions(context: &Context) -> Result<(), Error> {
    let ours = retrying(context.retry_policy(), &context.progress, "versions", || async {
        context.source.open().await?.ask_one(VERSION).await
    })
    .await?;
    check_target(context, ours.as_deref()).await
}

/// The same where the source's version is known.
pub(super) async fn check_target(context: &RunContext, ours: Option<&str>) -> Result<(), Error> {
    let theirs = retrying(context.retry_policy(), &context.progress, "versions", || async {
        context.target.open().await?.ask_one(VERSION).await
    })
    .await?;
    changed(ours, theirs.as_deref()).map_or(Ok(()), Err)
}

/// The error where both have TimescaleDB, in versions that differ.
fn changed(ours: Option<&str>, theirs: Option<&str>) -> Option<Error> {
    let (ours, theirs) = (ours?, theirs?);
    (ours != theirs).then(|| Error::Refused {
        what: format!(
            "TimescaleDB is {ours} on the source and {theirs} on the target by now: what is dumped fits its own version only"
        ),
        next: vec![
            "bring both to one version (has a maintenance changed the service?), then the same command with --resume".into(),
        ],
    })
}

/// What was weighed.
pub(super) struct Weight {
    pub(super) volume: Volume,
    pub(super) source: Connections,
    pub(super) target: Connections,
    /// Only where the plan is all that is wanted: measuring takes two seconds.
    pub(super) estimate: Option<Estimate>,
}

impl Weight {
    /// Tables, and tables with their indexes.
    pub(super) fn lockable(&self) -> (u64, u64) {
        let tables = self.volume.relations();
        (tables, tables + self.volume.indexes)
    }

    /// Things that files of the run speak of: tables, their parts, indexes.
    pub(super) fn things(&self) -> u64 {
        self.lockable().1 + self.volume.tables.iter().map(|table| table.parts).sum::<u64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_a_maintenance_has_changed_ends_the_run_before_it_writes_on() {
        assert!(changed(Some("2.19.3"), Some("2.19.3")).is_none() && changed(Some("2.19.3"), None).is_none());
        let error = changed(Some("2.19.3"), Some("2.20.0")).expect("they differ").to_string();
        assert!(
            error.contains("2.19.3 on the source and 2.20.0 on the target") && error.contains("--resume"),
            "{error}"
        );
    }
}
