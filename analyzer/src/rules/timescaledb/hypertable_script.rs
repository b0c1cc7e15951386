//! The SQL that makes hypertables, their compression and their continuous aggregates again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::orphans::materialization;
use crate::facts::names::{quoted, quoted_path};
use crate::facts::timescale::{
    Aggregate, Compression, Dimension, Hypertable, INTERNAL, Partitioning, Timescale, Unit,
};
use crate::facts::{Facts, ObjectId};
use crate::parse::Class;
use crate::quote::literal;

/// TimescaleDB's own default, in microseconds: seven days.
const DEFAULT_INTERVAL: i64 = 7 * DAY;

const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

/// A script in the making.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Its text.
    pub sql: String,
    /// What a person has to look at, each in a sentence without its full stop.
    pub doubts: Vec<String>,
}

impl Written {
    fn line(&mut self, line: &str) {
        self.sql.push_str(line);
        self.sql.push('\n');
    }

    fn doubt(&mut self, doubt: String) {
        // Names may hold line ends.
        let line = doubt.replace(['\n', '\r'], " ");
        self.line(&format!("-- CHECK: {line}."));
        self.doubts.push(doubt);
    }
}

fn path(id: &ObjectId) -> String {
    quoted_path(id.schema.as_deref(), &id.name)
}

/// An interval of so many microseconds as SQL writes it.
fn interval(microseconds: i64) -> String {
    let (count, unit) = [(DAY, "day"), (3600 * SECOND, "hour"), (60 * SECOND, "minute"), (SECOND, "second")]
        .into_iter()
        .find(|(size, _)| microseconds % size == 0)
        .map_or((microseconds, "microsecond"), |(size, unit)| (microseconds / size, unit));
    format!("INTERVAL '{count} {unit}{}'", if count == 1 { "" } else { "s" })
}

/// Hypertables, compression and continuous aggregates, in the order that they need.
pub(crate) fn write(facts: &Facts) -> Written {
    let mut out = Written::default();
    let timescale = &facts.timescale;
    let settings = compressions(facts);
    for (table, hypertable) in &timescale.hypertables {
        write_hypertable(facts, table, hypertable, &mut out);
        if let Some(compression) = hypertable.compression.as_ref().or_else(|| settings.tables.get(table)) {
            write_compression(table, compression, &mut out);
        }
        out.line("");
    }
    for (id, aggregate) in &timescale.aggregates {
        write_aggregate(*id, aggregate, settings.aggregates.contains(id), &mut out);
    }
    let known = settings.tables.len() + settings.aggregates.len();
    let unknown = timescale.compressed_tables.len().saturating_sub(known);
    if unknown > 0 {
        out.doubt(format!(
            "compression is on for {unknown} more of these tables and aggregates, but no compressed chunk shows which \
             and how: look at timescaledb_information.compression_settings on the source"
        ));
    }
    out
}

fn write_hypertable(facts: &Facts, table: &ObjectId, hypertable: &Hypertable, out: &mut Written) {
    let guess;
    let dimensions = if hypertable.dimensions.is_empty() {
        let Some(column) = time_column(facts, table) else {
            out.doubt(format!(
                "the dump does not tell by which column {} is partitioned: it has no chunks. Complete this line",
                path(table)
            ));
            let line = format!(
                "-- SELECT public.create_hypertable({}, public.by_range('…'), create_default_indexes => false);",
                literal(&path(table))
            );
            out.line(&line.replace(['\n', '\r'], " "));
            return;
        };
        out.doubt(format!(
            "{} has no chunks: the column {} and the interval of 7 days, TimescaleDB's default, are a guess",
            path(table),
            quoted(column)
        ));
        guess = [Dimension::guessed(column, DEFAULT_INTERVAL)];
        &guess[..]
    } else {
        &hypertable.dimensions[..]
    };
    for (index, dimension) in dimensions.iter().enumerate() {
        let call = builder(dimension);
        let name = literal(&path(table));
        let line = if index == 0 {
            format!(
                "SELECT public.create_hypertable({name}, {call}, create_default_indexes => false, if_not_exists => true);"
            )
        } else {
            format!("SELECT public.add_dimension({name}, {call}, if_not_exists => true);")
        };
        out.line(&line);
        let is_integer = matches!(dimension.partitioning, Partitioning::Range { unit: Unit::Integer, .. });
        if let Some(now) = &dimension.now {
            let now = literal(&path(now));
            out.line(&format!(
                "SELECT public.set_integer_now_func({name}, {now}, replace_if_exists => true);"
            ));
        } else if is_integer && index == 0 {
            match clock(facts, table, &dimension.column) {
                Some(now) => {
                    out.doubt(format!(
                        "that {} tells the current time of {} is a guess: policies and continuous aggregates on \
                         integer columns need such a function",
                        path(now),
                        path(table)
                    ));
                    let now = literal(&path(now));
                    out.line(&format!(
                        "SELECT public.set_integer_now_func({name}, {now}, replace_if_exists => true);"
                    ));
                }
                None => out.doubt(format!(
                    "policies and continuous aggregates on {} need a function for its current time: SELECT \
                     public.set_integer_now_func({name}, '…')",
                    path(table)
                )),
            }
        }
    }
}

