//! Settings that every session of ours has, whatever the role, the database, the server or `options` say.
//!
//! A setting is pinned where it changes the bytes that are read or written, changes which rows are seen, changes what a
//! statement of a dump means, or ends a session. [`PINNED`] says what each is set to and why, [`LEFT`] why the others
//! are not: together they know every setting that a session may set itself in PostgreSQL 15, 17 and 18 and in
//! TimescaleDB (`pg_settings.context` is `user` or `superuser`). `tests/tests/settings.rs` asks the servers for more.

use super::Side;
use crate::quote::literal;

/// A setting, what it is set to, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// The name, as `pg_settings` has it.
    pub name: &'static str,
    /// The value.
    pub value: &'static str,
    /// What other values would do.
    pub why: &'static str,
}

const fn pin(name: &'static str, value: &'static str, why: &'static str) -> Pin {
    Pin { name, value, why }
}

/// Another session that holds a lock is waited for so long, then the step is tried again. Nothing waits for ever.
pub const LOCK_TIMEOUT: &str = "60s";

/// What every session sets, as far as its server has it and lets it.
pub const PINNED: [Pin; 59] = [
    pin("transaction_timeout", "0", "ends the session that keeps the snapshot"),
    pin("statement_timeout", "0", "ends a COPY that takes long"),
    pin("lock_timeout", LOCK_TIMEOUT, "a lock would be waited for without end, or not at all"),
    pin("idle_in_transaction_session_timeout", "0", "ends the session that keeps the snapshot"),
    pin("idle_session_timeout", "0", "ends sessions that wait for their turn"),
    pin("tcp_user_timeout", "0", "ends a session whose client reads slowly"),
    pin("exit_on_error", "off", "ends the session at an error that is expected"),
    pin("search_path", "", "names and operators would be those of users"),
    pin("row_security", "off", "rows would stay behind in silence: it is an error instead"),
    pin("session_replication_role", "origin", "constraints of the target would not be checked"),
    pin("default_transaction_isolation", "read committed", "transactions of ours say what they need"),
    pin("default_transaction_read_only", "off", "the target could not be written"),
    pin("default_transaction_deferrable", "off", "a snapshot would be waited for"),
    pin("restrict_nonsystem_relation_kind", "", "set by the session's use: see `sql`"),
    pin("constraint_exclusion", "off", "planning would simplify CHECKs, whose functions are users', as us"),
    pin("gin_fuzzy_search_limit", "0", "a query through a GIN index would give some of its rows"),
    pin("zero_damaged_pages", "off", "damaged pages would read as empty in silence"),
    pin("ignore_checksum_failure", "off", "damaged pages would be copied in silence"),
    pin("allow_system_table_mods", "off", "nothing of ours changes system tables"),
    pin("synchronize_seqscans", "off", "rows would come in another order than they are stored in"),
    pin("client_encoding", "UTF8", "text would come in other bytes"),
    pin("DateStyle", "ISO, YMD", "dates as text"),
    pin("IntervalStyle", "postgres", "intervals as text"),
    pin("TimeZone", "UTC", "timestamps as text"),
    pin("extra_float_digits", "3", "floating-point numbers as text would lose digits"),
    pin("bytea_output", "hex", "bytea as text"),
    pin("array_nulls", "on", "a NULL in an array as text would become the word"),
    pin("lc_monetary", "C", "money as text"),
    pin("lc_numeric", "C", "numbers in the text of functions such as to_char"),
    pin("lc_time", "C", "names of days and months in the text of functions such as to_char"),
    pin("xmlbinary", "base64", "bytea within XML"),
    pin("xmloption", "content", "XML that is no document would be refused"),
    pin("quote_all_identifiers", "off", "names as the server prints them"),
    pin("standard_conforming_strings", "on", "backslashes in literals"),
    pin("backslash_quote", "safe_encoding", "quotes in literals"),
    pin("transform_null_equals", "off", "`x = NULL` in a view would become another condition"),
    pin("client_min_messages", "warning", "warnings of the server would be lost, or notices shown"),
    pin("check_function_bodies", "on", "sessions that write a dump's functions turn it off themselves"),
    pin("default_tablespace", "", "tables would go to a tablespace that the dump does not name"),
    pin("temp_tablespaces", "", "sorts would fail where the tablespace is not to be had"),
    pin("default_table_access_method", "heap", "tables would be stored in another way than the dump says"),
    pin("createrole_self_grant", "", "roles would be granted to the administrator beside the dump"),
    pin("icu_validation_level", "warning", "a collation of the dump would be refused"),
    pin("log_parameter_max_length_on_error", "0", "values would stand in the server's log"),
    pin("jit", "off", "compiling takes longer than our many short questions"),
    pin("timescaledb.disable_load", "off", "hypertables would read as empty tables"),
    pin("timescaledb.enable_transparent_decompression", "on", "compressed rows would not be seen"),
    pin("timescaledb.enable_tiered_reads", "on", "tiered rows would not be seen"),
    pin(
        "timescaledb.hypercore_copy_to_behavior",
        "no_compressed_data",
        "compressed rows would go over twice",
    ),
    pin("timescaledb.default_hypercore_use_access_method", "off", "chunks would be stored in another way"),
    pin(
        "timescaledb.enable_direct_compress_copy",
        "off",
        "rows would be compressed that are not on the source",
    ),
    pin("timescaledb.enable_direct_compress_copy_client_sorted", "off", "rows would be taken as sorted"),
    pin(
        "timescaledb.enable_direct_compress_insert",
        "off",
        "rows would be compressed that are not on the source",
    ),
    pin("timescaledb.enable_direct_compress_insert_client_sorted", "off", "rows would be taken as sorted"),
    pin("timescaledb.enable_direct_compress_on_cagg_refresh", "off", "aggregates would be compressed"),
    pin("timescaledb.enable_dml_decompression", "on", "rows in compressed chunks could not be written"),
    pin("timescaledb.enable_foreign_key_propagation", "on", "foreign keys would not reach the chunks"),
    pin("timescaledb.enable_chunk_auto_publication", "off", "chunks would join publications beside the dump"),
    pin("timescaledb.skip_cagg_invalidation", "off", "aggregates would not learn of new rows"),
];

