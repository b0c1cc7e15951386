//! The data of a dump: COPY rows as a stream, everything else in its order.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::time::Instant;

use bytes::Bytes;
use futures_util::SinkExt;
use tokio_postgres::CopyInSink;
use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use super::copy::{self, JobRow, Treatment};
use super::{Context, restore};
use crate::connect::Session;
use crate::error::{Error, Server};
use crate::progress::rate;
use crate::report::Missing;
use crate::script::{self, Class, Statement};
use crate::stream::{Event, Stream};

const PART: &str = "data";

/// What the data stage learnt for those after it.
#[derive(Default)]
pub(super) struct Loaded {
    /// Owners and privileges that stand in the data: those of large objects.
    pub(super) access: Vec<Statement>,
    /// Rows that the target took, by `schema.table`.
    pub(super) rows: BTreeMap<String, u64>,
    /// Tables whose rows stayed behind.
    pub(super) skipped: BTreeSet<String>,
    /// Jobs.
    pub(super) jobs: Vec<JobRow>,
    /// Sequences as the dump sets them: `last_value` and `is_called`.
    pub(super) sequences: BTreeMap<String, (String, bool)>,
}

/// Facts that the data stage needs.
pub(super) struct Need<'a> {
    /// The user of the target.
    pub(super) admin: &'a str,
    /// Relations of the target.
    pub(super) relations: &'a BTreeSet<String>,
    /// Bytes of the source's tables.
    pub(super) sizes: &'a BTreeMap<String, u64>,
}

/// Where the rows that come now go.
enum Sink {
    Target(Pin<Box<CopyInSink<Bytes>>>),
    Buffer(Vec<u8>, Vec<String>),
    Nowhere(String, u64),
}

struct Current {
    statement: Statement,
    table: String,
    sink: Sink,
    bytes: u64,
}

/// Runs all of `stream` on `session`.
pub(super) async fn load(
    context: &Context,
    stream: &mut Stream,
    session: &Session,
    need: &Need<'_>,
) -> Result<Loaded, Error> {
    let start = Instant::now();
    let mut loaded = Loaded::default();
    let mut current: Option<Current> = None;
    let total: u64 = need.sizes.values().sum();
    let (mut passed, mut bytes, mut statements) = (0, 0, 0_u64);
    context.progress.start("data", total);
    loop {
        let events = stream.next().await?;
        if events.is_empty() {
            break;
        }
        for event in events {
            match (event, &mut current) {
                (Event::Statement { sql, line, column }, _) => {
                    statements += 1;
                    current =
                        statement(session, need, &mut loaded, script::statement(&sql, line, column, true))
                            .await?;
                }
                (Event::Rows(rows), Some(copy)) => {
                    bytes += rows.len() as u64;
                    copy.bytes += rows.len() as u64;
                    push(copy, rows).await?;
                    let size = need.sizes.get(&copy.table).copied().unwrap_or_default();
                    context.progress.at(passed + copy.bytes.min(size), &copy.table);
                }
                (Event::EndOfRows, Some(_)) => {
                    let Some(copy) = current.take() else { continue };
                    passed += need.sizes.get(&copy.table).copied().unwrap_or_default();
                    finish(context, session, need, &mut loaded, copy).await?;
                }
                (Event::Rows(_) | Event::EndOfRows, None) => {}
            }
        }
    }
    context.progress.stop();
    let took = start.elapsed();
    let (rows, tables) = (loaded.rows.values().sum(), loaded.rows.values().filter(|&&rows| rows > 0).count());
    {
        let mut report = context.report();
        report.moved.rows = rows;
        report.moved.tables = tables as u64;
        report.moved.bytes = bytes;
        report.moved.statements += statements;
    }
    let (human, per_second) = (indicatif::HumanBytes(bytes), indicatif::HumanBytes(rate(bytes, took)));
    context.stage("data", format!("{rows} rows, {tables} tables, {human}, {per_second}/s"), took);
    Ok(loaded)
}

async fn statement(
    session: &Session,
    need: &Need<'_>,
    loaded: &mut Loaded,
    statement: Statement,
) -> Result<Option<Current>, Error> {
    if let Some((relation, columns)) = copy_from_stdin(&statement.sql) {
        return begin(session, need, loaded, statement, &relation, columns).await.map(Some);
    }
    if statement.class == Class::Access {
        loaded.access.push(statement);
        return Ok(None);
    }
    if let Some((name, value)) = setval(&statement.sql) {
        loaded.sequences.insert(name, value);
    }
    match restore::execute(session, PART, &statement).await {
        // pg_dump sets what the source's version knows (`transaction_timeout`), and the target may be older.
        Err(error) if statement.class == Class::Setting && restore::code(&error) == "42704" => Ok(None),
        result => result.map(|()| None),
    }
}

