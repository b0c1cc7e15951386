//! Names that mean something else where they are joined, split, folded or matched without care: everything arrives under
//! its own name, is compared under it, and is told under it. And the number of the form that a run is recorded in.

use std::error::Error;
use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tsmigrate::record::FORMAT;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage, database, told};
use tsmigrate_tests::program;

/// As long as anything here may take.
const LONG: Duration = Duration::from_secs(240);

/// Slow enough that there is a middle, and with tables that are split.
const SLOW: [&str; 6] = ["--jobs", "2", "--split-larger-than", "300kB", "--max-rate", "400kB"];

/// A database with a name of its own, filled with odd names, and an empty target.
fn stage(test: &str) -> Result<Option<Stage>, Box<dyn Error>> {
    let Some(mut stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(None) };
    stage.sql(&stage.source, "CREATE DATABASE \"Odd. \"\"d\"\"b/1 =?\"")?;
    stage.source = database(&stage.source, "Odd.%20%22d%22b%2F1%20%3D%3F");
    stage.fixture("names.sql")?;
    stage.sql(&stage.source, "CREATE EXTENSION timescaledb")?;
    stage.fixture("names-hypertables.sql")?;
    // What autovacuum writes would be a change of the source.
    stage.sql(&stage.source, "ALTER SYSTEM SET autovacuum = off")?;
    stage.sql(&stage.source, "SELECT pg_reload_conf()")?;
    Ok(Some(stage))
}

fn journal(stage: &Stage) -> String {
    fs::read_to_string(stage.work.join("journal.jsonl")).unwrap_or_default()
}

