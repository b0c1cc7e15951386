//! Whatever stops a migration: killed, cut off, restarted, refused, full. It goes on with `--resume`, arrives complete,
//! and leaves nothing behind.
//!
//! By default a short choice runs. `TSMIGRATE_FAULTS=long` stops the process at every line of its journal and at a
//! hundred random moments; `TSMIGRATE_SEED=N` repeats the moments of a run that printed N. Figures are on standard error.

use std::error::Error;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tsmigrate_tests::lab::{Server, skipped};
use tsmigrate_tests::migration::{Outcome, Stage};
use tsmigrate_tests::proxy::Proxy;

/// Slow enough that there is a middle.
const BASE: [&str; 8] =
    ["--jobs", "3", "--split-larger-than", "1MB", "--max-rate", "8MB", "--lock-timeout", "1s"];

/// As long as anything here may take.
const LONG: Duration = Duration::from_secs(120);

fn long() -> bool {
    std::env::var("TSMIGRATE_FAULTS").is_ok_and(|wish| wish == "long")
}

#[expect(clippy::print_stderr, reason = "the figures of a long run")]
fn say(line: &str) {
    eprintln!("faults: {line}");
}

/// A stage with a filled source, and a proxy before either end.
struct Theatre {
    source: Proxy,
    target: Proxy,
    source_uri: String,
    target_uri: String,
    jobs: String,
    // Last, so that the proxies end before the servers.
    stage: Stage,
}

/// How a run ended.
struct Ended {
    /// None where it was killed.
    code: Option<i32>,
    report: Value,
    all: String,
}

impl Ended {
    fn error(&self) -> String {
        format!("{} {} {}", self.report["error"], self.report["blockers"], self.report["next"])
    }
}

impl Theatre {
    fn open(test: &str) -> Result<Option<Self>, Box<dyn Error>> {
        Self::between(test, Server::Source17, Server::Target17)
    }

