//! ROLE-05: passwords that will not work for long, or that do not come along.

use crate::edit::Safety;
use crate::facts::names::{option, option_is_on, option_text, role};
use crate::finding::Severity;
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{About, Answers, Context, Doc, Draft, Finish, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "ROLE-05",
    name: "role-password",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::limit("role.password", "Missing and MD5 passwords."),
    also_answers: &["PG-18", "NS-5"],
    statements: &[StatementKind::AlterRoleStmt, StatementKind::CreateRoleStmt],
    about: About::File,
    doc: Doc {
        summary: "A password kept as MD5, or a role that logs in and comes without a password.",
        what: "Roles with PASSWORD 'md5…', and roles with LOGIN for which the dump has no password at all: that is \
               how pg_dumpall --no-role-passwords writes them.",
        why: "A server keeps what it is given, but a service may let nobody log in with MD5, and PostgreSQL 18 warns \
              that it will go. A role without a password cannot log in to a service at all.",
        server: &[
            "WARNING 01P01 setting an MD5-encrypted password (18 and newer)",
            "DETAIL MD5 password support is deprecated and will be removed in a future release of PostgreSQL.",
        ],
        help: "Set the password again with password_encryption = 'scram-sha-256': ALTER ROLE app WITH PASSWORD '…', \
               or \\password app in psql. Passwords kept as SCRAM-SHA-256 come along as they are.",
        before: "CREATE ROLE app;\nALTER ROLE app WITH LOGIN PASSWORD 'md500000000000000000000000000000000';",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL 18 release notes, MD5 password authentication",
            "timescale/docs, migrate, Managed Service for TimescaleDB: --no-role-passwords",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let (name, options, user): (&str, &[pg::Node], bool) = match node {
        NodeEnum::CreateRoleStmt(s) => {
            (&s.role, &s.options, s.stmt_type == pg::RoleStmtType::RolestmtUser as i32)
        }
        NodeEnum::AlterRoleStmt(s) => match s.role.as_ref().and_then(role) {
            Some(name) => (name, &s.options, false),
            None => return,
        },
        _ => return,
    };
    let password = option(options, "password");
    if password.and_then(option_text).is_some_and(is_md5) {
        let new = if ctx.target.version >= 18 { ", and the server warns of it" } else { "" };
        let mut draft =
            Draft::new(format!("the password of {name} is kept as MD5, which a service may not let in{new}"))
                .object(format!("role {name}"))
                .advice("Set it again on the target if logging in fails: ALTER ROLE … WITH PASSWORD '…'.");
        if let Some(range) = statement.words(&["PASSWORD"]) {
            draft = draft.at(range);
        }
        ctx.report(draft);
        return;
    }
    let login = option(options, "canlogin").map_or(user, option_is_on);
    if login && password.is_none_or(|password| password.arg.is_none()) {
        let mut draft = Draft::new(no_password(name))
            .severity(Severity::Note)
            .object(format!("role {name}"))
            .advice("Set one on the target: ALTER ROLE … WITH PASSWORD '…', or \\password in psql.");
        if let Some(range) = statement.words(&["LOGIN"]) {
            draft = draft.at(range);
        }
        ctx.report(draft);
    }
}

fn no_password(name: &str) -> String {
    format!("role {name} logs in, but no password comes with it")
}

/// `md5` and 32 hexadecimal digits (crypt.c, get_password_type).
fn is_md5(text: &str) -> bool {
    text.len() == 35 && text.strip_prefix("md5").is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// A password may come in a later statement.
fn finish(all: &mut Finish<'_>) {
    let facts = all.facts;
    all.findings.retain(|finding| {
        let name = finding.object.as_deref().and_then(|object| object.strip_prefix("role "));
        let later = name.and_then(|name| facts.roles.get(name)).is_some_and(|role| role.password);
        *finding.rule != RULE || finding.severity != Severity::Note || !later
    });
}
