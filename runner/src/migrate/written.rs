//! What is written to the source while it is copied: nothing of it arrives, and nobody should learn that from users.

use std::collections::BTreeMap;

use crate::connect::{Connector, Session};
use crate::error::Error;
use crate::human::count;
use crate::names::Relation;
use crate::tables::{Listing, Table};

/// Rows that were written to each table, ever since its server counts.
pub(super) type Counts = BTreeMap<Relation, u64>;

/// So many tables are named.
const NAMED: usize = 3;

/// Asks the cumulative statistics. A session of its own asks, for within a transaction they stay as they were.
pub(super) async fn counts(session: &Session) -> Result<Counts, Error> {
    let question = "SELECT * FROM (SELECT n.nspname, c.relname, pg_catalog.pg_stat_get_tuples_inserted(c.oid) \
                      + pg_catalog.pg_stat_get_tuples_updated(c.oid) + pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS written \
                    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                    WHERE c.relkind = 'r' AND n.nspname !~ '^pg_') s WHERE written > 0";
    session.ask(question).await?.iter().map(|row| Ok((row.relation(0)?, row.number(2)?))).collect()
}

/// What to do where rows were written to the listed tables since they were counted `before`. A transaction that has not
/// ended is not counted, nor is TRUNCATE. Nothing here is worth the end of a run that has moved everything.
pub(super) async fn since(source: &Connector, before: &Counts, listing: &Listing) -> Option<String> {
    let now = match now(source).await {
        Ok(now) => now,
        Err(error) => {
            return Some(format!(
                "see whether the source was written to while it was copied, for it could not be asked ({error}): \
                 tsmigrate verify"
            ));
        }
    };
    let tables = listing.tables.iter().map(Table::on_source);
    let mut written: Vec<(u64, &Relation)> = tables
        .filter_map(|table| {
            let before = before.get(table).copied().unwrap_or_default();
            Some((now.get(table)?.checked_sub(before).filter(|rows| *rows > 0)?, table))
        })
        .collect();
    if written.is_empty() {
        return None;
    }
    written.sort_by(|left, right| right.0.cmp(&left.0).then(left.1.cmp(right.1)));
    let named: Vec<String> =
        written.iter().take(NAMED).map(|(rows, table)| format!("{table} {}", count(*rows, "row"))).collect();
    let more = match written.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(", and {} more", count(more as u64, "table")),
    };
    Some(format!(
        "the source was written to while it was copied ({}{more}), and the target has nothing of that: stop what writes there, \
         and see what is missing: tsmigrate verify; nothing adds it to a target that is finished, so that to have it means to \
         migrate anew, into an empty database",
        named.join(", ")
    ))
}

async fn now(source: &Connector) -> Result<Counts, Error> {
    counts(&source.open().await?).await
}
