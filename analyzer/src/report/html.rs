//! The report as one page: it needs no other file and no network, and every text of a dump in it is text.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq};
use serde_json::ser::{CharEscape, CompactFormatter, Formatter};

use super::diff::diff;
use super::page::{STYLE, STYLE_DIGEST, capital, copyable, text};
use super::words::{bytes, count, plural, thousands};
use super::{Around, Block, Class, Entry, Report, Section, to_accept};
use crate::clean;
use crate::edit::Safety;
use crate::rule::Finding;
use crate::rules::rule;

const SCRIPT: &str = include_str!("page.js");
/// What a browser may run: this and nothing else. The digest is its own (SHA-256).
const SCRIPT_DIGEST: &str = "sha256-s01GvQ42LMSjA3ohovcTO613Gef+LgS88wrTeooGQ1I=";

/// Findings that are put into one page: more make it slow to open.
const FINDINGS: usize = 20_000;
/// Losses that are shown at once.
const LOSSES: usize = 12;
/// Other places of one finding that are listed.
const RELATED: usize = 20;

pub(super) fn write(report: &Report<'_>, around: &Around<'_>, out: &mut impl Write) -> io::Result<()> {
    let title = format!("{}: {}", report.verdict.title(), report.sentence());
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{STYLE_DIGEST}'; \
         script-src '{SCRIPT_DIGEST}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n",
        text(&title)
    )?;
    let mut page = header(report);
    page += "<main class=\"wrap\">\n";
    open(&mut page, report);
    lost(&mut page, report);
    for section in around.sections {
        extra(&mut page, section);
    }
    next(&mut page, around);
    scripts(&mut page, report);
    out.write_all(page.as_bytes())?;
    findings(report, around, out)?;
    write!(
        out,
        "</main>\n<footer><div class=\"wrap\">Written by {} {}. Nothing in this page is sent anywhere.</div></footer>\n\
         <script>{SCRIPT}</script>\n</body>\n</html>\n",
        text(report.tool.name),
        text(report.tool.version)
    )
}

fn header(report: &Report<'_>) -> String {
    let verdict = serde_json::to_value(report.verdict).unwrap_or_default();
    let counts = report.counts;
    let mut page = format!(
        "<header class=\"{}\"><div class=\"wrap\">\n<p class=\"tool\">tsmigrate check</p>\n\
         <h1><span class=\"sign\" aria-hidden=\"true\">{}</span> {}</h1>\n<p class=\"sentence\">{}</p>\n<dl class=\"counts\">\n",
        text(verdict.as_str().unwrap_or_default()),
        report.verdict.sign(),
        report.verdict.title(),
        text(&capital(&report.sentence()))
    );
    for (class, number, words) in [
        ("open", counts.unsolved, format!("{} open", plural(counts.unsolved, "error"))),
        ("solved", counts.solved, format!("{} solved by the rewrite", plural(counts.solved, "error"))),
        ("warning", counts.warning, plural(counts.warning, "warning")),
        ("note", counts.note, plural(counts.note, "note")),
    ] {
        let none = if number == 0 { " none" } else { "" };
        let _ = writeln!(
            page,
            "<div class=\"{class}{none}\"><dt>{words}</dt><dd>{}</dd></div>",
            thousands(number)
        );
    }
    page += "</dl>\n<ul class=\"about\">\n";
    for input in &report.inputs {
        let mut about = vec![bytes(input.bytes), count(input.statements, "statement")];
        about.extend(input.server_version.map(|version| format!("from PostgreSQL {version}")));
        about.extend(input.dump_version.map(|version| format!("written by pg_dump {version}")));
        let name = if input.name == "-" { "standard input" } else { input.name };
        let _ = writeln!(page, "<li><b>{}</b> {}</li>", text(name), text(&about.join(", ")));
    }
    let _ = writeln!(page, "<li>for {}</li>", text(&report.target_words()));
    if !report.options.accept.is_empty() {
        let rules: Vec<&str> = report.options.accept.iter().map(String::as_str).collect();
        let _ = writeln!(page, "<li>losses accepted: {}</li>", text(&rules.join(", ")));
    }
    for apart in report.apart().iter().chain(&report.configured()) {
        let _ = writeln!(page, "<li>{}</li>", text(apart));
    }
    page += "</ul>\n</div></header>\n";
    page
}

