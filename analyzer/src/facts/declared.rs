//! What a dump declares, as data: roles, relations, privileges, settings, and why an object is missing.

use std::sync::Arc;

use arcstr::ArcStr;

use super::intern::Symbol;
use super::objects::{ObjectId, Signature};
use super::table_types::Traits;
use crate::edit::Safety;
use crate::finding::Place;

/// What a dump's own comments tell about it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// The input's name.
    pub input: String,
    /// `Dumped from database version`.
    pub server_version: Option<String>,
    /// `Dumped by pg_dump version`.
    pub dump_version: Option<String>,
    /// Written by pg_dumpall.
    pub cluster: bool,
    /// How many dumps began (`PostgreSQL database dump`, `… cluster dump`).
    pub begun: u32,
    /// How many of them ended.
    pub completed: u32,
    /// A rewrite has left statements out of it: nothing else may be left.
    pub rewritten: bool,
}

impl Header {
    /// The major version of the server that was dumped.
    #[must_use]
    pub fn server_major(&self) -> Option<u32> {
        let version = self.server_version.as_ref()?;
        version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
    }
}

/// A role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Role {
    /// Where it is created; `None` where the dump only mentions it.
    pub created: Option<Place>,
    /// SUPERUSER.
    pub superuser: bool,
    /// CREATEROLE.
    pub createrole: bool,
    /// CREATEDB.
    pub createdb: bool,
    /// REPLICATION.
    pub replication: bool,
    /// BYPASSRLS.
    pub bypassrls: bool,
    /// LOGIN.
    pub login: bool,
    /// NOINHERIT: members get nothing from the roles that they are in.
    pub noinherit: bool,
    /// A password comes with it.
    pub password: bool,
}

/// A membership: GRANT role TO member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// The role granted.
    pub role: Box<str>,
    /// Who becomes its member.
    pub member: Box<str>,
    /// WITH ADMIN.
    pub admin: bool,
    /// The member has the role's privileges (WITH INHERIT FALSE, from 16 on, denies them).
    pub inherit: bool,
    /// The member may become the role (WITH SET FALSE, from 16 on, denies it).
    pub set: bool,
    /// Where.
    pub place: Place,
}

/// A database: a part of a cluster dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Where it is first named.
    pub place: Place,
    /// Its first own object, where it has one.
    pub first_object: Option<Place>,
}

/// An extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The schema given for it.
    pub schema: Option<Box<str>>,
    /// Where.
    pub place: Place,
}

/// A column. Its names are in [`Facts::names`](crate::Facts::names).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Symbol,
    /// Its type as the dump writes it, without modifiers.
    pub data_type: Symbol,
    /// Byte offset of its definition in the statement of its table.
    pub at: u32,
    /// What else is known of it.
    pub traits: Traits,
}

/// A constraint of a table. Its names are in [`Facts::names`](crate::Facts::names).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Constraint {
    /// The table's schema.
    pub schema: Symbol,
    /// The table.
    pub table: Symbol,
    /// Its name; empty where the server chooses it.
    pub name: Symbol,
    /// `ConstrType` of the parser: check, primary key, foreign key and so on.
    pub kind: i32,
    /// Its columns; an expression is an empty name. Empty for what it is not known of.
    pub columns: Box<[Symbol]>,
    /// Schema and name of the table that a foreign key refers to.
    pub references: Option<(Symbol, Symbol)>,
    /// NO INHERIT.
    pub no_inherit: bool,
    /// The statement.
    pub place: Place,
}

/// A table, view, sequence, index or other relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// The word for it.
    pub word: &'static str,
    /// Where it is created.
    pub place: Place,
    /// Its columns, for tables.
    pub columns: Box<[Column]>,
    /// It may have columns beside these and those of its parents: LIKE, OF, a query.
    pub has_more_columns: bool,
    /// UNLOGGED or TEMPORARY.
    pub transient: bool,
    /// The table of an index; the parents of a table that inherits.
    pub parents: Box<[ObjectId]>,
}

