//! What rules remember from one statement to later ones, beyond the facts of the dump.

use std::collections::{BTreeMap, BTreeSet};

use crate::finding::Place;

/// State that rules share.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// CREATE on a schema that a new owner needs only while ownership is handed over: schema and role,
    /// with the last statement that needed it.
    pub borrowed_create: BTreeMap<(String, String), Place>,
    /// Roles that a fix, and not the dump, made the restoring role a member of.
    pub lent_membership: BTreeSet<String>,
    /// Inputs whose `\restrict` was reported.
    pub restricted_inputs: BTreeSet<usize>,
    /// Inputs whose rows come as INSERT statements.
    pub inserting_inputs: BTreeSet<usize>,
}
