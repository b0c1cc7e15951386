//! Rules about objects that a statement needs.

mod constraints;
pub mod dep_01_missing_dependency;
pub mod dep_02_undeclared_object;
pub mod dep_03_duplicate_object;
pub mod dep_04_unqualified_name;
pub mod dep_05_unknown_column;
pub mod dep_06_catalog_column;
pub mod dep_07_type_part;
pub mod dep_08_referenced_key;
pub mod dep_09_hidden_operator;
mod drops;
pub(crate) mod mended;
pub(crate) mod missing;
pub(crate) mod order;
mod overloads;
mod parts;
mod replaced;
mod there;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &dep_01_missing_dependency::RULE,
    &dep_04_unqualified_name::RULE,
    &dep_02_undeclared_object::RULE,
    &dep_03_duplicate_object::RULE,
    &dep_05_unknown_column::RULE,
    &dep_06_catalog_column::RULE,
    &dep_07_type_part::RULE,
    &dep_08_referenced_key::RULE,
    &dep_09_hidden_operator::RULE,
];
