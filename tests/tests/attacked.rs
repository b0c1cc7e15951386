//! What an attack on a migration of its own database has found: an owner on the source who knows how we read.

use std::error::Error;
use std::fs;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage, told};
use tsmigrate_tests::program;

/// Tables and materialized views of evil's, whose function writes into the log who calls it.
const OWNED: &str = "
CREATE ROLE evil LOGIN;
CREATE SCHEMA e AUTHORIZATION evil;
SET SESSION AUTHORIZATION evil;
CREATE FUNCTION e.f(what text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS
  $$ BEGIN RAISE LOG 'canary % as % end', what, current_user; RETURN 1; END $$;
CREATE TABLE e.t (id int PRIMARY KEY, v text);
INSERT INTO e.t SELECT g, repeat('x', 300) FROM generate_series(1, 3000) g;
CREATE MATERIALIZED VIEW e.m1 AS SELECT id, v FROM e.t;
CREATE MATERIALIZED VIEW e.m2 AS SELECT id, v FROM e.t;
RESET SESSION AUTHORIZATION;";

/// Creates indexes and statistics again and again, and commits as soon as somebody else reads the relation.
fn looping(relation: &str, what: &str) -> String {
    let [create, drop] = match what {
        "index" => ["CREATE INDEX {}_i ON e.{} (id) WHERE e.f(''index'') = 1", "DROP INDEX e.{}_i"],
        _ => {
            ["CREATE STATISTICS e.{}_s ON v, (id + e.f(''statistics'')) FROM e.{}", "DROP STATISTICS e.{}_s"]
        }
    };
    let [create, drop] = [create, drop].map(|sql| sql.replace("{}", relation));
    format!(
        "SET lock_timeout = '1s';
         DO $$ BEGIN FOR i IN 1..4 LOOP
           BEGIN EXECUTE '{create}'; EXCEPTION WHEN lock_not_available THEN NULL; END;
           FOR j IN 1..100 LOOP
             EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE relation = 'e.{relation}'::regclass AND pid <> pg_backend_pid()
                               AND mode IN ('AccessShareLock', 'RowExclusiveLock'));
             PERFORM pg_sleep(0.001);
           END LOOP;
           COMMIT;
           BEGIN EXECUTE '{drop}'; EXCEPTION WHEN lock_not_available OR undefined_object THEN NULL; END;
           COMMIT;
         END LOOP; END $$;"
    )
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn verify(stage: &Stage) -> Result<Output, Box<dyn Error>> {
    let mut command = Command::new(program::path());
    command.arg("verify").env("SOURCE", &stage.source).env("TARGET", &stage.target).stdin(Stdio::null());
    Ok(command.output()?)
}

/// Who else than evil has called evil's function on the source.
fn strange(stage: &Stage) -> Result<Vec<String>, Box<dyn Error>> {
    let log =
        String::from_utf8_lossy(&fs::read(stage.lab.home(stage.source_server)?.join("log"))?).into_owned();
    let calls = log.lines().filter_map(|line| line.split_once("canary ")?.1.split_once(" end"));
    Ok(calls.map(|(call, _)| call.to_owned()).filter(|call| !call.ends_with(" as evil")).collect())
}

/// Runs `during` while evil has run `sql` in a transaction that stays open, and ends it with `end`.
fn held<T>(
    stage: &Stage,
    sql: &str,
    end: &str,
    during: impl FnOnce() -> Result<T, Box<dyn Error>>,
) -> Result<T, Box<dyn Error>> {
    let evil = stage.source.replace("postgres@", "evil@");
    let script = format!(
        "BEGIN; {sql}; DO $$ BEGIN FOR i IN 1..2400 LOOP EXIT WHEN EXISTS (SELECT FROM pg_class WHERE relname = 'over'); \
         PERFORM pg_sleep(0.05); END LOOP; END $$; {end};"
    );
    thread::scope(|scope| {
        let other = scope.spawn(|| stage.script(&evil, &script).map_err(|error| error.to_string()));
        let sleeps =
            "SELECT count(*) FROM pg_stat_activity WHERE usename = 'evil' AND wait_event = 'PgSleep'";
        wait_until("evil has what it wants", || Ok(stage.sql(&stage.source, sleeps)? != "0"))?;
        let result = during();
        stage.sql(&stage.source, "CREATE TABLE public.over ()")?;
        other.join().map_err(|_| "the other session panicked")??;
        stage.sql(&stage.source, "DROP TABLE public.over")?;
        result
    })
}

fn wait_until(what: &str, mut is: impl FnMut() -> Result<bool, Box<dyn Error>>) -> Outcome {
    for _ in 0..2400 {
        if is()? {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err(format!("it never came: {what}").into())
}

/// Migrates while evil creates an index on a table that is read in parts, and thinks better of it when it is told on;
/// `meanwhile` something happens on the source.
fn migrate_beside_evil(stage: &Stage, meanwhile: &str) -> Result<(i32, Value, String), Box<dyn Error>> {
    let create = "CREATE INDEX t_i ON e.t (id) WHERE e.f('part') = 1";
    let run = held(stage, create, "ROLLBACK", || {
        let mut child = stage.command(&["--split-larger-than", "256KiB"])?.spawn()?;
        wait_until("the run says for whom it waits", || {
            let log = fs::read_to_string(stage.work.join("log.jsonl")).unwrap_or_default();
            let told = |line: &str| {
                ["a part of e.t", "may be creating an index", "of evil"]
                    .iter()
                    .all(|part| line.contains(part))
            };
            // A run that ends without it says why.
            Ok(log.lines().any(told) || child.try_wait()?.is_some())
        })?;
        stage.sql_text(meanwhile)?;
        Ok(child)
    })?;
    told(&run.wait_with_output()?)
}

fn no_index_comes_between(test: &str, source: Server, target: Server) -> Outcome {
    let Some(stage) = Stage::new(test, source, target)? else { return Ok(()) };
    stage.sql_text(OWNED)?;
    let (code, _, all) = migrate_beside_evil(&stage, "")?;
    assert_eq!(code, 0, "{all}");
    let equal = verify(&stage)?;
    assert_eq!(equal.status.code(), Some(0), "{}", text(&equal));
    assert!(!text(&equal).contains("rows were not compared"), "{}", text(&equal));
    // Somebody holds what we would need: materialized views are named, tables are read by COPY.
    let why = "its rows were not compared: its owner";
    let create = "CREATE INDEX m1_i ON e.m1 (id) WHERE e.f('held') = 1";
    let said = held(&stage, create, "COMMIT", || Ok(text(&verify(&stage)?)))?;
    assert!(said.contains(&format!("e.m1: {why}")) && !said.contains(&format!("e.m2: {why}")), "{said}");
    let create = "CREATE STATISTICS e.t_s ON v, (id + e.f('held')) FROM e.t; \
                  CREATE STATISTICS e.m2_s ON v, (id + e.f('held')) FROM e.m2";
    stage.sql(&stage.source, "DROP INDEX e.m1_i")?;
    stage.sql(&stage.admin, "UPDATE e.t SET v = 'y' WHERE id = 7")?;
    let said = held(&stage, create, "COMMIT", || Ok(text(&verify(&stage)?)))?;
    assert!(said.contains(&format!("e.m2: {why}")), "{said}");
    assert!(said.contains("the source did not say which rows: its owner"), "{said}");
    assert_eq!(strange(&stage)?, Vec::<String>::new());
    // Somebody creates them whenever we read, while a run reads parts and compares.
    stage.sql(&stage.source, "DROP STATISTICS e.t_s, e.m2_s")?;
    let evil = stage.source.replace("postgres@", "evil@");
    thread::scope(|scope| -> Outcome {
        let others: Vec<_> = [("m1", "index"), ("m2", "statistics"), ("t", "index")]
            .map(|(relation, what)| {
                let (stage, evil) = (&stage, &evil);
                scope.spawn(move || {
                    stage.script(evil, &looping(relation, what)).map_err(|error| error.to_string())
                })
            })
            .into();
        verify(&stage)?;
        for other in others {
            other.join().map_err(|_| "the other session panicked")??;
        }
        Ok(())
    })?;
    assert_eq!(strange(&stage)?, Vec::<String>::new());
    Ok(())
}

#[test]
fn no_index_comes_between_our_look_and_our_question_15() -> Outcome {
    let test = "no_index_comes_between_our_look_and_our_question_15";
    no_index_comes_between(test, Server::Source15, Server::Target17)
}

#[test]
fn no_index_comes_between_our_look_and_our_question_18() -> Outcome {
    let test = "no_index_comes_between_our_look_and_our_question_18";
    no_index_comes_between(test, Server::Source18, Server::Target18)
}

#[test]
fn expressions_see_the_styles_of_the_sources_database() -> Outcome {
    let test = "expressions_see_the_styles_of_the_sources_database";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let set = "DO $$ DECLARE s text; BEGIN FOREACH s IN ARRAY ARRAY['DateStyle = ''ISO, DMY''', 'IntervalStyle = iso_8601', \
               'bytea_output = escape', 'extra_float_digits = 0'] LOOP \
               EXECUTE format('ALTER DATABASE %I SET %s', current_database(), s); END LOOP; END $$";
    stage.sql(&stage.source, set)?;
    stage.sql_text(
        "CREATE FUNCTION read(x text) RETURNS date LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN x::date; END $$;
         CREATE TABLE g (x text, y date GENERATED ALWAYS AS (public.read(x)) STORED);
         INSERT INTO g VALUES ('25/12/2024'), ('05/12/2024');
         CREATE TABLE t (f float8, i interval, b bytea); INSERT INTO t VALUES (0.1::float8 / 7, '1 day 2 hours', '\\x00ff');
         CREATE MATERIALIZED VIEW m AS SELECT f::text, i::text, b::text, ('03/02/2024')::date AS d FROM t;",
    )?;
    // What ends our sessions at their first statement, or between two.
    let end = "ALTER DATABASE shop SET idle_session_timeout = '1ms'; ALTER DATABASE shop SET transaction_timeout = '1ms'";
    stage.script(stage.lab.uri(stage.source_server)?, end)?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert!(!report["verification"]["notes"].to_string().contains("older than its tables"), "{all}");
    // The settings have arrived too.
    let separator = if stage.admin.contains('?') { '&' } else { '?' };
    let options = "options=-c%20idle_session_timeout%3D0%20-c%20transaction_timeout%3D0";
    let admin = format!("{}{separator}{options}", stage.admin);
    assert_eq!(
        stage.sql(&admin, "SELECT f || ' ' || i || ' ' || b FROM m")?,
        r"0.0142857142857143 P1DT2H \000\377"
    );
    Ok(())
}

/// What can be dropped and renamed while a run reads tables.
const FLEETING: &str = "
SET ROLE evil;
CREATE VIEW e.gone AS SELECT id FROM e.t; COMMENT ON VIEW e.gone IS 'soon';
CREATE VIEW e.named AS SELECT id FROM e.t;
CREATE MATERIALIZED VIEW e.seen AS SELECT id FROM e.t;
CREATE FUNCTION e.lost(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE SEQUENCE e.numbers; SELECT nextval('e.numbers');
CREATE TYPE e.kind AS ENUM ('a'); CREATE TYPE e.lone AS ENUM ('b');
CREATE MATERIALIZED VIEW e.who AS SELECT session_user::text AS s, current_database()::text AS d;
CREATE MATERIALIZED VIEW e.stale AS SELECT id, 'a'::e.kind AS kind FROM e.t;
INSERT INTO e.t VALUES (0, 'new');
RESET ROLE;
CREATE SCHEMA empty;";

#[test]
fn what_the_source_drops_meanwhile_is_named_and_no_difference() -> Outcome {
    let test = "what_the_source_drops_meanwhile_is_named_and_no_difference";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(OWNED)?;
    stage.sql_text(FLEETING)?;
    stage.sql(&stage.target, "CREATE ROLE evil LOGIN")?;
    let changes = "DROP VIEW e.gone; ALTER VIEW e.named RENAME TO renamed; DROP MATERIALIZED VIEW e.seen; \
                   DROP FUNCTION e.lost(int); DROP SEQUENCE e.numbers; DROP TYPE e.lone; DROP SCHEMA empty;";
    let (code, report, all) = migrate_beside_evil(&stage, changes)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    let notes = report["verification"]["notes"].to_string();
    let told = "the source's schema has changed since the plan was made: ";
    for name in ["e.gone", "e.seen", "e.lost", "e.numbers", "e.lone", "empty"] {
        assert!(notes.contains(&format!("{told}{name} was dropped")), "{name}: {notes}");
    }
    assert!(notes.contains("e.named has another name now, e.renamed"), "{notes}");
    // Who can log in on the target could give its table a trigger.
    let plan = report["plan"]["notes"].to_string();
    assert!(
        plan.contains("evil can log in on the target") && plan.contains("ALTER ROLE evil NOLOGIN"),
        "{plan}"
    );
    // What depends on who asks where is no difference, nor is old content where another one's is.
    assert!(notes.contains("e.who: its content cannot be compared, for its query depends on"), "{notes}");
    assert!(notes.contains("e.stale: its content differs, while all rows"), "{notes}");
    stage.script(&stage.admin, changes)?;
    let other =
        "SET ROLE evil; CREATE MATERIALIZED VIEW e.number AS SELECT 'e.t'::regclass::oid::bigint AS o";
    for uri in [&stage.source, &stage.admin] {
        stage.script(uri, other)?;
    }
    let said = text(&verify(&stage)?);
    assert!(said.contains("e.number: its content differs, while all rows"), "{said}");
    assert!(said.contains("e.stale: its content differs, while all rows"), "{said}");
    Ok(())
}

/// What others have on the target when a run is given up, what takes that back, and how it is named.
const THEIRS: [(&str, &str, &str); 6] = [
    (
        "CREATE TABLE app.mine(id int); INSERT INTO app.mine VALUES (1)",
        "table app.mine",
        "DROP TABLE app.mine",
    ),
    ("CREATE VIEW public.seen AS SELECT id FROM app.t", "view public.seen", "DROP VIEW public.seen"),
    (
        "CREATE TABLE public.refers(id int REFERENCES app.t)",
        "refers_id_fkey on public.refers",
        "DROP TABLE public.refers",
    ),
    ("INSERT INTO app.t VALUES (7, 'new')", "1 row of app.t", "DELETE FROM app.t WHERE id = 7"),
    ("UPDATE app.u SET v = 'other'", "3 rows of app.u", "DELETE FROM app.u"),
    ("SELECT lo_create(77)", "1 large object", "SELECT lo_unlink(77)"),
];

#[test]
fn a_run_that_is_given_up_takes_nothing_of_others_with_it() -> Outcome {
    let test = "a_run_that_is_given_up_takes_nothing_of_others_with_it";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE EXTENSION timescaledb; CREATE EXTENSION hstore; CREATE ROLE app; CREATE ROLE reader;
         CREATE SCHEMA app AUTHORIZATION app; SET ROLE app;
         CREATE TABLE app.t(id serial PRIMARY KEY, v text DEFAULT 'a' CHECK (v <> '')); INSERT INTO app.t VALUES (1, 'x'), (2, 'y');
         CREATE TABLE app.u(v text); INSERT INTO app.u VALUES ('a'), ('b'), ('c'); CREATE INDEX ON app.u(v);
         CREATE TABLE app.parted(id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE app.parted_1 PARTITION OF app.parted FOR VALUES FROM (0) TO (10); INSERT INTO app.parted VALUES (1);
         CREATE VIEW app.w AS SELECT v FROM app.u; CREATE MATERIALIZED VIEW app.m AS SELECT v FROM app.u;
         ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO reader;
         RESET ROLE; ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT SELECT ON TABLES TO reader;
         CREATE TABLE app.h(at timestamptz NOT NULL, v int); SELECT create_hypertable('app.h', 'at');
         INSERT INTO app.h SELECT timestamptz '2024-01-01' + i * interval '1 day', i FROM generate_series(1, 20) i;
         CREATE PUBLICATION of_all FOR ALL TABLES; SELECT lo_create(7);
         CREATE TABLE parent(id int PRIMARY KEY); CREATE TABLE child(p int CONSTRAINT no_parent REFERENCES parent);
         SET session_replication_role = replica; INSERT INTO child VALUES (7)",
    )?;
    let (code, _, all) = stage.migrate(&[])?;
    assert!(code == 2 && all.contains("no_parent"), "{all}");
    let mine = |sql: &str| stage.script(&stage.target, sql);
    for (create, named, undo) in THEIRS {
        mine(create)?;
        let before = stage.digest(&stage.admin)?;
        let (code, said) = stage.cleanup(&["--drop-target"])?;
        assert!(code == 2 && said.contains(named) && said.contains("--with-others"), "{named}: {said}");
        assert_eq!(stage.digest(&stage.admin)?, before, "{named}");
        mine(undo)?;
    }
    // A row that was changed and taken away again is gone: that its rows were copied stays known.
    mine("TRUNCATE app.u; CREATE TABLE app.mine(id int)")?;
    let (code, said) = stage.cleanup(&["--drop-target", "--with-others"])?;
    assert_eq!(code, 0, "{said}");
    // Nothing of the run's own is taken for somebody else's.
    let (code, _, all) = stage.migrate(&[])?;
    assert!(code == 2 && all.contains("no_parent"), "{all}");
    let (code, said) = stage.cleanup(&["--drop-target"])?;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage.left_behind()?, Vec::<String>::new());
    stage.sql(&stage.source, "INSERT INTO parent VALUES (7)")?;
    let (code, _, all) = stage.migrate(&[])?;
    assert_eq!(code, 0, "{all}");
    Ok(())
}
