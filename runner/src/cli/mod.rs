//! Arguments in, exit status out: 0 clean, 1 findings, 2 failed.

mod check;
mod cleanup;
mod config;
mod diff;
mod input;
mod live;
mod migrate;
mod output;
mod render;
mod reports;
mod rewrite;
mod rules;
mod verify;

use std::fmt::{self, Write as _};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tsmigrate_analyzer::clean;
use tsmigrate_analyzer::conversion::conversion;
use tsmigrate_analyzer::facts::timescale::Version;
use tsmigrate_analyzer::quote::shell;
use tsmigrate_analyzer::rules::{nearest, rule};
use tsmigrate_analyzer::target::{NEWEST_VERSION, OLDEST_VERSION};
use tsmigrate_analyzer::{Options, Target};

use self::config::Config;
use self::render::Page;

/// Move PostgreSQL and TimescaleDB databases to a managed Timescale service
#[derive(Debug, Parser)]
#[command(name = "tsmigrate", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// When to write in colour (NO_COLOR is respected)
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what in a dump the service cannot take, and why
    Check(check::Args),
    /// Write a dump anew, so that the service takes it
    Rewrite(rewrite::Args),
    /// List the rules, or explain one
    Rules(rules::Args),
    /// Print the JSON Schema of the reports that check --format json writes
    Schema,
    /// Move a database: dump, rewrite, restore, verify
    Migrate(Box<tsmigrate::migrate::Args>),
    /// Close what a migration that was killed has left open
    Cleanup(tsmigrate::migrate::cleanup::Args),
    /// Compare two databases: objects, definitions, owners, privileges and every row; nothing is written
    Verify(Box<verify::Args>),
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Color {
    /// On a terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// What an analysis is told, whatever is done with it.
#[derive(Clone, Debug, clap::Args)]
struct Analysed {
    /// Accept what is lost by these rules (ids or names, comma-separated): statements that no
    /// rewrite can save are left out
    #[arg(long, value_name = "RULE", value_delimiter = ',')]
    accept: Vec<String>,

    /// Leave what fixes would change as it is: RULE, RULE@LINE or RULE@FILE:LINE, comma-separated
    #[arg(long, value_name = "FIX")]
    leave: Vec<String>,

    /// Of a dump of a whole cluster, the database to keep
    #[arg(long, value_name = "NAME")]
    database: Option<String>,

    /// Restore this table as a hypertable: schema.table:column or schema.table:column:interval
    #[arg(long, value_name = "TABLE:COLUMN")]
    hypertable: Vec<String>,

    /// PostgreSQL version of the service, 15 to 18
    #[arg(
        long,
        value_name = "MAJOR",
        value_parser = clap::value_parser!(u32).range(i64::from(OLDEST_VERSION)..=i64::from(NEWEST_VERSION))
    )]
    target_version: Option<u32>,

    /// TimescaleDB version of the service, such as 2.19.3 (SELECT extversion FROM pg_extension)
    #[arg(long, value_name = "VERSION", value_parser = timescale_version)]
    target_timescaledb: Option<Version>,

    /// Another destination than the built-in one, as JSON
    #[arg(long, value_name = "FILE")]
    target_file: Option<PathBuf>,

    /// Read this configuration, not the tsmigrate.toml of this directory or one above it
    #[arg(long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,

    /// Read no configuration
    #[arg(long)]
    no_config: bool,
}

/// What an analysis is done with: the command line's word, and what it leaves open as the configuration says.
struct Setup {
    target: Target,
    options: Options,
    /// The file that the destination is read from, where it is not the built-in one.
    target_file: Option<PathBuf>,
    config: Option<Config>,
}

/// The fixes that a `--leave` names. Commas separate them, but for those in the name of a file, which a line has to follow.
fn fixes(given: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let is_open = |fix: &str| {
        let line = fix.split_once('@').and_then(|(_, place)| place.rsplit(':').next());
        line.is_some_and(|line| line.is_empty() || !line.bytes().all(|byte| byte.is_ascii_digit()))
    };
    for part in given.split(',') {
        match all.last_mut().filter(|last| is_open(last)) {
            Some(last) => {
                last.push(',');
                last.push_str(part);
            }
            None => all.push(part.trim().to_owned()),
        }
    }
    all.retain(|fix| !fix.is_empty());
    all
}

/// A version of TimescaleDB on the command line.
fn timescale_version(text: &str) -> Result<Version, String> {
    Version::try_from(text.to_owned())
}

