//! A source at work: whoever changes its tables while they are read stops neither the run nor, longer than it must, others.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage, told};
use tsmigrate_tests::program;

/// As long as anything here may take on a machine that is busy itself.
const LONG: Duration = Duration::from_secs(240);

/// What waits for ACCESS EXCLUSIVE, each on a table of its own.
const CHANGES: [&str; 7] = [
    "ALTER TABLE small_alter ADD COLUMN zz int",
    "TRUNCATE small_truncate",
    "VACUUM FULL small_vacuum",
    "CLUSTER small_cluster USING small_cluster_pkey",
    "ALTER TABLE parted ADD COLUMN zz int",
    "SELECT drop_chunks('metrics', older_than => TIMESTAMPTZ '2024-02-01')",
    "ALTER TABLE wide ADD COLUMN zz int",
];

/// The largest goes first, so that the others are still to come when the rows begin.
const TABLES: &str = "
CREATE EXTENSION timescaledb;
CREATE TABLE wide (id int PRIMARY KEY, v text);
INSERT INTO wide SELECT i, repeat(md5(i::text), 60) FROM generate_series(1, 8000) i;
ALTER TABLE wide ALTER COLUMN v SET STORAGE PLAIN; VACUUM FULL wide;
CREATE TABLE parted (id int, v text) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (500);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (500) TO (1000);
INSERT INTO parted SELECT i, 'p' FROM generate_series(0, 999) i;
CREATE TABLE metrics (at timestamptz NOT NULL, v float8);
SELECT create_hypertable('metrics', 'at');
INSERT INTO metrics SELECT TIMESTAMPTZ '2024-01-01' + i * interval '1 hour', i FROM generate_series(1, 1000) i;
CREATE VIEW over_small AS SELECT count(*) FROM wide JOIN parted USING (id);
CREATE SCHEMA swap; CREATE SCHEMA other; CREATE TABLE swap.t (id int); INSERT INTO swap.t VALUES (1);
CREATE TABLE other.t (id int); INSERT INTO other.t VALUES (666);
";

fn small(name: &str) -> String {
    format!(
        "CREATE TABLE {name} (id int PRIMARY KEY, v text); INSERT INTO {name} VALUES (1, 'a'), (2, 'b');\n"
    )
}

/// A session of somebody else's, under way.
fn spawn(stage: &Stage, uri: &str, sql: &str) -> Result<Child, Box<dyn Error>> {
    Ok(Command::new(stage.lab.programs()?.join("psql"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri, "-c", sql])
        .env("PGAPPNAME", "of the shop")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?)
}

/// Waits for a process that must not hang.
fn ended(mut child: Child, what: &str) -> Result<Output, Box<dyn Error>> {
    let begun = Instant::now();
    // Its output is read at the same time, or a full pipe would stop it.
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let read = |pipe: Option<Box<dyn std::io::Read + Send>>| {
        thread::spawn(move || {
            let mut all = Vec::new();
            pipe.map(|mut pipe| pipe.read_to_end(&mut all));
            all
        })
    };
    let (out, err) = (read(out.map(|pipe| Box::new(pipe) as _)), read(err.map(|pipe| Box::new(pipe) as _)));
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        if begun.elapsed() > LONG {
            child.kill()?;
            child.wait()?;
            break None;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let (stdout, stderr) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
    match status {
        Some(status) => Ok(Output { status, stdout, stderr }),
        None => Err(format!("{what} hangs: {}", String::from_utf8_lossy(&stderr)).into()),
    }
}

/// Events of the run's log, once one of them satisfies `until`.
fn log_until(stage: &Stage, until: impl Fn(&Value) -> bool) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    while begun.elapsed() < LONG {
        if log(stage).iter().any(&until) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("never logged: {:?}", log(stage)).into())
}

