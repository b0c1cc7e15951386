//! What is harmed: a migration with a proxy before either server.

use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};
use tsmigrate_tests::proxy::Proxy;

/// Slow enough that there is a middle.
pub(crate) const BASE: [&str; 8] =
    ["--jobs", "3", "--split-larger-than", "1MB", "--max-rate", "8MB", "--lock-timeout", "1s"];

/// As long as anything here may take.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) const JOBS: &str = "SELECT json_agg(j ORDER BY id) FROM _timescaledb_config.bgw_job j";

/// How a run ended.
pub(crate) struct Ended {
    /// None where it was killed.
    pub(crate) code: Option<i32>,
    pub(crate) report: Value,
    pub(crate) all: String,
}

impl Ended {
    pub(crate) fn error(&self) -> String {
        format!("{} {} {}", self.report["error"], self.report["blockers"], self.report["next"])
    }
}

/// A stage with a filled source, and a proxy before either end.
pub(crate) struct Theatre {
    pub(crate) source: Proxy,
    pub(crate) target: Proxy,
    pub(crate) source_uri: String,
    pub(crate) target_uri: String,
    pub(crate) jobs: String,
    // Last, so that the proxies end before the servers.
    pub(crate) stage: Stage,
}

impl Theatre {
    pub(crate) fn open(test: &str) -> Result<Option<Self>, Box<dyn Error>> {
        Self::between(test, Server::Source17, Server::Target17)
    }

