//! The first look at the inputs: which databases there are, what each creates, and where its extensions are.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::map::SchemaMap;
use crate::facts::names::{option, option_text, set_config, text};
use crate::facts::objects::{also_created, created, is_user_object};
use crate::parse::{Class, NodeEnum, parse};
use crate::split::{Kind, Piece, Splitter};
use crate::target::members;
use crate::text::parseable;

/// What the inputs hold of one database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Schemas that it creates.
    pub schemas: BTreeSet<String>,
    /// Its extensions, with the schema that each is put into.
    pub extensions: BTreeMap<String, Option<String>>,
    /// Extensions that the service has in another schema than they would come into, with that schema.
    #[serde(default)]
    elsewhere: BTreeMap<String, String>,
    /// What it creates in a schema. An unqualified name is one of `public`.
    created: BTreeSet<(Class, Box<str>, Box<str>)>,
    /// It has objects or rows of its own.
    pub has_objects: bool,
    /// The role that owns it.
    pub owner: Option<String>,
    /// It has a schema that is named like a role: `"$user"` finds it.
    pub of_users: bool,
    /// Hypertables, whose catalogs hold names of schemas as rows.
    pub hypertables: bool,
    /// Two of its schemas have a relation or function of one name: which is meant is decided by who asks.
    #[serde(default)]
    pub(super) has_namesakes: bool,
}

/// Classes of objects that are in schemas.
const IN_SCHEMAS: [Class; 11] = [
    Class::Relation,
    Class::Type,
    Class::Function,
    Class::Operator,
    Class::Collation,
    Class::OperatorClass,
    Class::TextSearchParser,
    Class::TextSearchDictionary,
    Class::TextSearchTemplate,
    Class::TextSearchConfiguration,
    Class::Nameless,
];

impl Database {
    /// True where it creates an object of this class and name in the schema.
    pub(super) fn creates(&self, class: Class, schema: &str, name: &str) -> bool {
        let has = |class| self.created.contains(&(class, schema.into(), name.into()));
        match class {
            // A table's rows are of a type; what CREATE AGGREGATE and its like name reads as one.
            Class::Type => has(Class::Type) || has(Class::Relation) || has(Class::Function),
            class => has(class),
        }
    }

    /// The schemas in which it creates an object of this name.
    pub(super) fn schemas_with(&self, class: Class, name: &str) -> impl Iterator<Item = &str> {
        let all = self.schemas.iter().map(String::as_str).chain(["public"]);
        all.filter(move |schema| self.creates(class, schema, name))
    }

    /// The schema that an extension is in.
    pub(super) fn schema_of_extension(&self, extension: &str) -> &str {
        // plpgsql is in pg_catalog, and others fix a schema of their own.
        let fixed = members(extension).and_then(|members| members.schema);
        let unsaid = fixed.unwrap_or(if extension == "plpgsql" { "pg_catalog" } else { "public" });
        self.extensions.get(extension).and_then(Option::as_deref).unwrap_or(unsaid)
    }

    /// True where an extension is in this schema.
    pub(super) fn has_extension_in(&self, schema: &str) -> bool {
        self.extensions.keys().any(|extension| self.schema_of_extension(extension) == schema)
    }

    /// Schemas that extensions were put into; none of those that an extension fixes.
    pub(super) fn schemas_of_extensions(&self) -> impl Iterator<Item = &str> {
        let put =
            self.extensions.keys().filter(|name| members(name).is_none_or(|known| known.schema.is_none()));
        put.map(|name| self.schema_of_extension(name)).filter(|schema| !schema.starts_with("pg_"))
    }

    /// Extensions of this schema that the service has in another one: their names and those schemas.
    pub(super) fn elsewhere(&self, schema: &str) -> impl Iterator<Item = (&str, &str)> {
        let all = self.elsewhere.iter().map(|(extension, there)| (extension.as_str(), there.as_str()));
        all.filter(move |(extension, _)| self.schema_of_extension(extension) == schema)
    }

    /// Schemas of the database with extensions that the service has in another one.
    pub(super) fn left_by_extensions(&self) -> BTreeSet<&str> {
        self.elsewhere.keys().map(|extension| self.schema_of_extension(extension)).collect()
    }

