//! `tsmigrate rules`: the catalogue, and one rule in full.

use std::io::{self, BufWriter, Write};

use serde::Serialize;
use tsmigrate_analyzer::rule::Rule;
use tsmigrate_analyzer::rules::{all, markdown, nearest, rule};
use tsmigrate_analyzer::{Safety, Severity};

use super::failure::{Failure, Status};
use super::page::{Page, wrap};

/// How the catalogue is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
    /// The whole catalogue as a page
    Markdown,
}

/// Options of `tsmigrate rules`.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tsmigrate rules                    all rules
  tsmigrate rules 'OWN-*'            the rules of a family
  tsmigrate rules '*tablespace*'     the rules with this in their names
  tsmigrate rules TSP-03             one rule: what, why, what to do
  tsmigrate rules --format markdown  the whole catalogue as a page

Exit status: 0, or 2 if there is no such rule")]
pub(super) struct Args {
    /// Rule to explain, by id or name; a pattern with * lists rules
    #[arg(value_name = "RULE")]
    rule: Option<String>,

    /// text, json or markdown
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    format: Format,
}

/// A rule as programs read it.
#[derive(Serialize)]
struct Entry {
    id: &'static str,
    name: &'static str,
    severity: Severity,
    fix: Safety,
    summary: &'static str,
    what: &'static str,
    why: &'static str,
    server: &'static [&'static str],
    help: &'static str,
    before: &'static str,
    after: &'static str,
    sources: &'static [&'static str],
    docs: &'static str,
}

impl Entry {
    fn new(rule: &'static Rule) -> Self {
        let doc = &rule.doc;
        Self {
            id: rule.id,
            name: rule.name,
            severity: rule.severity,
            fix: rule.fix,
            summary: doc.summary,
            what: doc.what,
            why: doc.why,
            server: doc.server,
            help: doc.help,
            before: doc.before,
            after: doc.after,
            sources: doc.sources,
            docs: doc.link,
        }
    }
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<Status, Failure> {
    let pattern = args.rule.as_deref().filter(|given| given.contains('*'));
    let one = match (&args.rule, pattern) {
        (Some(given), None) => Some(rule(given).ok_or_else(|| unknown(given))?),
        _ => None,
    };
    let listed: Vec<&Rule> =
        all().filter(|rule| pattern.is_none_or(|pattern| is_meant(pattern, rule))).collect();
    if let (Some(given), true) = (pattern, listed.is_empty()) {
        return Err(Failure::new(format!("no rule matches {given}")).next("tsmigrate rules lists all rules"));
    }
    let mut out = BufWriter::new(io::stdout().lock());
    let page = Page::stdout();
    let written = match (one, args.format) {
        (None, Format::Text) => table(&mut out, page, &listed),
        (Some(rule), Format::Text) => explain(&mut out, page, rule),
        (None, Format::Markdown) if pattern.is_none() => write!(out, "{}", markdown()),
        (_, Format::Markdown) => {
            return Err(Failure::new("--format markdown writes all rules, and some were named")
                .next("leave RULE out, or use --format text or json"));
        }
        (None, Format::Json) => json(&mut out, &listed.into_iter().map(Entry::new).collect::<Vec<_>>()),
        (Some(rule), Format::Json) => json(&mut out, &Entry::new(rule)),
    };
    match written.and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::output(&error)),
        _ => Ok(Status::Clean),
    }
}

/// True where the pattern is of the rule's id or name; `*` stands for any text.
fn is_meant(pattern: &str, rule: &Rule) -> bool {
    let pattern = pattern.to_ascii_lowercase();
    [rule.id, rule.name].iter().any(|name| matches(&pattern, &name.to_ascii_lowercase()))
}

fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| text.get(at..).is_some_and(|text| matches(rest, text)))
        }),
    }
}

