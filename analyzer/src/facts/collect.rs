//! Statements into facts.

use super::names::{
    is_temporary, option, option_is_on, option_text, relation, role, roles, set_config, strings, text,
};
use super::objects::{
    also_created, created, created_range, granted, is_user_object, new_name, signature, subject,
};
use super::partman::part_config;
use super::rows::{CatalogTable, Row, rows_of_insert};
use super::state::Facts;
use super::transaction::Transaction;
use super::{
    Absence, Column, Database, Declared, Encoding, Extension, Header, Membership, ObjectId, Overload, Owner,
    Privilege, Relation, Role, Scope, Setting,
};
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, Reference, pg, references};
use crate::target::is_builtin;

/// In `search_path`, the schema named as the user: a service has none for its administrator.
const OWN_SCHEMA: &str = "$user";

/// The `search_path` of a new session.
fn usual_path() -> Vec<Box<str>> {
    vec!["public".into()]
}

impl Facts {
    /// Takes what a row says.
    pub(crate) fn take_row(&mut self, row: &Row) {
        match row.table {
            CatalogTable::Hypertable => self.hypertable_row(row),
            CatalogTable::Dimension => self.timescale.dimension_row(row),
            CatalogTable::CompressionSettings | CatalogTable::HypertableCompression => {
                self.timescale.compression_row(row);
            }
            CatalogTable::ContinuousAgg => self.timescale.aggregate_row(row),
            CatalogTable::Metadata => self.metadata_row(row),
            CatalogTable::Tablespace => self.tablespace_row(row),
            CatalogTable::Job => self.timescale.job_row(row),
            CatalogTable::Partman => part_config(self, row),
        }
    }

    /// The next input begins: a new session, connected to the database of the target.
    pub fn begin_input(&mut self, name: &str) {
        self.headers.push(Header { input: name.to_owned(), ..Header::default() });
        self.begin_session(None);
    }

    fn begin_session(&mut self, database: Option<Box<str>>) {
        self.current_database = database;
        self.search_path = usual_path();
        self.encoding = Encoding::default();
        self.transaction = Transaction::default();
        self.temporary_objects = false;
        self.unchecked_bodies = false;
    }

    /// `\connect`: another database, a new session.
    pub fn connect(&mut self, database: &str, place: Place) {
        if database != "-" {
            self.database(database, place);
            self.begin_session(Some(database.into()));
        }
    }

    fn database(&mut self, name: &str, place: Place) {
        self.databases.entry(name.into()).or_insert(Database { place, first_object: None });
    }

    /// True for a comment with which pg_dumpall leaves the part of a database.
    #[must_use]
    pub fn ends_part(&self, comment: &str) -> bool {
        let text = comment.trim_start_matches('-').trim();
        self.headers.last().is_some_and(|header| header.cluster)
            && (text.starts_with("Database \"") && text.ends_with("\" dump")
                || text == "PostgreSQL database cluster dump complete")
    }

    /// What a comment of pg_dump tells.
    pub fn comment(&mut self, text: &str) {
        if self.ends_part(text) {
            self.current_database = None;
        }
        let Some(header) = self.headers.last_mut() else { return };
        // A rewrite of this tool leaves out parts as comments: their marks count.
        let text = text.trim_start_matches(['-', ' ']).trim();
        match text {
            "PostgreSQL database dump" => {
                header.begun += 1;
                self.is_dump = true;
            }
            "PostgreSQL database cluster dump" => {
                header.begun += 1;
                header.cluster = true;
            }
            "PostgreSQL database dump complete" | "PostgreSQL database cluster dump complete" => {
                header.completed += 1;
            }
            _ => {
                if let Some(version) = text.strip_prefix("Dumped from database version ") {
                    header.server_version.get_or_insert_with(|| version.to_owned());
                } else if let Some(version) = text.strip_prefix("Dumped by pg_dump version ") {
                    header.dump_version.get_or_insert_with(|| version.to_owned());
                }
            }
        }
    }

