//! How much there is to do, what it takes on both servers, and how long: for the plan.

use std::collections::HashMap;

use super::schema::{self, Scripts};
use super::steps::{self, Ends};
use super::{Args, Check, Context};
use crate::connect::Session;
use crate::engine::table;
use crate::error::Error;
use crate::estimate::{self, Estimate, Work};
use crate::filter::Filter;
use crate::names::Relation;
use crate::plan::{self, Basis, Plan};
use crate::volume::{self, Connections, Volume};

/// What was weighed.
pub(super) struct Weight {
    volume: Volume,
    source: Connections,
    target: Connections,
    /// Only where the plan is all that is wanted: measuring takes two seconds.
    estimate: Option<Estimate>,
}

/// Weighs what the source holds.
pub(super) async fn weigh(
    context: &Context,
    filter: &Filter,
    source: &Session,
    target: &Session,
) -> Result<Weight, Error> {
    let args = &context.args;
    let mut volume = volume::read(source).await?;
    let mut tables = table::list(source).await?.tables;
    tables.retain(|table| filter.keeps_rows(&table.relation));
    let chosen: HashMap<Relation, (u64, &'static str)> = steps::parts(context, &tables)
        .into_iter()
        .map(|(table, parts)| (table.relation.clone(), (parts.len() as u64, table.format.name())))
        .collect();
    volume.choose(|table| chosen.get(table).copied());
    let (of_source, of_target) = tokio::try_join!(volume::connections(source), volume::connections(target))?;
    let estimate = if args.dry_run {
        let rates = estimate::measure(source, target, &volume).await?;
        Some(estimate::estimate(&volume, rates, work(args)))
    } else {
        None
    };
    Ok(Weight { volume, source: of_source, target: of_target, estimate })
}

fn work(args: &Args) -> Work {
    Work {
        jobs: args.jobs.into(),
        builders: args.builders() as u64,
        max_rate: args.max_rate.map(|rate| rate.as_u64()),
        verify: matches!(args.verify, Check::Full),
    }
}

/// The plan of what was weighed and analysed.
pub(super) fn plan(context: &Context, ends: &Ends, scripts: &Scripts) -> Plan {
    let (args, weight) = (&context.args, &ends.weight);
    plan::plan(&Basis {
        source: &ends.source,
        target: &ends.target,
        dumped_by: &ends.tools.version,
        counts: schema::counts(scripts),
        jobs: &ends.jobs,
        volume: Some(&weight.volume),
        connections: Some((weight.source, weight.target)),
        estimate: weight.estimate.as_ref(),
        copies: args.jobs.into(),
        builds: args.builders() as u64,
        check: match args.verify {
            Check::Full => Some("checksums"),
            Check::Sample => Some("checksums of a sample"),
            Check::Counts => Some("numbers"),
            Check::None => None,
        },
    })
}
