//! What may be resumed, and what cleans up.

use std::fs;
use std::process::{Command, Stdio};

use tsmigrate_tests::migration::Outcome;

use crate::theatre::{JOBS, Theatre};

#[test]
fn a_killed_run_is_closed_or_given_up_by_cleanup() -> Outcome {
    let test = "a_killed_run_is_closed_or_given_up_by_cleanup";
    let Some(theatre) = Theatre::open(test)? else { return Ok(()) };
    let stage = &theatre.stage;
    let before = stage.target_objects()?.split(',').next().map(str::to_owned);
    let kill = || -> Outcome {
        let mut child = theatre.in_the_rows(&["--verify", "none"])?;
        child.kill()?;
        child.wait()?;
        assert_eq!(stage.restoring()?, "1 on");
        Ok(())
    };
    kill()?;
    let (code, said) = stage.cleanup(&[])?;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("has left restoring mode") && said.contains("--resume"), "{said}");
    assert_eq!(stage.restoring()?, "0 off");
    assert_eq!(stage.sql(&stage.source, JOBS)?, theatre.jobs);
    let (code, said) = stage.cleanup(&[])?;
    assert_eq!(code, 0, "a second time: {said}");
    theatre.recover("cleaned up")?;

    kill()?;
    let (code, said) = stage.cleanup(&["--drop-target"])?;
    assert_eq!(code, 0, "{said}");
    assert_eq!(stage.restoring()?, "0 off");
    assert_eq!(stage.target_objects()?.split(',').next().map(str::to_owned), before);
    theatre.survives("begun anew", theatre.spawn(&["--verify", "none"])?)?;

    // A finished target is nobody's to drop.
    let ended = theatre.run(&["--verify", "none"])?;
    assert_eq!(ended.code, Some(0), "{}", ended.all);
    let (code, said) = stage.cleanup(&["--drop-target"])?;
    assert_eq!(code, 2, "{said}");
    theatre.check("not dropped")
}

#[test]
fn resuming_is_refused_where_something_else_would_arrive() -> Outcome {
    let test = "resuming_is_refused_where_something_else_would_arrive";
    let Some(theatre) = Theatre::open(test)? else { return Ok(()) };
    let stage = &theatre.stage;
    let ended = theatre.run(&["--resume"])?;
    assert!(ended.code == Some(2) && ended.error().contains("no run to go on with"), "{}", ended.all);
    let mut child = theatre.in_the_rows(&["--verify", "none"])?;
    child.kill()?;
    child.wait()?;
    let refused = |arguments: &[&str], reason: &str| -> Outcome {
        let ended = theatre.run(arguments)?;
        assert_eq!(ended.code, Some(2), "{}", ended.all);
        assert!(ended.error().contains(reason), "{reason}: {}", ended.all);
        Ok(())
    };
    refused(&["--resume", "--no-comments"], "options have changed")?;
    refused(&["--resume", "--exclude-data", "shop.odd"], "options have changed")?;

    // Another database on the same server, and another server.
    stage.sql(&stage.source, "CREATE DATABASE other")?;
    let mut other = stage.command(&["--resume"])?;
    other.env("SOURCE", stage.source.replace("/shop", "/other"));
    let said = String::from_utf8_lossy(&other.output()?.stdout).into_owned();
    assert!(said.contains("the source is another one"), "{said}");

    stage.sql(&stage.source, "ALTER TABLE shop.customer ADD COLUMN late integer DEFAULT 7")?;
    refused(&["--resume"], "schema")?;
    stage.sql(&stage.source, "ALTER TABLE shop.customer DROP COLUMN late")?;

    // Rows were written: not without being told to.
    stage.sql_text(
        "INSERT INTO shop.customer (name) VALUES ('late'); UPDATE shop.odd SET p = point(0, 0) WHERE tags[3] = '17';
         DELETE FROM shop.orders WHERE id % 1000 = 0; INSERT INTO shop.parts SELECT n, date '2023-05-05' FROM generate_series(1, 50) n;
         REFRESH MATERIALIZED VIEW shop.totals; REFRESH MATERIALIZED VIEW shop.top; SELECT nextval('shop.numbers');
         SELECT lo_put(90003, 0, '\\x0102'), lo_from_bytea(90500, 'late');",
    )?;
    refused(&["--resume", "--verify", "none"], "--resume --new-snapshot")?;
    let ended = theatre.run(&["--resume", "--new-snapshot", "--verify", "none"])?;
    assert_eq!(ended.code, Some(0), "{}", ended.all);
    theatre.check("with a new snapshot")
}

