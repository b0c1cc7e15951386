//! What the preflight finds before anything is written: sessions, locks, names and room that a run needs.

use std::error::Error;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use serde_json::Value;
use tsmigrate_tests::lab::{Server, skipped};
use tsmigrate_tests::migration::{Outcome, Stage, told};
use tsmigrate_tests::proxy::Proxy;

/// The blocker of this check, in one line.
fn blocker(report: &Value, check: &str) -> Result<String, Box<dyn Error>> {
    let found = report["blockers"].as_array().into_iter().flatten().find(|blocker| blocker["check"] == check);
    Ok(found.ok_or_else(|| format!("no {check}: {report:#}"))?.to_string())
}

#[test]
fn sessions_that_are_not_there_are_found_or_done_without() -> Outcome {
    let test = "sessions_that_are_not_there_are_found_or_done_without";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    let server = stage.lab.uri(Server::Source15)?;
    stage.script(
        &stage.source,
        "CREATE TABLE a AS SELECT n FROM generate_series(1, 1000) n; CREATE INDEX ON a (n); ALTER TABLE a ADD PRIMARY KEY (n);
         CREATE TABLE b (n int PRIMARY KEY REFERENCES a); INSERT INTO b SELECT n FROM a;
         CREATE MATERIALIZED VIEW m AS SELECT count(*) FROM a; SELECT lo_create(7);
         CREATE ROLE reader LOGIN PASSWORD 'reader'; GRANT pg_read_all_data TO reader; ALTER ROLE reader BYPASSRLS;
         ALTER LARGE OBJECT 7 OWNER TO reader;",
    )?;
    let untouched = stage.target_objects()?;
    for (sql, undo, needle) in [
        (
            "ALTER ROLE tsdbadmin CONNECTION LIMIT 2",
            "ALTER ROLE tsdbadmin CONNECTION LIMIT -1",
            "CONNECTION LIMIT of role",
        ),
        (
            "ALTER DATABASE tsdb CONNECTION LIMIT 3",
            "ALTER DATABASE tsdb CONNECTION LIMIT -1",
            "CONNECTION LIMIT of database",
        ),
        (
            "ALTER ROLE tsdbadmin CONNECTION LIMIT 0",
            "ALTER ROLE tsdbadmin CONNECTION LIMIT -1",
            "too many connections for role",
        ),
    ] {
        stage.sql(&stage.admin, sql)?;
        for arguments in [&["--dry-run"][..], &[]] {
            let (code, report, all) = stage.migrate(arguments)?;
            assert_eq!(code, 2, "{all}");
            let found = blocker(&report, "target-sessions")?;
            assert!(found.contains(needle), "{found}");
        }
        stage.sql(&stage.admin, undo)?;
    }
    assert_eq!(stage.target_objects()?, untouched);
    // A superuser's sessions are not counted; another user's are.
    let reader = stage.source.replace("postgres://postgres", "postgres://reader:reader");
    stage.sql(server, "ALTER ROLE reader CONNECTION LIMIT 3")?;
    let mut command = stage.command(&["--dry-run"])?;
    let (code, report, all) = told(&command.env("SOURCE", &reader).output()?)?;
    assert_eq!(code, 2, "{all}");
    let found = blocker(&report, "source-sessions")?;
    assert!(found.contains("CONNECTION LIMIT of role") && found.contains("5 at the least"), "{found}");
    // With fewer than were asked for it does with fewer, and says so; with the least it still arrives.
    stage.sql(&stage.admin, "ALTER ROLE tsdbadmin CONNECTION LIMIT 7")?;
    let (code, report, all) = stage.migrate(&["--dry-run", "--jobs", "8"])?;
    assert_eq!(code, 0, "{all}");
    let notes = report["plan"]["notes"].to_string();
    assert!(
        notes.contains("2 tables at once, not 8, 2 indexes at once, not 8: the target accepts 7 sessions"),
        "{notes}"
    );
    assert!(all.contains("2 tables at once, not 8"), "{all}");
    stage.sql(&stage.admin, "ALTER ROLE tsdbadmin CONNECTION LIMIT 5")?;
    stage.sql(server, "ALTER ROLE reader CONNECTION LIMIT 5")?;
    let mut command = stage.command(&["--jobs", "8"])?;
    let (code, report, all) = told(&command.env("SOURCE", &reader).output()?)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(stage.sql(&stage.admin, "SELECT count(*) FROM b")?, "1000");
    Ok(())
}

