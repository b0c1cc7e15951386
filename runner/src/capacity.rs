//! What a server still takes: sessions and locks; how far it is; and how much of that a run needs.

use std::time::{Duration, Instant};

use serde::Serialize;

use crate::connect::{Endpoint, Session, Side};
use crate::error::{Blocker, Error};
use crate::human::{self, count};
use crate::quote::quoted;

/// Copies and builds at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Workers {
    /// Copies.
    pub jobs: u64,
    /// Copies of small tables: at least as many.
    pub small: u64,
    /// Builds of indexes and keys.
    pub builders: u64,
}

/// Sessions on the source at the least: that of the snapshot, three dumps of roles and schema at once, and one that
/// looks who waits for whom.
pub const LEAST_SOURCE: u64 = 5;
/// Sessions on the target at the least: a copy, a build, one for what is not parallel, one that looks after them,
/// and one that looks who waits for whom.
pub const LEAST_TARGET: u64 = 5;

/// Copies at once where nobody says how many, and the servers are near: more of them wait for the same processors.
const NEAR: u64 = 4;

/// Copies at once at the most where nobody says how many.
const FAR: u64 = 12;

/// A round trip as long as this is worth one more copy: a session waits for as long as two of its small tables take.
const STEP: Duration = Duration::from_millis(5);

/// Each copy beyond [`NEAR`] has at least so many bytes of the source's database to itself.
const SHARE: u64 = 16 << 20;

/// Builds at once where nobody says how many: they work on the target, however far that is.
const BUILDERS: u64 = 4;

/// What a round trip is worth, in copies.
fn steps(round_trip: Duration) -> u64 {
    u64::try_from(round_trip.as_micros() / STEP.as_micros()).unwrap_or(FAR).min(FAR)
}

/// Copies at once that are worth their while over such a distance.
fn worth(round_trip: Duration) -> u64 {
    (NEAR + steps(round_trip)).min(FAR)
}

/// Copies at once for which there is something to copy.
fn of_size(bytes: u64) -> u64 {
    (bytes / SHARE).max(NEAR)
}

impl Workers {
    /// As many as were asked for: copies, and builds, of which there are as many where only copies were named.
    #[must_use]
    pub fn asked(self, jobs: Option<u16>, builders: Option<u16>) -> Self {
        let copies = jobs.map_or(self.jobs, u64::from);
        let builders = builders.or(jobs).map_or(self.builders, u64::from);
        Self { jobs: copies, small: copies, builders }
    }

    /// As many as are worth their while, for servers so far away and a database of so many bytes; `left` are sessions that
    /// both servers can still take, of which at most a half is taken for the sake of the distance.
    #[must_use]
    pub fn by_distance(round_trip: Duration, bytes: u64, left: u64) -> Self {
        let jobs = worth(round_trip).min(of_size(bytes));
        Self { jobs: NEAR, small: NEAR, builders: BUILDERS }.with_small(jobs, left).with_jobs()
    }

    /// Why [`Self::by_distance`] has chosen so many, where `side` is the farther server.
    #[must_use]
    pub fn reason(self, side: Side, round_trip: Duration, bytes: u64, left: u64) -> String {
        let milliseconds = round_trip.as_secs_f64() * 1000.0;
        let shown =
            if milliseconds < 9.95 { format!("{milliseconds:.1}") } else { format!("{milliseconds:.0}") };
        let worth = worth(round_trip);
        let but = if self.jobs >= worth {
            String::new()
        } else if self.jobs >= of_size(bytes) {
            format!(", which is worth {worth}, but only {} are to be copied", human::bytes(bytes))
        } else {
            format!(", which is worth {worth}, but at most half of {} are taken", count(left, "free session"))
        };
        let tables = count(self.jobs, "table");
        let side = side.name();
        format!(
            "{tables} at once: a round trip to the {side} takes {shown} ms{but} (--jobs N for another number)"
        )
    }

