//! Several databases in one command, each a run of its own with a work directory of its own: one may stay as it is, and comes
//! first; the others move into schemas beside it. None begins before all of them could, and before what they bring was compared.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::future::Future;
use std::path::{Path, PathBuf};

use super::brought::{self, Brought};
use super::ending;
use crate::error::{Blocker, Error};
use crate::report::{Format, Report};
use crate::workdir::WorkDir;

/// A command that fills a target, by its options.
pub trait Fills: Clone {
    /// What every such command is told.
    fn told(&self) -> Told<'_>;

    /// The same that writes nothing.
    #[must_use]
    fn dry(&self) -> Self;

    /// The runs of several databases, one after the other; none where it is one.
    ///
    /// # Errors
    /// Where it is not said what becomes of each.
    fn each(&self) -> Result<Vec<One<Self>>, Error>;

    /// Runs it for one database, and leaves the servers in order whatever ends it. A first signal (Ctrl-C, SIGTERM, SIGHUP)
    /// stops it in order; at the second one `give_up` is called, which may end the process at once: the journal knows what is
    /// open. It is told which signal it was, and where the work directory is.
    fn fill(&self, give_up: impl FnOnce(&str, &Path) + Send + 'static) -> impl Future<Output = Filled>;

    /// Looks whether the run that has come to its end is this one: of this source, onto this target, with these options.
    ///
    /// # Errors
    /// The report of what is another.
    fn arrived(&self) -> impl Future<Output = Result<(), Box<Report>>>;
}

/// What every command that fills a target is told.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// Nothing is written.
    pub dry_run: bool,
    /// A run of before goes on.
    pub resume: bool,
    /// The target's address.
    pub target: &'a str,
    /// The report's file.
    pub report: Option<&'a Path>,
    /// How it is printed.
    pub format: Format,
}

/// What came of a run.
#[derive(Debug)]
pub struct Filled {
    /// What is told of it.
    pub report: Report,
    /// What it brings; none where it did not come so far, or nobody asks.
    pub(super) brought: Option<Brought>,
}

/// What becomes of one of them.
#[derive(Debug)]
pub struct One<A> {
    /// What people call it.
    pub name: String,
    /// Its own run.
    pub args: A,
    /// It goes on with what was begun.
    pub goes_on: bool,
    /// It has come to its end.
    pub has_ended: bool,
}

/// The runs of a command for several databases, one after the other; none where it is one.
///
/// # Errors
/// The report of what stands in the way.
pub fn several<A: Fills>(args: &A) -> Result<Vec<One<A>>, Box<Report>> {
    args.each().map_err(|error| Box::new(refused(args.told().resume, error)))
}

/// Compares what databases bring to one target, by their plans in the order in which they come: what a person has to know.
///
/// # Errors
/// The report of what meets there.
pub fn compare(all: &[(&str, &Filled)]) -> Result<Vec<String>, Box<Report>> {
    let (mut blockers, mut notes) = (Vec::<Blocker>::new(), Vec::new());
    let mut brought: Vec<(&str, &Brought)> = Vec::new();
    for (name, plan) in all {
        let Some(own) = &plan.brought else { continue };
        for before in &brought {
            blockers.extend(brought::between(*before, (name, own)));
            notes.extend(brought::notes(*before, (name, own)));
        }
        brought.push((name, own));
    }
    if blockers.is_empty() { Ok(notes) } else { Err(Box::new(refused(false, Error::Preflight(blockers)))) }
}

/// What is said of a run that cannot begin.
pub(super) fn refused(resume: bool, error: Error) -> Report {
    if !matches!(error, Error::Preflight(_) | Error::Refused { .. }) {
        return ending::not_begun(&error);
    }
    let mut report = ending::not_begun(&Error::Preflight(Vec::new()));
    ending::failed(&mut report, error);
    let by = if resume { "by this start" } else { "to the target" };
    report.state.push(format!("nothing was written {by}"));
    report
}

