//! TimescaleDB's catalogs, whatever version the server runs.
//!
//! Versions differ in tables and columns: `bgw_job` moved in 2.25, `chunk.dropped` went in 2.26, `chunk_constraint` in 2.28,
//! and the chunks' names (`relid` instead) with `chunk.compressed_chunk_id` in 2.29 (its `sql/pre_install/tables.sql`). So
//! nobody else names a column that has changed: [`Catalogs`] asks the server what exists, and offers what all versions know
//! in one form.

mod chosen;
mod function;
pub mod updates;

use std::collections::{BTreeMap, BTreeSet};

use crate::connect::Session;
use crate::error::Error;

pub use chosen::Chosen;
pub use function::Function;

/// The schema of chunks, unless a hypertable has another, and of the insides of continuous aggregates.
pub const INTERNAL: &str = "_timescaledb_internal";

/// The trigger that notes what changes in a hypertable and its chunks for continuous aggregates.
pub const INVALIDATION_TRIGGER: &str = "ts_cagg_invalidation_trigger";

/// Schemas that catalogs are in. The one before the last holds jobs until 2.25.
const SCHEMAS: [&str; 2] = ["_timescaledb_catalog", "_timescaledb_config"];

/// Whether TimescaleDB has made the schema for itself.
#[must_use]
pub fn is_own(schema: &str) -> bool {
    schema.starts_with("_timescaledb_")
}

/// Whether a table is the catalog of that name.
#[must_use]
pub fn is_catalog(schema: &str, table: &str, name: &str) -> bool {
    SCHEMAS.contains(&schema) && table == name
}

/// `2.19.3` as numbers, so that versions compare.
#[must_use]
pub fn numbers(version: &str) -> Vec<u32> {
    version.split(|c: char| !c.is_ascii_digit()).map_while(|part| part.parse().ok()).collect()
}

/// This version keeps a batch of compressed rows that are NULL throughout in a column as a value that no restore reads
/// (TimescaleDB issue 8893; 2.19.0 to 2.20.0).
#[must_use]
pub fn writes_null_batches(version: &str) -> bool {
    (vec![2, 19]..vec![2, 20, 1]).contains(&numbers(version))
}

/// The tables of TimescaleDB's catalogs in one database, with their columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogs {
    tables: BTreeMap<String, Table>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Table {
    schema: String,
    columns: BTreeSet<String>,
}

impl Catalogs {
    /// Asks the session's server. Without TimescaleDB there are none.
    ///
    /// # Errors
    /// When the server refuses the question.
    pub async fn read(session: &Session) -> Result<Self, Error> {
        let [catalog, config] = SCHEMAS;
        let rows = session
            .ask(&format!(
                "SELECT n.nspname, c.relname, a.attname FROM pg_catalog.pg_extension x \
                 JOIN pg_catalog.pg_depend d ON d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass \
                  AND d.refobjid = x.oid AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e' \
                 JOIN pg_catalog.pg_class c ON c.oid = d.objid AND c.relkind = 'r' \
                 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                 JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
                 WHERE x.extname = 'timescaledb' AND n.nspname IN ('{catalog}', '{config}')"
            ))
            .await?;
        let columns: Vec<_> = rows
            .iter()
            .map(|row| Ok((row.text(0)?, row.text(1)?, row.text(2)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Self::new(columns))
    }

    /// Catalogs of these columns: schema, table, column.
    #[must_use]
    pub fn new<'a>(columns: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Self {
        let mut tables = BTreeMap::<String, Table>::new();
        for (schema, table, column) in columns {
            let table = tables.entry(table.to_owned()).or_default();
            schema.clone_into(&mut table.schema);
            table.columns.insert(column.to_owned());
        }
        Self { tables }
    }

    /// Whether there are none: the database has no TimescaleDB.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// A catalog's name with its schema, as SQL writes it, where this version has it.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<String> {
        self.tables.get(name).map(|table| format!("{}.{name}", table.schema))
    }

