//! Some of a TimescaleDB source: plain tables alone, a hypertable alone, hypertables without their rows.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;
use tsmigrate_tests::lab::{Server, skipped};
use tsmigrate_tests::migration::{Outcome, Stage};

/// Two hypertables with different dimensions, one of them with chunks beside the tables of the user, plain tables that refer
/// to each other, and jobs that policies and users would have made.
const SOURCE: &str = "
CREATE EXTENSION timescaledb;
CREATE ROLE metrics_app; CREATE SCHEMA metrics AUTHORIZATION metrics_app; CREATE SCHEMA app;
SET SESSION AUTHORIZATION metrics_app;
CREATE TABLE metrics.noise (ts timestamptz NOT NULL, v integer);
SELECT create_hypertable('metrics.noise', 'ts', chunk_time_interval => interval '1 day');
INSERT INTO metrics.noise SELECT timestamptz '2024-01-01' + i * interval '1 hour', i FROM generate_series(1, 200) i;
CREATE TABLE metrics.readings (id bigint GENERATED ALWAYS AS IDENTITY, ts timestamptz NOT NULL, sensor integer NOT NULL,
  v double precision, PRIMARY KEY (ts, id, sensor));
SELECT create_hypertable('metrics.readings', 'ts', 'sensor', 2, chunk_time_interval => interval '7 days',
  associated_schema_name => 'metrics', associated_table_prefix => 'part');
CREATE INDEX readings_v ON metrics.readings (v, ts);
INSERT INTO metrics.readings (ts, sensor, v)
  SELECT timestamptz '2024-01-01' + i * interval '1 hour', i % 5, i / 7.0 FROM generate_series(1, 500) i;
CREATE TABLE metrics.plain (id integer PRIMARY KEY); INSERT INTO metrics.plain SELECT generate_series(1, 10);
RESET SESSION AUTHORIZATION;
CREATE TABLE app.country (id integer PRIMARY KEY); INSERT INTO app.country VALUES (1);
CREATE TABLE app.site (id serial PRIMARY KEY, country integer REFERENCES app.country, name text);
INSERT INTO app.site (country, name) SELECT 1, 'site ' || i FROM generate_series(1, 50) i;
CREATE TABLE app.log (at timestamptz NOT NULL, line text);
INSERT INTO app.log SELECT timestamptz '2024-01-01' + i * interval '1 hour', 'line' FROM generate_series(1, 500) i;
CREATE PROCEDURE app.own_job(job_id integer, config jsonb) LANGUAGE sql AS 'SELECT 1';
";

/// The source, with jobs written into the catalog that is at this place: the Apache edition makes none.
fn source(stage: &Stage) -> Outcome {
    stage.sql_text(SOURCE)?;
    let jobs = stage.sql(
        &stage.source,
        "SELECT c.oid::regclass FROM pg_class c WHERE relname = 'bgw_job' AND relkind = 'r'",
    )?;
    stage.sql_text(&format!(
        "INSERT INTO {jobs} (id, application_name, schedule_interval, max_runtime, max_retries, retry_period, proc_schema, \
           proc_name, owner, scheduled, hypertable_id, config) \
         SELECT n, name || ' [' || n || ']', interval '1 day', interval '0', 3, interval '1 hour', schema, proc, 'postgres'::regrole, \
           false, (SELECT id FROM _timescaledb_catalog.hypertable WHERE table_name = hypertable), '{{}}' \
         FROM (VALUES (1000, 'Retention Policy', '_timescaledb_functions', 'policy_retention', 'readings'), \
           (1001, 'Retention Policy', '_timescaledb_functions', 'policy_retention', 'noise'), \
           (1002, 'User-Defined Action', 'app', 'own_job', NULL)) v(n, name, schema, proc, hypertable)"
    ))
}

