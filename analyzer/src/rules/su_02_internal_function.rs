//! SU-02: a function that is one of the server's own under another name.

use super::su_01_c_function::{language, language_range};
use super::{Context, Doc, Draft, FixDraft, Rule, TROUBLESHOOTING};
use crate::edit::Safety;
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::parse::NodeEnum;

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "SU-02",
    name: "internal-function",
    severity: Severity::Error,
    fix: Safety::Review,
    doc: Doc {
        summary: "A function in LANGUAGE internal.",
        what: "CREATE FUNCTION … LANGUAGE internal gives a name to a C function inside the server.",
        why: "It runs as the server itself, with whatever argument types were declared. Only a superuser may make \
               it.",
        server: &["42501 permission denied for language internal"],
        help: "Write it as LANGUAGE sql around the server's function: AS 'SELECT pg_catalog.sin($1)'. To leave it \
               out with everything that depends on it: --accept SU-02.",
        before: "CREATE FUNCTION app.sine(double precision) RETURNS double precision\n    LANGUAGE internal IMMUTABLE STRICT\n    AS $$dsin$$;",
        after: "",
        sources: &["PostgreSQL src/backend/commands/functioncmds.c, CreateFunction"],
        link: TROUBLESHOOTING,
    },
    check,
    finish: None,
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::CreateFunctionStmt(s) = node else { return };
    if !language(&s.options).is_some_and(|name| name.eq_ignore_ascii_case("internal")) {
        return;
    }
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let mut draft = Draft::new(format!("{words} is in language internal: only a superuser may make it"))
        .object(words.clone())
        .server(ServerError::new("42501", "permission denied for language internal"))
        .fix(
            FixDraft::remove("a function in language internal cannot be on the target").review().lost(words),
        );
    if let Some(range) = language_range(statement) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
