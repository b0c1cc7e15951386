//! States of a source that a dump brings over as they are, and that fail late or mean something else on the target.

use tsmigrate_analyzer::server::Omitted;

use crate::connect::{Row, Session};
use crate::error::Error;
use crate::human;
use crate::inspect::Facts;
use crate::quote::{literal, quoted};
use crate::timescale::Catalogs;

/// Names that are listed of each kind.
const SHOWN: usize = 8;

/// All of them. Only catalogs are read.
///
/// # Errors
/// When the server refuses a question.
pub async fn find(session: &Session) -> Result<Vec<Omitted>, Error> {
    let version: u32 =
        session.ask_row("SELECT pg_catalog.current_setting('server_version_num')").await?.number(0)?;
    let mut found = views(session, version).await?;
    found.extend(collations(session, version).await?);
    found.extend(ages(session).await?);
    found.extend(orders(session).await?);
    found.extend(names(session).await?);
    found.extend(transaction_ids(session).await?);
    found.extend(chunk_checks(session).await?);
    found.extend(checks(session).await?);
    if version < 180_000 {
        found.extend(nulls(session).await?);
    }
    Ok(found)
}

fn state(object: String, why: String, next: Vec<String>) -> Omitted {
    Omitted { object, why, is_lost: false, next }
}

/// Views of superusers who are none on the target, and tables of theirs with rules, with relations that those use only as such: no
/// ownership, membership or grant says that they may. The bootstrap superuser's become the administrator's, who is a member of every owner.
/// `{invoker}` leaves views out that ask as whoever reads them.
const VIEWS: &str = "
WITH RECURSIVE roles(super, role) AS (
  SELECT r.oid, r.oid FROM pg_catalog.pg_roles r WHERE r.rolsuper AND r.oid <> 10
  UNION SELECT s.super, m.roleid FROM roles s JOIN pg_catalog.pg_auth_members m ON m.member = s.role)
SELECT pg_catalog.format('%I.%I', n.nspname, v.relname), pg_catalog.quote_ident(o.rolname), v.relkind,
       pg_catalog.string_agg(DISTINCT pg_catalog.format('%I.%I', tn.nspname, t.relname), ', ')
FROM pg_catalog.pg_class v JOIN pg_catalog.pg_namespace n ON n.oid = v.relnamespace
JOIN pg_catalog.pg_roles o ON o.oid = v.relowner AND o.rolsuper AND o.oid <> 10
JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = w.oid
  AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid <> v.oid
JOIN pg_catalog.pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'p', 'v', 'm', 'f')
JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace
WHERE v.relkind IN ('v', 'm', 'r', 'p') AND t.oid >= 16384 AND {invoker}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e' AND e.objid IN (v.oid, t.oid)
                  AND e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass)
  AND (NOT EXISTS (SELECT FROM roles r WHERE r.super = o.oid AND r.role = t.relowner)
       AND NOT EXISTS (SELECT FROM pg_catalog.aclexplode(t.relacl) a
                       WHERE (a.privilege_type = 'SELECT' OR v.relkind IN ('r', 'p')) AND (a.grantee = 0 OR EXISTS (
                         SELECT FROM roles r WHERE r.super = o.oid AND r.role = a.grantee)))
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute c, LATERAL pg_catalog.aclexplode(c.attacl) a
                       WHERE c.attrelid = t.oid AND (a.privilege_type = 'SELECT' OR v.relkind IN ('r', 'p')) AND (a.grantee = 0 OR EXISTS (
                         SELECT FROM roles r WHERE r.super = o.oid AND r.role = a.grantee)))
       AND NOT EXISTS (SELECT FROM roles r JOIN pg_catalog.pg_roles p ON p.oid = r.role
                       WHERE r.super = o.oid AND p.rolname = 'pg_read_all_data'))
GROUP BY 1, 2, 3 ORDER BY 1";

