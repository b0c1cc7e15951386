//! What TimescaleDB knows, name by name: hypertables, chunks by their ranges, continuous aggregates, jobs.
//!
//! Its catalogs differ from version to version ([`Catalogs`]); columns that only tell are read through `to_jsonb`.

use std::collections::BTreeSet;

use super::object::Catalog;
use crate::connect::Session;
use crate::error::Error;
use crate::names::Relation;
use crate::timescale::Catalogs;

/// What a table is once it is a hypertable.
pub(super) const KINDS: [&str; 3] = ["hypertable", "dimension", "chunk"];

/// Tables of TimescaleDB's catalogs that have to hold the same number of rows on both servers.
const TABLES: [&str; 12] = [
    "hypertable",
    "dimension",
    "dimension_slice",
    "chunk",
    "chunk_constraint",
    "chunk_index",
    "chunk_column_stats",
    "compression_settings",
    "compression_chunk_size",
    "continuous_agg",
    "continuous_aggs_bucket_function",
    "continuous_aggs_watermark",
];

/// Hypertables by the names that people know; those that hold compressed rows are known by the chunks they belong to.
fn hypertables(catalogs: &Catalogs) -> Result<String, Error> {
    Ok(format!(
        "ht AS (SELECT t.id, t.relid, CASE WHEN v.mat_hypertable_id IS NULL THEN format('%I.%I', t.schema_name, t.table_name) \
         ELSE 'materialization of ' || format('%I.%I', v.user_view_schema, v.user_view_name) END AS name, to_jsonb(h) AS j \
         FROM ({}) t JOIN _timescaledb_catalog.hypertable h ON h.id = t.id \
         LEFT JOIN ({}) v ON v.mat_hypertable_id = t.id WHERE t.compresses IS NULL)",
        catalogs.hypertables()?,
        catalogs.aggregates()?
    ))
}

/// The ends of a dimension's slice: a time where it is one.
fn bound(column: &str) -> String {
    format!(
        "CASE WHEN s.{column} IN (-9223372036854775808, 9223372036854775807) THEN '∞' \
         WHEN d.column_type IN ('timestamptz'::regtype, 'timestamp'::regtype, 'date'::regtype) \
         AND d.interval_length IS NOT NULL AND s.{column} BETWEEN -200000000000000000 AND 9000000000000000000 \
         THEN (timestamp '1970-01-01' + s.{column} * interval '1 microsecond')::text ELSE s.{column}::text END"
    )
}

/// The questions of this database; none where it has no TimescaleDB.
pub(super) async fn questions(session: &Session) -> Result<Vec<String>, Error> {
    let mut questions = Vec::new();
    let catalogs = &Catalogs::read(session).await?;
    if catalogs.is_empty() {
        return Ok(questions);
    }
    for name in TABLES {
        if let Some(table) = catalogs.table(name) {
            let moved =
                if name == "compression_chunk_size" { catalogs.sound_sizes() } else { "true".to_owned() };
            questions.push(format!(
                "SELECT 'TimescaleDB catalog', '{name}', NULL, NULL, json_build_object('rows', count(*)) FROM {table} WHERE {moved}"
            ));
        }
    }
    let hypertables = hypertables(catalogs)?;
    // Compression settings have a row for each relation since 2.14. That it is on is a bit of `status` since 2.29.
    let settings = |relation: &str| {
        format!(
            "(SELECT (to_jsonb(s) - 'relid' - 'compress_relid')::text FROM _timescaledb_catalog.compression_settings s \
             WHERE s.relid = {relation})"
        )
    };
    let by_relation = catalogs.has("compression_settings", "relid");
    let of_hypertable = if by_relation {
        settings("ht.relid")
    } else if catalogs.has("hypertable_compression", "attname") {
        "(SELECT jsonb_agg(to_jsonb(s) - 'hypertable_id' ORDER BY s.attname)::text \
          FROM _timescaledb_catalog.hypertable_compression s WHERE s.hypertable_id = ht.id)"
            .to_owned()
    } else {
        "NULL::text".to_owned()
    };
    let skipping = if catalogs.has("chunk_column_stats", "column_name") {
        "(SELECT string_agg(DISTINCT quote_ident(s.column_name), ', ') FROM _timescaledb_catalog.chunk_column_stats s \
          WHERE s.hypertable_id = ht.id)"
    } else {
        "NULL::text"
    };
    let chunks = catalogs.chunks()?;
    questions.push(format!(
        "WITH {hypertables}, chunks AS ({chunks}) SELECT 'hypertable', ht.name, NULL, NULL, json_build_object('dimensions', \
           (SELECT string_agg(concat_ws(' ', quote_ident(d.column_name), format_type(d.column_type, NULL), \
             'interval ' || d.interval_length, 'slices ' || d.num_slices, \
             'by ' || quote_ident(d.partitioning_func_schema) || '.' || quote_ident(d.partitioning_func), \
             'now ' || quote_ident(nullif(d.integer_now_func_schema, '')) || '.' || quote_ident(d.integer_now_func)), ', ' ORDER BY d.id) \
            FROM _timescaledb_catalog.dimension d WHERE d.hypertable_id = ht.id), \
           'chunks', (SELECT count(*) FROM chunks c WHERE c.hypertable_id = ht.id), \
           'compression', {of_hypertable}, 'compression state', concat_ws(' ', ht.j ->> 'compression_state', \
             CASE WHEN (ht.j ->> 'status')::int & 4 = 4 THEN 'on' END), \
           'chunk size', concat_ws(' ', ht.j ->> 'chunk_target_size', ht.j ->> 'chunk_sizing_func_name'), \
           'chunk skipping', {skipping}) FROM ht"
    ));
    let of_chunk = if by_relation { settings("c.relid") } else { "NULL::text".into() };
    questions.push(format!(
        "WITH {hypertables}, slices AS ({}) SELECT 'chunk', ht.name || ' ' || x.ranges, NULL, NULL, json_build_object( \
           'relation', (SELECT json_build_array(n.nspname, r.relname) FROM pg_class r JOIN pg_namespace n \
             ON n.oid = r.relnamespace WHERE r.oid = c.relid), \
           'state', concat_ws(' ', CASE WHEN c.status & 1 = 1 THEN 'compressed' ELSE 'not compressed' END, \
             CASE WHEN c.status & 2 = 2 THEN 'unordered' END, CASE WHEN c.status & 4 = 4 THEN 'frozen' END, \
             CASE WHEN c.status & 8 = 8 THEN 'partial' END, CASE WHEN c.tiered THEN 'tiered' END), \
           'compression', {of_chunk}) \
         FROM ({chunks}) c JOIN ht ON ht.id = c.hypertable_id, \
         LATERAL (SELECT string_agg(format('[%s, %s)', {}, {}), ' ' ORDER BY d.id) AS ranges \
           FROM slices s JOIN _timescaledb_catalog.dimension d ON d.id = s.dimension_id WHERE s.chunk_id = c.id) x \
         WHERE x.ranges IS NOT NULL",
        catalogs.slices()?,
        bound("range_start"),
        bound("range_end")
    ));
    questions.push(aggregates_question(catalogs, &hypertables));
    let jobs = catalogs.jobs()?;
    questions.push(format!(
            "WITH {hypertables} SELECT 'job', concat_ws(' ', b.id, quote_ident(b.proc_name), 'on ' || ht.name), pg_get_userbyid(b.owner), NULL, \
             json_build_object('procedure', format('%I.%I', b.proc_schema, b.proc_name), \
               'schedule', concat_ws(' ', b.schedule_interval, CASE WHEN b.fixed_schedule THEN 'fixed' END, \
                 'from ' || b.initial_start, 'in ' || b.timezone), \
               'limits', concat_ws(' ', 'runtime ' || b.max_runtime, 'retries ' || b.max_retries, 'after ' || b.retry_period), \
               'config', (b.config - 'hypertable_id' - 'mat_hypertable_id')::text, \
               'check', quote_ident(nullif(b.check_schema, '')) || '.' || quote_ident(b.check_name), 'scheduled', b.scheduled) \
             FROM {jobs} b LEFT JOIN ht ON ht.id = b.hypertable_id WHERE b.id >= 1000"
    ));
    Ok(questions)
}

