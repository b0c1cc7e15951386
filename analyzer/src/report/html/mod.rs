//! The report as one page: it needs no other file and no network, and every text of a dump in it is text.

use std::fmt::Write as _;
use std::io::{self, Write};

use serde::Serialize;

use crate::human::thousands;
use crate::report::page::{STYLE, STYLE_DIGEST, VIEW, VIEW_DIGEST, capital, copyable, decision, text};
use crate::report::view::{Data, InPage};
use crate::report::{Around, Block, Report, Section};
use crate::rules::rule;

/// Findings that are put into one page: more make it slow to open.
const FINDINGS: usize = 20_000;

/// Decisions that are listed where the page's program does not run, and losses.
const LISTED: usize = 100;

pub(super) fn write(report: &Report<'_>, around: &Around<'_>, out: &mut impl Write) -> io::Result<()> {
    let title = format!("{}: {}", report.title(), report.sentence());
    write!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src '{STYLE_DIGEST}'; \
         script-src '{VIEW_DIGEST}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#findings\">Skip to the findings</a>\n",
        text(&title)
    )?;
    let mut page = header(report);
    page += "<main class=\"wrap\">\n";
    to_decide(&mut page, report);
    lost(&mut page, report);
    for section in report.databases_section().iter().chain(around.sections) {
        extra(&mut page, section);
    }
    next(&mut page, around);
    scripts(&mut page, report);
    out.write_all(page.as_bytes())?;
    findings(report, around, out)?;
    write!(
        out,
        "</main>\n<footer><div class=\"wrap\">Written by {} {}. Nothing in this page is sent anywhere.</div></footer>\n\
         <script>{VIEW}</script>\n</body>\n</html>\n",
        text(report.tool.name),
        text(report.tool.version)
    )
}

fn header(report: &Report<'_>) -> String {
    let verdict = serde_json::to_value(report.verdict).unwrap_or_default();
    let words = report.words();
    let mut page = format!(
        "<header class=\"{}\"><div class=\"wrap\">\n<p class=\"tool\">tsmigrate check</p>\n\
         <h1><span class=\"sign\" aria-hidden=\"true\">{}</span> {}</h1>\n<p class=\"sentence\">{}</p>\n\
         <ul class=\"checked\">\n",
        text(verdict.as_str().unwrap_or_default()),
        words.sign,
        words.title,
        text(&capital(&words.sentence))
    );
    for (name, about) in &words.checked {
        let name = if name.is_empty() { String::new() } else { format!("<b>{}</b> ", text(name)) };
        let _ = writeln!(page, "<li>{name}{}</li>", text(about));
    }
    page += "</ul>\n</div></header>\n";
    page
}

/// What a person has to decide, and what can be done.
fn to_decide(page: &mut String, report: &Report<'_>) {
    if report.decisions.is_empty() {
        return;
    }
    *page += "<section aria-labelledby=\"open-title\">\n<h2 id=\"open-title\">To decide</h2>\n\
              <div class=\"result card verdict needs-work\" id=\"view-decisions\"><ol>\n";
    for one in report.decisions.iter().take(LISTED) {
        decision(page, &one.title, one.blocks, &one.choices);
    }
    *page += "</ol></div>\n</section>\n";
}

fn lost(page: &mut String, report: &Report<'_>) {
    if report.lost.is_empty() {
        return;
    }
    *page += "<section class=\"result\" id=\"view-lost\">\
              <h2>The target will not have, after the rewrite</h2>\n<ul>\n";
    for lost in report.lost.iter().take(LISTED) {
        let _ = writeln!(page, "<li>{}</li>", text(lost));
    }
    *page += "</ul></section>\n";
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
                *page += "<div class=\"card table\" tabindex=\"0\"><table>\n<thead><tr>";
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
    let most = around.max_findings.unwrap_or(FINDINGS);
    let mut page = String::from(
        "<section id=\"findings\" aria-labelledby=\"findings-title\">\n\
         <h2 id=\"findings-title\">Findings</h2>\n<div class=\"result\" id=\"view-findings\">\n",
    );
    by_rule(&mut page, report);
    page += "</div>\n</section>\n<script type=\"application/json\" id=\"data\">";
    out.write_all(page.as_bytes())?;
    let mut serializer = serde_json::Serializer::with_formatter(&mut *out, InPage);
    Data { report, most }.serialize(&mut serializer)?;
    writeln!(out, "</script>")
}

/// Without the page's program: what was found, by rule.
fn by_rule(page: &mut String, report: &Report<'_>) {
    *page += "<div class=\"card table\" tabindex=\"0\"><table>\n<thead><tr><th scope=\"col\">Rule</th>\
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
    *page += "</tbody></table></div>\n";
}

#[cfg(test)]
mod tests;
