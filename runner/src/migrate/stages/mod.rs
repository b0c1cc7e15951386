//! The stages of a migration, in the order in which the pipeline runs them. Each has one function `run`, which says in a
//! `StageResult` what it did; the driver journals, times and reports it.

pub(super) mod access;
pub(super) mod analyze;
pub(super) mod catalogs;
pub(super) mod data;
pub(super) mod extensions;
pub(super) mod foreign_keys;
pub(super) mod jobs;
pub(super) mod match_tables;
pub(super) mod ownership;
pub(super) mod refresh;
pub(super) mod restoring;
pub(super) mod roles;
pub(super) mod sequences;
pub(super) mod statements;
pub(super) mod verify;
pub(super) mod workers;