/// The function that most likely tells the current time of an integer column: the only one of its type, or of those
/// the only one with `now` in its name, or with the table's name too.
fn clock<'a>(facts: &'a Facts, table: &ObjectId, column: &str) -> Option<&'a ObjectId> {
    let data_type = facts.columns_of(table).find(|(name, _)| *name == column)?.1;
    let clocks: Vec<&ObjectId> =
        facts.timescale.clocks.iter().filter(|(_, t)| **t == *data_type).map(|(id, _)| id).collect();
    let now: Vec<&ObjectId> = clocks.iter().copied().filter(|id| id.name.contains("now")).collect();
    let named: Vec<&ObjectId> = now.iter().copied().filter(|id| id.name.contains(&*table.name)).collect();
    match (named.as_slice(), now.as_slice(), clocks.as_slice()) {
        ([one], _, _) | ([], [one], _) | ([], [], [one]) => Some(one),
        _ => None,
    }
}

/// `by_range(…)` or `by_hash(…)`.
fn builder(dimension: &Dimension) -> String {
    let mut call = match dimension.partitioning {
        Partitioning::Range { interval: size, unit } => {
            let size = match (size, unit) {
                (Some(size), Unit::Microseconds) => format!(", {}", interval(size)),
                (Some(size), Unit::Integer) => format!(", {size}"),
                (None, _) => String::new(),
            };
            format!("public.by_range({}{size}", literal(&dimension.column))
        }
        Partitioning::Hash { partitions } => {
            format!("public.by_hash({}, {partitions}", literal(&dimension.column))
        }
    };
    if let Some(function) = &dimension.function {
        let _ = write!(call, ", partition_func => {}", literal(&path(function)));
    }
    call.push(')');
    call
}

/// The column of an empty hypertable that its default index is on, or its only one of a time type.
fn time_column<'a>(facts: &'a Facts, table: &ObjectId) -> Option<&'a str> {
    let columns: Vec<_> = facts.columns_of(table).collect();
    let has_index = |column: &str| {
        let name = format!("{}_{column}_idx", table.name);
        facts.relations.contains_key(&ObjectId::new(Class::Relation, table.schema.as_deref(), &name))
    };
    let is_time =
        |data_type: &str| matches!(data_type.rsplit('.').next(), Some("timestamptz" | "timestamp" | "date"));
    let times: Vec<&str> = columns.iter().filter(|(_, t)| is_time(t)).map(|(name, _)| *name).collect();
    let indexed: Vec<&str> = times.iter().copied().filter(|name| has_index(name)).collect();
    match (indexed.as_slice(), times.as_slice()) {
        ([one], _) | ([], [one]) => Some(one),
        _ => None,
    }
}

