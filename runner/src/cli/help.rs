//! What the program says about itself: completions, manual pages, schemas.

use std::io::{self, Write};
use std::path::PathBuf;

use clap::ValueEnum;
use clap_complete::Shell;

use super::config_schema;
use super::failure::{Failure, Status};

/// What stands below the commands.
pub(super) fn examples() -> String {
    let live = "\
  Move a live database; SOURCE and TARGET hold the addresses of both:
    tsmigrate migrate --dry-run
    tsmigrate migrate
";
    let (live, example) = if cfg!(unix) { (live, "migrate") } else { ("", "check") };
    format!(
        "\
Examples:
  See what would fail on the service, and why:
    tsmigrate check roles.sql schema.sql
  Write a dump that restores:
    tsmigrate rewrite schema.sql -o schema.rewritten.sql
{live}  See the options of a command:
    tsmigrate help {example}

Exit status:
  0  done, nothing is wrong
  1  statements fail, databases differ, or a migration is blocked
  2  the command failed"
    )
}

/// Options of `tsmigrate schema`.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  What check --format json writes:
    tsmigrate schema
  For an editor that completes tsmigrate.toml:
    tsmigrate schema config > tsmigrate.schema.json

Exit status: 0, or 2 if there is no such schema")]
pub(super) struct SchemaArgs {
    /// report (check --format json), or config (tsmigrate.toml)
    #[arg(value_enum, value_name = "OF", default_value_t, hide_possible_values = true)]
    of: SchemaOf,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum SchemaOf {
    #[default]
    Report,
    Config,
}

/// Options of `tsmigrate completions`.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  source <(tsmigrate completions bash)
  tsmigrate completions zsh > \"${fpath[1]}/_tsmigrate\"
  tsmigrate completions fish > ~/.config/fish/completions/tsmigrate.fish

Exit status: 0, or 2 if the shell is not known")]
pub(super) struct CompletionArgs {
    /// bash, elvish, fish, powershell or zsh
    #[arg(value_enum, value_name = "SHELL", hide_possible_values = true)]
    shell: Shell,
}

/// Options of `tsmigrate man`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tsmigrate man | man -l -
  tsmigrate man check | man -l -
  tsmigrate man --output-dir /usr/local/share/man/man1

Exit status: 0, or 2 if there is no such command or nothing can be written")]
pub(super) struct ManArgs {
    /// Command that the page is of
    #[arg(value_name = "COMMAND", conflicts_with = "output_dir")]
    command: Option<String>,

    /// Write the pages of all commands to a directory
    #[arg(long, value_name = "DIR")]
    output_dir: Option<PathBuf>,
}

/// Prints a schema.
pub(super) fn schema(args: SchemaArgs) -> Result<Status, Failure> {
    match args.of {
        SchemaOf::Report => print(tsmigrate_analyzer::report::SCHEMA.as_bytes()),
        SchemaOf::Config => print(format!("{:#}\n", config_schema::schema()).as_bytes()),
    }
}

/// Prints completions.
pub(super) fn completions(args: CompletionArgs, mut program: clap::Command) -> Result<Status, Failure> {
    let mut text = Vec::new();
    let name = program.get_name().to_owned();
    clap_complete::generate(args.shell, &mut program, name, &mut text);
    print(&text)
}

/// Prints a manual page, or writes all.
pub(super) fn man(args: &ManArgs, program: clap::Command) -> Result<Status, Failure> {
    // Pages about help would say nothing that is not in the others.
    let mut program = program.disable_help_subcommand(true);
    program.build();
    if let Some(dir) = &args.output_dir {
        return clap_mangen::generate_to(program, dir)
            .map(|()| Status::Clean)
            .map_err(|error| Failure::io("the manual pages cannot be written", dir, &error));
    }
    let command = match &args.command {
        None => program,
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| {
            Failure::new(format!("there is no command {name}")).next("tsmigrate help lists them")
        })?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text).map_err(|error| Failure::output(&error))?;
    print(&text)
}

fn print(text: &[u8]) -> Result<Status, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::output(&error)),
        _ => Ok(Status::Clean),
    }
}
