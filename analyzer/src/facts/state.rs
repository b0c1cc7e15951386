//! Everything that the dumps declare so far, and plain questions about it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arcstr::ArcStr;

use super::declared::{
    Absence, Constraint, Database, Declared, Extension, Header, Membership, Overload, Owner, Partman,
    Privilege, Relation, Role, Setting, TypeParts,
};
use super::intern::Names;
use super::objects::{self, Object, ObjectId};
use super::session::{Session, TEMPORARY};
use super::table_types::{Attached, Hypertable, Index, Partitioned};
use super::timescale::Timescale;
use super::transaction::Transaction;
use crate::finding::Place;
use crate::grow;
use crate::parse::{Class, NodeEnum, pg};

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
    /// Types and domains, functions, operators, triggers, policies and all else that is created.
    pub objects: BTreeMap<ObjectId, Declared>,
    /// What enums, composite types, domains and ranges are made of, by the place of their statement.
    pub types: BTreeMap<Place, TypeParts>,
    /// Names of columns, types and constraints.
    pub names: Names,
    /// Constraints, in order.
    pub constraints: Vec<Constraint>,
    /// Indexes that CREATE INDEX creates, in order.
    pub indexes: Vec<Index>,
    /// Tables in partitions.
    pub partitioned: BTreeMap<ObjectId, Partitioned>,
    /// What stands on tables and matters to hypertables, in order.
    pub attached: Vec<Attached>,
    /// Sequences of identity columns that are named in their statements.
    pub identity_sequences: BTreeSet<ObjectId>,
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
    pub absent: BTreeMap<ObjectId, Arc<Absence>>,
    /// Functions and aggregates with all their overloads.
    pub overloads: BTreeMap<ObjectId, Vec<Overload>>,
    /// Tables with triggers of the server's own: those of foreign keys, on both sides, and of
    /// deferrable keys.
    pub system_triggers: BTreeSet<ObjectId>,
    /// Relations that the source's TimescaleDB keeps as hypertables.
    pub hypertables: BTreeSet<ObjectId>,
    /// Tables that pg_partman partitions.
    pub partman: Vec<Partman>,
    /// What it tells of TimescaleDB on the source.
    pub timescale: Timescale,
    /// Tables that statements of the dump have made hypertables on the target.
    pub converted: BTreeMap<ObjectId, Hypertable>,
    /// Tables for which such a statement fails.
    pub refused_hypertables: BTreeSet<ObjectId>,
    /// The transaction that the session is in.
    pub transaction: Transaction,
    /// The schemas of `search_path` that exist at this point, or may exist.
    pub search_path: Vec<Box<str>>,
    /// The settings of the session at this point.
    pub session: Session,
    /// Who connects to the target.
    pub admin: Box<str>,
    /// The target's database.
    pub database: Box<str>,
    /// The inputs are whole dumps or parts of them, not a script or some statements of one: what they need and do not
    /// make is missing on an empty target.
    pub is_dump: bool,
    /// pg_dump's preamble has begun: `SET statement_timeout`.
    pub(crate) without_timeout: bool,
    /// A statement has run that may create objects which it does not name: DO, CALL, a call of a function that is not
    /// PostgreSQL's own, another name for an object.
    pub dynamic: bool,
    /// Extensions that the dump drops, and does not create again.
    pub dropped_extensions: BTreeSet<Box<str>>,
    /// Tables and their like that the inputs drop and do not create again, with the place of the DROP.
    pub dropped: BTreeMap<ObjectId, Place>,
    /// Tables and their like that the inputs give another name, under the old one, with the place of the statement.
    pub renamed: BTreeMap<ObjectId, Place>,
    /// Where objects were last dropped with all that depends on them: DROP … CASCADE, DROP OWNED.
    pub cascaded: Option<Place>,
    /// True once a temporary table was created in this session.
    pub temporary_objects: bool,
    /// How many statements with roles were seen: 0 means that the inputs hold no roles dump.
    pub role_statements: u64,
}

impl Facts {
    /// True where the role exists on the target at this point, because the dump creates it.
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

    /// The same identity, its names kept once.
    pub(super) fn interned(&mut self, id: &ObjectId) -> ObjectId {
        let mut shared = |name: &ArcStr| self.names.shared(name);
        ObjectId {
            class: id.class,
            schema: id.schema.as_ref().map(&mut shared),
            name: shared(&id.name),
            part: id.part.as_ref().map(&mut shared),
        }
    }

