//! A table of contents as `pg_dump` writes it.

use super::MAGIC;
use super::toc::{Compression, Entry, Format, Place, Toc};

/// Bytes of a place in a file.
const OFFSET: u8 = 8;

/// The level of zlib that its own default is, as older archives say it.
const DEFAULT_LEVEL: i64 = -1;

impl Toc {
    /// Its bytes, in the format's version that it has. How many there are does not depend on the places of data in a custom archive.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Out { bytes: MAGIC.to_vec(), int_size: self.int_size.into() };
        let format = match self.format {
            Format::Custom => 1,
            Format::Tar => 3,
            Format::Directory => 5,
        };
        out.bytes.extend([1, self.version, 0, self.int_size, OFFSET, format]);
        if self.version >= 15 {
            out.bytes.push(match self.compression {
                Compression::None => 0,
                Compression::Gzip => 1,
                Compression::Lz4 => 2,
                Compression::Zstd => 3,
            });
        } else {
            out.int(if self.compression == Compression::None { 0 } else { DEFAULT_LEVEL });
        }
        self.created.into_iter().for_each(|number| out.int(number));
        for text in [&self.database, &self.server, &self.writer] {
            out.string(Some(text));
        }
        out.int(i64::try_from(self.entries.len()).unwrap_or(i64::MAX));
        for entry in &self.entries {
            out.entry(self, entry);
        }
        out.bytes
    }
}

/// A number as archives have it, read again by [`super::int`]: its sign, then so many bytes, the smallest first.
pub fn push_int(out: &mut Vec<u8>, value: i64, size: usize) {
    out.push(u8::from(value < 0));
    let bytes = value.unsigned_abs().to_le_bytes();
    out.extend(bytes.into_iter().chain([0; 8]).take(size));
}

struct Out {
    bytes: Vec<u8>,
    /// Bytes of a number.
    int_size: usize,
}

impl Out {
    fn int(&mut self, value: i64) {
        push_int(&mut self.bytes, value, self.int_size);
    }

    fn string(&mut self, text: Option<&[u8]>) {
        let Some(text) = text else { return self.int(-1) };
        self.int(i64::try_from(text.len()).unwrap_or(i64::MAX));
        self.bytes.extend_from_slice(text);
    }

    /// What `pg_dump` leaves out where it is empty.
    fn text(&mut self, text: &[u8]) {
        self.string(Some(text).filter(|text| !text.is_empty()));
    }

    fn entry(&mut self, toc: &Toc, entry: &Entry) {
        self.int(entry.id);
        self.int(entry.has_data.into());
        self.string(Some(entry.object.0.to_string().as_bytes()));
        self.string(Some(entry.object.1.to_string().as_bytes()));
        self.string(Some(&entry.tag));
        self.string(Some(&entry.kind));
        self.int(entry.section as i64);
        for text in [&entry.definition, &entry.drop, &entry.copy] {
            self.text(text);
        }
        self.string(entry.schema.as_deref());
        self.string(entry.tablespace.as_deref());
        if toc.version >= 14 {
            self.string(entry.access_method.as_deref());
        }
        if toc.version >= 16 {
            self.int(entry.relation_kind.into());
        }
        self.string(entry.owner.as_deref());
        // Tables WITH OIDS are no more.
        self.string(Some(b"false"));
        for number in &entry.needs {
            self.string(Some(number.to_string().as_bytes()));
        }
        self.string(None);
        if toc.format != Format::Custom {
            // An empty name says that there is none.
            let name = if let Place::File(name) = &entry.place { name.as_slice() } else { b"" };
            return self.string(Some(name));
        }
        let (state, offset) = match entry.place {
            Place::Unknown => (1, 0),
            Place::At(offset) => (2, offset),
            Place::Nowhere | Place::File(_) => (3, 0),
        };
        self.bytes.push(state);
        self.bytes.extend(offset.to_le_bytes());
    }
}
