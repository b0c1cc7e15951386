//! The one thread that writes: a terminal that is stopped, or a slow pipe, keeps no worker waiting.

use std::fs::File;
use std::io::Write;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::event::{Event, Now, Pause, seconds};
use super::frame::{self, Room};
use super::screen::Screen;
use super::state::State;
use crate::human;

/// How often the display is looked at.
const LIVE: Duration = Duration::from_millis(250);
/// How often programs are told how far it is.
const JSON: Duration = Duration::from_secs(1);
/// How often a line says how far it is.
const EVERY: Duration = Duration::from_secs(10);
/// Work that is over before this is not shown while it runs.
const HIDDEN: Duration = Duration::from_secs(2);
/// Columns of a line in a log.
const COLUMNS: usize = 100;

/// How progress is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Live,
    Lines,
    Json,
}

/// What the writer is told.
pub(super) enum Message {
    /// A line for people.
    Text(String),
    /// An event, as JSON.
    Event(String),
    /// Events are written into this file, too.
    Log(File),
    /// Says when everything until here is written.
    Flush(Sender<()>),
    /// Something has changed that should be seen now.
    Look,
}

pub(super) struct Writer {
    pub(super) form: Form,
    pub(super) color: bool,
    pub(super) state: Arc<Mutex<State>>,
    pub(super) out: Box<dyn Write + Send>,
    pub(super) size: fn() -> (usize, usize),
    pub(super) log: Option<File>,
    pub(super) screen: Screen,
    pub(super) last: Option<Instant>,
}

impl Writer {
    /// Writes until nobody is there who could tell it more.
    pub(super) fn run(mut self, messages: &Receiver<Message>) {
        let tick = if self.form == Form::Live { LIVE } else { JSON };
        let mut next = Instant::now() + tick;
        loop {
            match messages.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(message) => self.take(message, messages),
                Err(RecvTimeoutError::Timeout) => {
                    next = Instant::now() + tick;
                    self.tick(Instant::now());
                }
                Err(RecvTimeoutError::Disconnected) => {
                    if self.form == Form::Live {
                        self.draw("", &[]);
                    }
                    return;
                }
            }
        }
    }

    /// Takes one message, and what has come with it: many lines are one change of the display.
    fn take(&mut self, first: Message, messages: &Receiver<Message>) {
        let mut text = String::new();
        let mut message = Some(first);
        let mut asked = Vec::new();
        while let Some(taken) = message {
            match taken {
                Message::Text(line) => text += &(line + "\n"),
                Message::Event(line) => self.event(&line),
                Message::Log(file) => self.log = Some(file),
                Message::Flush(answer) => asked.push(answer),
                Message::Look => {}
            }
            message = messages.try_recv().ok();
        }
        match self.form {
            Form::Live => self.live(&text, Instant::now()),
            Form::Lines => self.write(&text),
            Form::Json => {}
        }
        for answer in asked {
            // Who asked may have gone.
            let _ = answer.send(());
        }
    }

    fn event(&mut self, line: &str) {
        let line = format!("{line}\n");
        if let Some(log) = &mut self.log {
            // A log is a help, and no reason to stop a migration.
            let _ = log.write_all(line.as_bytes());
        }
        if self.form == Form::Json {
            self.write(&line);
        }
    }

    /// Time has passed.
    pub(super) fn tick(&mut self, now: Instant) {
        match self.form {
            Form::Live => self.live("", now),
            Form::Lines => {
                let line = {
                    let mut state = lock(&self.state);
                    state.tick(now);
                    // The first line comes after as long as the others.
                    let busy = state.busy(now);
                    if busy.is_none() {
                        self.last = None;
                    }
                    let since = self.last.or_else(|| now.checked_sub(busy?));
                    match since {
                        Some(since) if now.saturating_duration_since(since) >= EVERY => {
                            self.last = Some(now);
                            summary(&state, now)
                        }
                        _ => None,
                    }
                };
                if let Some(line) = line {
                    self.write(&format!("{line}\n"));
                }
            }
            Form::Json => {
                let line = {
                    let mut state = lock(&self.state);
                    state.tick(now);
                    state.busy(now).map(|_| progress(&state, now))
                };
                if let Some(line) = line {
                    self.write(&format!("{line}\n"));
                }
            }
        }
    }

    fn live(&mut self, above: &str, now: Instant) {
        let (columns, rows) = (self.size)();
        let lines = {
            let mut state = lock(&self.state);
            state.tick(now);
            let shown = state.busy(now).is_some_and(|busy| busy >= HIDDEN);
            if shown {
                frame::lines(&state, now, Room { columns, rows, color: self.color })
            } else {
                Vec::new()
            }
        };
        self.draw_in(above, &lines, columns);
    }

    fn draw(&mut self, above: &str, lines: &[String]) {
        let (columns, _) = (self.size)();
        self.draw_in(above, lines, columns);
    }

    fn draw_in(&mut self, above: &str, lines: &[String], columns: usize) {
        let text = self.screen.draw(above, lines, columns);
        self.write(&text);
    }

    fn write(&mut self, text: &str) {
        if !text.is_empty() {
            // A closed terminal is no reason to stop a migration.
            let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
        }
    }
}

