//! What a person sees while a migration runs: bars on a terminal, a plain line every ten seconds elsewhere.

use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

const EVERY: Duration = Duration::from_secs(10);

/// Where stages and progress are shown.
#[derive(Clone)]
pub struct Progress {
    bar: Arc<Mutex<Option<ProgressBar>>>,
    terminal: bool,
    last: Arc<Mutex<Instant>>,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// Bars on a terminal, a line every ten seconds elsewhere.
    #[default]
    Auto,
    /// A line every ten seconds.
    Lines,
    /// One JSON object on each line of the standard error.
    Json,
    /// Nothing.
    None,
}

/// What a worker is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaskKind {
    /// Rows of a table, or of a part of it.
    Copy,
    /// Large objects.
    LargeObjects,
    /// An index, or a constraint that is one.
    Index,
    /// A foreign key is checked.
    ForeignKey,
    /// A materialized view is filled.
    Refresh,
    /// Rows of both ends are compared.
    Verify,
}

/// One thing that a worker is busy with, from its making to its drop.
pub struct Task {
    progress: Progress,
    label: String,
    size: u64,
    moved: std::sync::atomic::AtomicU64,
}

impl Task {
    /// More bytes have gone over.
    pub fn add(&self, bytes: u64) {
        let moved = self.moved.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed) + bytes;
        let _ = (moved, self.size);
        self.progress.at(moved, &self.label);
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new(Mode::Auto)
    }
}

impl Progress {
    /// Progress in the way that is wanted.
    #[must_use]
    pub fn new(_mode: Mode) -> Self {
        Self {
            bar: Arc::default(),
            terminal: std::io::stderr().is_terminal(),
            last: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// A worker begins with something of `size` bytes (0 where bytes do not tell how far it is).
    #[must_use]
    pub fn task(&self, _kind: TaskKind, label: &str, size: u64) -> Task {
        Task { progress: self.clone(), label: label.to_owned(), size, moved: 0.into() }
    }

    /// Something is tried again after `wait`.
    pub fn retry(&self, what: &str, why: &str, wait: Duration, attempt: u32, limit: u32) {
        self.warn(&format!("{what}: {why}; try {attempt} of {limit} in {} s", wait.as_secs()));
    }

    /// A line for people, above whatever moves.
    pub fn line(&self, text: &str) {
        let show = || {
            // A closed terminal is no reason to stop a migration.
            let _ = writeln!(anstream::stderr(), "{text}");
        };
        match &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(bar) => bar.suspend(show),
            None => show(),
        }
    }

    /// A stage that has come to its end: `✓ roles   12 statements   0.3 s`.
    pub fn done(&self, name: &str, result: &str, took: Duration) {
        let (green, reset) = (anstyle::AnsiColor::Green.on_default(), anstyle::Reset);
        let text = format!("{green}✓{reset} {name:<12} {result:<44} {:>8.1} s", took.as_secs_f64());
        self.line(&text);
    }

    /// Something that people should know and that stops nothing.
    pub fn warn(&self, text: &str) {
        let (yellow, reset) = (anstyle::AnsiColor::Yellow.on_default(), anstyle::Reset);
        self.line(&format!("{yellow}!{reset} {text}"));
    }

    /// Starts to measure `total` bytes.
    pub fn start(&self, name: &str, total: u64) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        let target = if self.terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target).with_prefix(name.to_owned());
        let style =
            "  {prefix:<12} {bar:30} {bytes:>10} of {total_bytes}  {bytes_per_sec}  {eta} left  {msg}";
        if let Ok(style) = ProgressStyle::with_template(style) {
            bar.set_style(style);
        }
        if self.terminal {
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    /// Says how far it is.
    pub fn at(&self, position: u64, what: &str) {
        let guard = self.bar.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(bar) = &*guard else { return };
        bar.set_position(position);
        if self.terminal {
            bar.set_message(what.to_owned());
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < EVERY {
            return;
        }
        *last = Instant::now();
        let text = format!(
            "  {} {} of {}, {}/s, {} left: {what}",
            bar.prefix(),
            HumanBytes(position),
            HumanBytes(bar.length().unwrap_or_default()),
            HumanBytes(rate(position, bar.elapsed())),
            HumanDuration(bar.eta()),
        );
        let _ = writeln!(anstream::stderr(), "{text}");
    }

    /// Stops measuring.
    pub fn stop(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}

/// Bytes in a second.
#[must_use]
pub fn rate(bytes: u64, took: Duration) -> u64 {
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1000) / milliseconds
}
