//! The closing summary for people: what was done and what is missing, then what is to be decided, and at the end the
//! verdict and what to do next.

use std::collections::BTreeMap;
use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use tsmigrate_analyzer::report::{count, thousands};

use super::{Outcome, Report};
use crate::human;
use crate::quote::quoted;
use crate::results::{Finding, MovedJob, span};

/// Columns of a line.
const COLUMNS: usize = 100;
/// So many findings of one rule are shown; the report's JSON has all.
const OF_A_RULE: usize = 3;
/// So many of the slowest are shown.
const SLOWEST: usize = 5;
/// What took less than this many seconds is not worth a line.
const WORTH: f64 = 1.0;
/// So many lines of a list that can be long.
const LINES: usize = 12;
/// So many lines of the comparison.
const COMPARED: usize = 120;
/// So many things that a person has to know of.
const DIFFERENCES: usize = 50;

/// What is written, with or without colours.
struct Page {
    text: String,
    color: bool,
    columns: usize,
}

impl Report {
    /// The closing summary.
    #[must_use]
    pub fn text(&self) -> String {
        self.page(false, COLUMNS)
    }

    /// The same for the terminal that the standard output is: in colour, and no wider than it. Whoever prints it
    /// takes the colours away where no terminal is.
    #[must_use]
    pub fn colored(&self) -> String {
        let size = terminal_size::terminal_size_of(std::io::stdout());
        let columns = size.map_or(COLUMNS, |(columns, _)| usize::from(columns.0).clamp(60, COLUMNS));
        self.page(true, columns)
    }

    fn page(&self, color: bool, columns: usize) -> String {
        let mut page = Page { text: String::new(), color, columns };
        if self.outcome != Outcome::Interrupted {
            self.details(&mut page);
        }
        self.decisions(&mut page);
        page.blocks(
            "blocked by",
            &self.blockers.iter().map(ToString::to_string).collect::<Vec<_>>(),
            usize::MAX,
        );
        match (&self.error, &self.cause) {
            (Some(error), Some(cause)) => {
                page.text.push('\n');
                page.hang("error: ", &human::clean(error));
                page.hang("cause: ", &human::clean(cause));
            }
            (error, _) if self.outcome != Outcome::Interrupted => {
                page.blocks("error", error.as_slice(), usize::MAX);
            }
            _ => {}
        }
        // Last, where the eye is when the run has ended.
        self.verdict(&mut page);
        for line in &self.state {
            page.hang("  ", &human::clean(line));
        }
        for (index, step) in self.next.iter().take(DIFFERENCES).enumerate() {
            let head = if index == 0 { "next: " } else { "  " };
            page.step(head, &human::clean(step));
        }
        if let Some(folder) = self.work_dir.as_ref().filter(|_| self.outcome != Outcome::Interrupted) {
            let _ = writeln!(page.text, "report: {}/report.html", human::line(folder));
        }
        page.text
    }

    /// Everything but how it ended and what to do about it.
    fn details(&self, page: &mut Page) {
        let planned = matches!(self.outcome, Outcome::Planned | Outcome::Blocked);
        if let Some(plan) = self.plan.as_ref().filter(|_| planned) {
            for (title, lines) in plan.parts(page.columns - 4) {
                page.lines(title, &lines);
            }
        }
        if !planned {
            self.work(page);
        }
        // What waits for a decision stands there.
        let open: Vec<&Finding> = self
            .findings
            .iter()
            .filter(|finding| finding.severity == "error" && !finding.solved)
            .filter(|finding| !planned || finding.accepted)
            .collect();
        page.list("not fixed by the rewrite", &grouped(open.into_iter(), OF_A_RULE), usize::MAX);
        page.lines("fixed by the rewrite", &rewritten(&self.findings, page.columns));
        // What is fixed is nothing to read, or stands below with what is lost.
        let changes = |finding: &&Finding| finding.severity == "warning" && !finding.solved;
        let warnings = self.findings.iter().filter(changes);
        page.list("what changes", &grouped(warnings, OF_A_RULE), usize::MAX);
        page.list("you will lose", &lost(&self.losses()), usize::MAX);
        let missing: Vec<_> = self.missing.iter().map(|m| format!("{}: {}", m.what, m.why)).collect();
        page.list("did not arrive", &missing, DIFFERENCES);
        page.list("jobs", &jobs(&self.jobs), LINES);
        page.list("the target's server warned", &self.warnings, LINES);
        self.verification(page);
        page.list("passwords to set", &quoted_all(&self.passwords_to_set), LINES);
        let scripts: Vec<_> =
            self.scripts.iter().map(|script| format!("{}: {}", script.file, script.title)).collect();
        page.list("scripts for later", &scripts, LINES);
    }

