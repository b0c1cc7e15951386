//! Owners of hypertables: they own their chunks on the target as on the source, whatever it took.

use serde_json::Value;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};

/// Chunks in two schemas, some with privileges of their own, sequences of both kinds, privileges of all kinds (the owner
/// lacks one), jobs.
const SOURCE: &str = "
CREATE EXTENSION timescaledb;
CREATE ROLE \"Odd Owner\" LOGIN; CREATE ROLE own_reader; CREATE SCHEMA m; CREATE SCHEMA \"Ch.unks\";
GRANT USAGE, CREATE ON SCHEMA m, \"Ch.unks\" TO \"Odd Owner\"; GRANT USAGE ON SCHEMA m TO own_reader;
CREATE TABLE m.of_superuser (ts timestamptz NOT NULL);
SELECT create_hypertable('m.of_superuser', 'ts');
INSERT INTO m.of_superuser VALUES ('2024-01-01');
SET SESSION AUTHORIZATION \"Odd Owner\";
ALTER DEFAULT PRIVILEGES IN SCHEMA m GRANT SELECT ON TABLES TO own_reader;
CREATE TABLE m.h (id bigint GENERATED ALWAYS AS IDENTITY, n serial, ts timestamptz NOT NULL, v integer, note text);
SELECT create_hypertable('m.h', 'ts', chunk_time_interval => interval '1 day');
GRANT SELECT (v), INSERT ON m.h TO own_reader; GRANT UPDATE ON m.h TO own_reader WITH GRANT OPTION;
REVOKE DELETE ON m.h FROM \"Odd Owner\";
CREATE FUNCTION m.touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.v = NEW.v + 1; RETURN NEW; END';
CREATE TRIGGER touched BEFORE INSERT ON m.h FOR EACH ROW EXECUTE FUNCTION m.touch();
INSERT INTO m.h (ts, v) SELECT '2024-01-01 00:00+00'::timestamptz + i * interval '1 day', i FROM generate_series(0, 11) i;
CREATE INDEX by_v ON m.h (v, ts);
REVOKE UPDATE ON _timescaledb_internal._hyper_2_3_chunk FROM own_reader;
GRANT DELETE ON _timescaledb_internal._hyper_2_4_chunk TO own_reader WITH GRANT OPTION;
CREATE TABLE m.apart (ts timestamptz NOT NULL, v integer, UNIQUE (ts));
SELECT create_hypertable('m.apart', 'ts', associated_schema_name => 'Ch.unks', associated_table_prefix => 'a.b \"c');
INSERT INTO m.apart VALUES ('2024-01-01 00:00+00', 1), ('2024-02-01 00:00+00', 2);
REVOKE TRUNCATE ON m.apart FROM \"Odd Owner\";
CREATE TABLE m.remark (ts timestamptz REFERENCES m.apart (ts)); INSERT INTO m.remark VALUES ('2024-01-01 00:00+00');
CREATE TABLE m.counted (n bigint NOT NULL); SELECT create_hypertable('m.counted', 'n', chunk_time_interval => 100);
CREATE FUNCTION m.now() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 500::bigint'; SELECT set_integer_now_func('m.counted', 'm.now');
RESET SESSION AUTHORIZATION;
CREATE PROCEDURE m.act(job_id integer, config jsonb) LANGUAGE sql AS 'SELECT 1';
INSERT INTO {jobs} (id, application_name, schedule_interval, max_runtime, max_retries, retry_period,
    proc_schema, proc_name, owner, scheduled, fixed_schedule)
VALUES (1000, 'Action [1000]', '1 day', '0', 1, '1 hour', 'm', 'act', '\"Odd Owner\"', true, false),
       (1001, 'Policy [1001]', '1 day', '0', 1, '1 hour', '_timescaledb_functions', 'policy_retention', '\"Odd Owner\"', true, false),
       (1002, 'Policy [1002]', '1 day', '0', 1, '1 hour', '_timescaledb_functions', 'policy_retention', '\"Odd Owner\"', true, false);
