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
use super::{effective, input, live, moved, output, uri};

/// A command that names its files.
const EXAMPLE: &str = "tsmigrate check roles.sql schema.sql";

/// So many bytes of a report are written at a time.
const WRITTEN: usize = 64 << 10;

/// Options of `tsmigrate check`.
#[derive(Clone, clap::Args)]
#[command(after_help = "\
Examples:
  Roles and schema together, so that owners and grants are known:
    pg_dumpall --roles-only > roles.sql
    pg_dump --schema-only > schema.sql
    tsmigrate check roles.sql schema.sql
  A live database, which is only read, and the service that it will go to:
    tsmigrate check postgres://postgres@old.example/shop --target \"$TARGET\"
  A page for the team, and a gate in CI that lets through what can be rewritten:
    tsmigrate check schema.sql -o report.html
    tsmigrate check schema.sql --format github --fail-on decision

What is said on every command line can be kept in tsmigrate.toml. A comment in
a dump allows a finding:  -- tsmigrate: allow RULE reason

Exit status:
  0  no statement is known to fail (--fail-on says what counts)
  1  a statement fails
  2  the check could not be done")]
pub(super) struct Args {
    /// SQL dumps (also .gz, .zst, .lz4), archives, - for stdin, or a URI
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Ask this service what it has
    #[arg(
        long, value_name = "URI", help_heading = "Target",
        conflicts_with_all = ["target_version", "target_file"]
    )]
    target: Option<String>,

    /// Directory of pg_dump and pg_dumpall
    #[arg(long, value_name = "DIR", help_heading = "Source")]
    pg_bin: Option<PathBuf>,

    /// text, json, sarif, github, gitlab, html, markdown
    #[arg(long, value_enum, value_name = "FORMAT", hide_possible_values = true, help_heading = "Report")]
    format: Option<Format>,

    /// Write the report to a file, in the format of its name
    #[arg(short, long, value_name = "FILE", help_heading = "Report")]
    output: Option<PathBuf>,

    #[command(flatten)]
    written: Files,

    /// Show every finding in full, and every loss
    #[arg(long, help_heading = "Report")]
    all: bool,

    /// Show at most N findings; the counts stay whole
    #[arg(long, value_name = "N", conflicts_with = "all", help_heading = "Report")]
    max_findings: Option<usize>,

    /// Print only the verdict, nothing if it is "ready"
    #[arg(short, long, conflicts_with_all = ["all", "max_findings"], help_heading = "Report")]
    quiet: bool,

    /// error (default), decision, warning or never exit with 1
    #[arg(
        long, value_enum, value_name = "WHAT", default_value_t = FailOn::Error, hide_possible_values = true, hide_default_value = true,
        help_heading = "Rules"
    )]
    fail_on: FailOn,

    /// Print the effective configuration, and check nothing
    #[arg(long, help_heading = "Configuration")]
    show_config: bool,

    #[command(flatten)]
    analysed: Analysed,
}

/// What counts as a failed check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum FailOn {
    /// A statement that fails, whether the rewrite fixes it or not
    Error,
    /// A statement that fails and that the rewrite does not fix
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
    let Setup { mut target, mut options, schemas, .. } = setup;
    let uri = uri::of(&args.files)?;
    if uri.is_some() && !schemas.is_empty() {
        let words = args.analysed.words_of_schemas().unwrap_or_default();
        return Err(Failure::new("schemas move in dumps, and this is a live database").at("--into-schema").next(
            format!(
                "see what a migration would do: tsmigrate migrate --dry-run --source \"$SOURCE\" --target \"$TARGET\"{words}"
            ),
        ));
    }
    let mut inputs =
        if uri.is_some() { Vec::new() } else { input::open(&input::named(&args.files, EXAMPLE)?, false)? };
    let file = args.output.as_deref().filter(|path| *path != Path::new(input::STDIN));
    args.written.check(&inputs)?;
    file.map_or(Ok(()), |path| output::check(path, &inputs))?;
    output::check_different(file.map(|path| ("the report", path)).into_iter().chain(args.written.paths()))?;

    let mut asked = None;
    if let Some(uri) = &args.target {
        let (corrected, answers) = live::target(target, uri)?;
        (target, asked) = (corrected, Some(answers));
    }
    let analysis = if let Some(uri) = uri {
        let source = live::source(uri, args.pg_bin.as_deref(), &target, asked.as_ref())?;
        live::analyse(&source, &target, &mut options)?
    } else {
        let unmoved = moved::prepare(&mut inputs, &schemas)?;
        input::analyse(&mut inputs, &target, &options, &unmoved, false, args.quiet)?
    };
    let report = Report::new(&analysis, &target, &options);
    report.left_nowhere().for_each(|given| reports::left_nowhere(&given));
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
    let mut out = BufWriter::with_capacity(WRITTEN, io::stdout().lock());
    match print(&mut out, Page::stdout()).and_then(|()| out.flush()) {
        // Who reads no further knows enough: the status still says what was found.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(status),
        Err(error) => Err(Failure::output(&error)),
        Ok(()) => Ok(status),
    }
}
