//! Arguments in, exit status out: 0 clean, 1 findings, 2 failed.

mod analysed;
mod check;
mod cleanup;
mod config;
mod diff;
mod effective;
mod failure;
mod input;
mod live;
mod migrate;
mod output;
mod page;
mod render;
mod reports;
mod rewrite;
mod rules;
mod runtime;
mod summary;
mod terminal;
mod verify;

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand, ValueEnum};
use tsmigrate_analyzer::clean;

use self::failure::{Failure, Status, words};
use self::page::Page;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
