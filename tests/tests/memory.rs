//! How much memory a check takes: a schema of thousands of findings, and one statement of a million rows. Small in every run
//! of the tests, and by the growth from one size to the next, so that what the program itself takes does not count:
//! `SCHEMAS=1500 ROWS=1000000 cargo test --release --workspace --test memory -- --nocapture` measures 39 MB of schema with
//! 168,000 findings and an INSERT of 9 MB, and shows the figures.

// A test that cannot go on fails: that is what its unwraps are for.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread::sleep;
use std::time::Duration;

use tempfile::TempDir;
use tsmigrate_tests::program;

/// Bytes that a finding takes, with the facts of the statements around it. 1,090 to 1,130 were measured; 1,220 to 1,290 while each shared name
/// took two words and titles were kept with every fix, and 1,660 to 2,030 while lists doubled and every fact had its own copies
/// of names. Two megabytes more or less are the allocator's noise, 220 bytes in the usual size. The goal is 1,070 (200 MB for
/// 168,000).
const OF_FINDING: u64 = 1_300;

/// Bytes that a byte of one statement takes.
const OF_BYTE: u64 = 40;

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(usual)
}

/// The project's own dump so many times over, each time with other schema names; what belongs to no schema once.
fn schemas(number: usize) -> String {
    let dump = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/dumps/schema-18.sql"))
        .unwrap();
    let dump: String = dump
        .lines()
        .filter(|line| !line.starts_with('\\'))
        .fold(String::new(), |text, line| text + line + "\n");
    let (head, objects) = dump.split_once("--\n-- Name: ").unwrap();
    let mut all = head.to_owned();
    for index in 0..number {
        for object in objects.split("--\n-- Name: ") {
            let of_database = object.contains("; Schema: -;") && !object.contains("; Type: SCHEMA;");
            if index == 0 || !of_database {
                all.push_str("--\n-- Name: ");
                all.push_str(&renamed(object, index));
            }
        }
    }
    all
}

/// The text with other schema names.
fn renamed(text: &str, index: usize) -> String {
    let mut all = String::new();
    let mut word = String::new();
    for c in text.chars() {
        if c.is_alphanumeric() || c == '_' {
            word.push(c);
            continue;
        }
        all.push_str(&word);
        if matches!(word.as_str(), "app" | "ext" | "Odd") {
            let _ = write!(all, "{index}");
        }
        word.clear();
        all.push(c);
    }
    all
}

/// One INSERT of so many rows.
fn rows(number: usize) -> String {
    let mut sql = "CREATE TABLE public.t (a integer);\nINSERT INTO public.t (a) VALUES\n".to_owned();
    for row in 0..number {
        let _ = write!(sql, "{}({row})", if row == 0 { "" } else { ",\n" });
    }
    sql + ";\n"
}

/// The most memory that the check of a text has held at once, in bytes, and how much it found.
fn peak(sql: &str) -> (u64, u64) {
    let folder = TempDir::new().unwrap();
    let (file, report) = (folder.path().join("schema.sql"), folder.path().join("report.json"));
    fs::write(&file, sql).unwrap();
    let mut command = program::program();
    command.args(["check", "--format", "json", "--output"]).arg(&report).arg(&file);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        // The system's own highest mark: what comes between two looks is in it.
        let status = fs::read_to_string(&status).unwrap_or_default();
        let highest = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = highest.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kilobytes.unwrap_or(0) << 10);
        sleep(Duration::from_millis(2));
    }
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report).unwrap()).unwrap();
    (peak, report["findings"].as_array().map_or(0, Vec::len) as u64)
}

#[test]
fn a_finding_takes_little_memory() {
    let number = number("SCHEMAS", 100);
    let (small, large) = (schemas(number / 5), schemas(number));
    let ((less, few), (more, many)) = (peak(&small), peak(&large));
    eprintln!("{} bytes of schema, {many} findings: {} MB of memory", large.len(), more >> 20);
    let each = more.saturating_sub(less) / (many - few);
    eprintln!("{each} bytes of memory for each finding");
    assert!(each <= OF_FINDING, "{each} bytes of memory for each finding");
}

#[test]
fn a_statement_of_many_rows_takes_little_memory() {
    let number = number("ROWS", 60_000);
    let (small, large) = (rows(number / 5), rows(number));
    let ((less, _), (more, _)) = (peak(&small), peak(&large));
    eprintln!("an INSERT of {} bytes: {} MB of memory", large.len(), more >> 20);
    let each = more.saturating_sub(less) / (large.len() - small.len()) as u64;
    eprintln!("{each} bytes of memory for each byte");
    assert!(each <= OF_BYTE, "{each} bytes of memory for each byte");
}
