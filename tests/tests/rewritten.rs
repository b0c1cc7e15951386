//! The way from a dump to a restored database that REWRITE.md shows, run as it stands there.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};
use tsmigrate_tests::program;

/// A database with what a restore by hand can get wrong: owners, grants, a hypertable, foreign keys in both directions, an
/// identity column, a view.
const SHOP: &str = "
CREATE ROLE shop_owner NOLOGIN SUPERUSER;
CREATE ROLE shop_app LOGIN PASSWORD 'secret' NOREPLICATION;
GRANT shop_owner TO shop_app;
CREATE EXTENSION timescaledb;
CREATE SCHEMA shop AUTHORIZATION shop_owner;
CREATE TABLE shop.customers (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, best integer);
CREATE TABLE shop.orders (id integer PRIMARY KEY, customer integer NOT NULL REFERENCES shop.customers);
ALTER TABLE shop.customers ADD FOREIGN KEY (best) REFERENCES shop.orders DEFERRABLE INITIALLY DEFERRED;
CREATE TABLE shop.readings (time timestamptz NOT NULL, value double precision);
SELECT create_hypertable('shop.readings', 'time', chunk_time_interval => interval '1 day');
INSERT INTO shop.customers (name) SELECT 'name ' || n FROM generate_series(1, 200) n;
INSERT INTO shop.orders SELECT n, n FROM generate_series(1, 200) n;
UPDATE shop.customers SET best = id;
INSERT INTO shop.readings SELECT '2026-01-01'::timestamptz + n * interval '1 hour', n FROM generate_series(1, 200) n;
CREATE VIEW shop.latest AS SELECT max(time) AS time FROM shop.readings;
ALTER TABLE shop.customers OWNER TO shop_owner;
ALTER TABLE shop.orders OWNER TO shop_app;
GRANT SELECT ON shop.readings TO shop_app;
";

/// What a person would look at on both servers.
const FACTS: &str = "
SELECT count(*), sum(best) FROM shop.customers;
SELECT count(*), sum(customer) FROM shop.orders;
SELECT count(*), sum(value) FROM shop.readings;
SELECT time FROM shop.latest;
SELECT count(*) FROM public.show_chunks('shop.readings');
SELECT tableowner FROM pg_catalog.pg_tables WHERE schemaname = 'shop' AND tablename = 'orders';
SELECT pg_catalog.has_table_privilege('shop_app', 'shop.readings', 'SELECT');
SELECT last_value FROM shop.customers_id_seq;
SHOW timescaledb.restoring;
";

/// The commands of a section of REWRITE.md: its indented lines.
fn commands(section: &str) -> Result<String, Box<dyn std::error::Error>> {
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../analyzer/REWRITE.md"))?;
    let (_, after) = text.split_once(&format!("\n## {section}\n")).ok_or("REWRITE.md has no such section")?;
    let section = after.split("\n#").next().unwrap_or_default();
    let commands: Vec<_> = section.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    Ok(commands.join("\n"))
}

#[test]
fn the_restore_of_a_rewritten_dump_arrives() -> Outcome {
    let test = "the_restore_of_a_rewritten_dump_arrives";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(SHOP)?;
    let commands = commands("Restore what was rewritten")?;
    assert_eq!(commands.matches("psql -X -v ON_ERROR_STOP=1 ").count(), 5, "{commands}");

    let folder = tempfile::tempdir()?;
    let programs = [stage.lab.programs()?, program::path().parent().unwrap_or(Path::new(""))];
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(programs.iter().map(|p| p.to_path_buf()).chain(env::split_paths(&path)))?;
    let ran = Command::new("bash")
        .args(["-ec", &commands])
        .current_dir(folder.path())
        .env("PATH", path)
        .env("SOURCE", &stage.source)
        .env("TARGET", &stage.target)
        .output()?;
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));

    let facts = stage.script(&stage.admin, FACTS)?;
    assert_eq!(facts, stage.script(&stage.source, FACTS)?);
    assert!(facts.contains("9\nshop_app\nt\n200\noff"), "{facts}");
    // ANALYZE reached the tables of other owners too.
    let analysed = "SELECT count(DISTINCT tablename) FROM pg_stats WHERE schemaname = 'shop'";
    assert_eq!(stage.sql(&stage.admin, analysed)?, "3");
    Ok(())
}
