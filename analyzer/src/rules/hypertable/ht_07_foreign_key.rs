//! HT-07: a foreign key from one hypertable to another.

use super::links::LIMITS;
use super::obstacle::When;
use super::obstacle::{NewHypertable, Obstacle};
use super::statements::{added, commands, hypertable};
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-07",
    name: "hypertable-foreign-key",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("ht.fk", "Foreign keys between hypertables."),
    statements: &[StatementKind::AlterTableStmt],
    doc: Doc {
        summary: "A foreign key from one hypertable to another.",
        what: "ADD FOREIGN KEY of a hypertable that refers to a hypertable, create_hypertable on such a table, \
               and (as a note) foreign keys that refer to a table that could become a hypertable.",
        why: "A row of a hypertable cannot be looked up by another hypertable's check. An ordinary table may \
               refer to a hypertable (2.16 on), but rows move into chunks only where no other table refers to \
               them.",
        server: &[
            "0A000 hypertables cannot be used as foreign key references of hypertables",
            "0A000 cannot truncate a table referenced in a foreign key constraint",
        ],
        help: "Leave the foreign key out, or keep one of the two an ordinary table.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL, PRIMARY KEY \
               (id, ts));\nSELECT create_hypertable('public.m', 'ts');\nCREATE TABLE public.n (ts timestamp \
               with time zone NOT NULL, id bigint NOT NULL);\nSELECT create_hypertable('public.n', \
               'ts');\nALTER TABLE public.n ADD CONSTRAINT n_fkey FOREIGN KEY (id, ts) REFERENCES public.m(id, \
               ts);",
        after: "",
        sources: Doc::sources(&[
            "TimescaleDB src/process_utility.c, process_altertable_start; src/foreign_key.c; src/hypertable.c \
               (rows are moved, then the table is truncated)",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

/// What the server answers.
pub(crate) fn answer() -> ServerError {
    ServerError::new("0A000", "hypertables cannot be used as foreign key references of hypertables")
}

/// What it answers where rows have to move into chunks.
pub(crate) fn moved(table: &str, other: &str) -> ServerError {
    ServerError::new("0A000", "cannot truncate a table referenced in a foreign key constraint")
        .detail(format!("Table \"{other}\" references \"{table}\"."))
        .hint(format!("Truncate table \"{other}\" at the same time, or use TRUNCATE ... CASCADE."))
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, NodeEnum::AlterTableStmt(s))) = ctx.node() else { return };
    let Some((id, _)) = hypertable(ctx, s.relation.as_ref()) else { return };
    for (_, command) in commands(s) {
        let Some(constraint) = added(command) else { continue };
        let Some((other, _)) = hypertable(ctx, constraint.pktable.as_ref()) else { continue };
        let name = format!("constraint {} on {}", quoted(&constraint.conname), id.path());
        let mut draft = Draft::new(format!("{} and {} are both hypertables", id.path(), other.path()))
            .object(name.clone())
            .server(answer());
        if s.cmds.len() == 1 {
            draft = draft.fix(FixDraft::remove("the hypertable cannot be referenced").review().lost(name));
        }
        ctx.report(draft);
    }
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let (table, when) = (&new.table, new.when);
    let is_hypertable = |schema, name| {
        let id = table.facts.id_of(schema, name);
        let later = matches!(when, When::Later(others) if others.contains(&&id));
        (later || table.facts.converted.contains_key(&id)) && id != *table.id
    };
    for key in table.constraints() {
        let Some((schema, name)) = key.references.filter(|(schema, name)| is_hypertable(*schema, *name))
        else {
            continue;
        };
        let other = table.facts.id_of(schema, name).path();
        let by = table.constraint_name(key);
        found.push(Obstacle {
            rule: &RULE,
            place: key.place,
            object: Some(format!("constraint {} on {}", quoted(&by), table.id.path())),
            message: format!("{} refers to {other}: both would be hypertables", table.id.path()),
            server: Some(answer()),
            advice: format!(
                "Leave the foreign key {} out, or keep one of the two an ordinary table.",
                quoted(&by)
            ),
            severity: Severity::Error,
            decision: true,
        });
    }
    // Rows that move into chunks leave the table empty for a moment.
    if matches!(when, When::Now { migrates: false }) {
        return;
    }
    for key in table.referenced_by() {
        let other = table.facts.id_of(key.schema, key.table).path();
        let by = table.constraint_name(key);
        found.push(Obstacle {
            rule: &RULE,
            place: key.place,
            object: Some(format!("constraint {} on {other}", quoted(&by))),
            message: format!("{other} refers to {}, whose rows cannot move into chunks meanwhile", table.id.path()),
            server: Some(moved(
                &table.id.name,
                &table.facts.id_of(key.schema, key.table).name,
            )),
            advice: format!(
                "Drop the foreign key {} before. Afterwards it can only refer to a key that holds the time column.",
                quoted(&by)
            ),
            severity: Severity::Error,
            decision: true,
        });
    }
}
