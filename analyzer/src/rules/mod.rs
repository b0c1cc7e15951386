//! The rules: one file each, found by its id. A rule is data (id, severity, documentation) and a
//! function that looks at one piece of a dump.

mod bodies;
pub mod catalogue;
mod clauses;
mod context;
mod hypertable_script;
mod hypertables;
mod memory;
mod newer_clauses;
mod orphans;
mod page;
mod roles;

pub mod col_01_text_partitions;
pub mod col_02_missing_collation;
pub mod col_03_locale_setting;
pub mod data_01_unlogged;
pub mod data_02_large_object;
pub mod data_11_array_functions;
pub mod data_12_postfix_operator;
pub mod data_13_removed_type;
pub mod db_01_database;
pub mod db_02_multiple_databases;
pub mod db_03_database_owner;
pub mod db_04_database_setting;
pub mod db_05_database_properties;
pub mod db_06_database_privileges;
pub mod db_07_database_name;
pub mod dep_01_missing_dependency;
pub mod dep_02_undeclared_object;
pub mod ext_01_unsupported_extension;
pub mod ext_02_extension_comment;
pub mod ext_03_extension_schema;
pub mod ext_04_timescaledb_schema;
pub mod ext_05_extension_version;
pub mod ext_06_required_extension;
pub mod ext_07_extension_too_late;
pub mod ext_08_extension_rows;
pub mod ext_09_preloaded_library;
pub mod ext_10_language;
pub mod fdw_01_foreign_data_wrapper;
pub mod fn_01_superuser_call;
pub mod fn_03_missing_in_body;
pub mod guc_01_superuser_parameter;
pub mod guc_02_extension_parameter;
pub mod guc_03_preloaded_library;
pub mod guc_04_search_path;
pub mod ht_00_candidate;
pub mod ht_01_only;
pub mod ht_02_unique;
pub mod ht_03_partitioned;
pub mod ht_04_partition;
pub mod ht_05_inheritance;
pub mod ht_06_rule;
pub mod ht_07_foreign_key;
pub mod ht_08_transition_trigger;
pub mod ht_09_nonempty;
pub mod ht_10_column_type;
pub mod ht_11_generated;
pub mod ht_12_nullable;
pub mod ht_13_no_inherit;
pub mod ht_14_concurrent_index;
pub mod ht_15_column_types;
pub mod ht_16_update;
pub mod ht_17_columnstore_security;
pub mod ht_18_publication;
pub mod in_01_missing_end_mark;
pub mod in_02_restrict_command;
pub mod in_03_connect_command;
pub mod in_04_rows_as_inserts;
pub mod in_05_unknown_preamble_setting;
pub mod in_06_newer_syntax;
pub mod in_07_planner_statistics;
pub mod in_08_encoding;
pub mod in_09_session_authorization;
pub mod in_10_syntax_error;
pub mod in_11_unexpected_meta_command;
pub mod in_12_tool_output;
pub mod in_13_allowance;
pub mod in_14_transaction;
pub mod in_15_column_option;
pub mod own_01_owner;
pub mod own_02_schema;
pub mod own_03_grant;
pub mod own_04_public_schema;
pub mod own_05_default_privileges;
pub mod own_06_parameter_grant;
pub mod own_07_reassigned_objects;
pub mod rep_01_all_tables;
pub mod rep_02_schema_publication;
pub mod rep_03_publication;
pub mod rep_04_subscription;
pub mod rep_06_replication_slot;
pub mod rls_01_row_security;
pub mod role_01_existing_role;
pub mod role_02_provider_role;
pub mod role_03_reserved_name;
pub mod role_04_superuser_attributes;
pub mod role_05_password;
pub mod role_06_grant_options;
pub mod role_07_grant_back;
pub mod role_08_predefined_grant;
pub mod role_09_grant_without_admin;
pub mod role_10_role_setting;
pub mod role_11_repeated_role;
pub mod sec_01_security_label;
pub mod sec_02_security_definer;
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
pub mod su_01_c_function;
pub mod su_02_internal_function;
pub mod su_03_leakproof;
pub mod su_04_support_function;
pub mod su_06_access_method;
pub mod su_07_operator_class;
pub mod su_08_base_type;
pub mod su_09_cast_without_function;
pub mod su_10_builtin_cast;
pub mod su_11_text_search_parser;
pub mod su_12_dictionary_file;
pub mod su_13_event_trigger;
pub mod su_14_transform;
pub mod su_16_internal_state;
pub mod su_17_operator_estimator;
pub mod su_18_system_trigger;
pub mod su_19_alter_system;
pub mod su_20_catalog_object;
pub mod su_21_view_rule;
pub mod su_23_server_access;
pub mod su_24_analyze_all;
pub mod su_25_operator_link;
pub mod ts_01_version_mismatch;
pub mod ts_02_restoring_mode;
pub mod ts_03_unqualified_restore;
pub mod ts_04_schema_only;
pub mod ts_06_job_owner;
pub mod ts_08_old_aggregate;
pub mod ts_09_removed_feature;
pub mod ts_10_apache_edition;
pub mod ts_12_internal_object;
pub mod tsp_01_tablespace;
pub mod tsp_02_tablespace_attributes;
pub mod tsp_03_default_tablespace;
pub mod tsp_04_tablespace_clause;
pub mod tsp_05_database_tablespace;
pub mod tsp_06_stored_tablespace;
pub mod tsp_07_attached_tablespace;

