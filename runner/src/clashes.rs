//! Names and settings that stand in a migration's way on the two servers: found before anything is written.

use std::collections::{BTreeMap, BTreeSet};

use tsmigrate_analyzer::Target;

use crate::connect::{Row, Session};
use crate::error::{Blocker, Error};
use crate::filter::Filter;
use crate::inspect::{self, Facts};
use crate::quote::{psql, quoted};

/// Functions that belong to no extension: schema, name, types of arguments, and all of it as SQL writes it.
const FUNCTIONS: &str = "
SELECT n.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes), p.oid::pg_catalog.regprocedure::text
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                  AND d.objid = p.oid AND d.deptype IN ('e', 'i'))";

/// Functions of extensions: schema, name, types of arguments, extension.
const MEMBERS: &str = "
SELECT n.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes), x.extname
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
JOIN pg_catalog.pg_extension x ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND x.oid = d.refobjid
WHERE n.nspname !~ '^pg_'";

/// Schemas that belong to no extension.
const SCHEMAS: &str = "
SELECT n.nspname, pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
  AND d.objid = n.oid AND d.deptype = 'e')";

/// Schemas of extensions.
const MEMBER_SCHEMAS: &str = "
SELECT n.nspname, x.extname FROM pg_catalog.pg_namespace n
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.objid = n.oid
  AND d.deptype = 'e'
JOIN pg_catalog.pg_extension x ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND x.oid = d.refobjid";

/// Names that no extension has: the kind, the schema, the name as SQL writes it, the owner.
const NAMES: &str = "
SELECT 'schema', n.nspname, pg_catalog.quote_ident(n.nspname), n.nspowner FROM pg_catalog.pg_namespace n
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'public') AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
  AND d.objid = n.oid AND d.deptype = 'e')
UNION ALL
SELECT 'relation', n.nspname, pg_catalog.format('%I.%I', n.nspname, c.relname), c.relowner
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.objid = c.oid AND d.deptype = 'e')
UNION ALL
SELECT 'function', n.nspname, pg_catalog.format('%I.%I(%s)', n.nspname, p.proname, pg_catalog.oidvectortypes(p.proargtypes)), p.proowner
FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                  AND d.objid = p.oid AND d.deptype IN ('e', 'i'))
UNION ALL
SELECT 'type', n.nspname, pg_catalog.format('%I.%I', n.nspname, t.typname), t.typowner
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' AND t.typtype IN ('d', 'e', 'r')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                  AND d.objid = t.oid AND d.deptype = 'e')";

/// Those that a superuser has where the session's user is none.
const OF_SUPERUSERS: &str = "
SELECT x.kind, x.schema, x.name FROM ({names}) x(kind, schema, name, owner)
JOIN pg_catalog.pg_roles o ON o.oid = x.owner AND o.rolsuper
WHERE NOT (SELECT u.rolsuper FROM pg_catalog.pg_roles u WHERE u.rolname = current_user) ORDER BY 1, 3";

/// What turns restoring mode on and off, called without arguments: another function of that name makes the call ambiguous.
const RESTORING: [&str; 2] = ["timescaledb_pre_restore", "timescaledb_post_restore"];

/// The check of [`settings`].
pub const SETTING: &str = "setting-of-superuser";

/// Settings that only a superuser can change, and that nothing of ours can work with.
const STEADY: [(&str, &str); 3] = [
    ("session_replication_role", "origin"),
    ("zero_damaged_pages", "off"),
    ("ignore_checksum_failure", "off"),
];

/// Looks at both servers, and at what of the source comes over.
///
/// # Errors
/// When one of them refuses a question.
pub async fn find(
    source: &Session,
    target: &Session,
    of_source: &Facts,
    of_target: &Facts,
    filter: &Filter,
) -> Result<Vec<Blocker>, Error> {
    let ((mut functions, mut schemas), (members, member_schemas)) =
        tokio::try_join!(async { tokio::try_join!(source.ask(FUNCTIONS), source.ask(SCHEMAS)) }, async {
            tokio::try_join!(target.ask(MEMBERS), target.ask(MEMBER_SCHEMAS))
        },)?;
    for rows in [&mut functions, &mut schemas] {
        rows.retain(|row| row.text(0).is_ok_and(|schema| filter.has_schema(schema)));
    }
    let mut blockers = Vec::new();
    blockers.extend(functions_of_extensions(&functions, &members, of_source)?);
    blockers.extend(schemas_of_extensions(&schemas, &member_schemas)?);
    blockers.extend(names_of_superusers(source, target, filter).await?);
    for session in [source, target] {
        let facts = if session.side() == source.side() { of_source } else { of_target };
        blockers.extend(settings(session, facts).await?);
    }
    Ok(blockers)
}

