//! Rows that another session keeps from us: asked for again, through the session that holds the locks where one does, and
//! at last told apart from rows that differ.
//!
//! While `drop_chunks` waits for the locks of a run, TimescaleDB lets nobody plan a query of the hypertable or of a chunk:
//! the rows of its catalog are locked too (`dimension_slice`), and PostgreSQL ends our query as a deadlock. Then the rows
//! that were copied are counted on the target, and a note says what was not compared.

use super::checksum::Formula;
use super::measured::Reading;
use super::options::{Expect, VerifyOptions};
use super::reading::{Reader, read};
use super::relation_rows::{Outcome, Unread, difference, one};
use super::sessions::{Sessions, TRIES};
use super::work::Work;
use crate::error::{Error, is_locked};

/// Compares one relation, whoever keeps it locked.
pub(super) async fn compare(
    sessions: &Sessions<'_>,
    (source, target): (Reader<'_>, Reader<'_>),
    item: &Work,
    formula: Formula,
    options: &VerifyOptions,
    expect: &Expect<'_>,
) -> Result<Outcome, Error> {
    let mut tries = 0;
    loop {
        // The session that holds the locks waits for nobody who waits for them.
        let turn = match sessions.holder.filter(|_| tries > 0) {
            Some(holder) => Some(holder.turn().await?),
            None => None,
        };
        let session = turn.as_deref().unwrap_or(source.session);
        let source = Reader { session, ..source };
        let outcome = one(&source, &target, item, formula, options, expect).await;
        let of_source = match outcome {
            Err(Error::Query { side, answer, .. }) if is_locked(&answer.code) => {
                side == session.side().name()
            }
            result => return result,
        };
        tries += 1;
        if of_source && turn.is_some() {
            drop(turn);
            return counted(&target, item, formula, expect).await;
        }
        if tries > TRIES {
            return Err(kept(item));
        }
    }
}

/// What can be said without the source: that the target holds as many rows as were copied.
async fn counted(
    target: &Reader<'_>,
    item: &Work,
    formula: Formula,
    expect: &Expect<'_>,
) -> Result<Outcome, Error> {
    let why = "another session keeps it locked on the source";
    let Some(&count) = expect.rows.get(&item.relation) else {
        return Ok(Outcome::not_compared(item, why));
    };
    let sql = |_| format!("SELECT pg_catalog.count(*) FROM {}", item.target.from);
    let (found, _) = read(target, &item.target, sql, formula, &item.owner).await?;
    let wanted = Reading::Rows { count, sample: count, sum: None };
    let mut outcome = Outcome { table: true, rows: count, ..Outcome::default() };
    if wanted == found {
        outcome.unread = Some((Unread::Values, item.relation.to_string(), why.to_owned()));
    } else {
        outcome.differences.push(difference(item, &wanted, &found));
    }
    Ok(outcome)
}

/// Nobody knows what it holds.
fn kept(item: &Work) -> Error {
    Error::Refused {
        what: format!(
            "{} of {} cannot be compared: another session keeps it locked",
            item.kind, item.relation
        ),
        next: vec!["the log names it; wait for it or end it, then compare again: tsmigrate verify".into()],
    }
}