    /// As many copies of small tables as that, or as half of the sessions that are left allow.
    fn with_small(mut self, wanted: u64, left: u64) -> Self {
        let more = |workers: Self| Self { small: workers.small + 1, ..workers };
        while self.small < wanted && more(self).on_target() <= left / 2 {
            self = more(self);
        }
        self
    }

    fn with_jobs(self) -> Self {
        Self { jobs: self.small, ..self }
    }

    /// The same with more copies of small tables where servers are far away, and sessions mostly wait. Near by there are
    /// no more than of others.
    #[must_use]
    pub fn over_distance(self, round_trip: Duration, left: u64) -> Self {
        let wanted = (self.jobs * (NEAR + steps(round_trip)) / NEAR).min(FAR.max(self.jobs));
        Self { small: self.jobs, ..self }.with_small(wanted, left)
    }

    /// Sessions on the source: one for each copy, that of the snapshot, one that asks, and one that looks who waits for whom.
    #[must_use]
    pub fn on_source(self) -> u64 {
        (self.small.max(self.jobs) + 3).max(LEAST_SOURCE)
    }

    /// Sessions on the target: one for each copy and each build, one for what is not parallel, one that asks, and one that
    /// looks who waits for whom.
    #[must_use]
    pub fn on_target(self) -> u64 {
        (self.small.max(self.jobs) + self.builders + 3).max(LEAST_TARGET)
    }

    /// As many of these as fit into so many sessions on the source and on the target; none where not even one of each
    /// does.
    #[must_use]
    pub fn fitted(mut self, source: u64, target: u64) -> Option<Self> {
        while self.on_source() > source || self.on_target() > target {
            let of_source = self.on_source() > source;
            if self.small > self.jobs {
                self.small -= 1;
            } else if self.builders > 1 && !of_source && self.builders >= self.jobs {
                self.builders -= 1;
            } else if self.jobs > 1 {
                self.jobs -= 1;
                self.small = self.jobs;
            } else if self.builders > 1 && !of_source {
                self.builders -= 1;
            } else {
                return None;
            }
        }
        Some(self)
    }
}

/// What allows no more sessions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Narrowest {
    /// `max_connections`.
    #[default]
    Server,
    /// The role's `CONNECTION LIMIT`.
    Role,
    /// The database's.
    Database,
}

/// Sessions that a server takes, and has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Connections {
    /// `max_connections`, those kept for superusers left out.
    pub most: u64,
    /// Sessions that there are, of all databases; ours left out.
    pub used: u64,
    /// How many our user may open in this database.
    pub left: u64,
    /// What allows no more.
    #[serde(skip)]
    pub narrowest: Narrowest,
}

/// What a migration says of a server that takes too few sessions.
#[must_use]
pub const fn of_sessions(side: Side) -> &'static str {
    match side {
        Side::Source => "source-sessions",
        Side::Target => "target-sessions",
    }
}

impl Connections {
    /// What allows no more of them, of the user and the database of this end.
    #[must_use]
    pub fn reason(self, end: &Endpoint) -> String {
        match self.narrowest {
            Narrowest::Server => "max_connections".to_owned(),
            Narrowest::Role => format!("CONNECTION LIMIT of role {}", quoted(end.user())),
            Narrowest::Database => format!("CONNECTION LIMIT of database {}", quoted(end.database())),
        }
    }

