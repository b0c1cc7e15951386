//! The databases of a cluster dump side by side: what becomes of each, and what it would take to keep them all.

use serde::Serialize;

use super::{Block, Section};
use crate::analysis::{Analysis, DatabaseCensus};
use crate::human::count;
use crate::moving::{DatabaseMap, into_schema};
use crate::options::Options;
use crate::quote::quoted;

/// The database that new ones are copies of: it is no user's.
pub(super) const PATTERN: &str = "template1";

/// What becomes of a database of a cluster dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It becomes the one database of the target.
    Kept,
    /// Its schemas move into other names, beside those of others.
    Moved,
    /// It is not restored.
    LeftOut,
}

/// A database of a cluster dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct DatabaseEntry<'a> {
    /// Its name.
    pub name: &'a str,
    /// What becomes of it.
    pub fate: Fate,
    /// Its schemas.
    pub schemas: Vec<SchemaEntry<'a>>,
    /// What another database has by the same name, and a service can have once: `publication p of crm`.
    pub meets: Vec<String>,
}

/// A schema of a database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct SchemaEntry<'a> {
    /// Its name.
    pub name: &'a str,
    /// How many objects the dump creates in it.
    pub objects: u64,
    /// What it becomes where the database is kept beside the others.
    pub becomes: Option<String>,
}

/// The databases of an analysis: none where there are not several.
pub(super) fn databases<'a>(analysis: &'a Analysis, options: &Options) -> Vec<DatabaseEntry<'a>> {
    let all = &analysis.databases;
    if all.len() < 2 {
        return Vec::new();
    }
    all.iter().map(|database| entry(database, all, options)).collect()
}

fn entry<'a>(database: &'a DatabaseCensus, all: &[DatabaseCensus], options: &Options) -> DatabaseEntry<'a> {
    let name = database.name.as_str();
    let fate = if options.moved.contains(name) {
        Fate::Moved
    } else if database.is_kept {
        Fate::Kept
    } else {
        Fate::LeftOut
    };
    let can_move = fate != Fate::Moved && name != PATTERN && !database.has_hypertables();
    let new = can_move.then(|| into_schema(name));
    let new = new.and_then(|wish| Some(wish.rsplit_once('=')?.1.to_owned()));
    let map = DatabaseMap { into: new, ..DatabaseMap::default() };
    let others = || all.iter().filter(|other| other.name != name && other.name != PATTERN);
    let meets = database.without_schema.iter().flat_map(|object| {
        let namesakes = others().filter(|other| other.without_schema.contains(object));
        namesakes.map(move |other| format!("{object} of {}", quoted(&other.name)))
    });
    let schemas = database.schemas.iter();
    DatabaseEntry {
        name,
        fate,
        schemas: schemas
            .map(|(schema, objects)| SchemaEntry {
                name: schema,
                objects: *objects,
                becomes: map.moved(schema),
            })
            .collect(),
        meets: meets.collect(),
    }
}

impl DatabaseEntry<'_> {
    /// `3 objects: kept`, `2 objects: left out`.
    #[must_use]
    pub fn about(&self) -> String {
        let objects = self.schemas.iter().map(|schema| schema.objects).sum();
        let fate = match self.fate {
            Fate::Kept => "kept",
            Fate::Moved => "kept, moved",
            Fate::LeftOut => "left out",
        };
        format!("{}, {fate}", count(objects, "object"))
    }

    /// `public → shop, audit → shop_audit`; nothing where no schema would move.
    #[must_use]
    pub fn becomes(&self) -> String {
        let moves = self.schemas.iter().filter_map(|schema| {
            let new = schema.becomes.as_deref()?;
            Some(format!("{} → {}", quoted(schema.name), quoted(new)))
        });
        moves.collect::<Vec<_>>().join(", ")
    }
}

/// The headings of the table of databases.
const HEAD: [&str; 4] = ["database", "here", "kept beside the others", "meets"];

/// The table of databases as a part of a page; none where there are not several.
pub(super) fn section(databases: &[DatabaseEntry<'_>], keep_all: Option<&str>) -> Option<Section> {
    if databases.is_empty() {
        return None;
    }
    let row = |database: &DatabaseEntry<'_>| {
        vec![database.name.to_owned(), database.about(), database.becomes(), database.meets.join(", ")]
    };
    let head = HEAD.map(str::to_owned).to_vec();
    let mut blocks = vec![Block::Table { head, rows: databases.iter().map(row).collect() }];
    if let Some(options) = keep_all {
        blocks
            .push(Block::Text("To keep all of them, each in schemas of its own, add these options:".into()));
        blocks.push(Block::Code(options.to_owned()));
    }
    Some(Section { id: "databases".into(), title: "Databases".into(), blocks })
}
