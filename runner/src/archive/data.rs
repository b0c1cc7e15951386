//! The data of an entry: its rows or statements, or its large objects as the statements that write them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufReader, Cursor, Read};
use std::rc::Rc;

use flate2::bufread::{MultiGzDecoder, ZlibDecoder};
use tsmigrate_analyzer::archive::{Compression, Entry, Place, Toc};

use super::blocks::{Blocks, Chunks};
use super::files::{CHUNK, Files, Range, damaged};
use crate::frames::{Frames, Lz4Frames};

/// `pg_restore` writes a large object by so many bytes.
const WRITTEN: u64 = 16 << 10;

/// A list of large objects is shorter than this.
const LONGEST_LIST: u64 = 1 << 30;

/// Unpacked bytes of a custom archive's chunks: gzip is zlib's format there.
fn of_chunks(blocks: Rc<RefCell<Blocks>>, compression: Compression) -> Box<dyn Read> {
    let packed = BufReader::with_capacity(CHUNK, Chunks(blocks));
    match compression {
        Compression::None => Box::new(packed),
        Compression::Gzip => Box::new(ZlibDecoder::new(packed)),
        Compression::Lz4 => Box::new(Lz4Frames::new(packed)),
        Compression::Zstd => Box::new(Frames::new(packed)),
    }
}

