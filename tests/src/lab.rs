//! Servers that live as long as a value: [`Lab::start`] brings them up, dropping the [`Lab`] takes them down.
//!
//! The work is done by the script `tests/lab`, whose head says what the servers are. It watches this process, so that
//! nothing stays behind when a test run is killed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, process, thread};

/// One server of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// PostgreSQL 15 without TimescaleDB, as superuser.
    Source15,
    /// PostgreSQL 17 with TimescaleDB installed (not yet created in a database), as superuser.
    Source17,
    /// PostgreSQL 18 with TimescaleDB installed (not yet created in a database), as superuser.
    Source18,
    /// PostgreSQL 15, locked down like the service, without TimescaleDB.
    Target15,
    /// PostgreSQL 17 with TimescaleDB, locked down like the service.
    Target17,
    /// PostgreSQL 18 with TimescaleDB, locked down like the service.
    Target18,
}

impl Server {
    /// The script's option that asks for this server.
    fn flag(self) -> &'static str {
        match self {
            Self::Source15 => "--source15",
            Self::Source17 => "--source17",
            Self::Source18 => "--source18",
            Self::Target15 => "--target15",
            Self::Target17 => "--target17",
            Self::Target18 => "--target18",
        }
    }

    /// The script's name for this server's URI.
    fn key(self) -> &'static str {
        match self {
            Self::Source15 => "SOURCE15",
            Self::Source17 => "SOURCE17",
            Self::Source18 => "SOURCE18",
            Self::Target15 => "TARGET15",
            Self::Target17 => "TARGET",
            Self::Target18 => "TARGET18",
        }
    }
}

/// Why the lab could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// The script could not be started or listened to.
    #[error("tests/lab could not be run")]
    Run(#[from] io::Error),
    /// The script failed.
    #[error("tests/lab {verb} failed:\n{said}")]
    Script {
        /// What it was asked.
        verb: &'static str,
        /// What it said.
        said: String,
    },
    /// The lab cannot run here, and `TSMIGRATE_LAB=required` forbids to skip.
    #[error("{test} may not be skipped (TSMIGRATE_LAB=required): {reason}")]
    Required {
        /// The test that asked.
        test: String,
        /// Why the lab cannot run.
        reason: String,
    },
    /// The script did not report something that was asked for.
    #[error("the lab has no {0}: it was not started, or it is a server from outside")]
    Missing(String),
}

/// Running servers, and the folder they were started from.
#[derive(Debug)]
pub struct Lab {
    folder: PathBuf,
    keys: BTreeMap<String, String>,
}

impl Lab {
    /// Starts these servers. The first start on a machine takes about a minute, later ones about half a second.
    ///
    /// # Errors
    /// When the script fails; the error holds what it said.
    pub fn start(servers: &[Server]) -> Result<Self, LabError> {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = env::temp_dir().join(format!("tsmigrate-lab.{}.{number}", process::id()));
        // Of a process that had this number before and could not clean up; the script refuses to reuse a folder.
        if folder.exists() {
            script("down", [folder.as_os_str()])?;
        }
        let watched = process::id().to_string();
        let mut arguments = vec![folder.as_os_str(), OsStr::new("--watch"), OsStr::new(&watched)];
        arguments.extend(servers.iter().map(|server| OsStr::new(server.flag())));
        let said = script("up", arguments)?;
        let keys = said
            .lines()
            .filter_map(|line| line.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        Ok(Self { folder, keys })
    }

    /// Starts these servers, or says `skipped: TEST: REASON` and gives `None` where the lab cannot run.
    ///
    /// With `TSMIGRATE_LAB=required` in the environment nothing is skipped.
    ///
    /// # Errors
    /// When the lab can run here and still fails, or when it cannot and skipping is forbidden.
    pub fn start_or_skip(test: &str, servers: &[Server]) -> Result<Option<Self>, LabError> {
        let Some(reason) = Self::skip_reason(servers)? else {
            return Self::start(servers).map(Some);
        };
        if env::var_os("TSMIGRATE_LAB").is_some_and(|wish| wish == "required") {
            return Err(LabError::Required { test: test.to_owned(), reason });
        }
        skipped(test, &reason);
        Ok(None)
    }

    /// Why these servers cannot be had on this machine; `None` when they can.
    ///
    /// # Errors
    /// When the script cannot be asked.
    pub fn skip_reason(servers: &[Server]) -> Result<Option<String>, LabError> {
        let output = Command::new(SCRIPT)
            .arg("check")
            .args(servers.iter().map(|server| server.flag()))
            .stdin(Stdio::null())
            .output()?;
        match output.status.code() {
            Some(0) => Ok(None),
            Some(3) => Ok(Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())),
            _ => Err(LabError::Script {
                verb: "check",
                said: String::from_utf8_lossy(&output.stderr).into_owned(),
            }),
        }
    }

