//! Rows of every table: counted and summed up on both ends at once, several tables at a time, the largest first.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::checksum::Formula;
use super::gone;
use super::reading::{self, Place, Reader};
use super::select::Selection;
use super::views::Explained;
use super::work::{self, Held, Work};
use super::{Check, Difference, Ends, Expect, How, Sessions, Verification, keys, locked};
use crate::connect::{Row, Session};
use crate::error::Error;
use crate::guard;
use crate::progress::{Progress, TaskKind};

/// What a server answers where a row is more than it can hold in one piece: limit exceeded, no memory, and the internal
/// error that says `invalid memory alloc request size`.
pub(super) const TOO_LONG: [&str; 3] = ["54000", "53200", "XX000"];

/// What is to be compared, and how.
pub(super) struct Task<'a> {
    pub(super) expect: &'a Expect<'a>,
    pub(super) how: &'a How,
    pub(super) selection: &'a Selection,
    pub(super) held: &'a Held<'a>,
}

/// What was read of one relation on one end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Rows, those of the sample, and the sum of their hashes.
    Rows { count: u64, sample: u64, sum: Option<String> },
    /// A materialized view that was never filled.
    Unpopulated,
    /// The server does not let us read.
    Refused { code: String, why: String },
}

/// Reads one relation on one end, and says whether its values were too long to be read as they are.
/// What the server refuses is an answer; a session that is lost is an error.
pub(super) async fn read(
    reader: &Reader<'_>,
    place: &Place,
    sql: impl Fn(Formula) -> String,
    formula: Formula,
    owner: &str,
) -> Result<(Reading, bool), Error> {
    let guards = std::slice::from_ref(&place.guard);
    let once = async |sql: String, role: Option<&str>| {
        reading::attempt(reader, guards, &sql, role).await.and_then(Reading::of)
    };
    let mut reading = once(sql(formula), None).await?;
    let mut formula = formula;
    // A row of several long values is more than a server can hold in one piece: their md5 is not.
    if let Reading::Refused { code, .. } = &reading
        && TOO_LONG.contains(&code.as_str())
        && !formula.wide
    {
        formula.wide = true;
        reading = once(sql(formula), None).await?;
    }
    // The administrator may become the owner, and an owner may read.
    if let Reading::Refused { code, .. } = &reading
        && code == "42501"
        && !owner.is_empty()
        && let allowed @ (Reading::Rows { .. } | Reading::Unpopulated) =
            once(sql(formula), Some(owner)).await?
    {
        reading = allowed;
    }
    Ok((reading, formula.wide))
}

impl Reading {
    /// What a server answered.
    ///
    /// # Errors
    /// When the answer has no count.
    pub(super) fn of(answer: Result<Vec<Row>, crate::error::Server>) -> Result<Self, Error> {
        let rows = match answer {
            Ok(rows) => rows,
            Err(server) if server.code == "55000" && server.message.contains("populated") => {
                return Ok(Self::Unpopulated);
            }
            Err(server) => return Ok(Self::Refused { code: server.code, why: server.message }),
        };
        let Some(row) = rows.first() else {
            return Err(Error::Defect("a count of rows has no answer".into()));
        };
        let count = row.number(0)?;
        // A count alone has no other columns.
        if row.values().len() == 1 {
            return Ok(Self::Rows { count, sample: count, sum: None });
        }
        Ok(Self::Rows { count, sample: row.number(1)?, sum: row.optional(2)?.map(str::to_owned) })
    }

    /// Planning the question would have called functions of users.
    fn folds(&self) -> bool {
        matches!(self, Self::Refused { code, .. } if code == guard::FOLDED)
    }
}

