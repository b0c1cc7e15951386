//! SU-18: DISABLE TRIGGER ALL.

use std::ops::Range;

use serde_json::Value;

use crate::edit::Safety;
use crate::facts::objects::subject;
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "SU-18",
    name: "system-trigger",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::Limit {
        slug: "system-trigger",
        how: "DISABLE TRIGGER ALL becomes DISABLE TRIGGER USER.",
    },
    also_answers: &["DATA-03", "DATA-07"],
    statements: &[StatementKind::AlterTableStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "ALTER TABLE … DISABLE TRIGGER ALL or ENABLE TRIGGER ALL.",
        what: "pg_dump --data-only --disable-triggers writes it around the rows of every table.",
        why: "ALL includes the triggers that enforce foreign keys and deferrable keys, which only a superuser may \
               turn off. A table without such keys takes the statement; whether it has them is seen where the dump \
               makes them.",
        server: &["42501 permission denied: \"RI_ConstraintTrigger_c_16446\" is a system trigger"],
        help: "ALL becomes USER: your own triggers are off while rows load, foreign keys are checked. Load the \
               tables that are referred to first, or better: dump schema and data together, where keys are made \
               after the rows.",
        before: "ALTER TABLE app.child DISABLE TRIGGER ALL;",
        after: "ALTER TABLE app.child DISABLE TRIGGER USER;",
        sources: &["PostgreSQL src/backend/commands/trigger.c, EnableDisableTrigger"],
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    use pg::AlterTableType as T;
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::AlterTableStmt(s) = node else { return };
    let all: Vec<(usize, bool)> = s
        .cmds
        .iter()
        .enumerate()
        .filter_map(|(index, command)| match &command.node {
            Some(NodeEnum::AlterTableCmd(c)) if c.subtype == T::AtDisableTrigAll as i32 => {
                Some((index, true))
            }
            Some(NodeEnum::AlterTableCmd(c)) if c.subtype == T::AtEnableTrigAll as i32 => {
                Some((index, false))
            }
            _ => None,
        })
        .collect();
    let Some(object) = subject(node).filter(|_| !all.is_empty()) else { return };
    let id = ctx.resolved(&object.id);
    let is_known = ctx.facts.relations.contains_key(&id);
    if is_known && !ctx.facts.system_triggers.contains(&id) {
        return;
    }
    let words = ctx.describe(&object);
    let mut fix = FixDraft::edit("leave the server's own triggers alone");
    let mut last: Option<Range<usize>> = None;
    for (index, disable) in &all {
        let word = if *disable { "DISABLE" } else { "ENABLE" };
        let from = last.as_ref().map_or(0, |range| range.end);
        let Some(clause) = statement.words_from(from, &[word, "TRIGGER", "ALL"]) else { return };
        let range = clause.end - "ALL".len()..clause.end;
        let new = if *disable { T::AtDisableTrigUser } else { T::AtEnableTrigUser };
        let path = format!("/AlterTableStmt/cmds/{index}/AlterTableCmd/subtype");
        fix = fix.replace(range.clone(), "USER").change(Change::Set(path, Value::from(new as i32)));
        last = Some(range);
    }
    let mut draft = Draft::new(if is_known {
        format!("{words} has triggers of the server, which only a superuser may turn off")
    } else {
        format!("if {words} has foreign keys, only a superuser may turn their triggers off")
    })
    .object(words)
    .server(ServerError::new("42501", "permission denied: \"RI_ConstraintTrigger_c_16446\" is a system trigger"))
    .advice("Rows are checked against foreign keys as they load: the tables that they refer to have to come first.")
    .fix(fix);
    if let Some(range) = last {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
