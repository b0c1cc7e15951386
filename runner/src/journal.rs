//! What a run has done for its own sake, written down before it is done: who it is, which jobs it paused, whether the
//! target is in restoring mode, and each step. One JSON object on a line. Whether a step of the target is done is told
//! by the target's own marks; the journal says what has to be put right where the process was killed.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use tsmigrate_analyzer::clean;

use crate::error::Error;
use crate::inspect::Facts;
use crate::jobs::Job;
use crate::private_file;
use crate::record;
use crate::step::Step;

/// What stands for the server that was read, in the record of a restore.
pub const ARCHIVE: &str = "archive";

/// A server's database, so that it is known again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// `pg_control_system()`; empty where it may not be asked.
    pub system: String,
    /// The database's name.
    pub database: String,
    /// The database's object id.
    pub oid: String,
}

impl Identity {
    /// That of a server that was inspected.
    #[must_use]
    pub fn of(facts: &Facts) -> Self {
        Self {
            system: facts.system.clone(),
            database: facts.database.clone(),
            oid: facts.database_oid.clone(),
        }
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A run begins.
    Start {
        /// The form of the journal: [`record::FORMAT`].
        #[serde(default = "record::first")]
        format: u32,
        /// Its id, which the target keeps too.
        run: String,
        /// The program's version.
        version: String,
        /// The source.
        source: Identity,
        /// The target.
        target: Identity,
        /// A hash of the options that decide what arrives.
        options: String,
        /// The number of the journal's file on its disk: a copy of the directory has another one. 0 where it is not known.
        #[serde(default)]
        file: u64,
    },
    /// A run goes on.
    Resume,
    /// Jobs of the source are about to be paused; those named were scheduled.
    Pausing {
        /// The jobs.
        jobs: Vec<Job>,
    },
    /// They are scheduled again.
    JobsBack,
    /// The source is read as it is now.
    Snapshot {
        /// `pg_current_snapshot()`: equal as long as nobody has written.
        state: String,
        /// A hash of the schema that the snapshot shows.
        schema: String,
    },
    /// The target is about to enter restoring mode.
    Restoring,
    /// It has left it.
    Restored,
    /// A step of the target is done.
    Step {
        /// Its name.
        step: String,
        /// Rows, where it has any.
        #[serde(default, skip_serializing_if = "is_zero")]
        rows: u64,
    },
    /// Everything is over there: the target is about to forget the run.
    Ending {
        /// The target equals the source, as far as it was compared.
        equal: bool,
    },
    /// The run has ended before its end, in order.
    Stopped {
        /// Why.
        why: String,
    },
    /// The run is over, and nothing is open.
    Done,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[derive(Serialize, Deserialize)]
struct Line {
    at: String,
    #[serde(flatten)]
    event: Event,
}

/// A journal that is written to.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Opens the journal in `directory`, to be written by this process alone.
    ///
    /// # Errors
    /// When it cannot be opened, or another process writes it.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let path = path(directory);
        let failed = |error| Error::File { what: format!("open {}", path.display()), error };
        let file = private_file::append(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => return Err(taken(directory, holder(&path))),
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        finish_line(&path).map_err(failed)?;
        // A new file is not there after a power failure before its folder is written too.
        if let Ok(folder) = File::open(directory) {
            let _ = folder.sync_all();
        }
        Ok(Self { path, file: Mutex::new(file) })
    }

    /// The number of its file on its disk; 0 where the system does not tell.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.file.lock().ok().and_then(|file| file.metadata().ok()).map_or(0, |found| found.ino())
    }

