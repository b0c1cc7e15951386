//! ROLE-04: SUPERUSER, REPLICATION and BYPASSRLS of a role, in their NO forms too.

use super::known::SourceAttributes;
use crate::edit::Safety;
use crate::facts::names::{option_is_on, options, role};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-04",
    name: "superuser-attribute",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "role.superuser-attrs",
        "SUPERUSER, REPLICATION and BYPASSRLS, with NO and without.",
    ),
    also_answers: &["PG-16"],
    statements: &[StatementKind::AlterRoleStmt, StatementKind::CreateRoleStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "A role's SUPERUSER, REPLICATION or BYPASSRLS, with or without NO.",
        what: "pg_dumpall writes every attribute of every role: ALTER ROLE app WITH NOSUPERUSER … NOREPLICATION \
               NOBYPASSRLS. In CREATE ROLE the NO forms are harmless, in ALTER ROLE they are not.",
        why: "The server looks at whether the attribute is mentioned, not at its value: only a superuser can \
              mention SUPERUSER, and the others only who has them. tsdbadmin has none of the three.",
        server: &[
            "42501 permission denied to alter role (16 and newer)",
            "DETAIL Only roles with the SUPERUSER attribute may change the SUPERUSER attribute.",
            "42501 must be superuser to alter superuser roles or change superuser attribute (15 and older)",
        ],
        help: "The attributes are removed, token by token: names, passwords and comments are never touched. A role that really had one of them loses it: grant what it needs (policies for BYPASSRLS, the service's own features for REPLICATION). A superuser of the source is an ordinary role on the target, and keeps what it owns.",
        before: "ALTER ROLE app WITH NOSUPERUSER LOGIN NOREPLICATION NOBYPASSRLS;",
        after: "ALTER ROLE app WITH LOGIN;",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/user.c, AlterRole and CreateRole"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// The option's name in the tree with its word in SQL and in messages.
const ATTRIBUTES: [(&str, &str); 3] =
    [("superuser", "superuser"), ("isreplication", "replication"), ("bypassrls", "bypassrls")];

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let (nodes, name, alter, kind): (&[pg::Node], &str, bool, &str) = match node {
        NodeEnum::AlterRoleStmt(s) => match s.role.as_ref().and_then(role) {
            Some(name) => (&s.options, name, true, "AlterRoleStmt"),
            None => return,
        },
        NodeEnum::CreateRoleStmt(s) => (&s.options, &s.role, false, "CreateRoleStmt"),
        _ => return,
    };
    let found: Vec<_> = options(nodes)
        .enumerate()
        .filter_map(|(index, option)| {
            let (_, word) = ATTRIBUTES.iter().find(|(defname, _)| *defname == option.defname)?;
            let on = option_is_on(option);
            (alter || on).then_some((index, *word, on))
        })
        .collect();
    if found.is_empty() {
        return;
    }
    let mut fix = FixDraft::edit(format!(
        "Remove {}",
        found.iter().map(|(_, word, on)| written(word, *on)).collect::<Vec<_>>().join(", ")
    ));
    if alter && found.len() == nodes.len() {
        fix = FixDraft::remove("nothing is left of it without the superuser attributes");
    }
    let mut first = None;
    for (index, word, on) in &found {
        if *on {
            ctx.states.of::<SourceAttributes>().add(name, word);
        }
        let at = options(nodes).nth(*index).and_then(|option| usize::try_from(option.location).ok());
        let Some(token) = at.and_then(|at| statement.token_at(at)) else { return };
        let range = token.start..token.end;
        let mut gone = range.clone();
        if found.len() == nodes.len() && first.is_none() {
            // A WITH does not stand alone.
            let before = statement.code().rfind(|with| with.end <= token.start);
            if let Some(with) = before.filter(|with| with.is_word(statement.sql(), "WITH")) {
                gone.start = with.start;
            }
        }
        fix =
            fix.delete(statement.with_gap(&gone)).change(Change::Remove(format!("/{kind}/options/{index}")));
        first.get_or_insert(range);
    }
    let had: Vec<&str> = found.iter().filter(|(_, _, on)| *on).map(|(_, word, _)| *word).collect();
    let message = if had.is_empty() {
        format!("only a superuser can mention {}, even in the NO form", listed(&found))
    } else {
        let attributes = had.iter().map(|word| word.to_ascii_uppercase()).collect::<Vec<_>>().join(", ");
        fix = fix.lost(format!("{attributes} of role {name}"));
        format!("role \"{name}\" cannot have {attributes} on the target")
    };
    let Some((_, word, _)) = found.first().copied() else { return };
    let upper = word.to_ascii_uppercase();
    let error = match (alter, ctx.target.version >= 16) {
        (true, true) => ServerError::new("42501", "permission denied to alter role")
            .detail(format!("Only roles with the {upper} attribute may change the {upper} attribute.")),
        (false, true) => ServerError::new("42501", "permission denied to create role").detail(format!(
            "Only roles with the {upper} attribute may create roles with the {upper} attribute."
        )),
        (true, false) => ServerError::new(
            "42501",
            match word {
                "bypassrls" => "must be superuser to change bypassrls attribute".to_owned(),
                _ => format!("must be superuser to alter {word} roles or change {word} attribute"),
            },
        ),
        (false, false) => ServerError::new(
            "42501",
            match word {
                "superuser" => "must be superuser to create superusers".to_owned(),
                _ => format!("must be superuser to create {word} users"),
            },
        ),
    };
    let mut draft = Draft::new(message).object(format!("role {name}")).server(error).fix(fix);
    if let Some(range) = first {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

fn written(word: &str, on: bool) -> String {
    if on { word.to_ascii_uppercase() } else { format!("NO{}", word.to_ascii_uppercase()) }
}

fn listed(found: &[(usize, &str, bool)]) -> String {
    found.iter().map(|(_, word, _)| word.to_ascii_uppercase()).collect::<Vec<_>>().join(", ")
}