pub(crate) use bodies::{keep_body, know_body};
pub use context::{Context, Draft, FixDraft, Subject};
pub use memory::Memory;
pub use page::markdown;

use crate::edit::Safety;
use crate::facts::Facts;
use crate::finding::{Finding, Place, Script, Severity};
use crate::options::Options;
use crate::target::Target;

/// What a person can read about a rule.
#[derive(Clone, Copy, Debug)]
pub struct Doc {
    /// One line: what is found.
    pub summary: &'static str,
    /// What it looks for, in full.
    pub what: &'static str,
    /// Why the target refuses it, or what is lost.
    pub why: &'static str,
    /// The server's words, with their SQLSTATE where it is known.
    pub server: &'static [&'static str],
    /// What to do.
    pub help: &'static str,
    /// A statement that the rule fires on.
    pub before: &'static str,
    /// The same after the rewrite; empty where there is none.
    pub after: &'static str,
    /// Where this is known from.
    pub sources: &'static [&'static str],
    /// A page to read on.
    pub link: &'static str,
}

/// A rule.
#[derive(Debug)]
pub struct Rule {
    /// Its id, such as `TSP-03`.
    pub id: &'static str,
    /// Its name in words: the thing that is incompatible.
    pub name: &'static str,
    /// The worst severity it reports.
    pub severity: Severity,
    /// The best fix it offers.
    pub fix: Safety,
    /// Its documentation.
    pub doc: Doc,
    /// Looks at one piece.
    pub check: fn(&mut Context<'_>),
    /// Looks at everything once the last input has ended.
    pub finish: Option<fn(&mut Finish<'_>)>,
}

/// What a rule sees at the end.
#[derive(Debug)]
pub struct Finish<'a> {
    /// Everything that the dumps declare.
    pub facts: &'a Facts,
    /// The destination.
    pub target: &'a Target,
    /// What the person asked for.
    pub options: &'a Options,
    /// What rules remembered on the way.
    pub memory: &'a Memory,
    /// All findings so far, in the order of the dump.
    pub findings: &'a mut Vec<Finding>,
    /// Scripts for a person to run.
    pub scripts: &'a mut Vec<Script>,
    pub(crate) rule: &'static Rule,
}

impl Finish<'_> {
    /// Reports a finding at the place of a fact. It has no excerpt and no fix: what it says must be enough.
    pub fn report(&mut self, place: Place, draft: Draft) {
        self.findings.push(draft.without_statement(self.rule, place));
    }

    /// Adds a script for a person to run.
    pub fn script(&mut self, file: &'static str, title: impl Into<String>, sql: impl Into<String>) {
        self.scripts.push(Script { rule: self.rule.id, file, title: title.into(), sql: sql.into() });
    }
}

/// The vendor's page on what does not migrate.
pub const TROUBLESHOOTING: &str = "https://www.tigerdata.com/docs/migrate/latest/troubleshooting";

