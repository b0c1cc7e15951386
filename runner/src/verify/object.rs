//! What a database holds, as it is compared.

use crate::quote::quoted;
use std::collections::{BTreeMap, BTreeSet};

use crate::names::Relation;

/// One privilege: who, what, and whether it may be handed on.
pub(super) type Privilege = (String, String, bool);

/// What is compared of an object, by name; the name is empty where the object is nothing but that.
pub(super) type Says = BTreeMap<String, String>;

/// How a flag that is set is written.
pub(super) const YES: &str = "yes";

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) owner: Option<String>,
    pub(super) privileges: BTreeSet<Privilege>,
    pub(super) says: Says,
}

/// A database.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalog {
    /// `server_version_num / 10000`.
    pub(super) major: u32,
    /// By kind and identity.
    pub(super) objects: BTreeMap<(String, String), Object>,
    /// What users made members of extensions.
    pub(super) added: BTreeSet<String>,
    /// Sequences: `last_value` and `is_called`.
    pub(super) sequences: BTreeMap<Relation, String>,
    /// Chunks by hypertable and ranges: the tables that they are.
    pub(super) chunks: BTreeMap<String, Relation>,
    /// The views of continuous aggregates.
    pub(super) aggregates: BTreeSet<Relation>,
}

impl Catalog {
    /// The chunk has its rows in its own table: it is not compressed.
    pub(super) fn is_plain_chunk(&self, identity: &str) -> bool {
        let chunk = self.objects.get(&("chunk".to_owned(), identity.to_owned()));
        chunk
            .and_then(|chunk| chunk.says.get("state"))
            .is_some_and(|state| state.starts_with("not compressed"))
    }
}

pub(super) fn not_member(class: &str, oid: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = {class} AND e.objid = {oid} \
         AND e.deptype = 'e')"
    )
}

/// Privileges in a row, with who has them.
pub(super) fn listed<'a>(privileges: impl Iterator<Item = &'a Privilege>) -> String {
    let list: Vec<_> = privileges
        .map(|(role, privilege, grantable)| {
            let role = if role.is_empty() { "PUBLIC".to_owned() } else { quoted(role) };
            format!("{privilege}{} to {role}", if *grantable { " with grant option" } else { "" })
        })
        .collect();
    if list.is_empty() { "nothing more".into() } else { list.join(", ") }
}