    /// Writes an event down; it stays, whatever happens next.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, event: Event) -> Result<(), Error> {
        self.append(event, true)
    }

    /// Writes down that a step is done. It survives the process; after a failure of the machine the target's marks
    /// tell.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn step(&self, step: &Step, rows: u64) -> Result<(), Error> {
        self.append(Event::Step { step: step.to_string(), rows }, false)
    }

    fn append(&self, event: Event, durable: bool) -> Result<(), Error> {
        let failed = |error| Error::File { what: format!("write {}", self.path.display()), error };
        let line = Line { at: now(), event };
        let mut text = Vec::new();
        clean::json(&line, &mut text).map_err(|error| Error::Defect(error.to_string()))?;
        text.push(b'\n');
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&text).map_err(failed)?;
        if durable { file.sync_data().map_err(failed) } else { Ok(()) }
    }
}

/// Refuses a directory in which another process is seen at work. Where the system does not tell who has a file,
/// [`Journal::open`] finds out later.
///
/// # Errors
/// When another process has the journal.
pub fn free(directory: &Path) -> Result<(), Error> {
    match holder(&path(directory)) {
        Some(process) => Err(taken(directory, Some(process))),
        None => Ok(()),
    }
}

fn taken(directory: &Path, process: Option<u32>) -> Error {
    let (who, stop) = process.map_or((String::new(), String::new()), |process| {
        (format!(" (process {process})"), format!(", or from elsewhere: kill -INT {process}"))
    });
    Error::Refused {
        what: format!("another tsmigrate{who} is at work in {}", directory.display()),
        next: vec![
            format!("let it end, or stop it with Ctrl-C{stop}"),
            "or name another directory with --work-dir".into(),
        ],
    }
}

/// The process that has a file locked, as Linux tells it.
fn holder(path: &Path) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;

    let inode = path.metadata().ok()?.ino();
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    locked_by(&locks, inode)
}

/// From lines such as `3: FLOCK  ADVISORY  WRITE 4242 fe:00:1234 0 EOF`.
fn locked_by(locks: &str, inode: u64) -> Option<u32> {
    let of_line = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, process) = (words.next()?, words.nth(2)?);
        let file = words.next()?.rsplit(':').next()?.parse::<u64>().ok()?;
        (kind == "FLOCK" && file == inode).then(|| process.parse().ok())?
    };
    locks.lines().find_map(of_line)
}

/// Ends the last line of a process that was killed while it wrote: the next event stands on a line of its own.
fn finish_line(path: &Path) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};

    let mut file = std::fs::OpenOptions::new().read(true).append(true).open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(());
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    if last == *b"\n" { Ok(()) } else { file.write_all(b"\n") }
}

/// The time, for people and programs.
#[must_use]
pub fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The journal's file.
#[must_use]
pub fn path(directory: &Path) -> PathBuf {
    directory.join("journal.jsonl")
}

/// What a journal says about the last run in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The form that it is recorded in. Of another one than [`record::FORMAT`] all that is understood is here.
    pub format: u32,
    /// Lines that are not understood.
    pub unknown: usize,
    /// Its id.
    pub run: String,
    /// When it began.
    pub started: String,
    /// The program's version.
    pub version: String,
    /// The source.
    pub source: Identity,
    /// The target.
    pub target: Identity,
    /// A hash of its options.
    pub options: String,
    /// The source's state and the schema's hash, where the run has come so far.
    pub snapshot: Option<(String, String)>,
    /// Jobs of the source that may be paused.
    pub jobs: Option<Vec<Job>>,
    /// The target may be in restoring mode.
    pub restoring: bool,
    /// Everything is over, and the target may have forgotten the run; whether it equals the source.
    pub ending: Option<bool>,
    /// It has come to its end.
    pub done: bool,
    /// Why it ended before.
    pub stopped: Option<String>,
    /// Steps that were written down.
    pub steps: usize,
    /// The number of the file in which it began; 0 where it is not known.
    pub file: u64,
    /// The journal is a copy: who wrote the first may be at work.
    pub is_copy: bool,
}

