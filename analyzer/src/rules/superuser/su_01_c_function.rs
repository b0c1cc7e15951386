//! SU-01: a function in C.

use std::ops::Range;

use crate::edit::Safety;
use crate::facts::names::{option, option_text, string};
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::target::members;

pub(crate) const RULE: Rule = Rule {
    id: "SU-01",
    name: "c-function",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("func.c", "Functions in C."),
    also_answers: &["SU-15"],
    statements: &[StatementKind::CreateFunctionStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "A function in C.",
        what: "CREATE FUNCTION … LANGUAGE c: a function in a library on the server's disk. What an extension brings is not in a dump: these functions were made by hand, or belong to an extension older than CREATE EXTENSION. Conversions (SU-15) are allowed where their function is PostgreSQL's own; one with a C function goes with it.",
        why: "C code runs as the server itself. Only a superuser can create such a function, and the library is not \
               on the service's disk.",
        server: &["42501 permission denied for language c"],
        help: "Use the extension that has the function, where the service takes it, or write the function in SQL \
               or PL/pgSQL. To leave it out with everything that depends on it: --accept SU-01.",
        before: "CREATE FUNCTION public.add_one(integer) RETURNS integer\n    LANGUAGE c STRICT\n    AS '$libdir/my_functions', 'add_one';",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/functioncmds.c, CreateFunction"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::CreateFunctionStmt(s) = node else { return };
    if !language(&s.options).is_some_and(|name| name.eq_ignore_ascii_case("c")) {
        return;
    }
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let mut draft = Draft::new(format!("{words} is written in C: only a superuser can create it"))
        .object(words.clone())
        .server(ServerError::new("42501", "permission denied for language c"))
        .fix(FixDraft::remove("a function in C cannot be on the target").review().lost(words));
    if let Some(range) = language_range(statement) {
        draft = draft.at(range);
    }
    let is_member = |extension: &str| {
        let name = s.funcname.last().and_then(string).unwrap_or_default();
        members(extension).is_some_and(|known| known.holds(Class::Function, name))
    };
    if let Some(extension) = library(&s.options).filter(|library| is_member(library)) {
        draft = draft.advice(if ctx.target.allows_extension(extension) {
            format!(
                "Its library is that of extension {extension}, which the target takes: CREATE EXTENSION {extension} \
                 brings it."
            )
        } else {
            let advice = ctx.target.extension_advice.get(extension).map_or("", String::as_str);
            format!("Its library is that of extension {extension}, which the target refuses. {advice}")
        });
    }
    ctx.report(draft);
}

/// The language of a function.
pub(crate) fn language(options: &[pg::Node]) -> Option<&str> {
    option(options, "language").and_then(option_text)
}

/// The bytes of the language's name.
pub(crate) fn language_range(statement: &Statement<'_>) -> Option<Range<usize>> {
    let word = statement.words(&["LANGUAGE"])?;
    statement.code().find(|token| token.start >= word.end).map(|token| token.start..token.end)
}

/// The library of a C function, without its folder: `$libdir/hstore` is `hstore`.
fn library(options: &[pg::Node]) -> Option<&str> {
    let path = match option(options, "as")?.arg.as_ref()?.node.as_ref()? {
        NodeEnum::List(list) => string(list.items.first()?)?,
        _ => return None,
    };
    let name = path.rsplit('/').next()?;
    Some(name.split_once('.').map_or(name, |(name, _)| name))
}
