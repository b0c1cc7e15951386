use super::*;
use crate::progress::Activity;
use crate::report::{Moved, Stage};
use crate::results::{Built, Missing, MovedTable, Script};
use crate::verify::{Difference, Verification};

/// A run with something of everything, and names that mean harm.
pub(in crate::report) fn report() -> Report {
    let name = "<script>alert(1)</script>\"'&\n\u{1b}[2J\u{202e}".to_owned();
    let table = |name: String, seconds: f64| MovedTable {
        name,
        format: "binary".into(),
        parts: 3,
        rows: 12_000_000,
        bytes: 1_200_000_000,
        begun: 1.0,
        ended: 1.0 + seconds,
        seconds: seconds * 3.0,
    };
    let built = |kind: &str, name: String, seconds| Built { kind: kind.into(), name, begun: 20.0, seconds };
    let finding = |rule: &'static str, severity, solved, lost: Option<&str>| Finding {
        rule: rule.into(),
        severity,
        part: "pre-data",
        line: 7,
        object: Some(name.as_str().into()),
        message: "it cannot be made".into(),
        solved,
        accepted: false,
        lost: lost.map(Into::into),
        advice: None,
        cause: None,
        view: None,
    };
    let difference = |found: Option<&str>| Difference {
        kind: "rows".into(),
        object: name.clone(),
        expected: Some("7".into()),
        found: found.map(ToOwned::to_owned),
        reason: None,
        details: vec![format!("id = {name}")],
    };
    let activity = |kind, what: &str, begun: f64, seconds: f64| Activity {
        kind,
        what: what.to_owned(),
        why: (kind == "wait").then(|| name.clone()),
        begun,
        seconds,
        bytes: if kind == "copy" { 1_200_000_000 } else { 0 },
    };
    let mut tables: Vec<_> = (0..7).map(|n| table(format!("s.t{n}"), f64::from(n))).collect();
    tables.push(table(name.clone(), 30.0));
    Report {
        version: super::super::VERSION,
        outcome: Outcome::Differs,
        source: "postgres://postgres@db.example:5432/shop".into(),
        target: "postgres://tsdbadmin@x.tsdb.example:5432/tsdb?sslmode=require".into(),
        started: "2026-11-22T18:00:00.000Z".into(),
        seconds: 95.25,
        plan: None,
        findings: vec![
            finding("OWN-01", "error", true, Some("owner <b>")),
            finding("EXT-01", "error", false, None),
            finding("TSP-03", "warning", false, None),
        ],
        blockers: Vec::new(),
        stages: vec![
            Stage { name: "roles", result: "12 statements".into(), begun: 0.5, seconds: 0.3 },
            Stage { name: "data", result: "61,000,000 rows, 166 MB/s".into(), begun: 1.0, seconds: 75.0 },
        ],
        moved: Moved { tables: 8, rows: 96_000_000, bytes: 9_600_000_000, seconds: 131.0, statements: 332 },
        tables,
        activity: vec![
            activity("copy", &name, 1.0, 30.0),
            activity("copy", "s.t6", 1.0, 18.0),
            activity("index", "i on s.t6", 20.0, 12.0),
            activity("wait", "copy of s.t5", 31.0, 4.0),
        ],
        built: vec![built("index", name.clone(), 12.0), built("foreign-key", "f on s.t1".into(), 3.0)],
        missing: vec![Missing { what: name.clone(), why: "the service does not have it".into(), sql: None }],
        passwords_to_set: vec![name.clone()],
        jobs: vec![MovedJob {
            id: 1000,
            name: name.clone(),
            owner: "a".into(),
            new_owner: "tsdbadmin".into(),
            scheduled: true,
        }],
        warnings: vec!["WARNING: something".into()],
        verification: Some(Verification {
            compared: [("tables".to_owned(), 9)].into(),
            differences: vec![difference(Some("6")), difference(None)],
            announced: vec![difference(Some("5"))],
            ..Verification::default()
        }),
        next: vec!["look at the differences before any application uses the target".into()],
        scripts: vec![Script {
            file: "later.sql".into(),
            title: name.clone(),
            rule: "EXT-01".into(),
            sql: format!("-- {name}\nSELECT 1;"),
        }],
        work_dir: Some("tsmigrate-shop".into()),
        ..Report::default()
    }
}

#[test]
fn every_part_is_there_and_the_verdict_is_the_end() {
    let text = report().text();
    let (parts, end) = text.split_at(text.find("\n✗").expect("a verdict"));
    assert_eq!(
        end,
        "\n✗ done, but the target differs from the source in 1 min 35 s\n  \
         96,000,000 rows in 8 tables, 9.60 GB of data, 332 statements\n  \
         from postgres://postgres@db.example:5432/shop\n  \
         to   postgres://tsdbadmin@x.tsdb.example:5432/tsdb?sslmode=require\n\
         next: look at the differences before any application uses the target\n\
         report: tsmigrate-shop/report.html\n"
    );
    let titles: Vec<&str> = parts.lines().filter(|line| !line.is_empty() && !line.starts_with(' ')).collect();
    let expected = "stages|slowest tables|slowest builds|not fixed by the rewrite|fixed by the rewrite|what changes|you \
                    will lose|did not arrive|jobs|the target's server warned|verification|passwords to set|scripts \
                    for later";
    assert_eq!(titles.join("|"), expected, "{text}");
}

