//! `tsmigrate dump`, and `tsmigrate restore` of what it has written.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tsmigrate_tests::dumps::Dumps;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, told};
use tsmigrate_tests::program;

fn command(dumps: &Dumps, directory: &Path) -> Result<Command, Box<dyn Error>> {
    let programs = dumps.stage.lab.programs_of(dumps.stage.source_server)?;
    let mut command = Command::new(program::path());
    command
        .args(["dump", "--format", "json", "--jobs", "2", "--pg-bin"])
        .arg(programs)
        .arg(directory)
        .env("SOURCE", &dumps.stage.source)
        .env_remove("TARGET")
        .stdin(Stdio::null());
    Ok(command)
}

/// Dumps, and says what it said.
fn dump(dumps: &Dumps, directory: &Path) -> Result<(i32, String), Box<dyn Error>> {
    let output = command(dumps, directory)?.output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code().ok_or("killed")?, String::from_utf8_lossy(&said).into_owned()))
}

fn restore(
    dumps: &Dumps,
    directory: &Path,
    arguments: &[&str],
) -> Result<(i32, Value, String), Box<dyn Error>> {
    told(&dumps.command_of(&[directory], arguments).output()?)
}

fn manifest(directory: &Path) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_slice(&fs::read(directory.join("manifest.json"))?)?)
}

/// Partitions whose rows pg_dump puts into their root, as another server may choose others; one has its columns in another order.
const BY_ENUM: &str = "CREATE TYPE app.shade AS ENUM ('light', 'dark', 'none');
    CREATE TABLE app.shaded (v integer, shade app.shade) PARTITION BY HASH (shade);
    CREATE TABLE app.shaded_0 PARTITION OF app.shaded FOR VALUES WITH (MODULUS 2, REMAINDER 0);
    CREATE TABLE app.shaded_1 (shade app.shade, v integer);
    ALTER TABLE app.shaded ATTACH PARTITION app.shaded_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO app.shaded SELECT n, (ARRAY['light', 'dark', 'none']::app.shade[])[1 + n % 3] FROM generate_series(1, 60) n";

#[test]
fn a_dump_is_restored_as_a_migration_arrives() -> Outcome {
    let name = "a_dump_is_restored_as_a_migration_arrives";
    for (source, fixture) in [(Server::Source17, "plain.sql"), (Server::Source15, "plain.sql")] {
        let Some(dumps) = Dumps::new(name, source, fixture)? else { return Ok(()) };
        let stage = &dumps.stage;
        // Of this no dump tells.
        stage.sql(&stage.source, "ALTER ROLE ALL SET work_mem = '7MB'")?;
        stage.sql(&stage.source, BY_ENUM)?;
        let directory = dumps.path("My dump");
        fs::create_dir(&directory)?;
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777))?;
        let (code, said) = dump(&dumps, &directory)?;
        stage.sql(&stage.source, "ALTER ROLE ALL RESET work_mem")?;
        assert_eq!(code, 0, "{said}");
        assert!(!directory.join("unfinished.json").exists() && directory.join("roles.sql").exists());
        // It holds passwords of roles.
        let mode = |path: &Path| Ok::<_, std::io::Error>(fs::metadata(path)?.permissions().mode() & 0o777);
        assert_eq!((mode(&directory)?, mode(&directory.join("roles.sql"))?), (0o700, 0o600));
        let link = dumps.path("link");
        std::os::unix::fs::symlink(dumps.path("elsewhere"), &link)?;
        let (code, said_of_link) = dump(&dumps, &link)?;
        assert!(code == 2 && !dumps.path("elsewhere").exists(), "{said_of_link}");
        let listed = Command::new(stage.lab.programs_of(source)?.join("pg_restore"))
            .arg("-l")
            .arg(&directory)
            .output()?;
        assert!(listed.status.success(), "pg_restore reads it: {}", String::from_utf8_lossy(&listed.stderr));
        let written = manifest(&directory)?;
        assert!(written["tables"].as_array().is_some_and(|tables| tables.len() > 9), "{written}");
        assert!(written["settings_of_all_roles"].to_string().contains("7MB"), "{written}");
        // It is never written over.
        let (code, said) = dump(&dumps, &directory)?;
        assert!(code == 2 && said.contains("is not empty"), "{said}");

        let (code, report, said) = restore(&dumps, &directory, &[])?;
        assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{said}");
        assert!(report["plan"]["notes"].to_string().contains("the source as of"), "{said}");
        assert_eq!(report["verification"]["differences"], Value::Array(Vec::new()), "{said}");
        let setting = "SELECT setconfig::text FROM pg_db_role_setting WHERE setrole = 0 AND setdatabase = \
                       (SELECT oid FROM pg_database WHERE datname = current_database())";
        assert!(stage.sql(&stage.admin, setting)?.contains("work_mem=7MB"));
        let (_, told) = dumps.verify()?;
        let report: Value = serde_json::from_str(told.split_inclusive("\n}").next().unwrap_or_default())?;
        let differences = report["verification"]["differences"].as_array().ok_or(told.clone())?;
        // The source does not have it any more.
        assert!(differences.iter().all(|difference| difference["object"] == "work_mem"), "{told}");
        assert_eq!(stage.left_behind()?, [""; 0]);
    }
    Ok(())
}

