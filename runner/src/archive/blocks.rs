//! The blocks of a custom archive: an entry's data, in chunks with their lengths.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::rc::Rc;

use tsmigrate_analyzer::archive::{self, Damage, Entry, Place, Toc};

use super::files::{CHUNK, Files, Range, damaged};

/// The kinds of blocks.
pub(super) const ROWS: u8 = 1;
pub(super) const LARGE_OBJECTS: u8 = 3;

/// A reader of blocks that may go on behind one.
pub(super) struct Blocks {
    source: BufReader<Range>,
    int_size: u8,
    /// Bytes of the chunk that are not read yet.
    left: u64,
    /// The piece of data has no further chunk.
    is_over: bool,
}

impl Blocks {
    pub(super) fn new(source: Range, int_size: u8) -> Self {
        Self { source: BufReader::with_capacity(CHUNK, source), int_size, left: 0, is_over: true }
    }

    pub(super) fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.source.read_exact(&mut byte)?;
        let [byte] = byte;
        Ok(byte)
    }

    pub(super) fn int(&mut self) -> io::Result<i64> {
        archive::int(&mut self.source, self.int_size.into()).map_err(io_error)
    }

    /// The head of a block: whether it has large objects, and its entry's number.
    pub(super) fn head(&mut self) -> io::Result<(bool, i64)> {
        match self.byte()? {
            ROWS => Ok((false, self.int()?)),
            LARGE_OBJECTS => Ok((true, self.int()?)),
            _ => Err(damaged("a block of data does not begin where it should")),
        }
    }

    /// The head of this entry's block.
    pub(super) fn head_of(&mut self, id: i64) -> io::Result<()> {
        match self.head()? {
            (_, found) if found == id => Ok(()),
            _ => Err(damaged("a block of data is another entry's")),
        }
    }

    /// The next chunk's length; none at the end.
    pub(super) fn chunk(&mut self) -> io::Result<Option<u64>> {
        let length = self.int()?;
        let length = u64::try_from(length).map_err(|_| damaged("a chunk's length is below zero"))?;
        Ok(Some(length).filter(|length| *length > 0))
    }

    fn skip(&mut self, bytes: u64) -> io::Result<()> {
        let buffered = self.source.buffer().len() as u64;
        if bytes <= buffered {
            self.source.consume(usize::try_from(bytes).unwrap_or_default());
            return Ok(());
        }
        self.source.consume(usize::try_from(buffered).unwrap_or_default());
        self.source.get_mut().skip(bytes - buffered)
    }

    fn read_chunks(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 && !self.is_over {
            match self.chunk()? {
                Some(length) => self.left = length,
                None => self.is_over = true,
            }
        }
        if self.is_over || out.is_empty() {
            return Ok(0);
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let read = self.source.read(out.get_mut(..most).unwrap_or_default())?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        Ok(read)
    }

    /// Writes the bytes of a chunk as they stand.
    pub(super) fn copy(&mut self, bytes: u64, out: &mut dyn Write) -> io::Result<()> {
        let copied = io::copy(&mut self.source.by_ref().take(bytes), out)?;
        if copied < bytes { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// Begins the rows behind the head.
    pub(super) fn begin_rows(&mut self) {
        self.is_over = false;
    }

    /// Begins the next large object, and says its number; 0 where there is none.
    pub(super) fn begin_object(&mut self) -> io::Result<u64> {
        if !self.is_over {
            let left = std::mem::take(&mut self.left);
            self.skip(left)?;
            self.skip_chunks()?;
        }
        let number =
            u64::try_from(self.int()?).map_err(|_| damaged("a large object's number is below zero"))?;
        self.is_over = number == 0;
        Ok(number)
    }

    fn skip_chunks(&mut self) -> io::Result<()> {
        while let Some(length) = self.chunk()? {
            self.skip(length)?;
        }
        Ok(())
    }

    /// Where the next byte is in the archive's file.
    fn at(&self) -> u64 {
        self.source.get_ref().at - self.source.buffer().len() as u64
    }

    fn is_at_end(&mut self) -> io::Result<bool> {
        Ok(self.source.fill_buf()?.is_empty())
    }
}

fn io_error(damage: Damage) -> io::Error {
    match damage {
        Damage::Io(error) => error,
        Damage::CutOff => io::ErrorKind::UnexpectedEof.into(),
        damage => damaged(damage.to_string()),
    }
}

/// Where entries' data begins, as far as the table of contents says it.
pub(super) fn known_places(toc: &Toc) -> BTreeMap<i64, u64> {
    let known = toc.entries.iter().filter_map(|entry| match entry.place {
        Place::At(offset) => Some((entry.id, offset)),
        Place::Unknown | Place::Nowhere | Place::File(_) => None,
    });
    known.collect()
}

/// Where each entry's data begins. An archive that was written into a pipe does not say it: its blocks are looked
/// through, from the first behind the table of contents, until all are found. What is behind them is none: where `pg_dump` wrote
/// to the end of a file (`>>`), it has written its table of contents there once more.
pub(super) fn places(toc: &Toc, files: &Files) -> io::Result<BTreeMap<i64, u64>> {
    let mut places = known_places(toc);
    let is_unknown = |entry: &&Entry| entry.has_data && entry.place == Place::Unknown;
    let mut unknown: BTreeSet<_> = toc.entries.iter().filter(is_unknown).map(|entry| entry.id).collect();
    if unknown.is_empty() {
        return Ok(places);
    }
    let start = files.from(0)?;
    let origin = start.at;
    // The table of contents is read once more: what is behind it are blocks.
    let mut after = Blocks::new(start, toc.int_size);
    Toc::read(&mut after.source).map_err(io_error)?;
    while !unknown.is_empty() && !after.is_at_end()? {
        let at = after.at() - origin;
        let (large_objects, id) = after.head()?;
        places.insert(id, at);
        unknown.remove(&id);
        if large_objects {
            while after.int()? != 0 {
                after.skip_chunks()?;
            }
        } else {
            after.skip_chunks()?;
        }
    }
    Ok(places)
}

/// The chunks of one piece of data as one stream of bytes.
pub(super) struct Chunks(pub(super) Rc<RefCell<Blocks>>);

impl Read for Chunks {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.borrow_mut().read_chunks(out)
    }
}
