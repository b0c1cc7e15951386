//! `tsmigrate verify`: what is the same is found the same across versions, and what is not is found and named.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use tsmigrate::connect::{Connector, Side};
use tsmigrate::names::Relation;
use tsmigrate::verify::same;
use tsmigrate_tests::lab::{Lab, Server, skipped};
use tsmigrate_tests::program;

type Outcome = Result<(), Box<dyn Error>>;

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");

/// Two databases to compare.
struct Pair {
    lab: Lab,
    source: String,
    target: String,
    /// The target as superuser.
    admin: String,
}

impl Pair {
    /// An empty database `shop` on the source, and a service.
    fn service(test: &str, source: Server) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(lab) = Lab::start_or_skip(test, &[source, Server::Target17])? else { return Ok(None) };
        let pair = Self {
            source: database(lab.uri(source)?, "shop"),
            target: lab.uri(Server::Target17)?.to_owned(),
            admin: lab.admin_uri(Server::Target17)?.to_owned(),
            lab,
        };
        pair.sql(pair.lab.uri(source)?, "CREATE DATABASE shop")?;
        Ok(Some(pair))
    }

    fn run(&self, uri: &str, sql: &str) -> Result<String, Box<dyn Error>> {
        use std::io::Write;

        let mut child = Command::new(self.lab.programs()?.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri, "-f", "-"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().ok_or("no pipe")?.write_all(sql.as_bytes())?;
        let output = child.wait_with_output()?;
        if !output.status.success() {
            return Err(format!("{}\n{sql}", String::from_utf8_lossy(&output.stderr)).into());
        }
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn sql(&self, uri: &str, sql: &str) -> Result<String, Box<dyn Error>> {
        self.run(uri, sql)
    }

    fn fill(&self, fixture: &str) -> Outcome {
        self.run(&self.source, &fs::read_to_string(Path::new(FIXTURES).join(fixture))?).map(drop)
    }

    fn migrate(&self) -> Outcome {
        let work = self.lab.folder().join("work");
        let output = Command::new(program::path())
            .args(["migrate", "--format", "json", "--pg-bin"])
            .arg(self.lab.programs()?)
            .arg("--work-dir")
            .arg(work)
            .env("SOURCE", &self.source)
            .env("TARGET", &self.target)
            .stdin(Stdio::null())
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Err(format!("{stdout}{stderr}").into())
    }

    /// Runs the program: its exit status and its report.
    fn verify(&self, arguments: &[&str]) -> Result<(i32, Value), Box<dyn Error>> {
        let output = Command::new(program::path())
            .args(["verify", "--format", "json", "--progress", "none"])
            .args(arguments)
            .env("SOURCE", &self.source)
            .env("TARGET", &self.target)
            .stdin(Stdio::null())
            .output()?;
        let report = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        Ok((output.status.code().ok_or("killed")?, report))
    }

    /// Nothing differs, and nothing had to be explained but what `announced` counts.
    fn equal(&self, arguments: &[&str]) -> Result<Value, Box<dyn Error>> {
        let (code, report) = self.verify(arguments)?;
        assert_eq!(differences(&report), Vec::<(String, String)>::new(), "{report:#}");
        assert_eq!((code, &report["outcome"]), (0, &"equal".into()), "{report:#}");
        Ok(report)
    }

    /// Does each of these on the target; then exactly these kinds of these objects differ.
    fn differs(&self, changes: &[(&str, &str, &str)]) -> Result<Value, Box<dyn Error>> {
        for (sql, ..) in changes {
            self.sql(&self.admin, sql)?;
        }
        let (code, report) = self.verify(&[])?;
        let mut expected: Vec<_> = changes
            .iter()
            .filter(|(_, kind, _)| !kind.is_empty())
            .map(|(_, kind, object)| ((*kind).to_owned(), (*object).to_owned()))
            .collect();
        expected.sort();
        assert_eq!(differences(&report), expected, "{report:#}");
        assert_eq!((code, &report["outcome"]), (1, &"different".into()));
        Ok(report)
    }
}

/// Kinds and objects.
fn differences(report: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = report["verification"]["differences"].as_array().cloned().unwrap_or_default();
    let mut pairs: Vec<_> = list.iter().map(|one| (text(&one["kind"]), text(&one["object"]))).collect();
    pairs.sort();
    pairs
}

/// What is said in detail of one object.
fn details(report: &Value, object: &str) -> String {
    let list = report["verification"]["differences"].as_array().cloned().unwrap_or_default();
    let of: Vec<_> = list.iter().filter(|one| one["object"] == object).collect();
    of.iter()
        .flat_map(|one| one["details"].as_array().cloned().unwrap_or_default())
        .filter_map(|line| line.as_str().map(str::to_owned))
        .collect::<Vec<_>>()
        .join("; ")
}

/// `uri` with another database.
fn database(uri: &str, name: &str) -> String {
    let (rest, query) =
        uri.split_once('?').map_or((uri, String::new()), |(rest, query)| (rest, format!("?{query}")));
    let server = rest.rsplit_once('/').map_or(rest, |(server, _)| server);
    format!("{server}/{name}{query}")
}

/// What is changed in a plain database, and what verify says of it: the kind and the object.
const PLAIN_CHANGES: &[(&str, &str, &str)] = &[
    ("UPDATE app.customer SET credit = 8 WHERE id = 7", "content", "app.customer"),
    ("DELETE FROM app.invoice WHERE id = 5", "rows", "app.invoice"),
    ("INSERT INTO public.settings VALUES ('extra', 'row')", "rows", "public.settings"),
    // The same rows, but one of them in another partition's place.
    ("DELETE FROM app.event_2024 WHERE id = 1", "rows", "app.event_2024"),
    (
        "CREATE OR REPLACE FUNCTION app.touch() RETURNS trigger LANGUAGE plpgsql AS \
             $$ BEGIN RETURN NULL; END $$",
        "function definition",
        "app.touch()",
    ),
    (
        "CREATE OR REPLACE FUNCTION public.show_limit() RETURNS real LANGUAGE sql AS 'SELECT 0.7::real'",
        "extension member definition",
        "function public.show_limit()",
    ),
    (
        "ALTER FUNCTION public.show_limit() COST 4242",
        "extension member properties",
        "function public.show_limit()",
    ),
    (
        "CREATE OR REPLACE VIEW app.rich AS SELECT id, name FROM app.customer WHERE credit > 99",
        "view definition",
        "app.rich",
    ),
    (
        "ALTER TABLE app.customer ALTER feeling SET DEFAULT 'sad'",
        "default value definition",
        "for app.customer.feeling",
    ),
    ("ALTER POLICY readers ON app.invoice USING (total < 501)", "policy condition", "readers on app.invoice"),
    (
        "DROP INDEX app.customer_lower; CREATE INDEX customer_lower ON app.customer (upper(name))",
        "index definition",
        "app.customer_lower on app.customer",
    ),
    ("DROP INDEX app.invoice_customer", "index", "app.invoice_customer on app.invoice"),
    ("ALTER TABLE public.parent OWNER TO app_owner", "owner", "of table public.parent"),
    ("REVOKE SELECT ON app.rich FROM app_reader", "privileges", "of view app.rich"),
    ("SELECT setval('app.ticket', 1)", "sequence value", "app.ticket"),
    ("ALTER SEQUENCE app.ticket INCREMENT 6", "sequence parameters", "app.ticket"),
    ("ALTER TYPE app.mood ADD VALUE 'odd'", "type labels", "app.mood"),
    (
        "ALTER TABLE app.invoice DROP CONSTRAINT invoice_total_check",
        "table constraint",
        "invoice_total_check on app.invoice",
    ),
    ("ALTER TABLE app.invoice DISABLE ROW LEVEL SECURITY", "table row security", "app.invoice"),
    ("ALTER TABLE app.customer DISABLE TRIGGER touch", "trigger enabled", "touch on app.customer"),
    ("ALTER TABLE public.child ADD more integer", "column", "public.child.more"),
    ("ALTER TABLE public.empty_table SET (fillfactor = 50)", "table options", "public.empty_table"),
    ("ALTER TABLE public.empty_table REPLICA IDENTITY FULL", "table replica identity", "public.empty_table"),
    ("COMMENT ON TABLE public.settings IS 'else'", "comment", "on table public.settings"),
    ("COMMENT ON DATABASE tsdb IS 'else'", "comment", "on database"),
    ("COMMENT ON LARGE OBJECT 4242 IS 'else'", "comment", "on large object 4242"),
    ("REVOKE CREATE ON DATABASE tsdb FROM app_owner", "privileges", "of the database"),
    ("ALTER ROLE reporting CONNECTION LIMIT 5", "role connection limit", "reporting"),
    ("ALTER ROLE reporting SET statement_timeout = '6min'", "role setting", "reporting statement_timeout"),
    ("REVOKE app_reader FROM reporting GRANTED BY tsdbadmin", "membership", "reporting in app_reader"),
    ("ALTER ROLE reporting BYPASSRLS", "role bypassrls", "reporting"),
    ("ALTER ROLE reporting SUPERUSER", "role superuser", "reporting"),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE app_owner IN SCHEMA app REVOKE SELECT ON TABLES FROM app_reader",
        "default privileges",
        "for app_owner on r in app",
    ),
    (
        "ALTER DOMAIN app.positive DROP CONSTRAINT positive_check",
        "domain constraint",
        "positive_check on app.positive",
    ),
    ("SELECT lo_put(4242, 1, '\\x11')", "large object content", "4242"),
    // What may not be read is not compared, and a note says so.
    (
        "CREATE ROLE stranger SUPERUSER; CREATE ROLE friend; GRANT app_reader TO friend; ALTER ROLE app_reader SET work_mem = '9MB'; ALTER TABLE public.scratch OWNER TO stranger; DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET geqo = off', current_database()); END $$",
        "owner",
        "of table public.scratch",
    ),
    ("COMMENT ON EXTENSION pg_trgm IS 'trigrams'", "comment", "on extension pg_trgm"),
    ("ALTER SEQUENCE public.fast SET LOGGED", "sequence persistence", "public.fast"),
    ("DROP STATISTICS app.invoice_stats", "statistics object", "app.invoice_stats"),
];

