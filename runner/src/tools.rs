//! PostgreSQL's client tools: finding them, and running them without a secret in their arguments.

mod places;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use crate::child::{self, PasswordFile};
use crate::connect::{self, Endpoint};
use crate::error::Error;
use crate::inspect::Facts;

/// A pair of `pg_dump` and `pg_dumpall` of one version.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Tools {
    /// The folder they are in.
    pub directory: PathBuf,
    /// Their major version.
    pub major: u32,
    /// What `pg_dump --version` says.
    pub version: String,
}

/// Which of the pairs found to use: never older than the source, for such a `pg_dump` refuses to run; else
/// the target's own version, for a newer one may write what the target does not know.
#[must_use]
pub fn choose(found: &[Tools], source: u32, target: u32) -> Option<&Tools> {
    let usable = || found.iter().filter(|tools| tools.major >= source);
    usable()
        .find(|tools| tools.major == target)
        .or_else(|| usable().filter(|tools| tools.major < target).max_by_key(|tools| tools.major))
        .or_else(|| usable().min_by_key(|tools| tools.major))
}

/// Every pair on this machine, or the one in `directory`. `source` and `target` are their major versions.
///
/// # Errors
/// When `directory` is named and has no pair that runs.
pub async fn find(directory: Option<&Path>, source: u32, target: u32) -> Result<Vec<Tools>, Error> {
    let Some(directory) = directory else { return Ok(everywhere().await) };
    match probe(directory).await {
        Ok(tools) => Ok(vec![tools]),
        Err(why) => {
            let others = everywhere().await;
            let other = choose(&others, source, target);
            Err(Error::Tool { what: format!("--pg-bin: {why}"), next: instead(other, source.max(target)) })
        }
    }
}

async fn everywhere() -> Vec<Tools> {
    let mut found = Vec::new();
    for directory in places::folders() {
        found.extend(probe(&directory).await);
    }
    found
}

/// The pair in a folder, or what is wrong with it.
async fn probe(directory: &Path) -> Result<Tools, String> {
    if !directory.is_dir() {
        let is = if directory.exists() { "is no folder" } else { "does not exist" };
        return Err(format!("{} {is}", directory.display()));
    }
    let dump = version(&directory.join("pg_dump")).await?;
    version(&directory.join("pg_dumpall")).await?;
    let Some(major) = major(&dump) else {
        return Err(format!(
            "{} is no pg_dump of PostgreSQL: its version is {dump:?}",
            directory.join("pg_dump").display()
        ));
    };
    Ok(Tools { directory: directory.to_owned(), major, version: dump })
}

/// What a tool says its version is, or why it does not.
async fn version(tool: &Path) -> Result<String, String> {
    let shown = tool.display();
    match child::command(tool).arg("--version").output().await {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.lines().next().map_or_else(|| output.status.to_string(), str::to_owned);
            Err(format!("{shown} does not run: {said}"))
        }
        Err(_) if !tool.exists() => Err(format!("{shown} does not exist")),
        Err(error) => Err(format!("{shown} cannot be run: {error}")),
    }
}

/// The major version in `pg_dump (PostgreSQL) 17.2 (Debian 17.2-1)`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_once("(PostgreSQL) ")?.1;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What to do where none of `found` fits a source of this version (`17.12 (Debian …)`) and a target of this major version.
pub async fn missing(found: &[Tools], source: &Facts, target: u32) -> Error {
    // With --pg-bin only that folder was looked at.
    let others = everywhere().await;
    refusal(found, &source.version, source.major(), target, choose(&others, source.major(), target))
}

fn refusal(found: &[Tools], source: &str, major: u32, target: u32, other: Option<&Tools>) -> Error {
    let source = source.split_whitespace().next().unwrap_or_default();
    let newest = found.iter().max_by_key(|tools| tools.major);
    let what = match newest {
        Some(tools) => format!("pg_dump {} is older than the source ({source})", tools.number()),
        None => format!("no pg_dump is installed here; the source has PostgreSQL {source}"),
    };
    let next = instead(other, major.max(target));
    Error::Tool { what, next }
}

/// What to name or to install: a pair that is on this machine, else one of this major version.
fn instead(other: Option<&Tools>, major: u32) -> String {
    match other {
        Some(other) => {
            let folder = tsmigrate_analyzer::quote::shell(&other.directory.to_string_lossy());
            format!("name the folder of pg_dump {}: --pg-bin {folder}", other.number())
        }
        None => format!("{}, or name its folder with --pg-bin", places::install(major)),
    }
}

impl Tools {
    /// The version's number: `17.12`.
    fn number(&self) -> &str {
        let number =
            self.version.split_once("(PostgreSQL) ").map_or(self.version.as_str(), |(_, number)| number);
        number.split_whitespace().next().unwrap_or_default()
    }

