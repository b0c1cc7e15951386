//! Storage parameters: what WITH (…) of tables, views and indexes takes.
//!
//! Source: asked of PostgreSQL 15.18, 17.12 and 18.6 with each name for each kind; `reloptions.c` of these versions.

use super::parameters::{number, shown};
use crate::text::parse_bool;

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
    /// An index whose access method is not known.
    AnyIndex,
}

/// PostgreSQL's access methods.
const METHODS: [&str; 6] = ["btree", "hash", "gist", "gin", "spgist", "brin"];

impl Storage<'static> {
    /// That of an index with one of PostgreSQL's access methods.
    #[must_use]
    pub fn of_index(method: &str) -> Self {
        METHODS.iter().find(|known| **known == method).map_or(Self::AnyIndex, |method| Self::Index(method))
    }
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
        Storage::AnyIndex => {
            return METHODS
                .iter()
                .any(|method| has_storage_parameter(Storage::Index(method), name, version) == Some(true))
                .then_some(true);
        }
        Storage::Index(_) => return None,
    })
}

/// The least and the most of parameters that are numbers, by name.
const NUMBERS: &[(&str, f64, f64)] = &[
    ("autovacuum_analyze_scale_factor", 0.0, 100.0),
    ("autovacuum_analyze_threshold", 0.0, MOST),
    ("autovacuum_freeze_max_age", 1e5, 2e9),
    ("autovacuum_freeze_min_age", 0.0, 1e9),
    ("autovacuum_freeze_table_age", 0.0, 2e9),
    ("autovacuum_multixact_freeze_max_age", 1e4, 2e9),
    ("autovacuum_multixact_freeze_min_age", 0.0, 1e9),
    ("autovacuum_multixact_freeze_table_age", 0.0, 2e9),
    ("autovacuum_vacuum_cost_delay", 0.0, 100.0),
    ("autovacuum_vacuum_cost_limit", 1.0, 1e4),
    ("autovacuum_vacuum_insert_scale_factor", 0.0, 100.0),
    ("autovacuum_vacuum_insert_threshold", -1.0, MOST),
    ("autovacuum_vacuum_max_threshold", -1.0, MOST),
    ("autovacuum_vacuum_scale_factor", 0.0, 100.0),
    ("autovacuum_vacuum_threshold", 0.0, MOST),
    ("fillfactor", 10.0, 100.0),
    ("gin_pending_list_limit", 64.0, MOST),
    ("log_autovacuum_min_duration", -1.0, MOST),
    ("pages_per_range", 1.0, 131_072.0),
    ("parallel_workers", 0.0, 1024.0),
    ("toast_tuple_target", 128.0, 8160.0),
    ("vacuum_cleanup_index_scale_factor", 0.0, 1e10),
    ("vacuum_max_eager_freeze_failure_rate", 0.0, 1.0),
];

const MOST: f64 = 2_147_483_647.0;

/// Parameters that are on or off.
const TRUTHS: &str = "autovacuum_enabled autosummarize deduplicate_items fastupdate security_barrier security_invoker \
    user_catalog_table vacuum_truncate";

/// The server's words where it refuses the value of a parameter that it has (22023).
#[must_use]
pub fn refused_storage_value(name: &str, value: &str) -> Option<String> {
    let invalid = |kind: &str| Some(format!("invalid value for {kind} option \"{name}\": {value}"));
    if let Some((_, least, most)) = NUMBERS.iter().find(|(known, ..)| *known == name) {
        let is_real = name.ends_with("_factor") || name.ends_with("_rate") || name.ends_with("_delay");
        let Some(number) = number(value, "") else {
            return invalid(if is_real { "floating point" } else { "integer" });
        };
        // Whole numbers are rounded first.
        let judged = if is_real { number } else { number.round() };
        let is_out = number.is_finite() && !(*least..=*most).contains(&judged);
        return is_out.then(|| format!("value {} out of bounds for option \"{name}\"", shown(judged)));
    }
    let is_one_of = |words: &[&str]| words.iter().any(|word| value.eq_ignore_ascii_case(word));
    match name {
        "vacuum_index_cleanup" => {
            let words = ["auto", "on", "off", "true", "false", "yes", "no", "1", "0"];
            if is_one_of(&words) { None } else { invalid("enum") }
        }
        "buffering" if !is_one_of(&["auto", "on", "off"]) => invalid("enum"),
        "check_option" if !is_one_of(&["local", "cascaded"]) => invalid("enum"),
        _ if TRUTHS.split_whitespace().any(|word| word == name) && parse_bool(value).is_none() => {
            invalid("boolean")
        }
        _ => None,
    }
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

    #[test]
    fn values_are_judged_as_servers_do() {
        for (name, value) in [
            ("fillfactor", "9"),
            ("fillfactor", "101"),
            ("fillfactor", "abc"),
            ("fillfactor", ""),
            ("autovacuum_enabled", "maybe"),
            ("autovacuum_vacuum_scale_factor", "101"),
            ("autovacuum_vacuum_scale_factor", "0.5s"),
            ("autovacuum_vacuum_threshold", "10kB"),
            ("autovacuum_freeze_max_age", "5"),
            ("pages_per_range", "0"),
            ("vacuum_index_cleanup", "maybe"),
            ("deduplicate_items", "2"),
        ] {
            assert!(refused_storage_value(name, value).is_some(), "{name} {value}");
        }
        for (name, value) in [
            ("fillfactor", "10.5"),
            ("fillfactor", "0x32"),
            ("fillfactor", "5e1"),
            ("fillfactor", " 50 "),
            ("autovacuum_enabled", "of"),
            ("vacuum_index_cleanup", "auto"),
            ("autovacuum_vacuum_insert_threshold", "-1"),
            ("unknown", "x"),
        ] {
            assert_eq!(refused_storage_value(name, value), None, "{name} {value}");
        }
    }
}
