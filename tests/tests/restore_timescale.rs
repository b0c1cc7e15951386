//! `tsmigrate restore` of archives of databases with TimescaleDB.

use std::error::Error;
use std::fs;
use std::process::Stdio;

use serde_json::Value;
use tsmigrate_tests::dumps::{Dumps, checks};
use tsmigrate_tests::lab::{Server, skipped};
use tsmigrate_tests::migration::{Outcome, Stage};

/// Foreign keys to a hypertable, chunks in a schema of the user's own, odd names, row security; a table without columns beside the
/// chunks, as the full edition has one at the head of compressed ones.
const MORE: &str = "
CREATE TABLE _timescaledb_internal._compressed_hypertable_99 ();
CREATE SCHEMA \"Ch.unks\"; GRANT USAGE, CREATE ON SCHEMA \"Ch.unks\" TO ts_app;
SET SESSION AUTHORIZATION ts_app;
CREATE TABLE sensors.\"Read \"\"ings\" (ts timestamptz NOT NULL, device integer NOT NULL, v integer, PRIMARY KEY (ts, device));
SELECT create_hypertable('sensors.\"Read \"\"ings\"', 'ts', associated_schema_name => 'Ch.unks', associated_table_prefix => 'a.b \"c');
INSERT INTO sensors.\"Read \"\"ings\" SELECT '2024-01-01 00:00+00'::timestamptz + n * interval '1 day', n, n FROM generate_series(1, 40) n;
CREATE TABLE sensors.remark (n integer PRIMARY KEY, ts timestamptz, device integer);
INSERT INTO sensors.remark VALUES (1, '2024-01-02 00:00+00', 1), (2, NULL, NULL);
ALTER TABLE sensors.remark ADD CONSTRAINT valid FOREIGN KEY (ts, device) REFERENCES sensors.\"Read \"\"ings\";
ALTER TABLE sensors.remark ENABLE ROW LEVEL SECURITY; ALTER TABLE sensors.remark FORCE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON sensors.remark USING (true);
RESET SESSION AUTHORIZATION;";

fn hypertables(test: &str, source: Server) -> Result<Option<Dumps>, Box<dyn Error>> {
    let Some(dumps) = Dumps::new(test, source, "timescale.sql")? else { return Ok(None) };
    dumps.stage.sql_text(MORE)?;
    Ok(Some(dumps))
}

/// Source and target are equal, but that jobs wait on the target.
fn assert_equal(dumps: &Dumps) -> Outcome {
    let (_, said) = dumps.verify()?;
    let report = said.split_once("\n}").map_or(said.as_str(), |(report, _)| report).to_owned() + "\n}";
    let report: Value = serde_json::from_str(&report).map_err(|error| format!("{error}: {said}"))?;
    let differences = report["verification"]["differences"].as_array().ok_or(said.clone())?;
    assert!(differences.iter().all(|difference| difference["kind"] == "job scheduled"), "{said}");
    Ok(())
}

/// What the target says to a statement that it has to refuse.
fn refusal(dumps: &Dumps, sql: &str) -> String {
    let answer = dumps.stage.sql(&dumps.stage.target, sql);
    answer.map_or_else(|error| error.to_string(), |_| format!("not refused: {sql}"))
}

#[test]
fn hypertables_arrive_with_all_that_is_theirs() -> Outcome {
    let formats: [&[&str]; 2] = [&["-Fd", "-j2"], &["-Fc", "--quote-all-identifiers", "--clean"]];
    for (source, format) in [Server::Source17, Server::Source18].into_iter().zip(formats) {
        let test = "hypertables_arrive_with_all_that_is_theirs";
        let Some(dumps) = hypertables(test, source)? else { return Ok(()) };
        let stage = &dumps.stage;
        let archive = dumps.dump(format, "archive")?;
        let (code, report, all) = dumps.restore(&archive, &["--dry-run"])?;
        assert_eq!((code, &report["outcome"]), (0, &"planned".into()), "{format:?}: {all}");
        let (code, report, all) = dumps.restore(&archive, &[])?;
        assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{format:?}: {all}");
        assert_eq!(report["verification"]["differences"], Value::Array(Vec::new()), "{all}");
        assert_eq!(report["verification"]["notes"], Value::Array(Vec::new()), "{all}");
        assert_eq!(stage.left_behind()?, [""; 0]);
        assert_equal(&dumps)?;
        // Jobs wait, and a script starts them.
        let jobs = report["jobs"].as_array().ok_or("no jobs")?;
        let told: Vec<_> = jobs
            .iter()
            .map(|job| (&job["id"], &job["owner"], &job["new_owner"], &job["scheduled"]))
            .collect();
        assert_eq!(told[0], (&1000.into(), &"ts_app".into(), &"ts_app".into(), &false.into()), "{all}");
        let script = fs::read_to_string(stage.work.join("start-jobs.sql"))?;
        assert!(script.contains("at once, for no archive tells") && script.contains("1000"), "{script}");
        // What is written now goes into chunks as before.
        stage.sql(
            &stage.admin,
            "INSERT INTO public.metrics VALUES ('2031-01-01', 1, 1), ('2024-01-01', 1, 1)",
        )?;
        assert!(
            refusal(&dumps, "INSERT INTO sensors.remark VALUES (3, '2020-01-01', 1)").contains("\"valid\"")
        );
        let delete = "DELETE FROM sensors.\"Read \"\"ings\" WHERE device = 1";
        assert!(refusal(&dumps, delete).contains("remark"), "{}", refusal(&dumps, delete));
    }
    Ok(())
}

