//! Versions move: every shape of TimescaleDB's catalogs, and PostgreSQL from each version of the lab to each newer one.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::Value;
use tsmigrate::connect::{Connector, Session, Side};
use tsmigrate::timescale::Catalogs;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{self, Outcome, Stage};
use tsmigrate_tests::program;

const CATALOGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/versions/catalogs.sql");

/// Everything that the module tells of this database, as the server answers.
async fn told(session: &Session) -> Result<String, Box<dyn Error>> {
    let columns = session
        .ask(
            "SELECT n.nspname, c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
             JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('_timescaledb_catalog', '_timescaledb_config') \
             AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped",
        )
        .await?;
    let columns: Vec<Vec<String>> =
        columns.into_iter().map(|row| row.values().iter().flatten().cloned().collect()).collect();
    let catalogs =
        Catalogs::new(columns.iter().map(|row| (row[0].as_str(), row[1].as_str(), row[2].as_str())));
    let questions = [
        format!(
            "SELECT id, relid::regclass, table_name FROM ({}) x WHERE compresses IS NULL",
            catalogs.hypertables()?
        ),
        format!(
            "SELECT id, hypertable_id, relid::regclass, compressed::regclass, compressed_rows, status, tiered FROM ({}) x",
            catalogs.chunks()?
        ),
        format!("SELECT chunk_id, dimension_id, range_start, range_end FROM ({}) x", catalogs.slices()?),
        format!(
            "SELECT user_view_schema, user_view_name, mat_hypertable_id FROM ({}) x",
            catalogs.aggregates()?
        ),
        format!("SELECT id, application_name, owner, scheduled FROM {}", catalogs.jobs()?),
    ];
    let mut all = String::new();
    for question in questions {
        for row in session.ask(&format!("{question} ORDER BY 1")).await? {
            let row: Vec<String> =
                row.values().iter().map(|value| value.clone().unwrap_or_else(|| "-".into())).collect();
            all.push_str(&row.join(" "));
            all.push('\n');
        }
    }
    Ok(all)
}

#[tokio::test(flavor = "multi_thread")]
async fn timescaledbs_catalogs_say_the_same_in_every_version() -> Outcome {
    const TEST: &str = "timescaledbs_catalogs_say_the_same_in_every_version";
    let Some(stage) = Stage::new(TEST, Server::Source15, Server::Target15)? else { return Ok(()) };
    let text = fs::read_to_string(CATALOGS)?;
    let mut versions = 0;
    for step in text.split("\n-- version ").skip(1) {
        let version = step.lines().next().unwrap_or_default();
        stage.sql_text(&format!("-- {step}"))?;
        let session = Connector::new(Side::Source, &stage.source)?.open().await?;
        let told = told(&session).await.map_err(|error| format!("{version}: {error}"))?;
        let expected = "1 \"io.t\".\"Metrics\" Metrics\n\
            3 _timescaledb_internal.daily_rows daily_rows\n\
            1 1 _timescaledb_internal.chunk_plain - - 0 f\n\
            2 1 _timescaledb_internal.chunk_packed _timescaledb_internal.packed_rows 1000 1 f\n\
            5 3 _timescaledb_internal.chunk_daily - - 0 f\n\
            1 1 0 10\n2 1 10 20\n5 2 0 100\n\
            io.t daily 3\n\
            1000 Drop old rows postgres t\n";
        assert_eq!(told, expected, "{version}");
        versions += 1;
    }
    assert_eq!(versions, 7);
    // A catalog of tomorrow is refused in words, not in the middle of a query.
    let session = Connector::new(Side::Source, &stage.source)?.open().await?;
    session.run("ALTER TABLE _timescaledb_catalog.chunk RENAME relid TO table_oid").await?;
    let error = told(&session).await.expect_err("no version has this").to_string();
    assert!(error.contains("its catalog chunk has no column schema_name"), "{error}");
    Ok(())
}

/// Migrates a database of these fixtures, and holds the outcome to: exit 0, nothing differs, nothing stays behind.
fn same(stage: &Stage, fixtures: &[&str]) -> Result<Value, Box<dyn Error>> {
    for fixture in fixtures {
        stage.fixture(fixture).map_err(|error| format!("{fixture}: {error}"))?;
    }
    let (code, report, all) = stage.migrate(&[])?;
    let differences = &report["verification"]["differences"];
    let why = format!("{:#} {:#} {differences:#}\n{all}", report["error"], report["blockers"]);
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{why}");
    assert_eq!(*differences, Value::Array(Vec::new()), "{why}");
    assert_eq!(stage.left_behind()?, Vec::<String>::new());
    Ok(report)
}

