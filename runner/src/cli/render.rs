//! A report for people: findings with their lines, grouped by rule, and what to do at the end.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};
use std::ops::Range;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use anstyle::{AnsiColor, Style};
use tsmigrate_analyzer::clean;
use tsmigrate_analyzer::finding::Excerpt;
use tsmigrate_analyzer::human::bytes;
use tsmigrate_analyzer::report::{Entry, Report, Step, Verdict, count, thousands, to_accept};
use tsmigrate_analyzer::{Finding, Safety, Severity};

use super::input;

/// Findings of one rule that are shown in full.
const SHOWN: usize = 3;
/// Places of further findings that are listed.
const PLACES: usize = 12;
/// Other places of one finding that are listed.
const RELATED: usize = 5;
/// Losses that are listed.
const LOSSES: usize = 10;

/// Where a text is shown.
#[derive(Clone, Copy, Debug)]
pub(super) struct Page {
    color: bool,
    unicode: bool,
    /// Columns.
    pub(super) width: usize,
}

impl Page {
    /// The standard output.
    pub(super) fn stdout() -> Self {
        let color = anstream::AutoStream::choice(&io::stdout()) != anstream::ColorChoice::Never;
        Self::new(color, io::stdout().is_terminal())
    }

    /// The standard error.
    pub(super) fn stderr() -> Self {
        let color = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        Self::new(color, io::stderr().is_terminal())
    }

    /// A file.
    pub(super) fn file() -> Self {
        Self::new(false, false)
    }

    fn new(color: bool, terminal: bool) -> Self {
        let columns = terminal_size::terminal_size().map(|(columns, _)| usize::from(columns.0));
        let width = columns.filter(|_| terminal).unwrap_or(100).clamp(40, 120);
        Self { color, unicode: terminal && speaks_utf8(), width }
    }

    fn paint(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Text that stands out.
    pub(super) fn bold(self, text: &str) -> String {
        self.paint(Style::new().bold(), text)
    }

    /// Text that steps back.
    pub(super) fn dim(self, text: &str) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    /// Something to type.
    pub(super) fn command(self, text: &str) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    /// Something bad.
    pub(super) fn red(self, text: &str) -> String {
        self.paint(AnsiColor::BrightRed.on_default().bold(), text)
    }

    /// Something doubtful.
    pub(super) fn yellow(self, text: &str) -> String {
        self.paint(AnsiColor::Yellow.on_default().bold(), text)
    }

    /// Something good.
    pub(super) fn green(self, text: &str) -> String {
        self.paint(AnsiColor::BrightGreen.on_default().bold(), text)
    }

    /// A severity in its colour.
    pub(super) fn severity(self, severity: Severity, text: &str) -> String {
        match severity {
            Severity::Error => self.red(text),
            Severity::Warning => self.yellow(text),
            Severity::Note => self.paint(AnsiColor::BrightBlue.on_default().bold(), text),
        }
    }
}

fn speaks_utf8() -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| {
        std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| value.to_ascii_lowercase())
    });
    locale.is_some_and(|locale| locale.contains("utf-8") || locale.contains("utf8"))
}

/// `text` in lines of at most `width` columns; words longer than that stay whole.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        let mut columns = 0;
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            if columns > 0 && columns + 1 + length > width {
                lines.push(std::mem::take(&mut line));
                columns = 0;
            }
            if columns > 0 {
                line.push(' ');
                columns += 1;
            }
            line.push_str(word);
            columns += length;
        }
        lines.push(line);
    }
    lines
}

/// Writes the report as text. `all` shows every finding in full, `most` at most so many.
pub(super) fn write(
    out: &mut dyn Write,
    page: Page,
    report: &Report<'_>,
    next: &[Step],
    all: bool,
    most: Option<usize>,
) -> io::Result<()> {
    let groups = report.groups();
    let number: usize = groups.iter().map(|group| group.findings.len()).sum();
    let mut left = most.unwrap_or(usize::MAX);
    for findings in groups.iter().map(|group| group.findings.as_slice()) {
        let findings = findings.get(..left.min(findings.len())).unwrap_or_default();
        left -= findings.len();
        group(out, page, report, findings, all)?;
    }
    let more = most.map_or(0, |most| number.saturating_sub(most)) as u64;
    if more > 0 {
        writeln!(out, "… and {}\n", page.bold(&format!("{} more findings", thousands(more))))?;
    }
    summary(out, page, report, next)
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
        writeln!(out, "{}\n", one(page, &entry, index == 0))?;
    }
    let (Some(next), false) = (rest.first(), rest.is_empty()) else { return Ok(()) };
    let title = format!("{} more {}[{}]", thousands(rest.len() as u64), next.severity.name(), next.rule.id);
    let places = places(report, rest);
    let head = format!("… and {}: ", page.severity(next.severity, &title));
    let mut lines = wrap(&places, page.width.saturating_sub(4)).into_iter();
    writeln!(out, "{head}{}", next.rule.name)?;
    lines.try_for_each(|line| writeln!(out, "    {}", page.dim(&line)))?;
    writeln!(out)
}

