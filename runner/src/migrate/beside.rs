//! A target that holds other databases in schemas of their own: what meets there is found before anything is written, and a
//! run that is given up takes back what is its own.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tsmigrate_analyzer::facts::names::{role, strings};
use tsmigrate_analyzer::facts::objects::{Object, created};
use tsmigrate_analyzer::parse::{Class as Kind, NodeEnum, parse};

use super::scripts::Scripts;
use super::{RunContext, others};
use crate::connect::Session;
use crate::error::{Blocker, Error};
use crate::inspect::Facts;
use crate::quote::{identifier, psql, quoted};
use crate::script::{Class, Statement};
use crate::workdir::SavedOthers;
use crate::{human, jobs};

/// So many are named.
const SHOWN: usize = 8;

/// What a database brings, as far as another one could have it too.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Schemas that it creates; none of those that only extensions are in.
    schemas: BTreeSet<String>,
    /// Names that it creates in schemas that it does not create: the schema and the name, as SQL writes them.
    named: BTreeSet<String>,
    /// Those schemas.
    kept: BTreeSet<String>,
    /// What is in no schema: a word for its kind, and the name.
    of_database: BTreeSet<(&'static str, String)>,
    /// Settings of roles for the database: the role and the parameter.
    settings: BTreeSet<(String, String)>,
    /// Numbers of large objects.
    pub(super) large_objects: BTreeSet<u32>,
}

impl Brought {
    /// Reads the statements that are to be run.
    pub(super) fn of(scripts: &Scripts) -> Self {
        let mut brought = Self::default();
        let access = scripts.access.iter().map(|(_, statement)| statement);
        let all = scripts.extensions.iter().chain(&scripts.pre_data).chain(&scripts.post_data).chain(access);
        let mut found = Vec::new();
        for statement in all {
            let Some(parsed) = parse(&statement.sql, true).ok().flatten() else { continue };
            brought.take(parsed.node(), &mut found);
        }
        for object in found {
            match &object.id.schema {
                Some(schema) if brought.schemas.contains(schema.as_str()) => {}
                Some(schema) => {
                    brought.kept.insert(schema.to_string());
                    brought.named.insert(object.id.path());
                }
                None => {}
            }
        }
        brought
    }

    fn take(&mut self, node: &NodeEnum, found: &mut Vec<Object>) {
        match node {
            NodeEnum::AlterRoleSetStmt(set) if !set.database.is_empty() => {
                let role = set.role.as_ref().and_then(role).unwrap_or_default();
                let parameter = set.setstmt.as_ref().map(|set| set.name.clone()).unwrap_or_default();
                self.settings.insert((role.to_owned(), parameter));
                return;
            }
            // What may exist is an extension's.
            NodeEnum::CreateSchemaStmt(create) if create.if_not_exists => return,
            _ => {}
        }
        let Some(object) = created(node) else { return };
        match object.id.class {
            Kind::Schema => drop(self.schemas.insert(object.id.name.to_string())),
            Kind::Attached | Kind::Extension | Kind::Role | Kind::Database | Kind::Tablespace => {}
            // Of casts, whose types have schemas of their own, the server says it.
            _ if object.id.name.starts_with('(') => {}
            _ if object.id.schema.is_none() => {
                self.of_database.insert((object.word, object.id.name.to_string()));
            }
            _ => found.push(object),
        }
    }

    /// What two databases of one run bring both, in words.
    pub(super) fn also_in(&self, other: &Self) -> Vec<String> {
        let schemas =
            self.schemas.intersection(&other.schemas).map(|name| format!("schema {}", quoted(name)));
        let named = self.named.intersection(&other.named).cloned();
        let of_database = self.of_database.intersection(&other.of_database);
        let of_database = of_database.map(|(word, name)| format!("{word} {}", quoted(name)));
        let settings = self.settings.intersection(&other.settings);
        let settings =
            settings.map(|(role, parameter)| format!("setting {parameter} of role {}", quoted(role)));
        let numbers = self.large_objects.intersection(&other.large_objects);
        let numbers = numbers.map(|number| format!("large object {number}"));
        schemas.chain(named).chain(of_database).chain(settings).chain(numbers).collect()
    }

    /// The statements that take back what is brought; none where some of it is in schemas that it does not create: who owns what
    /// there, no statement tells.
    pub(super) fn undo(&self) -> Vec<String> {
        if !self.named.is_empty() {
            return Vec::new();
        }
        let of_database = self.of_database.iter().map(|(word, name)| {
            let word = word.replace('-', " ").to_uppercase();
            format!("DROP {word} IF EXISTS {} CASCADE", identifier(name))
        });
        let schemas =
            self.schemas.iter().map(|name| format!("DROP SCHEMA IF EXISTS {} CASCADE", identifier(name)));
        // A server's tables and mappings go with it.
        schemas.chain(of_database).collect()
    }
}

