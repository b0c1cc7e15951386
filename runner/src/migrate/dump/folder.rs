//! The folder of a dump, which says as long as it is not whole that it is not.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tsmigrate_analyzer::quote::shell_file;

use crate::error::Error;
use crate::jobs::Job;
use crate::migrate::manifest::{self, FILE, Manifest, ROLES, UNFINISHED};
use crate::private_file;

/// Where `pg_dump` writes: it wants a folder of its own.
const ARCHIVE: &str = "unfinished";

/// The folder of a dump.
pub(super) struct Folder(PathBuf);

/// What is known of a dump that is not whole.
#[derive(Default, Serialize, Deserialize)]
struct Unfinished {
    /// Jobs of the source that are paused.
    paused: Vec<Job>,
}

impl Folder {
    pub(super) fn of(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where `pg_dump` writes.
    pub(super) fn archive(&self) -> PathBuf {
        self.0.join(ARCHIVE)
    }

    /// Begins a dump; jobs of the source that one before has left paused, where it was killed.
    ///
    /// # Errors
    /// When it has files that are no dump's.
    pub(super) fn begin(&self) -> Result<Option<Vec<Job>>, Error> {
        let failed = |error| Error::File { what: format!("write into {}", self.0.display()), error };
        let unfinished = self.0.join(UNFINISHED);
        if self.0.exists() {
            self.ours()?;
        }
        match fs::read(&unfinished) {
            Ok(text) => {
                // What was cut off while it was written was written before anything was paused.
                let before: Unfinished = serde_json::from_slice(&text).unwrap_or_default();
                return Ok(Some(before.paused));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0).map_err(failed)?;
        self.ours()?;
        if fs::read_dir(&self.0).map_err(failed)?.next().is_some() {
            return Err(Error::Refused {
                what: format!("{} is not empty: a dump is never written over", self.0.display()),
                next: vec![format!(
                    "name a new directory, or remove this one: rm -r {}",
                    shell_file(&self.0.display().to_string())
                )],
            });
        }
        manifest::write(&unfinished, &Unfinished::default()).map_err(failed)?;
        Ok(None)
    }

    /// Keeps others away: rows and passwords of roles come into the folder.
    ///
    /// # Errors
    /// When it is somebody else's.
    fn ours(&self) -> Result<(), Error> {
        let failed = |error| Error::File { what: format!("look at {}", self.0.display()), error };
        let about = fs::symlink_metadata(&self.0).map_err(failed)?;
        let why = if about.file_type().is_symlink() {
            "is a symbolic link".to_owned()
        } else if about.uid() != private_file::uid() {
            format!("belongs to user {}, not to you ({})", about.uid(), private_file::uid())
        } else {
            return fs::set_permissions(&self.0, Permissions::from_mode(0o700)).map_err(failed);
        };
        Err(Error::Refused {
            what: format!("{} {why}: a dump holds passwords of roles", self.0.display()),
            next: vec!["name a directory of your own, or one that does not exist".into()],
        })
    }

    /// Removes what a dump before has left.
    ///
    /// # Errors
    /// When there is something else.
    pub(super) fn empty(&self) -> Result<(), Error> {
        let failed = |error| Error::File { what: format!("remove what is in {}", self.0.display()), error };
        for entry in fs::read_dir(&self.0).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_rows = name.starts_with(|first: char| first.is_ascii_digit()) && name.contains(".dat");
            let is_ours = is_rows
                || name.starts_with("blob")
                || ["toc.dat", ROLES, FILE, "manifest.json.new"].contains(&name.as_str());
            if name == ARCHIVE {
                fs::remove_dir_all(entry.path()).map_err(failed)?;
            } else if is_ours {
                fs::remove_file(entry.path()).map_err(failed)?;
            } else if name != UNFINISHED {
                return Err(Error::Refused {
                    what: format!("{} has a file that is no dump's: {name}", self.0.display()),
                    next: vec!["name a new directory".into()],
                });
            }
        }
        Ok(())
    }

    /// Notes which jobs are going to be paused.
    pub(super) fn pausing(&self, jobs: &[Job]) -> io::Result<()> {
        let unfinished = Unfinished { paused: jobs.to_vec() };
        self.note(&unfinished)
    }

    /// None of them is paused any more.
    pub(super) fn jobs_are_back(&self) -> io::Result<()> {
        self.note(&Unfinished::default())
    }

    fn note(&self, unfinished: &Unfinished) -> io::Result<()> {
        let new = self.0.join("manifest.json.new");
        manifest::write(&new, unfinished)?;
        fs::rename(new, self.0.join(UNFINISHED))?;
        File::open(&self.0)?.sync_all()
    }

    pub(super) fn write_roles(&self, text: &[u8]) -> Result<(), Error> {
        let path = self.0.join(ROLES);
        let mut file = private_file::create(&path)?;
        file.write_all(text).map_err(|error| Error::File { what: format!("write {}", path.display()), error })
    }

    /// Moves what `pg_dump` has written to its place, and writes the manifest.
    pub(super) fn settle(&self, manifest: &mut Manifest) -> io::Result<()> {
        let archive = self.archive();
        for entry in fs::read_dir(&archive)? {
            let entry = entry?;
            File::open(entry.path())?.sync_all()?;
            fs::rename(entry.path(), self.0.join(entry.file_name()))?;
        }
        fs::remove_dir(archive)?;
        manifest.take_files(&self.0)?;
        manifest.write(&self.0)
    }

    /// Says that all of it is there.
    pub(super) fn finish(&self) -> io::Result<()> {
        fs::remove_file(self.0.join(UNFINISHED))?;
        File::open(&self.0)?.sync_all()
    }
}