/// Migrates without a difference.
fn migrate_once(stage: &Stage, arguments: &[&str]) -> Result<Value, Box<dyn std::error::Error>> {
    let (code, report, all) = stage.migrate(arguments)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["differences"], Value::Array(Vec::new()), "{all}");
    assert_eq!(stage.left_behind()?, Vec::<String>::new());
    Ok(report)
}

/// The same, and compares once more with what the work directory knows.
fn migrate(stage: &Stage, arguments: &[&str]) -> Result<Value, Box<dyn std::error::Error>> {
    let report = migrate_once(stage, arguments)?;
    verify(stage)?;
    Ok(report)
}

fn verify(stage: &Stage) -> Outcome {
    let (code, said) = stage.verify_known()?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}

/// How many rows TimescaleDB's catalogs have for hypertables, their dimensions, chunks and jobs.
const CATALOGS: &str = "SELECT (SELECT count(*) FROM timescaledb_information.hypertables),
  (SELECT count(*) FROM _timescaledb_catalog.dimension), (SELECT count(*) FROM _timescaledb_catalog.chunk),
  (SELECT count(*) FROM _timescaledb_catalog.dimension_slice s JOIN _timescaledb_catalog.dimension d ON d.id = s.dimension_id
   WHERE d.column_name = 'sensor') > 0,
  (SELECT string_agg(job_id::text, ' ') FROM timescaledb_information.jobs WHERE job_id >= 1000)";

fn tables(stage: &Stage) -> Result<String, Box<dyn std::error::Error>> {
    stage.sql(
        &stage.admin,
        "SELECT string_agg(c.oid::regclass::text, ' ' ORDER BY c.oid::regclass::text COLLATE \"C\") FROM pg_class c \
         WHERE relkind IN ('r', 'v') AND relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('app', 'metrics')) \
         AND relname !~ '^part_'",
    )
}

/// TimescaleDB's version is another one on the target, and nobody cares.
#[test]
fn plain_tables_come_alone() -> Outcome {
    let test = "plain_tables_come_alone";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target18)? else { return Ok(()) };
    source(&stage)?;
    let filter = ["--include", "app.site", "app.country", "metrics.plain"];
    let (code, report, all) = stage.migrate(&[&["--dry-run"][..], &filter].concat())?;
    assert_eq!((code, &report["outcome"]), (0, &"planned".into()), "{all}");
    let plan = report["plan"].to_string();
    assert!(plan.contains("no hypertable comes over, and nothing of TimescaleDB's catalogs"), "{plan}");
    assert!(plan.contains("jobs left out") && !plan.contains("pre_restore"), "{plan}");
    migrate(&stage, &filter)?;
    assert_eq!(tables(&stage)?, "app.country app.site metrics.plain");
    assert_eq!(stage.sql(&stage.admin, CATALOGS)?, "0|0|0|f|");
    let rows = "SELECT (SELECT count(*) FROM app.site), (SELECT last_value FROM app.site_id_seq), pg_get_userbyid(relowner) \
                FROM pg_class WHERE oid = 'metrics.plain'::regclass";
    assert_eq!(stage.sql(&stage.admin, rows)?, "50|50|metrics_app");
    // A hypertable of one's own begins with the first id.
    stage
        .sql_on_target("CREATE TABLE own (ts timestamptz NOT NULL); SELECT create_hypertable('own', 'ts')")?;
    assert_eq!(stage.sql(&stage.admin, "SELECT id FROM _timescaledb_catalog.hypertable")?, "1");
    Ok(())
}

/// The same where everything but the hypertables is named, and a plain table becomes one on the way.
#[test]
fn hypertables_are_left_out_and_a_plain_table_becomes_one() -> Outcome {
    let test = "hypertables_are_left_out_and_a_plain_table_becomes_one";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    source(&stage)?;
    let report = migrate(
        &stage,
        &["--exclude", "metrics.readings,metrics.noise", "--hypertable", "app.log:at:1 day"],
    )?;
    let plan = report["plan"].to_string();
    assert!(plan.contains("jobs left out: ") && plan.contains("User-Defined Action [1002]"), "{plan}");
    assert_eq!(tables(&stage)?, "app.country app.log app.site metrics.plain");
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM show_chunks('app.log')")?, "21");
    Ok(())
}

