//! Several databases in one: moved into schemas of their own by `rewrite`, `restore` and `migrate`, and asked by their applications.

mod found;
mod options;
mod stage;
mod staying;
mod there;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::Command;

use tsmigrate_tests::lab::Server;
use tsmigrate_tests::program::program;

use crate::stage::{INTO, Outcome, at, compared, said, stage};

fn rewritten(test: &str, source: Server, target: Server) -> Outcome {
    let Some((stage, from, to)) = stage(test, source, target)? else { return Ok(()) };
    let all = stage.all(&from)?;
    let rewritten = stage.file("merged.sql");
    let output = program().args(["rewrite", &all, "-o", &rewritten, "--no-config"]).args(INTO).output()?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{words}\n{}", String::from_utf8_lossy(&output.stdout));
    stage.psql(&to, &["-f", &rewritten]).map_err(|error| {
        let kept = std::env::temp_dir().join("merged.sql");
        let _ = fs::copy(&rewritten, &kept);
        format!("{error}\n({})", kept.display())
    })?;
    stage.answers(&from, &to)
}

#[test]
fn three_databases_answer_from_one_on_17() -> Outcome {
    rewritten("three_databases_answer_from_one_on_17", Server::Source17, Server::Target17)
}

#[test]
fn three_databases_answer_from_one_on_18() -> Outcome {
    rewritten("three_databases_answer_from_one_on_18", Server::Source18, Server::Target18)
}

#[test]
fn a_cluster_is_restored_into_schemas_of_one_database() -> Outcome {
    let test = "a_cluster_is_restored_into_schemas_of_one_database";
    let Some((stage, from, to)) = stage(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let all = stage.all(&from)?;
    let several = [&[all.as_str()], &INTO[..]].concat();
    let meeting = ["--map-schema", "crm:audit=shop_audit"];
    let (status, words) = stage.restore(&to, &[&several[..], &meeting].concat())?;
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("databases-meet") && words.contains("schema shop_audit"), "{words}");
    assert!(words.contains("nothing was written"), "{words}");
    let (status, words) = stage.restore(&to, &several)?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(words.matches("restored and verified").count(), 3, "{words}");
    stage.answers(&from, &to)?;
    // What applications have asked has left traces: compared is what nobody writes to.
    let found = compared(&stage, &at(&from, "blog"), &to, "tsmigrate-blog")?;
    assert_eq!(found, None);
    // All of it is known to have arrived; and once more it would meet itself.
    let (status, words) = stage.restore(&to, &[&several[..], &["--resume"]].concat())?;
    assert_eq!((status, words.matches("has arrived").count()), (0, 3), "{words}");
    let again = [&several[..], &["--work-dir", "again"]].concat();
    let (status, words) = stage.restore(&to, &again)?;
    assert_eq!(status, 2, "{words}");
    for found in ["name-exists", "public.posts", "cannot begin, and nothing was written of any"] {
        assert!(words.contains(found), "{found}: {words}");
    }
    Ok(())
}

