//! What `tsmigrate dump` writes beside an archive: facts of the source that no dump tells, and what its rows have to be.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tsmigrate_analyzer::quote::shell_file;
use tsmigrate_analyzer::server::Omitted;

use crate::engine::sums::Sum;
use crate::error::{Blocker, Error};
use crate::inspect::Facts;
use crate::jobs::Job;
use crate::names::Relation;

/// The manifest's file, written last of all.
pub(super) const FILE: &str = "manifest.json";
/// The roles' dump beside it.
pub(super) const ROLES: &str = "roles.sql";
/// There as long as a dump is not whole.
pub(super) const UNFINISHED: &str = "unfinished.json";

/// The manifest's own version.
const FORMAT: u32 = 1;

/// How the sums of rows are taken.
const FORMULA: &str = "the sum, modulo 2^128, of the XXH3 (64 bits, seed 0) of each row's line in COPY's text format, without its \
    line end; where a table has columns that are not plain text, of its values with a tab behind each: timestamptz as microseconds \
    from 0000-03-01 00:00 UTC of the proleptic Gregorian calendar, bytea as \\\\x and hexadecimal digits, regclass and the like \
    without quotes; columns of types that hold one of those inside, and money, are left out";

/// What was dumped.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: u32,
    /// The version of tsmigrate that wrote it.
    written_by: String,
    /// The snapshot, in UTC.
    pub(super) begun: String,
    pub(super) ended: String,
    pub(super) pg_dump: String,
    /// The server, seen through its database.
    pub(super) source: Facts,
    /// `pg_current_snapshot()`.
    pub(super) snapshot: String,
    /// Jobs of users and policies, as they were scheduled.
    pub(super) jobs: Vec<Job>,
    /// When each is due.
    pub(super) due: BTreeMap<i64, String>,
    /// `ALTER ROLE ALL`, as settings of the database.
    pub(super) settings_of_all_roles: String,
    /// What does not survive a move as it is.
    pub(super) hazards: Vec<Hazard>,
    /// What no dump has, and what means something else after a move.
    pub(super) omitted: Vec<Note>,
    pub(super) states: Vec<Note>,
    formula: String,
    /// Rows and their sums.
    tables: Vec<TableSum>,
    /// Every file but this one.
    files: BTreeMap<String, FileSum>,
}

/// A hazard.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Hazard {
    pub(super) check: String,
    pub(super) what: String,
    pub(super) next: Vec<String>,
}

/// What a person has to know of an object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Note {
    object: String,
    why: String,
    is_lost: bool,
    next: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct TableSum {
    table: Relation,
    rows: u64,
    /// In hexadecimal digits.
    sum: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct FileSum {
    bytes: u64,
    sha256: String,
}

impl From<Blocker> for Hazard {
    fn from(Blocker { check, what, next }: Blocker) -> Self {
        Self { check: check.to_owned(), what, next }
    }
}

impl From<Omitted> for Note {
    fn from(Omitted { object, why, is_lost, next }: Omitted) -> Self {
        Self { object, why, is_lost, next }
    }
}

impl From<Note> for Omitted {
    fn from(Note { object, why, is_lost, next }: Note) -> Self {
        Self { object, why, is_lost, next }
    }
}

impl Manifest {
    /// One without tables and files.
    pub(super) fn new(source: Facts) -> Self {
        Self {
            format: FORMAT,
            written_by: format!("tsmigrate {}", env!("CARGO_PKG_VERSION")),
            formula: FORMULA.to_owned(),
            source,
            ..Self::default()
        }
    }

    /// Takes in the rows of a table.
    pub(super) fn table(&mut self, table: Relation, Sum { rows, sum }: Sum) {
        self.tables.push(TableSum { table, rows, sum: format!("{sum:x}") });
    }

    /// Calls its tables by other names.
    pub(super) fn rename(&mut self, new: impl Fn(&Relation) -> Relation) {
        self.tables.iter_mut().for_each(|one| one.table = new(&one.table));
    }

    /// Rows and their sums, by table.
    pub(super) fn sums(&self) -> BTreeMap<Relation, Sum> {
        let of = |one: &TableSum| {
            let sum = u128::from_str_radix(&one.sum, 16).ok()?;
            Some((one.table.clone(), Sum { rows: one.rows, sum }))
        };
        self.tables.iter().filter_map(of).collect()
    }

    /// How many tables and rows it knows, and the bytes of all files.
    pub(super) fn counts(&self) -> (usize, u64, u64) {
        let rows = self.tables.iter().map(|table| table.rows).sum();
        (self.tables.len(), rows, self.files.values().map(|file| file.bytes).sum())
    }

    /// Takes the sums of all files of a folder.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn take_files(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_file() && ![FILE, UNFINISHED].contains(&name.as_str()) {
                let sum = FileSum { bytes: entry.metadata()?.len(), sha256: sha256(&entry.path())? };
                self.files.insert(name, sum);
            }
        }
        Ok(())
    }

    /// The first file of a folder that is not as it was written. Of files in `by_rows` only the length is looked at: their
    /// rows have sums of their own.
    ///
    /// # Errors
    /// When one cannot be read.
    pub(super) fn changed(
        &self,
        folder: &Path,
        by_rows: impl Fn(&str) -> bool,
    ) -> io::Result<Option<String>> {
        for (name, file) in &self.files {
            let path = folder.join(name);
            let is_same = match path.metadata() {
                Ok(metadata) => metadata.len() == file.bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => false,
                Err(error) => return Err(error),
            };
            if !is_same || !by_rows(name) && sha256(&path)? != file.sha256 {
                return Ok(Some(name.clone()));
            }
        }
        Ok(None)
    }

    /// Reads that of a folder; none where it has none.
    ///
    /// # Errors
    /// When it cannot be read, or is of another version.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let failed = |error| Error::File { what: format!("read {}", folder.join(FILE).display()), error };
        let text = match fs::read(folder.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| failed(error.into()))?;
        if manifest.format != FORMAT {
            return Err(Error::Refused {
                what: format!(
                    "{} is of version {}, and this version of tsmigrate reads {FORMAT}",
                    folder.join(FILE).display(),
                    manifest.format
                ),
                next: vec![format!("restore it with the version that wrote it ({})", manifest.written_by)],
            });
        }
        Ok(Some(manifest))
    }

    /// Writes it into a folder.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let new = folder.join("manifest.json.new");
        write(&new, self)?;
        fs::rename(new, folder.join(FILE))?;
        File::open(folder)?.sync_all()
    }
}