fn comes_alone(test: &str, source_server: Server, target_server: Server) -> Outcome {
    let Some(stage) = Stage::new(test, source_server, target_server)? else { return Ok(()) };
    source(&stage)?;
    let report = migrate(&stage, &["--include", "metrics.readings"])?;
    let plan = report["plan"].to_string();
    assert!(plan.contains("of TimescaleDB's catalogs come the rows of metrics.readings"), "{plan}");
    assert_eq!(tables(&stage)?, "metrics.readings");
    let chunks = "SELECT count(*) FROM show_chunks('metrics.readings')";
    let count = stage.sql(&stage.source, chunks)?;
    assert_eq!(stage.sql(&stage.admin, chunks)?, count);
    assert_eq!(stage.sql(&stage.admin, CATALOGS)?, format!("1|2|{count}|t|1000"));
    let rows = "SELECT count(*), sum(v), min(ts), max(ts) FROM metrics.readings";
    assert_eq!(stage.sql(&stage.source, rows)?, stage.sql(&stage.admin, rows)?);
    let owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'metrics'::regnamespace AND relkind = 'r'";
    assert_eq!(stage.sql(&stage.admin, owners)?, "metrics_app");
    // It goes on: old and new chunks take rows, and another hypertable has an id of its own.
    stage.sql_on_target(
        "SET ROLE metrics_app;
         INSERT INTO metrics.readings (ts, sensor, v) VALUES ('2024-01-02', 1, 1), ('2030-01-01', 2, 2);
         CREATE TABLE metrics.more (ts timestamptz NOT NULL); SELECT create_hypertable('metrics.more', 'ts');
         INSERT INTO metrics.more VALUES ('2024-01-01')",
    )?;
    let sum = "SELECT count(*), (SELECT count(*) FROM show_chunks('metrics.readings')) FROM metrics.readings";
    assert_eq!(stage.sql(&stage.admin, sum)?, format!("502|{}", count.parse::<u32>()? + 1));
    Ok(())
}

#[test]
fn a_hypertable_comes_alone() -> Outcome {
    comes_alone("a_hypertable_comes_alone", Server::Source17, Server::Target17)
}

#[test]
fn a_hypertable_comes_alone_from_a_new_version() -> Outcome {
    comes_alone("a_hypertable_comes_alone_from_a_new_version", Server::Source18, Server::Target18)
}

/// A run that was stopped goes on with the same choice, whatever chunks have come meanwhile.
#[test]
fn a_choice_is_resumed() -> Outcome {
    let test = "a_choice_is_resumed";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    source(&stage)?;
    stage.sql_text(
        "CREATE TABLE app.child (p integer CONSTRAINT no_parent REFERENCES app.country);
         SET session_replication_role = replica; INSERT INTO app.child VALUES (7)",
    )?;
    let filter = ["--include", "metrics.readings", "app.child", "app.country"];
    let (code, report, all) = stage.migrate(&filter)?;
    assert!(code == 2 && report["next"].to_string().contains("app.child.no_parent"), "{all}");
    stage.sql_text(
        "INSERT INTO app.country VALUES (7);
         INSERT INTO metrics.noise VALUES ('2031-01-01', 1);
         INSERT INTO metrics.readings (ts, sensor, v) VALUES ('2024-01-01', 1, 1), ('2031-01-01', 1, 1);
         SELECT drop_chunks('metrics.readings', older_than => timestamptz '2024-01-08')",
    )?;
    let (code, report, all) =
        stage.migrate(&["--resume", "--new-snapshot", "--include", "metrics.readings"])?;
    assert!(code != 0 && report["error"].to_string().contains("options"), "{all}");
    migrate(&stage, &[&["--resume", "--new-snapshot"][..], &filter].concat())?;
    assert_eq!(tables(&stage)?, "app.child app.country metrics.readings");
    let rows = "SELECT count(*), sum(v), (SELECT count(*) FROM show_chunks('metrics.readings')) FROM metrics.readings";
    assert_eq!(stage.sql(&stage.source, rows)?, stage.sql(&stage.admin, rows)?);
    Ok(())
}