/// All rules, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &in_01_missing_end_mark::RULE,
    &in_02_restrict_command::RULE,
    &in_03_connect_command::RULE,
    &in_04_rows_as_inserts::RULE,
    &in_05_unknown_preamble_setting::RULE,
    &in_06_newer_syntax::RULE,
    &in_07_planner_statistics::RULE,
    &in_08_encoding::RULE,
    &in_09_session_authorization::RULE,
    &in_10_syntax_error::RULE,
    &in_11_unexpected_meta_command::RULE,
    &in_12_tool_output::RULE,
    &in_13_allowance::RULE,
    &in_14_transaction::RULE,
    &in_15_column_option::RULE,
    &tsp_01_tablespace::RULE,
    &tsp_02_tablespace_attributes::RULE,
    &tsp_03_default_tablespace::RULE,
    &tsp_04_tablespace_clause::RULE,
    &tsp_05_database_tablespace::RULE,
    &tsp_06_stored_tablespace::RULE,
    &tsp_07_attached_tablespace::RULE,
    &db_01_database::RULE,
    &db_02_multiple_databases::RULE,
    &db_03_database_owner::RULE,
    &db_04_database_setting::RULE,
    &db_05_database_properties::RULE,
    &db_06_database_privileges::RULE,
    &db_07_database_name::RULE,
    &role_01_existing_role::RULE,
    &role_02_provider_role::RULE,
    &role_03_reserved_name::RULE,
    &role_04_superuser_attributes::RULE,
    &role_05_password::RULE,
    &role_06_grant_options::RULE,
    &role_07_grant_back::RULE,
    &role_08_predefined_grant::RULE,
    &role_09_grant_without_admin::RULE,
    &role_10_role_setting::RULE,
    &role_11_repeated_role::RULE,
    &own_01_owner::RULE,
    &own_02_schema::RULE,
    &own_03_grant::RULE,
    &own_04_public_schema::RULE,
    &own_05_default_privileges::RULE,
    &own_06_parameter_grant::RULE,
    &own_07_reassigned_objects::RULE,
    &sec_01_security_label::RULE,
    &sec_02_security_definer::RULE,
    &rls_01_row_security::RULE,
    &ext_01_unsupported_extension::RULE,
    &ext_02_extension_comment::RULE,
    &ext_03_extension_schema::RULE,
    &ext_04_timescaledb_schema::RULE,
    &ext_05_extension_version::RULE,
    &ext_06_required_extension::RULE,
    &ext_07_extension_too_late::RULE,
    &ext_08_extension_rows::RULE,
    &ext_09_preloaded_library::RULE,
    &ext_10_language::RULE,
    &fdw_01_foreign_data_wrapper::RULE,
    &su_01_c_function::RULE,
    &su_02_internal_function::RULE,
    &su_03_leakproof::RULE,
    &su_04_support_function::RULE,
    &su_06_access_method::RULE,
    &su_07_operator_class::RULE,
    &su_08_base_type::RULE,
    &su_09_cast_without_function::RULE,
    &su_10_builtin_cast::RULE,
    &su_11_text_search_parser::RULE,
    &su_12_dictionary_file::RULE,
    &su_13_event_trigger::RULE,
    &su_14_transform::RULE,
    &su_16_internal_state::RULE,
    &su_17_operator_estimator::RULE,
    &su_18_system_trigger::RULE,
    &su_19_alter_system::RULE,
    &su_20_catalog_object::RULE,
    &su_21_view_rule::RULE,
    &su_23_server_access::RULE,
    &su_24_analyze_all::RULE,
    &su_25_operator_link::RULE,
    &guc_01_superuser_parameter::RULE,
    &guc_02_extension_parameter::RULE,
    &guc_03_preloaded_library::RULE,
    &guc_04_search_path::RULE,
    &rep_01_all_tables::RULE,
    &rep_02_schema_publication::RULE,
    &rep_03_publication::RULE,
    &rep_04_subscription::RULE,
    &data_01_unlogged::RULE,
    &data_02_large_object::RULE,
    &data_11_array_functions::RULE,
    &data_12_postfix_operator::RULE,
    &data_13_removed_type::RULE,
    &col_01_text_partitions::RULE,
    &col_02_missing_collation::RULE,
    &col_03_locale_setting::RULE,
    &ht_00_candidate::RULE,
    &ht_01_only::RULE,
    &ht_02_unique::RULE,
    &ht_03_partitioned::RULE,
    &ht_04_partition::RULE,
    &ht_05_inheritance::RULE,
    &ht_06_rule::RULE,
    &ht_07_foreign_key::RULE,
    &ht_08_transition_trigger::RULE,
    &ht_09_nonempty::RULE,
    &ht_10_column_type::RULE,
    &ht_11_generated::RULE,
    &ht_12_nullable::RULE,
    &ht_13_no_inherit::RULE,
    &ht_14_concurrent_index::RULE,
    &ht_15_column_types::RULE,
    &ht_16_update::RULE,
    &ht_17_columnstore_security::RULE,
    &ht_18_publication::RULE,
    &ts_01_version_mismatch::RULE,
    &ts_02_restoring_mode::RULE,
    &ts_03_unqualified_restore::RULE,
    &ts_04_schema_only::RULE,
    &ts_06_job_owner::RULE,
    &ts_08_old_aggregate::RULE,
    &ts_09_removed_feature::RULE,
    &ts_10_apache_edition::RULE,
    &ts_12_internal_object::RULE,
    &dep_01_missing_dependency::RULE,
    &dep_02_undeclared_object::RULE,
    &fn_01_superuser_call::RULE,
    &fn_03_missing_in_body::RULE,
];

/// Rules about a live server: no dump makes them fire. See [`crate::server`].
pub const LIVE: &[&Rule] = &[
    &srv_14_database_locale::RULE,
    &rep_06_replication_slot::RULE,
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
];

/// How a rule looks at one piece.
type Check = fn(&mut Context<'_>);

/// What is asked about a live server, in the order of the report.
pub(crate) fn of_server() -> impl Iterator<Item = (&'static Rule, Check)> {
    let others: [(&'static Rule, Check); 2] = [
        (&db_02_multiple_databases::RULE, db_02_multiple_databases::live),
        (&in_08_encoding::RULE, in_08_encoding::live),
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