/// The command that closes what a dump into this directory has left open.
pub(super) fn cleanup(directory: &Path) -> String {
    format!("tsmigrate cleanup --dump {}", shell_file(&directory.display().to_string()))
}

/// Refuses a folder whose dump was interrupted.
pub(super) fn check_whole(folder: &Path) -> Result<(), Error> {
    if !folder.join(UNFINISHED).exists() {
        return Ok(());
    }
    Err(Error::Refused {
        what: format!("{} cannot be restored: its dump was interrupted", folder.display()),
        next: vec![
            "dump it again: tsmigrate dump removes what is left of it, and begins anew".into(),
            format!("until then jobs of its source may be paused: {}", cleanup(folder)),
        ],
    })
}

/// Writes a file, and waits for the disk.
pub(super) fn write(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&serde_json::to_vec_pretty(content)?)?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0; 1 << 20];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(crate::human::hex(&hash.finalize())),
            length => hash.update(chunk.get(..length).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_it_was_written_and_a_changed_file_is_seen() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path();
        assert!(Manifest::read(path).expect("none").is_none());
        fs::write(path.join("toc.dat"), "toc").expect("a file");
        fs::write(path.join("7.dat"), "rows").expect("a file");
        let mut manifest = Manifest::new(Facts::default());
        let (table, sum) = (Relation::new("s", "My \"T\""), Sum { rows: 3, sum: u128::MAX });
        manifest.table(table.clone(), sum);
        manifest.take_files(path).expect("files");
        manifest.write(path).expect("written");
        let read = Manifest::read(path).expect("it can be read").expect("it is there");
        assert_eq!(read.sums(), BTreeMap::from([(table, sum)]));
        assert_eq!(read.counts(), (1, 3, 7));
        let changed = || read.changed(path, |name| name == "7.dat").expect("files");
        assert_eq!(changed(), None);
        fs::write(path.join("7.dat"), "rowz").expect("a file");
        assert_eq!(changed(), None, "its rows tell it");
        fs::write(path.join("7.dat"), "row").expect("a file");
        assert_eq!(changed().as_deref(), Some("7.dat"));
        fs::write(path.join("7.dat"), "rows").expect("a file");
        fs::write(path.join("toc.dat"), "tac").expect("a file");
        assert_eq!(changed().as_deref(), Some("toc.dat"));
        fs::write(path.join(UNFINISHED), "{}").expect("a file");
        assert!(check_whole(path).expect_err("not whole").to_string().contains("interrupted"));
    }
}