    /// Says so where there are fewer than the `least` that a migration needs, and how to get those that are `wanted`.
    #[must_use]
    pub fn too_few(self, end: &Endpoint, side: Side, (least, wanted): (u64, u64)) -> Option<Blocker> {
        if self.left >= least {
            return None;
        }
        let (user, database, limit) = (quoted(end.user()), quoted(end.database()), wanted + 2);
        Some(Blocker {
            check: of_sessions(side),
            what: format!(
                "the {} accepts {} of {user}, and a migration needs {least} at the least ({})",
                side.name(),
                count(self.left, "session"),
                self.reason(end)
            ),
            next: vec![match self.narrowest {
                Narrowest::Server => {
                    format!("close others ({} are open), or raise max_connections", self.used)
                }
                Narrowest::Role => {
                    format!("raise it there, such as: ALTER ROLE {user} CONNECTION LIMIT {limit}")
                }
                Narrowest::Database => {
                    format!("raise it there, such as: ALTER DATABASE {database} CONNECTION LIMIT {limit}")
                }
            }],
        })
    }
}

/// Limits of roles and databases do not count for superusers (postinit.c, miscinit.c).
const CONNECTIONS: &str = "
WITH others AS (
  SELECT a.usename, a.datname FROM pg_catalog.pg_stat_activity a
  WHERE a.usename IS NOT NULL AND coalesce(a.backend_type, 'client backend') = 'client backend'
    AND NOT (a.usename = current_user AND coalesce(a.application_name = current_setting('application_name'), false))
)
SELECT current_setting('max_connections'), current_setting('superuser_reserved_connections'),
       coalesce(current_setting('reserved_connections', true), '0'),
       (SELECT pg_catalog.count(*) FROM others),
       CASE WHEN r.rolsuper THEN -1 ELSE r.rolconnlimit END,
       (SELECT pg_catalog.count(*) FROM others WHERE usename = current_user),
       CASE WHEN r.rolsuper THEN -1 ELSE d.datconnlimit END,
       (SELECT pg_catalog.count(*) FROM others WHERE datname = current_database())
FROM pg_catalog.pg_roles r, pg_catalog.pg_database d
WHERE r.rolname = current_user AND d.datname = current_database()";

/// Reads how many sessions the session's server takes from its user.
///
/// # Errors
/// When the server refuses the question.
pub async fn connections(session: &Session) -> Result<Connections, Error> {
    let row = session.ask_row(CONNECTIONS).await?;
    let mut numbers = [0; 8];
    for (column, number) in numbers.iter_mut().enumerate() {
        *number = row.number(column)?;
    }
    Ok(free(numbers))
}

/// From the columns of [`CONNECTIONS`].
fn free(
    [most, of_superusers, reserved, used, role, of_role, database, of_database]: [i64; 8],
) -> Connections {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    // A limit of -1 is none.
    let limit = |number: i64| u64::try_from(number).ok();
    let most = count(most).saturating_sub(count(of_superusers)).saturating_sub(count(reserved));
    let mut free = Connections {
        most,
        used: count(used),
        left: most.saturating_sub(count(used)),
        narrowest: Narrowest::Server,
    };
    let limits = [
        (limit(role), count(of_role), Narrowest::Role),
        (limit(database), count(of_database), Narrowest::Database),
    ];
    for (limit, used, whose) in limits {
        let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(used));
        if left < free.left {
            (free.left, free.narrowest) = (left, whose);
        }
    }
    free
}

/// So often a server is asked how far it is.
const PINGS: usize = 5;

/// How long an empty question takes to the session's server and back: the shortest of a few.
///
/// # Errors
/// When the session is lost.
pub async fn round_trip(session: &Session) -> Result<Duration, Error> {
    let mut shortest = Duration::MAX;
    for _ in 0..PINGS {
        let start = Instant::now();
        session.run("").await?;
        shortest = shortest.min(start.elapsed());
    }
    Ok(shortest)
}

/// The table of locks that all sessions of a server share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// `max_locks_per_transaction`.
    pub per_transaction: u64,
    /// What it is multiplied with.
    pub transactions: u64,
    /// Objects that are locked now.
    pub used: u64,
}

