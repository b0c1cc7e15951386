//! `tsmigrate cleanup`: closes what a migration has left open, and says so line by line.

use std::io::Write;

use tsmigrate::human;
use tsmigrate::migrate::cleanup::{self, Args};

use super::failure::{Failure, Status};
use super::runtime::runtime;

/// Clean where nothing is open any more.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    // Who reads it may have gone; what is closed stays closed.
    let say = |line: &str| drop(writeln!(anstream::stdout(), "{}", human::clean(line)));
    runtime()?.block_on(cleanup::run(args, &say))?;
    Ok(Status::Clean)
}