#[test]
fn a_dump_that_has_changed_since_is_not_restored() -> Outcome {
    let name = "a_dump_that_has_changed_since_is_not_restored";
    let Some(dumps) = Dumps::new(name, Server::Source17, "plain.sql")? else { return Ok(()) };
    let stage = &dumps.stage;
    let directory = dumps.path("dump");
    let (code, said) = dump(&dumps, &directory)?;
    assert_eq!(code, 0, "{said}");
    let untouched = stage.target_objects()?;
    let why = |expected: &str| -> Outcome {
        let (code, report, said) = restore(&dumps, &directory, &[])?;
        assert!(code == 2 && report["error"].to_string().contains(expected), "{said}");
        Ok(())
    };
    let roles = directory.join("roles.sql");
    let whole = fs::read(&roles)?;
    fs::write(&roles, [&whole[..], b"CREATE ROLE another;\n"].concat())?;
    why("roles.sql is not as it was dumped")?;
    fs::write(&roles, &whole)?;
    fs::write(directory.join("unfinished.json"), "{}")?;
    why("its dump was interrupted")?;
    fs::remove_file(directory.join("unfinished.json"))?;
    let file = directory.join("manifest.json");
    let text = fs::read_to_string(&file)?;
    fs::write(&file, text.replacen("\"format\": 1", "\"format\": 2", 1))?;
    why("is of version 2")?;
    assert_eq!(stage.target_objects()?, untouched);
    // Rows of which the manifest says others do not stay on the target.
    let mut other: Value = serde_json::from_str(&text)?;
    let tables = other["tables"].as_array_mut().ok_or("no tables")?;
    let table = tables.iter_mut().find(|table| table["rows"].as_u64() > Some(10)).ok_or("no rows")?;
    let table_name = format!(
        "{}.{}",
        table["table"]["schema"].as_str().unwrap_or_default(),
        table["table"]["name"].as_str().unwrap_or_default()
    );
    table["sum"] = "7".into();
    fs::write(&file, serde_json::to_vec(&other)?)?;
    why("are not those that were dumped")?;
    assert_eq!(stage.sql(&stage.admin, &format!("SELECT count(*) FROM {table_name}"))?, "0");
    fs::write(&file, text)?;
    let (code, report, said) = restore(&dumps, &directory, &["--resume"])?;
    assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{said}");
    let (code, told) = dumps.verify()?;
    assert_eq!(code, 0, "{told}");
    Ok(())
}