/// The table's size is `max_locks_per_transaction` for each backend that there can be and for each prepared transaction
/// (lock.c, `NLOCKENTS`). Locks on the fast path are not in it.
const LOCKS: &str = "
SELECT current_setting('max_locks_per_transaction'),
       (SELECT pg_catalog.sum(setting::bigint) FROM pg_catalog.pg_settings
        WHERE name IN ('max_connections', 'max_prepared_transactions', 'max_worker_processes', 'max_wal_senders',
                       'autovacuum_worker_slots')
           OR name = 'autovacuum_max_workers' AND current_setting('autovacuum_worker_slots', true) IS NULL),
       (SELECT pg_catalog.count(*) FROM (SELECT DISTINCT locktype, database, relation, page, tuple, virtualxid,
          transactionid::text, classid, objid, objsubid FROM pg_catalog.pg_locks WHERE NOT fastpath) l)";

/// Reads how many locks the session's server takes.
///
/// # Errors
/// When the server refuses the question.
pub async fn locks(session: &Session) -> Result<Locks, Error> {
    let row = session.ask_row(LOCKS).await?;
    Ok(Locks { per_transaction: row.number(0)?, transactions: row.number(1)?, used: row.number(2)? })
}

/// Relations that the statements of one step create or change at once, each with its TOAST table and that one's index.
const OF_A_STEP: u64 = 600;

impl Locks {
    /// Says so where there is no room for the locks of `tables`, which are `all` with their indexes: those of the snapshot and of
    /// `pg_dump`, and of the transactions that compare, which have each table and all of its indexes locked at their end.
    #[must_use]
    pub fn too_few(self, side: Side, (tables, all): (u64, u64), compares: bool) -> Option<Blocker> {
        let at_end = if compares { all } else { tables };
        let needed = match side {
            Side::Source => at_end,
            Side::Target => at_end.max(OF_A_STEP.min(3 * tables)),
        };
        if needed <= self.left() {
            return None;
        }
        let (name, wanted) = (side.name(), self.wanted(needed));
        let how = match side {
            Side::Source => {
                format!(": psql -X \"$SOURCE\" -c 'ALTER SYSTEM SET max_locks_per_transaction = {wanted}'")
            }
            Side::Target => ": in the service's settings".to_owned(),
        };
        let mut next = vec![format!(
            "raise max_locks_per_transaction of the {name} to {wanted} (it is {}), and restart it{how}",
            self.per_transaction
        )];
        if needed == at_end && tables <= self.left() && at_end > tables {
            next.push("or compare nothing at the end, which locks indexes too: --verify none".into());
        }
        Some(Blocker {
            check: match side {
                Side::Source => "source-locks",
                Side::Target => "target-locks",
            },
            what: format!(
                "the {name} has room for {} more locks, and {needed} are needed for {tables} tables and their indexes",
                self.left()
            ),
            next,
        })
    }

    /// How many more objects can be locked.
    #[must_use]
    pub fn left(self) -> u64 {
        (self.per_transaction * self.transactions).saturating_sub(self.used)
    }

