//! Small relations are read together, in one question to each server: the way there and back counts more than their rows.
//! What is not the same on both, or cannot be read so, is compared by itself, which says why.

use super::checksum::Formula;
use super::options::VerifyOptions;
use super::reading::{self, Reader};
use super::relation_rows::Outcome;
use super::work::Work;
use crate::connect::Row;
use crate::error::Error;
use crate::guard::Guard;

/// A relation with fewer bytes is small.
const SMALL: u64 = 1 << 20;

/// So many are read together at the most: all of them are locked meanwhile.
const MOST: usize = 64;

/// Lists for each worker at the least, so that all of them have work to the end.
const LISTS: usize = 4;

/// Puts small relations together, for so many workers; large ones stay alone, and in their order.
pub(super) fn put_together(work: &[Work], workers: usize) -> Vec<Vec<&Work>> {
    let is_small = |work: &&Work| work.sum && work.chunks.is_empty() && work.size < SMALL;
    let (small, large): (Vec<_>, Vec<_>) = work.iter().partition(is_small);
    let most = small.len().div_ceil(workers.max(1) * LISTS).clamp(1, MOST);
    let small = small.chunks(most).map(<[_]>::to_vec);
    large.into_iter().map(|work| vec![work]).chain(small).collect()
}

/// What came of each relation that is the same on both servers; none for the others.
pub(super) async fn same(
    (source, target): (Reader<'_>, Reader<'_>),
    list: &[&Work],
    formula: Formula,
    options: &VerifyOptions,
) -> Vec<Option<Outcome>> {
    let wanted = read(&source, list, |work| &work.source, formula, options);
    let found = read(&target, list, |work| &work.target, formula, options);
    // What cannot be read so is told by the comparison of each.
    let (Ok(Some(wanted)), Ok(Some(found))) = tokio::join!(wanted, found) else {
        return list.iter().map(|_| None).collect();
    };
    let outcomes = list.iter().zip(wanted.iter().zip(&found));
    outcomes.map(|(work, (wanted, found))| outcome(work, wanted, found).ok().flatten()).collect()
}

/// A row for each relation, in their order; none where the server refuses.
async fn read(
    reader: &Reader<'_>,
    list: &[&Work],
    place: impl Fn(&Work) -> &reading::Place,
    formula: Formula,
    options: &VerifyOptions,
) -> Result<Option<Vec<Row>>, Error> {
    let guards: Vec<Guard> = list.iter().map(|work| place(work).guard.clone()).collect();
    let questions = list.iter().enumerate();
    let questions: Vec<String> = questions
        .map(|(number, work)| {
            format!(
                "SELECT {number} AS place, q.* FROM ({}) q",
                work.sql(&place(work).from, formula, options)
            )
        })
        .collect();
    let sql = format!("{} ORDER BY place", questions.join(" UNION ALL "));
    let rows = reading::attempt(reader, &guards, &sql, None).await?;
    Ok(rows.ok().filter(|rows| rows.len() == list.len()))
}

/// What came of one relation; none where both servers answer something else.
fn outcome(work: &Work, wanted: &Row, found: &Row) -> Result<Option<Outcome>, Error> {
    if wanted.values() != found.values() {
        return Ok(None);
    }
    let rows = wanted.number(1)?;
    let counted = wanted.values().len() == 2;
    Ok(Some(Outcome {
        table: work.kind == "rows",
        rows,
        sample: if counted { rows } else { wanted.number(2)? },
        summed: !counted && wanted.optional(3)?.is_some(),
        ..Outcome::default()
    }))
}