/// Compares the rows of every relation of the source.
pub(super) async fn compare(
    sessions: &Sessions<'_>,
    ends: &Ends<'_>,
    task: &Task<'_>,
    progress: &Progress,
    verification: &mut Verification,
) -> Result<(), Error> {
    let Task { expect, how, selection, held } = *task;
    let formula = formula(ends, expect).await?;
    let work = work::list(held, expect, selection);
    let total = work.iter().map(|work| work.size).sum();
    verification.rows.bytes = total;
    let jobs = how.jobs.clamp(1, work.len().max(1));
    let pairs = reading::readers(sessions, ends.snapshot, jobs).await?;
    progress.start("verify", total);
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let workers = pairs.iter().map(|(source, target)| {
        let (source, target) = (source.reader(), target.reader());
        let (work, next, found) = (&work, &next, &found);
        async move {
            while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                let task = progress.task(TaskKind::Verify, &item.relation.to_string(), item.size);
                let outcome = locked::compare(sessions, (source, target), item, formula, how, expect).await?;
                task.add(item.size);
                found.lock().unwrap_or_else(PoisonError::into_inner).push(outcome);
            }
            Ok::<(), Error>(())
        }
    });
    let result = futures_util::future::try_join_all(workers).await;
    progress.stop();
    if how.check == Check::Sample {
        verification.notes.push(format!(
            "a sample: {} percent of each table's rows, chosen by a hash of their key or first short columns, so that it is \
             the same on both ends; all rows were counted",
            how.percent
        ));
    }
    result?;
    let mut uncertain = Vec::new();
    for mut outcome in found.into_inner().unwrap_or_else(PoisonError::into_inner) {
        uncertain.extend(outcome.uncertain.take());
        outcome.into(how, verification);
    }
    // What follows from rows that are the same by a definition that is the same.
    let derived = |difference: &Difference| difference.kind.starts_with("materialized view ");
    let of_rows =
        |difference: &Difference| ["rows", "content"].iter().any(|of| difference.kind.ends_with(of));
    let equal = verification.differences.iter().all(|difference| derived(difference) && of_rows(difference));
    for (difference, note) in uncertain {
        if equal {
            verification.notes.push(note);
        } else {
            verification.differences.push(difference);
        }
    }
    Ok(())
}

/// What came of one relation.
#[derive(Default)]
pub(super) struct Outcome {
    /// It is a table, and no other way to the rows of tables.
    pub(super) table: bool,
    pub(super) rows: u64,
    pub(super) sample: u64,
    pub(super) summed: bool,
    pub(super) differences: Vec<Difference>,
    pub(super) announced: Vec<Difference>,
    pub(super) notes: Vec<String>,
    /// A difference, which is a note where nothing else differs.
    pub(super) uncertain: Option<(Difference, String)>,
}

impl Outcome {
    fn into(self, how: &How, verification: &mut Verification) {
        *verification.compared.entry("tables' rows".into()).or_default() += 1;
        let rows = &mut verification.rows;
        if self.table {
            rows.tables += 1;
            rows.counted += self.rows;
        }
        if self.table && self.summed {
            rows.summed += if how.check == Check::Sample { self.sample } else { self.rows };
        }
        verification.differences.extend(self.differences);
        verification.announced.extend(self.announced);
        verification.notes.extend(self.notes);
    }
}