/// What the rewrite does not solve, by what has to be changed or accepted.
fn open(page: &mut String, report: &Report<'_>) {
    let open = report.open_rules();
    if open.is_empty() {
        return;
    }
    *page += "<section aria-labelledby=\"open-title\">\n<h2 id=\"open-title\">What needs a decision</h2>\n\
              <div class=\"card table\"><table>\n<thead><tr><th scope=\"col\">Rule</th><th scope=\"col\">What it is</th>\
              <th scope=\"col\" class=\"number\">Open errors</th></tr></thead>\n<tbody>\n";
    for (id, name, number) in open {
        let summary = rule(id).map_or("", |rule| rule.doc.summary);
        let _ = writeln!(
            page,
            "<tr><td><a href=\"#{id}\">{id}</a> {}</td><td>{}</td><td class=\"number\">{}</td></tr>",
            text(name),
            text(summary),
            thousands(number),
            id = text(id)
        );
    }
    *page += "</tbody></table></div>\n</section>\n";
}

fn lost(page: &mut String, report: &Report<'_>) {
    if report.lost.is_empty() {
        return;
    }
    let _ = writeln!(
        page,
        "<section aria-labelledby=\"lost-title\">\n<h2 id=\"lost-title\">What the target will not have after the \
         rewrite</h2>\n<div class=\"card long\">"
    );
    let list = |page: &mut String, lost: &[&str]| {
        *page += "<ul class=\"lost\">\n";
        for lost in lost {
            let _ = writeln!(page, "<li>{}</li>", text(lost));
        }
        *page += "</ul>\n";
    };
    let (first, rest) = report.lost.split_at(LOSSES.min(report.lost.len()));
    list(page, first);
    if !rest.is_empty() {
        let more = thousands(rest.len() as u64);
        let _ = writeln!(page, "<details class=\"more\"><summary>{more} more</summary>");
        list(page, rest);
        *page += "</details>\n";
    }
    *page += "</div>\n</section>\n";
}

fn extra(page: &mut String, section: &Section) {
    let id: String = section.id.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    let _ = writeln!(
        page,
        "<section aria-labelledby=\"more-{id}\">\n<h2 id=\"more-{id}\">{}</h2>",
        text(&section.title)
    );
    for block in &section.blocks {
        match block {
            Block::Text(words) => {
                let _ = writeln!(page, "<p>{}</p>", text(words));
            }
            Block::Code(lines) => copyable(page, lines),
            Block::Table { head, rows } => {
                *page += "<div class=\"card table\"><table>\n<thead><tr>";
                for cell in head {
                    let _ = write!(page, "<th scope=\"col\">{}</th>", text(cell));
                }
                *page += "</tr></thead>\n<tbody>\n";
                for row in rows {
                    *page += "<tr>";
                    for cell in row {
                        let _ = write!(page, "<td>{}</td>", text(cell));
                    }
                    *page += "</tr>\n";
                }
                *page += "</tbody></table></div>\n";
            }
        }
    }
    *page += "</section>\n";
}

fn next(page: &mut String, around: &Around<'_>) {
    if around.next.is_empty() {
        return;
    }
    *page += "<section aria-labelledby=\"next-title\">\n<h2 id=\"next-title\">What to do next</h2>\n\
              <ul class=\"card steps\">\n";
    for step in around.next {
        let _ = write!(page, "<li>{}", text(&capital(&step.what)));
        copyable(page, &step.command);
        *page += "</li>\n";
    }
    *page += "</ul>\n</section>\n";
}

fn scripts(page: &mut String, report: &Report<'_>) {
    if report.scripts.is_empty() {
        return;
    }
    *page += "<section aria-labelledby=\"scripts-title\">\n<h2 id=\"scripts-title\">Scripts to run</h2>\n";
    for script in report.scripts {
        let _ = writeln!(
            page,
            "<details class=\"card long script\"><summary>{}</summary>\n<p>{} <span class=\"quiet\">({})</span></p>",
            text(script.file),
            text(&script.title),
            text(script.rule)
        );
        copyable(page, crate::secrets::in_sql(&script.sql).trim_end());
        *page += "</details>\n";
    }
    *page += "</section>\n";
}

