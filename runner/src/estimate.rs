//! How long a migration will take: measured where that can be done without writing anything, known rates for the rest.

use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use serde::Serialize;

use crate::connect::Session;
use crate::error::Error;
use crate::names::Relation;
use crate::progress::rate;
use crate::volume::Volume;

/// Bytes of tables that one session loads in a second with COPY: the slowest and the fastest that are usual.
/// Measured on two shared cores with local disks: 140 MB/s in binary format with FREEZE, into a table of five columns;
/// a service's volume takes a third of that.
const LOAD: (u64, u64) = (40_000_000, 140_000_000);
/// Bytes of B-tree indexes that one session builds in a second: 60 MB/s on the same machine for integers, 20 MB/s for
/// text in a language's order.
const INDEX: (u64, u64) = (20_000_000, 60_000_000);
/// Bytes of tables that one session takes a checksum of in a second: 115 MB/s there.
const CHECK: (u64, u64) = (50_000_000, 120_000_000);
/// Everything that does not depend on bytes: dumps of the schema, sessions, statements, at least and at most seconds.
const REST: (f64, f64) = (5.0, 20.0);
/// Seconds for each relation: a COPY has its own transaction, an index its own.
const EACH: (f64, f64) = (0.002, 0.02);
/// Ways to the farther server and back that one waits for, whatever there is to move: sessions, questions, steps. Counted
/// on a migration of 1,300 relations; the comparison at its end has as many again as the second number.
const TRIPS: (u64, u64) = (200, 100);
/// A round trip that is shorter, in milliseconds, is lost in the other times.
const NEAR: f64 = 1.0;

/// So long something is measured.
const LONG: Duration = Duration::from_secs(1);
/// What took less than this says nothing about a rate.
const SHORT: Duration = Duration::from_millis(50);
/// Bytes that are sent at once.
const BLOCK: usize = 4 << 20;

/// What was measured, with one session on each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rates {
    /// Bytes of tables that the source delivers in a second.
    pub read: Option<u64>,
    /// Bytes of COPY data for a hundred bytes of tables.
    pub density: Option<u64>,
    /// Bytes that the target takes off the network in a second.
    pub send: Option<u64>,
    /// Milliseconds that a question takes to the farther server and back.
    pub round_trip: Option<f64>,
}

/// A time, from and to, in seconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Span {
    /// Of what.
    pub what: &'static str,
    /// If all goes well.
    pub low: f64,
    /// If little does.
    pub high: f64,
}

/// How long it will take.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Estimate {
    /// What was measured.
    pub rates: Rates,
    /// The parts of it.
    pub spans: Vec<Span>,
    /// All of it, in seconds, if all goes well.
    pub low: f64,
    /// And if little does.
    pub high: f64,
}

/// What the options say about the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Copies at once.
    pub jobs: u64,
    /// Builds at once.
    pub builders: u64,
    /// Bytes of COPY data in a second that it is limited to.
    pub max_rate: Option<u64>,
    /// Rows are compared by checksums at the end.
    pub verify: bool,
}

/// Measures for about two seconds. Nothing is written; where something cannot be measured, its rate is missing.
///
/// # Errors
/// When a session is lost.
pub async fn measure(source: &Session, target: &Session, volume: &Volume) -> Result<Rates, Error> {
    let (read, density) = match volume.largest() {
        Some(table) => read(source, table).await?,
        None => (None, None),
    };
    Ok(Rates { read, density, send: send(target).await?, round_trip: None })
}

/// Reads a table until the server stops it, and throws the rows away.
async fn read(source: &Session, table: &Relation) -> Result<(Option<u64>, Option<u64>), Error> {
    let table = table.sql();
    let about = source
        .ask(&format!(
            "SELECT pg_catalog.pg_table_size(c.oid), c.reltuples::bigint FROM pg_catalog.pg_class c \
             WHERE c.oid = pg_catalog.to_regclass({})",
            crate::quote::literal(&table)
        ))
        .await?;
    // A table that was dropped in the meantime has no row here, or no size.
    let Some(about) = about.first() else { return Ok((None, None)) };
    let Some(size) = about.optional_number(0)? else { return Ok((None, None)) };
    // One that was never analyzed has -1 rows.
    let Ok(rows) = u64::try_from(about.number::<i64>(1)?) else { return Ok((None, None)) };
    // The server itself ends it: nothing runs on when we have seen enough.
    source.run(&format!("SET statement_timeout = {}", LONG.as_millis())).await?;
    let start = Instant::now();
    let (mut bytes, mut seen) = (0_u64, 0_u64);
    // Who may not read it, or has it locked by others, is told by the migration itself.
    if let Ok(stream) = source.client().copy_out(&format!("COPY {table} TO STDOUT")).await {
        let mut stream = std::pin::pin!(stream);
        while let Ok(Some(row)) = stream.try_next().await {
            bytes += row.len() as u64;
            seen += 1;
        }
    }
    let took = start.elapsed();
    source.run("SET statement_timeout = 0").await?;
    Ok(reading(size, rows, bytes, seen, took))
}

