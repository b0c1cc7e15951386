//! HT-13: cHECK … NO INHERIT on a hypertable.

use super::links::LIMITS;
use super::obstacle::{NewHypertable, Obstacle};
use super::statements::{added, commands, hypertable};
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-13",
    name: "hypertable-no-inherit",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("ht.noinherit-check", "CHECK … NO INHERIT."),
    statements: &[StatementKind::AlterTableStmt],
    doc: Doc {
        summary: "CHECK … NO INHERIT on a hypertable.",
        what: "ADD CONSTRAINT … CHECK … NO INHERIT on a hypertable, and create_hypertable on a table that has \
               one.",
        why: "Chunks inherit from their hypertable: a constraint that is not passed on would hold for no row.",
        server: &["42P16 cannot have NO INHERIT constraints on hypertable \"n\""],
        help: "The rewrite removes NO INHERIT: the constraint says the same of a table that nothing else \
               inherits from.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nALTER TABLE public.m ADD CONSTRAINT c CHECK ((id > 0)) NO \
               INHERIT;",
        after: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nALTER TABLE public.m ADD CONSTRAINT c CHECK ((id > 0));",
        sources: Doc::sources(&[
            "TimescaleDB src/hypertable.c, src/process_utility.c",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

/// What the server answers: to create_hypertable, or to a constraint that is added.
pub(crate) fn answer(table: &str, at_creation: bool) -> ServerError {
    let answer =
        ServerError::new("42P16", format!("cannot have NO INHERIT constraints on hypertable \"{table}\""));
    if at_creation {
        answer.hint(format!(
            "Remove all NO INHERIT constraints from table \"{table}\" before making it a hypertable."
        ))
    } else {
        answer
    }
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::AlterTableStmt(s))) = ctx.node() else { return };
    let Some((id, _)) = hypertable(ctx, s.relation.as_ref()) else { return };
    for (index, command) in commands(s) {
        let Some(constraint) = added(command).filter(|constraint| constraint.is_no_inherit) else { continue };
        if constraint.contype != pg::ConstrType::ConstrCheck as i32 {
            continue;
        }
        let mut draft =
            Draft::new(format!("the hypertable {} has to pass its constraints on to chunks", id.path()))
                .object(format!("constraint {} on {}", quoted(&constraint.conname), id.path()))
                .server(answer(&id.name, false));
        if s.cmds.len() == 1
            && let Some(words) = statement.words(&["NO", "INHERIT"])
        {
            let path = format!("/AlterTableStmt/cmds/{index}/AlterTableCmd/def/Constraint/is_no_inherit");
            draft = draft.at(words.clone()).fix(
                FixDraft::edit("Remove NO INHERIT")
                    .delete(statement.with_gap(&words))
                    .change(Change::Set(path, serde_json::Value::Bool(false))),
            );
        }
        ctx.report(draft);
    }
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let table = &new.table;
    for check in table
        .constraints()
        .filter(|c| c.no_inherit && pg::ConstrType::try_from(c.kind) == Ok(pg::ConstrType::ConstrCheck))
    {
        let name = table.constraint_name(check);
        found.push(Obstacle {
            rule: &RULE,
            place: check.place,
            object: Some(format!("constraint {} on {}", quoted(&name), table.id.path())),
            message: format!("the CHECK {} of {} is NO INHERIT", quoted(&name), table.id.path()),
            server: Some(answer(&table.id.name, true)),
            advice: "Without NO INHERIT it says the same of a table that nothing inherits from.".into(),
            severity: Severity::Error,
            decision: false,
        });
    }
}
