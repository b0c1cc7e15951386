//! What a dump of some TimescaleDB versions loses, looked for on the source before anything is written.
//!
//! Each was seen with 2.19.3: dump and restore by a superuser, the source intact, the target not.

mod cut_names;

use std::collections::BTreeSet;

use crate::connect::{Row, Session};
use crate::error::{Blocker, Error, Server};
use crate::guard::{self, Guard};
use crate::guarded;
use crate::human::{self, count};
use crate::inspect::Timescale;
use crate::names::Relation;
use crate::quote::literal;
use crate::timescale::{Catalogs, Function, numbers};

pub use cut_names::{cut_names, refuse_cut_names};

/// So many are named.
const SHOWN: usize = 4;

/// So many tables are asked about in one statement.
const BATCH: usize = 100;

/// So long for each such statement.
const PATIENCE: &str = "30s";

/// A column that got its default after rows were compressed: those rows read NULL after the restore, and no count
/// tells (TimescaleDB issue 8091).
pub const ADDED_DEFAULT: &str = "compressed-added-default";
/// Ranges of `enable_chunk_skipping` do not restore (TimescaleDB issue 8130; up to 2.20.2).
pub const CHUNK_SKIPPING: &str = "chunk-skipping-ranges";

/// A space dimension hashes an enum by its object id, which is another one on the target: rows do not fit their chunks.
pub const ENUM_DIMENSION: &str = "dimension-by-enum";

/// Rows of a hypertable lie in a service's object storage, which no other server reads.
pub const TIERED: &str = "tiered-chunks";

/// What `--accept` takes: the others end in an error of the target, whatever one accepts.
pub const ACCEPTABLE: [&str; 2] = [ADDED_DEFAULT, crate::connect::pooler::SESSIONS];

/// Looks for all of them in the hypertables and chunks that come over. Reads the compressed tables' own rows, not the data
/// in them.
///
/// # Errors
/// When the server refuses a question.
pub async fn find(
    session: &Session,
    timescale: &Timescale,
    comes: impl Fn(&Relation) -> bool,
) -> Result<Vec<Blocker>, Error> {
    let mut found = Vec::new();
    let version = numbers(&timescale.version);
    found.extend(cut_names(session, &comes).await?);
    found.extend(enum_dimensions(session, &comes).await?);
    found.extend(tiered(session, &comes).await?);
    // 2.11 has none of this.
    if !timescale.runs_jobs() || version < vec![2, 12] {
        return Ok(found);
    }
    let catalogs = Catalogs::read(session).await?;
    found.extend(added_defaults(session, &catalogs, &comes).await?);
    if version < vec![2, 20, 3] {
        found.extend(chunk_skipping(session, &catalogs, &comes).await?);
    }
    Ok(found)
}

/// TimescaleDB has no way to load rows past their chunks, as PostgreSQL has for partitions.
async fn enum_dimensions(
    session: &Session,
    comes: &impl Fn(&Relation) -> bool,
) -> Result<Option<Blocker>, Error> {
    let question = "
WITH RECURSIVE types(id, of) AS (
  SELECT d.id, d.column_type::pg_catalog.oid FROM _timescaledb_catalog.dimension d WHERE d.num_slices IS NOT NULL
    AND d.partitioning_func_schema::pg_catalog.text ~ '^_timescaledb_' AND d.partitioning_func = 'get_partition_hash'
  UNION SELECT s.id, x.oid FROM types s JOIN pg_catalog.pg_type t ON t.oid = s.of
    LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = t.typrelid AND t.typrelid <> 0 AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_catalog.pg_type x ON x.oid IN (t.typbasetype, t.typelem, r.rngsubtype, a.atttypid))
SELECT DISTINCT h.schema_name, h.table_name, pg_catalog.quote_ident(d.column_name)
FROM types s JOIN pg_catalog.pg_type t ON t.oid = s.of AND t.typtype = 'e'
JOIN _timescaledb_catalog.dimension d USING (id) JOIN _timescaledb_catalog.hypertable h ON h.id = d.hypertable_id ORDER BY 1, 2, 3";
    let mut found = Vec::new();
    for row in session.ask(question).await? {
        let table = row.relation(0)?;
        if comes(&table) {
            found.push((table.to_string(), row.text(2)?.to_owned()));
        }
    }
    let Some((table, column)) = found.first() else { return Ok(None) };
    let names = found.iter().map(|(table, column)| format!("{table} by {column}"));
    Ok(Some(Blocker {
        check: ENUM_DIMENSION,
        what: format!(
            "rows of hypertables are divided by the hash of an enum, which is another one on every server: {}",
            human::first(names, SHOWN)
        ),
        next: vec![
            "copy such a table on the source into one whose dimension is by text, and drop it, or move it by hand:".into(),
            format!("  {}", crate::quote::psql("SOURCE", &format!("\\copy (SELECT * FROM {table}) TO 'rows.csv' CSV"))),
            format!("its column would be {column} text; or leave the table out: --exclude {}", crate::quote::shell(table)),
        ],
    }))
}

