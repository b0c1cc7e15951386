//! The work directory: plan, journal and reports of a run. No data and no secret.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::engine::part::Part;
use crate::engine::table::Table;
use crate::error::Error;
use crate::inspect::Facts;
use crate::journal;
use crate::record;

/// What a run has settled, and a later start of it has to keep to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settled {
    /// The form of the file: [`record::FORMAT`].
    pub format: u32,
    /// The run.
    pub run: String,
    /// The target as it was before anything was written.
    pub target: Facts,
    /// Tables with their parts.
    pub tables: Vec<(Table, Vec<Part>)>,
}

/// A work directory.
#[derive(Clone, Debug)]
pub struct WorkDir(PathBuf);

impl WorkDir {
    /// The directory that was named, or one named after the database in the current directory.
    #[must_use]
    pub fn new(named: Option<&Path>, database: &str) -> Self {
        let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        Self(named.map_or_else(
            || PathBuf::from(format!("tsmigrate-{}", database.chars().map(plain).collect::<String>())),
            Path::to_owned,
        ))
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it, readable for its owner only: the reports name objects and people.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(&self) -> Result<(), Error> {
        use std::os::unix::fs::DirBuilderExt;

        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .map_err(|error| Error::File { what: format!("make {}", self.0.display()), error })
    }

    /// The log, to be continued: one JSON object for each event that people see.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn log(&self) -> Result<std::fs::File, Error> {
        let path = self.0.join("log.jsonl");
        std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .map_err(|error| Error::File { what: format!("open {}", path.display()), error })
    }

    /// The last run that its journal tells of.
    ///
    /// # Errors
    /// When the journal cannot be read.
    pub fn past(&self) -> Result<Option<journal::State>, Error> {
        journal::read(&self.0)
    }

    /// Keeps what is settled.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn settle(&self, settled: &Settled) -> Result<(), Error> {
        let path = self.0.join("plan.json");
        let failed = |error| Error::File { what: format!("write {}", path.display()), error };
        let text = serde_json::to_vec(settled).map_err(|error| Error::Defect(error.to_string()))?;
        // Whole, or not at all.
        let new = self.0.join("plan.json.new");
        std::fs::write(&new, text).map_err(failed)?;
        std::fs::File::open(&new).and_then(|file| file.sync_all()).map_err(failed)?;
        std::fs::rename(&new, &path).map_err(failed)
    }

    /// What was settled.
    ///
    /// # Errors
    /// When it cannot be read, or has another form than this version's.
    pub fn settled(&self) -> Result<Settled, Error> {
        let path = self.0.join("plan.json");
        let failed = |error| Error::File { what: format!("read {}", path.display()), error };
        let text = std::fs::read(&path).map_err(failed)?;
        let wrong = |error: serde_json::Error| {
            failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string()))
        };
        let Head { format } = serde_json::from_slice(&text).map_err(wrong)?;
        record::check(&format!("the plan {}", path.display()), format, &self.0, "")?;
        serde_json::from_slice(&text).map_err(wrong)
    }

    /// Refuses to go on with a run that another version has recorded in another form.
    ///
    /// # Errors
    /// Where it is of another form.
    pub fn check(&self, past: &journal::State) -> Result<(), Error> {
        let place = format!("the journal {}", journal::path(&self.0).display());
        record::check(&place, past.format, &self.0, &past.version)
    }
}

/// What a plan of any version says first.
#[derive(Deserialize)]
struct Head {
    #[serde(default = "record::first")]
    format: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_with_an_odd_name_has_a_plain_directory() {
        assert_eq!(WorkDir::new(None, "my db/../x").path(), Path::new("tsmigrate-my_db_.._x"));
    }
}
