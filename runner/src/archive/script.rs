//! The script of an archive as a stream of bytes.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Cursor, Read};
use std::sync::Arc;

use tsmigrate_analyzer::archive::{Entry, Format, Part, Pieces, Place, ROWS_END as NO_ROWS, Script, Toc};

use super::blocks;
use super::data::{self, LargeObjects};
use super::files::Files;

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

impl ScriptReader {
    pub(super) fn new(toc: Arc<Toc>, files: Arc<Files>, with_data: bool) -> io::Result<Self> {
        let is_read = with_data || toc.entries.iter().any(Entry::is_looked_at);
        let places = match toc.format {
            Format::Custom => match blocks::places(&toc, &files) {
                // The schema may be whole.
                Err(_) if !is_read => blocks::known_places(&toc),
                places => places?,
            },
            Format::Directory | Format::Tar => BTreeMap::new(),
        };
        let script = Script::new(Arc::clone(&toc), &key());
        Ok(Self { toc, files, script, with_data, places, now: Now::Text(Cursor::default()) })
    }

    /// False where an entry has no row. One that is looked for in vain, in a directory that was copied without its data, may have
    /// some.
    fn may_have_rows(&self, entry: &Entry) -> bool {
        let end = &mut [0; NO_ROWS.len()];
        let read = data::of_entry(&self.toc, &self.files, &self.places, entry)
            .and_then(|mut rows| rows.read_exact(end));
        read.is_err() || *end != NO_ROWS
    }

    fn data(&self, entry: &Entry) -> io::Result<Now> {
        let is_large = entry.is("BLOBS");
        let end = if entry.copy.is_empty() { STATEMENTS_END } else { NO_ROWS };
        if !self.with_data && !entry.is_looked_at() {
            if entry.copy.is_empty() {
                return Ok(Now::Text(Cursor::default()));
            }
            let rows = if self.may_have_rows(entry) { entry.row_of_nulls() } else { Vec::new() };
            return Ok(Now::Text(Cursor::new([&rows, NO_ROWS].concat())));
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

    /// Goes on to the next part, and says whether it is text; none behind the last.
    pub(super) fn next_part(&mut self) -> io::Result<Option<bool>> {
        let Some(part) = self.script.next() else { return Ok(None) };
        let is_text = matches!(part, Part::Text(_));
        self.now = match part {
            Part::Text(text) => Now::Text(Cursor::new(text)),
            Part::Data(index) => {
                let toc = Arc::clone(&self.toc);
                match toc.entries.get(index) {
                    Some(entry) => self.data(entry).map_err(|error| data::named(entry, &error))?,
                    None => Now::Text(Cursor::default()),
                }
            }
        };
        Ok(Some(is_text))
    }

    /// What the part's text is made of.
    pub(super) fn pieces(&self) -> &Pieces {
        self.script.pieces()
    }

    /// Reads on within the part.
    pub(super) fn read_part(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match &mut self.now {
            Now::Text(text) => text.read(out),
            Now::Rows(rows, end, last) => {
                let read = rows.read(out)?;
                last.extend_from_slice(out.get(read.saturating_sub(end.len())..read).unwrap_or_default());
                last.drain(..last.len().saturating_sub(end.len()));
                // Whatever a decompressor took for the end: rows that lack theirs are not all.
                if read == 0 && last != end {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                Ok(read)
            }
            Now::LargeObjects(objects) => objects.read(&self.files, out),
        }
    }
}

impl Read for ScriptReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let read = self.read_part(out)?;
            if read > 0 || self.next_part()?.is_none() {
                return Ok(read);
            }
        }
    }
}
