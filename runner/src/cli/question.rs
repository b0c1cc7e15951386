//! What is asked of the person at the terminal, once a run has ended and nothing is open any more.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tsmigrate::signals;

/// So long an answer is waited for: a script that was started in a terminal has to go on, too.
const PATIENCE: Duration = Duration::from_secs(600);

/// Somebody can read a question and answer it. A process in the background would be stopped for reading, and a pager behind us
/// reads the same keys.
pub(super) fn can_ask() -> bool {
    let stdin = io::stdin();
    let in_front =
        || rustix::termios::tcgetpgrp(&stdin).is_ok_and(|group| group == rustix::process::getpgrp());
    stdin.is_terminal() && io::stdout().is_terminal() && io::stderr().is_terminal() && in_front()
}

/// Asks, and waits for the answer; anything but a yes is a no, a signal and silence too.
pub(super) fn yes(runtime: &Runtime, question: &str) -> bool {
    let mut stderr = io::stderr();
    // Who cannot read the question does not answer it.
    let _ = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
    let (told, answer) = oneshot::channel();
    // A thread of its own: nobody can end its reading, and the process need not wait for it.
    std::thread::spawn(move || {
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line).is_ok() {
            let _ = told.send(line);
        }
    });
    let answer = runtime.block_on(async {
        tokio::select! {
            answer = tokio::time::timeout(PATIENCE, answer) => answer.ok().and_then(Result::ok),
            _ = signals::stop() => None,
        }
    });
    if answer.as_deref().is_none_or(|line| !line.ends_with('\n')) {
        let _ = writeln!(stderr);
    }
    answer.is_some_and(|line| ["y", "yes"].contains(&line.trim().to_lowercase().as_str()))
}
