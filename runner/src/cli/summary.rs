//! What stands around the decisions of a report for people: the verdict before them; behind them what is lost, what the
//! rewrite does, what changes, and what to do next.

use std::io::{self, Write};

use tsmigrate::human::{self, width};
use tsmigrate_analyzer::finding::Script;
use tsmigrate_analyzer::human::bytes;
use tsmigrate_analyzer::report::{Class, Group, InputReport, Loss, Report, Step, Verdict, count, thousands};
use tsmigrate_analyzer::rule::Finding;
use tsmigrate_analyzer::{Severity, clean};

use super::input;
use super::page::{Page, wrap};

/// Decisions that are shown in full; a line for each further one.
pub(super) const DECISIONS: usize = 5;
/// Further decisions that have a line.
const MORE_DECISIONS: usize = 20;
/// Rules that a list names.
const RULES: usize = 12;
/// Lines that the losses of one rule take.
const LINES: usize = 2;
/// Columns of a rule's id, with the space before it and behind it.
const INDENT: usize = 11;

/// Writes what follows the decisions; `told` where the findings stand in full above it.
pub(super) fn write(
    out: &mut dyn Write,
    page: Page,
    report: &Report<'_>,
    next: &[Step],
    told: bool,
) -> io::Result<()> {
    if !told {
        more_decisions(out, page, report)?;
    }
    databases(out, page, report)?;
    lost(out, page, &report.losses, (!told).then_some("--all shows each"))?;
    if !told {
        let groups = report.groups();
        fixed(out, page, report, &groups)?;
        by_rule(out, page, report, &groups, Class::Warning, "what changes")?;
        by_rule(out, page, report, &groups, Class::Allowed, "allowed by comments in the dump")?;
        notes(out, page, report, &groups)?;
    }
    not_judged(out, page, report)?;
    scripts(out, page, report, told)?;
    for (index, step) in next.iter().enumerate() {
        let command = clean::text(&step.command);
        // A command is never broken: it is to be copied.
        let gap = if width(&step.what) + width(&command) + 7 > page.width { "\n    " } else { " " };
        let (head, shown) = if index == 0 {
            ("next: ", format!("\n{} ", page.bold("next:")))
        } else {
            ("  ", "  ".to_owned())
        };
        let what = human::hang(head, &step.what, page.width).join("\n");
        let what = what.strip_prefix(head).unwrap_or(&what);
        writeln!(out, "{shown}{what}{gap}{}", page.command(&command))?;
    }
    Ok(())
}

/// The databases of a cluster dump, and what keeps them all.
fn databases(out: &mut dyn Write, page: Page, report: &Report<'_>) -> io::Result<()> {
    if report.databases.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", page.bold("databases:"))?;
    for database in &report.databases {
        let mut about = vec![format!("{}: {}", database.name, database.about())];
        let becomes = Some(database.becomes()).filter(|becomes| !becomes.is_empty());
        about.extend(becomes.map(|becomes| format!("beside the others {becomes}")));
        about.extend(database.meets.iter().map(|other| format!("meets {other}")));
        for line in human::hang("  ", &clean::line(&about.join("; ")), page.width) {
            writeln!(out, "{line}")?;
        }
    }
    if let Some(options) = &report.keep_all_databases {
        writeln!(
            out,
            "  to keep all, each in schemas of its own:\n    {}",
            page.command(&clean::text(options))
        )?;
    }
    Ok(())
}

/// Writes the verdict in one line.
pub(super) fn verdict_line(out: &mut dyn Write, page: Page, report: &Report<'_>) -> io::Result<()> {
    let sign = if page.unicode { format!("{} ", report.verdict.sign()) } else { String::new() };
    let sentence = format!("{sign}{}: {}", report.title(), report.sentence());
    writeln!(out, "{}", painted(page, report.verdict, &sentence))
}