    /// Takes in a statement as the target will see it. With `absence`, what it would create will be missing.
    pub fn observe(&mut self, statement: &Statement<'_>, absence: Option<&Absence>) {
        let node = statement.node();
        let place = statement.place(&statement.range());
        if let Some(object) = created(node) {
            let id = self.resolved(&object.id);
            self.overload(node, &id, absence);
            let all_absent =
                self.overloads.get(&id).is_none_or(|all| all.iter().all(|one| one.absence.is_some()));
            self.mark(id.clone(), absence.filter(|_| all_absent));
            if is_user_object(node)
                && let Some(name) = self.current_database.clone()
                && let Some(database) = self.databases.get_mut(&name)
            {
                database.first_object.get_or_insert(place);
            }
            self.declare(node, id, object.word, place);
        }
        // ALTER TABLE … ADD CONSTRAINT that fails leaves its table alone, but creates no index.
        // What is absent under one name is absent under the next.
        if let Some(id) = new_name(node).filter(|_| absence.is_some()) {
            let id = self.resolved(&id);
            self.mark(id, absence);
        }
        for id in also_created(node) {
            let id = self.resolved(&id);
            if id.class == Class::Type && absence.is_none() {
                self.declare(node, id.clone(), "type", place);
            }
            self.mark(id, absence);
        }
        for row in rows_of_insert(self, statement) {
            self.take_row(&row);
        }
        if absence.is_none() {
            self.follow(node, place);
        }
        self.dynamic |= is_dynamic(node);
        self.tables(node, place, absence);
        self.becomes_hypertable(node, place, absence);
        self.collect(node, place, absence.is_some());
        self.observe_timescale(statement);
    }

    pub(super) fn mark(&mut self, id: ObjectId, absence: Option<&Absence>) {
        match absence {
            Some(absence) => {
                self.absent.entry(id).or_insert_with(|| absence.clone());
            }
            None => {
                self.absent.remove(&id);
            }
        }
    }

    fn overload(&mut self, node: &NodeEnum, id: &ObjectId, absence: Option<&Absence>) {
        let Some(signature) = signature(node).filter(|_| id.class == Class::Function) else { return };
        let all = self.overloads.entry(id.clone()).or_default();
        match all.iter_mut().find(|one| one.signature.types == signature.types) {
            Some(one) => one.absence = absence.cloned(),
            None => all.push(Overload { signature, absence: absence.cloned() }),
        }
    }

    fn declare(&mut self, node: &NodeEnum, id: ObjectId, word: &'static str, place: Place) {
        match id.class {
            Class::Relation => {
                let parents = parents(self, node);
                let columns = self.columns(node);
                self.dropped.remove(&id);
                let relation = Relation { word, place, columns, transient: is_transient(node), parents };
                self.relations.insert(id, relation);
            }
            Class::Schema => {
                self.schemas.entry(id.name).or_insert(Declared { word, place });
            }
            Class::Role => {
                self.roles.entry(id.name).or_default().created.get_or_insert(place);
            }
            Class::Database => self.database(&id.name, place),
            Class::Extension => {
                let NodeEnum::CreateExtensionStmt(s) = node else { return };
                let fixed = crate::target::members(&s.extname).and_then(|known| known.schema);
                let schema = option(&s.options, "schema").and_then(option_text).or(fixed).map(Into::into);
                let schema = schema.or_else(|| self.search_path.first().cloned());
                self.extensions.entry(id.name).or_insert(Extension { schema, place });
            }
            _ => {
                self.objects.entry(id).or_insert(Declared { word, place });
            }
        }
    }

