//! What statements do to the session, and which schemas its `search_path` leads to.

use super::declared::Scope;
use super::names::{set_configs, text, truth};
use super::session::{OWN_SCHEMA, Session, Span, TEMPORARY, Value};
use super::state::Facts;
use super::{ObjectId, Setting};
use crate::parse::{Class, NodeEnum, pg};

impl Facts {
    /// A new session, connected to this database; `None` is the target's own.
    pub(super) fn begin_session(&mut self, database: Option<Box<str>>) {
        self.current_database = database;
        self.session = self.stored_path().map_or_else(Session::default, Session::with_path);
        self.transaction = super::Transaction::default();
        self.refresh_path();
    }

    /// The `search_path` that is stored for who connects, or for the database.
    fn stored_path(&self) -> Option<&[Box<str>]> {
        let database = self.current_database.as_deref().unwrap_or(&self.database);
        let is_here = |name: &str| name == database || name == &*self.database;
        let rank = |setting: &Setting| match &setting.scope {
            Scope::RoleInDatabase(role, name) if **role == *self.admin && is_here(name) => 3,
            Scope::Role(role) if **role == *self.admin => 2,
            Scope::Database(name) if is_here(name) => 1,
            _ => 0,
        };
        // Of two for one scope the last counts.
        let found =
            self.settings.iter().filter(|setting| &*setting.name == "search_path" && rank(setting) > 0);
        found.max_by_key(|setting| rank(setting))?.path.as_deref()
    }

    /// The session ends: its temporary objects are gone.
    pub(crate) fn drop_temporary(&mut self) {
        if std::mem::take(&mut self.temporary_objects) {
            self.relations.retain(|id, _| id.schema.as_deref() != Some(TEMPORARY));
            self.objects.retain(|id, _| id.schema.as_deref() != Some(TEMPORARY));
        }
    }

    /// Takes in what a statement does to the session.
    pub(super) fn follow_session(&mut self, node: &NodeEnum) {
        use pg::VariableSetKind as K;
        let in_transaction = self.transaction.begun.is_some();
        let span = |local: bool| match (local, in_transaction) {
            (false, _) => Span::Session,
            (true, true) => Span::Transaction,
            (true, false) => Span::Nothing,
        };
        match node {
            NodeEnum::VariableSetStmt(s) => {
                let span = span(s.is_local);
                match K::try_from(s.kind) {
                    Ok(K::VarSetValue) if s.name == "search_path" => {
                        let path = s.args.iter().filter_map(text).map(Into::into).collect();
                        self.session.set_named(span, &s.name, &Value::List(path));
                    }
                    Ok(K::VarSetValue) => {
                        let word = |value| truth(value).map(|on| if on { "on" } else { "off" });
                        let value = s.args.first().and_then(|value| text(value).or_else(|| word(value)));
                        self.session.set_named(span, &s.name, &Value::Text(value.unwrap_or_default()));
                    }
                    Ok(K::VarReset | K::VarSetDefault) => {
                        self.session.set_named(span, &s.name, &Value::First);
                    }
                    Ok(K::VarResetAll) => self.session.reset_all(span),
                    _ => {}
                }
            }
            NodeEnum::DiscardStmt(s) => {
                if s.target == pg::DiscardMode::DiscardAll as i32 {
                    self.session.reset_all(Span::Session);
                    self.session.set_named(Span::Session, "role", &Value::First);
                }
                if s.target != pg::DiscardMode::DiscardPlans as i32
                    && s.target != pg::DiscardMode::DiscardSequences as i32
                {
                    self.drop_temporary();
                }
            }
            NodeEnum::SelectStmt(s) => {
                for (name, value, local) in set_configs(s) {
                    self.session.set_named(span(local), name, &Value::Text(value));
                }
            }
            _ => {}
        }
        let changes_path = matches!(
            node,
            NodeEnum::VariableSetStmt(_)
                | NodeEnum::SelectStmt(_)
                | NodeEnum::DiscardStmt(_)
                | NodeEnum::CreateSchemaStmt(_)
                | NodeEnum::CreateExtensionStmt(_)
                | NodeEnum::DropStmt(_)
                | NodeEnum::RenameStmt(_)
                | NodeEnum::DoStmt(_)
                | NodeEnum::CallStmt(_)
        );
        if changes_path {
            self.refresh_path();
        }
    }

    /// Finds the schemas of `search_path` that exist at this point.
    pub(crate) fn refresh_path(&mut self) {
        let user = self.session.now.role.as_deref().unwrap_or(&self.admin);
        let path = self.session.now.path.iter();
        let path = path.filter_map(|schema| match &**schema {
            "" => None,
            OWN_SCHEMA => self.schemas.contains_key(user).then(|| user.into()),
            named => self.may_have_schema(named).then(|| named.into()),
        });
        self.search_path = path.collect();
    }

