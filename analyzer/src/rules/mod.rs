//! The rules: one file each, found by its id. A rule is data (id, severity, documentation) and a
//! function that looks at one piece of a dump.

pub mod catalogue;
mod clauses;
mod memory;
mod page;

pub mod collation;
pub mod data;
pub mod database;
pub mod dependency;
pub mod extension;
pub mod foreign_data;
pub mod function;
pub mod hypertable;
pub mod input;
pub mod ownership;
pub mod replication;
pub mod role;
pub mod security;
pub mod server;
pub mod setting;
pub mod superuser;
pub mod tablespace;
pub mod timescaledb;

pub(crate) use function::bodies::{keep_body, know_body};
pub use memory::Memory;
pub use page::markdown;

use crate::rule::{Context, Rule};

/// The vendor's page on what does not migrate.
pub const TROUBLESHOOTING: &str = "https://www.tigerdata.com/docs/migrate/latest/troubleshooting";

/// All rules, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &input::in_01_missing_end_mark::RULE,
    &input::in_02_restrict_command::RULE,
    &input::in_03_connect_command::RULE,
    &input::in_04_rows_as_inserts::RULE,
    &input::in_05_unknown_preamble_setting::RULE,
    &input::in_06_newer_syntax::RULE,
    &input::in_07_planner_statistics::RULE,
    &input::in_08_encoding::RULE,
    &input::in_09_session_authorization::RULE,
    &input::in_10_syntax_error::RULE,
    &input::in_11_unexpected_meta_command::RULE,
    &input::in_12_tool_output::RULE,
    &input::in_13_allowance::RULE,
    &input::in_14_transaction::RULE,
    &input::in_15_column_option::RULE,
    &tablespace::tsp_01_tablespace::RULE,
    &tablespace::tsp_02_tablespace_attributes::RULE,
    &tablespace::tsp_03_default_tablespace::RULE,
    &tablespace::tsp_04_tablespace_clause::RULE,
    &tablespace::tsp_05_database_tablespace::RULE,
    &tablespace::tsp_06_stored_tablespace::RULE,
    &tablespace::tsp_07_attached_tablespace::RULE,
    &database::db_01_database::RULE,
    &database::db_02_multiple_databases::RULE,
    &database::db_03_database_owner::RULE,
    &database::db_04_database_setting::RULE,
    &database::db_05_database_properties::RULE,
    &database::db_06_database_privileges::RULE,
    &database::db_07_database_name::RULE,
    &role::role_01_existing_role::RULE,
    &role::role_02_provider_role::RULE,
    &role::role_03_reserved_name::RULE,
    &role::role_04_superuser_attributes::RULE,
    &role::role_05_password::RULE,
    &role::role_06_grant_options::RULE,
    &role::role_07_grant_back::RULE,
    &role::role_08_predefined_grant::RULE,
    &role::role_09_grant_without_admin::RULE,
    &role::role_10_role_setting::RULE,
    &role::role_11_repeated_role::RULE,
    &ownership::own_01_owner::RULE,
    &ownership::own_02_schema::RULE,
    &ownership::own_03_grant::RULE,
    &ownership::own_04_public_schema::RULE,
    &ownership::own_05_default_privileges::RULE,
    &ownership::own_06_parameter_grant::RULE,
    &ownership::own_07_reassigned_objects::RULE,
    &security::sec_01_security_label::RULE,
    &security::sec_02_security_definer::RULE,
    &security::rls_01_row_security::RULE,
    &extension::ext_01_unsupported_extension::RULE,
    &extension::ext_02_extension_comment::RULE,
    &extension::ext_03_extension_schema::RULE,
    &extension::ext_04_timescaledb_schema::RULE,
    &extension::ext_05_extension_version::RULE,
    &extension::ext_06_required_extension::RULE,
    &extension::ext_07_extension_too_late::RULE,
    &extension::ext_08_extension_rows::RULE,
    &extension::ext_09_preloaded_library::RULE,
    &extension::ext_10_language::RULE,
    &foreign_data::fdw_01_foreign_data_wrapper::RULE,
    &superuser::su_01_c_function::RULE,
    &superuser::su_02_internal_function::RULE,
    &superuser::su_03_leakproof::RULE,
    &superuser::su_04_support_function::RULE,
    &superuser::su_06_access_method::RULE,
    &superuser::su_07_operator_class::RULE,
    &superuser::su_08_base_type::RULE,
    &superuser::su_09_cast_without_function::RULE,
    &superuser::su_10_builtin_cast::RULE,
    &superuser::su_11_text_search_parser::RULE,
    &superuser::su_12_dictionary_file::RULE,
    &superuser::su_13_event_trigger::RULE,
    &superuser::su_14_transform::RULE,
    &superuser::su_16_internal_state::RULE,
    &superuser::su_17_operator_estimator::RULE,
    &superuser::su_18_system_trigger::RULE,
    &superuser::su_19_alter_system::RULE,
    &superuser::su_20_catalog_object::RULE,
    &superuser::su_21_view_rule::RULE,
    &superuser::su_23_server_access::RULE,
    &superuser::su_24_analyze_all::RULE,
    &superuser::su_25_operator_link::RULE,
    &setting::guc_01_superuser_parameter::RULE,
    &setting::guc_02_extension_parameter::RULE,
    &setting::guc_03_preloaded_library::RULE,
    &setting::guc_04_search_path::RULE,
    &replication::rep_01_all_tables::RULE,
    &replication::rep_02_schema_publication::RULE,
    &replication::rep_03_publication::RULE,
    &replication::rep_04_subscription::RULE,
    &data::data_01_unlogged::RULE,
    &data::data_02_large_object::RULE,
    &data::data_11_array_functions::RULE,
    &data::data_12_postfix_operator::RULE,
    &data::data_13_removed_type::RULE,
    &collation::col_01_text_partitions::RULE,
    &collation::col_02_missing_collation::RULE,
    &collation::col_03_locale_setting::RULE,
    &hypertable::ht_00_candidate::RULE,
    &hypertable::ht_01_only::RULE,
    &hypertable::ht_02_unique::RULE,
    &hypertable::ht_03_partitioned::RULE,
    &hypertable::ht_04_partition::RULE,
    &hypertable::ht_05_inheritance::RULE,
    &hypertable::ht_06_rule::RULE,
    &hypertable::ht_07_foreign_key::RULE,
    &hypertable::ht_08_transition_trigger::RULE,
    &hypertable::ht_09_nonempty::RULE,
    &hypertable::ht_10_column_type::RULE,
    &hypertable::ht_11_generated::RULE,
    &hypertable::ht_12_nullable::RULE,
    &hypertable::ht_13_no_inherit::RULE,
    &hypertable::ht_14_concurrent_index::RULE,
    &hypertable::ht_15_column_types::RULE,
    &hypertable::ht_16_update::RULE,
    &hypertable::ht_17_columnstore_security::RULE,
    &hypertable::ht_18_publication::RULE,
    &timescaledb::ts_01_version_mismatch::RULE,
    &timescaledb::ts_02_restoring_mode::RULE,
    &timescaledb::ts_03_unqualified_restore::RULE,
    &timescaledb::ts_04_schema_only::RULE,
    &timescaledb::ts_06_job_owner::RULE,
    &timescaledb::ts_08_old_aggregate::RULE,
    &timescaledb::ts_09_removed_feature::RULE,
    &timescaledb::ts_10_apache_edition::RULE,
    &timescaledb::ts_12_internal_object::RULE,
    &dependency::dep_01_missing_dependency::RULE,
    &dependency::dep_02_undeclared_object::RULE,
    &function::fn_01_superuser_call::RULE,
    &function::fn_03_missing_in_body::RULE,
];

