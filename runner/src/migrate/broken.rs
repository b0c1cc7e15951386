//! Rows that break a foreign key or a unique index, by their keys.

use tsmigrate_analyzer::secrets;

use crate::connect::Session;
use crate::error::Error;
use crate::guard;
use crate::names::{self, Relation};
use crate::quote::{identifier, literal};

/// So many keys are shown.
const SHOWN: usize = 8;

/// A foreign key or a unique index of plain columns: two tables (of an index both are its own), columns of either. Types are
/// PostgreSQL's own, so that no user's operator answers, and none where planning would call a user's function.
fn question(table: &Relation, name: &str) -> String {
    let names = |numbers: &str, of: &str| {
        format!(
            "(SELECT pg_catalog.json_agg(a.attname ORDER BY k.place)::text FROM pg_catalog.unnest({numbers}) WITH ORDINALITY k(number, place) \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = {of} AND a.attnum = k.number)"
        )
    };
    let own = |numbers: &str, of: &str| {
        format!(
            "NOT EXISTS (SELECT FROM pg_catalog.unnest({numbers}) k(number) LEFT JOIN pg_catalog.pg_attribute a \
             ON a.attrelid = {of} AND a.attnum = k.number AND a.atttypid < 16384 WHERE a.attnum IS NULL)"
        )
    };
    let (schema, relation, name) = (literal(&table.schema), literal(&table.name), literal(name));
    format!(
        "SELECT n.nspname, t.relname, m.nspname, r.relname, {}, {} FROM pg_catalog.pg_constraint c \
         JOIN pg_catalog.pg_class t ON t.oid = c.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
         JOIN pg_catalog.pg_class r ON r.oid = c.confrelid JOIN pg_catalog.pg_namespace m ON m.oid = r.relnamespace \
         WHERE c.contype = 'f' AND n.nspname = {schema} AND t.relname = {relation} AND c.conname = {name} AND {} AND {} \
         UNION ALL SELECT n.nspname, t.relname, NULL, NULL, {}, NULL FROM pg_catalog.pg_index i \
         JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class t ON t.oid = i.indrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
         WHERE i.indisunique AND i.indpred IS NULL AND n.nspname = {schema} AND t.relname = {relation} AND x.relname = {name} AND {}",
        names("c.conkey", "c.conrelid"),
        names("c.confkey", "c.confrelid"),
        own("c.conkey", "c.conrelid"),
        own("c.confkey", "c.confrelid"),
        names("i.indkey[0:i.indnkeyatts - 1]::pg_catalog.int2[]", "i.indrelid"),
        own("i.indkey[0:i.indnkeyatts - 1]::pg_catalog.int2[]", "i.indrelid"),
    )
}

/// Keys of rows on the target, found within `patience`, that break the constraint or index of that name (`schema.table.name`), the definition of which is
/// the source's. None where it is of another kind, or nothing is to be asked about it.
///
/// # Errors
/// When a server refuses a question.
pub(super) async fn keys(
    source: &Session,
    target: &Session,
    constraint: &str,
    patience: &str,
) -> Result<Option<String>, Error> {
    let Some((table, rest)) = names::read(constraint) else { return Ok(None) };
    let Some((name, _)) = rest.strip_prefix('.').and_then(names::part) else { return Ok(None) };
    let rows = source.ask(&question(&table, &name)).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (table, other) = (row.relation(0)?, row.optional_relation(2)?);
    let (own, theirs): (Vec<String>, Vec<String>) = (row.json(4)?, row.json(5)?);
    if own.iter().any(|column| secrets::is_secret(column)) {
        return Ok(None);
    }
    for relation in [Some(&table), other.as_ref()].into_iter().flatten() {
        let oid = format!("pg_catalog.to_regclass({})", literal(&relation.sql()));
        if target.ask_flag(&format!("SELECT {oid} IS NULL OR {}", guard::folded(&oid))).await? {
            return Ok(None);
        }
    }
    let columns: Vec<String> = own.iter().map(|column| format!("a.{}", identifier(column))).collect();
    let all = columns.join(", ");
    let is_key =
        columns.iter().map(|column| format!("{column} IS NOT NULL")).collect::<Vec<_>>().join(" AND ");
    let broken = match &other {
        Some(other) => {
            let same: Vec<String> = columns
                .iter()
                .zip(&theirs)
                .map(|(column, key)| format!("b.{} OPERATOR(pg_catalog.=) {column}", identifier(key)))
                .collect();
            format!(
                "FROM {} a WHERE {is_key} AND NOT EXISTS (SELECT FROM {} b WHERE {}) GROUP BY {all}",
                table.sql(),
                other.sql(),
                same.join(" AND ")
            )
        }
        None => format!(
            "FROM ONLY {} a WHERE {is_key} GROUP BY {all} HAVING pg_catalog.count(*) > 1",
            table.sql()
        ),
    };
    let shown = format!(
        "SELECT pg_catalog.concat_ws(', ', {}), pg_catalog.count(*), pg_catalog.count(*) OVER () {broken} LIMIT {SHOWN}",
        columns
            .iter()
            .map(|column| format!("coalesce({column}::text, 'NULL')"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    target.run(&format!("SET statement_timeout = '{patience}'")).await?;
    let rows = target.ask(&shown).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let keys: u64 = first.number(2)?;
    let mut words = Vec::new();
    for row in &rows {
        let number: u64 = row.number(1)?;
        let times = if number == 1 { String::new() } else { format!(" in {number} rows") };
        words.push(format!("({}){times}", row.text(0)?));
    }
    if keys > rows.len() as u64 {
        words.push(format!("and {} more", keys - rows.len() as u64));
    }
    Ok(Some(format!("({}) = {}", own.join(", "), words.join(", "))))
}
