//! How a command ends, and why one failed.

use std::fmt;
use std::io;
use std::path::Path;

use tsmigrate_analyzer::quote::shell_file;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Clean,
    Findings,
    /// The report says why.
    #[cfg(unix)]
    Failed,
}

/// Why a command failed: what, where, and what to do.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) what: String,
    pub(super) place: Option<String>,
    /// The server's or the system's words.
    pub(super) cause: Option<String>,
    pub(super) next: Option<String>,
    /// Whoever read the output has gone: nobody is there to be told.
    pub(super) silent: bool,
}

impl Failure {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), place: None, cause: None, next: None, silent: false }
    }

    pub(super) fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    pub(super) fn io(what: &str, path: &Path, error: &io::Error) -> Self {
        let failure = Self::new(format!("{what}: {}", words(error))).at(path.display());
        match error.kind() {
            io::ErrorKind::PermissionDenied => failure
                .next(format!("look at its permissions: ls -ld {}", shell_file(&path.to_string_lossy()))),
            io::ErrorKind::StorageFull => failure.next("make room there, or choose another place"),
            _ => failure,
        }
    }

    pub(super) fn output(error: &io::Error) -> Self {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        Self { silent, ..Self::new(format!("cannot write: {}", words(error))).at("standard output") }
    }
}

/// A system's answer without its number.
pub(super) fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::output(&error.into())
    }
}
