//! `--max-rate`: bytes in a second, all readers together.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A bound on what goes over.
#[derive(Debug)]
pub struct Rate {
    /// Bytes in a second; none without a bound.
    bound: Option<u64>,
    /// When what has been asked for so far will have gone over.
    due: Mutex<Instant>,
}

impl Rate {
    /// A bound of so many bytes in a second.
    #[must_use]
    pub fn new(bound: Option<u64>) -> Self {
        Self { bound: bound.filter(|bytes| *bytes > 0), due: Mutex::new(Instant::now()) }
    }

    /// Waits until `bytes` more may go over.
    pub async fn take(&self, bytes: u64) {
        let Some(bound) = self.bound else { return };
        let wait = {
            let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let micros = bytes.saturating_mul(1_000_000) / bound;
            *due = (*due).max(now) + Duration::from_micros(micros);
            due.saturating_duration_since(now)
        };
        tokio::time::sleep(wait).await;
    }
}
