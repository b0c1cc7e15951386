//! The catalogue as a page in Markdown: all rules in full, and what answers for each limit.

use std::fmt::Write as _;

use crate::edit::Safety;
use crate::rule::{Answers, Rule};
use crate::rules::all;
use crate::rules::catalogue::{Cover, limits};

/// The whole page. The same text for the same rules, with a newline at its end.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(HEAD);
    out.push_str("\n## Rules\n\n| id | name | worst | fix | |\n|---|---|---|---|---|\n");
    for rule in all() {
        let _ = writeln!(
            out,
            "| [{}](#{}) | {} | {} | {} | {} |",
            rule.id,
            anchor(rule),
            rule.name,
            rule.severity.name(),
            fix(rule.fix),
            cell(rule.doc.summary)
        );
    }
    out.push_str("\n## Limits\n\n");
    out.push_str(LIMITS_HEAD);
    out.push_str("\n| limit | | answered by | how |\n|---|---|---|---|\n");
    for limit in limits() {
        let by = match limit.cover {
            Cover::Rules => limit.rules().map(link).collect::<Vec<_>>().join(", "),
            Cover::Live => "migration".to_owned(),
            Cover::Nothing => "–".to_owned(),
        };
        let _ = writeln!(out, "| {} | `{}` | {by} | {} |", limit.id, limit.slug, cell(limit.how));
    }
    out.push_str("\nRules that answer for no limit of the service:\n\n");
    for rule in all() {
        if let Answers::Purpose(what) = rule.answers {
            let _ = writeln!(out, "- {}: {}", link(rule), text(what));
        }
    }
    for rule in all() {
        entry(&mut out, rule);
    }
    out
}

const HEAD: &str = "\
# Catalogue of rules

`tsmigrate rules --format markdown` writes this page; `tsmigrate rules ID` shows one rule. An **error** stops the
statement on the target, a **warning** means that something is lost or works differently, a **note** is advice and never
changes the verdict. A **safe** fix is applied without asking, a **review** fix with `--accept ID`.
";

const LIMITS_HEAD: &str = "\
What the service is known not to take, or to take differently, and what answers for it: rules that find it in a dump, or
`tsmigrate migrate`, which looks at both servers. PG-13 to PG-18 are the changes of PostgreSQL's own versions that matter
here, NS-1 to NS-6 what is not settled in public.
";

fn entry(out: &mut String, rule: &Rule) {
    let doc = &rule.doc;
    let _ = writeln!(out, "\n## {} {}\n\n{}\n", rule.id, rule.name, text(doc.summary));
    let _ = write!(out, "Worst: {}. Fix: {}.", rule.severity.name(), fix(rule.fix));
    if !rule.also_answers.is_empty() {
        let _ = write!(out, " Also answers for {}.", rule.also_answers.join(", "));
    }
    let _ = writeln!(out, "\n\n{}\n\n**Why.** {}", text(doc.what), text(doc.why));
    if !doc.server.is_empty() {
        out.push_str("\nThe server says:\n\n");
        for line in doc.server {
            let _ = writeln!(out, "- {}", code(line));
        }
    }
    let _ = writeln!(out, "\n**What to do.** {}", text(doc.help));
    block(out, "Example:", doc.before);
    block(out, "After `tsmigrate rewrite`:", doc.after);
    out.push_str("\nKnown from:\n\n");
    for source in doc.sources {
        let _ = writeln!(out, "- {}", text(source));
    }
    let _ = writeln!(out, "- <{}>", doc.link);
}

fn fix(safety: Safety) -> &'static str {
    match safety {
        Safety::Safe => "safe",
        Safety::Review => "review",
        Safety::None => "none",
    }
}

/// A link to a rule of this page, as GitHub makes anchors of headings.
fn link(rule: &Rule) -> String {
    format!("[{}](#{})", rule.id, anchor(rule))
}

fn anchor(rule: &Rule) -> String {
    format!("{}-{}", rule.id.to_ascii_lowercase(), rule.name)
}

fn block(out: &mut String, title: &str, sql: &str) {
    if !sql.is_empty() {
        let _ = writeln!(out, "\n{title}\n\n```sql\n{}\n```", sql.trim_end());
    }
}

/// A line of code. Backquotes in it ask for two of them around it.
fn code(line: &str) -> String {
    if line.contains('`') { format!("`` {line} ``") } else { format!("`{line}`") }
}

/// Prose, with what Markdown would take for marks of its own escaped.
fn text(prose: &str) -> String {
    let mut out = String::with_capacity(prose.len());
    let mut before = ' ';
    let mut rest = prose.chars().peekable();
    while let Some(c) = rest.next() {
        let after = rest.peek().copied().unwrap_or(' ');
        let inside = before.is_alphanumeric() && after.is_alphanumeric();
        if matches!(c, '*' | '<' | '`' | '[' | '\\') || c == '_' && !inside {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

fn cell(prose: &str) -> String {
    text(prose).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_is_shown_as_it_is_written() {
        assert_eq!(
            text("a * b < c, lc_time, _timescaledb_*"),
            "a \\* b \\< c, lc_time, \\_timescaledb\\_\\*"
        );
        assert_eq!(cell("a | b"), "a \\| b");
        assert_eq!(code("a ` b"), "`` a ` b ``");
    }

    #[test]
    fn every_link_of_the_page_leads_to_a_heading() {
        let page = markdown();
        let headings: Vec<String> = page
            .lines()
            .filter_map(|line| line.strip_prefix("## "))
            .map(|title| title.to_lowercase().replace(' ', "-"))
            .collect();
        let mut links = page.split("](#").skip(1).filter_map(|rest| rest.split(')').next());
        assert!(links.all(|link| headings.iter().any(|heading| heading == link)));
    }

    #[test]
    fn no_example_ends_its_block_early() {
        let in_blocks = |text: &str| text.contains("```");
        assert!(!all().any(|rule| in_blocks(rule.doc.before) || in_blocks(rule.doc.after)));
    }
}