fn aggregates_question(catalogs: &Catalogs, hypertables: &str) -> String {
    let bucket = if catalogs.has("continuous_aggs_bucket_function", "mat_hypertable_id") {
        "(SELECT (to_jsonb(f) - 'mat_hypertable_id')::text FROM _timescaledb_catalog.continuous_aggs_bucket_function f \
          WHERE f.mat_hypertable_id = a.mat_hypertable_id)"
    } else {
        "NULL::text"
    };
    let watermark = if catalogs.has("continuous_aggs_watermark", "watermark") {
        "(SELECT w.watermark FROM _timescaledb_catalog.continuous_aggs_watermark w \
          WHERE w.mat_hypertable_id = a.mat_hypertable_id)"
    } else {
        "NULL::text"
    };
    let direct = if catalogs.has("continuous_agg", "direct_view_name") {
        "pg_get_viewdef(to_regclass(format('%I.%I', a.direct_view_schema, a.direct_view_name)))"
    } else {
        "NULL::text"
    };
    format!(
        "WITH {hypertables} SELECT 'continuous aggregate', format('%I.%I', a.user_view_schema, a.user_view_name), NULL, NULL, \
         json_build_object('mode', CASE WHEN a.materialized_only THEN 'materialized only' ELSE 'real time' END, \
           'finalized', to_jsonb(a) ->> 'finalized', 'of', ht.name, 'watermark', {watermark}, 'bucket', {bucket}, \
           'definition', {direct}) \
         FROM _timescaledb_catalog.continuous_agg a LEFT JOIN ht ON ht.id = a.raw_hypertable_id"
    )
}

/// Notes which tables the chunks are: their names may differ where the ranges are the same.
pub(super) fn take_chunks(catalog: &mut Catalog) {
    for ((kind, identity), object) in &mut catalog.objects {
        if kind != "chunk" {
            continue;
        }
        let relation = object.says.remove("relation");
        let names: Option<[String; 2]> = relation.and_then(|relation| serde_json::from_str(&relation).ok());
        if let Some([schema, name]) = names {
            catalog.chunks.insert(identity.clone(), Relation { schema, name });
        }
    }
}

/// The views of continuous aggregates.
pub(super) async fn aggregates(session: &Session) -> Result<BTreeSet<Relation>, Error> {
    let catalogs = Catalogs::read(session).await?;
    if catalogs.is_empty() {
        return Ok(BTreeSet::new());
    }
    let rows = session.ask(catalogs.aggregates()?).await?;
    rows.iter().map(|row| row.relation(0)).collect()
}
