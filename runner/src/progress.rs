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

impl Default for Progress {
    fn default() -> Self {
        Self {
            bar: Arc::default(),
            terminal: std::io::stderr().is_terminal(),
            last: Arc::new(Mutex::new(Instant::now())),
        }
    }
}

impl Progress {
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