/// Chunks of hypertables that come, and of those that stay behind, are made while the choice is looked up and dumped.
#[test]
fn chunks_come_while_a_choice_is_read() -> Outcome {
    let test = "chunks_come_while_a_choice_is_read";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    source(&stage)?;
    let mut writer = stage.psql_command(&stage.source)?;
    let writer = writer.args(["-c", "SELECT pg_sleep(0.4)"]).arg("-c").arg(
        "DO $$ BEGIN FOR i IN 1..150 LOOP INSERT INTO metrics.noise VALUES (timestamptz '2031-01-01' + i * interval '1 day', i); \
         INSERT INTO metrics.readings (ts, sensor, v) VALUES (timestamptz '2031-01-01' + i * interval '7 days', 1, i); \
         COMMIT; PERFORM pg_sleep(1); END LOOP; END $$",
    );
    let mut writer = writer.spawn()?;
    let migrated = stage.migrate(&["--include", "metrics.readings"]);
    writer.kill()?;
    writer.wait()?;
    let (code, report, all) = migrated?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["differences"], Value::Array(Vec::new()), "{all}");
    assert_eq!(tables(&stage)?, "metrics.readings");
    stage.sql(&stage.admin, "INSERT INTO metrics.readings (ts, sensor, v) VALUES ('2041-01-01', 1, 1)")?;
    Ok(())
}

/// What is used and left out is named with the option that adds it.
#[test]
fn what_is_needed_is_named() -> Outcome {
    let test = "what_is_needed_is_named";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    source(&stage)?;
    // A dry run writes nothing into a directory of everybody's, and says that a run would not either.
    std::fs::create_dir(&stage.work)?;
    std::fs::set_permissions(&stage.work, PermissionsExt::from_mode(0o777))?;
    let (code, report, all) = stage.migrate(&["--dry-run", "--include", "app.site"])?;
    assert_eq!((code, &report["outcome"]), (1, &"blocked".into()), "{all}");
    assert!(all.contains("a run would not begin in this work directory: others can write into"), "{all}");
    let adds = "app.site uses app.country, which is left out: --include 'app.country' adds it";
    assert_eq!(report["next"][0], adds, "{all}");
    stage.sql(&stage.target, "CREATE TABLE own (ts timestamptz NOT NULL)")?;
    stage.sql_on_target("SELECT create_hypertable('own', 'ts')")?;
    let (code, report, all) = stage.migrate(&["--dry-run", "--include", "metrics.readings"])?;
    assert!(code == 2 && report.to_string().contains("target-not-empty"), "{all}");
    Ok(())
}

/// No empty chunk stays where the rows of a hypertable do not come.
#[test]
fn a_hypertable_without_rows_has_no_chunks() -> Outcome {
    let test = "a_hypertable_without_rows_has_no_chunks";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    source(&stage)?;
    migrate(&stage, &["--exclude-data", "metrics.readings"])?;
    let chunks = "SELECT (SELECT count(*) FROM show_chunks('metrics.readings')), (SELECT count(*) FROM show_chunks('metrics.noise'))";
    assert_eq!(stage.sql(&stage.admin, chunks)?, "0|9");
    assert_eq!(
        stage.sql(&stage.admin, "SELECT count(*) FROM pg_class WHERE relname ~ '^part_.*chunk$'")?,
        "0"
    );
    stage.sql_on_target("INSERT INTO metrics.readings (ts, sensor, v) VALUES ('2024-01-02', 1, 1)")?;
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM metrics.readings")?, "1");
    Ok(())
}

