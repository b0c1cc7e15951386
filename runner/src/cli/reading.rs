//! The bar of a large file that is read.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tsmigrate_analyzer::clean;

use super::terminal::on_terminal;

/// How far the reading of a large file is: shown on a terminal, where it takes more than two seconds.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    shown: std::cell::Cell<bool>,
    started: Instant,
}

impl Progress {
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Starts to measure.
    pub(super) fn new(verb: &str, name: &str, length: Option<u64>) -> Self {
        let bar = on_terminal().then(|| {
            let template = match length {
                Some(_) => {
                    "  {prefix} {bar:24.cyan/dim} {bytes:>10} of {total_bytes}  {binary_bytes_per_sec:>12}  {eta} left"
                }
                None => "  {prefix} {spinner} {bytes:>10}  {binary_bytes_per_sec:>12}",
            };
            let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden())
                .with_prefix(format!("{verb} {}", clean::text(name)));
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("━╸─"));
            }
            bar
        });
        Self { bar, shown: false.into(), started: Instant::now() }
    }

    /// So many more bytes are done.
    pub(super) fn advance(&self, bytes: u64) {
        let Some(bar) = &self.bar else { return };
        bar.inc(bytes);
        if !self.shown.get() && self.started.elapsed() > Self::PATIENCE {
            self.shown.set(true);
            bar.set_draw_target(ProgressDrawTarget::stderr());
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
