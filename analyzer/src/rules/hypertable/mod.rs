//! Rules about hypertables, and about tables that could become one.

pub mod ht_00_candidate;
pub mod ht_01_only;
pub mod ht_02_unique;
pub mod ht_03_partitioned;
pub mod ht_04_partition;
pub mod ht_05_inheritance;
pub mod ht_06_rule;
pub mod ht_07_foreign_key;
pub mod ht_08_transition_trigger;
pub mod ht_09_nonempty;
pub mod ht_10_column_type;
pub mod ht_11_generated;
pub mod ht_12_nullable;
pub mod ht_13_no_inherit;
pub mod ht_14_concurrent_index;
pub mod ht_15_column_types;
pub mod ht_16_update;
pub mod ht_17_columnstore_security;
pub mod ht_18_publication;
pub(crate) mod interval;
mod links;
mod making;
mod obstacle;
pub(crate) mod obstacles;
pub(crate) mod score;
pub(crate) mod script;
mod statements;
pub(crate) mod tables;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &ht_00_candidate::RULE,
    &ht_01_only::RULE,
    &ht_02_unique::RULE,
    &ht_03_partitioned::RULE,
    &ht_04_partition::RULE,
    &ht_05_inheritance::RULE,
    &ht_06_rule::RULE,
    &ht_07_foreign_key::RULE,
    &ht_08_transition_trigger::RULE,
    &ht_09_nonempty::RULE,
    &ht_10_column_type::RULE,
    &ht_11_generated::RULE,
    &ht_12_nullable::RULE,
    &ht_13_no_inherit::RULE,
    &ht_14_concurrent_index::RULE,
    &ht_15_column_types::RULE,
    &ht_16_update::RULE,
    &ht_17_columnstore_security::RULE,
    &ht_18_publication::RULE,
];
