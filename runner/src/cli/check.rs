//! `tsmigrate check`: dumps in, a report out.

use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use tsmigrate_analyzer::Report;
use tsmigrate_analyzer::report::Verdict;

use super::render::{self, Page};
use super::{Analysed, Failure, Format, Setup, Status, config, input};

/// Options of `tsmigrate check`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Files that belong together are given together, roles first, so that owners and grants are known:
  pg_dumpall --roles-only --file=roles.sql
  pg_dump --schema-only --file=schema.sql
  tsmigrate check roles.sql schema.sql

What is said on every command line can be kept in tsmigrate.toml (severities of rules, what is accepted,
extensions and roles of the target); --show-config prints what counts. A comment in a dump allows a finding:
  -- tsmigrate: allow RULE reason        before a statement, in it, or behind it on its last line
  -- tsmigrate: allow-file RULE reason   for the rest of the file

Exit status: 0 the dump restores as it is; 1 it does not (a rewrite may solve that); 2 failed.")]
pub(super) struct Args {
    /// Dumps in plain SQL, in the order in which they are restored; - is standard input
    #[arg(required_unless_present = "show_config", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// How the report is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    /// Show every finding in full, not the first three of each rule
    #[arg(long)]
    all: bool,

    /// Print what the analysis would be done with, as a tsmigrate.toml, and check nothing
    #[arg(long)]
    show_config: bool,

    #[command(flatten)]
    analysed: Analysed,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    let setup = args.analysed.setup()?;
    if args.show_config {
        return config::show(&setup);
    }
    let Setup { target, options, .. } = setup;
    let mut inputs = input::open(&args.files)?;
    let analysis = input::analyse(&mut inputs, &target, &options, false, false)?;
    let report = Report::new(&analysis, &target, &options);
    let status = if report.verdict == Verdict::Ready { Status::Clean } else { Status::Findings };

    let mut out = BufWriter::new(io::stdout().lock());
    let written = match args.format {
        Format::Json => serde_json::to_writer_pretty(&mut out, &report)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(out)),
        Format::Text => render::write(&mut out, Page::stdout(), &report, &args.analysed, args.all),
    };
    match written.and_then(|()| out.flush()) {
        // Who reads no further knows enough: the status still says what was found.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status),
        Err(error) => Err(Failure::output(&error)),
        Ok(()) => Ok(status),
    }
}
