//! Words that every format for people uses.

use serde::Serialize;

use super::{Class, InputReport, Report, Verdict};
use crate::human::{bytes, count, thousands};
use crate::rules;

/// Levels of rules that are listed.
const LEVELS: usize = 8;

impl Class {
    /// What stands above findings of this class.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Open => "Open errors",
            Self::Solved => "Fixed by the rewrite",
            Self::Warning => "Warnings",
            Self::Note => "Notes",
            Self::Allowed => "Allowed by comments in the dump",
        }
    }

    /// A word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Solved => "solved",
            Self::Warning => "warning",
            Self::Note => "note",
            Self::Allowed => "allowed",
        }
    }
}

impl Verdict {
    /// A sign before the verdict.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Ready | Self::ReadyAfterRewrite => "✓",
            Self::NeedsWork => "✗",
        }
    }
}

/// The answer as every page says it.
#[derive(Clone, Debug, Serialize)]
pub struct Words {
    /// A sign before the verdict.
    pub sign: &'static str,
    /// The verdict in a few words.
    pub title: String,
    /// What it means here, in one sentence.
    pub sentence: String,
    /// What was checked, for which target, and what was not judged: names and what is said of each, or no name.
    pub checked: Vec<(String, String)>,
}

impl Report<'_> {
    /// The answer as every page says it.
    #[must_use]
    pub fn words(&self) -> Words {
        let input = |input: &InputReport<'_>| {
            let mut about = vec![bytes(input.bytes), count(input.statements, "statement")];
            about.extend(input.server_version.map(|version| format!("from PostgreSQL {version}")));
            about.extend(input.dump_version.map(|version| format!("written by pg_dump {version}")));
            (if input.name == "-" { "standard input" } else { input.name }.to_owned(), about.join(", "))
        };
        let accepted: Vec<&str> = self.options.accept.iter().map(String::as_str).collect();
        // A configuration says by itself what it takes and refuses.
        let own = self.options.configuration.is_none();
        let chosen = [("with", self.target.added_extensions), ("without", self.target.refused_extensions)]
            .into_iter()
            .filter(|(_, names)| own && !names.is_empty())
            .map(|(word, names)| format!(", {word} {}", names.iter().cloned().collect::<Vec<_>>().join(" ")));
        let mut apart = vec![format!("for {}{}", self.target_words(), chosen.collect::<String>())];
        if !accepted.is_empty() {
            apart.push(format!("losses accepted: {}", accepted.join(", ")));
        }
        apart.extend(self.not_judged_lines().chain(self.configured()));
        let apart = apart.into_iter().map(|words| (String::new(), words));
        Words {
            sign: self.verdict.sign(),
            title: self.title(),
            sentence: self.sentence(),
            checked: self.inputs.iter().map(input).chain(apart).collect(),
        }
    }

    /// The verdict in a few words. "Ready" is only said where everything was judged.
    #[must_use]
    pub fn title(&self) -> String {
        match self.verdict {
            Verdict::Ready if self.not_judged.is_empty() => "Ready".to_owned(),
            Verdict::ReadyAfterRewrite if self.not_judged.is_empty() => "Ready after a rewrite".to_owned(),
            Verdict::Ready => "No known incompatibility".to_owned(),
            Verdict::ReadyAfterRewrite => "No known incompatibility after a rewrite".to_owned(),
            Verdict::NeedsWork => format!("Needs {}", count(self.decisions.len() as u64, "decision")),
        }
    }

    /// What the verdict means here, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let counts = self.counts;
        let not_judged =
            self.not_judged.iter().map(|entry| entry.what.as_str()).collect::<Vec<_>>().join("; ");
        match self.verdict {
            Verdict::Ready if not_judged.is_empty() => "no statement fails on the target.".to_owned(),
            Verdict::Ready => format!("{not_judged}."),
            Verdict::ReadyAfterRewrite => {
                let all = if counts.error == 1 { "it" } else { "all of them" };
                let rest = if not_judged.is_empty() { String::new() } else { format!("; {not_judged}") };
                let errors = count(counts.error, "error");
                format!("as it is, it restores with {errors}; the rewrite fixes {all}{rest}.")
            }
            Verdict::NeedsWork => {
                let remain = if counts.unsolved == 1 { "error remains" } else { "errors remain" };
                format!("{} {remain} that the rewrite does not fix by itself.", thousands(counts.unsolved))
            }
        }
    }

    /// What was not judged, a line for each kind, with its first place.
    pub fn not_judged_lines(&self) -> impl Iterator<Item = String> {
        self.not_judged.iter().map(|entry| format!("not judged: {} ({})", entry.what, entry.place))
    }

    /// What is in no other number, in a few words: `2 allowed by comments`.
    #[must_use]
    pub fn apart(&self) -> Vec<String> {
        let counts = self.counts;
        let mut apart = Vec::new();
        if counts.lowered > 0 {
            apart.push(format!("{} counted as less, by configuration", count(counts.lowered, "error")));
        }
        if counts.allowed > 0 {
            apart.push(format!("{} allowed by comments", thousands(counts.allowed)));
        }
        apart
    }

    /// The same behind other numbers: `; 2 allowed by comments`, or nothing.
    #[must_use]
    pub fn apart_words(&self) -> String {
        let apart = self.apart();
        if apart.is_empty() { String::new() } else { format!("; {}", apart.join("; ")) }
    }

    /// What a configuration changes of the report.
    #[must_use]
    pub fn configured(&self) -> Option<String> {
        let path = self.options.configuration?;
        let levels = self.options.levels;
        let mut changes: Vec<String> = Vec::new();
        for (rule, level) in levels {
            // A family that is told one thing is shown as what was written.
            let family = rule.split_once('-').map_or(String::new(), |(family, _)| format!("{family}-*"));
            let members = rules::matching(&family);
            let together =
                members.len() > 1 && members.iter().all(|member| levels.get(member.id) == Some(level));
            let change = format!("{} {}", if together { &family } else { *rule }, level.name());
            if !changes.contains(&change) {
                changes.push(change);
            }
        }
        let more = changes.len().saturating_sub(LEVELS);
        changes.truncate(LEVELS);
        if more > 0 {
            changes.push(format!("{more} more rules (tsmigrate check --show-config)"));
        }
        for (word, names) in
            [("with", self.target.added_extensions), ("without", self.target.refused_extensions)]
        {
            if !names.is_empty() {
                changes.push(format!("{word} {}", names.iter().cloned().collect::<Vec<_>>().join(" ")));
            }
        }
        let changes = if changes.is_empty() { String::new() } else { format!(": {}", changes.join(", ")) };
        Some(format!("configured by {path}{changes}"))
    }

    /// What the target is, in a few words.
    #[must_use]
    pub fn target_words(&self) -> String {
        let list = self
            .target
            .extension_list
            .map_or_else(String::new, |list| format!(", extensions as of {}", list.date));
        format!("{}, PostgreSQL {}{list}", self.target.name, self.target.version)
    }
}
