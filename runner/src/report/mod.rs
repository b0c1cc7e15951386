//! What a migration did, in one structure for people and for programs.

use std::fmt::Write;

use serde::Serialize;

use crate::error::Blocker;
use crate::plan::Plan;
use crate::verify::Verification;

/// The version of this structure; it grows when a field changes its meaning or goes.
pub const VERSION: u32 = 1;

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Something stopped it.
    #[default]
    Failed,
    /// The plan was all that was asked for.
    Planned,
    /// Findings stopped it before anything was written.
    Blocked,
    /// Everything is over, and the target equals the source.
    Migrated,
    /// Everything is over, and the target differs from the source.
    Differs,
}

/// A stage that came to its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stage {
    /// Its name.
    pub name: &'static str,
    /// What it did.
    pub result: String,
    /// When it began: seconds since [`Report::started`].
    pub begun: f64,
    /// How long it took.
    pub seconds: f64,
}

/// A finding, as far as a migration is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The rule's id.
    pub rule: String,
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// Which part of the dump.
    pub part: &'static str,
    /// Line in that part.
    pub line: u64,
    /// The object it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// What will happen.
    pub message: String,
    /// The rewrite takes care of it.
    pub solved: bool,
    /// `--accept` names its rule.
    pub accepted: bool,
    /// What the target will not have by its rewrite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<String>,
}

/// Something that did not arrive, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A job of the source on the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MovedJob {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its owner on the source.
    pub owner: String,
    /// Its owner on the target.
    pub new_owner: String,
    /// It is scheduled.
    pub scheduled: bool,
}

/// The data that went over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Tables and chunks with rows.
    pub tables: u64,
    /// Rows, as the target counted them while they came in.
    pub rows: u64,
    /// Bytes of COPY data.
    pub bytes: u64,
    /// Statements of all parts.
    pub statements: u64,
}

/// One table as it went over.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MovedTable {
    /// `schema.table`.
    pub name: String,
    /// `binary` or `text`: the format of its COPY.
    pub format: String,
    /// Parts that it was copied in.
    pub parts: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of COPY data.
    pub bytes: u64,
    /// When its first part began: seconds since [`Report::started`].
    pub begun: f64,
    /// Seconds of all its parts together.
    pub seconds: f64,
}

/// One index, constraint, foreign key or materialized view as it was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Built {
    /// `index`, `foreign-key`, `refresh`.
    pub kind: String,
    /// Its name, with its table's.
    pub name: String,
    /// When it was begun: seconds since [`Report::started`].
    pub begun: f64,
    /// How long it took.
    pub seconds: f64,
}

/// The whole run.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// [`VERSION`].
    pub version: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// The source, without its password.
    pub source: String,
    /// The target, without its password.
    pub target: String,
    /// When the run started: RFC 3339, UTC.
    pub started: String,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// What was planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Plan>,
    /// What the analysis found.
    pub findings: Vec<Finding>,
    /// What stopped it before anything was written.
    pub blockers: Vec<Blocker>,
    /// Stages in their order.
    pub stages: Vec<Stage>,
    /// What went over.
    pub moved: Moved,
    /// Tables, in the order they were finished.
    pub tables: Vec<MovedTable>,
    /// What was built after the data.
    pub built: Vec<Built>,
    /// What did not arrive.
    pub missing: Vec<Missing>,
    /// Roles whose passwords could not be read at the source.
    pub passwords_to_set: Vec<String>,
    /// Jobs.
    pub jobs: Vec<MovedJob>,
    /// What the target's server warned of.
    pub warnings: Vec<String>,
    /// The comparison.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// What stopped it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// In which state both ends are, where it is not the usual one.
    pub state: Vec<String>,
    /// What is left to do.
    pub next: Vec<String>,
}

