//! What happens, for programs: `--progress json` writes one of these objects on each line of the standard error.

use std::time::Duration;

use serde::Serialize;

use super::TaskKind;

/// The version of these objects: it grows when a field changes its meaning or goes.
/// New events and new fields may come at any time.
pub const VERSION: u32 = 1;

/// One line. Its fields and those of its event stand side by side:
///
/// ```json
/// {"version":1,"at":"2026-11-22T18:00:03.250Z","event":"done","stage":"roles","result":"12 statements","seconds":0.3}
/// ```
#[derive(Clone, Debug, Serialize)]
pub struct Line<'a> {
    /// [`VERSION`].
    pub version: u32,
    /// When it happened: RFC 3339, UTC, in milliseconds.
    pub at: String,
    /// What happened.
    #[serde(flatten)]
    pub event: Event<'a>,
}

/// What happened; the field `event` names it: `task-start`. Sizes are in bytes, times in seconds.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event<'a> {
    /// A line for people, such as the name of the work directory.
    Line {
        /// The line.
        text: &'a str,
    },
    /// Something that people should know and that stops nothing.
    Warning {
        /// What it is.
        text: &'a str,
    },
    /// The bytes of a stage are measured from now on.
    StageStart {
        /// Its name: `data`.
        stage: &'a str,
        /// Its bytes.
        total: u64,
    },
    /// Its bytes are not measured any more.
    StageEnd {
        /// Its name.
        stage: &'a str,
    },
    /// A stage has come to its end.
    Done {
        /// Its name: `roles`.
        stage: &'a str,
        /// What it did, in words.
        result: &'a str,
        /// How long it took.
        seconds: f64,
    },
    /// A worker begins with something.
    TaskStart {
        /// The task.
        #[serde(flatten)]
        task: Task<'a>,
    },
    /// A worker is through with it.
    TaskEnd {
        /// The task.
        #[serde(flatten)]
        task: Task<'a>,
        /// Bytes that it moved.
        bytes: u64,
        /// How long it took.
        seconds: f64,
        /// False where it failed and will be done again.
        finished: bool,
    },
    /// How far it is, every second while something is done.
    Progress {
        /// The stage that is measured.
        stage: Option<&'a str>,
        /// Bytes of it that are done: those of finished tasks, and of running ones up to their sizes.
        bytes: u64,
        /// Bytes of all of it.
        total: u64,
        /// Bytes in a second, over the last half minute.
        rate: u64,
        /// At that rate; null where nothing moves.
        seconds_left: Option<u64>,
        /// Since the stage began.
        elapsed: f64,
        /// So many times something was tried again.
        retries: u64,
        /// What workers are busy with.
        tasks: Vec<Now<'a>>,
        /// What is waited for.
        waiting: Vec<Pause<'a>>,
    },
    /// Something failed and is tried again.
    Retry {
        /// What: `copy of sales.orders`.
        what: &'a str,
        /// The failure.
        why: &'a str,
        /// Seconds until it is tried again.
        wait: f64,
        /// How often it has been tried again then.
        attempt: u32,
        /// How often it will be at most; 0 where only the time is limited.
        limit: u32,
    },
    /// Something cannot go on now, such as a copy into a full disk.
    Wait {
        /// What.
        what: &'a str,
        /// What it waits for.
        why: &'a str,
    },
    /// It goes on.
    WaitEnd {
        /// What.
        what: &'a str,
        /// How long it waited.
        seconds: f64,
    },
}

/// A task.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Task<'a> {
    /// Its number in this run, from 1.
    pub task: u64,
    /// What is done.
    pub kind: TaskKind,
    /// To what: `sales.orders`.
    pub label: &'a str,
    /// Its bytes, 0 where they are not known.
    pub size: u64,
}

/// A task that runs.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Now<'a> {
    /// The task.
    #[serde(flatten)]
    pub task: Task<'a>,
    /// Bytes that it has moved.
    pub bytes: u64,
    /// Since it began.
    pub seconds: f64,
}

/// Something that waits.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Pause<'a> {
    /// What.
    pub what: &'a str,
    /// What it waits for.
    pub why: &'a str,
    /// Since it began to wait.
    pub seconds: f64,
}

/// The time as every output has it: RFC 3339, UTC, in milliseconds.
#[must_use]
pub fn now() -> String {
    let now = jiff::Timestamp::now();
    now.round(jiff::Unit::Millisecond).unwrap_or(now).to_string()
}

impl Event<'_> {
    /// The event as a line that happened now, without its end.
    #[must_use]
    pub fn json(self) -> String {
        let line = Line { version: VERSION, at: now(), event: self };
        let mut out = Vec::new();
        // Plain data with text keys: it cannot fail, and if it did, a line must still be an object.
        match tsmigrate_analyzer::clean::json(&line, &mut out) {
            Ok(()) => String::from_utf8_lossy(&out).into_owned(),
            Err(_) => "{}".to_owned(),
        }
    }
}

/// Seconds in milliseconds, as reports have them.
#[must_use]
pub fn seconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1000.0).round() / 1000.0
}
