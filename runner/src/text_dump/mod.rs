//! Dumps of `pg_dump` and `pg_dumpall` as text, plain or compressed: looked through once, so that the schema is known and where
//! the rows are; those are read from the files afterwards. Nothing holds the rows of a table.

mod file;
mod objects;
mod scan;
mod statement;

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::Arc;

use tsmigrate_analyzer::archive::{Entry, Section};
use tsmigrate_analyzer::split::Splitter;

use crate::inserts;
pub use file::TextFile;
pub use scan::Problem;
use scan::{Database, Scan};

/// So much is read at a time.
const CHUNK: usize = 1 << 20;

/// So much of statements with rows is read at a time.
const READ: usize = 64 << 10;

/// What behind a table's rows says that these were all.
const ROWS_END: &[u8] = b"\\.";

/// Why a text cannot be looked through.
#[derive(Debug)]
pub enum Failure {
    /// A file cannot be read.
    Io(Arc<TextFile>, io::Error),
    /// A file ends in this line, where something is open.
    CutOff(Arc<TextFile>, u64),
}

/// Which databases there are, where the one to restore was not found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// More than one.
    Several(Vec<String>),
    /// Others than the wanted one.
    Others(Vec<String>),
    /// None.
    Nothing,
}

/// Files of text that were looked through.
#[derive(Debug)]
pub struct Found {
    files: Vec<Arc<TextFile>>,
    databases: Vec<Database>,
    about: BTreeMap<String, Vec<u8>>,
    /// Statements about roles.
    pub roles: Vec<u8>,
}

/// One database of a dump's text.
#[derive(Debug)]
pub struct TextDump {
    files: Vec<Arc<TextFile>>,
    database: Database,
    /// Statements about the database as a whole, and the `\connect` to it.
    head: Vec<u8>,
}

/// Looks through files, the one after the other.
///
/// # Errors
/// Where one of them is not whole.
pub fn look(files: Vec<TextFile>) -> Result<Found, Failure> {
    let files: Vec<Arc<TextFile>> = files.into_iter().map(Arc::new).collect();
    let mut scan = Scan::default();
    let mut chunk = vec![0; CHUNK];
    for (number, file) in files.iter().enumerate() {
        let failed = |error| Failure::Io(Arc::clone(file), error);
        let mut text = file.from_start().map_err(failed)?;
        let mut splitter = Splitter::new();
        let mut lines = 1;
        scan.begin(number);
        loop {
            let read = match text.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => chunk.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error)),
            };
            lines += memchr::memchr_iter(b'\n', read).count() as u64;
            splitter.feed(read, &mut |piece| scan.take(&piece));
        }
        splitter.finish(&mut |piece| scan.take(&piece));
        scan.end(lines);
        if let Some(line) = scan.cut_off {
            return Err(Failure::CutOff(Arc::clone(file), line));
        }
    }
    scan.finish();
    let Scan { databases, about, roles, .. } = scan;
    Ok(Found { files, databases, about, roles })
}

impl Found {
    /// The database of this name, or the only one that has anything.
    ///
    /// # Errors
    /// Which there are, where that is none of them.
    pub fn choose(mut self, wanted: Option<&str>) -> Result<TextDump, Choice> {
        let shown =
            |database: &Database| database.name.clone().unwrap_or_else(|| "(without a name)".to_owned());
        let filled = || self.databases.iter().enumerate().filter(|(_, database)| database.has_objects);
        let chosen = if let Some(wanted) = wanted {
            // One that nothing names is called as its file.
            let is_wanted = |database: &Database| match &database.name {
                Some(name) => name == wanted,
                None => database.has_objects && self.name_of_file(database).as_deref() == Some(wanted),
            };
            let others = || {
                let named =
                    self.databases.iter().filter(|database| database.name.is_some() || database.has_objects);
                Choice::Others(named.map(shown).collect())
            };
            self.databases.iter().position(is_wanted).ok_or_else(others)?
        } else {
            let all: Vec<usize> = filled().map(|(number, _)| number).collect();
            match all[..] {
                [only] => only,
                [] => return Err(Choice::Nothing),
                _ => return Err(Choice::Several(filled().map(|(_, database)| shown(database)).collect())),
            }
        };
        let database = self.databases.swap_remove(chosen);
        let head = match &database.name {
            Some(name) => {
                let about = self.about.get(name).map(Vec::as_slice).unwrap_or_default();
                [about, &database.connect, b"\n"].concat()
            }
            // Nothing says which database it is.
            None => self.about.into_values().collect::<Vec<_>>().concat(),
        };
        Ok(TextDump { files: self.files, database, head })
    }