    fn between(test: &str, source: Server, target: Server) -> Result<Option<Self>, Box<dyn Error>> {
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

    fn out(&self, name: &str) -> PathBuf {
        self.stage.lab.folder().join(name)
    }

    fn spawn(&self, arguments: &[&str]) -> Result<Child, Box<dyn Error>> {
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

    fn wait(&self, child: Child) -> Result<Ended, Box<dyn Error>> {
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

    fn run(&self, arguments: &[&str]) -> Result<Ended, Box<dyn Error>> {
        self.wait(self.spawn(arguments)?)
    }

    fn journal(&self) -> String {
        fs::read_to_string(self.stage.work.join("journal.jsonl")).unwrap_or_default()
    }

    /// Waits until `ready`; false where the run ended before.
    fn until(
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
    fn in_the_rows(&self, arguments: &[&str]) -> Result<Child, Box<dyn Error>> {
        let mut child = self.spawn(arguments)?;
        let there = self.until(&mut child, || Ok(self.journal().contains("\"data/")))?;
        if there { Ok(child) } else { Err(self.wait(child)?.all.into()) }
    }

    /// Goes on until it is done: at once, unless the source's snapshot matters.
    fn finish(&self) -> Result<Ended, Box<dyn Error>> {
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
    fn check(&self, what: &str) -> Outcome {
        assert_eq!(self.stage.differences(&HYPERTABLES)?, Vec::<String>::new(), "{what}");
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
    fn recover(&self, what: &str) -> Outcome {
        self.finish().map_err(|error| format!("{what}: {error}"))?;
        self.check(what)?;
        self.stage.empty_target()
    }

    /// Ends where a run was not to be harmed, checks, and makes room for the next.
    fn survives(&self, what: &str, child: Child) -> Outcome {
        let ended = self.wait(child)?;
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.all);
        self.check(what)?;
        self.stage.empty_target()
    }

    /// Ends where a run may have been stopped or not, finishes it, checks, and makes room for the next.
    fn recovers(&self, what: &str, child: Child) -> Outcome {
        if self.wait(child)?.code != Some(0) {
            return self.recover(what);
        }
        self.check(what)?;
        self.stage.empty_target()
    }

    fn admin(&self, sql: &str) -> Result<String, Box<dyn Error>> {
        self.stage.sql(&self.stage.admin, sql)
    }
}

const JOBS: &str = "SELECT json_agg(j ORDER BY id) FROM _timescaledb_config.bgw_job j";

/// Hypertables stay the administrator's, and the program says so.
const HYPERTABLES: [&str; 4] = [
    "[\"index\", \"shop.metrics",
    "[\"relation\", \"shop.metrics",
    "[\"type\", \"shop.metrics",
    "\"index\", \"_timescaledb",
];

#[test]
fn killed_at_every_step_of_its_journal() -> Outcome {
    let Some(theatre) = Theatre::open("killed_at_every_step_of_its_journal")? else { return Ok(()) };
    let begun = Instant::now();
    theatre.survives("undisturbed", theatre.spawn(&["--verify", "none"])?)?;
    let whole = begun.elapsed();
    theatre.wait(theatre.spawn(&["--verify", "none"])?)?;
    let all = theatre.journal().lines().count();
    theatre.stage.empty_target()?;
    assert!(all > 20, "{all} lines of journal");
    let step = if long() { 1 } else { all.div_ceil(4) };
    let mut killed = 0;
    for line in (1..all).step_by(step) {
        let mut child = theatre.spawn(&["--verify", "none"])?;
        if theatre.until(&mut child, || Ok(theatre.journal().lines().count() >= line))? {
            child.kill()?;
            killed += 1;
        }
        let ended = theatre.wait(child)?;
        let journal = theatre.journal();
        if ended.code.is_none() && journal.contains("\"snapshot\"") {
            // Without --resume it says what is open, and does nothing.
            let ended = theatre.run(&["--verify", "none"])?;
            assert_eq!(ended.code, Some(2), "{}", ended.all);
            assert!(ended.error().contains("--resume") && ended.error().contains("cleanup"), "{}", ended.all);
        }
        theatre.recover(&format!(
            "killed at line {line} of {all}: {}",
            journal.lines().last().unwrap_or_default()
        ))?;
    }
    say(&format!(
        "killed at {killed} of {all} lines of the journal; a whole run takes {:.1} s",
        whole.as_secs_f64()
    ));
    Ok(())
}

#[test]
fn killed_in_the_rows_on_18() -> Outcome {
    let test = "killed_in_the_rows_on_18";
    let Some(theatre) = Theatre::between(test, Server::Source18, Server::Target18)? else { return Ok(()) };
    let mut child = theatre.in_the_rows(&["--verify", "none"])?;
    child.kill()?;
    theatre.wait(child)?;
    theatre.recover("killed in the rows")
}

#[test]
fn killed_at_random_moments() -> Outcome {
    let Some(theatre) = Theatre::open("killed_at_random_moments")? else { return Ok(()) };
    let seed = match std::env::var("TSMIGRATE_SEED") {
        Ok(seed) => seed.parse()?,
        Err(_) => std::time::UNIX_EPOCH.elapsed()?.as_secs(),
    };
    say(&format!("TSMIGRATE_SEED={seed}"));
    let mut random = Random(seed);
    let begun = Instant::now();
    theatre.survives("undisturbed", theatre.spawn(&["--verify", "none"])?)?;
    let mut whole = u64::try_from(begun.elapsed().as_millis())?;
    let (mut kills, mut late) = (0, 0);
    for round in 0..if long() { 100 } else { 2 } {
        let mut moments = Vec::new();
        let mut arguments = vec!["--verify", "none"];
        // One in two is killed once more on its way back.
        for _ in 0..=random.below(2) {
            let moment = random.below(whole);
            moments.push(moment);
            let mut child = theatre.spawn(&arguments)?;
            thread::sleep(Duration::from_millis(moment));
            child.kill()?;
            if theatre.wait(child)?.code.is_some() {
                late += 1;
                // A machine that was busy at first is faster now.
                whole = moment.max(1);
            } else {
                kills += 1;
            }
            if theatre.journal().contains("\"snapshot\"") && !arguments.contains(&"--resume") {
                arguments.extend(["--resume", "--new-snapshot"]);
            }
        }
        let last = theatre.journal().lines().last().unwrap_or_default().to_owned();
        if last.contains("\"done\"") {
            theatre.check("done in time")?;
            theatre.stage.empty_target()?;
            continue;
        }
        theatre.recover(&format!("seed {seed}, round {round}, killed after {moments:?} ms: {last}"))?;
    }
    say(&format!("{kills} times killed, {late} times too late, seed {seed}"));
    Ok(())
}

/// Numbers that are the same for the same seed (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }
}

#[test]
fn connections_are_cut() -> Outcome {
    let Some(theatre) = Theatre::open("connections_are_cut")? else { return Ok(()) };
    // The target's are opened again; what was half copied is copied again.
    let child = theatre.in_the_rows(&["--verify", "none"])?;
    theatre.target.cut();
    theatre.survives("the target's connections cut once", child)?;

    let child = theatre.in_the_rows(&["--verify", "none"])?;
    theatre.target.refuse(true);
    theatre.target.cut();
    thread::sleep(Duration::from_secs(3));
    theatre.target.refuse(false);
    theatre.survives("the target not to be reached for a while", child)?;

    let child = theatre.in_the_rows(&["--verify", "none"])?;
    theatre.source.stall(true);
    theatre.target.stall(true);
    thread::sleep(Duration::from_secs(2));
    theatre.source.stall(false);
    theatre.target.stall(false);
    theatre.survives("both ends silent for a while", child)?;

    // With the source's sessions its snapshot goes.
    let child = theatre.in_the_rows(&["--verify", "none"])?;
    theatre.source.cut();
    theatre.recovers("the source's connections cut", child)?;

    let child = theatre.in_the_rows(&["--verify", "none"])?;
    theatre.source.cut();
    theatre.target.cut();
    theatre.recovers("all connections cut", child)?;

    // Anywhere: in the schema, in the rows, in the indexes.
    let whole = theatre.target.passed();
    let child = theatre.spawn(&["--verify", "none"])?;
    theatre.survives("undisturbed", child)?;
    let whole = theatre.target.passed() - whole;
    let cuts = if long() { 40 } else { 2 };
    for number in 1..=cuts {
        let before = theatre.target.cuts();
        theatre.target.cut_after(whole * number / (cuts + 1));
        theatre.run(&["--verify", "none"])?;
        assert!(theatre.target.cuts() > before, "nothing was cut");
        if theatre.journal().lines().last().is_some_and(|line| line.contains("\"done\"")) {
            theatre.check("cut and recovered")?;
            theatre.stage.empty_target()?;
        } else {
            theatre.recover(&format!("the target cut after {number}/{} of the bytes", cuts + 1))?;
        }
    }
    Ok(())
}

#[test]
fn servers_are_restarted() -> Outcome {
    let Some(theatre) = Theatre::open("servers_are_restarted")? else { return Ok(()) };
    let lab = &theatre.stage.lab;
    for (server, mode) in [
        (Server::Target17, "fast"),
        (Server::Target17, "immediate"),
        (Server::Source17, "fast"),
        (Server::Source17, "immediate"),
    ] {
        // The harder way for each end.
        if !long() && (server == Server::Target17) == (mode == "fast") {
            continue;
        }
        let child = theatre.in_the_rows(&["--verify", "none"])?;
        lab.restart(server, mode)?;
        let what = format!("{server:?} restarted, {mode}");
        if server == Server::Target17 {
            theatre.survives(&what, child)?;
        } else {
            theatre.recovers(&what, child)?;
        }
    }
    Ok(())
}

#[test]
fn sessions_are_cancelled_ended_and_kept_waiting() -> Outcome {
    let test = "sessions_are_cancelled_ended_and_kept_waiting";
    let Some(theatre) = Theatre::open(test)? else { return Ok(()) };
    let stage = &theatre.stage;
    for (uri, end) in [(&stage.admin, "target"), (&stage.source, "source")] {
        for function in ["pg_cancel_backend", "pg_terminate_backend"] {
            if !long() && (end == "target") == (function == "pg_terminate_backend") {
                continue;
            }
            let mut child = theatre.in_the_rows(&["--verify", "none"])?;
            let hit = format!(
                "SELECT count({function}(pid)) FROM pg_stat_activity WHERE application_name ~ '^tsmigrate' \
                 AND state = 'active' AND query LIKE 'COPY%'"
            );
            theatre.until(&mut child, || Ok(stage.sql(uri, &hit)? != "0"))?;
            theatre.survives(&format!("{function} at the {end}"), child)?;
        }
    }
    // Another session has a table for itself alone, longer than one try waits.
    let hold = |uri: &str, table: &str| {
        Command::new(stage.lab.programs()?.join("psql"))
            .args(["-X", "-q", "-d", uri, "-c"])
            .arg(format!("BEGIN; LOCK TABLE {table}; SELECT pg_sleep(4); ROLLBACK"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(Box::<dyn Error>::from)
    };
    let mut holder = hold(&stage.source, "shop.orders")?;
    thread::sleep(Duration::from_millis(300));
    let child = theatre.spawn(&["--verify", "none"])?;
    theatre.survives("a table of the source locked", child)?;
    holder.wait()?;

    let mut child = theatre.spawn(&["--verify", "none"])?;
    theatre
        .until(&mut child, || Ok(theatre.admin("SELECT to_regclass('shop.orders') IS NOT NULL")? == "t"))?;
    let mut holder = hold(&stage.admin, "shop.orders")?;
    theatre.survives("a table of the target locked", child)?;
    holder.wait()?;
    Ok(())
}

#[test]
fn interrupted_once_and_twice() -> Outcome {
    let Some(theatre) = Theatre::open("interrupted_once_and_twice")? else { return Ok(()) };
    let interrupt = |child: &Child| -> Outcome {
        let id = child.id().to_string();
        Ok(Command::new("kill")
            .args(["-INT", &id])
            .status()?
            .success()
            .then_some(())
            .ok_or("no such process")?)
    };
    let child = theatre.in_the_rows(&["--verify", "none"])?;
    interrupt(&child)?;
    let ended = theatre.wait(child)?;
    assert_eq!(ended.code, Some(2), "{}", ended.all);
    assert!(ended.error().contains("--resume"), "{}", ended.all);
    // At once, not after a cleanup.
    assert_eq!(theatre.stage.restoring()?, "0 off");
    assert_eq!(theatre.stage.sql(&theatre.stage.source, JOBS)?, theatre.jobs);
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^(tsmigrate|pg_dump)'";
    assert_eq!(theatre.admin(sessions)?, "0");
    assert_eq!(theatre.stage.sql(&theatre.stage.source, sessions)?, "0");
    theatre.recover("interrupted once")?;

    let child = theatre.in_the_rows(&["--verify", "none"])?;
    interrupt(&child)?;
    // It may have ended by now.
    drop(interrupt(&child));
    let begun = Instant::now();
    let ended = theatre.wait(child)?;
    assert_eq!(ended.code, Some(2), "{}", ended.all);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    let (code, said) = theatre.stage.cleanup(&[])?;
    assert_eq!(code, 0, "{said}");
    assert_eq!(theatre.stage.restoring()?, "0 off");
    assert_eq!(theatre.stage.sql(&theatre.stage.source, JOBS)?, theatre.jobs);
    theatre.recover("interrupted twice")
}

#[test]
fn a_killed_run_is_closed_or_given_up_by_cleanup() -> Outcome {
    let test = "a_killed_run_is_closed_or_given_up_by_cleanup";
    let Some(theatre) = Theatre::open(test)? else { return Ok(()) };
    let stage = &theatre.stage;
    let before = stage.target_objects()?.split(',').next().map(str::to_owned);
    let kill = || -> Outcome {
        let mut child = theatre.in_the_rows(&["--verify", "none"])?;
        child.kill()?;
        child.wait()?;
        assert_eq!(stage.restoring()?, "1 on");
        Ok(())
    };
    kill()?;
    let (code, said) = stage.cleanup(&[])?;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("has left restoring mode") && said.contains("--resume"), "{said}");
    assert_eq!(stage.restoring()?, "0 off");
    assert_eq!(stage.sql(&stage.source, JOBS)?, theatre.jobs);
    let (code, said) = stage.cleanup(&[])?;
    assert_eq!(code, 0, "a second time: {said}");
    theatre.recover("cleaned up")?;

    kill()?;
    let (code, said) = stage.cleanup(&["--drop-target"])?;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage.restoring()?, "0 off");
    assert_eq!(stage.target_objects()?.split(',').next().map(str::to_owned), before);
    theatre.survives("begun anew", theatre.spawn(&["--verify", "none"])?)?;

    // A finished target is nobody's to drop.
    let ended = theatre.run(&["--verify", "none"])?;
    assert_eq!(ended.code, Some(0), "{}", ended.all);
    let (code, said) = stage.cleanup(&["--drop-target"])?;
    assert_eq!(code, 2, "{said}");
    theatre.check("not dropped")
}

#[test]
fn resuming_is_refused_where_something_else_would_arrive() -> Outcome {
    let test = "resuming_is_refused_where_something_else_would_arrive";
    let Some(theatre) = Theatre::open(test)? else { return Ok(()) };
    let stage = &theatre.stage;
    let ended = theatre.run(&["--resume"])?;
    assert!(ended.code == Some(2) && ended.error().contains("no run to go on with"), "{}", ended.all);
    let mut child = theatre.in_the_rows(&["--verify", "none"])?;
    child.kill()?;
    child.wait()?;
    let refused = |arguments: &[&str], reason: &str| -> Outcome {
        let ended = theatre.run(arguments)?;
        assert_eq!(ended.code, Some(2), "{}", ended.all);
        assert!(ended.error().contains(reason), "{reason}: {}", ended.all);
        Ok(())
    };
    refused(&["--resume", "--no-comments"], "options have changed")?;
    refused(&["--resume", "--exclude-data", "shop.odd"], "options have changed")?;

    // Another database on the same server, and another server.
    stage.sql(&stage.source, "CREATE DATABASE other")?;
    let mut other = stage.command(&["--resume"])?;
    other.env("SOURCE", stage.source.replace("/shop", "/other"));
    let said = String::from_utf8_lossy(&other.output()?.stdout).into_owned();
    assert!(said.contains("the source is another one"), "{said}");

    stage.sql(&stage.source, "ALTER TABLE shop.customer ADD COLUMN late integer DEFAULT 7")?;
    refused(&["--resume"], "schema")?;
    stage.sql(&stage.source, "ALTER TABLE shop.customer DROP COLUMN late")?;

    // Rows were written: not without being told to.
    stage.sql_text(
        "INSERT INTO shop.customer (name) VALUES ('late'); UPDATE shop.odd SET p = point(0, 0) WHERE tags[3] = '17';
         DELETE FROM shop.orders WHERE id % 1000 = 0; INSERT INTO shop.parts SELECT n, date '2023-05-05' FROM generate_series(1, 50) n;
         REFRESH MATERIALIZED VIEW shop.totals; REFRESH MATERIALIZED VIEW shop.top; SELECT nextval('shop.numbers');
         SELECT lo_put(90003, 0, '\\x0102'), lo_from_bytea(90500, 'late');",
    )?;
    refused(&["--resume", "--verify", "none"], "--resume --new-snapshot")?;
    let ended = theatre.run(&["--resume", "--new-snapshot", "--verify", "none"])?;
    assert_eq!(ended.code, Some(0), "{}", ended.all);
    theatre.check("with a new snapshot")
}

/// A file system of a size of its own below a server's tables.
struct Disk(PathBuf);

impl Disk {
    fn mount(folder: PathBuf, size: &str) -> Result<Self, String> {
        let kept = folder.with_extension("kept");
        let run = |program: &str, arguments: &[&str]| -> Result<(), String> {
            let output = Command::new(program).args(arguments).output().map_err(|error| error.to_string())?;
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            output.status.success().then_some(()).ok_or(format!("{program}: {said}"))
        };
        let (path, kept) = (folder.display().to_string(), kept.display().to_string());
        run("mv", &[&path, &kept])?;
        run("cp", &["-a", "--attributes-only", &kept, &path]).or_else(|_| run("mkdir", &[&path]))?;
        let mounted = run("mount", &["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs", &path]);
        if let Err(error) = mounted {
            run("rm", &["-rf", &path])?;
            run("mv", &[&kept, &path])?;
            return Err(error);
        }
        let disk = Self(folder);
        run("chown", &["--reference", &kept, &path])?;
        run("chmod", &["--reference", &kept, &path])?;
        run("cp", &["-a", &format!("{kept}/."), &path])?;
        Ok(disk)
    }

    fn grow(&self, size: &str) -> Outcome {
        let status =
            Command::new("mount").args(["-o", &format!("remount,size={size}")]).arg(&self.0).status()?;
        Ok(status.success().then_some(()).ok_or("it does not grow")?)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn a_full_disk_that_grows_is_waited_for() -> Outcome {
    let test = "a_full_disk_that_grows_is_waited_for";
    let Some(theatre) = Theatre::open(test)? else { return Ok(()) };
    let data = theatre.stage.lab.home(Server::Target17)?.join("data/base");
    // The server keeps files open in the old folder until it is restarted.
    let disk = match Disk::mount(data, "40m") {
        Ok(disk) => disk,
        Err(reason) => {
            skipped(test, &format!("no file system of its own can be mounted here: {reason}"));
            return Ok(());
        }
    };
    theatre.stage.lab.restart(Server::Target17, "immediate")?;
    let mut child = theatre.spawn(&["--verify", "none"])?;
    let full = || Ok(fs::read_to_string(theatre.out("stderr"))?.contains("No space left on device"));
    let seen = theatre.until(&mut child, full)?;
    assert!(seen, "the disk was never full: {}", theatre.wait(child)?.all);
    disk.grow("400m")?;
    let ended = theatre.wait(child)?;
    assert_eq!(ended.code, Some(0), "{}", ended.all);
    theatre.check("a full disk")
}