#[test]
fn locks_that_are_not_there_are_found() -> Outcome {
    let test = "locks_that_are_not_there_are_found";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "SELECT format('CREATE TABLE t%s (a int PRIMARY KEY, b int UNIQUE)', n) FROM generate_series(1, 700) n \\gexec\n",
    )?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert_eq!((code, &report["outcome"]), (0, &"planned".into()), "{all}");
    let few = |uri: &str, server: Server, locks: u64| -> Outcome {
        for (name, value) in [
            ("max_locks_per_transaction", locks),
            ("max_connections", 20),
            ("max_worker_processes", 4),
            ("max_wal_senders", 0),
            ("autovacuum_max_workers", 1),
        ] {
            stage.sql(uri, &format!("ALTER SYSTEM SET {name} = {value}"))?;
        }
        stage.sql(uri, "ALTER SYSTEM SET wal_level = minimal")?;
        Ok(stage.lab.restart(server, "fast")?)
    };
    // Each table has two indexes: 2,100 locks, where 26 times so many are possible.
    few(&stage.admin, Server::Target17, 64)?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert_eq!(code, 2, "{all}");
    let found = blocker(&report, "target-locks")?;
    assert!(
        found.contains("2100 are needed for 700 tables and their indexes") && found.contains("to 128"),
        "{found}"
    );
    assert!(found.contains("--verify none"), "{found}");
    few(&stage.admin, Server::Target17, 128)?;
    few(stage.lab.uri(Server::Source15)?, Server::Source15, 20)?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!(code, 2, "{all}");
    let found = blocker(&report, "source-locks")?;
    assert!(found.contains("ALTER SYSTEM SET max_locks_per_transaction = 128"), "{found}");
    assert!(!found.contains("--verify none"), "the tables alone are too many: {found}");
    // With what it asks for, it runs.
    few(stage.lab.uri(Server::Source15)?, Server::Source15, 128)?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    Ok(())
}

