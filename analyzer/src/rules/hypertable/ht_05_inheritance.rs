//! HT-05: inheritance and hypertables.

use super::ht_03_partitioned::partitions;
use super::ht_04_partition::partition_of;
use super::links::LIMITS;
use super::obstacle::INHERITS;
use super::obstacle::{NewHypertable, Obstacle};
use super::statements::{commands, hypertable};
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-05",
    name: "hypertable-inheritance",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("ht.inheritance", "Inheritance."),
    also_answers: &["DATA-06"],
    statements: &[StatementKind::AlterTableStmt, StatementKind::CreateStmt],
    doc: Doc {
        summary: "Inheritance and hypertables.",
        what: "create_hypertable on a table that inherits or that others inherit from; INHERITS of and INHERIT \
               for a hypertable; and (as a note) tables partitioned by inheritance that could be hypertables.",
        why: "Chunks inherit from their hypertable: nothing else may. TimescaleDB 2.19 takes a child table of \
               a hypertable, and takes it for a chunk later (chunk not found).",
        server: &[
            "0A000 table \"e\" is already partitioned (DETAIL: It is not possible to turn tables that use \
               inheritance into hypertables.)",
            "0A000 hypertables do not support inheritance",
            "0A000 cannot inherit from hypertable \"g\"",
        ],
        help: "Put the rows of all child tables into one table and make that the hypertable. The script \
               convert-to-hypertables.sql does so for tables partitioned by ranges of time.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nALTER TABLE public.m INHERIT public.base;",
        after: "",
        sources: Doc::sources(&[
            "TimescaleDB src/process_utility.c, process_create_stmt and process_altertable_start",
            "seen on 2.19.3 and 2.31.0",
        ]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    if ctx.facts.converted.is_empty() {
        return;
    }
    match node {
        NodeEnum::AlterTableStmt(s) => altered(ctx, s),
        NodeEnum::CreateStmt(s) if s.partbound.is_none() => {
            for parent in &s.inh_relations {
                let Some(NodeEnum::RangeVar(parent)) = &parent.node else { continue };
                let Some((id, _)) = hypertable(ctx, Some(parent)) else { continue };
                let draft =
                    Draft::new(format!("{} is a hypertable: no other table may inherit from it", id.path()))
                        .object(format!("table {}", id.path()))
                        .server(ServerError::new("0A000", "hypertables do not support inheritance"))
                        .advice("Make it a table of its own: CREATE TABLE … (LIKE … INCLUDING ALL).");
                ctx.report(draft);
            }
        }
        _ => {}
    }
}

fn altered(ctx: &mut Context<'_>, s: &pg::AlterTableStmt) {
    for (_, command) in commands(s) {
        if command.subtype != pg::AlterTableType::AtAddInherit as i32 {
            continue;
        }
        let Some(NodeEnum::RangeVar(parent)) = command.def.as_ref().and_then(|def| def.node.as_ref()) else {
            continue;
        };
        let draft = if let Some((id, _)) = hypertable(ctx, s.relation.as_ref()) {
            Draft::new(format!("{} is a hypertable and cannot inherit", id.path()))
                .object(format!("table {}", id.path()))
                .server(ServerError::new("0A000", "hypertables do not support inheritance"))
        } else if let Some((id, _)) = hypertable(ctx, Some(parent)) {
            Draft::new(format!("{} is a hypertable: no other table may inherit from it", id.path()))
                .object(format!("table {}", id.path()))
                .server(ServerError::new("0A000", format!("cannot inherit from hypertable \"{}\"", id.name)))
        } else {
            continue;
        };
        ctx.report(draft);
    }
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    if partitions(new).is_some() || partition_of(new).is_some() {
        return;
    }
    let (message, advice) = if let Some(parent) = new.table.relation.parents.first() {
        (
            format!("{} inherits from {}", new.path(), parent.path()),
            format!(
                "Take the inheritance away first: ALTER TABLE {} NO INHERIT {};",
                new.path(),
                parent.path()
            ),
        )
    } else if new.tables.has_children(new.table.id) {
        let script = if new.table.facts.partitioned.contains_key(new.table.id) {
            " The script convert-to-hypertables.sql does so after the restore."
        } else {
            ""
        };
        (
            format!("other tables inherit from {}", new.path()),
            format!(
                "Put the rows of the child tables into one table that nothing inherits from: that one becomes a \
                 hypertable.{script}"
            ),
        )
    } else {
        return;
    };
    found.push(new.already_partitioned(&RULE, message, ("0A000", INHERITS), advice));
}
