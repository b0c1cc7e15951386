//! SEC-02: functions that ran with a superuser's privileges.

use std::collections::BTreeMap;

use crate::edit::Safety;
use crate::facts::names::{option, option_is_on};
use crate::facts::objects::created;
use crate::finding::Severity;
use crate::parse::{Class, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Finish, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::role::known::{SUPERUSER, SourceAttributes};

pub(crate) const RULE: Rule = Rule {
    id: "SEC-02",
    name: "superuser-function",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::limit("security.definer", "SECURITY DEFINER functions of superusers."),
    statements: &[StatementKind::CreateFunctionStmt],
    doc: Doc {
        summary: "A SECURITY DEFINER function that a superuser owns.",
        what: "Functions and procedures with SECURITY DEFINER whose owner, by the dump's own ALTER … OWNER TO, is a \
               superuser, another provider's administrator, or a role that has the name of one of the service's own.",
        why: "Such a function runs with its owner's privileges. On the target the owner is tsdbadmin, or the same role \
              without SUPERUSER: what the body does with a superuser's privileges fails when it is called. The restore \
              does not show it. Where an ordinary role has the name of the service's administrator, whoever can call its function acts as the administrator.",
        server: &["42501 permission denied for … (when it is called)"],
        help: "Read the body for what needs a superuser: files, pg_authid, other sessions, settings. What it does as \
               an owner of tables goes on working.",
        before: "CREATE FUNCTION public.f() RETURNS integer LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';\nALTER FUNCTION public.f() OWNER TO postgres;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL documentation, CREATE FUNCTION, Writing SECURITY DEFINER Functions Safely",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::CreateFunctionStmt(s) = node else { return };
    if !option(&s.options, "security").is_some_and(option_is_on) {
        return;
    }
    let Some(object) = created(node) else { return };
    let sets_path = s.options.iter().any(|node| {
        let Some(NodeEnum::DefElem(option)) = &node.node else { return false };
        matches!(
            option.arg.as_ref().and_then(|arg| arg.node.as_ref()),
            Some(NodeEnum::VariableSetStmt(set)) if set.name == "search_path"
        )
    });
    let mut draft = Draft::new(format!(
        "{} runs with its owner's privileges, who was a superuser and is none on the target",
        ctx.describe(&object)
    ))
    .object(ctx.describe(&object));
    if !sets_path {
        draft = draft.advice(
            "It sets no search_path either, so whoever calls it chooses which objects its names mean: add SET \
             search_path.",
        );
    }
    if let Some(range) = statement.words(&["SECURITY", "DEFINER"]) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// Only now the owners are known.
fn finish(all: &mut Finish<'_>) {
    let Finish { facts, states, target, findings, .. } = all;
    let source = states.get::<SourceAttributes>();
    let of_functions = facts.owners.iter().filter(|owner| owner.object.class == Class::Function);
    // The last one counts.
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    owners.extend(of_functions.map(|owner| (owner.object.path(), owner.role.to_string())));
    let owner_of = |object: &str| owners.get(object.split_once(' ').map_or("", |(_, path)| path));
    let was_superuser = |owner: &String| {
        owner == SUPERUSER
            || source.is_some_and(|source| source.superusers.contains(owner))
            || target.provider_of(owner).is_some()
    };
    findings.retain_mut(|finding| {
        if *finding.rule != RULE {
            return true;
        }
        let Some(object) = finding.object.clone() else { return false };
        let Some(owner) = owner_of(&object) else { return false };
        if was_superuser(owner) {
            return true;
        }
        let is_of_service = target.reserved_roles.contains_key(owner);
        if is_of_service {
            finding.message = format!(
                "{object} runs with the rights of its owner {owner}, which is a role of the service there: whoever may \
                 call it acts as {}",
                target.admin
            ).into();
        }
        is_of_service
    });
}
