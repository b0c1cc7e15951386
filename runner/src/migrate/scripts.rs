//! A dump's statements by the stages that run them.

use std::collections::BTreeSet;

use crate::script::Statement;

/// A statement about ownership, privileges or settings, with the part of the dump it comes from.
pub(super) type AccessStatement = (&'static str, Statement);

/// The statements of a dump, rewritten and sorted into the stages they belong to.
#[derive(Clone, Default)]
pub(super) struct Scripts {
    pub(super) roles: Vec<Statement>,
    pub(super) extensions: Vec<Statement>,
    pub(super) pre_data: Vec<Statement>,
    /// Calls that make hypertables of tables that have their rows.
    pub(super) hypertables: Vec<Statement>,
    pub(super) post_data: Vec<Statement>,
    pub(super) access: Vec<AccessStatement>,
    /// The roles' dump as it came, for what stands in the data.
    pub(super) roles_text: Vec<u8>,
    pub(super) pre_data_text: Vec<u8>,
    /// Roles that the target has and that stay as they are.
    pub(super) shared_roles: BTreeSet<String>,
    /// Functions that look for names in `public` of the target, beside extensions; none where that is accepted.
    pub(super) looks_in_public: usize,
    /// A hash of what was dumped.
    pub(super) hash: String,
}