    /// A command that runs one of the tools on `endpoint`. The password file has to live as long as the process.
    ///
    /// # Errors
    /// When the password cannot be told.
    fn command(
        &self,
        tool: &'static str,
        endpoint: &Endpoint,
        arguments: &[&str],
    ) -> Result<(Command, PasswordFile), Error> {
        let passwords = endpoint.password_file().map_err(|why| Error::Tool {
            what: format!("{tool} cannot be told the password of {endpoint}: {why}"),
            next: "give the role another password, or log in with a certificate (sslcert, sslkey)".into(),
        })?;
        let passwords = PasswordFile::write(&passwords)
            .map_err(|error| Error::File { what: format!("write the password file for {tool}"), error })?;
        let mut command = child::command(self.directory.join(tool));
        command
            .arg("--dbname")
            .arg(endpoint.conninfo(Some(passwords.path())))
            .args(["--no-password", "--quote-all-identifiers"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // A Ctrl-C reaches the whole process group: the tool must not die of it before we have said why.
        command.process_group(0);
        // Arguments are open to every user of the machine, and a setting may be a secret.
        if let Some(options) = endpoint.options_of_child() {
            command.env("PGOPTIONS", options);
        }
        Ok((command, passwords))
    }

    /// Runs a tool and returns all it wrote.
    ///
    /// # Errors
    /// When it cannot be started or fails.
    pub async fn output(
        &self,
        tool: &'static str,
        endpoint: &Endpoint,
        arguments: &[&str],
    ) -> Result<Vec<u8>, Error> {
        let mut tries = 0;
        loop {
            let (mut command, passwords) = self.command(tool, endpoint, arguments)?;
            let output =
                command.output().await.map_err(|error| Error::File { what: format!("run {tool}"), error })?;
            drop(passwords);
            if output.status.success() {
                let mut stdout = output.stdout;
                // It has grown by doubling, and is held for as long as the schema is looked at.
                stdout.shrink_to_fit();
                return Ok(stdout);
            }
            let said = endpoint.hide(&String::from_utf8_lossy(&output.stderr));
            // A session that was closed a moment ago may still count.
            let full = ["too many connections", "too many clients", "connection slots are reserved"];
            let most = if full.iter().any(|words| said.contains(words)) {
                connect::FULL.0
            } else if gone(&said) || cut(&said) {
                // What was listed is gone by now: somebody dropped it while the tool looked at it. Or its session was ended.
                AGAIN
            } else {
                0
            };
            if tries < most {
                tries += 1;
                tokio::time::sleep(connect::FULL.1).await;
                continue;
            }
            let mut error = failed(tool, output.status, &said);
            if let (Error::ToolFailed { output, .. }, true) = (&mut error, gone(&said)) {
                output.push_str(
                    "\n  next: views or other objects of the source are dropped while they are listed: stop what does so for the \
                     time of the dump, then the same command again",
                );
            }
            return Err(error);
        }
    }
}

/// A server says this of an object that was dropped since it was listed.
#[must_use]
pub fn gone(said: &str) -> bool {
    ["could not open relation with OID", "cache lookup failed for ", "could not find tuple for "]
        .iter()
        .any(|words| said.contains(words))
}

/// The tool's session was ended, by a person or a network.
fn cut(said: &str) -> bool {
    [
        "server closed the connection unexpectedly",
        "terminating connection due to",
        "connection has been closed unexpectedly",
    ]
    .iter()
    .any(|words| said.contains(words))
}

/// So often a tool is run again for either.
const AGAIN: u32 = 3;

/// The database's name for `pg_dumpall --database`, which takes a name with `=` in it for a connection string: so it gets one.
#[must_use]
pub fn database(name: &str) -> String {
    format!("dbname='{}'", name.replace('\\', r"\\").replace('\'', r"\'"))
}

/// `pg_dump` did not get a lock within its `--lock-wait-timeout`.
#[must_use]
pub fn stopped_by_a_lock(error: &Error) -> bool {
    let words = [
        "LOCK TABLE",
        "canceling statement due to lock timeout",
        // With --jobs, of a table that its first session has locked.
        "could not obtain lock on relation",
    ];
    let waited = |output: &str| {
        words.iter().any(|words| output.contains(words)) && !output.contains("permission denied")
    };
    matches!(error, Error::ToolFailed { output, .. } if waited(output))
}

/// A tool's failure with the end of what it wrote.
fn failed(tool: &'static str, status: std::process::ExitStatus, stderr: &str) -> Error {
    // Warnings come before it, and their hints are about something else.
    let lines: Vec<_> = stderr.lines().collect();
    let first = lines.iter().position(|line| line.contains("error: ")).unwrap_or_default();
    let lines = lines.get(first..).unwrap_or_default();
    let output = lines[lines.len().saturating_sub(10)..].join("\n  ");
    Error::ToolFailed {
        tool,
        status: status.to_string(),
        output: tsmigrate_analyzer::secrets::in_text(&output),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(major: u32) -> Tools {
        Tools { directory: PathBuf::from("/"), major, version: format!("pg_dump (PostgreSQL) {major}.1") }
    }

    #[test]
    fn what_a_server_says_of_something_dropped_meanwhile_is_known() {
        for said in [
            "pg_dump: error: query failed: ERROR:  could not open relation with OID 17455",
            "cache lookup failed for function 16999",
        ] {
            assert!(gone(said), "{said}");
        }
        assert!(!gone("relation \"public.t\" does not exist"));
    }

    #[test]
    fn a_failure_is_told_from_its_error_on() {
        use std::os::unix::process::ExitStatusExt;

        let said = "pg_dump: warning: there are circular foreign-key constraints on this table:\npg_dump: hint: Consider \
                    using a full dump\npg_dump: error: query failed: FATAL:  terminating connection due to administrator \
                    command\nserver closed the connection unexpectedly\npg_dump: detail: Query was: COMMIT";
        let Error::ToolFailed { output, .. } =
            failed("pg_dump", std::process::ExitStatus::from_raw(256), said)
        else {
            panic!("another error")
        };
        assert!(
            output.starts_with("pg_dump: error: query failed: FATAL:") && output.lines().count() == 3,
            "{output}"
        );
        assert!(cut(said) && !cut("pg_dump: error: aborting because of server version mismatch"));
    }

    #[test]
    fn the_version_is_read_off() {
        assert_eq!(major("pg_dump (PostgreSQL) 17.12 (Debian 17.12-0+deb13u1)"), Some(17));
        assert_eq!(major("pg_dump (PostgreSQL) 18beta1"), Some(18));
    }

    #[test]
    fn a_pair_older_than_the_source_is_never_chosen() {
        let found = [pair(15), pair(16), pair(17), pair(18)];
        let chosen = |source, target| choose(&found, source, target).map(|tools| tools.major);
        assert_eq!(chosen(15, 17), Some(17));
        assert_eq!(chosen(18, 17), Some(18));
        assert_eq!(choose(&found[..1], 17, 17), None);
        assert_eq!(choose(&found[..2], 15, 17).map(|tools| tools.major), Some(16));
    }

    #[test]
    fn a_folder_without_the_tools_is_refused_with_the_file_that_is_missing() {
        use std::os::unix::fs::PermissionsExt;

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let folder = tempfile::tempdir().expect("a folder");
        let find =
            |path: &Path| runtime.block_on(find(Some(path), 17, 17)).map_err(|error| error.to_string());
        let refused = |path: &Path| find(path).expect_err("no pair");
        let at = |name: &str| folder.path().join(name);
        let put = |name: &str, text: &str| {
            std::fs::write(at(name), text).expect("a file");
            std::fs::set_permissions(at(name), std::fs::Permissions::from_mode(0o700)).expect("ours");
        };
        assert!(refused(&at("none")).contains("none does not exist\n"));
        let text = refused(folder.path());
        assert!(
            text.starts_with(&format!("--pg-bin: {} does not exist\n", at("pg_dump").display())),
            "{text}"
        );
        // What helps is on this machine, or is to be installed.
        assert!(text.contains("--pg-bin /") || text.contains("next: install "), "{text}");
        put("pg_dump", "#!/bin/sh\necho pg_dump '(PostgreSQL) 17.4'\n");
        assert!(refused(folder.path()).contains("/pg_dumpall does not exist\n"));
        put("pg_dumpall", "#!/bin/sh\necho no library >&2; exit 127\n");
        assert!(refused(folder.path()).contains("/pg_dumpall does not run: no library\n"));
        assert!(refused(&at("pg_dump")).contains("/pg_dump is no folder\n"));
        put("pg_dumpall", "#!/bin/sh\necho pg_dumpall '(PostgreSQL) 17.4'\n");
        assert_eq!(find(folder.path()).map(|found| found[0].major), Ok(17));
        put("pg_dump", "#!/bin/sh\necho hello\n");
        assert!(refused(folder.path()).contains("/pg_dump is no pg_dump of PostgreSQL"));
    }

    #[test]
    fn an_older_pg_dump_is_named_with_what_helps() {
        let source = "17.12 (Debian 17.12-0+deb13u1)";
        let mut newer = pair(17);
        newer.directory = PathBuf::from("/usr/lib/postgresql/17/bin");
        let error = refusal(&[pair(15)], source, 17, 17, Some(&newer)).to_string();
        assert_eq!(
            error,
            "pg_dump 15.1 is older than the source (17.12)\n  next: name the folder of pg_dump 17.1: \
             --pg-bin /usr/lib/postgresql/17/bin"
        );
        let error = refusal(&[pair(15), pair(16)], source, 17, 18, None).to_string();
        assert!(
            error.starts_with("pg_dump 16.1 is older than the source (17.12)\n  next: install "),
            "{error}"
        );
        assert!(error.contains("18") && error.ends_with("or name its folder with --pg-bin"), "{error}");
        let error = refusal(&[], source, 17, 17, None).to_string();
        assert!(
            error.starts_with("no pg_dump is installed here; the source has PostgreSQL 17.12"),
            "{error}"
        );
    }
}
