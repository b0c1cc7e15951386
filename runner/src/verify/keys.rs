//! Which rows of a table differ: their keys, and the columns.

use std::collections::{BTreeMap, HashMap};

use futures_util::{StreamExt, pin_mut};

use super::checksum::{self, Formula};
use super::measured::{Reading, rows};
use super::reading::{self, Place, Reader};
use super::relations::Column;
use super::sessions;
use super::work::Work;
use crate::connect::{Row, Session};
use crate::error::{Error, Server};
use crate::human::count;
use crate::quote::identifier;

/// So many rows at most are looked at one by one: 16 bytes of memory each.
const ROWS: u64 = 1_000_000;
/// Of larger tables parts of about so many rows are compared first, and so many of those that differ are looked at.
const PART: u64 = 100_000;
const PARTS: usize = 8;
/// So many keys of each kind are shown.
const SHOWN: usize = 10;

/// Rows by the hash of their key.
#[derive(Debug, Default, PartialEq, Eq)]
struct Apart {
    missing: Kind,
    extra: Kind,
    changed: Kind,
}

/// Rows of one kind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Kind {
    /// The hashes of their keys, each once.
    keys: Vec<i64>,
    /// How many rows they are: without a key there may be many of one kind.
    rows: u64,
}

impl Kind {
    fn add(&mut self, key: i64, rows: u32) {
        self.keys.push(key);
        self.rows += u64::from(rows);
    }
}

/// Lines that name the rows. Where a server refuses, the line says so: the difference itself is known.
pub(super) async fn locate(
    source: &Reader<'_>,
    target: &Reader<'_>,
    work: &Work,
    formula: Formula,
    wanted: &Reading,
    found: &Reading,
) -> Result<Vec<String>, Error> {
    let most = rows(wanted).max(rows(found)).unwrap_or_default();
    let row = formula.row(&work.columns);
    let key = key(work, formula);
    let mut lines = Vec::new();
    let mut only = String::new();
    if most > ROWS {
        // Parts by the hash of the key, alike on both servers: only those that differ are looked at.
        let mask = (most / PART).next_power_of_two() - 1;
        let part = format!("{key} & {mask}");
        let question = |place: &Place| {
            format!(
                "SELECT {part}, pg_catalog.count(*) || ' ' || pg_catalog.sum({row}) FROM {} GROUP BY 1",
                place.from
            )
        };
        let (ours, theirs) = tokio::try_join!(
            answer(source, &work.source, question, &work.owner),
            answer(target, &work.target, question, &work.owner)
        )?;
        let (ours, theirs) = (parts(&ours)?, parts(&theirs)?);
        let mut parts: Vec<_> = ours.keys().chain(theirs.keys()).collect();
        parts.sort_unstable();
        parts.dedup();
        parts.retain(|part| ours.get(*part) != theirs.get(*part));
        let shown: Vec<_> = parts.iter().take(PARTS).map(|part| format!("'{part}'::int8")).collect();
        if parts.is_empty() {
            return Ok(vec!["the servers did not say which rows".to_owned()]);
        }
        if parts.len() > shown.len() {
            lines.push(format!(
                "looked for in {} of {} parts of its rows that differ, of {} in all:",
                shown.len(),
                parts.len(),
                mask + 1
            ));
        }
        only = format!(" WHERE {part} IN ({})", shown.join(", "));
    }
    let question = |place: &Place| format!("SELECT {key}, {row} FROM {}{only}", place.from);
    let ours = match fetch(source, &work.source, question, &work.owner).await? {
        Ok(ours) => ours,
        Err(server) => return Ok(vec![format!("the source did not say which rows: {}", server.message)]),
    };
    let theirs = match fetch(target, &work.target, question, &work.owner).await? {
        Ok(theirs) => theirs,
        Err(server) => return Ok(vec![format!("the target did not say which rows: {}", server.message)]),
    };
    let apart = apart(&ours, &theirs);
    drop((ours, theirs));
    let missing = describe(source, work, &work.source, &key, &apart.missing.keys).await?;
    lines.extend(summary("missing on the target", &apart.missing, &missing));
    let extra = describe(target, work, &work.target, &key, &apart.extra.keys).await?;
    lines.extend(summary("on the target only", &apart.extra, &extra));
    let changed = changed(source, target, work, formula, &key, &apart.changed.keys).await?;
    lines.extend(summary("changed", &apart.changed, &changed));
    Ok(lines)
}