/// Lets roles that the target has be as they are: they are shared, and their attributes and passwords are the target's.
pub(super) fn share_roles(scripts: &mut Scripts, target: &Facts) {
    let shared = &mut scripts.shared_roles;
    scripts.roles.retain(|statement| {
        let role = match &statement.class {
            Class::CreateRole(name) => Some(name.clone()),
            _ => altered(&statement.sql),
        };
        let Some(role) = role.filter(|role| target.roles.contains(role)) else { return true };
        shared.insert(role);
        false
    });
}

/// What a person has to know of roles that are shared; none where none is.
pub(super) fn note(scripts: &Scripts) -> Option<String> {
    let shared = &scripts.shared_roles;
    (!shared.is_empty()).then(|| {
        format!(
            "shared with what is on the target, with the attributes and passwords that they have there: {}",
            human::first(shared.iter().map(|role| quoted(role)), SHOWN)
        )
    })
}

/// What a run has to remember of what others have on the target; nothing where none may be there.
///
/// # Errors
/// When it refuses a question.
pub(super) async fn before(context: &RunContext, brought: &Brought) -> Result<SavedOthers, Error> {
    if !context.tuning.beside {
        return Ok(SavedOthers::default());
    }
    let objects = others::known(&context.target.open().await?).await?;
    Ok(SavedOthers { beside: true, objects, undo: brought.undo() })
}

/// The least number of a job that a user created.
pub(super) const FIRST_JOB: i64 = 1000;

/// Takes TimescaleDB out of what is known of a source that has nothing of its own in it; what stands in the way where it has.
///
/// # Errors
/// When the source refuses the question.
pub(super) async fn without_timescale(source: &Session, facts: &mut Facts) -> Result<Option<Blocker>, Error> {
    let Some(timescale) = &facts.timescale else { return Ok(None) };
    let has_jobs = jobs::list(source).await?.iter().any(|job| job.id >= FIRST_JOB);
    if timescale.hypertables.is_empty() && timescale.aggregates.is_empty() && !has_jobs {
        facts.timescale = None;
        return Ok(None);
    }
    Ok(Some(Blocker::new(
        "moved-hypertables",
        "the source has hypertables or jobs, whose schemas TimescaleDB keeps in rows of its own catalogs",
        &[
            "move this database first, as it is, without --into-schema; then the others into schemas beside it",
        ],
    )))
}

/// The role whose attributes a statement changes.
fn altered(sql: &str) -> Option<String> {
    let parsed = parse(sql, true).ok()??;
    let NodeEnum::AlterRoleStmt(alter) = parsed.node() else { return None };
    // ALTER GROUP … ADD USER is one too, and takes no attribute away.
    let of_members = alter.options.iter().any(
        |option| matches!(&option.node, Some(NodeEnum::DefElem(option)) if option.defname == "rolemembers"),
    );
    alter.role.as_ref().filter(|_| !of_members).map(|role| role.rolename.clone())
}

/// Settings of roles for the database.
const SETTINGS: &str = "
SELECT r.rolname, pg_catalog.split_part(c, '=', 1) FROM pg_catalog.pg_db_role_setting s
JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = pg_catalog.current_database()
JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, pg_catalog.unnest(s.setconfig) c";

/// What is in no schema: the word for its kind, and its name.
const OF_DATABASE: &str = "
SELECT 'schema', nspname FROM pg_catalog.pg_namespace
UNION ALL SELECT 'publication', pubname FROM pg_catalog.pg_publication
UNION ALL SELECT 'foreign-data wrapper', fdwname FROM pg_catalog.pg_foreign_data_wrapper
UNION ALL SELECT 'server', srvname FROM pg_catalog.pg_foreign_server
UNION ALL SELECT 'language', lanname FROM pg_catalog.pg_language
UNION ALL SELECT 'access method', amname FROM pg_catalog.pg_am
UNION ALL SELECT 'event trigger', evtname FROM pg_catalog.pg_event_trigger
UNION ALL SELECT 'subscription', s.subname FROM pg_catalog.pg_subscription s
  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid AND d.datname = pg_catalog.current_database()";

/// What changes what the run creates, or shows it to others: default privileges of the user's, and publications of all tables.
const WIDE: &str = "
SELECT 'ALTER DEFAULT PRIVILEGES of ' || pg_catalog.quote_ident(current_user)
FROM pg_catalog.pg_default_acl a JOIN pg_catalog.pg_roles r ON r.oid = a.defaclrole
WHERE r.rolname = current_user AND a.defaclnamespace = 0
UNION SELECT 'publication ' || pg_catalog.quote_ident(pubname) || ' FOR ALL TABLES' FROM pg_catalog.pg_publication
WHERE puballtables ORDER BY 1";

