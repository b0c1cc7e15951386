//! What a team does next: the same statements have the same answers on the target as on the source, for the application's
//! owner and for the administrator, before and after an update of TimescaleDB.

use tsmigrate_tests::lab::{Server, skipped};
use tsmigrate_tests::migration::{Outcome, Stage};

/// Rows into new and old chunks, and all that changes tables. It leaves nothing of its own behind, so that it can be run
/// once more by somebody else.
const TABLES: &str = "
INSERT INTO readings VALUES ('2030-01-01 00:00+00', 1, 1, 'new'), ('2024-03-14 00:00:02+00', 2, 2, 'old') RETURNING *;
UPDATE readings SET value = value + 1 WHERE time = '2024-03-14 00:00+00' AND sensor = 3 RETURNING value;
DELETE FROM readings WHERE time = '2024-03-13 00:00+00' AND sensor = 6 RETURNING sensor;
INSERT INTO spare VALUES (10000, '{}');
ALTER TABLE readings ADD COLUMN extra integer DEFAULT 5; ALTER TABLE readings ADD COLUMN unset text;
SELECT count(*), sum(extra), count(unset) FROM readings;
ALTER TABLE readings DROP COLUMN extra; ALTER TABLE readings DROP COLUMN unset;
CREATE INDEX of_the_day_after ON readings (value, time); DROP INDEX of_the_day_after;
ALTER TABLE spare ADD CONSTRAINT positive CHECK (seq > 0); ALTER TABLE spare DROP CONSTRAINT positive;
SELECT count(*) FROM (SELECT set_chunk_time_interval('readings', interval '2 days')) x;
CREATE TABLE later (at timestamptz NOT NULL, v integer);
SELECT count(*) FROM (SELECT create_hypertable('later', by_range('at', interval '1 day'))) x;
INSERT INTO later SELECT '2031-01-01 00:00+00'::timestamptz + i * interval '1 hour', i FROM generate_series(0, 99) i;
SELECT count(*), sum(v), (SELECT count(*) FROM show_chunks('later')) FROM later;
SELECT count(*) FROM drop_chunks('readings', newer_than => '2029-01-01 00:00+00'::timestamptz);
SELECT count(*) FROM drop_chunks('readings', older_than => '2024-03-02 00:00+00'::timestamptz);
SELECT count(*) FROM drop_chunks('spare', newer_than => 9000);
ANALYZE readings;
SELECT count(*), sum(value)::numeric(20, 3) FROM readings;
";

/// What only the full edition has. Each policy's procedure is called as its job does, but now: 2.19.3 cannot start a job on
/// PostgreSQL 17.12.
const FULL: &str = "
INSERT INTO readings VALUES ('2024-03-04 00:00:02+00', 3, 3, 'compressed'), ('2024-03-12 00:00:02+00', 4, 4, NULL);
UPDATE readings SET value = value + 1 WHERE time = '2024-03-06 00:00+00' AND sensor = 3 RETURNING value;
DELETE FROM readings WHERE time = '2024-03-07 00:00+00' AND sensor = 6 RETURNING note;
SELECT format('CALL %I.%I(%s, %L)', proc_schema, proc_name, job_id, config) FROM timescaledb_information.jobs
  WHERE job_id >= 1000 ORDER BY job_id \\gexec
CALL refresh_continuous_aggregate('hourly', NULL, NULL);
CALL refresh_continuous_aggregate('daily', NULL, NULL);
SELECT count(*), sum(number), max(highest)::numeric(20, 3) FROM hourly; SELECT count(*), sum(number) FROM daily;
SELECT count(decompress_chunk(c)) FROM show_chunks('readings', older_than => '2024-03-05 00:00+00'::timestamptz) c;
SELECT count(compress_chunk(c, if_not_compressed => true)) FROM show_chunks('readings', older_than => '2024-03-12 00:00+00'::timestamptz) c;
SELECT count(*) FILTER (WHERE is_compressed), count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'readings';
SELECT count(compress_chunk(c, if_not_compressed => true)) FROM show_chunks('hourly') c;
ALTER TABLE readings ADD COLUMN extra integer; INSERT INTO readings VALUES ('2024-03-04 00:00:03+00', 3, 3, 'wide', 1);
SELECT count(compress_chunk(c, if_not_compressed => true)) FROM show_chunks('readings', older_than => '2024-03-06 00:00+00'::timestamptz) c;
SELECT count(*), sum(extra) FROM readings; ALTER TABLE readings DROP COLUMN extra;
ALTER TABLE later SET (timescaledb.compress, timescaledb.compress_orderby = 'at');
SELECT count(compress_chunk(c)) FROM show_chunks('later') c;
CREATE MATERIALIZED VIEW by_half WITH (timescaledb.continuous) AS
  SELECT time_bucket('12 hours', time) AS half, count(*) AS n, max(value) AS highest FROM readings GROUP BY 1 WITH NO DATA;
