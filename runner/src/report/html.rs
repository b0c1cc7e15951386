//! The report of a run as one page: it needs no other file, no network and no program, and every name in it is text.

use std::fmt::Write as _;
use std::io::{self, Write};

use tsmigrate_analyzer::report::page::{self, capital, copyable, text};
use tsmigrate_analyzer::rules::rule;
use tsmigrate_analyzer::secrets;

use super::pieces::{Cell, ROWS, begin, bullets, more, steps, table};
use super::{Outcome, Report};
use crate::human::{self, count, plural, thousands};
use crate::quote::quoted;
use crate::results::span;
use crate::verify::Difference;

/// What this page has beyond the common style.
const STYLE: &str = include_str!("page.css");
/// Its SHA-256, by which a browser knows it.
const STYLE_DIGEST: &str = "sha256-zIjOnjvgIUmyKAc59trlxtGIFTIiB2Ytv5xHvHrBN7I=";

/// Tables and builds in the timeline.
const BARS: usize = 15;

impl Report {
    /// Writes the page.
    ///
    /// # Errors
    /// What `out` answers.
    pub fn html(&self, out: &mut dyn Write) -> io::Result<()> {
        let title = format!("tsmigrate: {}", self.title());
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src '{}' '{STYLE_DIGEST}'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{}</title>\n<style>{}</style>\n<style>{STYLE}</style>\n</head>\n<body>\n",
            page::STYLE_DIGEST,
            text(&title),
            page::STYLE
        );
        self.header(&mut page);
        page += "<main class=\"wrap\">\n";
        self.stopped(&mut page);
        self.to_do(&mut page);
        self.verified(&mut page);
        self.absent(&mut page);
        self.timeline(&mut page);
        self.tables_and_builds(&mut page);
        self.found(&mut page);
        self.planned(&mut page);
        self.others(&mut page);
        let _ = write!(
            page,
            "</main>\n<footer><div class=\"wrap\">Written by tsmigrate {}. Nothing in this page is sent anywhere. \
             report.json beside it has the same for programs.</div></footer>\n</body>\n</html>\n",
            env!("CARGO_PKG_VERSION")
        );
        out.write_all(page.as_bytes())
    }

    fn header(&self, page: &mut String) {
        let (class, sign) = match self.outcome {
            Outcome::Migrated | Outcome::Planned => ("done", "✓"),
            Outcome::Blocked | Outcome::Differs | Outcome::Failed => ("stopped", "✗"),
        };
        let _ = write!(
            page,
            "<header class=\"{class}\"><div class=\"wrap\">\n<p class=\"tool\">tsmigrate migrate</p>\n\
             <h1><span class=\"sign\" aria-hidden=\"true\">{sign}</span> {}</h1>\n",
            text(&capital(self.title()))
        );
        let moved = self.what_moved();
        if !moved.is_empty() {
            let _ = writeln!(page, "<p class=\"sentence\">{}</p>", text(&moved));
        }
        let differences = self.verification.as_ref().map(|found| found.differences.len() as u64);
        let missing = self.missing.len() as u64;
        let mut boxes = vec![("note", human::duration(span(self.seconds)), "in all".to_owned())];
        if self.moved.bytes > 0 {
            let data = self.stages.iter().find(|stage| stage.name == "data");
            let took = Some(self.moved.seconds).filter(|seconds| *seconds > 0.0);
            let took = took.or_else(|| data.map(|stage| stage.seconds));
            let rate = took.map(|seconds| crate::progress::rate(self.moved.bytes, span(seconds)));
            boxes.extend(rate.map(|rate| ("note", human::rate(rate), "of data".to_owned())));
        }
        if let Some(number) = differences {
            let class = if number == 0 { "solved" } else { "open" };
            boxes.push((class, thousands(number), plural(number, "difference")));
        }
        let class = if missing == 0 { "note none" } else { "warning" };
        boxes.push((class, thousands(missing), "did not arrive".to_owned()));
        *page += "<dl class=\"counts\">\n";
        for (class, number, words) in boxes {
            let _ = writeln!(
                page,
                "<div class=\"{class}\"><dt>{}</dt><dd>{}</dd></div>",
                text(&words),
                text(&number)
            );
        }
        *page += "</dl>\n<ul class=\"about\">\n";
        let about = [
            ("from", self.source.as_str()),
            ("to", self.target.as_str()),
            ("started", self.started.as_str()),
            ("work directory", self.work_dir.as_deref().unwrap_or_default()),
        ];
        for (word, value) in about.iter().filter(|(_, value)| !value.is_empty()) {
            let _ = writeln!(page, "<li>{word} <b>{}</b></li>", text(value));
        }
        *page += "</ul>\n</div></header>\n";
    }

    fn stopped(&self, page: &mut String) {
        if self.error.is_none() && self.blockers.is_empty() && self.state.is_empty() {
            return;
        }
        begin(
            page,
            "stopped",
            if self.error.is_some() || !self.blockers.is_empty() { "What stopped it" } else { "State" },
        );
        if let Some(error) = &self.error {
            let _ = writeln!(page, "<div class=\"card\"><pre tabindex=\"0\">{}</pre></div>", text(error));
        }
        for blocker in &self.blockers {
            let _ = writeln!(
                page,
                "<div class=\"card\"><p><b>{}</b> {}</p>",
                text(blocker.check),
                text(&capital(&blocker.what))
            );
            steps(page, &blocker.next);
            *page += "</div>\n";
        }
        bullets(page, &self.state);
        *page += "</section>\n";
    }

    fn to_do(&self, page: &mut String) {
        if self.next.is_empty() && self.passwords_to_set.is_empty() && self.scripts.is_empty() {
            return;
        }
        begin(page, "next", "What to do next");
        if !self.next.is_empty() {
            *page += "<div class=\"card\">\n";
            steps(page, &self.next);
            *page += "</div>\n";
        }
        if !self.passwords_to_set.is_empty() {
            *page += "<h3>Passwords to set: the source does not let us read them</h3>\n";
            bullets(page, &super::text::quoted_all(&self.passwords_to_set));
        }
        for script in &self.scripts {
            let _ = writeln!(
                page,
                "<details class=\"card long script\"><summary>{}</summary>\n<p>{}</p>",
                text(&script.file),
                text(&script.title)
            );
            copyable(page, secrets::in_sql(&script.sql).trim_end());
            *page += "</details>\n";
        }
        *page += "</section>\n";
    }

    fn verified(&self, page: &mut String) {
        let Some(found) = &self.verification else { return };
        begin(page, "verification", "Source and target compared");
        let compared: Vec<_> = found
            .compared
            .iter()
            .map(|(kind, number)| format!("{} {kind}", thousands(*number as u64)))
            .collect();
        let _ = writeln!(page, "<p>{}.</p>", text(&capital(&found.summary())));
        if !compared.is_empty() {
            let _ = writeln!(page, "<p class=\"quiet small\">Compared: {}.</p>", text(&compared.join(", ")));
        }
        let rows = |differences: &[Difference]| {
            let cell =
                |value: &Option<String>| Cell::Text(value.clone().unwrap_or_else(|| "nothing".to_owned()));
            let row = |difference: &Difference| {
                vec![
                    Cell::Text(difference.kind.clone()),
                    Cell::Code(std::iter::once(&difference.object).chain(&difference.details).fold(
                        String::new(),
                        |all, line| {
                            if all.is_empty() { line.clone() } else { format!("{all}\n{line}") }
                        },
                    )),
                    cell(&difference.expected),
                    cell(&difference.found),
                    Cell::Text(difference.reason.clone().unwrap_or_default()),
                ]
            };
            differences.iter().map(row).collect::<Vec<_>>()
        };
        let head = ["What", "Object", "Source", "Target", "Why"];
        if !found.differences.is_empty() {
            *page += "<h3>Differences</h3>\n";
            table(
                page,
                &head[..4],
                rows(&found.differences)
                    .into_iter()
                    .map(|mut row| {
                        row.truncate(4);
                        row
                    })
                    .collect(),
            );
        }
        if !found.announced.is_empty() {
            let number = count(found.announced.len() as u64, "difference");
            let _ = writeln!(page, "<details class=\"part\"><summary>{number} as announced</summary>");
            table(page, &head, rows(&found.announced));
            *page += "</details>\n";
        }
        bullets(page, &found.notes);
        *page += "</section>\n";
    }

    /// What is not on the target.
    fn absent(&self, page: &mut String) {
        let lost = self.lost();
        if self.missing.is_empty() && lost.is_empty() {
            return;
        }
        begin(page, "missing", "What the target does not have");
        if !self.missing.is_empty() {
            let row = |missing: &crate::results::Missing| {
                vec![Cell::Code(missing.what.clone()), Cell::Text(missing.why.clone())]
            };
            table(page, &["What", "Why"], self.missing.iter().map(row).collect());
        }
        if !lost.is_empty() {
            let open = if lost.len() <= 12 { " open" } else { "" };
            let things = count(lost.len() as u64, "thing");
            let _ =
                writeln!(page, "<details class=\"part\"{open}><summary>By the rewrite: {things}</summary>");
            bullets(page, &lost);
            *page += "</details>\n";
        }
        *page += "</section>\n";
    }

    /// When what was done.
    fn timeline(&self, page: &mut String) {
        let ends = self.stages.iter().map(|stage| stage.begun + stage.seconds);
        let all = ends.fold(self.seconds, f64::max);
        if self.stages.is_empty() || all <= 0.0 {
            return;
        }
        begin(page, "timeline", "Timeline");
        *page += "<dl class=\"card long time\">\n";
        for stage in &self.stages {
            let label = format!("{}: {}", capital(stage.name), stage.result);
            bar(page, "", &label, stage.begun, stage.seconds, all);
        }
        // What was shorter than a hair is no bar.
        let seen = all / 1000.0;
        let mut tables = self.slowest_tables();
        tables.retain(|table| table.ended - table.begun >= seen);
        if !tables.is_empty() {
            let _ = writeln!(page, "<div class=\"head\"><dt>{}</dt></div>", longest(tables.len(), "table"));
        }
        for table in tables.iter().take(BARS) {
            bar(page, "rows", &table.name, table.begun, table.ended - table.begun, all);
        }
        let mut built = self.slowest_builds();
        built.retain(|built| built.seconds >= seen);
        if !built.is_empty() {
            let _ = writeln!(page, "<div class=\"head\"><dt>{}</dt></div>", longest(built.len(), "build"));
        }
        for built in built.iter().take(BARS) {
            bar(page, "build", &built.name, built.begun, built.seconds, all);
        }
        *page += "</dl>\n</section>\n";
    }

    fn tables_and_builds(&self, page: &mut String) {
        if !self.tables.is_empty() {
            begin(page, "tables", "Tables");
            let row = |table: &&crate::results::MovedTable| {
                vec![
                    Cell::Code(table.name.clone()),
                    Cell::Number(thousands(table.rows)),
                    Cell::Number(human::bytes(table.bytes)),
                    Cell::Number(human::duration(span(table.ended - table.begun))),
                    Cell::Number(human::rate(table.rate())),
                    Cell::Number(thousands(table.parts)),
                    Cell::Text(table.format.clone()),
                ]
            };
            let head = ["Table", "Rows", "Bytes", "Time", "Rate", "Parts", "Format"];
            table(page, &head, self.slowest_tables().iter().map(row).collect());
            *page += "</section>\n";
        }
        if !self.built.is_empty() {
            begin(page, "builds", "Indexes, keys and views");
            let row = |built: &&crate::results::Built| {
                vec![
                    Cell::Code(built.name.clone()),
                    Cell::Text(built.kind.replace('-', " ")),
                    Cell::Number(human::duration(span(built.seconds))),
                ]
            };
            table(page, &["Name", "What", "Time"], self.slowest_builds().iter().map(row).collect());
            *page += "</section>\n";
        }
    }

    /// What the analysis found, by rule.
    fn found(&self, page: &mut String) {
        if self.findings.is_empty() {
            return;
        }
        begin(page, "findings", "Findings");
        let mut rules = std::collections::BTreeMap::<(u8, &str), Vec<&crate::results::Finding>>::new();
        for finding in &self.findings {
            rules.entry((class(finding).0, &finding.rule)).or_default().push(finding);
        }
        for ((_, id), findings) in &rules {
            let Some(first) = findings.first() else { continue };
            let (_, class, word) = class(first);
            let known = rule(id);
            let _ = writeln!(
                page,
                "<details class=\"group\"><summary><h3>{} {}</h3><span class=\"badge {class}\">{word}</span>\
                 <span class=\"number\">{}</span><span class=\"summary\">{}</span></summary>",
                text(id),
                text(known.map_or("", |rule| rule.name)),
                count(findings.len() as u64, "finding"),
                text(known.map_or("", |rule| rule.doc.summary))
            );
            if let Some(rule) = known {
                let _ = writeln!(
                    page,
                    "<div class=\"rule\"><dl class=\"facts\"><dt>Why</dt><dd>{}</dd><dt>What to do</dt><dd>{}</dd></dl></div>",
                    text(rule.doc.why),
                    text(rule.doc.help)
                );
            }
            for finding in findings.iter().take(ROWS) {
                let object = finding.object.as_deref().unwrap_or_default();
                let accepted = if finding.accepted { "<span>loss accepted</span>" } else { "" };
                let _ = writeln!(
                    page,
                    "<article class=\"finding\"><h4>{}</h4><p class=\"place\"><code>{}:{}</code><span>{}</span>{accepted}</p></article>",
                    text(&finding.message),
                    text(finding.part),
                    finding.line,
                    text(object)
                );
            }
            more(page, findings.len());
            *page += "</details>\n";
        }
        *page += "</section>\n";
    }

    fn planned(&self, page: &mut String) {
        let Some(plan) = &self.plan else { return };
        begin(page, "plan", "The plan");
        let step =
            |step: &crate::plan::Step| vec![Cell::Text(step.name.to_owned()), Cell::Text(step.what.clone())];
        let open = if self.stages.len() < plan.steps.len() / 2 { " open" } else { "" };
        let _ = writeln!(
            page,
            "<details class=\"part\"{open}><summary>{}</summary>",
            count(plan.steps.len() as u64, "step")
        );
        table(page, &["Step", "What it does"], plan.steps.iter().map(step).collect());
        *page += "</details>\n";
        for (title, lines) in plan.parts().iter().filter(|(title, _)| *title != "steps") {
            let _ = writeln!(
                page,
                "<details class=\"part\"{open}><summary>{}</summary><div class=\"block\"><pre tabindex=\"0\">{}</pre></div></details>",
                text(&capital(title)),
                text(&lines.join("\n"))
            );
        }
        *page += "</section>\n";
    }

    fn others(&self, page: &mut String) {
        if !self.jobs.is_empty() {
            begin(page, "jobs", "Jobs");
            let row = |job: &crate::results::MovedJob| {
                vec![
                    Cell::Number(job.id.to_string()),
                    Cell::Text(job.name.clone()),
                    Cell::Text(quoted(&job.owner)),
                    Cell::Text(quoted(&job.new_owner)),
                    Cell::Text(if job.scheduled { "scheduled" } else { "not scheduled" }.to_owned()),
                ]
            };
            let head = ["Id", "Job", "Owner on the source", "Owner on the target", "State"];
            table(page, &head, self.jobs.iter().map(row).collect());
            *page += "</section>\n";
        }
        if !self.warnings.is_empty() {
            begin(page, "warnings", "What the target's server warned of");
            bullets(page, &self.warnings);
            *page += "</section>\n";
        }
    }
}

