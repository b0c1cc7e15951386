//! Rules about owners and privileges.

pub(crate) mod handover;
pub(crate) mod privileges;

pub mod own_01_owner;
pub mod own_02_schema;
pub mod own_03_grant;
pub mod own_04_public_schema;
pub mod own_05_default_privileges;
pub mod own_06_parameter_grant;
pub mod own_07_reassigned_objects;
pub mod own_08_acting_role;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &own_01_owner::RULE,
    &own_02_schema::RULE,
    &own_03_grant::RULE,
    &own_04_public_schema::RULE,
    &own_05_default_privileges::RULE,
    &own_06_parameter_grant::RULE,
    &own_07_reassigned_objects::RULE,
    &own_08_acting_role::RULE,
];
