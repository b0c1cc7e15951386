//! Workflow commands of GitHub Actions: each becomes an annotation on a line of the dump.

use std::collections::HashSet;
use std::io::{self, Write};

use super::{Around, Class, Entry, Report};
use crate::clean;
use crate::finding::Severity;
use crate::human::{count, thousands};
use crate::rule::Finding;

/// Annotations of one kind that GitHub shows for one step.
const SHOWN: usize = 10;

pub(super) fn write(report: &Report<'_>, around: &Around<'_>, out: &mut impl Write) -> io::Result<()> {
    let limit = if around.all { usize::MAX } else { SHOWN };
    let mut left = around.max_findings.unwrap_or(usize::MAX);
    let mut kept = 0;
    for (command, severity) in
        [("error", Severity::Error), ("warning", Severity::Warning), ("notice", Severity::Note)]
    {
        let chosen = choose(report, severity, limit.min(left));
        left -= chosen.len();
        kept += chosen.len();
        for finding in chosen {
            annotation(out, command, &report.findings.entry(finding))?;
        }
    }
    // Lines that are no commands stand in the step's log.
    let counts = report.counts;
    let all = counts.error + counts.warning + counts.note;
    let rest = all - kept as u64;
    if rest > 0 {
        let why = if around.all || around.max_findings.is_some_and(|most| most == kept) {
            String::new()
        } else {
            format!(" (GitHub shows {SHOWN} errors, {SHOWN} warnings and {SHOWN} notices of a step)")
        };
        writeln!(out, "… and {} more{why}", thousands(rest))?;
    }
    for script in report.scripts {
        writeln!(out, "script {}: {}", line(script.file), line(&script.title))?;
    }
    writeln!(out, "{} {}: {}", report.verdict.sign(), report.title(), report.sentence())?;
    for entry in &report.not_judged {
        writeln!(out, "not judged: {} ({})", line(&entry.what), line(&entry.place.to_string()))?;
    }
    writeln!(
        out,
        "{} ({} fixed by the rewrite, {} open), {}, {}{}",
        count(counts.error, "error"),
        thousands(counts.solved),
        thousands(counts.unsolved),
        count(counts.warning, "warning"),
        count(counts.note, "note"),
        report.apart_words()
    )
}

/// The findings to show of one severity: of each rule one first, what the rewrite does not fix before what it does.
fn choose<'a>(report: &Report<'a>, severity: Severity, limit: usize) -> Vec<&'a Finding> {
    let findings = || {
        report
            .findings
            .findings()
            .filter(move |finding| finding.severity == severity && finding.allowed.is_none())
    };
    let mut chosen: Vec<(Class, bool, &Finding)> = Vec::new();
    let mut seen = HashSet::new();
    for class in Class::ALL {
        for finding in findings().filter(|finding| Class::of(finding) == class) {
            let repeated = !seen.insert(finding.rule.id);
            chosen.push((class, repeated, finding));
        }
    }
    chosen.sort_by_key(|(class, repeated, _)| (*class, *repeated));
    chosen.truncate(limit);
    chosen.into_iter().map(|(.., finding)| finding).collect()
}

fn annotation(out: &mut impl Write, command: &str, entry: &Entry<'_>) -> io::Result<()> {
    let place = match entry.line {
        // A live server is no file of the repository.
        0 => String::new(),
        line => format!("file={},line={line},col={},", property(entry.file), entry.column),
    };
    write!(
        out,
        "::{command} {place}title={}::{}",
        property(&format!("{} {}", entry.rule, entry.name)),
        data(entry.message)
    )?;
    let mut more = |word: &str, text: &str| write!(out, "{}", data(&format!("\n{word}: {text}")));
    if let Some(error) = entry.server_error {
        more("server", &error.shown())?;
    }
    match entry.fix {
        Some(fix) if entry.solved => more("fix", &format!("{} (applied by the rewrite)", fix.title))?,
        _ => more("help", entry.help)?,
    }
    writeln!(out)
}

/// A command's text: its end is the line's end.
fn data(text: &str) -> String {
    clean::text(&text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A"))
}

/// A command's property: its end is a comma or two colons.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text of a dump on a line of its own, so that it cannot be a command.
fn line(text: &str) -> String {
    clean::line(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_a_command_or_begins_another() {
        assert_eq!(data("50 %: a,\r\n::error::x"), "50 %25: a,%0D%0A::error::x");
        assert_eq!(property("a,b:c%\n"), "a%2Cb%3Ac%25%0A");
    }
}
