//! The folder of a dump, which says as long as it is not whole that it is not.

use std::fs::{self, DirBuilder, File, Permissions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde::{Deserialize, Serialize};
use tsmigrate_analyzer::quote::shell_file;

use crate::error::Error;
use crate::jobs::Job;
use crate::journal::Identity;
use crate::migrate::manifest::{self, FILE, Manifest, ROLES, UNFINISHED};
use crate::private_file;

/// Where `pg_dump` writes: it wants a folder of its own.
const ARCHIVE: &str = "unfinished";

/// The folder of a dump.
pub(super) struct Folder {
    path: PathBuf,
    /// The folder, locked: nobody else dumps into it, or puts back jobs that a dump has paused.
    lock: OnceLock<File>,
}

/// What is known of a dump that is not whole.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Unfinished {
    /// The database that is dumped; none where it was not asked yet.
    #[serde(default)]
    pub(super) source: Option<Identity>,
    /// Jobs of it that are paused.
    pub(super) paused: Vec<Job>,
}

impl Folder {
    pub(super) fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: OnceLock::new() }
    }

    /// Where `pg_dump` writes.
    pub(super) fn archive(&self) -> PathBuf {
        self.path.join(ARCHIVE)
    }

    /// What a dump before has left, where it was killed: it is a folder of ours, and locked now.
    ///
    /// # Errors
    /// When it is somebody else's, or another dump is at work in it.
    pub(super) fn left(&self) -> Result<Option<Unfinished>, Error> {
        if !self.path.exists() {
            return Ok(None);
        }
        self.ours()?;
        self.lock()?;
        let failed = |error| Error::File { what: format!("read {}", self.path.display()), error };
        match fs::read(self.path.join(UNFINISHED)) {
            Ok(text) => {
                self.keep_others_away().map_err(failed)?;
                // What was cut off while it was written was written before anything was paused.
                Ok(Some(serde_json::from_slice(&text).unwrap_or_default()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    /// It has a dump that came to its end.
    pub(super) fn is_whole(&self) -> bool {
        self.path.join(FILE).exists() && !self.path.join(UNFINISHED).exists()
    }

    fn lock(&self) -> Result<(), Error> {
        let failed = |error| Error::File { what: format!("open {}", self.path.display()), error };
        let folder = File::open(&self.path).map_err(failed)?;
        if matches!(folder.try_lock(), Err(TryLockError::WouldBlock)) {
            return Err(Error::Refused {
                what: format!("another tsmigrate dump is at work in {}", self.path.display()),
                next: vec!["let it end, or stop it with Ctrl-C".into(), "or name another directory".into()],
            });
        }
        // A network's file system may lock no folder: it is written without.
        let _ = self.lock.set(folder);
        Ok(())
    }

    /// Begins a dump; what one before has left, where it was killed.
    ///
    /// # Errors
    /// When it has files that are no dump's.
    pub(super) fn begin(&self) -> Result<Option<Unfinished>, Error> {
        let failed = |error| Error::File { what: format!("write into {}", self.path.display()), error };
        if let Some(before) = self.left()? {
            return Ok(Some(before));
        }
        DirBuilder::new().recursive(true).mode(0o700).create(&self.path).map_err(failed)?;
        self.ours()?;
        if self.lock.get().is_none() {
            self.lock()?;
        }
        // Nothing changes of a folder with anything in it; and nobody has put something there meanwhile.
        self.unless_empty()?;
        self.keep_others_away().map_err(failed)?;
        self.unless_empty()?;
        manifest::write(&self.path.join(UNFINISHED), &Unfinished::default()).map_err(failed)?;
        Ok(None)
    }

    /// Refuses a folder with something in it.
    fn unless_empty(&self) -> Result<(), Error> {
        let failed = |error| Error::File { what: format!("look into {}", self.path.display()), error };
        if fs::read_dir(&self.path).map_err(failed)?.next().is_some() {
            return Err(Error::Refused {
                what: format!("{} is not empty: a dump is never written over", self.path.display()),
                next: vec![format!(
                    "name a new directory, or remove this one: rm -r {}",
                    shell_file(&self.path.display().to_string())
                )],
            });
        }
        Ok(())
    }

    /// Rows and passwords of roles come into the folder.
    fn keep_others_away(&self) -> io::Result<()> {
        fs::set_permissions(&self.path, Permissions::from_mode(0o700))
    }

    /// Refuses a folder that is somebody else's.
    fn ours(&self) -> Result<(), Error> {
        let failed = |error| Error::File { what: format!("look at {}", self.path.display()), error };
        let about = fs::symlink_metadata(&self.path).map_err(failed)?;
        let why = if about.file_type().is_symlink() {
            "is a symbolic link".to_owned()
        } else if about.uid() != private_file::uid() {
            format!("belongs to user {}, not to you ({})", about.uid(), private_file::uid())
        } else {
            return Ok(());
        };
        Err(Error::Refused {
            what: format!("{} {why}: a dump holds passwords of roles", self.path.display()),
            next: vec!["name a directory of your own, or one that does not exist".into()],
        })
    }

    /// Removes what a dump before has left.
    ///
    /// # Errors
    /// When there is something else.
    pub(super) fn empty(&self) -> Result<(), Error> {
        let failed =
            |error| Error::File { what: format!("remove what is in {}", self.path.display()), error };
        for entry in fs::read_dir(&self.path).map_err(failed)? {
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
                    what: format!("{} has a file that is no dump's: {name}", self.path.display()),
                    next: vec!["name a new directory".into()],
                });
            }
        }
        Ok(())
    }

    /// Notes which jobs are going to be paused.
    pub(super) fn pausing(&self, source: Identity, jobs: &[Job]) -> io::Result<()> {
        self.note(&Unfinished { source: Some(source), paused: jobs.to_vec() })
    }

    /// None of them is paused any more.
    pub(super) fn jobs_are_back(&self) -> io::Result<()> {
        self.note(&Unfinished::default())
    }

    fn note(&self, unfinished: &Unfinished) -> io::Result<()> {
        let new = self.path.join("manifest.json.new");
        manifest::write(&new, unfinished)?;
        fs::rename(new, self.path.join(UNFINISHED))?;
        File::open(&self.path)?.sync_all()
    }

    pub(super) fn write_roles(&self, text: &[u8]) -> Result<(), Error> {
        let path = self.path.join(ROLES);
        let mut file = private_file::create(&path)?;
        file.write_all(text).map_err(|error| Error::File { what: format!("write {}", path.display()), error })
    }

    /// Moves what `pg_dump` has written to its place, and writes the manifest.
    pub(super) fn settle(&self, manifest: &mut Manifest) -> io::Result<()> {
        let archive = self.archive();
        for entry in fs::read_dir(&archive)? {
            let entry = entry?;
            File::open(entry.path())?.sync_all()?;
            fs::rename(entry.path(), self.path.join(entry.file_name()))?;
        }
        fs::remove_dir(archive)?;
        manifest.take_files(&self.path)?;
        manifest.write(&self.path)
    }

    /// Says that all of it is there.
    pub(super) fn finish(&self) -> io::Result<()> {
        fs::remove_file(self.path.join(UNFINISHED))?;
        File::open(&self.path)?.sync_all()
    }
}
