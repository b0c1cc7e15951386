//! Rules about collations and locales.

pub mod col_01_text_partitions;
pub mod col_02_missing_collation;
pub mod col_03_locale_setting;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] =
    &[&col_01_text_partitions::RULE, &col_02_missing_collation::RULE, &col_03_locale_setting::RULE];
