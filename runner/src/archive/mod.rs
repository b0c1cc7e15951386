//! Archives of `pg_dump` on this machine's disk: custom, directory and tar format, read as the script that
//! `pg_restore --file=-` would print.
//!
//! The table of contents and the script are the analyzer's; here are files, blocks and compression. Nothing holds an
//! entry's data whole.

mod blocks;
mod copied;
mod data;
mod files;
mod places;
mod rewritten;
mod rows;
mod script;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use tsmigrate_analyzer::archive::{Damage, Entry, Format, MAGIC, Part, Script, Section, Toc};
use tsmigrate_analyzer::quote::shell_file;

use crate::frames::Packing;
use crate::inserts;
use crate::names::Relation;
use data::LargeObjects;
use files::{CHUNK, Files};
pub use places::Places;
pub use rewritten::{Rewritten, Unwritable};
use rows::Rows;
pub use script::ScriptReader;

/// An archive that was opened: its table of contents is whole.
#[derive(Debug)]
pub struct Archive {
    toc: Arc<Toc>,
    files: Arc<Files>,
    /// Entries whose rows are statements.
    inserts: BTreeSet<i64>,
}

/// True for a file that begins as an archive in custom or tar format does.
#[must_use]
pub fn begins(head: &[u8]) -> bool {
    head.starts_with(MAGIC) || head.starts_with(b"toc.dat\0") && head.get(257..262) == Some(b"ustar")
}

/// True for a directory that `pg_dump -Fd` wrote.
#[must_use]
pub fn is_directory(path: &Path) -> bool {
    path.join("toc.dat").is_file()
}

/// True for a directory that `pg_dumpall` of PostgreSQL 19 wrote, and for the file in it that says what all databases share.
#[must_use]
pub fn is_of_cluster(path: &Path) -> bool {
    const SHARED: &str = "toc.glo";
    path.join(SHARED).is_file() || path.file_name().is_some_and(|name| name == SHARED)
}

/// The command that makes text of such a directory, for a person who named it or the file in it.
#[must_use]
pub fn text_of_cluster(path: &Path) -> String {
    let directory = if path.is_dir() { Some(path) } else { path.parent() };
    let directory = directory.filter(|path| *path != Path::new("")).unwrap_or(Path::new("."));
    format!(
        "turn it into text with the pg_restore that wrote it: pg_restore --create --file=dump.sql {}",
        shell_file(&directory.display().to_string())
    )
}

/// The directory that a file is the table of contents of; none of other files.
#[must_use]
pub fn directory_of(file: &Path) -> Option<&Path> {
    let directory = file.parent().filter(|_| file.file_name().is_some_and(|name| name == "toc.dat"))?;
    Some(if directory == Path::new("") { Path::new(".") } else { directory })
}

/// The command that unpacks a compressed file, and the name of what it writes.
#[must_use]
pub fn unpacking(file: &str, packing: Packing) -> (String, String) {
    let (beside, piped, end) = match packing {
        Packing::Zstd => ("zstd -d", "zstd -dc", ".zst"),
        Packing::Lz4 => ("lz4 -dk", "lz4 -dc", ".lz4"),
        Packing::Gzip | Packing::Plain => ("gunzip -k", "gunzip -c", ".gz"),
    };
    if let Some(name) = file.strip_suffix(end).filter(|name| !name.is_empty()) {
        return (format!("{beside} {}", shell_file(file)), name.to_owned());
    }
    let name = format!("{file}.unpacked");
    (format!("{piped} {} > {}", shell_file(file), shell_file(&name)), name)
}

/// The table of an entry.
fn relation(entry: &Entry) -> Relation {
    let text = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    Relation::new(&text(entry.schema.as_deref().unwrap_or_default()), &text(&entry.tag))
}

impl Archive {
    /// Opens a file that [`begins`] as an archive does. Its place in the file is where the archive begins.
    ///
    /// # Errors
    /// When its table of contents cannot be read.
    pub fn of_file(mut file: File) -> Result<Self, Damage> {
        let start = file.stream_position()?;
        let mut head = [0; MAGIC.len()];
        file.read_exact(&mut head)?;
        file.seek(SeekFrom::Start(start))?;
        if head == *MAGIC {
            let toc = Toc::read(BufReader::with_capacity(CHUNK, &mut file))?;
            if toc.format != Format::Custom {
                return Err(Damage::Broken("its format needs files beside it"));
            }
            return Ok(Self::new(toc, Files::custom(file, start)));
        }
        let files = Files::tar(file, start)?;
        let toc = Toc::read(BufReader::with_capacity(CHUNK, files.open(b"toc.dat")?))?;
        Ok(Self::new(toc, files))
    }

