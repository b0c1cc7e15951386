//! What the rules about roles and privileges share: which roles are there, what stands in the way of a
//! GRANT of roles, and lists of names of which some go.

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

use std::collections::BTreeSet;
use std::ops::Range;

use crate::facts::names::{role, roles};
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, pg};
use crate::rule::{Context, FixDraft, Rule};

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

/// Roles that could do on the source what none can do on the target.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceAttributes {
    /// Superusers, whatever becomes of them.
    pub(crate) superusers: BTreeSet<String>,
    /// Roles that bypass row-level security.
    pub(crate) bypass: BTreeSet<String>,
}

impl SourceAttributes {
    /// A role has this attribute on the source.
    pub(crate) fn add(&mut self, role: &str, attribute: &str) {
        match attribute {
            "superuser" => self.superusers.insert(role.to_owned()),
            "bypassrls" => self.bypass.insert(role.to_owned()),
            _ => false,
        };
    }
}

/// The service's superuser.
pub(crate) const SUPERUSER: &str = "postgres";

/// A role whose explicit members no server takes.
pub(crate) const DATABASE_OWNER: &str = "pg_database_owner";

/// Names that a provider uses and that others give to roles of their own, too.
const AMBIGUOUS: &[&str] = &["pgbouncer"];

/// Where a role comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known<'a> {
    /// The dump makes it.
    Made,
    /// The target has it.
    Target,
    /// It is a provider's own: it will not be there.
    Provider(&'a str),
    /// Neither.
    Missing,
}

/// Where this role comes from.
pub(crate) fn known<'a>(ctx: &Context<'a>, name: &str) -> Known<'a> {
    if ctx.target.has_role(name) {
        Known::Target
    } else if ctx.facts.makes_role(name) {
        Known::Made
    } else {
        provider(ctx, name).map_or(Known::Missing, Known::Provider)
    }
}

/// The provider whose own role this is.
pub(crate) fn provider<'a>(ctx: &Context<'a>, name: &str) -> Option<&'a str> {
    let provider = ctx.target.provider_of(name)?;
    let others = || ctx.facts.roles.keys().chain(ctx.facts.owners.iter().map(|owner| &owner.role));
    let sure = !AMBIGUOUS.contains(&name)
        || others().any(|other| &**other != name && ctx.target.provider_of(other) == Some(provider));
    sure.then_some(provider)
}

/// True where the restoring role may change this role: always up to 15 (CREATEROLE), with ADMIN from 16
/// on. Superusers are out of reach.
pub(crate) fn may_alter(ctx: &Context<'_>, name: &str) -> bool {
    name != SUPERUSER
        && (ctx.target.version <= 15
            || ctx.target.grantable_roles.contains(name)
            || !ctx.target.reserved_roles.contains_key(name))
}

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
        let granted = node
            .granted_roles
            .iter()
            .filter_map(|granted| match granted.node.as_ref()? {
                NodeEnum::AccessPriv(granted) => Some(granted.priv_name.as_str()),
                _ => None,
            })
            .map(|name| (name, granted_trouble(ctx, name)))
            .collect();
        let members = roles(&node.grantee_roles)
            .map(role)
            .map(|name| (name, name.and_then(|name| member_trouble(ctx, name))))
            .collect();
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
    pub(crate) fn without(&self, title: String, mine: impl Fn(&Trouble<'_>) -> bool) -> Option<FixDraft> {
        if self.nothing_left(&mine) {
            return Some(FixDraft::remove(title));
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
        let mut fix = FixDraft::edit(title);
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
                .map(|(name, _)| *name),
        );
        let members = listed(
            self.members.iter().filter(|(_, trouble)| trouble.is_none()).filter_map(|(name, _)| *name),
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
                .filter_map(|(name, _)| *name),
        );
        let granted = listed(self.granted.iter().map(|(name, _)| *name));
        (!members.is_empty()).then(|| format!("membership of {members} in {granted}"))
    }
}

/// Names in a sentence.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The items of a list that begins with the first token at byte `from`, up to one of these words (where
/// an item was read already: `granted` is a fine name for a role) or the end.
pub(crate) fn items(statement: &Statement<'_>, from: usize, stops: &[&str]) -> Vec<Range<usize>> {
    let sql = statement.sql();
    let mut items: Vec<Range<usize>> = Vec::new();
    let mut open: Option<Range<usize>> = None;
    for token in statement.code().skip_while(|token| token.start < from) {
        let text = token.text(sql);
        let stops_here = open.is_some() && stops.iter().any(|stop| token.is_word(sql, stop));
        if token.depth == 0 && (text == ";" || stops_here) {
            break;
        }
        if token.depth == 0 && text == "," {
            items.extend(open.take());
            continue;
        }
        match &mut open {
            Some(item) => item.end = token.end,
            None => open = Some(token.start..token.end),
        }
    }
    items.extend(open);
    items
}

/// Adds to a fix: the items with these numbers leave the list at `path`. `None` where the tokens do not
/// give as many items as the tree has, or where nothing would be left.
pub(crate) fn trim(
    mut fix: FixDraft,
    items: &[Range<usize>],
    expected: usize,
    path: &str,
    drop: &[usize],
) -> Option<FixDraft> {
    if items.len() != expected || drop.len() >= items.len() {
        return None;
    }
    for &index in drop {
        let kept_before = (0..index).any(|earlier| !drop.contains(&earlier));
        let range = if kept_before {
            items.get(index - 1)?.end..items.get(index)?.end
        } else {
            items.get(index)?.start..items.get(index + 1)?.start
        };
        fix = fix.delete(range).change(Change::Remove(format!("{path}/{index}")));
    }
    Some(fix)
}

/// The bytes of a role's name that the tree has a place for.
pub(crate) fn role_range(statement: &Statement<'_>, spec: &pg::RoleSpec) -> Option<Range<usize>> {
    usize::try_from(spec.location).ok().and_then(|at| statement.name_at(at))
}

/// The bytes of `GRANTED BY role`.
pub(crate) fn granted_by(statement: &Statement<'_>, grantor: &pg::RoleSpec) -> Option<Range<usize>> {
    let words = statement.words(&["GRANTED", "BY"])?;
    Some(words.start..role_range(statement, grantor)?.end)
}

/// What to do about a role that no one makes.
pub(crate) fn missing_advice(ctx: &Context<'_>) -> String {
    if ctx.facts.role_statements == 0 {
        "Give the roles dump together with this one (pg_dumpall --roles-only): tsmigrate check roles.sql \
         schema.sql. Or create the role on the target first."
            .into()
    } else {
        "The roles dump does not make it: create it on the target first, or leave this out.".into()
    }
}
