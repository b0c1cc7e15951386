//! IN-02: \restrict and \unrestrict, which an older psql does not know.

use std::collections::BTreeSet;

use super::in_11_unexpected_meta_command::command;
use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{About, Answers, Context, Doc, Draft, FixDraft, Piece, Rule, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "IN-02",
    name: "restrict-command",
    severity: Severity::Warning,
    fix: Safety::Review,
    answers: Answers::limit(
        "psql.restrict",
        "\\restrict and \\unrestrict stop a psql that does not know them.",
    ),
    pieces: &[Piece::Meta],
    about: About::Psql,
    doc: Doc {
        summary: "\\restrict and \\unrestrict, which an older psql does not know.",
        what: "pg_dump of 13.22, 14.19, 15.14, 16.10, 17.6, 18.0 and newer puts \\restrict KEY before the statements and \\unrestrict KEY behind them. The first of them in a file is reported.",
        why: "An older psql calls them invalid commands and stops where ON_ERROR_STOP is set. A newer psql refuses all other meta-commands between the two: a malicious source server cannot smuggle in one that runs a program on your machine (CVE-2025-8714).",
        server: &["psql: error: invalid command \\restrict"],
        help: "Restore with a current psql: the lines protect you and are kept. tsmigrate itself reads them and sends none of them. Where only an old psql is at hand and the source server is trusted, remove the lines with --accept IN-02.",
        before: "\\restrict uus5RMLR5WLDvLS23kTgPd3iPxQbXugHZeScaCMJjNFeZpi3OcCt1PAA07Ifv42\n\nSELECT 1;",
        after: "",
        sources: Doc::sources(&["PostgreSQL release notes 13.22 to 17.6, CVE-2025-8714"]),
        link: "https://www.postgresql.org/support/security/CVE-2025-8714/",
    },
    check,
    ..Rule::DEFAULT
};

/// Inputs whose `\restrict` was reported.
#[derive(Clone, Debug, Default)]
struct RestrictedInputs(BTreeSet<usize>);

fn check(ctx: &mut Context<'_>) {
    let Subject::Meta { text, place } = ctx.subject else { return };
    let name = command(text);
    if !matches!(name, "restrict" | "unrestrict") {
        return;
    }
    // One line speaks for all of them, unless all are to be taken out.
    let first = ctx.states.of::<RestrictedInputs>().0.insert(place.input);
    if !first && !RULE.is_accepted(ctx.options) {
        return;
    }
    ctx.report(
        Draft::new(format!("a psql older than August 2025 does not know \\{name} and stops here"))
            .advice("Restore with a current psql of any major version, or accept that the lines go: --accept IN-02.")
            .fix(
                FixDraft::remove(format!("an old psql has no \\{name}"))
                    .review()
                    .lost("psql's protection against meta-commands that a malicious source could smuggle in"),
            ),
    );
}
