//! What a person sees while a migration runs: a live display on a terminal, a plain line every ten seconds
//! elsewhere, and one JSON object on each line for programs.
//!
//! Workers only change numbers. One thread writes, so that a terminal that stands still (Ctrl-S) stops nothing.

pub mod event;
mod frame;
mod past;
mod screen;
mod state;
mod task;
mod writer;

use std::fs::File;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use event::seconds;
pub use past::Activity;
pub use state::rate;
pub use task::TaskKind;

use event::Event;
use state::{Running, State, Waiting};
use writer::{Form, Message, Writer, lock};

use crate::human;

/// How long the end of a run waits for a terminal that does not take its last lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Where stages and progress are shown. Clones show in the same place.
#[derive(Clone)]
pub struct Progress {
    shared: Arc<Shared>,
}

/// How progress is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Mode {
    /// A live display on a terminal, a line every ten seconds elsewhere.
    #[default]
    Auto,
    /// A line every ten seconds.
    Lines,
    /// One JSON object on each line of the standard error.
    Json,
    /// Nothing.
    None,
}

struct Shared {
    state: Arc<Mutex<State>>,
    /// None where nothing is shown.
    post: Option<mpsc::Sender<Message>>,
    color: bool,
    /// Somebody reads events.
    events: AtomicBool,
    ids: AtomicU64,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// One thing that a worker is busy with, from its making to its drop.
///
/// Dropped, it is finished and counts with its whole size; see [`Task::failed`] for one that is not.
#[must_use]
pub struct Task {
    progress: Progress,
    running: Arc<Running>,
    finished: bool,
}

/// Something that waits for a server, from its making to its drop.
#[must_use]
pub struct Wait {
    progress: Progress,
    id: u64,
    what: String,
    why: String,
    since: Instant,
}

impl Task {
    /// More bytes have gone over. It is cheap: one atomic addition.
    pub fn add(&self, bytes: u64) {
        self.running.moved.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Bytes that have gone over.
    #[must_use]
    pub fn moved(&self) -> u64 {
        self.running.moved()
    }

    /// It begins anew: what has gone over does not count.
    pub fn restart(&self) {
        self.running.moved.store(0, Ordering::Relaxed);
    }

    /// It ends without being finished: its bytes do not count.
    pub fn failed(mut self) {
        self.finished = false;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        {
            let mut state = lock(&self.progress.shared.state);
            state.end(&self.running, self.finished);
            let Running { kind, label, since, .. } = &*self.running;
            state.past.task(*kind, label, *since, since.elapsed(), self.running.moved());
        }
        self.progress.event(|| Event::TaskEnd {
            task: self.running.event(),
            bytes: self.running.moved(),
            seconds: seconds(self.running.since.elapsed()),
            finished: self.finished,
        });
    }
}

impl Wait {
    /// What it waited for has come: people read that it goes on.
    pub fn over(self) {
        let took = self.since.elapsed();
        self.progress
            .text(|| format!("  {} goes on after {}", human::line(&self.what), human::duration(took)));
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        let took = self.since.elapsed();
        {
            let mut state = lock(&self.progress.shared.state);
            state.waiting.retain(|waiting| waiting.id != self.id);
            state.past.wait(&self.what, &self.why, self.since, took);
        }
        self.progress.event(|| Event::WaitEnd { what: &self.what, seconds: seconds(took) });
    }
}

impl Running {
    fn event(&self) -> event::Task<'_> {
        event::Task { task: self.id, kind: self.kind, label: &self.label, size: self.size }
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
    pub fn new(mode: Mode) -> Self {
        // Without one there is nothing to move the cursor with.
        let moves = std::env::var("TERM").is_ok_and(|term| !term.is_empty() && term != "dumb");
        let form = match mode {
            Mode::None => None,
            Mode::Json => Some(Form::Json),
            Mode::Auto if std::io::stderr().is_terminal() && moves => Some(Form::Live),
            Mode::Auto | Mode::Lines => Some(Form::Lines),
        };
        let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        Self::with(form, color, Box::new(std::io::stderr()))
    }