    /// What a person has to decide: as a check of the dump says it.
    fn decisions(&self, page: &mut Page) {
        if self.outcome != Outcome::Blocked {
            return;
        }
        for (number, decision) in (1..).zip(&self.decisions) {
            let head = format!("decision {number}: ");
            let blocks = count(decision.blocks, "error");
            page.text.push('\n');
            page.hang(
                &head,
                &human::line(&format!("{} ({blocks}: {})", decision.title, decision.rules.join(", "))),
            );
            let more = decision.blocks.saturating_sub(decision.places.len() as u64);
            let more = if more > 0 { format!(" and {} more", thousands(more)) } else { String::new() };
            page.hang("  at: ", &human::line(&format!("{}{more}", decision.places.join(", "))));
            page.hang("  why: ", &human::line(&decision.why));
            for (index, choice) in decision.choices.iter().enumerate() {
                page.hang(if index == 0 { "  do: " } else { "  or: " }, &human::line(choice));
            }
        }
    }

    /// How it ended, in a few words.
    #[must_use]
    pub fn title(&self) -> &'static str {
        match self.outcome {
            Outcome::Failed => "failed",
            Outcome::Interrupted => "interrupted",
            Outcome::Planned => "planned; nothing was written",
            Outcome::Blocked => "blocked; nothing was written",
            Outcome::Migrated if !self.is_compared() => "migrated, not verified",
            Outcome::Migrated if self.leaves_out_rows() => {
                "migrated and verified, but for the rows that the notes name"
            }
            Outcome::Migrated => "migrated and verified",
            Outcome::Restored if !self.is_compared() => "restored; rows were counted, and not compared",
            Outcome::Restored => "restored and verified",
            Outcome::Differs => "done, but the target differs from the source",
        }
    }

    /// Rows of some tables could not be compared.
    fn leaves_out_rows(&self) -> bool {
        self.verification.as_ref().is_some_and(|found| found.rows.not_compared > 0)
    }

    fn is_compared(&self) -> bool {
        self.verification.as_ref().is_some_and(|found| !found.compared.is_empty())
    }

    /// What went over, in one line; nothing where nothing did.
    #[must_use]
    pub fn what_moved(&self) -> String {
        let moved = self.moved;
        if moved.bytes == 0 && moved.statements == 0 {
            return String::new();
        }
        // A run that ended early does not know the bytes of those before it.
        let bytes =
            if moved.bytes == 0 { String::new() } else { format!("{} of data, ", human::bytes(moved.bytes)) };
        format!(
            "{} in {}, {bytes}{}",
            count(moved.rows, "row"),
            count(moved.tables, "table"),
            count(moved.statements, "statement")
        )
    }

    fn verdict(&self, page: &mut Page) {
        let (sign, color) = match self.outcome {
            Outcome::Migrated | Outcome::Restored | Outcome::Planned => ("✓", AnsiColor::Green),
            Outcome::Blocked | Outcome::Differs | Outcome::Failed => ("✗", AnsiColor::Red),
            Outcome::Interrupted => ("✗", AnsiColor::Yellow),
        };
        let title = page.paint(color.on_default().bold(), &format!("{sign} {}", self.title()));
        let stopped = self.outcome == Outcome::Interrupted;
        let when = if stopped { "after" } else { "in" };
        let took = if self.seconds > 0.0 {
            format!(" {when} {}", human::duration(span(self.seconds)))
        } else {
            String::new()
        };
        let _ = writeln!(page.text, "\n{title}{took}");
        let moved = self.what_moved();
        if !moved.is_empty() && !stopped {
            let _ = writeln!(page.text, "  {moved}");
        }
        for (word, end) in [("from", &self.source), ("to", &self.target)] {
            if !end.is_empty() && !stopped {
                let _ = writeln!(page.text, "  {word:<5}{}", human::line(end));
            }
        }
    }

    /// Stages, and the slowest of what they did.
    fn work(&self, page: &mut Page) {
        let stages: Vec<String> = self
            .stages
            .iter()
            .map(|stage| {
                let took = human::duration(span(stage.seconds));
                format!("{took:>11}  {:<13} {}", stage.name, human::line(&stage.result))
            })
            .collect();
        page.lines("stages", &stages);
        let tables = self.slowest_tables();
        let tables: Vec<String> = tables
            .iter()
            .filter(|table| table.ended - table.begun >= WORTH)
            .take(SLOWEST)
            .map(|table| {
                format!(
                    "{:>11}  {:>8} {:>10} {:>15}  {:<6} {}",
                    human::duration(span(table.ended - table.begun)),
                    human::bytes(table.bytes),
                    human::rate(table.rate()),
                    count(table.rows, "row"),
                    table.format,
                    human::line(&table.name)
                )
            })
            .collect();
        page.lines("slowest tables", &tables);
        let built = self.slowest_builds();
        let built: Vec<String> = built
            .iter()
            .filter(|built| built.seconds >= WORTH)
            .take(SLOWEST)
            .map(|built| {
                let took = human::duration(span(built.seconds));
                format!("{took:>11}  {:<11}  {}", built.kind.replace('-', " "), human::line(&built.name))
            })
            .collect();
        page.lines("slowest builds", &built);
    }

    fn verification(&self, page: &mut Page) {
        let Some(verification) = &self.verification else { return };
        let mut lines: Vec<String> = verification.lines().iter().map(|line| human::clean(line)).collect();
        if let Some(more) = lines.len().checked_sub(COMPARED).filter(|more| *more > 0) {
            lines.truncate(COMPARED);
            lines.push(format!("… and {} lines more, in the report", thousands(more as u64)));
        }
        let lines: Vec<String> = lines.iter().flat_map(|line| set_in(line, page.columns - 2)).collect();
        page.lines("verification", &lines);
    }
}

