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

/// Commands that psql 18 knows and that do not read the rest of their line raw.
const COMMANDS: [&str; 80] = [
    "?",
    "C",
    "H",
    "T",
    "a",
    "bind",
    "bind_named",
    "c",
    "cd",
    "close_prepared",
    "connect",
    "conninfo",
    "copyright",
    "crosstabview",
    "e",
    "echo",
    "edit",
    "elif",
    "else",
    "encoding",
    "endif",
    "endpipeline",
    "errverbose",
    "f",
    "flush",
    "flushrequest",
    "gdesc",
    "getenv",
    "getresults",
    "gexec",
    "gset",
    "html",
    "i",
    "if",
    "include",
    "include_relative",
    "ir",
    "l",
    "l+",
    "list",
    "list+",
    "lo_export",
    "lo_import",
    "lo_list",
    "lo_list+",
    "lo_unlink",
    "lx",
    "lx+",
    "p",
    "parse",
    "password",
    "print",
    "prompt",
    "pset",
    "q",
    "qecho",
    "quit",
    "r",
    "reset",
    "restrict",
    "s",
    "sendpipeline",
    "set",
    "setenv",
    "startpipeline",
    "sync",
    "syncpipeline",
    "t",
    "timing",
    "unrestrict",
    "unset",
    "warn",
    "watch",
    "x",
    "z",
    "zS",
    "zx",
    "zSx",
    "zxS",
    "d",
];

/// How the arguments of the command called `name` end.
pub(super) fn arguments(name: &[u8]) -> Arguments {
    match name {
        b"g" | b"gx" | b"o" | b"out" | b"w" | b"write" => Arguments::Pipe,
        [b'd', ..] => Arguments::Words,
        _ if COMMANDS.iter().any(|command| command.as_bytes() == name) => Arguments::Words,
        _ => Arguments::Line,
    }
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
