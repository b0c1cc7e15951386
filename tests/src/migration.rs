//! What the tests of migrations share: a source with a database `shop`, a target, and the program between them.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::lab::{Lab, Server};
use crate::program;

/// What a test ends with.
pub type Outcome = Result<(), Box<dyn Error>>;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/migrate");

/// A lab with a source database `shop` and an empty target.
#[derive(Debug)]
pub struct Stage {
    /// The servers.
    pub lab: Lab,
    /// The database to read, as superuser.
    pub source: String,
    /// The database to write, as `tsdbadmin`.
    pub target: String,
    /// The same as superuser, for tests alone.
    pub admin: String,
    /// Which server the source is.
    pub source_server: Server,
    /// Which server the target is.
    pub target_server: Server,
    /// The work directory that every run is told to use; it goes with the lab.
    pub work: PathBuf,
    /// The folder with the `pg_dump` that the program is told to use: 17's, or that of a newer source.
    pub programs: PathBuf,
}

impl Stage {
    /// Starts both servers and makes the database, or says that `test` is skipped.
    ///
    /// # Errors
    /// Where the lab can run here and fails.
    pub fn new(test: &str, source: Server, target: Server) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(lab) = Lab::start_or_skip(test, &[source, target])? else { return Ok(None) };
        let stage = Self::of(lab, source, target)?;
        stage.sql(stage.lab.uri(source)?, "CREATE DATABASE shop")?;
        Ok(Some(stage))
    }

    /// Two servers of a lab that runs; the database is not created.
    ///
    /// # Errors
    /// Where the lab does not have them.
    pub fn of(lab: Lab, source: Server, target: Server) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            source: database(lab.uri(source)?, "shop"),
            target: lab.uri(target)?.to_owned(),
            admin: lab.admin_uri(target)?.to_owned(),
            source_server: source,
            target_server: target,
            work: lab.folder().join("work"),
            programs: match source {
                Server::Source18 => lab.programs_of(source)?,
                _ => lab.programs()?,
            }
            .to_owned(),
            lab,
        })
    }

    /// Runs psql with `arguments` and gives what it printed.
    ///
    /// # Errors
    /// What psql said where it failed.
    pub fn psql(&self, uri: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
        let output = Command::new(self.lab.programs()?.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri])
            .args(arguments)
            .stdin(Stdio::null())
            .output()?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    /// psql for one server, to be started beside others.
    ///
    /// # Errors
    /// Where the lab has no programs.
    pub fn psql_command(&self, uri: &str) -> Result<Command, Box<dyn Error>> {
        let mut command = Command::new(self.lab.programs()?.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri]);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(command)
    }

    /// What the server answers to one statement.
    ///
    /// # Errors
    /// What the server said where it refused.
    pub fn sql(&self, uri: &str, sql: &str) -> Result<String, Box<dyn Error>> {
        self.psql(uri, &["-c", sql])
    }

    /// Loads a file of `fixtures/migrate` into the source.
    ///
    /// # Errors
    /// What the server said where it refused.
    pub fn fixture(&self, name: &str) -> Outcome {
        let text = fs::read_to_string(Path::new(FIXTURES).join(name))?;
        self.sql_text(&text)
    }

    /// Several statements for the source, through standard input: the client may live in a root folder of its own.
    ///
    /// # Errors
    /// What the server said where it refused.
    pub fn sql_text(&self, text: &str) -> Outcome {
        self.script(&self.source, text).map(drop)
    }

    /// The target's TimescaleDB is the full edition, with compression, continuous aggregates and jobs.
    ///
    /// # Errors
    /// What the server said where it refused.
    pub fn is_full_edition(&self) -> Result<bool, Box<dyn Error>> {
        let license = "SELECT setting FROM pg_settings WHERE name = 'timescaledb.license'";
        Ok(self.sql(&self.target, license)? == "timescale")
    }

    /// Several statements for the target, as superuser.
    ///
    /// # Errors
    /// What the server said where it refused.
    pub fn sql_on_target(&self, text: &str) -> Outcome {
        self.script(&self.admin, text).map(drop)
    }

    /// The same for any server, and what it answered.
    ///
    /// # Errors
    /// What the server said where it refused.
    pub fn script(&self, uri: &str, text: &str) -> Result<String, Box<dyn Error>> {
        let mut command = Command::new(self.lab.programs()?.join("psql"));
        command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri, "-f", "-"]);
        let output = program::run_with(&mut command, text.as_bytes())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
        }
    }

    /// The program, told to migrate, with its report as JSON.
    ///
    /// # Errors
    /// Where the lab has no programs.
    pub fn command(&self, arguments: &[&str]) -> Result<Command, Box<dyn Error>> {
        let mut command = Command::new(program::path());
        command
            .args(["migrate", "--format", "json", "--pg-bin"])
            .arg(&self.programs)
            .arg("--work-dir")
            .arg(&self.work)
            .args(arguments)
            .env("SOURCE", &self.source)
            .env("TARGET", &self.target)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Ok(command)
    }

    /// Runs the program: its exit status, its report, and all it wrote.
    ///
    /// # Errors
    /// Where it wrote no report.
    pub fn migrate(&self, arguments: &[&str]) -> Result<(i32, Value, String), Box<dyn Error>> {
        told(&self.command(arguments)?.output()?)
    }

    /// Relations and schemas of the target that a migration would have made.
    ///
    /// # Errors
    /// Where the target does not answer.
    pub fn target_objects(&self) -> Result<String, Box<dyn Error>> {
        self.sql(
            &self.admin,
            "SELECT (SELECT count(*) FROM pg_class WHERE relowner <> 10) + (SELECT count(*) FROM pg_namespace \
             WHERE nspowner <> 10 AND nspname <> 'public') || ' objects, ' || (SELECT count(*) FROM pg_roles \
             WHERE rolname !~ '^(pg_|tsdb)' AND oid <> 10) || ' roles'",
        )
    }

    /// Every trace of restoring mode on the target; `0 off` where there is none.
    ///
    /// # Errors
    /// Where the target does not answer.
    pub fn restoring(&self) -> Result<String, Box<dyn Error>> {
        self.sql(
            &self.admin,
            "SELECT concat_ws(' ', (SELECT count(*) FROM pg_db_role_setting, unnest(setconfig) c \
             WHERE c = 'timescaledb.restoring=on'), current_setting('timescaledb.restoring', true))",
        )
    }

    /// Puts the target back to how it was at the start, and forgets earlier runs.
    ///
    /// # Errors
    /// Where the lab cannot.
    pub fn empty_target(&self) -> Outcome {
        self.lab.reset(self.target_server)?;
        if self.work.exists() {
            fs::remove_dir_all(&self.work)?;
        }
        Ok(())
    }

    /// `tsmigrate cleanup`: its exit status and all it wrote.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn cleanup(&self, arguments: &[&str]) -> Result<(i32, String), Box<dyn Error>> {
        let output = Command::new(program::path())
            .args(["cleanup", "--work-dir"])
            .arg(&self.work)
            .args(arguments)
            .env("SOURCE", &self.source)
            .env("TARGET", &self.target)
            .stdin(Stdio::null())
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code().ok_or("killed")?, String::from_utf8_lossy(&said).into_owned()))
    }

    /// `tsmigrate verify` with what the run has announced: its exit status and what it printed.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn verify_known(&self) -> Result<(Option<i32>, String), Box<dyn Error>> {
        let output = Command::new(program::path())
            .args(["verify", "--work-dir"])
            .arg(&self.work)
            .env("SOURCE", &self.source)
            .env("TARGET", &self.target)
            .stdin(Stdio::null())
            .output()?;
        Ok((output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
    }

    /// What a database holds, a line for each thing; asked of the server directly, as superuser.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub fn digest(&self, uri: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let script = fs::read_to_string(Path::new(FIXTURES).join("digest.sql"))?;
        Ok(self.script(uri, &script)?.lines().map(str::to_owned).collect())
    }

    /// Where source and target differ: `- ` what only the source has, `+ ` what only the target has. Lines that hold
    /// one of `but` are left out.
    ///
    /// # Errors
    /// Where a server does not answer.
    pub fn differences(&self, but: &[&str]) -> Result<Vec<String>, Box<dyn Error>> {
        let (source, target) = (self.digest(&self.source)?, self.digest(&self.admin)?);
        if source.len() < 2 {
            return Err("the source's digest is empty".into());
        }
        let only = |sign: char, these: &[String], others: &[String]| {
            let others: BTreeSet<&String> = others.iter().collect();
            let found = these.iter().filter(|line| !others.contains(line));
            let found = found.filter(|line| !but.iter().any(|part| line.contains(part)));
            found.map(|line| format!("{sign} {line}")).collect::<Vec<_>>()
        };
        let mut found = only('-', &source, &target);
        found.extend(only('+', &target, &source));
        Ok(found)
    }

    /// How many steps a run has marked as done on the target.
    ///
    /// # Errors
    /// Where it does not answer.
    pub fn steps_done(&self) -> Result<u32, Box<dyn Error>> {
        let count = "SELECT CASE WHEN to_regclass('_tsmigrate.done') IS NULL THEN 0 ELSE (xpath('/row/c/text()', \
                     query_to_xml('SELECT count(*) AS c FROM _tsmigrate.done', false, true, '')))[1]::text::int END";
        Ok(self.sql(&self.admin, count)?.parse()?)
    }

    /// What runs have left behind on either end or on the disk; empty where all is in order.
    ///
    /// # Errors
    /// Where a server does not answer.
    pub fn left_behind(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let mut left = Vec::new();
        let mut look = |uri: &str, what: &str, sql: &str| -> Outcome {
            let is_none = |found: &str| found.is_empty() || found == "0";
            let mut found = self.sql(uri, sql)?;
            // A busy server takes a moment to see that a program has gone.
            for _ in 0..100 {
                if is_none(&found) {
                    return Ok(());
                }
                std::thread::sleep(std::time::Duration::from_millis(100));
                found = self.sql(uri, sql)?;
            }
            left.push(format!("{what}: {found}"));
            Ok(())
        };
        for uri in [&self.source, &self.admin] {
            look(
                uri,
                "sessions",
                "SELECT string_agg(concat_ws(' ', application_name, state, query), '; ') FROM pg_stat_activity \
                 WHERE application_name ~ '^(tsmigrate|pg_dump)'",
            )?;
            look(uri, "replication slots", "SELECT count(*) FROM pg_replication_slots")?;
            look(uri, "prepared transactions", "SELECT count(*) FROM pg_prepared_xacts")?;
        }
        look(&self.admin, "schema", "SELECT nspname FROM pg_namespace WHERE nspname = '_tsmigrate'")?;
        if self.restoring()? != "0 off" {
            left.push(format!("restoring mode: {}", self.restoring()?));
        }
        Ok(left)
    }
}

/// The exit status of a program that has ended, its report, and all it wrote.
///
/// # Errors
/// Where it wrote no report or was killed.
pub fn told(output: &Output) -> Result<(i32, Value, String), Box<dyn Error>> {
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report = serde_json::from_str(&stdout).map_err(|error| format!("{error}: {stdout}{stderr}"))?;
    Ok((output.status.code().ok_or("killed")?, report, format!("{stdout}{stderr}")))
}

/// `uri` with another database.
#[must_use]
pub fn database(uri: &str, name: &str) -> String {
    let (rest, query) =
        uri.split_once('?').map_or((uri, String::new()), |(rest, query)| (rest, format!("?{query}")));
    let server = rest.rsplit_once('/').map_or(rest, |(server, _)| server);
    format!("{server}/{name}{query}")
}
