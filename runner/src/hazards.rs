//! What a dump of some TimescaleDB versions loses, looked for on the source before anything is written.
//!
//! Each was seen with 2.19.3: dump and restore by a superuser, the source intact, the target not.

use std::collections::BTreeSet;

use crate::connect::{Row, Session};
use crate::error::{Blocker, Error};
use crate::guard;
use crate::inspect::Timescale;
use crate::quote::literal;
use crate::timescale::Catalogs;

/// So many tables are asked about in one statement.
const BATCH: usize = 100;

/// A batch of compressed rows that is NULL throughout in a column is written as this, and refused at the restore
/// (TimescaleDB issue 8893; 2.19.0 to 2.20.0).
pub const NULL_BATCH: &str = "compressed-null-batch";
/// A column that got its default after rows were compressed: those rows read NULL after the restore, and no count
/// tells (TimescaleDB issue 8091).
pub const ADDED_DEFAULT: &str = "compressed-added-default";
/// Ranges of `enable_chunk_skipping` do not restore (TimescaleDB issue 8130; up to 2.20.2).
pub const CHUNK_SKIPPING: &str = "chunk-skipping-ranges";

/// What `--accept` takes: the others end in an error of the target, whatever one accepts.
pub const ACCEPTABLE: [&str; 2] = [ADDED_DEFAULT, crate::connect::pooler::SESSIONS];

/// Looks for all of them. Reads the compressed tables' own rows, not the data in them.
///
/// # Errors
/// When the server refuses a question.
pub async fn find(session: &Session, timescale: &Timescale) -> Result<Vec<Blocker>, Error> {
    let mut found = Vec::new();
    let version = numbers(&timescale.version);
    // 2.11 has none of this.
    if timescale.license == "apache" || version < vec![2, 12] {
        return Ok(found);
    }
    let catalogs = Catalogs::read(session).await?;
    let schema = crate::quote::identifier(&timescale.schema);
    if (vec![2, 19]..vec![2, 20, 1]).contains(&version) {
        found.extend(null_batches(session, &catalogs, &schema).await?);
    }
    found.extend(added_defaults(session, &catalogs, &schema).await?);
    if version < vec![2, 20, 3] {
        found.extend(chunk_skipping(session, &catalogs, &schema).await?);
    }
    Ok(found)
}

/// `2.19.3` as numbers, so that versions compare.
fn numbers(version: &str) -> Vec<u32> {
    version.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok()).collect()
}

async fn null_batches(
    session: &Session,
    catalogs: &Catalogs,
    schema: &str,
) -> Result<Option<Blocker>, Error> {
    let columns = session
        .ask(&format!(
            "{} WHERE a.attrelid = c.compressed AND a.attnum > 0 AND NOT a.attisdropped \
               AND a.atttypid = '_timescaledb_internal.compressed_data'::pg_catalog.regtype ORDER BY 3, 2",
            compressed(catalogs)?
        ))
        .await?;
    // The value is one byte: its size is told without reading what is stored apart.
    let chunks = hits(session, &columns, |table, column| {
        format!(
            "SELECT FROM ONLY {table} WHERE pg_catalog.pg_column_size({column}) <= 8 AND {column}::text = 'Bg=='"
        )
    })
    .await?;
    Ok((!chunks.is_empty()).then(|| Blocker {
        check: NULL_BATCH,
        what: format!(
            "{} compressed chunks hold rows that are NULL throughout in a column; this TimescaleDB writes them so that \
             no restore takes the chunk: {}",
            chunks.len(),
            shown(&chunks)
        ),
        next: commands(&chunks, "update the source to TimescaleDB 2.20.1 or newer, or decompress these chunks first:", |chunk| {
            format!("SELECT {schema}.decompress_chunk({});", literal(chunk))
        }),
    }))
}

async fn added_defaults(
    session: &Session,
    catalogs: &Catalogs,
    schema: &str,
) -> Result<Option<Blocker>, Error> {
    let columns = session
        .ask(&format!(
            "{} JOIN pg_catalog.pg_attribute k \
                 ON k.attrelid = c.compressed AND k.attname = a.attname AND NOT k.attisdropped \
             WHERE a.attrelid = c.relid AND a.atthasmissing AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 3, 2",
            compressed(catalogs)?
        ))
        .await?;
    let chunks =
        hits(session, &columns, |table, column| format!("SELECT FROM ONLY {table} WHERE {column} IS NULL"))
            .await?;
    Ok((!chunks.is_empty()).then(|| Blocker {
        check: ADDED_DEFAULT,
        what: format!(
            "{} chunks were compressed before a column with a default was added; their rows show the default here, and \
             would be NULL after any restore: {}",
            chunks.len(),
            shown(&chunks)
        ),
        next: commands(&chunks, "write the values into these chunks on the source first:", |chunk| {
            format!("SELECT {schema}.compress_chunk({schema}.decompress_chunk({}));", literal(chunk))
        }),
    }))
}

