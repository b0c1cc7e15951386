//! What the stages found out for those after them.

use std::collections::{BTreeMap, BTreeSet};

use super::handover::Refused;
use super::violations::Unfulfilled;
use crate::names::Relation;
use crate::verify::Kept;

/// What the stages found out for those after them.
#[derive(Default)]
pub(super) struct Loaded {
    /// Rows that the target took.
    pub(super) rows: BTreeMap<Relation, u64>,
    /// Tables whose rows stayed behind.
    pub(super) skipped: BTreeSet<Relation>,
    /// Sequences as they were set: `last_value` and `is_called`.
    pub(super) sequences: crate::engine::sequences::Values,
    /// Hypertables of the target, whose statistics are still to be made.
    pub(super) hypertables: Vec<Relation>,
    /// Owners of hypertables that the target refused, and why.
    pub(super) refused: Refused,
    /// Constraints that rows break, and that are not there or not checked.
    pub(super) unfulfilled: Vec<Unfulfilled>,
    /// What stayed the administrator's.
    pub(super) kept: Kept,
}
