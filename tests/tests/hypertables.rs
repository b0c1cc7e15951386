//! The script that makes hypertables, on a restored dump: every row is there afterwards, and so is what stood on the tables.

// A test that cannot go on fails: that is what its unwraps and panics are for.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use tsmigrate_analyzer::conversion::conversion;
use tsmigrate_analyzer::{Analysis, Input, Options, Target, analyze};
use tsmigrate_tests::lab::{Lab, Server, skipped};

type Outcome = Result<(), Box<dyn Error>>;

const FILE: &str = "convert-to-hypertables.sql";

/// A line that begins so waits for a person's decision.
const UNDECIDED: &str = "--? ";

fn dump() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/hypertables/plant-17.sql");
    std::fs::read_to_string(path).unwrap()
}

fn analysed(text: &str, options: &Options) -> Analysis {
    let target = Target::default().with_version(17);
    analyze(&[Input { name: "plant.sql", text: text.as_bytes() }], &target, options).unwrap()
}

fn script(analysis: &Analysis) -> &str {
    &analysis.scripts.iter().find(|script| script.file == FILE).unwrap().sql
}

/// What is converted, and what comes on top of it.
fn parts(script: &str) -> (&str, &str) {
    script.split_at(script.find("-- PART 2").unwrap())
}

fn decided(script: &str) -> String {
    script.lines().map(|line| line.strip_prefix(UNDECIDED).unwrap_or(line)).collect::<Vec<_>>().join("\n")
        + "\n"
}