impl Analysed {
    fn setup(&self) -> Result<Setup, Failure> {
        let path = match &self.config {
            _ if self.no_config => None,
            Some(path) => Some(path.clone()),
            None => Config::find(),
        };
        let config = path.as_deref().map(Config::read).transpose()?;
        let of_config = config.as_ref().and_then(|config| config.target_file.as_ref());
        let target_file = self.target_file.as_ref().or(of_config).cloned();
        let target = self.target(target_file.as_deref(), config.as_ref())?;
        Ok(Setup { target, options: self.options(config.as_ref())?, target_file, config })
    }

    fn target(&self, file: Option<&Path>, config: Option<&Config>) -> Result<Target, Failure> {
        let target = match file {
            None => Target::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| Failure::io("the target file cannot be read", path, &error))?;
                Target::from_json(&text).map_err(|error| {
                    Failure::new(format!("the target file cannot be used: {error}"))
                        .at(path.display())
                        .next("its form is that of analyzer/src/target/timescale.json")
                })?
            }
        };
        let target = match config {
            Some(config) => config.correct(target),
            None => target,
        };
        let mut target = match self.target_version {
            Some(version) => target.with_version(version),
            None => target,
        };
        target.timescaledb.installed = self.target_timescaledb.or(target.timescaledb.installed);
        Ok(target)
    }

    fn options(&self, config: Option<&Config>) -> Result<Options, Failure> {
        let mut options = config.map(Config::options).unwrap_or_default();
        if let Some(database) = &self.database {
            options.database = Some(database.clone());
        }
        for given in self.accept.iter().map(|given| given.trim()).filter(|given| !given.is_empty()) {
            let Some(rule) = rule(given) else {
                let next = match nearest(given) {
                    Some(id) => format!("did you mean {id}? tsmigrate rules lists all rules"),
                    None => "tsmigrate rules lists all rules".to_owned(),
                };
                return Err(Failure::new(format!("there is no rule {given}")).at("--accept").next(next));
            };
            options.accept.insert(rule.id.to_owned());
        }
        for given in self.leave.iter().flat_map(|given| fixes(given)) {
            options.leave(&given).map_err(|error| {
                Failure::new(error.to_string())
                    .at("--leave")
                    .next("write it like --leave TSP-03 or --leave TSP-03@schema.sql:120")
            })?;
        }
        for given in &self.hypertable {
            let (table, conversion) = conversion(given).map_err(|error| {
                Failure::new(error)
                    .at("--hypertable")
                    .next("write it like --hypertable public.readings:time or --hypertable 'public.readings:time:1 day'")
            })?;
            options.convert.insert(table, conversion);
        }
        Ok(options)
    }

    /// The same options as words of a command.
    fn words(&self, more: &[&str]) -> String {
        let mut accept: Vec<&str> = self.accept.iter().map(String::as_str).collect();
        accept.extend(more.iter().filter(|id| !self.accept.iter().any(|given| given == **id)));
        let mut words = String::new();
        if !accept.is_empty() {
            let _ = write!(words, " --accept {}", accept.join(","));
        }
        if !self.leave.is_empty() {
            let _ = write!(words, " --leave {}", shell(&self.leave.join(",")));
        }
        if let Some(database) = &self.database {
            let _ = write!(words, " --database {}", shell(database));
        }
        for given in &self.hypertable {
            let _ = write!(words, " --hypertable {}", shell(given));
        }
        if let Some(version) = self.target_version {
            let _ = write!(words, " --target-version {version}");
        }
        if let Some(version) = self.target_timescaledb {
            let _ = write!(words, " --target-timescaledb {version}");
        }
        if let Some(path) = &self.target_file {
            let _ = write!(words, " --target-file {}", shell(&path.to_string_lossy()));
        }
        if let Some(path) = &self.config {
            let _ = write!(words, " --config {}", shell(&path.to_string_lossy()));
        }
        if self.no_config {
            words.push_str(" --no-config");
        }
        words
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Clean,
    Findings,
    /// The report says why.
    Failed,
}

/// Why a command failed: what, where, and what to do.
#[derive(Debug)]
struct Failure {
    what: String,
    place: Option<String>,
    next: Option<String>,
    /// Whoever read the output has gone: nobody is there to be told.
    silent: bool,
}

impl Failure {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), place: None, next: None, silent: false }
    }

    fn at(mut self, place: impl fmt::Display) -> Self {
        self.place = Some(place.to_string());
        self
    }

    fn next(mut self, next: impl Into<String>) -> Self {
        self.next = Some(next.into());
        self
    }

    fn io(what: &str, path: &Path, error: &io::Error) -> Self {
        let failure = Self::new(format!("{what}: {}", words(error))).at(path.display());
        match error.kind() {
            io::ErrorKind::PermissionDenied => {
                failure.next(format!("look at its permissions: ls -ld {}", shell(&path.to_string_lossy())))
            }
            io::ErrorKind::StorageFull => failure.next("make room there, or choose another place"),
            _ => failure,
        }
    }

    fn output(error: &io::Error) -> Self {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        Self { silent, ..Self::new(format!("cannot write: {}", words(error))).at("standard output") }
    }
}