    /// The schema in which the service has a member of an extension, where it is another one.
    pub(super) fn member_elsewhere(&self, class: Class, schema: &str, name: &str) -> Option<&str> {
        if self.elsewhere.is_empty() || !self.is_member(class, schema, name) {
            return None;
        }
        let has = |extension: &str| members(extension).map(|_| is_known_member(extension, class, name));
        if self.elsewhere(schema).any(|(extension, _)| has(extension) == Some(true)) {
            return self.elsewhere(schema).find(|(extension, _)| has(extension) == Some(true)).map(|of| of.1);
        }
        // What no extension that stays is known to have is that of one whose members nobody knows.
        let stay = self.extensions.keys().filter(|name| !self.elsewhere.contains_key(*name));
        let of_others =
            stay.filter(|name| self.schema_of_extension(name) == schema).any(|name| has(name) == Some(true));
        self.elsewhere(schema).find(|(extension, _)| !of_others && has(extension).is_none()).map(|of| of.1)
    }

    /// Looks for names that two schemas have.
    fn look_for_namesakes(&mut self) {
        let of_path = |class: Class| matches!(class, Class::Relation | Class::Function);
        let mut seen = BTreeSet::new();
        self.has_namesakes = self
            .created
            .iter()
            .filter(|(class, schema, _)| of_path(*class) && !schema.starts_with("pg_"))
            .any(|(class, _, name)| !seen.insert((*class, name)));
    }

    /// True where it creates something in this schema.
    pub(super) fn has_own_in(&self, schema: &str) -> bool {
        self.created.iter().any(|(_, own, _)| **own == *schema)
    }

    /// True for schemas that belong to extensions: those that one makes, and those that hold extensions and nothing else.
    pub(super) fn is_of_extension(&self, schema: &str) -> bool {
        schema != "public"
            && (self.has_extension_in(schema) && !self.has_own_in(schema)
                || self.extensions.keys().filter_map(|extension| members(extension)).any(|members| {
                    members.schema == Some(schema) || members.schemas.iter().any(|own| own == schema)
                }))
    }

    /// True where the object is a member of an extension in this schema, and none that the database creates itself.
    pub(super) fn is_member(&self, class: Class, schema: &str, name: &str) -> bool {
        if !self.has_extension_in(schema) || self.creates(class, schema, name) {
            return false;
        }
        let mut others = false;
        let known = self.extensions.keys().any(|extension| {
            others |= members(extension).is_none() && extension != "plpgsql";
            is_known_member(extension, class, name)
        });
        // What no dump creates comes from an extension whose members nobody knows. The statement that creates an object may name
        // it by another class: CREATE TYPE … AS names a relation.
        known || others && !IN_SCHEMAS.into_iter().any(|class| self.creates(class, schema, name))
    }

    pub(super) fn set_elsewhere(&mut self, elsewhere: BTreeMap<String, String>) {
        self.elsewhere = elsewhere;
    }

    fn take(&mut self, node: &NodeEnum, path: &str) {
        let mut add = |class: Class, schema: Option<&str>, name: &str| {
            self.created.insert((class, schema.unwrap_or(path).into(), name.into()));
        };
        if let Some(object) = created(node) {
            add(object.id.class, object.id.schema.as_deref(), &object.id.name);
        }
        for id in also_created(node) {
            add(id.class, id.schema.as_deref(), &id.name);
        }
        match node {
            NodeEnum::CreateSchemaStmt(s) => {
                self.schemas.insert(s.schemaname.clone());
            }
            NodeEnum::CreateExtensionStmt(s) => {
                let schema = option(&s.options, "schema").and_then(option_text);
                self.extensions.insert(s.extname.clone(), schema.map(str::to_owned));
            }
            NodeEnum::CopyStmt(s) if s.is_from => self.has_objects = true,
            NodeEnum::InsertStmt(_) => self.has_objects = true,
            _ => {}
        }
        self.has_objects |= is_user_object(node);
    }
}

/// True for what is known to be a member of the extension.
fn is_known_member(extension: &str, class: Class, name: &str) -> bool {
    members(extension).is_some_and(|members| {
        members.holds(class, name)
            || members.overloads(class, name)
            // What CREATE AGGREGATE, CREATE TEXT SEARCH DICTIONARY and their like name reads as a type.
            || class == Class::Type
                && [Class::Function, Class::TextSearchTemplate, Class::TextSearchParser]
                    .into_iter()
                    .any(|class| members.holds(class, name))
    })
}

/// What the inputs hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// The databases, by name; what stands before any `\connect` is that of the input's own name. Where none is named for
    /// moving all are one, without a name.
    pub databases: BTreeMap<String, Database>,
    /// The databases that a `\connect` names and that have objects.
    pub(super) connected: BTreeSet<String>,
    roles: BTreeSet<String>,
}

/// Reads inputs for a [`Survey`].
#[derive(Debug)]
pub struct Surveyor<'a> {
    map: &'a SchemaMap,
    survey: Survey,
    splitter: Splitter,
    current: String,
    /// The input has connected to it.
    is_connected: bool,
    /// The schema in which an unqualified name is created.
    path: Option<String>,
    /// The rows that pass are those of TimescaleDB's list of hypertables.
    hypertables: bool,
}

