//! Reports and scripts in files, and what stands in a report beside what was found.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::PossibleValue;
use tsmigrate::archive;
use tsmigrate_analyzer::input::HEAD;
use tsmigrate_analyzer::quote::{shell, shell_file};
use tsmigrate_analyzer::report::{self, Around, Step, Verdict, Way};
use tsmigrate_analyzer::{Report, rules};

use super::analysed::Analysed;
use super::failure::Failure;
use super::gitlab;
use super::input::{self, Input};
use super::output::{self, Made};
use super::packed;
use super::page::Page;
use super::render;
use super::terminal::note;

/// The directory for scripts in commands that are printed.
const SCRIPTS: &str = "scripts";
/// So many directories are looked at for one that is free.
const MOST_DIRECTORIES: usize = 100;

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people, on a terminal.
    Text,
    /// Code Quality reports of GitLab.
    Gitlab,
    /// One of the analyzer's formats.
    Other(report::Format),
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        use report::Format::{Github, Html, Json, Markdown, Sarif};
        &[
            Self::Text,
            Self::Other(Json),
            Self::Other(Sarif),
            Self::Other(Github),
            Self::Gitlab,
            Self::Other(Html),
            Self::Other(Markdown),
        ]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        use report::Format::{Github, Html, Json, Markdown, Sarif};
        Some(match self {
            Self::Text => PossibleValue::new("text").help("For people, on a terminal"),
            Self::Other(Json) => {
                PossibleValue::new("json").help("For programs (tsmigrate schema prints its JSON Schema)")
            }
            Self::Other(Sarif) => {
                PossibleValue::new("sarif").help("SARIF 2.1.0, for code scanning and editors")
            }
            Self::Other(Github) => {
                PossibleValue::new("github").help("Workflow commands of GitHub Actions: annotations")
            }
            Self::Gitlab => PossibleValue::new("gitlab").help("Code Quality report of GitLab"),
            Self::Other(Html) => PossibleValue::new("html").help("One page that works offline"),
            Self::Other(Markdown) => PossibleValue::new("markdown")
                .alias("md")
                .help("For comments on pull requests and for tickets"),
        })
    }
}

impl Format {
    /// The format that a file's name ends with.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?;
        if extension.eq_ignore_ascii_case("txt") {
            return Some(Self::Text);
        }
        report::Format::of_extension(extension).map(Self::Other)
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Gitlab => "gitlab",
            Self::Other(format) => format.name(),
        }
    }

    /// True where it may show fewer findings than there are.
    pub(super) fn is_for_people(self) -> bool {
        match self {
            Self::Text => true,
            Self::Gitlab => false,
            Self::Other(format) => format.is_for_people(),
        }
    }
}

/// A report in a file.
#[derive(Clone, Debug)]
pub(super) struct ReportFile {
    format: Format,
    path: PathBuf,
}

/// `[FORMAT=]FILE`.
fn report_file(given: &str) -> Result<ReportFile, String> {
    if let Some((name, path)) = given.split_once('=')
        && let Ok(format) = Format::from_str(name, true)
    {
        return Ok(ReportFile { format, path: path.into() });
    }
    match Format::of(Path::new(given)) {
        Some(format) => Ok(ReportFile { format, path: given.into() }),
        None => Err(format!(
            "its name does not say the format: let it end with .html, .md, .sarif, .json or .txt, or say it: html={}",
            shell(given)
        )),
    }
}

/// Files that are written beside the result.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Files {
    /// Also write a report: [FORMAT=]FILE, more than once
    #[arg(long, value_name = "FILE", value_parser = report_file, help_heading = "Report")]
    report: Vec<ReportFile>,

    /// Write the scripts to run by hand to a directory
    #[arg(long, value_name = "DIR", help_heading = "Report")]
    scripts: Option<PathBuf>,

    /// Overwrite existing scripts
    #[arg(long, requires = "scripts", help_heading = "Report")]
    force: bool,
}