#[test]
fn a_killed_restore_of_hypertables_goes_on() -> Outcome {
    let test = "a_killed_restore_of_hypertables_goes_on";
    let Some(dumps) = hypertables(test, Server::Source17)? else { return Ok(()) };
    let stage = &dumps.stage;
    let archive = dumps.dump(&["-Ft"], "archive")?;
    let mut killed = 0;
    for steps in [1, 4, 20, 60] {
        let mut child =
            dumps.command(&archive, &["--jobs", "1"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        while child.try_wait()?.is_none() && stage.steps_done()? < steps {}
        killed += usize::from(child.try_wait()?.is_none());
        child.kill()?;
        child.wait()?;
        if steps == 20 {
            // It is given up, and nothing of it stays.
            let (code, said) = stage.cleanup(&["--drop-target"])?;
            assert!(code == 0 && said.contains("is removed"), "{said}");
            fs::remove_dir_all(&stage.work)?;
        }
        let resume: &[&str] = if steps == 20 { &[] } else { &["--resume"] };
        let (code, report, all) = dumps.restore(&archive, resume)?;
        assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "after {steps} steps: {all}");
        assert_eq!(stage.left_behind()?, [""; 0]);
        assert_equal(&dumps)?;
        stage.empty_target()?;
    }
    assert!(killed > 0, "none was killed while it ran");
    Ok(())
}

#[test]
fn parts_of_a_database_with_timescaledb_are_refused_by_name() -> Outcome {
    let test = "parts_of_a_database_with_timescaledb_are_refused_by_name";
    let Some(dumps) = hypertables(test, Server::Source17)? else { return Ok(()) };
    let stage = &dumps.stage;
    let untouched = stage.target_objects()?;
    for (option, expected) in [
        ("--schema-only", "archive-timescaledb-version"),
        ("--exclude-table=public.metrics", "archive-hypertables"),
        // They would arrive without their chunks.
        ("--table=public.metrics", "archive-hypertables"),
        ("--exclude-extension=timescaledb", "archive-hypertables"),
        ("--inserts", "archive-inserts"),
    ] {
        let archive = dumps.dump(&["-Fc", option], "part")?;
        let (code, report, all) = dumps.restore(&archive, &[])?;
        assert_eq!((code, checks(&report)), (2, vec![expected]), "{all}");
    }
    // Another version than the archive's: what the target has is not taken for the same.
    let archive = dumps.dump(&["-Fc"], "whole")?;
    stage.sql(
        &stage.source,
        "UPDATE _timescaledb_catalog.metadata SET value = '2.19.0' WHERE key = 'timescaledb_version'",
    )?;
    let other = dumps.dump(&["-Fc"], "other")?;
    let (code, report, all) = dumps.restore(&other, &[])?;
    assert_eq!((code, checks(&report)), (2, vec!["timescaledb-version"]), "{all}");
    assert!(report["blockers"][0]["next"].to_string().contains("dump the source again"), "{all}");
    assert_eq!(stage.target_objects()?, untouched);
    // A run that fails leaves restoring mode.
    stage.sql(&stage.admin, "ALTER ROLE tsdbadmin SET statement_timeout = '10min'")?;
    let bytes = fs::read(&archive)?;
    fs::write(&archive, &bytes[..bytes.len() - bytes.len() / 20])?;
    let (code, _, all) = dumps.restore(&archive, &[])?;
    assert_eq!(code, 2, "{all}");
    assert_eq!(stage.restoring()?, "0 off", "{all}");
    Ok(())
}

/// Batches of NULLs, as TimescaleDB 2.19 keeps them: no restore reads them.
const NULLS: &str = "
CREATE TABLE nulls (ts timestamptz NOT NULL, v integer, never text);
SELECT create_hypertable('nulls', by_range('ts', interval '1 day'));
INSERT INTO nulls SELECT '2024-01-01 00:00+00'::timestamptz + n * interval '1 min', n FROM generate_series(1, 5000) n;
ALTER TABLE nulls SET (timescaledb.compress, timescaledb.compress_orderby = 'ts');
SELECT count(compress_chunk(c)) FROM show_chunks('nulls') c;";

#[test]
fn compressed_chunks_and_aggregates_arrive_as_they_are() -> Outcome {
    let test = "compressed_chunks_and_aggregates_arrive_as_they_are";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    if !stage.is_full_edition()? {
        skipped(test, "this TimescaleDB is the Apache edition, without compression");
        return Ok(());
    }
    stage.fixture("timescale-full.sql")?;
    stage.sql_text(NULLS)?;
    let dumps = Dumps::of(stage)?;
    let stage = &dumps.stage;
    let archive = dumps.dump(&["-Fd", "-j2"], "archive")?;
    let (code, report, all) = dumps.restore(&archive, &[])?;
    assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{all}");
    assert_equal(&dumps)?;
    let compressed = "SELECT count(*) FILTER (WHERE is_compressed) FROM timescaledb_information.chunks";
    assert_eq!(stage.sql(&stage.source, compressed)?, stage.sql(&stage.admin, compressed)?);
    for rows in [
        "SELECT count(*), sum(value::numeric), count(note), max(time) FROM readings",
        "SELECT count(*), sum(highest), sum(number) FROM hourly",
        "SELECT count(*), sum(v), count(never) FROM nulls",
    ] {
        assert_eq!(stage.sql(&stage.source, rows)?, stage.sql(&stage.admin, rows)?, "{rows}");
    }
    Ok(())
}
