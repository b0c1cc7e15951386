//! SRV-14: A database whose text sorts by another locale than the target's.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "SRV-14",
    name: "database-locale",
    severity: Severity::Warning,
    fix: Safety::None,
    also_answers: &["COL-01"],
    doc: Doc {
        summary: "The database sorts text by another locale than the target.",
        what: "The locale of a live source's database: its provider, its collation and its character type.",
        why: "The service creates its database itself, and no dump changes the locale of one that exists. Text then sorts in another order: ORDER BY, ranges of text, LIKE on plain indexes, bounds of partitions by text.",
        server: &[],
        help: "Compare the orders that matter. Where a column needs the order of a language, give it an ICU collation: COLLATE \"de-DE-x-icu\".",
        before: "",
        after: "",
        sources: Doc::sources(&["pg_database.datcollate, datctype, datlocprovider", "timescaledb-docker-ha: LANG=C.UTF-8"]),
        link: "https://www.postgresql.org/docs/current/collation.html",
    },
    check,
    ..Rule::DEFAULT
}
.of_servers();

/// What a service's database has, unless its own server says otherwise.
const USUAL: &str = "C.UTF-8";

fn check(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server() else { return };
    let ours = &server.locale;
    let bytewise =
        |locale: &str| matches!(locale.to_ascii_lowercase().as_str(), "c" | "posix" | "c.utf-8" | "c.utf8");
    let theirs = ctx.target.live_locale.as_deref();
    let same = match theirs {
        Some(theirs) => theirs == ours || bytewise(theirs) && bytewise(ours),
        None => bytewise(ours),
    };
    if ours.is_empty() || same {
        return;
    }
    let message = match theirs {
        Some(theirs) => format!("text sorts by {ours} on the source and by {theirs} on the target"),
        None => format!("text sorts by {ours} on the source; a new service usually has {USUAL}"),
    };
    ctx.report(Draft::new(message).object(format!("database {}", server.database)));
}
