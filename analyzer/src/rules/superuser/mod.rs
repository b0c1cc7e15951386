//! Rules about what only a superuser can create or run.

mod function_option;

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

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
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
];