fn write_compression(table: &ObjectId, compression: &Compression, out: &mut Written) {
    let mut options = vec!["timescaledb.compress".to_owned()];
    if !compression.segment_by.is_empty() {
        let names: Vec<String> = compression.segment_by.iter().map(|name| quoted(name)).collect();
        options.push(format!("timescaledb.compress_segmentby = {}", literal(&names.join(", "))));
    }
    if !compression.order_by.is_empty() {
        let order: Vec<String> = compression
            .order_by
            .iter()
            .map(|order| {
                let nulls = match (order.descending, order.nulls_first) {
                    (true, false) => " NULLS LAST",
                    (false, true) => " NULLS FIRST",
                    _ => "",
                };
                let direction = if order.descending { " DESC" } else { "" };
                format!("{}{direction}{nulls}", quoted(&order.column))
            })
            .collect();
        options.push(format!("timescaledb.compress_orderby = {}", literal(&order.join(", "))));
    }
    if compression.uncertain {
        out.doubt(format!(
            "the order of compressed rows of {} is a guess from the types of its columns",
            path(table)
        ));
    }
    out.line(&format!("ALTER TABLE {} SET ({});", path(table), options.join(", ")));
}

fn write_aggregate(id: i64, aggregate: &Aggregate, compressed: bool, out: &mut Written) {
    let Some(view) = &aggregate.view else { return };
    let Some(definition) = &aggregate.definition else {
        out.doubt(format!(
            "the query of continuous aggregate {} is not in the dump: its view {INTERNAL}._direct_view_{id} is missing",
            path(view)
        ));
        return;
    };
    let mut options =
        format!("timescaledb.continuous, timescaledb.materialized_only = {}", !aggregate.real_time);
    if !aggregate.group_indexes {
        options.push_str(", timescaledb.create_group_indexes = false");
    }
    out.line(&format!(
        "CREATE MATERIALIZED VIEW {} WITH ({options}) AS\n {definition}\nWITH NO DATA;",
        path(view)
    ));
    if compressed {
        out.line(&format!("ALTER MATERIALIZED VIEW {} SET (timescaledb.compress = true);", path(view)));
    }
    out.line("");
}

/// Compression as the compressed chunks show it.
#[derive(Debug, Default)]
struct Compressions {
    tables: BTreeMap<ObjectId, Compression>,
    aggregates: BTreeSet<i64>,
}

/// A compressed chunk does not name its hypertable before 2.29: their columns are the same.
fn compressions(facts: &Facts) -> Compressions {
    let timescale: &Timescale = &facts.timescale;
    let mut found = Compressions::default();
    for (number, chunk) in &timescale.compressed {
        let fits = |table: &ObjectId| {
            let columns: Vec<&str> = facts.columns_of(table).map(|(name, _)| name).collect();
            chunk.has_columns(&columns)
        };
        let named = chunk.hypertable.and_then(|id| timescale.ids.get(&id)).cloned();
        let fitting: Vec<&ObjectId> = timescale
            .hypertables
            .keys()
            .filter(|table| match &named {
                Some(named) => *table == named,
                None => fits(table) && !found.tables.contains_key(table),
            })
            .collect();
        if let Some(table) = fitting.first() {
            let time = timescale.hypertables.get(*table).and_then(|known| known.dimensions.first());
            let time = time.map_or("", |dimension| &*dimension.column);
            let mut settings = chunk.settings(time, &facts.columns_of(table).collect::<Vec<_>>());
            settings.uncertain |= fitting.len() > 1;
            found.tables.insert((*table).clone(), settings);
            continue;
        }
        let is_materialization = |id: &i64| {
            let table = ObjectId::new(Class::Relation, Some(INTERNAL), &materialization(*id));
            chunk.hypertable.is_none_or(|number| number == *id) && fits(&table)
        };
        // The compressed table of an aggregate is made after its materialization.
        let aggregate = timescale.aggregates.keys().rev().find(|id| *id <= number && is_materialization(id));
        found.aggregates.extend(aggregate);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_in_their_largest_whole_unit() {
        assert_eq!(interval(DAY), "INTERVAL '1 day'");
        assert_eq!(interval(36 * 3600 * SECOND), "INTERVAL '36 hours'");
        assert_eq!(interval(1), "INTERVAL '1 microsecond'");
    }
}
