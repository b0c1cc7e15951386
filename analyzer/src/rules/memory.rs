//! What rules remember from one statement to later ones, beyond the facts of the dump.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::ObjectId;
use crate::finding::Place;

/// State that rules share.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    /// Inputs whose `\restrict` was reported.
    pub restricted_inputs: BTreeSet<usize>,
    /// Inputs whose rows come as INSERT statements.
    pub inserting_inputs: BTreeSet<usize>,
    /// CREATE on a schema that a new owner needs only while ownership is handed over: by schema and role.
    pub borrowed_create: BTreeMap<(String, String), Loan>,
    /// Roles that a fix, and not the dump, made the restoring role a member of.
    pub lent_membership: BTreeSet<String>,
    /// Roles that are superusers on the source, whatever becomes of them.
    pub source_superusers: BTreeSet<String>,
    /// Roles that bypass row-level security on the source.
    pub source_bypass: BTreeSet<String>,
    /// Owners that schemas have on the target, where that is not the restoring role.
    pub schema_owners: BTreeMap<String, String>,
    /// The table whose column a sequence belongs to: its owner is the table's.
    pub sequence_tables: BTreeMap<ObjectId, ObjectId>,
    /// Views of continuous aggregates.
    pub continuous_aggregates: BTreeSet<ObjectId>,
    /// Row-level security of tables: enabled, forced.
    pub row_security: BTreeMap<ObjectId, (bool, bool)>,
    /// `SET row_security = off` is in force.
    pub row_security_off: bool,
    /// A statement of this session has loaded PL/pgSQL, with its parameters.
    pub plpgsql_loaded: bool,
    /// A fix has loaded it.
    pub plpgsql_lent: bool,
    /// Extensions that the target has in another schema than the dump.
    pub moved_extensions: Vec<Moved>,
    /// Aggregates and operators whose argument types were changed.
    pub retyped: BTreeSet<ObjectId>,
}

/// A privilege that is lent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loan {
    /// The last statement that needed it.
    pub place: Place,
    /// The dump itself granted it since: it stays.
    pub kept: bool,
}

impl Memory {
    /// A role has this attribute on the source.
    pub fn source_attribute(&mut self, role: &str, attribute: &str) {
        match attribute {
            "superuser" => self.source_superusers.insert(role.to_owned()),
            "bypassrls" => self.source_bypass.insert(role.to_owned()),
            _ => false,
        };
    }
}

/// An extension in another schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moved {
    /// The extension.
    pub extension: String,
    /// The schema that the dump has it in.
    pub from: String,
    /// The schema that the target has it in.
    pub to: String,
}
