//! Storage parameters: what WITH (…) of tables, views and indexes takes.
//!
//! Source: asked of PostgreSQL 15.18, 17.12 and 18.6 with each name for each kind; `reloptions.c` of these versions.

/// What a storage parameter is given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage<'a> {
    /// A table or materialized view.
    Table,
    /// A table's TOAST table: `toast.…`.
    Toast,
    /// A view.
    View,
    /// An index of this access method.
    Index(&'a str),
}

/// Of tables and of their TOAST tables, without what follows.
const BOTH: &str = "autovacuum_enabled autovacuum_vacuum_threshold autovacuum_vacuum_scale_factor \
    autovacuum_vacuum_insert_threshold autovacuum_vacuum_insert_scale_factor autovacuum_vacuum_cost_delay \
    autovacuum_vacuum_cost_limit autovacuum_freeze_min_age autovacuum_freeze_max_age autovacuum_freeze_table_age \
    autovacuum_multixact_freeze_min_age autovacuum_multixact_freeze_max_age autovacuum_multixact_freeze_table_age \
    log_autovacuum_min_duration vacuum_index_cleanup vacuum_truncate";
/// Of both from 18 on.
const BOTH_18: &str = "autovacuum_vacuum_max_threshold vacuum_max_eager_freeze_failure_rate";
/// Of tables only. `oids` is one for old dumps' sake.
const TABLE: &str = "fillfactor toast_tuple_target parallel_workers user_catalog_table autovacuum_analyze_threshold \
    autovacuum_analyze_scale_factor oids";
const VIEW: &str = "check_option security_barrier security_invoker oids";

/// True where the major version has this parameter; `None` where what it takes is not known: an extension's access
/// method.
#[must_use]
pub fn has_storage_parameter(storage: Storage<'_>, name: &str, version: u32) -> Option<bool> {
    let among = |words: &str| words.split_whitespace().any(|word| word == name);
    let of_both = || among(BOTH) || version >= 18 && among(BOTH_18);
    Some(match storage {
        Storage::Table => of_both() || among(TABLE),
        Storage::Toast => of_both(),
        Storage::View => among(VIEW),
        Storage::Index("btree") => among("fillfactor deduplicate_items vacuum_cleanup_index_scale_factor"),
        Storage::Index("hash" | "spgist") => among("fillfactor"),
        Storage::Index("gist") => among("fillfactor buffering"),
        Storage::Index("gin") => among("fastupdate gin_pending_list_limit"),
        Storage::Index("brin") => among("pages_per_range autosummarize"),
        Storage::Index(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_known_by_kind_and_version() {
        assert_eq!(has_storage_parameter(Storage::Table, "fillfactor", 17), Some(true));
        assert_eq!(has_storage_parameter(Storage::Toast, "fillfactor", 17), Some(false));
        assert_eq!(has_storage_parameter(Storage::Table, "appendonly", 17), Some(false));
        assert_eq!(has_storage_parameter(Storage::Table, "autovacuum_vacuum_max_threshold", 17), Some(false));
        assert_eq!(has_storage_parameter(Storage::Table, "autovacuum_vacuum_max_threshold", 18), Some(true));
        assert_eq!(has_storage_parameter(Storage::Index("hnsw"), "m", 18), None);
    }
}
