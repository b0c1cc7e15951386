//! Rules about parameters.

pub(crate) mod settings;

pub mod guc_01_superuser_parameter;
pub mod guc_02_extension_parameter;
pub mod guc_03_stored_preloaded_library;
pub mod guc_04_search_path;
pub mod guc_05_unknown_parameter;
pub mod guc_06_parameter_value;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &guc_01_superuser_parameter::RULE,
    &guc_02_extension_parameter::RULE,
    &guc_03_stored_preloaded_library::RULE,
    &guc_04_search_path::RULE,
    &guc_05_unknown_parameter::RULE,
    &guc_06_parameter_value::RULE,
];
