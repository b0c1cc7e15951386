//! `tsmigrate check`: dumps in, a report out.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tsmigrate_analyzer::Report;
use tsmigrate_analyzer::clean;
use tsmigrate_analyzer::report::Verdict;

use super::analysed::{Analysed, Setup};
use super::failure::{Failure, Status};
use super::page::Page;
use super::reports::{self, Files, Format, Shown};
use super::summary;
use super::terminal::note;
use super::{effective, input, live, output};

/// Options of `tsmigrate check`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Files that belong together are given together, roles first, so that owners and grants are known:
  pg_dumpall --roles-only --file=roles.sql
  pg_dump --schema-only --file=schema.sql
  tsmigrate check roles.sql schema.sql

What is said on every command line can be kept in tsmigrate.toml (severities of rules, what is accepted,
extensions and roles of the target); --show-config prints what counts. A comment in a dump allows a finding:
  -- tsmigrate: allow RULE reason        before a statement, in it, or behind it on its last line
  -- tsmigrate: allow-file RULE reason   for the rest of the file

A page for the team, and annotations in GitHub Actions:
  tsmigrate check schema.sql -o report.html
  tsmigrate check schema.sql --format github --report markdown=\"$GITHUB_STEP_SUMMARY\"

A live database is asked for what no dump tells too: sizes, locale, slots, jobs, what cannot be read. Its roles and
schema come from pg_dumpall and pg_dump. A password is taken from PGPASSWORD or ~/.pgpass:
  tsmigrate check postgres://postgres@old.example/shop --target postgres://tsdbadmin@new.example/tsdb

A gate in CI that lets through what `tsmigrate rewrite` solves by itself:
  tsmigrate check schema.sql --fail-on decision

Exit status: 0 no statement is known to fail; 1 one is (--fail-on says what counts); 2 failed.")]
pub(super) struct Args {
    /// Dumps in plain SQL, in the order in which they are restored (- is standard input), or one live database as
    /// postgres://user@host/database: it is only read
    #[arg(required_unless_present = "show_config", value_name = "FILE")]
    files: Vec<PathBuf>,

    /// The service itself: its version, extensions, roles and locale count, not those that are known of services
    #[arg(long, value_name = "URI", conflicts_with_all = ["target_version", "target_file"])]
    target: Option<String>,

    /// Where pg_dump and pg_dumpall are, for a database
    #[arg(long, value_name = "DIR")]
    pg_bin: Option<PathBuf>,

    /// How the report is written (default: as the extension of --output says, or text)
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Where the report goes (default: standard output)
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    written: Files,

    /// Show every finding in full, not only what is to be decided; for GitHub, all annotations
    #[arg(long)]
    all: bool,

    /// Show at most so many findings; the counts stay whole
    #[arg(long, value_name = "N", conflicts_with = "all")]
    max_findings: Option<usize>,

    /// Say only the verdict, and nothing where the dump restores as it is
    #[arg(short, long, conflicts_with_all = ["all", "max_findings"])]
    quiet: bool,

    /// What ends with exit status 1
    #[arg(long, value_enum, value_name = "WHAT", default_value_t = FailOn::Error)]
    fail_on: FailOn,

    /// Print what the analysis would be done with, as a tsmigrate.toml, and check nothing
    #[arg(long)]
    show_config: bool,

    #[command(flatten)]
    analysed: Analysed,
}

/// What counts as a failed check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// A statement that fails, whether the rewrite solves it or not
    Error,
    /// A statement that fails and that the rewrite does not solve
    Decision,
    /// A statement that fails, a warning, or what was not judged
    Warning,
    /// Nothing: only a check that could not be made ends with another status than 0
    Never,
}

impl FailOn {
    fn status(self, report: &Report<'_>) -> Status {
        let fails = match self {
            Self::Error => report.verdict != Verdict::Ready,
            Self::Decision => report.verdict == Verdict::NeedsWork,
            Self::Warning => {
                report.verdict != Verdict::Ready || report.counts.warning > 0 || !report.not_judged.is_empty()
            }
            Self::Never => false,
        };
        if fails { Status::Findings } else { Status::Clean }
    }
}

impl Args {
    fn format(&self) -> Result<Format, Failure> {
        let format = self.format.or_else(|| Format::of(self.output.as_deref()?)).unwrap_or(Format::Text);
        if self.max_findings.is_some() && !format.is_for_people() {
            return Err(Failure::new(format!(
                "--max-findings is for people, and {} for programs",
                format.name()
            ))
            .at("--max-findings")
            .next("leave it out: programs get every finding"));
        }
        if self.quiet && format != Format::Text {
            return Err(Failure::new(format!("--quiet is for text, and the format is {}", format.name()))
                .at("--quiet")
                .next(format!("write the report to a file beside it: --report {}=FILE", format.name())));
        }
        Ok(format)
    }
}

impl std::fmt::Debug for Args {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Connection strings may hold passwords.
        f.debug_struct("Args").field("analysed", &self.analysed).finish_non_exhaustive()
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    let format = args.format()?;
    let setup = args.analysed.setup()?;
    if args.show_config {
        return effective::show(&setup);
    }
    let Setup { mut target, mut options, .. } = setup;
    let uri = live::uri(&args.files)?;
    let mut inputs = if uri.is_some() { Vec::new() } else { input::open(&args.files)? };
    let file = args.output.as_deref().filter(|path| *path != Path::new(input::STDIN));
    args.written.check(&inputs)?;
    file.map_or(Ok(()), |path| output::check(path, &inputs))?;
    output::check_different(file.map(|path| ("the report", path)).into_iter().chain(args.written.paths()))?;

    if let Some(uri) = &args.target {
        target = live::target(target, uri)?;
    }
    let analysis = match uri {
        Some(uri) => {
            let source = live::source(uri, args.pg_bin.as_deref(), &target)?;
            live::analyse(&source, &target, &mut options)?
        }
        None => input::analyse(&mut inputs, &target, &options, false, args.quiet)?,
    };
    let report = Report::new(&analysis, &target, &options);
    let status = args.fail_on.status(&report);
    let next = reports::next(&report, &args.analysed);
    let shown = Shown { all: args.all, most: args.max_findings };
    let print = |out: &mut dyn Write, page: Page| match (args.quiet, report.verdict) {
        (false, _) => reports::write(out, format, page, &report, &next, shown),
        (true, Verdict::Ready) if report.not_judged.is_empty() => Ok(()),
        (true, _) => summary::verdict_line(out, page, &report),
    };

    let mut made = args.written.make(&report, &next, shown)?;
    if let Some(path) = file {
        made.push(output::make("the report", path, |out| print(out, Page::file()))?);
    }
    output::place(made.into_iter().flatten())?;
    if !args.quiet {
        let page = Page::stderr();
        for path in args.written.written(&report).iter().map(PathBuf::as_path).chain(file) {
            note(&format!("  wrote {}", page.command(&clean::text(&path.display().to_string()))));
        }
        if file.is_some() {
            // Who does not read it any more does not need it.
            let _ = summary::verdict_line(&mut io::stderr().lock(), page, &report);
        }
    }
    if file.is_some() {
        return Ok(status);
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match print(&mut out, Page::stdout()).and_then(|()| out.flush()) {
        // Who reads no further knows enough: the status still says what was found.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status),
        Err(error) => Err(Failure::output(&error)),
        Ok(()) => Ok(status),
    }
}