/// Settings that are left as they are, by the reason.
pub const LEFT: [(&str, &[&str]); 17] = [
    (
        "how a query is planned, not what it gives; a server's own way to run well",
        &[
            "cpu_index_tuple_cost",
            "cpu_operator_cost",
            "cpu_tuple_cost",
            "cursor_tuple_fraction",
            "debug_parallel_query",
            "effective_cache_size",
            "enable_async_append",
            "enable_bitmapscan",
            "enable_distinct_reordering",
            "enable_gathermerge",
            "enable_group_by_reordering",
            "enable_hashagg",
            "enable_hashjoin",
            "enable_incremental_sort",
            "enable_indexonlyscan",
            "enable_indexscan",
            "enable_material",
            "enable_memoize",
            "enable_mergejoin",
            "enable_nestloop",
            "enable_parallel_append",
            "enable_parallel_hash",
            "enable_partition_pruning",
            "enable_partitionwise_aggregate",
            "enable_partitionwise_join",
            "enable_presorted_aggregate",
            "enable_self_join_elimination",
            "enable_seqscan",
            "enable_sort",
            "enable_tidscan",
            "force_parallel_mode",
            "from_collapse_limit",
            "geqo",
            "geqo_effort",
            "geqo_generations",
            "geqo_pool_size",
            "geqo_seed",
            "geqo_selection_bias",
            "geqo_threshold",
            "jit_above_cost",
            "jit_dump_bitcode",
            "jit_expressions",
            "jit_inline_above_cost",
            "jit_optimize_above_cost",
            "jit_tuple_deforming",
            "join_collapse_limit",
            "min_parallel_index_scan_size",
            "min_parallel_table_scan_size",
            "parallel_leader_participation",
            "parallel_setup_cost",
            "parallel_tuple_cost",
            "plan_cache_mode",
            "random_page_cost",
            "recursive_worktable_factor",
            "seq_page_cost",
        ],
    ),
    (
        "memory, processors and reading ahead: the server's own size; builds set what they need",
        &[
            "backend_flush_after",
            "effective_io_concurrency",
            "file_copy_method",
            "hash_mem_multiplier",
            "io_combine_limit",
            "logical_decoding_work_mem",
            "maintenance_io_concurrency",
            "maintenance_work_mem",
            "max_parallel_maintenance_workers",
            "max_parallel_workers",
            "max_parallel_workers_per_gather",
            "max_stack_depth",
            "temp_buffers",
            "temp_file_limit",
            "wal_skip_threshold",
            "work_mem",
        ],
    ),
    (
        "when a commit counts: sessions that write set synchronous_commit, and prove at the end what is on the disk",
        &["commit_delay", "commit_siblings", "synchronous_commit"],
    ),
    (
        "the transaction's own: each of ours begins with what it needs",
        &["transaction_deferrable", "transaction_isolation", "transaction_read_only"],
    ),
    (
        "VACUUM and ANALYZE: the target's administrator decides how much they take",
        &[
            "default_statistics_target",
            "gin_pending_list_limit",
            "track_cost_delay_timing",
            "vacuum_buffer_usage_limit",
            "vacuum_cost_delay",
            "vacuum_cost_limit",
            "vacuum_cost_page_dirty",
            "vacuum_cost_page_hit",
            "vacuum_cost_page_miss",
            "vacuum_failsafe_age",
            "vacuum_freeze_min_age",
            "vacuum_freeze_table_age",
            "vacuum_max_eager_freeze_failure_rate",
            "vacuum_multixact_failsafe_age",
            "vacuum_multixact_freeze_min_age",
            "vacuum_multixact_freeze_table_age",
            "vacuum_truncate",
        ],
    ),
    (
        "what the server writes into its log, or counts: the administrator's",
        &[
            "backtrace_functions",
            "compute_query_id",
            "debug_discard_caches",
            "debug_pretty_print",
            "debug_print_parse",
            "debug_print_plan",
            "debug_print_rewritten",
            "escape_string_warning",
            "log_duration",
            "log_error_verbosity",
            "log_executor_stats",
            "log_lock_failures",
            "log_lock_waits",
            "log_min_duration_sample",
            "log_min_duration_statement",
            "log_min_error_statement",
            "log_min_messages",
            "log_parameter_max_length",
            "log_parser_stats",
            "log_planner_stats",
            "log_replication_commands",
            "log_statement",
            "log_statement_sample_rate",
            "log_statement_stats",
            "log_temp_files",
            "log_transaction_sample_rate",
            "md5_password_warnings",
            "stats_fetch_consistency",
            "trace_notify",
            "trace_sort",
            "track_activities",
            "track_counts",
            "track_functions",
            "track_io_timing",
            "track_wal_io_timing",
            "update_process_title",
        ],
    ),
    ("the language of messages: nothing of ours reads their words but what has no code", &["lc_messages"]),
    (
        "libraries are loaded when the session begins: a session cannot take them back",
        &["local_preload_libraries", "session_preload_libraries"],
    ),
    (
        "where files of extensions are: nothing of ours loads a file by its name",
        &["dynamic_library_path", "extension_control_path", "extension_destdir"],
    ),
    (
        "how values are packed on the target's disk: the administrator's wish, the same values",
        &[
            "default_toast_compression",
            "wal_compression",
            "wal_consistency_checking",
            "wal_init_zero",
            "wal_recycle",
        ],
    ),
    ("passwords arrive as the source had hashed them", &["password_encryption", "scram_iterations"]),
    (
        "that a peer is there: the driver asks for itself, and these let the server ask more often",
        &[
            "client_connection_check_interval",
            "tcp_keepalives_count",
            "tcp_keepalives_idle",
            "tcp_keepalives_interval",
        ],
    ),
    (
        "names of zones in text: ours has offsets. Searches without a configuration: none of ours. What expressions of \
         users see of them is the database's own (`evaluation`)",
        &["default_text_search_config", "timezone_abbreviations"],
    ),
    (
        "nothing of ours asks for it: replication, tests of the server, large objects of PostgreSQL 8",
        &[
            "allow_in_place_tablespaces",
            "composite_type_mismatch",
            "debug_logical_replication_streaming",
            "lo_compat_privileges",
            "output_plugin_libraries",
            "wal_sender_timeout",
        ],
    ),
    ("set by the connection", &["application_name"]),
    (
        "only superusers create event triggers, and only a superuser can turn them off",
        &["event_triggers", "deadlock_timeout"],
    ),
    (
        "TimescaleDB: how it plans, compresses, refreshes and logs; the same rows. Restoring mode is the database's, and the \
         preflight looks at it",
        &[
            "timescaledb.auto_sparse_indexes",
            "timescaledb.bgw_log_level",
            "timescaledb.cagg_refresh_stats_level",
            "timescaledb.cagg_rewrites_debug_info",
            "timescaledb.compress_truncate_behaviour",
            "timescaledb.compression_batch_size_limit",
            "timescaledb.compression_orderby_default_function",
            "timescaledb.compression_segmentby_default_function",
            "timescaledb.debug_compression_path_info",
            "timescaledb.debug_enable_columnarscan",
            "timescaledb.debug_require_batch_sorted_merge",
            "timescaledb.debug_skip_scan_info",
            "timescaledb.default_chunk_time_interval",
            "timescaledb.direct_compress_copy_tuple_sort_limit",
            "timescaledb.direct_compress_insert_tuple_sort_limit",
            "timescaledb.direct_compress_segmentby_batch_size_limit",
            "timescaledb.direct_compress_segmentby_min_rows",
            "timescaledb.enable_aic_compression",
            "timescaledb.enable_bool_compression",
            "timescaledb.enable_bulk_decompression",
            "timescaledb.enable_cagg_reorder_groupby",
            "timescaledb.enable_cagg_rewrites",
            "timescaledb.enable_cagg_sort_pushdown",
            "timescaledb.enable_cagg_watermark_constify",
            "timescaledb.enable_cagg_window_functions",
            "timescaledb.enable_chunk_append",
            "timescaledb.enable_chunk_skipping",
            "timescaledb.enable_chunkwise_aggregation",
            "timescaledb.enable_columnar_scan_filter_pushdown",
            "timescaledb.enable_columnarindexscan",
            "timescaledb.enable_columnarscan",
            "timescaledb.enable_columnarscan_metadata_only",
            "timescaledb.enable_composite_bloom_indexes",
            "timescaledb.enable_compressed_direct_batch_delete",
            "timescaledb.enable_compressed_skipscan",
            "timescaledb.enable_compression_indexscan",
            "timescaledb.enable_compression_ratio_warnings",
            "timescaledb.enable_compressor_batch_limit",
            "timescaledb.enable_constraint_aware_append",
            "timescaledb.enable_constraint_exclusion",
            "timescaledb.enable_custom_hashagg",
            "timescaledb.enable_decompression_sorted_merge",
            "timescaledb.enable_deferred_chunk_append",
            "timescaledb.enable_delete_after_compression",
            "timescaledb.enable_deprecation_warnings",
            "timescaledb.enable_direct_compress_auto_segmentby",
            "timescaledb.enable_dml_bloom_filter",
            "timescaledb.enable_dml_decompression_tuple_filtering",
            "timescaledb.enable_event_triggers",
            "timescaledb.enable_exclusive_locking_recompression",
            "timescaledb.enable_hypercore_scankey_pushdown",
            "timescaledb.enable_hypertable_expansion_for_dml",
            "timescaledb.enable_in_memory_recompression",
            "timescaledb.enable_merge_on_cagg_refresh",
            "timescaledb.enable_multikey_skipscan",
            "timescaledb.enable_now_constify",
            "timescaledb.enable_optimizations",
            "timescaledb.enable_ordered_append",
            "timescaledb.enable_parallel_chunk_append",
            "timescaledb.enable_qual_filtering",
            "timescaledb.enable_qual_propagation",
            "timescaledb.enable_rowlevel_compression_locking",
            "timescaledb.enable_runtime_exclusion",
            "timescaledb.enable_segmentwise_recompression",
            "timescaledb.enable_skipscan",
            "timescaledb.enable_skipscan_for_distinct_aggregates",
            "timescaledb.enable_sparse_index_bloom",
            "timescaledb.enable_tss_callbacks",
            "timescaledb.enable_uuid_compression",
            "timescaledb.enable_vectorized_aggregation",
            "timescaledb.hypercore_arrow_cache_max_entries",
            "timescaledb.license",
            "timescaledb.materializations_per_refresh_window",
            "timescaledb.max_cached_chunks_per_hypertable",
            "timescaledb.max_open_chunks_per_insert",
            "timescaledb.max_tuples_decompressed_per_dml_transaction",
            "timescaledb.move_to_columnstore_tuple_sort_limit",
            "timescaledb.read_legacy_bloom1_v1",
            "timescaledb.restoring",
            "timescaledb.skip_scan_run_cost_multiplier",
            "timescaledb.use_custom_toaster",
            "timescaledb_lake.disable_load",
            "timescaledb_osm.disable_load",
        ],
    ),
];

