//! The work directory: plan, journal and reports of a run. No data and no secret, and all of it for its owner alone.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::{Blocker, Error};
use crate::human;
use crate::inspect::Facts;
use crate::journal;
use crate::private_file;
use crate::record;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// Bytes that every run may write, and those for each table, part and index: a step in the journal, two events in the
/// log, a place in the plan and in two reports.
const ROOM: (u64, u64) = (4_000_000, 4_000);

/// What a run has settled, and a later start of it has to keep to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedPlan {
    /// The form of the file: [`record::FORMAT`].
    pub format: u32,
    /// The run.
    pub run: String,
    /// The target as it was before anything was written.
    pub target: Facts,
    /// Tables with their parts.
    pub tables: Vec<(Table, Vec<CopyRange>)>,
    /// Constraints that rows may break, as they were named by this start and those before.
    pub allow_violations: Vec<String>,
    /// The schema.
    pub schema: SavedSchema,
    /// What the target had of other databases; nothing of others where it was empty.
    #[serde(default)]
    pub others: SavedOthers,
}

/// What a target had before a run into schemas beside it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedOthers {
    /// Others may have been there.
    pub beside: bool,
    /// Hashes of its objects.
    pub objects: BTreeSet<String>,
    /// The statements that drop what the run creates, and nothing of others; none where no statements can.
    pub undo: Vec<String>,
    /// Nothing is created that would have to be dropped.
    #[serde(default)]
    pub brings_nothing: bool,
    /// Hashes of settings and privileges that the run gives to the database itself.
    #[serde(default)]
    pub given: BTreeSet<String>,
    /// Settings of the database that had another value, in words.
    #[serde(default)]
    pub replaced: BTreeSet<String>,
}

impl SavedOthers {
    /// Takes up the statements that drop what comes now; where there are none for that, there are none for all of it.
    pub fn take_up(&mut self, undo: Vec<String>, brings_nothing: bool) {
        if undo.is_empty() && !brings_nothing || self.undo.is_empty() && !self.brings_nothing {
            self.undo.clear();
        } else {
            let new: Vec<String> = undo.into_iter().filter(|one| !self.undo.contains(one)).collect();
            self.undo.extend(new);
        }
        self.brings_nothing &= brings_nothing;
    }
}

/// What a schema consists of, as far as a change of it has to be told: hashes, and names. No text of a dump is kept, for it
/// may hold secrets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedSchema {
    /// A hash of the roles' statements.
    pub roles: String,
    /// Of those about ownership, privileges and settings.
    pub access: String,
    /// What takes back the grants and owners among those.
    pub grants: BTreeSet<String>,
    /// Of those that create extensions.
    pub extensions: String,
    /// The statements that create schemas before those.
    pub schemas: BTreeMap<String, String>,
    /// The statements before the rows.
    pub pre_data: Vec<SavedStatement>,
    /// Those after them.
    pub post_data: Vec<SavedStatement>,
    /// Hashes of the objects that the source had then.
    pub objects: BTreeSet<String>,
}

/// One statement.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedStatement {
    /// A hash of its text; empty where it is gone, and only its place is left.
    pub hash: String,
    /// What it is about.
    pub name: Option<String>,
    /// The statement that drops what it builds.
    pub undo: Option<String>,
    /// It is about a foreign key.
    pub key: bool,
    /// How it is taken back, where it comes behind the rows of all tables.
    pub behind: Behind,
}