/// Such a chunk is a foreign table of a wrapper that a service keeps for itself (`attach_osm_table_chunk`).
async fn tiered(session: &Session, comes: &impl Fn(&Relation) -> bool) -> Result<Option<Blocker>, Error> {
    let catalogs = Catalogs::read(session).await?;
    if catalogs.is_empty() {
        return Ok(None);
    }
    let question = format!(
        "SELECT DISTINCT h.schema_name, h.table_name FROM ({}) c JOIN ({}) h ON h.id = c.hypertable_id WHERE c.tiered ORDER BY 1, 2",
        catalogs.chunks()?,
        catalogs.hypertables()?
    );
    let mut tables = Vec::new();
    for row in session.ask(&question).await? {
        tables.push(row.relation(0)?);
    }
    tables.retain(comes);
    let Some(first) = tables.first() else { return Ok(None) };
    Ok(Some(Blocker {
        check: TIERED,
        what: format!(
            "rows of hypertables are in tiered storage, which stays behind: {}",
            human::first(&tables, SHOWN)
        ),
        next: vec![
            "bring them back first, on the source: remove_tiering_policy, and untier_chunk for each chunk"
                .into(),
            format!("or leave the table out: --exclude {}", crate::quote::shell(&first.to_string())),
        ],
    }))
}

async fn added_defaults(
    session: &Session,
    catalogs: &Catalogs,
    comes: &impl Fn(&Relation) -> bool,
) -> Result<Option<Blocker>, Error> {
    let mut columns = session
        .ask(&format!(
            "{} JOIN pg_catalog.pg_attribute k \
                 ON k.attrelid = c.compressed AND k.attname = a.attname AND NOT k.attisdropped \
             WHERE a.attrelid = c.relid AND a.atthasmissing AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 3, 2",
            compressed(catalogs)?
        ))
        .await?;
    columns.retain(|row| row.relation(3).is_ok_and(|chunk| comes(&chunk)));
    let chunks = with_null(session, &columns).await?;
    if chunks.is_empty() {
        return Ok(None);
    }
    let (compress, decompress) = (
        Function::find(session, "compress_chunk").await?,
        Function::find(session, "decompress_chunk").await?,
    );
    let again = |chunk: &str| {
        let whole = decompress.call(|argument| match argument {
            "uncompressed_chunk" => Some(literal(chunk)),
            _ => Some("true".to_owned()),
        });
        let call = compress.call(|argument| match argument {
            "uncompressed_chunk" => Some(whole.clone()),
            "if_not_compressed" => Some("true".to_owned()),
            _ => Some("false".to_owned()),
        });
        format!("SELECT {call};")
    };
    Ok(Some(Blocker {
        check: ADDED_DEFAULT,
        what: format!(
            "compressed before a column with a default was added: {}; the rows show the default here, and would be NULL after \
             any restore: {}",
            count(chunks.len() as u64, "chunk"),
            shown(&chunks)
        ),
        next: commands(&chunks, "write the values into these chunks on the source first:", again),
    }))
}