impl Page {
    fn paint(&self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Text under a head that stands out; commands below a step are set in already and stay as they are.
    /// A step. Its command is never broken: it is to be copied.
    fn step(&mut self, head: &str, step: &str) {
        match step.split_once(": tsmigrate ") {
            Some((what, command)) if human::width(head) + human::width(step) > self.columns => {
                self.hang(head, &format!("{what}:"));
                let _ = writeln!(self.text, "    tsmigrate {command}");
            }
            _ => self.hang(head, step),
        }
    }

    fn hang(&mut self, head: &str, text: &str) {
        let mut lines = text.lines();
        let first = human::hang(head, lines.next().unwrap_or_default(), self.columns);
        for (index, line) in first.into_iter().enumerate() {
            match line.strip_prefix(head).filter(|_| index == 0 && !head.trim().is_empty()) {
                Some(rest) => {
                    let head = self.paint(Style::new().bold(), head);
                    self.text.push_str(&head);
                    self.text.push_str(rest);
                }
                None => self.text += &line,
            }
            self.text.push('\n');
        }
        for line in lines {
            let _ = writeln!(self.text, "  {line}");
        }
    }

    /// Lines in columns of their own, as they are.
    fn lines(&mut self, title: &str, lines: &[String]) {
        if lines.is_empty() {
            return;
        }
        let title = self.paint(Style::new().bold(), title);
        let _ = write!(self.text, "\n{title}\n");
        for line in lines {
            self.text += format!("  {line}").trim_end();
            self.text.push('\n');
        }
    }

    /// Things that take a line each, or a few where they are long; of more than `most` the last are counted only.
    fn list(&mut self, title: &str, things: &[impl AsRef<str>], most: usize) {
        let things: Vec<String> = things.iter().map(|thing| human::line(thing.as_ref())).collect();
        self.blocks(title, &things, most);
    }

    /// Things of several lines: the later ones are set in already, and may be commands to copy.
    fn blocks(&mut self, title: &str, things: &[impl AsRef<str>], most: usize) {
        let mut lines = Vec::new();
        for thing in things.iter().take(most) {
            let text = human::clean(thing.as_ref());
            let mut parts = text.lines();
            let first = human::hang("", parts.next().unwrap_or_default(), self.columns - 4);
            lines.extend(first.into_iter().enumerate().map(|(number, line)| match number {
                0 => line,
                _ => format!("  {line}"),
            }));
            lines.extend(parts.map(ToOwned::to_owned));
        }
        if let Some(more) = things.len().checked_sub(most).filter(|more| *more > 0) {
            lines.push(format!("… and {} more", thousands(more as u64)));
        }
        self.lines(title, &lines);
    }
}

/// A line in several where it is wider, the later ones behind its own beginning.
fn set_in(line: &str, columns: usize) -> Vec<String> {
    let text = line.trim_start();
    let (space, rest) = (line.len() - text.len(), text.split_once(' '));
    let head = match rest {
        // Behind a mark of one character.
        Some((mark, _)) if mark.chars().count() == 1 => format!("{}{mark} ", " ".repeat(space)),
        _ => " ".repeat(space),
    };
    match line.strip_prefix(&head) {
        Some(text) if human::width(line) > columns => human::hang(&head, text, columns),
        _ => vec![line.to_owned()],
    }
}

/// Findings by rule, the first of each in full.
fn grouped<'a>(findings: impl Iterator<Item = &'a Finding>, shown: usize) -> Vec<String> {
    let mut rules = BTreeMap::<&str, Vec<&Finding>>::new();
    for finding in findings {
        rules.entry(&finding.rule).or_default().push(finding);
    }
    let mut lines = Vec::new();
    for (rule, findings) in rules {
        lines.extend(findings.iter().take(shown).map(ToString::to_string));
        if let Some(more) = findings.len().checked_sub(shown).filter(|more| *more > 0) {
            lines.push(format!("{rule:<8} … and {} more", thousands(more as u64)));
        }
    }
    lines
}

