//! `tsmigrate verify` by itself, without the work directory of a migration: what it says of what it may not read, of tables that
//! became hypertables, and of publications that became lists of tables.

use std::error::Error;
use std::process::Command;

use serde_json::Value;
use tsmigrate_tests::lab::Server;
use tsmigrate_tests::migration::{Outcome, Stage};
use tsmigrate_tests::program;

/// Its exit status, its report, and what it says to people.
fn verify(stage: &Stage, arguments: &[&str]) -> Result<(i32, Value, String), Box<dyn Error>> {
    let run = |format: &str| {
        Command::new(program::path())
            .args(["verify", "--format", format])
            .args(arguments)
            .env("SOURCE", &stage.source)
            .env("TARGET", &stage.target)
            .output()
    };
    let (json, text) = (run("json")?, run("text")?);
    assert_eq!(json.status, text.status);
    let said = String::from_utf8_lossy(&[text.stdout, text.stderr].concat()).into_owned();
    Ok((json.status.code().ok_or("killed")?, serde_json::from_slice(&json.stdout)?, said))
}

/// The differences of a kind: object, what was expected, what was found.
fn differences<'a>(report: &'a Value, kind: &str) -> Vec<[&'a str; 3]> {
    let all = report["verification"]["differences"].as_array().into_iter().flatten();
    let text = |difference: &'a Value, key: &str| difference[key].as_str().unwrap_or_default();
    all.filter(|difference| difference["kind"] == kind)
        .map(|difference| ["object", "expected", "found"].map(|key| text(difference, key)))
        .collect()
}

#[test]
fn rows_that_row_security_hides_are_not_compared_and_said_to_be() -> Outcome {
    let test = "rows_that_row_security_hides_are_not_compared_and_said_to_be";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE ROLE owner_of_it; CREATE TABLE \"Hid den\" AS SELECT n FROM generate_series(1, 501) n;
         ALTER TABLE \"Hid den\" OWNER TO owner_of_it; ALTER TABLE \"Hid den\" ENABLE ROW LEVEL SECURITY;
         ALTER TABLE \"Hid den\" FORCE ROW LEVEL SECURITY; CREATE POLICY odd ON \"Hid den\" USING (n % 2 = 1);
         CREATE TABLE open AS SELECT 1 AS a;",
    )?;
    let (code, _, all) = stage.migrate(&[])?;
    assert_eq!(code, 0, "{all}");
    let (code, report, said) = verify(&stage, &[])?;
    assert_eq!((code, &report["outcome"]), (2, &"incomplete".into()), "{said}");
    assert_eq!(report["verification"]["rows"]["not_compared"], 1, "{said}");
    let hidden = "public.\"Hid den\": its rows were not compared: row security hides rows of it on the target from tsdbadmin and \
                  from its owner; compare again with ALTER TABLE public.\"Hid den\" NO FORCE ROW LEVEL SECURITY";
    let mut notes =
        report["verification"]["notes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    assert!(notes.any(|note| note.starts_with(hidden)), "{said}");
    let next = report["next"].to_string();
    assert!(next.contains("look at the notes: rows of 1 table were not compared"), "{next}");
    assert!(said.contains("1 table not compared"), "{said}");
    assert!(!said.contains("no count") && !said.contains("nothing is left to do"), "{said}");
    // As it says.
    stage.sql(&stage.admin, "ALTER TABLE public.\"Hid den\" NO FORCE ROW LEVEL SECURITY")?;
    stage.sql(&stage.admin, "DELETE FROM \"Hid den\" WHERE n = 2")?;
    let (code, report, said) = verify(&stage, &[])?;
    assert_eq!(code, 1, "{said}");
    assert_eq!(differences(&report, "rows"), [["public.\"Hid den\"", "501 rows", "500 rows"]], "{said}");
    Ok(())
}

#[test]
fn rows_of_tables_that_became_hypertables_are_compared() -> Outcome {
    let test = "rows_of_tables_that_became_hypertables_are_compared";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE TABLE plain(at timestamptz NOT NULL, v int);
         INSERT INTO plain SELECT '2024-01-01'::timestamptz + n * interval '1 day', n FROM generate_series(1, 501) n;
         CREATE TABLE \"Part ed\" (at timestamptz NOT NULL, v int) PARTITION BY RANGE (at);
         CREATE TABLE parted_1 PARTITION OF \"Part ed\" FOR VALUES FROM ('2024-01-01') TO ('2026-01-01');
         INSERT INTO \"Part ed\" SELECT * FROM plain;",
    )?;
    let arguments = ["--hypertable", "public.plain:at", "--hypertable", "public.\"Part ed\":at"];
    let (code, _, all) = stage.migrate(&arguments)?;
    assert_eq!(code, 0, "{all}");
    let (code, report, said) = verify(&stage, &[])?;
    assert_eq!(code, 1, "they are other tables now: {said}");
    assert_eq!(differences(&report, "rows"), Vec::<[&str; 3]>::new(), "{said}");
    stage.sql(&stage.admin, "DELETE FROM plain WHERE v = 7; DELETE FROM \"Part ed\" WHERE v < 3")?;
    let (_, report, said) = verify(&stage, &[])?;
    let expected = [["public.\"Part ed\"", "501 rows", "499 rows"], ["public.plain", "501 rows", "500 rows"]];
    assert_eq!(differences(&report, "rows"), expected, "{said}");
    Ok(())
}

#[test]
fn tables_that_left_a_publication_of_all_tables_are_named() -> Outcome {
    let test = "tables_that_left_a_publication_of_all_tables_are_named";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.sql_text(
        "CREATE TABLE \"A, b\" (a int PRIMARY KEY); CREATE TABLE c (a int PRIMARY KEY); CREATE UNLOGGED TABLE never (a int);
         CREATE SCHEMA s; CREATE TABLE s.one (a int); CREATE TABLE s.two (a int);
         CREATE TABLE parted (a int) PARTITION BY LIST (a); CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
         CREATE PUBLICATION everything FOR ALL TABLES; CREATE PUBLICATION of_s FOR TABLES IN SCHEMA s;",
    )?;
    let (code, report, all) = stage.migrate(&[])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{all}");
    let work = stage.work.display().to_string();
    let known = ["--work-dir", work.as_str()];
    let (code, _, said) = verify(&stage, &known)?;
    assert_eq!(code, 0, "{said}");
    stage.sql(
        &stage.admin,
        "ALTER PUBLICATION everything DROP TABLE \"A, b\"; ALTER PUBLICATION of_s DROP TABLE s.two",
    )?;
    for arguments in [&known[..], &[]] {
        let (code, report, said) = verify(&stage, arguments)?;
        assert_eq!(code, 1, "{said}");
        let expected = [
            ["everything", "all tables", "not these: public.\"A, b\""],
            ["of_s", "all tables of its schemas", "not these: s.two"],
        ];
        assert_eq!(differences(&report, "published tables"), expected, "{said}");
    }
    Ok(())
}