/// Roles of the target that the session's user may not change, in SQL, with those that may: `CREATEROLE` alone is not
/// enough from 16 on.
const FOREIGN_ROLES: &str = "
SELECT r.rolname, pg_catalog.quote_ident(r.rolname), (
  SELECT pg_catalog.string_agg(pg_catalog.quote_ident(m.rolname), ', ' ORDER BY m.rolname)
  FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles m ON m.oid = a.member
  WHERE a.roleid = r.oid AND a.admin_option)
FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_' AND r.rolname <> current_user
  AND NOT (SELECT u.rolsuper FROM pg_catalog.pg_roles u WHERE u.rolname = current_user)
  AND (r.rolsuper OR pg_catalog.current_setting('server_version_num')::int >= 160000
       AND NOT pg_catalog.pg_has_role(current_user, r.oid, 'USAGE WITH ADMIN OPTION'))
ORDER BY 1";

/// Roles of the source whose names others have on the target: the dump's ALTER ROLE would be refused. The service's own, and
/// the one that we are there, no dump changes.
///
/// # Errors
/// When the target refuses the question.
pub async fn roles(target: &Session, of_source: &Facts, of_target: &Facts) -> Result<Option<Blocker>, Error> {
    let service = Target::default();
    let reserved = |name: &str| name == of_target.user || service.reserved_roles.contains_key(name);
    let mut found = Vec::new();
    for row in target.ask(FOREIGN_ROLES).await? {
        let name = row.text(0)?;
        if of_source.roles.contains(name) && !reserved(name) {
            found.push((row.text(1)?.to_owned(), row.optional(2)?.map(str::to_owned)));
        }
    }
    let Some((first, others)) = found.first() else { return Ok(None) };
    let (user, more) = (quoted(&of_target.user), more(found.len()));
    let who = others.as_deref().unwrap_or("a superuser");
    let mut next = vec![format!("have {who} let {user} change it, on the target:")];
    next.extend(found.iter().take(8).map(|(role, _)| format!("  GRANT {role} TO {user} WITH ADMIN OPTION;")));
    next.push("or rename it on the source:".to_owned());
    next.extend(found.iter().take(8).map(|(role, _)| {
        let own = format!("{}_own", crate::names::part(role).map_or_else(|| role.clone(), |(name, _)| name));
        on_source(&format!("ALTER ROLE {role} RENAME TO {}", quoted(&own)))
    }));
    next.push(format!("or leave roles out: --no-roles, which gives everything to {user}"));
    Ok(Some(Blocker {
        check: "role-of-another",
        what: format!(
            "another has created the role {first} on the target, and {user} cannot change it{more}"
        ),
        next,
    }))
}

/// ` (and 2 more)`
fn more(number: usize) -> String {
    if number > 1 { format!(" (and {} more)", number - 1) } else { String::new() }
}

fn functions_of_extensions(
    functions: &[Row],
    members: &[Row],
    source: &Facts,
) -> Result<Option<Blocker>, Error> {
    let theirs: BTreeMap<[&str; 3], &str> = members
        .iter()
        .map(|row| Ok(([row.text(0)?, row.text(1)?, row.text(2)?], row.text(3)?)))
        .collect::<Result<_, Error>>()?;
    let mut found = Vec::new();
    for row in functions {
        let (schema, name, types, sql) = (row.text(0)?, row.text(1)?, row.text(2)?, row.text(3)?);
        let ambiguous = source.timescale.is_some() && schema == "public" && RESTORING.contains(&name);
        if let Some(extension) = theirs.get(&[schema, name, types]) {
            found.push((sql, name, *extension));
        } else if ambiguous {
            found.push((sql, name, "timescaledb"));
        }
    }
    let Some(&(first, _, extension)) = found.first() else { return Ok(None) };
    let more = more(found.len());
    let mut next = vec!["rename it on the source, or move it to another schema, for example:".to_owned()];
    next.extend(found.iter().take(8).map(|(sql, name, _)| {
        on_source(&format!("ALTER ROUTINE {sql} RENAME TO {}", quoted(&format!("{name}_own"))))
    }));
    Ok(Some(Blocker {
        check: "function-of-extension",
        what: format!(
            "the function {first} has a name that belongs to the extension {} on the target{more}",
            quoted(extension)
        ),
        next,
    }))
}

