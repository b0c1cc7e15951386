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

/// Who else works on the target while the run is not over, with what it says then and what takes that back.
const OTHERS: [(&str, &str, &str); 9] = [
    ("CREATE VIEW public.mine AS SELECT id FROM app.grows", "view public.mine", "DROP VIEW public.mine"),
    (
        "CREATE TABLE public.mine(g int REFERENCES app.grows)",
        "mine_g_fkey",
        "ALTER TABLE public.mine DROP CONSTRAINT mine_g_fkey",
    ),
    ("CREATE INDEX mine ON app.grows(id, v)", "index app.mine", "DROP INDEX app.mine"),
    ("ALTER TABLE app.grows ADD mine int", "column app.grows.mine", "ALTER TABLE app.grows DROP mine"),
    ("CREATE PUBLICATION mine FOR TABLE app.grows", "publication", "DROP PUBLICATION mine"),
    ("ALTER TABLE public.mine ADD m app.gone", "public.mine.m", "ALTER TABLE public.mine DROP m"),
    (
        "INSERT INTO app.grows VALUES (9001, 'mine')",
        "1 row of it is not",
        "DELETE FROM app.grows WHERE id = 9001",
    ),
    // Nobody can take that back: what is said is the way on.
    ("UPDATE app.grows SET v = 'mine' WHERE id = 7", "1 of 500 copied rows", "TRUNCATE app.grows CASCADE"),
    // The schema has followed by then.
    (
        "INSERT INTO app.same VALUES (9001, 'sad')",
        "1 row of it is not",
        "DELETE FROM app.same WHERE id = 9001",
    ),
];

