//! What runs later: the SQL in functions, procedures and DO blocks, each piece with its tree and its place in the dump.
//! The server looks into a body only when it is called (pg_dump turns its check off), so what is found here restores
//! without a word.
//!
//! Bodies in SQL and PL/pgSQL are read, and the text that EXECUTE runs as far as it is written there. What does not
//! parse has no pieces. The bodies of standard SQL (`BEGIN ATOMIC`, `RETURN`) are part of the statement's own tree.

mod dynamic;
mod plpgsql;
mod source;

pub use source::UNKNOWN;

use std::ops::Range;

use crate::facts::names::{option, option_text, string};
use crate::locate::Statement;
use crate::parse::{self, NodeEnum, ParseError, Parsed, TokenKind, pg};
use crate::split::{Kind as PieceKind, Piece, Splitter};
use plpgsql::Kind;
use source::Source;

/// Texts in texts (EXECUTE 'DO …') are followed down to this depth.
const MAX_DEPTH: usize = 4;

/// A piece of SQL that runs when a body does.
#[derive(Debug)]
pub struct BodyPart {
    source: Source,
    parsed: Parsed,
    /// It may not be reached: it stands in a branch or loop, behind a RETURN, or where exceptions are handled.
    pub conditional: bool,
    /// It is a whole statement and no expression.
    pub statement: bool,
    /// It is the text of an EXECUTE.
    pub dynamic: bool,
    /// It is the type of a variable, behind `SELECT NULL::`.
    pub declares: bool,
    /// It is the expression whose text an EXECUTE runs: that text, as far as it is written there.
    pub executed: Option<Executed>,
}

/// What an EXECUTE runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Executed {
    /// A text in which [`UNKNOWN`] stands for what is only known at run time.
    Text(Box<str>),
    /// What a variable or function says.
    Unknown,
}

/// The text of a body, or a part of it that SQL writes as one string.
#[derive(Debug)]
pub struct BodyText(Source);

impl BodyText {
    /// The text as the server reads it.
    #[must_use]
    pub fn sql(&self) -> &str {
        self.0.text()
    }

    /// A range of its text as a range of the statement that holds the body.
    #[must_use]
    pub fn range(&self, range: &Range<usize>) -> Range<usize> {
        self.0.range(range)
    }
}

/// The text of the body of a function, procedure or DO block in SQL or PL/pgSQL.
#[must_use]
pub fn body_text(statement: &Statement<'_>) -> Option<BodyText> {
    body(statement.sql(), statement.node(), statement).map(|(_, source)| BodyText(source))
}

impl BodyPart {
    /// Its text, as the parser took it.
    #[must_use]
    pub fn sql(&self) -> &str {
        self.source.text()
    }

    /// Its tree.
    #[must_use]
    pub fn parsed(&self) -> &Parsed {
        &self.parsed
    }

    /// A range of its text as a range of the statement that holds the body.
    #[must_use]
    pub fn range(&self, range: &Range<usize>) -> Range<usize> {
        self.source.range(range)
    }
}

/// The language of a statement that holds a body, and the options that hold the body.
fn language_and_options(node: &NodeEnum) -> Option<(&str, &[pg::Node])> {
    let (options, default) = match node {
        NodeEnum::CreateFunctionStmt(s) => (s.options.as_slice(), "sql"),
        NodeEnum::DoStmt(s) => (s.args.as_slice(), "plpgsql"),
        _ => return None,
    };
    Some((option(options, "language").and_then(option_text).unwrap_or(default), options))
}

/// The text of the body of a function, procedure or DO block, where it is in a language that is read.
fn text(node: &NodeEnum) -> Option<(Language, &str, &pg::DefElem)> {
    let (language, options) = language_and_options(node)?;
    let language = Language::named(language)?;
    let option = option(options, "as")?;
    let text = match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::List(list) => string(list.items.first()?)?,
        NodeEnum::String(string) => &string.sval,
        _ => return None,
    };
    Some((language, text, option))
}

/// The first statement of a body in SQL that the parser refuses: where in the statement that holds the body, and the
/// parser's words.
#[must_use]
pub fn syntax_error(statement: &Statement<'_>) -> Option<(Range<usize>, String)> {
    if is_too_large(statement.node()) {
        return None;
    }
    let (Language::Sql, body) = self::body(statement.sql(), statement.node(), statement)? else {
        return None;
    };
    let mut found = None;
    let mut look = |piece: Piece<'_>| {
        let (Ok(start), Ok(end)) = (usize::try_from(piece.span.start), usize::try_from(piece.span.end))
        else {
            return;
        };
        if found.is_some() || piece.kind != PieceKind::Statement {
            return;
        }
        if let Some(Err(ParseError::Syntax { message, near })) =
            body.text().get(start..end).map(|sql| parse::parse(sql, true))
        {
            let range = near.map_or(start..end, |(from, to)| start + from..start + to);
            found = Some((body.range(&range), message));
        }
    };
    let mut splitter = Splitter::new();
    splitter.feed(body.text().as_bytes(), &mut look);
    splitter.finish(&mut look);
    found
}