/// Rules about a live server: no dump makes them fire. See [`crate::server`].
pub const LIVE: &[&Rule] = &[
    &server::srv_14_database_locale::RULE,
    &replication::rep_06_replication_slot::RULE,
    &server::srv_01_database_size::RULE,
    &server::srv_02_unreadable_table::RULE,
    &server::srv_03_hidden_row::RULE,
    &server::srv_04_open_transaction::RULE,
    &server::srv_05_server_library::RULE,
    &server::srv_06_timescaledb_version::RULE,
    &server::srv_07_old_continuous_aggregate::RULE,
    &server::srv_08_background_job::RULE,
    &server::srv_09_extension_version::RULE,
    &server::srv_10_storage::RULE,
    &server::srv_11_standby::RULE,
    &server::srv_12_compressed_data::RULE,
    &server::srv_13_unanswered::RULE,
];

/// How a rule looks at one piece.
type Check = fn(&mut Context<'_>);

/// What is asked about a live server, in the order of the report.
pub(crate) fn of_server() -> impl Iterator<Item = (&'static Rule, Check)> {
    let others: [(&'static Rule, Check); 2] = [
        (&database::db_02_multiple_databases::RULE, database::db_02_multiple_databases::live),
        (&input::in_08_encoding::RULE, input::in_08_encoding::live),
    ];
    LIVE.iter().map(|rule| (*rule, rule.check)).chain(others)
}

/// All rules, those about a live server at the end.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    RULES.iter().chain(LIVE).copied()
}

/// The rule with this id or name, in any case.
#[must_use]
pub fn rule(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id.eq_ignore_ascii_case(id) || rule.name.eq_ignore_ascii_case(id))
}

/// The rules that these words mean: an id or a name, or a family such as `HT-*`; in any case.
#[must_use]
pub fn matching(pattern: &str) -> Vec<&'static Rule> {
    let Some(family) = pattern.strip_suffix('*') else { return rule(pattern).into_iter().collect() };
    let belongs =
        |rule: &&Rule| rule.id.get(..family.len()).is_some_and(|start| start.eq_ignore_ascii_case(family));
    // `T*` would be no family, and `*` is more than anybody means.
    if family.ends_with('-') { all().filter(belongs).collect() } else { Vec::new() }
}

/// The id of the rule whose id or name is most like this word, where one is alike at all.
#[must_use]
pub fn nearest(word: &str) -> Option<&'static str> {
    let word = word.to_ascii_lowercase();
    all()
        .flat_map(|rule| [(rule.id, rule.id), (rule.name, rule.id)])
        .map(|(name, id)| (strsim::damerau_levenshtein(&word, &name.to_ascii_lowercase()), name.len(), id))
        .filter(|(distance, length, _)| distance * 2 <= *length)
        .min_by_key(|(distance, ..)| *distance)
        .map(|(.., id)| id)
}
