//! What is under way: the numbers that every kind of display shows.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::TaskKind;
use super::past::Past;

/// Rates are those of the last half minute: short enough to follow the network, long enough to stand still.
const WINDOW: Duration = Duration::from_secs(30);
/// The time between two samples.
const SAMPLE: Duration = Duration::from_secs(1);
/// Work that pauses for less than this is the same work.
const PAUSE: Duration = Duration::from_secs(1);

/// A task that runs. Its bytes are counted without a lock.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) id: u64,
    pub(super) kind: TaskKind,
    pub(super) label: String,
    pub(super) size: u64,
    pub(super) since: Instant,
    pub(super) moved: AtomicU64,
}

impl Running {
    pub(super) fn moved(&self) -> u64 {
        self.moved.load(Ordering::Relaxed)
    }

    /// Bytes in a second since it began.
    pub(super) fn rate(&self, now: Instant) -> u64 {
        rate(self.moved(), now.saturating_duration_since(self.since))
    }
}

/// Something is not done now: it will be tried again, or the server is not ready for it.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    pub(super) id: u64,
    pub(super) what: String,
    pub(super) why: String,
    pub(super) since: Instant,
    /// When it goes on, where that is known.
    pub(super) until: Option<Instant>,
}

/// A stage whose bytes are measured.
#[derive(Clone, Debug)]
pub(super) struct Stage {
    pub(super) name: String,
    pub(super) total: u64,
    /// Bytes of finished tasks, and of what was told with `at`.
    pub(super) passed: u64,
    /// What was told with `at`.
    pub(super) note: String,
    pub(super) since: Instant,
    samples: VecDeque<(Instant, u64)>,
}

/// Everything that is under way.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) stage: Option<Stage>,
    pub(super) running: Vec<Arc<Running>>,
    pub(super) waiting: Vec<Waiting>,
    pub(super) retries: u64,
    /// What is over, of everybody.
    pub(super) past: Past,
    busy: Option<Instant>,
    idle: Option<Instant>,
}

/// How far the stage is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) bytes: u64,
    pub(super) total: u64,
    /// Bytes in a second, of late.
    pub(super) rate: u64,
    /// None where nothing moves.
    pub(super) left: Option<Duration>,
    pub(super) elapsed: Duration,
}

impl State {
    pub(super) fn start(&mut self, name: &str, total: u64, now: Instant) {
        self.stage = Some(Stage {
            name: name.to_owned(),
            total,
            passed: 0,
            note: String::new(),
            since: now,
            samples: VecDeque::new(),
        });
    }

    /// Says how far the stage is beside its tasks. Where it begins further on, that was not done now.
    pub(super) fn at(&mut self, position: u64, note: &str) {
        if let Some(stage) = &mut self.stage {
            stage.passed = position;
            if stage.note != note {
                note.clone_into(&mut stage.note);
            }
        }
    }

    /// Takes a task out; what is finished counts whole, whatever its bytes were.
    pub(super) fn end(&mut self, task: &Running, finished: bool) {
        self.running.retain(|running| running.id != task.id);
        if let Some(stage) = self.stage.as_mut().filter(|_| finished && task.kind.moves_bytes()) {
            stage.passed = stage.passed.saturating_add(task.size);
        }
    }

    /// Bytes of the stage: those of finished tasks and of running ones.
    pub(super) fn bytes(&self) -> u64 {
        let Some(stage) = &self.stage else { return 0 };
        let counted = self.running.iter().filter(|task| task.kind.moves_bytes());
        let running: u64 = counted.map(|task| task.moved().min(task.size)).sum();
        stage.passed.saturating_add(running).min(stage.total)
    }

