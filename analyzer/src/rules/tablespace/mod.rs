//! Rules about tablespaces, of which the service has only its own.

pub mod tsp_01_tablespace;
pub mod tsp_02_tablespace_attributes;
pub mod tsp_03_default_tablespace;
pub mod tsp_04_tablespace_clause;
pub mod tsp_05_database_tablespace;
pub mod tsp_06_stored_tablespace;
pub mod tsp_07_attached_tablespace;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &tsp_01_tablespace::RULE,
    &tsp_02_tablespace_attributes::RULE,
    &tsp_03_default_tablespace::RULE,
    &tsp_04_tablespace_clause::RULE,
    &tsp_05_database_tablespace::RULE,
    &tsp_06_stored_tablespace::RULE,
    &tsp_07_attached_tablespace::RULE,
];
