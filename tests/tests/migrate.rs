//! `tsmigrate migrate` from real sources to a target that refuses what the service refuses.

use std::error::Error;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::thread;

use serde_json::Value;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage, told};
use tsmigrate_tests::program;

fn differences(report: &Value) -> &Value {
    &report["verification"]["differences"]
}

#[test]
fn a_postgresql_source_arrives_with_owners_and_grants() -> Outcome {
    let Some(stage) =
        Stage::new("a_postgresql_source_arrives_with_owners_and_grants", Server::Source15, Server::Target17)?
    else {
        return Ok(());
    };
    stage.fixture("plain.sql")?;
    // No dump has these.
    let every = "ALTER ROLE ALL SET statement_timeout = '9min'; \
                 ALTER ROLE ALL SET search_path = '$user', 'a \"b', public";
    stage.sql(&stage.source, every)?;
    stage.sql(&stage.source, "CREATE TABLE held AS SELECT 1 AS x; ALTER EXTENSION citext ADD TABLE held")?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(differences(&report), &Value::Array(Vec::new()));
    let settings = "SELECT string_agg(c, '; ' ORDER BY c) FROM pg_db_role_setting, unnest(setconfig) c WHERE setrole = 0 \
                    AND c ~ '^(search_path|statement_timeout)='";
    assert_eq!(
        stage.sql(&stage.admin, settings)?,
        r#"search_path="$user", "a ""b", public; statement_timeout=9min"#
    );
    let announced = &report["verification"]["announced"];
    assert!(announced.to_string().contains("table public.held"), "{all}");
    for secret in ["app-owner-secret", "weird-secret", "SCRAM-SHA-256"] {
        assert!(!all.contains(secret), "{secret} is in the output");
    }
    let ask = |sql| stage.sql(&stage.admin, sql);
    assert_eq!(
        ask("SELECT relowner::regrole FROM pg_class WHERE oid = 'app.customer'::regclass")?,
        "app_owner"
    );
    assert_eq!(ask("SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'app'")?, "app_owner");
    assert_eq!(ask("SELECT relowner::regrole FROM pg_class WHERE oid = 'settings'::regclass")?, "tsdbadmin");
    assert_eq!(
        ask("SELECT has_column_privilege('reporting', 'app.invoice', 'total', 'SELECT WITH GRANT OPTION')")?,
        "t"
    );
    assert_eq!(ask("SELECT has_function_privilege('app_reader', 'app.add(int, int)', 'EXECUTE')")?, "t");
    assert_eq!(ask("SELECT has_function_privilege('public', 'app.add(int, int)', 'EXECUTE')")?, "f");
    assert_eq!(ask("SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'hstore'")?, "ext");
    assert_eq!(ask("SELECT last_value || ' ' || is_called FROM app.ticket")?, "99995 false");
    assert_eq!(ask("SELECT encode(lo_get(4242), 'hex')")?, "00ff10");
    assert_eq!(ask("SELECT count(*) FROM app.event WHERE what = E'line one\\nline two\\r\\\\.'")?, "1000");
    assert_eq!(ask("SELECT count(*) FROM app.totals")?, "500");
    // A second run would write over it.
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["blockers"][0]["check"]), (2, &"target-not-empty".into()), "{all}");
    Ok(())
}