#[test]
fn every_change_of_a_plain_database_is_found_and_named() -> Outcome {
    let test = "every_change_of_a_plain_database_is_found_and_named";
    let Some(pair) = Pair::service(test, Server::Source15)? else { return Ok(()) };
    // What the server does by itself takes transactions too.
    for sql in [
        "ALTER SYSTEM SET autovacuum = off",
        "SELECT pg_reload_conf()",
        "SELECT _timescaledb_functions.stop_background_workers()",
    ] {
        pair.sql(&pair.admin, sql)?;
    }
    pair.fill("migrate/plain.sql")?;
    pair.sql(
        &pair.source,
        "COMMENT ON EXTENSION pg_trgm IS 'for names'; CREATE UNLOGGED SEQUENCE public.fast; COMMENT ON DATABASE shop IS 'a shop'; GRANT CREATE ON DATABASE shop TO app_owner; COMMENT ON LARGE OBJECT 4242 IS 'x'; \
         CREATE TABLE public.halfway (a int); CREATE INDEX halfway_a ON public.halfway (a); \
         UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'public.halfway_a'::regclass; \
         CREATE TABLE public.over (a int); ALTER TABLE public.over ADD CONSTRAINT late CHECK (a > 0) NOT VALID; \
         CREATE TABLE public.under () INHERITS (public.over)",
    )?;
    pair.migrate()?;
    let report = pair.equal(&[])?;
    assert_eq!(report["verification"]["rows"]["summed"], report["verification"]["rows"]["counted"]);
    let report = pair.differs(PLAIN_CHANGES)?;
    for note in [
        "superusers on the target that are none on the source: stranger",
        "memberships that the target has besides: friend in app_reader",
        "settings of roles that the target has besides: work_mem of app_reader",
        "settings of the database that the target has besides: geqo",
        "public.scratch: its rows were not compared: permission denied for table scratch",
    ] {
        assert!(report["verification"]["notes"].to_string().contains(note), "{report:#}");
    }
    assert_eq!(details(&report, "app.customer"), "1 row changed: id = 7 (credit)");
    assert_eq!(details(&report, "app.invoice"), "1 row missing on the target: id = 5");
    assert_eq!(details(&report, "public.settings"), "1 row on the target only: key = extra");
    // A comparison writes nothing.
    let state = "SELECT pg_current_snapshot(), (SELECT count(*) FROM pg_class)";
    let before = pair.sql(&pair.admin, state)?;
    pair.verify(&[])?;
    assert_eq!(pair.sql(&pair.admin, state)?, before);
    rows_that_the_snapshot_cannot_see_are_not_equal(&pair)
}

