//! FDW-01: foreign-data wrappers, servers and user mappings.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{option, option_text, options, quoted, role};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, Class, NodeEnum, Reference, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::{absence, from_list, has_extension, providers};
use crate::rules::role::known::{Known, known};

pub(crate) const RULE: Rule = Rule {
    id: "FDW-01",
    name: "foreign-data-wrapper",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("fdw", "Foreign-data wrappers, servers and user mappings."),
    statements: &[
        StatementKind::AlterFdwStmt,
        StatementKind::AlterOwnerStmt,
        StatementKind::CommentStmt,
        StatementKind::CreateFdwStmt,
        StatementKind::CreateForeignServerStmt,
        StatementKind::CreateUserMappingStmt,
    ],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    after: &["DB-07"],
    doc: Doc {
        summary: "Foreign-data wrappers made by hand, servers on wrappers that are missing, user mappings that \
               only a superuser can create.",
        what: "CREATE and ALTER FOREIGN DATA WRAPPER, CREATE SERVER on a wrapper that neither an extension of the \
               dump nor the target brings, or that a live target keeps from the administrator, the options password_required=false, sslcert and sslkey of user \
               mappings; and, as notes, passwords in clear text and servers that have to be reachable from the \
               service.",
        why: "A wrapper runs C code: only a superuser can create one. postgres_fdw is on every service, and tsdbadmin can use it.",
        server: &[
            "42501 permission denied to create foreign-data wrapper \"myfdw\"",
            "42704 foreign-data wrapper \"myfdw\" does not exist",
            "42501 password_required=false is superuser-only",
            "42501 sslcert and sslkey are superuser-only",
            "08001 could not connect to server \"s\" (at use, where the service cannot reach it)",
            "2F003 password or GSSAPI delegated credentials required (at use, without a password)",
        ],
        help: "Wrappers are removed. Servers and foreign tables on postgres_fdw stay; what is on other wrappers is listed: load its data in another way, then --accept FDW-01. Change passwords that stand in a dump.",
        before: "CREATE FOREIGN DATA WRAPPER myfdw;",
        after: "-- tsmigrate FDW-01: Remove it: the target cannot have a wrapper of its own\n-- CREATE FOREIGN DATA WRAPPER myfdw;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/foreigncmds.c, CreateForeignDataWrapper, CreateForeignServer",
            "PostgreSQL contrib/postgres_fdw/option.c, postgres_fdw_validator",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreateFdwStmt(s) => {
            let error = format!("permission denied to create foreign-data wrapper \"{}\"", s.fdwname);
            let words = format!("foreign-data wrapper {}", quoted(&s.fdwname));
            let draft = Draft::new(format!("only a superuser can create {words}"))
                .object(words.clone())
                .server(
                    ServerError::new("42501", error)
                        .hint("Must be superuser to create a foreign-data wrapper."),
                )
                .fix(FixDraft::remove("the target cannot have a wrapper of its own").lost(words));
            ctx.report(draft);
        }
        NodeEnum::AlterFdwStmt(_) | NodeEnum::AlterOwnerStmt(_) | NodeEnum::CommentStmt(_) => {
            let Some(object) = subject(node).filter(|o| o.id.class == Class::ForeignDataWrapper) else {
                return;
            };
            // Whether it is there is looked at last in ALTER, first in the others.
            if !matches!(node, NodeEnum::AlterFdwStmt(_)) && ctx.facts.absence(&object.id).is_some() {
                return;
            }
            let name = &object.id.name;
            let server = match node {
                NodeEnum::AlterFdwStmt(_) => ServerError::new(
                    "42501",
                    format!("permission denied to alter foreign-data wrapper \"{name}\""),
                )
                .hint("Must be superuser to alter a foreign-data wrapper."),
                NodeEnum::AlterOwnerStmt(_) => ServerError::new(
                    "42501",
                    format!("permission denied to change owner of foreign-data wrapper \"{name}\""),
                )
                .hint("Must be superuser to change owner of a foreign-data wrapper."),
                _ => ServerError::new("42501", format!("must be owner of foreign-data wrapper {name}")),
            };
            let fix = FixDraft::remove("the superuser owns wrappers");
            let fix = match node {
                NodeEnum::AlterOwnerStmt(_) => fix,
                _ => fix.lost(format!("change of {object}")),
            };
            let draft = Draft::new(format!("{object} belongs to the superuser"))
                .object(object.to_string())
                .server(server)
                .fix(fix);
            ctx.report(draft);
        }
        NodeEnum::CreateForeignServerStmt(s) => server(ctx, s),
        NodeEnum::CreateUserMappingStmt(s) => mapping(ctx, s),
        _ => {}
    }
}