/// Parts, each with what is in it.
fn parts(rows: &[Row]) -> Result<BTreeMap<&str, &str>, Error> {
    rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
}

/// What a row is known by: its key, or all of it.
fn key(work: &Work, formula: Formula) -> String {
    if work.unique {
        let key: Vec<_> = work.key.iter().map(|column| formula.column(column)).collect();
        formula.hash(&key)
    } else {
        formula.row(&work.columns)
    }
}

fn summary(what: &str, apart: &Kind, shown: &[String]) -> Option<String> {
    if apart.rows == 0 {
        return None;
    }
    let more = if apart.keys.len() > shown.len() { ", …" } else { "" };
    Some(format!("{} {what}: {}{more}", count(apart.rows, "row"), shown.join(", ")))
}

/// Rows of both servers: by the hash of the key how often which row.
type Rows = HashMap<i64, (i64, u32)>;

fn apart(ours: &Rows, theirs: &Rows) -> Apart {
    let mut apart = Apart::default();
    for (key, (row, count)) in ours {
        match theirs.get(key) {
            None => apart.missing.add(*key, *count),
            Some((other, count)) if other != row => apart.changed.add(*key, *count),
            Some((_, other)) if other < count => apart.missing.add(*key, count - other),
            Some((_, other)) if other > count => apart.extra.add(*key, other - count),
            Some(_) => {}
        }
    }
    for (key, (_, count)) in theirs.iter().filter(|(key, _)| !ours.contains_key(key)) {
        apart.extra.add(*key, *count);
    }
    for kind in [&mut apart.missing, &mut apart.extra, &mut apart.changed] {
        kind.keys.sort_unstable();
    }
    apart
}

async fn fetch(
    reader: &Reader<'_>,
    place: &Place,
    question: impl Fn(&Place) -> String,
    owner: &str,
) -> Result<Result<Rows, Server>, Error> {
    let sql = question(place);
    let mut answer = stream(reader, place, &sql, None).await?;
    if let Err(server) = &answer
        && server.code == "42501"
        && !owner.is_empty()
    {
        answer = stream(reader, place, &sql, Some(owner)).await?;
    }
    Ok(answer)
}

async fn stream(
    reader: &Reader<'_>,
    place: &Place,
    sql: &str,
    role: Option<&str>,
) -> Result<Result<Rows, Server>, Error> {
    let answer = async {
        let guards = std::slice::from_ref(&place.guard);
        let locked = reading::hold(reader, guards, "SAVEPOINT attempt").await?;
        reading::become_role(reader.session, role).await?;
        let rows = reading::ask(reader, guards, locked, rows_of(reader.session, sql)).await?;
        reading::seen(reader.session, guards).await.map(|()| rows)
    };
    let answer = answer.await;
    sessions::back(reader.session).await?;
    Ok(answer)
}

async fn rows_of(session: &Session, sql: &str) -> Result<Rows, tokio_postgres::Error> {
    let none: [&(dyn tokio_postgres::types::ToSql + Sync); 0] = [];
    let stream = session.client().query_raw(sql, none).await?;
    pin_mut!(stream);
    let mut rows = Rows::new();
    while let Some(row) = stream.next().await {
        let row = row?;
        let (key, row) = (row.try_get::<_, i64>(0)?, row.try_get::<_, i64>(1)?);
        rows.entry(key).or_insert((row, 0)).1 += 1;
    }
    Ok(rows)
}

/// The first rows in words: `id = 5`, or the beginning of the row where it has no key.
async fn describe(
    reader: &Reader<'_>,
    work: &Work,
    place: &Place,
    key: &str,
    keys: &[i64],
) -> Result<Vec<String>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let sql = |place: &Place| {
        format!("SELECT DISTINCT {} FROM {} WHERE {key} IN ({})", words(work), place.from, first(keys))
    };
    let rows = answer(reader, place, sql, &work.owner).await?;
    rows.iter().map(|row| row.text(0).map(short)).collect()
}

