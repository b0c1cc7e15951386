//! EXT-09: extensions and libraries that the server has to load at its start.

use super::ext_01_unsupported_extension::extension_name;
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "EXT-09",
    name: "preloaded-library",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "extension.preload",
        "Extensions and parameters of libraries that the server must preload.",
    ),
    statements: &[StatementKind::CreateExtensionStmt, StatementKind::LoadStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "LOAD of a library, and extensions that the service has to enable.",
        what: "LOAD 'auto_explain' and its like; CREATE EXTENSION of an extension of which the service's list says \
               more than its name (pg_cron has to be enabled, ai is deprecated).",
        why: "Only a superuser can load a library that is not in the server's folder for plugins. Extensions that \
               need shared_preload_libraries work where the service has loaded them.",
        server: &[
            "42501 access to library \"auto_explain\" is not allowed",
            "55000 pgaudit must be loaded via shared_preload_libraries",
        ],
        help: "LOAD is removed: what the service needs is loaded. Ask the service's support to enable an extension before the restore.",
        before: "LOAD 'auto_explain';",
        after: "-- tsmigrate EXT-09: Remove it: the service loads its libraries itself\n-- LOAD 'auto_explain';",
        sources: Doc::sources(&[
            "tigerdata.com docs, Tiger Cloud extensions (the target file has the lists and their dates)",
            "PostgreSQL src/backend/utils/fmgr/dfmgr.c, check_restricted_library_name",
        ]),
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::LoadStmt(s) => {
            let name = &s.filename;
            // Anyone may load what is in the folder for plugins.
            let plugin = name.strip_prefix("$libdir/plugins/").is_some_and(|rest| !rest.contains('/'));
            let server = if plugin {
                ServerError::new(
                    "58P01",
                    format!("could not access file \"{name}\": No such file or directory"),
                )
            } else {
                ServerError::new("42501", format!("access to library \"{name}\" is not allowed"))
            };
            let draft = Draft::new(format!("library {name} cannot be loaded on the target"))
                .object(format!("library {name}"))
                .server(server)
                .fix(
                    FixDraft::remove("the service loads its libraries itself").lost(format!("LOAD '{name}'")),
                );
            ctx.report(draft);
        }
        NodeEnum::CreateExtensionStmt(s) => {
            let name = &s.extname;
            let Some(remark) = ctx.target.extension_notes.get(name) else { return };
            if !ctx.target.allows_extension(name) || ctx.target.installed_in(name).is_some() {
                return;
            }
            let mut draft =
                Draft::new(format!("extension \"{name}\" is on the target's list, but: {remark}"))
                    .severity(Severity::Warning)
                    .object(format!("extension {}", quoted(name)));
            if ctx.target.preloaded_extensions.contains(name) {
                let error = format!("{name} can only be loaded via shared_preload_libraries");
                draft = draft.server(ServerError::new("55000", error));
            }
            if let Some(advice) = ctx.target.extension_advice.get(name) {
                draft = draft.advice(advice);
            }
            if let Some(range) = extension_name(statement) {
                draft = draft.at(range);
            }
            ctx.report(draft);
        }
        _ => {}
    }
}
