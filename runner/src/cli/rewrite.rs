//! `tsmigrate rewrite`: dumps in, dumps that the target takes out.
//!
//! Two passes: the first analyses, the second applies what was planned. Output goes to temporary files
//! that take their places when all of them are whole.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use tsmigrate::os::{self, Identity};
use tsmigrate_analyzer::clean::{self, Cleaner};
use tsmigrate_analyzer::quote::shell_file;
use tsmigrate_analyzer::report::{count, thousands};
use tsmigrate_analyzer::{Analysis, Report, Style};

use super::analysed::{Analysed, Setup};
use super::archive_output::{self, Format};
use super::diff::{Diff, Paint, Search, Secrets};
use super::failure::{Failure, Status};
use super::input::{self, Input};
use super::moved;
use super::output::{self, Made, Out, beside, overwrites};
use super::packed;
use super::page::Page;
use super::reading::Progress;
use super::reports::{self, Files, Shown};
use super::summary;
use super::terminal::note;

/// A command that names its file.
const EXAMPLE: &str = "tsmigrate rewrite schema.sql -o schema.rewritten.sql";

/// Changes of one rule that the log on the standard error shows, unless `--log stderr` asks for all.
const LOGGED: usize = 10;

/// Options of `tsmigrate rewrite`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  One file is written to standard output or to -o, several to a directory:
    tsmigrate rewrite schema.sql -o schema.rewritten.sql
    tsmigrate rewrite roles.sql schema.sql.gz --output-dir rewritten
  Roles that are only read:
    pg_dump mydb | tsmigrate rewrite --with roles.sql - -o mydb.sql
  An archive stays one, for pg_restore:
    tsmigrate rewrite nightly.dump -o nightly.rewritten.dump
  Several databases into schemas of one:
    tsmigrate rewrite all.sql --into-schema shop=shop --into-schema crm=crm
  See the changes first:
    tsmigrate rewrite schema.sql --diff

An existing output is replaced when the new one is whole. Where anything fails,
nothing is written.

Exit status:
  0  the output has no known error
  1  errors remain, the output is written
  2  nothing was written")]
pub(super) struct Args {
    /// SQL dumps (also .gz, .zst, .lz4) and archives, - for stdin
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Write the rewritten dump to a file
    #[arg(
        short, long, value_name = "FILE", conflicts_with_all = ["output_dir", "diff"], help_heading = "Output"
    )]
    output: Option<PathBuf>,

    /// Of archives: plain, or custom, an archive again
    #[arg(
        short = 'F',
        long = "as",
        value_enum,
        value_name = "FORMAT",
        hide_possible_values = true,
        conflicts_with = "diff",
        help_heading = "Output"
    )]
    as_format: Option<Format>,

    /// Write to a directory, under the names of the dumps
    #[arg(long, value_name = "DIR", conflicts_with = "diff", help_heading = "Output")]
    output_dir: Option<PathBuf>,

    /// Read this dump first, and do not rewrite it
    #[arg(long, value_name = "FILE", help_heading = "Source")]
    with: Vec<PathBuf>,

    /// Print a unified diff; secrets in it are masked
    #[arg(long, help_heading = "Output")]
    diff: bool,

    /// Delete removed statements, do not comment them out
    #[arg(long, help_heading = "Output")]
    delete_removed: bool,

    /// Write each change and its reason to a file, or stderr
    #[arg(long, value_name = "FILE", help_heading = "Report")]
    log: Option<PathBuf>,

    #[command(flatten)]
    written: Files,

    /// Do not print what was changed
    #[arg(short, long, help_heading = "Report")]
    quiet: bool,

    #[command(flatten)]
    analysed: Analysed,
}

/// Where one rewritten dump goes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Destination {
    Stdout,
    File(PathBuf),
}

impl Args {
    /// What happens to statements that are removed.
    fn style(&self) -> Style {
        if self.delete_removed { Style::Delete } else { Style::Comment }
    }
}

impl Destination {
    /// The file; none of standard output.
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Stdout => None,
            Self::File(path) => Some(path),
        }
    }
}

