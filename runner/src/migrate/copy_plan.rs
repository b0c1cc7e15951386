//! What is copied: tables with their ranges, settled when a run begins, and what of it is done.

use std::collections::BTreeSet;

use super::brought::Brought;
use super::scripts::Scripts;
use super::servers::Servers;
use super::snapshot::Snapshot;
use super::stages::access;
use super::{Context, beside, mended, others, possession};
use crate::engine::marks::Marks;
use crate::error::Error;
use crate::journal::Event;
use crate::names::Relation;
use crate::step::Step;
use crate::tables::Table;
use crate::tables::range::{self, CopyRange, Split};
use crate::workdir::SavedPlan;

/// A table with the ranges that it is copied in.
pub(super) type TableRanges = (Table, Vec<CopyRange>);

/// What is to be copied by a run that may write to the target.
pub(super) struct CopyPlan {
    /// What is done.
    pub(super) marks: Marks,
    pub(super) tables: Vec<TableRanges>,
}

/// Settles what is copied, and takes possession of the target.
pub(super) async fn begin(
    context: &Context,
    servers: &Servers,
    snapshot: &Snapshot,
    scripts: &Scripts,
) -> Result<CopyPlan, Error> {
    let saved_plan = SavedPlan {
        format: crate::record::FORMAT,
        run: context.run.clone(),
        target: servers.target.clone(),
        tables: ranges(context, &snapshot.listing.tables),
        allow_violations: servers.violations_given.clone(),
        schema: mended::saved(
            scripts,
            others::known(&*snapshot.holder.turn().await?, context.moving().as_deref()).await?,
        ),
        others: beside::before(context, scripts, &brought(context, servers, scripts).await?).await?,
    };
    context.work.save_plan(&saved_plan)?;
    context.journal(Event::Snapshot { state: snapshot.state.clone(), schema: scripts.hash.clone() })?;
    let marks = possession::take_possession(context).await?;
    Ok(CopyPlan { marks, tables: saved_plan.tables })
}

/// What the source brings to a target that has others, or gets them.
pub(super) async fn brought(
    context: &Context,
    servers: &Servers,
    scripts: &Scripts,
) -> Result<Brought, Error> {
    let mut brought = Brought::of(scripts, &servers.target.user);
    let versions = servers.source.extensions.iter();
    brought.versions = versions.map(|(name, extension)| (name.clone(), extension.version.clone())).collect();
    let has_others = context.tuning.beside || context.args.one_of_several;
    if has_others && access::with_large_objects(context) {
        let source = context.source.open().await?;
        let numbers = source.ask("SELECT oid FROM pg_catalog.pg_largeobject_metadata").await?;
        brought.large_objects = numbers.iter().map(|row| row.number(0)).collect::<Result<_, _>>()?;
    }
    Ok(brought)
}

/// Divides tables into ranges.
pub(super) fn ranges(context: &Context, tables: &[Table]) -> Vec<TableRanges> {
    let split = match context.args.split_larger_than {
        Some(size) => Split { above: size.as_u64(), into: size.as_u64() },
        None => Split::balanced(tables.iter().map(|table| table.bytes), context.jobs()),
    };
    tables.iter().map(|table| (table.clone(), range::ranges(table, split))).collect()
}

/// The steps that copy `tables`.
pub(super) fn steps(tables: &[TableRanges]) -> Vec<Step> {
    tables.iter().flat_map(|(table, ranges)| ranges.iter().map(|range| range.step(table))).collect()
}

/// The same by table.
pub(super) fn by_table(tables: &[TableRanges]) -> Vec<(Relation, Vec<Step>)> {
    let steps = |(table, ranges): &TableRanges| {
        (table.relation.clone(), ranges.iter().map(|range| range.step(table)).collect())
    };
    tables.iter().map(steps).collect()
}

/// The relations of `tables`.
pub(super) fn relations(tables: &[TableRanges]) -> BTreeSet<Relation> {
    tables.iter().map(|(table, _)| table.relation.clone()).collect()
}
