//! Words that every format for people uses.

use super::{Class, Report, Verdict};
use crate::rules;

/// Levels of rules that are listed.
const LEVELS: usize = 8;

/// A number with its thousands apart.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 error`, `2,000 errors`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    format!("{} {}", thousands(number), plural(number, noun))
}

/// `error` or `errors`.
#[must_use]
pub fn plural(number: u64, noun: &str) -> String {
    if number == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// A number of bytes: `12.5 MB`.
pub(super) fn bytes(number: u64) -> String {
    let mut unit = 1_u64;
    for name in ["B", "kB", "MB", "GB", "TB"] {
        if number < unit.saturating_mul(1000) || name == "TB" {
            if unit == 1 {
                return format!("{number} {name}");
            }
            let tenths = u128::from(number) * 10 / u128::from(unit);
            return format!("{}.{} {name}", tenths / 10, tenths % 10);
        }
        unit = unit.saturating_mul(1000);
    }
    String::new()
}

impl Class {
    /// What stands above findings of this class.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Open => "Open errors",
            Self::Solved => "Errors that the rewrite solves",
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

    /// The verdict in a few words.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::ReadyAfterRewrite => "Ready after a rewrite",
            Self::NeedsWork => "Needs work",
        }
    }
}

impl Report<'_> {
    /// What the verdict means here, in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let counts = self.counts;
        match self.verdict {
            Verdict::Ready => {
                let mut but = Vec::new();
                if counts.lowered > 0 {
                    but.push(format!("{} by configuration", count(counts.lowered, "failing statement")));
                }
                if counts.allowed > 0 {
                    but.push(format!("{} by comments in the dump", count(counts.allowed, "finding")));
                }
                if but.is_empty() {
                    "no statement fails on the target.".to_owned()
                } else {
                    format!("all but what was said not to count ({}).", but.join(", "))
                }
            }
            Verdict::ReadyAfterRewrite => {
                let fails = if counts.error == 1 { "statement fails" } else { "statements fail" };
                format!(
                    "as it is, {} {fails}; the rewrite solves {}.",
                    thousands(counts.error),
                    if counts.error == 1 { "it" } else { "all of them" }
                )
            }
            Verdict::NeedsWork => {
                let remain = if counts.unsolved == 1 { "error remains" } else { "errors remain" };
                format!("{} {remain} that the rewrite does not solve by itself.", thousands(counts.unsolved))
            }
        }
    }

    /// What is in no other number, in a few words: `2 allowed by comments`.
    #[must_use]
    pub fn apart(&self) -> Vec<String> {
        let counts = self.counts;
        let mut apart = Vec::new();
        if counts.lowered > 0 {
            apart.push(format!(
                "{} counted as less, by configuration",
                count(counts.lowered, "failing statement")
            ));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(0), "0");
        assert_eq!(thousands(999), "999");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(count(1, "error"), "1 error");
        assert_eq!(count(0, "error"), "0 errors");
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(12_560), "12.5 kB");
        assert_eq!(bytes(94_000_000), "94.0 MB");
    }
}