/// Rules that had to take something out of the dump.
fn rules(report: &Value) -> BTreeSet<&str> {
    report["findings"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|finding| finding["rule"].as_str())
        .collect()
}

const PLAIN: [&str; 3] = ["everything.sql", "../versions/definitions.sql", "../versions/columns.sql"];

#[test]
fn a_plain_database_goes_from_15_to_17() -> Outcome {
    let test = "a_plain_database_goes_from_15_to_17";
    let Some(mut stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    // Up to 16 pg_dump has large objects among what comes before all data.
    stage.programs = stage.lab.programs_of(Server::Source15)?.to_owned();
    let report = same(&stage, &PLAIN)?;
    let announced = report["verification"]["announced"].to_string();
    assert!(announced.contains("de@collation=phonebook"), "{announced}");
    Ok(())
}

#[test]
fn a_plain_database_goes_from_15_to_18() -> Outcome {
    let test = "a_plain_database_goes_from_15_to_18";
    let Some(mut stage) = Stage::new(test, Server::Source15, Server::Target18)? else { return Ok(()) };
    stage.programs = stage.lab.programs_of(Server::Target18)?.to_owned();
    stage.sql_text(
        "CREATE TABLE public.sent (a int, b int GENERATED ALWAYS AS (a) STORED); INSERT INTO public.sent VALUES (1);
         ALTER TABLE public.sent REPLICA IDENTITY FULL; CREATE PUBLICATION sends FOR TABLE public.sent;
         CREATE ROLE \"dash-ed\"; GRANT pg_write_all_data TO \"dash-ed\";
         CREATE ACCESS METHOD \"Am x\" TYPE TABLE HANDLER heap_tableam_handler; COMMENT ON ACCESS METHOD \"Am x\" IS 'ours';
         CREATE TABLE public.like_heap (i int) USING \"Am x\"; ALTER TABLE public.like_heap OWNER TO \"dash-ed\";",
    )?;
    let report = same(&stage, &PLAIN)?;
    let told = "replica identity of table public.sent";
    let is_told = |finding: &Value| finding["object"] == told;
    assert!(report["findings"].as_array().is_some_and(|all| all.iter().any(is_told)), "{report:#}");
    // As it says, the server does.
    let update = || stage.sql(&stage.admin, "UPDATE public.sent SET a = 2");
    assert!(update().is_err_and(|error| error.to_string().contains("cannot update table")));
    stage.sql(&stage.admin, "ALTER PUBLICATION sends SET (publish_generated_columns = stored)")?;
    update().map(drop)
}

#[test]
fn a_plain_database_goes_from_17_to_18() -> Outcome {
    let test = "a_plain_database_goes_from_17_to_18";
    let Some(mut stage) = Stage::new(test, Server::Source17, Server::Target18)? else { return Ok(()) };
    // What 17.12 keeps of each column for itself is hidden by its own pg_dump, not by a newer one.
    stage.programs = stage.lab.programs_of(Server::Target18)?.to_owned();
    let kept = "SELECT count(*) > 0 FROM pg_attribute WHERE attrelid > 16384 AND attoptions::text LIKE '%pg_attver=%'";
    let report = same(&stage, &PLAIN)?;
    assert_eq!(stage.sql(&stage.source, kept)?, if rules(&report).contains("IN-15") { "t" } else { "f" });
    assert_eq!(
        stage.sql(
            &stage.admin,
            "SELECT attoptions FROM pg_attribute WHERE attname = 'distinct_ones' \
        AND attrelid = 'v.kinds'::regclass"
        )?,
        "{n_distinct=-0.5,n_distinct_inherited=7}"
    );
    Ok(())
}

#[test]
fn a_plain_database_goes_from_17_to_17_with_either_pg_dump() -> Outcome {
    let test = "a_plain_database_goes_from_17_to_17_with_either_pg_dump";
    let Some(mut stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    // A pg_dump that is too old for the source, and what to do about it.
    let old = stage.lab.folder().join("old");
    fs::create_dir(&old)?;
    for tool in ["pg_dump", "pg_dumpall"] {
        let script = format!("#!/bin/sh\necho '{tool} (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)'\n");
        fs::write(old.join(tool), script)?;
        fs::set_permissions(old.join(tool), fs::Permissions::from_mode(0o755))?;
    }
    let newest = std::mem::replace(&mut stage.programs, old);
    let (code, report, all) = stage.migrate(&[])?;
    let error = report["error"].as_str().unwrap_or_default();
    assert!(code == 2 && error.starts_with("pg_dump 15.18 is older than the source (17."), "{error}\n{all}");
    assert!(error.contains("--pg-bin"), "{error}");
    stage.programs = newest;
    same(&stage, &PLAIN)?;
    // What means the same is no difference: what does not still is one.
    stage.sql(
        &stage.admin,
        "ALTER TABLE x.checks DROP CONSTRAINT checks_s_check, ADD CONSTRAINT checks_s_check \
         CHECK (s IN ('new', 'other') OR s IS NULL); \
         CREATE OR REPLACE VIEW x.v41 AS SELECT id FROM x.t WHERE (id >= 1 AND id <= 5 OR a = 'x') AND b > 1 AND c IS NULL; \
         ALTER TABLE v.kinds ALTER distinct_ones SET (n_distinct = -0.6)",
    )?;
    let (code, report) = verify(&stage)?;
    let found = report["verification"]["differences"].as_array().into_iter().flatten();
    // As tsdbadmin some rows are out of reach: policies are for everyone now.
    let found: Vec<_> = found.filter(|difference| difference["kind"] != "rows").collect();
    let found: Vec<_> = found
        .iter()
        .map(|difference| [&difference["kind"], &difference["object"]].map(Value::as_str))
        .collect();
    let expected = [
        ["column options", "v.kinds.distinct_ones"],
        ["table constraint definition", "checks_s_check on x.checks"],
        ["view definition", "x.v41"],
    ];
    assert_eq!((code, found), (1, expected.map(|pair| pair.map(Some)).to_vec()), "{report:#}");
    Ok(())
}

/// `tsmigrate verify`: its exit status and its report.
fn verify(stage: &Stage) -> Result<(i32, Value), Box<dyn Error>> {
    let output = Command::new(program::path())
        .args(["verify", "--format", "json", "--progress", "none"])
        .env("SOURCE", &stage.source)
        .env("TARGET", &stage.target)
        .stdin(Stdio::null())
        .output()?;
    let (code, report, _) = migration::told(&output)?;
    Ok((code, report))
}

#[test]
fn a_plain_database_goes_from_18_to_18() -> Outcome {
    let test = "a_plain_database_goes_from_18_to_18";
    let Some(stage) = Stage::new(test, Server::Source18, Server::Target18)? else { return Ok(()) };
    let [everything, definitions, columns] = PLAIN;
    same(&stage, &[everything, definitions, columns, "../versions/newest.sql"]).map(drop)
}

#[test]
fn a_timescaledb_source_of_18_arrives_and_is_verified() -> Outcome {
    let test = "a_timescaledb_source_of_18_arrives_and_is_verified";
    let Some(stage) = Stage::new(test, Server::Source18, Server::Target18)? else { return Ok(()) };
    let report = same(&stage, &["timescale.sql", "everything.sql"])?;
    assert_eq!(stage.restoring()?, "0 off");
    let counts = "SELECT (SELECT count(*) FROM metrics), (SELECT count(*) FROM logs), (SELECT count(*) FROM sensors.readings), \
                  (SELECT count(*) FROM show_chunks('metrics'))";
    assert_eq!(stage.sql(&stage.target, counts)?, stage.sql(&stage.source, counts)?);
    let metrics =
        report["tables"].as_array().into_iter().flatten().find(|table| table["name"] == "public.metrics");
    assert!(metrics.is_none_or(|table| table["chunks"] != 0), "{:#}", report["tables"]);
    // New chunks, as the day after.
    stage.sql(
        &stage.target,
        "INSERT INTO metrics VALUES ('2030-01-01', 1, 1); DELETE FROM metrics WHERE time = '2030-01-01'",
    )?;
    stage.sql(&stage.target, "SELECT drop_chunks('metrics', newer_than => '2029-12-01'::timestamptz)")?;
    stage.sql(
        &stage.target,
        "UPDATE metrics SET value = value + 1 WHERE time = '2024-01-02' AND device = 3",
    )?;
    let (code, report) = verify(&stage)?;
    let found = report["verification"]["differences"].to_string();
    assert!(
        code == 1 && found.contains("2024-01-02 00:00:00+00") && found.contains("_hyper_1_"),
        "{report:#}"
    );
    Ok(())
}
