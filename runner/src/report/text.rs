//! The closing summary for people: the verdict first, then what was done, what is missing, and what is left to do.

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use tsmigrate_analyzer::report::{count, thousands};

use super::{Outcome, Report};
use crate::human;
use crate::quote::quoted;
use crate::results::{Finding, MovedJob, span};

/// Columns of a line.
const COLUMNS: usize = 100;
/// So many findings of one rule are shown; the report's JSON has all.
const OF_A_RULE: usize = 3;
/// So many of the slowest are shown.
const SLOWEST: usize = 5;
/// What took less than this many seconds is not worth a line.
const WORTH: f64 = 1.0;
/// So many lines of a list that can be long.
const LINES: usize = 12;
/// So many lines of the comparison.
const COMPARED: usize = 120;
/// So many things that a person has to know of.
const DIFFERENCES: usize = 50;

/// What is written, with or without colours.
struct Page {
    text: String,
    color: bool,
    columns: usize,
}

impl Report {
    /// The closing summary.
    #[must_use]
    pub fn text(&self) -> String {
        self.page(false, COLUMNS)
    }

    /// The same for the terminal that the standard output is: in colour, and no wider than it. Whoever prints it
    /// takes the colours away where no terminal is.
    #[must_use]
    pub fn colored(&self) -> String {
        let size = terminal_size::terminal_size_of(std::io::stdout());
        let columns = size.map_or(COLUMNS, |(columns, _)| usize::from(columns.0).clamp(60, COLUMNS));
        self.page(true, columns)
    }

    fn page(&self, color: bool, columns: usize) -> String {
        let mut page = Page { text: String::new(), color, columns };
        self.verdict(&mut page);
        let planned = matches!(self.outcome, Outcome::Planned | Outcome::Blocked);
        page.blocks(
            "blocked by",
            &self.blockers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            usize::MAX,
        );
        page.blocks("error", self.error.as_slice(), usize::MAX);
        page.blocks("state", &self.state, usize::MAX);
        if let Some(plan) = self.plan.as_ref().filter(|_| planned) {
            for (title, lines) in plan.parts() {
                page.lines(title, &lines);
            }
        }
        if !planned {
            self.work(&mut page);
        }
        let errors = |solved: bool| {
            self.findings
                .iter()
                .filter(move |finding| finding.severity == "error" && finding.solved == solved)
        };
        page.list("not solved by a rewrite", &grouped(errors(false), usize::MAX), usize::MAX);
        if planned {
            page.list("rewritten", &grouped(errors(true), OF_A_RULE), usize::MAX);
        } else {
            page.lines("rewritten", &rewritten(&self.findings, columns));
        }
        page.list("the target will not have", &self.lost(), LINES);
        let warnings = self.findings.iter().filter(|finding| finding.severity == "warning");
        page.list("warnings", &grouped(warnings, OF_A_RULE), usize::MAX);
        let missing: Vec<_> = self.missing.iter().map(|m| format!("{}: {}", m.what, m.why)).collect();
        page.list("did not arrive", &missing, DIFFERENCES);
        page.list("jobs", &jobs(&self.jobs), LINES);
        page.list("the target's server warned", &self.warnings, LINES);
        self.verification(&mut page);
        page.list("passwords to set", &quoted_all(&self.passwords_to_set), LINES);
        let scripts: Vec<_> =
            self.scripts.iter().map(|script| format!("{}: {}", script.file, script.title)).collect();
        page.list("scripts for later", &scripts, LINES);
        page.blocks("next", &self.next, DIFFERENCES);
        if let Some(folder) = &self.work_dir {
            let _ = writeln!(page.text, "\nreport: {}/report.html", human::line(folder));
        }
        page.text
    }