    /// Notes the time: samples for the rate, waits that are over, how long there has been work.
    pub(super) fn tick(&mut self, now: Instant) {
        self.waiting.retain(|waiting| waiting.until.is_none_or(|until| until > now));
        if self.stage.is_some() || !self.running.is_empty() || !self.waiting.is_empty() {
            self.idle = None;
            self.busy.get_or_insert(now);
        } else if now.saturating_duration_since(*self.idle.get_or_insert(now)) >= PAUSE {
            self.busy = None;
        }
        let bytes = self.bytes();
        let Some(stage) = &mut self.stage else { return };
        if stage.samples.back().is_none_or(|(at, _)| now.saturating_duration_since(*at) >= SAMPLE) {
            stage.samples.push_back((now, bytes));
        }
        // The oldest sample that stays is the last one before the window.
        while stage.samples.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= WINDOW) {
            stage.samples.pop_front();
        }
    }

    /// How long there has been work without a pause.
    pub(super) fn busy(&self, now: Instant) -> Option<Duration> {
        self.busy.map(|since| now.saturating_duration_since(since))
    }

    /// How far the stage is.
    pub(super) fn position(&self, now: Instant) -> Option<Position> {
        let stage = self.stage.as_ref()?;
        let bytes = self.bytes();
        let moved = |&(at, before): &(Instant, u64)| {
            rate(bytes.saturating_sub(before), now.saturating_duration_since(at))
        };
        let rate = stage.samples.front().map_or(0, moved);
        let left = stage.total.saturating_sub(bytes).checked_div(rate).map(Duration::from_secs);
        let elapsed = now.saturating_duration_since(stage.since);
        Some(Position { bytes, total: stage.total, rate, left, elapsed })
    }
}

/// Bytes in a second.
#[must_use]
pub fn rate(bytes: u64, took: Duration) -> u64 {
    let milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
    bytes.saturating_mul(1000) / milliseconds
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: u64, kind: TaskKind, size: u64, moved: u64, since: Instant) -> Arc<Running> {
        Arc::new(Running { id, kind, label: format!("t{id}"), size, since, moved: moved.into() })
    }

    #[test]
    fn the_position_is_that_of_finished_and_running_tasks() {
        let now = Instant::now();
        let mut state = State::default();
        state.start("data", 1000, now);
        state.running = vec![
            task(1, TaskKind::Copy, 300, 100, now),
            task(2, TaskKind::Copy, 200, 500, now),
            task(3, TaskKind::Index, 400, 400, now),
        ];
        assert_eq!(state.bytes(), 300, "a task never counts more than its size, an index not at all");
        let first = state.running[0].clone();
        state.end(&first, true);
        assert_eq!(state.bytes(), 500, "a finished task counts whole");
        let second = state.running[0].clone();
        state.end(&second, false);
        assert_eq!(state.bytes(), 300, "a failed one does not count");
    }

    #[test]
    fn the_rate_is_that_of_the_last_half_minute() {
        let start = Instant::now();
        let mut state = State::default();
        state.start("data", 10_000, start);
        // 100 bytes a second for a minute, then 10.
        for second in 0..=120 {
            state.at(if second <= 60 { second * 100 } else { 6_000 + (second - 60) * 10 }, "t");
            state.tick(start + Duration::from_secs(second));
        }
        let position = state.position(start + Duration::from_secs(120)).expect("a stage");
        assert_eq!((position.bytes, position.rate), (6_600, 10));
        assert_eq!(position.left, Some(Duration::from_secs(340)));
        assert_eq!(position.elapsed, Duration::from_secs(120));
    }

    #[test]
    fn what_was_there_at_the_beginning_has_no_rate() {
        let start = Instant::now();
        let mut state = State::default();
        state.start("data", 1_000, start);
        state.at(900, "");
        state.tick(start);
        let position = state.position(start + Duration::from_secs(5)).expect("a stage");
        assert_eq!((position.bytes, position.rate, position.left), (900, 0, None));
    }

    #[test]
    fn a_short_pause_is_no_end() {
        let start = Instant::now();
        let at = |tenths: u64| start + Duration::from_millis(tenths * 100);
        let mut state = State::default();
        state.running.push(task(1, TaskKind::Index, 0, 0, start));
        state.tick(at(0));
        state.running.clear();
        state.tick(at(20));
        assert_eq!(state.busy(at(21)), Some(Duration::from_millis(2100)));
        state.tick(at(31));
        assert_eq!(state.busy(at(31)), None);
    }
}
