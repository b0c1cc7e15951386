//! A database with hypertables stays as it is, and the others move into schemas beside it: by one command, whatever stops it.

use std::error::Error;

use tsmigrate_tests::lab::Server;

use crate::stage::{APPLICATIONS, METRICS, Outcome, Stage, at, compared, stage};

/// The sources of one migration and where they go, the one that stays in the middle; `shop` and `crm` come beside it.
fn sources(from: &str) -> Vec<String> {
    let words = [
        ("--source", at(from, "shop")),
        ("--into-schema", "shop".to_owned()),
        ("--source", at(from, "metrics")),
        ("--source", at(from, "crm")),
        ("--into-schema", "crm".to_owned()),
        // The owner of the one that stays creates in public, and is trusted.
        ("--accept", "MAP-06".to_owned()),
    ];
    words.into_iter().flat_map(|(option, value)| [option.to_owned(), value]).collect()
}

/// `tsmigrate migrate` of all of them.
fn migrate(stage: &Stage, from: &str, to: &str, more: &[&str]) -> Result<(i32, String), Box<dyn Error>> {
    let (sources, tools) = (sources(from), stage.programs.to_string_lossy().into_owned());
    let mut words = vec!["migrate", "--target", to, "--progress", "none", "--pg-bin", &tools];
    words.extend(sources.iter().map(String::as_str));
    words.extend(more);
    stage.tsmigrate(&words)
}

/// Each of them with the work directory of its run.
const RUNS: [(&str, &str); 3] =
    [("metrics", "tsmigrate-metrics"), ("shop", "tsmigrate-shop"), ("crm", "tsmigrate-crm")];

fn all_are_equal(stage: &Stage, from: &str, to: &str) -> Outcome {
    for (database, work) in RUNS {
        assert_eq!(compared(stage, &at(from, database), to, work)?, None, "{database}");
    }
    Ok(())
}

const NOTHING: &str = "SELECT count(*) FROM pg_class WHERE relnamespace::regnamespace::text !~ '^(pg_|information_schema|_timescaledb)' AND oid >= 16384";

fn migrated(test: &str, source: Server, target: Server) -> Outcome {
    let Some((stage, from, to)) = stage(test, source, target)? else { return Ok(()) };
    stage.create(&from, &METRICS)?;
    let before = stage.psql(&to, &["-c", NOTHING])?;
    let (status, words) = migrate(&stage, &from, &to, &["--dry-run"])?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(stage.psql(&to, &["-c", NOTHING])?, before);
    let (status, words) = migrate(&stage, &from, &to, &[])?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(words.matches("migrated and verified").count(), 3, "{words}");
    let comes = |name: &str| words.find(&format!("database {name} comes"));
    assert!(comes("metrics") < comes("shop into shop"), "{words}");
    let (status, words) = migrate(&stage, &from, &to, &["--resume"])?;
    assert_eq!((status, words.matches("has arrived").count()), (0, 3), "{words}");
    all_are_equal(&stage, &from, &to)?;
    // What is in the schemas of the one that stays is compared still.
    stage.psql(&to, &["-c", "CREATE TABLE \"Raw\".more (a int); CREATE TABLE shop.more (a int); UPDATE readings SET value = 0 WHERE value = 7"])?;
    let found = compared(&stage, &at(&from, "metrics"), &to, "tsmigrate-metrics")?.ok_or("it is equal")?;
    assert!(found.contains("3 differences") && found.contains("\"Raw\".more"), "{found}");
    stage.psql(
        &to,
        &["-c", "DROP TABLE \"Raw\".more, shop.more; UPDATE readings SET value = 7 WHERE value = 0"],
    )?;
    let applications = [&METRICS, &APPLICATIONS[0], &APPLICATIONS[1]];
    stage.answers_of(&applications, &from, &to)
}

#[test]
fn one_with_hypertables_stays_and_two_come_beside_it_on_17() -> Outcome {
    let test = "one_with_hypertables_stays_and_two_come_beside_it_on_17";
    migrated(test, Server::Source17, Server::Target17)
}

