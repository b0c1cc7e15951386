//! Which tables could be hypertables, and why: a score whose parts are spelled out.

use super::interval::{Interval, TimeType, interval, time_type};
use super::tables::{Table, Tables};
use crate::facts::partman::Partman;
use crate::facts::tables::{Attachment, Partitioned, Strategy, Traits};
use crate::facts::{Column, Facts, ObjectId, Symbol};
use crate::parse::Class;
use crate::parse::pg::ConstrType as Kind;

/// From this score on a table is suggested.
pub(crate) const THRESHOLD: i32 = 5;

/// A table that could be a hypertable.
#[derive(Debug)]
pub(crate) struct Candidate<'a> {
    /// The table.
    pub table: Table<'a>,
    /// Its time column.
    pub column: &'a str,
    /// Of what type that is.
    pub kind: TimeType,
    /// The parts of the score, with what each is for.
    pub score: Vec<(i32, String)>,
    /// How the source partitions it by time.
    pub partitioned: Option<&'a Partitioned>,
    /// What pg_partman knows of it.
    pub partman: Option<&'a Partman>,
    /// How much a chunk should cover.
    pub interval: Interval,
    /// The column whose rows belong together: what the columnstore is segmented by.
    pub segment_by: Option<&'a str>,
}

impl Candidate<'_> {
    /// The sum of the score's parts.
    pub(crate) fn total(&self) -> i32 {
        self.score.iter().map(|(points, _)| points).sum()
    }

    /// The score as text: `+2 NOT NULL time column, -2 …`.
    pub(crate) fn spelled(&self) -> String {
        let part = |(points, why): &(i32, String)| format!("{points:+} {why}");
        self.score.iter().map(part).collect::<Vec<_>>().join(", ")
    }
}

/// All candidates, in the order of the dump.
pub(crate) fn candidates<'a>(tables: &'a Tables<'a>) -> Vec<Candidate<'a>> {
    let facts = tables.facts;
    // Whoever has TimescaleDB has chosen already; and not every dump of it tells which tables are hypertables.
    if facts.has_timescaledb() {
        return Vec::new();
    }
    let mut found: Vec<Candidate<'a>> = facts
        .relations
        .iter()
        .filter(|(id, relation)| {
            relation.word == "table"
                && !relation.transient
                && !relation.columns.is_empty()
                && is_own(facts, id)
        })
        .filter_map(|(id, _)| tables.get(id))
        .filter_map(|table| candidate(&table))
        .collect();
    found.sort_by_key(|candidate| candidate.table.relation.place);
    found
}

/// True for a table of the user's that is no hypertable and no part of another table.
fn is_own(facts: &Facts, id: &ObjectId) -> bool {
    let schema = id.schema.as_deref().unwrap_or("");
    let is_system = schema.starts_with("_timescaledb")
        || schema.starts_with("timescaledb_")
        || schema.starts_with("pg_")
        || schema == "information_schema"
        // pg_partman's templates of partitions hold no rows.
        || id.name.starts_with("template_") && facts.extensions.contains_key("pg_partman");
    let of_extension = || {
        facts.extensions.keys().any(|name| facts.is_member_of(name, Class::Relation, Some(schema), &id.name))
    };
    let is_child = || facts.relations.get(id).is_some_and(|relation| !relation.parents.is_empty());
    !is_system
        && !facts.hypertables.contains(id)
        && !facts.converted.contains_key(id)
        && !facts.absent.contains_key(id)
        && !is_child()
        && !of_extension()
}

fn candidate<'a>(table: &Table<'a>) -> Option<Candidate<'a>> {
    let facts = table.facts;
    // pg_partman writes names without quotes, and takes them apart at the first dot itself.
    let name = (table.id.schema.as_deref().unwrap_or(""), &*table.id.name);
    let partman = facts.partman.iter().find(|one| one.parent.split_once('.') == Some(name));
    let partitioned = facts.partitioned.get(table.id);
    // A table that is partitioned by something else than time keeps its partitions.
    if partitioned.is_some_and(|one| matches!(one.strategy, Strategy::List | Strategy::Hash)) {
        return None;
    }
    // A view in all but name; of partitions, rules are what routes rows.
    if partitioned.is_none() && table.attached(Attachment::Rule).next().is_some() {
        return None;
    }
    let by = partitioned.and_then(|one| one.columns.first().copied());
    let best = table
        .relation
        .columns
        .iter()
        .filter(|column| by.is_none_or(|by| column.name == by))
        .filter_map(|column| {
            let kind = time_type(table.data_type(column))?;
            is_time(
                table,
                column,
                kind,
                by.is_some() || partman.is_some_and(|p| *p.control == *table.name(column.name)),
            )
            .then(|| (column, kind, score(table, column, partitioned, partman)))
        })
        // The first of equals: max_by_key would take the last.
        .reduce(|best, next| if sum(&next.2) > sum(&best.2) { next } else { best });
    let (column, kind, score) = best?;
    if sum(&score) < THRESHOLD || !has_evidence(table, column, partitioned, partman) {
        return None;
    }
    let name = table.name(column.name);
    Some(Candidate {
        table: *table,
        column: name,
        kind,
        score,
        partitioned,
        partman,
        interval: interval(kind, name, partitioned, partman),
        segment_by: segment_by(table, column),
    })
}

