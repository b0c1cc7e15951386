//! Arguments in, exit status out: 0 clean, 1 findings, 2 failed.

mod analysed;
mod archive_output;
mod check;
#[cfg(unix)]
mod cleanup;
mod config;
mod config_schema;
mod diff;
#[cfg(unix)]
mod dump;
mod effective;
mod excerpt;
mod failure;
#[cfg(unix)]
mod fill;
#[cfg(unix)]
mod fit;
mod gitlab;
mod help;
mod input;
#[cfg_attr(not(unix), path = "no_live.rs")]
mod live;
mod lsp;
mod lsp_text;
mod moved;
mod output;
mod packed;
mod page;
#[cfg(unix)]
mod question;
mod reading;
mod render;
mod reports;
mod rewrite;
mod rules;
#[cfg(unix)]
mod runtime;
mod summary;
mod terminal;
mod uri;
#[cfg(unix)]
mod verify;

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand, ValueEnum};
use tsmigrate::defect;
use tsmigrate_analyzer::clean;

use self::failure::{Failure, Status, words};
use self::page::Page;

/// Move PostgreSQL and TimescaleDB databases to a managed Timescale service
#[derive(Debug, Parser)]
#[command(name = "tsmigrate", version, max_term_width = 100, after_help = help::examples())]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Colour: auto, always or never
    #[arg(
        long,
        global = true,
        value_enum,
        default_value_t,
        value_name = "WHEN",
        hide_possible_values = true
    )]
    color: Color,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check what the service will refuse in a dump or a live database
    Check(check::Args),
    /// Rewrite a dump so that it restores on the service
    Rewrite(rewrite::Args),
    /// Move a live database: dump, rewrite, copy, verify
    #[cfg(unix)]
    Migrate(Box<tsmigrate::migrate::Args>),
    /// Dump a live database, with what no dump tells
    #[cfg(unix)]
    Dump(Box<tsmigrate::migrate::dump::Args>),
    /// Restore what pg_dump wrote: check, rewrite, load
    #[cfg(unix)]
    Restore(Box<tsmigrate::migrate::restore::Args>),
    /// Compare two databases: every object, owner, privilege and row
    #[cfg(unix)]
    Verify(Box<verify::Args>),
    /// Close what a migration that was killed has left open
    #[cfg(unix)]
    Cleanup(tsmigrate::migrate::cleanup::Args),
    /// List the rules, or explain one
    Rules(rules::Args),
    /// Check in an editor: a language server on standard input
    Lsp(lsp::Args),
    /// Print the JSON Schema of reports or of tsmigrate.toml
    Schema(help::SchemaArgs),
    /// Print completions for a shell
    Completions(help::CompletionArgs),
    /// Print the manual page of tsmigrate or of a command
    Man(help::ManArgs),
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
    let cli = Cli::parse_from(words_of(std::env::args_os()));
    defect::catch();
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    let result = match cli.command {
        #[cfg(unix)]
        Command::Migrate(args) => fill::run(&*args),
        #[cfg(unix)]
        Command::Dump(args) => dump::run(&args),
        #[cfg(unix)]
        Command::Restore(args) => fill::run(&*args),
        #[cfg(unix)]
        Command::Cleanup(args) => cleanup::run(&args),
        #[cfg(unix)]
        Command::Verify(args) => verify::run(&args),
        Command::Schema(args) => help::schema(args),
        Command::Completions(args) => help::completions(args, Cli::command()),
        Command::Man(args) => help::man(&args, Cli::command()),
        Command::Check(args) => on_large_stack(move || check::run(&args)),
        Command::Rewrite(args) => on_large_stack(move || rewrite::run(&args)),
        Command::Rules(args) => on_large_stack(move || rules::run(&args)),
        Command::Lsp(args) => on_large_stack(move || lsp::run(&args)),
    };
    match result {
        Ok(Status::Clean) => ExitCode::SUCCESS,
        Ok(Status::Findings) => ExitCode::from(1),
        #[cfg(unix)]
        Ok(Status::Failed) => ExitCode::from(2),
        Err(failure) => {
            if !failure.silent {
                say(&failure);
            }
            ExitCode::from(2)
        }
    }
}

/// The words of the command line. Of the command that helps, help is what it does.
fn words_of(words: impl Iterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = words.collect();
    if let [_, command, flag] = words.as_mut_slice()
        && command == "help"
        && (flag == "--help" || flag == "-h")
    {
        *flag = "help".into();
    }
    words
}

/// The analyzer asks for more stack than a process starts with. A defect comes back as a failure.
fn on_large_stack(run: impl FnOnce() -> Result<Status, Failure> + Send + 'static) -> Result<Status, Failure> {
    std::thread::Builder::new()
        .stack_size(tsmigrate_analyzer::parse::STACK)
        .spawn(run)
        .map_err(|error| Failure::new(format!("cannot start: {}", words(&error))))?
        .join()
        .unwrap_or_else(|panic| {
            Err(Failure::new("a defect in tsmigrate; nothing was changed")
                .at(defect::said(&*panic))
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
    if let Some(cause) = &failure.cause {
        let _ = writeln!(text, "  {} {}", page.bold("cause:"), clean::text(cause));
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
        Cli::command().debug_assert();
    }
}
