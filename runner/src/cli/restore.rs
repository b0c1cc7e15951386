//! `tsmigrate restore`: restores an archive and prints the report.

use tsmigrate::migrate::restore::{self, Args};
use tsmigrate::report::Format;

use super::failure::{Failure, Status};
use super::migrate::{finish, give_up, start_jobs};
use super::output;
use super::runtime::runtime;
use super::several::{self, Each};

/// Clean when it is done, or planned; findings where it is blocked and nothing was written.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    args.report.iter().try_for_each(|path| output::check(path, &[]))?;
    let each = Each {
        dry_run: args.dry_run,
        plan: &|own: &Args| {
            Ok(runtime()?.block_on(restore::run(&Args { dry_run: true, ..own.clone() }, give_up)))
        },
        finish: &|own, report| finish(report, own.report.as_deref(), own.shown.format),
        run: &one,
    };
    match restore::several(args) {
        Ok(all) if all.is_empty() => one(args),
        Ok(all) => several::run(&all, &each),
        Err(report) => finish(&report, args.report.as_deref(), args.shown.format),
    }
}

fn one(args: &Args) -> Result<Status, Failure> {
    let runtime = runtime()?;
    let report = runtime.block_on(restore::run(args, give_up));
    let status = finish(&report, args.report.as_deref(), args.shown.format)?;
    if args.shown.format == Format::Text {
        start_jobs(&runtime, &args.target, report, args.report.as_deref());
    }
    Ok(status)
}
