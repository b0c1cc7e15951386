//! Rules about extensions and languages.

pub(crate) mod moved;
mod script;

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
pub mod ext_11_extension_member;
pub mod ext_12_extension_script;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
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
    &ext_11_extension_member::RULE,
    &ext_12_extension_script::RULE,
];
