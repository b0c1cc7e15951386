//! The parts of statements on hypertables.

use crate::facts::ObjectId;
use crate::facts::hypertables::Hypertable;
use crate::parse::{NodeEnum, pg};
use crate::rule::Context;

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