impl Files {
    /// The reports' files.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.report.iter().map(|file| ("the report", file.path.as_path()))
    }

    /// Looks whether they can be written, before anything is read.
    pub(super) fn check(&self, inputs: &[Input]) -> Result<(), Failure> {
        self.paths().try_for_each(|(_, path)| output::check(path, inputs))?;
        match &self.scripts {
            Some(dir) if dir.exists() && !dir.is_dir() => {
                Err(Failure::new("the directory for scripts is no directory").at(dir.display()))
            }
            _ => Ok(()),
        }
    }

    /// Makes all files; they take their places with [`output::place`].
    pub(super) fn make(
        &self,
        report: &Report<'_>,
        next: &[Step],
        shown: Shown,
    ) -> Result<Vec<Made>, Failure> {
        let mut made = self.make_scripts(report)?;
        for file in &self.report {
            made.push(output::make("the report", &file.path, |out| {
                write(out, file.format, Page::file(), report, next, shown)
            })?);
        }
        Ok(made)
    }

    fn make_scripts(&self, report: &Report<'_>) -> Result<Vec<Made>, Failure> {
        let Some(dir) = self.scripts.as_ref().filter(|_| !report.scripts.is_empty()) else {
            return Ok(Vec::new());
        };
        let scripts = texts(report);
        for (name, text) in &scripts {
            let path = dir.join(name);
            output::check_no_link(&path)?;
            if path.exists() && !self.force && !is_same(&path, text) {
                return Err(Failure::new("the script already exists, and may have been changed")
                    .at(path.display())
                    .next("choose another directory, or overwrite it with --force"));
            }
        }
        std::fs::create_dir_all(dir)
            .map_err(|error| Failure::io("the directory for scripts cannot be created", dir, &error))?;
        scripts
            .into_iter()
            .map(|(name, text)| {
                output::make("the script", &dir.join(name), |out| out.write_all(text.as_bytes()))
            })
            .collect()
    }

    /// The files that were written, for people.
    pub(super) fn written(&self, report: &Report<'_>) -> Vec<PathBuf> {
        let scripts = self.scripts.iter().flat_map(|dir| report.scripts.iter().map(|s| dir.join(s.file)));
        let mut files: Vec<PathBuf> =
            scripts.chain(self.report.iter().map(|file| file.path.clone())).collect();
        files.dedup();
        files
    }
}

/// How much a report shows.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    /// Every finding in full.
    pub(super) all: bool,
    /// So many findings at most.
    pub(super) most: Option<usize>,
}

/// Writes a report.
pub(super) fn write(
    mut out: &mut dyn Write,
    format: Format,
    page: Page,
    report: &Report<'_>,
    next: &[Step],
    shown: Shown,
) -> io::Result<()> {
    match format {
        Format::Text => render::write(out, page, report, next, shown.all, shown.most),
        Format::Gitlab => gitlab::write(out, report),
        Format::Other(format) => {
            let around = Around { max_findings: shown.most, all: shown.all, next, ..Around::default() };
            report.write(format, &around, &mut out)
        }
    }
}

/// Says that a `--leave` names a place where there is nothing to leave.
pub(super) fn left_nowhere(given: &str) {
    note(&format!("--leave {given}: this rule has found nothing there, so nothing is left"));
}

