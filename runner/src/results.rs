//! What layers find and do, each in the form in which the report shows it.

use std::borrow::Cow;

use arcstr::ArcStr;
use serde::Serialize;
use tsmigrate_analyzer::report::Choice;

// A large schema has hundreds of thousands of them: they are moved from the analysis, never copied.
/// A finding, as far as a migration is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// The rule's id.
    pub rule: Cow<'static, str>,
    /// `error`, `warning` or `note`.
    pub severity: &'static str,
    /// Which part of the dump.
    pub part: &'static str,
    /// Line in that part.
    pub line: u64,
    /// The object it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<Box<str>>,
    /// What will happen.
    pub message: Box<str>,
    /// The rewrite fixes it.
    pub solved: bool,
    /// `--accept` names its rule.
    pub accepted: bool,
    /// What the target will not have by its rewrite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Box<str>>,
    /// What to do about it.
    #[serde(skip)]
    pub advice: Option<ArcStr>,
    /// The rule of the finding that it follows from.
    #[serde(skip)]
    pub cause: Option<&'static str>,
    /// All that a page shows of it, as JSON; none where no dump has it, or where a page has no place for it.
    #[serde(skip)]
    pub view: Option<Box<str>>,
}

/// Findings that are put into one page: more make it slow to open. The JSON has all.
const IN_A_PAGE: usize = 20_000;

/// So many findings as a page holds, each with its number, and each class in the order of the dump. `class` tells severity, and
/// whether the rewrite fixes it.
pub fn worst_first<'a, T>(
    findings: &'a [T],
    class: impl Fn(&T) -> (&'static str, bool) + Copy + 'a,
) -> impl Iterator<Item = (usize, &'a T)> {
    let rank = move |finding: &T| match class(finding) {
        ("error", false) => 0,
        ("error", true) => 1,
        ("warning", _) => 2,
        _ => 3,
    };
    let of = move |wanted| findings.iter().enumerate().filter(move |(_, one)| rank(one) == wanted);
    (0..=3).flat_map(of).take(IN_A_PAGE)
}

/// Something that a person decides before anything is written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Decision {
    /// What is the matter.
    pub title: String,
    /// Why the target refuses it.
    pub why: String,
    /// Statements that fail because of it.
    pub blocks: u64,
    /// The rules of their findings.
    pub rules: Vec<String>,
    /// The first of these statements: `pre-data:120 view reports.sales`.
    pub places: Vec<String>,
    /// What can be done, the best first: any one of them is enough.
    pub choices: Vec<String>,
    /// The same in their parts, for a page.
    #[serde(skip)]
    pub ways: Vec<Choice>,
    /// Its number in the analysis, for a page.
    #[serde(skip)]
    pub number: u32,
}

/// Something that did not arrive, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Missing {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
    /// The statement that adds it once the reason is gone, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sql: Option<String>,
}

/// A job of the source on the target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
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

/// Statements for a person to run later.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Script {
    /// A name for its file: `hypertables.sql`.
    pub file: String,
    /// What it does and when to run it, in one line.
    pub title: String,
    /// The rule that wrote it.
    pub rule: String,
    /// Its text; secrets are masked here, and not in its file.
    #[serde(serialize_with = "tsmigrate_analyzer::secrets::shown")]
    pub sql: String,
}

/// One table as it went over.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct MovedTable {
    /// `schema.table`, with quotes where SQL needs them: `"a.b".c`.
    pub name: String,
    /// `binary` or `text`: the format of its COPY.
    pub format: String,
    /// Parts that it was copied in.
    pub parts: u64,
    /// Rows.
    pub rows: u64,
    /// Bytes of COPY data.
    pub bytes: u64,
    /// When its first part began: seconds since the run began.
    pub begun: f64,
    /// When its last part ended.
    pub ended: f64,
    /// Seconds of all its parts together.
    pub seconds: f64,
}

/// One index, constraint, foreign key or materialized view as it was built.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Built {
    /// `index`, `foreign-key`, `refresh`.
    pub kind: String,
    /// Its name and its table's, with quotes where SQL needs them: `"i v" on app.t`.
    pub name: String,
    /// When it was begun: seconds since the run began.
    pub begun: f64,
    /// How long it took.
    pub seconds: f64,
}

impl MovedTable {
    /// Bytes in a second, of all parts that ran at once.
    #[must_use]
    pub fn rate(&self) -> u64 {
        crate::progress::rate(self.bytes, span(self.ended - self.begun))
    }
}

/// Seconds as a length of time; none where the number is no length.
pub(crate) fn span(seconds: f64) -> std::time::Duration {
    std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:<8}", self.rule)?;
        // What no dump has is in no part of one.
        if !self.part.is_empty() {
            write!(f, " {}:{}", self.part, self.line)?;
        }
        if let Some(object) = &self.object {
            write!(f, " {object}")?;
        }
        write!(f, ": {}", self.message)?;
        if self.accepted { f.write_str(" (accepted)") } else { Ok(()) }
    }
}
