//! What TimescaleDB's restoring mode hides from a restore, and chunks that do not lie where most do.

use serde_json::Value;
use tsmigrate_tests::lab::{Server, skipped};
use tsmigrate_tests::migration::{Outcome, Stage};

/// Migrates without a difference.
fn migrate(stage: &Stage, arguments: &[&str]) -> Outcome {
    let (code, report, all) = stage.migrate(arguments)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["differences"], Value::Array(Vec::new()), "{all}");
    assert_eq!(stage.left_behind()?, Vec::<String>::new());
    Ok(())
}

/// What the target says to a statement that it has to refuse.
fn refusal(stage: &Stage, sql: &str) -> String {
    stage.sql(&stage.target, sql).map_or_else(|error| error.to_string(), |_| format!("not refused: {sql}"))
}

/// Restoring mode hides the rows of hypertables, so that a foreign key to one can only be checked after it.
#[test]
fn foreign_keys_to_hypertables_arrive_and_guard_rows() -> Outcome {
    let test = "foreign_keys_to_hypertables_arrive_and_guard_rows";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE EXTENSION timescaledb;
         CREATE ROLE fk_app; CREATE SCHEMA fk AUTHORIZATION fk_app;
         SET SESSION AUTHORIZATION fk_app;
         CREATE TABLE fk.site (id integer PRIMARY KEY);
         INSERT INTO fk.site SELECT generate_series(1, 5);
         CREATE TABLE fk.\"Read.ings\" (ts timestamptz NOT NULL, site integer NOT NULL REFERENCES fk.site, PRIMARY KEY (ts, site));
         SELECT create_hypertable('fk.\"Read.ings\"', 'ts');
         INSERT INTO fk.\"Read.ings\" VALUES ('2024-01-01 00:00+00', 1), ('2024-02-01 00:00+00', 2), ('2024-03-01 00:00+00', 3);
         CREATE TABLE fk.remark (n integer PRIMARY KEY, ts timestamptz, site integer REFERENCES fk.site);
         INSERT INTO fk.remark VALUES (1, '2024-01-01 00:00+00', 1), (2, NULL, NULL);
         ALTER TABLE fk.remark ADD CONSTRAINT valid FOREIGN KEY (ts, site) REFERENCES fk.\"Read.ings\";
         CREATE TABLE fk.mark (ts timestamptz, site integer);
         INSERT INTO fk.mark VALUES ('2024-02-01 00:00+00', 2);
         ALTER TABLE fk.mark ADD CONSTRAINT cascades FOREIGN KEY (ts, site) REFERENCES fk.\"Read.ings\" ON DELETE CASCADE;
         CREATE TABLE fk.doubt (ts timestamptz, site integer);
         INSERT INTO fk.doubt VALUES ('1999-01-01 00:00+00', 9);
         ALTER TABLE fk.doubt ADD CONSTRAINT unchecked FOREIGN KEY (ts, site) REFERENCES fk.\"Read.ings\" NOT VALID;
         ALTER TABLE fk.mark ENABLE ROW LEVEL SECURITY; ALTER TABLE fk.mark FORCE ROW LEVEL SECURITY;
         ALTER TABLE fk.\"Read.ings\" ENABLE ROW LEVEL SECURITY; ALTER TABLE fk.\"Read.ings\" FORCE ROW LEVEL SECURITY;
         CREATE POLICY all_rows ON fk.\"Read.ings\" USING (true); CREATE POLICY all_rows ON fk.mark USING (true);
         CREATE POLICY for_app ON fk.remark TO fk_app USING (true);
         RESET SESSION AUTHORIZATION; SET session_replication_role = replica;
         INSERT INTO fk.\"Read.ings\" VALUES ('2024-01-02 00:00+00', 99);",
    )?;
    let (_, report, all) = stage.migrate(&["--dry-run"])?;
    let findings = report["findings"].to_string();
    let why = "(site) = (99). Correct the rows on the source: it is of the hypertable fk.\\\"Read.ings\\\", whose constraints cannot";
    assert!(findings.contains(why) && !findings.contains("--allow-violations"), "{all}");
    stage.sql(&stage.source, "DELETE FROM fk.\"Read.ings\" WHERE site = 99")?;
    migrate(&stage, &[])?;
    let keys = "SELECT string_agg(format('%s %s %s %s', conname, convalidated, confdeltype, pg_get_constraintdef(oid)), E'\\n' \
                ORDER BY conname) FROM pg_constraint WHERE contype = 'f' AND connamespace = 'fk'::regnamespace AND conparentid = 0";
    assert_eq!(stage.sql(&stage.source, keys)?, stage.sql(&stage.admin, keys)?);
    assert!(refusal(&stage, "INSERT INTO fk.remark VALUES (3, '2020-01-01', 1)").contains("\"valid\""));
    let delete = "DELETE FROM fk.\"Read.ings\" WHERE site = 1";
    assert!(refusal(&stage, delete).contains("remark"), "{}", refusal(&stage, delete));
    assert!(refusal(&stage, "INSERT INTO fk.doubt VALUES ('2020-01-01', 1)").contains("unchecked"));
    stage.sql(&stage.admin, "DELETE FROM fk.\"Read.ings\" WHERE site = 2")?;
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM fk.mark")?, "0");
    Ok(())
}