fn sum(score: &[(i32, String)]) -> i32 {
    score.iter().map(|(points, _)| points).sum()
}

/// True where a column may say when something happened.
fn is_time(table: &Table<'_>, column: &Column, kind: TimeType, by_partitions: bool) -> bool {
    if column.traits.has(Traits::GENERATED) {
        return false;
    }
    let name = table.name(column.name).to_ascii_lowercase();
    if by_partitions {
        // Ranges of a number that is no time are no series.
        return kind != TimeType::Integer || says_time(&name);
    }
    if kind == TimeType::Integer && !COUNTED.contains(&name.as_str()) {
        return false;
    }
    // When a state ends or was last touched: such columns change, and a row would change its chunk.
    let changes = [
        "updat", "modif", "delet", "expir", "last_", "valid", "birth", "due", "until", "deadline", "schedul",
        "start", "next_", "end_", "ended", "finish", "complet", "cancel", "retry", "hire", "return",
    ];
    !changes.iter().any(|part| name.contains(part))
}

/// Names of integers that count time.
const COUNTED: [&str; 14] = [
    "ts",
    "time",
    "timestamp",
    "epoch",
    "clock",
    "unixtime",
    "unix_time",
    "ts_ms",
    "time_ms",
    "timestamp_ms",
    "epoch_ms",
    "ts_ns",
    "time_ns",
    "timestamp_ns",
];

fn says_time(name: &str) -> bool {
    COUNTED.contains(&name) || ends_with_word(name, &HAPPENED) || MADE.contains(&name)
}

/// Names that say when something happened.
const HAPPENED: [&str; 16] = [
    "time",
    "ts",
    "timestamp",
    "event_time",
    "recorded_at",
    "observed_at",
    "occurred_at",
    "measured_at",
    "logged_at",
    "sampled_at",
    "received_at",
    "happened_at",
    "datetime",
    "day",
    "date",
    "at",
];

/// Names that say when the row was made.
const MADE: [&str; 6] =
    ["created_at", "inserted_at", "created", "created_on", "creation_date", "date_created"];

/// Last words of names of tables that are written once and read by time.
const SERIES: [&str; 40] = [
    "metric",
    "metrics",
    "event",
    "events",
    "log",
    "logs",
    "reading",
    "readings",
    "measurement",
    "measurements",
    "measure",
    "measures",
    "history",
    "audit",
    "audits",
    "tick",
    "ticks",
    "trade",
    "trades",
    "sample",
    "samples",
    "telemetry",
    "point",
    "points",
    "datapoints",
    "timeseries",
    "observation",
    "observations",
    "heartbeats",
    "prices",
    "quotes",
    "candles",
    "clicks",
    "impressions",
    "pageviews",
    "hits",
    "positions",
    "pings",
    "journal",
    "rollups",
];

fn ends_with_word(name: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        name.strip_suffix(word)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('_') || rest.ends_with('-'))
    })
}

fn says_series(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ends_with_word(&name, &SERIES)
        || ["sensor_", "telemetry_", "audit_", "history_", "metrics_"]
            .iter()
            .any(|start| name.starts_with(start))
}