#[test]
fn a_blocked_run_leads_to_its_decisions() {
    let decision = crate::results::Decision {
        title: "The target will not have extension dblink".into(),
        why: "The service installs extensions from a list.".into(),
        blocks: 7,
        rules: vec!["DEP-01".into()],
        places: vec!["pre-data:680 view v".into(), "pre-data:683 view v".into()],
        choices: vec!["Change it".into(), "Leave it out: the same command with --accept EXT-01".into()],
        ..Default::default()
    };
    let report = Report { outcome: Outcome::Blocked, decisions: vec![decision], ..Report::default() };
    assert_eq!(
        report.text(),
        "\ndecision 1: The target will not have extension dblink (7 errors: DEP-01)\n  \
         at: pre-data:680 view v, pre-data:683 view v and 5 more\n  \
         why: The service installs extensions from a list.\n  \
         do: Change it\n  or: Leave it out: the same command with --accept EXT-01\n\n\
         ✗ blocked; nothing was written\n"
    );
}

#[test]
fn an_interrupted_run_is_five_lines_with_the_command_that_continues() {
    let mut report = report();
    report.outcome = Outcome::Interrupted;
    report.state = vec![
        "the target has left restoring mode".into(),
        "what was copied stays on the target and is not copied again".into(),
    ];
    report.next =
        vec!["continue with: tsmigrate migrate --resume".into(), "or give it up: tsmigrate cleanup".into()];
    let text = report.text();
    let lines: Vec<&str> = text.trim().lines().collect();
    assert_eq!(lines.len(), 5, "{text}");
    assert!(lines[0].starts_with("✗ interrupted"), "{text}");
    assert_eq!(lines[3], "next: continue with: tsmigrate migrate --resume");
}

#[test]
fn a_command_is_never_broken_and_no_title_is_cut() {
    let finding = |rule: &'static str, severity, solved, lost: Option<&str>| Finding {
        rule: rule.into(),
        severity,
        part: "roles",
        line: 7,
        object: None,
        message: "every login would warn".into(),
        solved,
        accepted: false,
        lost: lost.map(Into::into),
        advice: None,
        cause: None,
        view: None,
    };
    let command =
        format!("tsmigrate migrate --dry-run --pg-bin {} --accept EXT-01", "/long/folder".repeat(9));
    let report = Report {
        outcome: Outcome::Blocked,
        findings: vec![
            finding("TSP-06", "warning", true, Some("default_tablespace of role reporting")),
            finding("OWN-01", "error", true, None),
            finding("OWN-01", "error", true, None),
        ],
        next: vec![format!("go on without what the target cannot have: {command}"), "look around".into()],
        ..Report::default()
    };
    let text = report.page(false, 80);
    let fixed =
        "fixed by the rewrite\n  OWN-01  owner                  2   TSP-06  stored-tablespace      1\n";
    assert!(text.contains(fixed), "{text}");
    // What is lost is said once.
    assert!(text.contains("you will lose\n  TSP-06") && !text.contains("what changes"), "{text}");
    let next = format!("next: go on without what the target cannot have:\n    {command}\n  look around\n");
    assert!(text.contains(&next), "{text}");
}

#[test]
fn the_slowest_tables_come_with_their_rates() {
    let text = report().text();
    assert!(text.contains("      30 s   1.20 GB  40.0 MB/s 12,000,000 rows  binary <script>"), "{text}");
    assert!(text.contains("      6.0 s   1.20 GB   200 MB/s 12,000,000 rows  binary s.t6"), "{text}");
    assert!(!text.contains("s.t2\n"), "only five are shown: {text}");
}

#[test]
fn no_name_steers_the_terminal() {
    for text in [report().text(), anstream::adapter::strip_str(&report().colored()).to_string()] {
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text}");
    }
    assert!(report().colored().contains('\u{1b}'));
}

#[test]
fn lines_are_short_where_no_name_is_long() {
    let mut report = report();
    report.missing[0].why = "a reason of many words ".repeat(12);
    assert!(report.text().lines().all(|line| human::width(line) <= COLUMNS), "{}", report.text());
}

#[test]
fn without_a_comparison_nothing_is_called_verified() {
    let report = Report { outcome: Outcome::Migrated, ..Report::default() };
    assert!(report.text().contains("✓ migrated, not verified"));
}

#[test]
fn a_line_that_is_too_wide_goes_on_behind_its_mark() {
    let wide = "    ! view  reports.orders  is not on the target";
    assert_eq!(set_in(wide, 32), ["    ! view  reports.orders  is", "      not on the target"]);
    assert_eq!(set_in(wide, 80), [wide]);
    assert_eq!(set_in("  a note of some words", 15), ["  a note of", "    some words"]);
}
