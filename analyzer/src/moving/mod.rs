//! Moves a database's schemas into other names of the service's one database: `public` of crm becomes `crm`.
//!
//! Two passes over the inputs come before the analysis. [`Surveyor`] reads what each database creates; [`Mover`] writes
//! the changes of each input, statement by statement: the tree names every schema, tokens tell the bytes, and the result is
//! parsed again and has to be the old tree with exactly these names changed. What cannot be proved so is an [`Unmoved`](crate::finding::Unmoved).

mod body;
mod fields;
mod map;
mod mover;
mod names;
mod places;
mod probe;
mod scope;
mod statement;
mod survey;
#[cfg(test)]
mod tests;
mod text;

pub use map::{DatabaseMap, SchemaMap, into_schema};
pub use mover::{Mover, Moves};
pub use survey::{Database, Survey, Surveyor};

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use self::scope::Scope;
use crate::finding::Why;
use crate::parse::Class;

/// A place that is not proved.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Doubt {
    why: Why,
    range: Range<usize>,
}

/// What cannot be moved at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MoveError {
    /// The inputs have no database of this name.
    #[error("no dump has a database {0}")]
    NoDatabase(String),
    /// Several databases would become one.
    #[error("the dumps hold several databases")]
    Several(Vec<String>),
    /// A database has hypertables: TimescaleDB's catalogs name schemas in rows.
    #[error("{0} has hypertables, whose schemas TimescaleDB keeps in rows of its own catalogs")]
    Hypertables(String),
    /// Nothing creates this schema.
    #[error("no dump has a schema {0}")]
    NoSchema(String),
    /// Two schemas would become one, which has one owner and one list of privileges: both, and their new name.
    #[error("schemas {0} and {1} would both become {2}")]
    Met(String, String, String),
    /// A schema's new name is longer than PostgreSQL keeps it: it and what it would be.
    #[error("schema {0} would become {1}, which is longer than 63 bytes")]
    TooLong(String, String),
}

/// Classes of objects that are in schemas.
const IN_SCHEMAS: [Class; 10] = [
    Class::Relation,
    Class::Type,
    Class::Function,
    Class::Operator,
    Class::OperatorClass,
    Class::Collation,
    Class::TextSearchConfiguration,
    Class::TextSearchDictionary,
    Class::TextSearchParser,
    Class::TextSearchTemplate,
];

/// What becomes of names of the only database.
impl Survey {
    fn only<'s>(&'s self, map: &'s SchemaMap) -> Option<Scope<'s>> {
        map.only.as_ref().zip(self.main()).map(|(map, (_, database))| Scope { map, database })
    }