fn score(
    table: &Table<'_>,
    column: &Column,
    partitioned: Option<&Partitioned>,
    partman: Option<&Partman>,
) -> Vec<(i32, String)> {
    let name = table.name(column.name);
    let lower = name.to_ascii_lowercase();
    let mut score = Vec::new();
    let mut add = |points: i32, why: &str| score.push((points, why.to_owned()));
    match (partitioned, partman) {
        (_, Some(_)) => add(3, "partitioned by time, by pg_partman"),
        (Some(one), _) if one.strategy == Strategy::Inheritance => add(3, "child tables with ranges of time"),
        (Some(_), _) => add(3, "partitioned by time already"),
        (None, None) => {}
    }
    if column.traits.has(Traits::NOT_NULL) {
        add(2, "NOT NULL time column");
    }
    if column.traits.has(Traits::NOW) {
        add(2, "its default is the current time");
    }
    if reads_by_time(table, column.name) {
        add(2, "an index or key for reading by time");
    }
    if table.indexes().any(|index| table.name(index.method) == "brin" && index.columns.contains(&column.name))
    {
        add(1, "a BRIN index on time");
    }
    if says_time(&lower) {
        add(1, "the column's name");
    }
    if says_series(&table.id.name) {
        add(1, "the table's name");
    }
    if table.relation.columns.iter().any(|other| other.traits.has(Traits::NUMBERED)) {
        add(1, "rows are numbered as they come");
    }
    if measures(table, column).next().is_some() {
        add(1, "columns of measured values");
    }
    if table.referenced_by().next().is_some() {
        add(-3, "other tables refer to its rows");
    }
    if table.relation.columns.iter().any(|other| {
        let name = table.name(other.name).to_ascii_lowercase();
        time_type(table.data_type(other)).is_some_and(|kind| kind != TimeType::Integer)
            && (name.contains("updat") || name.contains("modif") || name.contains("last_"))
    }) {
        add(-2, "rows are updated later");
    }
    if table.unique().any(|unique| !unique.columns.contains(&column.name)) {
        add(-2, "a unique key without the time column (HT-02)");
    }
    let whole = partitioned.is_none() && partman.is_none();
    if whole && table.relation.columns.len() <= 2 && measures(table, column).next().is_none() {
        add(-3, "no columns but its key");
    }
    score
}

/// True where an index or key begins with the column, or has it behind others: reads by time.
fn reads_by_time(table: &Table<'_>, column: Symbol) -> bool {
    let keys = table.unique().map(|unique| unique.columns);
    let indexes =
        table.indexes().filter(|index| table.name(index.method) != "brin").map(|index| &*index.columns);
    let mut lists = keys.chain(indexes);
    lists.any(|columns| {
        columns.first() == Some(&column) || columns.get(1..).is_some_and(|rest| rest.contains(&column))
    })
}

/// Columns that hold measured values: numbers that are no key.
fn measures<'a>(table: &Table<'a>, time: &Column) -> impl Iterator<Item = &'a Column> {
    let (table, time) = (*table, time.name);
    table.relation.columns.iter().filter(move |column| {
        column.name != time
            && matches!(
                table.data_type(column),
                "float4" | "float8" | "numeric" | "real" | "double" | "decimal"
            )
    })
}

/// A score alone also comes together for ordinary tables of a business: something has to speak of a series.
fn has_evidence(
    table: &Table<'_>,
    column: &Column,
    partitioned: Option<&Partitioned>,
    partman: Option<&Partman>,
) -> bool {
    if partitioned.is_some() || partman.is_some() {
        return true;
    }
    let lower = table.name(column.name).to_ascii_lowercase();
    let brin = table
        .indexes()
        .any(|index| table.name(index.method) == "brin" && index.columns.contains(&column.name));
    // When a row was made says nothing about an order or an account.
    if MADE.contains(&lower.as_str()) {
        return brin || says_series(&table.id.name);
    }
    // Measured values whose rows are told apart by their time.
    let by_time = || table.unique().all(|unique| unique.columns.contains(&column.name));
    brin || says_series(&table.id.name)
        || ends_with_word(&lower, &HAPPENED)
            && reads_by_time(table, column.name)
            && measures(table, column).next().is_some()
            && by_time()
}

/// A foreign key's column, or the one that an index or key has before the time.
fn segment_by<'a>(table: &Table<'a>, time: &Column) -> Option<&'a str> {
    let is_numbered = |symbol: Symbol| {
        table
            .relation
            .columns
            .iter()
            .any(|column| column.name == symbol && column.traits.has(Traits::NUMBERED))
    };
    let usable =
        |symbol: Symbol| symbol != time.name && !table.name(symbol).is_empty() && !is_numbered(symbol);
    let before_time = |columns: &'a [Symbol]| {
        let at = columns.iter().position(|column| *column == time.name)?;
        columns.get(..at)?.first().copied().filter(|symbol| usable(*symbol))
    };
    let indexes = table.indexes().filter_map(|index| before_time(&index.columns));
    let keys = table.unique().filter_map(|unique| before_time(unique.columns));
    let foreign = table.constraints().filter(|c| Kind::try_from(c.kind) == Ok(Kind::ConstrForeign));
    let foreign = foreign.filter_map(|c| match &*c.columns {
        [one] => Some(*one).filter(|symbol| usable(*symbol)),
        _ => None,
    });
    indexes.chain(keys).chain(foreign).next().map(|symbol| table.name(symbol))
}
