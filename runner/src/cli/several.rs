//! Several databases in one command: one after the other, once all of them may begin.

use tsmigrate::migrate::One;
use tsmigrate::report::{Outcome, Report};
use tsmigrate_analyzer::clean;

use super::failure::{Failure, Status};
use super::terminal::note;

/// What is done with each.
pub(super) struct Each<'a, A> {
    /// Nothing is written.
    pub(super) dry_run: bool,
    /// Plans it.
    pub(super) plan: &'a dyn Fn(&A) -> Result<Report, Failure>,
    /// Prints a plan that stops all of them.
    pub(super) finish: &'a dyn Fn(&A, &Report) -> Result<Status, Failure>,
    /// Runs it, and prints its report.
    pub(super) run: &'a dyn Fn(&A) -> Result<Status, Failure>,
}

/// The first that does not come to its end is the last.
pub(super) fn run<A>(all: &[One<A>], each: &Each<'_, A>) -> Result<Status, Failure> {
    let has_begun = all.iter().any(|one| one.goes_on || one.args.is_none());
    for One { name, args, .. } in all {
        let Some(args) = args else {
            say(name, "has arrived");
            continue;
        };
        if has_begun || each.dry_run {
            continue;
        }
        let report = (each.plan)(args)?;
        if report.outcome != Outcome::Planned {
            say(name, "cannot begin, and nothing was written of any");
            return (each.finish)(args, &report);
        }
    }
    for (name, args) in all.iter().filter_map(|one| Some((&one.name, one.args.as_ref()?))) {
        say(name, if each.dry_run { "would come" } else { "comes" });
        let status = (each.run)(args)?;
        if status != Status::Clean {
            return Ok(status);
        }
    }
    Ok(Status::Clean)
}

fn say(name: &str, what: &str) {
    note(&clean::text(&format!("database {name} {what}")));
}
