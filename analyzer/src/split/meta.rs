//! psql's meta-commands, as far as the text after them depends on them.

use super::settings::{Token, tokens};

/// What follows the name of a meta-command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arguments {
    /// Words up to the end of the line, a `\\` or the next command.
    Words,
    /// The same, but a `|` at their start takes the whole line.
    Pipe,
    /// The rest of the line: psql reads it raw, or throws it away because it does not know the command.
    Line,
}

/// How the arguments of the command called `name` end.
pub(super) fn arguments(name: &[u8]) -> Arguments {
    match name {
        b"g" | b"gx" | b"o" | b"out" | b"w" | b"write" => Arguments::Pipe,
        // \d, \l and \z come with many suffixes.
        [b'd' | b'l' | b'z', ..] => Arguments::Words,
        _ if is_known(name) => Arguments::Words,
        _ => Arguments::Line,
    }
}

/// psql 18 knows the command and does not read the rest of its line raw.
#[rustfmt::skip]
fn is_known(name: &[u8]) -> bool {
    matches!(
        name,
        b"?" | b"C" | b"H" | b"T" | b"a" | b"bind" | b"bind_named" | b"c" | b"cd" | b"close_prepared" | b"connect"
            | b"conninfo" | b"copyright" | b"crosstabview" | b"e" | b"echo" | b"edit" | b"elif" | b"else" | b"encoding"
            | b"endif" | b"endpipeline" | b"errverbose" | b"f" | b"flush" | b"flushrequest" | b"gdesc" | b"getenv"
            | b"getresults" | b"gexec" | b"gset" | b"html" | b"i" | b"if" | b"include" | b"include_relative" | b"ir"
            | b"p" | b"parse" | b"password" | b"print" | b"prompt" | b"pset" | b"q" | b"qecho" | b"quit" | b"r"
            | b"reset" | b"restrict" | b"s" | b"sendpipeline" | b"set" | b"setenv" | b"startpipeline" | b"syncpipeline"
            | b"t" | b"timing" | b"unrestrict" | b"unset" | b"warn" | b"watch" | b"x"
    )
}

/// The command's name, without its backslash.
pub(super) fn name(command: &[u8]) -> &[u8] {
    let after = command.get(1..).unwrap_or_default();
    let end =
        after.iter().position(|&byte| byte.is_ascii_whitespace() || byte == b'\\').unwrap_or(after.len());
    after.get(..end).unwrap_or_default()
}

/// The command sends or drops the statement that was being read.
pub(super) fn ends_statement(name: &[u8]) -> bool {
    sends_statement(name) || matches!(name, b"r" | b"reset")
}

/// The command sends the statement that was being read.
pub(super) fn sends_statement(name: &[u8]) -> bool {
    matches!(name, b"g" | b"gx" | b"gset" | b"gexec" | b"gdesc" | b"crosstabview" | b"watch")
}

/// `\copy … from stdin`: its rows follow in the file as those of the SQL command do.
pub(super) fn copies(command: &[u8]) -> bool {
    let mut depth = 0_usize;
    let mut after_from = false;
    name(command) == b"copy"
        && tokens(command.get("\\copy".len()..).unwrap_or_default()).into_iter().any(|token| {
            match token {
                Token::Symbol(b'(') => depth += 1,
                Token::Symbol(b')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            let found = after_from && token.is("stdin");
            after_from = depth == 0 && token.is("from");
            found
        })
}