/// Compressed chunks, policies and continuous aggregates, which the Apache edition does not have.
#[test]
fn continuous_aggregates_come_when_asked() -> Outcome {
    let test = "continuous_aggregates_come_when_asked";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    if !stage.is_full_edition()? {
        skipped(test, "this TimescaleDB is the Apache edition, without continuous aggregates");
        return Ok(());
    }
    stage.fixture("timescale-full.sql")?;
    let hourly = "SELECT md5(string_agg(h::text, '' ORDER BY h::text)) FROM hourly h";
    let readings = "SELECT md5(string_agg(r::text, '' ORDER BY r::text)) FROM readings r";

    // Without its aggregates: what changes is noted for nobody.
    migrate_once(&stage, &["--include", "public.readings", "public.sensor"])?;
    assert_eq!(stage.sql(&stage.source, readings)?, stage.sql(&stage.admin, readings)?);
    let left = "SELECT (SELECT count(*) FROM _timescaledb_catalog.continuous_agg), \
                (SELECT count(*) FROM _timescaledb_catalog.continuous_aggs_invalidation_threshold), \
                (SELECT count(*) FROM pg_trigger WHERE tgname = 'ts_cagg_invalidation_trigger'), \
                (SELECT string_agg(proc_name, ' ' ORDER BY job_id) FROM timescaledb_information.jobs WHERE job_id >= 1000)";
    assert_eq!(stage.sql(&stage.admin, left)?, "0|0|0|policy_compression policy_retention policy_reorder");
    let go_on = "INSERT INTO readings VALUES ('2024-03-05 00:00:01+00', 3, 4.5, 'late'); \
                 SELECT count(decompress_chunk(c, true)) FROM show_chunks('readings') c; \
                 SELECT count(compress_chunk(c)) FROM show_chunks('readings') c";
    stage.script(&stage.target, go_on)?;

    // With one of them.
    stage.empty_target()?;
    migrate_once(&stage, &["--include", "public.readings,public.sensor,public.hourly"])?;
    assert_eq!(stage.sql(&stage.source, hourly)?, stage.sql(&stage.admin, hourly)?);
    stage.script(&stage.target, go_on)?;
    stage.sql(&stage.target, "CALL refresh_continuous_aggregate('hourly', NULL, NULL)")?;
    let late = "SELECT highest FROM hourly WHERE hour = '2024-03-11 00:00+00' AND sensor = 1";
    assert_eq!(stage.sql(&stage.admin, late)?, "1000");

    // What it is made from has to come.
    stage.empty_target()?;
    let (code, report, all) = stage.migrate(&["--dry-run", "--include", "public.daily"])?;
    assert!(code == 2 && all.contains("public.daily is made from public.hourly"), "{report}");

    // An aggregate without its rows is as one that was never refreshed.
    migrate_once(&stage, &["--exclude-data", "public.hourly"])?;
    let chunks = "SELECT count(*) FROM show_chunks('hourly')";
    assert_eq!(stage.sql(&stage.admin, chunks)?, "0");
    let fresh = "SELECT (SELECT count(*) FROM hourly), (SELECT sum(number) FROM hourly), (SELECT count(*) FROM readings)";
    let all_hours = stage.sql(&stage.admin, fresh)?;
    stage.sql(&stage.target, "CALL refresh_continuous_aggregate('hourly', NULL, NULL)")?;
    assert_eq!(stage.sql(&stage.admin, fresh)?, all_hours);
    assert_ne!(stage.sql(&stage.admin, chunks)?, "0");
    stage.sql(&stage.source, "CALL refresh_continuous_aggregate('hourly', NULL, NULL)")?;
    assert_eq!(stage.sql(&stage.source, hourly)?, stage.sql(&stage.admin, hourly)?);
    Ok(())
}
