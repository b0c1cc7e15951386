//! What a dump declares, each fact with its place: collected in one forward pass, statement by statement.
//! At any time they tell what the target has at this point of the restore.

mod collect;
pub mod hypertables;
mod intern;
pub mod names;
pub mod objects;
pub mod partman;
pub mod rows;
pub mod tables;
pub mod timescale;

pub use intern::{Names, Symbol};
pub use objects::{Object, ObjectId};

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::edit::Safety;
use crate::finding::Place;
use crate::parse::{Class, NodeEnum, Reference};
use crate::target::{is_builtin, members};
use objects::Signature;

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
    /// Where it is made; `None` where the dump only speaks of it.
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

/// A column. Its names are in [`Facts::names`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: Symbol,
    /// Its type as the dump writes it, without modifiers.
    pub data_type: Symbol,
    /// Byte offset of its definition in the statement of its table.
    pub at: u32,
    /// What else is known of it.
    pub traits: tables::Traits,
}

/// A constraint of a table. Its names are in [`Facts::names`].
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
    /// Where it is made.
    pub place: Place,
    /// Its columns, for tables.
    pub columns: Box<[Column]>,
    /// UNLOGGED or TEMPORARY.
    pub transient: bool,
    /// The table of an index; the parents of a table that inherits.
    pub parents: Box<[ObjectId]>,
}

/// A type, domain, function, or other object with no more to know about it here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The word for it.
    pub word: &'static str,
    /// Where it is made (for overloaded functions, the first).
    pub place: Place,
}

/// Who owns an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The object.
    pub object: ObjectId,
    /// Its owner.
    pub role: Box<str>,
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
    /// The statement that would have made the object at the root.
    pub place: Place,
    /// Whether that statement was taken out, or stays and fails.
    pub removed: bool,
    /// How far taking it out can be trusted.
    pub safety: Safety,
}

/// One of the functions that share a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overload {
    /// Its arguments.
    pub signature: Signature,
    /// Why it will not be on the target, where it will not.
    pub absence: Option<Absence>,
}

/// Everything that the dumps declare so far.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// One for each input.
    pub headers: Vec<Header>,
    /// Databases of cluster dumps, by name.
    pub databases: BTreeMap<Box<str>, Database>,
    /// The database that the input is connected to at this point.
    pub current_database: Option<Box<str>>,
    /// Of a cluster dump, the one database whose objects are kept, once it is known.
    pub kept_database: Option<Box<str>>,
    /// Roles, by name.
    pub roles: BTreeMap<Box<str>, Role>,
    /// Memberships, in order.
    pub memberships: Vec<Membership>,
    /// Extensions, by name.
    pub extensions: BTreeMap<Box<str>, Extension>,
    /// Schemas, by name.
    pub schemas: BTreeMap<Box<str>, Declared>,
    /// Tables and their like.
    pub relations: BTreeMap<ObjectId, Relation>,
    /// Types and domains, functions, operators, triggers, policies and all else that is made.
    pub objects: BTreeMap<ObjectId, Declared>,
    /// Names of columns, types and constraints.
    pub names: Names,
    /// Constraints, in order.
    pub constraints: Vec<Constraint>,
    /// Indexes that CREATE INDEX makes, in order.
    pub indexes: Vec<tables::Index>,
    /// Tables in partitions.
    pub partitioned: BTreeMap<ObjectId, tables::Partitioned>,
    /// What stands on tables and matters to hypertables, in order.
    pub attached: Vec<tables::Attached>,
    /// Tables that rows go into.
    pub filled: BTreeSet<ObjectId>,
    /// The table of the COPY whose rows may follow.
    pub(crate) filling: Option<ObjectId>,
    /// Owners, the last statement for an object last.
    pub owners: Vec<Owner>,
    /// Where the last owner of an object stands in `owners`, by the object's hash.
    pub(crate) last_owners: HashMap<u64, u32>,
    /// Privileges on schemas, databases and their like, in order: tables and functions have too many.
    pub privileges: Vec<Privilege>,
    /// Stored settings, in order.
    pub settings: Vec<Setting>,
    /// Objects that the target will not have. Of functions those whose every overload is absent.
    pub absent: BTreeMap<ObjectId, Absence>,
    /// Functions and aggregates with all their overloads.
    pub overloads: BTreeMap<ObjectId, Vec<Overload>>,
    /// Tables with triggers of the server's own: those of foreign keys, on both sides, and of
    /// deferrable keys.
    pub system_triggers: BTreeSet<ObjectId>,
    /// Relations that the source's TimescaleDB keeps as hypertables.
    pub hypertables: BTreeSet<ObjectId>,
    /// Tables that pg_partman partitions.
    pub partman: Vec<partman::Partman>,
    /// What it tells of TimescaleDB on the source.
    pub timescale: timescale::Timescale,
    /// Tables that statements of the dump have made hypertables on the target.
    pub converted: BTreeMap<ObjectId, hypertables::Hypertable>,
    /// Tables for which such a statement fails.
    pub refused_hypertables: BTreeSet<ObjectId>,
    /// `search_path` at this point.
    pub search_path: Vec<Box<str>>,
    /// `check_function_bodies` is off at this point.
    pub unchecked_bodies: bool,
    /// The inputs are whole dumps or parts of them, not a script or some statements of one: what they need and do not
    /// make is missing on an empty target.
    pub is_dump: bool,
    /// pg_dump's preamble has begun: `SET statement_timeout`.
    pub(crate) without_timeout: bool,
    /// A statement has run that may make objects which it does not name: DO, CALL, a call of a function that is not
    /// PostgreSQL's own, another name for an object.
    pub dynamic: bool,
    /// Extensions that the dump drops, and does not create again.
    pub dropped_extensions: BTreeSet<Box<str>>,
    /// True once a temporary table was made in this session.
    pub temporary_objects: bool,
    /// How many statements with roles were seen: 0 means that the inputs hold no roles dump.
    pub role_statements: u64,
}

