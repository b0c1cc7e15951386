//! `tsmigrate dump`: dumps a source, and says what there is.

use std::io::Write;

use tsmigrate::migrate::dump::{self, Args};
use tsmigrate::report::Format;
use tsmigrate_analyzer::clean;

use super::failure::{Failure, Status};
use super::fill::give_up;
use super::runtime::runtime;

/// Clean where all of it is there.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    let dumped = runtime()?.block_on(dump::run(args, give_up))?;
    // Who reads it may have gone; what was dumped is there.
    let _ = match args.shown.format {
        Format::Json => writeln!(std::io::stdout(), "{}", serde_json::to_string_pretty(&dumped)?),
        Format::Text => {
            let text = format!("{}\nnext: {}", dump::summary(&dumped), dumped.next.join("\n      "));
            writeln!(anstream::stdout(), "{}", clean::text(&text))
        }
    };
    Ok(Status::Clean)
}
