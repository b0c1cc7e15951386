//! Rules about owners and privileges.

pub mod own_01_owner;
pub mod own_02_schema;
pub mod own_03_grant;
pub mod own_04_public_schema;
pub mod own_05_default_privileges;
pub mod own_06_parameter_grant;
pub mod own_07_reassigned_objects;

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::ObjectId;
use crate::finding::Place;
use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &own_01_owner::RULE,
    &own_02_schema::RULE,
    &own_03_grant::RULE,
    &own_04_public_schema::RULE,
    &own_05_default_privileges::RULE,
    &own_06_parameter_grant::RULE,
    &own_07_reassigned_objects::RULE,
];

/// What fixes lend to hand over ownership, and what decides about owners.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handover {
    /// CREATE on a schema that a new owner needs only while ownership is handed over: by schema and role.
    pub(crate) borrowed_create: BTreeMap<(String, String), Loan>,
    /// Roles that a fix, and not the dump, made the restoring role a member of.
    pub(crate) lent_membership: BTreeSet<String>,
    /// Owners that schemas have on the target, where that is not the restoring role.
    pub(crate) schema_owners: BTreeMap<String, String>,
    /// The table whose column a sequence belongs to: its owner is the table's.
    pub(crate) sequence_tables: BTreeMap<ObjectId, ObjectId>,
    /// Views of continuous aggregates.
    pub(crate) continuous_aggregates: BTreeSet<ObjectId>,
}

/// A privilege that is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loan {
    /// The last statement that needed it.
    pub(crate) place: Place,
    /// The dump itself granted it since: it stays.
    pub(crate) kept: bool,
}
