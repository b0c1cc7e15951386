//! What an input has to be before it can be analysed, and what to do where it is not.

mod foreign;

pub(crate) use self::foreign::KNOWN_BY;
use crate::split::Open;

/// So many bytes tell what kind of file it is.
pub const HEAD: usize = 512;

/// An input that cannot be analysed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{input}: {problem}")]
pub struct InputError {
    /// The input's name.
    pub input: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with an input, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}. {}", self.what(), self.next("THIS_FILE"))]
pub enum Problem {
    /// It has no bytes.
    Empty,
    /// It has no statement.
    NoStatement,
    /// pg_dump's custom format.
    CustomFormat,
    /// pg_dump's tar format.
    Tar,
    /// A compressed file: the format, and the command that unpacks it.
    Compressed(&'static str, &'static str),
    /// UTF-16 or UTF-32.
    Utf16(&'static str),
    /// Bytes that no dump has.
    Binary,
    /// A file of another program: what it is, and what to do in its place.
    Foreign(&'static str, &'static str),
    /// It ends in the middle of something.
    CutOff {
        /// What is open.
        open: Open,
        /// The line where it begins.
        line: u64,
    },
}

impl Problem {
    /// What is wrong, without a full stop.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::Empty => "the file is empty".into(),
            Self::NoStatement => "the file holds no SQL statement".into(),
            Self::CustomFormat => "this is a dump in custom format, not SQL text".into(),
            Self::Tar => "this is a tar archive, not SQL text".into(),
            Self::Compressed(format, _) => format!("this is a {format} file, not SQL text"),
            Self::Utf16(encoding) => {
                format!("the text is {encoding}, which PostgreSQL does not read (PowerShell's > writes it)")
            }
            Self::Binary => "this is a binary file, not a dump in plain SQL".into(),
            Self::Foreign(what, _) => (*what).to_owned(),
            Self::CutOff { open, line } => format!(
                "the file ends inside {} that begins on line {line}: the dump is cut off",
                open_words(*open)
            ),
        }
    }

    /// The line that it is about, where there is one.
    #[must_use]
    pub const fn line(&self) -> Option<u64> {
        match self {
            Self::CutOff { line, .. } => Some(*line),
            _ => None,
        }
    }

    /// What to do, in words and commands, where `file` is the input's name as a shell reads it.
    #[must_use]
    pub fn next(&self, file: &str) -> String {
        match self {
            Self::Empty => "write the dump again and look at pg_dump's own messages".into(),
            Self::NoStatement => {
                "write a dump in plain format: pg_dump --format=plain --file=dump.sql".into()
            }
            Self::CustomFormat => format!(
                "name the archive's own file, neither piped nor packed, or turn it into text first: \
                 pg_restore --file=dump.sql {file} (with --schema-only for the schema alone)"
            ),
            Self::Tar => format!(
                "if it is pg_dump's tar format, turn it into text first: pg_restore --file=dump.sql {file}"
            ),
            Self::Compressed(_, tool) => {
                format!("unpack it first, or pipe it in: {tool} {file} | tsmigrate check -")
            }
            Self::Utf16(encoding) => format!(
                "write the dump with pg_dump --file=dump.sql, or convert this file: \
                 iconv -f {encoding} -t UTF-8 {file} > dump.sql"
            ),
            Self::Binary => "write a dump in plain format: pg_dump --format=plain --file=dump.sql".into(),
            Self::Foreign(_, next) => (*next).to_owned(),
            Self::CutOff { .. } => "write the dump again: nothing after this place can be trusted".into(),
        }
    }
}

/// What is open, in words.
pub(crate) fn open_words(open: Open) -> &'static str {
    match open {
        Open::Quote => "a string",
        Open::Identifier => "a quoted identifier",
        Open::DollarQuote => "a dollar-quoted string",
        Open::Comment => "a comment",
        Open::Parenthesis => "a statement",
        Open::Body => "a function body",
        Open::CopyData => "the data of a COPY",
    }
}

/// Looks at the first bytes of an input.
///
/// # Errors
/// What kind of file it is, where it is no text.
pub fn sniff(head: &[u8]) -> Result<(), Problem> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    if starts(b"PGDMP") {
        return Err(Problem::CustomFormat);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Err(Problem::Tar);
    }
    for (magic, name, tool) in [
        (&b"\x1f\x8b"[..], "gzip", "gunzip -c"),
        (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dc"),
        (b"\x04\x22\x4d\x18", "lz4", "lz4 -dc"),
        (b"\xfd7zXZ", "xz", "xz -dc"),
        (b"BZh", "bzip2", "bunzip2 -c"),
        (b"PK\x03\x04", "zip", "unzip -p"),
    ] {
        if starts(magic) {
            return Err(Problem::Compressed(name, tool));
        }
    }
    if starts(b"\xff\xfe\0\0") || starts(b"\0\0\xfe\xff") {
        return Err(Problem::Utf16("UTF-32"));
    }
    if starts(b"\xff\xfe") || starts(b"\xfe\xff") {
        return Err(Problem::Utf16("UTF-16"));
    }
    if starts(b"SQLite format 3\0") {
        let (what, next) = foreign::SQLITE_FILE;
        return Err(Problem::Foreign(what, next));
    }
    let zeros = memchr::memchr_iter(0, head).count();
    if zeros * 3 > head.len() && head.len() > 3 {
        return Err(Problem::Utf16(if head[0] == 0 { "UTF-16BE" } else { "UTF-16LE" }));
    }
    if zeros > 0 {
        return Err(Problem::Binary);
    }
    Ok(())
}

