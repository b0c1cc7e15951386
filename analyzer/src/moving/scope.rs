//! What a name of a schema becomes in one database.

use std::collections::{BTreeMap, BTreeSet};

use super::map::{DatabaseMap, is_of_the_server};
use super::names::{self, Name};
use super::places::{What, schema_of_text};
use super::survey::Database;
use crate::body::UNKNOWN;
use crate::parse::Class;
use crate::quote::quoted;

/// One database with what becomes of its schemas.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    pub(super) map: &'a DatabaseMap,
    pub(super) database: &'a Database,
}

/// What a place becomes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Becomes {
    /// Another name.
    Name(String),
    /// Another text: what is replaced in it, and what it is then.
    Text(Vec<(Name, String)>, String),
    /// Another list of `SET search_path`.
    Path(Vec<String>),
    /// It may have to become another one, and nothing proves it.
    Unknown,
}

impl Scope<'_> {
    /// The new name of a schema.
    pub(super) fn schema(&self, schema: &str) -> Option<String> {
        // What a text of EXECUTE fills in is no name.
        if schema.contains(UNKNOWN)
            || self.database.is_of_extension(schema) && !self.map.given.contains_key(schema)
        {
            return None;
        }
        self.map.moved(schema)
    }

    /// The new schema of an object. Members of extensions stay where they are, or are where the service has them.
    pub(super) fn object(&self, class: Class, schema: &str, name: &str) -> Option<String> {
        if let Some(there) = self.database.member_elsewhere(class, schema, name) {
            return Some(there.to_owned());
        }
        let new = self.schema(schema)?;
        // What is in another schema than public moves with it, as CREATE EXTENSION says then.
        (schema != "public" || !self.database.is_member(class, schema, name)).then_some(new)
    }

    /// Schemas of the database that move, with their new names.
    pub(super) fn moving(&self) -> impl Iterator<Item = (&str, String)> {
        let own = self.database.schemas.iter().map(String::as_str).filter(|schema| *schema != "public");
        let given = self.map.given.keys().map(String::as_str);
        let given = given.filter(|schema| *schema != "public" && !self.database.schemas.contains(*schema));
        own.chain(given).chain(["public"]).filter_map(|schema| Some((schema, self.schema(schema)?)))
    }

    /// Those of these extensions that the service has in another schema than they would come into.
    pub(super) fn elsewhere(&self, installed: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let other = |(name, there): (&String, &String)| {
            let own = self.database.schema_of_extension(name);
            let new = self.schema(own).filter(|_| own != "public");
            let is_own = self.database.extensions.contains_key(name) && name != "timescaledb";
            (is_own && new.as_deref().unwrap_or(own) != there).then(|| (name.clone(), there.clone()))
        };
        installed.iter().filter_map(other).collect()
    }

    /// True for a role's `search_path` that names schemas, and none of this database's but `public`.
    pub(super) fn is_path_of_another(&self, path: &[String]) -> bool {
        let mut names = path.iter().filter(|name| !is_of_the_server(name) && *name != "public").peekable();
        let is_own = |name: &String| {
            self.database.schemas.contains(name)
                || self.map.given.contains_key(name)
                || self.database.is_of_extension(name)
        };
        names.peek().is_some() && !names.any(is_own)
    }

    /// Schemas that a text may speak of: those that move, and those whose extensions are elsewhere.
    pub(super) fn spoken(&self) -> BTreeSet<&str> {
        let moving = self.moving().map(|(schema, _)| schema);
        let moving: BTreeSet<&str> = moving.collect();
        moving.union(&self.database.left_by_extensions()).copied().collect()
    }

    /// A `search_path`: an extension that stays in a schema is found there still, and one that is elsewhere where it is.
    pub(super) fn path(&self, path: &[String]) -> Option<Vec<String>> {
        let mut new: Vec<String> = Vec::new();
        let mut changed = false;
        for schema in path {
            let moved = self.schema(schema);
            let there = self.database.elsewhere(schema).map(|(_, there)| there.to_owned());
            let there: Vec<String> = there.collect();
            changed |= moved.is_some() || there.iter().any(|name| !path.contains(name));
            let stays = moved.is_none() || schema == "public" && self.database.has_extension_in(schema);
            for name in moved.into_iter().chain(stays.then(|| schema.clone())).chain(there) {
                if !new.contains(&name) {
                    new.push(name);
                }
            }
        }
        changed.then_some(new)
    }

    /// True for a path in which `"$user"` may be a schema that moves.
    fn is_of_users(&self, path: &[String]) -> bool {
        self.database.of_users && path.iter().any(|schema| schema == "$user")
    }

    /// What the default `search_path` becomes, `"$user", public`; without the user's own schema.
    pub(super) fn default_path(&self) -> Option<Vec<String>> {
        self.path(&["public".to_owned()])
    }

    /// What a place becomes; `None` where it stays. `has_table` tells whether a query reads the table under its own name.
    pub(super) fn becomes(&self, what: &What, has_table: impl Fn(&str) -> bool) -> Option<Becomes> {
        match what {
            What::Object { class, schema, name } => self.object(*class, schema, name).map(Becomes::Name),
            What::ExtensionSchema(schema) if schema == "public" => None,
            What::Schema(schema) | What::ExtensionSchema(schema) => self.schema(schema).map(Becomes::Name),
            What::Column { schema, table } => {
                let new = self.object(Class::Relation, schema, table)?;
                Some(if has_table(table) { Becomes::Name(new) } else { Becomes::Unknown })
            }
            What::SchemaText(text) => {
                let (parts, end) = names::path(text);
                let [schema] = parts.as_slice() else { return None };
                let new = self.schema(&schema.name).filter(|_| end == text.len())?;
                Some(replaced(text, &[(schema.clone(), quoted(&new))]))
            }
            What::Text(class, text) => {
                let (_, end) = names::path(text);
                let arguments = text.get(end..).unwrap_or_default();
                // The types of a function's arguments.
                if self.spoken().iter().any(|schema| !names::spoken_of(arguments, schema).is_empty()) {
                    return Some(Becomes::Unknown);
                }
                let (schema, name) = schema_of_text(text)?;
                let new = self.object(*class, &schema.name, &name)?;
                Some(replaced(text, &[(schema, quoted(&new))]))
            }
            What::ListText(text) => {
                let Some(list) = names::list(text) else {
                    let speaks = self.moving().any(|(schema, _)| text.to_ascii_lowercase().contains(schema));
                    return speaks.then_some(Becomes::Unknown);
                };
                let before: Vec<String> = list.iter().map(|name| name.name.clone()).collect();
                if self.is_of_users(&before) {
                    return Some(Becomes::Unknown);
                }
                self.path(&before)?;
                let new = list.into_iter().filter_map(|name| {
                    let path = self.path(std::slice::from_ref(&name.name))?;
                    let path: Vec<String> = path.iter().map(|schema| quoted(schema)).collect();
                    Some((name, path.join(", ")))
                });
                Some(replaced(text, &new.collect::<Vec<_>>()))
            }
            What::Path(path) if self.is_of_users(path) => Some(Becomes::Unknown),
            What::Path(path) => self.path(path).map(Becomes::Path),
        }
    }
}

fn replaced(text: &str, names: &[(Name, String)]) -> Becomes {
    let mut out = String::new();
    let mut done = 0;
    for (name, new) in names {
        out.push_str(text.get(done..name.range.start).unwrap_or_default());
        out.push_str(new);
        done = name.range.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    Becomes::Text(names.to_vec(), out)
}
