//! Whether a live target takes what a live source has: what `tsmigrate migrate` looks for before it writes.

use tsmigrate::capacity::{self, LEAST_TARGET};
use tsmigrate::connect::{Connector, Session, Side};
use tsmigrate::error::{Blocker, Error};
use tsmigrate::filter::Filter;
use tsmigrate::inspect::Facts;
use tsmigrate::{clashes, live, plan};
use tsmigrate_analyzer::server::Hazard;

/// Tables of users, and those with their indexes.
const LOCKABLE: &str = "
SELECT pg_catalog.count(*) FILTER (WHERE c.relkind IN ('r', 'm')), pg_catalog.count(*) FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm', 'i') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// What of the target a migration stops at.
pub(super) async fn look(
    source: &Session,
    of_source: &Facts,
    (target, of_target): (&Connector, &Facts),
) -> Result<Vec<Hazard>, Error> {
    let session = live::open(target).await?;
    let mut blockers = plan::of_target(of_source, of_target);
    blockers.extend(clashes::find(source, &session, of_source, of_target, &Filter::default()).await?);
    blockers.extend(clashes::roles(&session, of_source, of_target).await?);
    let connections = capacity::connections(&session).await?;
    blockers.extend(connections.too_few(target.endpoint(), Side::Target, (LEAST_TARGET, LEAST_TARGET)));
    let row = source.ask_row(LOCKABLE).await?;
    let locks = capacity::locks(&session).await?;
    blockers.extend(locks.too_few(Side::Target, (row.number(0)?, row.number(1)?), true));
    let hazard = |Blocker { what, next, .. }: Blocker| Hazard { what, next };
    Ok(blockers.into_iter().map(hazard).collect())
}
