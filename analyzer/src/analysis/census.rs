//! What each database of a cluster dump creates: how many objects in which schema, and what a service has once.

use std::collections::BTreeMap;

use crate::facts::objects::{created, is_user_object};
use crate::parse::{Class, NodeEnum};

/// A database of a cluster dump that creates objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatabaseCensus {
    /// Its name.
    pub name: String,
    /// It is the one database that is kept.
    pub is_kept: bool,
    /// The objects that are in its schemas, by schema; an unqualified name is one of `public`.
    pub schemas: BTreeMap<String, u64>,
    /// What it has without a schema, in words: a service has each such name once.
    pub without_schema: Vec<String>,
}

impl DatabaseCensus {
    /// True where it has chunks: its hypertables cannot move into other schemas.
    pub(crate) fn has_hypertables(&self) -> bool {
        self.schemas.contains_key("_timescaledb_internal")
    }
}

/// Takes down what this statement creates in the database.
pub(super) fn take(databases: &mut Vec<DatabaseCensus>, name: &str, node: &NodeEnum) {
    let Some(object) = created(node).filter(|_| is_user_object(node)) else { return };
    let at = databases.iter().position(|known| known.name == name).unwrap_or_else(|| {
        databases.push(DatabaseCensus { name: name.to_owned(), ..DatabaseCensus::default() });
        databases.len() - 1
    });
    let database = &mut databases[at];
    match object.id.class {
        Class::Schema => {
            database.schemas.entry(object.id.name.to_string()).or_default();
        }
        Class::Publication
        | Class::Subscription
        | Class::EventTrigger
        | Class::Server
        | Class::ForeignDataWrapper
        | Class::Language => database.without_schema.push(object.to_string()),
        Class::Role | Class::Database | Class::Tablespace | Class::Extension => {}
        _ => {
            let schema = object.id.schema.as_deref().unwrap_or("public");
            *database.schemas.entry(schema.to_owned()).or_default() += 1;
        }
    }
}

/// Says which of them is kept.
pub(super) fn finish(databases: &mut [DatabaseCensus], kept: Option<&str>) {
    for database in databases {
        database.is_kept = kept == Some(database.name.as_str());
    }
}