/// The rank of a finding, the class of its badge, and a word for it.
fn class(finding: &crate::results::Finding) -> (u8, &'static str, &'static str) {
    match (finding.severity, finding.solved) {
        ("error", false) => (0, "open", "open error"),
        ("error", true) => (1, "solved", "solved error"),
        ("warning", _) => (2, "warning", "warning"),
        _ => (3, "note", "note"),
    }
}

fn longest(number: usize, noun: &str) -> String {
    if number > BARS {
        format!("The {BARS} longest of {}", count(number as u64, noun))
    } else {
        capital(&plural(2, noun))
    }
}

/// One line of the timeline, in thousandths of all of it.
fn bar(page: &mut String, class: &str, label: &str, begun: f64, took: f64, all: f64) {
    let x = (begun / all * 1000.0).clamp(0.0, 998.0);
    // What was short is still seen.
    let width = (took / all * 1000.0).clamp(2.0, 1000.0 - x);
    let time = human::duration(span(took));
    let _ = writeln!(
        page,
        "<div class=\"line\"><dt>{}</dt><dd class=\"took\">{}</dd><dd class=\"bar {class}\"><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect x=\"{x:.1}\" y=\"0\" width=\"{width:.1}\" height=\"10\"/></svg></dd></div>",
        text(label),
        text(&time)
    );
}

#[cfg(test)]
mod tests;
