//! Roles that a DO block names and that are not there.

use std::collections::BTreeSet;

use crate::body::{BodyPart, UNKNOWN};
use crate::facts::names::{quoted, role, roles};
use crate::locate::Statement;
use crate::parse::{NodeEnum, pg};
use crate::rule::Context;
use crate::rules::role::membership::{Trouble, presence_trouble};
use crate::text::Position;

/// The first missing role of each statement of the block that gives something to a role, with the statement's part.
pub(super) fn missing<'p>(ctx: &Context<'_>, parts: &'p [BodyPart]) -> Vec<(&'p BodyPart, String)> {
    let nodes = || parts.iter().map(|part| part.parsed().node());
    // What the block creates itself is there, and what it asks about may be.
    let own: BTreeSet<&str> = nodes()
        .filter_map(|node| match node {
            NodeEnum::CreateRoleStmt(s) => Some(s.role.as_str()),
            _ => None,
        })
        .collect();
    let asks = parts.iter().any(|part| {
        let start = Position { line: 1, column: 1 };
        let inner = Statement::new(part.sql(), part.parsed(), 0, 0, 0, start);
        inner.references().iter().any(|one| ROLE_LISTS.contains(&&*one.name))
    });
    let is_missing = |name: &&str| {
        !name.contains(UNKNOWN)
            && !own.contains(name)
            && matches!(presence_trouble(ctx, name), Some(Trouble::Missing))
    };
    parts
        .iter()
        .filter(|part| !(asks && part.conditional))
        .filter_map(|part| {
            let name = named(part.parsed().node()).into_iter().find(is_missing)?;
            Some((part, quoted(name)))
        })
        .collect()
}

/// Where the server tells which roles it has.
const ROLE_LISTS: [&str; 5] = ["pg_roles", "pg_authid", "pg_user", "pg_group", "to_regrole"];

fn list(nodes: &[pg::Node]) -> Vec<&str> {
    roles(nodes).filter_map(role).collect()
}

fn one(spec: Option<&pg::RoleSpec>) -> Vec<&str> {
    spec.and_then(role).into_iter().collect()
}

/// The roles that a statement needs.
fn named(node: &NodeEnum) -> Vec<&str> {
    match node {
        NodeEnum::GrantStmt(s) => list(&s.grantees),
        NodeEnum::GrantRoleStmt(s) => list(&s.grantee_roles),
        NodeEnum::AlterOwnerStmt(s) => one(s.newowner.as_ref()),
        NodeEnum::AlterRoleStmt(s) => one(s.role.as_ref()),
        NodeEnum::AlterRoleSetStmt(s) => one(s.role.as_ref()),
        NodeEnum::CreateSchemaStmt(s) => one(s.authrole.as_ref()),
        NodeEnum::CreatePolicyStmt(s) => list(&s.roles),
        NodeEnum::DropRoleStmt(s) if !s.missing_ok => list(&s.roles),
        NodeEnum::AlterDefaultPrivilegesStmt(s) => {
            s.action.as_ref().map_or_else(Vec::new, |action| list(&action.grantees))
        }
        NodeEnum::AlterTableStmt(s) => s
            .cmds
            .iter()
            .filter_map(|command| match command.node.as_ref()? {
                NodeEnum::AlterTableCmd(command) => role(command.newowner.as_ref()?),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}
