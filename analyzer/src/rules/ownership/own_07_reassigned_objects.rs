//! OWN-07: REASSIGN OWNED and DROP OWNED of roles that the restoring role is not in.

use crate::edit::Safety;
use crate::facts::names::{role, roles};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::role::known::SUPERUSER;

pub(crate) const RULE: Rule = Rule {
    id: "OWN-07",
    name: "reassigned-objects",
    severity: Severity::Error,
    fix: Safety::Review,
    also_answers: &["OWN-01"],
    statements: &[StatementKind::DropOwnedStmt, StatementKind::ReassignOwnedStmt],
    doc: Doc {
        summary: "REASSIGN OWNED or DROP OWNED of another role's objects.",
        what: "Scripts that clean up roles. tsdbadmin may do this for itself and for roles that it is a member of, with \
               their privileges. That it made a role is not enough.",
        why: "The server asks for the privileges of every role named.",
        server: &["42501 permission denied to reassign objects", "42501 permission denied to drop objects"],
        help: "A new service holds nothing of these roles but what this restore gave them: removing the statement is mostly right. Otherwise GRANT the role to tsdbadmin first.",
        before: "CREATE ROLE app;\nREASSIGN OWNED BY app TO tsdbadmin;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/user.c, ReassignOwnedObjects, DropOwnedObjects",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let (named, new_owner, verb) = match node {
        NodeEnum::ReassignOwnedStmt(s) => (&s.roles, s.newrole.as_ref(), "reassign"),
        NodeEnum::DropOwnedStmt(s) => (&s.roles, None, "drop"),
        _ => return,
    };
    let mut all = roles(named).filter_map(role).chain(new_owner.and_then(role));
    let admin = &ctx.target.admin;
    let Some(name) = all.find(|name| *name != admin && !ctx.facts.is_member(name, admin)) else { return };
    let there = ctx.facts.makes_role(name) || ctx.target.has_role(name) || name == SUPERUSER;
    let server = if there {
        let error = ServerError::new("42501", format!("permission denied to {verb} objects"));
        if ctx.target.version >= 16 {
            error.detail(format!(
                "Only roles with privileges of role \"{name}\" may {verb} objects owned by it."
            ))
        } else {
            error
        }
    } else {
        ServerError::missing_role(name)
    };
    let draft =
        Draft::new(format!("{admin} has not the privileges of role {name}, whose objects this would {verb}"))
            .object(format!("role {name}"))
            .server(server)
            .fix(
                FixDraft::remove("a new service holds nothing of the role")
                    .review()
                    .lost("what the statement does"),
            );
    ctx.report(draft);
}