async fn chunk_skipping(
    session: &Session,
    catalogs: &Catalogs,
    schema: &str,
) -> Result<Option<Blocker>, Error> {
    let Some(ranges) = catalogs.table("chunk_column_stats") else { return Ok(None) };
    let rows = session
        .ask(&format!(
            "SELECT DISTINCT pg_catalog.format('%I.%I', h.schema_name, h.table_name), s.column_name::text \
             FROM {ranges} s JOIN ({}) h ON h.id = s.hypertable_id ORDER BY 1, 2",
            catalogs.hypertables()?
        ))
        .await?;
    let commands: Vec<String> = rows
        .iter()
        .map(|row| {
            Ok(format!(
                "  SET timescaledb.enable_chunk_skipping = on; SELECT {schema}.disable_chunk_skipping({}, {});",
                literal(row.text(0)?),
                literal(row.text(1)?)
            ))
        })
        .collect::<Result<_, Error>>()?;
    Ok((!commands.is_empty()).then(|| Blocker {
        check: CHUNK_SKIPPING,
        what: format!("{} columns have chunk skipping, whose ranges this TimescaleDB does not restore", commands.len()),
        next: ["update the source to TimescaleDB 2.20.3 or newer, or turn it off there and on again on the target:".to_owned()]
            .into_iter()
            .chain(commands)
            .collect(),
    }))
}

/// A query of the compressed chunks, to be restricted to columns `a` of either table: the table of the compressed rows, the
/// column, the chunk.
fn compressed(catalogs: &Catalogs) -> Result<String, Error> {
    Ok(format!(
        "SELECT pg_catalog.format('%I.%I', zn.nspname, z.relname), pg_catalog.quote_ident(a.attname), \
                pg_catalog.format('%I.%I', un.nspname, u.relname) \
         FROM ({}) c JOIN pg_catalog.pg_class u ON u.oid = c.relid JOIN pg_catalog.pg_namespace un ON un.oid = u.relnamespace \
         JOIN pg_catalog.pg_class z ON z.oid = c.compressed JOIN pg_catalog.pg_namespace zn ON zn.oid = z.relnamespace \
         CROSS JOIN pg_catalog.pg_attribute a",
        catalogs.chunks()?
    ))
}

/// The chunks (third column) for whose table and column the question has an answer.
async fn hits(
    session: &Session,
    columns: &[Row],
    question: impl Fn(&str, &str) -> String,
) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    for batch in columns.chunks(BATCH) {
        let tables: Vec<_> = batch
            .iter()
            .map(|row| row.text(0).map(|table| format!("({})", literal(table))))
            .collect::<Result<_, _>>()?;
        // Planning a question about a table may call functions of its indexes, which are users'.
        let safe: BTreeSet<String> = session
            .ask_list(&format!(
                "SELECT v.name FROM (VALUES {}) v(name) WHERE NOT {}",
                tables.join(", "),
                guard::folded("pg_catalog.to_regclass(v.name)")
            ))
            .await?;
        let mut parts = Vec::new();
        for row in batch {
            let (table, column, chunk) = (row.text(0)?, row.text(1)?, row.text(2)?);
            if safe.contains(table) {
                parts.push(format!("SELECT {} WHERE EXISTS ({})", literal(chunk), question(table, column)));
            }
        }
        if parts.is_empty() {
            continue;
        }
        found.extend(session.ask_list::<Vec<_>>(&parts.join(" UNION ALL ")).await?);
    }
    Ok(found)
}

fn shown(chunks: &BTreeSet<String>) -> String {
    let mut names: Vec<&str> = chunks.iter().take(4).map(String::as_str).collect();
    if chunks.len() > names.len() {
        names.push("…");
    }
    names.join(", ")
}

fn commands(chunks: &BTreeSet<String>, first: &str, command: impl Fn(&str) -> String) -> Vec<String> {
    std::iter::once(first.to_owned())
        .chain(chunks.iter().map(|chunk| format!("  {}", command(chunk))))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(numbers("2.9.1") < numbers("2.19.0"));
        assert!((vec![2, 19]..vec![2, 20, 1]).contains(&numbers("2.19.3")));
        assert!((vec![2, 19]..vec![2, 20, 1]).contains(&numbers("2.20.0")));
        assert!(!(vec![2, 19]..vec![2, 20, 1]).contains(&numbers("2.20.1")));
        assert!(numbers("2.20.0-dev") < vec![2, 20, 3]);
    }
}