impl Facts {
    /// True where the role exists on the target at this point, because the dump makes it.
    #[must_use]
    pub fn makes_role(&self, name: &str) -> bool {
        self.roles.get(name).is_some_and(|role| role.created.is_some())
            && !self.absent.contains_key(&ObjectId::new(Class::Role, None, name))
    }

    /// True where the dump says that this role is a superuser on the source.
    #[must_use]
    pub fn is_superuser(&self, name: &str) -> bool {
        self.roles.get(name).is_some_and(|role| role.superuser)
    }

    /// True where `member` was granted `role`, with its privileges and the right to become it.
    #[must_use]
    pub fn is_member(&self, role: &str, member: &str) -> bool {
        let grants = || self.memberships.iter().filter(|m| &*m.role == role && &*m.member == member);
        grants().any(|m| m.inherit) && grants().any(|m| m.set)
    }

    /// True where `member` is in `role`, be it through other roles.
    #[must_use]
    pub fn reaches(&self, role: &str, member: &str) -> bool {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut next = vec![member];
        while let Some(member) = next.pop() {
            for m in self.memberships.iter().filter(|m| &*m.member == member) {
                if &*m.role == role {
                    return true;
                }
                if seen.insert(&m.role) {
                    next.push(&m.role);
                }
            }
        }
        false
    }

    /// The last owner that the dump gives an object.
    #[must_use]
    pub fn owner(&self, object: &ObjectId) -> Option<&str> {
        let last = self.owners.get(*self.last_owners.get(&hash(object))? as usize)?;
        if last.object == *object {
            return Some(&last.role);
        }
        // Two objects with one hash.
        self.owners.iter().rev().find(|owner| owner.object == *object).map(|owner| &*owner.role)
    }

    fn set_owner(&mut self, owner: Owner) {
        let index = u32::try_from(self.owners.len()).unwrap_or(u32::MAX);
        self.last_owners.insert(hash(&owner.object), index);
        self.owners.push(owner);
    }

    /// True where TimescaleDB is among the extensions.
    #[must_use]
    pub fn has_timescaledb(&self) -> bool {
        self.extensions.contains_key("timescaledb")
    }

    /// The object's identity with the schema that an unqualified name means at this point.
    #[must_use]
    pub fn resolved(&self, id: &ObjectId) -> ObjectId {
        if id.schema.is_some() || !in_schema(id.class) {
            return id.clone();
        }
        let schema = self.search_path.first().cloned().unwrap_or_else(|| "public".into());
        ObjectId { schema: Some(schema), ..id.clone() }
    }

    /// True where the dump makes this object.
    #[must_use]
    pub fn declares(&self, id: &ObjectId) -> bool {
        self.relations.contains_key(id)
            || self.objects.contains_key(id)
            || id.class == Class::Schema && self.schemas.contains_key(&id.name)
    }

    /// Why an object will not be there, where it will not.
    #[must_use]
    pub fn absence(&self, id: &ObjectId) -> Option<&Absence> {
        if self.absent.is_empty() {
            return None;
        }
        let id = self.resolved(id);
        self.absent.get(&id).or_else(|| self.absent.get(&id.table()?))
    }

