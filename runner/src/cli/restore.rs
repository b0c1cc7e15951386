//! `tsmigrate restore`: restores an archive and prints the report.

use tsmigrate::migrate::restore::{self, Args};

use super::failure::{Failure, Status};
use super::migrate::{finish, give_up};
use super::output;
use super::runtime::runtime;

/// Clean when it is done, or planned; findings where it is blocked and nothing was written.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    args.report.iter().try_for_each(|path| output::check(path, &[]))?;
    let report = runtime()?.block_on(restore::run(args, give_up));
    finish(&report, args.report.as_deref(), args.shown.format)
}
