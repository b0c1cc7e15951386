//! Code Quality reports of GitLab: a list of findings, each with a fingerprint that tells a new one from an old one.

use std::collections::HashMap;
use std::io::{self, Write};

use serde_json::json;
use sha2::{Digest as _, Sha256};
use tsmigrate::human::hex;
use tsmigrate_analyzer::Severity;
use tsmigrate_analyzer::clean;
use tsmigrate_analyzer::report::{Entry, Report};

/// Writes the report: what a comment allows is no issue.
pub(super) fn write(out: &mut dyn Write, report: &Report<'_>) -> io::Result<()> {
    let mut seen: HashMap<String, u64> = HashMap::new();
    let mut separator = "[";
    for entry in report.findings.iter().filter(|entry| entry.allowed.is_none()) {
        let what = identity(&entry);
        let times = seen.entry(what.clone()).or_insert(0);
        *times += 1;
        let issue = json!({
            "description": clean::line(&format!("{}: {}", entry.name, entry.message)),
            "check_name": entry.rule,
            "fingerprint": hex(&Sha256::digest(format!("{what}\0{times}"))),
            "severity": severity(&entry),
            // What a server says of itself has no line.
            "location": { "path": clean::line(entry.file), "lines": { "begin": entry.line.max(1) } },
        });
        write!(out, "{separator}\n  {issue}")?;
        separator = ",";
    }
    writeln!(out, "{}", if separator == "[" { "[]" } else { "\n]" })
}

/// What stays the same where lines are added before it.
fn identity(entry: &Entry<'_>) -> String {
    [entry.rule, entry.file, entry.object.unwrap_or(""), entry.message].join("\0")
}

fn severity(entry: &Entry<'_>) -> &'static str {
    match entry.severity {
        Severity::Error if entry.solved => "major",
        Severity::Error => "critical",
        Severity::Warning => "minor",
        Severity::Note => "info",
    }
}