async fn begin(
    session: &Session,
    need: &Need<'_>,
    loaded: &mut Loaded,
    statement: Statement,
    relation: &pg::RangeVar,
    columns: Vec<String>,
) -> Result<Current, Error> {
    let table = script::relation_name(relation);
    let exists = need.relations.contains(&table);
    let sink = match copy::treatment(&relation.schemaname, &relation.relname, exists) {
        Treatment::Jobs => Sink::Buffer(Vec::new(), columns),
        Treatment::Skip(why) => {
            loaded.skipped.insert(table.clone());
            Sink::Nowhere(why, 0)
        }
        Treatment::Keep => Sink::Target(open(session, &statement).await?),
    };
    Ok(Current { statement, table, sink, bytes: 0 })
}

async fn open(session: &Session, statement: &Statement) -> Result<Pin<Box<CopyInSink<Bytes>>>, Error> {
    let sink = session.client().copy_in(&statement.sql).await;
    sink.map(Box::pin).map_err(|error| restore::refused(PART, statement, Server::new(&error)))
}

async fn push(copy: &mut Current, rows: Bytes) -> Result<(), Error> {
    match &mut copy.sink {
        Sink::Target(sink) => {
            if let Err(error) = sink.send(rows).await {
                // The sink only knows that nobody listens any more; what the server said comes with the end.
                let answer = sink.as_mut().finish().await.err().unwrap_or(error);
                return Err(restore::refused(PART, &copy.statement, Server::new(&answer)));
            }
        }
        Sink::Buffer(buffer, _) => buffer.extend_from_slice(&rows),
        Sink::Nowhere(_, lines) => *lines += lines_of(&rows),
    }
    Ok(())
}

fn lines_of(rows: &[u8]) -> u64 {
    rows.split_inclusive(|&byte| byte == b'\n').count() as u64
}

async fn finish(
    context: &Context,
    session: &Session,
    need: &Need<'_>,
    loaded: &mut Loaded,
    copy: Current,
) -> Result<(), Error> {
    let Current { statement, table, sink, .. } = copy;
    let mut sink = match sink {
        Sink::Nowhere(_, 0) => return Ok(()),
        Sink::Nowhere(why, rows) => {
            context.report().missing.push(Missing { what: format!("{rows} rows of {table}"), why });
            return Ok(());
        }
        Sink::Buffer(rows, columns) => {
            let (rows, jobs) = copy::jobs(&columns, &rows, need.admin).ok_or_else(|| {
                Error::Defect(format!("the rows of {table} are not in the form that is known"))
            })?;
            loaded.jobs.extend(jobs);
            let mut sink = open(session, &statement).await?;
            sink.send(rows.into())
                .await
                .map_err(|error| restore::refused(PART, &statement, Server::new(&error)))?;
            sink
        }
        Sink::Target(sink) => sink,
    };
    let rows = sink
        .as_mut()
        .finish()
        .await
        .map_err(|error| restore::refused(PART, &statement, Server::new(&error)))?;
    *loaded.rows.entry(table).or_default() += rows;
    Ok(())
}

fn copy_from_stdin(sql: &str) -> Option<(pg::RangeVar, Vec<String>)> {
    if !sql.starts_with("COPY") {
        return None;
    }
    let parsed = parse::parse(sql, true).ok().flatten()?;
    let NodeEnum::CopyStmt(copy) = parsed.node() else { return None };
    if !copy.is_from || !copy.filename.is_empty() {
        return None;
    }
    let columns = copy.attlist.iter().filter_map(|node| match &node.node {
        Some(NodeEnum::String(name)) => Some(name.sval.clone()),
        _ => None,
    });
    Some((copy.relation.clone()?, columns.collect()))
}

/// `SELECT pg_catalog.setval('"s"."q"', 7, true)`: the sequence as `pg_dump` names it, and its state.
fn setval(sql: &str) -> Option<(String, (String, bool))> {
    let rest = sql.strip_prefix("SELECT pg_catalog.setval('")?;
    let (name, rest) = rest.rsplit_once("', ")?;
    let (value, called) = rest.trim_end_matches([')', ';', ' ']).split_once(", ")?;
    Some((name.replace("''", "'"), (value.to_owned(), called == "true")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_names_its_table_and_columns() {
        let (relation, columns) =
            copy_from_stdin("COPY \"Odd\".\"Ta\"\"ble\" (\"a\", \"b c\") FROM stdin;").expect("a COPY");
        assert_eq!(script::relation_name(&relation), "Odd.Ta\"ble");
        assert_eq!(columns, ["a", "b c"]);
        assert!(copy_from_stdin("COPY t TO stdout;").is_none());
    }

    #[test]
    fn a_sequence_is_read_off_its_setval() {
        let found = setval("SELECT pg_catalog.setval('\"s\".\"it''s\"', 99, false);");
        assert_eq!(found, Some(("\"s\".\"it's\"".to_owned(), ("99".to_owned(), false))));
    }
}
