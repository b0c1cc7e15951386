//! What a migration did, in one structure for people and for programs.

mod files;
mod html;
mod pictures;
mod pieces;
mod text;
mod view;

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use files::write_files;

use crate::error::{Blocker, Unreachable};
use crate::plan::Plan;
use crate::progress::Activity;
use crate::results::{Built, Decision, Finding, Missing, MovedJob, MovedTable, Script};
use crate::verify::Verification;

/// The version of this structure; it grows when a field changes its meaning or goes.
pub const VERSION: u32 = 1;

/// How a report is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
}

/// What is shown while a command runs, and how its report is printed.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Shown {
    /// auto, lines, json or none
    #[arg(long, value_enum, default_value_t, value_name = "HOW", hide_possible_values = true)]
    pub progress: crate::progress::Mode,

    /// text or json
    #[arg(long, value_enum, default_value_t, hide_possible_values = true)]
    pub format: Format,
}

fn ends(path: &Path, end: &str) -> bool {
    path.extension().is_some_and(|is| is.eq_ignore_ascii_case(end))
}

/// The name of a file says that it is a page.
#[must_use]
pub fn is_page(path: &Path) -> bool {
    ends(path, "html")
}

/// Reads the name of a file for a report: a page or JSON.
///
/// # Errors
/// Where the name ends with neither, unless it is that of a pipe.
pub fn page_or_json_file(name: &str) -> Result<PathBuf, String> {
    file(name, &["html", "json"]).ok_or_else(|| "name a file that ends with .html or .json".to_owned())
}

/// Reads the name of a file for a report that has no page.
///
/// # Errors
/// Where the name does not end with .json, unless it is that of a pipe.
pub fn json_file(name: &str) -> Result<PathBuf, String> {
    file(name, &["json"]).ok_or_else(|| "name a file that ends with .json".to_owned())
}

fn file(name: &str, accepted: &[&str]) -> Option<PathBuf> {
    let path = PathBuf::from(name);
    let is_pipe = path.metadata().is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    (is_pipe || accepted.iter().any(|end| ends(&path, end))).then_some(path)
}

/// How a run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Something stopped it.
    #[default]
    Failed,
    /// Somebody stopped it.
    Interrupted,
    /// The plan was all that was asked for.
    Planned,
    /// Findings stopped it before anything was written.
    Blocked,
    /// Everything is over, and the target equals the source.
    Migrated,
    /// Everything is over, and the target differs from the source.
    Differs,
    /// An archive is on the target.
    Restored,
}

/// A stage that came to its end.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// The data that went over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Moved {
    /// Tables and chunks with rows.
    pub tables: u64,
    /// Rows, as the target counted them while they came in.
    pub rows: u64,
    /// Bytes of COPY data.
    pub bytes: u64,
    /// Seconds until the last rows were there; what is built on them takes longer.
    pub seconds: f64,
    /// Statements of all parts.
    pub statements: u64,
}

/// The whole run.
#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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
    /// What a person has to decide before it can begin, what blocks most first.
    pub decisions: Vec<Decision>,
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
    /// What workers did and waited for; of very many, the longest.
    pub activity: Vec<Activity>,
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
    /// The server's or the system's words, where a server cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// In which state both servers are, where it is not the usual one.
    pub state: Vec<String>,
    /// What is left to do.
    pub next: Vec<String>,
    /// Scripts to run later.
    pub scripts: Vec<Script>,
    /// Where journal, logs and reports of the run are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_dir: Option<String>,
}

impl Report {
    /// Says that a server cannot be used.
    pub fn unreachable(&mut self, found: Unreachable) {
        (self.error, self.cause) = (Some(found.what), Some(found.cause));
        self.next.extend(found.next);
    }

    /// What the target will not have, each thing once.
    #[must_use]
    pub fn lost(&self) -> Vec<&str> {
        let mut seen = std::collections::BTreeSet::new();
        // What no dump has is lost whatever a rewrite does.
        let gone = self.findings.iter().filter(|finding| finding.solved || finding.part.is_empty());
        let lost = gone.filter_map(|finding| finding.lost.as_deref());
        lost.filter(|lost| seen.insert(*lost)).collect()
    }

    /// The same by the rules that say so, in the order of the findings.
    #[must_use]
    pub fn losses(&self) -> Vec<(&str, Vec<&str>)> {
        let mut losses: Vec<(&str, Vec<&str>)> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for finding in self.findings.iter().filter(|finding| finding.solved || finding.part.is_empty()) {
            let Some(lost) = finding.lost.as_deref().filter(|lost| seen.insert(*lost)) else { continue };
            match losses.iter_mut().find(|(rule, _)| *rule == finding.rule) {
                Some((_, group)) => group.push(lost),
                None => losses.push((&finding.rule, vec![lost])),
            }
        }
        losses
    }

    /// The tables that took longest, the longest first.
    #[must_use]
    pub fn slowest_tables(&self) -> Vec<&MovedTable> {
        let mut tables: Vec<_> = self.tables.iter().collect();
        tables.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then_with(|| a.name.cmp(&b.name)));
        tables
    }

    /// The builds that took longest, the longest first.
    #[must_use]
    pub fn slowest_builds(&self) -> Vec<&Built> {
        let mut built: Vec<_> = self.built.iter().collect();
        built.sort_by(|a, b| b.seconds.total_cmp(&a.seconds).then_with(|| a.name.cmp(&b.name)));
        built
    }
}

/// Writes a report for programs, also where a person looks at it: no name in it steers a terminal. It goes out as it is made:
/// that of a large schema is larger than all else that a run holds.
///
/// # Errors
/// What `out` answers.
pub fn json(report: &impl Serialize, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    tsmigrate_analyzer::clean::pretty_json(report, &mut out)?;
    writeln!(out)?;
    out.flush()
}
