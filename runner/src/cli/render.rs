//! A report for people: findings with their lines, grouped by rule, and what to do at the end.

use std::fmt::Write as _;
use std::io::{self, Write};

use tsmigrate::human;
use tsmigrate_analyzer::clean;
use tsmigrate_analyzer::report::{Decision, Entry, Report, Step, count, thousands, to_accept};
use tsmigrate_analyzer::{Finding, Safety, Severity};

use super::excerpt;
use super::input;
use super::page::{Page, wrap};
use super::summary;

/// Findings of one rule that are shown in full.
const SHOWN: usize = 3;
/// Places of further findings that are listed.
const PLACES: usize = 12;
/// Other places of one finding that are listed.
const RELATED: usize = 5;

/// Writes the report as text: what is to be decided in full, the rest by rule. `all` shows every finding in full instead,
/// `most` at most so many.
pub(super) fn write(
    out: &mut dyn Write,
    page: Page,
    report: &Report<'_>,
    next: &[Step],
    all: bool,
    most: Option<usize>,
) -> io::Result<()> {
    summary::head(out, page, report)?;
    if !all && most.is_none() {
        for shown in report.decisions.iter().take(summary::DECISIONS) {
            writeln!(out, "\n{}", decision(page, report, shown))?;
        }
        return summary::write(out, page, report, next, false);
    }
    let groups = report.groups();
    let number: usize = groups.iter().map(|group| group.findings.len()).sum();
    let mut left = most.unwrap_or(usize::MAX);
    writeln!(out)?;
    for findings in groups.iter().map(|group| group.findings.as_slice()) {
        let findings = findings.get(..left.min(findings.len())).unwrap_or_default();
        left -= findings.len();
        group(out, page, report, findings, all)?;
    }
    let more = most.map_or(0, |most| number.saturating_sub(most)) as u64;
    if more > 0 {
        writeln!(out, "… and {}\n", page.bold(&format!("{} more findings", thousands(more))))?;
    }
    summary::write(out, page, report, next, true)
}

/// A decision, with the first of its findings.
fn decision(page: Page, report: &Report<'_>, decision: &Decision<'_>) -> String {
    let Some(first) = decision.shown() else { return decision.title.clone() };
    let entry = report.findings.entry(first);
    let of = |(rule, number): (&&str, &u64)| match decision.rules.len() {
        1 => (*rule).to_owned(),
        _ => format!("{rule} {}", thousands(*number)),
    };
    let rules: Vec<String> = decision.rules.iter().map(of).collect();
    let title = format!("{} ({}: {})", decision.title, count(decision.blocks, "error"), rules.join(", "));
    let mut below = lines(&entry, true);
    // The ways out say it, but for what was asked for.
    below.retain(|(word, _)| !["why", "help", "lost"].contains(word) && (*word != "fix" || entry.left));
    let docs = below.pop_if(|(word, _)| *word == "docs");
    let others: Vec<&Finding> =
        decision.findings.iter().copied().filter(|finding| finding.place != first.place).collect();
    below.push(("why", decision.why.to_owned()));
    for (index, choice) in decision.choices.iter().enumerate() {
        let words = choice.written(clean::line, str::to_owned);
        below.push((if index == 0 { "do" } else { "or" }, words));
    }
    // The page stands there too, and a terminal that follows links leads to it.
    below.extend(docs.map(|(word, _)| (word, format!("tsmigrate rules {}", first.rule.id))));
    let also = if others.is_empty() {
        String::new()
    } else {
        format!("also {}", places(report, &others, Some(first.place.input)))
    };
    one(page, &entry, &format!("decision {}", decision.number), &title, &also, below)
}

