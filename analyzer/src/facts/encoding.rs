//! The encoding of what a session sends, as far as the inputs declare it.

use crate::text::cleaned;

/// What the server does with the bytes of a statement or row. Its databases are UTF8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// Nothing is declared: the server takes them for UTF8, unless psql's surroundings say otherwise.
    #[default]
    Undeclared,
    /// It refuses what is no UTF8: declared as UTF8.
    Checked,
    /// Declared as `SQL_ASCII`: statements are refused where they are no UTF8, rows of COPY are stored as they are
    /// (pg_any_to_server in mbutils.c, CopyConvertBuf in copyfromparse.c).
    Stored,
    /// It converts each byte of them: Latin 1 has a character for each.
    Converted,
    /// It converts them, and refuses what has no character.
    MayFail,
}

impl Encoding {
    /// The encoding of this name.
    #[must_use]
    pub fn named(name: &str) -> Self {
        match cleaned(name).as_str() {
            "default" => Self::Undeclared,
            "utf8" | "unicode" => Self::Checked,
            "sqlascii" => Self::Stored,
            "latin1" | "iso88591" => Self::Converted,
            _ => Self::MayFail,
        }
    }
}
