//! Rules about security labels, SECURITY DEFINER and row-level security.

pub mod rls_01_row_security;
pub mod sec_01_security_label;
pub mod sec_02_security_definer;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] =
    &[&sec_01_security_label::RULE, &sec_02_security_definer::RULE, &rls_01_row_security::RULE];
