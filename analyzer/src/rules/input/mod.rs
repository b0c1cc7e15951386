//! Rules about dumps as files: their marks, commands and syntax.

pub(crate) mod newer;
pub(crate) mod newer_clauses;
pub(crate) mod newer_tables;

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
pub mod in_16_no_schema;
pub mod in_17_aborted_transaction;
pub mod in_18_row_columns;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
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
    &in_16_no_schema::RULE,
    &in_17_aborted_transaction::RULE,
    &in_18_row_columns::RULE,
];
