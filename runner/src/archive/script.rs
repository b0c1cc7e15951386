//! The script of an archive as a stream of bytes.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Cursor, Read};
use std::rc::Rc;
use std::sync::Arc;

use tsmigrate_analyzer::archive::{Entry, Format, Part, Place, Script, Toc};

use super::blocks::{self, Blocks};
use super::data::{self, LargeObjects};
use super::files::Files;
use super::rows::NO_ROWS;

/// A key for `\\restrict`, which no text of the archive can know.
pub(super) fn key() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(1), random.hash_one(2))
}

/// What ends statements that are data.
const STATEMENTS_END: &[u8] = b"\n\n";

/// The script, read from its beginning.
pub struct ScriptReader {
    toc: Arc<Toc>,
    files: Arc<Files>,
    script: Script,
    with_data: bool,
    /// Where the data of a custom archive begins, by entries' numbers.
    places: BTreeMap<i64, u64>,
    now: Now,
}

enum Now {
    Text(Cursor<Vec<u8>>),
    /// Rows or statements, what they have to end with, and their last bytes.
    Rows(Box<dyn Read>, &'static [u8], Vec<u8>),
    LargeObjects(LargeObjects),
}

/// Rows of TimescaleDB's own catalogs say what its version is and which tables are hypertables: the schema is not judged
/// without them.
fn is_catalog(entry: &Entry) -> bool {
    entry.has_data
        && entry
            .schema
            .as_deref()
            .is_some_and(|schema| [&b"_timescaledb_catalog"[..], b"_timescaledb_config"].contains(&schema))
}

impl ScriptReader {
    pub(super) fn new(toc: Arc<Toc>, files: Arc<Files>, with_data: bool) -> io::Result<Self> {
        let is_read = with_data || toc.entries.iter().any(is_catalog);
        let is_custom = is_read && toc.format == Format::Custom;
        let places = if is_custom { blocks::places(&toc, &files)? } else { BTreeMap::new() };
        let script = Script::new(Arc::clone(&toc), &key());
        Ok(Self { toc, files, script, with_data, places, now: Now::Text(Cursor::default()) })
    }

    fn data(&self, entry: &Entry) -> io::Result<Now> {
        let is_large = entry.is("BLOBS");
        let end = if entry.copy.is_empty() { STATEMENTS_END } else { NO_ROWS };
        if !self.with_data && !is_catalog(entry) {
            let end = if entry.copy.is_empty() { &b""[..] } else { NO_ROWS };
            return Ok(Now::Text(Cursor::new(end.to_vec())));
        }
        let name = match &entry.place {
            Place::File(name) => name,
            Place::Nowhere => return Ok(Now::Text(Cursor::default())),
            Place::At(_) | Place::Unknown => {
                let missing = || super::files::damaged("the data is not in the archive");
                let at = *self.places.get(&entry.id).ok_or_else(missing)?;
                let mut blocks = Blocks::new(self.files.from(at)?, self.toc.int_size);
                blocks.head_of(entry.id)?;
                if !is_large {
                    blocks.begin_rows();
                }
                let blocks = Rc::new(RefCell::new(blocks));
                return Ok(if is_large {
                    Now::LargeObjects(LargeObjects::of_blocks(blocks, &self.toc))
                } else {
                    Now::Rows(data::of_chunks(blocks, self.toc.compression), end, Vec::new())
                });
            }
        };
        Ok(if is_large {
            // In a tar file the entry has another name than the list, which is one for all until version 16.
            let own = format!("blobs_{}.toc", entry.id).into_bytes();
            let lists = [name, own.as_slice(), b"blobs.toc"];
            let list = lists.into_iter().find(|list| self.files.has(list)).unwrap_or(name);
            Now::LargeObjects(LargeObjects::of_files(&self.files, list, &self.toc)?)
        } else {
            Now::Rows(data::of_file(&self.files, name)?, end, Vec::new())
        })
    }
}

impl Read for ScriptReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let read = match &mut self.now {
                Now::Text(text) => text.read(out)?,
                Now::Rows(rows, end, last) => {
                    let read = rows.read(out)?;
                    last.extend_from_slice(out.get(read.saturating_sub(end.len())..read).unwrap_or_default());
                    last.drain(..last.len().saturating_sub(end.len()));
                    // Whatever a decompressor took for the end: rows that lack theirs are not all.
                    if read == 0 && last != end {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    read
                }
                Now::LargeObjects(objects) => objects.read(&self.files, out)?,
            };
            if read > 0 {
                return Ok(read);
            }
            let Some(part) = self.script.next() else { return Ok(0) };
            self.now = match part {
                Part::Text(text) => Now::Text(Cursor::new(text)),
                Part::Data(index) => {
                    let toc = Arc::clone(&self.toc);
                    let Some(entry) = toc.entries.get(index) else { continue };
                    self.data(entry).map_err(|error| data::named(entry, &error))?
                }
            };
        }
    }
}
