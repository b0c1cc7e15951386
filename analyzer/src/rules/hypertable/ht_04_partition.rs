//! HT-04: a partition that is to be a hypertable, or a hypertable that is to be a partition.

use super::ht_03_partitioned::partitions;
use super::links::LIMITS;
use super::obstacle::INHERITS;
use super::obstacle::{NewHypertable, Obstacle};
use super::statements::{commands, hypertable};
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-04",
    name: "hypertable-partition",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("ht.partition", "Partitions."),
    statements: &[StatementKind::AlterTableStmt, StatementKind::CreateStmt],
    doc: Doc {
        summary: "A partition that is to be a hypertable, or a hypertable that is to be a partition.",
        what: "create_hypertable on a partition, ATTACH PARTITION of a hypertable, CREATE TABLE … PARTITION OF \
               a hypertable.",
        why: "Partitions and chunks are two ways to the same end, and do not mix.",
        server: &[
            "0A000 table \"d1\" is already partitioned (DETAIL: It is not possible to turn tables that use \
               inheritance into hypertables.)",
            "0A000 hypertables do not support native postgres partitioning",
            "0A000 hypertables do not support inheritance",
            "42P17 \"g\" is not partitioned (TimescaleDB up to 2.19)",
        ],
        help: "Make the partitioned table a hypertable, not its partitions: see HT-03.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nCREATE TABLE public.p (ts timestamp with time zone NOT \
               NULL, id bigint NOT NULL) PARTITION BY RANGE (ts);\nALTER TABLE public.p ATTACH PARTITION \
               public.m DEFAULT;",
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
        NodeEnum::AlterTableStmt(s) => {
            for (_, command) in commands(s) {
                let Some(NodeEnum::PartitionCmd(partition)) =
                    command.def.as_ref().and_then(|def| def.node.as_ref())
                else {
                    continue;
                };
                let Some((id, _)) = hypertable(ctx, partition.name.as_ref()) else { continue };
                let draft = Draft::new(format!("{} is a hypertable and cannot be a partition", id.path()))
                    .object(format!("table {}", id.path()))
                    .server(ServerError::new(
                        "0A000",
                        "hypertables do not support native postgres partitioning",
                    ));
                ctx.report(draft);
            }
        }
        NodeEnum::CreateStmt(s) if s.partbound.is_some() => {
            for parent in &s.inh_relations {
                let Some(NodeEnum::RangeVar(parent)) = &parent.node else { continue };
                let Some((id, _)) = hypertable(ctx, Some(parent)) else { continue };
                let server = if ctx.target.version >= 18 {
                    ServerError::new("0A000", "hypertables do not support inheritance")
                } else {
                    ServerError::new("42P17", format!("\"{}\" is not partitioned", id.name))
                };
                let draft = Draft::new(format!("{} is a hypertable and has no partitions", id.path()))
                    .object(format!("table {}", id.path()))
                    .server(server)
                    .advice("Leave the partition out: chunks are created as rows come.");
                ctx.report(draft);
            }
        }
        _ => {}
    }
}

/// The table that the new hypertable is a partition of.
pub(crate) fn partition_of<'a>(new: &NewHypertable<'a>) -> Option<&'a ObjectId> {
    let parent = new.table.relation.parents.first()?;
    (partitions(new).is_none() && new.table.facts.partitioned.contains_key(parent)).then_some(parent)
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let Some(parent) = partition_of(new) else { return };
    found.push(new.already_partitioned(
        &RULE,
        format!("{} is a partition of {}", new.path(), parent.path()),
        ("0A000", INHERITS),
        format!("Make {} a hypertable, not its partition.", parent.path()),
    ));
}
