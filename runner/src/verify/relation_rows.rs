//! Compares the rows of one relation.

use super::checksum::Formula;
use super::gone;
use super::keys;
use super::measured::{Reading, rows, show, sums};
use super::options::{Check, Expect, VerifyOptions};
use super::reading::{self, Place, Reader, read};
use super::recompressed;
use super::result::{Difference, Verification};
use super::views::Explained;
use super::work::Work;
use crate::error::Error;
use crate::guard;
use crate::human;
use crate::quote::quoted;

/// What is said of relations whose values nobody could read: of one, and of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unread {
    /// Nothing is known of its rows.
    Rows,
    /// As many arrived as were copied.
    Values,
}

impl Unread {
    /// A note on relations that share a reason.
    pub(super) fn note(self, relations: &[String], why: &str) -> String {
        let mut names = human::first(relations, NAMES);
        if relations.len() > NAMES {
            names = format!("{} tables ({names})", human::thousands(relations.len() as u64));
        }
        let (one, several) = match self {
            Self::Rows => (": its rows were not compared", ": their rows were not compared"),
            Self::Values => (
                " was counted while it was loaded, its values were not compared",
                " were counted while they were loaded, their values were not compared",
            ),
        };
        format!("{names}{}: {why}", if relations.len() == 1 { one } else { several })
    }
}

/// So many relations stand in a note.
const NAMES: usize = 8;

/// What came of one relation.
#[derive(Default)]
pub(super) struct Outcome {
    /// It is a table, and no other way to the rows of tables.
    pub(super) table: bool,
    pub(super) rows: u64,
    pub(super) sample: u64,
    pub(super) summed: bool,
    /// What nobody could read of it, the relation, and why.
    pub(super) unread: Option<(Unread, String, String)>,
    pub(super) differences: Vec<Difference>,
    pub(super) announced: Vec<Difference>,
    pub(super) notes: Vec<String>,
    /// A difference, which is a note where nothing else differs.
    pub(super) uncertain: Option<(Difference, String)>,
}

impl Outcome {
    pub(super) fn into(self, options: &VerifyOptions, verification: &mut Verification) {
        let rows = &mut verification.rows;
        let not_compared = self.unread.as_ref().is_some_and(|(what, ..)| *what == Unread::Rows);
        if not_compared {
            rows.not_compared += 1;
        } else {
            *verification.compared.entry("tables' rows".into()).or_default() += 1;
        }
        if self.table && !not_compared {
            rows.tables += 1;
            rows.counted += self.rows;
        }
        if self.table && self.summed {
            rows.summed += if options.check == Check::Sample { self.sample } else { self.rows };
        }
        verification.differences.extend(self.differences);
        verification.announced.extend(self.announced);
        verification.notes.extend(self.notes);
    }

    /// A relation that nobody can compare, and why.
    pub(super) fn not_compared(work: &Work, why: &str) -> Self {
        Self { unread: Some((Unread::Rows, work.relation.to_string(), why.to_owned())), ..Self::default() }
    }
}

/// Why row security keeps rows from us, and the way on; none where something else is the reason.
async fn hidden(reader: &Reader<'_>, place: &Place, reading: &Reading) -> Result<Option<String>, Error> {
    if !matches!(reading, Reading::Refused { code, .. } if code == "42501") {
        return Ok(None);
    }
    let question = format!(
        "SELECT c.relforcerowsecurity, current_user::text, pg_catalog.format('%I.%I', n.nspname, c.relname) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.oid = {} AND pg_catalog.row_security_active(c.oid)",
        place.guard.oid
    );
    let rows = reader.watch.ask(&question).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let (side, user, table) = (reader.session.side().name(), quoted(row.text(1)?), row.text(2)?);
    let (whom, way) = if row.flag(0)? {
        let way =
            format!("with ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY there as long as it takes, or ");
        (" and from its owner", way)
    } else {
        (", who does not own it", String::new())
    };
    Ok(Some(format!(
        "row security hides rows of it on the {side} from {user}{whom}; compare again {way}as a user with BYPASSRLS"
    )))
}

