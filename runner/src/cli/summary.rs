//! The end of a report for people: what was checked, the verdict, what it means and what to do next.

use std::io::{self, Write};

use tsmigrate_analyzer::human::bytes;
use tsmigrate_analyzer::report::{Class, Group, Report, Step, Verdict, count, thousands};
use tsmigrate_analyzer::{Severity, clean};

use super::input;
use super::page::{Page, wrap};

/// Losses that are listed.
const LOSSES: usize = 10;
/// Decisions that are listed.
const DECISIONS: usize = 30;
/// Columns of a rule's id and the space behind it.
const INDENT: usize = 11;

/// Writes it; `told` where the findings stand in full above it.
pub(super) fn write(
    out: &mut dyn Write,
    page: Page,
    report: &Report<'_>,
    next: &[Step],
    told: bool,
) -> io::Result<()> {
    head(out, page, report)?;
    decisions(out, page, report)?;
    lost(out, page, &report.lost)?;
    if !told {
        let groups = report.groups();
        solved(out, page, &groups)?;
        by_rule(out, page, report, &groups, Class::Warning, "what changes")?;
        by_rule(out, page, report, &groups, Class::Note, "good to know")?;
        by_rule(out, page, report, &groups, Class::Allowed, "allowed by comments in the dump")?;
    }
    not_judged(out, page, report)?;
    scripts(out, page, report)?;
    writeln!(out, "\n{}", page.bold("next"))?;
    next.iter().try_for_each(|step| {
        writeln!(out, "  {}\n    {}", step.what, page.command(&clean::text(&step.command)))
    })
}

/// Writes the verdict in one line.
pub(super) fn verdict_line(out: &mut dyn Write, page: Page, report: &Report<'_>) -> io::Result<()> {
    let sign = if page.unicode { format!("{} ", report.verdict.sign()) } else { String::new() };
    let sentence = format!("{sign}{}: {}", report.title(), report.sentence());
    let sentence = match report.verdict {
        Verdict::Ready => page.green(&sentence),
        Verdict::ReadyAfterRewrite => page.yellow(&sentence),
        Verdict::NeedsWork => page.red(&sentence),
    };
    writeln!(out, "{sentence}")
}

fn head(out: &mut dyn Write, page: Page, report: &Report<'_>) -> io::Result<()> {
    for input in &report.inputs {
        let mut about = match (input.bytes, input.statements) {
            (0, 0) => Vec::new(),
            (size, statements) => vec![bytes(size), count(statements, "statement")],
        };
        about.extend(input.server_version.map(|version| format!("from PostgreSQL {}", clean::text(version))));
        about
            .extend(input.dump_version.map(|version| format!("written by pg_dump {}", clean::text(version))));
        writeln!(out, "{} {}", page.bold(&name(input.name)), page.dim(&about.join(", ")))?;
    }
    writeln!(out, "{}", page.dim(&clean::text(&format!("for {}", report.target_words()))))?;
    if let Some(configured) = report.configured() {
        for line in wrap(&clean::text(&configured), page.width) {
            writeln!(out, "{}", page.dim(&line))?;
        }
    }
    writeln!(out)?;
    verdict_line(out, page, report)?;
    let counts = report.counts;
    let of = |severity: Severity, number: u64| {
        let text = count(number, severity.name());
        if number == 0 { page.dim(&text) } else { page.severity(severity, &text) }
    };
    let how = match counts {
        counts if counts.error == 0 => String::new(),
        counts => {
            format!(
                " ({} solved by the rewrite, {} open)",
                thousands(counts.solved),
                thousands(counts.unsolved)
            )
        }
    };
    writeln!(
        out,
        "  {}{how}, {}, {}{}",
        of(Severity::Error, counts.error),
        of(Severity::Warning, counts.warning),
        of(Severity::Note, counts.note),
        report.apart_words()
    )
}

fn decisions(out: &mut dyn Write, page: Page, report: &Report<'_>) -> io::Result<()> {
    if report.decisions.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", page.bold("to decide"))?;
    let width = report.decisions.len().min(DECISIONS).to_string().len();
    for decision in report.decisions.iter().take(DECISIONS) {
        let number = format!("{:>width$}", decision.number);
        let text = format!("{} ({})", clean::text(&decision.title), count(decision.blocks, "statement"));
        for (index, line) in wrap(&text, page.width.saturating_sub(width + 4)).into_iter().enumerate() {
            let number = if index == 0 { page.red(&number) } else { " ".repeat(width) };
            writeln!(out, "  {number}  {line}")?;
        }
    }
    more(out, page, report.decisions.len().saturating_sub(DECISIONS))
}