#[test]
fn one_with_hypertables_stays_and_two_come_beside_it_on_18() -> Outcome {
    let test = "one_with_hypertables_stays_and_two_come_beside_it_on_18";
    migrated(test, Server::Source18, Server::Target18)
}

#[test]
fn a_cluster_is_restored_with_one_database_as_it_is() -> Outcome {
    let test = "a_cluster_is_restored_with_one_database_as_it_is";
    let Some((stage, from, to)) = stage(test, Server::Source18, Server::Target18)? else { return Ok(()) };
    stage.create(&from, &METRICS)?;
    stage.psql(&from, &["-c", "CREATE DATABASE \"it's;\""])?;
    let odd = at(&from, "it's;");
    stage.psql(&odd, &["-c", "CREATE TABLE \"t %\" (a text); INSERT INTO \"t %\" VALUES ('é')"])?;
    let all = stage.all(&from)?;
    let moved = ["--into-schema", "shop=shop", "--into-schema", "crm=crm", "--into-schema", "it's;=a%é;"];
    // One with hypertables does not move.
    let with = [&[all.as_str(), "--into-schema", "metrics=m"], &moved[..]].concat();
    let (status, words) = stage.restore(&to, &with)?;
    assert_eq!(status, 2, "{words}");
    let plain = words.split_whitespace().collect::<Vec<_>>().join(" ");
    for said in ["has hypertables", "--database", "a service of its own", "nothing was written"] {
        assert!(plain.contains(said), "{said}: {words}");
    }
    let with = [&[all.as_str(), "--database", "metrics"], &moved[..]].concat();
    // Its owner may create in public, where functions of the others look for names.
    let (status, words) = stage.restore(&to, &with)?;
    let plain = words.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(status == 2 && plain.contains("lets mrg_metrics create in schema public"), "{words}");
    let with = [&with[..], &["--accept", "MAP-06"]].concat();
    let (status, words) = stage.restore(&to, &with)?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(words.matches("restored and verified").count(), 4, "{words}");
    all_are_equal(&stage, &from, &to)?;
    assert_eq!(compared(&stage, &odd, &to, "tsmigrate-it_s_")?, None);
    assert_eq!(stage.psql(&to, &["-c", "SELECT a FROM \"a%é;\".\"t %\""])?, "é");
    let (status, words) = stage.restore(&to, &[&with[..], &["--resume"]].concat())?;
    assert_eq!((status, words.matches("has arrived").count()), (0, 4), "{words}");
    stage.answers_of(&[&METRICS, &APPLICATIONS[0], &APPLICATIONS[1]], &from, &to)
}