    /// Why the object that a statement changes, fills or speaks of will not be there. Tells overloaded
    /// functions apart, and knows members of extensions.
    #[must_use]
    pub fn subject_absence(&self, node: &NodeEnum) -> Option<&Absence> {
        let object = objects::subject(node)?;
        let id = self.resolved(&object.id);
        if id.class == Class::Function
            && let Some(signature) = objects::signature(node)
            && let Some(overload) = self
                .overloads
                .get(&id)
                .and_then(|all| all.iter().find(|o| o.signature.types == signature.types))
        {
            return overload.absence.as_ref();
        }
        if let Some(absence) = self.absence(&id) {
            return Some(absence);
        }
        let id = id.table().unwrap_or(id);
        if matches!(id.class, Class::Nameless | Class::Role | Class::Extension | Class::Database) {
            return None;
        }
        let missing = |class: Class| self.missing(&Reference::new(class, id.schema.as_deref(), &id.name));
        // The columns of a composite type are spoken of like those of a table.
        let of_type = || (object.word == "table").then(|| missing(Class::Type)).flatten();
        missing(id.class).or_else(of_type)
    }

    /// Why what a statement refers to will not be there: the object itself is absent, or it belongs
    /// to an extension that is.
    #[must_use]
    pub fn missing(&self, reference: &Reference) -> Option<&Absence> {
        self.missing_from(reference, &self.search_path)
    }

    /// The same with another `search_path`: that of a body when it runs.
    #[must_use]
    pub fn missing_from(&self, reference: &Reference, path: &[Box<str>]) -> Option<&Absence> {
        if self.absent.is_empty() && self.overloads.is_empty() || reference.class == Class::Role {
            return None;
        }
        let classes: &[Class] = match reference.class {
            // A table's name is a type too.
            Class::Type => &[Class::Type, Class::Relation],
            // A type's name is a cast or, for ranges, a constructor.
            Class::Function => &[Class::Function, Class::Type],
            ref class => std::slice::from_ref(class),
        };
        let schema = reference.schema.as_deref();
        let may_be_builtin = schema.is_none_or(|schema| schema == "pg_catalog");
        if may_be_builtin && classes.iter().any(|class| is_builtin(*class, &reference.name)) {
            return None;
        }
        let schemas: Vec<Option<&str>> = match schema {
            _ if !in_schema(reference.class) => vec![None],
            Some(schema) => vec![Some(schema)],
            None => path.iter().map(|s| Some(&**s)).collect(),
        };
        for schema in schemas {
            for class in classes {
                let id = ObjectId::new(*class, schema, &reference.name);
                match self.known(&id, reference.arguments) {
                    Known::Absent(absence) => return Some(absence),
                    Known::There => return None,
                    Known::Not => {}
                }
            }
        }
        if let Some(schema) = schema
            && let Some(absence) = self.missing_schema(schema)
        {
            return Some(absence);
        }
        self.absent_extension_of(classes, reference, path)
    }

    /// Why a schema will not be there.
    #[must_use]
    pub fn missing_schema(&self, schema: &str) -> Option<&Absence> {
        let id = ObjectId::new(Class::Schema, None, schema);
        match self.known(&id, None) {
            Known::Absent(absence) => Some(absence),
            Known::There => None,
            Known::Not => {
                let reference = Reference::new(Class::Schema, None, schema);
                self.absent_extension_of(&[Class::Schema], &reference, &self.search_path)
            }
        }
    }

