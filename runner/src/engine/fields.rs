//! Which values of a server's tables go into the checksums of rows, and in which form.

use std::collections::BTreeMap;

use super::sums::Field;
use crate::connect::Session;
use crate::error::Error;
use crate::names::Relation;

/// Columns of tables, by their names.
pub type Fields = BTreeMap<Relation, BTreeMap<String, Field>>;

/// Columns of users' tables, and what their text depends on: the session's time zone, its form of bytes, its money.
const COLUMNS: &str = "
WITH RECURSIVE columns AS (
  SELECT c.oid, n.nspname, c.relname, a.attname, a.attnum, a.atttypid
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped),
parts(root, part) AS (
  SELECT DISTINCT atttypid, atttypid FROM columns
  UNION SELECT p.root, x.part FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.part, LATERAL (
    SELECT t.typelem AS part WHERE t.typelem <> 0 UNION ALL SELECT t.typbasetype WHERE t.typbasetype <> 0
    UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
    UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
      WHERE t.typrelid <> 0 AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) x)
SELECT nspname, relname, attname, CASE WHEN atttypid = 'timestamptz'::pg_catalog.regtype THEN 'moment'
  WHEN atttypid = 'bytea'::pg_catalog.regtype THEN 'bytes'
  WHEN EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = atttypid AND t.typname ~ '^reg'
               AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace) THEN 'name'
  WHEN EXISTS (SELECT FROM parts p WHERE p.root = atttypid
               AND p.part IN ('timestamptz'::pg_catalog.regtype, 'bytea'::pg_catalog.regtype, 'money'::pg_catalog.regtype))
  THEN 'nothing' ELSE 'text' END
FROM columns ORDER BY oid, attnum";

/// Asks for the columns of all tables of users.
///
/// # Errors
/// When the server refuses the question.
pub async fn read(session: &Session) -> Result<Fields, Error> {
    let mut columns = Fields::new();
    for row in session.ask(COLUMNS).await? {
        let field = match row.text(3)? {
            "moment" => Field::Moment,
            "bytes" => Field::Bytes,
            "name" => Field::Name,
            "nothing" => Field::Nothing,
            _ => Field::Text,
        };
        columns.entry(row.relation(0)?).or_default().insert(row.text(2)?.to_owned(), field);
    }
    Ok(columns)
}

/// The columns of a table, with what of each goes into its checksum.
pub fn of_table(
    fields: &Fields,
    table: &Relation,
    columns: impl Iterator<Item = String>,
) -> Vec<(String, Field)> {
    let of_table = fields.get(table);
    let field = |name: &String| of_table.and_then(|of| of.get(name)).copied().unwrap_or(Field::Text);
    columns.map(|name| (name.clone(), field(&name))).collect()
}

/// What COPY reads of a table.
#[must_use]
pub fn copied(table: &Relation, columns: &str) -> String {
    if columns.is_empty() { table.sql() } else { format!("{} ({columns})", table.sql()) }
}