fn group(
    out: &mut dyn Write,
    page: Page,
    report: &Report<'_>,
    findings: &[&Finding],
    all: bool,
) -> io::Result<()> {
    // One more than would be left out takes no more lines than saying so.
    let shown = if all || findings.len() <= SHOWN + 1 { findings.len() } else { SHOWN };
    let (first, rest) = findings.split_at(shown);
    for (index, finding) in first.iter().enumerate() {
        let entry = report.findings.entry(finding);
        let allowed = if entry.allowed.is_some() { "allowed " } else { "" };
        let name = format!("{allowed}{}[{}] {}", entry.severity.name(), entry.rule, entry.name);
        writeln!(out, "{}\n", one(page, &entry, &name, entry.message, "", lines(&entry, index == 0)))?;
    }
    let (Some(next), false) = (rest.first(), rest.is_empty()) else { return Ok(()) };
    let title = format!("{} more {}[{}]", thousands(rest.len() as u64), next.severity.name(), next.rule.id);
    let places = places(report, rest, None);
    let head = format!("… and {}: ", page.severity(next.severity, &title));
    let mut lines = wrap(&places, page.width.saturating_sub(4)).into_iter();
    writeln!(out, "{head}{}", next.rule.name)?;
    lines.try_for_each(|line| writeln!(out, "    {}", page.dim(&line)))?;
    writeln!(out)
}

/// `lines 10, 20` of one file, or of each file; `own` is the one that needs no name.
fn places(report: &Report<'_>, findings: &[&Finding], own: Option<usize>) -> String {
    let several = report.inputs.len() > 1;
    let mut out = String::new();
    let mut file = None;
    for finding in findings.iter().take(PLACES) {
        let input = finding.place.input;
        let same = file == Some(input);
        if same {
            out.push_str(", ");
        } else {
            let name = report.inputs.get(input).map_or("", |input| input.name);
            let named = several && own != Some(input);
            let name = if named { format!("{} ", clean::line(name)) } else { String::new() };
            let gap = if file.is_some() { "; " } else { "" };
            let _ = write!(out, "{gap}{name}{}", if findings.len() == 1 { "line " } else { "lines " });
        }
        file = Some(input);
        let _ = write!(out, "{}", finding.place.line);
    }
    if findings.len() > PLACES {
        out.push_str(", … (--all shows all)");
    }
    out
}

