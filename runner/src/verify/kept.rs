//! Owners that were not handed over, and may not be.

use super::options::Expect;
use crate::timescale::is_own;

/// Why something of TimescaleDB's is still the administrator's: a migration says where it was refused, and a dump that is
/// restored by hand leaves it there.
pub(super) fn reason(
    owner: &str,
    found: &str,
    (kind, identity): (&str, &str),
    expect: &Expect<'_>,
) -> Option<&'static str> {
    if found != expect.target.user {
        return None;
    }
    let migrated = expect.kept;
    if kind == "job" {
        let id = identity.split(' ').next().and_then(|id| id.parse().ok());
        let stays = migrated.is_none_or(|kept| id.is_some_and(|id: i64| kept.jobs.contains(&id)));
        return stays.then_some("the service may refuse jobs of others than its administrator");
    }
    let hypertable = expect.source.timescale.as_ref().is_some_and(|timescale| {
        let mut all = timescale.tables().chain(&timescale.aggregates);
        all.any(|hypertable| hypertable.to_string() == identity)
    });
    let stays = migrated.is_none_or(|kept| kept.owners.contains(owner));
    let why = if migrated.is_some() {
        "the target refused to hand over its chunks"
    } else {
        "a dump that is restored by hand leaves hypertables and their chunks with the administrator"
    };
    (stays && (hypertable || is_own(identity))).then_some(why)
}
