//! What the source says of roles that have the names of the service's own: none of it is applied to those.
//!
//! Whoever may create roles on the source may call one `tsdbadmin`, and make himself a member of it. Attributes, settings
//! and comments of such roles are the analyzer's (ROLE-01, ROLE-10); memberships are taken out here, before the analysis,
//! so that it lends the administrator what it needs to hand over ownership.

use std::collections::BTreeSet;

use tsmigrate_analyzer::Target;
use tsmigrate_analyzer::parse::{NodeEnum, parse, pg};
use tsmigrate_analyzer::split::{Kind, Splitter};

use crate::inspect::Facts;
use crate::quote::quoted;

/// A membership that stays behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Membership {
    member: String,
    role: String,
}

impl Membership {
    /// In words.
    pub(super) fn name(&self) -> String {
        format!("membership of {} in {}", quoted(&self.member), quoted(&self.role))
    }

    /// Why it stays behind.
    pub(super) fn why(&self, reserved: &BTreeSet<String>) -> String {
        let own = if reserved.contains(&self.role) { &self.role } else { &self.member };
        format!("{} is a role of the service, and not the source's role of that name", quoted(own))
    }
}

/// The roles that belong to the target, its administrator among them.
pub(super) fn reserved(target: &Facts) -> BTreeSet<String> {
    let described = Target::default().reserved_roles.into_keys();
    let mut roles: BTreeSet<String> = described.filter(|role| target.roles.contains(role)).collect();
    roles.insert(target.user.clone());
    roles
}

/// A roles dump without memberships in and of the target's own roles, and those memberships.
pub(super) fn without_memberships(dump: &[u8], reserved: &BTreeSet<String>) -> (Vec<u8>, Vec<Membership>) {
    let (mut out, mut left) = (Vec::with_capacity(dump.len()), Vec::new());
    let mut sink = |piece: tsmigrate_analyzer::split::Piece<'_>| {
        let sql = std::str::from_utf8(piece.text).ok().filter(|_| piece.kind == Kind::Statement);
        let found = sql.map(|sql| memberships(sql, piece.standard_strings)).unwrap_or_default();
        // pg_dumpall writes one membership in a statement.
        if found.iter().any(|found| reserved.contains(&found.member) || reserved.contains(&found.role)) {
            left.extend(found);
        } else {
            out.extend_from_slice(piece.text);
        }
    };
    let mut splitter = Splitter::new();
    splitter.feed(dump, &mut sink);
    splitter.finish(&mut sink);
    (out, left)
}

/// What a GRANT of roles grants.
fn memberships(sql: &str, standard_strings: bool) -> Vec<Membership> {
    let parsed = parse(sql, standard_strings).ok().flatten();
    let Some(NodeEnum::GrantRoleStmt(grant)) = parsed.as_ref().map(tsmigrate_analyzer::parse::Parsed::node)
    else {
        return Vec::new();
    };
    let name = |node: &pg::Node| match &node.node {
        Some(NodeEnum::AccessPriv(role)) => Some(role.priv_name.clone()),
        Some(NodeEnum::RoleSpec(role)) => Some(role.rolename.clone()),
        _ => None,
    };
    let members: Vec<String> = grant.grantee_roles.iter().filter_map(name).collect();
    let roles = grant.granted_roles.iter().filter_map(name);
    roles
        .flat_map(|role| {
            members.iter().map(move |member| Membership { member: member.clone(), role: role.clone() })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memberships_of_the_targets_own_roles_stay_behind() {
        let dump = "CREATE ROLE \"mallory\";\n\
                    GRANT \"mallory\" TO \"tsdbadmin\" WITH INHERIT TRUE GRANTED BY \"postgres\";\n\
                    GRANT \"tsdbadmin\" TO \"mallory\" GRANTED BY \"postgres\";\n\
                    GRANT \"app\" TO \"mallory\" GRANTED BY \"postgres\";\n";
        let reserved = reserved(&Facts { user: "tsdbadmin".into(), ..Facts::default() });
        let (rest, left) = without_memberships(dump.as_bytes(), &reserved);
        let rest = String::from_utf8(rest).expect("text");
        assert!(
            rest.contains("CREATE ROLE") && rest.contains("GRANT \"app\"") && !rest.contains("tsdbadmin")
        );
        let names: Vec<_> = left.iter().map(Membership::name).collect();
        assert_eq!(names, ["membership of tsdbadmin in mallory", "membership of mallory in tsdbadmin"]);
        assert!(left[1].why(&reserved).starts_with("tsdbadmin is a role of the service"));
    }

    #[test]
    fn the_administrator_is_known_by_whatever_name_it_has() {
        let reserved = reserved(&Facts { user: "boss".into(), ..Facts::default() });
        let (rest, left) = without_memberships(b"GRANT boss TO mallory;", &reserved);
        assert!(rest.is_empty() && left.len() == 1);
    }
}