    /// How it ended, in a few words.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self.outcome {
            Outcome::Failed => "failed",
            Outcome::Planned => "planned; nothing was written",
            Outcome::Blocked => "blocked; nothing was written",
            Outcome::Migrated if !self.is_compared() => "migrated, not verified",
            Outcome::Migrated => "migrated and verified",
            Outcome::Differs => "migrated, but the target differs from the source",
        }
    }

    fn is_compared(&self) -> bool {
        self.verification.as_ref().is_some_and(|found| !found.compared.is_empty())
    }

    /// What went over, in one line; nothing where nothing did.
    #[must_use]
    pub fn what_moved(&self) -> String {
        let moved = self.moved;
        if moved.bytes == 0 && moved.statements == 0 {
            return String::new();
        }
        format!(
            "{} in {}, {} of data, {}",
            count(moved.rows, "row"),
            count(moved.tables, "table"),
            human::bytes(moved.bytes),
            count(moved.statements, "statement")
        )
    }

    fn verdict(&self, page: &mut Page) {
        let (sign, color) = match self.outcome {
            Outcome::Migrated | Outcome::Planned => ("✓", AnsiColor::Green),
            Outcome::Blocked | Outcome::Differs | Outcome::Failed => ("✗", AnsiColor::Red),
        };
        let title = page.paint(color.on_default().bold(), &format!("{sign} {}", self.title()));
        let took = if self.seconds > 0.0 {
            format!(" in {}", human::duration(span(self.seconds)))
        } else {
            String::new()
        };
        let _ = writeln!(page.text, "\n{title}{took}");
        let moved = self.what_moved();
        if !moved.is_empty() {
            let _ = writeln!(page.text, "  {moved}");
        }
        for (word, end) in [("from", &self.source), ("to", &self.target)] {
            if !end.is_empty() {
                let _ = writeln!(page.text, "  {word:<5}{}", human::line(end));
            }
        }
    }

    /// Stages, and the slowest of what they did.
    fn work(&self, page: &mut Page) {
        let stages: Vec<String> = self
            .stages
            .iter()
            .map(|stage| {
                let took = human::duration(span(stage.seconds));
                format!("{took:>11}  {:<13} {}", stage.name, human::line(&stage.result))
            })
            .collect();
        page.lines("stages", &stages);
        let tables = self.slowest_tables();
        let tables: Vec<String> = tables
            .iter()
            .filter(|table| table.ended - table.begun >= WORTH)
            .take(SLOWEST)
            .map(|table| {
                format!(
                    "{:>11}  {:>8} {:>10} {:>15}  {:<6} {}",
                    human::duration(span(table.ended - table.begun)),
                    human::bytes(table.bytes),
                    human::rate(table.rate()),
                    count(table.rows, "row"),
                    table.format,
                    human::line(&table.name)
                )
            })
            .collect();
        page.lines("slowest tables", &tables);
        let built = self.slowest_builds();
        let built: Vec<String> = built
            .iter()
            .filter(|built| built.seconds >= WORTH)
            .take(SLOWEST)
            .map(|built| {
                let took = human::duration(span(built.seconds));
                format!("{took:>11}  {:<11}  {}", built.kind.replace('-', " "), human::line(&built.name))
            })
            .collect();
        page.lines("slowest builds", &built);
    }

    fn verification(&self, page: &mut Page) {
        let Some(verification) = &self.verification else { return };
        let mut lines: Vec<String> = verification.lines().iter().map(|line| human::clean(line)).collect();
        if let Some(more) = lines.len().checked_sub(COMPARED).filter(|more| *more > 0) {
            lines.truncate(COMPARED);
            lines.push(format!("… and {} lines more, in the report", thousands(more as u64)));
        }
        page.lines("verification", &lines);
    }
}

impl Page {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Lines in columns of their own, as they are.
    fn lines(&mut self, title: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let title = self.paint(Style::new().bold(), title);
        let _ = write!(self.text, "\n{title}\n");
        for line in lines {
            self.text += format!("  {line}").trim_end();
            self.text.push('\n');
        }
    }

    /// Things that take a line each, or a few where they are long; of more than `most` the last are counted only.
    fn list(&mut self, title: &str, things: &[impl AsRef<str>], most: usize) {
        let things: Vec<String> = things.iter().map(|thing| human::line(thing.as_ref())).collect();
        self.blocks(title, &things, most);
    }

    /// Things of several lines: the later ones are set in already, and may be commands to copy.
    fn blocks(&mut self, title: &str, things: &[impl AsRef<str>], most: usize) {
        let mut lines = Vec::new();
        for thing in things.iter().take(most) {
            let text = human::clean(thing.as_ref());
            let mut parts = text.lines();
            let first = human::hang("", parts.next().unwrap_or_default(), self.columns - 4);
            lines.extend(first.into_iter().enumerate().map(|(number, line)| match number {
                0 => line,
                _ => format!("  {line}"),
            }));
            lines.extend(parts.map(ToOwned::to_owned));
        }
        if let Some(more) = things.len().checked_sub(most).filter(|more| *more > 0) {
            lines.push(format!("… and {} more", thousands(more as u64)));
        }
        self.lines(title, &lines);
    }
}

/// Findings by rule, the first of each in full.
fn grouped<'a>(findings: impl Iterator<Item = &'a Finding>, shown: usize) -> Vec<String> {
    let mut rules = BTreeMap::<&str, Vec<&Finding>>::new();
    for finding in findings {
        rules.entry(&finding.rule).or_default().push(finding);
    }
    let mut lines = Vec::new();
    for (rule, findings) in rules {
        lines.extend(findings.iter().take(shown).map(ToString::to_string));
        if let Some(more) = findings.len().checked_sub(shown).filter(|more| *more > 0) {
            lines.push(format!("{rule:<8} … and {} more", thousands(more as u64)));
        }
    }
    lines
}