async fn views(session: &Session, version: u32) -> Result<Vec<Omitted>, Error> {
    let invoker = if version >= 150_000 {
        "NOT coalesce('security_invoker=true' = ANY (v.reloptions) OR 'security_invoker=on' = ANY (v.reloptions), false)"
    } else {
        "true"
    };
    let mut found = Vec::new();
    for row in session.ask(&VIEWS.replace("{invoker}", invoker)).await? {
        let (view, owner, tables) = (row.text(0)?, row.text(1)?, row.text(3)?);
        let (kind, alter, uses, refused) = match row.text(2)? {
            "m" => (
                "materialized view",
                "ALTER MATERIALIZED VIEW",
                "reads",
                "it is filled once, and a REFRESH is refused there",
            ),
            "v" => ("view", "ALTER VIEW", "reads", "who reads the view is refused there"),
            _ => (
                "rules of table",
                "ALTER TABLE",
                "uses",
                "who writes to the table is refused there where a rule needs them",
            ),
        };
        found.push(state(
            format!("{kind} {view}"),
            format!(
                "its owner {owner} {uses} {tables} as a superuser alone, and is none on the target: {refused}"
            ),
            vec![
                "Let its owner use them, or give it to their owner, on the source:".into(),
                format!("  GRANT SELECT ON {tables} TO {owner}; -- or {alter} {view} OWNER TO …;"),
            ],
        ));
    }
    Ok(found)
}

/// Columns that may be NULL though they may not in the table that they are inherited from: a dump does not say so, and
/// since 18 no server takes it (PostgreSQL 18's release notes, inherited NOT NULL).
const NULLS: &str = "
SELECT pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname), pg_catalog.format('%I.%I', pn.nspname, p.relname)
FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid AND NOT c.relispartition
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND NOT pg_catalog.starts_with(n.nspname, '_timescaledb_')
JOIN pg_catalog.pg_class p ON p.oid = i.inhparent JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attnotnull AND NOT a.attisdropped
JOIN pg_catalog.pg_attribute b ON b.attrelid = p.oid AND b.attname = a.attname AND b.attnotnull ORDER BY 1";

async fn nulls(session: &Session) -> Result<Vec<Omitted>, Error> {
    let omitted = |row: &Row| {
        let (column, parent) = (row.text(0)?, row.text(1)?);
        Ok(Omitted {
            object: format!("NULLs of column {column}"),
            why: format!(
                "it may be NULL, and may not in {parent}, from which it is inherited: no dump says so, and the target refuses \
                 rows with NULL in it"
            ),
            is_lost: true,
            next: vec![
                "Let both be NULL on the source, or neither: ALTER TABLE … ALTER … DROP NOT NULL.".into(),
            ],
        })
    };
    session.ask(NULLS).await?.iter().map(omitted).collect()
}

/// CHECKs that are validated, and whose parents' are not: a dump has them with their parents, as they are there.
const CHECKS: &str = "
SELECT pg_catalog.format('%I on %I.%I', k.conname, n.nspname, c.relname),
       pg_catalog.format('ALTER TABLE %I.%I VALIDATE CONSTRAINT %I;', n.nspname, c.relname, k.conname)
FROM pg_catalog.pg_constraint k JOIN pg_catalog.pg_class c ON c.oid = k.conrelid AND NOT c.relispartition
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND NOT pg_catalog.starts_with(n.nspname, '_timescaledb_')
WHERE k.contype = 'c' AND k.convalidated AND k.coninhcount > 0 AND EXISTS (
  SELECT FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_constraint p ON p.conrelid = i.inhparent
  WHERE i.inhrelid = c.oid AND p.contype = 'c' AND p.conname = k.conname AND NOT p.convalidated) ORDER BY 1";

async fn checks(session: &Session) -> Result<Vec<Omitted>, Error> {
    let of = |row: &Row| {
        let (check, command) = (row.text(0)?, row.text(1)?);
        Ok(state(
            format!("check {check}"),
            "it is validated, and that of its parent is not: a dump has one for both, and the target takes its rows without \
             looking"
                .into(),
            vec!["On the target, once all rows are there:".into(), format!("  {command}")],
        ))
    };
    session.ask(CHECKS).await?.iter().map(of).collect()
}

/// Tables with a replica identity of which PostgreSQL 18 has to publish a generated column, and publishes none unless told to
/// (PostgreSQL 18's `publish_generated_columns`; execReplication.c, `CheckCmdReplicaIdentity`).
const IDENTITIES: &str = "
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(a.attname), ', '),
       pg_catalog.string_agg(DISTINCT pg_catalog.quote_ident(p.pubname), ', ')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attgenerated = 's' AND NOT a.attisdropped
JOIN pg_catalog.pg_publication_tables t ON t.schemaname = n.nspname AND t.tablename = c.relname
JOIN pg_catalog.pg_publication p ON p.pubname = t.pubname AND (p.pubupdate OR p.pubdelete)
WHERE c.relreplident = 'f' OR EXISTS (
  SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey)
    AND (c.relreplident = 'i' AND i.indisreplident OR c.relreplident = 'd' AND i.indisprimary))
