//! Settings of roles and databases, as unlucky as they come: sessions of ours pin what changes bytes or ends sessions.

use std::error::Error;

use tsmigrate::connect::{Side, pinned};
use tsmigrate::quote::literal;
use tsmigrate_tests::lab::{Lab, Server};
use tsmigrate_tests::migration::{Outcome, Stage, told};

/// What a role or a database may say on either end: each of these stopped a run, or changed what arrived.
const UNLUCKY: [(&str, &str); 30] = [
    ("statement_timeout", "300ms"),
    ("lock_timeout", "1ms"),
    ("idle_in_transaction_session_timeout", "300ms"),
    ("idle_session_timeout", "300ms"),
    ("array_nulls", "off"),
    ("bytea_output", "escape"),
    ("DateStyle", "SQL, DMY"),
    ("IntervalStyle", "sql_standard"),
    ("extra_float_digits", "-15"),
    ("TimeZone", "Asia/Kathmandu"),
    ("xmloption", "document"),
    ("xmlbinary", "hex"),
    ("quote_all_identifiers", "on"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "on"),
    ("transform_null_equals", "on"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_read_only", "on"),
    ("default_transaction_deferrable", "on"),
    ("search_path", "evil, pg_catalog, public"),
    ("row_security", "on"),
    ("exit_on_error", "on"),
    ("gin_fuzzy_search_limit", "5"),
    ("client_min_messages", "error"),
    ("check_function_bodies", "on"),
    ("jit", "on"),
    ("synchronize_seqscans", "on"),
    ("default_statistics_target", "1"),
    ("tcp_user_timeout", "300ms"),
    ("role", "nobody_at_all"),
];

/// These came with PostgreSQL 16 and 17.
const NEWER: [(&str, &str); 2] =
    [("transaction_timeout", "300ms"), ("createrole_self_grant", "set, inherit")];

/// A session of the tests' own, which no setting disturbs.
const STEADY: &str = "SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET bytea_output = 'hex'; \
                      SET extra_float_digits = 3; SET quote_all_identifiers = off; SET search_path = 'public'; ";

fn alter(what: &str, settings: &[(&str, &str)]) -> String {
    let lists = ["DateStyle", "search_path"];
    settings.iter().fold(String::new(), |text, (name, value)| {
        let value = if lists.contains(name) { (*value).to_owned() } else { literal(value) };
        text + &format!("ALTER {what} SET {name} = {value};\n")
    })
}

#[test]
fn every_setting_that_a_session_may_set_is_pinned_or_left_for_a_reason() -> Outcome {
    let test = "every_setting_that_a_session_may_set_is_pinned_or_left_for_a_reason";
    let servers = [Server::Source15, Server::Source17, Server::Source18];
    let Some(lab) = Lab::start_or_skip(test, &servers)? else { return Ok(()) };
    let psql = |server, sql: &str| -> Result<String, Box<dyn Error>> {
        let output = std::process::Command::new(lab.programs()?.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", lab.uri(server)?, "-c", sql])
            .output()?;
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    };
    for server in servers {
        if server != Server::Source15 {
            psql(server, "CREATE EXTENSION IF NOT EXISTS timescaledb")?;
        }
        let names = psql(
            server,
            "SELECT name FROM pg_settings WHERE context IN ('user', 'superuser') AND (name !~ '[.]' OR name ~ '^timescaledb')",
        )?;
        assert!(names.lines().count() > 150, "{names}");
        let unknown: Vec<&str> = names.lines().filter(|name| !pinned::known(name)).collect();
        assert!(
            unknown.is_empty(),
            "{server:?} has settings that connect/pinned.rs does not know: {unknown:?}"
        );
        // What the statement says is so afterwards, whatever it was before.
        psql(server, &alter("ROLE postgres", &UNLUCKY[..29]))?;
        let wanted: Vec<String> = pinned::PINNED
            .iter()
            .filter(|pin| !["restrict_nonsystem_relation_kind", "lock_timeout"].contains(&pin.name))
            .map(|pin| format!("({}, {})", literal(pin.name), literal(pin.value)))
            .collect();
        let others = format!(
            "{}; SELECT 'other ' || v.name || ' ' || pg_catalog.current_setting(v.name, true) FROM (VALUES {}) v(name, value) \
             JOIN pg_settings s ON s.name = v.name WHERE s.context IN ('user', 'superuser') \
             AND pg_catalog.current_setting(v.name, true) <> v.value",
            pinned::sql(Side::Source),
            wanted.join(", ")
        );
        let found = psql(server, &others)?;
        let found: Vec<&str> = found.lines().filter(|line| line.starts_with("other ")).collect();
        assert!(found.is_empty(), "{server:?}: {found:?}");
    }
    Ok(())
}

/// Every row of every table as text, with settings that are the same on both servers.
fn rows(stage: &Stage, uri: &str) -> Result<String, Box<dyn Error>> {
    let mut all = String::new();
    for (table, order) in
        [("as_text", "id"), ("as_binary", "id"), ("days", "id"), ("per_month", "month"), ("never", "id")]
    {
        let copy = format!("COPY (SELECT * FROM public.{table} ORDER BY {order}) TO STDOUT");
        let rows = stage.script(uri, &format!("{STEADY}{copy};"))?;
        all.extend([table, "\n", &rows, "\n"]);
    }
    Ok(all)
}

#[test]
fn rows_arrive_as_they_are_whatever_roles_and_databases_say() -> Outcome {
    let test = "rows_arrive_as_they_are_whatever_roles_and_databases_say";
    let Some(stage) = Stage::new(test, Server::Source17, Server::Target17)? else { return Ok(()) };
    stage.fixture("settings.sql")?;
    // The run connects as roles of its own: settings of a role are for its sessions alone.
    let all: Vec<_> = UNLUCKY.into_iter().chain(NEWER).collect();
    let of_database: Vec<_> =
        all.iter().copied().filter(|(name, _)| *name != "TimeZone" && *name != "role").collect();
    stage.sql_text(&format!(
        "CREATE ROLE nobody_at_all; CREATE ROLE mover LOGIN SUPERUSER; {}{}",
        alter("ROLE mover IN DATABASE shop", &all),
        alter("ROLE mover", &[("session_replication_role", "replica"), ("timescaledb.disable_load", "on")]),
    ))?;
    // The database's own come over, and hold for every session of the target too.
    stage.sql_text(
        "ALTER DATABASE shop SET TimeZone = 'Pacific/Auckland'; ALTER DATABASE shop SET array_nulls = off",
    )?;
    stage.script(
        &stage.admin,
        &format!(
            "CREATE ROLE nobody_at_all; GRANT nobody_at_all TO tsdbadmin WITH ADMIN TRUE; {}{}",
            alter("ROLE tsdbadmin", &all),
            alter("ROLE tsdbadmin IN DATABASE tsdb", &of_database),
        ),
    )?;
    let source = stage.source.replace("//postgres@", "//mover@");
    assert_ne!(source, stage.source);
    let run = |arguments: &[&str]| told(&stage.command(arguments)?.env("SOURCE", &source).output()?);
    // Slow enough that each of the timeouts would have ended something.
    let (code, report, said) = run(&["--max-rate", "100kB", "--jobs", "2"])?;
    assert_eq!((code, &report["outcome"]), (0, &"migrated".into()), "{said}");
    assert_eq!(report["verification"]["differences"], serde_json::json!([]), "{said}");
    let format = |name: &str| {
        let tables = report["tables"].as_array().into_iter().flatten();
        tables.into_iter().find(|table| table["name"] == name).map(|table| table["format"].clone())
    };
    assert_eq!(format("public.as_text"), Some("text".into()), "{said}");
    assert_eq!(format("public.as_binary"), Some("binary".into()), "{said}");
    let (ours, theirs) = (rows(&stage, &stage.source)?, rows(&stage, &stage.admin)?);
    assert!(ours.lines().count() > 860, "{ours}");
    assert_eq!(ours, theirs);
    let found = stage.script(
        &stage.admin,
        "SET TimeZone = 'Pacific/Auckland'; SET enable_seqscan = off; SELECT count(*) FROM days WHERE local_day(at) = '2024-07-05'",
    )?;
    assert_eq!(found, "1", "the index was built with the time zone that applications have");
    assert_eq!(stage.sql(&stage.admin, "SELECT pg_get_viewdef('never'::regclass) ~ 'NULL::money'")?, "t");
    assert_eq!(
        stage.sql(&stage.admin, "SELECT count(*) FROM pg_auth_members WHERE roleid = 'mover'::regrole AND (set_option OR inherit_option)")?,
        "0",
        "createrole_self_grant gives the administrator nothing"
    );
    Ok(())
}
