//! A source whose schema goes on changing after a run was stopped: the next start plans anew.

use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};

/// A bit of everything that may change, and rows that stop the run when all rows are there.
const BEFORE: &str = "
CREATE SCHEMA app; CREATE ROLE app; GRANT app TO postgres; GRANT USAGE, CREATE ON SCHEMA app TO app;
CREATE TYPE app.mood AS ENUM ('sad', 'happy');
CREATE TYPE app.gone AS ENUM ('x');
CREATE FUNCTION app.twice(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * i';
CREATE FUNCTION app.other(i int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT i';
CREATE TABLE app.same(id int PRIMARY KEY, m app.mood, twice int GENERATED ALWAYS AS (app.twice(id)) STORED);
INSERT INTO app.same SELECT i, 'sad' FROM generate_series(1, 500) i;
CREATE TABLE app.grows(id serial PRIMARY KEY, v text);
INSERT INTO app.grows(v) SELECT md5(i::text) FROM generate_series(1, 500) i;
CREATE INDEX grows_v ON app.grows(v); COMMENT ON TABLE app.grows IS 'it grows'; GRANT SELECT ON app.grows TO app;
CREATE TABLE app.refers(id int PRIMARY KEY, grows int REFERENCES app.grows, same int REFERENCES app.same);
INSERT INTO app.refers SELECT i, i, i FROM generate_series(1, 500) i;
CREATE VIEW app.seen AS SELECT id, v FROM app.grows;
CREATE VIEW app.over_seen AS SELECT count(*) FROM app.seen;
CREATE MATERIALIZED VIEW app.filled AS SELECT id FROM app.grows; CREATE UNIQUE INDEX filled_id ON app.filled(id);
CREATE TABLE app.drops(id int PRIMARY KEY, g app.gone); INSERT INTO app.drops VALUES (1, 'x');
CREATE TABLE app.parted(id int, v text) PARTITION BY RANGE (id);
CREATE TABLE app.parted_1 PARTITION OF app.parted FOR VALUES FROM (0) TO (100);
CREATE TABLE app.parted_2 PARTITION OF app.parted FOR VALUES FROM (100) TO (200);
INSERT INTO app.parted SELECT i, 'p' FROM generate_series(0, 199) i;
CREATE TABLE app.parent(id int PRIMARY KEY); CREATE TABLE app.child(p int CONSTRAINT no_parent REFERENCES app.parent);
SET session_replication_role = replica; INSERT INTO app.child VALUES (7);
";

/// Everything that an application's release may do meanwhile.
const RELEASE: &str = "
CREATE TABLE app.new(id int PRIMARY KEY, same int REFERENCES app.same); INSERT INTO app.new SELECT i, i FROM generate_series(1, 100) i;
CREATE INDEX new_same ON app.new(same); ALTER TABLE app.new OWNER TO app;
DROP TABLE app.drops; DROP TYPE app.gone; DROP FUNCTION app.other;
ALTER TABLE app.grows ADD COLUMN late int DEFAULT 7; COMMENT ON TABLE app.grows IS NULL;
ALTER TABLE app.refers ADD COLUMN note text;
ALTER TYPE app.mood ADD VALUE 'so-so' BEFORE 'happy'; ALTER TYPE app.mood ADD VALUE 'glad';
DROP TABLE app.parted_1; CREATE TABLE app.parted_3 PARTITION OF app.parted FOR VALUES FROM (200) TO (300);
INSERT INTO app.parted SELECT i, 'late' FROM generate_series(200, 299) i;
CREATE OR REPLACE VIEW app.seen AS SELECT id, v, late FROM app.grows;
CREATE FUNCTION app.twice(i bigint) RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 2 * i';
";

#[test]
fn what_is_new_is_created_what_is_gone_is_dropped_and_what_changed_is_done_again() -> Outcome {
    let test = "what_is_new_is_created_what_is_gone_is_dropped_and_what_changed_is_done_again";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(BEFORE)?;
    let (code, report, all) = stage.migrate(&[])?;
    assert!(code == 2 && report["next"].to_string().contains("app.child.no_parent"), "{all}");

    stage.sql_text(RELEASE)?;
    stage.sql_text(
        "INSERT INTO app.same VALUES (501, 'so-so'), (502, 'glad'); INSERT INTO app.parent VALUES (7)",
    )?;
    // Nothing is dropped without being told to, and what it says is the way on.
    let (code, report, all) = stage.migrate(&["--resume"])?;
    let (error, next) = (report["error"].to_string(), report["next"].to_string());
    assert!(
        code == 2 && error.contains("table app.grows") && !all.contains("servers and options of before"),
        "{all}"
    );
    assert!((error + &next).contains("--resume --new-snapshot"), "{all}");
    let (code, report, all) = stage.migrate(&["--resume", "--new-snapshot"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["differences"], serde_json::json!([]), "{all}");
    assert_eq!(stage.differences(&[])?, Vec::<String>::new(), "{all}");
    // What had not changed was not copied again.
    assert!(all.contains("tables that were copied are the same on the source now"), "{all}");
    assert_eq!(stage.left_behind()?, Vec::<String>::new(), "{all}");
    Ok(())
}

#[test]
fn a_run_goes_on_with_new_chunks_dropped_chunks_and_a_new_hypertable() -> Outcome {
    let test = "a_run_goes_on_with_new_chunks_dropped_chunks_and_a_new_hypertable";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let hypertable = |name: &str| {
        format!(
            "CREATE TABLE {name}(at timestamptz NOT NULL, v float8); SELECT create_hypertable('{name}', 'at');
             CREATE INDEX ON {name}(v, at);
             INSERT INTO {name} SELECT timestamptz '2024-01-01' + i * interval '3 hours', i FROM generate_series(1, 200) i;"
        )
    };
    stage.sql_text(&format!(
        "CREATE EXTENSION timescaledb; {}
         CREATE TABLE parent(id int PRIMARY KEY); CREATE TABLE child(p int CONSTRAINT no_parent REFERENCES parent);
         SET session_replication_role = replica; INSERT INTO child VALUES (7)",
        hypertable("metrics")
    ))?;
    let (code, report, all) = stage.migrate(&[])?;
    assert!(code == 2 && report["next"].to_string().contains("public.child.no_parent"), "{all}");
    stage.sql_text(&format!(
        "INSERT INTO metrics SELECT timestamptz '2024-03-01' + i * interval '3 hours', i FROM generate_series(1, 200) i;
         INSERT INTO metrics VALUES ('2024-01-20', -1); SELECT drop_chunks('metrics', older_than => timestamptz '2024-01-10');
         {} INSERT INTO parent VALUES (7)",
        hypertable("late")
    ))?;
    let (code, report, all) = stage.migrate(&["--resume", "--new-snapshot"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["differences"], serde_json::json!([]), "{all}");
    let rows = "SELECT (SELECT count(*) FROM metrics) || ' ' || (SELECT count(*) FROM late)";
    assert_eq!(stage.sql(&stage.source, rows)?, stage.sql(&stage.admin, rows)?);
    assert_eq!(stage.restoring()?, "0 off");
    // The target works: a new chunk comes by itself.
    stage.sql(&stage.admin, "INSERT INTO metrics VALUES ('2025-01-01', 1)")?;
    Ok(())
}
