//! Statements into facts.

use std::sync::Arc;

use super::names::{is_temporary, option, option_is_on, option_text, relation, role, roles, strings, text};
use super::objects::{created_range, granted, is_user_object, new_name, signature, subject};
use super::partman::part_config;
use super::rows::{CatalogTable, Row, rows_of_insert};
use super::state::Facts;
use super::{
    Absence, Column, Database, Declared, Extension, Header, Object, ObjectId, Overload, Owner, Privilege,
    Relation, Role, Scope, Setting,
};
use crate::finding::Place;
use crate::grow;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, Reference, pg, references};
use crate::target::{is_builtin, members};

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
        self.drop_temporary();
        self.begin_session(None);
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
                } else if let Some(rule) = text.strip_prefix("tsmigrate ") {
                    header.rewritten |= rule.starts_with(|c: char| c.is_ascii_uppercase());
                }
            }
        }
    }

    /// Takes in a statement as the target will see it. With `absence`, what it would create will be missing.
    pub fn observe(&mut self, statement: &Statement<'_>, absence: Option<&Absence>) {
        let node = statement.node();
        let place = statement.place(&statement.range());
        let kept = absence.cloned().map(Arc::new);
        let kept = kept.as_ref();
        if let Some(Object { word, id }) = self.created(node) {
            let id = self.interned(&id);
            let is_second = self.is_surely_there(&id);
            self.overload(node, (word, &id), kept);
            let all_absent =
                self.overloads.get(&id).is_none_or(|all| all.iter().all(|one| one.absence.is_some()));
            self.mark(id.clone(), kept.filter(|_| all_absent));
            if is_user_object(node)
                && let Some(name) = self.current_database.clone()
                && let Some(database) = self.databases.get_mut(&name)
            {
                database.first_object.get_or_insert(place);
            }
            if let Some(role) = self.session.now.role.clone().filter(|_| absence.is_none()) {
                self.set_owner(Owner { object: id.clone(), role: role.into(), place });
            }
            // What exists keeps its columns: the second CREATE is refused, or has IF NOT EXISTS.
            if !is_second || replaces(node) {
                self.declare(node, id, word, place);
            }
        }
        // ALTER TABLE … ADD CONSTRAINT that fails leaves its table alone, but creates no index.
        // What is absent under one name is absent under the next.
        if let Some(id) = new_name(node).filter(|_| absence.is_some()) {
            let id = self.resolved(&id);
            // Another one of that name stays.
            if !self.exists(&id) {
                self.mark(id, kept);
            }
        }
        for id in self.also_created(node) {
            let id = self.interned(&id);
            if id.class == Class::Type && absence.is_none() {
                self.declare(node, id.clone(), "type", place);
            }
            self.mark(id, kept);
        }
        for row in rows_of_insert(self, statement) {
            self.take_row(&row);
        }
        if absence.is_none() {
            self.change_type(node);
            self.follow(node, place);
        }
        self.follow_database(node);
        self.dynamic |= is_dynamic(node);
        if absence.is_none() {
            self.follow_session(node);
        }
        self.tables(node, place, absence);
        self.becomes_hypertable(node, place, absence);
        self.collect(node, place, absence.is_some());
        self.observe_timescale(statement);
    }

    pub(super) fn mark(&mut self, id: ObjectId, absence: Option<&Arc<Absence>>) {
        match absence {
            Some(absence) => {
                self.absent.entry(id).or_insert_with(|| absence.clone());
            }
            None => {
                self.absent.remove(&id);
            }
        }
    }

    /// True for a relation that exists, and that nothing can have dropped.
    fn is_surely_there(&self, id: &ObjectId) -> bool {
        let place = self.relations.get(id).filter(|_| !self.absent.contains_key(id)).map(|found| found.place);
        place.is_some_and(|place| !self.dynamic && self.cascaded.is_none_or(|cascaded| cascaded < place))
    }

    fn overload(
        &mut self,
        node: &NodeEnum,
        (word, id): (&'static str, &ObjectId),
        absence: Option<&Arc<Absence>>,
    ) {
        let Some(signature) = signature(node).filter(|_| has_signature(id.class)) else { return };
        let all = self.overloads.entry(id.clone()).or_default();
        let absence = absence.cloned();
        if let Some(one) = all.iter_mut().find(|one| one.signature.types == signature.types) {
            one.absence = absence;
        } else {
            // Most functions have one.
            grow::push_exact(all, Overload { word, signature, absence });
        }
    }

    fn declare(&mut self, node: &NodeEnum, id: ObjectId, word: &'static str, place: Place) {
        match id.class {
            Class::Relation => {
                let parents = parents(self, node);
                let columns = self.columns(node);
                self.dropped.remove(&id);
                self.renamed.remove(&id);
                let has_more_columns = has_more_columns(node);
                let transient = is_transient(node);
                let relation = Relation { word, place, columns, has_more_columns, transient, parents };
                self.relations.insert(id, relation);
            }
            Class::Schema => {
                self.renamed.remove(&id);
                self.schemas.entry((*id.name).into()).or_insert(Declared { word, place });
            }
            Class::Role => {
                self.roles.entry((*id.name).into()).or_default().created.get_or_insert(place);
            }
            Class::Database => self.database(&id.name, place),
            Class::Extension => {
                let NodeEnum::CreateExtensionStmt(s) = node else { return };
                let fixed = crate::target::members(&s.extname).and_then(|known| known.schema);
                let schema = option(&s.options, "schema").and_then(option_text).or(fixed).map(Into::into);
                let schema = schema.or_else(|| self.search_path.first().cloned());
                let known =
                    self.extensions.entry((*id.name).into()).or_insert(Extension { schema: None, place });
                // What a fix writes for it names its schema.
                known.schema = known.schema.take().or(schema);
            }
            _ => {
                if id.class == Class::Type {
                    self.new_type(node, place);
                }
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
                self.created_in(s, place);
            }
            NodeEnum::AlterRoleStmt(s) => {
                self.role_statements += 1;
                if let Some(name) = s.role.as_ref().and_then(role) {
                    attributes(self.roles.entry(name.into()).or_default(), &s.options);
                }
            }
            NodeEnum::GrantRoleStmt(s) if s.is_grant && !absent => self.granted_roles(s, place),
            NodeEnum::AlterRoleSetStmt(s) => {
                let Some(setting) = &s.setstmt else { return };
                let who = s.role.as_ref().and_then(role).unwrap_or("");
                let scope = if s.database.is_empty() {
                    Scope::Role(who.into())
                } else {
                    Scope::RoleInDatabase(who.into(), s.database.as_str().into())
                };
                self.store(scope, setting, place, absent);
            }
            NodeEnum::AlterDatabaseSetStmt(s) => {
                self.database(&s.dbname, place);
                if let Some(setting) = &s.setstmt {
                    let scope = Scope::Database(s.dbname.as_str().into());
                    self.store(scope, setting, place, absent);
                }
            }
            // What the acting role may not give away stays its own.
            NodeEnum::AlterOwnerStmt(_) | NodeEnum::AlterTableStmt(_)
                if absent && self.session.now.role.is_some() => {}
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
                for name in strings(&s.objects) {
                    self.extensions.remove(name);
                    self.dropped_extensions.insert(name.into());
                }
            }
            NodeEnum::CreateExtensionStmt(s) => {
                self.dropped_extensions.remove(s.extname.as_str());
            }
            NodeEnum::VariableSetStmt(s) if s.name == "statement_timeout" => self.without_timeout = true,
            NodeEnum::VariableSetStmt(s) if s.name == "check_function_bodies" => {
                // pg_dump's preamble; some tools strip its comments.
                self.is_dump |= self.session.now.unchecked_bodies && self.without_timeout;
            }
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

    fn store(&mut self, scope: Scope, s: &pg::VariableSetStmt, place: Place, absent: bool) {
        let is_set = s.kind == pg::VariableSetKind::VarSetValue as i32;
        let names = || s.args.iter().filter_map(text).map(Into::into).collect();
        let path = (!absent && is_set && s.name == "search_path").then(names);
        self.settings.push(Setting { scope, name: s.name.as_str().into(), path, place });
    }

    fn columns(&mut self, node: &NodeEnum) -> Box<[Column]> {
        let elements = listed(node).map_or(&[][..], |s| &s.table_elts);
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

/// True for kinds of objects that are told apart by more than their names.
pub(super) const fn has_signature(class: Class) -> bool {
    matches!(class, Class::Function | Class::Operator | Class::OperatorClass)
}

/// True for a statement that may create objects which it does not name.
fn is_dynamic(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::DoStmt(_)
        | NodeEnum::CallStmt(_)
        | NodeEnum::ImportForeignSchemaStmt(_)
        | NodeEnum::ExecuteStmt(_) => true,
        NodeEnum::CreateSchemaStmt(s) => !s.schema_elts.is_empty(),
        NodeEnum::SelectStmt(_) => {
            let is_own = |r: &Reference| {
                r.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
                    && is_builtin(Class::Function, &r.name)
                    // A hypertable or a job of it is nothing that another statement names.
                    || members("timescaledb").is_some_and(|of| of.has(Class::Function, &r.name))
            };
            references(node).iter().any(|r| r.class == Class::Function && !is_own(r))
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

/// The statement that lists a table's columns.
fn listed(node: &NodeEnum) -> Option<&pg::CreateStmt> {
    match node {
        NodeEnum::CreateStmt(s) => Some(s),
        NodeEnum::CreateForeignTableStmt(s) => s.base_stmt.as_ref(),
        _ => None,
    }
}

/// True for a view that takes the place of the one that exists.
fn replaces(node: &NodeEnum) -> bool {
    matches!(node, NodeEnum::ViewStmt(s) if s.replace)
}

/// True where the statement does not list all columns itself.
fn has_more_columns(node: &NodeEnum) -> bool {
    let likes = |element: &pg::Node| matches!(element.node, Some(NodeEnum::TableLikeClause(_)));
    listed(node).is_none_or(|s| s.of_typename.is_some() || s.table_elts.iter().any(likes))
}

fn parents(facts: &Facts, node: &NodeEnum) -> Box<[ObjectId]> {
    let id = |range: &pg::RangeVar| {
        let (schema, name) = relation(range);
        facts.resolved(&ObjectId::new(Class::Relation, schema, name))
    };
    match node {
        NodeEnum::IndexStmt(s) => s.relation.iter().map(id).collect(),
        _ => listed(node)
            .into_iter()
            .flat_map(|s| &s.inh_relations)
            .filter_map(|parent| match parent.node.as_ref()? {
                NodeEnum::RangeVar(range) => Some(id(range)),
                _ => None,
            })
            .collect(),
    }
}