/// A snapshot that was taken before a TRUNCATE ended sees none of the rows that came with it: as many as an empty target has.
fn rows_that_the_snapshot_cannot_see_are_not_equal(pair: &Pair) -> Outcome {
    for uri in [&pair.source, &pair.admin] {
        pair.sql(uri, "CREATE TABLE public.unseen (a int)")?;
    }
    let until_somebody_waits = "BEGIN; TRUNCATE public.unseen; INSERT INTO public.unseen VALUES (1), (2); \
        DO $$ BEGIN FOR i IN 1..1200 LOOP \
          EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'public.unseen'::regclass); \
          PERFORM pg_sleep(0.05); END LOOP; END $$; COMMIT";
    let psql = pair.lab.programs()?.join("psql");
    let mut writer = Command::new(psql)
        .args(["-Xqd", &pair.source, "-c", until_somebody_waits])
        .stdin(Stdio::null())
        .spawn()?;
    let held = "SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock' AND relation = 'public.unseen'::regclass";
    while pair.sql(&pair.source, held)?.trim() != "1" {
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let (code, report) = pair.verify(&["--include", "public.unseen"])?;
    assert!(writer.wait()?.success());
    assert_eq!(code, 1, "{report:#}");
    assert!(report.to_string().contains("unseen was rewritten or emptied on the source"), "{report:#}");
    Ok(())
}

/// `rich.sql` on PostgreSQL 15, and restored by pg_dump on another server.
fn rich(test: &str, target: Server) -> Result<Option<Pair>, Box<dyn Error>> {
    let Some(lab) = Lab::start_or_skip(test, &[Server::Source15, target])? else { return Ok(None) };
    let (first, second) = (lab.uri(Server::Source15)?.to_owned(), lab.uri(target)?.to_owned());
    let pair = Pair {
        lab,
        source: database(&first, "rich"),
        target: database(&second, "rich"),
        admin: database(&second, "rich"),
    };
    pair.sql(&first, "CREATE DATABASE rich")?;
    pair.sql(&second, "CREATE DATABASE rich")?;
    pair.fill("verify/rich.sql")?;
    let output = Command::new(pair.lab.programs()?.join("pg_dump")).args(["-d", &pair.source]).output()?;
    pair.run(&pair.target, &String::from_utf8(output.stdout)?)?;
    Ok(Some(pair))
}

#[test]
fn everything_of_15_is_the_same_on_17() -> Outcome {
    let Some(pair) = rich("everything_of_15_is_the_same_on_17", Server::Source17)? else { return Ok(()) };
    let report = pair.equal(&[])?;
    for kind in [
        "views",
        "rules",
        "policies",
        "publications",
        "operators",
        "casts",
        "event triggers",
        "user mappings",
    ] {
        assert!(report["verification"]["compared"][kind].as_u64() > Some(0), "{kind}: {report:#}");
    }
    let secret = "not shown";
    assert!(!report.to_string().contains(secret));
    // Values that an operator or a hash function finds equal are still others; rows that are there twice count twice.
    pair.differs(&[
        ("UPDATE app.types SET n = '1.00' WHERE id = 9", "content", "app.types"),
        (
            "UPDATE \"Odd. \"\"Schema\".\"Ta\"\"ble; x\" SET \"Sel ect\" = 2, \"ä.ö\" = NULL, tag = 'TAG' \
             WHERE ctid = (SELECT min(ctid) FROM \"Odd. \"\"Schema\".\"Ta\"\"ble; x\")",
            "content",
            "\"Odd. \"\"Schema\".\"Ta\"\"ble; x\"",
        ),
        // Two rows swap a value: a sum of what is linear in the columns would not see it.
        (
            "UPDATE app.customer SET since = date '2024-01-01' + 131 - id WHERE id IN (65, 66)",
            "content",
            "app.customer",
        ),
        ("INSERT INTO app.nothing DEFAULT VALUES", "rows", "app.nothing"),
        ("ALTER TABLE ONLY app.parent ALTER b SET STATISTICS 5", "column statistics target", "app.parent.b"),
        ("ALTER TABLE app.types ALTER jb SET STORAGE EXTERNAL", "column storage", "app.types.jb"),
        (
            "ALTER PUBLICATION some_rows SET TABLE app.customer (id, name) WHERE (id > 4), app.booking",
            "publication tables",
            "some_rows",
        ),
        ("ALTER STATISTICS app.both_stats SET STATISTICS 78", "statistics object target", "app.both_stats"),
        ("ALTER EVENT TRIGGER watcher DISABLE", "event trigger enabled", "watcher"),
        (
            "CREATE OR REPLACE VIEW app.joined AS SELECT c.id, i.total, c.name FROM app.customer c \
             JOIN app.invoice i ON i.customer = c.id LEFT JOIN app.customer p ON p.id = c.parent",
            "view definition",
            "app.joined",
        ),
        (
            "CREATE OR REPLACE VIEW app.only_one AS SELECT a, b FROM app.parent",
            "view definition",
            "app.only_one",
        ),
        ("SELECT lo_put(4243, 650000, '\\x00')", "large object content", "4243"),
    ])?;
    Ok(())
}

#[test]
fn everything_of_15_is_the_same_on_18() -> Outcome {
    let Some(pair) = rich("everything_of_15_is_the_same_on_18", Server::Source18)? else { return Ok(()) };
    pair.equal(&[])?;
    let report = pair.equal(&["--sample", "10"])?;
    let rows = &report["verification"]["rows"];
    let (summed, counted) = (rows["summed"].as_u64(), rows["counted"].as_u64());
    assert!(summed > Some(0) && summed < counted, "{rows}");
    let report =
        pair.equal(&["--counts", "--include", "app.invoice*,app.customer", "--exclude", "app.*_rest"])?;
    assert_eq!(report["verification"]["rows"]["summed"], 0);
    assert_eq!(report["verification"]["rows"]["tables"], 3);
    let (code, report) = pair.verify(&["--include", "app.customr"])?;
    assert_eq!(code, 2);
    assert!(report["error"].as_str().is_some_and(|error| error.contains("app.customr")), "{report:#}");
    Ok(())
}

#[test]
fn a_stale_materialized_view_of_the_source_is_a_note() -> Outcome {
    let test = "a_stale_materialized_view_of_the_source_is_a_note";
    let Some(pair) = Pair::service(test, Server::Source15)? else { return Ok(()) };
    pair.run(
        &pair.source,
        "CREATE TABLE t (id int PRIMARY KEY, v double precision); INSERT INTO t SELECT i, i / 3.0 FROM generate_series(1, 100) i;
         CREATE MATERIALIZED VIEW stale AS SELECT count(*) AS n, max(id) AS m FROM t; INSERT INTO t VALUES (200, 1);
         CREATE MATERIALIZED VIEW fresh AS SELECT id % 7 AS k, count(*) AS n FROM t GROUP BY 1;",
    )?;
    pair.migrate()?;
    let report = pair.equal(&[])?;
    let notes = report["verification"]["notes"].to_string();
    assert!(notes.contains("public.stale: its content differs, while all rows"), "{notes}");
    assert!(!notes.contains("public.fresh"), "{notes}");
    // It is named wherever it is, and a difference where rows differ too.
    let stale =
        "INSERT INTO t VALUES (201, 1); REFRESH MATERIALIZED VIEW fresh; DELETE FROM t WHERE id = 201";
    pair.run(&pair.admin, stale)?;
    let report = pair.equal(&[])?;
    assert!(report["verification"]["notes"].to_string().contains("public.fresh: its content differs"));
    pair.differs(&[
        ("DELETE FROM t WHERE id = 1", "rows", "public.t"),
        ("SELECT 1", "materialized view content", "public.fresh"),
        ("SELECT 1", "materialized view content", "public.stale"),
    ])?;
    Ok(())
}

#[test]
fn the_rows_of_one_table_are_compared_for_a_run_that_goes_on() -> Outcome {
    let test = "the_rows_of_one_table_are_compared_for_a_run_that_goes_on";
    let Some(lab) = Lab::start_or_skip(test, &[Server::Source15, Server::Source17])? else { return Ok(()) };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let source = Connector::new(Side::Source, lab.uri(Server::Source15)?)?.open().await?;
        let target = Connector::new(Side::Target, lab.uri(Server::Source17)?)?.open().await?;
        let rows = "CREATE TABLE public.t (id int, v text); INSERT INTO public.t SELECT i, 'v' || i FROM generate_series(1, 50) i";
        source.run(rows).await?;
        target.run(&rows.replace("1, 50) i", "1, 50) i ORDER BY i DESC")).await?;
        source.run("CREATE TABLE public.heir () INHERITS (public.t); INSERT INTO public.heir VALUES (99, 'x')").await?;
        let (zone, t) = (source.ask_one("SHOW TimeZone").await?, Relation::new("public", "t"));
        assert!(same((&source, &source), (&target, &target), (&t, &t)).await?);
        assert_eq!(source.ask_one("SHOW TimeZone").await?, zone);
        target.run("UPDATE public.t SET v = 'w' WHERE id = 1").await?;
        assert!(!same((&source, &source), (&target, &target), (&t, &t)).await?);
        target.run("UPDATE public.t SET v = 'v1' WHERE id = 1; DELETE FROM public.t WHERE id = 2").await?;
        assert!(!same((&source, &source), (&target, &target), (&t, &t)).await?);
        assert!(same((&source, &source), (&target, &target), (&Relation::new("public", "gone"), &t)).await.is_err());
        Ok(())
    })
}

