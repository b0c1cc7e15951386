//! SU-18: DISABLE TRIGGER ALL, and triggers of the server's own by name.

use std::ops::Range;

use serde_json::Value;

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{quoted, relation};
use crate::facts::objects::subject;
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "SU-18",
    name: "system-trigger",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "system-trigger",
        "DISABLE TRIGGER ALL becomes DISABLE TRIGGER USER. A trigger of the server's own that is named is left as the target makes it.",
    ),
    also_answers: &["DATA-03", "DATA-07"],
    statements: &[StatementKind::AlterTableStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "ALTER TABLE … DISABLE TRIGGER ALL or ENABLE TRIGGER ALL, or of a trigger of the server's own.",
        what: "pg_dump --data-only --disable-triggers writes it around the rows of every table. Where the checks of a \
               foreign key are switched off on one partition only, pg_dump 15 and newer write that too, with the name \
               of the server's own trigger: DISABLE TRIGGER \"RI_ConstraintTrigger_c_16446\".",
        why: "ALL includes the triggers that enforce foreign keys and deferrable keys, which only a superuser can \
               turn off. A table without such keys takes the statement; whether it has them is seen where the dump creates them. The name of such a trigger holds a number that each server chooses for itself.",
        server: &[
            "42501 permission denied: \"RI_ConstraintTrigger_c_16446\" is a system trigger",
            "42704 trigger \"RI_ConstraintTrigger_c_16446\" for table \"child\" does not exist",
        ],
        help: "ALL becomes USER: your own triggers are off while rows load, foreign keys are checked. Load the tables that are referred to first, or better: dump schema and data together, where keys are created after the rows. A statement that names a trigger of the server's own is removed: the target checks that key, and refuses it where rows do not meet it.",
        before: "ALTER TABLE app.child DISABLE TRIGGER ALL;",
        after: "ALTER TABLE app.child DISABLE TRIGGER USER;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/trigger.c, EnableDisableTrigger",
            "pg_dump.c: getTriggers, dumpTrigger",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    use pg::AlterTableType as T;
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::AlterTableStmt(s) = node else { return };
    if let Some(name) = named(ctx, s) {
        report_named(ctx, node, s, name);
        return;
    }
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
    let mut fix = FixDraft::edit("Leave the server's own triggers alone");
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
        format!("{words} has triggers of the server, which only a superuser can turn off")
    } else {
        format!("if {words} has foreign keys, only a superuser can turn their triggers off")
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

/// The trigger of the server's own that the statement names, where it does nothing else.
fn named<'a>(ctx: &Context<'_>, s: &'a pg::AlterTableStmt) -> Option<&'a str> {
    use pg::AlterTableType as T;
    let [command] = s.cmds.as_slice() else { return None };
    let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return None };
    let states = [T::AtEnableTrig, T::AtEnableAlwaysTrig, T::AtEnableReplicaTrig, T::AtDisableTrig];
    let (schema, table) = relation(s.relation.as_ref()?);
    let of_user =
        || ctx.facts.objects.contains_key(&ctx.resolved(&ObjectId::attached(schema, table, &command.name)));
    let is_state = states.iter().any(|state| *state as i32 == command.subtype);
    (is_state && is_of_server(&command.name) && !of_user()).then_some(command.name.as_str())
}

/// A name as the server gives it to the triggers of foreign keys and of deferrable keys.
fn is_of_server(name: &str) -> bool {
    ["RI_ConstraintTrigger_a_", "RI_ConstraintTrigger_c_", "PK_ConstraintTrigger_"].iter().any(|prefix| {
        name.strip_prefix(prefix)
            .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
    })
}

fn report_named(ctx: &mut Context<'_>, node: &NodeEnum, s: &pg::AlterTableStmt, name: &str) {
    let Some(object) = subject(node) else { return };
    let words = ctx.describe(&object);
    let table = s.relation.as_ref().map_or("", |range| range.relname.as_str());
    let error = ServerError::new("42704", format!("trigger \"{name}\" for table \"{table}\" does not exist"));
    let fix = FixDraft::remove("the target checks the key")
        .lost(format!("state of the server's trigger {} on {words}", quoted(name)));
    ctx.report(
        Draft::new(format!(
            "{} is a trigger of the server's own on {words}: the target has it by another name",
            quoted(name)
        ))
        .object(words)
        .server(error)
        .advice("The source does not check that key as usual, and the target does: rows that do not meet it are refused.")
        .fix(fix),
    );
}
