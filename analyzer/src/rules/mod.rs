//! The rules by family, one file each, named by id. The file says everything about its rule. The family's `mod.rs` lists
//! it and nothing else; what rules share stands in files beside them.

pub mod catalogue;
mod clauses;
mod known_type;
mod page;
mod qualify;
#[cfg(test)]
mod tests;

pub mod collation;
pub mod data;
pub mod database;
pub mod dependency;
pub mod extension;
pub mod foreign_data;
pub mod function;
pub mod hypertable;
pub mod input;
mod links;
pub mod moving;
pub mod ownership;
pub mod replication;
pub mod role;
pub mod security;
pub mod server;
pub mod setting;
pub mod superuser;
pub mod tablespace;
pub mod timescaledb;

pub(crate) use function::bodies::{keep_body, know_body, runs};
pub use links::TROUBLESHOOTING;
pub use page::markdown;

use std::sync::LazyLock;

use crate::rule::{About, Registry, Rule};

/// The rules of each family, in the order in which they run.
const FAMILIES: &[&[&Rule]] = &[
    input::RULES,
    tablespace::RULES,
    database::RULES,
    role::RULES,
    ownership::RULES,
    security::RULES,
    extension::RULES,
    foreign_data::RULES,
    superuser::RULES,
    setting::RULES,
    replication::RULES,
    data::RULES,
    collation::RULES,
    hypertable::RULES,
    timescaledb::RULES,
    dependency::RULES,
    function::RULES,
    moving::RULES,
    server::RULES,
];

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| Registry::new(FAMILIES));

/// The registry of all rules.
#[must_use]
pub fn registry() -> &'static Registry {
    &REGISTRY
}

/// All rules, in the order of the catalogue: those about a live server at the end.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    registry().rules().iter().copied()
}

/// The rules that a dump can make fire.
pub fn of_dumps() -> impl Iterator<Item = &'static Rule> {
    all().filter(|rule| !matches!(rule.about, About::Server | About::Move))
}

/// See [`Registry::rule`].
#[must_use]
pub fn rule(word: &str) -> Option<&'static Rule> {
    registry().rule(word)
}

/// See [`Registry::matching`].
#[must_use]
pub fn matching(pattern: &str) -> Vec<&'static Rule> {
    registry().matching(pattern)
}

/// See [`Registry::nearest`].
#[must_use]
pub fn nearest(word: &str) -> Option<&'static str> {
    registry().nearest(word)
}