#[test]
fn what_others_have_on_the_target_is_neither_dropped_nor_emptied() -> Outcome {
    let test = "what_others_have_on_the_target_is_neither_dropped_nor_emptied";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(BEFORE)?;
    stage.sql_text("SELECT lo_from_bytea(4711, 'ours'); GRANT SELECT ON LARGE OBJECT 4711 TO app")?;
    let (code, report, all) = stage.migrate(&[])?;
    assert!(code == 2 && report["next"].to_string().contains("app.child.no_parent"), "{all}");
    stage.sql_text(RELEASE)?;
    stage.sql_text(
        "INSERT INTO app.same VALUES (501, 'so-so'), (502, 'glad'); INSERT INTO app.parent VALUES (7)",
    )?;
    stage.sql(&stage.target, "SELECT lo_from_bytea(815, 'theirs')")?;
    for (done, said, back) in OTHERS {
        stage.sql(&stage.admin, done)?;
        let (code, report, all) = stage.migrate(&["--resume", "--new-snapshot"])?;
        let error = report["error"].to_string();
        assert!(code == 2 && error.contains(said), "{done}: {all}");
        stage.sql(&stage.admin, back)?;
    }
    let (code, report, all) = stage.migrate(&["--resume", "--new-snapshot"])?;
    let differs = report["verification"]["differences"].to_string();
    assert!(code == 2 && report["outcome"] == "differs", "{all}");
    // What a superuser has made there is a service's own, and noted.
    assert!(differs.contains("815") && !differs.contains("app.") && !differs.contains("mine"), "{differs}");
    assert!(report["verification"]["notes"].to_string().contains("table public.mine"), "{all}");
    let objects = "SELECT string_agg(convert_from(lo_get(oid), 'UTF8') || coalesce(lomacl::text, ''), ' ' ORDER BY oid) \
                   FROM pg_largeobject_metadata";
    let objects = stage.sql(&stage.admin, objects)?;
    assert!(objects.starts_with("theirs ours{") && objects.contains("app=r/"), "{objects}");
    // That is not the end: what differs is mended, and what the source has got since comes too.
    assert!(report["next"].to_string().contains("compare again: "), "{all}");
    let (code, said) = stage.verify_known()?;
    assert!(code == Some(1) && said.contains("with --resume --new-snapshot"), "{said}");
    stage.sql(&stage.admin, "DROP TABLE public.mine; SELECT lo_unlink(815)")?;
    stage.sql_text("INSERT INTO app.parent VALUES (8)")?;
    let (code, report, all) = stage.migrate(&["--resume", "--new-snapshot"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM app.parent WHERE id = 8")?, "1");
    assert_eq!(stage.left_behind()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_table_that_others_refer_to_may_be_renamed_and_an_index_follows_its_function() -> Outcome {
    let test = "a_table_that_others_refer_to_may_be_renamed_and_an_index_follows_its_function";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(BEFORE)?;
    stage.sql_text(
        "CREATE FUNCTION app.key(v text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(v)';
         CREATE INDEX same_key ON app.same(app.key('Key ' || id)); ALTER TABLE app.refers OWNER TO app;
         GRANT SELECT ON app.same TO app; CREATE EXTENSION hstore; CREATE SCHEMA lonely; CREATE TABLE lonely.one(id int); ALTER TABLE app.grows OWNER TO app;
         CREATE MATERIALIZED VIEW app.of_filled AS SELECT count(*) FROM app.filled; INSERT INTO app.grows(v) VALUES ('late')",
    )?;
    let (code, report, all) = stage.migrate(&[])?;
    assert!(code == 2 && report["next"].to_string().contains("app.child.no_parent"), "{all}");
    stage.sql_text(
        "CREATE SCHEMA nova; CREATE TABLE nova.one(id int); DROP SCHEMA lonely CASCADE; REVOKE CREATE ON SCHEMA app FROM app; REVOKE SELECT ON app.same FROM app;
         ALTER TABLE app.refers OWNER TO postgres; ALTER TABLE app.grows RENAME TO grown; INSERT INTO app.parent VALUES (7);
         ALTER TABLE app.same RENAME CONSTRAINT same_pkey TO same_key_of_all;
         CREATE OR REPLACE FUNCTION app.key(v text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper(v)'",
    )?;
    let (code, report, all) = stage.migrate(&["--resume", "--new-snapshot"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert!(
        report["verification"]["notes"].to_string().contains("app.of_filled: its content differs"),
        "{all}"
    );
    stage.sql_text("REFRESH MATERIALIZED VIEW app.filled; REFRESH MATERIALIZED VIEW app.of_filled")?;
    assert_eq!(stage.differences(&[])?, Vec::<String>::new(), "{all}");
    let by_index =
        "SET enable_seqscan = off; SELECT count(*) FROM app.same WHERE app.key('Key ' || id) = 'KEY 7'";
    assert_eq!(stage.sql(&stage.admin, by_index)?, "1");
    Ok(())
}

#[test]
fn a_table_that_only_the_source_may_not_compare_is_copied_anew() -> Outcome {
    let test = "a_table_that_only_the_source_may_not_compare_is_copied_anew";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(BEFORE)?;
    stage.sql_text(
        "CREATE FUNCTION app.key(v text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT lower(v)';
         ALTER FUNCTION app.key OWNER TO app; CREATE TABLE app.owned AS SELECT i AS id, 'Key' AS v FROM generate_series(1, 50) i;
         ALTER TABLE app.owned OWNER TO app",
    )?;
    let (code, report, all) = stage.migrate(&[])?;
    assert!(code == 2 && report["next"].to_string().contains("app.child.no_parent"), "{all}");
    // Planning a query there calls a function of a user's now, and on the target nothing yet.
    stage.sql_text("CREATE INDEX owned_key ON app.owned(app.key(v)); INSERT INTO app.parent VALUES (7)")?;
    stage.sql(&stage.admin, "ALTER TABLE app.drops RENAME TO hidden")?;
    let (code, report, all) = stage.migrate(&["--resume", "--new-snapshot"])?;
    assert!(code == 2 && report["error"].to_string().contains("has dropped or renamed app.drops"), "{all}");
    stage.sql(&stage.admin, "ALTER TABLE app.hidden RENAME TO drops")?;
    let (code, report, all) = stage.migrate(&["--resume", "--new-snapshot"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(stage.differences(&[])?, Vec::<String>::new(), "{all}");
    Ok(())
}