/// Reads one relation on both ends in the same way; the formula that was used.
async fn both(
    source: &Reader<'_>,
    target: &Reader<'_>,
    work: &Work,
    formula: Formula,
    how: &How,
) -> Result<(Reading, Reading, Formula), Error> {
    let sql = |place: &Place, formula| work.sql(&place.from, formula, how);
    let ((mut wanted, long), (mut found, too)) = tokio::try_join!(
        read(source, &work.source, |formula| sql(&work.source, formula), formula, &work.owner),
        read(target, &work.target, |formula| sql(&work.target, formula), formula, &work.owner),
    )?;
    if wanted.folds() && !work.chunks.is_empty() {
        wanted = counted(source, &work.chunks, formula).await?;
    }
    if (wanted.folds() || found.folds()) && work.source.copies && work.target.copies {
        let sum = work.sum && how.check != Check::Counts;
        let columns = &work.columns;
        let (wanted, found) = tokio::try_join!(
            reading::copied(source, &work.source, columns, sum, &work.owner),
            reading::copied(target, &work.target, columns, sum, &work.owner),
        )?;
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

/// Compares one relation.
pub(super) async fn one(
    source: &Reader<'_>,
    target: &Reader<'_>,
    work: &Work,
    formula: Formula,
    how: &How,
    expect: &Expect<'_>,
) -> Result<Outcome, Error> {
    let (wanted, mut found, formula) = both(source, target, work, formula, how).await?;
    let mut outcome = Outcome { table: work.kind == "rows", ..Outcome::default() };
    if let Some(why) = gone::relation(source, work, &wanted).await? {
        outcome.notes.push(format!("{}: its rows were not compared: {why}", work.relation));
        return Ok(outcome);
    }
    if let Reading::Rows { count, sample, sum } = &wanted {
        outcome.rows = *count;
        outcome.sample = *sample;
        outcome.summed = sum.is_some();
    }
    if let (Reading::Rows { .. }, Reading::Refused { code, why }, "hypertable rows") =
        (&wanted, &found, work.kind)
        && ["42501", guard::FOLDED].contains(&code.as_str())
    {
        let note =
            format!("{} was compared chunk by chunk, not through the hypertable: {why}", work.relation);
        outcome.notes.push(note);
        return Ok(outcome);
    }
    if let (Reading::Refused { why, .. }, Some(counted)) = (&found, expect.rows.get(&work.relation)) {
        outcome.notes.push(format!(
            "{} was counted while it was loaded, its values were not compared: {why}",
            work.relation
        ));
        let sum = sums(&wanted).map(ToOwned::to_owned);
        found = Reading::Rows { count: *counted, sample: *counted, sum };
    }
    if wanted.folds() || found.folds() {
        let why = [&wanted, &found].into_iter().find_map(|reading| match reading {
            Reading::Refused { why, .. } if reading.folds() => Some(why.as_str()),
            _ => None,
        });
        let why = why.unwrap_or_default();
        outcome.notes.push(format!("{}: its rows were not compared: {why}", work.relation));
        return Ok(outcome);
    }
    if wanted == found {
        if let Reading::Refused { why, .. } = wanted {
            outcome.differences.push(Difference {
                kind: work.kind.into(),
                object: work.relation.to_string(),
                expected: Some(format!("no count ({why})")),
                found: Some(format!("no count ({why})")),
                ..Difference::default()
            });
        }
        return Ok(outcome);
    }
    let left = &how.chosen.filter;
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

fn sums(reading: &Reading) -> Option<&str> {
    match reading {
        Reading::Rows { sum, .. } => sum.as_deref(),
        _ => None,
    }
}

pub(super) fn rows(reading: &Reading) -> Option<u64> {
    match reading {
        Reading::Rows { count, .. } => Some(*count),
        _ => None,
    }
}

pub(super) fn difference(work: &Work, wanted: &Reading, found: &Reading) -> Difference {
    let content = rows(wanted).is_some() && rows(wanted) == rows(found);
    let kind = if content { work.kind.replace("rows", "content") } else { work.kind.to_owned() };
    Difference {
        kind,
        object: work.relation.to_string(),
        expected: Some(show(wanted, content)),
        found: Some(show(found, content)),
        ..Difference::default()
    }
}

fn show(reading: &Reading, content: bool) -> String {
    match reading {
        Reading::Rows { count, sum, .. } if content => {
            format!("{count} rows with checksum {}", sum.as_deref().unwrap_or("0"))
        }
        Reading::Rows { count, .. } => format!("{count} rows"),
        Reading::Unpopulated => "not populated".into(),
        Reading::Refused { why, .. } => format!("no count ({why})"),
    }
}

/// How both ends can hash in the same way.
async fn formula(ends: &Ends<'_>, expect: &Expect<'_>) -> Result<Formula, Error> {
    let encoded = expect.source.encoding != expect.target.encoding;
    let md5 =
        expect.source.major().min(expect.target.major()) < 14 || !alike(ends.source, ends.target).await?;
    Ok(Formula { md5, encoded, wide: false })
}

/// Both servers hash in the same way: processors of another byte order do not.
async fn alike(source: &Session, target: &Session) -> Result<bool, Error> {
    let probe = "SELECT pg_catalog.hashtextextended('tsmigrate', 1), \
                 pg_catalog.hash_record_extended(ROW(1, true, DATE '2024-01-01', 'x'::name, '\\x01'::bytea, \
                 'c0ffee00-0000-0000-0000-000000000001'::uuid, '08:00:2b:01:02:03'::macaddr), 1)";
    let (ours, theirs) = tokio::try_join!(super::attempt(source, probe), super::attempt(target, probe))?;
    Ok(ours.is_ok() && ours == theirs)
}
