//! IN-09: SET SESSION AUTHORIZATION or SET ROLE: another role than tsdbadmin creates the objects.

use std::collections::BTreeSet;

use crate::edit::Safety;
use crate::facts::names::{set_configs, text};
use crate::finding::{Place, ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Finish, FixDraft, InBodies, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "IN-09",
    name: "session-authorization",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("dump.owner-switch", "SET SESSION AUTHORIZATION and SET ROLE."),
    statements: StatementKind::ALL,
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "SET SESSION AUTHORIZATION or SET ROLE: another role than tsdbadmin creates the objects.",
        what: "pg_dump --use-set-session-authorization writes SET SESSION AUTHORIZATION before each object in place of ALTER … OWNER TO; pg_dump --role writes SET ROLE at its head. Every pg_dump writes it around a privilege that a role has passed on.",
        why: "Only a superuser can become any role. SET ROLE takes membership. Whatever follows would belong to the role and need its privileges.",
        server: &[
            "42501 permission denied to set session authorization \"app\"",
            "42501 permission denied to set role \"app\"",
            "22023 role \"app\" does not exist",
        ],
        help: "The statement is removed: what follows is owned by tsdbadmin on the target. For superusers of the source that is all there is to do. To keep other owners, write the dump again without --use-set-session-authorization: tsmigrate then hands the objects over. Where nothing but GRANT and REVOKE follows, nothing is lost but who has granted: the owner does.",
        before: "SET SESSION AUTHORIZATION 'postgres';",
        after: "-- tsmigrate IN-09: Remove it: what follows becomes tsdbadmin's\n-- SET SESSION AUTHORIZATION 'postgres';",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/variable.c, check_session_authorization and check_role",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-set-session-authorization.html",
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

/// What follows each statement that makes the session another role's.
#[derive(Clone, Debug, Default)]
struct Followed {
    /// The place of the last one, while nothing but grants has followed.
    open: Option<Place>,
    /// Some have.
    has_grants: bool,
    /// Places of those that only grants follow.
    only_grants: BTreeSet<Place>,
    /// Those before the next of them, or the end.
    nothing: BTreeSet<Place>,
}

impl Followed {
    /// Another role's turn, or the end.
    fn close(&mut self) {
        let followed = if self.has_grants { &mut self.only_grants } else { &mut self.nothing };
        followed.extend(self.open.take());
        self.has_grants = false;
    }
}

/// A role that has passed a privilege on: the owner of the object grants it, with the same effect.
fn finish(all: &mut Finish<'_>) {
    let Some(followed) = all.states.get::<Followed>() else { return };
    let mut followed = followed.clone();
    followed.close();
    for finding in all.findings.iter_mut() {
        if *finding.rule != RULE || finding.solved || finding.allowed.is_some() {
            continue;
        }
        let Some(fix) = &mut finding.fix else { continue };
        if followed.nothing.contains(&finding.place) {
            (fix.title, fix.lost) = ("Remove it: nothing follows that the role would do".into(), None);
            (fix.safety, finding.solved) = (Safety::Safe, true);
            continue;
        }
        if !followed.only_grants.contains(&finding.place) {
            continue;
        }
        let role = finding.object.as_deref().unwrap_or("the role");
        fix.title = "Let the owner grant what follows".into();
        fix.lost = Some(format!("who granted: {role} (the owner grants the same)").into());
        fix.safety = Safety::Safe;
        finding.solved = true;
    }
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let by_call = match node {
        NodeEnum::SelectStmt(select) => {
            set_configs(select).find(|(name, ..)| matches!(*name, "role" | "session_authorization"))
        }
        _ => None,
    };
    let (name, role) = match (node, by_call) {
        // DEFAULT and RESET have no value.
        (NodeEnum::VariableSetStmt(set), _) => (&*set.name, set.args.first().and_then(text)),
        (_, Some((name, role, _))) => (name, Some(role)),
        _ => {
            if let Some(followed) = ctx.states.get::<Followed>()
                && followed.open.is_some()
            {
                let is_grant = matches!(node, NodeEnum::GrantStmt(_));
                let followed = ctx.states.of::<Followed>();
                followed.has_grants |= is_grant;
                followed.open = followed.open.take().filter(|_| is_grant);
            }
            return;
        }
    };
    let place = statement.place(&statement.body());
    let session = match name {
        "session_authorization" => true,
        "role" => false,
        _ => return,
    };
    ctx.states.of::<Followed>().close();
    let Some(role) = role else { return };
    let admin = &ctx.target.admin;
    if role == admin || !session && role.eq_ignore_ascii_case("none") {
        return;
    }
    let granted = ctx.facts.is_member(role, admin) || ctx.target.grantable_roles.contains(role);
    let there = ctx.facts.makes_role(role) || ctx.target.has_role(role);
    if !session && granted && there {
        return;
    }
    let error = match (there, session) {
        (false, _) => ServerError::new("22023", format!("role \"{role}\" does not exist")),
        (true, true) => {
            ServerError::new("42501", format!("permission denied to set session authorization \"{role}\""))
        }
        (true, false) => ServerError::new("42501", format!("permission denied to set role \"{role}\"")),
    };
    let mut fix = FixDraft::remove(format!("{admin} owns what follows"));
    // What a superuser owned becomes the administrator's anyway: see OWN-01.
    if !ctx.facts.is_superuser(role)
        && !ctx.target.reserved_roles.contains_key(role)
        && ctx.target.provider_of(role).is_none()
    {
        fix = fix.review().lost(format!("owner {role} of the objects that follow"));
    }
    ctx.states.of::<Followed>().open = Some(place);
    ctx.report(
        Draft::new(format!("{admin} cannot become {role}"))
            .object(format!("role {role}"))
            .server(error)
            .advice(
                "Write the dump again without --use-set-session-authorization or --role, and give the roles dump with \
                 it: owners are kept then.",
            )
            .fix(fix),
    );
}