pub(super) fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How far it is, in one line: `  data 1.25 of 4.00 GB (31 %), 85.0 MB/s, about 33 s left: sales.orders 45 %, …`.
fn summary(state: &State, now: Instant) -> Option<String> {
    let mut head = String::new();
    if let (Some(stage), Some(position)) = (&state.stage, state.position(now)) {
        let percent = human::percent(position.bytes, position.total);
        let mut words = vec![format!("{} ({percent} %)", human::part(position.bytes, position.total))];
        words.extend(frame::rate_words(position));
        head = format!("{} {}", human::line(&stage.name), words.join(", "));
    }
    let waiting = state.waiting.iter().map(|waiting| format!("{} waits: {}", waiting.what, waiting.why));
    let running = state.running.iter().map(|task| {
        let verb = if task.kind.moves_bytes() { String::new() } else { format!("{} ", task.kind.word()) };
        let far = match (task.size, task.moved()) {
            (0, _) | (_, 0) => human::passing(now.saturating_duration_since(task.since)),
            (size, moved) => format!("{} %", human::percent(moved, size).min(99)),
        };
        format!("{verb}{} {far}", task.label)
    });
    let mut workers: Vec<String> = waiting.chain(running).map(|worker| human::line(&worker)).collect();
    let note = state.stage.as_ref().map(|stage| human::line(&stage.note)).filter(|note| !note.is_empty());
    if workers.is_empty() {
        workers.extend(note);
    }
    if head.is_empty() && workers.is_empty() {
        return None;
    }
    let mut line = format!("  {head}");
    let count = workers.len();
    for (index, worker) in workers.iter().enumerate() {
        let between = match index {
            0 if head.is_empty() => "",
            0 => ": ",
            _ => ", ",
        };
        let more = if index + 1 < count { format!(", {} more", count - index - 1) } else { String::new() };
        let taken = human::width(&line) + between.len();
        let room = COLUMNS.saturating_sub(taken + more.len());
        if index > 0 && human::width(worker) > room {
            return Some(format!("{line}, {} more", count - index));
        }
        line = format!("{line}{between}{}", human::clip(worker, room.max(20)));
    }
    Some(line)
}

/// How far it is, for programs.
fn progress(state: &State, now: Instant) -> String {
    let position = state.position(now).unwrap_or_default();
    let since = |at: Instant| seconds(now.saturating_duration_since(at));
    Event::Progress {
        stage: state.stage.as_ref().map(|stage| stage.name.as_str()),
        bytes: position.bytes,
        total: position.total,
        rate: position.rate,
        seconds_left: position.left.map(|left| left.as_secs()),
        elapsed: seconds(position.elapsed),
        retries: state.retries,
        tasks: state
            .running
            .iter()
            .map(|task| Now { task: task.event(), bytes: task.moved(), seconds: since(task.since) })
            .collect(),
        waiting: state
            .waiting
            .iter()
            .map(|waiting| Pause { what: &waiting.what, why: &waiting.why, seconds: since(waiting.since) })
            .collect(),
    }
    .json()
}