    /// The schema that a table or sequence moves into; its own where it stays.
    #[must_use]
    pub fn schema_of_relation<'s>(&self, map: &SchemaMap, schema: &'s str, name: &str) -> Cow<'s, str> {
        let moved = self.only(map).and_then(|scope| scope.object(Class::Relation, schema, name));
        moved.map_or(schema.into(), Cow::from)
    }

    /// Takes what the service has already, by the extensions' names: where one is in another schema than it would come into, its
    /// members are named there.
    pub fn installed(&mut self, map: &SchemaMap, schemas: &BTreeMap<String, String>) {
        let Some((name, database)) = self.main().map(|(name, database)| (name.to_owned(), database)) else {
            return;
        };
        let Some(of) = &map.only else { return };
        let elsewhere = Scope { map: of, database }.elsewhere(schemas);
        if let Some(database) = self.databases.get_mut(&name) {
            database.set_elsewhere(elsewhere);
        }
    }

    /// The schema in which the service has a member of an extension, where it is another one.
    #[must_use]
    pub fn elsewhere(&self, map: &SchemaMap, schema: &str, name: &str) -> Option<String> {
        let database = self.only(map)?.database;
        let mut there = IN_SCHEMAS.iter().filter_map(|class| database.member_elsewhere(*class, schema, name));
        there.next().map(str::to_owned)
    }

    /// The schema that an object of whatever class moves into; `None` where it stays, as members of extensions do.
    #[must_use]
    pub fn schema_of_object(&self, map: &SchemaMap, schema: &str, name: &str) -> Option<String> {
        let scope = self.only(map)?;
        if let Some(there) = self.elsewhere(map, schema, name) {
            return Some(there);
        }
        let has = |of: fn(&Database, Class, &str, &str) -> bool| {
            IN_SCHEMAS.iter().any(|class| of(scope.database, *class, schema, name))
        };
        let stays = schema == "public" && has(Database::is_member) && !has(Database::creates);
        scope.schema(schema).filter(|_| !stays)
    }

    /// The name that a schema gets; `None` where it keeps its own.
    #[must_use]
    pub fn schema(&self, map: &SchemaMap, schema: &str) -> Option<String> {
        self.only(map)?.schema(schema)
    }

    /// The name that a schema had before it moved to this one; `None` where none did.
    #[must_use]
    pub fn schema_before(&self, map: &SchemaMap, new: &str) -> Option<String> {
        self.only(map)?.moving().find_map(|(old, name)| (name == new).then(|| old.to_owned()))
    }

    /// True for a role's `search_path` that is about another database of the cluster: it names schemas, and none of this one's but
    /// `public`.
    #[must_use]
    pub fn is_path_of_another(&self, map: &SchemaMap, path: &[String]) -> bool {
        self.only(map).is_some_and(|scope| scope.is_path_of_another(path))
    }

    /// What a `search_path` becomes; `None` where it stays.
    #[must_use]
    pub fn path(&self, map: &SchemaMap, path: &[String]) -> Option<Vec<String>> {
        self.only(map)?.path(path)
    }
}

impl SchemaMap {
    /// Looks at what the inputs hold.
    ///
    /// # Errors
    /// Where the schemas cannot be moved.
    pub fn check(&self, survey: &Survey) -> Result<(), MoveError> {
        let with_objects = || survey.databases.iter().filter(|(_, database)| database.has_objects);
        for name in self.databases.keys() {
            if !survey.databases.contains_key(name) {
                return Err(MoveError::NoDatabase(name.clone()));
            }
        }
        if self.only.is_some() && survey.connected.len() > 1 {
            return Err(MoveError::Several(survey.connected.iter().cloned().collect()));
        }
        for (name, database) in with_objects() {
            let Some(map) = self.database(name) else { continue };
            let too_long = |schema: &String| {
                Some(schema.clone()).zip(map.moved(schema).filter(|new| new.len() > map::LONGEST))
            };
            if let Some((schema, new)) = database.schemas.iter().find_map(too_long) {
                return Err(MoveError::TooLong(schema, new));
            }
            let has = |schema: &str| schema == "public" || database.schemas.contains(schema);
            if let Some(schema) = map.given.keys().find(|schema| !has(schema)) {
                return Err(MoveError::NoSchema(schema.clone()));
            }
            let mut becomes: BTreeMap<String, &str> = BTreeMap::new();
            let own = database
                .schemas
                .iter()
                .map(String::as_str)
                .filter(|schema| !database.is_of_extension(schema));
            let public = Some("public").filter(|schema| database.has_own_in(schema));
            for schema in own.chain(public) {
                let new = map.moved(schema).unwrap_or_else(|| schema.to_owned());
                match becomes.insert(new.clone(), schema) {
                    Some(other) if other != schema => {
                        return Err(MoveError::Met(other.to_owned(), schema.to_owned(), new));
                    }
                    _ => {}
                }
            }
            if database.hypertables && !map.moves_nothing() {
                let name =
                    if name.is_empty() { "the database".to_owned() } else { format!("database {name}") };
                return Err(MoveError::Hypertables(name));
            }
        }
        Ok(())
    }
}
