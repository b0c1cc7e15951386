//! IN-13: A comment that allows a finding, and does not do it, or does not say why.

use crate::allow::{Comment, Reach, Unused};
use crate::edit::Safety;
use crate::finding::Severity;
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "IN-13",
    name: "allowance",
    severity: Severity::Note,
    fix: Safety::None,
    answers: Answers::purpose("comments in a dump that allow findings: whether they do what they say"),
    doc: Doc {
        summary: "A comment that allows a finding, and allows nothing, or does not say why.",
        what: "Comments of the form -- tsmigrate: allow RULE reason, before a statement, in it or behind it on its last line, and -- tsmigrate: allow-file RULE reason, for the rest of the file. RULE is an id, a name or a family such as HT-*. What is allowed stays in the report and does not count; its statement is left as it is.",
        why: "An allowance for a rule that does not exist, or that finds nothing there, is a mistake or out of date. One without a reason tells nobody later why it is there.",
        server: &[],
        help: "Correct the rule, move the comment to its statement, remove it, or add the reason behind the rule.",
        before: "-- tsmigrate: allow TSP-04 moved by hand\nCREATE TABLE t (a integer);",
        after: "",
        sources: Doc::sources(&["tsmigrate itself"]),
        link: "https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-COMMENTS",
    },
    ..Rule::DEFAULT
};

/// What there is to say about a comment where it stands.
pub(crate) fn report(ctx: &mut Context<'_>, comment: &Comment<'_>) {
    let Comment::Allow { rules, reason, .. } = comment else {
        ctx.report(
            Draft::new("this comment is addressed to tsmigrate, which does not understand it")
                .advice("Write -- tsmigrate: allow RULE reason, or -- tsmigrate: allow-file RULE reason."),
        );
        return;
    };
    let unknown: Vec<&&str> = rules.iter().filter(|rule| ctx.registry.matching(rule).is_empty()).collect();
    for rule in &unknown {
        let message = format!("this allows nothing: there is no rule {rule}");
        ctx.report(match ctx.registry.nearest(rule) {
            Some(id) => Draft::new(message).advice(format!("Did you mean {id}?")),
            None => Draft::new(message),
        });
    }
    if reason.is_empty() && unknown.is_empty() {
        ctx.report(Draft::new(format!("{} is allowed without a reason", rules.join(", "))));
    }
}

/// What there is to say at the end.
pub(crate) fn report_unused(ctx: &mut Context<'_>, unused: &Unused<'_>) {
    let rule = unused.pattern;
    let message = match (unused.reach, unused.has_statement) {
        (Reach::Statement, false) => format!("this allows nothing: no statement follows it ({rule})"),
        (Reach::Statement, true) => format!("this allows nothing: {rule} finds nothing in its statement"),
        (Reach::Input, _) => format!("this allows nothing: {rule} finds nothing behind it in this file"),
    };
    let draft = Draft::new(message);
    ctx.report(match unused.reach {
        Reach::Input => draft,
        Reach::Statement => draft
            .advice("It is for one statement: the next one, or the one on its line. allow-file is for the rest of the file."),
    });
}
