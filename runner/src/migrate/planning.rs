//! The plan of a migration.

use super::schema;
use super::scripts::Scripts;
use super::servers::Servers;
use super::{Check, Context};
use crate::plan::{self, Basis, Plan};

/// The plan of what was weighed and analysed.
pub(super) fn plan(context: &Context, servers: &Servers, scripts: &Scripts) -> Plan {
    let (args, weight) = (&context.args, &servers.weight);
    plan::plan(&Basis {
        source: &servers.source,
        target: &servers.target,
        dumped_by: &servers.tools.version,
        counts: schema::counts(scripts),
        jobs: &servers.jobs,
        pause_jobs: !args.no_pause_jobs,
        start_jobs: args.start_jobs,
        update_timescaledb: args.update_timescaledb,
        volume: Some(&weight.volume),
        connections: Some((weight.source, weight.target)),
        estimate: weight.estimate.as_ref(),
        copies: context.jobs(),
        small: context.small(),
        builds: context.builders(),
        check: match args.verify {
            Check::Full => Some("checksums"),
            Check::Sample => Some("checksums of a sample"),
            Check::Counts => Some("numbers"),
            Check::None => None,
        },
    })
}
