//! The report for comments on pull requests and for tickets: short, whole, and never longer than a comment may be.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::diff::diff;
use super::{Around, Block, Entry, Group, Report, Section};
use crate::clean;
use crate::edit::Safety;
use crate::human::{bytes, count, thousands};
use crate::rule::Rule;
use crate::rules::rule;

/// A comment on GitHub has 65,536 characters at most.
const LENGTH: usize = 60_000;
/// Decisions that are listed.
const DECISIONS: usize = 20;
/// Losses that are listed.
const LOSSES: usize = 20;
/// Places of one rule in the table.
const PLACES: usize = 3;
/// Findings of one rule that are shown in full.
const SHOWN: usize = 3;
/// Bytes of a text from the dump.
const TEXT: usize = 600;

pub(super) fn write(report: &Report<'_>, around: &Around<'_>, out: &mut impl Write) -> io::Result<()> {
    let mut page = head(report);
    for section in report.databases_section().iter().chain(around.sections) {
        extra(&mut page, section);
    }
    next(&mut page, around);
    let groups = report.groups();
    table(&mut page, report, &groups);
    scripts(&mut page, report);
    let mut left = around.max_findings.unwrap_or(usize::MAX);
    let mut untold = 0;
    for group in &groups {
        let part = if left == 0 { String::new() } else { details(report, group, left) };
        if part.is_empty() || page.len() + part.len() > LENGTH {
            untold += group.findings.len();
        } else {
            left -= left.min(SHOWN).min(group.findings.len());
            page += &part;
        }
    }
    if untold > 0 {
        let _ = writeln!(page, "\n… and {} more findings.", thousands(untold as u64));
    }
    let _ = writeln!(page, "\n<sub>{} {}</sub>", report.tool.name, report.tool.version);
    out.write_all(page.as_bytes())
}

fn head(report: &Report<'_>) -> String {
    let mut page = String::new();
    let sign = match report.verdict {
        super::Verdict::Ready => "✅",
        super::Verdict::ReadyAfterRewrite => "☑️",
        super::Verdict::NeedsWork => "❌",
    };
    let _ = writeln!(page, "## {sign} {}: {}\n", report.title(), report.sentence());
    let counts = report.counts;
    let _ = writeln!(page, "| errors | fixed by the rewrite | open | warnings | notes |");
    let _ = writeln!(page, "|---:|---:|---:|---:|---:|");
    let numbers = [counts.error, counts.solved, counts.unsolved, counts.warning, counts.note].map(thousands);
    let _ = writeln!(page, "| {} |\n", numbers.join(" | "));
    for input in &report.inputs {
        let mut about = vec![bytes(input.bytes), count(input.statements, "statement")];
        about.extend(input.server_version.map(|version| format!("from PostgreSQL {}", text(version))));
        about.extend(input.dump_version.map(|version| format!("written by pg_dump {}", text(version))));
        let _ = writeln!(page, "- {}: {}", code(input.name), about.join(", "));
    }
    let _ = writeln!(page, "- for {}", text(&report.target_words()));
    for apart in report.not_judged_lines().chain(report.configured()) {
        let _ = writeln!(page, "- {}", text(&apart));
    }
    decisions(&mut page, report);
    if !report.lost.is_empty() {
        let _ = writeln!(page, "\n### The target will not have, after the rewrite\n");
        for loss in &report.losses {
            // One rule may take the same from hundreds of objects.
            let shown: Vec<String> = loss.lost.iter().take(LOSSES).map(|lost| text(lost)).collect();
            let more = match loss.lost.len().saturating_sub(LOSSES) as u64 {
                0 => String::new(),
                more => format!("; and {} more", thousands(more)),
            };
            let _ = writeln!(page, "- {}: {}{more}", loss.rule, shown.join("; "));
        }
    }
    page
}