/// A hypertable may keep its chunks in a schema of the user's own; they are chunks all the same, and have its owner.
#[test]
fn chunks_in_a_schema_of_the_users_own_arrive() -> Outcome {
    let test = "chunks_in_a_schema_of_the_users_own_arrive";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE EXTENSION timescaledb;
         CREATE ROLE own_app LOGIN; CREATE ROLE own_reader; CREATE SCHEMA own; CREATE SCHEMA \"Ch.unks\";
         GRANT USAGE, CREATE ON SCHEMA own, \"Ch.unks\" TO own_app;
         SET SESSION AUTHORIZATION own_app;
         CREATE TABLE own.beside (id bigint GENERATED ALWAYS AS IDENTITY, ts timestamptz NOT NULL, v integer, PRIMARY KEY (ts, id));
         SELECT create_hypertable('own.beside', 'ts', associated_schema_name => 'own', associated_table_prefix => 'chk');
         CREATE TABLE own.apart (ts timestamptz NOT NULL, v integer, UNIQUE (ts));
         SELECT create_hypertable('own.apart', 'ts', associated_schema_name => 'Ch.unks', associated_table_prefix => 'a.b \"c');
         INSERT INTO own.beside (ts, v) VALUES ('2024-01-01', 1), ('2024-02-01', 2);
         INSERT INTO own.apart VALUES ('2024-01-01', 1), ('2024-02-01', 2);
         GRANT SELECT ON own.beside TO own_reader;
         RESET SESSION AUTHORIZATION;
         INSERT INTO _timescaledb_config.bgw_job (id, application_name, schedule_interval, max_runtime, max_retries, retry_period,
             proc_schema, proc_name, owner, scheduled, fixed_schedule)
         VALUES (1000, 'Policy [1000]', '1 day', '0', 1, '1 hour', '_timescaledb_functions', 'policy_retention', 'own_app', true, false);
         SET session_replication_role = replica;
         INSERT INTO _timescaledb_internal.bgw_job_stat VALUES
           (4711, '-infinity', '-infinity', '2099-01-01 00:00+00', '-infinity', true, 0, '0', '0', 0, 0, 0, 0, 0, 0);
         INSERT INTO _timescaledb_catalog.compression_chunk_size VALUES
           (1, 4711, 0, 0, 0, 0, 0, 0, 0, 0, 0), (4711, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0);",
    )?;
    let (_, report, all) = stage.migrate(&["--dry-run"])?;
    let findings = report["findings"].to_string();
    assert!(!findings.contains("bgw_job_stat"), "statistics of jobs stay behind: {all}");
    assert!(!findings.contains("compression_chunk_size"), "sizes of chunks that are gone stay behind: {all}");
    migrate(&stage, &[])?;
    let sizes = "SELECT count(*) FROM _timescaledb_catalog.compression_chunk_size";
    assert_eq!(stage.sql(&stage.admin, sizes)?, "0");
    // A job that waits is as announced, for who knows the run.
    let (code, said) = stage.verify_known()?;
    assert!(
        code == Some(0) && said.contains("start-jobs.sql of its work directory does"),
        "{code:?}: {said}"
    );
    stage.sql(&stage.admin, "DELETE FROM _timescaledb_config.bgw_job WHERE id = 1000")?;
    let (code, said) = stage.verify_known()?;
    assert!(code == Some(1) && said.contains("job"), "{code:?}: {said}");
    stage.sql(&stage.admin, "INSERT INTO own.beside (ts, v) VALUES ('2024-01-02', 3), ('2030-01-01', 4)")?;
    let chunks = "SELECT count(*), sum(v), bool_and(tableoid::regclass::text ~ '^own.chk_') FROM own.beside";
    assert_eq!(stage.sql(&stage.admin, chunks)?, "4|10|t");
    let owners = "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ' ') FROM pg_class WHERE relkind IN ('r', 'S') \
                  AND relnamespace IN ('own'::regnamespace, '\"Ch.unks\"'::regnamespace)";
    assert_eq!(stage.sql(&stage.admin, owners)?, "own_app");
    let may = "SELECT has_table_privilege('own_app', 'own.beside', 'DELETE'), \
               has_sequence_privilege('own_app', 'own.beside_id_seq', 'UPDATE'), \
               has_table_privilege('own_reader', 'own.beside', 'SELECT')";
    assert_eq!(stage.sql(&stage.admin, may)?, "t|t|t");
    Ok(())
}

