//! ROLE-04: SUPERUSER, REPLICATION and BYPASSRLS of a role, in their NO forms too.

use super::{Context, Doc, Draft, FixDraft, Rule, TROUBLESHOOTING};
use crate::edit::Safety;
use crate::facts::names::{option_is_on, options, role};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, pg};

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "ROLE-04",
    name: "superuser-attribute",
    severity: Severity::Error,
    fix: Safety::Safe,
    doc: Doc {
        summary: "A role's SUPERUSER, REPLICATION or BYPASSRLS, with or without NO.",
        what: "pg_dumpall writes every attribute of every role: ALTER ROLE app WITH NOSUPERUSER … NOREPLICATION \
               NOBYPASSRLS. In CREATE ROLE the NO forms are harmless, in ALTER ROLE they are not.",
        why: "The server looks at whether the attribute is mentioned, not at its value: only a superuser may \
              mention SUPERUSER, and the others only who has them. tsdbadmin has none of the three.",
        server: &[
            "42501 permission denied to alter role (16 and newer)",
            "DETAIL Only roles with the SUPERUSER attribute may change the SUPERUSER attribute.",
            "42501 must be superuser to alter superuser roles or change superuser attribute (15 and older)",
        ],
        help: "The attributes are taken out, token by token: names, passwords and comments are never touched. A role \
               that really had one of them loses it: grant what it needs (policies for BYPASSRLS, the service's own \
               features for REPLICATION).",
        before: "ALTER ROLE app WITH NOSUPERUSER LOGIN NOREPLICATION NOBYPASSRLS;",
        after: "ALTER ROLE app WITH LOGIN;",
        sources: &["PostgreSQL src/backend/commands/user.c, AlterRole and CreateRole"],
        link: TROUBLESHOOTING,
    },
    check,
    finish: None,
};

/// The option's name in the tree with its words in SQL and in messages.
const ATTRIBUTES: [(&str, &str, &str); 3] = [
    ("superuser", "superuser", "superuser"),
    ("isreplication", "replication", "replication"),
    ("bypassrls", "bypassrls", "bypassrls"),
];

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
            let (_, word, _) = ATTRIBUTES.iter().find(|(defname, ..)| *defname == option.defname)?;
            let on = option_is_on(option);
            (alter || on).then_some((index, *word, on))
        })
        .collect();
    if found.is_empty() {
        return;
    }
    let mut fix = FixDraft::edit(format!(
        "remove {}",
        found.iter().map(|(_, word, on)| written(word, *on)).collect::<Vec<_>>().join(", ")
    ));
    if alter && found.len() == nodes.len() {
        fix = FixDraft::remove("nothing is left of it without the superuser attributes");
    }
    let mut first = None;
    for (index, word, on) in &found {
        // Attributes are identifiers to the scanner (gram.y, AlterOptRoleElem), quoted or not.
        let text = written(word, *on);
        let Some(token) = statement.code().find(|token| {
            token.depth == 0
                && token.identifier(statement.sql()).is_some_and(|word| word.eq_ignore_ascii_case(&text))
        }) else {
            return;
        };
        let range = token.start..token.end;
        fix =
            fix.delete(statement.with_gap(&range)).change(Change::Remove(format!("/{kind}/options/{index}")));
        first.get_or_insert(range);
    }
    let had: Vec<&str> = found.iter().filter(|(_, _, on)| *on).map(|(_, word, _)| *word).collect();
    let (verb, object) = if alter { ("alter", "role") } else { ("create", "role") };
    let message = if had.is_empty() {
        format!("only a superuser may mention {}, even in the NO form", listed(&found))
    } else {
        let attributes = had.iter().map(|word| word.to_uppercase()).collect::<Vec<_>>().join(", ");
        fix = fix.lost(format!("{attributes} of role {name}"));
        format!("role \"{name}\" cannot have {attributes} on the target")
    };
    let word = found[0].1;
    let upper = word.to_uppercase();
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
    let _ = verb;
    let mut draft = Draft::new(message).object(format!("{object} {name}")).server(error).fix(fix);
    if let Some(range) = first {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

fn written(word: &str, on: bool) -> String {
    if on { word.to_uppercase() } else { format!("NO{}", word.to_uppercase()) }
}

fn listed(found: &[(usize, &str, bool)]) -> String {
    found.iter().map(|(_, word, _)| word.to_uppercase()).collect::<Vec<_>>().join(", ")
}