/// `lines 10, 20` of one file, or of each file.
fn places(report: &Report<'_>, findings: &[&Finding]) -> String {
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
            let name = if several { format!("{} ", clean::text(name)) } else { String::new() };
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

/// One finding; `first` of its rule, with what is the same for all of them.
fn one(page: Page, entry: &Entry<'_>, first: bool) -> String {
    let renderer = if page.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = renderer.term_width(page.width).decor_style(if page.unicode {
        DecorStyle::Unicode
    } else {
        DecorStyle::Ascii
    });
    let level = match entry.severity {
        _ if entry.allowed.is_some() => Level::NOTE,
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let allowed = if entry.allowed.is_some() { "allowed " } else { "" };
    let name = format!("{allowed}{}[{}] {}", entry.severity.name(), entry.rule, entry.name);
    let line = usize::try_from(entry.line).unwrap_or(usize::MAX);
    let column = usize::try_from(entry.column).unwrap_or(usize::MAX);
    let title = clean::text(entry.message);
    let group = level.with_name(name).primary_title(title);
    let shown = entry.excerpt;
    let file = clean::line(entry.file);
    let origin = || match line {
        // A live server has no lines.
        0 => Origin::path(file.as_str()),
        _ => Origin::path(file.as_str()).line(line).char_column(column),
    };
    let (source, mark) = cleaned(shown);
    let mut group: Group<'_> = if shown.text.is_empty() {
        group.element(origin())
    } else {
        let mark = AnnotationKind::Primary.span(mark);
        let snippet = Snippet::source(source.as_str())
            .line_start(usize::try_from(shown.line).unwrap_or(1))
            .fold(false)
            .annotation(mark);
        // Where something was masked or cut before the place, only the finding itself knows its column.
        if place_in(shown) == (entry.line, entry.column) {
            group.element(snippet.path(file.as_str()))
        } else {
            group.element(origin()).element(snippet)
        }
    };
    let gutter = digits(shown.line + shown.text.lines().count() as u64);
    for (word, text) in lines(entry, first) {
        let width = page.width.saturating_sub(gutter + word.len() + 6).max(30);
        let text = wrap(&clean::text(&text), width).join("\n");
        group = group.element(Level::NOTE.with_name(word).message(text));
    }
    renderer.render(&[group])
}

/// The excerpt as a terminal may show it, and the marked part of that.
fn cleaned(excerpt: &Excerpt) -> (String, Range<usize>) {
    let part = |range: Range<usize>| clean::text(excerpt.text.get(range).unwrap_or_default());
    let end = excerpt.end.max(excerpt.start);
    let (before, marked) = (part(0..excerpt.start), part(excerpt.start..end));
    let mark = before.len()..before.len() + marked.len();
    (before + &marked + &part(end..excerpt.text.len()), mark)
}

/// The line and column of the marked part, counted in the excerpt.
fn place_in(excerpt: &Excerpt) -> (u64, u64) {
    let before = excerpt.text.get(..excerpt.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    (excerpt.line + before.matches('\n').count() as u64, line.chars().count() as u64 + 1)
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// What stands below the lines of the dump.
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
        Some(fix) if entry.solved => lines.push(("fix", format!("{} (the rewrite does it)", fix.title))),
        Some(fix) if entry.left => lines.push(("fix", format!("{} (left, as --leave says)", fix.title))),
        Some(fix) if fix.safety == Safety::Review => {
            lines.push(("fix", format!("{}, where you accept that: {}", fix.title, accept())));
        }
        Some(fix) => lines.push(("fix", fix.title.clone())),
        // What a server says of itself is no statement that could be left out.
        None if fails && entry.line > 0 => {
            lines.push(("fix", format!("none; {} leaves the statement out", accept())));
        }
        None => {}
    }
    if let Some(lost) = entry.fix.and_then(|fix| fix.lost.as_ref()) {
        lines.push(("lost", lost.clone()));
    }
    if first && !entry.docs.is_empty() {
        lines.push(("docs", entry.docs.to_owned()));
    }
    lines
}

fn summary(out: &mut dyn Write, page: Page, report: &Report<'_>, next: &[Step]) -> io::Result<()> {
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

    let counts = report.counts;
    verdict_line(out, page, report)?;
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
    )?;

    if !report.not_judged.is_empty() {
        writeln!(out, "\n{}", page.bold("not judged"))?;
        for entry in &report.not_judged {
            let what = format!("{} ({})", entry.what, clean::text(&entry.place.to_string()));
            for (index, line) in wrap(&what, page.width.saturating_sub(4)).into_iter().enumerate() {
                writeln!(out, "{}{line}", if index == 0 { "  " } else { "    " })?;
            }
        }
    }
    let open = report.open_rules();
    if !open.is_empty() {
        writeln!(out, "\n{}", page.bold("open"))?;
        for (rule, name, number) in &open {
            writeln!(out, "  {} {name:<28} {}", page.red(&format!("{rule:<8}")), count(*number, "error"))?;
        }
    }
    lost(out, page, &report.lost)?;
    scripts(out, page, report)?;
    writeln!(out, "\n{}", page.bold("next"))?;
    next.iter().try_for_each(|step| {
        writeln!(out, "  {}\n    {}", step.what, page.command(&clean::text(&step.command)))
    })
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
    let more = lost.len().saturating_sub(LOSSES) as u64;
    if more > 0 {
        writeln!(
            out,
            "  {}",
            page.dim(&format!("… and {} more (--format json lists all)", thousands(more)))
        )?;
    }
    Ok(())
}

/// An input's name for people.
pub(super) fn name(name: &str) -> String {
    if name == input::STDIN { "standard input".to_owned() } else { clean::text(name) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_wrapped_at_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a-very-long-word b", 5), ["a-very-long-word", "b"]);
        assert_eq!(wrap("a\nb", 5), ["a", "b"]);
    }

    #[test]
    fn a_dump_cannot_steer_the_terminal() {
        assert!(!clean::text("a\u{1b}[31mb\u{202e}").contains(['\u{1b}', '\u{202e}']));
    }
}