/// Looks whether a text is one of another program, by its first bytes.
///
/// # Errors
/// What it is, where it is certainly no dump of PostgreSQL.
pub fn sniff_text(head: &[u8]) -> Result<(), Problem> {
    foreign::foreign(head).map_or(Ok(()), |(what, next)| Err(Problem::Foreign(what, next)))
}

/// The database that a `\connect` names; `-` where it keeps the one it has.
#[must_use]
pub fn connect_target(meta: &str) -> Option<String> {
    let rest = meta.strip_prefix("\\connect").or_else(|| meta.strip_prefix("\\c"))?;
    if !rest.starts_with(char::is_whitespace) {
        return None;
    }
    let mut words = meta_words(rest);
    let mut first = words.next()?;
    while first.starts_with("-reuse-previous") {
        first = words.next()?;
    }
    if let Some((_, rest)) = first.split_once("://") {
        // postgres://user:secret@host/name?options
        let path = rest.split_once('/').map_or("", |(_, path)| path);
        let name = path.split('?').next().unwrap_or_default();
        return Some(if name.is_empty() { "-".into() } else { name.into() });
    }
    if first.contains('=') {
        return Some(connection_parameter(&first, "dbname").unwrap_or_else(|| "-".into()));
    }
    Some(first)
}

/// A parameter of a connection string: `host=h dbname='we ird'`, with \ before quotes and backslashes.
#[must_use]
pub fn connection_parameter(string: &str, wanted: &str) -> Option<String> {
    let mut chars = string.chars().peekable();
    loop {
        let mut name = String::new();
        while let Some(c) = chars.next_if(|c| *c != '=') {
            name.push(c);
        }
        chars.next()?;
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        let quoted = chars.next_if_eq(&'\'').is_some();
        let mut value = String::new();
        while let Some(c) = chars.next_if(|c| if quoted { *c != '\'' } else { !c.is_whitespace() }) {
            value.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
        if quoted {
            chars.next();
        }
        if name.trim() == wanted {
            return Some(value);
        }
    }
}

/// psql's words: quotes of both kinds group, a doubled quote stands for itself.
fn meta_words(text: &str) -> impl Iterator<Item = String> {
    let mut chars = text.chars().peekable();
    std::iter::from_fn(move || {
        while chars.next_if(|c| c.is_whitespace()).is_some() {}
        chars.peek()?;
        let mut word = String::new();
        let mut quote = None;
        while let Some(&c) = chars.peek() {
            match quote {
                None if c.is_whitespace() => break,
                None if c == '"' => quote = Some(c),
                Some(q) if c == q => {
                    chars.next();
                    if chars.peek() == Some(&q) {
                        word.push(q);
                    } else {
                        quote = None;
                        continue;
                    }
                }
                _ => word.push(c),
            }
            chars.next();
        }
        Some(word)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_text_are_told_apart() {
        assert_eq!(sniff(b"PGDMP\x01\x0e"), Err(Problem::CustomFormat));
        assert!(matches!(sniff(b"\x1f\x8b\x08\0"), Err(Problem::Compressed("gzip", _))));
        assert_eq!(sniff(b"\xff\xfeS\0E\0"), Err(Problem::Utf16("UTF-16")));
        assert_eq!(sniff(b"S\0E\0L\0"), Err(Problem::Utf16("UTF-16LE")));
        assert_eq!(sniff(b"\x7fELF\x01\0aaaaaaaaaaaaaaaa"), Err(Problem::Binary));
        assert_eq!(sniff(b"\xef\xbb\xbf-- dump"), Ok(()));
        assert_eq!(sniff("SELECT 'é';".as_bytes()), Ok(()));
    }

    #[test]
    fn the_database_of_a_connect_is_read_as_psql_reads_it() {
        for (meta, name) in [
            ("\\connect srcdb", Some("srcdb")),
            ("\\c srcdb", Some("srcdb")),
            ("\\connect \"we ird\"", Some("we ird")),
            ("\\connect -reuse-previous=on \"dbname='we ird'\"", Some("we ird")),
            ("\\connect -reuse-previous=on \"dbname='a\\'b'\"", Some("a'b")),
            ("\\connect - postgres", Some("-")),
            ("\\connect postgres://u:secret@h:5432/shop?sslmode=require", Some("shop")),
            ("\\c \"host=h password=secret dbname = shop\"", Some("shop")),
            ("\\c \"host=h password=secret\"", Some("-")),
            ("\\copy t from x", None),
            ("\\restrict abc", None),
        ] {
            assert_eq!(connect_target(meta).as_deref(), name, "{meta}");
        }
    }
}