#[test]
fn a_timescaledb_source_arrives_with_hypertables_and_jobs() -> Outcome {
    let test = "a_timescaledb_source_arrives_with_hypertables_and_jobs";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.fixture("timescale.sql")?;
    stage.sql(&stage.source, "ALTER TABLE metrics ADD COLUMN unit text DEFAULT 'C'")?;
    let before =
        stage.sql(&stage.source, "SELECT json_agg(j ORDER BY id) FROM _timescaledb_config.bgw_job j")?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert_eq!((code, &report["outcome"]), (0, &"planned".into()), "{all}");
    let untouched = stage.target_objects()?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(differences(&report), &Value::Array(Vec::new()));
    assert_ne!(stage.target_objects()?, untouched);
    assert_eq!(stage.restoring()?, "0 off");
    assert_eq!(
        stage.sql(&stage.source, "SELECT json_agg(j ORDER BY id) FROM _timescaledb_config.bgw_job j")?,
        before
    );
    let ask = |sql| stage.sql(&stage.target, sql);
    assert_eq!(
        ask("SELECT count(*) FROM metrics")?,
        stage.sql(&stage.source, "SELECT count(*) FROM metrics")?
    );
    // A new chunk is made: no tablespace of the source is asked for.
    ask("INSERT INTO metrics VALUES ('2030-01-01', 1, 1)")?;
    assert_eq!(ask("SELECT has_table_privilege('ts_app', 'metrics', 'INSERT')")?, "t");
    assert_eq!(ask("SELECT relowner::regrole FROM pg_class WHERE oid = 'metrics'::regclass")?, "ts_app");
    assert_eq!(
        ask("SELECT relowner::regrole FROM pg_class WHERE oid = 'sensors.device'::regclass")?,
        "ts_app"
    );
    // Nobody has asked for its jobs to start: the run has left a script.
    let jobs = "SELECT string_agg(concat_ws(' ', id, owner, scheduled), ', ' ORDER BY id) \
                FROM _timescaledb_config.bgw_job WHERE id >= 1000";
    assert_eq!(ask(jobs)?, "1000 ts_app f, 1001 tsdbadmin f");
    let scripts = report["scripts"].as_array().into_iter().flatten();
    let start = scripts
        .filter(|script| script["file"] == "start-jobs.sql")
        .filter_map(|script| script["sql"].as_str());
    let start = start.collect::<String>();
    assert!(report["next"].to_string().contains("start 1 job on the target"), "{all}");
    stage.script(&stage.target, &start)?;
    assert_eq!(ask(jobs)?, "1000 ts_app t, 1001 tsdbadmin f");
    assert_eq!(
        (&report["jobs"][0]["owner"], &report["jobs"][0]["new_owner"]),
        (&"ts_app".into(), &"ts_app".into())
    );
    assert_eq!(report["missing"][0]["what"], "1 rows of _timescaledb_catalog.tablespace");
    // Rows that have lost a default that was added later are as many as before.
    stage.sql(
        &stage.admin,
        "DELETE FROM metrics WHERE time >= '2030-01-01'; UPDATE metrics SET unit = NULL WHERE device = 1",
    )?;
    let mut verify = Command::new(program::path());
    let verified = verify.arg("verify").env("SOURCE", &stage.source).env("TARGET", &stage.target).output()?;
    let told = String::from_utf8_lossy(&verified.stdout);
    assert!(told.contains("hypertable content") && told.contains("values in unit"), "{told}");
    Ok(())
}

#[test]
fn different_timescaledb_versions_block_with_the_commands_that_help() -> Outcome {
    let test = "different_timescaledb_versions_block_with_the_commands_that_help";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target18)? else { return Ok(()) };
    stage.sql_text(
        "CREATE EXTENSION timescaledb; CREATE TABLE adapts (ts timestamptz NOT NULL);
         SELECT create_hypertable('adapts', 'ts'); CREATE INDEX ON adapts (ts); SELECT set_adaptive_chunking('adapts', '100MB')",
    )?;
    let before = stage.target_objects()?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (1, &"blocked".into()), "{all}");
    assert_eq!(report["blockers"][0]["check"], "timescaledb-version");
    let next = report["blockers"][0]["next"].to_string();
    assert!(next.contains("ALTER EXTENSION timescaledb UPDATE TO"), "{next}");
    // What that update would refuse is named beside it.
    assert!(next.contains("while there is 1 hypertable with adaptive chunking (public.adapts)"), "{next}");
    assert_eq!(stage.target_objects()?, before);
    Ok(())
}