fn server(ctx: &mut Context<'_>, s: &pg::CreateForeignServerStmt) {
    let Some((statement, _)) = ctx.node() else { return };
    let words = format!("server {}", quoted(&s.servername));
    let wrapper = &s.fdwname;
    if absence(ctx, Class::ForeignDataWrapper, wrapper).is_some() {
        return;
    }
    let declared = ctx.facts.declares(&ObjectId::new(Class::ForeignDataWrapper, None, wrapper));
    let bringing = providers(Class::ForeignDataWrapper, wrapper);
    if !declared && !bringing.iter().any(|extension| has_extension(ctx, extension)) {
        let range = statement.words(&["WRAPPER"]).and_then(|word| statement.name_at(word.end));
        let mut draft =
            Draft::new(format!("{words} is on wrapper {wrapper}, which nothing in this dump brings"))
                .object(words.clone())
                .server(ServerError::new(
                    "42704",
                    format!("foreign-data wrapper \"{wrapper}\" does not exist"),
                ))
                .fix(FixDraft::remove(format!("there is no wrapper {wrapper}")).review().lost(words));
        if let Some(range) = range {
            draft = draft.at(range);
        }
        ctx.report(draft);
        return;
    }
    if ctx.target.refused_wrappers.contains(wrapper) {
        let admin = quoted(&ctx.target.admin);
        let name = quoted(wrapper);
        let draft =
            Draft::new(format!("{admin} cannot use wrapper {name} on the target: it cannot create {words}"))
                .object(words.clone())
                .server(ServerError::new(
                    "42501",
                    format!("permission denied for foreign-data wrapper {wrapper}"),
                ))
                .advice(format!(
                    "Ask the provider for it: GRANT USAGE ON FOREIGN DATA WRAPPER {name} TO {admin};"
                ))
                .fix(
                    FixDraft::remove(format!("the target keeps wrapper {name} to itself"))
                        .review()
                        .lost(words),
                );
        ctx.report(draft);
        return;
    }
    // A server that leads back to its own database is DB-07's.
    if ctx.findings.iter().any(|finding| finding.rule.id == "DB-07") {
        return;
    }
    let host = option(&s.options, "host").or_else(|| option(&s.options, "hostaddr")).and_then(option_text);
    let draft = Draft::new(match host {
        Some(host) => format!("{words} connects to {host}: the service has to be able to reach it"),
        None => format!("{words} names no host: it would connect to the service's own machine"),
    })
    .severity(Severity::Note)
    .object(words)
    .advice(
        "A service reaches addresses on the internet, and not those inside a customer's VPC through peering.",
    );
    ctx.report(draft);
}

fn mapping(ctx: &mut Context<'_>, s: &pg::CreateUserMappingStmt) {
    let Some((statement, node)) = ctx.node() else { return };
    let Some(object) = created(node) else { return };
    if ctx.facts.missing(&Reference::new(Class::Server, None, &s.servername)).is_some() {
        return;
    }
    let words = object.to_string();
    if let Some(role) = s.user.as_ref().and_then(role)
        && matches!(known(ctx, role), Known::Missing | Known::Provider(_))
    {
        let mut draft =
            Draft::new(format!("{words} is for a role that is missing: these files do not create it"))
                .object(words.clone())
                .server(ServerError::missing_role(role))
                .advice("Give the roles dump together with this one (pg_dumpall --roles-only).")
                .fix(FixDraft::remove(format!("there is no role {role}")).review().lost(words));
        if let Some(range) = statement.words(&["FOR"]).and_then(|word| statement.name_at(word.end)) {
            draft = draft.at(range);
        }
        ctx.report(draft);
        return;
    }
    let refused: Vec<(usize, &pg::DefElem)> = options(&s.options)
        .enumerate()
        .filter(|(_, option)| match option.defname.as_str() {
            "password_required" => option_text(option) == Some("false"),
            "sslcert" | "sslkey" => true,
            _ => false,
        })
        .collect();
    if let Some((_, first)) = refused.first() {
        let gone: Vec<usize> = refused.iter().map(|(index, _)| *index).collect();
        let names: Vec<&str> = refused.iter().map(|(_, option)| option.defname.as_str()).collect();
        let names = names.join(", ");
        let error = if first.defname == "password_required" {
            "password_required=false is superuser-only"
        } else {
            "sslcert and sslkey are superuser-only"
        };
        let fix = match from_list(statement, &s.options, &gone) {
            Some(ranges) => {
                let fix =
                    ranges.into_iter().fold(FixDraft::edit(format!("Remove {names}")), FixDraft::delete);
                gone.iter().fold(fix, |fix, index| {
                    fix.change(Change::Remove(format!("/CreateUserMappingStmt/options/{index}")))
                })
            }
            None => FixDraft::remove(format!("nothing is left of it without {names}")),
        };
        let draft = Draft::new(format!("only a superuser can give {words} {names}"))
            .object(words.clone())
            .server(ServerError::new("42501", error))
            .fix(fix.lost(format!("{names} of {words}: it needs a password")));
        let range = crate::rules::clauses::start(first).and_then(|at| statement.name_at(at));
        ctx.report(match range {
            Some(range) => draft.at(range),
            None => draft,
        });
    }
    let draft = if option(&s.options, "password").is_some() {
        Draft::new(format!("{words} has its password in clear text: everyone who sees this dump can use it"))
            .advice("Keep the dump safe, and change the password after the migration.")
    } else {
        Draft::new(format!("{words} has no password: only superusers can connect without one"))
            .server(ServerError::new("2F003", "password or GSSAPI delegated credentials required").detail(
                "Non-superusers must delegate GSSAPI credentials, provide a password, or enable SCRAM \
                     pass-through in user mapping.",
            ))
            .advice("Add one: ALTER USER MAPPING … OPTIONS (ADD password '…').")
    };
    ctx.report(draft.severity(Severity::Warning).object(words));
}
