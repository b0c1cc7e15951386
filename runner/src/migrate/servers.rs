//! Both servers as they were before anything was written.

use crate::capacity::Connections;
use crate::converted::Conversions;
use crate::error::Blocker;
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
}

impl Servers {
    /// Which schemas and tables are copied, and how.
    pub(super) fn chosen(&self) -> (&Filter, &Conversions) {
        (&self.filter, &self.convert)
    }
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
        let tables = self.volume.relations.len() as u64;
        (tables, tables + self.volume.indexes)
    }

    /// Things that files of the run speak of: tables, their parts, indexes.
    pub(super) fn things(&self) -> u64 {
        self.lockable().1 + self.volume.tables.iter().map(|table| table.parts).sum::<u64>()
    }
}
