//! SU-23: what reaches behind the database: files and programs of the server, WAL, replication, passwords.

use std::ops::Range;

use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, Reference, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::function::bodies::runs;

pub(crate) const RULE: Rule = Rule {
    id: "SU-23",
    name: "server-access",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit(
        "checkpoint etc.",
        "Statements and functions of the server's administration; in bodies they are FN-01's.",
    ),
    statement_groups: &[StatementKind::RUNNING],
    in_bodies: InBodies::Yes { queries: true, by_name: false },
    after: &["SU-20"],
    doc: Doc {
        summary: "Files and programs of the server, WAL, replication slots, passwords.",
        what: "COPY from or to a file or program of the server, a query that calls a function which only a superuser can \
               execute (pg_read_file, lo_import, pg_switch_wal, pg_reload_conf, pg_stat_reset) or which asks for \
               REPLICATION (pg_create_logical_replication_slot), and one that reads a table of the server which only a \
               superuser may read (pg_authid, pg_shadow, pg_largeobject).",
        why: "The server's machine, its log of changes and its passwords are the service's.",
        server: &[
            "42501 permission denied for function pg_read_file",
            "42501 permission denied to COPY from a file (15: must be superuser or have privileges of the \
             pg_read_server_files role to COPY from a file)",
            "42501 permission denied to COPY to or from an external program",
            "42501 permission denied to use replication slots (15: must be superuser or replication role to use \
             replication slots)",
            "42501 permission denied for table pg_authid",
            "42883 function pg_start_backup(…) does not exist (gone in 15)",
            "55P02 function can only be called when server is in binary upgrade mode",
        ],
        help: "Move files over the connection: \\copy and \\lo_import of psql, COPY … FROM STDIN. pg_roles has what \
               pg_authid shows without the passwords. The rest is the service's to do. --accept SU-23 leaves the \
               statement out.",
        before: "COPY app.prices FROM '/srv/import/prices.csv' WITH (FORMAT csv);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/system_functions.sql and system_views.sql; src/backend/commands/copy.c, DoCopy; \
             src/backend/replication/slot.c, CheckSlotPermissions",
            "has_function_privilege and has_any_column_privilege of pg_catalog on PostgreSQL 15, 17 and 18",
        ]),
        link: "https://www.postgresql.org/docs/current/functions-admin.html",
    },
    check,
    ..Rule::DEFAULT
};

/// Functions of pg_catalog that are gone, with the version that first lacks them (release notes).
const GONE: [(&str, u32); 4] =
    [("pg_start_backup", 15), ("pg_stop_backup", 15), ("pg_is_in_backup", 15), ("pg_backup_start_time", 15)];

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if let NodeEnum::CopyStmt(s) = node
        && (s.is_program || !s.filename.is_empty())
    {
        return copy(ctx, statement, s);
    }
    // What writes a table of the server is SU-20's.
    if !runs(node) || ctx.findings.iter().any(|finding| finding.rule.id == "SU-20") {
        return;
    }
    let found = statement.references().iter().find_map(|r| Some((r, refusal(ctx, r)?)));
    let Some((reference, refusal)) = found else { return };
    let what = format!("{} {}", refusal.word, reference.name);
    let mut draft = Draft::new(refusal.message).object(what.clone()).server(refusal.error).fix(
        FixDraft::remove("it is the service's to do").review().lost(format!("what is done with {what}")),
    );
    if let Some(advice) = refusal.advice {
        draft = draft.advice(advice);
    }
    if let Some(range) = place(statement, reference) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// The bytes of a reference.
pub(crate) fn place(statement: &Statement<'_>, reference: &Reference) -> Option<Range<usize>> {
    let at = usize::try_from(reference.location?).ok()?;
    statement
        .name_at(at)
        .or_else(|| statement.token_at(at).map(Statement::token_range))
        .filter(|r| !r.is_empty())
}

/// What the server says when a name is used.
pub(crate) struct Refusal {
    /// `function`, `table` or `view`.
    word: &'static str,
    /// What is wrong with it.
    pub(crate) message: String,
    /// The server's words.
    pub(crate) error: ServerError,
    /// What to do.
    pub(crate) advice: Option<&'static str>,
}

