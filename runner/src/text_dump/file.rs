//! A file of a dump's text, plain or compressed, of which any range is read.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::frames::{Packing, Unpacking};

/// So much is read at a time.
const CHUNK: usize = 256 << 10;

/// A file of a dump's text.
#[derive(Debug)]
pub struct TextFile {
    path: PathBuf,
    packing: Packing,
    /// Readers of a compressed file that have come to some place in it: whoever reads in the file's order unpacks it once.
    idle: Mutex<Vec<Unpacked>>,
}

/// The text from some place on.
struct Unpacked {
    source: Unpacking<BufReader<File>>,
    /// Bytes before it.
    at: u64,
}

impl std::fmt::Debug for Unpacked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Unpacked").field("at", &self.at).finish_non_exhaustive()
    }
}

impl TextFile {
    /// Looks how it is packed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut head = Vec::with_capacity(Packing::MAGIC);
        File::open(path)?.take(Packing::MAGIC as u64).read_to_end(&mut head)?;
        Ok(Self { path: path.to_owned(), packing: Packing::of(&head), idle: Mutex::default() })
    }

    /// How it is packed.
    #[must_use]
    pub fn packing(&self) -> Packing {
        self.packing
    }

    /// Its name.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its text, from its beginning.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn from_start(&self) -> io::Result<impl Read + use<>> {
        Ok(self.unpacked()?.source)
    }

    fn unpacked(&self) -> io::Result<Unpacked> {
        let source = BufReader::with_capacity(CHUNK, File::open(&self.path)?);
        Ok(Unpacked { source: Unpacking::new(self.packing, source), at: 0 })
    }

    /// A range of its text, behind which `next` has to stand.
    pub(super) fn range(
        self: &Arc<Self>,
        start: u64,
        end: u64,
        next: &'static [u8],
    ) -> io::Result<TextRange> {
        let reader = match self.packing {
            Packing::Plain => {
                let mut file = File::open(&self.path)?;
                file.seek(SeekFrom::Start(start))?;
                let source = Unpacking::Plain(BufReader::with_capacity(CHUNK, file));
                Unpacked { source, at: start }
            }
            Packing::Gzip | Packing::Zstd | Packing::Lz4 => {
                let mut reader = self.idle_before(start).map_or_else(|| self.unpacked(), Ok)?;
                let before = start - reader.at;
                if io::copy(&mut reader.source.by_ref().take(before), &mut io::sink())? < before {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                reader.at = start;
                reader
            }
        };
        let left = end.saturating_sub(start);
        Ok(TextRange { file: Arc::clone(self), reader: Some(reader), left, next: Some(next) })
    }

    /// The reader that has come nearest to this place, and not past it.
    fn idle_before(&self, start: u64) -> Option<Unpacked> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let near = idle.iter().enumerate().filter(|(_, reader)| reader.at <= start);
        let (number, _) = near.max_by_key(|(_, reader)| reader.at)?;
        Some(idle.swap_remove(number))
    }
}

/// A range of a file's text.
pub(super) struct TextRange {
    file: Arc<TextFile>,
    /// None after an error.
    reader: Option<Unpacked>,
    left: u64,
    /// What has to stand behind it, until that was looked at.
    next: Option<&'static [u8]>,
}

impl TextRange {
    fn read_some(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let Some(reader) = &mut self.reader else { return Err(changed()) };
        if self.left == 0 {
            let Some(next) = self.next.take() else { return Ok(0) };
            let mut found = vec![0; next.len()];
            reader.source.read_exact(&mut found)?;
            reader.at += next.len() as u64;
            return if found == next { Ok(0) } else { Err(changed()) };
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let read = reader.source.read(out.get_mut(..most).unwrap_or_default())?;
        if read == 0 && most > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        (self.left, reader.at) = (self.left - read as u64, reader.at + read as u64);
        Ok(read)
    }
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file has changed since it was looked through")
}

impl Read for TextRange {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.read_some(out);
        if read.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::Interrupted) {
            self.reader = None;
        }
        read
    }
}

impl Drop for TextRange {
    fn drop(&mut self) {
        if let Some(reader) = self.reader.take().filter(|_| self.file.packing != Packing::Plain) {
            self.file.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use super::*;

    #[test]
    fn ranges_are_read_in_any_order_and_what_stands_behind_them_is_looked_at() {
        let folder = tempfile::tempdir().expect("a folder");
        let text = b"COPY a\n1\n2\n\\.\nCOPY b\n3\n\\.\n";
        let plain = folder.path().join("plain");
        fs::write(&plain, text).expect("a file");
        let packed = folder.path().join("packed");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).expect("packed");
        fs::write(&packed, gzip.finish().expect("packed")).expect("a file");
        for path in [plain, packed] {
            let file = Arc::new(TextFile::open(&path).expect("a file"));
            let read = |start, end| -> io::Result<Vec<u8>> {
                let mut all = Vec::new();
                file.range(start, end, b"\\.")?.read_to_end(&mut all).map(|_| all)
            };
            assert_eq!(read(21, 23).expect("rows"), b"3\n");
            assert_eq!(read(7, 11).expect("rows"), b"1\n2\n");
            assert_eq!(read(21, 23).expect("rows"), b"3\n");
            assert!(read(7, 10).is_err(), "its end is another");
            assert!(read(21, 40).is_err(), "it is shorter");
            let idle = file.idle.lock().expect("no panic").len();
            assert!(idle <= 2, "{idle} readers stay");
        }
    }
}
