//! IN-11: A psql command that no dump holds: \copy, \i, \!, \set and their like.

use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Piece, Rule, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "IN-11",
    name: "unexpected-meta-command",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose(
        "meta-commands that pg_dump never writes run programs or read files of the machine that restores",
    ),
    pieces: &[Piece::Meta],
    doc: Doc {
        summary: "A psql command that no dump holds: \\copy, \\i, \\!, \\set and their like.",
        what: "All lines that begin with a backslash, but \\connect, \\restrict, \\unrestrict and what pg_dump itself writes.",
        why: "tsmigrate sends statements and runs no psql commands: some start programs on your machine or read and write its files. A psql that was told \\restrict refuses them too. A dump has none of them: the file was written or changed by hand.",
        server: &["psql: error: backslash commands are restricted; only \\unrestrict is allowed"],
        help: "Commands that only show or format something are removed. For the others look what they do: give a file that \\i includes as an input of its own, load what \\copy reads after the migration, or accept the loss with --accept IN-11.",
        before: "\\echo loading\nSELECT 1;",
        after: "-- tsmigrate IN-11: Remove it: it changes nothing on the server\n-- \\echo loading\nSELECT 1;",
        sources: Doc::sources(&["PostgreSQL src/bin/psql/command.c, exec_command; CVE-2025-8714"]),
        link: "https://www.postgresql.org/docs/current/app-psql.html",
    },
    check,
    ..Rule::DEFAULT
};

/// What `pg_dump` writes before `\connect` where a database's name has characters other than letters, digits, `_` and `.`
/// (`appendPsqlMetaConnect` in `src/fe_utils/string_utils.c`); a SET of the client's encoding follows.
pub const BEFORE_CONNECT: &str = r"\encoding SQL_ASCII";

/// What becomes of a command.
enum Kind {
    /// It shows or formats something: nothing is lost without it.
    Harmless,
    /// It sends, drops or edits the statement before it, which has no end without it.
    Statement,
    /// It does what a person should know of: in words, and what is lost.
    Matters(&'static str, &'static str),
}

/// The name of a meta-command: `\connect x` is `connect`.
#[must_use]
pub fn command(text: &str) -> &str {
    let text = text.strip_prefix('\\').unwrap_or(text);
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '\\' | '\'' | '"')).unwrap_or(text.len());
    // One character that is no letter is a command of its own: \!ls.
    let end = if text.starts_with(['!', '.', '?', ';']) { 1 } else { end };
    text.get(..end).unwrap_or_default()
}

fn kind(name: &str, text: &str) -> Kind {
    if text.contains('`') {
        return Kind::Matters("runs a program on the machine of psql", "what the program does");
    }
    match name {
        // `\set` of psql's own variables; AUTOCOMMIT and its like change what is committed.
        "set" | "unset" => {
            let variable = text.split_whitespace().nth(1).unwrap_or_default();
            let own = variable.chars().all(|c| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit());
            if own && !matches!(variable, "AUTOCOMMIT" | "ON_ERROR_ROLLBACK" | "SINGLELINE") {
                Kind::Harmless
            } else {
                Kind::Matters("sets a variable of psql, which later statements may use", "the variable")
            }
        }
        "echo" | "qecho" | "warn" | "timing" | "pset" | "t" | "a" | "x" | "f" | "H" | "html" | "C" | "T"
        | "conninfo" | "copyright" | "errverbose" | "p" | "print" | "l" | "l+" | "list" | "list+" | "z"
        | "h" | "help" | "?" | "sf" | "sf+" | "sv" | "sv+" | "lo_list" | "lo_list+" | "o" | "out" | "s"
        | "." | "lo_export" => Kind::Harmless,
        "g" | "gx" | "gset" | "gexec" | "gdesc" | "crosstabview" | "watch" | "r" | "reset" | "e" | "edit"
        | "ef" | "ev" | "w" | "write" | "bind" | "bind_named" | "parse" | ";" => Kind::Statement,
        "copy" => Kind::Matters(
            "copies rows between a table and a file of psql's machine",
            "the rows that it would have loaded",
        ),
        "i" | "include" | "ir" | "include_relative" => {
            Kind::Matters("runs another file, which tsmigrate has not seen", "all that the file holds")
        }
        "!" => Kind::Matters("runs a program on the machine of psql", "what the program does"),
        "if" | "elif" | "else" | "endif" => {
            Kind::Matters("chooses statements by a condition; without it all of them run", "the condition")
        }
        "lo_import" | "lo_unlink" => Kind::Matters("changes large objects", "the change of a large object"),
        "encoding" => Kind::Matters("changes the encoding of what follows", "the encoding"),
        "q" | "quit" => Kind::Matters("ends psql: what follows would never run", "the end at this place"),
        "setenv" | "getenv" | "cd" | "password" | "prompt" => {
            Kind::Matters("changes psql's surroundings or asks for input", "its effect")
        }
        _ if name.starts_with('d') => Kind::Harmless,
        _ => Kind::Matters("is no command that psql knows", "this line"),
    }
}

/// True for a command that a part of a cluster dump may need.
pub(crate) fn matters(text: &str) -> bool {
    let name = command(text);
    !is_of_pg_dump(name, text) && !matches!(kind(name, text), Kind::Harmless)
}

/// True for a command that pg_dump and pg_dumpall write.
fn is_of_pg_dump(name: &str, text: &str) -> bool {
    matches!(name, "c" | "connect" | "restrict" | "unrestrict") || text.trim_end() == BEFORE_CONNECT
}

/// The inputs that say \\restrict.
#[derive(Clone, Debug, Default)]
struct Restricted(Vec<usize>);

fn check(ctx: &mut Context<'_>) {
    let Subject::Meta { text, place } = ctx.subject else { return };
    let name = command(text);
    if name == "restrict" {
        ctx.states.of::<Restricted>().0.push(place.input);
    }
    if is_of_pg_dump(name, text) {
        return;
    }
    let draft = match kind(name, text) {
        Kind::Harmless => {
            let draft = Draft::new(format!("\\{name} is a command of psql, not a statement"))
                .fix(FixDraft::remove("it changes nothing on the server"));
            // psql itself takes it, but behind \\restrict.
            let is_refused = ctx.states.get::<Restricted>().is_some_and(|of| of.0.contains(&place.input));
            if is_refused { draft } else { draft.severity(Severity::Note) }
        }
        Kind::Statement => {
            // Without an end the statement would take the next one with it.
            let fix = FixDraft::replace_with("Put a semicolon in its place", vec![";".into()]);
            let fix = match name {
                "g" | "gx" | "gdesc" | "crosstabview" | ";" => fix,
                "gexec" => fix.review().lost("what the statements would do that the query writes"),
                "gset" => fix.review().lost("the variables that it sets"),
                _ => fix.review().lost(format!("what \\{name} does with the statement before it")),
            };
            Draft::new(format!("\\{name} is a command of psql: it ends the statement before it")).fix(fix)
        }
        Kind::Matters(what, lost) => Draft::new(format!("\\{name} {what}"))
            .fix(FixDraft::remove(format!("only psql knows \\{name}")).review().lost(lost)),
    };
    ctx.report(draft.object(format!("\\{name}")));
}