/// Why the restoring role cannot use this function or table of the server.
pub(crate) fn refusal(ctx: &Context<'_>, reference: &Reference) -> Option<Refusal> {
    let name = &*reference.name;
    if reference.schema.as_deref().is_some_and(|schema| schema != "pg_catalog") {
        return None;
    }
    let (target, version) = (ctx.target, ctx.target.version);
    let denied = |word: &'static str, verb: &str, advice| {
        let message = format!("only a superuser can {verb} {name}");
        let error = ServerError::new("42501", format!("permission denied for {word} {}", quoted(name)));
        Some(Refusal { word, message, error, advice })
    };
    match reference.class {
        Class::Relation => {
            let word = target.closed_relations.get(name)?;
            let advice = match name {
                "pg_authid" | "pg_shadow" => Some("pg_roles shows the same without the passwords."),
                "pg_largeobject" => Some("lo_get reads a large object that one owns."),
                "pg_statistic" => Some("pg_stats shows those of the tables that one may read."),
                _ => None,
            };
            denied(if word == "view" { "view" } else { "table" }, "read", advice)
        }
        Class::Function if reference.arguments.is_some() => {
            let closed =
                target.closed_functions.contains(name) || name == "pg_current_logfile" && version < 16;
            if closed {
                let file = ["pg_read_", "pg_ls_", "pg_stat_file", "lo_import", "lo_export"];
                let advice = file.iter().any(|start| name.starts_with(start)).then_some(
                    "The server's files are the service's: move them over the connection, with \\copy, COPY … FROM \
                     STDIN or psql's \\lo_import.",
                );
                return denied("function", "call", advice);
            }
            if target.replication_functions.contains(name) {
                let error = if version >= 16 {
                    ServerError::new("42501", "permission denied to use replication slots")
                        .detail("Only roles with the REPLICATION attribute may use replication slots.")
                } else {
                    ServerError::new(
                        "42501",
                        "must be superuser or replication role to use replication slots",
                    )
                };
                let message = format!("only a role with REPLICATION may call {name}");
                return Some(Refusal { word: "function", message, error, advice: None });
            }
            if name.starts_with("binary_upgrade_") {
                return Some(Refusal {
                    word: "function",
                    message: "this dump is for pg_upgrade, which alone can restore it".into(),
                    error: ServerError::new(
                        "55P02",
                        "function can only be called when server is in binary upgrade mode",
                    ),
                    advice: Some(
                        "Write the dump again without --binary-upgrade: what extensions and types it makes by such calls is missing.",
                    ),
                });
            }
            if name == "pg_import_system_collations" {
                let message = format!("only a superuser can call {name}");
                let error = ServerError::new("42501", "must be superuser to import system collations");
                return Some(Refusal { word: "function", message, error, advice: None });
            }
            let (_, since) = GONE.iter().find(|(gone, since)| *gone == name && *since <= version)?;
            let id = crate::facts::ObjectId::new(Class::Function, reference.schema.as_deref(), name);
            (!ctx.facts.overloads.contains_key(&ctx.resolved(&id))).then(|| Refusal {
                word: "function",
                message: format!("{name} is gone since PostgreSQL {since}"),
                error: ServerError::new("42883", format!("function {name}(…) does not exist")),
                advice: Some("Backups are the service's."),
            })
        }
        _ => None,
    }
}

fn copy(ctx: &mut Context<'_>, statement: &Statement<'_>, s: &pg::CopyStmt) {
    let (role, does) = match (s.is_program, s.is_from) {
        (true, _) => ("pg_execute_server_program", "COPY to or from an external program"),
        (false, true) => ("pg_read_server_files", "COPY from a file"),
        (false, false) => ("pg_write_server_files", "COPY to a file"),
    };
    let error = if ctx.target.version >= 16 {
        ServerError::new("42501", format!("permission denied to {does}"))
            .detail(format!("Only roles with privileges of the \"{role}\" role may {does}."))
    } else {
        ServerError::new(
            "42501",
            format!("must be superuser or have privileges of the {role} role to {does}"),
        )
    };
    let object = if s.is_program { "program" } else { "file" };
    let way = if s.is_from { "from" } else { "to" };
    let mut draft = Draft::new(format!("the target does not copy {way} a {object} of the server"))
        .object(format!("COPY {way} {object}"))
        .server(error)
        .advice("The client can: psql's \\copy, or COPY … FROM STDIN and TO STDOUT.")
        .fix(
            FixDraft::remove("files and programs of the server are the service's")
                .review()
                .lost("what COPY moves"),
        );
    let file = statement
        .code()
        .find(|token| token.kind == crate::parse::TokenKind::String && token.depth == 0)
        .map(Statement::token_range);
    if let Some(range) = file {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
