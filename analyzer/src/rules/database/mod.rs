//! Rules about databases, of which the service has one.

pub mod db_01_database;
pub mod db_02_multiple_databases;
pub mod db_03_database_owner;
pub mod db_04_database_setting;
pub mod db_05_database_properties;
pub mod db_06_database_privileges;
pub mod db_07_database_name;
mod undecided;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &db_01_database::RULE,
    &db_02_multiple_databases::RULE,
    &db_03_database_owner::RULE,
    &db_04_database_setting::RULE,
    &db_05_database_properties::RULE,
    &db_06_database_privileges::RULE,
    &db_07_database_name::RULE,
];
