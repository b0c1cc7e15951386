//! Prints the effective configuration.

use std::fmt::Write as _;
use std::io::Write as _;

use super::analysed::Setup;
use super::config::{Config, FILE};
use super::failure::{Failure, Status};

/// Prints what counts, in the form of the file.
pub(super) fn show(setup: &Setup) -> Result<Status, Failure> {
    let text = text(setup);
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::output(&error)),
        _ => Ok(Status::Clean),
    }
}

fn text(setup: &Setup) -> String {
    let Setup { target, options, target_file, config, .. } = setup;
    let mut out = match config {
        Some(config) => format!("# read from {}\n", config.path.display()),
        None => format!("# no {FILE} was read\n"),
    };
    let mut line = |line: String| {
        let _ = writeln!(out, "{line}");
    };
    let strings = |names: &mut dyn Iterator<Item = &String>| -> String {
        let names: Vec<String> = names.map(|name| quoted(name)).collect();
        format!("[{}]", names.join(", "))
    };
    line(format!("accept = {}", strings(&mut options.accept.iter())));
    match &options.database {
        Some(database) => line(format!("database = {}", quoted(database))),
        None => line("# database = of a cluster dump, the one to keep".into()),
    }
    line("\n[severity]".into());
    for (rule, level) in &options.levels {
        line(format!("{} = {}", quoted(rule), quoted(level.name())));
    }
    line(format!("\n[target] # {}", target.name));
    line(format!("version = {}", target.version));
    if let Some(file) = target_file {
        line(format!("file = {}", quoted(&file.to_string_lossy())));
    }
    let of = |pick: fn(&Config) -> &Vec<String>| strings(&mut config.iter().flat_map(pick));
    line(format!("reserved-roles = {}", of(|config| &config.reserved_roles)));
    line(format!("existing-roles = {}", strings(&mut target.existing_roles.iter())));
    line("\n[target.extensions]".into());
    if let Some(list) = target.extension_list().filter(|list| list.name == "configured") {
        line(format!("replace = {}", strings(&mut list.extensions.iter())));
    }
    line(format!("add = {}", strings(&mut target.added_extensions.iter())));
    line(format!("remove = {}", strings(&mut target.refused_extensions.iter())));
    out
}

/// A string of TOML.
fn quoted(text: &str) -> String {
    // JSON's strings are strings of TOML too, but for a control character that JSON leaves as it is.
    serde_json::to_string(text).unwrap_or_default().replace('\u{7f}', "\\u007F")
}