/// Bytes of tables in a second, and of COPY data for each of them.
fn reading(size: u64, rows: u64, bytes: u64, seen: u64, took: Duration) -> (Option<u64>, Option<u64>) {
    if took < SHORT || seen == 0 || rows == 0 {
        return (None, None);
    }
    let share = |of: u64| u64::try_from(u128::from(of) * u128::from(seen.min(rows)) / u128::from(rows));
    let read = share(size).unwrap_or(u64::MAX).max(1);
    let density = u64::try_from(u128::from(bytes) * 100 / u128::from(read)).unwrap_or(100);
    (Some(rate(read, took)), Some(density.clamp(5, 400)))
}

/// Sends bytes whose length alone is asked for.
async fn send(target: &Session) -> Result<Option<u64>, Error> {
    let client = target.client();
    let Ok(statement) = client.prepare("SELECT pg_catalog.length($1::pg_catalog.bytea)").await else {
        return Ok(None);
    };
    let block = vec![0x5a_u8; BLOCK];
    let start = Instant::now();
    let mut sent = 0;
    while start.elapsed() < LONG {
        if client.query_one(&statement, &[&block]).await.is_err() {
            break;
        }
        sent += BLOCK as u64;
    }
    let took = start.elapsed();
    Ok((sent > 0 && took >= SHORT).then(|| rate(sent, took)))
}

/// How long `volume` will take.
#[must_use]
pub fn estimate(volume: &Volume, rates: Rates, work: Work) -> Estimate {
    let jobs = work.jobs.max(1);
    let builders = work.builders.max(1);
    let density = rates.density.unwrap_or(100);
    // Bytes of tables that the network takes in a second.
    let of_table = |copied: u64| copied.saturating_mul(100) / density.max(1);
    let bytes = volume.table_bytes.saturating_add(volume.large_object_bytes);
    let limit = work.max_rate.map_or(u64::MAX, of_table);
    // At best every session adds its own rate on either server, and the network is not full with one.
    let best = [
        rates.read.map_or(u64::MAX, |read| read.saturating_mul(jobs)),
        rates.send.map_or(u64::MAX, |send| of_table(send).saturating_mul(jobs)),
        LOAD.1.saturating_mul(jobs),
        limit,
    ];
    // At worst a second session adds half of the first, and more of them nothing.
    let half = |one: u64| if jobs == 1 { one } else { one.saturating_add(one / 2) };
    let worst =
        [rates.read.map_or(u64::MAX, half), rates.send.map_or(u64::MAX, of_table), half(LOAD.0), limit];
    let slowest = |rates: &[u64]| rates.iter().copied().min().unwrap_or(u64::MAX);
    let seconds =
        |bytes: u64, rate: u64| Duration::from_millis(bytes.saturating_mul(1000) / rate.max(1)).as_secs_f64();
    let scaled = |one: (u64, u64), many: u64| {
        (if many == 1 { one.0 } else { one.0 + one.0 / 2 }, one.1.saturating_mul(many))
    };
    let relations = Duration::from_secs(volume.relations() + volume.indexes).as_secs_f64();
    let mut spans = vec![Span {
        what: "data",
        low: seconds(bytes, slowest(&best)),
        high: seconds(bytes, slowest(&worst)),
    }];
    let (low, high) = scaled(INDEX, builders);
    let views = volume.materialized_view_bytes;
    spans.push(Span {
        what: "indexes and keys",
        low: seconds(volume.index_bytes, high),
        high: seconds(volume.index_bytes.saturating_add(views), low),
    });
    if work.verify {
        let (low, high) = scaled(CHECK, jobs);
        let read = rates.read.unwrap_or(u64::MAX);
        spans.push(Span {
            what: "verification",
            low: seconds(bytes, high.min(read.saturating_mul(jobs))),
            high: seconds(bytes, low.min(half(read))),
        });
    }
    spans.push(Span {
        what: "everything else",
        low: REST.0 + relations * EACH.0,
        high: REST.1 + relations * EACH.1,
    });
    if let Some(round_trip) = rates.round_trip.filter(|milliseconds| *milliseconds >= NEAR) {
        let fixed = TRIPS.0 + if work.verify { TRIPS.1 } else { 0 };
        // A COPY is answered before its rows go.
        let trips = Duration::from_secs(fixed + volume.relations().div_ceil(jobs)).as_secs_f64();
        let seconds = trips * round_trip.min(60_000.0) / 1000.0;
        spans.push(Span { what: "round trips", low: seconds, high: seconds * 2.0 });
    }
    // Indexes are built while other tables are copied: at best all of that is hidden.
    let total = |pick: fn(&Span) -> f64| spans.iter().map(pick).sum::<f64>();
    let hidden = match &spans[..] {
        [data, indexes, ..] => data.low.min(indexes.low),
        _ => 0.0,
    };
    let (low, high) = (total(|span| span.low) - hidden, total(|span| span.high));
    let round = |seconds: f64| (seconds.max(0.0) * 10.0).round() / 10.0;
    for span in &mut spans {
        (span.low, span.high) = (round(span.low), round(span.high));
    }
    Estimate { rates, spans, low: round(low), high: round(high) }
}

