//! Rules about schemas that move into other names (`--into-schema`): what nothing proves.

pub mod map_01_name_in_text;
pub mod map_02_name_at_run_time;
pub mod map_03_unqualified_in_body;
pub mod map_04_name_in_rows;
pub mod map_05_shared_object;
pub mod map_06_shared_public;
mod unmoved;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &map_01_name_in_text::RULE,
    &map_02_name_at_run_time::RULE,
    &map_03_unqualified_in_body::RULE,
    &map_04_name_in_rows::RULE,
    &map_05_shared_object::RULE,
    &map_06_shared_public::RULE,
];
