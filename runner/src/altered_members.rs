//! Members of extensions that were altered since the extension was created, and what was added to their tables: no dump
//! has them, as it has no member.
//!
//! What an extension's script makes, it makes in the transaction of the membership. A comment, a body, an index, a column or
//! a row that another transaction wrote is not the script's. Where no two members have one transaction, `pg_upgrade` has made them one by
//! one, and nothing can be told (PostgreSQL src/bin/pg_dump/pg_dump.c, `binary_upgrade_extension_member`).

use tsmigrate_analyzer::server::Omitted;

use crate::connect::Session;
use crate::error::Error;
use crate::guard;
use crate::human::count;
use crate::names::Relation;
use crate::quote::literal;

/// More than that in one extension come from an update of it.
const AN_UPDATE: usize = 10;

/// The extension's name in SQL, what was written, and by which statement it is seen. A function that is replaced gets its
/// dependency on its schema anew, one that is granted or given away does not. Of a member that is a table: its columns,
/// and what depends on the table alone, such as indexes, triggers and policies.
const QUESTION: &str = "
WITH made AS (
  SELECT e.oid AS extension, pg_catalog.quote_ident(e.extname) AS name, e.xmin AS last, d.classid, d.objid, d.xmin AS by,
    pg_catalog.count(*) OVER (PARTITION BY e.oid, d.xmin::pg_catalog.text) > 1 OR d.xmin = e.xmin AS is_told
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
  WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e' AND d.objid >= 16384),
written AS (
  SELECT 'comment on ' AS what, m.*, c.xmin AS later
  FROM made m JOIN pg_catalog.pg_description c ON c.classoid = m.classid AND c.objoid = m.objid AND c.objsubid = 0
  UNION ALL
  SELECT 'body of ', m.*, n.xmin
  FROM made m JOIN pg_catalog.pg_depend n ON n.classid = m.classid AND n.objid = m.objid AND n.objsubid = 0
    AND n.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.deptype = 'n'
  WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
  UNION ALL
  -- A GRANT writes the same row.
  SELECT 'properties of ', m.*, p.xmin
  FROM made m JOIN pg_catalog.pg_proc p ON p.oid = m.objid AND p.proacl IS NULL
    AND (p.prosecdef OR p.proconfig IS NOT NULL)
  WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass),
tables AS (
  SELECT m.* FROM made m JOIN pg_catalog.pg_class c ON c.oid = m.objid AND c.relkind IN ('r', 'p', 'f')
  WHERE m.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND m.name <> 'timescaledb'
    -- Of a table that a user has made a member the columns are older.
    AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.xmin = m.by)),
parts AS (
  SELECT w.*, w.classid AS part_class, w.objid AS part, 0 AS number FROM written w
  UNION ALL
  SELECT 'comment on ', t.*, c.xmin, t.classid, t.objid, c.objsubid
  FROM tables t JOIN pg_catalog.pg_description c ON c.classoid = t.classid AND c.objoid = t.objid AND c.objsubid <> 0
  UNION ALL
  SELECT '', t.*, a.xmin, t.classid, t.objid, a.attnum
  FROM tables t JOIN pg_catalog.pg_attribute a ON a.attrelid = t.objid AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL
  SELECT '', t.*, n.xmin, n.classid, n.objid, 0
  FROM tables t JOIN pg_catalog.pg_depend n ON n.refclassid = t.classid AND n.refobjid = t.objid AND n.deptype = 'a'
  WHERE n.classid IN ('pg_catalog.pg_class'::pg_catalog.regclass, 'pg_catalog.pg_trigger'::pg_catalog.regclass,
      'pg_catalog.pg_policy'::pg_catalog.regclass, 'pg_catalog.pg_constraint'::pg_catalog.regclass,
      'pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass)
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend o
      WHERE o.classid = n.classid AND o.objid = n.objid AND o.deptype = 'e')),
altered AS (
  SELECT w.name, w.what, w.part_class, w.part, w.number FROM parts w
  WHERE w.is_told AND w.later <> w.last
    AND NOT EXISTS (SELECT FROM made o WHERE o.extension = w.extension AND o.by = w.later)
  UNION
  -- No script of an extension turns it on.
  SELECT t.name, 'row security of ', t.classid, t.objid, 0
  FROM tables t JOIN pg_catalog.pg_class c ON c.oid = t.objid AND c.relrowsecurity)
SELECT a.name, a.what || i.type || ' ' || i.identity
FROM altered a, LATERAL pg_catalog.pg_identify_object(a.part_class, a.part, a.number) i
ORDER BY 1, 2";

/// The tables of extensions: of configuration tables the condition of the rows that a dump has, the transactions that made the
/// extension, and whether everybody may write there. A table is left out where to read it could run a function of a user's.
const TABLES: &str = "
SELECT pg_catalog.quote_ident(e.extname), n.nspname, c.relname, k.condition,
  (SELECT pg_catalog.json_agg(DISTINCT m.xmin::pg_catalog.text) FROM pg_catalog.pg_depend m
   WHERE m.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND m.refobjid = e.oid AND m.deptype = 'e'),
  e.xmin, e.extversion,
  EXISTS (SELECT FROM pg_catalog.aclexplode(c.relacl) a WHERE a.grantee = 0 AND a.privilege_type = 'INSERT')
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.refobjid = e.oid
  AND d.deptype = 'e' AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'r'
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles r ON r.oid = c.relowner AND r.rolsuper
LEFT JOIN LATERAL (SELECT coalesce(e.extcondition[i], '') AS condition
  FROM pg_catalog.generate_subscripts(e.extconfig, 1) i WHERE e.extconfig[i] = c.oid) k ON true
