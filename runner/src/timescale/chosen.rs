//! Some of a database's hypertables, as conditions on the rows of TimescaleDB's catalogs: what is moved where others stay
//! behind.

use std::collections::BTreeSet;

use super::Catalogs;
use crate::error::Error;

/// The watermark of a continuous aggregate of which nothing is materialized: the lowest time of its type (`ts_time_get_min`
/// in TimescaleDB's `src/time_utils.c`).
const LOWEST: &str = "(SELECT CASE d.column_type WHEN 'pg_catalog.int2'::pg_catalog.regtype THEN -32768 \
    WHEN 'pg_catalog.int4'::pg_catalog.regtype THEN -2147483648 \
    WHEN 'pg_catalog.int8'::pg_catalog.regtype THEN -9223372036854775808 ELSE -210866803200000000 END \
    FROM _timescaledb_catalog.dimension d WHERE d.hypertable_id = a.mat_hypertable_id ORDER BY d.id LIMIT 1)";

/// Hypertables and jobs that are moved, by their ids, which are the same on both servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Chosen {
    /// The hypertables: those of compressed rows and of continuous aggregates are hypertables of their own.
    pub hypertables: BTreeSet<i64>,
    /// Those of them that arrive without chunks.
    pub empty: BTreeSet<i64>,
    /// The jobs.
    pub jobs: BTreeSet<i64>,
}

impl Chosen {
    /// Nothing of TimescaleDB is moved.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.hypertables.is_empty() && self.jobs.is_empty()
    }

    /// The condition for the rows of a catalog with these columns that are moved; none where all of them are.
    ///
    /// # Errors
    /// When this version's catalogs are not known: nobody can tell whose rows they are.
    pub fn rows(
        &self,
        catalogs: &Catalogs,
        catalog: &str,
        columns: &[String],
    ) -> Result<Option<String>, Error> {
        let has = |name: &str| columns.iter().any(|column| column == name);
        let (all, filled) = (ids(&self.hypertables), ids(&self.with_chunks()));
        let of_chunks =
            || format!("SELECT c.id FROM _timescaledb_catalog.chunk c WHERE c.hypertable_id IN ({filled})");
        Ok(Some(match catalog {
            "metadata" => return Ok(None),
            "hypertable" => format!("id IN ({all})"),
            "bgw_job" => format!("id IN ({})", ids(&self.jobs)),
            "chunk" | "chunk_index" => format!("hypertable_id IN ({filled})"),
            "chunk_column_stats" => {
                format!("hypertable_id IN ({all}) AND (chunk_id IS NULL OR hypertable_id IN ({filled}))")
            }
            "compression_settings" if has("relid") => format!(
                "relid::pg_catalog.oid IN (SELECT h.relid FROM ({}) h WHERE h.id IN ({all}) UNION ALL \
                 SELECT r.oid FROM ({}) c CROSS JOIN LATERAL (VALUES (c.relid), (c.compressed)) r(oid) \
                 WHERE c.hypertable_id IN ({filled}))",
                catalogs.hypertables()?,
                catalogs.chunks()?
            ),
            // What has changed in a hypertable is noted for its aggregates.
            "continuous_aggs_hypertable_invalidation_log"
            | "continuous_aggs_invalidation_threshold"
            | "continuous_aggs_tenant_tracking" => format!(
                "hypertable_id IN ({all}) AND hypertable_id IN (SELECT a.raw_hypertable_id \
                 FROM _timescaledb_catalog.continuous_agg a WHERE a.mat_hypertable_id IN ({all}))"
            ),
            _ if has("hypertable_id") => format!("hypertable_id IN ({all})"),
            "continuous_aggs_watermark" => format!("mat_hypertable_id IN ({filled})"),
            _ if has("mat_hypertable_id") => format!("mat_hypertable_id IN ({all})"),
            // Which of its ranges are to be refreshed.
            _ if has("materialization_id") => format!("materialization_id IN ({filled})"),
            _ if has("dimension_id") => format!(
                "dimension_id IN (SELECT d.id FROM _timescaledb_catalog.dimension d WHERE d.hypertable_id IN ({filled}))"
            ),
            _ if has("chunk_id") => format!("chunk_id IN ({})", of_chunks()),
            _ => {
                return Err(Error::Refused {
                    what: format!(
                        "This version of TimescaleDB is not known: which rows of its catalog {catalog} belong to a hypertable \
                         cannot be told"
                    ),
                    next: vec![
                        "move the whole database: leave out --include, --exclude and --exclude-data".into(),
                    ],
                });
            }
        }))
    }

    /// A query of rows of a catalog that come besides, for continuous aggregates without materialized rows: nothing of them
    /// is materialized, as when they were created.
    #[must_use]
    pub fn besides(&self, catalog: &str, columns: &[String]) -> Option<String> {
        let value = |column: &String| match (catalog, column.as_str()) {
            ("continuous_aggs_watermark", "mat_hypertable_id")
            | ("continuous_aggs_materialization_invalidation_log", "materialization_id") => {
                "a.mat_hypertable_id"
            }
            ("continuous_aggs_watermark", "watermark") => LOWEST,
            ("continuous_aggs_materialization_invalidation_log", "lowest_modified_value") => {
                "-9223372036854775808"
            }
            ("continuous_aggs_materialization_invalidation_log", "greatest_modified_value") => {
                "9223372036854775807"
            }
            _ => "NULL",
        };
        let of_aggregates = ["continuous_aggs_watermark", "continuous_aggs_materialization_invalidation_log"]
            .contains(&catalog);
        (of_aggregates && !self.empty.is_empty()).then(|| {
            format!(
                "SELECT {} FROM _timescaledb_catalog.continuous_agg a WHERE a.mat_hypertable_id IN ({})",
                columns.iter().map(value).collect::<Vec<_>>().join(", "),
                ids(&self.empty)
            )
        })
    }

    fn with_chunks(&self) -> BTreeSet<i64> {
        self.hypertables.difference(&self.empty).copied().collect()
    }
}

