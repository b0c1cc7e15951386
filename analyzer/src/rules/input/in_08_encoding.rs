//! IN-08: A client encoding that the target's UTF8 database cannot convert from.

use crate::edit::Safety;
use crate::facts::Encoding;
use crate::facts::names::{set_config, text};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Piece, Rule, Subject};
use crate::target::is_encoding;
use crate::text::cleaned;

pub(crate) const RULE: Rule = Rule {
    id: "IN-08",
    name: "encoding",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("encoding", "SQL_ASCII and encodings that cannot be converted to UTF8."),
    statements: StatementKind::ALL,
    pieces: &[Piece::Server, Piece::Unparsed],
    doc: Doc {
        summary: "Text in an encoding that the target's UTF8 database cannot take.",
        what: "SET client_encoding of SQL_ASCII, of MULE_INTERNAL and of encodings that PostgreSQL does not know. All other encodings are converted by the server. Bytes in statements and in rows of COPY that are no UTF8, where the client encoding is UTF8 or SQL_ASCII, or is not set.",
        why: "The service's database is UTF8, and the server refuses bytes that are none. SQL_ASCII means that nobody knows what the bytes are: the server refuses statements that are no UTF8, and stores rows of COPY as they are: reading them fails later. There is no conversion between MULE_INTERNAL and UTF8.",
        server: &[
            "22021 invalid byte sequence for encoding \"UTF8\": 0xe9",
            "0A000 invalid value for parameter \"client_encoding\": \"MULE_INTERNAL\"",
            "22023 invalid value for parameter \"client_encoding\": \"x\"",
        ],
        help: "Find out what the bytes really are and say so: pg_dump --encoding=LATIN1, or change the SET of the dump. Where it is mixed, clean the data on the source first (iconv -f … -t UTF-8 tells where it fails).",
        before: "SET client_encoding = 'SQL_ASCII';",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/common/encnames.c; documentation, Character Set Support"]),
        link: "https://www.postgresql.org/docs/current/multibyte.html",
    },
    check,
    ..Rule::DEFAULT
};

/// Bytes of a piece that are no UTF-8.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvalidBytes {
    /// Their place in the piece.
    pub(crate) at: usize,
    /// As many as the server shows.
    pub(crate) bytes: Vec<u8>,
}

/// What is said of bytes that are no UTF-8, in a statement or in the rows of a COPY.
pub(crate) fn invalid(found: &InvalidBytes, encoding: Encoding, in_rows: bool) -> Draft {
    let shown: Vec<String> = found.bytes.iter().map(|byte| format!("0x{byte:02x}")).collect();
    let shown = shown.join(" ");
    let what = if in_rows { "these rows hold" } else { "this statement holds" };
    if in_rows && encoding == Encoding::Stored {
        return Draft::new(format!(
            "{what} bytes that are no UTF8 ({shown}): SQL_ASCII stores them as they are, and who reads them gets an error"
        ))
        .severity(Severity::Warning)
        .advice("Find out what the bytes are and say so before them, as in SET client_encoding = 'LATIN1'.");
    }
    let lost = if in_rows { ": no row of this COPY will be loaded" } else { "" };
    let declared = if encoding == Encoding::Undeclared { ", and no client_encoding is set" } else { "" };
    Draft::new(format!("{what} bytes that are no UTF8 ({shown}){declared}{lost}"))
        .server(ServerError::new("22021", format!("invalid byte sequence for encoding \"UTF8\": {shown}")))
        .advice(
            "Find out what the bytes are and say so before them, as in SET client_encoding = 'LATIN1'; or write the dump \
             again: pg_dump --encoding=UTF8.",
        )
}

/// True for encodings that are converted to UTF8, by the letters and digits of their names.
fn is_converted(name: &str) -> bool {
    is_encoding(name) && !matches!(name, "sqlascii" | "muleinternal")
}

fn check(ctx: &mut Context<'_>) {
    live(ctx);
    if matches!(ctx.subject, Subject::Statement(_) | Subject::Unparsed { .. })
        && let Some(found) = ctx.states.get::<Option<InvalidBytes>>().and_then(Option::as_ref)
    {
        let range = found.at..found.at + found.bytes.len();
        let draft = invalid(found, ctx.facts.session.now.encoding, false);
        // After an edit the bytes may stand elsewhere.
        let text = ctx.statement().map_or("", Statement::sql);
        ctx.report(if text.get(range.clone()).is_some() { draft.at(range) } else { draft });
        return;
    }
    let value = match ctx.node() {
        Some((_, NodeEnum::VariableSetStmt(set))) if matches!(&*set.name, "client_encoding" | "names") => {
            set.args.first().and_then(text)
        }
        Some((_, NodeEnum::SelectStmt(select))) => set_config(select)
            .and_then(|(name, value)| name.eq_ignore_ascii_case("client_encoding").then_some(value)),
        _ => return,
    };
    let Some(value) = value else { return };
    let name = cleaned(value);
    if name == "default" || is_converted(&name) {
        return;
    }
    let refused = format!("invalid value for parameter \"client_encoding\": \"{value}\"");
    let draft = match &*name {
        "sqlascii" => Draft::new("bytes that are no UTF8 will be refused: SQL_ASCII does not say what they are")
            .severity(Severity::Warning)
            .server(ServerError::new("22021", "invalid byte sequence for encoding \"UTF8\": 0x…"))
            .advice(
                "Where all rows are plain ASCII or UTF8 nothing happens. Else write the dump with --encoding and the \
                 name of what the bytes really are.",
            ),
        "muleinternal" => Draft::new("the target cannot convert MULE_INTERNAL to UTF8").server(
            ServerError::new("0A000", refused)
                .detail("Conversion between MULE_INTERNAL and UTF8 is not supported."),
        ),
        _ => Draft::new(format!("PostgreSQL knows no encoding \"{value}\""))
            .server(ServerError::new("22023", refused)),
    };
    ctx.report(draft);
}

/// Of a live server: its database's own encoding.
fn live(ctx: &mut Context<'_>) {
    let Some(server) = ctx.server().filter(|s| !s.encoding.is_empty() && s.encoding != "UTF8") else {
        return;
    };
    let encoding = &server.encoding;
    let name = cleaned(encoding);
    let draft = match &*name {
        "sqlascii" => Draft::new(
            "the database's encoding is SQL_ASCII: text goes over as it is, and what is no UTF8 is refused",
        )
        .severity(Severity::Warning),
        name if is_converted(name) => {
            Draft::new(format!("the database's encoding is {encoding}: its text is converted to UTF8"))
                .severity(Severity::Note)
        }
        _ => Draft::new(format!("the database's encoding is {encoding}, which cannot be converted to UTF8")),
    };
    ctx.report(draft.object(format!("database {}", server.database)));
}