fn findings(report: &Report<'_>, around: &Around<'_>, out: &mut impl Write) -> io::Result<()> {
    let counts = report.counts;
    let number = counts.error + counts.warning + counts.note + counts.allowed;
    let most = around.max_findings.unwrap_or(FINDINGS);
    let mut page = String::from(
        "<section id=\"findings\" aria-labelledby=\"findings-title\">\n<h2 id=\"findings-title\">Findings</h2>\n\
         <div class=\"tools\" id=\"tools\" role=\"search\" hidden>\n\
         <label class=\"search\"><span class=\"quiet small\">Search</span> <input type=\"search\" id=\"search\" \
         placeholder=\"a table, a rule, words of a message\" autocomplete=\"off\"></label>\n\
         <label class=\"by\"><span class=\"quiet small\">Group by</span> <select id=\"by\">\
         <option value=\"rule\">rule</option><option value=\"object\">object</option>\
         <option value=\"severity\">severity</option><option value=\"file\">file</option></select></label>\n\
         <button type=\"button\" id=\"all\">Open all</button>\n<div class=\"chips\" role=\"group\" aria-label=\"Shown\">\n",
    );
    for (class, number) in [
        (Class::Open, counts.unsolved),
        (Class::Solved, counts.solved),
        (Class::Warning, counts.warning),
        (Class::Note, counts.note),
        (Class::Allowed, counts.allowed),
    ] {
        if number > 0 {
            let words = match class {
                Class::Open => format!("{} open", plural(number, "error")),
                Class::Solved => format!("{} solved", plural(number, "error")),
                Class::Allowed => class.name().to_owned(),
                _ => plural(number, class.name()),
            };
            let _ = writeln!(
                page,
                "<button type=\"button\" class=\"chip {name}\" data-name=\"{name}\" aria-pressed=\"true\">{} {words}</button>",
                thousands(number),
                name = class.name()
            );
        }
    }
    page += "</div>\n</div>\n<p id=\"status\" class=\"quiet small\" role=\"status\"></p>\n";
    if number > most as u64 {
        let _ = writeln!(
            page,
            "<p>This page shows {} of {} findings, the worst first. The JSON report has all of them.</p>",
            thousands(most as u64),
            thousands(number)
        );
    }
    page += "<div id=\"groups\"></div>\n";
    noscript(&mut page, report);
    page += "</section>\n<script type=\"application/json\" id=\"data\">";
    out.write_all(page.as_bytes())?;
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, InPage);
    Data { report, most }.serialize(&mut serializer)?;
    writeln!(out, "</script>")
}

/// Without the page's program: what was found, by rule.
fn noscript(page: &mut String, report: &Report<'_>) {
    *page += "<noscript><div class=\"card table\"><table>\n<thead><tr><th scope=\"col\">Rule</th>\
              <th scope=\"col\">What it is</th><th scope=\"col\" class=\"number\">Findings</th>\
              <th scope=\"col\">First place</th></tr></thead>\n<tbody>\n";
    for group in report.groups() {
        let Some(entry) = group.findings.first().map(|finding| report.findings.entry(finding)) else {
            continue;
        };
        let _ = writeln!(
            page,
            "<tr><td><span class=\"badge {}\">{}</span> {}</td><td>{}</td><td class=\"number\">{}</td><td><code>{}</code></td></tr>",
            group.class.name(),
            text(group.rule),
            text(group.name),
            text(rule(group.rule).map_or("", |rule| rule.doc.summary)),
            thousands(group.findings.len() as u64),
            text(&entry.place())
        );
    }
    *page += "</tbody></table></div></noscript>\n";
}

/// What the page's program is given.
struct Data<'r, 'a> {
    report: &'r Report<'a>,
    most: usize,
}