/// A word that is no rule's.
pub(super) fn unknown(given: &str) -> Failure {
    Failure::new(format!("there is no rule {given}")).next(match nearest(given) {
        Some(id) => format!("did you mean {id}? tsmigrate rules lists all rules"),
        None => "tsmigrate rules lists all rules".to_owned(),
    })
}

fn json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn fix_word(fix: Safety) -> &'static str {
    match fix {
        Safety::Safe => "safe",
        Safety::Review => "review",
        Safety::None => "-",
    }
}

fn table(out: &mut dyn Write, page: Page, rules: &[&Rule]) -> io::Result<()> {
    let width = |text: fn(&Rule) -> &'static str, head: &str| {
        rules.iter().map(|rule| text(rule).len()).chain([head.len()]).max().unwrap_or(0)
    };
    let id = width(|rule| rule.id, "ID");
    let name = width(|rule| rule.name, "NAME");
    let left = id + name + 7 + 6 + 8;
    let head = format!("{:<id$}  {:<name$}  {:<7}  {:<6}  SUMMARY", "ID", "NAME", "WORST", "FIX");
    writeln!(out, "{}", page.dim(&head))?;
    for rule in rules {
        let severity = page.severity(rule.severity, &format!("{:<7}", rule.severity.name()));
        let fix = fix_word(rule.fix);
        write!(
            out,
            "{}  {:<name$}  {severity}  {fix:<6}  ",
            page.bold(&format!("{:<id$}", rule.id)),
            rule.name
        )?;
        // A narrow page gets the summary on lines of its own.
        let (indent, first) = if page.width > left + 30 { (left, true) } else { (4, false) };
        for (index, line) in wrap(rule.doc.summary, page.width.saturating_sub(indent)).iter().enumerate() {
            if index == 0 && first {
                writeln!(out, "{line}")?;
            } else {
                if index == 0 {
                    writeln!(out)?;
                }
                writeln!(out, "{:indent$}{line}", "")?;
            }
        }
    }
    let foot = "tsmigrate rules ID explains a rule. FIX: safe = always rewritten, review = with --accept.";
    writeln!(out)?;
    wrap(foot, page.width).iter().try_for_each(|line| writeln!(out, "{}", page.dim(line)))
}

fn explain(out: &mut dyn Write, page: Page, rule: &Rule) -> io::Result<()> {
    let doc = &rule.doc;
    let severity = page.severity(rule.severity, &format!("{}[{}]", rule.severity.name(), rule.id));
    writeln!(out, "{severity} {}", page.bold(rule.name))?;
    wrap(doc.summary, page.width).iter().try_for_each(|line| writeln!(out, "{line}"))?;
    let mut section = |title: &str, lines: Vec<String>| -> io::Result<()> {
        if lines.iter().all(String::is_empty) {
            return Ok(());
        }
        writeln!(out, "\n{}", page.bold(title))?;
        lines.iter().try_for_each(|line| writeln!(out, "{}", format!("  {line}").trim_end()))
    };
    let text = |text: &str| wrap(text, page.width.saturating_sub(2));
    let code = |text: &str| text.lines().map(|line| page.command(line)).collect::<Vec<_>>();
    section("what", text(doc.what))?;
    section("why", text(doc.why))?;
    section("the server says", doc.server.iter().flat_map(|line| text(line)).collect())?;
    section("what to do", text(doc.help))?;
    section("example", code(doc.before))?;
    section("after tsmigrate rewrite", code(doc.after))?;
    let fix = match rule.fix {
        Safety::Safe => "safe: the rewrite applies it without asking".to_owned(),
        Safety::Review => format!("review: the rewrite applies it with --accept {}", rule.id),
        Safety::None => {
            format!("none: change the statement by hand, or leave it out with --accept {}", rule.id)
        }
    };
    section("fix", text(&fix))?;
    section("known from", doc.sources.iter().flat_map(|line| text(line)).collect())?;
    let links = rule.page().into_iter().chain([doc.link.to_owned()]);
    section("docs", links.map(|link| page.link(&link, &link)).collect())
}