/// What each of the files becomes. The rows of an archive that becomes one are not read.
fn formats(
    args: &Args,
    inputs: &mut [Input],
    destinations: &[Destination],
    moves_schemas: bool,
) -> Result<Vec<Format>, Failure> {
    let files = inputs.get_mut(args.with.len()..).unwrap_or_default();
    Format::check(args.as_format, files)?;
    let mut formats = Vec::new();
    for (input, destination) in files.iter_mut().zip(destinations).filter(|_| !args.diff) {
        let format = Format::of(args.as_format, input, destination.path());
        if format == Format::Custom {
            archive_output::check(moves_schemas, *destination == Destination::Stdout)?;
            input.leave_rows();
        }
        formats.push(format);
    }
    formats.resize(destinations.len(), Format::Plain);
    Ok(formats)
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    let Setup { target, options, schemas, .. } = args.analysed.setup()?;
    if args.diff && !schemas.is_empty() {
        return Err(Failure::new("--diff does not show schemas that move")
            .at("--diff")
            .next("write the dump with -o, and compare the two: diff -u"));
    }
    let named = input::named(&args.files, EXAMPLE)?;
    let paths: Vec<PathBuf> = args.with.iter().chain(&named).cloned().collect();
    let mut inputs = input::open(&paths, true)?;
    // Removed again where anything fails before the outputs are placed.
    let _created = args.output_dir.as_deref().map(output::create_directory).transpose()?;
    let destinations = destinations(args, &inputs)?;
    let formats = formats(args, &mut inputs, &destinations, !schemas.is_empty())?;
    let log = args.log.as_deref().filter(|log| *log != Path::new("stderr"));
    log.map_or(Ok(()), |log| output::check(log, &inputs))?;
    args.written.check(&inputs)?;
    let dumps = destinations.iter().filter_map(|destination| match destination {
        Destination::Stdout => None,
        Destination::File(path) => Some(("the output", path.as_path())),
    });
    output::check_different(dumps.chain(log.map(|log| ("the log", log))).chain(args.written.paths()))?;

    let unmoved = moved::prepare(&mut inputs, &schemas)?;
    let analysis = input::analyse(&mut inputs, &target, &options, &unmoved, true, args.quiet)?;
    let report = Report::new(&analysis, &target, &options);
    report.left_nowhere().for_each(|given| reports::left_nowhere(&given));

    // What may be refused comes before the long work.
    let next = reports::next(&report, &args.analysed);
    let mut made = args.written.make(&report, &next, Shown::default())?;
    for ((index, destination), format) in destinations.iter().enumerate().zip(formats) {
        let index = index + args.with.len();
        let Some(input) = inputs.get_mut(index) else { continue };
        if format == Format::Custom {
            made.push(archive_output::write(
                &analysis,
                (index, args.style()),
                input,
                destination.path(),
                args.quiet,
            )?);
            continue;
        }
        match destination {
            // Who reads no further has seen enough: the status still says what was found.
            Destination::Stdout => match to_stdout(args, &analysis, index, input) {
                Err(failure) if failure.silent => break,
                written => written?,
            },
            Destination::File(path) => made.push(to_file(args, &analysis, index, input, path)?),
        }
    }
    if let Some(path) = log {
        made.push(output::make("the log", path, |out| changes(out, &report, true))?);
    }
    output::place(made.into_iter().flatten())?;

    if !args.quiet {
        let all = args.log.as_deref() == Some(Path::new("stderr"));
        if log.is_none() {
            // Who does not read the log any more does not need it.
            let _ = changes(&mut BufWriter::new(io::stderr().lock()), &report, all);
        }
        let moved = inputs.iter().map(|input| input.moves.len() as u64).sum();
        let _ = say(args, &report, moved, &destinations);
    }
    if report.counts.unsolved == 0 {
        return Ok(Status::Clean);
    }
    let open = count(report.counts.unsolved, "error");
    let page = Page::stderr();
    let files: Vec<String> = paths.iter().map(|path| shell_file(&path.to_string_lossy())).collect();
    let piped = if files.iter().any(|file| file == input::STDIN) { "… | " } else { "" };
    note(&format!(
        "{} {open} {} that the rewrite does not fix: this dump does not restore without an error yet\n  {} {}",
        page.red("error:"),
        if report.counts.unsolved == 1 { "remains" } else { "remain" },
        page.bold("next:"),
        page.command(&format!("{piped}tsmigrate check {}{}", files.join(" "), args.analysed.words(&[]))),
    ));
    Ok(Status::Findings)
}