/// Reads the journal in `directory`: the last run in it, none where there is none.
///
/// # Errors
/// When it is there and cannot be read.
pub fn read(directory: &Path) -> Result<Option<State>, Error> {
    let path = path(directory);
    let file = match private_file::read(&path) {
        Ok(file) => file,
        Err(Error::File { error, .. }) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut state: Option<State> = None;
    let mut lines = BufReader::new(file);
    loop {
        let mut line = Vec::new();
        let failed = |error| Error::File { what: format!("read {}", path.display()), error };
        if lines.read_until(b'\n', &mut line).map_err(failed)? == 0 {
            let number = lines.get_ref().metadata().map_err(failed)?.ino();
            if let Some(state) = &mut state {
                state.is_copy = state.file != 0 && state.file != number;
            }
            return Ok(state);
        }
        let is_whole = line.last() == Some(&b'\n');
        let line = line.trim_ascii();
        if let Ok(Line { at, event }) = serde_json::from_slice(line) {
            follow(&mut state, at, event);
        } else if let Ok(Start { at, format, run, version, .. }) = serde_json::from_slice(line) {
            // Another version's, whose other fields are others.
            state = Some(State { format, run, started: at, version, ..State::default() });
        } else if !line.is_empty() && (is_whole || state.is_some()) {
            // Something begins here of which nothing is known. The last line of a process that was killed may be cut off.
            let nothing = || State { format: record::UNREADABLE, ..State::default() };
            state.get_or_insert_with(nothing).unknown += 1;
        }
    }
}

/// What a run of any version begins with, as far as it has to be known.
#[derive(Deserialize)]
struct Start {
    #[serde(default)]
    at: String,
    #[serde(default = "record::first", deserialize_with = "record::any")]
    format: u32,
    #[serde(default)]
    run: String,
    #[serde(default)]
    version: String,
    #[expect(dead_code, reason = "nothing else is a start")]
    event: Begin,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Begin {
    Start,
}

fn follow(state: &mut Option<State>, at: String, event: Event) {
    if let Event::Start { format, run, version, source, target, options, file } = event {
        let begun =
            State { format, run, started: at, version, source, target, options, file, ..State::default() };
        *state = Some(begun);
        return;
    }
    let Some(state) = state else { return };
    match event {
        Event::Start { .. } => {}
        Event::Resume => state.stopped = None,
        Event::Pausing { jobs } => state.jobs = Some(jobs),
        Event::JobsBack => state.jobs = None,
        Event::Snapshot { state: source, schema } => state.snapshot = Some((source, schema)),
        Event::Restoring => state.restoring = true,
        Event::Restored => state.restoring = false,
        Event::Step { .. } => state.steps += 1,
        Event::Ending { equal } => state.ending = Some(equal),
        Event::Stopped { why } => state.stopped = Some(why),
        Event::Done => state.done = true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(run: &str) -> Event {
        Event::Start {
            format: record::FORMAT,
            run: run.into(),
            version: "1".into(),
            source: Identity::default(),
            target: Identity::default(),
            options: String::new(),
            file: 0,
        }
    }

    #[test]
    fn what_is_open_follows_from_the_last_run() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(read(folder.path()).expect("readable"), None);
        let job = Job { id: 1000, name: "j".into(), owner: "o".into(), scheduled: true };
        {
            let journal = Journal::open(folder.path()).expect("a journal");
            for event in [
                start("a"),
                Event::Done,
                start("b"),
                Event::Pausing { jobs: vec![job.clone()] },
                Event::Restoring,
            ] {
                journal.write(event).expect("written");
            }
            journal.step(&Step::Roles, 0).expect("written");
            assert!(matches!(Journal::open(folder.path()), Err(Error::Refused { .. })), "one writer only");
        }
        let mut file = std::fs::OpenOptions::new().append(true).open(path(folder.path())).expect("open");
        file.write_all(b"{\"at\":\"2026\",\"event\":\"resto").expect("a torn line");
        let state = read(folder.path()).expect("readable").expect("a run");
        assert_eq!((state.run.as_str(), state.steps, state.restoring, state.done), ("b", 1, true, false));
        assert_eq!(state.jobs, Some(vec![job]));
        // A copy knows that it is one.
        let copy = tempfile::tempdir().expect("a folder");
        {
            let journal = Journal::open(copy.path()).expect("a journal");
            let Event::Start { format, run, version, source, target, options, .. } = start("c") else {
                return;
            };
            let number = journal.number() + 1;
            let begun = Event::Start { format, run, version, source, target, options, file: number };
            journal.write(begun).expect("written");
        }
        assert!(read(copy.path()).expect("readable").expect("a run").is_copy && !state.is_copy);
        // What is written next is not lost in the torn line.
        let journal = Journal::open(folder.path()).expect("a journal");
        journal.write(Event::Restored).expect("written");
        let state = read(folder.path()).expect("readable").expect("a run");
        assert_eq!((state.restoring, state.unknown), (false, 1));
    }

    #[test]
    fn who_writes_a_journal_is_told() {
        let locks = "1: POSIX  ADVISORY  WRITE 7 fe:00:42 0 EOF\n2: FLOCK  ADVISORY  WRITE 99 fe:00:41 0 EOF\n\
                     2: -> FLOCK  ADVISORY  WRITE 5 fe:00:42 0 EOF\n3: FLOCK  ADVISORY  WRITE 4242 fe:00:42 0 EOF\n";
        assert_eq!((locked_by(locks, 42), locked_by(locks, 43)), (Some(4242), None));
        let folder = tempfile::tempdir().expect("a folder");
        free(folder.path()).expect("nobody");
        let journal = Journal::open(folder.path()).expect("a journal");
        let error = Journal::open(folder.path()).expect_err("one writer only").to_string();
        assert!(error.contains("at work in") && error.contains("--work-dir"), "{error}");
        if Path::new("/proc/locks").exists() {
            assert!(error.contains(&format!("(process {})", std::process::id())), "{error}");
            assert!(free(folder.path()).is_err());
        }
        drop(journal);
        free(folder.path()).expect("nobody any more");
    }

    #[test]
    fn of_other_formats_everything_that_is_understood_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let read = |text: &str| {
            std::fs::write(path(folder.path()), text).expect("written");
            read(folder.path()).expect("readable").expect("a run")
        };
        let first = read(
            "{\"at\":\"a\",\"event\":\"start\",\"run\":\"r\",\"version\":\"0.1.0\",\"source\":{\"system\":\"\",\"database\":\"\",\"oid\":\"\"},\
             \"target\":{\"system\":\"\",\"database\":\"\",\"oid\":\"\"},\"options\":\"\"}\n{\"at\":\"b\",\"event\":\"restoring\"}\n",
        );
        assert_eq!((first.format, first.run.as_str(), first.restoring, first.unknown), (1, "r", true, 0));
        let newer = read(
            "{\"at\":\"a\",\"event\":\"start\",\"format\":9,\"run\":\"s\",\"version\":\"9.0.0\",\"ends\":[]}\n\
             {\"at\":\"b\",\"event\":\"restoring\"}\n{\"at\":\"c\",\"event\":\"parked\",\"what\":[1]}\n",
        );
        assert_eq!((newer.format, newer.run.as_str(), newer.restoring, newer.unknown), (9, "s", true, 1));
        assert_eq!((newer.version.as_str(), newer.done), ("9.0.0", false));
        for format in ["\"two\"", "null", "-1", "2.5", "99999999999999999999", "[2]", "{}"] {
            let odd = read(&format!(
                "{{\"at\":\"a\",\"event\":\"start\",\"format\":{format},\"run\":\"t\",\"version\":\"1\"}}\n{{\"at\":\"b\",\"event\":\"restoring\"}}\n"
            ));
            assert_eq!(
                (odd.format, odd.run.as_str(), odd.restoring),
                (record::UNREADABLE, "t", true),
                "{format}"
            );
        }
        let garbage = read("what is this?\n{\"at\":\"b\",\"event\":\"restoring\"}\n");
        assert_eq!((garbage.format, garbage.unknown, garbage.restoring), (record::UNREADABLE, 1, true));
    }
}