/// What stands in the way on a target that has other databases.
///
/// # Errors
/// When it refuses a question.
pub(super) async fn meets(session: &Session, brought: &Brought) -> Result<Vec<Blocker>, Error> {
    let objects = others::objects(session).await?;
    let of_database = session.ask(OF_DATABASE).await?;
    let of_database: BTreeSet<(&str, &str)> =
        of_database.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect::<Result<_, Error>>()?;
    let mut blockers = Vec::new();
    let schemas = brought.schemas.iter().filter(|name| of_database.contains(&("schema", name.as_str())));
    let schemas: Vec<String> = schemas.map(|name| quoted(name)).collect();
    if !schemas.is_empty() {
        blockers.push(Blocker::new(
            "schema-exists",
            format!(
                "the target has what a schema of this database would be called: {}",
                human::first(&schemas, SHOWN)
            ),
            &["give it another name: --into-schema NAME, or --map-schema OLD=NEW for one schema"],
        ));
    }
    let there = names(&objects);
    // Whatever else its statements say of such a schema, they would say of the others' objects.
    let is_shared = |schema: &&String| {
        let before = format!("{}.", quoted(schema));
        there.iter().any(|name| name.starts_with(&before))
    };
    let shared: Vec<String> = brought.kept.iter().filter(is_shared).map(|schema| quoted(schema)).collect();
    if !shared.is_empty() {
        blockers.push(Blocker::new(
            "schema-shared",
            format!(
                "the target has objects of others in schemas that this database keeps: {}",
                human::first(&shared, SHOWN)
            ),
            &["move it into a schema of its own: --into-schema NAME"],
        ));
    }
    let in_schemas = brought.named.iter().filter(|name| there.contains(name.as_str()));
    let others =
        brought.of_database.iter().filter(|(word, name)| of_database.contains(&(word, name.as_str())));
    let others = others.map(|(word, name)| format!("{word} {}", quoted(name)));
    let taken: Vec<String> = in_schemas.cloned().chain(others).collect();
    if !taken.is_empty() {
        blockers.push(Blocker::new(
            "name-exists",
            format!("the target has objects of the same names: {}", human::first(&taken, SHOWN)),
            &["rename them on the source, or move their schema into another: --map-schema OLD=NEW"],
        ));
    }
    blockers.extend(settings(session, brought).await?);
    blockers.extend(numbers(session, brought).await?);
    let wide: BTreeSet<String> = session.ask_list(WIDE).await?;
    if !wide.is_empty() {
        blockers.push(Blocker::new(
            "shared-by-all",
            format!(
                "the target has what would hold for this database's objects too: {}",
                human::first(&wide, SHOWN)
            ),
            &["drop it there, or give it a schema or a list of tables"],
        ));
    }
    Ok(blockers)
}

/// The names of objects without the words for their kinds, and of functions without their arguments.
fn names(objects: &BTreeSet<String>) -> HashSet<&str> {
    let mut names = HashSet::new();
    for object in objects {
        let mut rest = object.as_str();
        // The word for a kind has up to three parts: text search configuration.
        for _ in 0..3 {
            let Some((_, name)) = rest.split_once(' ') else { break };
            names.insert(name);
            names.extend(name.split_once('(').map(|(name, _)| name));
            rest = name;
        }
    }
    names
}

/// Settings of one role for two databases: the last one would hold for both.
async fn settings(session: &Session, brought: &Brought) -> Result<Option<Blocker>, Error> {
    let mut found = BTreeMap::new();
    for row in session.ask(SETTINGS).await? {
        let key = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
        if brought.settings.contains(&key) {
            let of = format!("{} of role {}", key.1, quoted(&key.0));
            let sql = format!("ALTER ROLE {} IN DATABASE {{}} RESET {}", quoted(&key.0), key.1);
            found.insert(of, sql);
        }
    }
    if found.is_empty() {
        return Ok(None);
    }
    let database = quoted(&session.ask_text("SELECT pg_catalog.current_database()::text").await?);
    let mut next =
        vec!["take one of the two back, and set it in the application's connection string:".to_owned()];
    next.extend(
        found.values().take(SHOWN).map(|sql| format!("  {}", psql("TARGET", &sql.replace("{}", &database)))),
    );
    Ok(Some(Blocker {
        check: "setting-exists",
        what: format!(
            "roles have settings for the target's database that this database has for itself: {}",
            human::first(found.keys(), SHOWN)
        ),
        next,
    }))
}