/// True where the statement has a body that is too large to be read: it has no parts.
#[must_use]
pub fn is_too_large(node: &NodeEnum) -> bool {
    text(node).is_some_and(|(_, text, _)| parse::is_too_large(text, true))
}

/// The SQL in the body of a function, procedure or DO block, in order.
#[must_use]
pub fn parts(statement: &Statement<'_>) -> Vec<BodyPart> {
    let mut found = Vec::new();
    if is_too_large(statement.node()) {
        return found;
    }
    let Some((language, body)) = body(statement.sql(), statement.node(), statement) else { return found };
    let mut bodies = vec![Body { language, source: body, depth: 0, conditional: false, dynamic: false }];
    let mut next = 0;
    while let Some(body) = bodies.get(next) {
        next += 1;
        let mut inner = Vec::new();
        match body.language {
            Language::Sql => sql_parts(body, &mut found, &mut inner),
            Language::PlPgSql => plpgsql_parts(body, &mut found, &mut inner),
        }
        bodies.extend(inner);
    }
    found
}

#[derive(Clone, Copy, Debug)]
enum Language {
    Sql,
    PlPgSql,
}

impl Language {
    fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "sql" => Some(Self::Sql),
            "plpgsql" => Some(Self::PlPgSql),
            _ => None,
        }
    }
}

struct Body {
    language: Language,
    source: Source,
    depth: usize,
    conditional: bool,
    dynamic: bool,
}

impl Body {
    /// A body inside of this one.
    fn inner(&self, language: Language, source: Source, conditional: bool) -> Option<Self> {
        let conditional = self.conditional || conditional;
        let depth = self.depth + 1;
        (depth < MAX_DEPTH).then_some(Self { language, source, depth, conditional, dynamic: true })
    }
}

/// The body of a function or DO block, where it is in a language that is read.
fn body(sql: &str, node: &NodeEnum, statement: &Statement<'_>) -> Option<(Language, Source)> {
    let (language, value, option) = text(node)?;
    let from = usize::try_from(option.location).ok()?;
    let mut strings = statement.code().filter(|token| token.start >= from && token.kind == TokenKind::String);
    let token = Statement::token_range(strings.next()?);
    let whole = Source::of_statement(sql, &(0..sql.len()));
    // Backslashes escape in plain strings where standard_conforming_strings is off: the tree tells.
    let reads = |backslashes: bool| whole.string(&token, backslashes).filter(|text| text.text() == value);
    Some((language, reads(false).or_else(|| reads(true))?))
}

/// Takes a piece that the parser takes; a DO block in it is a body of its own.
fn take(
    body: &Body,
    source: Source,
    conditional: bool,
    statement: bool,
    out: &mut Vec<BodyPart>,
    inner: &mut Vec<Body>,
) -> bool {
    let Ok(Some(parsed)) = parse::parse(source.text(), true) else { return false };
    if let NodeEnum::DoStmt(_) = parsed.node() {
        let text = source.text().to_owned();
        let own = Statement::new(&text, &parsed, 0, 0, 0, crate::text::Position { line: 1, column: 1 });
        if let Some((language, code)) = self::body(&text, parsed.node(), &own) {
            // Its places are those of the piece: through that to the statement.
            let mapped = code.through(&source);
            inner.extend(body.inner(language, mapped, conditional));
        }
    }
    out.push(BodyPart {
        source,
        parsed,
        conditional: body.conditional || conditional,
        statement,
        dynamic: body.dynamic,
        declares: false,
        executed: None,
    });
    true
}

fn sql_parts(body: &Body, out: &mut Vec<BodyPart>, inner: &mut Vec<Body>) {
    let mut take_piece = |piece: Piece<'_>| {
        if piece.kind != PieceKind::Statement {
            return;
        }
        let (Ok(start), Ok(end)) = (usize::try_from(piece.span.start), usize::try_from(piece.span.end))
        else {
            return;
        };
        let mut source = Source::default();
        source.push(&body.source, &(start..end));
        take(body, source, false, true, out, inner);
    };
    let mut splitter = Splitter::new();
    splitter.feed(body.source.text().as_bytes(), &mut take_piece);
    splitter.finish(&mut take_piece);
}

