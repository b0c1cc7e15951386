//! Rules about TimescaleDB's own objects and its versions.

pub(crate) mod hypertable_script;
pub(crate) mod orphans;

pub mod ts_01_version_mismatch;
pub mod ts_02_restoring_mode;
pub mod ts_03_unqualified_restore;
pub mod ts_04_schema_only;
pub mod ts_06_job_owner;
pub mod ts_08_old_aggregate;
pub mod ts_09_removed_feature;
pub mod ts_10_apache_edition;
pub mod ts_12_internal_object;

use crate::rule::Rule;

/// The rules of this family, in the order of the catalogue.
pub const RULES: &[&Rule] = &[
    &ts_01_version_mismatch::RULE,
    &ts_02_restoring_mode::RULE,
    &ts_03_unqualified_restore::RULE,
    &ts_04_schema_only::RULE,
    &ts_06_job_owner::RULE,
    &ts_08_old_aggregate::RULE,
    &ts_09_removed_feature::RULE,
    &ts_10_apache_edition::RULE,
    &ts_12_internal_object::RULE,
];
