//! One statement in, PostgreSQL 18's own parse tree and tokens out. The only module that calls the parser.

mod canonical;
mod columns;
mod constants;
mod kind;
mod left_out;
mod options;
mod reference;
mod tokens;
mod tree;
mod values;
mod walk;

pub use canonical::{Change, canonical, changed};
pub use columns::{ColumnName, all_columns, columns_in, names_columns, names_of_relations};
pub use kind::StatementKind;
pub use pg_query::NodeEnum;
pub use pg_query::protobuf as pg;
pub use reference::{Class, Reference};
pub use tokens::{Token, TokenKind, Tokens, is_keyword, is_quoted_keyword};
pub use walk::references;

use std::collections::BTreeSet;
use std::sync::OnceLock;

use left_out::LeftOut;
use pg_query::ParserOptions;
use values::Rows;

/// Deeper nesting of brackets than this is not given to the parser: the tree's readers recurse, and
/// PostgreSQL itself ends at `max_stack_depth` (2 MB by default) not far above it.
pub const MAX_NESTING: usize = 1_000;

/// The stack, in bytes, that a thread needs to analyse whatever the parser takes: it ends at trees 10,000
/// levels deep (`PG_QUERY_PROTOBUF_MAX_DEPTH`), whose readers recurse at up to 10 KB a level where the
/// build is not optimised.
pub const STACK: usize = 256 << 20;

/// Statements up to this length, in bytes, are parsed as they are.
const LARGE: usize = 64 << 10;

/// What has more words, numbers, strings and signs than this, without long lists of constants, is not parsed: each takes
/// some hundreds of bytes in a tree.
pub const MAX_TOKENS: usize = 64 << 10;

/// Why a statement has no parse tree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// PostgreSQL's parser refuses it.
    #[error("{message}")]
    Syntax {
        /// The parser's words.
        message: String,
        /// Byte range of the token that it names, where it can be told.
        near: Option<(usize, usize)>,
    },
    /// Brackets nest deeper than [`MAX_NESTING`], or the tree is too deep for the parser itself.
    #[error("expressions nest too deep to be read safely (at most {MAX_NESTING} brackets)")]
    TooDeep,
    /// It has more tokens than [`MAX_TOKENS`]: the tree would take too much memory.
    #[error("it has more than {MAX_TOKENS} words, numbers, strings and signs")]
    TooLarge,
}

/// The parse tree of one statement, and what is read out of it and its text when somebody asks.
#[derive(Debug)]
pub struct Parsed {
    node: NodeEnum,
    references: OnceLock<Vec<Reference>>,
    tokens: OnceLock<Tokens>,
    /// What of a large statement is not in the tree.
    left_out: Option<LeftOut>,
}

impl Parsed {
    /// The statement's root node.
    #[must_use]
    pub fn node(&self) -> &NodeEnum {
        &self.node
    }

    /// All names that it refers to.
    pub fn references(&self) -> &[Reference] {
        self.references.get_or_init(|| references(&self.node))
    }

    /// All tokens of its text, which is `sql`; of lists of many rows or constants those of the first ones, and what stands
    /// around them.
    pub fn tokens(&self, sql: &str) -> &[Token] {
        let scan = || match &self.left_out {
            Some(left_out) => Tokens::scan(&left_out.blanked(sql)),
            None => Tokens::scan(sql),
        };
        self.tokens.get_or_init(scan).as_slice()
    }

    /// True where the two have the same rows and constants beside those in their trees.
    #[must_use]
    pub fn has_rows_of(&self, other: &Self) -> bool {
        let hash = |parsed: &Self| parsed.left_out.as_ref().map(LeftOut::hash);
        hash(self) == hash(other)
    }
}

