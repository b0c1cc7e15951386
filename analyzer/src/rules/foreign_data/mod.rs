//! Rules about foreign data.

pub mod fdw_01_foreign_data_wrapper;
pub mod fdw_02_foreign_option;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[&fdw_01_foreign_data_wrapper::RULE, &fdw_02_foreign_option::RULE];
