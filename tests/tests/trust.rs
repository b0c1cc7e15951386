//! What a run tells, and whom it trusts: secrets of a source stay out of every report, who stands in the way is named, and
//! a run that is at work is let alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};
use tsmigrate_tests::program::program;

/// Secrets in settings, options and definitions, each `hunter2` with a letter of its own.
const SECRETS: &str = "
CREATE ROLE app LOGIN;
ALTER ROLE app SET app.api_token = 'hunter2a with blanks';
ALTER ROLE app SET aws.access = 'hunter2b';
ALTER ROLE app IN DATABASE shop SET x.secret_key = 'hunter2c';
ALTER DATABASE shop SET x.secret_key = 'hunter2d';
ALTER DATABASE shop SET \"vault.Pass\" = 'hunter2e';
ALTER DATABASE shop SET app.dbpass = 'hunter2f';
CREATE FOREIGN DATA WRAPPER w OPTIONS (credential 'hunter2g');
CREATE SERVER far FOREIGN DATA WRAPPER w OPTIONS (host 'h', wallet 'hunter2h, and more=hunter2h');
CREATE FOREIGN TABLE ft (a int OPTIONS (something 'hunter2i')) SERVER far OPTIONS (bucket 'hunter2j');
CREATE USER MAPPING FOR app SERVER far OPTIONS (\"user\" 'u', wallet 'hunter2k');
CREATE FUNCTION f() RETURNS int LANGUAGE sql SET app.signing_key = 'hunter2l' AS 'SELECT 1';
CREATE DOMAIN pw AS text DEFAULT 'hunter2m';
CREATE TABLE t (a int PRIMARY KEY);
CREATE VIEW v AS SELECT a, 'hunter2n'::text AS api_token FROM t;
INSERT INTO t VALUES (1);
CREATE ROLE \"Odd Role\"; GRANT SELECT ON t TO \"Odd Role\";";

/// The same on the target with other values.
const OTHERS: &str = "
ALTER ROLE app SET aws.access = 'hunter3b';
ALTER DATABASE tsdb SET x.secret_key = 'hunter3d';
CREATE FOREIGN DATA WRAPPER w OPTIONS (credential 'hunter3g');
CREATE SERVER far FOREIGN DATA WRAPPER w OPTIONS (host 'i', wallet 'hunter3h');
CREATE FOREIGN TABLE ft (a int OPTIONS (something 'hunter3i')) SERVER far OPTIONS (bucket 'hunter3j');
ALTER DOMAIN pw SET DEFAULT 'hunter3m';
REVOKE SELECT ON t FROM \"Odd Role\"; ALTER SCHEMA public OWNER TO \"Odd Role\";
CREATE OR REPLACE VIEW v AS SELECT a, 'hunter3n'::text AS api_token FROM t;";

#[test]
fn secrets_of_settings_and_options_stay_out_of_reports() -> Outcome {
    let test = "secrets_of_settings_and_options_stay_out_of_reports";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(SECRETS)?;
    let hidden = |what: &str, text: &str| {
        let secret = |line: &&str| line.contains("hunter2") || line.contains("hunter3");
        let lines: Vec<&str> = text.lines().filter(secret).collect();
        assert!(lines.is_empty(), "{what}: {lines:#?}");
    };
    let accept = ["--accept", "FDW-01,DEP-01,GUC-02"];
    let (code, report, all) = stage.migrate(&accept)?;
    assert_eq!(code, 0, "{all}");
    hidden("migrate", &all);
    for setting in ["aws.access='…'", "x.secret_key='…'", "app.dbpass='…'"] {
        assert!(report["verification"]["announced"].to_string().contains(setting), "{setting}: {report:#}");
    }
    for entry in fs::read_dir(&stage.work)? {
        let path = entry?.path();
        hidden(&path.to_string_lossy(), &fs::read_to_string(&path)?);
    }
    stage.script(&stage.admin, OTHERS)?;
    let run = |arguments: &[&str]| {
        let output =
            program().args(arguments).env("SOURCE", &stage.source).env("TARGET", &stage.target).output();
        output.map(|output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    let pg_bin = stage.programs.to_string_lossy().into_owned();
    for arguments in [
        &["verify"][..],
        &["verify", "--format", "json"],
        &["check", &stage.source, "--all", "--pg-bin", &pg_bin],
        &["check", &stage.source, "--format", "html", "--pg-bin", &pg_bin],
    ] {
        let said = run(arguments)?;
        assert!(said.contains("aws.access") && said.contains("far"), "{arguments:?}: {said}");
        hidden(&format!("{arguments:?}"), &said);
    }
    let said = run(&["verify"])?;
    for line in [
        "aws.access='…' → aws.access='…'",
        "host 'h', wallet '…' → host 'i', wallet '…'",
        "something '…' → something '…'",
        "type default",
        // Names are names, and not words of the sentence.
        "SELECT to \"Odd Role\"",
        "→ \"Odd Role\"",
    ] {
        assert!(said.contains(line), "{line}: {said}");
    }
    Ok(())
}

/// Waits for what comes sooner or later, on a slow machine too.
fn wait_until(what: &str, mut is: impl FnMut() -> Result<bool, Box<dyn std::error::Error>>) -> Outcome {
    let begun = Instant::now();
    while !is()? {
        if begun.elapsed() > Duration::from_secs(120) {
            return Err(format!("{what}: not within two minutes").into());
        }
        thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

#[test]
fn who_holds_a_table_is_named_and_a_run_at_work_is_let_alone() -> Outcome {
    let test = "who_holds_a_table_is_named_and_a_run_at_work_is_let_alone";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE TABLE \"Odd.Table\" (a int); INSERT INTO \"Odd.Table\" VALUES (1);
         CREATE TABLE big AS SELECT g AS a, repeat('x', 1000) AS b FROM generate_series(1, 20000) g;",
    )?;
    let tsmigrate = |arguments: &[&str]| {
        program().args(arguments).env("SOURCE", &stage.source).env("TARGET", &stage.target).output()
    };
    let pg_bin = stage.programs.to_string_lossy().into_owned();

    // 1. A table that somebody has for himself.
    let mut holder = Command::new(stage.lab.programs()?.join("psql"))
        .args(["-Xqd", &stage.source, "-c", "BEGIN; LOCK TABLE \"Odd.Table\"; SELECT pg_sleep(604)"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let held = "SELECT pid FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = '\"Odd.Table\"'::regclass";
    wait_until("the table is held", || Ok(!stage.sql(&stage.source, held)?.is_empty()))?;
    let process = stage.sql(&stage.source, held)?;
    let output = tsmigrate(&["check", &stage.source, "--pg-bin", &pg_bin])?;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    for part in [
        "table public.\"Odd.Table\" of the source is locked",
        &format!("process {process} of postgres (psql, active"),
        "pg_sleep(604)",
        &format!("SELECT pg_catalog.pg_terminate_backend({process})"),
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("canceling statement"), "{said}");
    stage.sql(&stage.source, &format!("SELECT pg_terminate_backend({process})"))?;
    holder.wait()?;

    // 2. Other starts, and a cleanup from elsewhere, while a run is at work.
    let mut run =
        stage.command(&["--max-rate", "100kB"])?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mark = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('_tsmigrate.run')";
    let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^tsmigrate '";
    wait_until("the target is taken", || Ok(stage.sql(&stage.admin, mark)? == "1"))?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!(code, 2, "{all}");
    let error = report["error"].as_str().unwrap_or_default();
    assert!(error.contains("is at work in") && error.contains("--work-dir"), "{error}");
    if Path::new("/proc/locks").exists() {
        assert!(error.contains(&format!("another tsmigrate (process {})", run.id())), "{error}");
    }
    let elsewhere = stage.lab.folder().join("elsewhere");
    let elsewhere = elsewhere.to_string_lossy();
    for arguments in [&[][..], &["--drop-target"]] {
        let output = tsmigrate(&[&["cleanup", "--work-dir", &elsewhere], arguments].concat())?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("is alive: it has ") && said.contains("pg_terminate_backend(pid)"), "{said}");
    }
    assert_eq!(stage.sql(&stage.admin, mark)?, "1");
    assert!(run.try_wait()?.is_none(), "it goes on");
    run.kill()?;
    run.wait()?;
    let gone = || {
        let ends = [&stage.source, &stage.admin];
        ends.into_iter().try_fold(true, |all, uri| Ok(all && stage.sql(uri, sessions)? == "0"))
    };
    wait_until("the sessions end", gone)?;
    let output = tsmigrate(&["cleanup", "--work-dir", &elsewhere, "--drop-target"])?;
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stage.sql(&stage.admin, mark)?, "0");
    Ok(())
}
