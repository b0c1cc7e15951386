//! Rules about collations and locales.

pub mod col_01_text_partitions;
pub mod col_02_missing_collation;
pub mod col_03_locale_setting;
pub mod col_04_refused_collation;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &col_01_text_partitions::RULE,
    &col_02_missing_collation::RULE,
    &col_03_locale_setting::RULE,
    &col_04_refused_collation::RULE,
];
