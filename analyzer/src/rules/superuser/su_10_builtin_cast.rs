//! SU-10: a cast between types of the server.

use crate::edit::Safety;
use crate::facts::names::shown_type;
use crate::facts::objects::{created, type_text};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::is_superusers_type;

pub(crate) const RULE: Rule = Rule {
    id: "SU-10",
    name: "builtin-cast",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("cast.builtin", "Casts between types of the superuser."),
    statements: &[StatementKind::CreateCastStmt],
    doc: Doc {
        summary: "CREATE CAST between two types that are not yours.",
        what: "A cast whose types both belong to PostgreSQL or to an extension, such as text AS integer, often \
               made IMPLICIT for an application that came from another database system.",
        why: "Who creates a cast must own one of its types. The superuser owns those.",
        server: &["42501 must be owner of type text or type integer"],
        help: "Write the conversion in the queries that rely on it (value::integer). To leave the cast out: \
               --accept SU-10.",
        before: "CREATE CAST (text AS integer) WITH INOUT AS IMPLICIT;",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/functioncmds.c, CreateCast"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// Types that no column can have (`typtype = 'p'` in pg_type of 15 to 18), of which a cast cannot be either.
pub(crate) const PSEUDO_TYPES: &[&str] = &[
    "any",
    "anyarray",
    "anycompatible",
    "anycompatiblearray",
    "anycompatiblemultirange",
    "anycompatiblenonarray",
    "anycompatiblerange",
    "anyelement",
    "anyenum",
    "anymultirange",
    "anynonarray",
    "anyrange",
    "cstring",
    "event_trigger",
    "fdw_handler",
    "index_am_handler",
    "internal",
    "language_handler",
    "pg_ddl_command",
    "record",
    "table_am_handler",
    "trigger",
    "tsm_handler",
    "unknown",
    "void",
];

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let NodeEnum::CreateCastStmt(s) = node else { return };
    let (Some(source), Some(target)) = (&s.sourcetype, &s.targettype) else { return };
    // UNKNOWN is a keyword, and comes in quotes.
    let pseudo = |name: &pg::TypeName| PSEUDO_TYPES.contains(&type_text(name).trim_matches('"'));
    let of_pseudo = [("source", source), ("target", target)].into_iter().find(|(_, name)| pseudo(name));
    if s.func.is_none() && !s.inout {
        return;
    }
    if of_pseudo.is_none() && !(is_superusers_type(ctx, source) && is_superusers_type(ctx, target)) {
        return;
    }
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let (source, target) = (server_name(source), server_name(target));
    let server = match of_pseudo {
        Some((which, name)) => {
            let name = server_name(name);
            ServerError::new("42809", format!("{which} data type {name} is a pseudo-type"))
        }
        None => ServerError::new("42501", format!("must be owner of type {source} or type {target}")),
    };
    let draft = Draft::new(format!("{words} is between types that the superuser owns"))
        .object(words.clone())
        .server(server)
        .advice("Queries that rely on it need an explicit conversion.")
        .fix(FixDraft::remove("only an owner of one of the types can create it").review().lost(words));
    ctx.report(draft);
}

/// A type as the server's messages write it (format_type).
pub(crate) fn server_name(name: &pg::TypeName) -> String {
    let text = type_text(name);
    let (base, brackets) =
        text.split_once('[').map_or((&*text, String::new()), |(b, r)| (b, format!("[{r}")));
    let base = if base == "\"unknown\"" { "unknown" } else { shown_type(base) };
    format!("{base}{brackets}")
}
