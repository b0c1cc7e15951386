//! A hostile source: whatever of its users' could run as the source's superuser or as the target's administrator does not,
//! but what a dump trusts by nature. `fixtures/migrate/hostile.sql` is full of canaries, which write into the server's log
//! who called them, and try to become superuser.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};
use tsmigrate_tests::program;

/// What whoever loads rows calls by nature, as `pg_dump | psql` would: see `runner/TRUST.md`.
const BY_NATURE: [&str; 4] = ["check", "domain", "generated", "partition"];

/// What was called, by whom, in the log of a server: `index as mallory`.
fn calls(stage: &Stage, server: Server) -> Result<BTreeSet<String>, Box<dyn Error>> {
    let log = String::from_utf8_lossy(&fs::read(stage.lab.home(server)?.join("log"))?).into_owned();
    let calls = log.lines().filter_map(|line| line.split_once("canary ")?.1.split_once(" end"));
    Ok(calls.map(|(call, _)| call.to_owned()).collect())
}

/// Nothing ran as us but what a dump trusts, and nobody has become anything.
fn nobody_ran_as_us(stage: &Stage) -> Outcome {
    let source = calls(stage, stage.source_server)?;
    let strange: Vec<_> = source.iter().filter(|call| !call.ends_with(" as mallory")).collect();
    assert!(strange.is_empty(), "on the source: {strange:?}");
    let target = calls(stage, stage.target_server)?;
    let nature = |call: &&String| {
        BY_NATURE.iter().any(|name| **call == format!("{name} as tsdbadmin")) || call.ends_with(" as mallory")
    };
    let strange: Vec<_> = target.iter().filter(|call| !nature(call)).collect();
    assert!(strange.is_empty(), "on the target: {strange:?}");
    for uri in [&stage.source, &stage.admin] {
        let risen = "SELECT string_agg(rolname, ',') FROM pg_roles WHERE rolname = 'mallory' \
                     AND (rolsuper OR rolcreaterole OR rolbypassrls)";
        assert_eq!(stage.sql(uri, risen)?, "");
    }
    let members = "SELECT string_agg(roleid::regrole || ' to ' || member::regrole, ', ' ORDER BY 1) FROM pg_auth_members \
                   WHERE member = to_regrole('mallory')";
    assert_eq!(stage.sql(&stage.admin, members)?, "", "mallory is in a role of the target");
    Ok(())
}

/// The program with these arguments, and source and target in its environment.
fn run(stage: &Stage, arguments: &[&str]) -> Result<Output, Box<dyn Error>> {
    Ok(command(stage, arguments).output()?)
}

