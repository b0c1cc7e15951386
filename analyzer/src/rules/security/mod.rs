//! Rules about security labels, SECURITY DEFINER and row-level security.

mod readers;
pub mod rls_01_row_security;
pub mod sec_01_security_label;
pub mod sec_02_security_definer;
pub mod sec_03_lost_reader;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &sec_01_security_label::RULE,
    &sec_02_security_definer::RULE,
    &sec_03_lost_reader::RULE,
    &rls_01_row_security::RULE,
];