    fn known(&self, id: &ObjectId, arguments: Option<usize>) -> Known<'_> {
        if let Some(overloads) = self.overloads.get(id) {
            let mut fitting = overloads
                .iter()
                .filter(|o| arguments.is_none_or(|n| (o.signature.least..=o.signature.most).contains(&n)))
                .peekable();
            if fitting.peek().is_none() {
                return Known::Not;
            }
            // Which of several is meant depends on types that only the server knows.
            return match fitting.find_map(|o| o.absence.is_none().then_some(())) {
                Some(()) => Known::There,
                None => {
                    self.absent.get(id).or_else(|| overloads.iter().find_map(|o| o.absence.as_ref())).into()
                }
            };
        }
        match self.absent.get(id) {
            Some(absence) => Known::Absent(absence),
            None if self.declares(id) => Known::There,
            None => Known::Not,
        }
    }

    /// True where some schema has an object of this class and name that will be there.
    #[must_use]
    pub fn is_somewhere(&self, class: Class, name: &str) -> bool {
        let stays = |id: &ObjectId| id.class == class && &*id.name == name && !self.absent.contains_key(id);
        self.relations.keys().any(stays) || self.objects.keys().any(stays)
    }

    /// The schemas of extensions that will not be there.
    #[must_use]
    pub fn schemas_of_absent_extensions(&self) -> BTreeSet<Box<str>> {
        let schema = |name: &str| self.extensions.get(name)?.schema.clone();
        let mut schemas = BTreeSet::new();
        schemas.extend(self.absent_extensions().filter_map(|(name, _)| schema(name)));
        schemas
    }

    /// Extensions that will not be there.
    fn absent_extensions(&self) -> impl Iterator<Item = (&str, &Absence)> {
        let first = ObjectId::new(Class::Extension, None, "");
        self.absent
            .range(first..)
            .take_while(|(id, _)| id.class == Class::Extension)
            .map(|(id, absence)| (&*id.name, absence))
    }

    /// The absent extension that this name belongs to.
    fn absent_extension_of(
        &self,
        classes: &[Class],
        reference: &Reference,
        path: &[Box<str>],
    ) -> Option<&Absence> {
        let schema = reference.schema.as_deref();
        // What an extension's own schema holds, and the dump does not make, is the extension's.
        let in_own_schema = |extension: &str| {
            schema.is_some_and(|used| {
                !matches!(used, "public" | "pg_catalog")
                    && members(extension)
                        .is_some_and(|known| known.schema == Some(used) || known.schemas.contains(used))
            })
        };
        let has = |extension: &str| {
            in_own_schema(extension)
                || classes
                    .iter()
                    .any(|class| self.is_member_on(extension, *class, schema, &reference.name, path))
        };
        let (_, absence) = self.absent_extensions().find(|(extension, _)| has(extension))?;
        // Another extension that stays may have a member of the same name.
        let stays = self
            .extensions
            .keys()
            .any(|name| !self.absent.contains_key(&ObjectId::new(Class::Extension, None, name)) && has(name));
        (!stays).then_some(absence)
    }

    /// True where the extension has a member of this class and name in this schema; without a schema,
    /// where the search path finds it.
    #[must_use]
    pub fn is_member_of(&self, extension: &str, class: Class, schema: Option<&str>, name: &str) -> bool {
        self.is_member_on(extension, class, schema, name, &self.search_path)
    }

    fn is_member_on(
        &self,
        extension: &str,
        class: Class,
        schema: Option<&str>,
        name: &str,
        path: &[Box<str>],
    ) -> bool {
        let Some(known) = members(extension) else { return false };
        let put = self.extensions.get(extension).and_then(|e| e.schema.as_deref()).or(known.schema);
        let seen = |own: &str| match schema {
            Some(used) => used == own,
            None => own == "pg_catalog" || path.iter().any(|s| &**s == own),
        };
        match class {
            Class::Relation => known.relation_schemas(name).any(|own| own.or(put).is_some_and(seen)),
            Class::Schema => {
                known.schemas.contains(name)
                    || known.schema == Some(name) && name != "pg_catalog" && name != "public"
            }
            class if !in_schema(class) => known.has(class, name),
            class => {
                known.has(class, name)
                    && (put.is_some_and(seen)
                        || known.schema.is_some_and(seen)
                        || known.schemas.iter().any(seen))
            }
        }
    }
}

/// What is known of an object.
enum Known<'a> {
    /// It will not be there.
    Absent(&'a Absence),
    /// The dump makes it.
    There,
    /// The dump does not speak of it.
    Not,
}

impl<'a> From<Option<&'a Absence>> for Known<'a> {
    fn from(absence: Option<&'a Absence>) -> Self {
        absence.map_or(Known::Not, Known::Absent)
    }
}

/// True for kinds of objects that live in a schema.
const fn in_schema(class: Class) -> bool {
    !matches!(
        class,
        Class::Schema
            | Class::Extension
            | Class::Language
            | Class::AccessMethod
            | Class::Server
            | Class::ForeignDataWrapper
            | Class::Role
            | Class::EventTrigger
            | Class::Publication
            | Class::Subscription
            | Class::Database
            | Class::Tablespace
    )
}

/// The same in every run.
fn hash(object: &ObjectId) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Input, Options, Target, analyze};

    #[test]
    fn columns_with_their_types_and_constraints_are_facts_with_their_places() {
        let sql = "CREATE TABLE app.t (\n    id integer NOT NULL,\n    h public.hstore,\n    CONSTRAINT c CHECK (id > 0)\n);\n\
                   ALTER TABLE ONLY app.t ADD CONSTRAINT t_pk PRIMARY KEY (id);\n";
        let inputs = [Input { name: "d", text: sql.as_bytes() }];
        let facts = analyze(&inputs, &Target::default(), &Options::default()).unwrap().facts;
        let table = &facts.relations[&ObjectId::new(Class::Relation, Some("app"), "t")];
        let columns: Vec<_> = table
            .columns
            .iter()
            .map(|c| (facts.names.name(c.name), facts.names.name(c.data_type), &sql[c.at as usize..][..2]))
            .collect();
        assert_eq!(columns, [("id", "pg_catalog.int4", "id"), ("h", "public.hstore", "h ")]);
        let constraints: Vec<_> = facts
            .constraints
            .iter()
            .map(|c| (facts.names.name(c.table), facts.names.name(c.name), c.place.line))
            .collect();
        assert_eq!(constraints, [("t", "c", 1), ("t", "t_pk", 6)]);
    }
}
