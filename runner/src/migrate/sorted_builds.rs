//! Post-data by the time when each part of it can be built.

use std::collections::BTreeSet;

use crate::converted::Conversions;
use crate::engine::allowed::Allowed;
use crate::engine::builds::{self, AfterRestoring, Builds, ForeignKeys};
use crate::inspect::Timescale;
use crate::names::Relation;
use crate::script::Statement;
use crate::timescale;

/// Post-data, sorted.
pub(super) struct SortedBuilds {
    pub(super) builds: Builds,
    /// Foreign keys between tables that are copied: they wait for nothing else.
    pub(super) while_copying: Vec<ForeignKeys>,
    /// The other ones.
    pub(super) after_rows: Vec<ForeignKeys>,
    pub(super) after_restoring: AfterRestoring,
}

impl SortedBuilds {
    /// Sorts it. `relations` are the tables whose rows are copied, `convert` has those of them that become hypertables.
    pub(super) fn new(
        post_data: Vec<Statement>,
        relations: &BTreeSet<Relation>,
        timescale: Option<&Timescale>,
        convert: &Conversions,
        allowed: &Allowed,
    ) -> Self {
        let hypertables: BTreeSet<Relation> =
            timescale.into_iter().flat_map(Timescale::tables).cloned().collect();
        let plain = |table: &Relation| {
            !timescale::is_own(&table.schema) && !hypertables.contains(table) && !convert.has(table)
        };
        let mut builds = builds::sort(post_data, relations, plain, allowed);
        let after_restoring = builds.take_after_restoring(&hypertables, &convert.late());
        let (while_copying, after_rows) = builds.take_while_copying(relations);
        Self { builds, while_copying, after_rows, after_restoring }
    }
}