/// Whether a statement comes behind the rows of all tables, so that none may be copied once more while it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Behind {
    /// It does not: indexes and the like follow their own table.
    #[default]
    No,
    /// It does, and this takes it back.
    Undone(String),
    /// It does, and nobody knows what takes it back.
    Unknown,
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

    /// Looks whether it is ours, or would be once created: no link, nobody else's, nothing else in it.
    ///
    /// # Errors
    /// When it is not, or somebody else could change it.
    pub fn check_ours(&self) -> Result<(), Error> {
        private_file::directory(&self.0).map(drop)
    }

    /// Creates it where it does not exist. It is readable for its owner only: the reports name objects and people.
    ///
    /// # Errors
    /// When it cannot be created, or is not ours.
    pub fn create(&self) -> Result<(), Error> {
        use std::os::unix::fs::DirBuilderExt;

        let failed = |error| Error::File { what: format!("create {}", self.0.display()), error };
        if !private_file::directory(&self.0)? {
            if let Some(parent) = self.0.parent() {
                std::fs::DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(failed)?;
            }
            match std::fs::DirBuilder::new().mode(0o700).create(&self.0) {
                // Somebody else was faster: then it is theirs or ours, and that is looked at.
                Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(failed(error)),
                _ => {}
            }
            private_file::directory(&self.0)?;
        }
        std::fs::set_permissions(&self.0, std::fs::Permissions::from_mode(0o700)).map_err(failed)
    }

    /// What stands in the way where its disk has no room for a run with so many tables, parts and indexes.
    #[must_use]
    pub fn full(&self, things: u64) -> Option<Blocker> {
        let there = self.0.ancestors().find_map(|path| {
            let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
            Some((path, rustix::fs::statvfs(path).ok()?))
        });
        let (place, about) = there?;
        let free = about.f_bavail.saturating_mul(about.f_frsize);
        let needed = ROOM.0 + ROOM.1 * things;
        let has_files = about.f_files == 0 || about.f_favail > 8;
        if free >= needed && has_files {
            return None;
        }
        let room = if has_files { human::bytes(free) } else { "no free inode".to_owned() };
        Some(Blocker {
            check: "work-dir-full",
            what: format!(
                "the disk of the work directory {} is full: {room} left, and plan, journal and reports take up to {}",
                self.0.display(),
                human::bytes(needed)
            ),
            next: vec![format!(
                "make room there (df -h {}), or name another directory with --work-dir",
                private_file::word(place)
            )],
        })
    }

    /// The log, to be continued: one JSON object for each event that people see.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn log(&self) -> Result<std::fs::File, Error> {
        private_file::append(&self.0.join("log.jsonl"))
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
    pub fn save_plan(&self, saved_plan: &SavedPlan) -> Result<(), Error> {
        let path = self.0.join("plan.json");
        let failed = |error| Error::File { what: format!("write {}", path.display()), error };
        let text = serde_json::to_vec(saved_plan).map_err(|error| Error::Defect(error.to_string()))?;
        // Whole, or not at all.
        let new = self.0.join("plan.json.new");
        let mut file = private_file::create(&new)?;
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(failed)?;
        std::fs::rename(&new, &path).map_err(failed)
    }

    /// Keeps what the run has announced, for a comparison later on.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, name: &str, what: &impl Serialize) -> Result<(), Error> {
        let path = self.0.join(name);
        let failed = |error| Error::File { what: format!("write {}", path.display()), error };
        let text = serde_json::to_vec(what).map_err(|error| Error::Defect(error.to_string()))?;
        let mut file = tempfile::Builder::new().prefix(".tsmigrate-").tempfile_in(&self.0).map_err(failed)?;
        file.write_all(&text).map_err(failed)?;
        file.persist(&path).map(drop).map_err(|error| failed(error.error))
    }

    /// What a run has kept; none where it has not come so far.
    ///
    /// # Errors
    /// When it cannot be read, or has another form than this version's.
    pub fn kept<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Error> {
        let path = self.0.join(name);
        let failed = |error| Error::File { what: format!("read {}", path.display()), error };
        let mut file = match private_file::read(&path) {
            Ok(file) => file,
            Err(Error::File { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;
        let wrong = |error: serde_json::Error| {
            failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string()))
        };
        let Head { format } = serde_json::from_slice(&text).map_err(wrong)?;
        record::check(&path.display().to_string(), format, &self.0, "")?;
        serde_json::from_slice(&text).map(Some).map_err(wrong)
    }

    /// What was settled.
    ///
    /// # Errors
    /// When it cannot be read, has another form than this version's, or is not that of the run.
    pub fn saved_plan(&self, run: &str) -> Result<SavedPlan, Error> {
        let path = self.0.join("plan.json");
        let failed = |error| Error::File { what: format!("read {}", path.display()), error };
        let mut text = Vec::new();
        let mut file = match private_file::read(&path) {
            Err(Error::File { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::Refused {
                    what: format!("the plan of the run, {}, is gone", path.display()),
                    next: vec![
                        "put it back".into(),
                        format!(
                            "or give the run up, and empty the target: {}",
                            record::cleanup(&self.0, true)
                        ),
                    ],
                });
            }
            file => file?,
        };
        file.read_to_end(&mut text).map_err(failed)?;
        let wrong = |error: serde_json::Error| {
            failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string()))
        };
        let Head { format } = serde_json::from_slice(&text).map_err(wrong)?;
        record::check(&format!("the plan {}", path.display()), format, &self.0, "")?;
        let plan: SavedPlan = serde_json::from_slice(&text).map_err(wrong)?;
        if plan.run != run {
            return Err(Error::Refused {
                what: format!(
                    "the plan {} is not that of the run that the journal beside it tells of",
                    path.display()
                ),
                next: vec![
                    "put the right one back".into(),
                    format!("or give the run up, and empty the target: {}", record::cleanup(&self.0, true)),
                ],
            });
        }
        Ok(plan)
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
    #[serde(default = "record::first", deserialize_with = "record::any")]
    format: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_database_with_an_odd_name_has_a_plain_directory() {
        assert_eq!(WorkDir::new(None, "my db/../x").path(), Path::new("tsmigrate-my_db_.._x"));
    }

    #[test]
    fn what_a_run_brings_later_is_dropped_too() {
        let after = |undo: &[&str], brings_nothing, now: &[&str], nothing_now| {
            let owned = |all: &[&str]| all.iter().map(|&one| one.to_owned()).collect::<Vec<_>>();
            let mut others = SavedOthers { undo: owned(undo), brings_nothing, ..SavedOthers::default() };
            others.take_up(owned(now), nothing_now);
            (others.undo.join(" "), others.brings_nothing)
        };
        assert_eq!(after(&["a"], false, &["a", "b"], false), ("a b".into(), false));
        assert_eq!(after(&[], true, &["b"], false), ("b".into(), false));
        assert_eq!(after(&[], true, &[], true), (String::new(), true));
        // Of what comes into schemas that others have too, no statement tells.
        assert_eq!(after(&["a"], false, &[], false), (String::new(), false));
        assert_eq!(after(&[], false, &["b"], false), (String::new(), false));
    }

    fn refused(work: &WorkDir) -> String {
        let error = work.check_ours().expect_err("it is not ours");
        let Error::Refused { what, next } = error else { return error.to_string() };
        assert!(!next.is_empty(), "{what}");
        what + " " + &next.join(" ")
    }

    #[test]
    fn a_directory_that_is_not_ours_is_refused() {
        use std::os::unix::fs::symlink;

        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
        };
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let work = |name: &str| WorkDir::new(Some(&at(name)), "");
        let new = work("new/deep");
        new.check_ours().expect("it can be created");
        new.create().expect("created");
        for path in [at("new"), at("new/deep")] {
            assert_eq!(path.metadata().expect("there").permissions().mode() & 0o777, 0o700);
        }
        symlink(at("new/deep"), at("link")).expect("a link");
        assert!(refused(&work("link")).contains("is a symbolic link"));
        assert!(refused(&work("link/")).contains("is a symbolic link"));
        std::fs::write(at("file"), "").expect("a file");
        assert!(refused(&work("file")).contains("is no directory"));
        std::fs::create_dir(at("open")).expect("a folder");
        mode(&at("open"), 0o777);
        assert!(refused(&work("open")).contains("others can write into the work directory"));
        assert!(refused(&work("open/below")).contains("others can write into"));
        assert!(refused(&work("open")).contains("chmod 700"));
        mode(&at("open"), 0o1777);
        assert!(!refused(&work("open")).contains("chmod"));
        work("open/below").check_ours().expect("the sticky bit keeps it");
        // A link of ours that leads through a folder in which others may put another in its place.
        std::fs::create_dir(at("hall")).expect("a folder");
        symlink(at("new"), at("hall/second")).expect("a link");
        symlink("hall/second", at("first")).expect("a link");
        work("first/deep").check_ours().expect("links of ours");
        mode(&at("hall"), 0o777);
        assert!(refused(&work("first/deep")).contains("others can write into"));
        mode(&at("hall"), 0o755);
        symlink("circle", at("circle")).expect("a link");
        assert!(refused(&work("circle/below")).contains("is a symbolic link"));
        work("new/deep/../other").check_ours().expect("a way back");
        if private_file::uid() == 0 {
            use std::os::unix::fs::{chown, lchown};

            // Who owns a folder can rename what is in it, whatever its mode is.
            chown(at("hall"), Some(12345), None).expect("root may");
            for path in ["hall/work", "first/deep", "hall/second/deep"] {
                assert!(refused(&work(path)).contains("belongs to user 12345"), "{path}");
            }
            mode(&at("hall"), 0o1777);
            assert!(
                refused(&work("hall/work")).contains("belongs to user 12345"),
                "the sticky bit is no help"
            );
            lchown(at("first"), Some(12345), None).expect("root may");
            assert!(refused(&work("first/deep")).contains("is a symbolic link of user 12345"));
        }
        std::fs::create_dir(at("theirs")).expect("a folder");
        std::fs::write(at("theirs/thesis.txt"), "").expect("a file");
        assert!(refused(&work("theirs")).contains("thesis.txt"));
        // An empty one that others can only read becomes private.
        std::fs::create_dir(at("empty")).expect("a folder");
        mode(&at("empty"), 0o755);
        work("empty").create().expect("ours");
        assert_eq!(at("empty").metadata().expect("there").permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn files_of_a_run_are_no_links_and_private() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().expect("a folder");
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "theirs").expect("a file");
        let work = WorkDir::new(Some(&folder.path().join("work")), "");
        work.create().expect("created");
        drop(crate::journal::Journal::open(work.path()).expect("a journal"));
        let mode = |name: &str| {
            work.path().join(name).symlink_metadata().expect("there").permissions().mode() & 0o777
        };
        drop(work.log().expect("a log"));
        assert_eq!((mode("journal.jsonl"), mode("log.jsonl")), (0o600, 0o600));
        for name in ["journal.jsonl", "log.jsonl", "plan.json", "plan.json.new"] {
            let path = work.path().join(name);
            let _ = std::fs::remove_file(&path);
            symlink(&victim, &path).expect("a link");
            assert!(refused(&work).contains("is a symbolic link"), "{name}");
            match name {
                "journal.jsonl" => assert!(crate::journal::Journal::open(work.path()).is_err()),
                "log.jsonl" => assert!(work.log().is_err()),
                "plan.json" => assert!(work.saved_plan("r").is_err()),
                _ => {}
            }
            std::fs::remove_file(&path).expect("the link goes");
            drop(crate::journal::Journal::open(work.path()).expect("a journal"));
        }
        symlink(&victim, work.path().join("plan.json.new")).expect("a link");
        symlink(&victim, work.path().join("plan.json")).expect("a link");
        let saved_plan = SavedPlan {
            format: record::FORMAT,
            run: "r".into(),
            target: Facts::default(),
            tables: Vec::new(),
            allow_violations: Vec::new(),
            schema: SavedSchema::default(),
            others: SavedOthers::default(),
        };
        work.save_plan(&saved_plan).expect("links are replaced");
        assert_eq!(std::fs::read_to_string(&victim).expect("a file"), "theirs");
        assert_eq!((mode("plan.json"), work.saved_plan("r").expect("a plan")), (0o600, saved_plan));
        let error = work.saved_plan("another").expect_err("another run's").to_string();
        assert!(error.contains("is not that of the run") && error.contains("tsmigrate cleanup"), "{error}");
    }

    #[test]
    fn a_disk_without_room_is_told_of() {
        let work = WorkDir::new(Some(Path::new("/tmp/no such folder")), "");
        assert_eq!(work.full(10), None);
        let blocker = work.full(u64::MAX / 10_000).expect("no disk is so large");
        assert!(blocker.what.contains("is full") && blocker.next[0].contains("--work-dir"), "{blocker}");
    }
}
