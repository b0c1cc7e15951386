//! Data that goes over from one archive into another, a custom one: as it stands, or packed anew.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use flate2::{Compression as Level, write::ZlibEncoder};
use tsmigrate_analyzer::archive::{Entry, Format, Toc, push_int};

use super::blocks::{Blocks, LARGE_OBJECTS, ROWS};
use super::data::{self, LargeObjects};
use super::files::{CHUNK, Files};

/// Where the data of an archive is copied from.
pub(super) struct From<'a> {
    pub(super) toc: &'a Toc,
    pub(super) files: &'a Files,
    pub(super) offsets: &'a BTreeMap<i64, u64>,
}

impl From<'_> {
    /// Writes the data of an entry as a block of a custom archive. What is packed anew is packed by zlib.
    pub(super) fn copy(&self, entry: &Entry, out: &mut dyn Write) -> io::Result<()> {
        let mut out = Out { out, int_size: self.toc.int_size.into() };
        let copied = if self.toc.format == Format::Custom {
            self.as_it_stands(entry, &mut out)
        } else {
            self.packed_anew(entry, &mut out)
        };
        copied.map_err(|error| data::named(entry, &error))
    }

    fn as_it_stands(&self, entry: &Entry, out: &mut Out<'_>) -> io::Result<()> {
        let missing = || io::Error::new(io::ErrorKind::InvalidData, "it is not in the archive");
        let at = *self.offsets.get(&entry.id).ok_or_else(missing)?;
        let mut blocks = Blocks::new(self.files.from(at)?, self.toc.int_size);
        let (is_large, id) = blocks.head()?;
        if id != entry.id {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a block of data is another entry's"));
        }
        out.head(is_large, id)?;
        let chunks = |blocks: &mut Blocks, out: &mut Out<'_>| -> io::Result<()> {
            while let Some(length) = blocks.chunk()? {
                out.int(i64::try_from(length).unwrap_or(i64::MAX))?;
                blocks.copy(length, out.out)?;
            }
            out.int(0)
        };
        if !is_large {
            return chunks(&mut blocks, out);
        }
        loop {
            let number = blocks.int()?;
            out.int(number)?;
            if number == 0 {
                return Ok(());
            }
            chunks(&mut blocks, out)?;
        }
    }

    fn packed_anew(&self, entry: &Entry, out: &mut Out<'_>) -> io::Result<()> {
        let is_large = entry.is("BLOBS");
        out.head(is_large, entry.id)?;
        if !is_large {
            let mut rows = data::of_entry(self.toc, self.files, self.offsets, entry)?;
            return out.pack(&mut rows);
        }
        let mut objects = LargeObjects::open(self.toc, self.files, self.offsets, entry)?;
        while let Some((number, mut bytes)) = objects.next(self.files)? {
            out.int(i64::try_from(number).unwrap_or(i64::MAX))?;
            out.pack(&mut bytes)?;
        }
        out.int(0)
    }
}

/// A custom archive that is written.
struct Out<'a> {
    out: &'a mut dyn Write,
    int_size: usize,
}

impl Out<'_> {
    fn int(&mut self, value: i64) -> io::Result<()> {
        let mut bytes = Vec::with_capacity(self.int_size + 1);
        push_int(&mut bytes, value, self.int_size);
        self.out.write_all(&bytes)
    }

    fn head(&mut self, is_large: bool, id: i64) -> io::Result<()> {
        self.out.write_all(&[if is_large { LARGE_OBJECTS } else { ROWS }])?;
        self.int(id)
    }

    /// One piece of data, in chunks.
    fn pack(&mut self, from: &mut dyn Read) -> io::Result<()> {
        let mut packed =
            ZlibEncoder::new(Chunks { out: self, held: Vec::with_capacity(CHUNK) }, Level::default());
        io::copy(from, &mut packed)?;
        let mut chunks = packed.finish()?;
        chunks.flush()?;
        self.int(0)
    }
}

/// Bytes that become chunks.
struct Chunks<'a, 'b> {
    out: &'a mut Out<'b>,
    held: Vec<u8>,
}

impl Write for Chunks<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            self.out.int(i64::try_from(self.held.len()).unwrap_or(i64::MAX))?;
            self.out.out.write_all(&self.held)?;
            self.held.clear();
        }
        Ok(())
    }
}