/// How often each rule's rewrite was used, and what it is about.
fn rewritten(findings: &[Finding], columns: usize) -> Vec<String> {
    let mut rules = BTreeMap::<&str, u64>::new();
    for finding in findings.iter().filter(|finding| finding.solved) {
        *rules.entry(&finding.rule).or_default() += 1;
    }
    let about = |id: &str| tsmigrate_analyzer::rules::rule(id).map_or("", |rule| rule.doc.summary);
    let line = |(rule, times): (&str, u64)| {
        human::clip(&format!("{:>7} × {rule:<8} {}", thousands(times), about(rule)), columns - 2)
    };
    rules.into_iter().map(line).collect()
}

/// Names of roles as SQL writes them.
pub(super) fn quoted_all(names: &[String]) -> Vec<String> {
    names.iter().map(|name| quoted(name)).collect()
}

/// Jobs by what became of them; a few of one kind by name, more as a number.
fn jobs(jobs: &[MovedJob]) -> Vec<String> {
    let mut kinds = BTreeMap::<(bool, &str, &str), Vec<&MovedJob>>::new();
    for job in jobs {
        kinds.entry((!job.scheduled, &job.owner, &job.new_owner)).or_default().push(job);
    }
    let mut lines = Vec::new();
    for ((paused, owner, new_owner), jobs) in kinds {
        let state = if paused { "not scheduled" } else { "scheduled" };
        let (owner, new_owner) = (quoted(owner), quoted(new_owner));
        let owner = if owner == new_owner {
            format!("of {owner}")
        } else {
            format!("of {owner} on the source, of {new_owner} on the target")
        };
        if jobs.len() > OF_A_RULE {
            lines.push(format!("{} {owner}: {state}", count(jobs.len() as u64, "job")));
        } else {
            lines.extend(jobs.iter().map(|job| format!("{} {}, {owner}: {state}", job.id, job.name)));
        }
    }
    lines
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
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
        let built =
            |kind: &str, name: String, seconds| Built { kind: kind.into(), name, begun: 20.0, seconds };
        let finding = |rule: &str, severity, solved, lost: Option<&str>| Finding {
            rule: rule.into(),
            severity,
            part: "pre-data",
            line: 7,
            object: Some(name.clone()),
            message: "it cannot be made".into(),
            solved,
            accepted: false,
            lost: lost.map(ToOwned::to_owned),
            advice: None,
            cause: None,
        };
        let difference = |found: Option<&str>| Difference {
            kind: "rows".into(),
            object: name.clone(),
            expected: Some("7".into()),
            found: found.map(ToOwned::to_owned),
            reason: None,
            details: vec![format!("id = {name}")],
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
                finding("TSP-03", "warning", true, None),
            ],
            blockers: Vec::new(),
            stages: vec![
                Stage { name: "roles", result: "12 statements".into(), begun: 0.5, seconds: 0.3 },
                Stage { name: "data", result: "61,000,000 rows, 166 MB/s".into(), begun: 1.0, seconds: 75.0 },
            ],
            moved: Moved {
                tables: 8,
                rows: 96_000_000,
                bytes: 9_600_000_000,
                seconds: 131.0,
                statements: 332,
            },
            tables,
            built: vec![built("index", name.clone(), 12.0), built("foreign-key", "f on s.t1".into(), 3.0)],
            missing: vec![Missing { what: name.clone(), why: "the service does not have it".into() }],
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
    fn the_verdict_comes_first_and_every_part_is_there() {
        let text = report().text();
        let head: Vec<&str> = text.lines().take(5).collect();
        assert_eq!(
            head,
            [
                "",
                "✗ migrated, but the target differs from the source in 1 min 35 s",
                "  96,000,000 rows in 8 tables, 9.60 GB of data, 332 statements",
                "  from postgres://postgres@db.example:5432/shop",
                "  to   postgres://tsdbadmin@x.tsdb.example:5432/tsdb?sslmode=require",
            ]
        );
        let titles: Vec<&str> = text
            .lines()
            .skip(5)
            .filter(|line| !line.is_empty() && !line.starts_with(' ') && !line.starts_with("report:"))
            .collect();
        let expected = "stages|slowest tables|slowest builds|not solved by a rewrite|rewritten|the target will not have|did not \
                        arrive|jobs|the target's server warned|verification|passwords to set|scripts for \
                        later|next";
        assert_eq!(titles.join("|").replace("warnings|", ""), expected, "{text}");
        assert!(text.ends_with("report: tsmigrate-shop/report.html\n"));
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
}