/// Kills a run as soon as some of its rows are there.
fn killed(stage: &Stage, arguments: &[&str]) -> Outcome {
    let mut child = stage.command(&SLOW)?.args(arguments).spawn()?;
    let begun = Instant::now();
    while !journal(stage).contains("\"data/") {
        if child.try_wait()?.is_some() || begun.elapsed() > LONG {
            child.kill()?;
            return Err(told(&child.wait_with_output()?)?.2.into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// The program is refused, in words that hold each of `parts`.
fn refused(stage: &Stage, arguments: &[&str], parts: &[&str]) -> Outcome {
    let (code, report, all) = stage.migrate(arguments)?;
    assert_eq!(code, 2, "{all}");
    let said = format!("{} {} {}", report["error"], report["blockers"], report["next"]);
    for part in parts {
        assert!(said.contains(part), "{part}: {said}");
    }
    Ok(())
}

/// Kind and object of a difference, with its first detail.
type Found = [String; 3];

/// Runs `tsmigrate verify`: its exit status, and what differs.
fn verify(stage: &Stage, arguments: &[&str]) -> Result<(i32, Vec<Found>), Box<dyn Error>> {
    let output = Command::new(program::path())
        .args(["verify", "--format", "json", "--progress", "none"])
        .args(arguments)
        .env("SOURCE", &stage.source)
        .env("TARGET", &stage.target)
        .output()?;
    let (code, report, all) = told(&output)?;
    let differences = report["verification"]["differences"].as_array().ok_or(all)?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let difference = |one: &Value| [text(&one["kind"]), text(&one["object"]), text(&one["details"][0])];
    Ok((code, differences.iter().map(difference).collect()))
}

fn names(report: &Value) -> Vec<&str> {
    report["tables"].as_array().into_iter().flatten().filter_map(|table| table["name"].as_str()).collect()
}

#[test]
fn everything_arrives_under_its_own_name() -> Outcome {
    let Some(stage) = stage("everything_arrives_under_its_own_name")? else { return Ok(()) };
    killed(&stage, &[])?;
    formats_of_a_run_that_is_open(&stage)?;

    let (code, report, all) = stage.migrate(&["--resume", "--split-larger-than", "300kB"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["announced"], serde_json::json!([]), "{all}");
    assert_eq!(stage.differences(&[])?, Vec::<String>::new());
    for (table, rows) in
        [("\"a.b\".c", "1000"), ("a.\"b.c\"", "50"), ("a.\"t 1/2\"", "2000"), ("a.t", "3000")]
    {
        assert_eq!(stage.sql(&stage.admin, &format!("SELECT count(*) FROM {table}"))?, rows, "{table}");
    }
    let journal = journal(&stage);
    for step in [
        "data/a.t 2/",
        "data/a.\\\"t 1/2\\\" 1/",
        "data/\\\"a.b\\\".c\"",
        "data/\\\"data/a\\\".\\\"t 1/2\\\"\"",
    ] {
        assert!(journal.contains(step), "{step}: {journal}");
    }
    let tables = names(&report);
    for table in ["\"a.b\".c", "a.\"b.c\"", "\"order\".\"select\"", "\" lead\".\" \""] {
        assert!(tables.contains(&table), "{table}: {tables:?}");
    }
    let page = fs::read_to_string(stage.work.join("report.html"))?;
    assert!(page.contains("&quot;a.b&quot;.c") && page.contains("a.&quot;b.c&quot;"), "{page}");
    changes_are_named(&stage)?;

    stage.empty_target()?;
    killed(&stage, &[])?;
    what_another_version_left_is_cleaned_up(&stage)?;
    a_quoted_pattern_is_one_name(&stage)
}

fn changes_are_named(stage: &Stage) -> Outcome {
    stage.script(
        &stage.admin,
        "UPDATE \"a.b\".c SET v = 'changed' WHERE i = 7; UPDATE a.\"b.c\" SET v = 'changed' WHERE i = 8;
         DELETE FROM a.\"t 2/2\" WHERE i = 2; SELECT setval('a.\"b.s\"', 1);
         DROP TABLE \"x_tsmigrate\".\"_tsmigrate.done\"; DROP POLICY \"p on *\" ON \"[a]*?\".\"*\";",
    )?;
    let (code, found) = verify(stage, &[])?;
    let found: Vec<[&str; 3]> = found.iter().map(|one| one.each_ref().map(String::as_str)).collect();
    assert_eq!(
        found,
        [
            ["column", "x_tsmigrate.\"_tsmigrate.done\".i", ""],
            ["content", "\"a.b\".c", "1 row changed: i = 7 (v)"],
            ["content", "a.\"b.c\"", "1 row changed: i = 8 (v)"],
            ["policy", "\"p on *\" on \"[a]*?\".\"*\"", ""],
            ["rows", "a.\"t 2/2\"", "1 row missing on the target: row (2)"],
            ["sequence value", "a.\"b.s\"", ""],
            ["table", "x_tsmigrate.\"_tsmigrate.done\"", ""],
        ]
    );
    assert_eq!(code, 1);
    let (_, found) = verify(stage, &["--include", "\"a.b\"", "a.\"t 2/2\""])?;
    let objects: Vec<&str> = found.iter().map(|[_, object, _]| object.as_str()).collect();
    assert_eq!(objects, ["\"a.b\".c", "a.\"t 2/2\""]);
    Ok(())
}

/// Changes a file for as long as `probe` runs.
fn with_file(path: &std::path::Path, from: &str, to: &str, probe: impl FnOnce() -> Outcome) -> Outcome {
    let text = fs::read_to_string(path)?;
    assert!(text.contains(from), "{from}: {text}");
    fs::write(path, text.replace(from, to))?;
    probe()?;
    fs::write(path, text)?;
    Ok(())
}

/// `--resume` and a new start are refused where anything was recorded in another form.
fn formats_of_a_run_that_is_open(stage: &Stage) -> Outcome {
    let (journal, plan) = (stage.work.join("journal.jsonl"), stage.work.join("plan.json"));
    let cleanup = format!("tsmigrate cleanup --drop-target --work-dir {}", stage.work.display());
    for (to, number) in [("", "format 1"), ("\"format\":9,", "format 9")] {
        with_file(&journal, &format!("\"format\":{FORMAT},"), to, || {
            refused(stage, &["--resume"], &["journal.jsonl", number, &cleanup])?;
            refused(stage, &[], &["journal.jsonl", number, &cleanup])
        })?;
        with_file(&plan, &format!("\"format\":{FORMAT},"), to, || {
            refused(stage, &["--resume"], &["plan.json", number, &cleanup])
        })?;
    }
    let marks = |sql: &str| stage.sql(&stage.admin, sql);
    marks("UPDATE _tsmigrate.run SET format = 9")?;
    refused(stage, &["--resume"], &["_tsmigrate", "format 9", &cleanup])?;
    marks("ALTER TABLE _tsmigrate.run RENAME COLUMN format TO form")?;
    refused(stage, &["--resume"], &["_tsmigrate", "format 1", &cleanup])?;
    // A start that knows nothing of the work directory, and not what it is.
    let aside = stage.work.with_extension("aside");
    fs::rename(&stage.work, &aside)?;
    refused(stage, &[], &["_tsmigrate", "format 1", "tsmigrate cleanup --drop-target --work-dir DIR"])?;
    fs::rename(&aside, &stage.work)?;
    marks("ALTER TABLE _tsmigrate.run RENAME COLUMN form TO format")?;
    marks(&format!("UPDATE _tsmigrate.run SET format = {FORMAT}")).map(drop)
}

/// Restoring mode is left, and the target emptied, whatever version has begun the run.
fn what_another_version_left_is_cleaned_up(stage: &Stage) -> Outcome {
    let path = stage.work.join("journal.jsonl");
    let text = journal(stage).replace(&format!("\"format\":{FORMAT},"), "\"format\":9,");
    fs::write(&path, text + "{\"at\":\"2030-01-01\",\"event\":\"parked\",\"what\":[1]}\n")?;
    stage.sql(&stage.admin, "UPDATE _tsmigrate.run SET format = 9")?;
    assert_ne!(stage.restoring()?, "0 off");
    let (code, said) = stage.cleanup(&[])?;
    assert_eq!(code, 0, "{said}");
    for part in ["format 9", "1 line", "has left restoring mode", "--drop-target"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(stage.restoring()?, "0 off");
    let (code, said) = stage.cleanup(&["--drop-target"])?;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage.left_behind()?, Vec::<String>::new(), "{said}");
    assert!(stage.target_objects()?.starts_with("0 objects"), "{}", stage.target_objects()?);
    Ok(())
}

fn a_quoted_pattern_is_one_name(stage: &Stage) -> Outcome {
    let (code, _, all) = stage.migrate(&[
        "--exclude",
        "a.\"t 1/2\"",
        "\"[a]*?\".\"*\"",
        "a.\"new\nline\"",
        "A.\"'\"",
        "--exclude-data",
        "\"[a]*?\".\"?\"",
        "\"a.b\".c",
        "a.\"b.c\"",
        "a.\"to\"",
    ])?;
    assert_eq!(code, 2, "{all}");
    assert!(all.contains("a.\\\"to\\\" matches no table with rows"), "{all}");
    let (code, _, all) = stage.migrate(&[
        "--exclude",
        "a.\"t 1/2\"",
        "\"[a]*?\".\"*\"",
        "a.\"new\nline\"",
        "A.\"'\"",
        "--exclude-data",
        "\"[a]*?\".\"?\"",
        "a.\"b.c\"",
    ])?;
    assert_eq!(code, 0, "{all}");
    let gone = stage.differences(&[])?;
    let rows = gone.iter().filter(|line| line.starts_with("- [\"rows\"")).count();
    // Four tables that stay behind, two without their rows, and the view of one of these.
    assert_eq!(rows, 7, "{gone:#?}");
    for (table, filled) in [
        ("a.\"b.c\"", "f"),
        ("\"a.b\".c", "t"),
        ("\"[a]*?\".\"?\"", "f"),
        ("\"[a]*?\".\"a|b\"", "t"),
        ("a.t", "t"),
    ] {
        let rows = stage.sql(&stage.admin, &format!("SELECT count(*) > 0 FROM {table}"))?;
        assert_eq!(rows, filled, "{table}");
    }
    for table in ["a.\"t 1/2\"", "\"[a]*?\".\"*\"", "a.\"new\nline\"", "a.\"'\""] {
        let there = format!("SELECT to_regclass($${table}$$) IS NULL");
        assert_eq!(stage.sql(&stage.admin, &there)?, "t", "{table}");
    }
    Ok(())
}

#[test]
fn words_that_newer_versions_reserve_are_names_on_older_ones() -> Outcome {
    let test = "words_that_newer_versions_reserve_are_names_on_older_ones";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE TABLE json_table (id integer PRIMARY KEY, json jsonb, system_user text CHECK (system_user <> ''));
         INSERT INTO json_table VALUES (1, '{}', 'somebody');
         CREATE INDEX json ON json_table (system_user, json);
         CREATE VIEW json_value AS SELECT json, system_user FROM json_table;
         COMMENT ON COLUMN json_table.json IS 'a word since 17';
         GRANT SELECT (json) ON json_table TO PUBLIC;",
    )?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["verification"]["differences"]), (0, &serde_json::json!([])), "{all}");
    assert_eq!(stage.sql(&stage.admin, "SELECT \"system_user\" FROM public.\"json_value\"")?, "somebody");
    stage.sql(&stage.admin, "UPDATE public.\"json_table\" SET \"json\" = '[]'")?;
    stage.sql(&stage.admin, "DROP INDEX public.\"json\"")?;
    let (code, found) = verify(&stage, &[])?;
    let found: Vec<[&str; 3]> = found.iter().map(|one| one.each_ref().map(String::as_str)).collect();
    assert_eq!(
        found,
        [
            ["content", "public.\"json_table\"", "1 row changed: id = 1 (\"json\")"],
            ["index", "public.\"json\" on public.\"json_table\"", ""],
        ]
    );
    assert_eq!(code, 1);
    Ok(())
}