    pub(crate) fn between(
        test: &str,
        source: Server,
        target: Server,
    ) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(stage) = Stage::new(test, source, target)? else { return Ok(None) };
        stage.fixture("faults.sql")?;
        // What autovacuum writes would be a change of the source.
        stage.sql(&stage.source, "ALTER SYSTEM SET autovacuum = off")?;
        stage.sql(&stage.source, "SELECT pg_reload_conf()")?;
        let (source, source_uri) = Proxy::start(&stage.source)?;
        let (target, target_uri) = Proxy::start(&stage.target)?;
        let jobs = stage.sql(&stage.source, JOBS)?;
        Ok(Some(Self { source, target, source_uri, target_uri, jobs, stage }))
    }

    /// Puts the target a round trip of 20 ms away, so that more is under way when it is cut; or near again.
    pub(crate) fn far(&self, far: bool) {
        self.target.delay(Duration::from_millis(if far { 10 } else { 0 }));
    }

    pub(crate) fn out(&self, name: &str) -> PathBuf {
        self.stage.lab.folder().join(name)
    }

    pub(crate) fn spawn(&self, arguments: &[&str]) -> Result<Child, Box<dyn Error>> {
        let temporary = self.out("tmp");
        fs::create_dir_all(&temporary)?;
        let mut command = self.stage.command(&[])?;
        command
            .args(BASE)
            .args(arguments)
            .env("SOURCE", &self.source_uri)
            .env("TARGET", &self.target_uri)
            .env("TMPDIR", temporary)
            .stdout(File::create(self.out("stdout"))?)
            .stderr(File::create(self.out("stderr"))?);
        Ok(command.spawn()?)
    }

    pub(crate) fn wait(&self, child: Child) -> Result<Ended, Box<dyn Error>> {
        let mut child = child;
        let begun = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if begun.elapsed() > LONG {
                child.kill()?;
                child.wait()?;
                return Err(format!("it hangs: {}", fs::read_to_string(self.out("stderr"))?).into());
            }
            thread::sleep(Duration::from_millis(5));
        };
        let stdout = fs::read_to_string(self.out("stdout"))?;
        let stderr = fs::read_to_string(self.out("stderr"))?;
        Ok(Ended {
            code: status.code(),
            report: serde_json::from_str(&stdout).unwrap_or_default(),
            all: format!("{stderr}{stdout}"),
        })
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Result<Ended, Box<dyn Error>> {
        self.wait(self.spawn(arguments)?)
    }

    pub(crate) fn journal(&self) -> String {
        fs::read_to_string(self.stage.work.join("journal.jsonl")).unwrap_or_default()
    }

    /// Waits until `ready`; false where the run ended before.
    pub(crate) fn until(
        &self,
        child: &mut Child,
        mut ready: impl FnMut() -> Result<bool, Box<dyn Error>>,
    ) -> Result<bool, Box<dyn Error>> {
        let begun = Instant::now();
        while !ready()? {
            if child.try_wait()?.is_some() {
                return Ok(false);
            }
            if begun.elapsed() > LONG {
                return Err(format!("nothing happens: {}", fs::read_to_string(self.out("stderr"))?).into());
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(true)
    }

    /// Starts a run and waits until it is in the middle of the rows.
    pub(crate) fn in_the_rows(&self, arguments: &[&str]) -> Result<Child, Box<dyn Error>> {
        let mut child = self.spawn(arguments)?;
        let there = self.until(&mut child, || Ok(self.journal().contains("\"data/")))?;
        if there { Ok(child) } else { Err(self.wait(child)?.all.into()) }
    }

    /// Goes on until it is done: at once, unless the source's snapshot matters.
    pub(crate) fn finish(&self) -> Result<Ended, Box<dyn Error>> {
        let mut arguments = vec!["--verify", "none", "--resume"];
        for _ in 0..3 {
            let ended = self.run(&arguments)?;
            let error = ended.error();
            if ended.code == Some(0) {
                return Ok(ended);
            } else if error.contains("there is no run to go on with") {
                arguments.retain(|argument| *argument != "--resume");
            } else if error.contains("--resume --new-snapshot") && !arguments.contains(&"--new-snapshot") {
                arguments.push("--new-snapshot");
            } else {
                return Err(format!("{arguments:?}: {}", ended.all).into());
            }
        }
        Err("it never ends".into())
    }

    /// The target equals the source, and nothing is left.
    pub(crate) fn check(&self, what: &str) -> Outcome {
        assert_eq!(self.stage.differences(&[])?, Vec::<String>::new(), "{what}");
        assert_eq!(self.stage.sql(&self.stage.source, JOBS)?, self.jobs, "{what}: jobs of the source");
        let begun = Instant::now();
        // A server needs a moment to see that a client is gone.
        while !self.stage.left_behind()?.is_empty() && begun.elapsed() < Duration::from_secs(5) {
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(self.stage.left_behind()?, Vec::<String>::new(), "{what}");
        let temporary: Vec<_> = fs::read_dir(self.out("tmp"))?.flatten().map(|entry| entry.path()).collect();
        assert_eq!(temporary, Vec::<PathBuf>::new(), "{what}: temporary files");
        Ok(())
    }

    /// Finishes, checks, and makes room for the next.
    pub(crate) fn recover(&self, what: &str) -> Outcome {
        self.finish().map_err(|error| format!("{what}: {error}"))?;
        self.check(what)?;
        self.stage.empty_target()
    }

    /// Ends where a run was not to be harmed, checks, and makes room for the next.
    pub(crate) fn survives(&self, what: &str, child: Child) -> Outcome {
        let ended = self.wait(child)?;
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.all);
        self.check(what)?;
        self.stage.empty_target()
    }

    /// Ends where a run may have been stopped or not, finishes it, checks, and makes room for the next.
    pub(crate) fn recovers(&self, what: &str, child: Child) -> Outcome {
        if self.wait(child)?.code != Some(0) {
            return self.recover(what);
        }
        self.check(what)?;
        self.stage.empty_target()
    }

    pub(crate) fn admin(&self, sql: &str) -> Result<String, Box<dyn Error>> {
        self.stage.sql(&self.stage.admin, sql)
    }
}

pub(crate) fn long() -> bool {
    std::env::var("TSMIGRATE_FAULTS").is_ok_and(|wish| wish == "long")
}
