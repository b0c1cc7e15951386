//! What workers did and what they waited for: kept until the end of a run, for the pictures of its report.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::TaskKind;
use super::event::seconds;

/// Entries that are kept: of more, the longest.
const MOST: usize = 10_000;

/// Something that a worker did, or that it waited for.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Activity {
    /// `copy`, `index`, `foreign key`, `refresh`, `verify`, or `wait`.
    pub kind: &'static str,
    /// What: a table, an index.
    pub what: String,
    /// What it waited for, and for whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// When it began: seconds since the run began.
    pub begun: f64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Bytes that were copied.
    pub bytes: u64,
}

/// An entry with its times as the process knows them.
#[derive(Debug)]
struct Entry {
    activity: Activity,
    since: Instant,
    took: Duration,
}

/// What is over.
#[derive(Debug, Default)]
pub(super) struct Past(Vec<Entry>);

impl Past {
    /// Keeps a task.
    pub(super) fn task(&mut self, kind: TaskKind, what: &str, since: Instant, took: Duration, bytes: u64) {
        let bytes = if kind == TaskKind::Verify { 0 } else { bytes };
        let activity = Activity { kind: kind.word(), what: what.to_owned(), bytes, ..Activity::default() };
        self.push(Entry { activity, since, took });
    }

    /// Keeps a wait.
    pub(super) fn wait(&mut self, what: &str, why: &str, since: Instant, took: Duration) {
        let activity = Activity {
            kind: "wait",
            what: what.to_owned(),
            why: Some(why.to_owned()),
            ..Activity::default()
        };
        self.push(Entry { activity, since, took });
    }

    fn push(&mut self, entry: Entry) {
        if self.0.len() >= MOST {
            self.0.sort_by_key(|entry| std::cmp::Reverse(entry.took));
            self.0.truncate(MOST / 2);
        }
        self.0.push(entry);
    }

    /// Everything in the order in which it began, in seconds since `begun`.
    pub(super) fn since(&self, begun: Instant) -> Vec<Activity> {
        let mut all: Vec<_> = self
            .0
            .iter()
            .map(|Entry { activity, since, took }| Activity {
                begun: seconds(since.saturating_duration_since(begun)),
                seconds: seconds(*took),
                ..activity.clone()
            })
            .collect();
        all.sort_by(|a, b| a.begun.total_cmp(&b.begun).then_with(|| a.what.cmp(&b.what)));
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_than_can_be_kept_the_longest_stay() {
        let begun = Instant::now();
        let mut past = Past::default();
        for number in 0..MOST as u64 {
            past.task(TaskKind::Copy, &number.to_string(), begun, Duration::from_millis(number), 1);
        }
        past.wait("copy of t", "a lock of session 7", begun, Duration::from_secs(1));
        let kept = past.since(begun);
        assert_eq!(kept.len(), MOST / 2 + 1);
        assert!(kept.iter().any(|one| one.what == "9999") && kept.iter().all(|one| one.what != "0"));
        assert!(
            kept.iter().any(|one| one.kind == "wait" && one.why.as_deref() == Some("a lock of session 7"))
        );
    }
}