/// Rows that both servers have with other values: the key and the columns.
async fn changed(
    source: &Reader<'_>,
    target: &Reader<'_>,
    work: &Work,
    formula: Formula,
    key: &str,
    keys: &[i64],
) -> Result<Vec<String>, Error> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let columns: Vec<_> = work.columns.iter().map(|column| formula.hash(&[formula.column(column)])).collect();
    let sql = |place: &Place| {
        format!(
            "SELECT {key}, {}, {} FROM {} WHERE {key} IN ({}) ORDER BY 2",
            words(work),
            columns.join(", "),
            place.from,
            first(keys)
        )
    };
    let (ours, theirs) = tokio::try_join!(
        answer(source, &work.source, sql, &work.owner),
        answer(target, &work.target, sql, &work.owner)
    )?;
    let theirs: HashMap<_, _> =
        theirs.iter().map(|row| Ok((row.text(0)?, row))).collect::<Result<_, Error>>()?;
    let mut lines = Vec::new();
    for row in &ours {
        let Some(other) = theirs.get(row.text(0)?) else { continue };
        let words = short(row.text(1)?);
        let pairs = row.values().iter().skip(2).zip(other.values().iter().skip(2));
        let names = work.columns.iter().zip(pairs);
        let names: Vec<_> = names.filter(|(_, (a, b))| a != b).map(|(column, _)| name(column)).collect();
        lines.push(format!("{words} ({})", names.join(", ")));
    }
    Ok(lines)
}

async fn answer(
    reader: &Reader<'_>,
    place: &Place,
    question: impl Fn(&Place) -> String,
    owner: &str,
) -> Result<Vec<Row>, Error> {
    let (sql, guards) = (question(place), std::slice::from_ref(&place.guard));
    let mut answer = reading::attempt(reader, guards, &sql, None).await?;
    if answer.as_ref().is_err_and(|server| server.code == "42501") && !owner.is_empty() {
        answer = reading::attempt(reader, guards, &sql, Some(owner)).await?;
    }
    Ok(answer.unwrap_or_default())
}

fn name(column: &Column) -> String {
    crate::quote::quoted(&column.name)
}

/// `id = 5` as an expression.
fn words(work: &Work) -> String {
    let literal = crate::quote::literal;
    if !work.unique {
        let columns: Vec<_> = work.columns.iter().map(|column| identifier(&column.name)).collect();
        return format!("'row ' || pg_catalog.left((ROW({}))::pg_catalog.text, 80)", columns.join(", "));
    }
    let parts: Vec<_> = work
        .key
        .iter()
        .map(|column| format!("{} || {}", literal(&format!("{} = ", name(column))), checksum::shown(column)))
        .collect();
    parts.join(" || ', ' || ")
}

fn first(keys: &[i64]) -> String {
    keys.iter().take(SHOWN).map(|key| format!("'{key}'::int8")).collect::<Vec<_>>().join(", ")
}

fn short(text: &str) -> String {
    let text = text.replace('\n', "\\n");
    match text.char_indices().nth(100) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_apart_by_their_keys() {
        let ours = Rows::from([(1, (10, 1)), (2, (20, 1)), (3, (30, 1))]);
        let theirs = Rows::from([(1, (10, 1)), (2, (21, 1)), (4, (40, 1))]);
        let apart = apart(&ours, &theirs);
        let one = |key| Kind { keys: vec![key], rows: 1 };
        assert_eq!(apart, Apart { missing: one(3), extra: one(4), changed: one(2) });
    }

    #[test]
    fn a_row_that_is_there_twice_is_not_the_same_as_once() {
        let ours = Rows::from([(1, (1, 1)), (2, (2, 22)), (3, (3, 5))]);
        let theirs = Rows::from([(1, (1, 2)), (3, (3, 2))]);
        let apart = apart(&ours, &theirs);
        let (missing, extra) = (Kind { keys: vec![2, 3], rows: 25 }, Kind { keys: vec![1], rows: 1 });
        assert_eq!(apart, Apart { missing, extra, changed: Kind::default() });
    }

    #[test]
    fn totals_are_told_and_the_first_keys() {
        let apart = |keys, rows| Kind { keys, rows };
        assert_eq!(summary("changed", &apart(vec![], 0), &[]), None);
        let one = ["id = 1".to_owned()];
        assert_eq!(summary("changed", &apart(vec![1], 1), &one).as_deref(), Some("1 row changed: id = 1"));
        assert_eq!(summary("changed", &apart(vec![1], 22), &one).as_deref(), Some("22 rows changed: id = 1"));
        let two = ["id = 1".to_owned(), "id = 2".to_owned()];
        let seven = summary("changed", &apart((1..8).collect(), 7), &two);
        assert_eq!(seven.as_deref(), Some("7 rows changed: id = 1, id = 2, …"));
    }
}