/// A list of numbers, of which none exists where it is empty.
fn ids(ids: &BTreeSet<i64>) -> String {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    if ids.is_empty() { "NULL".to_owned() } else { ids.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(catalog: &str, columns: &[&str]) -> Result<Option<String>, Error> {
        let chosen = Chosen { hypertables: [1, 2, 3].into(), empty: [3].into(), jobs: BTreeSet::new() };
        let columns: Vec<String> = columns.iter().map(|&column| column.to_owned()).collect();
        chosen.rows(&Catalogs::default(), catalog, &columns)
    }

    #[test]
    fn rows_of_catalogs_are_known_by_their_hypertable() {
        for (catalog, columns, condition) in [
            ("hypertable", &["id"][..], "id IN (1, 2, 3)"),
            ("dimension", &["id", "hypertable_id"], "hypertable_id IN (1, 2, 3)"),
            ("chunk", &["id", "hypertable_id"], "hypertable_id IN (1, 2)"),
            ("bgw_job", &["id", "hypertable_id"], "id IN (NULL)"),
            (
                "chunk_constraint",
                &["chunk_id", "dimension_slice_id"],
                "chunk_id IN (SELECT c.id FROM _timescaledb_catalog.chunk c WHERE c.hypertable_id IN (1, 2))",
            ),
            (
                "dimension_slice",
                &["id", "chunk_id", "dimension_id"],
                "dimension_id IN (SELECT d.id FROM _timescaledb_catalog.dimension d WHERE d.hypertable_id IN (1, 2))",
            ),
        ] {
            assert_eq!(rows(catalog, columns).expect("known").as_deref(), Some(condition), "{catalog}");
        }
        assert_eq!(rows("metadata", &["key", "value"]).expect("known"), None);
    }

    #[test]
    fn a_catalog_that_is_not_known_is_refused() {
        let error = rows("from_the_future", &["id"]).expect_err("whose rows are they?").to_string();
        assert!(error.contains("from_the_future"), "{error}");
    }
}
