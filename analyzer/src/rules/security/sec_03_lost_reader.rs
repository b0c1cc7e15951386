//! SEC-03: views that read as a role that could read everything, and no longer can.

use std::collections::BTreeSet;

use super::readers::{Owners, Views};
use crate::edit::Safety;
use crate::facts::names::{quoted, relation, role, roles};
use crate::facts::objects::granted;
use crate::facts::{Facts, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finish, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::ownership::handover::member_by_dump;
use crate::rules::role::known::SourceAttributes;

pub(crate) const RULE: Rule = Rule {
    id: "SEC-03",
    name: "lost-reader",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "security.lost-reader",
        "Views and materialized views whose owner read what it has no privilege on, as a superuser or by pg_read_all_data.",
    ),
    statements: &[
        StatementKind::AlterDefaultPrivilegesStmt,
        StatementKind::GrantStmt,
        StatementKind::RefreshMatViewStmt,
    ],
    doc: Doc {
        summary: "A view whose owner could read everything, and no longer can.",
        what: "Views and materialized views of roles that were superusers, or members of a pg_read_all_data that tsdbadmin cannot grant, which read relations that these roles neither own nor have SELECT on.",
        why: "A view reads as its owner, and a materialized view is filled as its owner. The target gives nobody \
              SUPERUSER, so REFRESH is refused, and so is each query of such a view, whoever asks.",
        server: &["42501 permission denied for table t"],
        help: "For a REFRESH the privileges are lent and taken back, so that the rows arrive. Where it is refreshed \
               later, and for views, grant them for good: GRANT SELECT ON t TO the owner; or give the view to the owner of what it reads.",
        before: "CREATE ROLE app;\nCREATE ROLE boss;\nALTER ROLE boss SUPERUSER;\nCREATE TABLE public.t (a integer);\nALTER TABLE public.t OWNER TO app;\nCREATE MATERIALIZED VIEW public.m AS SELECT a FROM public.t WITH NO DATA;\nALTER MATERIALIZED VIEW public.m OWNER TO boss;\nREFRESH MATERIALIZED VIEW public.m;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/executor/execMain.c, ExecCheckOneRelPerms; commands/matview.c, ExecRefreshMatView",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

/// Who was granted SELECT on what; no name is PUBLIC.
#[derive(Clone, Debug, Default)]
struct Selects {
    relations: BTreeSet<(ObjectId, Option<String>)>,
    /// All relations of a schema, and those to come: nobody counts what they were.
    unlisted: BTreeSet<Option<String>>,
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    // Where nobody has lost anything, no privilege is remembered.
    if ctx.states.get::<SourceAttributes>().is_none_or(SourceAttributes::is_empty) {
        return;
    }
    match node {
        NodeEnum::GrantStmt(s) => privileges(ctx, s, false),
        NodeEnum::AlterDefaultPrivilegesStmt(s) => {
            if let Some(s) = &s.action {
                privileges(ctx, s, true);
            }
        }
        NodeEnum::RefreshMatViewStmt(s) if !s.skip_data => refresh(ctx, s),
        _ => {}
    }
}

fn privileges(ctx: &mut Context<'_>, s: &pg::GrantStmt, is_default: bool) {
    let selects = |p: &pg::Node| matches!(&p.node, Some(NodeEnum::AccessPriv(p)) if p.priv_name == "select");
    if s.objtype != pg::ObjectType::ObjectTable as i32
        || !s.privileges.is_empty() && !s.privileges.iter().any(selects)
    {
        return;
    }
    let listed = !is_default && s.targtype == pg::GrantTargetType::AclTargetObject as i32;
    let ids: Vec<ObjectId> =
        s.objects.iter().filter_map(|node| Some(ctx.resolved(&granted(s, node)?.id))).collect();
    let known = ctx.states.of::<Selects>();
    for grantee in roles(&s.grantees) {
        let grantee = role(grantee).map(str::to_owned);
        if !listed {
            if s.is_grant {
                known.unlisted.insert(grantee);
            }
            continue;
        }
        for id in &ids {
            let key = (id.clone(), grantee.clone());
            if s.is_grant {
                known.relations.insert(key);
            } else {
                known.relations.remove(&key);
            }
        }
    }
}

/// True for a role that read everything on the source, and does not on the target.
fn has_lost(owners: Owners<'_>, reader: &str) -> bool {
    let Some(source) = owners.states.get::<SourceAttributes>() else { return false };
    let read_all = |role: &String| *role == reader || owners.facts.reaches(role, reader);
    reader != owners.target.admin
        && owners.facts.makes_role(reader)
        && (source.superusers.contains(reader) || source.readers.iter().any(read_all))
}

fn may_select(owners: Owners<'_>, reader: &str, id: &ObjectId) -> bool {
    let has = |grantee: &Option<String>| {
        grantee.as_deref().is_none_or(|grantee| grantee == reader || owners.facts.reaches(grantee, reader))
    };
    let is_granted = |known: &Selects| {
        known.unlisted.iter().any(has)
            || known.relations.iter().any(|(granted, grantee)| granted == id && has(grantee))
    };
    owners.owns(reader, id) || owners.states.get::<Selects>().is_some_and(is_granted)
}

/// Finds what `reader` reads in this relation without the right to.
fn denied<'a>(
    owners: Owners<'a>,
    (id, reader): (&ObjectId, &'a str),
    seen: &mut BTreeSet<(ObjectId, &'a str)>,
    found: &mut Vec<(ObjectId, &'a str)>,
) {
    if !owners.facts.relations.contains_key(id) || !seen.insert((id.clone(), reader)) {
        return;
    }
    if has_lost(owners, reader) && !may_select(owners, reader, id) {
        found.push((id.clone(), reader));
    }
    let views = owners.states.get::<Views>();
    let Some(view) = views.and_then(|views| views.0.get(id)).filter(|view| !view.is_filled) else { return };
    let reader = if view.as_invoker { reader } else { owners.owner(id) };
    for id in &view.reads {
        denied(owners, (id, reader), seen, found);
    }
}

/// What is denied to the view: to its owner, and to owners of views that it reads.
fn denied_to_view<'a>(owners: Owners<'a>, id: &ObjectId) -> Vec<(ObjectId, &'a str)> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let view = owners.states.get::<Views>().and_then(|views| views.0.get(id));
    for read in view.into_iter().flat_map(|view| &view.reads) {
        denied(owners, (read, owners.owner(id)), &mut seen, &mut found);
    }
    found
}

fn refresh(ctx: &mut Context<'_>, s: &pg::RefreshMatViewStmt) {
    let Some(range) = &s.relation else { return };
    let (schema, name) = relation(range);
    let view = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
    let found = denied_to_view(Owners::of(ctx), &view);
    let Some((id, reader)) = found.first() else { return };
    let on = |(id, reader): &(ObjectId, &str), verb, to| {
        format!("{verb} SELECT ON {} {to} {};", id.path(), quoted(reader))
    };
    let before: Vec<String> = found.iter().map(|one| on(one, "GRANT", "TO")).collect();
    let after = found.iter().rev().map(|one| on(one, "REVOKE", "FROM")).collect();
    let words = format!("materialized view {}", view.path());
    // Where only the rewrite hands it over, it is filled as tsdbadmin until then.
    let severity = if member_by_dump(ctx, reader) { Severity::Error } else { Severity::Warning };
    let draft = Draft::new(format!("{words} is filled as {reader}, which may not read {} there", id.path()))
        .severity(severity)
        .object(words)
        .server(refusal(ctx.facts, id))
        .advice(format!("To refresh it later, too: {}", before.join(" ")))
        .fix(FixDraft::surround(
            format!("Lend {reader} the right to read {} for it", id.path()),
            before,
            after,
        ));
    ctx.report(draft);
}

fn refusal(facts: &Facts, id: &ObjectId) -> ServerError {
    let word = facts.relations.get(id).map_or("table", |relation| relation.word);
    ServerError::new("42501", format!("permission denied for {word} {}", id.name))
}

/// Who owns a view, and what that role may read, is known at the end.
fn finish(all: &mut Finish<'_>) {
    let owners = Owners { facts: all.facts, states: all.states, target: all.target };
    let views = owners.states.get::<Views>().into_iter().flat_map(|views| &views.0);
    let mut reports = Vec::new();
    for (view, kept) in views.filter(|(_, kept)| !kept.is_filled && !kept.as_invoker) {
        let is_there = owners.facts.relations.contains_key(view) && !owners.facts.absent.contains_key(view);
        if !is_there || !has_lost(owners, owners.owner(view)) {
            continue;
        }
        let found = denied_to_view(owners, view);
        let Some((id, reader)) = found.first() else { continue };
        let words = format!("view {}", view.path());
        let draft =
            Draft::new(format!("{words} reads {} as {reader}, which may not read it there", id.path()))
                .severity(Severity::Warning)
                .object(words)
                .server(refusal(owners.facts, id))
                .advice(format!("GRANT SELECT ON {} TO {};", id.path(), quoted(reader)));
        reports.push((kept.place, draft));
    }
    for (place, draft) in reports {
        all.report(place, draft);
    }
}