    /// Where this server is: as superuser for a source, as `tsdbadmin` for a target.
    ///
    /// # Errors
    /// When this server was not started.
    pub fn uri(&self, server: Server) -> Result<&str, LabError> {
        self.value(server.key())
    }

    /// The same target as superuser. For tests to look behind the curtain; the program under test never gets it.
    ///
    /// # Errors
    /// When this server was not started, is a source, or is a server from outside.
    pub fn admin_uri(&self, target: Server) -> Result<&str, LabError> {
        self.value(&format!("{}_ADMIN", target.key()))
    }

    /// The folder with `pg_dump`, `pg_dumpall`, `pg_restore` and `psql` of version 17.
    ///
    /// # Errors
    /// Never for a lab that started.
    pub fn programs(&self) -> Result<&Path, LabError> {
        self.value("PG_BIN").map(Path::new)
    }

    /// The same of this server's version.
    ///
    /// # Errors
    /// When no server of that version was started.
    pub fn programs_of(&self, server: Server) -> Result<&Path, LabError> {
        let key = match server {
            Server::Source15 | Server::Target15 => "PG15_BIN",
            Server::Source17 | Server::Target17 => "PG_BIN",
            Server::Source18 | Server::Target18 => "PG18_BIN",
        };
        self.value(key).map(Path::new)
    }

    /// The lab's folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Everything the script said, by its names.
    #[must_use]
    pub fn keys(&self) -> &BTreeMap<String, String> {
        &self.keys
    }

    /// Puts a server back to how it was at the start, in about half a second. Its sessions are cut.
    ///
    /// # Errors
    /// When the script fails, or when a server from outside has no `TSMIGRATE_LAB_RESET`.
    pub fn reset(&self, server: Server) -> Result<(), LabError> {
        script("reset", [self.folder.as_os_str(), OsStr::new(server.key())]).map(drop)
    }

    /// Stops a server in this mode of `pg_ctl` (`fast`, `immediate`) and starts it again on the same port.
    ///
    /// # Errors
    /// When the script fails.
    pub fn restart(&self, server: Server, mode: &str) -> Result<(), LabError> {
        let arguments = [self.folder.as_os_str(), OsStr::new(server.key()), OsStr::new(mode)];
        script("restart", arguments).map(drop)
    }

    /// The folder of a server: its data, its log, its socket. It is gone with the lab.
    ///
    /// # Errors
    /// When this server was not started here.
    pub fn home(&self, server: Server) -> Result<PathBuf, LabError> {
        let link = self.folder.join(server.flag().trim_start_matches('-'));
        fs::read_link(link).map_err(|_| LabError::Missing(server.key().to_owned()))
    }

    /// Takes the lab down now, and says whether that worked, which dropping it cannot.
    ///
    /// # Errors
    /// When the script fails.
    pub fn down(self) -> Result<(), LabError> {
        script("down", [self.folder.as_os_str()]).map(drop)
    }

    fn value(&self, key: &str) -> Result<&str, LabError> {
        self.keys.get(key).map(String::as_str).ok_or_else(|| LabError::Missing(key.to_owned()))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // After `down` there is nothing left to do.
        if !self.folder.exists() {
            return;
        }
        if let Err(error) = script("down", [self.folder.as_os_str()]) {
            tell(&format!("{}: {error}", self.folder.display()));
        }
    }
}

/// Says that a test was skipped, where it is seen: the test harness swallows what a passing test prints.
pub fn skipped(test: &str, reason: &str) {
    tell(&format!("skipped: {test}: {reason}"));
}

/// Processes that work in the folder of one of a lab's servers, found by asking the kernel.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn processes_below(folder: &Path) -> io::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Processes come and go while we look.
        if fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder)) {
            found.push(number);
        }
    }
    Ok(found)
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/lab");

/// Runs a verb of the script and gives what it printed. What it says while one waits is passed on at once.
fn script<'a>(
    verb: &'static str,
    arguments: impl IntoIterator<Item = &'a OsStr>,
) -> Result<String, LabError> {
    let mut child = Command::new(SCRIPT)
        .arg(verb)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let listener = child.stderr.take().map(|stderr| {
        thread::spawn(move || {
            let mut said = String::new();
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                tell(&line);
                said.push_str(&line);
                said.push('\n');
            }
            said
        })
    });
    let output = child.wait_with_output()?;
    let said = listener.and_then(|listener| listener.join().ok()).unwrap_or_default();
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(LabError::Script { verb, said })
    }
}

fn tell(line: &str) {
    // Nobody is left to hear it if this fails.
    let _ = writeln!(io::stderr(), "{line}");
}