#[test]
fn a_schema_with_the_name_of_our_marks_is_found() -> Outcome {
    let test = "a_schema_with_the_name_of_our_marks_is_found";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE TABLE t AS SELECT 1 AS a; CREATE SCHEMA _tsmigrate; CREATE TABLE _tsmigrate.theirs (a int);",
    )?;
    for arguments in [&["--dry-run"][..], &[]] {
        let (code, report, all) = stage.migrate(arguments)?;
        assert_eq!(code, 2, "{all}");
        let found = blocker(&report, "source-marks")?;
        assert!(found.contains("a schema _tsmigrate of its own") && found.contains("RENAME TO"), "{found}");
    }
    // What an earlier migration into this database has left.
    stage.sql_text(
        "DROP SCHEMA _tsmigrate CASCADE; CREATE SCHEMA _tsmigrate; CREATE TABLE _tsmigrate.run (id text, started timestamptz, \
         source text); CREATE TABLE _tsmigrate.done (step text PRIMARY KEY, rows bigint);",
    )?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert_eq!(code, 2, "{all}");
    let found = blocker(&report, "source-marks")?;
    assert!(
        found.contains("was the target of a migration") && found.contains("DROP SCHEMA _tsmigrate CASCADE"),
        "{found}"
    );
    // On the target: a schema that is not ours is theirs.
    stage.sql(&stage.target, "CREATE SCHEMA _tsmigrate")?;
    let (code, report, all) = stage.migrate(&["--dry-run", "--exclude", "_tsmigrate"])?;
    assert_eq!(code, 2, "{all}");
    let found = blocker(&report, "target-unfinished")?;
    assert!(found.contains("DROP SCHEMA _tsmigrate"), "{found}");
    stage.sql(&stage.target, "DROP SCHEMA _tsmigrate")?;
    // Left out, it is in nobody's way.
    let (code, report, all) = stage.migrate(&["--exclude", "_tsmigrate"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(
        stage.sql(&stage.admin, "SELECT count(*) FROM pg_namespace WHERE nspname = '_tsmigrate'")?,
        "0"
    );
    Ok(())
}

#[test]
fn the_work_directory_is_ours_or_refused() -> Outcome {
    let test = "the_work_directory_is_ours_or_refused";
    let Some(mut stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text("CREATE TABLE t AS SELECT 1 AS a;")?;
    let untouched = stage.target_objects()?;
    let folder = tempfile::tempdir()?;
    let path = |name: &str| folder.path().join(name);
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode));
    fs::write(path("victim"), "theirs")?;
    fs::create_dir(path("real"))?;
    symlink(path("real"), path("link"))?;
    fs::create_dir(path("open"))?;
    mode(&path("open"), 0o777)?;
    fs::create_dir(path("full"))?;
    fs::write(path("full/thesis"), "")?;
    for name in ["journal.jsonl", "plan.json", "log.jsonl", "report.json", "report.html"] {
        fs::create_dir(path(name))?;
        if name != "journal.jsonl" {
            fs::write(path(name).join("journal.jsonl"), "")?;
        }
        symlink(path("victim"), path(name).join(name))?;
    }
    for name in [
        "link",
        "open",
        "open/new",
        "full",
        "victim",
        "journal.jsonl",
        "plan.json",
        "log.jsonl",
        "report.json",
        "report.html",
    ] {
        stage.work = path(name);
        let (code, _, all) = stage.migrate(&["--dry-run"])?;
        let is_warned =
            all.contains("a run would not begin in this work directory") && all.contains("next: ");
        assert!(code == 0 && is_warned, "{name}: {all}");
        for arguments in [&[][..], &["--resume"]] {
            let (code, report, all) = stage.migrate(arguments)?;
            let error = report["error"].as_str().unwrap_or_default();
            assert_eq!(code, 2, "{name}: {all}");
            assert!(error.contains(name) && error.contains("next: "), "{name}: {all}");
        }
        let (code, said) = stage.cleanup(&[])?;
        assert!(code == 2 && said.contains("next: "), "{name}: {said}");
    }
    assert_eq!(fs::read_to_string(path("victim"))?, "theirs");
    assert_eq!(fs::read_dir(path("real"))?.count(), 0);
    assert_eq!(stage.target_objects()?, untouched);
    // One that is ours is used, and all in it is for its owner alone, whatever the umask is.
    stage.work = path("fresh");
    let command = stage.command(&[])?;
    let mut shell = Command::new("sh");
    shell.args(["-c", "umask 0; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let (code, _, all) = told(&shell.output()?)?;
    assert_eq!(code, 0, "{all}");
    assert_eq!(path("fresh").metadata()?.permissions().mode() & 0o777, 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(path("fresh"))? {
        let entry = entry?;
        assert_eq!(entry.metadata()?.permissions().mode() & 0o777, 0o600, "{entry:?}");
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(
        names,
        [
            "announced.json",
            "journal.jsonl",
            "left-out.sql",
            "log.jsonl",
            "plan.json",
            "report.html",
            "report.json"
        ]
    );
    Ok(())
}

/// A small disk of its own; gone with the value.
struct Disk(tempfile::TempDir);

impl Disk {
    /// None where this machine lets nobody mount one.
    fn mount(size: &str) -> Result<Option<Self>, Box<dyn Error>> {
        let folder = tempfile::tempdir()?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size},mode=0700"), "tmpfs"]).arg(folder.path());
        let mounted = mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success());
        Ok(mounted.then_some(Self(folder)))
    }

    /// Leaves no byte free.
    fn fill(&self) -> Outcome {
        let mut file = fs::File::create(self.0.path().join("filler"))?;
        while file.write_all(&[0; 4096]).is_ok() {}
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_work_directory_is_found_and_one_that_fills_up_ends_the_run_in_order() -> Outcome {
    let test = "a_full_work_directory_is_found_and_one_that_fills_up_ends_the_run_in_order";
    let Some(disk) = Disk::mount("8m")? else {
        skipped(test, "no disk can be mounted here");
        return Ok(());
    };
    let Some(mut stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE TABLE big AS SELECT n, repeat('x', 400) AS t FROM generate_series(1, 5000) n;
         SELECT format('CREATE TABLE small_%s AS SELECT 1 AS a', n) FROM generate_series(1, 90) n \\gexec\n",
    )?;
    stage.work = disk.0.path().join("work");
    disk.fill()?;
    for arguments in [&["--dry-run"][..], &[]] {
        let (code, report, all) = stage.migrate(arguments)?;
        assert_eq!(code, 2, "{all}");
        let found = blocker(&report, "work-dir-full")?;
        assert!(found.contains("is full") && found.contains("--work-dir"), "{found}");
    }
    fs::remove_file(disk.0.path().join("filler"))?;
    // The largest table comes first, and takes some seconds: then the disk is full.
    let child = stage.command(&["--jobs", "1", "--max-rate", "400kB"])?.spawn()?;
    let journal = stage.work.join("journal.jsonl");
    let limit = Instant::now() + Duration::from_secs(120);
    while !fs::read_to_string(&journal).is_ok_and(|text| text.contains("\"snapshot\"")) {
        assert!(Instant::now() < limit, "no journal");
        thread::sleep(Duration::from_millis(20));
    }
    disk.fill()?;
    let (code, report, all) = told(&child.wait_with_output()?)?;
    assert_eq!(code, 2, "{all}");
    let error = report["error"].as_str().unwrap_or_default();
    assert!(error.contains("journal.jsonl") && error.contains("No space left"), "{all}");
    let left = stage.left_behind()?;
    assert!(left.iter().all(|left| left.starts_with("schema")), "{left:?}");
    fs::remove_file(disk.0.path().join("filler"))?;
    let (code, report, all) = stage.migrate(&["--resume"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert_eq!(stage.left_behind()?, Vec::<String>::new());
    Ok(())
}

#[test]
fn a_report_that_cannot_be_written_makes_no_failure_of_a_run_that_is_verified() -> Outcome {
    let test = "a_report_that_cannot_be_written_makes_no_failure_of_a_run_that_is_verified";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text("CREATE TABLE t AS SELECT 1 AS a; CREATE TABLE named (a text UNIQUE);")?;
    // The page is the one file of a run that is larger than 32 kB.
    let command = stage.command(&[])?;
    let mut shell = Command::new("sh");
    let limited = "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\"";
    shell.args(["-c", limited]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap_or_default());
    }
    let (code, report, all) = told(&shell.output()?)?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    assert!(all.contains("warning: ") && all.contains("report.html"), "{all}");
    assert!(all.contains("the run itself has ended as the summary says"), "{all}");
    assert!(stage.work.join("report.json").exists() && !stage.work.join("report.html").exists(), "{all}");
    Ok(())
}

#[test]
fn an_address_of_several_servers_is_found() -> Outcome {
    let test = "an_address_of_several_servers_is_found";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.sql_text("CREATE TABLE t AS SELECT 1 AS a")?;
    let (proxy, through) = Proxy::start(&stage.source)?;
    let dry_run = || -> Result<(i32, Value, String), Box<dyn Error>> {
        let mut command = stage.command(&["--dry-run"])?;
        told(&command.env("SOURCE", &through).output()?)
    };
    let (code, _, all) = dry_run()?;
    assert_eq!(code, 0, "{all}");
    // Another server has a database of that name, and no snapshot of the first: here the target stands for a copy.
    stage.sql(&stage.admin, "CREATE DATABASE shop")?;

    proxy.balance(&stage.admin)?;
    let (code, report, all) = dry_run()?;
    assert_eq!(code, 2, "{all}");
    let found = blocker(&report, "source-several-servers")?;
    assert!(found.contains("name one server with --source"), "{found}");
    Ok(())
}

#[test]
fn what_stands_in_the_way_is_named_at_one_stop() -> Outcome {
    let test = "what_stands_in_the_way_is_named_at_one_stop";
    let Some(stage) = Stage::new(test, Server::Source15, Server::Target17)? else { return Ok(()) };
    stage.script(
        &stage.source,
        "CREATE TABLE hidden (a integer); CREATE ROLE stranger LOGIN PASSWORD 'stranger';",
    )?;
    let stranger = stage.source.replace("postgres://postgres", "postgres://stranger:stranger");
    let mut command = stage.command(&["--dry-run", "--hypertable", "hidden"])?;
    let (code, report, all) = told(&command.env("SOURCE", &stranger).output()?)?;
    assert_eq!(code, 2, "{all}");
    assert!(blocker(&report, "source-unreadable")?.contains("public.hidden"), "{all}");
    assert!(blocker(&report, "hypertable")?.contains("--hypertable hidden"), "{all}");
    Ok(())
}

/// A space dimension whose hashes are others there, and a collation that it lacks.
fn what_the_target_cannot_have_is_found(stage: &Stage) -> Outcome {
    stage.sql_text(
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN feeling AS mood;
         CREATE TABLE felt(at timestamptz NOT NULL, how feeling NOT NULL); CREATE TABLE sorted(t text COLLATE \"de-DE-x-icu\");
         SELECT create_hypertable('felt', 'at'); SELECT add_dimension('felt', 'how', number_partitions => 4)",
    )?;
    stage.sql(
        &stage.admin,
        "SET allow_system_table_mods = on; DELETE FROM pg_collation WHERE collname = 'de-DE-x-icu'",
    )?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert_eq!(code, 1, "{all}");
    assert!(blocker(&report, "dimension-by-enum")?.contains("public.felt by how"), "{all}");
    assert!(report["decisions"].to_string().contains("COL-02"), "{all}");
    stage.sql_text("DROP TABLE felt; DROP TABLE sorted; DROP DOMAIN feeling; DROP TYPE mood")
}

#[test]
fn names_and_settings_in_the_way_are_found_before_anything_is_written() -> Outcome {
    let test = "names_and_settings_in_the_way_are_found_before_anything_is_written";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let untouched = stage.target_objects()?;
    // Of a source without TimescaleDB, whose own functions stand in for it.
    stage.sql_text(
        "CREATE FUNCTION public.time_bucket(interval, timestamptz) RETURNS timestamptz LANGUAGE sql IMMUTABLE
           AS $$ SELECT date_bin($1, $2, '2000-01-01') $$;
         CREATE TABLE times(id int PRIMARY KEY, at timestamptz);
         CREATE VIEW buckets AS SELECT public.time_bucket('1 hour', at) AS b, count(*) FROM times GROUP BY 1",
    )?;
    let (code, report, all) = stage.migrate(&["--dry-run"])?;
    assert_eq!(code, 2, "{all}");
    assert!(blocker(&report, "function-of-extension")?.contains("time_bucket"), "{all}");
    stage.sql_text("DROP FUNCTION public.time_bucket CASCADE; DROP TABLE times")?;
    stage.sql_text(
        "CREATE EXTENSION timescaledb;
         CREATE FUNCTION public.timescaledb_post_restore(x int DEFAULT 1) RETURNS int LANGUAGE sql AS 'SELECT 1';
         CREATE SCHEMA _timescaledb_mine; CREATE TABLE _timescaledb_mine.t (a int);",
    )?;
    stage.sql(&stage.admin, "ALTER ROLE tsdbadmin SET session_replication_role = replica")?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!(code, 2, "{all}");
    let function = blocker(&report, "function-of-extension")?;
    let schema = blocker(&report, "schema-of-extension")?;
    let setting = blocker(&report, "setting-of-superuser")?;
    assert!(setting.contains("ALTER ROLE tsdbadmin RESET session_replication_role"), "{setting}");
    assert_eq!(stage.target_objects()?, untouched);
    assert_eq!(stage.restoring()?, "0 off");
    // What is advised helps.
    for found in [&function, &schema] {
        let command = found.split("-c '").nth(1).and_then(|rest| rest.split('\'').next());
        stage.sql(&stage.source, &command.ok_or("no command")?.replace("\\\"", "\""))?;
    }
    stage.sql(&stage.admin, "ALTER ROLE tsdbadmin RESET session_replication_role")?;
    what_the_target_cannot_have_is_found(&stage)?;
    // A role that services have, and this one has not.
    stage.sql_text("CREATE ROLE tsdbexplorer; GRANT SELECT ON own__timescaledb_mine.t TO tsdbexplorer;")?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    let granted = "SELECT has_table_privilege('tsdbexplorer', 'own__timescaledb_mine.t', 'SELECT')";
    assert_eq!(stage.sql(&stage.admin, granted)?, "t");
    // Restoring mode that a role's setting says is taken back there.
    stage.empty_target()?;
    stage.sql(&stage.admin, "ALTER ROLE tsdbadmin SET timescaledb.restoring = 'on'")?;
    let (_, report, _) = stage.migrate(&["--dry-run"])?;
    let restoring = blocker(&report, "target-restoring")?;
    stage.sql(&stage.admin, "ALTER ROLE tsdbadmin RESET timescaledb.restoring")?;
    assert!(restoring.contains("ALTER ROLE tsdbadmin RESET timescaledb.restoring"), "{restoring}");
    Ok(())
}
