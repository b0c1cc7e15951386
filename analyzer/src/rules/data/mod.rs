//! Rules about stored data and their types.

pub(crate) mod large_objects;

pub mod data_01_unlogged;
pub mod data_02_large_object;
pub mod data_11_array_functions;
pub mod data_12_postfix_operator;
pub mod data_13_removed_type;
pub mod data_14_storage_parameter;
pub mod data_15_operator_class;
pub mod data_16_column_storage;
pub mod data_17_text_search;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &data_01_unlogged::RULE,
    &data_02_large_object::RULE,
    &data_11_array_functions::RULE,
    &data_12_postfix_operator::RULE,
    &data_13_removed_type::RULE,
    &data_14_storage_parameter::RULE,
    &data_15_operator_class::RULE,
    &data_16_column_storage::RULE,
    &data_17_text_search::RULE,
];