/// What the rewrite does, a line for each rule.
fn solved(out: &mut dyn Write, page: Page, groups: &[Group<'_>]) -> io::Result<()> {
    let groups: Vec<_> = groups.iter().filter(|group| group.class == Class::Solved).collect();
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", page.bold("solved by the rewrite (--all shows each)"))?;
    for group in groups {
        let number = count(group.findings.len() as u64, "statement");
        writeln!(out, "  {} {:<28} {number}", page.green(&format!("{:<8}", group.rule)), group.name)?;
    }
    Ok(())
}

/// Findings that decide nothing: of each rule the first, and where the others are.
fn by_rule(
    out: &mut dyn Write,
    page: Page,
    report: &Report<'_>,
    groups: &[Group<'_>],
    class: Class,
    title: &str,
) -> io::Result<()> {
    let groups: Vec<_> = groups.iter().filter(|group| group.class == class).collect();
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", page.bold(title))?;
    for group in groups {
        let Some(first) = group.findings.first().map(|finding| report.findings.entry(finding)) else {
            continue;
        };
        let more = match group.findings.len() as u64 - 1 {
            0 => String::new(),
            more => format!(", and {} more", thousands(more)),
        };
        let text = format!("{} ({}{more})", first.message, first.place());
        for (index, line) in wrap(&clean::text(&text), page.width.saturating_sub(INDENT)).iter().enumerate() {
            let rule = format!("{:<8}", if index == 0 { group.rule } else { "" });
            writeln!(out, "  {} {line}", page.severity(first.severity, &rule))?;
        }
    }
    Ok(())
}

fn not_judged(out: &mut dyn Write, page: Page, report: &Report<'_>) -> io::Result<()> {
    if report.not_judged.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", page.bold("not judged"))?;
    for entry in &report.not_judged {
        let what = format!("{} ({})", entry.what, clean::text(&entry.place.to_string()));
        for (index, line) in wrap(&what, page.width.saturating_sub(4)).into_iter().enumerate() {
            writeln!(out, "{}{line}", if index == 0 { "  " } else { "    " })?;
        }
    }
    Ok(())
}

/// SQL for a person to run.
fn scripts(out: &mut dyn Write, page: Page, report: &Report<'_>) -> io::Result<()> {
    if report.scripts.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", page.bold("scripts to run (--scripts DIR writes them)"))?;
    let width = report.scripts.iter().map(|script| script.file.len()).max().unwrap_or(0);
    for script in report.scripts {
        let indent = width + 4;
        let about = format!("{} ({})", clean::text(&script.title), script.rule);
        for (number, line) in wrap(&about, page.width.saturating_sub(indent)).iter().enumerate() {
            let name = if number == 0 { script.file } else { "" };
            writeln!(out, "  {}  {line}", page.command(&format!("{name:<width$}")))?;
        }
    }
    Ok(())
}

/// What the target will not have.
pub(super) fn lost(out: &mut dyn Write, page: Page, lost: &[&str]) -> io::Result<()> {
    if lost.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", page.bold("the target will not have, after the rewrite"))?;
    for loss in lost.iter().take(LOSSES) {
        let mut mark = "- ";
        for line in wrap(&clean::text(loss), page.width.saturating_sub(4)) {
            writeln!(out, "  {mark}{line}")?;
            mark = "  ";
        }
    }
    more(out, page, lost.len().saturating_sub(LOSSES))
}

/// How many were not listed.
fn more(out: &mut dyn Write, page: Page, number: usize) -> io::Result<()> {
    if number == 0 {
        return Ok(());
    }
    let words = format!("… and {} more (--format json lists all)", thousands(number as u64));
    writeln!(out, "  {}", page.dim(&words))
}

/// An input's name for people.
fn name(name: &str) -> String {
    if name == input::STDIN { "standard input".to_owned() } else { clean::text(name) }
}