    fn name_of_file(&self, database: &Database) -> Option<String> {
        name_of_file(&self.files, database)
    }

    /// True where it has no database.
    #[must_use]
    pub fn is_roles_alone(&self) -> bool {
        !self.databases.iter().any(|database| database.has_objects || database.name.is_some())
    }
}

/// The name of the file that a database is in, without its endings.
fn name_of_file(files: &[Arc<TextFile>], database: &Database) -> Option<String> {
    let file = database.file.and_then(|number| files.get(number))?;
    let name = file.path().file_name()?.to_string_lossy().into_owned();
    Some(name.split('.').find(|part| !part.is_empty()).unwrap_or(&name).to_owned())
}

impl TextDump {
    /// The database's name; where nothing tells it, the file's without its endings.
    #[must_use]
    pub fn name(&self) -> String {
        let of_file = || name_of_file(&self.files, &self.database);
        self.database.name.clone().or_else(of_file).unwrap_or_default()
    }

    /// What it holds, in the form of an archive's entries: what a restore has to know of it.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.database.entries
    }

    /// Versions of the server that was dumped, and of the `pg_dump` that did it; empty where the text has no head.
    #[must_use]
    pub fn versions(&self) -> (&[u8], &[u8]) {
        (&self.database.server, &self.database.writer)
    }

    /// True where its text is UTF-8.
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        !self.database.is_of_other_encoding
    }

    /// What of it is not restored.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.database.problems.iter()
    }

    /// True where it has the database itself, with its settings.
    #[must_use]
    pub fn has_database(&self) -> bool {
        !self.head.is_empty()
    }

    /// How many statements that drop objects are left out: the target is empty.
    #[must_use]
    pub fn drops(&self) -> u64 {
        self.database.drops
    }

    /// True where its rows are read in the order of the files.
    #[must_use]
    pub fn is_packed(&self) -> bool {
        self.files.iter().any(|file| file.packing() != crate::frames::Packing::Plain)
    }

    /// The statements of one part.
    #[must_use]
    pub fn section(&self, section: Section) -> Vec<u8> {
        match section {
            Section::PreData => [&self.head[..], &self.database.before_rows].concat(),
            Section::PostData => self.database.behind_rows.clone(),
            Section::Open | Section::Data => Vec::new(),
        }
    }

    /// Owners, privileges and comments of large objects.
    #[must_use]
    pub fn about_objects(&self) -> &[u8] {
        &self.database.about_objects
    }

    /// Where the data of an entry is: the file's number, and bytes of its text from where to where.
    #[must_use]
    pub fn place(&self, entry: &Entry) -> (usize, u64, u64) {
        self.database.spans.get(&entry.id).map(|span| (span.file, span.start, span.end)).unwrap_or_default()
    }

    fn range(&self, entry: &Entry, next: &'static [u8]) -> io::Result<file::TextRange> {
        let missing = || io::Error::other("the dump has none");
        let span = self.database.spans.get(&entry.id).ok_or_else(missing)?;
        self.files.get(span.file).ok_or_else(missing)?.range(span.start, span.end, next)
    }

    /// The rows of an entry.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn rows(&self, entry: &Entry) -> io::Result<Box<dyn Read>> {
        let Some(standard_strings) = self.database.inserts.get(&entry.id) else {
            return Ok(Box::new(self.range(entry, ROWS_END)?));
        };
        let statements = BufReader::with_capacity(READ, self.range(entry, b"")?);
        Ok(Box::new(inserts::Rows::new(statements, *standard_strings)))
    }

    /// Reads the large objects of an entry, one after the other: their numbers and bytes.
    ///
    /// # Errors
    /// When they cannot be read, or `each` fails.
    pub fn large_objects(
        &self,
        entry: &Entry,
        each: &mut dyn FnMut(u64, &mut dyn Read) -> io::Result<()>,
    ) -> io::Result<()> {
        objects::read(self.range(entry, b"")?, each)
    }
}

/// True for a file that can be read more than once.
#[must_use]
pub fn can_be_read_twice(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}
