//! A GRANT or REVOKE of roles, and what is wrong with each role that it names.

use super::known::{DATABASE_OWNER, Known, SUPERUSER, known};
use super::lists::{items, listed, trim};
use crate::facts::names::{quoted, role, roles};
use crate::locate::Statement;
use crate::parse::{NodeEnum, pg};
use crate::rule::{Context, FixDraft};

/// Why a role cannot stand in a GRANT of roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble<'a> {
    /// It is a provider's own.
    Provider(&'a str),
    /// It is not there, as far as one can see.
    Missing,
    /// It comes with a newer version.
    NotYet(u32),
    /// `pg_database_owner` has no explicit members, and is in no role.
    DatabaseOwner,
    /// A predefined role that the restoring role may not grant.
    NotGrantable,
    /// A superuser.
    Superuser,
    /// A role of the service that the restoring role may not grant.
    Service,
    /// The other side of the statement: it would be a member of itself.
    Circle(&'a str),
}

/// What stands in the way of granting this role.
pub(crate) fn granted_trouble<'a>(ctx: &Context<'a>, name: &str) -> Option<Trouble<'a>> {
    if name == DATABASE_OWNER {
        return Some(Trouble::DatabaseOwner);
    }
    if let Some(trouble) = presence_trouble(ctx, name) {
        return Some(trouble);
    }
    if name == SUPERUSER {
        return Some(Trouble::Superuser);
    }
    if ctx.target.version <= 15 || ctx.target.grantable_roles.contains(name) {
        None
    } else if ctx.target.predefined_roles.contains_key(name) {
        Some(Trouble::NotGrantable)
    } else if ctx.target.reserved_roles.contains_key(name) {
        Some(Trouble::Service)
    } else {
        None
    }
}

/// What stands in the way of making this role a member.
pub(crate) fn member_trouble<'a>(ctx: &Context<'a>, name: &str) -> Option<Trouble<'a>> {
    if name == DATABASE_OWNER {
        return Some(Trouble::DatabaseOwner);
    }
    presence_trouble(ctx, name)
}

/// What stands in the way of naming this role at all.
pub(crate) fn presence_trouble<'a>(ctx: &Context<'a>, name: &str) -> Option<Trouble<'a>> {
    if let Some(since) = ctx.target.predefined_roles.get(name)
        && *since > ctx.target.version
    {
        return Some(Trouble::NotYet(*since));
    }
    match known(ctx, name) {
        Known::Provider(provider) => Some(Trouble::Provider(provider)),
        Known::Missing => Some(Trouble::Missing),
        Known::Made | Known::Target => None,
    }
}

/// Finds roles that are members of their members: of the granted where there are several, else of the members.
fn circles<'a>(
    ctx: &Context<'_>,
    granted: &mut [(&'a str, Option<Trouble<'a>>)],
    members: &mut [(Option<&'a str>, Option<Trouble<'a>>)],
) {
    let is_circle = |role: &str, member: &str| role == member || ctx.facts.reaches(member, role);
    if let [(role, None)] = granted {
        for (name, trouble) in members.iter_mut().filter(|(_, trouble)| trouble.is_none()) {
            *trouble = name.filter(|name| is_circle(role, name)).map(|_| Trouble::Circle(role));
        }
        return;
    }
    for (role, trouble) in granted.iter_mut().filter(|(_, trouble)| trouble.is_none()) {
        let member = members.iter().filter(|(_, trouble)| trouble.is_none()).filter_map(|(name, _)| *name);
        *trouble = member.into_iter().find(|name| is_circle(role, name)).map(Trouble::Circle);
    }
}

/// A GRANT or REVOKE of roles, taken apart.
#[derive(Debug)]
pub(crate) struct Membership<'a> {
    /// The statement.
    pub(crate) statement: &'a Statement<'a>,
    /// Its node.
    pub(crate) node: &'a pg::GrantRoleStmt,
    /// The roles granted, with what stands in the way.
    pub(crate) granted: Vec<(&'a str, Option<Trouble<'a>>)>,
    /// The members; no name for CURRENT_USER and its like.
    pub(crate) members: Vec<(Option<&'a str>, Option<Trouble<'a>>)>,
}