/// What a person has to decide, and what can be done.
fn decisions(page: &mut String, report: &Report<'_>) {
    if report.decisions.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n### To decide\n");
    for decision in report.decisions.iter().take(DECISIONS) {
        let blocks = count(decision.blocks, "error");
        let _ = writeln!(page, "{}. **{}** ({blocks})", decision.number, text(&decision.title));
        for choice in &decision.choices {
            let _ = writeln!(page, "   - {}", choice.written(text, code));
        }
    }
    let more = report.decisions.len().saturating_sub(DECISIONS) as u64;
    if more > 0 {
        let _ = writeln!(page, "\n… and {} more", thousands(more));
    }
}

fn extra(page: &mut String, section: &Section) {
    let _ = writeln!(page, "\n### {}", text(&section.title));
    for block in &section.blocks {
        let _ = match block {
            Block::Text(paragraph) => writeln!(page, "\n{}", text(paragraph)),
            Block::Code(lines) => writeln!(page, "\n{}", fenced("", lines)),
            Block::Table { head, rows } => {
                let row = |cells: &[String]| {
                    format!("| {} |\n", cells.iter().map(|c| text(c)).collect::<Vec<_>>().join(" | "))
                };
                let rule = format!("|{}\n", "---|".repeat(head.len()));
                let rows: String = rows.iter().map(|cells| row(cells)).collect();
                writeln!(page, "\n{}{rule}{rows}", row(head))
            }
        };
    }
}

fn next(page: &mut String, around: &Around<'_>) {
    if !around.next.is_empty() {
        let _ = writeln!(page, "\n### Next\n");
    }
    for step in around.next {
        let lines = fenced("sh", &step.command).trim_end().replace('\n', "\n  ");
        let _ = writeln!(page, "- {}\n  {lines}", text(&step.what));
    }
}

fn table(page: &mut String, report: &Report<'_>, groups: &[Group<'_>]) {
    if groups.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n### Findings\n\n| | rule | what | number | places |\n|---|---|---|---:|---|");
    for group in groups {
        let mut places: Vec<String> = group
            .findings
            .iter()
            .take(PLACES)
            .map(|finding| {
                let entry = report.findings.entry(finding);
                if entry.line == 0 {
                    code(entry.file)
                } else if report.inputs.len() > 1 {
                    code(&format!("{}:{}", entry.file, entry.line))
                } else {
                    format!("line {}", entry.line)
                }
            })
            .collect();
        places.extend((group.findings.len() > PLACES).then(|| "…".to_owned()));
        let summary = rule(group.rule).map_or("", |rule| rule.doc.summary);
        let _ = writeln!(
            page,
            "| {} | [{}]({}) {} | {} | {} | {} |",
            class_words(group),
            group.rule,
            rule(group.rule).map_or("".into(), Rule::link),
            group.name,
            text(summary),
            thousands(group.findings.len() as u64),
            places.join(", ")
        );
    }
}