/// One finding under a name and a title, with `also` behind its place, and `below` it what there is to say.
fn one(
    page: Page,
    entry: &Entry<'_>,
    name: &str,
    title: &str,
    also: &str,
    below: Vec<(&'static str, String)>,
) -> String {
    let severity = if entry.allowed.is_some() { Severity::Note } else { entry.severity };
    let mut out = Vec::new();
    let head = format!("{name}: ");
    for (index, line) in human::hang(&head, &clean::line(title), page.width).into_iter().enumerate() {
        out.push(match line.strip_prefix(&head).filter(|_| index == 0) {
            Some(text) => format!("{}{}", page.severity(severity, &head), page.bold(text)),
            None => page.bold(&line),
        });
    }
    let excerpt = entry.excerpt;
    let gutter = digits(excerpt.line + excerpt.text.lines().count() as u64);
    let file = clean::line(entry.file);
    let place = match entry.line {
        // A live server has no lines.
        0 => file.clone(),
        line => format!("{file}:{line}:{}", entry.column),
    };
    let shown = if entry.line == 0 || entry.file == input::STDIN {
        place.clone()
    } else {
        page.file_link(entry.file, &place)
    };
    let indent = gutter + 5 + human::width(&place) + 2;
    // Beside the place where there is room for it, otherwise below.
    let is_beside = indent + 30 <= page.width;
    let also = human::hang(&" ".repeat(if is_beside { indent } else { gutter + 5 }), also, page.width);
    out.push(format!("{:gutter$} {} {shown}", "", page.dim("-->")));
    for (index, line) in also.iter().filter(|line| !line.trim().is_empty()).enumerate() {
        match out.last_mut().filter(|_| is_beside && index == 0) {
            Some(last) => *last += &page.dim(&format!("  {}", line.trim_start())),
            None => out.push(page.dim(line)),
        }
    }
    if !excerpt.text.is_empty() {
        out.extend(excerpt::lines(page, excerpt, gutter, severity));
    }
    for (word, text) in below {
        let head = format!("{:gutter$} = {word}: ", "");
        let blank = " ".repeat(head.len());
        for (index, line) in clean::text(&text).lines().enumerate() {
            let lines = human::hang(&blank, line, page.width.max(head.len() + 30));
            for (number, line) in lines.into_iter().enumerate() {
                let text = line.get(head.len()..).unwrap_or_default();
                let text = if word == "docs" { page.link(entry.docs, text) } else { text.to_owned() };
                out.push(match (index, number) {
                    (0, 0) => format!("{}{text}", page.bold(&head)),
                    _ => format!("{blank}{text}"),
                });
            }
        }
    }
    out.join("\n")
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// What stands below the lines of the dump; for the `first` of a rule with what is the same for all of them.
fn lines(entry: &Entry<'_>, first: bool) -> Vec<(&'static str, String)> {
    let mut lines = Vec::new();
    if let Some(error) = entry.server_error {
        let mut text = error.shown();
        for (word, more) in [("DETAIL", &error.detail), ("HINT", &error.hint)] {
            if let Some(more) = more {
                let _ = write!(text, "\n{word}: {more}");
            }
        }
        lines.push(("server", text));
    }
    if let Some(reason) = entry.allowed {
        let reason = if reason.is_empty() { "by a comment in the dump, without a reason" } else { reason };
        lines.push(("allowed", reason.to_owned()));
        return lines;
    }
    for related in entry.related.iter().take(RELATED) {
        let rule = related.rule.map_or_else(String::new, |rule| format!(" ({rule})"));
        let text =
            format!("{}{rule} at {}:{}:{}", related.message, related.file, related.line, related.column);
        lines.push((if related.rule.is_some() { "cause" } else { "see" }, text));
    }
    let more = entry.related.iter().count().saturating_sub(RELATED) as u64;
    if more > 0 {
        lines.push(("see", format!("{} more places (--format json lists all)", thousands(more))));
    }
    if first {
        lines.push(("why", entry.why.to_owned()));
    }
    let own_help = tsmigrate_analyzer::rules::rule(entry.rule).is_none_or(|rule| rule.doc.help != entry.help);
    if (first || own_help) && !entry.help.is_empty() {
        lines.push(("help", entry.help.to_owned()));
    }
    let accept = || format!("--accept {}", to_accept(entry).join(","));
    if let Some(own) = entry.own_severity {
        lines.push((
            "counted",
            format!("as {}, by configuration; the rule says {}", entry.severity.name(), own.name()),
        ));
    }
    let fails = entry.own_severity.unwrap_or(entry.severity) == Severity::Error;
    match entry.fix {
        Some(fix) if entry.solved => lines.push(("fix", format!("{} (applied by the rewrite)", fix.title))),
        Some(fix) if entry.left => lines.push(("fix", format!("{} (left, as --leave says)", fix.title))),
        Some(fix) if fix.safety == Safety::Review => {
            lines.push(("fix", format!("{}, where you accept that: {}", fix.title, accept())));
        }
        Some(fix) => lines.push(("fix", fix.title.to_string())),
        // What a server says of itself is no statement that could be left out.
        None if fails && entry.line > 0 => {
            let does = if entry.risk {
                "takes the risk, and keeps the statement"
            } else {
                "leaves the statement out"
            };
            lines.push(("fix", format!("none; {} {does}", accept())));
        }
        None => {}
    }
    if let Some(lost) = entry.fix.and_then(|fix| fix.lost.as_ref()) {
        lines.push(("lost", lost.to_string()));
    }
    if first && !entry.docs.is_empty() {
        lines.push(("docs", entry.docs.to_owned()));
    }
    lines
}