async fn chunk_skipping(
    session: &Session,
    catalogs: &Catalogs,
    comes: &impl Fn(&Relation) -> bool,
) -> Result<Option<Blocker>, Error> {
    let Some(ranges) = catalogs.table("chunk_column_stats") else { return Ok(None) };
    let rows = session
        .ask(&format!(
            "SELECT DISTINCT h.schema_name, h.table_name, s.column_name::text \
             FROM {ranges} s JOIN ({}) h ON h.id = s.hypertable_id ORDER BY 1, 2, 3",
            catalogs.hypertables()?
        ))
        .await?;
    let mut commands = Vec::new();
    let mut disable = None;
    for row in &rows {
        let (table, column) = (row.relation(0)?, row.text(2)?);
        if !comes(&table) {
            continue;
        }
        if disable.is_none() {
            disable = Some(Function::find(session, "disable_chunk_skipping").await?);
        }
        let call = disable
            .iter()
            .map(|disable| {
                disable.call(|argument| match argument {
                    "hypertable" => Some(literal(&table.to_string())),
                    "column_name" => Some(literal(column)),
                    _ => Some("false".to_owned()),
                })
            })
            .collect::<String>();
        commands.push(format!("  SET timescaledb.enable_chunk_skipping = on; SELECT {call};"));
    }
    Ok((!commands.is_empty()).then(|| Blocker {
        check: CHUNK_SKIPPING,
        what: format!("{} with chunk skipping, whose ranges this TimescaleDB does not restore", count(commands.len() as u64, "column")),
        next: ["update the source to TimescaleDB 2.20.3 or newer, or turn it off there and on again on the target:".to_owned()]
            .into_iter()
            .chain(commands)
            .collect(),
    }))
}

/// A query of the compressed chunks, to be restricted to columns `a` of either table: the table of the compressed rows, the
/// column, the chunk, its schema and name, and the object id of the table.
fn compressed(catalogs: &Catalogs) -> Result<String, Error> {
    Ok(format!(
        "SELECT pg_catalog.format('%I.%I', zn.nspname, z.relname), pg_catalog.quote_ident(a.attname), \
                pg_catalog.format('%I.%I', un.nspname, u.relname), un.nspname, u.relname, z.oid \
         FROM ({}) c JOIN pg_catalog.pg_class u ON u.oid = c.relid JOIN pg_catalog.pg_namespace un ON un.oid = u.relnamespace \
         JOIN pg_catalog.pg_class z ON z.oid = c.compressed JOIN pg_catalog.pg_namespace zn ON zn.oid = z.relnamespace \
         CROSS JOIN pg_catalog.pg_attribute a",
        catalogs.chunks()?
    ))
}

/// The chunks (third column) whose table has a row without a value in that column.
async fn with_null(session: &Session, columns: &[Row]) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    for batch in columns.chunks(BATCH) {
        match nulls(session, batch).await? {
            Ok(chunks) => found.extend(chunks),
            // What holds for one of them holds not for all.
            Err(_) => {
                for row in batch {
                    match nulls(session, std::slice::from_ref(row)).await? {
                        Ok(chunks) => found.extend(chunks),
                        // Its functions would run as us, it is gone, or others would wait too long.
                        Err(answer) if [guard::FOLDED, "42P01", "57014"].contains(&answer.code.as_str()) => {}
                        Err(answer) => {
                            let (side, sql) = (session.side().name(), row.text(0)?.to_owned());
                            return Err(Error::Query { side, sql, answer: Box::new(answer) });
                        }
                    }
                }
            }
        }
    }
    Ok(found)
}

async fn nulls(session: &Session, columns: &[Row]) -> Result<Result<Vec<String>, Server>, Error> {
    let (mut parts, mut guards) = (Vec::new(), Vec::new());
    for row in columns {
        let (table, column, chunk) = (row.text(0)?, row.text(1)?, row.text(2)?);
        let from = format!("ONLY {table}");
        parts.push(format!(
            "SELECT {} WHERE EXISTS (SELECT FROM {from} WHERE {column} IS NULL)",
            literal(chunk)
        ));
        guards.push(Guard { from, oid: row.number(5)?, ..Guard::default() });
    }
    match guarded::ask(session, &guards, PATIENCE, &parts.join(" UNION ALL ")).await? {
        Ok(rows) => rows.iter().map(|row| row.text(0).map(str::to_owned)).collect::<Result<_, _>>().map(Ok),
        Err(answer) => Ok(Err(answer)),
    }
}

fn shown(chunks: &BTreeSet<String>) -> String {
    human::first(chunks, SHOWN)
}

fn commands(chunks: &BTreeSet<String>, first: &str, command: impl Fn(&str) -> String) -> Vec<String> {
    std::iter::once(first.to_owned())
        .chain(chunks.iter().map(|chunk| format!("  {}", command(chunk))))
        .collect()
}