/// A range of time, no finer than it can be known: `about 12 to 25 min`.
#[must_use]
pub fn range(low: f64, high: f64) -> String {
    let (unit, name) = match high {
        high if high < 90.0 => (1.0, "s"),
        high if high < 5400.0 => (60.0, "min"),
        _ => (3600.0, "h"),
    };
    let shown = |seconds: f64, up: bool| {
        let number = seconds / unit;
        // Two digits: more would say what nobody knows.
        let number = match number {
            n if n >= 20.0 && up => (n / 5.0).ceil() * 5.0,
            n if n >= 20.0 => (n / 5.0).floor() * 5.0,
            n if n < 10.0 && name == "h" => (n * 2.0).round() / 2.0,
            n if up => n.ceil(),
            n => n.floor(),
        };
        format!("{number}")
    };
    let (from, to) = (shown(low, false), shown(high, true));
    match from.as_str() {
        "0" => format!("up to {to} {name}"),
        from if from == to => format!("about {to} {name}"),
        from => format!("about {from} to {to} {name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_no_finer_than_it_can_be_known() {
        for (low, high, text) in [
            (0.3, 2.5, "up to 3 s"),
            (12.0, 25.0, "about 12 to 25 s"),
            (700.0, 1490.0, "about 11 to 25 min"),
            (1200.0, 2700.0, "about 20 to 45 min"),
            (3600.0, 9000.0, "about 1 to 2.5 h"),
            (60.0, 60.0, "about 60 s"),
            (600.0, 600.0, "about 10 min"),
        ] {
            assert_eq!(range(low, high), text);
        }
    }

    #[test]
    fn a_part_of_a_table_tells_the_rate_of_all_of_it() {
        let second = Duration::from_secs(1);
        assert_eq!(reading(1_000, 100, 400, 50, second), (Some(500), Some(80)));
        // The guess may be too low: a table is never more than all of it.
        assert_eq!(reading(1_000, 100, 400, 200, second), (Some(1_000), Some(40)));
        assert_eq!(reading(1_000, 0, 400, 50, second), (None, None));
        assert_eq!(reading(1_000, 100, 400, 50, Duration::from_millis(3)), (None, None));
    }

    #[test]
    fn the_slowest_of_all_decides() {
        let volume = Volume { table_bytes: 100_000_000_000, ..Volume::default() };
        let work = Work { jobs: 4, builders: 2, max_rate: None, verify: false };
        let data = |rates, work| estimate(&volume, rates, work).spans[0].clone();
        let rates =
            Rates { read: Some(300_000_000), density: Some(50), send: Some(10_000_000), ..Rates::default() };
        let slow = data(rates, work);
        // 10 MB/s of COPY data are 20 MB/s of tables, and four sessions may bring four times that.
        assert_eq!((slow.low, slow.high), (1250.0, 5000.0));
        let unknown = data(Rates::default(), work);
        assert!(unknown.low < slow.low && unknown.high < slow.high, "{unknown:?}");
        let limited = data(rates, Work { max_rate: Some(5_000_000), ..work });
        assert_eq!((limited.low, limited.high), (10_000.0, 10_000.0));
    }

    #[test]
    fn a_distance_costs_its_round_trips() {
        let volume = Volume { table_bytes: 1_000_000, ..Volume::default() };
        let of = |round_trip, verify| {
            let rates = Rates { round_trip, ..Rates::default() };
            let found = estimate(&volume, rates, Work { jobs: 4, builders: 4, max_rate: None, verify });
            let trips = found.spans.iter().find(|span| span.what == "round trips");
            (trips.map(|span| (span.low, span.high)), found.low)
        };
        let (none, near) = of(Some(0.2), true);
        assert_eq!(none, None);
        assert_eq!(of(None, true), (None, near));
        let (far, low) = of(Some(30.0), true);
        assert_eq!(far, Some((9.0, 18.0)));
        assert!((low - near - 9.0).abs() < 0.2, "{low} {near}");
        assert_eq!(of(Some(30.0), false).0, Some((6.0, 12.0)));
    }

    #[test]
    fn the_range_is_in_order_whatever_is_known() {
        for bytes in [0, 1, 1_000_000, u64::MAX] {
            for read in [None, Some(0), Some(1), Some(u64::MAX)] {
                for jobs in [0, 1, 64] {
                    let volume = Volume { table_bytes: bytes, index_bytes: bytes, ..Volume::default() };
                    let rates = Rates { read, density: read, send: read, round_trip: Some(30.0) };
                    let found =
                        estimate(&volume, rates, Work { jobs, builders: jobs, max_rate: None, verify: true });
                    assert!(
                        found.low <= found.high && found.high.is_finite(),
                        "{bytes} {read:?} {jobs}: {found:?}"
                    );
                }
            }
        }
    }
}