fn schemas_of_extensions(schemas: &[Row], members: &[Row]) -> Result<Option<Blocker>, Error> {
    let theirs: BTreeSet<&str> = members.iter().map(|row| row.text(0)).collect::<Result<_, _>>()?;
    let mut found = Vec::new();
    for row in schemas {
        let (name, sql) = (row.text(0)?, row.text(1)?);
        // TimescaleDB's own, whichever version adds them.
        if name.starts_with("_timescaledb_") || theirs.contains(name) {
            found.push((name, sql));
        }
    }
    let Some((_, first)) = found.first() else { return Ok(None) };
    let more = more(found.len());
    let command = |(name, sql): &(&str, &str)| {
        on_source(&format!("ALTER SCHEMA {sql} RENAME TO {}", quoted(&format!("own_{name}"))))
    };
    let next =
        std::iter::once("rename it on the source, or leave it out with --exclude, for example:".to_owned())
            .chain(found.iter().take(8).map(command))
            .collect();
    Ok(Some(Blocker {
        check: "schema-of-extension",
        what: format!("the schema {first} has a name that belongs to an extension of the target{more}"),
        next,
    }))
}

/// Names of the source that a superuser has on the target: a service has helpers of its own, which nobody can drop.
async fn names_of_superusers(
    source: &Session,
    target: &Session,
    filter: &Filter,
) -> Result<Option<Blocker>, Error> {
    let taken: BTreeSet<(String, String)> = target
        .ask(&OF_SUPERUSERS.replace("{names}", NAMES))
        .await?
        .iter()
        .map(|row| Ok((row.text(0)?.to_owned(), row.text(2)?.to_owned())))
        .collect::<Result<_, Error>>()?;
    if taken.is_empty() {
        return Ok(None);
    }
    let mut found = Vec::new();
    for row in source.ask(NAMES).await? {
        let (kind, schema, name) = (row.text(0)?, row.text(1)?, row.text(2)?);
        if filter.has_schema(schema) && taken.contains(&(kind.to_owned(), name.to_owned())) {
            found.push(format!("{kind} {name}"));
        }
    }
    let Some(first) = found.first() else { return Ok(None) };
    Ok(Some(Blocker {
        check: "name-of-superuser",
        what: format!(
            "a superuser has made the {first} on the target, and the source has one of that name{}",
            more(found.len())
        ),
        next: vec!["rename it on the source, or leave it out with --exclude".into()],
    }))
}

/// A statement for the source as a command that can be pasted.
fn on_source(sql: &str) -> String {
    format!("  {}", psql("SOURCE", sql))
}

/// Settings that were given to the user or to the database, and that our sessions cannot put right themselves.
///
/// # Errors
/// When the server refuses the question.
pub async fn settings(session: &Session, facts: &Facts) -> Result<Vec<Blocker>, Error> {
    let names: Vec<_> = STEADY.iter().map(|(name, _)| format!("'{name}'")).collect();
    let question =
        format!("SELECT name, setting FROM pg_catalog.pg_settings WHERE name IN ({})", names.join(", "));
    let mut blockers = Vec::new();
    for row in session.ask(&question).await? {
        let (name, value) = (row.text(0)?, row.text(1)?);
        let Some((_, steady)) = STEADY.iter().find(|(known, _)| *known == name) else { continue };
        if value == *steady {
            continue;
        }
        let (side, server) = (session.side().name(), session.side().name().to_uppercase());
        let mut next = vec!["a superuser has to take it back; where it may have been set:".to_owned()];
        next.extend(
            inspect::resets(session, name).await?.into_iter().map(|sql| format!("  {}", psql(&server, &sql))),
        );
        blockers.push(Blocker {
            check: SETTING,
            what: format!(
                "sessions of {} on the {side} have {name} = {value}, which only a superuser can change: \
                 triggers, keys and copies would not do what they are meant to",
                quoted(&facts.user)
            ),
            next,
        });
    }
    Ok(blockers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<const N: usize>(columns: [&str; N]) -> Row {
        Row::of(&columns.map(Some))
    }

    #[test]
    fn commands_rename_names_with_dots_and_quotes() {
        let functions = [row(["a.b", "It's \"x\".y(", "integer", "\"a.b\".\"It's \"\"x\"\".y(\"(integer)"])];
        let members = [row(["a.b", "It's \"x\".y(", "integer", "ext"])];
        let blocker = functions_of_extensions(&functions, &members, &Facts::default())
            .expect("readable")
            .expect("a clash");
        assert_eq!(
            blocker.next[1],
            "  psql -X \"$SOURCE\" -c 'ALTER ROUTINE \"a.b\".\"It'\\''s \"\"x\"\".y(\"(integer) RENAME TO \
             \"It'\\''s \"\"x\"\".y(_own\"'"
        );
        let schemas = [row(["My.\"S\"", "\"My.\"\"S\"\"\""])];
        let blocker =
            schemas_of_extensions(&schemas, &[row(["My.\"S\"", "ext"])]).expect("readable").expect("a clash");
        assert_eq!(
            blocker.next[1],
            "  psql -X \"$SOURCE\" -c 'ALTER SCHEMA \"My.\"\"S\"\"\" RENAME TO \"own_My.\"\"S\"\"\"'"
        );
    }
}