#[test]
fn archives_come_into_schemas_beside_each_other_and_are_given_up_alone() -> Outcome {
    let test = "archives_come_into_schemas_beside_each_other_and_are_given_up_alone";
    let Some((stage, from, to)) = stage(test, Server::Source18, Server::Target18)? else { return Ok(()) };
    let roles = stage.file("roles.sql");
    said(Command::new(stage.programs.join("pg_dumpall")).args(["-d", &from, "--roles-only", "-f", &roles]))?;
    // A row that the target refuses, so that the run ends in the middle.
    stage.psql(
        &at(&from, "crm"),
        &["-c", "CREATE TABLE crm.kept (of regclass); INSERT INTO crm.kept VALUES ('crm.people')"],
    )?;
    stage.psql(&at(&from, "crm"), &["-c", "SELECT lo_from_bytea(7700, 'x')"])?;
    stage.psql(&at(&from, "shop"), &["-c", "SELECT lo_from_bytea(7701, 'y')"])?;
    for (database, format) in [("shop", "-Fc"), ("crm", "-Fd"), ("blog", "-Ft")] {
        let file = stage.file(database);
        said(Command::new(stage.programs.join("pg_dump")).args([
            format,
            "-C",
            "-d",
            &at(&from, database),
            "-f",
            &file,
        ]))?;
    }
    let with = ["--roles", roles.as_str()];
    let (status, words) = stage.restore(&to, &[&["shop", "--into-schema", "shop"], &with[..]].concat())?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(compared(&stage, &at(&from, "shop"), &to, "tsmigrate-shop")?, None);
    let shop = "SELECT count(*), sum(total) FROM shop.orders";
    let before = stage.psql(&to, &["-c", shop])?;
    let crm = [&["crm", "--into-schema", "crm"], &with[..]].concat();
    let (status, words) = stage.restore(&to, &crm)?;
    assert_eq!(status, 1, "a column of names is a decision: {words}");
    assert!(words.contains("MAP-04"), "{words}");
    let (status, words) = stage.restore(&to, &[&crm[..], &["--accept", "MAP-04"]].concat())?;
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("crm_crm.kept"), "{words}");
    assert_eq!(stage.psql(&to, &["-c", "SELECT to_regclass('crm_crm.people') IS NOT NULL"])?, "t");
    let output = program()
        .args(["cleanup", "--drop-target", "--work-dir", "tsmigrate-crm", "--target", &to])
        .current_dir(stage.lab.folder())
        .output()?;
    let words = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(0), "{words}");
    let left = "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname ~ '^(crm|shop|_tsmigrate)'";
    assert_eq!(stage.psql(&to, &["-c", left])?, "shop shop_audit");
    assert_eq!(stage.psql(&to, &["-c", shop])?, before);
    assert_eq!(
        stage.psql(&to, &["-c", "SELECT string_agg(oid::text, ' ') FROM pg_largeobject_metadata"])?,
        "7701"
    );
    // The name is not in the way any more, and the rows are as the target wants them.
    stage.psql(&at(&from, "crm"), &["-c", "DROP TABLE crm.kept"])?;
    let crm_again = ["-Fc", "-C", "-d", &at(&from, "crm"), "-f", &stage.file("crm2")];
    said(Command::new(stage.programs.join("pg_dump")).args(crm_again))?;
    let (status, words) = stage.restore(&to, &[&["crm2", "--into-schema", "crm"], &with[..]].concat())?;
    assert_eq!(status, 0, "{words}");
    let (status, words) =
        stage.restore(&to, &[&["blog", "--map-schema", "public=public"], &with[..]].concat())?;
    assert_eq!(status, 0, "{words}");
    stage.answers(&from, &to)
}

/// Whether a table that is filled is on the target.
const LOG_IS_THERE: &str = "SELECT to_regclass('crm_audit.log') IS NOT NULL";