/// Large objects of one number.
async fn numbers(session: &Session, brought: &Brought) -> Result<Option<Blocker>, Error> {
    if brought.large_objects.is_empty() {
        return Ok(None);
    }
    let there: BTreeSet<String> =
        session.ask_list("SELECT oid::text FROM pg_catalog.pg_largeobject_metadata").await?;
    let taken: Vec<&u32> =
        brought.large_objects.iter().filter(|number| there.contains(&number.to_string())).collect();
    Ok((!taken.is_empty()).then(|| {
        Blocker::new(
            "large-object-number",
            format!("the target has large objects of the same numbers: {}", human::first(&taken, SHOWN)),
            &[
                "a large object has no name but its number, and rows hold it: tsmigrate changes neither (DATA-02)",
                "give those of one database new numbers on the source, with the columns that hold them: lo_from_bytea(0, lo_get(NUMBER))",
            ],
        )
    }))
}

/// The numbers that statements about large objects create.
pub(super) fn large_objects(statements: &[Statement]) -> BTreeSet<u32> {
    let number = |statement: &Statement| {
        let parsed = parse(&statement.sql, true).ok()??;
        let NodeEnum::SelectStmt(select) = parsed.node() else { return None };
        let NodeEnum::ResTarget(target) = select.target_list.first()?.node.as_ref()? else { return None };
        let NodeEnum::FuncCall(call) = target.val.as_ref()?.node.as_ref()? else { return None };
        if strings(&call.funcname).last() != Some(&"lo_create") {
            return None;
        }
        tsmigrate_analyzer::facts::names::text(call.args.first()?)?.parse().ok()
    };
    statements.iter().filter_map(number).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    fn brought(sql: &str) -> Brought {
        let pre_data = script::statements("pre-data", sql.as_bytes()).expect("statements");
        Brought::of(&Scripts { pre_data, ..Scripts::default() })
    }

    #[test]
    fn what_two_databases_bring_is_known_by_name() {
        let one = brought(
            "CREATE SCHEMA crm; CREATE TABLE crm.t (); CREATE TABLE public.\"T 1\" (); CREATE PUBLICATION p; \
             CREATE SCHEMA IF NOT EXISTS ext; ALTER ROLE app IN DATABASE tsdb SET search_path = crm;",
        );
        let other = brought(
            "CREATE SCHEMA shop; CREATE TABLE shop.t (); CREATE VIEW public.\"T 1\" AS SELECT 1; CREATE PUBLICATION p; \
             CREATE SCHEMA IF NOT EXISTS ext; ALTER ROLE app IN DATABASE tsdb SET search_path = shop;",
        );
        let both = ["public.\"T 1\"", "publication p", "setting search_path of role app"];
        assert_eq!(one.also_in(&other), both);
        assert_eq!(one.undo(), Vec::<String>::new());
        let alone = brought("CREATE SCHEMA \"a\"\"b\"; CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw;");
        assert_eq!(
            alone.undo(),
            ["DROP SCHEMA IF EXISTS \"a\"\"b\" CASCADE", "DROP SERVER IF EXISTS \"s\" CASCADE"]
        );
    }

    #[test]
    fn names_are_read_from_identities() {
        let objects =
            ["table public.t", "text search configuration public.c", "function public.\"f g\"(integer)"];
        let objects = objects.map(str::to_owned).into();
        let names = names(&objects);
        for name in ["public.t", "public.c", "public.\"f g\""] {
            assert!(names.contains(name), "{name}");
        }
    }

    #[test]
    fn roles_that_exist_keep_their_attributes() {
        let sql = "CREATE ROLE a; ALTER ROLE a WITH LOGIN PASSWORD 'x'; CREATE ROLE b; ALTER ROLE b WITH LOGIN; \
                   GRANT a TO b; ALTER ROLE a SET work_mem = '1MB';";
        let roles = script::statements("roles", sql.as_bytes()).expect("statements");
        let mut scripts = Scripts { roles, ..Scripts::default() };
        let target = Facts { roles: ["a".to_owned()].into(), ..Facts::default() };
        share_roles(&mut scripts, &target);
        assert_eq!(scripts.shared_roles, ["a".to_owned()].into());
        let left: Vec<&str> = scripts.roles.iter().map(|role| role.sql.trim_end_matches(';')).collect();
        let expected =
            ["CREATE ROLE b", "ALTER ROLE b WITH LOGIN", "GRANT a TO b", "ALTER ROLE a SET work_mem = '1MB'"];
        assert_eq!(left, expected);
    }

    #[test]
    fn large_objects_are_known_by_their_numbers() {
        let sql = "SELECT pg_catalog.lo_create('16499'); ALTER LARGE OBJECT 16499 OWNER TO a; SELECT lo_create('7');";
        let statements = script::statements("data", sql.as_bytes()).expect("statements");
        assert_eq!(large_objects(&statements), [7, 16499].into());
    }
}