/// Starts `resume` while another session of the target holds what it needs, and kills it when it waits for that.
fn killed_while_it_waits(theatre: &Theatre, resume: &[&str], held: &str, waits: &str) -> Outcome {
    let stage = &theatre.stage;
    let mut holder = Command::new(stage.lab.programs()?.join("psql"))
        .args(["-Xq", "-d", &stage.admin, "-c", "BEGIN", "-c", held, "-c", "SELECT pg_sleep(600)"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let sleeps = "FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'";
    theatre.until(&mut holder, || Ok(theatre.admin(&format!("SELECT count(*) {sleeps}"))? == "1"))?;
    let mut child = theatre.spawn(resume)?;
    let waiting =
        format!("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ '{waits}'");
    let there = theatre.until(&mut child, || Ok(theatre.admin(&waiting)? != "0"))?;
    child.kill()?;
    let ended = theatre.wait(child)?;
    theatre.admin(&format!("SELECT pg_terminate_backend(pid) {sleeps}"))?;
    holder.wait()?;
    assert!(there, "{held}: {}", ended.all);
    Ok(())
}

#[test]
fn a_mended_schema_is_taken_up_whenever_that_is_killed() -> Outcome {
    let test = "a_mended_schema_is_taken_up_whenever_that_is_killed";
    let Some(theatre) = Theatre::open(test)? else { return Ok(()) };
    let stage = &theatre.stage;
    let function = |body: &str| {
        format!(
            "CREATE OR REPLACE FUNCTION shop.same(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN {body} END $$;"
        )
    };
    let (fails, fails_else, works) =
        (function("RAISE 'no good';"), function("RAISE 'no better';"), function("RETURN i;"));
    stage.sql_text(&format!(
        "CREATE TABLE shop.mended(id int); INSERT INTO shop.mended SELECT generate_series(1, 10); {works}
         CREATE INDEX aged ON shop.mended(id); CREATE INDEX bad ON shop.mended(shop.same(id)); {fails}"
    ))?;
    let ended = theatre.run(&["--verify", "none"])?;
    assert!(ended.code == Some(2) && ended.error().contains("no good"), "{}", ended.all);
    let plan = fs::read(stage.work.join("plan.json"))?;

    stage.sql_text(&format!("{fails_else} DROP INDEX shop.aged"))?;
    let resume = ["--resume", "--new-snapshot", "--verify", "none"];
    for (held, waits) in [
        ("ALTER FUNCTION shop.same(int) COST 7", "CREATE OR REPLACE FUNCTION"),
        ("LOCK TABLE shop.mended IN ACCESS SHARE MODE", "DROP INDEX IF EXISTS"),
    ] {
        killed_while_it_waits(&theatre, &resume, held, waits)?;
    }
    // The plan of before is what a process leaves that was killed before it could write the new one.
    for _ in 0..2 {
        let ended = theatre.run(&resume)?;
        assert!(ended.code == Some(2) && ended.error().contains("no better"), "{}", ended.all);
        fs::write(stage.work.join("plan.json"), &plan)?;
    }
    let ended = theatre.run(&resume)?;
    assert!(ended.code == Some(2) && ended.error().contains("no better"), "{}", ended.all);
    stage.sql_text(&works)?;
    let ended = theatre.run(&resume)?;
    assert_eq!(ended.code, Some(0), "{}", ended.all);
    theatre.check("taken up")?;
    let indexes = "SELECT string_agg(indexrelid::regclass::text, ' ') FROM pg_index WHERE indrelid = 'shop.mended'::regclass";
    assert_eq!(theatre.admin(indexes)?, "shop.bad");
    Ok(())
}