/// What to do after a check.
pub(super) fn next(report: &Report<'_>, analysed: &Analysed) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut step = |what: &str, command: String| steps.push(Step { what: what.to_owned(), command });
    let open = report.open_rules();
    let rules: Vec<&str> = open.iter().map(|(id, ..)| *id).collect();
    let first =
        report.decisions.first().and_then(|decision| decision.rules.keys().next().copied()).unwrap_or("");
    let mut choices = report.decisions.iter().flat_map(|decision| &decision.choices);
    let kept = choices.find(|choice| choice.way == Way::Roles).and_then(|choice| choice.command.clone());
    let is_live = report.inputs.first().is_some_and(|input| input.name.starts_with("postgres://"));
    match report.verdict {
        Verdict::Ready => {}
        Verdict::ReadyAfterRewrite if is_live => {}
        Verdict::NeedsWork if is_live => step(
            "decide on the source what is listed above; to read about a rule:",
            format!("tsmigrate rules {first}"),
        ),
        Verdict::ReadyAfterRewrite => {
            step("rewrite the dump:", rewrite_command(report, &analysed.words(&[])));
        }
        Verdict::NeedsWork => {
            // What names a role is kept where the role is known.
            let is_a_risk = |id: &&str| rules::all().any(|rule| rule.id == *id && rule.is_a_risk);
            let what = match (kept.is_some(), rules.iter().all(is_a_risk)) {
                (true, _) => "or leave out all that is to decide (the target will not have it):",
                (false, true) => "keep all that is to decide, when you have looked at it:",
                (false, false) => "leave out all that is to decide (the target will not have it):",
            };
            if let Some(command) = kept {
                step("keep what names a role, with your roles dump:", command + &analysed.words(&[]));
            }
            step(what, rewrite_command(report, &analysed.words(&rules)));
        }
    }
    let accept: Vec<&str> = report.options.accept.iter().map(String::as_str).collect();
    let accept = if accept.is_empty() { String::new() } else { format!(" --accept {}", accept.join(",")) };
    let dry_run = if is_live { " --dry-run" } else { "" };
    if let Some(words) = analysed.words_of_schemas() {
        let files: Vec<String> = report.inputs.iter().map(|input| shell_file(input.name)).collect();
        if !report.inputs.iter().any(|input| input.name == input::STDIN) {
            let files = files.join(" ");
            let what = "or restore it so, with rows and indexes in parallel, and compare what came of it:";
            step(what, format!("tsmigrate restore {files} --target \"$TARGET\"{accept}{words}"));
        }
        return steps;
    }
    step(
        if is_live {
            "see what a migration would do (without --dry-run, it does it):"
        } else if report.verdict == Verdict::Ready {
            "move the live database:"
        } else {
            "or move the live database:"
        },
        format!("tsmigrate migrate{dry_run} --source \"$SOURCE\" --target \"$TARGET\"{accept}"),
    );
    steps
}

/// True for the name of a file that does not hold text.
fn is_archive(name: &str) -> bool {
    let path = Path::new(name);
    let is_file = || {
        std::fs::File::open(path).and_then(|file| {
            let mut head = Vec::new();
            file.take(HEAD as u64).read_to_end(&mut head).map(|_| archive::begins(&head))
        })
    };
    // To open a named pipe once more would wait for somebody to write into it.
    archive::is_directory(path) || path.is_file() && is_file().unwrap_or(false)
}

/// The command that rewrites what was checked.
fn rewrite_command(report: &Report<'_>, words: &str) -> String {
    let names: Vec<&str> = report.inputs.iter().map(|input| input.name).collect();
    let scripts = match scripts_directory(report) {
        Some(directory) => format!(" --scripts {directory}"),
        None => String::new(),
    };
    match names.as_slice() {
        [input::STDIN] => format!("… | tsmigrate rewrite - -o rewritten.sql{scripts}{words}"),
        [name] => {
            let text = packed::unpacked_name(name);
            let output = match text.strip_suffix(".sql") {
                Some(stem) => format!("{stem}.rewritten.sql"),
                // An archive's text is another kind of file.
                None if is_archive(text) => format!("{}.rewritten.sql", text.trim_end_matches('/')),
                None => format!("{text}.rewritten"),
            };
            format!("tsmigrate rewrite {} -o {}{scripts}{words}", shell_file(name), shell_file(&output))
        }
        names => {
            let files: Vec<String> = names.iter().map(|name| shell_file(name)).collect();
            let piped = if names.contains(&input::STDIN) { "… | " } else { "" };
            let files = files.join(" ");
            format!("{piped}tsmigrate rewrite {files} --output-dir rewritten{scripts}{words}")
        }
    }
}

