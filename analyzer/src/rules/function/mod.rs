//! Rules about what bodies of functions do when they run.

pub(crate) mod bodies;
mod needed;
mod roles;

pub mod fn_01_superuser_call;
pub mod fn_03_missing_in_body;
pub mod fn_04_evaluated;
pub mod fn_05_body_syntax;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &fn_01_superuser_call::RULE,
    &fn_03_missing_in_body::RULE,
    &fn_04_evaluated::RULE,
    &fn_05_body_syntax::RULE,
];
