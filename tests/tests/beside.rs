//! Plain tables that become hypertables where hypertables of the source come too.

use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};

/// A hypertable with chunks, and tables with all that may be in the way of rows that move into chunks.
const SOURCE: &str = "
CREATE EXTENSION timescaledb;
CREATE ROLE metrics_app; CREATE SCHEMA metrics AUTHORIZATION metrics_app;
SET SESSION AUTHORIZATION metrics_app;
CREATE TABLE metrics.readings (ts timestamptz NOT NULL, v integer);
SELECT create_hypertable('metrics.readings', 'ts', chunk_time_interval => interval '1 day');
INSERT INTO metrics.readings SELECT timestamptz '2024-01-01' + i * interval '1 hour', i FROM generate_series(1, 200) i;
CREATE TABLE metrics.device (id integer PRIMARY KEY); INSERT INTO metrics.device SELECT generate_series(0, 9);
CREATE TABLE metrics.log (at timestamptz NOT NULL, id bigint GENERATED ALWAYS AS IDENTITY, device integer REFERENCES metrics.device,
  n integer, PRIMARY KEY (at, id));
INSERT INTO metrics.log (at, device, n) SELECT timestamptz '2024-01-01' + i * interval '1 hour', i % 10, i FROM generate_series(1, 500) i;
CREATE TABLE metrics.note (at timestamptz, log bigint, FOREIGN KEY (at, log) REFERENCES metrics.log);
INSERT INTO metrics.note SELECT at, id FROM metrics.log WHERE id < 9;
CREATE TABLE metrics.fired (n integer);
CREATE FUNCTION metrics.fire() RETURNS trigger LANGUAGE plpgsql AS
  'BEGIN INSERT INTO metrics.fired VALUES (NEW.n); NEW.n := -1; RETURN NEW; END';
CREATE TRIGGER fire BEFORE INSERT ON metrics.log FOR EACH ROW EXECUTE FUNCTION metrics.fire();
COMMENT ON TRIGGER fire ON metrics.log IS 'on each row';
ALTER TABLE metrics.log ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY part ON metrics.log USING (n <> 250);
CREATE TABLE metrics.split (day date NOT NULL, n integer) PARTITION BY RANGE (day);
CREATE TABLE metrics.split_1 PARTITION OF metrics.split FOR VALUES FROM ('2024-01-01') TO ('2024-02-01');
CREATE TABLE metrics.split_rest PARTITION OF metrics.split DEFAULT;
INSERT INTO metrics.split SELECT date '2024-01-01' + i, i FROM generate_series(1, 60) i;
";

const WISHES: [&str; 4] =
    ["--hypertable", "metrics.log:at:7 days", "--hypertable", "metrics.split:day:1 month"];

fn becomes(test: &str, source: Server, target: Server) -> Outcome {
    let Some(stage) = Stage::new(test, source, target)? else { return Ok(()) };
    stage.sql_text(SOURCE)?;
    let (code, report, all) = stage.migrate(&[&["--dry-run"][..], &WISHES].concat())?;
    assert_eq!((code, &report["outcome"]), (0, &"planned".into()), "{all}");
    assert!(
        report["plan"].to_string().contains("its rows move into chunks when all rows have arrived"),
        "{all}"
    );
    let (code, report, all) = stage.migrate(&WISHES)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["differences"], serde_json::json!([]), "{all}");
    assert_eq!(stage.left_behind()?, Vec::<String>::new());
    // Nobody but a superuser sees all rows of one of them.
    let (code, said) = stage.verify_known()?;
    let hidden = "metrics.log: its rows were not compared: row security hides rows of it";
    assert!(
        code == Some(2) && said.contains("equal as far as it was compared") && said.contains(hidden),
        "{said}"
    );
    let hypertables = "SELECT string_agg(hypertable_name || ' ' || owner || ' ' || num_chunks, ', ' ORDER BY hypertable_name) \
                       FROM timescaledb_information.hypertables";
    assert_eq!(
        stage.sql(&stage.admin, hypertables)?,
        "log metrics_app 4, readings metrics_app 9, split metrics_app 3"
    );
    for question in [
        "SELECT count(*), sum(n), min(at), max(id) FROM metrics.log",
        "SELECT count(*), sum(n), min(day) FROM metrics.split",
        "SELECT count(*) FROM metrics.fired",
        "SELECT obj_description((SELECT oid FROM pg_trigger WHERE tgrelid = 'metrics.log'::regclass AND tgname = 'fire'), 'pg_trigger')",
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'metrics.log'::regclass",
    ] {
        assert_eq!(stage.sql(&stage.admin, question)?, stage.sql(&stage.source, question)?, "{question}");
    }
    // Its owner goes on with it: the trigger fires, the key from elsewhere holds, and new chunks come.
    stage.sql_on_target(
        "SET ROLE metrics_app; INSERT INTO metrics.log (at, device, n) VALUES ('2030-01-01', 1, 300), ('2024-01-02', 2, 300)",
    )?;
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*), sum(n) FROM metrics.fired")?, "2|600");
    let refused =
        stage.sql_on_target("SET ROLE metrics_app; INSERT INTO metrics.note VALUES ('2024-01-01', 12345)");
    assert!(
        refused.is_err_and(
            |error| error.to_string().contains("23503") || error.to_string().contains("foreign key")
        )
    );
    Ok(())
}

#[test]
fn a_plain_table_becomes_a_hypertable_beside_those_of_the_source() -> Outcome {
    becomes(
        "a_plain_table_becomes_a_hypertable_beside_those_of_the_source",
        Server::Source17,
        Server::Target17,
    )
}

#[test]
fn and_on_18() -> Outcome {
    becomes("and_on_18", Server::Source18, Server::Target18)
}
