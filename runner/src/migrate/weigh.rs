//! How much there is to do, what it takes on both servers, and how long: for the plan.

use std::collections::HashMap;

use super::limits::Reach;
use super::servers::Weight;
use super::{Check, Context, copy_plan};
use crate::connect::Session;
use crate::error::Error;
use crate::estimate::{self, Work};
use crate::filter::Filter;
use crate::names::Relation;
use crate::tables;
use crate::volume;

/// Weighs what the source holds.
pub(super) async fn weigh(
    context: &Context,
    filter: &Filter,
    source: &Session,
    target: &Session,
    reach: Reach,
) -> Result<Weight, Error> {
    let args = &context.args;
    let mut volume = volume::read(source).await?;
    let mut tables = tables::list(source, None).await?.tables;
    tables.retain(|table| filter.keeps_rows(&table.relation));
    let chosen: HashMap<Relation, (u64, &'static str)> = copy_plan::ranges(context, &tables)
        .into_iter()
        .map(|(table, parts)| (table.relation.clone(), (parts.len() as u64, table.format.name())))
        .collect();
    volume.choose(|table| chosen.get(table).copied());
    let estimate = if args.dry_run {
        let mut rates = estimate::measure(source, target, &volume).await?;
        rates.round_trip = Some((reach.round_trip.as_secs_f64() * 10_000.0).round() / 10.0);
        Some(estimate::estimate(&volume, rates, work(context)))
    } else {
        None
    };
    Ok(Weight { volume, source: reach.source, target: reach.target, estimate })
}

fn work(context: &Context) -> Work {
    let args = &context.args;
    Work {
        jobs: context.jobs(),
        builders: context.builders(),
        max_rate: args.max_rate.map(|rate| rate.as_u64()),
        verify: matches!(args.verify, Check::Full),
    }
}