GROUP BY n.nspname, c.relname ORDER BY 1";

/// Tables that take UPDATE and DELETE on the source, and refuse them on the target.
async fn identities(session: &Session) -> Result<Vec<Omitted>, Error> {
    let of = |row: &Row| {
        let (table, columns, publications) = (row.text(0)?, row.text(1)?, row.text(2)?);
        Ok(state(
            format!("replica identity of table {table}"),
            format!(
                "it has generated columns ({columns}), which publications of PostgreSQL 18 do not publish unless they are told \
                 to: the target refuses every UPDATE and DELETE of the table as long as {publications} has it"
            ),
            vec![format!(
                "On the target, for each: ALTER PUBLICATION {publications} SET (publish_generated_columns = stored);"
            )],
        ))
    };
    session.ask(IDENTITIES).await?.iter().map(of).collect()
}

/// Indexes on text of users, whose order has changed under them.
async fn collations(session: &Session, version: u32) -> Result<Vec<Omitted>, Error> {
    let mut found = Vec::new();
    let of_database = "SELECT d.datname, d.datcollversion, pg_catalog.pg_database_collation_actual_version(d.oid) \
                       FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database() \
                       AND d.datcollversion <> pg_catalog.pg_database_collation_actual_version(d.oid)";
    let of_collations = "SELECT pg_catalog.format('%I.%I', n.nspname, c.collname), c.collversion, \
                                pg_catalog.pg_collation_actual_version(c.oid) \
                         FROM pg_catalog.pg_collation c JOIN pg_catalog.pg_namespace n ON n.oid = c.collnamespace \
                         WHERE c.collversion <> pg_catalog.pg_collation_actual_version(c.oid) AND EXISTS ( \
                           SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid >= 16384 AND c.oid = ANY (i.indcollation)) \
                         ORDER BY 1";
    let advice = |refresh: String| {
        vec![
            "Look for equal keys, and build the indexes on text anew on the source:".into(),
            format!("  REINDEX DATABASE CONCURRENTLY; {refresh} REFRESH COLLATION VERSION;"),
        ]
    };
    let why = |then: &str, now: &str| {
        format!(
            "its version was {then} when indexes were built, and is {now} now: unique indexes may let equal keys pass, which \
             the target refuses when all rows are there"
        )
    };
    if version >= 150_000 {
        for row in session.ask(of_database).await? {
            let database = quoted(row.text(0)?);
            let next = advice(format!("ALTER DATABASE {database}"));
            found.push(state(
                format!("collation of database {database}"),
                why(row.text(1)?, row.text(2)?),
                next,
            ));
        }
    }
    for row in session.ask(of_collations).await?.iter().take(SHOWN) {
        let name = row.text(0)?;
        let next = advice(format!("ALTER COLLATION {name}"));
        found.push(state(format!("collation {name}"), why(row.text(1)?, row.text(2)?), next));
    }
    Ok(found)
}

/// Tables below others whose columns stand in another order than a dump writes them in: those of the parents first.
const ORDERS: &str = "
SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),
       pg_catalog.string_agg(pg_catalog.quote_ident(x.attname), ', ' ORDER BY x.then)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace, LATERAL (
  SELECT a.attname, pg_catalog.row_number() OVER (ORDER BY a.attnum) AS now,
         pg_catalog.row_number() OVER (ORDER BY p.inhseqno, p.attnum, a.attnum) AS then
  FROM pg_catalog.pg_attribute a LEFT JOIN LATERAL (
    SELECT i.inhseqno, o.attnum FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_attribute o ON o.attrelid = i.inhparent
    WHERE i.inhrelid = c.oid AND o.attname = a.attname AND o.attnum > 0 AND NOT o.attisdropped ORDER BY 1, 2 LIMIT 1) p ON true
  WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) x
WHERE c.relkind = 'r' AND NOT c.relispartition AND c.relpersistence <> 't' AND n.nspname !~ '^_timescaledb_'
  AND EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)
GROUP BY n.nspname, c.relname HAVING pg_catalog.bool_or(x.now <> x.then) ORDER BY 1";