fn command(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = Command::new(program::path());
    command.args(arguments).env("SOURCE", &stage.source).env("TARGET", &stage.target).stdin(Stdio::null());
    command
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every command, one after the other; what the reports say at the end.
fn nothing_of_a_hostile_source_runs_as_us(test: &str, source: Server, target: Server) -> Outcome {
    let Some(stage) = Stage::new(test, source, target)? else { return Ok(()) };
    stage.fixture("hostile.sql")?;
    let bin = stage.lab.programs()?.display().to_string();
    let checked = run(&stage, &["check", &stage.source, "--target", &stage.target, "--pg-bin", &bin])?;
    assert!(checked.status.code().is_some_and(|code| code < 2), "{}", text(&checked));
    nobody_ran_as_us(&stage)?;
    let arguments = ["--split-larger-than", "64KiB"];
    let (code, report, all) = stage.migrate(&["--dry-run", arguments[0], arguments[1]])?;
    assert_eq!((code, &report["outcome"]), (0, &"planned".into()), "{all}");
    let missing = report["missing"].to_string();
    for left in ["friend", "tsdbowner", "mallory in tsdbadmin"] {
        assert!(missing.contains(left), "{left}: {missing}");
    }
    assert!(report["findings"].to_string().contains("search_path would change tsdbadmin"), "{all}");
    nobody_ran_as_us(&stage)?;
    let (code, report, all) = stage.migrate(&arguments)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    nobody_ran_as_us(&stage)?;
    let notes = report["verification"]["notes"].to_string();
    assert!(notes.contains("trap.stale: its content differs, while all rows"), "{notes}");
    for stale in ["trap.stale_plain", "trap.stale_text"] {
        assert!(notes.contains(&format!("{stale}: its content differs, while all rows")), "{notes}");
    }
    assert!(!notes.contains("its rows were not compared"), "{notes}");
    // Index expressions, statistics and functions that are SECURITY DEFINER ran as their owners.
    let on_target = calls(&stage, target)?;
    for call in ["index as mallory", "definer as mallory", "materialized view as mallory"] {
        assert!(on_target.contains(call), "{call} is missing: {on_target:?}");
    }
    // The target's administrator is who it was, and mallory may log in again.
    let ask = |sql| stage.sql(&stage.admin, sql);
    assert_eq!(
        ask("SELECT concat_ws(' ', rolconnlimit, rolvaliduntil, (SELECT count(*) FROM pg_db_role_setting \
             WHERE setrole = r.oid)) FROM pg_roles r WHERE rolname = 'tsdbadmin'")?,
        "-1 0"
    );
    assert_eq!(ask("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'mallory'")?, "t");
    // A changed row is found and named, still without a call.
    stage.sql(
        &stage.admin,
        "SET SESSION AUTHORIZATION mallory; UPDATE trap.typed SET m = 'glad' WHERE n = 'sad'; UPDATE trap.folded SET filler = 'y' WHERE a = 7; \
         DELETE FROM trap.keyless WHERE m IS NULL",
    )?;
    // ANALYZE of the server itself runs as the tables' owner at any time.
    let strange = |server| -> Result<BTreeSet<String>, Box<dyn Error>> {
        Ok(calls(&stage, server)?.into_iter().filter(|call| !call.ends_with(" as mallory")).collect())
    };
    let before = (strange(source)?, strange(target)?);
    let verified = run(&stage, &["verify", "--format", "json"])?;
    let said = text(&verified);
    assert_eq!(verified.status.code(), Some(1), "{said}");
    for object in ["trap.typed", "trap.folded", "trap.keyless", "id = glad (m)"] {
        assert!(said.contains(object), "{object} is not in: {said}");
    }
    run(&stage, &["verify", "--sample"])?;
    assert_eq!(stage.cleanup(&[])?.0, 0);
    assert_eq!((strange(source)?, strange(target)?), before);
    Ok(())
}

#[test]
fn privileges_that_may_be_passed_on_arrive_whoever_was_created_first() -> Outcome {
    let test = "privileges_that_may_be_passed_on_arrive_whoever_was_created_first";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE ROLE first; CREATE ROLE second; CREATE TABLE own (i int); ALTER TABLE own OWNER TO first;
         CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'; ALTER FUNCTION f() OWNER TO second;
         GRANT EXECUTE ON FUNCTION f() TO first WITH GRANT OPTION; REVOKE ALL ON FUNCTION f() FROM PUBLIC;
         CREATE ROLE tsdbadmin; CREATE FUNCTION as_owner() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';
         ALTER FUNCTION as_owner() OWNER TO tsdbadmin;",
    )?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    // What an ordinary role of the administrator's name would do as the administrator is named.
    let named = report["findings"].as_array().into_iter().flatten().any(|finding| {
        finding["rule"] == "SEC-02" && finding["message"].to_string().contains("acts as tsdbadmin")
    });
    assert!(named, "{:#}", report["findings"]);
    let granted =
        "SELECT proacl::text FROM pg_proc WHERE proname = 'f' AND pronamespace = 'public'::regnamespace";
    assert_eq!(stage.sql(&stage.admin, granted)?, "{second=X/second,first=X*/second}");
    Ok(())
}

#[test]
fn nothing_of_a_hostile_source_runs_as_us_15() -> Outcome {
    let test = "nothing_of_a_hostile_source_runs_as_us_15";
    nothing_of_a_hostile_source_runs_as_us(test, Server::Source15, Server::Target17)
}

