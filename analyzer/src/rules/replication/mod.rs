//! Rules about publications, subscriptions and replication slots.

pub mod rep_01_all_tables;
pub mod rep_02_schema_publication;
pub mod rep_03_publication;
pub mod rep_04_subscription;
pub mod rep_06_replication_slot;
pub mod rep_07_publication_parameter;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &rep_01_all_tables::RULE,
    &rep_02_schema_publication::RULE,
    &rep_03_publication::RULE,
    &rep_04_subscription::RULE,
    &rep_06_replication_slot::RULE,
    &rep_07_publication_parameter::RULE,
];
