//! EXT-10: procedural languages that the target does not have, or not for everyone.

use std::ops::Range;

use crate::edit::Safety;
use crate::facts::names::{option, option_text, quoted, role};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::clauses::{absence, has_extension, providers};
use crate::rules::superuser::su_01_c_function::{language, language_range};
use crate::target::{is_builtin, members};

pub(crate) const RULE: Rule = Rule {
    id: "EXT-10",
    name: "language",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("language", "Languages that the service does not have."),
    statements: &[
        StatementKind::AlterOwnerStmt,
        StatementKind::CommentStmt,
        StatementKind::CreateFunctionStmt,
        StatementKind::CreatePlangStmt,
        StatementKind::DoStmt,
        StatementKind::DropStmt,
        StatementKind::RenameStmt,
    ],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "CREATE LANGUAGE with a handler, changes of a language, and functions in languages that the \
               target does not have.",
        what: "CREATE LANGUAGE … HANDLER; ALTER, DROP and COMMENT ON LANGUAGE; functions, procedures and DO in plpython3u, plperlu, pltclu, plr, plv8, java and others. SQL, PL/pgSQL and (trusted) PL/Perl are allowed; C and internal are SU-01 and SU-02.",
        why: "Only a superuser can create a language, and only superusers can use untrusted ones. The service \
               has plpgsql and plperl.",
        server: &[
            "42501 must be superuser to create custom procedural language",
            "42501 must be owner of language plpgsql",
            "42704 language \"plv8\" does not exist",
            "42501 permission denied for language plpython3u",
        ],
        help: "Write the functions again in PL/pgSQL, SQL or PL/Perl, or move them to the application. To leave \
               them out with all that calls them: --accept EXT-10 (or --accept EXT-01, where the dump creates the language's extension).",
        before: "CREATE FUNCTION app.word(text) RETURNS text\n    LANGUAGE plv8\n    AS $$return $1.split(' ')[0]$$;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/proclang.c, CreateProceduralLanguage; functioncmds.c, CreateFunction",
            "tigerdata.com docs, Tiger Cloud extensions (the target file has the lists and their dates)",
        ]),
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreatePlangStmt(s) => {
            let words = format!("language {}", quoted(&s.plname));
            let name = &s.plname;
            let fix = FixDraft::remove("only a superuser can create a language");
            let fix = match trusted(ctx, name) {
                _ if is_there(ctx, name) => fix.present(),
                Some(extension) => FixDraft::replace_with(
                    format!("Create extension {extension}, which brings it"),
                    vec![format!("CREATE EXTENSION IF NOT EXISTS {};", quoted(extension))],
                )
                .present(),
                None => fix.lost(words.clone()),
            };
            let draft = Draft::new(format!("only a superuser can create {words}"))
                .object(words)
                .server(ServerError::new("42501", "must be superuser to create custom procedural language"))
                .fix(fix);
            ctx.report(draft);
        }
        NodeEnum::CommentStmt(_)
        | NodeEnum::AlterOwnerStmt(_)
        | NodeEnum::DropStmt(_)
        | NodeEnum::RenameStmt(_) => {
            let Some(object) = subject(node).filter(|object| object.id.class == Class::Language) else {
                return;
            };
            // Of others DEP-02 says that there is nothing to drop.
            if matches!(node, NodeEnum::DropStmt(_)) && !is_builtin(Class::Language, &object.id.name) {
                return;
            }
            // The language is the bootstrap superuser's already: asking for that again is no change, and passes.
            let no_change = matches!(node, NodeEnum::AlterOwnerStmt(s)
                if s.newowner.as_ref().and_then(role) == Some("postgres"));
            if ctx.facts.absence(&object.id).is_some() {
                return;
            }
            // pg_dump writes a language of the user's own with a handler of the server's as if it were an extension.
            let name = object.id.name.to_string();
            let is_missing = !is_there(ctx, &name) && !is_brought(ctx, &name);
            if no_change && !is_missing {
                return;
            }
            let (server, why) = if is_missing {
                let server = ServerError::new("42704", format!("language \"{name}\" does not exist"));
                (server, format!("there is no language {name}"))
            } else {
                let server = ServerError::new("42501", format!("must be owner of language {name}"));
                (server, "the superuser owns languages".to_owned())
            };
            let fix = FixDraft::remove(why);
            let fix = match node {
                NodeEnum::CommentStmt(_) => fix.lost(format!("comment on {object}")),
                _ => fix,
            };
            let message = if is_missing { "is not on the target" } else { "belongs to the superuser" };
            let draft =
                Draft::new(format!("{object} {message}")).object(object.to_string()).server(server).fix(fix);
            ctx.report(draft);
        }
        NodeEnum::CreateFunctionStmt(s) => {
            let Some(language) = language(&s.options).map(str::to_ascii_lowercase) else { return };
            let Some(object) = created(node) else { return };
            let words = ctx.describe(&object);
            used(ctx, &language, &words, language_range(statement));
        }
        NodeEnum::DoStmt(s) => {
            let Some(language) = option(&s.args, "language").and_then(option_text) else { return };
            used(ctx, &language.to_ascii_lowercase(), "DO block", language_range(statement));
        }
        _ => {}
    }
}

/// True where everyone may use the language.
fn is_there(ctx: &Context<'_>, language: &str) -> bool {
    is_builtin(Class::Language, language)
        || providers(Class::Language, language).iter().any(|extension| {
            has_extension(ctx, extension) && members(extension).is_some_and(|known| known.trusted)
        })
}

/// True where an extension that the target gets brings the language, trusted or not.
fn is_brought(ctx: &Context<'_>, language: &str) -> bool {
    providers(Class::Language, language).iter().any(|extension| has_extension(ctx, extension))
}

/// The extension that brings a language that everyone may use, where the target takes it.
fn trusted(ctx: &Context<'_>, language: &str) -> Option<&'static str> {
    providers(Class::Language, language).into_iter().find(|extension| {
        ctx.target.allows_extension(extension) && members(extension).is_some_and(|known| known.trusted)
    })
}

fn used(ctx: &mut Context<'_>, language: &str, words: &str, range: Option<Range<usize>>) {
    if is_there(ctx, language) {
        return;
    }
    let root = absence(ctx, Class::Language, language).cloned();
    let bringing = providers(Class::Language, language);
    let allowed = trusted(ctx, language);
    let untrusted = is_brought(ctx, language);
    let server = if untrusted {
        ServerError::new("42501", format!("permission denied for language {language}"))
    } else {
        ServerError::new("42704", format!("language \"{language}\" does not exist"))
            .hint("Use CREATE EXTENSION to load the language into the database.")
    };
    let mut draft = Draft::new(format!("{words} needs language {language}, which the target does not have"))
        .object(words)
        .server(server);
    if let Some(range) = range {
        draft = draft.at(range);
    }
    if let Some(root) = &root {
        draft = draft.cause(ctx.registry.cause(root));
    }
    draft = match allowed {
        // The dump was cut to some schemas: pg_dump leaves extensions out then.
        Some(extension) if root.is_none() => draft.fix(FixDraft::surround(
            format!("Create extension {extension} first"),
            vec![format!("CREATE EXTENSION IF NOT EXISTS {};", quoted(extension))],
            Vec::new(),
        )),
        _ => {
            if let Some(advice) =
                bringing.iter().find_map(|extension| ctx.target.extension_advice.get(*extension))
            {
                draft = draft.advice(advice);
            }
            draft.fix(FixDraft::remove(format!("there is no language {language}")).review().lost(words))
        }
    };
    ctx.report(draft);
}