    /// Whether this version has the column.
    #[must_use]
    pub fn has(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|table| table.columns.contains(column))
    }

    /// A query of the hypertables with their tables: `id`, `relid` (oid), `schema_name`, `table_name`, `compresses` (the
    /// `id` of the hypertable whose compressed rows it holds, up to 2.28; else NULL).
    ///
    /// # Errors
    /// When this version's catalogs are not known.
    pub fn hypertables(&self) -> Result<String, Error> {
        self.need("hypertable", &["id", "schema_name", "table_name"])?;
        let compresses = if self.has("hypertable", "compressed_hypertable_id") {
            "(SELECT p.id FROM _timescaledb_catalog.hypertable p WHERE p.compressed_hypertable_id = h.id)"
        } else {
            "NULL::pg_catalog.int4"
        };
        Ok(format!(
            "SELECT h.id, hr.oid AS relid, h.schema_name, h.table_name, {compresses} AS compresses \
             FROM _timescaledb_catalog.hypertable h \
             LEFT JOIN (pg_catalog.pg_class hr JOIN pg_catalog.pg_namespace hn ON hn.oid = hr.relnamespace) \
               ON hn.nspname = h.schema_name AND hr.relname = h.table_name"
        ))
    }

    /// A query of the chunks that exist, without those that hold another chunk's compressed rows: `id`, `hypertable_id`,
    /// `relid` (oid), `compressed` (the oid of the table of its compressed rows), `compressed_rows` (how many rows those
    /// are), `status`, `tiered`.
    ///
    /// # Errors
    /// When this version's catalogs are not known.
    pub fn chunks(&self) -> Result<String, Error> {
        self.need("chunk", &["id", "hypertable_id", "status"])?;
        let by_oid = self.has("chunk", "relid");
        let relation = if by_oid {
            "JOIN pg_catalog.pg_class cr ON cr.oid = c.relid".to_owned()
        } else {
            self.need("chunk", &["schema_name", "table_name"])?;
            named("c", "cr")
        };
        let (compressed, of_compressed) = if self.has("chunk", "compressed_chunk_id") && !by_oid {
            (
                "z.oid",
                format!(
                    " LEFT JOIN (SELECT u.id, ur.oid FROM _timescaledb_catalog.chunk u {}) z ON z.id = c.compressed_chunk_id",
                    named("u", "ur")
                ),
            )
        } else if self.has("compression_settings", "compress_relid") {
            (
                "z.compress_relid::pg_catalog.oid",
                " LEFT JOIN _timescaledb_catalog.compression_settings z ON z.relid = cr.oid".to_owned(),
            )
        } else {
            self.need("chunk", &["compressed_chunk_id"])?;
            ("NULL::pg_catalog.oid", String::new())
        };
        let (rows, of_rows) = if self.has("compression_chunk_size", "numrows_pre_compression") {
            (
                "y.numrows_pre_compression",
                " LEFT JOIN _timescaledb_catalog.compression_chunk_size y ON y.chunk_id = c.id",
            )
        } else {
            ("NULL::pg_catalog.int8", "")
        };
        let tiered = if self.has("chunk", "osm_chunk") { "c.osm_chunk" } else { "false" };
        let exists = if self.has("chunk", "dropped") { " AND NOT c.dropped" } else { "" };
        let not_compressed = if self.has("hypertable", "compressed_hypertable_id") {
            " AND NOT EXISTS (SELECT FROM _timescaledb_catalog.hypertable p WHERE p.compressed_hypertable_id = c.hypertable_id)"
        } else {
            ""
        };
        Ok(format!(
            "SELECT c.id, c.hypertable_id, cr.oid AS relid, {compressed} AS compressed, {rows} AS compressed_rows, \
                    c.status, {tiered} AS tiered \
             FROM _timescaledb_catalog.chunk c {relation}{of_compressed}{of_rows} WHERE true{exists}{not_compressed}"
        ))
    }

    /// A query of what each chunk holds: `id`, `chunk_id`, `dimension_id`, `range_start`, `range_end`.
    ///
    /// # Errors
    /// When this version's catalogs are not known.
    pub fn slices(&self) -> Result<String, Error> {
        self.need("dimension_slice", &["id", "dimension_id", "range_start", "range_end"])?;
        let (chunk, of_chunk) = if self.has("dimension_slice", "chunk_id") {
            ("s", "")
        } else {
            self.need("chunk_constraint", &["chunk_id", "dimension_slice_id"])?;
            ("k", " JOIN _timescaledb_catalog.chunk_constraint k ON k.dimension_slice_id = s.id")
        };
        Ok(format!(
            "SELECT s.id, {chunk}.chunk_id, s.dimension_id, s.range_start, s.range_end \
             FROM _timescaledb_catalog.dimension_slice s{of_chunk}"
        ))
    }

    /// The condition for a row of `compression_chunk_size` that says something of a chunk that exists: others stay behind.
    #[must_use]
    pub fn sound_sizes(&self) -> String {
        let of =
            "EXISTS (SELECT FROM _timescaledb_catalog.chunk z WHERE z.id = compression_chunk_size.chunk_id";
        if self.has("chunk", "compressed_chunk_id") {
            format!(
                "{of} AND (z.compressed_chunk_id IS NOT NULL OR EXISTS (SELECT FROM _timescaledb_catalog.chunk y \
                 WHERE y.id = compression_chunk_size.compressed_chunk_id)))"
            )
        } else {
            format!("{of})")
        }
    }

    /// The table of jobs.
    ///
    /// # Errors
    /// When this version's catalogs are not known.
    pub fn jobs(&self) -> Result<String, Error> {
        self.need("bgw_job", &["id", "application_name", "owner", "scheduled"])?;
        Ok(self.table("bgw_job").unwrap_or_default())
    }

    /// A query of the continuous aggregates' views: `user_view_schema`, `user_view_name`, `mat_hypertable_id`.
    ///
    /// # Errors
    /// When this version's catalogs are not known.
    pub fn aggregates(&self) -> Result<&'static str, Error> {
        self.need("continuous_agg", &["user_view_schema", "user_view_name", "mat_hypertable_id"])?;
        Ok(
            "SELECT user_view_schema, user_view_name, mat_hypertable_id FROM _timescaledb_catalog.continuous_agg",
        )
    }

    /// A query of the continuous aggregates with all that TimescaleDB keeps for each: `id` (of the hypertable of its
    /// materialized rows), `of` (the id of the hypertable that it is made from), `user_view_schema`, `user_view_name`, and the
    /// schemas and names of its inner views.
    ///
    /// # Errors
    /// When this version's catalogs are not known.
    pub fn inner_views(&self) -> Result<&'static str, Error> {
        self.need("continuous_agg", &["raw_hypertable_id", "partial_view_name", "direct_view_name"])?;
        Ok("SELECT mat_hypertable_id AS id, raw_hypertable_id AS of, user_view_schema, user_view_name, \
            partial_view_schema, partial_view_name, direct_view_schema, direct_view_name \
            FROM _timescaledb_catalog.continuous_agg")
    }

    fn need(&self, table: &str, columns: &[&str]) -> Result<(), Error> {
        let Some(column) = columns.iter().find(|column| !self.has(table, column)) else { return Ok(()) };
        Err(Error::Refused {
            what: format!(
                "This version of TimescaleDB is not known: its catalog {table} has no column {column}"
            ),
            next: vec![
                "use a newer tsmigrate, or a version of TimescaleDB that this one was tried with".into(),
            ],
        })
    }
}

/// Joins the table that `schema_name` and `table_name` of `catalog` name.
fn named(catalog: &str, table: &str) -> String {
    format!(
        "JOIN pg_catalog.pg_namespace {table}n ON {table}n.nspname = {catalog}.schema_name \
         JOIN pg_catalog.pg_class {table} ON {table}.relnamespace = {table}n.oid AND {table}.relname = {catalog}.table_name"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_their_numbers() {
        assert!(numbers("2.9.1") < numbers("2.19.0"));
        assert!(numbers("2.20.0-dev") < vec![2, 20, 3]);
        assert!(["2.19.0", "2.19.3", "2.20.0"].into_iter().all(writes_null_batches));
        assert!(!["2.18.2", "2.20.1", "2.31.0"].into_iter().any(writes_null_batches));
    }
}