/// Where one of them has its records, and how far it is: whether it goes on, or has come to its end.
pub(super) struct Place {
    pub(super) work_dir: PathBuf,
    pub(super) report: Option<PathBuf>,
    pub(super) goes_on: bool,
    pub(super) has_ended: bool,
}

impl Place {
    /// The place of the one of this name, below the directory that was named.
    ///
    /// # Errors
    /// When its journal cannot be read.
    pub(super) fn of(
        name: &str,
        (below, report): (Option<&Path>, Option<&Path>),
        resume: bool,
    ) -> Result<Self, Error> {
        let own = WorkDir::new(None, name).path().to_owned();
        let work_dir = below.map_or(own.clone(), |below| below.join(&own));
        let past = if resume { WorkDir::new(Some(&work_dir), name).past()? } else { None };
        // One that was stopped before it had written anything has nothing to go on with, and has not arrived.
        let has_ended = past.as_ref().is_some_and(|past| past.done && past.ending.is_some());
        Ok(Self {
            report: report.map(|path| beside(path, &own)),
            work_dir,
            goes_on: past.is_some_and(|past| !past.done),
            has_ended,
        })
    }
}

/// `report-shop.html` beside `report.html`.
fn beside(path: &Path, own: &Path) -> PathBuf {
    let text =
        |part: Option<&OsStr>| part.map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
    let own = own.to_string_lossy().replacen("tsmigrate-", "", 1);
    path.with_file_name(format!("{}-{own}.{}", text(path.file_stem()), text(path.extension())))
}

/// Refuses where two of them would have one work directory: names differ in letters that no directory's has.
///
/// # Errors
/// With both names.
pub(super) fn apart<'a>(all: impl Iterator<Item = (&'a str, &'a Path)>) -> Result<(), Error> {
    let mut seen = BTreeMap::new();
    for (name, work) in all {
        if let Some(other) = seen.insert(work, name) {
            return Err(Error::Refused {
                what: format!("{other} and {name} would have one work directory, {}", work.display()),
                next: vec!["give one of them a schema of another name".into()],
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_a_report_of_its_own() {
        let path = beside(Path::new("out/report.html"), Path::new("tsmigrate-my_db"));
        assert_eq!(path, Path::new("out/report-my_db.html"));
    }

    #[test]
    fn none_has_the_directory_of_another() {
        let (a, b) = (WorkDir::new(None, "my;db"), WorkDir::new(None, "my db"));
        let all = [("my;db", a.path()), ("my db", b.path())];
        let error = apart(all.into_iter()).expect_err("one directory").to_string();
        assert!(error.contains("tsmigrate-my_db"), "{error}");
        apart(all.into_iter().take(1)).expect("one");
    }

    #[test]
    fn one_that_was_stopped_before_it_wrote_has_not_arrived() {
        use crate::journal::{Event, Journal};

        let folder = tempfile::tempdir().expect("a folder");
        let at = |events: &[Event]| {
            let work = WorkDir::new(Some(&folder.path().join("tsmigrate-a")), "a");
            work.create().expect("created");
            let journal = Journal::open(work.path()).expect("a journal");
            for event in events {
                journal.write(event.clone()).expect("written");
            }
            drop(journal);
            let place = Place::of("a", (Some(folder.path()), None), true).expect("a place");
            (place.goes_on, place.has_ended)
        };
        let start = Event::Start {
            format: crate::record::FORMAT,
            run: "r".into(),
            version: String::new(),
            source: crate::journal::Identity::default(),
            target: crate::journal::Identity::default(),
            options: String::new(),
            file: 0,
        };
        assert_eq!(at(std::slice::from_ref(&start)), (true, false));
        assert_eq!(at(&[Event::Done]), (false, false));
        assert_eq!(at(&[start, Event::Ending { equal: true }, Event::Done]), (false, true));
    }
}