/// The verdict with its numbers, and what was checked.
pub(super) fn head(out: &mut dyn Write, page: Page, report: &Report<'_>) -> io::Result<()> {
    let sign = if page.unicode { format!("{} ", report.verdict.sign()) } else { String::new() };
    for line in wrap(&format!("{sign}{}: {}", report.title(), report.sentence()), page.width) {
        writeln!(out, "{}", painted(page, report.verdict, &line))?;
    }
    let counts = report.counts;
    let of = |severity: Severity, number: u64, rest: &str| {
        let text = count(number, severity.name());
        let shown = if number == 0 { page.dim(&text) } else { page.severity(severity, &text) };
        (width(&text) + width(rest), shown + rest)
    };
    let plain = |text: String| (width(&text), text);
    let mut words = Vec::new();
    if counts.error == 0 {
        words.push(of(Severity::Error, 0, ","));
    } else {
        words.push(of(Severity::Error, counts.error, ""));
        words.push(plain(format!("({} fixed by the rewrite,", thousands(counts.solved))));
        words.push(plain(format!("{} open),", thousands(counts.unsolved))));
    }
    words.push(of(Severity::Warning, counts.warning, ","));
    words.push(of(Severity::Note, counts.note, ""));
    in_lines(out, page, &words)?;
    for apart in report.apart_words().split("; ").filter(|apart| !apart.is_empty()) {
        for line in wrap(apart, page.width.saturating_sub(2)) {
            writeln!(out, "  {line}")?;
        }
    }
    let mut about: Vec<String> = report.inputs.iter().map(about).collect();
    about.push(format!("for {}", report.target_words()));
    let about = about.join("; ");
    for text in std::iter::once(about).chain(report.configured()) {
        for line in wrap(&clean::text(&text), page.width.saturating_sub(2)) {
            writeln!(out, "  {}", page.dim(&line))?;
        }
    }
    Ok(())
}

/// Words with their widths, which colours do not change, in lines that the page holds.
fn in_lines(out: &mut dyn Write, page: Page, words: &[(usize, String)]) -> io::Result<()> {
    let mut columns = 0;
    for (width, word) in words {
        let gap = match columns {
            0 => "  ",
            used if used + 1 + width > page.width => "\n  ",
            _ => " ",
        };
        columns = if gap == " " { columns + 1 } else { 2 } + width;
        write!(out, "{gap}{word}")?;
    }
    writeln!(out)
}

/// `roles.sql: 1.60 kB, 18 statements, PostgreSQL 17.2`.
fn about(input: &InputReport<'_>) -> String {
    let mut about = match (input.bytes, input.statements) {
        (0, 0) => Vec::new(),
        (size, statements) => vec![bytes(size), count(statements, "statement")],
    };
    // Distributions write their package behind the number.
    let number = |version: &str| version.split(' ').next().unwrap_or_default().to_owned();
    let (server, dump) = (input.server_version.map(number), input.dump_version.map(number));
    about.extend(server.as_ref().map(|version| format!("PostgreSQL {version}")));
    about.extend(dump.filter(|dump| server.as_ref() != Some(dump)).map(|dump| format!("pg_dump {dump}")));
    let name = name(input.name);
    if about.is_empty() { name } else { format!("{name}: {}", about.join(", ")) }
}

fn painted(page: Page, verdict: Verdict, text: &str) -> String {
    match verdict {
        Verdict::Ready => page.green(text),
        Verdict::ReadyAfterRewrite => page.yellow(text),
        Verdict::NeedsWork => page.red(text),
    }
}

/// A line for each decision that was not shown in full.
fn more_decisions(out: &mut dyn Write, page: Page, report: &Report<'_>) -> io::Result<()> {
    let decisions = report.decisions.get(DECISIONS..).unwrap_or_default();
    if decisions.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", page.bold("more to decide (--all shows each)"))?;
    for decision in decisions.iter().take(MORE_DECISIONS) {
        let number = format!("{:>4}", decision.number);
        let place = decision.places.first().map_or_else(String::new, |place| format!(", {place}"));
        let blocks = count(decision.blocks, "error");
        let text = clean::line(&format!("{} ({blocks}{place})", decision.title));
        for (index, line) in wrap(&text, page.width.saturating_sub(8)).into_iter().enumerate() {
            let number = if index == 0 { page.red(&number) } else { "    ".to_owned() };
            writeln!(out, "  {number}  {line}")?;
        }
    }
    more(out, page, decisions.len().saturating_sub(MORE_DECISIONS))
}

