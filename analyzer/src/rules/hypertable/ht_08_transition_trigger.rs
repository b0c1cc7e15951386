//! HT-08: a row trigger with a transition table on a hypertable.

use super::links::LIMITS;
use super::obstacle::{NewHypertable, Obstacle};
use super::statements::hypertable;
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::facts::tables::Attachment;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-08",
    name: "hypertable-transition-trigger",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("ht.trigger-transition", "Triggers with transition tables."),
    statements: &[StatementKind::CreateTrigStmt],
    doc: Doc {
        summary: "A row trigger with a transition table on a hypertable.",
        what: "CREATE TRIGGER … REFERENCING … FOR EACH ROW on a hypertable, and create_hypertable on a table that has one. Statement triggers with transition tables and other row triggers are allowed.",
        why: "Row triggers are created on each chunk, and PostgreSQL has no transition tables for child tables.",
        server: &["0A000 ROW triggers with transition tables are not supported on hypertables"],
        help: "Make it FOR EACH STATEMENT, where its function does not need single rows, or leave REFERENCING \
               out.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nCREATE TRIGGER t AFTER INSERT ON public.m REFERENCING NEW \
               TABLE AS n FOR EACH ROW EXECUTE FUNCTION public.f();",
        after: "",
        sources: Doc::sources(&[
            "TimescaleDB src/process_utility.c, process_create_trigger_start; src/trigger.c",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

/// What the server answers.
pub(crate) fn answer() -> ServerError {
    ServerError::new("0A000", "ROW triggers with transition tables are not supported on hypertables")
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, NodeEnum::CreateTrigStmt(s))) = ctx.node() else { return };
    if !s.row || s.transition_rels.is_empty() {
        return;
    }
    let Some((id, _)) = hypertable(ctx, s.relation.as_ref()) else { return };
    let draft =
        Draft::new(format!("{} is a hypertable: its row triggers have no transition tables", id.path()))
            .object(format!("trigger {} on {}", quoted(&s.trigname), id.path()))
            .server(answer());
    ctx.report(draft);
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let table = &new.table;
    for trigger in table.attached(Attachment::TransitionTrigger) {
        let name = table.name(trigger.name);
        found.push(Obstacle {
            rule: &RULE,
            place: trigger.place,
            object: Some(format!("trigger {} on {}", quoted(name), table.id.path())),
            message: format!(
                "{} has the row trigger {} with a transition table",
                table.id.path(),
                quoted(name)
            ),
            server: Some(answer()),
            advice: "Make it FOR EACH STATEMENT, where its function does not need single rows, or leave the \
                     transition table out."
                .into(),
            severity: Severity::Error,
            decision: true,
        });
    }
}
