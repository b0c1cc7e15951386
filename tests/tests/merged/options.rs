//! Ways on for a database that moves: a source that was written to meanwhile, rows that break keys, nobody else's roles.

use std::error::Error;

use tsmigrate_tests::lab::Server;

use crate::stage::{Outcome, at, compared, stage};

/// True on a target to which rows have begun to be copied.
const IS_COPYING: &str = "SELECT EXISTS (SELECT FROM _tsmigrate.done WHERE step ~ '^data/')";

#[test]
fn a_source_that_was_written_to_is_followed_beside_others() -> Outcome {
    let test = "a_source_that_was_written_to_is_followed_beside_others";
    let Some((stage, from, to)) = stage(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    let (shop, crm) = (at(&from, "shop"), at(&from, "crm"));
    let (status, words) = stage.migrate(&shop, &to, &["--into-schema", "shop"])?;
    assert_eq!(status, 0, "{words}");
    let rows =
        "INSERT INTO log (id, note) SELECT n, repeat('public ', 20) || n FROM generate_series(1000, 20000) n";
    stage.psql(&crm, &["-c", &format!("SET search_path = audit; {rows}")])?;
    let slowly = ["--max-rate", "300kB", "--source", &crm, "--into-schema", "crm"].map(str::to_owned);
    stage.killed(&to, &slowly, IS_COPYING)?;
    stage.psql(&crm, &["-c", "UPDATE crm.people SET name = 'later' WHERE id = 2; UPDATE audit.log SET note = 'public.x' WHERE id = 1000; \
        CREATE TABLE audit.new (id int PRIMARY KEY, state public.status); INSERT INTO audit.new VALUES (1, 'lead'); \
        ALTER TABLE crm.people ADD COLUMN born date; DROP VIEW audit.near; \
        CREATE OR REPLACE FUNCTION named() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM audit.note(NEW.name || '!'); RETURN NEW; END $$"])?;
    let into = ["--into-schema", "crm", "--resume"];
    let (status, words) = stage.migrate(&crm, &to, &into)?;
    assert_eq!(status, 2, "{words}");
    let plain = words.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(plain.contains("the same command with --resume --new-snapshot"), "{words}");
    // What somebody else has created there does not go with what has changed.
    stage.psql(&to, &["-c", "CREATE VIEW public.theirs AS SELECT name FROM crm_crm.people"])?;
    let (status, words) = stage.migrate(&crm, &to, &[&into[..], &["--new-snapshot"]].concat())?;
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("theirs"), "{words}");
    stage.psql(&to, &["-c", "DROP VIEW public.theirs"])?;
    let (status, words) = stage.migrate(&crm, &to, &[&into[..], &["--new-snapshot"]].concat())?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(compared(&stage, &crm, &to, "tsmigrate-crm")?, None);
    assert_eq!(compared(&stage, &shop, &to, "tsmigrate-shop")?, None);
    Ok(())
}

/// What is printed behind an option, up to the end of the line.
fn printed(words: &str, option: &str) -> Result<String, Box<dyn Error>> {
    let (_, rest) = words.rsplit_once(option).ok_or_else(|| format!("no {option}: {words}"))?;
    let value: String = rest.chars().take_while(|c| *c != '\n').collect();
    Ok(value.trim().trim_matches('\'').to_owned())
}

#[test]
fn rows_that_break_keys_and_databases_without_roles_move_too() -> Outcome {
    let test = "rows_that_break_keys_and_databases_without_roles_move_too";
    let Some((stage, from, to)) = stage(test, Server::Source18, Server::Target18)? else { return Ok(()) };
    let (shop, crm) = (at(&from, "shop"), at(&from, "crm"));
    stage.psql(
        &crm,
        &[
            "-c",
            "SET session_replication_role = replica; INSERT INTO \"Odd Name\".\"T 1\" (person) VALUES (99)",
        ],
    )?;
    let into = ["--into-schema", "crm"];
    let (status, words) = stage.migrate(&crm, &to, &into)?;
    assert_eq!(status, 2, "{words}");
    assert!(words.contains("person") && words.contains("99"), "{words}");
    let name = printed(&words, "--allow-violations ")?;
    assert!(name.contains("crm_Odd Name"), "{name}");
    let (status, words) =
        stage.migrate(&crm, &to, &[&into[..], &["--resume", "--allow-violations", &name]].concat())?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(compared(&stage, &crm, &to, "tsmigrate-crm")?, None);
    let valid = "SELECT string_agg(convalidated::text, ' ') FROM pg_constraint WHERE conrelid = '\"crm_Odd Name\".\"T 1\"'::regclass AND contype = 'f'";
    assert_eq!(stage.psql(&to, &["-c", valid])?, "false");
    // The same by the source's name, before it begins.
    let given = [
        "--into-schema",
        "crm2",
        "--allow-violations",
        "\"Odd Name\".\"T 1\".\"T 1_person_fkey\"",
        "--no-owner",
        "--work-dir",
        "second",
    ];
    let (status, words) = stage.migrate(&crm, &to, &given)?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(compared(&stage, &crm, &to, "second")?, None);
    let (status, words) = stage.migrate(&shop, &to, &["--into-schema", "shop", "--no-roles"])?;
    assert_eq!(status, 0, "{words}");
    assert_eq!(compared(&stage, &shop, &to, "tsmigrate-shop")?, None);
    let owners = "SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class WHERE relnamespace IN ('shop'::regnamespace, 'crm2_crm'::regnamespace)";
    assert_eq!(stage.psql(&to, &["-c", owners])?, "tsdbadmin");
    Ok(())
}
