//! Rules about roles and their members.

pub(crate) mod known;
pub(crate) mod lists;
pub(crate) mod membership;

pub mod role_01_existing_role;
pub mod role_02_provider_role;
pub mod role_03_reserved_name;
pub mod role_04_superuser_attributes;
pub mod role_05_password;
pub mod role_06_grant_options;
pub mod role_07_grant_back;
pub mod role_08_predefined_grant;
pub mod role_09_grant_without_admin;
pub mod role_10_role_setting;
pub mod role_11_repeated_role;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &role_01_existing_role::RULE,
    &role_02_provider_role::RULE,
    &role_03_reserved_name::RULE,
    &role_04_superuser_attributes::RULE,
    &role_05_password::RULE,
    &role_06_grant_options::RULE,
    &role_07_grant_back::RULE,
    &role_08_predefined_grant::RULE,
    &role_09_grant_without_admin::RULE,
    &role_10_role_setting::RULE,
    &role_11_repeated_role::RULE,
];
