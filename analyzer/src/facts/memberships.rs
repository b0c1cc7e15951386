//! Who is a member of which role: by GRANT, and by CREATE ROLE.

use super::Facts;
use super::declared::Membership;
use super::names::{option, option_is_on, options, role, roles};
use crate::finding::Place;
use crate::parse::{NodeEnum, pg};

impl Facts {
    /// What a GRANT of roles gives.
    pub(super) fn granted_roles(&mut self, s: &pg::GrantRoleStmt, place: Place) {
        let admin = option(&s.opt, "admin").is_some_and(option_is_on);
        let set = option(&s.opt, "set").is_none_or(option_is_on);
        let inherit = option(&s.opt, "inherit").map(option_is_on);
        for granted in &s.granted_roles {
            let Some(NodeEnum::AccessPriv(granted)) = &granted.node else { continue };
            let admin_role = self.admin.clone();
            // CURRENT_USER and SESSION_USER are who connects.
            for member in roles(&s.grantee_roles).map(|spec| role(spec).unwrap_or(&admin_role)) {
                let inherit = inherit.unwrap_or_else(|| self.inherits_rights(member));
                let (role, member) = (granted.priv_name.as_str().into(), member.into());
                self.memberships.push(Membership { role, member, admin, inherit, set, place });
            }
        }
    }

    /// What CREATE ROLE gives, but for PostgreSQL's own roles: who may grant those is a question of rules.
    pub(super) fn created_in(&mut self, s: &pg::CreateRoleStmt, place: Place) {
        for given in options(&s.options) {
            let Some(NodeEnum::List(list)) = given.arg.as_ref().and_then(|arg| arg.node.as_ref()) else {
                continue;
            };
            for other in roles(&list.items).filter_map(role).filter(|other| !other.starts_with("pg_")) {
                let (role, member, admin) = match given.defname.as_str() {
                    "addroleto" => (other, s.role.as_str(), false),
                    "rolemembers" => (s.role.as_str(), other, false),
                    "adminmembers" => (s.role.as_str(), other, true),
                    _ => continue,
                };
                let inherit = self.inherits_rights(member);
                let (role, member) = (role.into(), member.into());
                self.memberships.push(Membership { role, member, admin, inherit, set: true, place });
            }
        }
    }

    fn inherits_rights(&self, member: &str) -> bool {
        !self.roles.get(member).is_some_and(|role| role.noinherit)
    }
}
