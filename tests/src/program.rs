//! The program as people run it: built once for each test run, with the profile of the tests.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use crate::lab::skipped;

/// Where the program is.
///
/// # Panics
/// Where it cannot be built: then there is nothing to test.
#[must_use]
#[expect(clippy::panic, reason = "it is a test's way to fail")]
pub fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| build().unwrap_or_else(|error| panic!("tsmigrate cannot be built: {error}")))
}

fn build() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    // With the features of a test of the whole workspace: cargo compiles nothing twice.
    command.args(["build", "--quiet", "--workspace", "--bin", "tsmigrate"]);
    command.args(["--message-format", "json"]);
    // What cargo tells a test of its own package: ring's build script looks at it, and would be run anew in each turn between
    // this build and one from a shell, and rustls and the program with it.
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
            command.env_remove(&*name);
        }
    }
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let output = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| error.to_string())?;
    // Cargo itself says where it put the program.
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| Some(PathBuf::from(message.get("executable")?.as_str()?)))
        .ok_or_else(|| format!("cargo ended with {}", output.status))
}

/// The program with an environment of its own: no colours, no locale, no variables of the person who tests.
#[must_use]
pub fn program() -> Command {
    let mut command = Command::new(path());
    command.env_clear().stdin(Stdio::null());
    command
}

/// What a shell command writes to a terminal in `folder`, with these variables set: script(1) makes the terminal.
/// None where this machine has none to give: then the test is skipped by name.
///
/// # Errors
/// When script(1) cannot be started.
pub fn on_terminal(
    test: &str,
    command: &str,
    folder: &Path,
    set: &[(&str, &str)],
) -> std::io::Result<Option<String>> {
    let script = |command: &str| {
        let mut script = Command::new("script");
        script.args(["-qec", command, "/dev/null"]).current_dir(folder).stdin(Stdio::null());
        script.env("TERM", "xterm").env_remove("NO_COLOR").env_remove("CI").envs(set.iter().copied());
        script.output()
    };
    // A root folder without /dev/pts has no terminals.
    let reason = match script("true") {
        Ok(output) if output.status.success() => None,
        Ok(output) => {
            let said = [output.stdout, output.stderr].concat();
            Some(format!("script(1) has no terminal: {}", String::from_utf8_lossy(&said).trim()))
        }
        Err(error) => Some(format!("script(1): {error}")),
    };
    if let Some(reason) = reason {
        skipped(test, &reason);
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&script(command)?.stdout).into_owned()))
}

/// Runs a command with `input` on its standard input.
///
/// # Errors
/// Where it cannot be started.
pub fn run_with(command: &mut Command, input: &[u8]) -> std::io::Result<Output> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdin = child.stdin.take();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The program may end before it has read everything.
        stdin.map(|mut stdin| stdin.write_all(&input))
    });
    let output = child.wait_with_output();
    // A failed write is the program's choice, not an error of the test.
    let _ = writer.join();
    output
}