impl Serialize for Data<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let groups = self.report.groups();
        let mut rules: BTreeMap<&str, RuleData> = BTreeMap::new();
        for group in &groups {
            if let Some(rule) = rule(group.rule) {
                let doc = &rule.doc;
                let data = RuleData {
                    name: rule.name,
                    summary: doc.summary,
                    why: doc.why,
                    help: doc.help,
                    docs: doc.link,
                };
                rules.insert(rule.id, data);
            }
        }
        let mut titles: BTreeMap<String, String> = BTreeMap::new();
        titles.extend(Class::ALL.iter().map(|class| (class.name().to_owned(), class.title().to_owned())));
        let files: Vec<&str> = self.report.inputs.iter().map(|input| input.name).collect();
        let chosen: Vec<&Finding> =
            groups.iter().flat_map(|group| group.findings.iter().copied()).take(self.most).collect();
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("files", &files)?;
        map.serialize_entry("titles", &titles)?;
        map.serialize_entry("rules", &rules)?;
        map.serialize_entry("findings", &Findings { report: self.report, chosen: &chosen })?;
        map.end()
    }
}

#[derive(Serialize)]
struct RuleData {
    name: &'static str,
    summary: &'static str,
    why: &'static str,
    help: &'static str,
    docs: &'static str,
}

struct Findings<'r, 'a> {
    report: &'r Report<'a>,
    chosen: &'r [&'a Finding],
}

impl Serialize for Findings<'_, '_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.chosen.len()))?;
        for finding in self.chosen {
            list.serialize_element(&item(self.report, finding))?;
        }
        list.end()
    }
}

/// A finding, without what its rule says of all of them.
#[derive(Serialize)]
struct Item<'a> {
    rule: &'a str,
    class: &'static str,
    file: usize,
    line: u64,
    column: u64,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<&'a str>,
    /// The reason of the comment that allows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    allowed: Option<&'a str>,
    /// What the rule says itself, where the options say otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    own: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    solved: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    accepted: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    left: bool,
    /// One of the other places is the cause.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cause: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related: Vec<(usize, u64, u64, Option<&'a str>, &'a str)>,
    /// Other places that are not among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    more: Option<usize>,
    /// Rules to accept where it is open.
    #[serde(skip_serializing_if = "Option::is_none")]
    accept: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<FixData<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<Vec<(char, String)>>,
    /// The first line's number; the lines before the mark, in it, and behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<(u64, &'a str, &'a str, &'a str)>,
}

#[derive(Serialize)]
struct FixData<'a> {
    title: &'a str,
    safety: Safety,
    #[serde(skip_serializing_if = "Option::is_none")]
    lost: Option<&'a str>,
}

fn item<'a>(report: &Report<'a>, finding: &'a Finding) -> Item<'a> {
    let entry: Entry<'a> = report.findings.entry(finding);
    let class = Class::of(finding);
    let file = |name: &str| report.inputs.iter().position(|input| input.name == name).unwrap_or_default();
    let shown = entry.excerpt;
    let own_help = rule(entry.rule).is_none_or(|rule| rule.doc.help != entry.help);
    Item {
        rule: entry.rule,
        class: class.name(),
        file: file(entry.file),
        line: entry.line,
        column: entry.column,
        message: entry.message,
        object: entry.object,
        allowed: entry.allowed,
        own: entry.own_severity.map(crate::Severity::name),
        server: entry.server_error.map(|error| {
            let mut answer = format!("ERROR {}: {}", error.sqlstate, error.text);
            for (word, more) in [("DETAIL", &error.detail), ("HINT", &error.hint)] {
                if let Some(more) = more {
                    let _ = write!(answer, "\n{word}: {more}");
                }
            }
            answer
        }),
        help: Some(entry.help).filter(|help| own_help && !help.is_empty()),
        solved: entry.solved,
        accepted: entry.accepted,
        left: entry.left,
        cause: entry.related.iter().any(|related| related.rule.is_some()),
        related: entry
            .related
            .iter()
            .take(RELATED)
            .map(|related| (file(related.file), related.line, related.column, related.rule, related.message))
            .collect(),
        more: entry.related.iter().count().checked_sub(RELATED).filter(|more| *more > 0),
        accept: (!entry.solved).then(|| to_accept(&entry).join(",")),
        fix: entry.fix.map(|fix| FixData {
            title: &fix.title,
            safety: fix.safety,
            lost: fix.lost.as_deref(),
        }),
        diff: diff(&entry).map(|lines| lines.into_iter().map(|(mark, line)| (mark.sign(), line)).collect()),
        shown: (|| {
            let before = shown.text.get(..shown.start)?;
            let marked = shown.text.get(shown.start..shown.end)?;
            let after = shown.text.get(shown.end..)?;
            (!shown.text.is_empty()).then_some((shown.line, before, marked, after))
        })(),
    }
}

