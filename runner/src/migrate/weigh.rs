//! How much there is to do, what it takes on both servers, and how long: for the plan.

use std::collections::HashMap;

use super::schema::{self, Scripts};
use super::servers::Servers;
use super::{Check, Context, copy_plan};
use crate::capacity::Connections;
use crate::connect::Session;
use crate::error::Error;
use crate::estimate::{self, Estimate, Work};
use crate::filter::Filter;
use crate::names::Relation;
use crate::plan::{self, Basis, Plan};
use crate::tables;
use crate::volume::{self, Volume};

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
    (of_source, of_target): (Connections, Connections),
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
        let rates = estimate::measure(source, target, &volume).await?;
        Some(estimate::estimate(&volume, rates, work(context)))
    } else {
        None
    };
    Ok(Weight { volume, source: of_source, target: of_target, estimate })
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

impl Weight {
    /// Tables, and tables with their indexes.
    pub(super) fn lockable(&self) -> (u64, u64) {
        let tables = self.volume.relations.len() as u64;
        (tables, tables + self.volume.indexes)
    }

    /// Things that files of the run speak of: tables, their parts, indexes.
    pub(super) fn things(&self) -> u64 {
        self.lockable().1 + self.volume.tables.iter().map(|table| table.parts).sum::<u64>()
    }
}

/// The plan of what was weighed and analysed.
pub(super) fn plan(context: &Context, servers: &Servers, scripts: &Scripts) -> Plan {
    let (args, weight) = (&context.args, &servers.weight);
    plan::plan(&Basis {
        source: &servers.source,
        target: &servers.target,
        dumped_by: &servers.tools.version,
        counts: schema::counts(scripts),
        jobs: &servers.jobs,
        volume: Some(&weight.volume),
        connections: Some((weight.source, weight.target)),
        estimate: weight.estimate.as_ref(),
        copies: context.jobs(),
        builds: context.builders(),
        check: match args.verify {
            Check::Full => Some("checksums"),
            Check::Sample => Some("checksums of a sample"),
            Check::Counts => Some("numbers"),
            Check::None => None,
        },
    })
}