UPDATE {jobs} SET hypertable_id = (SELECT id FROM _timescaledb_catalog.hypertable WHERE table_name = 'counted') WHERE id = 1002;
INSERT INTO _timescaledb_internal.bgw_job_stat VALUES
  (1002, '-infinity', '-infinity', '2099-01-01 00:00+00', '-infinity', true, 0, '0', '0', 0, 0, 0, 0, 0, 0);
";

/// Relations with owners and privileges; a superuser's are the administrator's there.
const OWNERS: &str = "
SELECT n.nspname, c.relname, replace(pg_get_userbyid(c.relowner), 'postgres', 'tsdbadmin'),
       (SELECT string_agg(replace(a::text, 'postgres', 'tsdbadmin'), ' ' ORDER BY a::text) FROM unnest(coalesce(c.relacl,
         acldefault(CASE c.relkind WHEN 'S' THEN 's'::\"char\" ELSE 'r' END, c.relowner))) a),
       (SELECT string_agg(attname || attacl::text, ' ') FROM pg_attribute WHERE attrelid = c.oid AND attacl IS NOT NULL)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S', 'v', 'i') AND n.nspname IN ('m', 'Ch.unks', '_timescaledb_internal')
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1, 2";

/// What a team does the day after, as the former owner: all of it has an answer, and the same one on both servers.
const DAY_AFTER: &str = "
SET SESSION AUTHORIZATION \"Odd Owner\"; SET timezone = 'UTC';
INSERT INTO m.h (ts, v) VALUES ('2024-01-02 03:00+00', 100), ('2030-01-01 00:00+00', 200) RETURNING id, n, v;
INSERT INTO m.apart VALUES ('2024-01-03 00:00+00', 3), ('2030-01-01 00:00+00', 4);
UPDATE m.h SET v = v + 1 WHERE ts = '2024-01-05 00:00+00' RETURNING v;
ALTER TABLE m.h ADD COLUMN later integer DEFAULT 7;
ALTER TABLE m.h RENAME COLUMN note TO remark; ALTER TABLE m.h ALTER COLUMN v SET NOT NULL; ALTER TABLE m.h SET (fillfactor = 80);
ALTER TABLE m.h ALTER COLUMN id RESTART WITH 1000; ALTER TABLE m.h ADD CONSTRAINT positive CHECK (v >= 0);
CREATE INDEX after_all ON m.h (later, ts); DROP INDEX m.by_v;
CREATE TRIGGER again BEFORE UPDATE ON m.h FOR EACH ROW EXECUTE FUNCTION m.touch(); DROP TRIGGER touched ON m.h;
GRANT SELECT ON m.h TO own_reader; GRANT DELETE ON m.h TO \"Odd Owner\"; COMMENT ON TABLE m.h IS 'mine';
SELECT count(*) FROM (SELECT set_chunk_time_interval('m.h', interval '2 days')) x;
SELECT drop_chunks('m.h', older_than => '2024-01-04 00:00+00'::timestamptz);
ALTER TABLE m.remark DROP CONSTRAINT remark_ts_fkey;
SELECT drop_chunks('m.apart', newer_than => '2029-01-01 00:00+00'::timestamptz);
DELETE FROM m.h WHERE ts = '2024-01-06 00:00+00' RETURNING id;
SELECT count(*), sum(v), sum(later), max(n) FROM m.h; SELECT count(*), sum(v) FROM m.apart;
ANALYZE m.h; TRUNCATE m.h; ALTER TABLE m.apart RENAME TO further;
DROP TABLE m.further; DROP TABLE m.h;
";

/// A superuser's event trigger refuses the end of every batch, once everything of it has moved.
fn refuse(stage: &Stage, code: &str) -> Outcome {
    let sql = format!(
        "CREATE FUNCTION pg_catalog.refuse_owners() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF current_query() ~ '_tsmigrate_owners' THEN RAISE EXCEPTION 'not on this service' USING ERRCODE = '{code}'; \
           END IF; END $$;
         CREATE EVENT TRIGGER refuse_owners ON ddl_command_start WHEN TAG IN ('DROP SCHEMA') EXECUTE FUNCTION pg_catalog.refuse_owners();
         ALTER EXTENSION timescaledb ADD EVENT TRIGGER refuse_owners;
         ALTER EXTENSION timescaledb ADD FUNCTION pg_catalog.refuse_owners();"
    );
    stage.script(&stage.admin, &sql).map(drop)
}

fn schemas_of_ours(stage: &Stage) -> Result<String, Box<dyn std::error::Error>> {
    stage.sql(&stage.admin, "SELECT count(*) FROM pg_namespace WHERE nspname ~ '^_tsmigrate_owners'")
}

/// Migrates, and finds what the report says did not arrive.
fn migrated(stage: &Stage, arguments: &[&str]) -> Result<(Value, String), Box<dyn std::error::Error>> {
    let (code, report, all) = stage.migrate(arguments)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["differences"], serde_json::json!([]), "{all}");
    assert_eq!(stage.left_behind()?, Vec::<String>::new());
    assert_eq!(schemas_of_ours(stage)?, "0");
    Ok((report, all))
}

/// Everything has its owner, and its owner can work with it as on the source.
fn owners_are_back(stage: &Stage) -> Outcome {
    assert_eq!(stage.sql(&stage.source, OWNERS)?, stage.sql(&stage.admin, OWNERS)?);
    assert_eq!(stage.differences(&[])?, Vec::<String>::new());
    assert_eq!(stage.script(&stage.source, DAY_AFTER)?, stage.script(&stage.admin, DAY_AFTER)?);
    Ok(())
}

/// What a service refuses stays the administrator's, by name, and its former owner may do with it what a grant allows. What
/// fails half way leaves nothing, and goes on.
#[test]
fn hypertables_have_their_owners_back() -> Outcome {
    let test = "hypertables_have_their_owners_back";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(&SOURCE.replace("{jobs}", "_timescaledb_config.bgw_job"))?;

    refuse(&stage, "42501")?;
    stage.script(
        &stage.admin,
        "CREATE FUNCTION pg_catalog.refuse_job() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
           IF NEW.owner <> 'tsdbadmin'::regrole THEN RAISE EXCEPTION 'jobs of others are refused'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER refuse_job BEFORE UPDATE ON _timescaledb_config.bgw_job FOR EACH ROW EXECUTE FUNCTION pg_catalog.refuse_job();
         ALTER EXTENSION timescaledb ADD FUNCTION pg_catalog.refuse_job();",
    )?;
    let (report, all) = migrated(&stage, &["--start-jobs"])?;
    let missing = report["missing"].to_string();
    for part in [
        "owner \\\"Odd Owner\\\" of hypertable m.h\"",
        "owner \\\"Odd Owner\\\" of hypertable m.apart\"",
        "hand over its chunks (not on this service): tsdbadmin owns it, \\\"Odd Owner\\\" has all privileges on it",
        "owner \\\"Odd Owner\\\" of job 1000 (Action [1000])",
        "jobs of others are refused: tsdbadmin owns it",
    ] {
        assert!(missing.contains(part), "{part}: {missing}");
    }
    let announced = report["verification"]["announced"].to_string();
    assert!(announced.contains("the target refused to hand over its chunks"), "{all}");
    // What a user's job calls does not run as the administrator because a trigger said so.
    let jobs = "SELECT string_agg(id || ' ' || owner || ' ' || scheduled, ', ' ORDER BY id) \
                FROM _timescaledb_config.bgw_job WHERE id >= 1000";
    let of_admin = "1000 tsdbadmin false, 1001 tsdbadmin true, 1002 tsdbadmin false";
    assert_eq!(stage.sql(&stage.admin, jobs)?, of_admin);
    assert!(report["next"].to_string().contains("look at what job 1000 calls"), "{all}");
    assert!(report["next"].to_string().contains("job 1002 calls a user's function"), "{all}");
    let owner = "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ' ') FROM pg_class \
                 WHERE relname ~ '^(_hyper|a.b|h_|h$|apart)' AND relkind IN ('r', 'S')";
    assert_eq!(stage.sql(&stage.admin, owner)?, "tsdbadmin");
    let may = "SELECT has_table_privilege(r, 'm.h', 'TRUNCATE'), has_sequence_privilege(r, 'm.h_id_seq', 'UPDATE'), \
               has_table_privilege(r, 'm.apart', 'DELETE') FROM (SELECT '\"Odd Owner\"'::regrole::oid) x(r)";
    assert_eq!(stage.sql(&stage.admin, may)?, "t|t|t");

    stage.empty_target()?;
    refuse(&stage, "57014")?;
    let (code, _, all) = stage.migrate(&["--retries", "0"])?;
    assert!(code == 2 && all.contains("not on this service"), "{code}: {all}");
    assert_eq!(schemas_of_ours(&stage)?, "0");
    assert_eq!(stage.restoring()?, "0 off");
    stage.sql(
        &stage.admin,
        "ALTER EXTENSION timescaledb DROP EVENT TRIGGER refuse_owners; DROP EVENT TRIGGER refuse_owners",
    )?;
    // A schema of that name is somebody else's.
    stage.sql(
        &stage.admin,
        "CREATE SCHEMA _tsmigrate_owners; ALTER EXTENSION timescaledb ADD SCHEMA _tsmigrate_owners",
    )?;
    let (code, report, all) = stage.migrate(&["--resume", "--start-jobs"])?;
    assert_eq!((code, &report["verification"]["announced"]), (0, &serde_json::json!([])), "{all}");
    assert!(!report["missing"].to_string().contains("owner"), "{all}");
    let own = "1000 \"Odd Owner\" true, 1001 \"Odd Owner\" true, 1002 \"Odd Owner\" true";
    assert_eq!(stage.sql(&stage.admin, jobs)?, own);
    // Without a call that would ask the owner's function what time it is.
    let due = "SELECT next_start = '2099-01-01 00:00+00' FROM _timescaledb_internal.bgw_job_stat WHERE job_id = 1002";
    assert_eq!(stage.sql(&stage.admin, due)?, "t");
    owners_are_back(&stage)
}

/// The same for 18; and background workers run afterwards, whatever restoring mode did to them.
#[test]
fn hypertables_of_18_have_their_owners_back() -> Outcome {
    let test = "hypertables_of_18_have_their_owners_back";
    let Some(stage) = Stage::new(test, Server::Source18, Server::Target18)? else { return Ok(()) };
    stage.sql_text(&SOURCE.replace("{jobs}", "_timescaledb_catalog.bgw_job"))?;
    // As with a loader whose scheduler sees restoring mode still on, and ends.
    stage.script(
        &stage.admin,
        "CREATE SEQUENCE _timescaledb_cache.calls; ALTER EXTENSION timescaledb ADD SEQUENCE _timescaledb_cache.calls;
         CREATE OR REPLACE FUNCTION _timescaledb_functions.restart_background_workers() RETURNS boolean LANGUAGE plpgsql
         SECURITY DEFINER AS $$ BEGIN
           IF nextval('_timescaledb_cache.calls') = 1 THEN RETURN _timescaledb_functions.stop_background_workers(); END IF;
           RETURN _timescaledb_functions.start_background_workers();
         END $$;",
    )?;
    let (report, all) = migrated(&stage, &["--start-jobs"])?;
    let workers = report["stages"].as_array().into_iter().flatten().find(|stage| stage["name"] == "workers");
    assert!(
        workers.is_some_and(|stage| stage["result"].to_string().contains("second post_restore")),
        "{all}"
    );
    let scheduler =
        "SELECT count(*) FROM pg_stat_activity WHERE datname = 'tsdb' AND backend_type ~ 'Scheduler'";
    assert_eq!(stage.sql(&stage.admin, scheduler)?, "1");
    owners_are_back(&stage)
}