/// JSON that stands in a page: no text in it can end the element or begin a comment.
struct InPage;

impl Formatter for InPage {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        let is_special = |c: char| matches!(c, '<' | '>' | '&') || clean::steers(c);
        while let Some(at) = rest.find(is_special) {
            let (before, from) = rest.split_at(at);
            let mut chars = from.chars();
            out.write_all(before.as_bytes())?;
            match chars.next() {
                Some(c) if clean::steers(c) => shown(out, c)?,
                Some(c) => write!(out, "\\u{:04x}", u32::from(c))?,
                None => {}
            }
            rest = chars.as_str();
        }
        out.write_all(rest.as_bytes())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        match escape {
            CharEscape::Backspace => shown(out, '\u{8}'),
            CharEscape::FormFeed => shown(out, '\u{c}'),
            CharEscape::CarriageReturn => shown(out, '\r'),
            CharEscape::AsciiControl(byte) => shown(out, char::from(byte)),
            escape => CompactFormatter.write_char_escape(out, escape),
        }
    }
}

/// A character that steers, as the page shows it; what is copied from there may be pasted into a terminal.
fn shown<W: ?Sized + Write>(out: &mut W, c: char) -> io::Result<()> {
    let mut text = String::new();
    clean::push(&mut text, c);
    out.write_all(text.replace('\\', "\\\\").as_bytes())
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::{Input, Options, Target, analyze};

    #[test]
    fn a_browser_is_told_the_digests_of_the_style_and_the_script() {
        let digest = |text: &str| {
            let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text.as_bytes()));
            format!("sha256-{digest}")
        };
        let digests = [("STYLE_DIGEST", STYLE, STYLE_DIGEST), ("SCRIPT_DIGEST", SCRIPT, SCRIPT_DIGEST)];
        for (name, text, known) in digests {
            assert_eq!(known, digest(text), "{name} in html.rs is not that of the file any more");
        }
    }

    #[test]
    fn nothing_in_the_script_or_the_style_ends_its_element() {
        for text in [STYLE, SCRIPT] {
            let text = text.to_ascii_lowercase();
            assert!(!text.contains("</") && !text.contains("<!--"));
        }
    }

    #[test]
    fn the_data_is_json_and_no_text_in_it_is_markup() {
        let name = "</script><!--<img src=x onerror=alert(1)>&amp;\u{2028}'\"";
        let dump = format!("CREATE EXTENSION hll; CREATE TABLE \"{}\" (u hll);", name.replace('"', "\"\""));
        let (target, options) = (Target::default(), Options::default());
        let analysis = analyze(&[Input { name, text: dump.as_bytes() }], &target, &options).unwrap();
        let mut out = Vec::new();
        write(&Report::new(&analysis, &target, &options), &Around::default(), &mut out).unwrap();
        let page = String::from_utf8(out).unwrap();
        let data = page.split("id=\"data\">").nth(1).unwrap().split("</script>").next().unwrap();
        assert!(!data.contains(['<', '>', '&', '\u{2028}']), "{data}");
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        // What steers is shown in place of being obeyed.
        let name = &name.replace('\u{2028}', "\\u{2028}");
        assert_eq!(data["files"][0], *name);
        assert!(
            data["findings"]
                .as_array()
                .unwrap()
                .iter()
                .any(|f| f["object"].as_str().unwrap().contains(name.as_str()))
        );
        // Of the page's own elements there are as many as it writes.
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!((page.matches("<img").count(), page.matches("<!--").count()), (0, 0));
    }
}
