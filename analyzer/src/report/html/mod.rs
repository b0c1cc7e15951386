//! The report as one page: it needs no other file and no network, and every text of a dump in it is text.

mod data;

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use crate::human::{bytes, count, plural, thousands};
use crate::report::page::{STYLE, STYLE_DIGEST, capital, copyable, text};
use crate::report::{Around, Block, Choice, Class, Report, Section};
use crate::rules::rule;
use data::{Data, InPage};

const SCRIPT: &str = include_str!("../page.js");

/// What a browser may run: this and nothing else. The digest is its own (SHA-256).
const SCRIPT_DIGEST: &str = "sha256-s01GvQ42LMSjA3ohovcTO613Gef+LgS88wrTeooGQ1I=";

/// Findings that are put into one page: more make it slow to open.
const FINDINGS: usize = 20_000;

/// Decisions that are listed.
const DECISIONS: usize = 100;

/// Losses that are shown at once.
const LOSSES: usize = 12;

pub(super) fn write(report: &Report<'_>, around: &Around<'_>, out: &mut impl Write) -> io::Result<()> {
    let title = format!("{}: {}", report.title(), report.sentence());
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
        report.title(),
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
    for apart in report.not_judged_lines().chain(report.configured()) {
        let _ = writeln!(page, "<li>{}</li>", text(&apart));
    }
    page += "</ul>\n</div></header>\n";
    page
}

/// What a person has to decide, and what can be done.
fn open(page: &mut String, report: &Report<'_>) {
    if report.decisions.is_empty() {
        return;
    }
    *page += "<section aria-labelledby=\"open-title\">\n<h2 id=\"open-title\">To decide</h2>\n\
              <div class=\"card table\"><table>\n<thead><tr><th scope=\"col\">What is the matter</th>\
              <th scope=\"col\">What can be done: any one of these</th><th scope=\"col\">Rules</th>\
              <th scope=\"col\" class=\"number\">Open errors</th></tr></thead>\n<tbody>\n";
    for decision in report.decisions.iter().take(DECISIONS) {
        let command = |it: &str| format!("<code>{}</code>", text(it));
        let one = |choice: &Choice| format!("<li>{}</li>", choice.written(text, command));
        let choices: Vec<String> = decision.choices.iter().map(one).collect();
        let rules: Vec<String> =
            decision.rules.keys().map(|id| format!("<a href=\"#{id}\">{id}</a>", id = text(id))).collect();
        let _ = writeln!(
            page,
            "<tr><td>{}</td><td><ul>{}</ul></td><td>{}</td><td class=\"number\">{}</td></tr>",
            text(&decision.title),
            choices.concat(),
            rules.join(" "),
            thousands(decision.blocks)
        );
    }
    *page += "</tbody></table></div>\n";
    let more = report.decisions.len().saturating_sub(DECISIONS) as u64;
    if more > 0 {
        let _ = writeln!(page, "<p>… and {} more: the findings below name them.</p>", thousands(more));
    }
    *page += "</section>\n";
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

#[cfg(test)]
mod tests;
