//! Which objects an extension brings: a dump holds only its name, and everything that uses it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::Names;
use super::names::shortened;
use crate::parse::Class;

// Read on 2026-11-22 from pg_depend (deptype e) of servers in which each packaged extension was created with
// CREATE EXTENSION .. CASCADE in a fresh database: Debian 13 trixie postgresql-17 17.12-0+deb13u1, Debian 12
// bookworm postgresql-15 15.20-0+deb12u1, Debian forky postgresql-18 18.6-3, each with its contrib modules and the
// distribution's postgresql-N-* extension packages. Member names are the union over the servers; requires, schema,
// relocatable, trusted are of 17 where it has the extension, else 15, else 18. known=documentation: not packaged
// there, written from the project's documentation or installation script, not complete. tables, sequences and
// config_tables are schema.name where the extension makes or fixes that schema, everything else is a bare name: in
// a schema of the extension (schemas, schema) or wherever it was put. functions holds functions, aggregates and
// procedures without type I/O functions and without internal or handler arguments and results; internals holds
// those, and casts source/target, both read on 2026-11-28 from the same servers where an extension is a contrib
// module or one that the lab has (an extension without casts that was asked has an empty list); overloads and
// operator_class_overloads are member functions and operator classes named like one of pg_catalog. Array types,
// table row types and casts are left out. operator_families holds those not named like a class; transforms are
// type/language; empty lists and false are left out.
// types, functions, internals and operator_classes are shortened, see Names.
const MEMBERS: &str = include_str!("extension_members.json");

/// The members of one extension, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Members {
    /// Types and domains.
    #[serde(deserialize_with = "shortened")]
    pub types: Names,
    /// Functions, procedures and aggregates.
    #[serde(deserialize_with = "shortened")]
    pub functions: Names,
    /// Those of its functions that are named like one of pg_catalog.
    pub overloads: Names,
    /// Those of its functions that types, indexes and aggregates call, and nobody else: input and output above all.
    #[serde(deserialize_with = "shortened")]
    pub internals: Names,
    /// Operators.
    pub operators: Names,
    /// Operator classes and families.
    #[serde(deserialize_with = "shortened")]
    pub operator_classes: Names,
    /// Access methods.
    pub access_methods: Names,
    /// Procedural languages.
    pub languages: Names,
    /// Foreign-data wrappers.
    pub foreign_data_wrappers: Names,
    /// Schemas that it creates.
    pub schemas: Names,
    /// Tables, views and sequences.
    pub tables: Names,
    /// Sequences, where they are not among the tables.
    pub sequences: Names,
    /// Tables whose rows a dump carries (`pg_extension_config_dump`).
    pub config_tables: Names,
    /// Text search objects.
    pub text_search: Names,
    /// Operator classes that are named like one of pg_catalog.
    pub operator_class_overloads: Names,
    /// Operator families that are not named like a class.
    pub operator_families: Names,
    /// Event triggers.
    pub event_triggers: Names,
    /// Transforms: `type/language`.
    pub transforms: Names,
    /// Casts: `source/target`. None where nobody has asked.
    pub casts: Option<Names>,
    /// Where the list is from, if not from a server: it is not complete then.
    pub known: Option<&'static str>,
    /// Extensions that it needs.
    pub requires: Vec<&'static str>,
    /// The one schema that it can be in.
    pub schema: Option<&'static str>,
    /// True where its objects can be moved to another schema.
    pub relocatable: bool,
    /// True where a database owner may create it without being a superuser.
    pub trusted: bool,
}

impl Members {
    /// True where the extension has a member of this class and name. For relations see
    /// [`Members::relation_schemas`].
    #[must_use]
    pub fn has(&self, class: Class, name: &str) -> bool {
        let names = match class {
            Class::Type => &self.types,
            Class::Function => &self.functions,
            Class::Operator => &self.operators,
            Class::OperatorClass => &self.operator_classes,
            Class::AccessMethod => &self.access_methods,
            Class::Language => &self.languages,
            Class::ForeignDataWrapper => &self.foreign_data_wrappers,
            Class::Schema => &self.schemas,
            Class::EventTrigger => &self.event_triggers,
            class if class.is_text_search() => &self.text_search,
            _ => return false,
        };
        names.contains(name) || class == Class::Function && self.is_internal(name)
    }

    /// A function that only types, indexes and aggregates call. Lists that no server has told know such by their types.
    fn is_internal(&self, name: &str) -> bool {
        let of_type = || {
            let (of, work) = name.rsplit_once('_')?;
            Some(["in", "out", "recv", "send"].contains(&work) && self.types.contains(of))
        };
        self.internals.contains(name) || of_type().unwrap_or_default()
    }

    /// True where the extension has a member of this class and name, a relation in whatever schema it is.
    #[must_use]
    pub fn holds(&self, class: Class, name: &str) -> bool {
        match class {
            Class::Relation => self.relation_schemas(name).next().is_some(),
            class => self.has(class, name),
        }
    }

    /// True where the extension has a function that is named like one of pg_catalog: what a name with another schema means.
    #[must_use]
    pub fn overloads(&self, class: Class, name: &str) -> bool {
        class == Class::Function && self.overloads.contains(name)
    }

    /// The schemas that are known to hold a relation of this name: `Some` where the extension fixes one,
    /// `None` inside where it is wherever the extension was put. Empty where it has no such relation.
    pub fn relation_schemas(&self, name: &str) -> impl Iterator<Item = Option<&str>> {
        [&self.tables, &self.sequences, &self.config_tables].into_iter().flat_map(Names::iter).filter_map(
            move |path| match path.split_once('.') {
                Some((schema, relation)) => (relation == name).then_some(Some(schema)),
                None => (path == name).then_some(None),
            },
        )
    }

    /// True where a dump carries the rows of this relation of the extension.
    #[must_use]
    pub fn is_config(&self, schema: Option<&str>, name: &str) -> bool {
        let qualified = schema.map(|schema| format!("{schema}.{name}"));
        self.config_tables.contains(name) || qualified.is_some_and(|path| self.config_tables.contains(&path))
    }
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct File {
    extensions: BTreeMap<&'static str, Members>,
}

static ALL: LazyLock<BTreeMap<&'static str, Members>> =
    // A test reads the built-in file; without it no dependents would be found, and nothing else changes.
    LazyLock::new(|| {
        serde_json::from_str::<File>(MEMBERS).map(|file| file.extensions).unwrap_or_default()
    });

/// All extensions whose members are known.
pub fn known() -> impl Iterator<Item = (&'static str, &'static Members)> {
    ALL.iter().map(|(name, members)| (*name, members))
}

/// The members of an extension, where they are known.
#[must_use]
pub fn members(extension: &str) -> Option<&'static Members> {
    ALL.get(extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_extensions_are_known() {
        assert!(ALL.len() > 50);
        assert!(members("hstore").unwrap().has(Class::Type, "hstore"));
        assert!(members("ltree").unwrap().has(Class::Function, "lquery_in"));
        assert!(members("citext").unwrap().has(Class::Function, "citextin"));
        assert!(!members("ltree").unwrap().has(Class::Function, "my_in"));
        assert!(members("postgres_fdw").unwrap().has(Class::ForeignDataWrapper, "postgres_fdw"));
    }
}