#[test]
fn a_killed_dump_is_known_as_such_and_made_anew() -> Outcome {
    let name = "a_killed_dump_is_known_as_such_and_made_anew";
    let Some(dumps) = Dumps::new(name, Server::Source17, "timescale.sql")? else { return Ok(()) };
    let stage = &dumps.stage;
    let directory = dumps.path("dump");
    let off = stage.sql(&stage.source, PAUSED)?;
    let mut child = command(&dumps, &directory)?.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    while child.try_wait()?.is_none() && !directory.join("unfinished").exists() {}
    // As long as it lives nobody else has a say in its directory.
    for (code, said) in [dump(&dumps, &directory)?, cleanup(&dumps, &directory)?] {
        assert!(code == 2 && said.contains("another tsmigrate dump is at work in"), "{said}");
    }
    child.kill()?;
    child.wait()?;
    assert!(directory.join("unfinished.json").exists(), "it was killed too late");
    jobs_are_put_back(&dumps, &directory, &off)?;
    let (code, report, said) = restore(&dumps, &directory, &[])?;
    assert!(code == 2 && report["error"].to_string().contains("interrupted"), "{said}");
    let (code, said) = dump(&dumps, &directory)?;
    assert_eq!(code, 0, "{said}");
    assert!(!directory.join("unfinished").exists() && !directory.join("unfinished.json").exists());
    let (code, said) = cleanup(&dumps, &directory)?;
    assert!(code == 0 && said.contains("is whole: nothing is open"), "{said}");
    let (code, report, said) = restore(&dumps, &directory, &[])?;
    assert_eq!((code, &report["outcome"]), (0, &"restored".into()), "{said}");
    assert_eq!(report["verification"]["differences"], Value::Array(Vec::new()), "{said}");
    assert_eq!(stage.left_behind()?, [""; 0]);
    Ok(())
}

/// `tsmigrate cleanup --dump`, and what it said.
fn cleanup(dumps: &Dumps, directory: &Path) -> Result<(i32, String), Box<dyn Error>> {
    let mut command = Command::new(program::path());
    command
        .args(["cleanup", "--dump"])
        .arg(directory)
        .env("SOURCE", &dumps.stage.source)
        .env_remove("TARGET");
    let output = command.output()?;
    let said = [output.stdout, output.stderr].concat();
    Ok((output.status.code().ok_or("killed")?, String::from_utf8_lossy(&said).into_owned()))
}

const PAUSED: &str =
    "SELECT count(*) FROM timescaledb_information.jobs WHERE job_id >= 1000 AND NOT scheduled";

/// What a killed dump has paused is scheduled again without another dump, and on no other database. `off` are jobs that were not
/// scheduled before.
fn jobs_are_put_back(dumps: &Dumps, directory: &Path, off: &str) -> Outcome {
    let stage = &dumps.stage;
    let file = directory.join("unfinished.json");
    let text = fs::read_to_string(&file)?;
    let paused = || stage.sql(&stage.source, PAUSED);
    if stage.is_full_edition()? {
        assert_ne!(paused()?, off);
    }
    // Jobs of another database have the same numbers.
    let mut other: Value = serde_json::from_str(&text)?;
    other["source"] = serde_json::json!({ "system": "7", "database": "other", "oid": "7" });
    other["paused"] = serde_json::json!([{ "id": 1000, "name": "a job", "owner": "o", "scheduled": true }]);
    fs::write(&file, serde_json::to_vec(&other)?)?;
    for (code, said) in [dump(dumps, directory)?, cleanup(dumps, directory)?] {
        assert!(
            code == 2 && said.contains("a dump of another database") && said.contains("a job (1000)"),
            "{said}"
        );
    }
    assert!(directory.join("unfinished").exists(), "what a dump had written is gone");
    fs::write(&file, text)?;
    let (code, said) = cleanup(dumps, directory)?;
    let expected =
        if stage.is_full_edition()? { "✓ source: scheduled" } else { "✓ source: no job is paused by it" };
    assert!(
        code == 0 && said.contains(expected) && said.contains("it is not whole: dump it again"),
        "{said}"
    );
    if stage.is_full_edition()? {
        assert_eq!(paused()?, off);
    }
    let (code, said) = cleanup(dumps, directory)?;
    assert!(code == 0 && said.contains("✓ source: no job is paused by it"), "{said}");
    let (code, said) = cleanup(dumps, &dumps.path("nothing"))?;
    assert!(code == 2 && said.contains("has no dump of tsmigrate"), "{said}");
    // Nothing changes of a directory with other things.
    let others = dumps.path("others");
    fs::create_dir(&others)?;
    fs::write(others.join("file"), "")?;
    fs::set_permissions(&others, fs::Permissions::from_mode(0o755))?;
    let (refused, not_empty) = (cleanup(dumps, &others)?, dump(dumps, &others)?);
    assert!(
        refused.0 == 2 && not_empty.0 == 2 && not_empty.1.contains("is not empty"),
        "{refused:?} {not_empty:?}"
    );
    assert_eq!(fs::metadata(&others)?.permissions().mode() & 0o777, 0o755);
    Ok(())
}