    /// The least `max_locks_per_transaction`, in steps of 64, with which so many more objects can be locked.
    #[must_use]
    pub fn wanted(self, objects: u64) -> u64 {
        (objects + self.used).div_ceil(self.transactions.max(1)).max(1).next_multiple_of(64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrowest_limit_counts() {
        let of = free;
        let whole = of([100, 3, 0, 10, -1, 2, -1, 4]);
        assert_eq!((whole.most, whole.used, whole.left, whole.narrowest), (97, 10, 87, Narrowest::Server));
        let role = of([100, 3, 2, 10, 5, 2, -1, 4]);
        assert_eq!((role.left, role.narrowest), (3, Narrowest::Role));
        let database = of([100, 3, 0, 10, -1, 2, 5, 4]);
        assert_eq!((database.left, database.narrowest), (1, Narrowest::Database));
        assert_eq!(of([10, 3, 0, 9, -1, 2, -1, 4]).left, 0);
    }

    #[test]
    fn fewer_workers_fit_into_fewer_sessions() {
        let fitted = |jobs, builders, source, target| {
            let workers = Workers { jobs, small: jobs, builders };
            workers.fitted(source, target).map(|fitted| (fitted.jobs, fitted.builders))
        };
        assert_eq!(fitted(4, 4, 100, 100), Some((4, 4)));
        assert_eq!(fitted(4, 4, 100, 8), Some((3, 2)));
        assert_eq!(fitted(4, 4, 6, 100), Some((3, 4)));
        assert_eq!(fitted(1, 8, 5, 6), Some((1, 2)));
        assert_eq!(fitted(64, 64, 5, 5), Some((1, 1)));
        assert_eq!(fitted(1, 1, 4, 100), None);
        assert_eq!(fitted(4, 4, 100, 4), None);
    }

    #[test]
    fn far_servers_get_more_copies_as_far_as_there_is_something_to_copy_and_room() {
        let jobs = |milliseconds, bytes: u64, left| {
            let workers = Workers::by_distance(Duration::from_millis(milliseconds), bytes << 20, left);
            assert_eq!(workers.builders, 4);
            workers.jobs
        };
        assert_eq!(jobs(0, 100_000, 97), 4);
        assert_eq!(jobs(4, 100_000, 97), 4);
        assert_eq!(jobs(12, 100_000, 97), 6);
        assert_eq!(jobs(30, 100_000, 97), 10);
        assert_eq!(jobs(300, 100_000, 97), 12);
        assert_eq!(jobs(300, 100, 97), 6, "100 MB");
        assert_eq!(jobs(300, 1, 97), 4, "1 MB");
        assert_eq!(jobs(300, 100_000, 30), 8, "half of 30 sessions");
        assert_eq!(jobs(300, 100_000, 3), 4, "what does not fit is told elsewhere");
        let reason = |milliseconds, bytes: u64, left| {
            let (far, bytes) = (Duration::from_millis(milliseconds), bytes * 1_000_000);
            Workers::by_distance(far, bytes, left).reason(Side::Target, far, bytes, left)
        };
        let at_once = "at once: a round trip to the target takes";
        let other = "(--jobs N for another number)";
        assert_eq!(reason(1, 100_000, 97), format!("4 tables {at_once} 1.0 ms {other}"));
        assert_eq!(reason(30, 100_000, 97), format!("10 tables {at_once} 30 ms {other}"));
        let few = format!(
            "4 tables {at_once} 30 ms, which is worth 10, but only {} are to be copied {other}",
            human::bytes(35_000_000)
        );
        assert_eq!(reason(30, 35, 97), few);
        let full = format!(
            "8 tables {at_once} 300 ms, which is worth 12, but at most half of 30 free sessions are taken {other}"
        );
        assert_eq!(reason(300, 100_000, 30), full);
        // Who says how many has so many, and more for small tables alone.
        let small = |jobs, milliseconds, left| {
            let workers = Workers { jobs, small: 0, builders: 4 };
            let workers = workers.over_distance(Duration::from_millis(milliseconds), left);
            assert_eq!(workers.jobs, jobs);
            workers.small
        };
        assert_eq!(small(4, 0, 97), 4);
        assert_eq!(small(1, 30, 97), 2);
        assert_eq!(small(4, 30, 97), 10);
        assert_eq!(small(16, 30, 97), 16);
        assert_eq!(small(4, 30, 26), 6, "half of 26 sessions");
        let fitted = Workers { jobs: 4, small: 10, builders: 4 }.fitted(97, 12).expect("enough");
        assert_eq!((fitted.jobs, fitted.small, fitted.builders), (4, 5, 4));
    }

    #[test]
    fn locks_are_counted_for_the_whole_server() {
        let locks = Locks { per_transaction: 64, transactions: 100, used: 400 };
        assert_eq!(locks.left(), 6000);
        assert_eq!(locks.wanted(6000), 64);
        assert_eq!(locks.wanted(6001), 128);
    }
}