#[test]
fn nothing_of_a_hostile_source_runs_as_us_17() -> Outcome {
    let test = "nothing_of_a_hostile_source_runs_as_us_17";
    nothing_of_a_hostile_source_runs_as_us(test, Server::Source17, Server::Target17)
}

/// Replaces `table` by what `sql` makes of its name as soon as somebody waits for it, while `arguments` run.
fn swapped(stage: &Stage, table: &str, sql: &str, arguments: &[&str]) -> Result<Output, Box<dyn Error>> {
    let uri = stage.source.replace("postgres@", "mallory@");
    let script = format!(
        "BEGIN; LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE;\n\
         DO $$ BEGIN FOR i IN 1..600 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted); PERFORM pg_sleep(0.1); \
         END LOOP; END $$;\n{sql}; COMMIT;"
    );
    thread::scope(|scope| {
        let other = scope.spawn(|| stage.script(&uri, &script).map_err(|error| error.to_string()));
        let held = format!(
            "SELECT count(*) FROM pg_locks WHERE relation = '{table}'::regclass AND mode = 'AccessExclusiveLock'"
        );
        for _ in 0..600 {
            if stage.sql(&stage.source, &held)? != "0" {
                break;
            }
            thread::sleep(Duration::from_millis(50));
        }
        let output = command(stage, arguments).output()?;
        other.join().map_err(|_| "the other session panicked")??;
        Ok(output)
    })
}

#[test]
fn a_name_that_stands_for_something_else_by_now_is_not_read() -> Outcome {
    let test = "a_name_that_stands_for_something_else_by_now_is_not_read";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.fixture("hostile.sql")?;
    let work = stage.work.display().to_string();
    let bin = stage.lab.programs()?.display().to_string();
    // A view, while the tables are locked: the run ends, or begins again and sees the view as one.
    let view = "ALTER TABLE trap.base RENAME TO old_base; CREATE VIEW trap.base AS SELECT 1 AS a WHERE trap.canary('swapped')";
    let migrate = ["migrate", "--format", "json", "--pg-bin", &bin, "--work-dir", &work];
    let output = swapped(&stage, "trap.base", view, &migrate)?;
    nobody_ran_as_us(&stage)?;
    if output.status.code() != Some(0) {
        stage.cleanup(&["--drop-target"])?;
        stage.empty_target()?;
        let (code, _, all) = stage.migrate(&[])?;
        assert_eq!(code, 0, "{all}");
    }
    // Another table of the same name, whose column has a cast; and a table that became a view.
    let table = "ALTER TABLE trap.old_base RENAME TO gone; CREATE TABLE trap.old_base (a trap.mood); INSERT INTO trap.old_base VALUES ('sad')";
    let output = swapped(&stage, "trap.old_base", table, &["verify"])?;
    assert_ne!(output.status.code(), Some(0), "{}", text(&output));
    nobody_ran_as_us(&stage)?;
    let column = "ALTER TABLE trap.guarded DROP COLUMN a CASCADE; ALTER TABLE trap.guarded ADD COLUMN a trap.mood DEFAULT 'sad'";
    let output = swapped(&stage, "trap.guarded", column, &["verify"])?;
    assert_ne!(output.status.code(), Some(0), "{}", text(&output));
    nobody_ran_as_us(&stage)?;
    // Catalogs of TimescaleDB where there is no TimescaleDB, and marks of ours that are somebody else's.
    stage.sql_text(
        "CREATE SCHEMA _timescaledb_catalog AUTHORIZATION mallory; SET ROLE mallory;
         CREATE VIEW _timescaledb_catalog.hypertable AS SELECT 1 AS id WHERE trap.canary('catalog');
         CREATE VIEW _timescaledb_catalog.continuous_agg AS SELECT 'x' AS user_view_name WHERE trap.canary('catalog');",
    )?;
    run(&stage, &["verify"])?;
    run(&stage, &["check", &stage.source, "--pg-bin", &bin])?;
    stage.sql(
        &stage.admin,
        "CREATE SCHEMA _tsmigrate AUTHORIZATION mallory; SET ROLE mallory; \
         CREATE VIEW _tsmigrate.run AS SELECT 'x' AS id, now() AS started, 'y' AS source WHERE trap.canary('marks')",
    )?;
    stage.cleanup(&[])?;
    run(&stage, &["migrate", "--dry-run", "--pg-bin", &bin, "--work-dir", &work])?;
    nobody_ran_as_us(&stage)
}

