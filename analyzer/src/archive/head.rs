//! The numbers and strings that a table of contents is written in.

use std::io::{self, Read};

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It ends too early.
    #[error("the archive is cut off: its table of contents has no end")]
    CutOff,
    /// Its bytes contradict each other.
    #[error("the archive's table of contents is damaged: {0}")]
    Broken(&'static str),
    /// An entry is none that `pg_dump` writes.
    #[error("the archive's table of contents is damaged: entry {id} ({kind} {tag}): {why}")]
    Entry {
        /// Its number.
        id: i64,
        /// Its kind, as it can be shown.
        kind: String,
        /// Its name, as it can be shown.
        tag: String,
        /// What contradicts what.
        why: &'static str,
    },
    /// It does not begin as an archive does.
    #[error("this is no archive of pg_dump")]
    NoArchive,
    /// Its format is of another time.
    #[error("the archive's format is version {0}.{1}")]
    Version(u8, u8),
    /// It cannot be read at all.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Strings longer than this have no place in a table of contents: a statement of PostgreSQL is shorter.
const LONGEST: u64 = 1 << 30;

/// Reads what `pg_dump` writes, and believes no length before the bytes are there.
pub(super) struct Reader<R> {
    source: R,
    /// Bytes of a number.
    int_size: usize,
}

impl<R: Read> Reader<R> {
    pub(super) fn new(source: R) -> Self {
        Self { source, int_size: 4 }
    }

    pub(super) fn set_int_size(&mut self, size: u8) -> Result<(), Damage> {
        if !(1..=8).contains(&size) {
            return Err(Damage::Broken("numbers of an impossible size"));
        }
        self.int_size = size.into();
        Ok(())
    }

    pub(super) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes).map_err(ended)?;
        Ok(bytes)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Damage> {
        self.bytes().map(|[byte]| byte)
    }

    pub(super) fn int(&mut self) -> Result<i64, Damage> {
        int(&mut self.source, self.int_size)
    }

    /// So many bytes as a number, the smallest first.
    pub(super) fn little(&mut self, size: usize) -> Result<u64, Damage> {
        little(&mut self.source, size)
    }

    /// A string; none where `pg_dump` had none.
    pub(super) fn string(&mut self) -> Result<Option<Vec<u8>>, Damage> {
        let Ok(length) = u64::try_from(self.int()?) else { return Ok(None) };
        if length > LONGEST {
            return Err(Damage::Broken("a text is too long"));
        }
        let mut text = Vec::new();
        self.source.by_ref().take(length).read_to_end(&mut text)?;
        if text.len() as u64 == length { Ok(Some(text)) } else { Err(Damage::CutOff) }
    }

    /// A string where its absence means the same as an empty one.
    pub(super) fn text(&mut self) -> Result<Vec<u8>, Damage> {
        Ok(self.string()?.unwrap_or_default())
    }
}

/// A number as archives have it: its sign, then so many bytes, the smallest first.
///
/// # Errors
/// When it ends early, or is larger than any that `pg_dump` writes.
pub fn int(source: &mut impl Read, size: usize) -> Result<i64, Damage> {
    let sign = little(source, 1)?;
    let value = i64::try_from(little(source, size)?).map_err(|_| Damage::Broken("a number is too large"))?;
    Ok(if sign == 0 { value } else { -value })
}

fn little(source: &mut impl Read, size: usize) -> Result<u64, Damage> {
    let mut value = 0;
    for place in 0..size {
        let mut byte = [0];
        source.read_exact(&mut byte).map_err(ended)?;
        let byte = u64::from(byte[0]);
        if byte == 0 {
            continue;
        }
        if place >= 8 {
            return Err(Damage::Broken("a number is too large"));
        }
        value |= byte << (8 * place);
    }
    Ok(value)
}

fn ended(error: io::Error) -> Damage {
    if error.kind() == io::ErrorKind::UnexpectedEof { Damage::CutOff } else { error.into() }
}