    #[allow(clippy::too_many_lines, reason = "a list: one arm for each kind of statement")]
    fn collect(&mut self, node: &NodeEnum, place: Place, absent: bool) {
        match node {
            NodeEnum::CreateRoleStmt(s) => {
                self.role_statements += 1;
                // CREATE USER implies LOGIN.
                let login = s.stmt_type == pg::RoleStmtType::RolestmtUser as i32;
                let role = self.roles.entry(s.role.as_str().into()).or_default();
                role.login |= login;
                attributes(role, &s.options);
            }
            NodeEnum::AlterRoleStmt(s) => {
                self.role_statements += 1;
                if let Some(name) = s.role.as_ref().and_then(role) {
                    attributes(self.roles.entry(name.into()).or_default(), &s.options);
                }
            }
            NodeEnum::GrantRoleStmt(s) if s.is_grant && !absent => {
                let admin = option(&s.opt, "admin").is_some_and(option_is_on);
                let set = option(&s.opt, "set").is_none_or(option_is_on);
                let inherit = option(&s.opt, "inherit").map(option_is_on);
                for granted in &s.granted_roles {
                    let Some(NodeEnum::AccessPriv(granted)) = &granted.node else { continue };
                    for member in roles(&s.grantee_roles).filter_map(role) {
                        let inherits = !self.roles.get(member).is_some_and(|role| role.noinherit);
                        let inherit = inherit.unwrap_or(inherits);
                        let (role, member) = (granted.priv_name.as_str().into(), member.into());
                        self.memberships.push(Membership { role, member, admin, inherit, set, place });
                    }
                }
            }
            NodeEnum::AlterRoleSetStmt(s) => {
                let Some(setting) = &s.setstmt else { return };
                let who = s.role.as_ref().and_then(role).unwrap_or("");
                let scope = if s.database.is_empty() {
                    Scope::Role(who.into())
                } else {
                    Scope::RoleInDatabase(who.into(), s.database.as_str().into())
                };
                self.settings.push(Setting { scope, name: setting.name.as_str().into(), place });
            }
            NodeEnum::AlterDatabaseSetStmt(s) => {
                self.database(&s.dbname, place);
                if let Some(setting) = &s.setstmt {
                    let scope = Scope::Database(s.dbname.as_str().into());
                    self.settings.push(Setting { scope, name: setting.name.as_str().into(), place });
                }
            }
            NodeEnum::AlterOwnerStmt(s) => self.owner_of(node, s.newowner.as_ref(), place),
            NodeEnum::AlterTableStmt(s) => {
                for command in &s.cmds {
                    let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
                    if command.subtype == pg::AlterTableType::AtChangeOwner as i32 {
                        self.owner_of(node, command.newowner.as_ref(), place);
                    }
                    if let Some(NodeEnum::Constraint(constraint)) =
                        command.def.as_ref().and_then(|d| d.node.as_ref())
                        && let Some(range) = &s.relation
                        && !absent
                    {
                        self.system_triggers_of(range, constraint);
                    }
                }
            }
            NodeEnum::GrantStmt(s) if !absent => self.privileges_of(s, place),
            NodeEnum::DropStmt(s) if s.remove_type == pg::ObjectType::ObjectExtension as i32 && !absent => {
                self.dropped_extensions.extend(strings(&s.objects).into_iter().map(Into::into));
            }
            NodeEnum::CreateExtensionStmt(s) => {
                self.dropped_extensions.remove(s.extname.as_str());
            }
            NodeEnum::VariableSetStmt(s) if matches!(&*s.name, "client_encoding" | "names") => {
                self.encoding = s.args.first().and_then(text).map_or(Encoding::Undeclared, Encoding::named);
            }
            NodeEnum::VariableSetStmt(s) if s.name == "search_path" => self.set_search_path(s),
            NodeEnum::VariableSetStmt(s) if s.kind == pg::VariableSetKind::VarResetAll as i32 => {
                self.search_path = usual_path();
            }
            NodeEnum::DiscardStmt(s) if s.target == pg::DiscardMode::DiscardAll as i32 => {
                self.search_path = usual_path();
            }
            NodeEnum::VariableSetStmt(s) if s.name == "statement_timeout" => self.without_timeout = true,
            NodeEnum::VariableSetStmt(s) if s.name == "check_function_bodies" => {
                self.unchecked_bodies =
                    s.args.first().and_then(text).is_some_and(|value| matches!(value, "off" | "false" | "0"));
                // pg_dump's preamble; some tools strip its comments.
                self.is_dump |= self.unchecked_bodies && self.without_timeout;
            }
            NodeEnum::SelectStmt(s) => self.set_config(s),
            NodeEnum::CreateStmt(s) => {
                let temporary = s.relation.as_ref().is_some_and(is_temporary);
                self.temporary_objects |= temporary;
                if let Some(range) = s.relation.as_ref().filter(|_| !absent) {
                    for element in &s.table_elts {
                        match &element.node {
                            Some(NodeEnum::Constraint(c)) => {
                                self.system_triggers_of(range, c);
                            }
                            Some(NodeEnum::ColumnDef(column)) => {
                                for constraint in &column.constraints {
                                    if let Some(NodeEnum::Constraint(c)) = &constraint.node {
                                        self.system_triggers_of(range, c);
                                    }
                                }
                            }
                            _ => {}
                        }
                    }
                }
            }
            _ => {}
        }
    }

    /// `SELECT pg_catalog.set_config('search_path', …, false)`, as pg_dump writes it.
    fn set_config(&mut self, select: &pg::SelectStmt) {
        if let Some(("client_encoding", encoding)) = set_config(select) {
            self.encoding = Encoding::named(encoding);
        }
        if let Some(("search_path", path)) = set_config(select) {
            self.search_path = path
                .split(',')
                .map(|s| s.trim().trim_matches('"'))
                .filter(|s| !s.is_empty() && *s != OWN_SCHEMA)
                .map(Into::into)
                .collect();
        }
    }

    fn set_search_path(&mut self, s: &pg::VariableSetStmt) {
        use pg::VariableSetKind as K;
        match K::try_from(s.kind) {
            Ok(K::VarSetValue) => {
                let schemas = s.args.iter().filter_map(text);
                self.search_path = schemas
                    .filter(|schema| !schema.is_empty() && *schema != OWN_SCHEMA)
                    .map(Into::into)
                    .collect();
            }
            Ok(K::VarReset | K::VarSetDefault) => self.search_path = usual_path(),
            _ => {}
        }
    }