/// Reads what one relation itself holds on both servers.
async fn both_copied(
    source: &Reader<'_>,
    target: &Reader<'_>,
    work: &Work,
    options: &VerifyOptions,
) -> Result<(Reading, Reading), Error> {
    let (sum, columns) = (work.sum && options.check != Check::Counts, &work.columns);
    tokio::try_join!(
        reading::copied(source, &work.source, columns, sum, &work.owner),
        reading::copied(target, &work.target, columns, sum, &work.owner),
    )
}

/// Why planning a query on either server would run what is a user's.
fn folded<'a>(wanted: &'a Reading, found: &'a Reading) -> Option<&'a str> {
    [wanted, found].into_iter().find_map(|reading| match reading {
        Reading::Refused { why, .. } if reading.folds() => Some(why.as_str()),
        _ => None,
    })
}

/// Why a hypertable cannot be read as a whole.
fn unreadable<'a>(wanted: &'a Reading, found: &'a Reading) -> Option<&'a str> {
    match (wanted, found) {
        (Reading::Rows { .. }, Reading::Refused { code, why }) if code == "42501" => Some(why),
        _ => folded(wanted, found),
    }
}

fn by_chunk(work: &Work, why: &str) -> String {
    format!("{} was compared chunk by chunk, not through the hypertable: {why}", work.relation)
}

/// Reads one relation on both servers in the same way; the formula that was used.
async fn both(
    source: &Reader<'_>,
    target: &Reader<'_>,
    work: &Work,
    formula: Formula,
    options: &VerifyOptions,
) -> Result<(Reading, Reading, Formula), Error> {
    let sql = |place: &Place, formula| work.sql(&place.from, formula, options);
    let ((mut wanted, long), (mut found, too)) = tokio::try_join!(
        read(source, &work.source, |formula| sql(&work.source, formula), formula, &work.owner),
        read(target, &work.target, |formula| sql(&work.target, formula), formula, &work.owner),
    )?;
    if wanted.folds() && !work.chunks.is_empty() {
        wanted = counted(source, &work.chunks, formula).await?;
        // Rows alone are counted so.
        if let Reading::Rows { count, .. } = found {
            found = Reading::Rows { count, sample: count, sum: None };
        }
    }
    // The compressed rows of a chunk are compared as the table that they are.
    let copies = work.source.copies && work.target.copies || work.kind == "rows" && work.source.guard.alone;
    if (wanted.folds() || found.folds()) && copies {
        let (wanted, found) = both_copied(source, target, work, options).await?;
        return Ok((wanted, found, formula));
    }
    if long != too {
        let wide = Formula { wide: true, ..formula };
        ((wanted, _), (found, _)) = tokio::try_join!(
            read(source, &work.source, |formula| sql(&work.source, formula), wide, &work.owner),
            read(target, &work.target, |formula| sql(&work.target, formula), wide, &work.owner),
        )?;
    }
    Ok((wanted, found, Formula { wide: formula.wide || long || too, ..formula }))
}

/// Counts the rows of chunks, one after the other.
async fn counted(source: &Reader<'_>, chunks: &[Place], formula: Formula) -> Result<Reading, Error> {
    let mut total = 0;
    for chunk in chunks {
        let sql = |_| format!("SELECT pg_catalog.count(*) FROM {}", chunk.from);
        let mut counted = read(source, chunk, sql, formula, "").await?.0;
        if counted.folds() && chunk.copies {
            counted = reading::copied(source, chunk, &[], false, "").await?;
        }
        match counted {
            Reading::Rows { count, .. } => total += count,
            other => return Ok(other),
        }
    }
    Ok(Reading::Rows { count: total, sample: total, sum: None })
}

/// Why a server reads no rows of a relation that it has: a privilege that its owner took away, a damaged file. Rows that the
/// snapshot does not see are a difference.
fn refused<'a>(wanted: &'a Reading, found: &'a Reading) -> Option<&'a str> {
    let all = [wanted, found];
    let is_unseen =
        |reading: &&Reading| matches!(reading, Reading::Refused { code, .. } if code == guard::UNSEEN);
    if all.iter().any(is_unseen) {
        return None;
    }
    all.into_iter().find_map(|reading| match reading {
        Reading::Refused { why, .. } => Some(&**why),
        _ => None,
    })
}