/// Parses one statement. `None` where the text holds no statement (a lone semicolon, a comment).
///
/// `standard_strings` is `standard_conforming_strings` at this place of the dump.
///
/// # Errors
/// [`ParseError`] where the parser refuses it, where it nests too deep or is too large, and where the text holds
/// more than one statement.
pub fn parse(sql: &str, standard_strings: bool) -> Result<Option<Parsed>, ParseError> {
    check_depth(sql)?;
    if sql.len() < LARGE || values::are_read(sql) {
        return parse_whole(sql, standard_strings);
    }
    let left_out = LeftOut::new(sql, constants::left_out(sql, standard_strings));
    let blanked = left_out.blanked(sql);
    if !is_too_large(&blanked, standard_strings) {
        let parsed = parse_whole(&blanked, standard_strings)?;
        return Ok(parsed.map(|parsed| Parsed { left_out: Some(left_out), ..parsed }));
    }
    drop(blanked);
    match Rows::of(sql, standard_strings) {
        Some(rows) => parse_rows(sql, standard_strings, &rows),
        None => Err(ParseError::TooLarge),
    }
}

/// True for a text whose tree would take too much memory.
#[must_use]
pub fn is_too_large(sql: &str, standard_strings: bool) -> bool {
    sql.len() > MAX_TOKENS && constants::tokens(sql, MAX_TOKENS + 1, standard_strings) > MAX_TOKENS
}

/// Parses an INSERT group by group.
fn parse_rows(sql: &str, standard_strings: bool, rows: &Rows) -> Result<Option<Parsed>, ParseError> {
    let mut whole = None;
    let (mut known, mut names) = (BTreeSet::new(), Vec::new());
    let left_out = LeftOut::new(sql, vec![rows.others()]);
    for index in 0..rows.len() {
        let text = if index == 0 { left_out.blanked(sql) } else { rows.with(sql, index).into() };
        if is_too_large(&text, standard_strings) {
            return Err(ParseError::TooLarge);
        }
        let parsed = parse_whole(&text, standard_strings).map_err(|error| match error {
            ParseError::Syntax { message, near } => {
                let near = near.map(|(start, end)| (rows.byte(index, start), rows.byte(index, end)));
                ParseError::Syntax { message, near }
            }
            error => error,
        })?;
        let Some(parsed) = parsed else { return Err(ParseError::TooLarge) };
        let found = references(&parsed.node);
        rows.add(index, &found, &mut known, &mut names);
        whole.get_or_insert(parsed);
    }
    Ok(whole.map(|parsed| Parsed { references: OnceLock::from(names), left_out: Some(left_out), ..parsed }))
}

fn parse_whole(sql: &str, standard_strings: bool) -> Result<Option<Parsed>, ParseError> {
    let options = if standard_strings {
        ParserOptions::DEFAULT
    } else {
        ParserOptions::DISABLE_STANDARD_CONFORMING_STRINGS
    };
    let result = pg_query::parse(sql, options).map_err(|error| syntax_error(sql, &error))?;
    let mut statements = result.protobuf.stmts.into_iter();
    let first = statements.next().and_then(|raw| raw.stmt).and_then(|node| node.node);
    if statements.next().is_some() {
        return Err(ParseError::Syntax {
            message: "more than one statement where one was expected".into(),
            near: None,
        });
    }
    Ok(first.map(|node| Parsed {
        node,
        references: OnceLock::new(),
        tokens: OnceLock::new(),
        left_out: None,
    }))
}