/// Where the rewritten dumps go, one for each file: known to be possible before anything is read.
fn destinations(args: &Args, inputs: &[Input]) -> Result<Vec<Destination>, Failure> {
    let files = inputs.get(args.with.len()..).unwrap_or_default();
    if let Some(dir) = &args.output_dir {
        return into_directory(dir, args.as_format, files, inputs);
    }
    if files.len() > 1 && !args.diff {
        let words: Vec<String> = files.iter().map(Input::word).collect();
        return Err(Failure::new("several files cannot be written as one")
            .at(words.join(" "))
            .next("give --output-dir DIR; a file that is only to be read is given with --with FILE"));
    }
    if let Some(path) = args.output.as_deref().filter(|path| *path != Path::new(input::STDIN)) {
        if path.is_dir() {
            let word = shell_file(&path.to_string_lossy());
            return Err(Failure::new("the output is a directory")
                .at(path.display())
                .next(format!("name a file, or use --output-dir {word}")));
        }
        output::check(path, inputs)?;
        return Ok(vec![Destination::File(path.to_owned())]);
    }
    let stdout = os::duplicate(&io::stdout());
    if let Some(file) = stdout.ok().as_ref().and_then(Identity::of)
        && let Some(input) = inputs.iter().find(|input| input.is(&file))
    {
        return Err(overwrites(&input.name));
    }
    Ok(files.iter().map(|_| Destination::Stdout).collect())
}

fn into_directory(
    dir: &Path,
    wanted: Option<Format>,
    files: &[Input],
    inputs: &[Input],
) -> Result<Vec<Destination>, Failure> {
    let name = |input: &Input| {
        let name = input.file_name()?;
        let is_archive = Format::of(wanted, input, None) == Format::Custom;
        Some(if is_archive { name.with_extension("dump") } else { name })
    };
    let mut names: Vec<PathBuf> = files.iter().filter_map(name).collect();
    // Each of the same name gets a number behind its stem, which no other file has.
    for at in 1..names.len() {
        let (before, name) = (names[..at].to_vec(), names[at].clone());
        let numbered = |number: usize| {
            let stem = name.file_stem().unwrap_or_default().to_string_lossy();
            let end = name.extension().map_or(String::new(), |end| format!(".{}", end.to_string_lossy()));
            PathBuf::from(format!("{stem}-{number}{end}"))
        };
        if before.contains(&name) {
            let free = (2..=names.len() + 1).map(numbered).find(|free| !names.contains(free));
            names[at] = free.unwrap_or(name);
        }
    }
    let mut destinations = Vec::new();
    for path in names.iter().map(|name| dir.join(name)) {
        output::check_no_link(&path)?;
        output::check(&path, inputs)?;
        destinations.push(Destination::File(path));
    }
    Ok(destinations)
}

/// Feeds the input, changed or as a diff, to `out`.
fn transform(
    args: &Args,
    analysis: &Analysis,
    index: usize,
    input: &mut Input,
    out: &mut dyn Write,
    failed: &dyn Fn(&io::Error) -> Failure,
) -> Result<(), Failure> {
    let style = args.style();
    let Some(summary) = analysis.inputs.get(index) else { return Ok(()) };
    let progress = Progress::new("writing", &input.name, input.length());
    let mut rewriter = analysis.rewriter(index, style);
    if args.diff {
        let name = packed::unpacked_name(if input.path.is_some() { &input.name } else { "stdin" }).to_owned();
        let mut search = Search::default();
        input.read_again(summary.bytes, &progress, |chunk| {
            search.feed(chunk);
            Ok(())
        })?;
        let secrets = search.finish();
        let out = BufWriter::with_capacity(1 << 16, out);
        let mut diff = Diff::new(out, &name, &summary.planned, rewriter, Secrets::new(&secrets));
        input
            .read_again(summary.bytes, &progress, |chunk| diff.feed(chunk).map_err(|error| failed(&error)))?;
        if diff.finish().map_err(|error| failed(&error))? && !args.quiet {
            note(
                "secrets are masked in the diff: patch does not apply changes beside them; -o FILE writes the whole dump",
            );
        }
        return Ok(());
    }
    let mut buffer = Vec::new();
    input.read_again(summary.bytes, &progress, |chunk| {
        buffer.clear();
        rewriter.feed(chunk, &mut buffer);
        out.write_all(&buffer).map_err(|error| failed(&error))
    })?;
    buffer.clear();
    rewriter.finish(&mut buffer);
    out.write_all(&buffer).and_then(|()| out.flush()).map_err(|error| failed(&error))
}

