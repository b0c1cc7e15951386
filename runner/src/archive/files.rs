//! Where an archive's bytes are: one file, a tar file's members, or a directory's files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use crate::os::{read_at, read_exact_at};

/// So much is read at a time.
pub(super) const CHUNK: usize = 256 << 10;

/// A tar file's blocks.
const BLOCK: usize = 512;

/// The bytes of an archive.
#[derive(Debug)]
pub(super) enum Files {
    Custom(Arc<File>, u64),
    /// Members by name: where each begins, and its length.
    Tar(Arc<File>, BTreeMap<Vec<u8>, (u64, u64)>),
    Directory(PathBuf),
}

impl Files {
    pub(super) fn custom(file: File, start: u64) -> Self {
        Self::Custom(Arc::new(file), start)
    }

    pub(super) fn directory(path: &Path) -> Self {
        Self::Directory(path.to_owned())
    }

    /// Finds the members of a tar file.
    pub(super) fn tar(file: File, start: u64) -> io::Result<Self> {
        let mut members = BTreeMap::new();
        let mut at = start;
        let end = file.metadata()?.len();
        let block = BLOCK as u64;
        while at + block <= end {
            let mut head = [0; BLOCK];
            read_exact_at(&file, &mut head, at)?;
            if head.iter().all(|byte| *byte == 0) {
                break;
            }
            let name =
                head.get(..100).and_then(|name| name.split(|byte| *byte == 0).next()).unwrap_or_default();
            let length = length_of(&head).ok_or_else(|| damaged("the tar file's head is damaged"))?;
            at += block;
            if length > end.saturating_sub(at) {
                return Err(damaged("the tar file is cut off"));
            }
            members.insert(name.to_vec(), (at, length));
            at += length.div_ceil(block) * block;
        }
        Ok(Self::Tar(Arc::new(file), members))
    }

    /// True where it has a file or member of this name.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.open(name).is_ok()
    }

    /// A file or member by its name.
    pub(super) fn open(&self, name: &[u8]) -> io::Result<Range> {
        let missing =
            || io::Error::new(io::ErrorKind::NotFound, format!("it has no {}", name.escape_ascii()));
        match self {
            Self::Custom(..) => Err(missing()),
            Self::Tar(file, members) => {
                let (start, length) = members.get(name).ok_or_else(missing)?;
                Ok(Range { file: Arc::clone(file), at: *start, end: start + length })
            }
            Self::Directory(path) => {
                let path = path.join(plain(name).ok_or_else(missing)?);
                let absent = |error: io::Error| match error.kind() {
                    io::ErrorKind::NotFound => missing(),
                    _ => error,
                };
                // A pipe would be waited for.
                if !std::fs::metadata(&path).map_err(absent)?.is_file() {
                    return Err(damaged("it is no plain file"));
                }
                let file = File::open(path).map_err(absent)?;
                Ok(Range { end: file.metadata()?.len(), file: Arc::new(file), at: 0 })
            }
        }
    }

    /// The rest of the one file from this offset.
    pub(super) fn from(&self, offset: u64) -> io::Result<Range> {
        let Self::Custom(file, start) = self else { return Err(damaged("the archive has no blocks")) };
        Ok(Range { file: Arc::clone(file), at: start + offset, end: file.metadata()?.len() })
    }
}

/// The name of a file in the directory itself: pg_dump writes no others.
fn plain(name: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(name).ok()?;
    let mut parts = Path::new(name).components();
    match (parts.next(), parts.next()) {
        (Some(Component::Normal(part)), None) if part == name => Some(name),
        _ => None,
    }
}

/// A tar member's length: octal digits, or a number for what is too large for them.
fn length_of(head: &[u8; BLOCK]) -> Option<u64> {
    let field = head.get(124..136)?;
    if field.first()? & 0x80 != 0 {
        return field
            .get(1..)?
            .iter()
            .try_fold(0_u64, |all, byte| all.checked_mul(256)?.checked_add(u64::from(*byte)));
    }
    let digits = field.iter().copied().filter(|byte| !matches!(byte, b' ' | 0));
    digits.into_iter().try_fold(0_u64, |all, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 8)?;
        all.checked_mul(8)?.checked_add(u64::from(digit))
    })
}

pub(super) fn damaged(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

/// A range of a file, read from its beginning; others may read the same file meanwhile.
#[derive(Clone, Debug)]
pub(super) struct Range {
    file: Arc<File>,
    pub(super) at: u64,
    pub(super) end: u64,
}

impl Range {
    /// Leaves out so many bytes.
    pub(super) fn skip(&mut self, bytes: u64) -> io::Result<()> {
        if bytes > self.end.saturating_sub(self.at) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += bytes;
        Ok(())
    }
}

impl Read for Range {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX).min(out.len());
        let read = read_at(&self.file, out.get_mut(..most).unwrap_or_default(), self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}