    /// True for a schema that exists on the target at this point, or may exist.
    #[must_use]
    pub fn may_have_schema(&self, name: &str) -> bool {
        let id = ObjectId::new(Class::Schema, None, name);
        if self.absent.contains_key(&id) || self.renamed.contains_key(&id) {
            return false;
        }
        let of_extension = |extension: &str| {
            crate::target::members(extension)
                .is_some_and(|of| of.schema == Some(name) || of.schemas.contains(name))
        };
        self.schemas.contains_key(name)
            || matches!(name, "public" | "information_schema")
            || name.starts_with("pg_")
            || name.starts_with("_timescaledb")
            || name.starts_with("timescaledb_")
            || self.extensions.keys().any(|extension| of_extension(extension))
            || !self.is_dump
            || self.dynamic
    }

    /// True where all that `search_path` leads to is known: an unqualified name that none of the inputs creates there
    /// is not found.
    #[must_use]
    pub fn knows_path(&self) -> bool {
        let is_own = |schema: &str| {
            !self.dynamic && (self.is_dump || self.schemas.contains_key(schema)) || schema == "pg_catalog"
        };
        self.search_path.iter().all(|schema| is_own(schema))
    }
}

#[cfg(test)]
mod tests {
    use crate::{Input, Options, Target, analyze};

    fn path(sql: &str) -> Vec<Box<str>> {
        let inputs: Vec<Input<'_>> =
            sql.split("\n===\n").map(|text| Input { name: "d", text: text.as_bytes() }).collect();
        analyze(&inputs, &Target::default(), &Options::default()).unwrap().facts.search_path
    }

    #[test]
    fn a_path_is_what_the_server_has_at_this_point() {
        for (sql, expected) in [
            ("SELECT 1;", &["public"][..]),
            ("SET search_path = app, \"App\";", &["app", "App"]),
            ("SET search_path = 'app, public';", &["app, public"]),
            ("SET search_path = '';", &[]),
            ("SET SCHEMA 'app';", &["app"]),
            ("SELECT 1, set_config('search_path', 'App, \"App\", \"$user\"', false);", &["app", "App"]),
            ("SELECT set_config('search_path', 'app', true);", &["public"]),
            ("SET LOCAL search_path = app;", &["public"]),
            ("BEGIN; SET search_path = app;", &["public"]),
            ("BEGIN; SET LOCAL search_path = app; COMMIT;", &["public"]),
            ("BEGIN; SET search_path = app; SET LOCAL search_path = b; COMMIT;", &["app"]),
            ("BEGIN; SET search_path = app; ROLLBACK;", &["public"]),
            (
                "BEGIN; SET search_path = app; SAVEPOINT s; SET search_path = b; ROLLBACK TO s; COMMIT;",
                &["app"],
            ),
            ("BEGIN; SET search_path = app; COMMIT AND CHAIN; SET LOCAL search_path = b; COMMIT;", &["app"]),
            ("SET search_path = app; RESET search_path;", &["public"]),
            ("SET search_path = app; SET search_path TO DEFAULT;", &["public"]),
            ("SET search_path = app; RESET ALL;", &["public"]),
            ("SET search_path = app; DISCARD ALL;", &["public"]),
            ("SET search_path = app; SET LOCAL search_path TO DEFAULT;", &["app"]),
            ("CREATE SCHEMA tsdbadmin;", &["tsdbadmin", "public"]),
            ("CREATE ROLE r; CREATE SCHEMA r; GRANT r TO tsdbadmin; SET ROLE r;", &["r", "public"]),
            ("ALTER DATABASE tsdb SET search_path = app;", &["public"]),
            ("ALTER DATABASE tsdb SET search_path = app;\n===\nSELECT 1;", &["app"]),
            ("ALTER DATABASE tsdb SET search_path = app;\n===\nSET search_path = b; RESET ALL;", &["app"]),
        ] {
            let expected: Vec<Box<str>> = expected.iter().map(|&schema| schema.into()).collect();
            assert_eq!(path(sql), expected, "{sql}");
        }
    }

    #[test]
    fn schemas_that_a_dump_does_not_create_lead_nowhere() {
        let dump = "SET statement_timeout = 0;\nSET check_function_bodies = false;\n";
        assert_eq!(
            path(&format!("{dump}CREATE SCHEMA b;\nSET search_path = a, b;")),
            [Box::<str>::from("b")]
        );
        assert_eq!(path(&format!("{dump}SET search_path = b;\nCREATE SCHEMA b;")), [Box::<str>::from("b")]);
    }
}
