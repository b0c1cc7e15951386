//! A run beside other databases that is given up: what is its own goes, and nothing of others goes with it, wherever its work
//! directory is.

use std::process::Command;

use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};
use tsmigrate_tests::program;

/// A database that ends with a difference: its generated column is written by another user on the target. Values of parameters need
/// quotes, and names are odd.
const SHOP: &str = r#"
CREATE ROLE gvn_owner LOGIN; GRANT CREATE, TEMPORARY ON DATABASE shop TO gvn_owner;
ALTER DATABASE shop SET search_path = public, "Odd ""schema%";
ALTER ROLE gvn_owner IN DATABASE shop SET search_path = "Odd ""schema%", public;
ALTER ROLE gvn_owner IN DATABASE shop SET work_mem = '8MB';
ALTER ROLE gvn_owner IN DATABASE shop SET application_name = 'it''s = 5 %';
CREATE FUNCTION who() RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT current_user::text';
CREATE TABLE big(i int PRIMARY KEY, w text GENERATED ALWAYS AS (who()) STORED);
INSERT INTO big SELECT generate_series(1, 1000);
CREATE SCHEMA "Odd ""schema%" AUTHORIZATION gvn_owner;
CREATE TYPE "Odd ""schema%".state AS ENUM ('new', 'paid');
CREATE DOMAIN "Odd ""schema%".amount AS int CHECK (VALUE > 0);
ALTER DOMAIN "Odd ""schema%".amount ADD CONSTRAINT later CHECK (VALUE < 1000) NOT VALID;
CREATE TABLE "Odd ""schema%"."t.on x"(id serial PRIMARY KEY, s "Odd ""schema%".state DEFAULT 'new', a "Odd ""schema%".amount,
  b int REFERENCES big, UNIQUE (a, b));
ALTER TABLE "Odd ""schema%"."t.on x" OWNER TO gvn_owner;
INSERT INTO "Odd ""schema%"."t.on x"(a, b) VALUES (1, 1), (2, 2);
CREATE TABLE parts(id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10); CREATE INDEX ON parts (v); INSERT INTO parts VALUES (1, 'x');
CREATE VIEW seen AS SELECT * FROM big; CREATE MATERIALIZED VIEW filled AS SELECT count(*) FROM big; CREATE INDEX ON filled (count);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER noted AFTER INSERT ON big FOR EACH ROW EXECUTE FUNCTION note();
CREATE RULE quiet AS ON DELETE TO parts DO INSTEAD NOTHING; CREATE STATISTICS both_ids ON i, w FROM big;
CREATE POLICY mine ON big USING (i > 0); CREATE PUBLICATION gvn_all FOR TABLE big;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO gvn_owner;
"#;

/// What is left of it: schemas, settings, the owner's privileges of the database, publications.
const LEFT: &str = "SELECT concat_ws('|', (SELECT string_agg(nspname, ',' ORDER BY nspname) FROM pg_namespace WHERE nspname ~ '^(first|shop|app|_tsm)'),
    (SELECT string_agg(c, ',' ORDER BY c) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase, unnest(setconfig) c
     WHERE d.datname = current_database() AND c !~ '^timescaledb'),
    (SELECT count(*) FROM pg_database, aclexplode(datacl) a WHERE datname = current_database() AND grantee = 'gvn_owner'::regrole),
    (SELECT string_agg(pubname, ',') FROM pg_publication))";

/// The program with the given source, target and work directory: its exit status and all it wrote.
fn run(
    stage: &Stage,
    source: &str,
    work: &str,
    arguments: &[&str],
) -> Result<(i32, String), Box<dyn std::error::Error>> {
    let mut command = Command::new(program::path());
    command.args(arguments).args(["--work-dir", work]).current_dir(stage.lab.folder());
    let output = command.env("SOURCE", source).env("TARGET", &stage.target).output()?;
    let words = [output.stdout, output.stderr].concat();
    Ok((output.status.code().ok_or("killed")?, String::from_utf8_lossy(&words).into_owned()))
}