    /// Opens a directory.
    ///
    /// # Errors
    /// When its table of contents cannot be read.
    pub fn of_directory(path: &Path) -> Result<Self, Damage> {
        let files = Files::directory(path);
        let toc = Toc::read(BufReader::with_capacity(CHUNK, files.open(b"toc.dat")?))?;
        if toc.format == Format::Custom {
            return Err(Damage::Broken("its format is another"));
        }
        Ok(Self::new(toc, files))
    }

    fn new(toc: Toc, files: Files) -> Self {
        Self { toc: Arc::new(toc), files: Arc::new(files), inserts: BTreeSet::new() }
    }

    /// What it holds.
    #[must_use]
    pub fn toc(&self) -> &Arc<Toc> {
        &self.toc
    }

    /// The script, from its beginning; with the data, or without rows but for those of TimescaleDB's catalogs.
    ///
    /// # Errors
    /// When the places of the data cannot be found.
    pub fn script(&self, with_data: bool) -> io::Result<ScriptReader> {
        ScriptReader::new(Arc::clone(&self.toc), Arc::clone(&self.files), with_data)
    }

    /// The text of the entries that are `wanted`, without data, by the part of a dump that they belong to.
    #[must_use]
    pub fn text(&self, wanted: impl Fn(Section, &Entry) -> bool) -> Vec<u8> {
        let parts = Script::of(Arc::clone(&self.toc), &script::key(), wanted);
        let text = parts.filter_map(|part| match part {
            Part::Text(text) => Some(text),
            Part::Data(_) => None,
        });
        text.collect::<Vec<_>>().concat()
    }

    /// Where the data of each entry is, and how many bytes it takes there: all of it exists.
    ///
    /// # Errors
    /// When a piece of data is missing, or the archive is cut off before it.
    pub fn places(&self) -> io::Result<Places> {
        Places::find(&self.toc, &self.files)
    }

    /// Takes rows that are INSERT statements for those of a COPY. Statements that are not as `pg_dump` writes them stay what they
    /// are.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn take_inserts(&mut self, places: &Places) -> io::Result<()> {
        let standard_strings = self.toc.has_standard_strings();
        let is_open = |entry: &&Entry| entry.has_data && entry.copy.is_empty() && entry.is("TABLE DATA");
        let mut found = Vec::new();
        for (index, entry) in self.toc.entries.iter().enumerate().filter(|(_, entry)| is_open(entry)) {
            let data = data::of_entry(&self.toc, &self.files, &places.offsets, entry)
                .map_err(|error| data::named(entry, &error))?;
            match inserts::look(BufReader::new(data), standard_strings) {
                Ok(Some(into)) => found.push((index, into.copy())),
                // Without a row nothing says where it would go.
                Ok(None) => found.push((index, format!("COPY {} FROM stdin;\n", relation(entry).sql()))),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
                Err(error) => return Err(data::named(entry, &error)),
            }
        }
        let toc = Arc::make_mut(&mut self.toc);
        for (index, copy) in found {
            if let Some(entry) = toc.entries.get_mut(index) {
                entry.copy = copy.into_bytes();
                self.inserts.insert(entry.id);
            }
        }
        Ok(())
    }

    /// Reads the large objects of an entry, one after the other: their numbers and bytes.
    ///
    /// # Errors
    /// When they cannot be read, or `each` fails.
    pub fn large_objects(
        &self,
        places: &Places,
        entry: &Entry,
        mut each: impl FnMut(u64, &mut dyn Read) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut objects = LargeObjects::open(&self.toc, &self.files, &places.offsets, entry)?;
        while let Some((number, mut bytes)) = objects.next(&self.files)? {
            each(number, &mut bytes)?;
        }
        Ok(())
    }

    /// The rows of an entry that has some.
    ///
    /// # Errors
    /// When they are not there.
    pub fn rows(&self, places: &Places, entry: &Entry) -> io::Result<Box<dyn Read>> {
        if !self.inserts.contains(&entry.id) {
            return Ok(Box::new(Rows::open(&self.toc, &self.files, places, entry)?));
        }
        let data = data::of_entry(&self.toc, &self.files, &places.offsets, entry)?;
        let data = BufReader::with_capacity(CHUNK, data);
        Ok(Box::new(inserts::Rows::with_end(data, self.toc.has_standard_strings())))
    }
}