#[test]
fn what_live_databases_bring_both_is_found_before_anything_is_written() -> Outcome {
    let test = "what_live_databases_bring_both_is_found_before_anything_is_written";
    let Some((stage, from, to)) = stage(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.create(&from, &METRICS)?;
    let (metrics, shop, crm) = (at(&from, "metrics"), at(&from, "shop"), at(&from, "crm"));
    stage.psql(
        &metrics,
        &["-c", "CREATE SCHEMA crm; CREATE TABLE crm.t (a int)", "-c", "SELECT lo_from_bytea(7700, 'x')"],
    )?;
    stage.psql(
        &crm,
        &[
            "-c",
            "CREATE SCHEMA ext; ALTER EXTENSION hstore SET SCHEMA ext",
            "-c",
            "SELECT lo_from_bytea(7700, 'y')",
        ],
    )?;
    stage.psql(&crm, &["-c", "CREATE PUBLICATION mrg_orders FOR TABLE users; ALTER ROLE mrg_shop IN DATABASE crm SET search_path = public"])?;
    let meets = [
        "databases metrics and crm into crm have both: schema crm, large object 7700",
        "databases shop into shop and crm into crm have both: publication mrg_orders, setting search_path of role mrg_shop",
        "extensions in different schemas, and the target has each once: hstore (public and ext)",
        "nothing was written of any",
    ];
    for more in [&["--dry-run"][..], &[]] {
        let (status, words) = migrate(&stage, &from, &to, more)?;
        assert_eq!(status, 2, "{words}");
        // Lines are broken where the page ends.
        let plain = words.split_whitespace().collect::<Vec<_>>().join(" ");
        for said in meets {
            assert!(plain.contains(said), "{said}: {words}");
        }
    }
    // What holds for the whole database is a decision, of the one that stays too.
    stage.psql(&crm, &["-c", "DROP PUBLICATION mrg_orders; ALTER ROLE mrg_shop IN DATABASE crm RESET search_path; SELECT lo_unlink(7700); ALTER EXTENSION hstore SET SCHEMA public"])?;
    stage.psql(
        &metrics,
        &["-c", "DROP SCHEMA crm CASCADE", "-c", "ALTER DATABASE metrics SET work_mem = '5MB'"],
    )?;
    let (status, words) = migrate(&stage, &from, &to, &[])?;
    assert_eq!(status, 1, "{words}");
    assert!(words.contains("MAP-05") && words.contains("database metrics cannot begin"), "{words}");
    stage.psql(&metrics, &["-c", "ALTER DATABASE metrics RESET work_mem"])?;
    // A second one with hypertables.
    stage.psql(
        &shop,
        &[
            "-c",
            "CREATE EXTENSION timescaledb",
            "-c",
            "CREATE TABLE m (at timestamptz NOT NULL); SELECT create_hypertable('m', 'at')",
        ],
    )?;
    let (status, words) = migrate(&stage, &from, &to, &[])?;
    assert_eq!(status, 2, "{words}");
    for said in [
        "database shop has 1 hypertable",
        "a service of its own",
        "decompressed",
        "nothing was written of any",
    ] {
        assert!(words.contains(said), "{said}: {words}");
    }
    assert_eq!(
        stage.psql(
            &to,
            &["-c", "SELECT to_regnamespace('shop') IS NULL AND to_regclass('readings') IS NULL"]
        )?,
        "t"
    );
    Ok(())
}

/// Kills a migration of all as soon as the target has a table.
fn killed(stage: &Stage, from: &str, to: &str, table: &str, more: &[&str]) -> Outcome {
    let mut arguments = sources(from);
    arguments.extend(["--max-rate", "200kB"].iter().chain(more).map(|&word| word.to_owned()));
    stage.killed(to, &arguments, &format!("SELECT to_regclass('{table}') IS NOT NULL"))
}

#[test]
fn a_migration_of_several_goes_on_whichever_was_killed() -> Outcome {
    let test = "a_migration_of_several_goes_on_whichever_was_killed";
    let Some((stage, from, to)) = stage(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.create(&from, &METRICS)?;
    let many = "INSERT INTO readings SELECT timestamptz '2025-01-01 00:00+00' + n * interval '1 minute', 1, n, repeat('x', 90) FROM generate_series(1, 20000) n";
    stage.psql(&at(&from, "metrics"), &["-c", many])?;
    let rows =
        "INSERT INTO log (id, note) SELECT n, repeat('public ', 20) || n FROM generate_series(1000, 20000) n";
    stage.psql(&at(&from, "crm"), &["-c", &format!("SET search_path = audit; {rows}")])?;
    // The source's own workers write there too.
    let again = ["--resume", "--new-snapshot"];
    killed(&stage, &from, &to, "public.readings", &[])?;
    killed(&stage, &from, &to, "crm_audit.log", &again)?;
    let (status, words) = migrate(&stage, &from, &to, &again)?;
    assert_eq!(status, 0, "{words}");
    assert!(words.contains("database metrics has arrived"), "{words}");
    assert!(words.contains("database shop into shop has arrived"), "{words}");
    all_are_equal(&stage, &from, &to)?;
    let readings = "SELECT count(*) = 21000 FROM readings";
    assert_eq!(stage.psql(&to, &["-c", readings])?, "t");
    Ok(())
}
