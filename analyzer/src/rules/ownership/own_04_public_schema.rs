//! OWN-04: who may create and use in schema public.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{quoted, roles, string};
use crate::finding::Severity;
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finish, Piece, Rule, Subject};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "OWN-04",
    name: "public-schema",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::limit(
        "acl.public-schema",
        "CREATE on schema public from sources up to 14; USAGE that is taken from everyone.",
    ),
    also_answers: &["PG-15"],
    statements: &[StatementKind::GrantStmt],
    pieces: &[Piece::End],
    doc: Doc {
        summary: "Schema public is open to all on the source, and not on the target; or closed to all.",
        what: "A dump of a server up to 14, where every role may create in schema public and the dump has no word of \
               it. And REVOKE USAGE ON SCHEMA public FROM PUBLIC.",
        why: "From 15 on only the database's owner can create in schema public. TimescaleDB's functions live in that \
              schema: who has no USAGE on it cannot call time_bucket.",
        server: &["42501 permission denied for schema public (when an application creates a table)"],
        help: "Grant CREATE to the roles that create tables there, and USAGE to those that query.",
        before: "-- Dumped from database version 13.4\nCREATE ROLE app LOGIN PASSWORD 'x';\nCREATE TABLE public.t (a integer);",
        after: "",
        sources: Doc::sources(&["PostgreSQL 15 release notes, Migration to Version 15"]),
        link: TROUBLESHOOTING,
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

const CLOSED: &str = "roles without USAGE on schema public cannot call TimescaleDB's functions there";

fn check(ctx: &mut Context<'_>) {
    match ctx.subject {
        Subject::End { .. } => end(ctx),
        Subject::Statement(statement) => {
            if let NodeEnum::GrantStmt(s) = statement.node() {
                revoked(ctx, s);
            }
        }
        _ => {}
    }
}

/// `REVOKE USAGE` or `REVOKE ALL` from everyone.
fn revoked(ctx: &mut Context<'_>, s: &pg::GrantStmt) {
    let public = s.objtype == pg::ObjectType::ObjectSchema as i32
        && s.objects.iter().filter_map(string).any(|name| name == "public");
    let everyone = roles(&s.grantees).any(|spec| spec.roletype == pg::RoleSpecType::RolespecPublic as i32);
    let usage = s.privileges.is_empty()
        || s.privileges.iter().any(
            |p| matches!(&p.node, Some(NodeEnum::AccessPriv(p)) if p.priv_name.eq_ignore_ascii_case("usage")),
        );
    if s.is_grant || !public || !everyone || !usage {
        return;
    }
    let draft = Draft::new(CLOSED)
        .severity(Severity::Note)
        .object("schema public")
        .advice(format!("Grant it to those that query: GRANT USAGE ON SCHEMA public TO {};", logins(ctx)));
    ctx.report(draft);
}

/// A dump takes all away before it says what is granted: what comes last counts.
fn finish(all: &mut Finish<'_>) {
    let public = ObjectId::new(Class::Schema, None, "public");
    let last = all.facts.privileges.iter().rev().find(|p| p.object == public && p.grantee.is_none());
    if last.is_some_and(|p| p.granted) {
        all.findings.retain(|finding| *finding.rule != RULE || *finding.message != *CLOSED);
    }
}

fn end(ctx: &mut Context<'_>) {
    let Some(major) = ctx.facts.headers.last().and_then(crate::facts::Header::server_major) else { return };
    if major >= 15 {
        return;
    }
    let public = ObjectId::new(Class::Schema, None, "public");
    let used = ctx.facts.relations.keys().any(|id| id.schema.as_deref() == Some("public"));
    if !used {
        return;
    }
    // A word of it in the dump is the whole truth about it.
    if ctx.facts.privileges.iter().any(|p| p.object == public && p.grantee.is_none()) {
        return;
    }
    let made = ctx.facts.roles.iter().any(|(name, role)| role.login && ctx.facts.makes_role(name));
    let draft = Draft::new(format!(
        "every role could create in schema public on PostgreSQL {major}; on the target only {} can",
        ctx.target.admin
    ))
    .severity(if made { Severity::Warning } else { Severity::Note })
    .object("schema public")
    .advice(format!(
        "Where an application creates tables there: GRANT CREATE ON SCHEMA public TO {};",
        logins(ctx)
    ));
    ctx.report(draft);
}

/// Roles that log in, for a GRANT.
fn logins(ctx: &Context<'_>) -> String {
    let names: Vec<String> = ctx
        .facts
        .roles
        .iter()
        .filter(|(name, role)| role.login && ctx.facts.makes_role(name))
        .map(|(name, _)| quoted(name))
        .collect();
    if names.is_empty() { "role, …".into() } else { names.join(", ") }
}