#[test]
fn a_restore_beside_others_that_was_killed_goes_on() -> Outcome {
    let test = "a_restore_beside_others_that_was_killed_goes_on";
    let Some((stage, from, to)) = stage(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let rows =
        "INSERT INTO log (id, note) SELECT n, repeat('public ', 20) || n FROM generate_series(1000, 60000) n";
    stage.psql(&at(&from, "crm"), &["-c", &format!("SET search_path = audit; {rows}")])?;
    let all = stage.all(&from)?;
    let arguments = [&[all.as_str()], &INTO[..], &["--target", to.as_str(), "--progress", "none"]].concat();
    let mut killed = 0;
    for round in 0..3_u64 {
        let mut command = program();
        command.arg("restore").args(&arguments).current_dir(stage.lab.folder());
        if round > 0 {
            command.arg("--resume");
        }
        let mut child =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn()?;
        // The first as soon as it has begun to write, however fast the machine is; the others at a later time.
        while round == 0 && child.try_wait()?.is_none() && stage.psql(&to, &["-c", LOG_IS_THERE])? != "t" {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        std::thread::sleep(std::time::Duration::from_millis(200 + 2_800 * round));
        killed += u32::from(child.try_wait()?.is_none());
        // One that has ended is not there to be killed.
        let _ = child.kill();
        child.wait()?;
    }
    assert!(killed > 0, "none was killed while it ran");
    let (status, words) = stage.restore(&to, &[&[all.as_str()], &INTO[..], &["--resume"]].concat())?;
    assert_eq!(status, 0, "{words}");
    stage.answers(&from, &to)
}

fn migrated(test: &str, source: Server, target: Server) -> Outcome {
    let Some((stage, from, to)) = stage(test, source, target)? else { return Ok(()) };
    let (shop, crm) = (at(&from, "shop"), at(&from, "crm"));
    let both = ["--into-schema", "shop", "--source", &crm, "--into-schema", "crm"];
    let (status, words) = stage.migrate(&shop, &to, &both)?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(words.matches("migrated and verified").count(), 2, "{words}");
    let (status, words) = stage.migrate(&shop, &to, &[&both[..], &["--resume"]].concat())?;
    assert_eq!((status, words.matches("has arrived").count()), (0, 2), "{words}");
    // What has arrived is another database's.
    let swapped = ["--into-schema", "shop", "--source", &shop, "--into-schema", "crm", "--resume"];
    let (status, words) = stage.migrate(&crm, &to, &swapped)?;
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("the source is another one"), "{words}");
    let (status, words) = stage.migrate(&at(&from, "blog"), &to, &["--map-schema", "public=public"])?;
    assert_eq!(status, 0, "{words}");
    assert!(words.contains("migrated and verified"), "{words}");
    for database in ["shop", "crm", "blog"] {
        let found = compared(&stage, &at(&from, database), &to, &format!("tsmigrate-{database}"))?;
        assert_eq!(found, None, "{database}");
    }
    // What is said to stay as it is, is no difference.
    stage.psql(&from, &["-c", "CREATE DATABASE texts"])?;
    let texts = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/merged/texts.sql");
    stage.psql(&at(&from, "texts"), &["-f", &texts.to_string_lossy()])?;
    let (status, words) = stage.migrate(&at(&from, "texts"), &to, &["--into-schema", "texts"])?;
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("trigger watch on") && words.contains("MAP-01"), "{words}");
    let accepted = ["--into-schema", "texts", "--accept", "MAP-01,MAP-02,MAP-03"];
    let (status, words) = stage.migrate(&at(&from, "texts"), &to, &accepted)?;
    assert_eq!(status, 0, "{words}");
    let asked = "SELECT (SELECT sum FROM texts.of_case), (SELECT count FROM texts.of_self)";
    assert_eq!(stage.psql(&to, &["-c", asked])?, "101|1");
    let called = ["-c", "SET search_path = texts", "-c", "CALL texts.batch()"];
    let seen = ["-c", "SET search_path = texts_tenant, texts", "-c", "SELECT texts.outer_one()"];
    assert_eq!(stage.psql(&to, &[called, seen].concat())?, "6");
    let switched = [
        "-c",
        "SET search_path = texts",
        "-c",
        "BEGIN",
        "-c",
        "SELECT texts.use_tenant()",
        "-c",
        "SELECT max(id) FROM t",
    ];
    assert_eq!(stage.psql(&to, &switched)?.lines().last(), Some("5"));
    let two = ["--into-schema", "one", "--map-schema", "audit=one"];
    let (status, words) = stage.migrate(&shop, &to, &[&two[..], &["--work-dir", "one"]].concat())?;
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("would both become one"), "{words}");
    // The comparison sees what is not as it was, and that alone.
    stage.psql(&to, &["-c", "ALTER FUNCTION shop.spent(int) RESET search_path"])?;
    stage.psql(&to, &["-c", "CREATE TABLE shop.more (a int); REVOKE SELECT ON shop.totals FROM mrg_reader; \
        UPDATE shop_audit.log SET what = 'changed' WHERE id = 1; COMMENT ON TABLE shop.users IS 'users of the shop'"])?;
    let words = compared(&stage, &at(&from, "shop"), &to, "tsmigrate-shop")?.ok_or("it is equal")?;
    for found in ["shop.spent", "shop.more", "shop.totals", "shop_audit.log", "on table shop.users"] {
        assert!(words.contains(found), "{found}: {words}");
    }
    assert!(words.contains("6 differences"), "{words}");
    assert_eq!(compared(&stage, &at(&from, "crm"), &to, "tsmigrate-crm")?, None);
    // What a second one would meet is known before.
    let (status, words) =
        stage.migrate(&at(&from, "blog"), &to, &["--into-schema", "crm", "--work-dir", "again"])?;
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("schema-exists") && words.contains("nothing was written"), "{words}");
    Ok(())
}