fn plpgsql_parts(body: &Body, out: &mut Vec<BodyPart>, inner: &mut Vec<Body>) {
    for fragment in plpgsql::fragments(body.source.text()) {
        let range = &fragment.range;
        let mut source = Source::default();
        let head = match fragment.kind {
            Kind::Statement | Kind::Perform => "",
            Kind::Expression | Kind::Dynamic => "SELECT ",
            Kind::Type => "SELECT NULL::",
        };
        source.put(head, &body.source, range.start);
        if fragment.kind == Kind::Perform {
            source.put("SELECT", &body.source, range.start);
            source.push(&body.source, &(range.start + "PERFORM".len()..range.end));
        } else if let Some(into) = &fragment.into {
            source.push(&body.source, &(range.start..into.start));
            source.put(" ", &body.source, into.start);
            source.push(&body.source, &(into.end..range.end));
        } else {
            source.push(&body.source, range);
        }
        let taken = take(body, source, fragment.conditional, fragment.kind == Kind::Statement, out, inner);
        let part = out.last_mut().filter(|_| taken);
        if fragment.kind == Kind::Dynamic {
            let text = dynamic::text(&body.source, range);
            if let Some(part) = part {
                let known = text.as_ref().map(|text| Executed::Text(text.text().into()));
                part.executed = Some(known.unwrap_or(Executed::Unknown));
            }
            inner.extend(text.and_then(|text| body.inner(Language::Sql, text, fragment.conditional)));
        } else if let Some(part) = part {
            part.declares = fragment.kind == Kind::Type;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use crate::text::Position;

    /// The text in the dump of every function that a body calls.
    fn calls(sql: &str) -> Vec<(String, String)> {
        let parsed = parse(sql, true).unwrap().unwrap();
        let statement = Statement::new(sql, &parsed, 0, 1, 0, Position { line: 1, column: 1 });
        let mut found = Vec::new();
        for part in parts(&statement) {
            for reference in crate::parse::references(part.parsed().node()) {
                let Some(at) = reference.location.filter(|_| reference.arguments.is_some()) else { continue };
                let at = at as usize;
                found.push((reference.name.to_string(), sql[part.range(&(at..at + 3))].to_owned()));
            }
        }
        found
    }

    fn pairs(all: &[&str]) -> Vec<(String, String)> {
        all.iter().map(|name| ((*name).to_owned(), (*name).to_owned())).collect()
    }

    #[test]
    fn bodies_in_sql_and_plpgsql_are_read_with_their_places() {
        let sql = "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $_$ SELECT f01(); SELECT f02() $_$;";
        assert_eq!(calls(sql), pairs(&["f01", "f02"]));
        let sql = "CREATE FUNCTION f() RETURNS int AS 'DECLARE a int := f01(); BEGIN
            PERFORM ''x'', f02(''it''''s''); SELECT f03() INTO a; RETURN f04(); END' LANGUAGE plpgsql;";
        assert_eq!(calls(sql), pairs(&["f01", "f02", "f03", "f04"]));
        let sql = r"CREATE FUNCTION f() RETURNS int AS E'BEGIN\n RETURN f01(\'a\'); END' LANGUAGE plpgsql;";
        assert_eq!(calls(sql), pairs(&["f01"]));
    }

    #[test]
    fn texts_in_texts_are_read_with_their_places() {
        let sql =
            "DO $a$ BEGIN EXECUTE 'SELECT f01(''x'')'; EXECUTE format($b$SELECT %L, f02(%s)$b$, 1, f03());
            EXECUTE 'DO $c$ BEGIN PERFORM f04(); EXECUTE ''SELECT ''''a'''', f05()''; END $c$'; END $a$;";
        let mut found = calls(sql);
        found.retain(|(name, _)| name != "format");
        found.sort();
        assert_eq!(found, pairs(&["f01", "f02", "f03", "f04", "f05"]));
    }

    #[test]
    fn places_are_right_behind_characters_of_several_bytes() {
        let sql = "DO 'BEGIN PERFORM ''é€'', f01(); EXECUTE ''DO ''''BEGIN PERFORM ''''''''ü'''''''', f02(); END'''' ''; END';";
        assert_eq!(calls(sql), pairs(&["f01", "f02"]));
    }

    #[test]
    fn bodies_of_other_languages_and_broken_ones_have_no_parts() {
        for sql in [
            "CREATE FUNCTION f() RETURNS int LANGUAGE c AS 'a', 'b';",
            "CREATE FUNCTION f() RETURNS int LANGUAGE plperl AS 'return 1';",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql RETURN 1;",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELEC f01()';",
            "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS 'BEGIN RETURN $x$ f01(); END';",
            "SELECT 1;",
        ] {
            assert_eq!(calls(sql), [], "{sql}");
        }
    }

    #[test]
    fn a_body_that_is_cut_off_or_never_ends_is_read_without_harm() {
        let body = "DECLARE a app.t%ROWTYPE := f('é'); BEGIN FOR r IN EXECUTE format('SELECT %L, ''x''', a) USING b LOOP
            SELECT x INTO STRICT y.z, w FROM t; RAISE 'q %', v USING HINT = h; END LOOP; EXCEPTION WHEN OTHERS THEN
            EXECUTE 'DO ''BEGIN PERFORM g(); END'''; CASE WHEN a THEN RETURN QUERY SELECT 1; END CASE; END";
        let read = |body: &str| calls(&format!("DO '{}'", body.replace('\'', "''")));
        for (cut, _) in body.char_indices() {
            read(&body[..cut]);
            read(&body[cut..]);
        }
        for word in
            ["BEGIN ", "IF (", "CASE x WHEN ", "FOR x IN a..", "a[1].", "DECLARE x ", "RAISE USING a = "]
        {
            read(&word.repeat(20_000));
        }
    }

    #[test]
    fn texts_are_followed_to_a_depth_that_ends() {
        let mut sql = "SELECT f01()".to_owned();
        for _ in 0..8 {
            sql = format!("DO 'BEGIN EXECUTE ''{}''; END'", sql.replace('\'', "''''"));
        }
        assert_eq!(calls(&sql), []);
    }
}