#[test]
fn a_hostile_hypertable_and_a_function_named_as_timescaledbs() -> Outcome {
    let test = "a_hostile_hypertable_and_a_function_named_as_timescaledbs";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.fixture("timescale.sql")?;
    stage.sql_text(
        "CREATE ROLE mallory LOGIN; GRANT CREATE ON SCHEMA public TO mallory; SET SESSION AUTHORIZATION mallory;
         CREATE FUNCTION public.canary(what text, a integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS
           $$ BEGIN RAISE LOG 'canary % as % end', what, current_user; RETURN a; END $$;
         CREATE FUNCTION public.alter_job(id integer, scheduled boolean) RETURNS void LANGUAGE plpgsql AS
           $$ BEGIN PERFORM public.canary('alter_job', 1); END $$;
         CREATE TABLE public.mine (ts timestamptz NOT NULL, v integer);
         SELECT public.create_hypertable('public.mine', 'ts');
         CREATE INDEX mine_v ON public.mine ((v + public.canary('index', 1)), ts);
         INSERT INTO public.mine SELECT '2026-01-01'::timestamptz + i * interval '1 hour', i FROM generate_series(1, 400) i;",
    )?;
    let (code, report, all) = stage.migrate(&["--start-jobs"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    let of_source = calls(&stage, stage.source_server)?;
    assert_eq!(of_source.iter().map(String::as_str).collect::<Vec<_>>(), ["index as mallory"]);
    // Chunks have their owner before their indexes, and what ANALYZE evaluates runs as it too.
    let of_target = calls(&stage, stage.target_server)?;
    assert_eq!(of_target.iter().map(String::as_str).collect::<Vec<_>>(), ["index as mallory"]);
    let scheduled = "SELECT count(*) FROM _timescaledb_config.bgw_job WHERE id >= 1000 AND scheduled";
    assert_eq!(stage.sql(&stage.admin, scheduled)?, "1");
    // Its chunks are compared all the same.
    stage.sql(&stage.admin, "UPDATE public.mine SET v = 0 WHERE v = 7")?;
    let verified = run(&stage, &["verify"])?;
    assert!(text(&verified).contains("_timescaledb_internal._hyper_"), "{}", text(&verified));
    assert_eq!(calls(&stage, stage.source_server)?, of_source);
    Ok(())
}

#[test]
fn marks_are_out_of_reach_of_default_privileges() -> Outcome {
    let test = "marks_are_out_of_reach_of_default_privileges";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE TABLE t (a int CONSTRAINT trap CHECK (a > 0)); INSERT INTO t VALUES (1);
         ALTER TABLE t DROP CONSTRAINT trap; ALTER TABLE t ADD CONSTRAINT trap CHECK (a > 1) NOT VALID;
         UPDATE pg_constraint SET convalidated = true WHERE conname = 'trap'",
    )?;
    stage.sql(&stage.admin, "CREATE ROLE mallory")?;
    stage.sql(
        &stage.target,
        "ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO mallory; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO mallory, PUBLIC",
    )?;
    // The run stops in the middle, and its marks stay.
    let (code, _, all) = stage.migrate(&[])?;
    assert_eq!(code, 2, "{all}");
    assert_eq!(
        stage.sql(
            &stage.admin,
            "SELECT has_schema_privilege('mallory', '_tsmigrate', 'USAGE, CREATE') \
             OR has_table_privilege('mallory', '_tsmigrate.done', 'INSERT, UPDATE, TRIGGER')"
        )?,
        "f"
    );
    Ok(())
}