/// What sessions of `pg_dump` and `pg_dumpall` need beside what those set themselves, for the connection's `options`.
pub const OPTIONS: &str = "-c role=none -c statement_timeout=0 -c idle_session_timeout=0 -c exit_on_error=off \
                           -c standard_conforming_strings=on -c lc_monetary=C -c TimeZone=UTC \
                           -c DateStyle=ISO -c jit=off";

/// True where a setting stands in [`PINNED`] or in [`LEFT`].
#[must_use]
pub fn known(name: &str) -> bool {
    PINNED.iter().any(|pin| pin.name == name) || LEFT.iter().any(|(_, names)| names.contains(&name))
}

/// Views and foreign tables of users cannot be read: one that has taken a table's name would run its query as us.
/// `pg_dump` sets the same (PostgreSQL's CVE-2024-7348). Only newer minor versions have it.
pub const NO_VIEWS: &str = "view, foreign-table";

/// The statement that sets [`NO_VIEWS`] where the server has it, or takes it back; `local` for the transaction alone.
#[must_use]
pub fn views(allowed: bool, local: bool) -> String {
    format!(
        "SELECT pg_catalog.set_config(name, {}, {local}) FROM pg_catalog.pg_settings \
         WHERE name OPERATOR(pg_catalog.=) 'restrict_nonsystem_relation_kind'",
        literal(if allowed { "" } else { NO_VIEWS })
    )
}