/// Compares one relation.
pub(super) async fn one(
    source: &Reader<'_>,
    target: &Reader<'_>,
    work: &Work,
    formula: Formula,
    options: &VerifyOptions,
    expect: &Expect<'_>,
) -> Result<Outcome, Error> {
    let (mut wanted, mut found, formula) = both(source, target, work, formula, options).await?;
    let mut outcome = Outcome { table: work.kind == "rows", ..Outcome::default() };
    if wanted != found && recompressed::since(source, work).await? {
        if work.kind == "hypertable rows" {
            outcome.notes.push(by_chunk(work, recompressed::WHY));
            return Ok(outcome);
        }
        (wanted, found) = both_copied(source, target, work, options).await?;
    }
    if let Some(why) = gone::relation(source, work, &wanted).await? {
        return Ok(Outcome::not_compared(work, &why));
    }
    if let Reading::Rows { count, sample, sum } = &wanted {
        outcome.rows = *count;
        outcome.sample = *sample;
        outcome.summed = sum.is_some();
    }
    if work.kind == "hypertable rows"
        && let Some(why) = unreadable(&wanted, &found)
    {
        outcome.notes.push(by_chunk(work, why));
        return Ok(outcome);
    }
    if let (Reading::Refused { code, why }, Some(counted)) = (&found, expect.rows.get(&work.relation))
        && code != guard::UNSEEN
    {
        outcome.unread = Some((Unread::Values, work.relation.to_string(), why.clone()));
        let sum = sums(&wanted).map(ToOwned::to_owned);
        found = Reading::Rows { count: *counted, sample: *counted, sum };
    }
    if let Some(why) = folded(&wanted, &found) {
        return Ok(Outcome::not_compared(work, why));
    }
    for (reader, place, reading) in [(source, &work.source, &wanted), (target, &work.target, &found)] {
        if let Some(why) = hidden(reader, place, reading).await? {
            return Ok(Outcome::not_compared(work, &why));
        }
    }
    if let Some(why) = refused(&wanted, &found) {
        return Ok(Outcome::not_compared(work, why));
    }
    if wanted == found {
        return Ok(outcome);
    }
    let left = &options.chosen.filter;
    let reason = match () {
        () if expect.skipped.contains(&work.relation) || left.leaves_rows(&work.relation) => {
            Some("its rows stayed behind")
        }
        () if work.derived && left.leaves_any_rows() => Some("rows of other tables stayed behind"),
        () => None,
    };
    if let Some(reason) = reason {
        outcome
            .announced
            .push(Difference { reason: Some(reason.into()), ..difference(work, &wanted, &found) });
        return Ok(outcome);
    }
    if work.derived {
        match super::views::explain(source, target, work, formula, &wanted, &found).await? {
            Explained::Note(note) => {
                outcome.notes.push(note);
                return Ok(outcome);
            }
            Explained::IfAllElseIsEqual(note) => {
                outcome.uncertain = Some((difference(work, &wanted, &found), note));
                return Ok(outcome);
            }
            Explained::Not => {}
        }
    }
    let mut difference = difference(work, &wanted, &found);
    if work.sum && matches!((&wanted, &found), (Reading::Rows { .. }, Reading::Rows { .. })) {
        difference.details = keys::locate(source, target, work, formula, &wanted, &found).await?;
    }
    outcome.differences.push(difference);
    Ok(outcome)
}

pub(super) fn difference(work: &Work, wanted: &Reading, found: &Reading) -> Difference {
    let content = rows(wanted).is_some() && rows(wanted) == rows(found);
    let kind = if content { work.kind.replace("rows", "content") } else { work.kind.to_owned() };
    let show = |reading: &Reading, content| match sums(reading).filter(|_| content && !work.sum) {
        Some(values) => format!("{values} values in {}", work.counted.join(", ")),
        None => show(reading, content),
    };
    Difference {
        kind,
        object: work.relation.to_string(),
        expected: Some(show(wanted, content)),
        found: Some(show(found, content)),
        ..Difference::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relations_that_share_a_reason_share_a_note() {
        let of = |count: usize| (1..=count).map(|number| format!("s.t{number}")).collect::<Vec<_>>();
        assert_eq!(Unread::Rows.note(&of(1), "why"), "s.t1: its rows were not compared: why");
        assert_eq!(
            Unread::Values.note(&of(2), "why"),
            "s.t1, s.t2 were counted while they were loaded, their values were not compared: why"
        );
        assert!(Unread::Rows.note(&of(9), "why").starts_with("9 tables (s.t1, s.t2, "));
    }
}
