//! Dumps of a source, for `tsmigrate restore`.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::lab::Server;
use crate::migration::{Stage, told};
use crate::program;

/// Rows enough that a process can be killed while they go over.
pub const MANY_ROWS: &str = "
CREATE SCHEMA many;
DO $$ BEGIN
  FOR n IN 1..12 LOOP
    EXECUTE format('CREATE TABLE many.t%s AS SELECT i AS id, md5(i::text) AS a, repeat(''x'', 200) AS b, now() + i * interval ''1 h'' AS at, decode(md5(i::text), ''hex'') AS raw FROM generate_series(1, 20000) i', n);
    EXECUTE format('ALTER TABLE many.t%s ADD PRIMARY KEY (id)', n);
  END LOOP;
END $$;";

/// A stage with dumps of its source.
#[derive(Debug)]
pub struct Dumps {
    /// The servers.
    pub stage: Stage,
    folder: tempfile::TempDir,
}

impl Dumps {
    /// Dumps the roles of a source that was filled with a fixture, or says that `test` is skipped.
    ///
    /// # Errors
    /// Where the lab can run here and fails.
    pub fn new(test: &str, source: Server, fixture: &str) -> Result<Option<Self>, Box<dyn Error>> {
        let target = if source == Server::Source18 { Server::Target18 } else { Server::Target17 };
        let Some(stage) = Stage::new(test, source, target)? else { return Ok(None) };
        stage.fixture(fixture)?;
        Self::of(stage).map(Some)
    }

    /// Dumps the roles of a stage.
    ///
    /// # Errors
    /// What `pg_dumpall` said where it failed.
    pub fn of(stage: Stage) -> Result<Self, Box<dyn Error>> {
        let dumps = Self { stage, folder: tempfile::tempdir()? };
        dumps.run("pg_dumpall", &["--roles-only"], "roles.sql")?;
        Ok(dumps)
    }

    /// A file beside the dumps.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a program of the source's version, with its output in a file or a directory.
    ///
    /// # Errors
    /// What it said where it failed.
    pub fn run(&self, tool: &str, arguments: &[&str], name: &str) -> Result<PathBuf, Box<dyn Error>> {
        let path = self.path(name);
        let programs = self.stage.lab.programs_of(self.stage.source_server)?;
        let output = Command::new(programs.join(tool))
            .args(arguments)
            .args(["-d", &self.stage.source, "-f"])
            .arg(&path)
            // Values look as the session that dumps them is set.
            .env("PGTZ", "Asia/Kolkata")
            .env("PGOPTIONS", "-c bytea_output=escape")
            .output()?;
        if output.status.success() {
            return Ok(path);
        }
        Err(format!("{tool} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
    }

    /// What `pg_dump` writes.
    ///
    /// # Errors
    /// What it said where it failed.
    pub fn dump(&self, arguments: &[&str], name: &str) -> Result<PathBuf, Box<dyn Error>> {
        self.run("pg_dump", arguments, name)
    }

    /// The program, told to restore an archive.
    #[must_use]
    pub fn command(&self, archive: &Path, arguments: &[&str]) -> Command {
        let mut command = self.command_of(&[archive], arguments);
        command.arg("--roles").arg(self.path("roles.sql"));
        command
    }

    /// The program, told to restore these files.
    #[must_use]
    pub fn command_of(&self, files: &[&Path], arguments: &[&str]) -> Command {
        let mut command = Command::new(program::path());
        command
            .args(["restore", "--format", "json", "--work-dir"])
            .arg(&self.stage.work)
            .args(files)
            .args(arguments)
            .env_remove("SOURCE")
            .env("TARGET", &self.stage.target)
            .stdin(Stdio::null());
        command
    }

    /// Restores table by table, and kills the program once the target has so many steps. True where it was still at work.
    ///
    /// # Errors
    /// Where it cannot be started, or the target does not answer.
    pub fn kill_restore(&self, dump: &Path, steps: u32) -> Result<bool, Box<dyn Error>> {
        let mut command = self.command(dump, &["--jobs", "1"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        while child.try_wait()?.is_none() && self.stage.steps_done()? < steps {}
        let is_at_work = child.try_wait()?.is_none();
        child.kill()?;
        child.wait()?;
        Ok(is_at_work)
    }

    /// Runs the program: its exit status, its report, and all it wrote.
    ///
    /// # Errors
    /// Where it wrote no report.
    pub fn restore(
        &self,
        archive: &Path,
        arguments: &[&str],
    ) -> Result<(i32, Value, String), Box<dyn Error>> {
        told(&self.command(archive, arguments).output()?)
    }

    /// What `tsmigrate verify` says of source and target: its exit status, and all it wrote.
    ///
    /// # Errors
    /// Where it cannot be started.
    pub fn verify(&self) -> Result<(i32, String), Box<dyn Error>> {
        let output = Command::new(program::path())
            .args(["verify", "--format", "json"])
            .env("SOURCE", &self.stage.source)
            .env("TARGET", &self.stage.target)
            .output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok((output.status.code().ok_or("killed")?, String::from_utf8_lossy(&said).into_owned()))
    }
}

/// The checks of what stood in the way.
#[must_use]
pub fn checks(report: &Value) -> Vec<&str> {
    let blockers = report["blockers"].as_array().into_iter().flatten();
    blockers.filter_map(|blocker| blocker["check"].as_str()).collect()
}

/// The files of a directory archive with rows, the largest first.
///
/// # Errors
/// Where it cannot be read.
pub fn data_files(archive: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for file in fs::read_dir(archive)? {
        let path = file?.path();
        if !path.ends_with("toc.dat") {
            files.push((path.metadata()?.len(), path));
        }
    }
    files.sort();
    Ok(files.into_iter().rev().map(|(_, path)| path).collect())
}