#[test]
fn databases_migrate_beside_each_other_and_are_equal_on_17() -> Outcome {
    migrated("databases_migrate_beside_each_other_and_are_equal_on_17", Server::Source17, Server::Target17)
}

#[test]
fn databases_migrate_beside_each_other_and_are_equal_on_18() -> Outcome {
    migrated("databases_migrate_beside_each_other_and_are_equal_on_18", Server::Source18, Server::Target18)
}

#[test]
fn a_migration_beside_others_that_was_killed_goes_on_or_is_given_up_alone() -> Outcome {
    let test = "a_migration_beside_others_that_was_killed_goes_on_or_is_given_up_alone";
    let Some((stage, from, to)) = stage(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let rows =
        "INSERT INTO log (id, note) SELECT n, repeat('public ', 20) || n FROM generate_series(1000, 90000) n";
    stage.psql(&at(&from, "crm"), &["-c", &format!("SET search_path = audit; {rows}")])?;
    let (status, words) = stage.migrate(&at(&from, "shop"), &to, &["--into-schema", "shop"])?;
    assert_eq!(status, 0, "{words}");
    let crm = at(&from, "crm");
    let tools = stage.programs.to_string_lossy().into_owned();
    // As soon as it has begun to copy.
    let kill = || -> Result<bool, Box<dyn Error>> {
        let mut command = program();
        command.args([
            "migrate",
            "--source",
            &crm,
            "--target",
            &to,
            "--progress",
            "none",
            "--pg-bin",
            &tools,
        ]);
        command.args(["--into-schema", "crm", "--max-rate", "2MB"]).current_dir(stage.lab.folder());
        let mut child =
            command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn()?;
        while child.try_wait()?.is_none() && stage.psql(&to, &["-c", LOG_IS_THERE])? != "t" {
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        std::thread::sleep(std::time::Duration::from_millis(700));
        let killed = child.try_wait()?.is_none();
        // One that has ended is not there to be killed.
        let _ = child.kill();
        child.wait()?;
        Ok(killed)
    };
    assert!(kill()?, "it was not killed while it ran");
    let cleanup =
        ["cleanup", "--drop-target", "--work-dir", "tsmigrate-crm", "--source", &crm, "--target", &to];
    let (status, words) = stage.tsmigrate(&cleanup)?;
    assert_eq!(status, 0, "{words}");
    let left = "SELECT string_agg(nspname, ' ' ORDER BY nspname) FROM pg_namespace WHERE nspname ~ '^(crm|shop|_tsmigrate)'";
    assert_eq!(stage.psql(&to, &["-c", left])?, "shop shop_audit");
    assert!(kill()?, "it was not killed while it ran");
    let (status, words) = stage.migrate(&crm, &to, &["--into-schema", "crm", "--resume"])?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(compared(&stage, &crm, &to, "tsmigrate-crm")?, None);
    assert_eq!(compared(&stage, &at(&from, "shop"), &to, "tsmigrate-shop")?, None);
    Ok(())
}
