//! What servers are asked about a constraint or a unique index, by its name.

use crate::names::Relation;
use crate::quote::literal;

/// The constraint or unique index `{name}` of `{table}` in `{schema}`: kind, definition, table and name. A foreign key or a CHECK
/// that a partition has from its root is that of the root.
pub(super) const QUESTION: &str = "
WITH RECURSIVE c AS (
  SELECT k.oid, k.conparentid, k.contype, k.conrelid, k.contypid, k.conname FROM pg_catalog.pg_constraint k
  LEFT JOIN pg_catalog.pg_class t ON t.oid = k.conrelid LEFT JOIN pg_catalog.pg_type d ON d.oid = k.contypid
  JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(t.relnamespace, d.typnamespace)
  WHERE n.nspname = {schema} AND coalesce(t.relname, d.typname) = {table} AND k.conname = {name}
    AND k.contype IN ('f', 'c', 'p', 'u', 'x')
  UNION SELECT p.oid, p.conparentid, p.contype, p.conrelid, p.contypid, p.conname FROM c
  JOIN pg_catalog.pg_constraint p ON c.contype = 'f' AND p.oid = c.conparentid OR c.contype = 'c' AND p.contype = 'c'
    AND p.conname = c.conname AND p.conrelid IN (SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.conrelid))
SELECT CASE WHEN c.contypid <> 0 THEN 'd' ELSE c.contype::text END, pg_catalog.pg_get_constraintdef(c.oid), n.nspname,
       coalesce(t.relname, d.typname), c.conname
FROM c LEFT JOIN pg_catalog.pg_class t ON t.oid = c.conrelid LEFT JOIN pg_catalog.pg_type d ON d.oid = c.contypid
JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(t.relnamespace, d.typnamespace)
WHERE c.contype NOT IN ('f', 'c') OR NOT EXISTS (SELECT FROM c a WHERE c.contype = 'f' AND a.oid = c.conparentid
  OR c.contype = 'c' AND a.conrelid IN (SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.conrelid))
UNION ALL SELECT 'i', pg_catalog.pg_get_indexdef(i.indexrelid), n.nspname, t.relname, x.relname
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE i.indisunique AND n.nspname = {schema} AND t.relname = {table} AND x.relname = {name}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))";

/// What needs the index of that name: foreign keys, by their root, and anything else, by a description.
pub(super) const NEEDED: &str = "
WITH RECURSIVE x AS (
  SELECT x.oid FROM pg_catalog.pg_class x JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
  WHERE n.nspname = {schema} AND x.relname = {name} AND x.relkind IN ('i', 'I')
  UNION SELECT i.inhparent FROM x JOIN pg_catalog.pg_inherits i ON i.inhrelid = x.oid),
k AS (SELECT k.oid FROM pg_catalog.pg_constraint k JOIN x ON k.conindid = x.oid WHERE k.contype IN ('p', 'u', 'x'))
SELECT n.nspname, t.relname, f.conname, NULL, pg_catalog.pg_get_constraintdef(f.oid) FROM pg_catalog.pg_constraint f JOIN x ON x.oid = f.conindid
JOIN pg_catalog.pg_class t ON t.oid = f.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0
UNION ALL SELECT NULL, NULL, NULL, pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), NULL
FROM pg_catalog.pg_depend d
WHERE (d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM k)
    OR d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM x))
  AND d.deptype = 'n' AND d.classid IN ('pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)";

/// Tables that inherit from `{schema}.{table}`, the nearest first.
pub(super) const HEIRS: &str = "
WITH RECURSIVE h AS (
  SELECT c.oid, 0 AS depth FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = {schema} AND c.relname = {table}
  UNION SELECT i.inhrelid, h.depth + 1 FROM h JOIN pg_catalog.pg_inherits i ON i.inhparent = h.oid)
SELECT n.nspname, c.relname FROM h JOIN pg_catalog.pg_class c ON c.oid = h.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE h.depth > 0
GROUP BY 1, 2 ORDER BY max(h.depth), 1, 2";

/// Comments on the CHECK `{name}` of `{schema}.{table}`, which may be a domain.
pub(super) const COMMENT: &str = "
SELECT e.description FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_description e ON e.classoid = k.tableoid AND e.objoid = k.oid
LEFT JOIN pg_catalog.pg_class t ON t.oid = k.conrelid LEFT JOIN pg_catalog.pg_type d ON d.oid = k.contypid
JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(t.relnamespace, d.typnamespace)
WHERE n.nspname = {schema} AND coalesce(t.relname, d.typname) = {table} AND k.conname = {name} AND k.contype = 'c'";

/// What the target has of a constraint or an index of that name: `valid`, `not valid`, or nothing.
pub(super) const STATE: &str = "
SELECT CASE WHEN valid THEN 'valid' ELSE 'not valid' END FROM (
  SELECT k.convalidated FROM pg_catalog.pg_constraint k
  LEFT JOIN pg_catalog.pg_class t ON t.oid = k.conrelid LEFT JOIN pg_catalog.pg_type d ON d.oid = k.contypid
  JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(t.relnamespace, d.typnamespace)
  WHERE n.nspname = {schema} AND coalesce(t.relname, d.typname) = {table} AND k.conname = {name}
  UNION ALL SELECT i.indisvalid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  WHERE n.nspname = {schema} AND t.relname = {table} AND x.relname = {name}) found(valid) ORDER BY valid LIMIT 1";

/// Indexes of what a table is a partition of, which are invalid until each partition has its own.
pub(super) const INCOMPLETE: &str = "
WITH RECURSIVE up(oid) AS (
  SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {schema} AND c.relname = {table}
  UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN up ON i.inhrelid = up.oid)
SELECT n.nspname, t.relname, x.relname FROM up JOIN pg_catalog.pg_index i ON i.indrelid = up.oid AND NOT i.indisvalid
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace ORDER BY 1, 2, 3";

/// A question about the constraint of this name.
pub(super) fn filled(question: &str, table: &Relation, name: &str) -> String {
    // Names may hold braces: each place is filled once, from the end.
    let mut out = String::new();
    let mut rest = question;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((place, after)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&literal(match place {
            "schema" => &table.schema,
            "table" => &table.name,
            _ => name,
        }));
        rest = after;
    }
    out + rest
}
