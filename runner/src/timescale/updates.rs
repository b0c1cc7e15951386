//! Updates of TimescaleDB that its own scripts refuse while the database holds what the new version has not.
//!
//! Known from `sql/updates/*.sql` of TimescaleDB 2.29.2, each named by the version that refuses.

use super::{Catalogs, numbers};
use crate::connect::Session;
use crate::error::Error;
use crate::human;

/// So many objects are named.
const SHOWN: usize = 4;

/// What the update to one version refuses.
struct Step {
    /// The version that refuses.
    since: &'static str,
    /// The catalog and its column that the question reads; a version without it holds none.
    of: (&'static str, &'static str),
    /// The objects, by name.
    names: &'static str,
    /// What they are, in the singular.
    noun: &'static str,
    /// What is about them.
    that: &'static str,
    /// What ends it, on the source, before its update.
    end: &'static str,
}

const STEPS: [Step; 7] = [
    Step {
        since: "2.14.0",
        of: ("hypertable", "replication_factor"),
        names: "SELECT pg_catalog.format('%I.%I', schema_name, table_name) FROM _timescaledb_catalog.hypertable \
                WHERE replication_factor > 0",
        noun: "hypertable",
        that: "on data nodes",
        end: "copy their rows into plain hypertables, and detach the data nodes: multi-node ended with 2.13",
    },
    Step {
        since: "2.22.0",
        of: ("hypertable", "id"),
        names: "SELECT c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_am m ON m.oid = c.relam \
                WHERE m.amname = 'hypercore'",
        noun: "table",
        that: "with the access method hypercore",
        end: "ALTER TABLE … SET ACCESS METHOD heap for each",
    },
    Step {
        since: "2.25.0",
        of: ("continuous_agg", "finalized"),
        names: "SELECT pg_catalog.format('%I.%I', user_view_schema, user_view_name) FROM _timescaledb_catalog.continuous_agg \
                WHERE NOT finalized",
        noun: "continuous aggregate",
        that: "in the format of before 2.7",
        end: "CALL cagg_migrate('…') for each",
    },
    Step {
        since: "2.25.0",
        of: ("continuous_aggs_bucket_function", "bucket_func"),
        names: "SELECT pg_catalog.format('%I.%I', a.user_view_schema, a.user_view_name) FROM _timescaledb_catalog.continuous_agg a \
                JOIN _timescaledb_catalog.continuous_aggs_bucket_function b ON b.mat_hypertable_id = a.mat_hypertable_id \
                WHERE b.bucket_func::text LIKE '%time\\_bucket\\_ng%'",
        noun: "continuous aggregate",
        that: "with time_bucket_ng",
        end: "CALL cagg_migrate('…') for each",
    },
    Step {
        since: "2.27.0",
        of: ("compression_settings", "index"),
        names: "SELECT DISTINCT s.relid::pg_catalog.regclass::text FROM _timescaledb_catalog.compression_settings s, \
                pg_catalog.jsonb_array_elements(s.index) i JOIN pg_catalog.pg_attribute a ON a.atttypid = 'pg_catalog.int2'::pg_catalog.regtype \
                WHERE s.compress_relid IS NOT NULL AND a.attrelid = s.relid AND i ->> 'type' = 'bloom' AND i ->> 'source' = 'config' \
                AND CASE pg_catalog.jsonb_typeof(i -> 'column') WHEN 'array' THEN i -> 'column' ? a.attname::text \
                    ELSE i ->> 'column' = a.attname::text END",
        noun: "chunk",
        that: "with a bloom filter of smallint that was asked for",
        end: "drop those filters: the update's error has the commands",
    },
    Step {
        since: "2.28.0",
        of: ("hypertable", "chunk_target_size"),
        names: "SELECT pg_catalog.format('%I.%I', schema_name, table_name) FROM _timescaledb_catalog.hypertable \
                WHERE chunk_target_size > 0",
        noun: "hypertable",
        that: "with adaptive chunking",
        end: "SELECT set_adaptive_chunking('…', 'disable') for each",
    },
    Step {
        since: "2.28.0",
        of: ("compression_settings", "index"),
        names: "SELECT relid::pg_catalog.regclass::text FROM _timescaledb_catalog.compression_settings \
                WHERE compress_relid IS NOT NULL AND index @> '[{\"type\": \"firstlast\"}]'",
        noun: "chunk",
        that: "with a firstlast index",
        end: "decompress and compress them",
    },
];

/// What an update of the session's TimescaleDB from one version to another refuses, and what ends that.
///
/// # Errors
/// When the server refuses a question.
pub async fn refused(session: &Session, from: &str, to: &str) -> Result<Vec<String>, Error> {
    let passed = |step: &&Step| numbers(from) < numbers(step.since) && numbers(step.since) <= numbers(to);
    let catalogs = Catalogs::read(session).await?;
    let mut found = Vec::new();
    for step in STEPS.iter().filter(passed).filter(|step| catalogs.has(step.of.0, step.of.1)) {
        let names: Vec<String> = session.ask_list(&format!("{} ORDER BY 1", step.names)).await?;
        if !names.is_empty() {
            found.push(format!(
                "the update to TimescaleDB {} is refused while there {} {} {} ({}): {}",
                step.since,
                if names.len() == 1 { "is" } else { "are" },
                human::count(names.len() as u64, step.noun),
                step.that,
                human::first(&names, SHOWN),
                step.end
            ));
        }
    }
    Ok(found)
}