/// Runs a text as tsdbadmin does: psql, one session, ends at the first error.
fn psql(lab: &Lab, uri: &str, text: &str) -> Result<String, Box<dyn Error>> {
    let mut child = Command::new(lab.programs()?.join("psql"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", uri, "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut input = child.stdin.take().ok_or("no standard input")?;
    let text = text.to_owned();
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output()?;
    // psql that ended at an error reads no further: its own words say why.
    let _ = writer.join();
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Every row of the tables that the script speaks of.
const ROWS: &str = r#"
SELECT 'readings', count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM plant.readings t
UNION ALL SELECT 'events', count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM plant.events t
UNION ALL SELECT 'meter_values', count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM plant.meter_values t
UNION ALL SELECT 'audit_log', count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM plant.audit_log t
UNION ALL SELECT 'ticks', count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM plant."Tick's" t
UNION ALL SELECT 'host_metrics', count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM plant.host_metrics t
ORDER BY 1;
"#;

/// What stands on a table beside its rows.
const AROUND: &str = "
SELECT 'trigger', tgname FROM pg_trigger WHERE tgrelid = 'plant.meter_values'::regclass AND NOT tgisinternal
    AND tgname NOT LIKE 'ts_%'
UNION ALL SELECT 'policy', polname FROM pg_policy WHERE polrelid = 'plant.meter_values'::regclass
UNION ALL SELECT 'foreign key', conname FROM pg_constraint
    WHERE conrelid = 'plant.meter_values'::regclass AND contype = 'f'
UNION ALL SELECT 'publication', pubname FROM pg_publication_tables WHERE tablename = 'events'
UNION ALL SELECT 'privilege', acl::text FROM pg_class, unnest(relacl) acl
    WHERE oid = 'plant.meter_values'::regclass AND acl::text LIKE '=%'
UNION ALL SELECT 'next id', nextval(pg_get_serial_sequence('plant.meter_values', 'id'))::text
UNION ALL SELECT 'next number', nextval(pg_get_serial_sequence('plant.audit_log', 'id'))::text
ORDER BY 1, 2;
";

const HYPERTABLES: &str = "SELECT hypertable_name FROM timescaledb_information.hypertables ORDER BY 1;";

fn restore(lab: &Lab, uri: &str, options: &Options) -> Result<Analysis, Box<dyn Error>> {
    let text = dump();
    let analysis = analysed(&text, options);
    assert_eq!(analysis.unsolved().count(), 0, "{:#?}", analysis.unsolved().collect::<Vec<_>>());
    let rewritten = String::from_utf8(analysis.rewritten(0, text.as_bytes()))?;
    lab.reset(Server::Target17)?;
    psql(lab, uri, &rewritten)?;
    Ok(analysis)
}

#[test]
fn series_are_suggested_and_the_tables_of_a_business_are_not() {
    let text = dump();
    let analysis = analysed(&text, &Options::default());
    let suggested: Vec<&str> = analysis
        .findings
        .iter()
        .filter(|finding| finding.rule.id == "HT-00")
        .filter_map(|finding| finding.object.as_deref())
        .collect();
    assert_eq!(
        suggested,
        [
            "table plant.\"Tick's\"",
            "table plant.audit_log",
            "table plant.events",
            "table plant.host_metrics",
            "table plant.meter_values",
            "table plant.readings"
        ]
    );
    insta::assert_snapshot!("convert-to-hypertables", script(&analysis));
}

#[test]
fn the_script_converts_a_restored_dump_and_keeps_its_rows() -> Outcome {
    const NAME: &str = "the_script_converts_a_restored_dump_and_keeps_its_rows";
    let Some(lab) = Lab::start_or_skip(NAME, &[Server::Target17])? else { return Ok(()) };
    let uri = lab.uri(Server::Target17)?;
    let analysis = restore(&lab, uri, &Options::default())?;
    let (conversions, on_top) = parts(script(&analysis));
    let ask = |sql: &str| psql(&lab, uri, sql);
    let rows = ask(ROWS)?;
    let around = ask(&format!("BEGIN;{AROUND}ROLLBACK;"))?;

    psql(&lab, uri, conversions)?;
    assert_eq!(ask(HYPERTABLES)?, "Tick's\naudit_log\nmeter_values\nreadings", "what needs no decision");
    assert_eq!(ask(ROWS)?, rows);
    psql(&lab, uri, conversions)?;
    assert_eq!(ask(ROWS)?, rows, "a second run changes nothing");

    psql(&lab, uri, &decided(conversions))?;
    assert_eq!(ask(HYPERTABLES)?, "Tick's\naudit_log\nevents\nhost_metrics\nmeter_values\nreadings");
    assert_eq!(ask(ROWS)?, rows);
    // Numbers go on where they were: the first nextval above was not undone by its transaction.
    let numbers_of = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("next")).map(str::to_owned).collect()
    };
    let now = ask(AROUND)?;
    assert_eq!(numbers_of(&now), numbers_of(&around));
    for (before, now) in around.lines().zip(now.lines()).filter(|(line, _)| line.starts_with("next")) {
        let number = |line: &str| line.rsplit('|').next().and_then(|n| n.parse::<i64>().ok());
        assert!(number(now) > number(before), "{before} {now}");
    }

    if ask("SELECT current_setting('timescaledb.license');")? != "timescale" {
        skipped(&format!("{NAME}: columnstore and retention"), "the lab has TimescaleDB's Apache edition");
        return Ok(());
    }
    let on_top = decided(on_top);
    psql(&lab, uri, &on_top)?;
    psql(&lab, uri, &on_top)?;
    let enabled = "SELECT string_agg(hypertable_name, ',' ORDER BY 1) FROM timescaledb_information.hypertables \
                   WHERE compression_enabled;";
    assert_eq!(ask(enabled)?, "Tick's,audit_log,events,host_metrics,readings");
    let kept = "SELECT config ->> 'drop_after' FROM timescaledb_information.jobs WHERE proc_name = 'policy_retention' \
                AND hypertable_schema = 'plant';";
    assert_eq!(ask(kept)?, "90 days");
    Ok(())
}

#[test]
fn a_chosen_table_is_a_hypertable_as_soon_as_it_is_restored() -> Outcome {
    const NAME: &str = "a_chosen_table_is_a_hypertable_as_soon_as_it_is_restored";
    let Some(lab) = Lab::start_or_skip(NAME, &[Server::Target17])? else { return Ok(()) };
    let uri = lab.uri(Server::Target17)?;
    restore(&lab, uri, &Options::default())?;
    let rows = psql(&lab, uri, ROWS)?;
    let mut options = Options::default();
    for chosen in ["plant.readings:time:1 day", "plant.host_metrics:ts:86400"] {
        let (table, how) = conversion(chosen)?;
        options.convert.insert(table, how);
    }
    restore(&lab, uri, &options)?;
    assert_eq!(psql(&lab, uri, HYPERTABLES)?, "host_metrics\nreadings");
    assert_eq!(psql(&lab, uri, ROWS)?, rows);
    let chunks =
        "SELECT count(*) > 20 FROM timescaledb_information.chunks WHERE hypertable_name = 'readings';";
    assert_eq!(psql(&lab, uri, chunks)?, "t", "a chunk for each day");
    Ok(())
}