    fn with(form: Option<Form>, color: bool, out: Box<dyn std::io::Write + Send>) -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let spawned = form.and_then(|form| {
            let (post, messages) = mpsc::channel();
            let writer = Writer {
                form,
                color,
                state: state.clone(),
                out,
                size: terminal,
                log: None,
                screen: screen::Screen::default(),
                last: None,
            };
            let run = move || writer.run(&messages);
            // Without a thread nothing is shown: that is no reason not to migrate.
            let thread = std::thread::Builder::new().name("progress".into()).spawn(run).ok()?;
            Some((post, thread))
        });
        let (post, thread) = spawned.unzip();
        let shared = Shared {
            state,
            post,
            color,
            events: AtomicBool::new(form == Some(Form::Json)),
            ids: AtomicU64::new(1),
            thread: Mutex::new(thread),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Also writes every event into `file`, a JSON object on each line; how far it is stays out of it.
    pub fn log_to(&self, file: File) {
        self.shared.events.store(true, Ordering::Relaxed);
        self.post(Message::Log(file));
    }

    /// A worker begins with something of `size` bytes (0 where bytes do not tell how far it is).
    pub fn task(&self, kind: TaskKind, label: &str, size: u64) -> Task {
        let running = Arc::new(Running {
            id: self.shared.ids.fetch_add(1, Ordering::Relaxed),
            kind,
            label: label.to_owned(),
            size,
            since: Instant::now(),
            moved: AtomicU64::new(0),
        });
        lock(&self.shared.state).running.push(running.clone());
        self.event(|| Event::TaskStart { task: running.event() });
        Task { progress: self.clone(), running, finished: true }
    }

    /// How often something was tried again so far.
    #[must_use]
    pub fn retries(&self) -> u64 {
        lock(&self.shared.state).retries
    }

    /// Something is tried again after `wait`: for the `attempt`th time, of `limit` (0 where their number has none).
    /// People read the first three in lines of their own, and then every tenth.
    pub fn retry(&self, what: &str, why: &str, wait: Duration, attempt: u32, limit: u32) {
        {
            let mut state = lock(&self.shared.state);
            let now = Instant::now();
            state.retries += 1;
            state.past.wait(what, why, now, wait);
            state.waiting.push(Waiting {
                id: self.shared.ids.fetch_add(1, Ordering::Relaxed),
                what: what.to_owned(),
                why: why.to_owned(),
                since: now,
                until: now.checked_add(wait),
            });
        }
        if attempt <= 3 || attempt.is_multiple_of(10) {
            self.yellow(|| {
                let of = if limit == 0 { String::new() } else { format!(" of {limit}") };
                let wait = human::passing(wait);
                format!("{}: {}; retry {attempt}{of} in {wait}", human::line(what), human::line(why))
            });
        }
        self.event(|| Event::Retry { what, why, wait: seconds(wait), attempt, limit });
    }

    /// Something cannot go on before a server lets it: `why` says what for. It waits until the result is dropped, which
    /// says nothing of how it ended; [`Wait::over`] does.
    pub fn wait(&self, what: &str, why: &str) -> Wait {
        let id = self.shared.ids.fetch_add(1, Ordering::Relaxed);
        let since = Instant::now();
        lock(&self.shared.state).waiting.push(Waiting {
            id,
            what: what.to_owned(),
            why: why.to_owned(),
            since,
            until: None,
        });
        self.yellow(|| format!("{} waits: {}", human::line(what), human::line(why)));
        self.event(|| Event::Wait { what, why });
        Wait { progress: self.clone(), id, what: what.to_owned(), why: why.to_owned(), since }
    }

    /// What workers did and waited for until now, in seconds since `begun`; of very many, the longest.
    #[must_use]
    pub fn past(&self, begun: Instant) -> Vec<Activity> {
        lock(&self.shared.state).past.since(begun)
    }

    /// A line for people, above whatever moves.
    pub fn line(&self, text: &str) {
        self.text(|| human::clean(text));
        self.event(|| Event::Line { text });
    }

    /// A stage that has come to its end: `✓ roles   12 statements   0.3 s`.
    pub fn done(&self, name: &str, result: &str, took: Duration) {
        self.text(|| {
            let sign = self.paint(anstyle::AnsiColor::Green.on_default(), "✓");
            let (name, result) = (human::fit(&human::line(name), 12), human::line(result));
            let blanks = " ".repeat(46_usize.saturating_sub(human::width(&result)));
            format!("{sign} {name} {result}{blanks} {:>11}", human::duration(took))
        });
        self.event(|| Event::Done { stage: name, result, seconds: seconds(took) });
    }

    /// Something that people should know and that stops nothing.
    pub fn warn(&self, text: &str) {
        self.yellow(|| human::clean(text));
        self.event(|| Event::Warning { text });
    }

    /// Starts to measure the `total` bytes of a stage. Where some of them are done already, [`Progress::at`] says so.
    pub fn start(&self, name: &str, total: u64) {
        lock(&self.shared.state).start(name, total, Instant::now());
        self.event(|| Event::StageStart { stage: name, total });
    }

    /// Says how far the stage is, not counting its tasks that run.
    pub fn at(&self, position: u64, what: &str) {
        lock(&self.shared.state).at(position, what);
    }

    /// Stops measuring.
    pub fn stop(&self) {
        let stage = lock(&self.shared.state).stage.take();
        if let Some(stage) = stage {
            self.event(|| Event::StageEnd { stage: &stage.name });
            self.post(Message::Look);
        }
    }

    /// Comes back when everything is written, or after two seconds where the terminal takes nothing.
    pub fn flush(&self) {
        let (answer, written) = mpsc::channel();
        self.post(Message::Flush(answer));
        // Either way there is nothing more to do about it.
        let _ = written.recv_timeout(FLUSH_TIMEOUT);
    }

    fn yellow(&self, text: impl FnOnce() -> String) {
        self.text(|| format!("{} {}", self.paint(anstyle::AnsiColor::Yellow.on_default(), "!"), text()));
    }

    fn paint(&self, style: anstyle::Style, text: &str) -> String {
        if self.shared.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    fn text(&self, text: impl FnOnce() -> String) {
        if self.shared.post.is_some() {
            self.post(Message::Text(text()));
        }
    }

    fn event<'a>(&self, event: impl FnOnce() -> Event<'a>) {
        if self.shared.events.load(Ordering::Relaxed) && self.shared.post.is_some() {
            self.post(Message::Event(event().json()));
        }
    }

    fn post(&self, message: Message) {
        if let Some(post) = &self.shared.post {
            // Without a writer there is nobody to show it to.
            let _ = post.send(message);
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        // The writer ends when nobody can tell it more.
        self.post = None;
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return };
        let until = Instant::now() + FLUSH_TIMEOUT;
        while !thread.is_finished() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Columns and rows of the terminal that the standard error is.
fn terminal() -> (usize, usize) {
    let size = terminal_size::terminal_size_of(std::io::stderr());
    size.map_or((80, 24), |(columns, rows)| (columns.0.into(), rows.0.into()))
}

#[cfg(test)]
mod tests;