impl Relation {
    /// True for a table all of whose columns are known.
    #[must_use]
    pub fn is_whole_table(&self) -> bool {
        self.word == "table" && !self.has_more_columns && self.parents.is_empty()
    }
}

/// A type, domain, function, or other object with no more to know about it here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The word for it.
    pub word: &'static str,
    /// Where it is created (for overloaded functions, the first).
    pub place: Place,
}

/// Who owns an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The object.
    pub object: ObjectId,
    /// Its owner.
    pub role: ArcStr,
    /// Where.
    pub place: Place,
}

/// A privilege on an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Privilege {
    /// The object.
    pub object: ObjectId,
    /// Who gets it; `None` is PUBLIC.
    pub grantee: Option<Box<str>>,
    /// The privileges as SQL writes them; `ALL` where the statement says so.
    pub privileges: Box<str>,
    /// GRANT or REVOKE.
    pub granted: bool,
    /// Where.
    pub place: Place,
}

/// Where a setting is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// ALTER ROLE … SET.
    Role(Box<str>),
    /// ALTER DATABASE … SET.
    Database(Box<str>),
    /// ALTER ROLE … IN DATABASE … SET.
    RoleInDatabase(Box<str>, Box<str>),
}

/// A parameter stored for a role or database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Where it is stored.
    pub scope: Scope,
    /// The parameter.
    pub name: Box<str>,
    /// The schemas, where the parameter is `search_path`; `None` where it is removed again.
    pub path: Option<Box<[Box<str>]>>,
    /// Where.
    pub place: Place,
}

/// Why an object will not be on the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The rule of the finding at the root.
    pub rule: &'static str,
    /// The object at the root: an extension, a language.
    pub root: String,
    /// The statement that would have created the object at the root.
    pub place: Place,
    /// Whether that statement was removed, or stays and fails.
    pub removed: bool,
    /// How far taking it out can be trusted.
    pub safety: Safety,
}

/// One of the functions that share a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overload {
    /// The word for it: function, procedure, aggregate.
    pub word: &'static str,
    /// Its arguments.
    pub signature: Signature,
    /// Why it will not be on the target, where it will not.
    pub absence: Option<Arc<Absence>>,
}

/// A table that pg_partman partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partman {
    /// The partitioned table as pg_partman writes it: `schema.table`, without quotes.
    pub parent: Box<str>,
    /// The column that decides about a row's partition.
    pub control: Box<str>,
    /// How much one partition covers: an interval or, for integers, a number.
    pub interval: Box<str>,
    /// How long partitions are kept.
    pub retention: Option<Box<str>>,
    /// They are detached then, and stay as tables.
    pub keeps: bool,
    /// Its row.
    pub place: Place,
}

/// What kind of type it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TypeKind {
    /// AS ENUM (labels).
    Enum,
    /// AS (attributes).
    Composite,
    /// A domain with its constraints.
    Domain,
    /// AS RANGE.
    Range,
}

/// A type that the dump creates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeParts {
    /// Its kind.
    pub kind: TypeKind,
    /// The labels, attributes or named constraints at this point.
    pub parts: Vec<Box<str>>,
    /// Of a domain: its type as the dump writes it, without modifiers. An array's ends with `[]`.
    pub base: Box<str>,
    /// There may be constraints that the server named itself.
    pub has_unnamed: bool,
}

impl TypeParts {
    pub(super) fn new(kind: TypeKind, parts: Vec<Box<str>>) -> Self {
        Self { kind, parts, base: "".into(), has_unnamed: false }
    }

    /// True where it has this label, attribute or constraint.
    #[must_use]
    pub fn has(&self, part: &str) -> bool {
        self.parts.iter().any(|known| **known == *part)
    }

    pub(super) fn rename(&mut self, old: &str, new: &str) {
        if let Some(part) = self.parts.iter_mut().find(|part| ***part == *old) {
            *part = new.into();
        }
    }

    pub(super) fn add(&mut self, part: &str) {
        if !self.has(part) {
            self.parts.push(part.into());
        }
    }

    pub(super) fn remove(&mut self, part: &str) {
        self.parts.retain(|known| **known != *part);
    }
}