/// TimescaleDB cuts names of constraints after 63 bytes, wherever that is: no server takes such a name from a dump. Nor does a dump hold
/// rows that are in a service's object storage.
#[test]
fn what_no_dump_holds_is_told_before_anything_is_written() -> Outcome {
    let test = "what_no_dump_holds_is_told_before_anything_is_written";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let long = "ö".repeat(31);
    stage.sql_text(&format!(
        "CREATE EXTENSION timescaledb; CREATE SCHEMA cut;
         CREATE TABLE cut.h (ts timestamptz NOT NULL, v integer, CONSTRAINT {long} UNIQUE (ts, v));
         SELECT create_hypertable('cut.h', 'ts');
         INSERT INTO cut.h VALUES ('2024-01-01', 1);
         CREATE TABLE cut.plain (n integer CONSTRAINT {long}x CHECK (n > 0));"
    ))?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    let found = &report["blockers"][0];
    assert_eq!((code, &found["check"]), (2, &"names-cut".into()), "{all}");
    assert!(found["what"].to_string().contains("1 constraint of chunks of cut.h"), "{all}");
    assert!(found["next"].to_string().contains("ALTER TABLE cut.h RENAME CONSTRAINT"), "{all}");
    let (code, _, all) = stage.migrate(&["--dry-run", "--exclude", "cut.h"])?;
    assert_eq!(code, 0, "{all}");
    stage.sql(&stage.source, &format!("ALTER TABLE cut.h RENAME CONSTRAINT {long} TO short"))?;
    // As the service's own wrapper leaves it.
    stage.sql(&stage.source, "UPDATE _timescaledb_catalog.chunk SET osm_chunk = true")?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert!(code == 1 && report["blockers"].to_string().contains("tiered-chunks"), "{code}: {all}");
    stage.sql(&stage.source, "UPDATE _timescaledb_catalog.chunk SET osm_chunk = false")?;
    migrate(&stage, &["--include", "cut.h"])
}

/// What makes a policy run is not in a dump: without a time of its own every job would run as soon as it may.
#[test]
fn jobs_start_when_they_are_due() -> Outcome {
    let test = "jobs_start_when_they_are_due";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    if !stage.is_full_edition()? {
        skipped(test, "this TimescaleDB is the Apache edition, without jobs");
        return Ok(());
    }
    stage.sql_text(
        "CREATE EXTENSION timescaledb;
         CREATE TABLE metrics (ts timestamptz NOT NULL, v integer);
         SELECT create_hypertable('metrics', 'ts');
         INSERT INTO metrics VALUES ('2024-01-01', 1);
         SELECT add_retention_policy('metrics', interval '1 day', initial_start => '2099-01-01 00:00+00');
         CREATE PROCEDURE own_job(job_id integer, config jsonb) LANGUAGE sql AS 'SELECT 1';
         SELECT add_job('own_job', interval '1 day', initial_start => '2098-01-01 00:00+00');
         CREATE ROLE checker LOGIN; CREATE SCHEMA checks AUTHORIZATION checker; SET SESSION AUTHORIZATION checker;
         CREATE TABLE checks.called (who name);
         CREATE FUNCTION checks.check(config jsonb) RETURNS void LANGUAGE sql AS 'INSERT INTO checks.called VALUES (current_user)';
         SELECT add_job('public.own_job', interval '1 day', initial_start => '2097-01-01 00:00+00', config => '{}',
           check_config => 'checks.check'::regproc);",
    )?;
    migrate(&stage, &["--start-jobs"])?;
    let called = "SELECT string_agg(DISTINCT who, ' ') FROM checks.called";
    let paused = "SELECT count(*) FROM timescaledb_information.jobs WHERE job_id >= 1000 AND NOT scheduled";
    for uri in [&stage.source, &stage.admin] {
        assert_eq!(stage.sql(uri, called)?, "checker", "a check ran as somebody else");
        assert_eq!(stage.sql(uri, paused)?, "0");
    }
    let due = "SELECT string_agg(concat_ws(' ', job_id, next_start AT TIME ZONE 'UTC'), ', ' ORDER BY job_id) \
               FROM _timescaledb_internal.bgw_job_stat WHERE job_id >= 1000";
    assert_eq!(stage.sql(&stage.source, due)?, stage.sql(&stage.admin, due)?);
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM metrics")?, "1", "the policy has run");
    Ok(())
}