impl<'a> Surveyor<'a> {
    /// A surveyor that has seen no input.
    #[must_use]
    pub fn new(map: &'a SchemaMap) -> Self {
        Self {
            map,
            survey: Survey::default(),
            splitter: Splitter::new(),
            current: String::new(),
            is_connected: false,
            path: None,
            hypertables: false,
        }
    }

    /// The next input begins, which is of the database of this name until it connects to another.
    pub fn begin(&mut self, database: &str) {
        self.splitter = Splitter::new();
        database.clone_into(&mut self.current);
        self.path = None;
        self.is_connected = false;
    }

    /// Takes its next bytes.
    pub fn feed(&mut self, chunk: &[u8]) {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.feed(chunk, &mut |piece| self.piece(&piece));
        self.splitter = splitter;
    }

    /// It has ended.
    pub fn end(&mut self) {
        let mut splitter = std::mem::take(&mut self.splitter);
        splitter.finish(&mut |piece| self.piece(&piece));
    }

    /// What was seen.
    #[must_use]
    pub fn finish(self) -> Survey {
        let mut survey = self.survey;
        for database in survey.databases.values_mut() {
            database.of_users = database.schemas.iter().any(|schema| survey.roles.contains(schema));
            database.look_for_namesakes();
        }
        survey
    }

    fn piece(&mut self, piece: &Piece<'_>) {
        match piece.kind {
            Kind::Meta => {
                let target = crate::input::connect_target(&parseable(piece.text));
                if let Some(database) = target.filter(|database| database != "-") {
                    self.current = database;
                    self.path = None;
                    self.is_connected = true;
                }
            }
            Kind::CopyData if self.hypertables && !piece.text.is_empty() => {
                self.database(None).hypertables = true;
            }
            Kind::Statement => {
                let sql = parseable(piece.text);
                let Ok(Some(parsed)) = parse(&sql, piece.standard_strings) else { return };
                self.statement(parsed.node());
            }
            _ => {}
        }
    }

    /// The database of this name, or the one at hand.
    fn database(&mut self, name: Option<&str>) -> &mut Database {
        let key = self.map.key(name.unwrap_or(&self.current)).to_owned();
        self.survey.databases.entry(key).or_default()
    }

    fn statement(&mut self, node: &NodeEnum) {
        self.hypertables = matches!(node, NodeEnum::CopyStmt(s) if s.relation.as_ref().is_some_and(|relation| {
            relation.schemaname == "_timescaledb_catalog" && relation.relname == "hypertable"
        }));
        match node {
            // These speak of a database by its name, and stand outside of it.
            NodeEnum::CreatedbStmt(s) => {
                let owner = option(&s.options, "owner").and_then(option_text).map(str::to_owned);
                self.database(Some(&s.dbname)).owner = owner;
            }
            NodeEnum::AlterOwnerStmt(s)
                if s.object_type == crate::parse::pg::ObjectType::ObjectDatabase as i32 =>
            {
                let name = s.object.as_ref().and_then(|object| crate::facts::names::string(object));
                let owner = s.newowner.as_ref().and_then(crate::facts::names::role);
                if let (Some(name), Some(owner)) = (name, owner) {
                    self.database(Some(name)).owner = Some(owner.to_owned());
                }
            }
            NodeEnum::CreateRoleStmt(s) => {
                self.survey.roles.insert(s.role.clone());
            }
            NodeEnum::CreateTableSpaceStmt(_) => {}
            node => {
                match node {
                    NodeEnum::VariableSetStmt(s) if s.name == "search_path" => {
                        self.path = s.args.first().and_then(text).map(str::to_owned);
                    }
                    NodeEnum::SelectStmt(s) => {
                        if let Some((_, path)) = set_config(s).filter(|(name, _)| *name == "search_path") {
                            self.path = path.split(',').next().map(|name| name.trim().to_owned());
                        }
                    }
                    _ => {}
                }
                let path = self.path.clone().filter(|path| !path.is_empty());
                let created = created(node);
                let schema = created.as_ref().and_then(|object| object.id.schema.as_deref());
                let database = self.database(None);
                database.take(node, path.as_deref().unwrap_or("public"));
                database.hypertables |= schema == Some("_timescaledb_internal");
                let has_objects = database.has_objects;
                if has_objects && self.is_connected && !self.survey.connected.contains(&self.current) {
                    self.survey.connected.insert(self.current.clone());
                }
            }
        }
    }
}