async fn orders(session: &Session) -> Result<Vec<Omitted>, Error> {
    let mut found = Vec::new();
    for row in session.ask(ORDERS).await?.iter().take(SHOWN) {
        let table = row.text(0)?;
        found.push(state(
            format!("order of the columns of table {table}"),
            format!("a dump writes the columns of its parents first, and the target has {}", row.text(1)?),
            vec!["Name the columns in INSERT and COPY; SELECT * gives them in the new order.".into()],
        ));
    }
    Ok(found)
}

/// Columns of users whose values are names of objects, which are looked up when rows arrive.
async fn names(session: &Session) -> Result<Option<Omitted>, Error> {
    let question = "SELECT pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname) || ' (' || t.typname || ')' \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace JOIN pg_catalog.pg_type e ON e.oid = a.atttypid \
         JOIN pg_catalog.pg_type t ON t.oid = CASE e.typcategory WHEN 'A' THEN e.typelem ELSE e.oid END \
         WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND NOT c.relispartition AND a.attnum > 0 AND NOT a.attisdropped \
         AND n.nspname !~ '^_timescaledb_' AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace AND t.typname ~ '^reg' \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e' AND e.objid = c.oid \
                         AND e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass) ORDER BY 1";
    let columns: Vec<String> = session.ask_list(question).await?;
    Ok((!columns.is_empty()).then(|| {
        state(
            format!("names in {}", human::first(&columns, SHOWN)),
            "such values go over as names of objects, and the target refuses a row whose object it does not have: one of an \
             extension, a role or a schema that stays behind, one that is created after the rows, or a number whose object \
             is gone"
                .into(),
            vec!["Look for values that are names of such objects; a column of type text keeps any.".into()],
        )
    }))
}

/// From this age on a migration that takes days comes near the end of transaction ids, at 2,147 millions.
const OLD: u64 = 1_500_000_000;

async fn ages(session: &Session) -> Result<Option<Omitted>, Error> {
    let row = session
        .ask_row(
            "SELECT d.datname, greatest(pg_catalog.age(d.datfrozenxid), pg_catalog.mxid_age(d.datminmxid)) \
             FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()",
        )
        .await?;
    let age: u64 = row.number(1)?;
    Ok((age > OLD).then(|| {
        state(
            format!("database {}", quoted(row.values().first().and_then(Option::as_deref).unwrap_or_default())),
            format!(
                "its oldest transaction is {age} transactions old, and a server stops at about 2,146,000,000; as long as a \
                 migration reads, nothing becomes younger"
            ),
            vec!["Vacuum on the source before: VACUUM (FREEZE);".into()],
        )
    }))
}

/// Columns that hold transaction ids: the target's begin anew.
async fn transaction_ids(session: &Session) -> Result<Option<Omitted>, Error> {
    let question = "SELECT DISTINCT pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname) \
         FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p') \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum \
         WHERE c.oid >= 16384 AND c.relpersistence <> 't' AND a.attnum > 0 AND NOT a.attisdropped AND n.nspname !~ '^_timescaledb_' \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e' AND e.objid = c.oid \
                         AND e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass) \
         AND (a.atttypid = 'pg_catalog.xid8'::pg_catalog.regtype OR pg_catalog.pg_get_expr(f.adbin, f.adrelid) \
              ~ '(txid_current|pg_current_xact_id|pg_current_snapshot|txid_current_snapshot)\\(') ORDER BY 1";
    let columns: Vec<String> = session.ask_list(question).await?;
    Ok((!columns.is_empty()).then(|| {
        state(
            format!("transaction ids in {}", human::first(&columns, SHOWN)),
            "the target counts transactions anew, far below these: who reads rows with greater ids than the last one sees no \
             new rows after the move"
                .into(),
            vec!["Add an offset there, or let such readers begin anew.".into()],
        )
    }))
}