CREATE MATERIALIZED VIEW by_two_days WITH (timescaledb.continuous) AS
  SELECT time_bucket('2 days', hour) AS days, sum(number) AS n FROM hourly GROUP BY 1 WITH NO DATA;
CALL refresh_continuous_aggregate('by_half', NULL, NULL); CALL refresh_continuous_aggregate('by_two_days', NULL, NULL);
SELECT count(*), sum(n), max(highest)::numeric(20, 3) FROM by_half; SELECT count(*), sum(n) FROM by_two_days;
SELECT count(*) FROM (SELECT add_retention_policy('later', interval '90 years'), add_compression_policy('later', interval '80 years'),
  add_continuous_aggregate_policy('by_half', interval '3 months', interval '1 day', interval '1 hour')) x;
SELECT count(*) FROM (SELECT remove_retention_policy('later'), remove_compression_policy('later'),
  remove_continuous_aggregate_policy('by_half')) x;
SELECT a.scheduled FROM timescaledb_information.jobs j, alter_job(j.job_id, scheduled => false) a WHERE proc_name = 'own_job';
SELECT delete_job(add_job('own_job', interval '3 hours', initial_start => '2099-01-01 00:00+00'));
DROP MATERIALIZED VIEW by_half; DROP MATERIALIZED VIEW by_two_days;
SELECT md5(string_agg(r::text, '' ORDER BY r::text)) FROM readings r; SELECT md5(string_agg(h::text, '' ORDER BY h::text)) FROM hourly h;
";

/// The fixture of the full edition without what the Apache edition does not have.
const SOURCE: &str = "
CREATE EXTENSION timescaledb;
CREATE ROLE full_owner LOGIN; GRANT CREATE ON SCHEMA public TO full_owner;
SET SESSION AUTHORIZATION full_owner;
CREATE TABLE sensor (id integer PRIMARY KEY, name text);
INSERT INTO sensor SELECT n, 'sensor ' || n FROM generate_series(0, 9) n;
CREATE TABLE readings (time timestamptz NOT NULL, sensor integer NOT NULL, value double precision, note text);
SELECT create_hypertable('readings', by_range('time', interval '1 day'));
SELECT add_dimension('readings', by_hash('sensor', 2));
INSERT INTO readings SELECT t, s, s + extract(hour FROM t), 'note' FROM generate_series('2024-03-01 00:00+00'::timestamptz,
  '2024-03-15 23:50+00', interval '1 hour') t, generate_series(0, 9) s;
CREATE TABLE spare (seq bigint NOT NULL, payload jsonb, PRIMARY KEY (seq));
SELECT create_hypertable('spare', by_range('seq', 1000));
INSERT INTO spare SELECT n, jsonb_build_object('n', n) FROM generate_series(1, 5500) n;
";

/// The same work by its owner and by the administrator, on both servers.
fn works(stage: &Stage, full: bool) -> Outcome {
    let body = if full { format!("{TABLES}{FULL}") } else { TABLES.to_owned() };
    let body = format!("SET timezone = 'UTC'; SET client_min_messages = error; {body} DROP TABLE later;");
    let owner = format!("SET SESSION AUTHORIZATION full_owner; {body}");
    assert_eq!(stage.script(&stage.source, &owner)?, stage.script(&stage.admin, &owner)?);
    assert_eq!(stage.script(&stage.source, &body)?, stage.script(&stage.target, &body)?);
    Ok(())
}

fn day_after(test: &str, source: Server, target: Server) -> Outcome {
    let Some(stage) = Stage::new(test, source, target)? else { return Ok(()) };
    let full = stage.is_full_edition()?;
    if full {
        stage.fixture("timescale-full.sql")?;
    } else {
        skipped(
            &format!("{test}: compression, aggregates, policies"),
            "this TimescaleDB is the Apache edition",
        );
        stage.sql_text(SOURCE)?;
    }
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    works(&stage, full)?;
    // The newest version that is installed; as the first command of a session, without what psql loads.
    for uri in [&stage.source, &stage.target] {
        stage.psql(uri, &["-c", "ALTER EXTENSION timescaledb UPDATE"])?;
    }
    works(&stage, full)
}

#[test]
fn a_team_goes_on_as_it_did_on_the_source() -> Outcome {
    day_after("a_team_goes_on_as_it_did_on_the_source", Server::Source17, Server::Target17)
}

#[test]
fn a_team_goes_on_as_it_did_on_the_source_of_18() -> Outcome {
    day_after("a_team_goes_on_as_it_did_on_the_source_of_18", Server::Source18, Server::Target18)
}