impl<'a> Membership<'a> {
    /// The statement, where it is one.
    pub(crate) fn of(ctx: &Context<'a>) -> Option<Self> {
        let (statement, NodeEnum::GrantRoleStmt(node)) = ctx.node()? else { return None };
        let mut granted: Vec<(&str, Option<Trouble<'_>>)> = node
            .granted_roles
            .iter()
            .filter_map(|granted| match granted.node.as_ref()? {
                NodeEnum::AccessPriv(granted) => Some(granted.priv_name.as_str()),
                _ => None,
            })
            .map(|name| (name, granted_trouble(ctx, name)))
            .collect();
        // PUBLIC is no role, and has no members.
        let name = |spec: &'a pg::RoleSpec| match pg::RoleSpecType::try_from(spec.roletype) {
            Ok(pg::RoleSpecType::RolespecPublic) => Some("public"),
            _ => role(spec),
        };
        let mut members: Vec<(Option<&str>, Option<Trouble<'_>>)> = roles(&node.grantee_roles)
            .map(name)
            .map(|name| (name, name.and_then(|name| member_trouble(ctx, name))))
            .collect();
        if node.is_grant {
            circles(ctx, &mut granted, &mut members);
        }
        Some(Self { statement, node, granted, members })
    }

    /// True where a rule that has troubles of its own finds nothing left once they, and those that
    /// are safe to take out, are gone.
    fn nothing_left(&self, mine: impl Fn(&Trouble<'_>) -> bool) -> bool {
        let goes = |trouble: &Option<Trouble<'_>>| {
            trouble.as_ref().is_some_and(|t| mine(t) || !matches!(t, Trouble::Missing))
        };
        self.granted.iter().all(|(_, trouble)| goes(trouble))
            || self.members.iter().all(|(_, trouble)| goes(trouble))
    }

    /// A fix that takes the rule's own troubles out: items of the lists, or the whole statement.
    pub(crate) fn without(&self, reason: String, mine: impl Fn(&Trouble<'_>) -> bool) -> Option<FixDraft> {
        if self.nothing_left(&mine) {
            return Some(FixDraft::remove(reason));
        }
        let drop = |troubles: &mut dyn Iterator<Item = &Option<Trouble<'a>>>| -> Vec<usize> {
            troubles
                .enumerate()
                .filter(|(_, trouble)| trouble.as_ref().is_some_and(&mine))
                .map(|(index, _)| index)
                .collect()
        };
        let granted = drop(&mut self.granted.iter().map(|(_, trouble)| trouble));
        let members = drop(&mut self.members.iter().map(|(_, trouble)| trouble));
        let s = self.statement;
        let separator = s.words(&[if self.node.is_grant { "TO" } else { "FROM" }])?;
        let mut fix = FixDraft::without(reason);
        if !granted.is_empty() {
            let verb = s.code().next()?.end;
            let from = match s.words_from(verb, &["OPTION", "FOR"]) {
                Some(option) if option.end < separator.start => option.end,
                _ => verb,
            };
            let items = items(s, from, &["TO", "FROM"]);
            fix = trim(fix, &items, self.granted.len(), "/GrantRoleStmt/granted_roles", &granted)?;
        }
        if !members.is_empty() {
            let items = items(s, separator.end, &["WITH", "GRANTED", "CASCADE", "RESTRICT"]);
            fix = trim(fix, &items, self.members.len(), "/GrantRoleStmt/grantee_roles", &members)?;
        }
        Some(fix)
    }

    /// What is lost with the rule's own troubles.
    pub(crate) fn lost(&self, mine: impl Fn(&Trouble<'_>) -> bool) -> Option<String> {
        if !self.node.is_grant {
            return None;
        }
        let granted = listed(
            self.granted
                .iter()
                .filter(|(_, trouble)| trouble.as_ref().is_some_and(&mine))
                .map(|(name, _)| quoted(name)),
        );
        let members = listed(
            self.members
                .iter()
                .filter(|(_, trouble)| trouble.is_none())
                .filter_map(|(name, _)| name.map(quoted)),
        );
        if !granted.is_empty() && !members.is_empty() {
            return Some(format!("membership of {members} in {granted}"));
        }
        let members = listed(
            self.members
                .iter()
                .filter(|(_, trouble)| {
                    trouble.as_ref().is_some_and(|t| mine(t) && !matches!(t, Trouble::Provider(_)))
                })
                .filter_map(|(name, _)| name.map(quoted)),
        );
        let granted = listed(self.granted.iter().map(|(name, _)| quoted(name)));
        (!members.is_empty()).then(|| format!("membership of {members} in {granted}"))
    }
}