#[test]
fn a_finding_without_a_rewrite_blocks_until_it_is_accepted() -> Outcome {
    let test = "a_finding_without_a_rewrite_blocks_until_it_is_accepted";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE EXTENSION dblink; CREATE VIEW lost AS SELECT * FROM dblink('', 'SELECT 1') AS t(x int);
         CREATE TABLE kept (x int); INSERT INTO kept SELECT generate_series(1, 3);",
    )?;
    let before = stage.target_objects()?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (1, &"blocked".into()), "{all}");
    assert_eq!(stage.target_objects()?, before);
    let (code, report, all) = stage.migrate(&["--accept", "EXT-01"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(stage.sql(&stage.target, "SELECT count(*) FROM kept")?, "3");
    assert!(report["missing"].to_string().contains("dblink"), "{}", report["missing"]);
    Ok(())
}

#[test]
fn roles_may_stay_behind_and_large_objects_are_no_missing_ones() -> Outcome {
    let test = "roles_may_stay_behind_and_large_objects_are_no_missing_ones";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE ROLE owner; CREATE ROLE other; CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1);
         ALTER TABLE t OWNER TO owner; GRANT SELECT ON t TO owner;
         CREATE TABLE u(id int); CREATE PUBLICATION of_all FOR ALL TABLES;
         SELECT lo_create(7); COMMENT ON LARGE OBJECT 7 IS 'seven'; GRANT SELECT ON LARGE OBJECT 7 TO owner",
    )?;
    let (code, report, all) = stage.migrate(&["--no-roles"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(report["verification"]["differences"], serde_json::json!([]), "{all}");
    let there = "SELECT tableowner || ' ' || (SELECT count(*) FROM pg_roles WHERE rolname = 'other') || ' ' || \
                 obj_description(7, 'pg_largeobject') FROM pg_tables WHERE tablename = 't'";
    assert_eq!(stage.sql(&stage.admin, there)?, "tsdbadmin 0 seven");
    // What has come beside the dump is not called missing, which would excuse its loss.
    assert!(!report["findings"].to_string().contains("DEP-02"), "{}", report["findings"]);
    // What is different as announced, and is something else by now, is no longer that.
    let (code, said) = stage.verify_known()?;
    assert!(
        code == Some(0) && said.contains("as announced") && said.contains("publication tables"),
        "{said}"
    );
    stage.sql(&stage.admin, "ALTER PUBLICATION of_all DROP TABLE t")?;
    let (code, said) = stage.verify_known()?;
    assert!(code == Some(1) && said.contains("not these: public.t"), "{said}");
    stage.sql(&stage.admin, "ALTER PUBLICATION of_all ADD TABLE t; SELECT lo_unlink(7)")?;
    let (code, said) = stage.verify_known()?;
    assert!(code == Some(1) && said.contains("large object"), "{said}");
    Ok(())
}

/// A table of the source whose check holds there only: `condition` is evaluated on the target while rows come in.
fn table_with_check(stage: &Stage, condition: &str, rows: u32) -> Outcome {
    stage.sql_text(&format!(
        "CREATE TABLE zz_late (x int); INSERT INTO zz_late SELECT generate_series(1, {rows});
         ALTER TABLE zz_late ADD CONSTRAINT trap CHECK ({condition}) NOT VALID;
         UPDATE pg_constraint SET convalidated = true WHERE conname = 'trap';"
    ))
}

#[test]
fn a_failure_in_the_middle_says_where_and_leaves_no_restoring_mode() -> Outcome {
    let test = "a_failure_in_the_middle_says_where_and_leaves_no_restoring_mode";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.fixture("timescale.sql")?;
    table_with_check(&stage, "current_user = 'postgres'", 10)?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (2, &"failed".into()), "{all}");
    let error = report["error"].as_str().ok_or("no error")?;
    for part in ["23514", "public.zz_late", "COPY zz_late, line 1"] {
        assert!(error.contains(part), "{part} is not in: {error}");
    }
    assert_eq!(stage.restoring()?, "0 off");
    stage.sql(&stage.source, "ALTER TABLE zz_late DROP CONSTRAINT trap")?;
    let (code, report, _) = stage.migrate(&["--resume"])?;
    assert!(code == 2 && report["error"].to_string().contains("schema"), "{report}");
    // The way out that the report names is one.
    let (code, said) = stage.cleanup(&["--drop-target"])?;
    assert_eq!(code, 0, "{said}");
    let (code, _, all) = stage.migrate(&[])?;
    assert_eq!(code, 0, "{all}");
    Ok(())
}