/// The file of this name, and the ending of its compression.
fn packed_file(files: &Files, name: &[u8]) -> io::Result<(Range, &'static [u8])> {
    let mut missing = None;
    for ending in [&b""[..], b".gz", b".lz4", b".zst"] {
        match files.open(&[name, ending].concat()) {
            Ok(range) => return Ok((range, ending)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                missing.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    Err(missing.unwrap_or_else(|| io::ErrorKind::NotFound.into()))
}

/// Unpacked bytes of a file, whose name's ending says how it is packed.
fn of_file(files: &Files, name: &[u8]) -> io::Result<Box<dyn Read>> {
    let (range, ending) = packed_file(files, name)?;
    let packed = BufReader::with_capacity(CHUNK, range);
    Ok(match ending {
        b".gz" => Box::new(MultiGzDecoder::new(packed)),
        b".lz4" => Box::new(Lz4Frames::new(packed)),
        b".zst" => Box::new(Frames::new(packed)),
        _ => Box::new(packed),
    })
}

/// Unpacked rows or statements of an entry.
pub(super) fn of_entry(
    toc: &Toc,
    files: &Files,
    offsets: &BTreeMap<i64, u64>,
    entry: &Entry,
) -> io::Result<Box<dyn Read>> {
    if let Place::File(name) = &entry.place {
        return of_file(files, name);
    }
    let missing = || damaged("the data is not in the archive");
    let at = *offsets.get(&entry.id).ok_or_else(missing)?;
    let mut blocks = Blocks::new(files.from(at)?, toc.int_size);
    blocks.head_of(entry.id)?;
    blocks.begin_rows();
    Ok(of_chunks(Rc::new(RefCell::new(blocks)), toc.compression))
}

/// The bytes that an entry's data takes in its file.
pub(super) fn packed(files: &Files, entry: &Entry) -> io::Result<u64> {
    let Place::File(name) = &entry.place else {
        return Err(named(entry, &damaged("it is not in the archive")));
    };
    let (range, _) = packed_file(files, name).map_err(|error| named(entry, &error))?;
    Ok(range.end - range.at)
}

/// An error that names the entry.
pub(super) fn named(entry: &Entry, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("data of {}: {error}", String::from_utf8_lossy(&entry.tag)))
}

/// Where the large objects of an entry are.
enum Objects {
    Blocks(Rc<RefCell<Blocks>>, Compression),
    /// Numbers and names of files, the next one last.
    Files(Vec<(u64, Vec<u8>)>),
}

/// Large objects as the statements that write them.
pub(super) struct LargeObjects {
    objects: Objects,
    /// The one that is being written.
    open: Option<Box<dyn Read>>,
    /// Before the digits of bytes: a backslash, or two.
    backslash: &'static str,
    text: Cursor<Vec<u8>>,
}

impl LargeObjects {
    fn of_blocks(blocks: Rc<RefCell<Blocks>>, toc: &Toc) -> Self {
        Self::new(Objects::Blocks(blocks, toc.compression), toc)
    }

    /// Reads the list of them: a number and a file in each line.
    fn of_files(files: &Files, list: &[u8], toc: &Toc) -> io::Result<Self> {
        let mut text = Vec::new();
        files.open(list)?.take(LONGEST_LIST).read_to_end(&mut text)?;
        let mut objects = Vec::new();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let at = line.iter().position(|byte| *byte == b' ');
            let (number, name) = line.split_at(at.unwrap_or(line.len()));
            let number = str::from_utf8(number).ok().and_then(|number| number.parse().ok());
            let number = number.ok_or_else(|| damaged("the list of large objects is damaged"))?;
            objects.push((number, name.strip_prefix(b" ").unwrap_or_default().to_vec()));
        }
        objects.reverse();
        Ok(Self::new(Objects::Files(objects), toc))
    }

    fn new(objects: Objects, toc: &Toc) -> Self {
        let backslash = if toc.has_standard_strings() { "\\" } else { "\\\\" };
        Self { objects, open: None, backslash, text: Cursor::default() }
    }

    /// Those of an entry, wherever they are.
    pub(super) fn open(
        toc: &Toc,
        files: &Files,
        offsets: &BTreeMap<i64, u64>,
        entry: &Entry,
    ) -> io::Result<Self> {
        match &entry.place {
            Place::File(name) => {
                // In a tar file the entry has another name than the list, which is one for all until version 16.
                let own = format!("blobs_{}.toc", entry.id).into_bytes();
                let lists = [name, own.as_slice(), b"blobs.toc"];
                let list = lists.into_iter().find(|list| files.has(list)).unwrap_or(name);
                Self::of_files(files, list, toc)
            }
            Place::At(_) | Place::Unknown | Place::Nowhere => {
                let missing = || damaged("the data is not in the archive");
                let at = *offsets.get(&entry.id).ok_or_else(missing)?;
                let mut blocks = Blocks::new(files.from(at)?, toc.int_size);
                blocks.head_of(entry.id)?;
                Ok(Self::of_blocks(Rc::new(RefCell::new(blocks)), toc))
            }
        }
    }

    /// The next one's number and bytes; none where there is none.
    pub(super) fn next(&mut self, files: &Files) -> io::Result<Option<(u64, Box<dyn Read>)>> {
        let (number, object) = match &mut self.objects {
            Objects::Blocks(blocks, compression) => {
                let number = blocks.borrow_mut().begin_object()?;
                (number, of_chunks(Rc::clone(blocks), *compression))
            }
            Objects::Files(list) => match list.pop() {
                Some((number, name)) => (number, of_file(files, &name)?),
                None => return Ok(None),
            },
        };
        Ok((number != 0).then_some((number, object)))
    }

    /// Writes the next statement; false where there is none.
    fn statement(&mut self, files: &Files) -> io::Result<bool> {
        let Some(object) = &mut self.open else {
            let Some((number, object)) = self.next(files)? else { return Ok(false) };
            self.text = Cursor::new(format!("SELECT pg_catalog.lo_open('{number}', 131072);\n").into_bytes());
            self.open = Some(object);
            return Ok(true);
        };
        let mut bytes = Vec::new();
        object.take(WRITTEN).read_to_end(&mut bytes)?;
        if bytes.is_empty() {
            self.open = None;
            self.text = Cursor::new(b"SELECT pg_catalog.lo_close(0);\n\n".to_vec());
            return Ok(true);
        }
        let mut digits = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            // A string takes what is written.
            let _ = write!(digits, "{byte:02x}");
        }
        let statement = format!("SELECT pg_catalog.lowrite(0, '{}x{digits}');\n", self.backslash);
        self.text = Cursor::new(statement.into_bytes());
        Ok(true)
    }

    /// Reads on.
    pub(super) fn read(&mut self, files: &Files, out: &mut [u8]) -> io::Result<usize> {
        let read = self.text.read(out)?;
        if read > 0 || !self.statement(files)? {
            return Ok(read);
        }
        self.text.read(out)
    }
}