fn log(stage: &Stage) -> Vec<Value> {
    let text = fs::read_to_string(stage.work.join("log.jsonl")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn data_begins(event: &Value) -> bool {
    event["event"] == "stage-start" && event["stage"] == "data"
}

fn wait_until(what: &str, mut so: impl FnMut() -> Result<bool, Box<dyn Error>>) -> Outcome {
    let begun = Instant::now();
    while !so()? {
        if begun.elapsed() > LONG {
            return Err(format!("still not so: {what}").into());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Ends a session by what it runs.
fn end(stage: &Stage, uri: &str, query: &str) -> Outcome {
    let sql = format!(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query ~ '{query}' AND pid <> pg_backend_pid()"
    );
    assert_ne!(stage.sql(uri, &sql)?, "0");
    Ok(())
}

fn waiting(stage: &Stage, uri: &str) -> Result<usize, Box<dyn Error>> {
    let sql = "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'";
    Ok(stage.sql(uri, sql)?.parse()?)
}

#[test]
fn whoever_changes_a_table_stops_neither_the_run_nor_those_before_it() -> Outcome {
    let test = "whoever_changes_a_table_stops_neither_the_run_nor_those_before_it";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let names =
        ["small_alter", "small_truncate", "small_vacuum", "small_cluster", "small_target", "small_app"];
    stage.sql_text(&(TABLES.to_owned() + &names.map(small).concat()))?;

    // 1. In the middle of the rows.
    let run = stage
        .command(&[
            "--jobs",
            "2",
            "--max-rate",
            "1500kB",
            "--split-larger-than",
            "4MB",
            "--progress",
            "json",
        ])?
        .spawn()?;
    log_until(&stage, data_begins)?;
    // Whoever reads or writes rows waits for nothing.
    let application = "SET statement_timeout = '20s'; INSERT INTO small_app VALUES (3, 'c'); UPDATE small_app SET v = 'x'; \
        INSERT INTO wide VALUES (0, 'new'); UPDATE wide SET v = 'x' WHERE id = 8000; DELETE FROM wide WHERE id = 1; \
        SELECT count(*) FROM wide; SELECT count(*) FROM small_alter; INSERT INTO parted VALUES (1, 'new'); \
        INSERT INTO metrics VALUES ('2024-01-05', 1)";
    let output = ended(spawn(&stage, &stage.source, application)?, "the application")?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Whoever changes tables waits for the run, which waits for none of them.
    let held = spawn(&stage, &stage.admin, "BEGIN; LOCK TABLE public.small_target; SELECT pg_sleep(601)")?;
    let changes: Vec<(Child, &str)> = CHANGES
        .into_iter()
        .map(|sql| Ok::<_, Box<dyn Error>>((spawn(&stage, &stage.source, sql)?, sql)))
        .collect::<Result<_, _>>()?;
    wait_until("all wait", || Ok(waiting(&stage, &stage.source)? == CHANGES.len()))?;
    // Somebody has a table of the target: who, stands in the log, and the run goes on when he is gone.
    log_until(&stage, |event| {
        let says = |part: &str| event.to_string().contains(part);
        event["event"] == "wait" && says("target: ") && says("small_target") && says("pg_sleep(601)")
    })?;
    end(&stage, &stage.admin, "pg_sleep.601")?;
    let (code, report, said) = told(&ended(run, "the run")?)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{said}");
    assert_eq!(report["verification"]["differences"], serde_json::json!([]), "{said}");
    let written =
        "the source was written to while it was copied (public.small_app 4 rows, public.wide 3 rows, ";
    assert!(report["next"].to_string().contains(written), "{}", report["next"]);
    for (child, sql) in changes {
        let output = ended(child, sql)?;
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    }
    ended(held, "the session on the target")?;
    let waits: Vec<String> = log(&stage)
        .iter()
        .filter(|event| event["event"] == "wait")
        .map(|event| format!("{} {}", event["what"], event["why"]))
        .collect();
    for sql in
        ["ALTER TABLE small_alter ADD COLUMN zz int", "TRUNCATE small_truncate", "VACUUM FULL small_vacuum"]
    {
        let told = |wait: &&String| {
            wait.contains("source: process ")
                && wait.contains("of postgres (of the shop, active, since")
                && wait.contains(sql)
        };
        assert!(waits.iter().any(|wait| told(&wait)), "{sql} is not among {waits:#?}");
    }
    // What was written after the snapshot stays behind, what was emptied came over.
    let counts = "SELECT (SELECT count(*) FROM small_truncate), (SELECT count(*) FROM wide), (SELECT count(*) FROM parted), \
        (SELECT count(*) FROM metrics), (SELECT count(*) FROM small_app)";
    assert_eq!(stage.sql(&stage.admin, counts)?, "2|8000|1000|1000|2");
    assert_eq!(stage.sql(&stage.source, "SELECT count(*) FROM small_truncate")?, "0");

    // 2. A comparison names whom it waits for, and goes on after it.
    let held = spawn(&stage, &stage.source, "BEGIN; LOCK TABLE small_app; SELECT pg_sleep(602)")?;
    wait_until("the table is held", || {
        let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE granted AND relation = 'small_app'::regclass \
            AND mode = 'AccessExclusiveLock')";
        Ok(stage.sql(&stage.source, sql)? == "t")
    })?;
    let said = stage.lab.folder().join("verify.stderr");
    let verify = Command::new(program::path())
        .args(["verify", "--progress", "json", "--format", "json", "--include", "public.small_app"])
        .env("SOURCE", &stage.source)
        .env("TARGET", &stage.target)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(fs::File::create(&said)?)
        .spawn()?;
    wait_until("verify says whom it waits for", || {
        let said = fs::read_to_string(&said)?;
        Ok(said.contains("of the shop") && said.contains("pg_sleep(602)"))
    })?;
    end(&stage, &stage.source, "pg_sleep.602")?;
    ended(held, "the session on the source")?;
    let output = ended(verify, "verify")?;
    assert_eq!(output.status.code(), Some(1), "three rows, not two: {}", fs::read_to_string(&said)?);

    // 3. A name that means another table is not read.
    stage.empty_target()?;
    let run = stage.command(&["--max-rate", "1500kB", "--jobs", "1"])?.spawn()?;
    log_until(&stage, data_begins)?;
    stage.sql_text("ALTER SCHEMA swap RENAME TO gone; ALTER SCHEMA other RENAME TO swap")?;
    let (code, report, said) = told(&ended(run, "the run")?)?;
    assert_eq!(code, 2, "{said}");
    let error = report["error"].as_str().unwrap_or_default();
    assert!(error.contains(".t of the source is not the table that was listed"), "{error}");
    Ok(())
}

#[test]
fn whoever_comes_before_the_first_row_goes_first() -> Outcome {
    let test = "whoever_comes_before_the_first_row_goes_first";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(&(small("first") + &small("second")))?;

    // An ALTER TABLE that waits for an application's transaction when the run begins, ...
    let transaction = spawn(&stage, &stage.source, "BEGIN; SELECT FROM first; SELECT pg_sleep(603)")?;
    wait_until("the table is read", || {
        let sql = "SELECT EXISTS (SELECT FROM pg_locks WHERE granted AND relation = 'first'::regclass)";
        Ok(stage.sql(&stage.source, sql)? == "t")
    })?;
    let early = spawn(&stage, &stage.source, "ALTER TABLE first ADD COLUMN early int DEFAULT 7")?;
    wait_until("it waits", || Ok(waiting(&stage, &stage.source)? == 1))?;

    // ... and one that comes between our snapshot and pg_dump, which asks for the same locks once more.
    let bin = stage.lab.folder().join("slow bin");
    fs::create_dir_all(&bin)?;
    let programs = stage.lab.programs()?.display().to_string();
    let write = |name: &str, before: &str| -> Outcome {
        let path = bin.join(name);
        fs::write(&path, format!("#!/bin/sh\n{before}\nexec {programs}/{name} \"$@\"\n"))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
        Ok(())
    };
    write("pg_dumpall", "")?;
    let psql = format!("{programs}/psql -X -q -A -t -d {}", stage.source);
    let late = "ALTER TABLE second ADD COLUMN late int DEFAULT 8";
    write(
        "pg_dump",
        &format!(
            "case \"$*\" in *section=post-data*snapshot=*) if mkdir '{0}/once' 2>/dev/null; then\n\
             {psql} -c '{late}' >'{0}/late' 2>&1 </dev/null &\n\
             until {psql} -c \"SELECT 'waits' FROM pg_locks WHERE NOT granted AND relation = 'second'::regclass\" | grep -q waits\n\
             do sleep 0.1; done; fi;; esac",
            bin.display()
        ),
    )?;
    let mut command = stage.command(&["--lock-timeout", "1s", "--progress", "json"])?;
    command.arg("--pg-bin").arg(&bin);
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    // The stage's own folder of programs is named before: only one may be.
    let first = arguments.iter().position(|argument| argument == "--pg-bin").ok_or("no --pg-bin")?;
    let mut again = Command::new(program::path());
    again.args(&arguments[..first]).args(&arguments[first + 2..]);
    again.env("SOURCE", &stage.source).env("TARGET", &stage.target);
    again.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let said = stage.lab.folder().join("run.stderr");
    let run = again.stderr(fs::File::create(&said)?).spawn()?;
    wait_until("the run says whom it waits for", || {
        let said = fs::read_to_string(&said)?;
        Ok(said
            .lines()
            .any(|line| line.contains("retry") && line.contains("ALTER TABLE first ADD COLUMN early")))
    })?;
    end(&stage, &stage.source, "pg_sleep.603")?;
    let (code, report, all) = told(&ended(run, "the run")?)?;
    let all = all + &fs::read_to_string(&said)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["differences"], serde_json::json!([]), "{all}");
    ended(transaction, "the application")?;
    assert!(ended(early, "the first ALTER TABLE")?.status.success());
    assert_eq!(fs::read_to_string(bin.join("late"))?, "");
    assert_eq!(stage.sql(&stage.admin, "SELECT DISTINCT early, late FROM first, second")?, "7|8");
    let retries: Vec<String> = log(&stage)
        .iter()
        .filter(|event| event["event"] == "retry")
        .map(|event| format!("{} {}", event["what"], event["why"]))
        .collect();
    let told =
        |what: &str, part: &str| retries.iter().any(|retry| retry.contains(what) && retry.contains(part));
    assert!(told("\"pg_dump\"", "goes first"), "{retries:#?}");
    Ok(())
}
