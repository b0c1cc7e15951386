//! Rows that break a foreign key or a unique index, by their keys.

use tsmigrate_analyzer::secrets;

use crate::connect::Session;
use crate::engine::broken_keys;
use crate::error::Error;
use crate::guarded;
use crate::moving::Moving;
use crate::names::{self, Relation};
use crate::quote::{identifier, literal};

/// A foreign key or a unique index of plain columns: two tables (of an index there is one), columns of either, and whether a
/// row without all of a key's values breaks it, and whether the last column is a PERIOD (PostgreSQL 18), which rows of the other table
/// have to cover together. Of a key that partitions have each for themselves, the one of all of them.
fn question(table: &Relation, name: &str) -> String {
    let names = |numbers: &str, of: &str| {
        format!(
            "(SELECT pg_catalog.json_agg(a.attname ORDER BY k.place)::text FROM pg_catalog.unnest({numbers}) WITH ORDINALITY k(number, place) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = {of} AND a.attnum = k.number)"
        )
    };
    let (schema, relation, name) = (literal(&table.schema), literal(&table.name), literal(name));
    format!(
        "WITH RECURSIVE up(oid, parent) AS ( \
           SELECT c.oid, c.conparentid FROM pg_catalog.pg_constraint c \
           JOIN pg_catalog.pg_class t ON t.oid = c.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
           WHERE c.contype = 'f' AND n.nspname = {schema} AND t.relname = {relation} AND c.conname = {name} \
           UNION ALL SELECT p.oid, p.conparentid FROM up JOIN pg_catalog.pg_constraint p ON p.oid = up.parent) \
         SELECT n.nspname, t.relname, m.nspname, r.relname, {}, {}, c.confmatchtype = 'f', \
           coalesce((pg_catalog.to_jsonb(c) ->> 'conperiod')::boolean, false) \
         FROM up JOIN pg_catalog.pg_constraint c ON c.oid = up.oid AND up.parent = 0 \
         JOIN pg_catalog.pg_class t ON t.oid = c.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
         JOIN pg_catalog.pg_class r ON r.oid = c.confrelid JOIN pg_catalog.pg_namespace m ON m.oid = r.relnamespace \
         UNION ALL SELECT n.nspname, t.relname, NULL, NULL, {}, NULL, false, false FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class t ON t.oid = i.indrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
         WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL \
         AND n.nspname = {schema} AND t.relname = {relation} AND x.relname = {name}",
        names("c.conkey", "c.conrelid"),
        names("c.confkey", "c.confrelid"),
        names("i.indkey[0:i.indnkeyatts - 1]::pg_catalog.int2[]", "i.indrelid"),
    )
}

/// Keys of rows on the target, found within `patience`, that break the constraint or index of that name (`schema.table.name`), the definition of which is
/// the source's, where it may have another name: see `moving`. None where it is of another kind, or nothing is to be asked about it.
///
/// # Errors
/// When a server refuses a question.
pub(super) async fn keys(
    source: &Session,
    target: &Session,
    constraint: &str,
    patience: &str,
    moving: Option<&Moving>,
) -> Result<Option<String>, Error> {
    let Some((table, rest)) = names::read(constraint) else { return Ok(None) };
    let table = moving.map_or_else(|| table.clone(), |moving| moving.before(&table));
    let Some((name, _)) = rest.strip_prefix('.').and_then(names::part) else { return Ok(None) };
    let rows = source.ask(&question(&table, &name)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let then = |table: Relation| moving.map_or_else(|| table.clone(), |moving| moving.relation(&table));
    let (table, other) = (then(row.relation(0)?), row.optional_relation(2)?.map(then));
    let (own, theirs): (Vec<String>, Vec<String>) = (row.json(4)?, row.json(5)?);
    if own.iter().any(|column| secrets::is_secret(column)) {
        return Ok(None);
    }
    let Some(held) = guarded::find(target, &table, &own).await? else { return Ok(None) };
    let columns = broken_keys::columns(&own);
    let each = |what: &str, between: &str| {
        columns.iter().map(|column| format!("{column} {what}")).collect::<Vec<_>>().join(between)
    };
    let is_key = each("IS NOT NULL", " AND ");
    let from = held.from.clone();
    let mut guards = vec![held];
    let broken = match &other {
        Some(other) => {
            let Some(key) = guarded::find(target, other, &theirs).await? else { return Ok(None) };
            let has_period = row.flag(7)?;
            let last = columns.len().saturating_sub(1);
            let pairs = columns.iter().zip(&theirs).enumerate();
            let same: Vec<String> = pairs
                .map(|(number, (column, key))| {
                    let same = if has_period && number == last { "&&" } else { "=" };
                    format!("b.{} OPERATOR(pg_catalog.{same}) {column}", identifier(key))
                })
                .collect();
            let same = same.join(" AND ");
            let partner = match (columns.last(), theirs.last()) {
                (Some(period), Some(theirs)) if has_period => format!(
                    "coalesce({period} OPERATOR(pg_catalog.<@) (SELECT pg_catalog.range_agg(b.{}) FROM {} b WHERE {same}), false)",
                    identifier(theirs),
                    key.from
                ),
                _ => format!("EXISTS (SELECT FROM {} b WHERE {same})", key.from),
            };
            let in_part = if row.flag(6)? {
                format!(" OR ({}) AND ({})", each("IS NULL", " OR "), each("IS NOT NULL", " OR "))
            } else {
                String::new()
            };
            let broken = format!("FROM {from} a WHERE {is_key} AND NOT {partner}{in_part}");
            guards.push(key);
            broken
        }
        None => format!("FROM {from} a WHERE {is_key}"),
    };
    let having = if other.is_none() { " HAVING pg_catalog.count(*) > 1" } else { "" };
    let question = broken_keys::question(&own, &broken, having);
    let rows = match guarded::ask(target, &guards, patience, &question).await? {
        Ok(rows) => rows,
        Err(answer) => {
            let (side, sql) = (target.side().name(), question);
            return Err(Error::Query { side, sql, answer: Box::new(answer) });
        }
    };
    broken_keys::words(&own, &rows)
}