    fn columns(&mut self, node: &NodeEnum) -> Box<[Column]> {
        let elements = match node {
            NodeEnum::CreateStmt(s) => s.table_elts.as_slice(),
            NodeEnum::CreateForeignTableStmt(s) => {
                s.base_stmt.as_ref().map_or(&[][..], |base| base.table_elts.as_slice())
            }
            _ => &[],
        };
        let column = |element: &pg::Node| match &element.node {
            Some(NodeEnum::ColumnDef(column)) => self.column(column),
            _ => None,
        };
        elements.iter().filter_map(column).collect()
    }

    fn system_triggers_of(&mut self, table: &pg::RangeVar, constraint: &pg::Constraint) {
        let id = |facts: &Self, range: &pg::RangeVar| {
            let (schema, name) = relation(range);
            facts.resolved(&ObjectId::new(Class::Relation, schema, name))
        };
        let foreign = constraint.contype == pg::ConstrType::ConstrForeign as i32;
        if foreign || constraint.deferrable {
            self.system_triggers.insert(id(self, table));
        }
        if let Some(referenced) = constraint.pktable.as_ref().filter(|_| foreign) {
            self.system_triggers.insert(id(self, referenced));
        }
    }

    fn owner_of(&mut self, node: &NodeEnum, new_owner: Option<&pg::RoleSpec>, place: Place) {
        if let (Some(object), Some(name)) = (subject(node), new_owner.and_then(role)) {
            let object = self.resolved(&object.id);
            self.set_owner(Owner { object, role: name.into(), place });
        }
    }

    fn privileges_of(&mut self, s: &pg::GrantStmt, place: Place) {
        let names: Vec<&str> = s
            .privileges
            .iter()
            .filter_map(|p| match p.node.as_ref()? {
                NodeEnum::AccessPriv(p) => Some(p.priv_name.as_str()),
                _ => None,
            })
            .collect();
        let privileges: Box<str> = if names.is_empty() { "ALL".into() } else { names.join(", ").into() };
        for node in &s.objects {
            let Some(object) = granted(s, node) else { continue };
            let object = self.resolved(&object.id);
            if matches!(object.class, Class::Relation | Class::Function | Class::Type) {
                continue;
            }
            for grantee in roles(&s.grantees) {
                let grantee = role(grantee).map(Into::into);
                let privileges = privileges.clone();
                let object = object.clone();
                self.privileges.push(Privilege { object, grantee, privileges, granted: s.is_grant, place });
            }
        }
    }
}

/// TimescaleDB's functions that create a hypertable of a table: nothing that another statement names.
const OF_HYPERTABLES: [&str; 6] = [
    "create_hypertable",
    "by_range",
    "by_hash",
    "add_dimension",
    "set_integer_now_func",
    "set_chunk_time_interval",
];

/// True for a statement that may create objects which it does not name.
fn is_dynamic(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::DoStmt(_)
        | NodeEnum::CallStmt(_)
        | NodeEnum::RenameStmt(_)
        | NodeEnum::AlterObjectSchemaStmt(_)
        | NodeEnum::ImportForeignSchemaStmt(_)
        | NodeEnum::ExecuteStmt(_) => true,
        NodeEnum::CreateSchemaStmt(s) => !s.schema_elts.is_empty(),
        NodeEnum::SelectStmt(s) => {
            let is_own = |r: &Reference| {
                r.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
                    && is_builtin(Class::Function, &r.name)
                    || OF_HYPERTABLES.contains(&&*r.name)
            };
            s.into_clause.is_some()
                || references(node).iter().any(|r| r.class == Class::Function && !is_own(r))
        }
        _ => false,
    }
}

fn attributes(role: &mut Role, options: &[pg::Node]) {
    let on = |name: &str, now: bool| option(options, name).map_or(now, option_is_on);
    role.superuser = on("superuser", role.superuser);
    role.createrole = on("createrole", role.createrole);
    role.createdb = on("createdb", role.createdb);
    role.replication = on("isreplication", role.replication);
    role.bypassrls = on("bypassrls", role.bypassrls);
    role.login = on("canlogin", role.login);
    role.noinherit = !on("inherit", !role.noinherit);
    role.password |= option(options, "password").is_some_and(|password| password.arg.is_some());
}

fn is_transient(node: &NodeEnum) -> bool {
    created_range(node).is_some_and(|range| is_temporary(range) || range.relpersistence == "u")
}

fn parents(facts: &Facts, node: &NodeEnum) -> Box<[ObjectId]> {
    let id = |range: &pg::RangeVar| {
        let (schema, name) = relation(range);
        facts.resolved(&ObjectId::new(Class::Relation, schema, name))
    };
    match node {
        NodeEnum::CreateStmt(s) => s
            .inh_relations
            .iter()
            .filter_map(|parent| match parent.node.as_ref()? {
                NodeEnum::RangeVar(range) => Some(id(range)),
                _ => None,
            })
            .collect(),
        NodeEnum::IndexStmt(s) => s.relation.iter().map(id).collect(),
        _ => Box::default(),
    }
}
