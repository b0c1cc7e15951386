//! ROLE-07: ADMIN on a role, granted back to the role that made it.

use super::known::SUPERUSER;
use super::lists::{items, listed, trim};
use super::membership::Membership;
use super::role_06_grant_options::{grantor, refused};
use crate::edit::Safety;
use crate::facts::names::{option, option_is_on};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-07",
    name: "grant-back-to-grantor",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "role.grant-back-to-grantor",
        "Memberships of tsdbadmin in roles that it creates.",
    ),
    also_answers: &["PG-16"],
    statements: &[StatementKind::GrantRoleStmt],
    doc: Doc {
        summary: "GRANT of a role WITH ADMIN OPTION to tsdbadmin, who has that from creating the role.",
        what: "From 16 on the maker of a role has ADMIN on it, and pg_dumpall writes that: GRANT app TO tsdbadmin \
               WITH ADMIN OPTION, INHERIT FALSE, SET FALSE.",
        why: "tsdbadmin restores, so tsdbadmin creates the roles and has ADMIN on them from the service's superuser. \
              It cannot grant ADMIN to itself, nor to that superuser.",
        server: &["0LP01 ADMIN option cannot be granted back to your own grantor (16 and newer)"],
        help: "The ADMIN OPTION is removed, and the whole GRANT where it gives nothing else: tsdbadmin has it already.",
        before: "CREATE ROLE app;\nGRANT app TO tsdbadmin WITH ADMIN OPTION, INHERIT FALSE, SET FALSE;",
        after: "CREATE ROLE app;\n-- tsmigrate ROLE-07: Remove it: tsdbadmin has ADMIN on app from creating it\n-- GRANT app TO tsdbadmin WITH ADMIN OPTION, INHERIT FALSE, SET FALSE;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/user.c, AddRoleMems, plan_recursive_revoke",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some(m) = Membership::of(ctx) else { return };
    let (s, node) = (m.statement, m.node);
    let admin = ctx.target.admin.as_str();
    let with = |name: &str| option(&node.opt, name).map(option_is_on);
    // The same dump on 15: CREATEROLE is all that tsdbadmin needs there.
    let leftover = ctx.target.version <= 15 && with("inherit") == Some(false) && with("set") == Some(false);
    if !node.is_grant || with("admin") != Some(true) || ctx.target.version <= 15 && !leftover {
        return;
    }
    let holds = |name: Option<&str>| name.is_some_and(|name| name == admin || name == SUPERUSER && !leftover);
    let mine: Vec<usize> = m
        .members
        .iter()
        .enumerate()
        .filter(|(_, (name, trouble))| trouble.is_none() && holds(*name))
        .map(|(index, _)| index)
        .collect();
    let Some(member) = mine.first().and_then(|index| m.members.get(*index)?.0) else { return };
    let granted = listed(m.granted.iter().map(|(name, _)| *name));
    let title = if member == admin {
        format!("{admin} has ADMIN on {granted} {}", origin(ctx, &m))
    } else {
        format!("the service's superuser needs no ADMIN on {granted}")
    };
    let nothing_else = with("inherit") == Some(false) && with("set") == Some(false)
        || member == SUPERUSER
        || m.granted.iter().all(|(name, _)| ctx.target.grantable_roles.contains(*name));
    let fix = if mine.len() == m.members.len() && nothing_else {
        Some(FixDraft::remove(title))
    } else if mine.len() == m.members.len() {
        without_admin(&m, &title)
    } else {
        s.words(&["TO"]).and_then(|to| {
            let items = items(s, to.end, &["WITH", "GRANTED"]);
            trim(FixDraft::without(title), &items, m.members.len(), "/GrantRoleStmt/grantee_roles", &mine)
        })
    };
    let mut draft = Draft::new(format!("{member} cannot be granted ADMIN on {granted} again"))
        .object(format!("membership in {granted}"));
    draft = if leftover {
        draft
            .message(format!("{admin} needs no ADMIN on {granted} up to PostgreSQL 15: it has CREATEROLE"))
            .server(ServerError::new("42601", "syntax error at or near \",\""))
    } else if let Some(name) = grantor(ctx, node) {
        draft.server(refused(ctx, name))
    } else {
        draft.server(ServerError::new("0LP01", "ADMIN option cannot be granted back to your own grantor"))
    };
    if let Some(fix) = fix {
        draft = draft.fix(fix);
    }
    ctx.report(draft);
}

fn origin(ctx: &Context<'_>, m: &Membership<'_>) -> &'static str {
    match (ctx.target.version >= 16, m.granted.iter().any(|(name, _)| ctx.target.has_role(name))) {
        (true, true) => "from the service",
        (true, false) => "from creating it",
        (false, _) => "by CREATEROLE",
    }
}

/// The membership without its ADMIN OPTION.
fn without_admin(m: &Membership<'_>, title: &str) -> Option<FixDraft> {
    let s = m.statement;
    let index = m.node.opt.iter().position(|node| {
        matches!(&node.node, Some(crate::parse::NodeEnum::DefElem(option)) if option.defname == "admin")
    })?;
    let to = s.words(&["TO"])?;
    let with = s.words_from(to.end, &["WITH"])?;
    let items = items(s, with.end, &["GRANTED"]);
    let path = "/GrantRoleStmt/opt";
    if items.len() == 1 && m.node.opt.len() == 1 {
        let clause = with.start..items.last()?.end;
        return Some(
            FixDraft::without(title)
                .delete(s.with_gap(&clause))
                .change(Change::Remove(format!("{path}/{index}"))),
        );
    }
    trim(FixDraft::without(title), &items, m.node.opt.len(), path, &[index])
}
