//! Live databases where there is no runner: dumps of them are checked.

use std::convert::Infallible;
use std::path::Path;

use tsmigrate_analyzer::{Analysis, Options, Target};

use super::failure::Failure;

/// A live target: there is none.
pub(super) type Asked = Infallible;

/// A live source: there is none.
pub(super) type Source = Infallible;

fn no_live() -> Failure {
    Failure::new("live databases are checked and moved on Linux and macOS only")
        .next("check its dump: pg_dumpall --roles-only -f roles.sql; pg_dump --schema-only -f schema.sql; tsmigrate check roles.sql schema.sql")
}

/// Refuses a target that is to be asked.
pub(super) fn target(_: Target, _: &str) -> Result<(Target, Asked), Failure> {
    Err(no_live())
}

/// Refuses a source that is to be looked at.
pub(super) fn source(_: &str, _: Option<&Path>, _: &Target, _: Option<&Asked>) -> Result<Source, Failure> {
    Err(no_live())
}

/// Never reached.
pub(super) fn analyse(source: &Source, _: &Target, _: &mut Options) -> Result<Analysis, Failure> {
    match *source {}
}
