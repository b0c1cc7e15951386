//! A target that holds other databases in schemas of their own: what meets there is found before anything is written, and a
//! run that is given up takes back what is its own.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use tsmigrate_analyzer::finding::{Unmoved, Why};

use super::brought::{Brought, altered};
use super::scripts::Scripts;
use super::{RunContext, of_database, others};
use crate::connect::Session;
use crate::error::{Blocker, Error};
use crate::inspect::Facts;
use crate::quote::{psql, quoted};
use crate::script::Class;
use crate::workdir::SavedOthers;
use crate::{human, jobs, moving};

/// So many are named.
const SHOWN: usize = 8;

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
pub(super) async fn before(
    context: &RunContext,
    scripts: &Scripts,
    brought: &Brought,
) -> Result<SavedOthers, Error> {
    if !context.tuning.beside {
        return Ok(SavedOthers::default());
    }
    let session = context.target.open().await?;
    let objects = others::known(&session, None).await?;
    let given = of_database::given(&session, scripts).await?;
    let replaced = of_database::replaced(&session, scripts).await?;
    let (undo, brings_nothing) = (brought.undo(), brought.is_nothing());
    Ok(SavedOthers { beside: true, objects, undo, brings_nothing, given, replaced })
}

/// Takes up what the source of a run beside others brings now and did not when it began; false where that is nothing.
///
/// # Errors
/// When the target refuses a question.
pub(super) async fn later(
    target: &Session,
    scripts: &Scripts,
    brought: &Brought,
    known: &mut SavedOthers,
) -> Result<bool, Error> {
    let before = known.clone();
    known.given.extend(of_database::given(target, scripts).await?);
    known.replaced.extend(of_database::replaced(target, scripts).await?);
    known.take_up(brought.undo(), brought.is_nothing());
    Ok(*known != before)
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
    let (hypertables, aggregates) = (timescale.hypertables.len() as u64, timescale.aggregates.len() as u64);
    Ok(Some(Blocker {
        check: "moved-hypertables",
        what: format!(
            "database {} has {}, {}{}, whose schemas TimescaleDB keeps in rows of its own catalogs",
            quoted(&facts.database),
            human::count(hypertables, "hypertable"),
            human::count(aggregates, "continuous aggregate"),
            if has_jobs { " and jobs" } else { "" }
        ),
        next: moving::ways_of_hypertables(
            "tsmigrate migrate --source ITS_URI --source URI --into-schema NAME",
        ),
    }))
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

/// How many functions look for names in `public` of the target, unless that is accepted (MAP-06). Where nobody else creates there, they
/// are no places to look at.
pub(super) fn looks_in_public(unmoved: &mut Vec<Unmoved>, target: &Facts, accept: &[String]) -> usize {
    let functions = unmoved.iter().filter(|place| place.why == Why::Open).count();
    if target.public_creators.is_empty() {
        unmoved.retain(|place| place.why != Why::Open);
    }
    if accept.iter().any(|rule| rule.eq_ignore_ascii_case("MAP-06")) { 0 } else { functions }
}

/// What to do where others may create in `public` of the target, and functions of this database look for names there (MAP-06).
pub(super) fn open_public(target: &Facts, brought: &Brought) -> Option<String> {
    let creators = &target.public_creators;
    if brought.looks_in_public == 0 || creators.is_empty() {
        return None;
    }
    let list = creators.join(", ");
    Some(format!(
        "{list} may create in schema public of the target, or have functions there: {} of this database look for names there too, and \
         run what they find, as tsdbadmin while rows are copied (MAP-06). Unless all of them are to be trusted, take that away \
         first, and move their functions into another schema:\n{}",
        human::count(brought.looks_in_public as u64, "function"),
        psql("TARGET", &format!("REVOKE CREATE ON SCHEMA public FROM {list}"))
    ))
}

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

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
}