impl Report {
    /// The closing summary.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut section = |title: &str, lines: Vec<String>| {
            if lines.is_empty() {
                return;
            }
            // Writing to a String cannot fail.
            let _ = writeln!(out, "\n{title}");
            for line in lines {
                let _ = writeln!(out, "  {}", line.replace('\n', "\n  "));
            }
        };
        let errors = |solved: bool| {
            self.findings
                .iter()
                .filter(move |finding| finding.severity == "error" && finding.solved == solved)
        };
        if let (Some(plan), Outcome::Planned | Outcome::Blocked) = (&self.plan, self.outcome) {
            for (title, lines) in plan.parts() {
                section(title, lines);
            }
        }
        match self.outcome {
            Outcome::Planned | Outcome::Blocked => section("rewritten", grouped(errors(true), SHOWN)),
            _ => section("rewritten", summary(&self.findings)),
        }
        section("the target will not have", lost(&self.findings));
        section("not solved by a rewrite", grouped(errors(false), usize::MAX));
        section(
            "warnings",
            grouped(self.findings.iter().filter(|finding| finding.severity == "warning"), SHOWN),
        );
        section("blocked by", self.blockers.iter().map(ToString::to_string).collect());
        section("did not arrive", self.missing.iter().map(|m| format!("{}: {}", m.what, m.why)).collect());
        section("jobs", self.jobs.iter().map(MovedJob::line).collect());
        section("the target's server warned", self.warnings.clone());
        if let Some(verification) = &self.verification {
            section("verification", verification.lines());
        }
        section("passwords to set", self.passwords_to_set.clone());
        section("error", self.error.iter().cloned().collect());
        section("state", self.state.clone());
        section("next", self.next.clone());
        let _ = writeln!(out, "\n{}", self.closing());
        out
    }

    fn closing(&self) -> String {
        let moved = format!(
            "{} rows in {} tables, {} of data, {} statements",
            self.moved.rows,
            self.moved.tables,
            indicatif::HumanBytes(self.moved.bytes),
            self.moved.statements
        );
        match self.outcome {
            Outcome::Failed => "failed".to_owned(),
            Outcome::Planned => "planned; nothing was written".to_owned(),
            Outcome::Blocked => "blocked; nothing was written".to_owned(),
            Outcome::Migrated => format!("migrated and verified: {moved}"),
            Outcome::Differs => format!("migrated, but the target differs from the source: {moved}"),
        }
    }
}

/// So many findings of one rule are shown; the report's JSON has all.
const SHOWN: usize = 3;

/// Findings by rule, the first of each in full.
fn grouped<'a>(findings: impl Iterator<Item = &'a Finding>, shown: usize) -> Vec<String> {
    let mut rules = std::collections::BTreeMap::<&str, Vec<&Finding>>::new();
    for finding in findings {
        rules.entry(&finding.rule).or_default().push(finding);
    }
    let mut lines = Vec::new();
    for (rule, findings) in rules {
        lines.extend(findings.iter().take(shown).map(ToString::to_string));
        if let Some(more) = findings.len().checked_sub(shown).filter(|more| *more > 0) {
            lines.push(format!("{rule:<8} … and {more} more"));
        }
    }
    lines
}

/// What the rewrite takes away, each thing once.
fn lost(findings: &[Finding]) -> Vec<String> {
    let mut seen = std::collections::BTreeSet::new();
    let lost = findings.iter().filter(|finding| finding.solved).filter_map(|finding| finding.lost.as_ref());
    lost.filter(|lost| seen.insert(lost.as_str())).cloned().collect()
}

fn summary(findings: &[Finding]) -> Vec<String> {
    let mut rules = std::collections::BTreeMap::<&str, usize>::new();
    for finding in findings.iter().filter(|finding| finding.solved) {
        *rules.entry(&finding.rule).or_default() += 1;
    }
    rules.into_iter().map(|(rule, count)| format!("{rule:<8} {count}")).collect()
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<8} {}:{}", self.rule, self.part, self.line)?;
        if let Some(object) = &self.object {
            write!(f, " {object}")?;
        }
        write!(f, ": {}", self.message)?;
        if self.accepted { f.write_str(" (accepted)") } else { Ok(()) }
    }
}

impl MovedJob {
    fn line(&self) -> String {
        let state = if self.scheduled { "scheduled" } else { "not scheduled" };
        if self.owner == self.new_owner {
            return format!("{} {}: {state}", self.id, self.name);
        }
        format!("{} {}: {state}, owner {} became {}", self.id, self.name, self.owner, self.new_owner)
    }
}