fn class_words(group: &Group<'_>) -> &'static str {
    match group.class {
        super::Class::Open => "❌ error",
        super::Class::Solved => "🔧 error, fixed",
        super::Class::Warning => "⚠️ warning",
        super::Class::Note => "ℹ️ note",
        super::Class::Allowed => "🔕 allowed",
    }
}

fn scripts(page: &mut String, report: &Report<'_>) {
    if report.scripts.is_empty() {
        return;
    }
    let _ = writeln!(page, "\n### Scripts to run\n");
    for script in report.scripts {
        let _ = writeln!(page, "- {} ({}): {}", code(script.file), script.rule, text(&script.title));
    }
}

fn details(report: &Report<'_>, group: &Group<'_>, most: usize) -> String {
    let mut out = String::new();
    let number = group.findings.len();
    let _ = writeln!(
        out,
        "\n<details><summary>{} <b>{}</b> {} ({})</summary>\n",
        class_words(group),
        group.rule,
        group.name,
        thousands(number as u64)
    );
    if let Some(rule) = rule(group.rule) {
        let _ = writeln!(out, "{}\n", text(rule.doc.why));
        let _ = writeln!(out, "{}\n", text(rule.doc.help));
    }
    let shown = SHOWN.min(most);
    for finding in group.findings.iter().take(shown) {
        one(&mut out, &report.findings.entry(finding));
    }
    let more = number.saturating_sub(shown) as u64;
    if more > 0 {
        let _ = writeln!(out, "… and {} more\n", thousands(more));
    }
    out += "</details>\n";
    out
}

fn one(out: &mut String, entry: &Entry<'_>) {
    let place = entry.place();
    let _ = writeln!(out, "**{}** {}\n", text(entry.message), code(&place));
    match diff(entry).filter(|_| entry.solved) {
        Some(lines) => {
            let lines: Vec<String> =
                lines.iter().map(|(mark, line)| format!("{}{line}", mark.sign())).collect();
            let _ = writeln!(out, "{}", fenced("diff", &cut(&lines.join("\n"))));
        }
        None if entry.excerpt.text.is_empty() => {}
        None => {
            let _ = writeln!(out, "{}", fenced("sql", &cut(&entry.excerpt.text)));
        }
    }
    if let Some(error) = entry.server_error {
        let _ = writeln!(out, "Server: {}\n", code(&error.shown()));
    }
    if let Some(reason) = entry.allowed {
        let reason = if reason.is_empty() { "without a reason" } else { reason };
        let _ = writeln!(out, "Allowed: {}\n", text(reason));
        return;
    }
    let advice = rule(entry.rule).is_none_or(|rule| rule.doc.help != entry.help);
    if advice && !entry.help.is_empty() {
        let _ = writeln!(out, "{}\n", text(entry.help));
    }
    if let Some(fix) = entry.fix {
        let how = match fix.safety {
            _ if entry.solved => "applied by the rewrite".to_owned(),
            _ if entry.left => format!("left, as {} says", code("--leave")),
            Safety::Review => format!(
                "where you accept that: {}",
                code(&format!("--accept {}", super::to_accept(entry).join(",")))
            ),
            _ => "not applied".to_owned(),
        };
        let _ = writeln!(out, "Fix: {} ({how})\n", text(&fix.title));
    }
}

/// Text of a dump, at most so much of it.
fn cut(text: &str) -> String {
    if text.len() <= TEXT {
        return text.to_owned();
    }
    let mut end = TEXT;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// Words that no Markdown and no HTML is read in.
fn text(words: &str) -> String {
    let mut out = String::new();
    let words = cut(words);
    let mut chars = words.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A mention of a person or of a ticket begins with one of these.
            '@' => out.push_str("&#64;"),
            '#' => out.push_str("&#35;"),
            // What begins so is a link without a scheme.
            '.' if out.to_ascii_lowercase().ends_with("www") => out.push_str("&#46;"),
            // The scheme of a link, and a picture's name, go on behind it.
            ':' if chars.peek().is_some_and(|next| !next.is_whitespace()) => out.push_str("&#58;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' | '{' | '}' => {
                out.push('\\');
                out.push(c);
            }
            c => clean::push(&mut out, c),
        }
    }
    out
}

/// Words in the type of code, also in a table.
fn code(words: &str) -> String {
    let mut out = String::from("<code>");
    for c in cut(words).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_ascii_punctuation()
                && !matches!(c, '.' | '/' | ',' | '-' | '(' | ')' | ' ' | '\'' | '"' | ';') =>
            {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => clean::push(&mut out, c),
        }
    }
    out += "</code>";
    out
}

/// Lines between marks that do not occur in them.
fn fenced(language: &str, lines: &str) -> String {
    let mut mark = "```".to_owned();
    while lines.contains(&mark) {
        mark.push('`');
    }
    format!("{mark}{language}\n{}\n{mark}\n", clean::text(lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_markup() {
        assert_eq!(text("a|b *c* <img> @me #1\nd"), "a\\|b \\*c\\* &lt;img&gt; &#64;me &#35;1 d");
        assert_eq!(text("www.evil.example"), "www&#46;evil.example");
        assert_eq!(code("a|`b`</code>"), "<code>a&#124;&#96;b&#96;&lt;/code&gt;</code>");
        assert_eq!(fenced("sql", "```\nx"), "````sql\n```\nx\n````\n");
    }
}