fn check_depth(sql: &str) -> Result<(), ParseError> {
    // Brackets in strings and comments count here: only where that is too many are tokens worth reading.
    let mut depth = 0_usize;
    let mut deepest = 0_usize;
    for byte in sql.bytes() {
        match byte {
            b'(' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b')' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    if deepest <= MAX_NESTING {
        return Ok(());
    }
    let tokens = Tokens::scan(sql);
    let too_deep = tokens.iter().any(|token| token.depth as usize > MAX_NESTING);
    if too_deep { Err(ParseError::TooDeep) } else { Ok(()) }
}

fn syntax_error(sql: &str, error: &pg_query::Error) -> ParseError {
    let message = match error {
        pg_query::Error::Parse(message)
            if message == "stack depth limit exceeded" || message.starts_with("parse tree is nested too") =>
        {
            return ParseError::TooDeep;
        }
        pg_query::Error::Parse(message) => message.clone(),
        other => other.to_string(),
    };
    let near = message
        .split_once(" at or near \"")
        .and_then(|(_, rest)| rest.strip_suffix('"'))
        .and_then(|token| find_token(sql, token))
        .or_else(|| {
            message.ends_with("at end of input").then(|| (sql.trim_end().len(), sql.trim_end().len()))
        });
    ParseError::Syntax { message, near }
}

/// The parser names the token but not its place: the place is sure where the token occurs once.
fn find_token(sql: &str, token: &str) -> Option<(usize, usize)> {
    let tokens = Tokens::scan(sql);
    let mut hits = tokens.iter().filter(|t| t.text(sql) == token).map(|t| (t.start, t.end));
    match (hits.next(), hits.next()) {
        (Some(hit), None) => Some(hit),
        (Some(_), Some(_)) => None,
        // The message ends where a string or comment was cut off: it shows the rest of the text.
        (None, _) => sql.rfind(token).map(|at| (at, at + token.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_gives_its_root_node() {
        let parsed = parse("CREATE EXTENSION hstore;", true).unwrap().unwrap();
        assert!(matches!(parsed.node(), NodeEnum::CreateExtensionStmt(_)));
    }

    #[test]
    fn an_empty_statement_has_no_tree() {
        assert!(parse(" ; ", true).unwrap().is_none());
        assert!(parse("-- nothing", true).unwrap().is_none());
    }

    #[test]
    fn a_syntax_error_names_its_token() {
        let Err(ParseError::Syntax { message, near }) = parse("CREATE TABEL t (a int);", true) else {
            panic!("the parser took it")
        };
        assert_eq!(message, "syntax error at or near \"TABEL\"");
        assert_eq!(near, Some((7, 12)));
    }

    #[test]
    fn backslashes_escape_only_where_strings_are_not_standard() {
        assert!(parse(r"SELECT 'a\'b';", false).is_ok());
        assert!(parse(r"SELECT 'a\'b';", true).is_err());
    }

    /// Runs the test as the analyzer asks to be run: see [`STACK`].
    fn with_stack(test: fn()) {
        std::thread::Builder::new().stack_size(STACK).spawn(test).unwrap().join().unwrap();
    }

    #[test]
    fn ten_thousand_parentheses_are_an_error_and_not_a_crash() {
        let sql = format!("SELECT {}1{};", "(".repeat(10_000), ")".repeat(10_000));
        assert_eq!(parse(&sql, true).unwrap_err(), ParseError::TooDeep);
    }

    #[test]
    fn brackets_in_a_string_are_not_nesting() {
        assert!(parse(&format!("SELECT '{}';", "(".repeat(10_000)), true).is_ok());
    }

    #[test]
    fn long_chains_of_operators_parse_or_end_in_an_error() {
        with_stack(|| {
            let chain = |n| format!("SELECT 'a'{};", " || 'a'".repeat(n));
            for n in [100, 1_000, 2_000, 3_000, 4_000, 5_000, 10_000] {
                let result = parse(&chain(n), true);
                assert!(n > 1_000 || result.is_ok(), "{n}");
                assert!(n < 10_000 || matches!(result, Err(ParseError::TooDeep)), "{n}: {:?}", result.err());
            }
        });
    }

    #[test]
    fn nesting_up_to_the_limit_does_not_end_the_process() {
        with_stack(|| {
            for open in ["(", "f(", "(SELECT (", "ARRAY[", "CASE WHEN ("] {
                let n = (MAX_NESTING - 1) / open.matches(['(', '[']).count();
                let sql = format!("SELECT {}", open.repeat(n));
                let _ = parse(&sql, true);
                let close = if open.contains('[') { "]" } else { ")" };
                let _ =
                    parse(&format!("{sql}1{};", close.repeat(n * open.matches(['(', '[']).count())), true);
            }
        });
    }
}