/// What the rewrite does: a table of rules and how many statements of each, in as many columns as there is room for.
fn fixed(out: &mut dyn Write, page: Page, report: &Report<'_>, groups: &[Group<'_>]) -> io::Result<()> {
    let groups: Vec<_> = groups.iter().filter(|group| group.class == Class::Solved).collect();
    if groups.is_empty() {
        return Ok(());
    }
    let words = format!("{} (--all shows each)", count(report.counts.solved, "error"));
    writeln!(out)?;
    titled(out, page, "fixed by the rewrite", &words)?;
    let number = |group: &Group<'_>| thousands(group.findings.len() as u64);
    let most = |of: &dyn Fn(&Group<'_>) -> usize| groups.iter().map(|group| of(group)).max().unwrap_or(0);
    let (id, name, digits) = (
        most(&|group| group.rule.len()),
        most(&|group| group.name.len()),
        most(&|group| number(group).len()),
    );
    let cell = id + name + digits + 2;
    let cells: Vec<String> = groups
        .iter()
        .map(|group| {
            let rule = page.rule(group.rule, &page.green(&format!("{:<id$}", group.rule)));
            format!("{rule} {:<name$} {:>digits$}", group.name, number(group))
        })
        .collect();
    for line in human::in_columns(&cells, cell, page.width.saturating_sub(2)) {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// Findings that decide nothing: of each rule the first, and how many there are besides. What the rewrite has removed with
/// a loss stands among the losses.
fn by_rule(
    out: &mut dyn Write,
    page: Page,
    report: &Report<'_>,
    groups: &[Group<'_>],
    class: Class,
    title: &str,
) -> io::Result<()> {
    let is_lost =
        |finding: &Finding| finding.solved && finding.fix.as_ref().is_some_and(|fix| fix.lost.is_some());
    let groups: Vec<(&Group<'_>, Vec<&Finding>)> = groups
        .iter()
        .filter(|group| group.class == class)
        .map(|group| (group, group.findings.iter().copied().filter(|finding| !is_lost(finding)).collect()))
        .filter(|(_, findings): &(_, Vec<_>)| !findings.is_empty())
        .collect();
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", page.bold(title))?;
    for (group, findings) in groups.iter().take(RULES) {
        let Some(first) = findings.first().map(|finding| report.findings.entry(finding)) else {
            continue;
        };
        let more = match findings.len() as u64 - 1 {
            0 => String::new(),
            more => format!(", and {} more", thousands(more)),
        };
        let text = format!("{} ({}{more})", first.message, first.place());
        for (index, line) in wrap(&clean::text(&text), page.width.saturating_sub(INDENT)).iter().enumerate() {
            let rule = format!("{:<8}", if index == 0 { group.rule } else { "" });
            writeln!(out, "  {} {line}", page.rule(group.rule, &page.severity(first.severity, &rule)))?;
        }
    }
    more(out, page, groups.len().saturating_sub(RULES))
}

/// How many notes there are, and of which rules.
fn notes(out: &mut dyn Write, page: Page, report: &Report<'_>, groups: &[Group<'_>]) -> io::Result<()> {
    let of = |group: &Group<'_>| match group.findings.len() as u64 {
        1 => group.rule.to_owned(),
        number => format!("{} {}", group.rule, thousands(number)),
    };
    let rules: Vec<String> = groups.iter().filter(|group| group.class == Class::Note).map(of).collect();
    if rules.is_empty() {
        return Ok(());
    }
    let words = format!("{} ({}); --all shows each", count(report.counts.note, "note"), rules.join(", "));
    writeln!(out)?;
    titled(out, page, "good to know", &words)
}

/// A title with its words on the same line.
fn titled(out: &mut dyn Write, page: Page, title: &str, words: &str) -> io::Result<()> {
    let title = format!("{title}:");
    for (index, line) in wrap(&format!("{title} {words}"), page.width.saturating_sub(2)).iter().enumerate() {
        match line.strip_prefix(&title).filter(|_| index == 0) {
            Some(rest) => writeln!(out, "{}{rest}", page.bold(&title))?,
            None => writeln!(out, "  {line}")?,
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

fn has_notes(report: &Report<'_>) -> bool {
    report.counts.note > 0 && report.not_judged.is_empty()
}

/// SQL for a person to run: the names of its files, or what each is for where there is room.
fn scripts(out: &mut dyn Write, page: Page, report: &Report<'_>, told: bool) -> io::Result<()> {
    let title = "scripts to run by hand";
    if report.scripts.is_empty() {
        return Ok(());
    }
    if told || !has_notes(report) {
        writeln!(out)?;
    }
    if !told {
        let of = |script: &Script| format!("{} ({})", script.file, script.rule);
        let names: Vec<String> = report.scripts.iter().map(of).collect();
        return titled(out, page, title, &format!("{}; --scripts DIR writes them", names.join(", ")));
    }
    for (index, line) in wrap(&format!("{title} (--scripts DIR writes them)"), page.width).iter().enumerate()
    {
        match line.strip_prefix(title).filter(|_| index == 0) {
            Some(rest) => writeln!(out, "{}{rest}", page.bold(title))?,
            None => writeln!(out, "{line}")?,
        }
    }
    let indent = report.scripts.iter().map(|script| script.file.len()).max().unwrap_or(0) + 4;
    for script in report.scripts {
        let about = format!("{} ({})", clean::text(&script.title), script.rule);
        for (number, line) in wrap(&about, page.width.saturating_sub(indent)).iter().enumerate() {
            let name = format!("{:<1$}", if number == 0 { script.file } else { "" }, indent - 4);
            writeln!(out, "  {}  {line}", page.command(&name))?;
        }
    }
    Ok(())
}

/// What the target will not have: of each rule as much as two lines hold and where the rest is, or all without that.
pub(super) fn lost(
    out: &mut dyn Write,
    page: Page,
    losses: &[Loss<'_>],
    rest: Option<&str>,
) -> io::Result<()> {
    if losses.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{}", page.bold("you will lose"))?;
    let columns = page.width.saturating_sub(INDENT);
    for loss in losses {
        for (index, line) in joined(&loss.lost, columns, rest).iter().enumerate() {
            let rule = format!("{:<8}", if index == 0 { loss.rule } else { "" });
            writeln!(out, "  {} {line}", page.rule(loss.rule, &page.yellow(&rule)))?;
        }
    }
    Ok(())
}

/// The losses in lines of so many columns; what does not fit is counted.
fn joined(lost: &[&str], columns: usize, rest: Option<&str>) -> Vec<String> {
    let words = |shown: usize| {
        let named = lost.iter().take(shown).map(|loss| clean::line(loss)).collect::<Vec<_>>().join("; ");
        match (lost.len() - shown) as u64 {
            0 => wrap(&named, columns),
            more => {
                let rest = rest.unwrap_or_default();
                wrap(&format!("{named}; and {} more ({rest})", thousands(more)), columns)
            }
        }
    };
    let whole = words(lost.len());
    if rest.is_none() || whole.len() <= LINES {
        return whole;
    }
    let fits = |shown: &usize| words(*shown).len() <= LINES;
    (1..lost.len().min(columns)).rev().find(fits).map_or_else(|| words(1), words)
}

/// How many were not listed.
fn more(out: &mut dyn Write, page: Page, number: usize) -> io::Result<()> {
    if number == 0 {
        return Ok(());
    }
    let words = format!("… and {} more (--all shows each)", thousands(number as u64));
    writeln!(out, "  {}", page.dim(&words))
}

/// An input's name for people.
fn name(name: &str) -> String {
    if name == input::STDIN { "standard input".to_owned() } else { clean::text(name) }
}
