//! HT-17: row-level security and the columnstore of a hypertable.

use super::links::LIMITS;
use super::obstacle::When;
use super::obstacle::{NewHypertable, Obstacle};
use super::statements::{commands, hypertable};
use crate::edit::Safety;
use crate::facts::hypertables::sets_columnstore;
use crate::facts::tables::Attachment;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-17",
    name: "columnstore-row-security",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("ht.columnstore-rls", "Row security and the columnstore."),
    statements: &[StatementKind::AlterTableStmt],
    doc: Doc {
        summary: "Row-level security and the columnstore of a hypertable.",
        what: "ALTER TABLE … SET (timescaledb.enable_columnstore) on a hypertable with row-level security, \
               ENABLE ROW LEVEL SECURITY on one with a columnstore, and (as a note) row-level security of \
               tables that could be hypertables.",
        why: "Policies look at rows, and the columnstore keeps many rows in one.",
        server: &[
            "0A000 columnstore cannot be used on table with row security",
            "0A000 compression cannot be used on table with row security (TimescaleDB up to 2.19)",
            "0A000 operation not supported on hypertables that have columnstore enabled",
        ],
        help: "Choose one of the two. A view with its own privileges may do what the policies do.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nALTER TABLE public.m ENABLE ROW LEVEL SECURITY;\nALTER \
               TABLE public.m SET (timescaledb.enable_columnstore = true);",
        after: "",
        sources: Doc::sources(&[
            "TimescaleDB tsl/src/compression/create.c; src/process_utility.c",
            "seen on 2.19.3 and 2.29.2",
        ]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

/// What the server answers.
pub(crate) fn answer() -> ServerError {
    ServerError::new("0A000", "columnstore cannot be used on table with row security")
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, NodeEnum::AlterTableStmt(s))) = ctx.node() else { return };
    let Some((id, hypertable)) = hypertable(ctx, s.relation.as_ref()) else { return };
    let is_secured = ctx.facts.symbols_of(&id).is_some_and(|table| {
        let mut attached = ctx.facts.attached.iter();
        attached.any(|one| one.what == Attachment::RowSecurity && (one.schema, one.table) == table)
    });
    for (_, command) in commands(s) {
        let server = if sets_columnstore(command) && is_secured {
            answer()
        } else if command.subtype == pg::AlterTableType::AtEnableRowSecurity as i32 && hypertable.columnstore
        {
            ServerError::new("0A000", "operation not supported on hypertables that have columnstore enabled")
        } else {
            continue;
        };
        let draft = Draft::new(format!("{} cannot have row-level security and a columnstore", id.path()))
            .object(format!("table {}", id.path()))
            .server(server);
        ctx.report(draft);
    }
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let (table, when) = (&new.table, new.when);
    if matches!(when, When::Now { .. }) {
        return;
    }
    if let Some(security) = table.attached(Attachment::RowSecurity).next() {
        found.push(Obstacle {
            rule: &RULE,
            place: security.place,
            object: Some(format!("table {}", table.id.path())),
            message: format!("{} has row-level security: its columnstore cannot be used", table.id.path()),
            server: Some(answer()),
            advice: "A hypertable it can be. Whether policies or compression matter more is for you to say; views \
                     with privileges may do what the policies do."
                .into(),
            severity: Severity::Note,
            decision: false,
        });
    }
}