WHERE e.extname <> 'timescaledb' AND NOT {folded} AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
  -- Of a table that a user has made a member the columns are older.
  AND EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.xmin = d.xmin)
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
    JOIN pg_catalog.pg_roles o ON o.oid = t.typowner AND NOT o.rolsuper
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
ORDER BY 1, 2, 3";

/// Comments and bodies of members that their extension did not write.
///
/// # Errors
/// When the server refuses the question.
pub async fn find(session: &Session) -> Result<Vec<Omitted>, Error> {
    let mut all: Vec<(String, String)> = Vec::new();
    for row in session.ask(QUESTION).await? {
        all.push((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
    }
    let by_extension = all.chunk_by(|one, other| one.0 == other.0);
    let mut found: Vec<Omitted> = by_extension.flat_map(of_extension).collect();
    found.extend(rows(session).await?);
    Ok(found)
}

/// A table of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtensionTable {
    /// The extension's name in SQL.
    pub extension: String,
    /// Its version.
    pub version: String,
    /// The table.
    pub relation: Relation,
    /// The rows of the extension's own, as the FROM of a query; none of a table that is there for users' rows alone.
    pub own: Option<String>,
    /// The users' rows, in the same way.
    users: Option<String>,
    /// Who is no superuser may write users' rows.
    is_open: bool,
    /// The transactions that made the extension's members.
    by: Vec<String>,
}

/// The tables of extensions, TimescaleDB's aside.
///
/// # Errors
/// When the server refuses the question.
pub async fn tables(session: &Session) -> Result<Vec<ExtensionTable>, Error> {
    let mut found = Vec::new();
    for row in session.ask(&TABLES.replace("{folded}", &guard::folded("c.oid"))).await? {
        let relation = row.relation(1)?;
        let table = relation.sql();
        let (own, users) = match row.optional(3)?.map(str::trim) {
            None => (Some(format!("ONLY {table} AS own WHERE true")), None),
            Some("") => (None, Some(format!("ONLY {table}"))),
            Some(condition) => {
                let users = format!("ONLY {table} {condition}");
                (
                    Some(format!("ONLY {table} AS own WHERE own.ctid NOT IN (SELECT ctid FROM {users})")),
                    Some(users),
                )
            }
        };
        let mut by: Vec<String> = row.json(4)?;
        by.push(row.text(5)?.to_owned());
        found.push(ExtensionTable {
            extension: row.text(0)?.to_owned(),
            version: row.text(6)?.to_owned(),
            relation,
            own,
            users,
            is_open: row.flag(7)?,
            by,
        });
    }
    Ok(found)
}

/// Rows of the extensions' own that somebody has changed, and rows of users that nobody but a superuser can write.
async fn rows(session: &Session) -> Result<Vec<Omitted>, Error> {
    let mut found = Vec::new();
    for ExtensionTable { extension, relation, own, users, is_open, by, .. } in tables(session).await? {
        let by = by.iter().map(|transaction| literal(transaction)).collect::<Vec<_>>().join(", ");
        // Rows that are older than the extension came with `pg_upgrade`.
        let changed = own.map(|own| {
            format!(
                "{own} AND own.xmin::pg_catalog.text NOT IN ({by}) AND pg_catalog.age(own.xmin) < (SELECT \
                 pg_catalog.max(pg_catalog.age(b::pg_catalog.xid)) FROM pg_catalog.unnest(ARRAY[{by}]) b)"
            )
        });
        if let Some(rows) = counted(session, changed.as_deref(), "changed row").await? {
            found.push(omitted(&extension, &format!("{rows} of table {relation}")));
        }
        if let Some(rows) = counted(session, users.as_deref().filter(|_| !is_open), "row").await? {
            found.push(Omitted {
                object: format!("{rows} of table {relation}"),
                is_lost: true,
                why: format!("the table is the extension {extension}'s, and only a superuser can write it on the target"),
                next: vec!["Ask the service's support to put them there, where anything needs them.".into()],
            });
        }
    }
    Ok(found)
}

async fn counted(session: &Session, from: Option<&str>, noun: &str) -> Result<Option<String>, Error> {
    let Some(from) = from else { return Ok(None) };
    let number: u64 = session.ask_row(&format!("SELECT pg_catalog.count(*) FROM {from}")).await?.number(0)?;
    Ok((number > 0).then(|| count(number, noun)))
}

fn of_extension(altered: &[(String, String)]) -> Vec<Omitted> {
    match altered {
        [(extension, _), ..] if altered.len() > AN_UPDATE => vec![Omitted {
            object: format!("{} bodies of and comments on members of extension {extension}", altered.len()),
            is_lost: false,
            why: "they were written after the extension was created, by updates of it or by somebody: no server tells \
                  which, and the target has what the extension itself brings"
                .into(),
            next: vec!["Nothing, unless somebody has replaced functions of it.".into()],
        }],
        _ => altered.iter().map(|(extension, object)| omitted(extension, object)).collect(),
    }
}

fn omitted(extension: &str, object: &str) -> Omitted {
    Omitted {
        object: object.to_owned(),
        is_lost: true,
        why: format!(
            "it was written after the extension {extension} was created, and no dump has what belongs to an extension: \
             the target has what the extension itself brings"
        ),
        next: vec!["Look whether anything uses it. Only a superuser can write it on the target.".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_altered_members_are_said_once_and_few_by_name() {
        let of = |number: usize| -> Vec<(String, String)> {
            (0..number).map(|n| ("hstore".to_owned(), format!("comment on function f{n}()"))).collect()
        };
        assert_eq!(of_extension(&of(10)).len(), 10);
        let many = of_extension(&of(11));
        assert!(
            matches!(many.as_slice(), [one] if !one.is_lost && one.object.starts_with("11 ")),
            "{many:?}"
        );
        assert!(of_extension(&[]).is_empty());
    }
}