/// Checks of chunks by the name of a slice that is another chunk's, or nobody's: merges up to TimescaleDB 2.27 left the old
/// name behind. From 2.28 to 2.29.1 such a check is nobody's, and a later merge puts another one beside it; the script that
/// updates to 2.29.2 renames or drops them (`sql/updates/2.29.1--2.29.2.sql`).
async fn chunk_checks(session: &Session) -> Result<Option<Omitted>, Error> {
    let catalogs = Catalogs::read(session).await?;
    if catalogs.is_empty() {
        return Ok(None);
    }
    let question = format!(
        "SELECT pg_catalog.format('%I on %I.%I', k.conname, n.nspname, r.relname) FROM ({}) c \
         JOIN pg_catalog.pg_class r ON r.oid = c.relid JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace \
         JOIN pg_catalog.pg_constraint k ON k.conrelid = r.oid AND k.contype = 'c' AND k.coninhcount = 0 \
         WHERE k.conname ~ '^constraint_[0-9]+$' AND NOT c.tiered AND NOT EXISTS (SELECT FROM ({}) s \
           WHERE s.chunk_id = c.id AND 'constraint_' || s.id = k.conname) ORDER BY 1",
        catalogs.chunks()?,
        catalogs.slices()?
    );
    let checks: Vec<String> = session.ask_list(&question).await?;
    Ok((!checks.is_empty()).then(|| {
        state(
            format!("checks of merged chunks: {}", human::first(&checks, SHOWN)),
            "such a name is that of another slice, left behind by a merge of chunks: TimescaleDB 2.28 to 2.29.1 does not know \
             the check as its own, and after another merge it refuses rows that the chunk holds, when they are copied"
                .into(),
            vec![
                "Update TimescaleDB on the source to 2.29.2 or newer, which renames them; one that stays below 2.28 on both \
                 servers moves as it is."
                    .into(),
            ],
        )
    }))
}

/// What only both servers together tell.
///
/// # Errors
/// When a server refuses a question.
pub async fn between(
    (source, ours): (&Session, &Facts),
    (target, theirs): (&Session, &Facts),
) -> Result<Vec<Omitted>, Error> {
    let mut found = settings(source, target, &theirs.database).await?;
    if ours.major() < 18 && theirs.major() >= 18 {
        found.extend(identities(source).await?);
    }
    Ok(found)
}

/// Settings that change what values and text mean, where nobody has set them for the database.
const MEANING: &str = "
SELECT s.name, s.reset_val, EXISTS (
  SELECT FROM pg_catalog.pg_db_role_setting r, LATERAL pg_catalog.unnest(r.setconfig) c
  WHERE pg_catalog.lower(pg_catalog.split_part(c, '=', 1)) = pg_catalog.lower(s.name)
    AND (r.setrole = 0 AND r.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()))
         OR r.setrole = (SELECT u.oid FROM pg_catalog.pg_roles u WHERE u.rolname = session_user)))
FROM pg_catalog.pg_settings s WHERE s.name IN ('TimeZone', 'DateStyle', 'IntervalStyle', 'default_text_search_config',
  'lc_monetary', 'lc_numeric', 'lc_time', 'bytea_output', 'xmlbinary', 'array_nulls', 'transform_null_equals',
  'default_transaction_isolation') ORDER BY 1";

/// Settings of the source's server that the target's does not have: no dump has them. What is set for the database moves, and
/// what a role of ours has for itself hides the server's.
async fn settings(source: &Session, target: &Session, database: &str) -> Result<Vec<Omitted>, Error> {
    let (ours, theirs) = tokio::try_join!(source.ask(MEANING), target.ask(MEANING))?;
    let mut found = Vec::new();
    for ours in ours {
        let (name, value) = (ours.text(0)?, ours.text(1)?);
        for theirs in &theirs {
            let other = theirs.text(1)?;
            if theirs.text(0)? != name || ours.flag(2)? || theirs.flag(2)? || same(value, other) {
                continue;
            }
            found.push(state(
                format!("setting {name} of the server"),
                format!("it is {value} on the source and {other} on the target, and no dump has it"),
                vec![format!(
                    "Where applications count on it, on the target: ALTER DATABASE {} SET {name} = {};",
                    quoted(database),
                    literal(value)
                )],
            ));
        }
    }
    Ok(found)
}

/// Names of one thing: `Etc/UTC` and `UTC`, `C.UTF-8` and `C.utf8`.
fn same(ours: &str, theirs: &str) -> bool {
    let plain = |value: &str| {
        let value = value.to_ascii_lowercase().replace("utf-8", "utf8");
        match value.trim_start_matches("etc/") {
            "gmt" | "uct" | "universal" | "zulu" | "greenwich" => "utc".to_owned(),
            "posix" | "c.utf8" => "c".to_owned(),
            value => value.to_owned(),
        }
    };
    plain(ours) == plain(theirs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_names_of_one_thing_are_no_difference() {
        assert!(same("Etc/UTC", "UTC") && same("C.UTF-8", "C") && same("de_DE.utf8", "de_DE.UTF-8"));
        assert!(!same("UTC", "Europe/Berlin") && !same("ISO, MDY", "ISO, DMY"));
    }
}