#[test]
fn ctrl_c_puts_both_ends_in_order() -> Outcome {
    let Some(stage) = Stage::new("ctrl_c_puts_both_ends_in_order", Server::Source17, Server::Target17)?
    else {
        return Ok(());
    };
    stage.fixture("timescale.sql")?;
    table_with_check(&stage, "pg_sleep(0.1) IS NOT NULL", 600)?;
    for (signal, arguments) in [("-INT", &[][..]), ("-TERM", &["--resume", "--new-snapshot"])] {
        let mut child = stage.command(arguments)?.spawn()?;
        let stderr = BufReader::new(child.stderr.take().ok_or("no pipe")?);
        let mut lines = stderr.lines();
        while let Some(line) = lines.next().transpose()? {
            if line.contains("pre-data") {
                break;
            }
        }
        let rest = thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
        // The load has begun once the target is busy with it.
        let busy =
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'COPY%zz_late%' AND state = 'active'";
        while stage.sql(&stage.admin, busy)? == "0" {
            thread::sleep(std::time::Duration::from_millis(50));
        }
        assert_eq!(stage.restoring()?, "1 on");
        let id = child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status()?.success());
        let (code, report, all) = told(&child.wait_with_output()?)?;
        drop(rest.join());
        assert_eq!((code, &report["outcome"]), (2, &"interrupted".into()), "{all}");
        let next = report["next"].to_string();
        assert!(next.contains("continue with: tsmigrate migrate") && next.contains("--resume"), "{next}");
        assert_eq!(stage.restoring()?, "0 off");
        let left = "SELECT count(*) FROM pg_stat_activity WHERE application_name ~ '^(tsmigrate|pg_dump)'";
        assert_eq!(
            (stage.sql(&stage.admin, left)?, stage.sql(&stage.source, left)?),
            ("0".into(), "0".into())
        );
    }
    Ok(())
}

#[test]
fn the_verification_sees_a_changed_row_owner_and_grant() -> Outcome {
    let test = "the_verification_sees_a_changed_row_owner_and_grant";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.fixture("plain.sql")?;
    let (code, _, all) = stage.migrate(&[])?;
    assert_eq!(code, 0, "{all}");
    stage.sql(
        &stage.admin,
        "DELETE FROM public.settings WHERE key = 'empty'; ALTER TABLE public.parent OWNER TO app_owner; \
         REVOKE SELECT ON app.rich FROM app_reader; DROP INDEX app.customer_lower; \
         SELECT setval('app.ticket', 1); ALTER TABLE public.child ADD extra int",
    )?;
    let found = verify(&stage)?;
    let kinds: Vec<_> =
        found.iter().map(|difference| (difference.kind.as_str(), difference.object.as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("column", "public.child.extra"),
            ("index", "app.customer_lower on app.customer"),
            ("owner", "of table public.parent"),
            ("privileges", "of view app.rich"),
            ("rows", "public.settings"),
            ("sequence value", "app.ticket"),
        ]
    );
    Ok(())
}

fn verify(stage: &Stage) -> Result<Vec<tsmigrate::verify::Difference>, Box<dyn Error>> {
    use std::collections::{BTreeMap, BTreeSet};
    use tsmigrate::connect::{Connector, Side};
    use tsmigrate::inspect::inspect;
    use tsmigrate::verify::{Check, Expect, Sessions, verify};

    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let source = Connector::new(Side::Source, &stage.source)?;
        let target = Connector::new(Side::Target, &stage.target)?;
        let session = source.open().await?;
        session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
        let snapshot = session.ask_one("SELECT pg_export_snapshot()").await?.unwrap_or_default();
        let expect = Expect {
            source: &inspect(&session, Side::Source).await?,
            target: &inspect(&target.open().await?, Side::Target).await?,
            rows: &BTreeMap::new(),
            skipped: &BTreeSet::new(),
            sequences: &BTreeMap::new(),
            findings: Vec::new(),
            kept: None,
            seen: None,
            jobs_wait: false,
        };
        let sessions = Sessions { source: &source, target: &target, snapshot: &snapshot, holder: None };
        let verification =
            verify(&sessions, &expect, Check::Full, &tsmigrate::progress::Progress::default()).await?;
        Ok(verification.differences)
    })
}

#[test]
fn without_roles_everything_is_the_administrators() -> Outcome {
    let test = "without_roles_everything_is_the_administrators";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql(&stage.source, "CREATE TABLE note AS SELECT 1 AS id")?;
    let (code, report, all) = stage.migrate(&["--no-roles"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    let owner = "SELECT relowner::regrole FROM pg_class WHERE oid = 'note'::regclass";
    assert_eq!(stage.sql(&stage.admin, owner)?, "tsdbadmin");
    Ok(())
}