#[test]
fn a_run_beside_others_takes_nothing_of_others_with_it() -> Outcome {
    let test = "a_run_beside_others_takes_nothing_of_others_with_it";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(SHOP)?;
    let server = stage.lab.uri(stage.source_server)?;
    stage.sql(server, "CREATE DATABASE first")?;
    let first = format!("{}/first", server.rsplit_once('/').ok_or("no database")?.0);
    stage.sql(&first, "CREATE TABLE t AS SELECT generate_series(1, 5) a")?;
    stage.sql(&first, "ALTER ROLE gvn_owner IN DATABASE first SET statement_timeout = '9s'")?;
    let tools = stage.programs.to_string_lossy().into_owned();
    let migrate = ["migrate", "--progress", "none", "--pg-bin", &tools, "--into-schema"];
    let (status, words) = run(&stage, &first, "wf", &[&migrate[..], &["first"]].concat())?;
    assert_eq!(status, 0, "{words}");
    let before = stage.sql(&stage.admin, LEFT)?;
    assert!(before.starts_with("first|statement_timeout=9s|0"), "{before}");
    let shop = [&migrate[..], &["shop", "--accept", "MAP-01,MAP-05,SU-07"]].concat();
    let (status, words) = run(&stage, &stage.source, "ws", &shop)?;
    assert!(status == 2 && words.contains("the target differs"), "{words}");
    let given = stage.sql(&stage.admin, LEFT)?;
    for found in ["shop_Odd", "work_mem=8MB", "application_name=it's = 5 %", "|2|gvn_all"] {
        assert!(given.contains(found), "{found}: {given}");
    }
    // Another start knows of the run, and not of its directory.
    let (status, words) = run(&stage, &stage.source, "wo", &shop)?;
    assert!(status != 0 && words.contains("--drop-target --work-dir DIR"), "{words}");
    stage.sql(
        &stage.target,
        "CREATE SCHEMA app; CREATE VIEW app.uses AS SELECT * FROM shop.big; CREATE TABLE shop.added(i int); \
         CREATE TABLE app.points(i int REFERENCES shop.big); INSERT INTO shop.big VALUES (5000); \
         CREATE PUBLICATION gvn_others FOR TABLE shop.big",
    )?;
    let cleanup = ["cleanup", "--drop-target"];
    let there = stage.sql(&stage.admin, LEFT)?;
    for work in ["ws", "wo"] {
        let (status, words) = run(&stage, &stage.source, work, &cleanup)?;
        assert_eq!(status, 2, "{words}");
        for found in [
            "view app.uses",
            "table shop.added",
            "table constraint points_i_fkey on app.points",
            "publication relation shop.big in publication gvn_others",
            "1 row of shop.big",
        ] {
            assert!(words.contains(found), "{work}, {found}: {words}");
        }
        for own in ["first", "parts", "t.on x", "filled", "noted", "shop.seen", "later", "gvn_all"] {
            let named = words.lines().find(|line| line.contains("others have created")).unwrap_or_default();
            assert!(!named.contains(own), "{work}, {own}: {words}");
        }
        assert_eq!(stage.sql(&stage.admin, LEFT)?, there);
    }
    // Somebody has changed one of its settings since, and wants what depends on the run no more.
    stage.sql(
        &stage.target,
        "DROP SCHEMA app CASCADE; DROP TABLE shop.added; DELETE FROM shop.big WHERE i = 5000; DROP PUBLICATION gvn_others",
    )?;
    stage.sql(&stage.target, "ALTER ROLE gvn_owner IN DATABASE tsdb SET work_mem = '9MB'")?;
    let (status, words) = run(&stage, &stage.source, "wo", &cleanup)?;
    assert_eq!(status, 0, "{words}");
    let left = stage.sql(&stage.admin, LEFT)?;
    assert_eq!(left, before.replace("statement_timeout=9s", "statement_timeout=9s,work_mem=9MB"));
    assert_eq!(stage.sql(&stage.target, "SELECT sum(a) FROM first.t")?, "15");
    // With what others have is dropped what is asked for, and no other database.
    stage.sql(&stage.target, "ALTER ROLE gvn_owner IN DATABASE tsdb RESET work_mem")?;
    let (status, words) = run(&stage, &stage.source, "wa", &shop)?;
    assert!(status == 2 && words.contains("the target differs"), "{words}");
    stage.sql(&stage.target, "CREATE TABLE shop.added(i int)")?;
    let (status, words) = run(&stage, &stage.source, "wo", &["cleanup", "--drop-target", "--with-others"])?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(stage.sql(&stage.admin, LEFT)?, before);
    assert_eq!(stage.sql(&stage.target, "SELECT sum(a) FROM first.t")?, "15");
    Ok(())
}
