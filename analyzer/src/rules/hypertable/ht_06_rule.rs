//! HT-06: a rule on a hypertable.

use super::links::LIMITS;
use super::obstacle::{NewHypertable, Obstacle};
use super::statements::hypertable;
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::facts::tables::Attachment;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-06",
    name: "hypertable-rule",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("ht.rules", "Rules."),
    also_answers: &["SU-21"],
    statements: &[StatementKind::RuleStmt],
    doc: Doc {
        summary: "A rule on a hypertable.",
        what: "CREATE RULE on a hypertable, and create_hypertable on a table with rules.",
        why: "Rules rewrite statements before TimescaleDB sees them.",
        server: &[
            "0A000 hypertables do not support rules",
            "0A000 hypertables do not support rules (DETAIL: Table \"f\" has attached rules, which do not \
               work on hypertables.)",
        ],
        help: "Leave the rule out. One that sends rows to partitions is needless: chunks do that. What another \
               one does belongs into a trigger.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nCREATE RULE r AS ON INSERT TO public.m DO INSTEAD NOTHING;",
        after: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\n-- CREATE RULE r AS ON INSERT TO public.m DO INSTEAD \
               NOTHING;",
        sources: Doc::sources(&[
            "TimescaleDB src/process_utility.c, process_create_rule_start; src/hypertable.c",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

/// What the server answers: to CREATE RULE, or to create_hypertable on a table with rules.
pub(crate) fn answer(table: Option<&str>) -> ServerError {
    let answer = ServerError::new("0A000", "hypertables do not support rules");
    match table {
        Some(table) => answer
            .detail(format!("Table \"{table}\" has attached rules, which do not work on hypertables."))
            .hint("Remove the rules before creating a hypertable."),
        None => answer,
    }
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, NodeEnum::RuleStmt(s))) = ctx.node() else { return };
    let Some((id, _)) = hypertable(ctx, s.relation.as_ref()) else { return };
    let rule = format!("rule {} on {}", quoted(&s.rulename), id.path());
    let draft = Draft::new(format!("{} is a hypertable and takes no rules", id.path()))
        .object(rule.clone())
        .server(answer(None))
        .fix(FixDraft::remove("a hypertable cannot have rules").review().lost(rule));
    ctx.report(draft);
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let table = &new.table;
    for rule in table.attached(Attachment::Rule) {
        let name = table.name(rule.name);
        found.push(Obstacle {
            rule: &RULE,
            place: rule.place,
            object: Some(format!("rule {} on {}", quoted(name), table.id.path())),
            message: format!("{} has the rule {}", table.id.path(), quoted(name)),
            server: Some(answer(Some(&table.id.name))),
            advice: format!(
                "DROP RULE {} ON {}; what it does belongs into a trigger, or into chunks where it sends rows to \
                 partitions.",
                quoted(name),
                table.id.path()
            ),
            severity: Severity::Error,
            decision: true,
        });
    }
}
