//! The report of a run as one page: it needs no other file and no network, and every name in it is text. Decisions and
//! findings are drawn by the view that a check's page has too; where no program runs, they stand there in short.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use tsmigrate_analyzer::report::page::{self, capital, copyable, text};
use tsmigrate_analyzer::rules::rule;
use tsmigrate_analyzer::secrets;

use super::pictures;
use super::pieces::{Cell, ROWS, bar, begin, bullets, steps, table};
use super::{Outcome, Report, view};
use crate::estimate;
use crate::human::{self, count, plural, thousands};
use crate::quote::quoted;
use crate::results::{Finding, span};
use crate::verify::Difference;

/// Columns of the plan's lines.
const WIDTH: usize = 96;

/// What this page has beyond the common style.
const STYLE: &str = include_str!("page.css");
/// Its SHA-256, by which a browser knows it.
const STYLE_DIGEST: &str = include_str!("page.css.sha256");

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
             style-src '{}' '{STYLE_DIGEST}'; script-src '{}'; base-uri 'none'; form-action 'none'\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
             <title>{}</title>\n<style>{}</style>\n<style>{STYLE}</style>\n</head>\n<body>\n",
            page::STYLE_DIGEST,
            page::VIEW_DIGEST,
            text(&title),
            page::STYLE
        );
        self.header(&mut page);
        page += "<main class=\"wrap\">\n";
        self.stopped(&mut page);
        self.to_decide(&mut page);
        self.to_do(&mut page);
        self.verified(&mut page);
        self.absent(&mut page);
        if self.is_plan() {
            self.planned(&mut page);
            self.found(&mut page);
        } else {
            self.timeline(&mut page);
            self.tables_and_builds(&mut page);
            self.found(&mut page);
            self.planned(&mut page);
        }
        self.others(&mut page);
        let beside = match self.work_dir {
            Some(_) => " report.json beside it has the same for programs.",
            None => "",
        };
        let _ = write!(
            page,
            "</main>\n<footer><div class=\"wrap\">Written by tsmigrate {}. Nothing in this page is sent anywhere.{beside}\
             </div></footer>\n\
             <script type=\"application/json\" id=\"data\">{}</script>\n<script>{}</script>\n</body>\n</html>\n",
            env!("CARGO_PKG_VERSION"),
            view::data(self)?,
            page::VIEW
        );
        out.write_all(page.as_bytes())
    }

    /// Nothing was written: what will happen counts, not what did.
    fn is_plan(&self) -> bool {
        matches!(self.outcome, Outcome::Planned | Outcome::Blocked)
    }

    /// Figures at the top: a class, a number and what it is of.
    fn figures(&self) -> Vec<(&'static str, String, String)> {
        if self.is_plan() {
            let Some(plan) = &self.plan else { return Vec::new() };
            let time = plan.estimate.as_ref();
            let time =
                time.map(|time| ("note", estimate::range(time.low, time.high), "will take".to_owned()));
            let size = plan.volume.as_ref();
            let size =
                size.map(|size| ("note", human::bytes(size.table_bytes), "of rows to copy".to_owned()));
            return time.into_iter().chain(size).collect();
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
        boxes
    }

    fn header(&self, page: &mut String) {
        let (class, sign) = match self.outcome {
            Outcome::Migrated | Outcome::Restored | Outcome::Planned => ("done", "✓"),
            Outcome::Blocked | Outcome::Differs | Outcome::Failed | Outcome::Interrupted => ("stopped", "✗"),
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
        *page += "<dl class=\"figures\">\n";
        for (class, number, words) in self.figures() {
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
            let cause =
                self.cause.as_ref().map_or_else(String::new, |cause| format!("\ncause: {}", text(cause)));
            let _ =
                writeln!(page, "<div class=\"card\"><pre tabindex=\"0\">{}{cause}</pre></div>", text(error));
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

    /// What a person has to decide before it can begin: as a check of the dump says it.
    fn to_decide(&self, page: &mut String) {
        if self.decisions.is_empty() {
            return;
        }
        begin(page, "decisions", "To decide");
        *page += "<div class=\"result card verdict needs-work\" id=\"view-decisions\"><ol>\n";
        for one in self.decisions.iter().take(ROWS) {
            page::decision(page, &one.title, one.blocks, &one.ways);
        }
        *page += "</ol></div>\n</section>\n";
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
        let _ = writeln!(page, "<p>{}.</p>", text(&capital(&found.summary())));
        pictures::sides(page, found);
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
        let title = if self.is_plan() { "What you will lose" } else { "What the target does not have" };
        begin(page, "missing", title);
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

    /// When what was done, by whom and how fast.
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
            let took = human::duration(span(stage.seconds));
            bar(page, "", &label, &took, stage.begun / all, stage.seconds / all);
        }
        *page += "</dl>\n";
        pictures::workers(page, &self.activity, all);
        pictures::throughput(page, &self.activity);
        *page += "</section>\n";
    }

    fn tables_and_builds(&self, page: &mut String) {
        if !self.tables.is_empty() {
            begin(page, "tables", "Tables");
            let sizes: Vec<_> = self.tables.iter().map(|table| (table.name.as_str(), table.bytes)).collect();
            pictures::largest(page, &sizes);
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

    /// What the analysis found: a table by rule, in the place of which the view draws each.
    fn found(&self, page: &mut String) {
        if self.findings.is_empty() {
            return;
        }
        begin(page, "findings", "Findings");
        *page += "<div class=\"result\" id=\"view-findings\">\n";
        let row = |(first, number): &(&Finding, u64)| {
            let known = rule(&first.rule);
            vec![
                Cell::Text(format!("{} {}", first.rule, known.map_or("", |rule| rule.name))),
                Cell::Text(known.map_or("", |rule| rule.doc.summary).to_owned()),
                Cell::Text(class(first).to_owned()),
                Cell::Number(thousands(*number)),
            ]
        };
        let mut rules = BTreeMap::<(&str, &str), (&Finding, u64)>::new();
        for finding in &self.findings {
            rules.entry((class(finding), &finding.rule)).or_insert((finding, 0)).1 += 1;
        }
        let rows = rules.values().map(row).collect();
        table(page, &["Rule", "What it is", "Counts as", "Findings"], rows);
        *page += "</div>\n</section>\n";
    }

    fn planned(&self, page: &mut String) {
        let Some(plan) = &self.plan else { return };
        begin(page, "plan", "The plan");
        if self.tables.is_empty() {
            let tables = plan.volume.iter().flat_map(|volume| &volume.tables);
            let sizes: Vec<_> = tables.map(|table| (table.name.as_str(), table.bytes)).collect();
            pictures::largest(page, &sizes);
        }
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
        for (title, lines) in plan.parts(WIDTH).iter().filter(|(title, _)| *title != "steps") {
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

/// What a finding asks of the reader, in a word.
fn class(finding: &Finding) -> &'static str {
    match (finding.severity, finding.solved) {
        ("error", false) => "open error",
        ("error", true) => "fixed error",
        (severity, _) => severity,
    }
}

#[cfg(test)]
mod tests;
