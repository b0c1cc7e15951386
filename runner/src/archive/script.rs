//! The script of an archive as a stream of bytes.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use tsmigrate_analyzer::archive::{Entry, Format, Part, Place, Script, Toc};

use super::blocks;
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
        if matches!(entry.place, Place::Nowhere) {
            return Ok(Now::Text(Cursor::default()));
        }
        if is_large {
            let objects = LargeObjects::open(&self.toc, &self.files, &self.places, entry)?;
            return Ok(Now::LargeObjects(objects));
        }
        let rows = data::of_entry(&self.toc, &self.files, &self.places, entry)?;
        Ok(Now::Rows(rows, end, Vec::new()))
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