#[test]
fn every_change_of_a_timescaledb_database_is_found_and_named() -> Outcome {
    let test = "every_change_of_a_timescaledb_database_is_found_and_named";
    let Some(pair) = Pair::service(test, Server::Source17)? else { return Ok(()) };
    let license = pair.sql(&pair.admin, "SELECT current_setting('timescaledb.license', true)")?;
    if license != "timescale" {
        skipped(test, "TimescaleDB's full edition is not in the lab");
        return Ok(());
    }
    pair.fill("verify/timescale.sql")?;
    pair.migrate()?;
    let report = pair.equal(&[])?;
    for kind in ["hypertables", "chunks", "continuous aggregates", "jobs"] {
        assert!(report["verification"]["compared"][kind].as_u64() > Some(0), "{kind}: {report:#}");
    }
    let (code, report) = {
        for sql in [
            "SELECT decompress_chunk(c) FROM show_chunks('app.metrics') c ORDER BY c::text LIMIT 1",
            "SELECT drop_chunks('app.counters', older_than => 100)",
            "SELECT alter_job(job_id, schedule_interval => interval '13 hours') FROM timescaledb_information.jobs \
             WHERE proc_name = 'policy_compression'",
            "SELECT alter_job(job_id, config => '{\"keep\": \"4 days\"}') FROM timescaledb_information.jobs WHERE proc_name = 'tidy'",
            "ALTER MATERIALIZED VIEW app.hourly SET (timescaledb.materialized_only = true)",
            "SELECT set_chunk_time_interval('app.counters', 200)",
            "UPDATE app.metrics SET value = 0 WHERE device = 3 AND ts = '2024-03-08 05:00+00'",
        ] {
            pair.sql(&pair.target, sql)?;
        }
        pair.verify(&[])?
    };
    assert_eq!(code, 1);
    let found = differences(&report);
    let has = |kind: &str, object: &str| found.iter().any(|(k, o)| k == kind && o.starts_with(object));
    assert!(has("chunk state", "app.metrics [2024-03-01 00:00:00, 2024-03-02 00:00:00)"), "{found:#?}");
    assert!(has("chunk", "app.counters [0, 100)"), "{found:#?}");
    assert!(has("hypertable rows", "app.counters"), "{found:#?}");
    assert!(has("job schedule", "1000 policy_compression on app.metrics"), "{found:#?}");
    assert!(has("job config", "1003 tidy"), "{found:#?}");
    assert!(has("continuous aggregate mode", "app.hourly"), "{found:#?}");
    assert!(has("hypertable dimensions", "app.counters"), "{found:#?}");
    assert!(has("content", "_timescaledb_internal._hyper_1_"), "{found:#?}");
    Ok(())
}
