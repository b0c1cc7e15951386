//! What rules about hypertables share: candidates and their score, what stands in the way of converting a table, and the
//! script that converts.

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
pub(crate) mod obstacles;
pub(crate) mod score;
pub(crate) mod script;
pub(crate) mod tables;

use crate::facts::ObjectId;
use crate::facts::hypertables::{CallKind, Hypertable, declared};
use crate::parse::{NodeEnum, pg};
use crate::rule::{Context, Rule};

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

/// The page on making hypertables.
pub(crate) const PAGE: &str = "https://www.tigerdata.com/docs/use-timescale/latest/hypertables";

/// The page on what hypertables cannot do.
pub(crate) const LIMITS: &str = "https://www.tigerdata.com/docs/use-timescale/latest/limitations";

/// The hypertable that a relation of the statement is by now.
pub(crate) fn hypertable<'a>(
    ctx: &Context<'a>,
    range: Option<&pg::RangeVar>,
) -> Option<(ObjectId, &'a Hypertable)> {
    ctx.facts.hypertable(range?)
}

/// The commands of an ALTER TABLE on a hypertable, with their places in the list.
pub(crate) fn commands(s: &pg::AlterTableStmt) -> impl Iterator<Item = (usize, &pg::AlterTableCmd)> {
    s.cmds.iter().enumerate().filter_map(|(index, command)| match &command.node {
        Some(NodeEnum::AlterTableCmd(command)) => Some((index, &**command)),
        _ => None,
    })
}

/// The constraint that a command adds.
pub(crate) fn added(command: &pg::AlterTableCmd) -> Option<&pg::Constraint> {
    match command.def.as_ref()?.node.as_ref()? {
        NodeEnum::Constraint(constraint) if command.subtype == pg::AlterTableType::AtAddConstraint as i32 => {
            Some(constraint)
        }
        _ => None,
    }
}

/// What a statement makes a hypertable.
#[derive(Debug)]
pub(crate) enum Making {
    /// `SELECT create_hypertable(…)`: of this table, by these columns.
    Called {
        /// The table.
        table: ObjectId,
        /// Its columns.
        columns: Vec<Box<str>>,
        /// `migrate_data => true`.
        migrates: bool,
    },
    /// `SELECT add_dimension(…)`.
    Dimension {
        /// The table.
        table: ObjectId,
        /// The new column.
        columns: Vec<Box<str>>,
    },
    /// `CREATE TABLE … WITH (tsdb.hypertable)`.
    Declared,
    /// CREATE TABLE of a table that the person wants to have as a hypertable.
    Chosen {
        /// The table.
        table: ObjectId,
    },
}

/// What the statement makes a hypertable, if that is what it does.
pub(crate) fn making(ctx: &Context<'_>) -> Option<Making> {
    let (_, node) = ctx.node()?;
    match node {
        NodeEnum::SelectStmt(_) => {
            let call = ctx.facts.hypertable_call(node)?;
            let is_one = ctx.facts.converted.contains_key(&call.table);
            match call.kind {
                CallKind::Create if is_one => None,
                CallKind::Create => {
                    Some(Making::Called { table: call.table, columns: call.columns, migrates: call.migrates })
                }
                CallKind::AddDimension => {
                    is_one.then_some(Making::Dimension { table: call.table, columns: call.columns })
                }
            }
        }
        NodeEnum::CreateStmt(s) => {
            if declared(s).is_some() {
                return Some(Making::Declared);
            }
            if ctx.options.convert.is_empty() {
                return None;
            }
            let table = ctx.facts.table_id(s.relation.as_ref()?);
            chosen(ctx, &table).map(|_| Making::Chosen { table })
        }
        _ => None,
    }
}

/// What the person wants of a table.
pub(crate) fn chosen<'a>(ctx: &Context<'a>, table: &ObjectId) -> Option<&'a crate::conversion::Conversion> {
    if ctx.options.convert.is_empty() {
        return None;
    }
    let schema = table.schema.as_deref().unwrap_or("public");
    ctx.options.convert.get(&(schema.to_owned(), table.name.to_string()))
}