/// How often each rule's rewrite was used, as a check says it.
fn rewritten(findings: &[Finding], columns: usize) -> Vec<String> {
    let mut rules = BTreeMap::<&str, u64>::new();
    for finding in findings.iter().filter(|finding| finding.solved) {
        *rules.entry(&finding.rule).or_default() += 1;
    }
    let name = |id: &str| tsmigrate_analyzer::rules::rule(id).map_or("", |rule| rule.name);
    let longest = rules.keys().map(|rule| name(rule).len()).max().unwrap_or(0);
    let cells: Vec<String> = rules
        .into_iter()
        .map(|(rule, times)| format!("{rule:<7} {:<longest$} {:>6}", name(rule), thousands(times)))
        .collect();
    human::in_columns(&cells, longest + 15, columns.saturating_sub(2))
}

/// What is lost by each rule, the first things by name.
fn lost(losses: &[(&str, Vec<&str>)]) -> Vec<String> {
    let line = |(rule, lost): &(&str, Vec<&str>)| {
        let shown = lost.iter().take(OF_A_RULE).copied().collect::<Vec<_>>().join("; ");
        match lost.len().saturating_sub(OF_A_RULE) as u64 {
            0 => format!("{rule:<8} {shown}"),
            more => format!("{rule:<8} {shown}; and {} more", thousands(more)),
        }
    };
    losses.iter().map(line).collect()
}

/// Names of roles as SQL writes them.
pub(super) fn quoted_all(names: &[String]) -> Vec<String> {
    names.iter().map(|name| quoted(name)).collect()
}

/// Jobs by what became of them; a few of one kind by name, more as a number.
fn jobs(jobs: &[MovedJob]) -> Vec<String> {
    let mut kinds = BTreeMap::<(bool, &str, &str), Vec<&MovedJob>>::new();
    for job in jobs {
        kinds.entry((!job.scheduled, &job.owner, &job.new_owner)).or_default().push(job);
    }
    let mut lines = Vec::new();
    for ((paused, owner, new_owner), jobs) in kinds {
        let state = if paused { "not scheduled" } else { "scheduled" };
        let (owner, new_owner) = (quoted(owner), quoted(new_owner));
        let owner = if owner == new_owner {
            format!("of {owner}")
        } else {
            format!("of {owner} on the source, of {new_owner} on the target")
        };
        if jobs.len() > OF_A_RULE {
            lines.push(format!("{} {owner}: {state}", count(jobs.len() as u64, "job")));
        } else {
            lines.extend(jobs.iter().map(|job| format!("{} {}, {owner}: {state}", job.id, job.name)));
        }
    }
    lines
}

#[cfg(test)]
pub(super) mod tests;
