//! Errors that pass: tried again with growing pauses, announced, and not for ever.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::progress::Progress;

/// How often, and how long.
#[derive(Clone, Copy, Debug)]
pub struct RetryPolicy {
    /// Tries after the first.
    pub retries: u32,
    /// How long a full disk may take to grow.
    pub disk: Duration,
}

/// The longest pause but for a full disk.
const LONGEST: Duration = Duration::from_secs(60);

/// Full disk, too many connections, cancelled, serialization, deadlock, lock (PostgreSQL's errcodes.txt).
const TRANSIENT: [&str; 6] = ["53100", "53300", "57014", "40001", "40P01", "55P03"];

/// True where the same step may work a little later.
#[must_use]
pub fn transient(error: &Error) -> bool {
    error.is_gone() || error.answer().is_some_and(|answer| TRANSIENT.contains(&answer.code.as_str()))
}

/// Runs `step` until it works, fails for good, or patience ends.
///
/// # Errors
/// The last error.
pub async fn retrying<T, F>(
    retry_policy: RetryPolicy,
    progress: &Progress,
    what: &str,
    mut step: impl FnMut() -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    let start = Instant::now();
    let mut attempt = 0;
    loop {
        let error = match step().await {
            Err(error) if transient(&error) => error,
            result => return result,
        };
        attempt += 1;
        let full = error.code() == "53100";
        if full && start.elapsed() > retry_policy.disk || !full && attempt > retry_policy.retries {
            return Err(error);
        }
        let pause = Duration::from_secs(1 << attempt.min(6)) / 2;
        let pause = if full { LONGEST.min(pause * 4) } else { LONGEST.min(pause) };
        let why = error.answer().map(ToString::to_string).unwrap_or_default();
        // How often a full disk is looked at does not matter, only for how long.
        let limit = if full { 0 } else { retry_policy.retries };
        progress.retry(what, why.lines().next().unwrap_or_default(), pause, attempt, limit);
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Server;

    fn answer(code: &str) -> Error {
        Error::Query {
            side: "target",
            sql: String::new(),
            answer: Box::new(Server { code: code.into(), ..Server::default() }),
        }
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        for code in ["", "53100", "57P01", "40P01", "08006"] {
            assert!(transient(&answer(code)), "{code}");
        }
        for code in ["42501", "23505", "22P02", "53200"] {
            assert!(!transient(&answer(code)), "{code}");
        }
        assert!(!transient(&Error::SnapshotLost));
    }
}