/// A system's answer without its number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::output(&error.into())
    }
}

/// Runs the command that the process was started with.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let result = match &cli.command {
        Command::Migrate(args) => migrate::run(args),
        Command::Cleanup(args) => cleanup::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Check(_) | Command::Rewrite(_) | Command::Rules(_) | Command::Schema => on_large_stack(cli),
    };
    match result {
        Ok(Status::Clean) => ExitCode::SUCCESS,
        Ok(Status::Findings) => ExitCode::from(1),
        Ok(Status::Failed) => ExitCode::from(2),
        Err(failure) => {
            if !failure.silent {
                say(&failure);
            }
            ExitCode::from(2)
        }
    }
}

/// What runs work on servers. `pg_query` walks a statement's tree on the stack, and a worker's default of 2 MB is soon full.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_stack_size(64 << 20)
        .build()
        .map_err(|error| Failure::new(format!("cannot start: {}", words(&error))))
}

/// Prints the schema of JSON reports.
fn schema() -> Result<Status, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(tsmigrate_analyzer::report::SCHEMA.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::output(&error)),
        _ => Ok(Status::Clean),
    }
}

/// The analyzer asks for more stack than a process starts with. A defect comes back as a failure.
fn on_large_stack(cli: Cli) -> Result<Status, Failure> {
    // What a panic says goes into the failure, not to the terminal.
    std::panic::set_hook(Box::new(|_| ()));
    std::thread::Builder::new()
        .stack_size(tsmigrate_analyzer::parse::STACK)
        .spawn(move || match &cli.command {
            Command::Check(args) => check::run(args),
            Command::Rewrite(args) => rewrite::run(args),
            Command::Rules(args) => rules::run(args),
            Command::Schema => schema(),
            Command::Migrate(_) | Command::Cleanup(_) | Command::Verify(_) => Ok(Status::Clean),
        })
        .map_err(|error| Failure::new(format!("cannot start: {}", words(&error))))?
        .join()
        .unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("unknown");
            Err(Failure::new("a defect in tsmigrate; nothing was changed")
                .at(text)
                .next("please report it, with the statement that it stopped at if you can"))
        })
}

/// Says why a command failed.
fn say(failure: &Failure) {
    let page = Page::stderr();
    let mut text = format!("{}: {}\n", page.red("error"), clean::text(&failure.what));
    if let Some(place) = &failure.place {
        let _ = writeln!(text, "  {}", clean::text(place));
    }
    if let Some(next) = &failure.next {
        let _ = writeln!(text, "  {} {}", page.bold("next:"), clean::text(next));
    }
    // There is nowhere else to say it.
    let _ = io::stderr().write_all(text.as_bytes());
}

/// A line for a person, beside the result.
fn note(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// True where a person reads the standard error.
fn on_terminal() -> bool {
    io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn a_rule_that_was_mistyped_is_suggested() {
        assert_eq!(nearest("TSP-3"), Some("TSP-03"));
        assert_eq!(nearest("ext01"), Some("EXT-01"));
        assert_eq!(nearest("default-tablespaces"), Some("TSP-03"));
        assert_eq!(nearest("completely different"), None);
    }

    #[test]
    fn commas_separate_fixes_and_may_be_in_names_of_files() {
        assert_eq!(fixes("TSP-03, TSP-04@2,"), ["TSP-03", "TSP-04@2"]);
        assert_eq!(fixes("TSP-03@a.sql:1,TSP-04@b.sql:2"), ["TSP-03@a.sql:1", "TSP-04@b.sql:2"]);
        assert_eq!(fixes("TSP-03@a, b,c.sql:1,TSP-04"), ["TSP-03@a, b,c.sql:1", "TSP-04"]);
        // What is wrong is said of what was given.
        assert_eq!(fixes("TSP-03@here"), ["TSP-03@here"]);
        assert_eq!(fixes(""), Vec::<String>::new());
    }

    #[test]
    fn words_are_quoted_for_a_shell() {
        assert_eq!(shell("dump.sql"), "dump.sql");
        assert_eq!(shell("my dump.sql"), "'my dump.sql'");
        assert_eq!(shell("it's"), "'it'\\''s'");
    }
}