    /// Takes an owner.
    pub(super) fn set_owner(&mut self, mut owner: Owner) {
        owner.object = self.interned(&owner.object);
        owner.role = self.names.shared(&owner.role);
        let index = u32::try_from(self.owners.len()).unwrap_or(u32::MAX);
        self.last_owners.insert(hash(&owner.object), index);
        grow::push(&mut self.owners, owner);
    }

    /// True where TimescaleDB is among the extensions.
    #[must_use]
    pub fn has_timescaledb(&self) -> bool {
        self.extensions.contains_key("timescaledb")
    }

    /// The object's identity with the schema that an unqualified name means at this point: the first of `search_path`
    /// that has it, else the one that it would be created in.
    #[must_use]
    pub fn resolved(&self, id: &ObjectId) -> ObjectId {
        if id.schema.is_some() || !in_schema(id.class) {
            return id.clone();
        }
        let temporary =
            self.temporary_objects && matches!(id.class, Class::Relation | Class::Type | Class::Attached);
        let first = temporary.then_some(TEMPORARY).into_iter();
        let path = first.chain(self.search_path.iter().map(|schema| &**schema));
        let found = path.map(|schema| ObjectId { schema: Some(schema.into()), ..id.clone() });
        let is_known = |id: &ObjectId| {
            let id = id.table().unwrap_or_else(|| id.clone());
            self.declares(&id) || self.overloads.contains_key(&id) || self.absent.contains_key(&id)
        };
        found.into_iter().find(is_known).unwrap_or_else(|| self.placed(id))
    }

    /// The object's identity with the schema in which an unqualified name is created at this point.
    fn placed(&self, id: &ObjectId) -> ObjectId {
        if id.schema.is_some() || !in_schema(id.class) {
            return id.clone();
        }
        let schema = self.search_path.first().map_or("public", |schema| schema);
        ObjectId { schema: Some(schema.into()), ..id.clone() }
    }

    /// The object that the statement creates, with the schema in which it does.
    #[must_use]
    pub fn created(&self, node: &NodeEnum) -> Option<Object> {
        let Object { word, id } = objects::created(node)?;
        let of_table = |range: Option<&pg::RangeVar>| range.and_then(|range| self.table_id(range).schema);
        let id = match node {
            NodeEnum::IndexStmt(s) if id.schema.is_none() => {
                ObjectId { schema: of_table(s.relation.as_ref()), ..id }
            }
            _ if id.class == Class::Attached => self.resolved(&id),
            _ if objects::created_range(node).is_some_and(super::names::is_temporary) => {
                ObjectId { schema: Some(TEMPORARY.into()), ..id }
            }
            _ => self.placed(&id),
        };
        Some(Object { word, id })
    }

    /// What the statement creates beside [`Facts::created`], with the schemas in which it does.
    #[must_use]
    pub fn also_created(&self, node: &NodeEnum) -> Vec<ObjectId> {
        let mut all = objects::also_created(node);
        if all.iter().all(|id| id.schema.is_some()) {
            return all;
        }
        let schema = match node {
            NodeEnum::AlterTableStmt(s) => s.relation.as_ref().and_then(|range| self.table_id(range).schema),
            _ => self.created(node).and_then(|object| object.id.schema),
        };
        for id in &mut all {
            id.schema = id.schema.take().or_else(|| schema.clone());
        }
        all
    }

    /// The columns of a table or view with the paths of their types, in their order: none where it is not known.
    pub fn columns_of(&self, id: &ObjectId) -> impl Iterator<Item = (&str, &str)> {
        let columns = self.relations.get(id).map_or(&[][..], |relation| &relation.columns);
        columns.iter().map(|column| (self.names.name(column.name), self.names.name(column.data_type)))
    }

    /// True where the dump creates this object.
    #[must_use]
    pub fn declares(&self, id: &ObjectId) -> bool {
        self.relations.contains_key(id)
            || self.objects.contains_key(id)
            || id.class == Class::Schema && self.schemas.contains_key(&*id.name)
    }
}

/// True for kinds of objects that live in a schema.
pub(super) const fn in_schema(class: Class) -> bool {
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