/// A directory for the scripts where they stand over no others; none where there are no scripts.
fn scripts_directory(report: &Report<'_>) -> Option<String> {
    let scripts = texts(report);
    if scripts.is_empty() {
        return None;
    }
    let names = std::iter::once(SCRIPTS.to_owned()).chain((2..).map(|number| format!("{SCRIPTS}-{number}")));
    let is_free = |directory: &String| {
        let directory = Path::new(directory);
        let takes = |name: &&str, text: &String| {
            let path = directory.join(name);
            !path.exists() || is_same(&path, text)
        };
        (!directory.exists() || directory.is_dir()) && scripts.iter().all(|(name, text)| takes(name, text))
    };
    names.take(MOST_DIRECTORIES).find(is_free)
}

/// The scripts by the names of their files.
fn texts<'r>(report: &Report<'r>) -> BTreeMap<&'r str, String> {
    let mut scripts: BTreeMap<&str, String> = BTreeMap::new();
    for script in report.scripts {
        let text = scripts.entry(script.file).or_default();
        text.push_str(&script.sql);
        if !script.sql.ends_with('\n') {
            text.push('\n');
        }
    }
    scripts
}

/// True where a file has this text already.
fn is_same(path: &Path, text: &str) -> bool {
    path.is_file() && std::fs::read(path).is_ok_and(|bytes| bytes == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_are_written_and_never_over_others_unasked() -> Result<(), Box<dyn std::error::Error>> {
        use tsmigrate_analyzer::finding::Script;
        use tsmigrate_analyzer::{Input, Options, Target, analyze};

        let (target, options) = (Target::default(), Options::default());
        let mut analysis = analyze(&[Input { name: "a.sql", text: b"SELECT 1;" }], &target, &options)?;
        let script = |sql: &str| Script { rule: "EXT-01", file: "a.sql", title: "a".into(), sql: sql.into() };
        analysis.scripts = vec![script("SELECT 1;"), script("SELECT 2;\n")];
        let report = Report::new(&analysis, &target, &options);
        let folder = tempfile::tempdir()?;
        let dir = folder.path().join("new/scripts");
        let files = |force: bool| Files { report: Vec::new(), scripts: Some(dir.clone()), force };
        let write = |force: bool| {
            let made = files(force).make(&report, &[], Shown::default())?;
            output::place(made.into_iter().flatten())
        };
        assert!(write(false).is_ok());
        assert_eq!(std::fs::read_to_string(dir.join("a.sql"))?, "SELECT 1;\nSELECT 2;\n");
        assert_eq!(files(false).written(&report), [dir.join("a.sql")]);
        std::fs::write(dir.join("a.sql"), "mine")?;
        assert!(write(false).is_err_and(|failure| failure.next.is_some_and(|next| next.contains("--force"))));
        assert_eq!(std::fs::read_to_string(dir.join("a.sql"))?, "mine");
        assert!(write(true).is_ok());
        assert!(std::fs::read_to_string(dir.join("a.sql"))?.starts_with("SELECT 1"));
        Ok(())
    }

    #[test]
    fn a_report_says_its_format_by_its_name() {
        let format = |given: &str| report_file(given).map(|file| (file.format.name(), file.path));
        assert_eq!(format("a.HTML"), Ok(("html", "a.HTML".into())));
        assert_eq!(format("sarif=b"), Ok(("sarif", "b".into())));
        assert_eq!(format("md=/x/y.txt"), Ok(("markdown", "/x/y.txt".into())));
        assert_eq!(format("a=b.json"), Ok(("json", "a=b.json".into())));
        assert!(format("a.pdf").is_err_and(|error| error.contains("html=a.pdf")));
    }
}
