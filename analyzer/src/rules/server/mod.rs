//! Rules about a live source.

pub mod srv_01_database_size;
pub mod srv_02_unreadable_table;
pub mod srv_03_hidden_row;
pub mod srv_04_open_transaction;
pub mod srv_05_server_library;
pub mod srv_06_timescaledb_version;
pub mod srv_07_old_continuous_aggregate;
pub mod srv_08_background_job;
pub mod srv_09_extension_version;
pub mod srv_10_storage;
pub mod srv_11_standby;
pub mod srv_12_compressed_data;
pub mod srv_13_unanswered;
pub mod srv_14_database_locale;
pub mod srv_15_omitted_object;
pub mod srv_16_source_state;
pub mod srv_17_target_state;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &srv_14_database_locale::RULE,
    &srv_01_database_size::RULE,
    &srv_02_unreadable_table::RULE,
    &srv_03_hidden_row::RULE,
    &srv_04_open_transaction::RULE,
    &srv_05_server_library::RULE,
    &srv_06_timescaledb_version::RULE,
    &srv_07_old_continuous_aggregate::RULE,
    &srv_08_background_job::RULE,
    &srv_09_extension_version::RULE,
    &srv_10_storage::RULE,
    &srv_11_standby::RULE,
    &srv_12_compressed_data::RULE,
    &srv_13_unanswered::RULE,
    &srv_15_omitted_object::RULE,
    &srv_16_source_state::RULE,
    &srv_17_target_state::RULE,
];
