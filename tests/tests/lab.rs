//! The lab itself: the target says no where the service does and yes where it does, and nothing stays behind.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{fs, thread};

use tsmigrate_tests::lab::{Lab, Server, processes_below};
use tsmigrate_tests::replay::{Answer, ReplayStep, Reply, replay, steps};

type Outcome = Result<(), Box<dyn Error>>;

/// The answer to one statement on a fresh session.
fn ask(uri: &str, sql: &str) -> Result<Reply, Box<dyn Error>> {
    let step = ReplayStep::Statement { sql: sql.into(), number: 1 };
    Ok(replay(uri, &[step])?.remove(0))
}

fn assert_ok(uri: &str, sql: &str) -> Outcome {
    let reply = ask(uri, sql)?;
    assert_eq!(reply.answer, Answer::Ok, "{sql}");
    Ok(())
}

fn assert_refused(uri: &str, sql: &str, sqlstate: &str, message: &str) -> Outcome {
    let reply = ask(uri, sql)?;
    let Answer::Refused(refusal) = reply.answer else {
        return Err(format!("{sql}: {:?}", reply.answer).into());
    };
    assert_eq!((refusal.sqlstate.as_str(), refusal.message.as_str()), (sqlstate, message), "{sql}");
    Ok(())
}

/// Where a server's files really are; its processes work there.
fn home(folder: &Path, server: &str) -> Result<PathBuf, Box<dyn Error>> {
    let home = fs::canonicalize(folder.join(server))?;
    assert!(!processes_below(&home)?.is_empty(), "{server} works elsewhere than in {}", home.display());
    Ok(home)
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) -> Outcome {
    let started = Instant::now();
    while !done() {
        if started.elapsed() > Duration::from_secs(20) {
            return Err(format!("still not so after 20 s: {what}").into());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

#[test]
fn target_refuses_what_the_service_refuses() -> Outcome {
    let servers = [Server::Target17, Server::Target15];
    let Some(lab) = Lab::start_or_skip("target_refuses_what_the_service_refuses", &servers)? else {
        return Ok(());
    };
    for server in servers {
        let uri = lab.uri(server)?;
        assert_refused(
            uri,
            "CREATE EXTENSION dblink",
            "42501",
            "permission denied to create extension \"dblink\"",
        )?;
        assert_refused(
            uri,
            "CREATE TABLESPACE fast LOCATION '/mnt/fast'",
            "42501",
            "permission denied to create tablespace \"fast\"",
        )?;
        assert_eq!(ask(uri, "CREATE ROLE boss SUPERUSER")?.sqlstate(), Some("42501"));
        assert_eq!(ask(uri, "CREATE ROLE copier REPLICATION")?.sqlstate(), Some("42501"));
        assert_eq!(ask(uri, "ALTER ROLE tsdbadmin BYPASSRLS")?.sqlstate(), Some("42501"));
        assert_eq!(ask(uri, "SET ROLE postgres")?.sqlstate(), Some("42501"));
        assert_eq!(
            ask(uri, "CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()")?.sqlstate(),
            Some("42501")
        );
    }
    // The extension's own tables may be written, not owned.
    let uri = lab.uri(Server::Target17)?;
    let disable = "ALTER TABLE _timescaledb_catalog.hypertable DISABLE TRIGGER ALL";
    assert_refused(uri, disable, "42501", "must be owner of table hypertable")
}

#[test]
fn target_allows_what_the_service_allows() -> Outcome {
    let servers = [Server::Target17];
    let Some(lab) = Lab::start_or_skip("target_allows_what_the_service_allows", &servers)? else {
        return Ok(());
    };
    let uri = lab.uri(Server::Target17)?;
    for sql in [
        "CREATE EXTENSION hstore",
        // Not trusted by PostgreSQL: passes by the allow-list alone.
        "CREATE EXTENSION bloom",
        "COMMENT ON EXTENSION bloom IS 'an index'",
        "CREATE EXTENSION pgaudit",
        "CREATE ROLE app LOGIN",
        "GRANT app TO tsdbadmin",
        "GRANT pg_monitor, pg_checkpoint TO app",
        "CREATE SCHEMA app AUTHORIZATION app",
        "CREATE TABLE measured (at timestamptz NOT NULL, value float8)",
        "SELECT public.create_hypertable('measured', 'at')",
        "INSERT INTO measured VALUES ('2026-01-01', 1)",
        "SELECT public.timescaledb_pre_restore()",
        "INSERT INTO _timescaledb_catalog.metadata VALUES ('lab', '1', false)",
        "SELECT public.timescaledb_post_restore()",
        "DELETE FROM _timescaledb_catalog.metadata WHERE key = 'lab'",
    ] {
        assert_ok(uri, sql)?;
    }
    Ok(())
}

#[test]
fn target_allows_no_extension_that_the_analyzer_does_not() -> Outcome {
    let servers = [Server::Target17];
    let Some(lab) = Lab::start_or_skip("target_allows_no_extension_that_the_analyzer_does_not", &servers)?
    else {
        return Ok(());
    };
    let known: serde_json::Value =
        serde_json::from_str(include_str!("../../analyzer/src/target/timescale.json"))?;
    let newest = known["extension_lists"].as_array().and_then(|lists| lists.last()).ok_or("no list")?;
    let newest: BTreeSet<_> =
        newest["extensions"].as_array().ok_or("no list")?.iter().filter_map(|name| name.as_str()).collect();
    let output = Command::new(lab.programs()?.join("psql"))
        .args(["-XAtc", "SHOW extwlist.extensions", lab.uri(Server::Target17)?])
        .output()?;
    let output = String::from_utf8(output.stdout)?;
    let allowed: BTreeSet<_> = output.trim().split(',').collect();
    assert!(allowed.contains("timescaledb"), "{output}");
    assert!(allowed.is_subset(&newest), "{:?}", allowed.difference(&newest));
    Ok(())
}

#[test]
fn restoring_is_for_the_owner_of_the_database_alone() -> Outcome {
    let servers = [Server::Target17];
    let Some(lab) = Lab::start_or_skip("restoring_is_for_the_owner_of_the_database_alone", &servers)? else {
        return Ok(());
    };
    let script =
        b"CREATE ROLE app; GRANT app TO tsdbadmin; SET ROLE app; SELECT public.timescaledb_pre_restore();";
    let replies = replay(lab.uri(Server::Target17)?, &steps(script))?;
    let answers: Vec<_> = replies.iter().map(Reply::sqlstate).collect();
    assert_eq!(answers, [None, None, None, Some("42501")]);
    Ok(())
}

#[test]
fn sources_allow_everything() -> Outcome {
    let servers = [Server::Source15, Server::Source17];
    let Some(lab) = Lab::start_or_skip("sources_allow_everything", &servers)? else {
        return Ok(());
    };
    for server in servers {
        let uri = lab.uri(server)?;
        assert_ok(uri, "CREATE EXTENSION dblink")?;
        assert_ok(uri, "CREATE ROLE boss SUPERUSER")?;
        assert_ok(uri, "CREATE DATABASE other")?;
    }
    let uri = lab.uri(Server::Source17)?;
    assert_ok(uri, "CREATE EXTENSION timescaledb")?;
    assert_ok(uri, "CREATE TABLE measured (at timestamptz NOT NULL, value float8)")?;
    assert_ok(uri, "SELECT create_hypertable('measured', 'at')")?;
    assert_ok(uri, "INSERT INTO measured VALUES ('2026-01-01', 1)")
}

#[test]
fn replay_goes_on_after_a_refusal_and_keeps_every_word() -> Outcome {
    let servers = [Server::Target17];
    let Some(lab) = Lab::start_or_skip("replay_goes_on_after_a_refusal_and_keeps_every_word", &servers)?
    else {
        return Ok(());
    };
    // In LATIN1, as the dump says of itself.
    let dump = b"SET client_encoding = 'LATIN1';
CREATE TABLE IF NOT EXISTS t (name text, CHECK (length(name) = 4));
CREATE TABLE IF NOT EXISTS t (name text);
CREATE TABLESPACE fast LOCATION '/mnt/fast';
COPY t (name) FROM stdin;
caf\xe9
\\.
COPY t (name) FROM stdin;
too long
\\.
COPY missing FROM stdin;
1
\\.
INSERT INTO t VALUES ('th\xe9\xe9');
SELECT pg_terminate_backend(pg_backend_pid());
DO $$ BEGIN ASSERT (SELECT array_agg(name ORDER BY name) FROM t) = ARRAY[U&'caf\\00e9', U&'th\\00e9\\00e9']; END $$;
";
    let replies = replay(lab.uri(Server::Target17)?, &steps(dump))?;
    let answers: Vec<_> = replies
        .iter()
        .map(|reply| match &reply.answer {
            Answer::Ok => (reply.number, None),
            Answer::Refused(refusal) => (reply.number, Some(refusal.sqlstate.as_str())),
            Answer::NotSent(reason) => (reply.number, Some(reason.as_str())),
        })
        .collect();
    assert_eq!(
        answers,
        [
            (1, None),
            (2, None),
            (3, None),
            (4, Some("42501")),
            (5, None),
            (6, Some("23514")),
            (7, Some("42P01")),
            (8, None),
            (9, Some("57P01")),
            (10, None),
        ]
    );
    let notice = replies[2].notices.first().ok_or("no notice")?;
    assert_eq!((notice.severity.as_str(), notice.sqlstate.as_str()), ("NOTICE", "42P07"));
    let Answer::Refused(refusal) = &replies[3].answer else {
        return Err("not refused".into());
    };
    assert_eq!(refusal.hint.as_deref(), Some("Must be superuser to create a tablespace."));
    assert!(
        refusal.location.as_deref().is_some_and(|place| place.starts_with("CreateTableSpace, tablespace.c:"))
    );
    assert!(replies[9].new_session && !replies[8].new_session, "{replies:#?}");
    Ok(())
}

#[test]
fn reset_makes_a_target_pristine_again() -> Outcome {
    let servers = [Server::Target17];
    let Some(lab) = Lab::start_or_skip("reset_makes_a_target_pristine_again", &servers)? else {
        return Ok(());
    };
    let uri = lab.uri(Server::Target17)?;
    assert_ok(uri, "CREATE ROLE app")?;
    assert_ok(uri, "CREATE TABLE t ()")?;
    assert_ok(uri, "CREATE DATABASE other")?;
    assert_ok(uri, "ALTER DATABASE tsdb SET work_mem = '1MB'")?;
    assert_ok(uri, "SELECT public.timescaledb_pre_restore()")?;
    lab.reset(Server::Target17)?;
    assert_ok(uri, "CREATE ROLE app")?;
    assert_ok(uri, "CREATE TABLE t ()")?;
    assert_ok(uri, "CREATE DATABASE other")?;
    assert_ok(uri, "DO $$ BEGIN ASSERT NOT EXISTS (SELECT FROM pg_db_role_setting); END $$")?;
    assert_ok(uri, "DO $$ BEGIN ASSERT current_setting('timescaledb.restoring') = 'off'; END $$")
}

#[test]
fn client_programs_keep_paths_and_end_with_their_process() -> Outcome {
    let servers = [Server::Source17];
    let Some(lab) = Lab::start_or_skip("client_programs_keep_paths_and_end_with_their_process", &servers)?
    else {
        return Ok(());
    };
    let uri = lab.uri(Server::Source17)?;
    assert_ok(uri, "CREATE TABLE t AS SELECT 1 AS a")?;
    let folder = tempfile::tempdir()?;
    let dump = folder.path().join("dump");
    let status = Command::new(lab.programs()?.join("pg_dump"))
        .args(["-Fd", "-j2", "-f"])
        .arg(&dump)
        .arg(uri)
        .status()?;
    assert!(status.success() && dump.join("toc.dat").exists());
    // pg_dumpall runs the pg_dump beside it.
    let output = Command::new(lab.programs()?.join("pg_dumpall")).args(["-d", uri]).output()?;
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("COPY public.t"));

    let sleeping = format!("SELECT 1 FROM pg_stat_activity WHERE query = 'SELECT pg_sleep({})'", u16::MAX);
    let mut psql = Command::new(lab.programs()?.join("psql"))
        .args(["-X", uri, "-c", &format!("SELECT pg_sleep({})", u16::MAX)])
        .stdout(Stdio::null())
        .spawn()?;
    let is_seen = || {
        let found = Command::new(lab.programs().expect("started above").join("psql"))
            .args(["-XAtc", &sleeping, uri])
            .output();
        found.is_ok_and(|output| output.stdout.contains(&b'\n'))
    };
    wait_until("psql asks the server", is_seen)?;
    psql.kill()?;
    psql.wait()?;
    Ok(())
}

#[test]
fn down_leaves_no_process_and_no_folder() -> Outcome {
    let servers = [Server::Source17, Server::Target17];
    let Some(lab) = Lab::start_or_skip("down_leaves_no_process_and_no_folder", &servers)? else {
        return Ok(());
    };
    let folder = lab.folder().to_owned();
    let homes = [home(&folder, "source17")?, home(&folder, "target17")?];
    let watchdog: u32 = fs::read_to_string(folder.join("watchdog"))?.trim().parse()?;
    lab.down()?;
    assert!(!folder.exists());
    // It may still wait to be reaped; then it has no command line any more.
    assert!(fs::read(format!("/proc/{watchdog}/cmdline")).unwrap_or_default().is_empty());
    for home in homes {
        assert!(!home.exists());
        assert!(processes_below(&home)?.is_empty());
    }
    Ok(())
}

#[test]
fn lab_of_a_killed_process_is_cleaned_up() -> Outcome {
    let servers = [Server::Target17];
    if let Some(reason) = Lab::skip_reason(&servers)? {
        tsmigrate_tests::lab::skipped("lab_of_a_killed_process_is_cleaned_up", &reason);
        return Ok(());
    }
    let above = tempfile::tempdir()?;
    let folder = above.path().join("lab");
    let mut owner = Command::new("bash")
        .args([
            "-c",
            r#""$1" up "$2" --watch $$ --target17 >/dev/null && echo up && exec sleep 600"#,
            "owner",
        ])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/lab"))
        .arg(&folder)
        .stdout(Stdio::piped())
        .spawn()?;
    let stdout = owner.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    assert_eq!(line, "up\n");
    let home = home(&folder, "target17")?;

    owner.kill()?;
    // Not reaped yet: a dead process that nobody waits for must not keep the lab alive.
    wait_until("the lab of the killed process is gone", || !folder.exists())?;
    owner.wait()?;
    assert!(!home.exists());
    assert!(processes_below(&home)?.is_empty());
    Ok(())
}

#[test]
fn lab_refuses_a_folder_that_is_in_use() -> Outcome {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("precious"), "data")?;
    let lab = concat!(env!("CARGO_MANIFEST_DIR"), "/lab");
    for verb in ["up", "down"] {
        let output = Command::new(lab).arg(verb).arg(folder.path()).output()?;
        assert!(!output.status.success(), "{verb}");
        assert!(folder.path().join("precious").exists(), "{verb}");
    }
    Ok(())
}