/// The statements that pin everything, for the first message of a session on this side: its own role, then all that the
/// server has and lets the session set. What ends sessions comes first, and the path before the first operator.
#[must_use]
pub fn sql(side: Side) -> String {
    let kinds = if side == Side::Source { NO_VIEWS } else { "" };
    let values: Vec<String> = PINNED
        .iter()
        .map(|pin| match pin.name {
            "restrict_nonsystem_relation_kind" => format!("({}, {})", literal(pin.name), literal(kinds)),
            name => format!("({}, {})", literal(name), literal(pin.value)),
        })
        .collect();
    format!(
        "SET statement_timeout = 0; SET search_path = ''; SET ROLE NONE; \
         SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings \
         WHERE name OPERATOR(pg_catalog.=) 'transaction_timeout'; \
         SELECT pg_catalog.set_config(s.name, v.value, false) FROM (VALUES {}) v(name, value) \
         JOIN pg_catalog.pg_settings s ON s.name OPERATOR(pg_catalog.=) v.name \
         WHERE (s.context OPERATOR(pg_catalog.=) 'user' OR s.context OPERATOR(pg_catalog.=) 'superuser' \
         AND pg_catalog.current_setting('is_superuser') OPERATOR(pg_catalog.=) 'on') \
         AND (s.enumvals IS NULL OR v.value OPERATOR(pg_catalog.=) ANY (s.enumvals))",
        values.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_named_once() {
        let mut names: Vec<&str> = PINNED.iter().map(|pin| pin.name).collect();
        names.extend(LEFT.iter().flat_map(|(_, names)| *names));
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn only_the_source_refuses_views_from_the_start() {
        assert!(sql(Side::Source).contains("('restrict_nonsystem_relation_kind', 'view, foreign-table')"));
        assert!(sql(Side::Target).contains("('restrict_nonsystem_relation_kind', '')"));
    }
}