fn to_stdout(args: &Args, analysis: &Analysis, index: usize, input: &mut Input) -> Result<(), Failure> {
    // Not through the line buffer of std's own handle.
    let stdout = os::duplicate(&io::stdout()).map_err(|error| Failure::output(&error))?;
    let is_terminal = stdout.is_terminal();
    let mut out = match is_terminal {
        _ if args.diff && Page::stdout().color => Out::Painted(stdout, Cleaner::default(), Paint::default()),
        true => Out::Shown(stdout, Cleaner::default()),
        false => Out::Bytes(stdout),
    };
    transform(args, analysis, index, input, &mut out, &Failure::output)?;
    out.end().map_err(|error| Failure::output(&error))
}

/// Writes a temporary file beside the output, or straight into what is no file, such as a pipe.
fn to_file(
    args: &Args,
    analysis: &Analysis,
    index: usize,
    input: &mut Input,
    path: &Path,
) -> Result<Made, Failure> {
    let failed = |error: &io::Error| Failure::io("the output cannot be written", path, error);
    if path.metadata().is_ok_and(|metadata| !metadata.is_file()) {
        let file = std::fs::OpenOptions::new().write(true).open(path).map_err(|error| failed(&error))?;
        let is_terminal = file.is_terminal();
        let mut out = if is_terminal { Out::Shown(file, Cleaner::default()) } else { Out::Bytes(file) };
        transform(args, analysis, index, input, &mut out, &failed)?;
        out.end().map_err(|error| failed(&error))?;
        return Ok(None);
    }
    let (mut file, path) = beside(path, input.mode())?;
    transform(args, analysis, index, input, file.as_file_mut(), &failed)?;
    file.as_file().sync_data().map_err(|error| failed(&error))?;
    Ok(Some((file, path)))
}

/// Every change with its reason: `file:line:column RULE what is done: why`.
fn changes(out: &mut dyn Write, report: &Report<'_>, all: bool) -> io::Result<()> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for entry in report.findings.iter() {
        let Some(fix) = entry.fix.filter(|_| entry.solved) else { continue };
        let number = seen.entry(entry.rule).or_default();
        *number += 1;
        if !all && *number > LOGGED {
            continue;
        }
        let (file, title) = (clean::text(entry.file), clean::text(&fix.title));
        write!(out, "{file}:{}:{} {} {title}", entry.line, entry.column, entry.rule)?;
        // A title with a reason of its own says it already.
        if !title.contains(": ") {
            write!(out, ": {}", clean::text(entry.message))?;
        }
        writeln!(out)?;
    }
    for (rule, number) in seen.into_iter().filter(|(_, number)| !all && *number > LOGGED) {
        writeln!(out, "… and {} more {rule} (--log FILE has all)", thousands((number - LOGGED) as u64))?;
    }
    out.flush()
}

/// What was done, in a few words.
fn say(args: &Args, report: &Report<'_>, moved: u64, destinations: &[Destination]) -> io::Result<()> {
    let page = Page::stderr();
    let mut out = io::stderr().lock();
    let solved = report.findings.findings().filter(|finding| finding.solved).count() as u64;
    let verb = if args.diff { "planned" } else { "made" };
    if moved > 0 {
        writeln!(out, "{} of schemas moved", page.bold(&count(moved, "name")))?;
    }
    writeln!(out, "{} {verb}", page.bold(&count(solved, "change")))?;
    let dumps = destinations.iter().filter_map(|destination| match destination {
        Destination::Stdout => None,
        Destination::File(path) => Some(path.clone()),
    });
    for path in dumps.chain(args.written.written(report)) {
        writeln!(out, "  wrote {}", page.command(&clean::text(&path.display().to_string())))?;
    }
    summary::lost(&mut out, page, &report.losses, Some("--log FILE has all"))
}
