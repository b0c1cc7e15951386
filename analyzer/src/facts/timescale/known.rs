//! What is known of TimescaleDB on the source, as data.

use std::collections::{BTreeMap, BTreeSet};

use super::version::{Evidence, Version};
use crate::facts::objects::ObjectId;
use crate::finding::Place;

/// The schema of chunks and of what belongs to them.
pub const INTERNAL: &str = "_timescaledb_internal";

/// Which edition the source runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edition {
    /// `timescaledb.license = 'apache'`.
    Apache,
    /// `timescaledb.license = 'timescale'`.
    Community,
}

/// A hypertable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hypertable {
    /// Its id in the source's catalog, where the dump tells it.
    pub id: Option<i64>,
    /// Its dimensions, the first one first where the catalog tells their order.
    pub dimensions: Vec<Dimension>,
    /// How many chunks the dump creates.
    pub chunks: u32,
    /// Its compression (columnstore), where it is on.
    pub compression: Option<Compression>,
    /// It is distributed over nodes (up to 2.13).
    pub distributed: bool,
    /// The size of its chunks adapts (up to 2.27).
    pub adaptive: bool,
    /// The first statement that tells of it.
    pub place: Option<Place>,
}

/// What the dump tells of TimescaleDB on the source.
#[derive(Clone, Debug, Default)]
pub struct Timescale {
    /// The edition, as the comment on the extension says.
    pub edition: Option<(Edition, Place)>,
    /// The exact version, from the catalog `metadata` (2.13 and newer).
    pub version: Option<(Version, Place)>,
    /// What the layout of the catalogs and triggers tells of the version.
    pub evidence: Evidence,
    /// The rows of `_timescaledb_catalog.hypertable` are in the dump.
    pub catalogs: Option<Place>,
    /// Rows of chunks are in the dump.
    pub chunk_rows: Option<Place>,
    /// The hypertables that users created, by name.
    pub hypertables: BTreeMap<ObjectId, Hypertable>,
    /// Names of all hypertables with a known id, those of materializations and compressed data too.
    pub ids: BTreeMap<i64, ObjectId>,
    /// Continuous aggregates, by the id of their materialization hypertable.
    pub aggregates: BTreeMap<i64, Aggregate>,
    /// Columns of the first compressed chunk of each compressed hypertable, by that hypertable's id.
    pub compressed: BTreeMap<i64, Compressed>,
    /// Hypertables of compressed data, by id: each is another one's.
    pub compressed_tables: BTreeSet<i64>,
    /// Functions of users without arguments that return an integer, with its type: one may tell the current time
    /// of an integer column.
    pub clocks: Vec<(ObjectId, Box<str>)>,
    /// Jobs of users: policies and user-defined actions.
    pub jobs: Vec<Job>,
    /// Tablespaces that hypertables (by id) are attached to.
    pub tablespaces: Vec<(i64, Box<str>)>,
    /// Calls of `timescaledb_pre_restore()`, and of `timescaledb_post_restore()`.
    pub restoring: (Option<Place>, Option<Place>),
}

impl Timescale {
    /// True where the dump has a hypertable or a continuous aggregate.
    #[must_use]
    pub fn is_used(&self) -> bool {
        !self.hypertables.is_empty() || !self.aggregates.is_empty()
    }

    /// The hypertable, first seen at this place where it is new.
    pub(super) fn hypertable(&mut self, id: &ObjectId, place: Place) -> &mut Hypertable {
        let table = self.hypertables.entry(id.clone()).or_default();
        table.place.get_or_insert(place);
        table
    }
}

/// The number in a name such as `_materialized_hypertable_7`.
#[must_use]
pub fn number_after(name: &str, prefix: &str) -> Option<i64> {
    name.strip_prefix(prefix)?.parse().ok()
}

/// The ids of hypertable and chunk in `_hyper_1_2_chunk` or `compress_hyper_1_2_chunk`.
#[must_use]
pub fn chunk_ids(name: &str, prefix: &str) -> Option<(i64, i64)> {
    let (table, chunk) = name.strip_prefix(prefix)?.strip_suffix("_chunk")?.split_once('_')?;
    Some((table.parse().ok()?, chunk.parse().ok()?))
}

/// True for a table that users know: no chunk, no materialization, no compressed data.
pub(super) fn is_users(id: &ObjectId) -> bool {
    id.schema.as_deref() != Some(INTERNAL)
}

/// How rows are ordered in compressed batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The column.
    pub column: String,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// Settings of compression (the columnstore).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compression {
    /// Columns that each batch has one value of.
    pub segment_by: Vec<String>,
    /// The order in a batch.
    pub order_by: Vec<Order>,
    /// The dump does not tell all of it.
    pub uncertain: bool,
}

/// A continuous aggregate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aggregate {
    /// The view that users read.
    pub view: Option<ObjectId>,
    /// Its query: the text of the direct view.
    pub definition: Option<Box<str>>,
    /// It shows rows that are not materialized yet, too.
    pub real_time: bool,
    /// In the format of 2.7 and newer.
    pub finalized: bool,
    /// Its materialization has an index for each group.
    pub group_indexes: bool,
    /// The first statement that tells of it.
    pub place: Option<Place>,
}

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A policy of TimescaleDB's own, by the name of its procedure.
    Policy,
    /// A procedure or function of the user's.
    Action,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its id: 1000 and higher.
    pub id: i64,
    /// What it is.
    pub kind: Kind,
    /// Its procedure.
    pub procedure: ObjectId,
    /// The role it runs as.
    pub owner: Box<str>,
    /// How often it runs, as an interval.
    pub schedule: Box<str>,
    /// It runs at all.
    pub scheduled: bool,
    /// The hypertable or materialization hypertable that it is for.
    pub hypertable: Option<i64>,
    /// Its configuration, as JSON.
    pub config: Option<Box<str>>,
    /// Its row.
    pub place: Place,
}

/// What an interval counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Microseconds: columns of a time type.
    Microseconds,
    /// The column's own numbers.
    Integer,
}

/// How a dimension cuts its column's values into chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioning {
    /// By ranges of one size, where it is known.
    Range {
        /// The size.
        interval: Option<i64>,
        /// What it counts.
        unit: Unit,
    },
    /// By a hash.
    Hash {
        /// How many partitions.
        partitions: i64,
    },
}

/// A dimension of a hypertable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dimension {
    /// The column.
    pub column: Box<str>,
    /// A partitioning function of the user's.
    pub function: Option<ObjectId>,
    /// How it is cut.
    pub partitioning: Partitioning,
    /// The function that tells the current time of an integer column.
    pub now: Option<ObjectId>,
    /// The chunk that told the interval: the latest one is cut by the setting of today.
    pub(super) latest_chunk: i64,
    /// The lowest number of a slice: those of one chunk are made in the order of the dimensions.
    pub(super) first_slice: i64,
}

impl Dimension {
    /// A dimension that nothing in the dump tells of.
    #[must_use]
    pub fn guessed(column: &str, interval: i64) -> Self {
        let partitioning = Partitioning::Range { interval: Some(interval), unit: Unit::Microseconds };
        Self {
            column: column.into(),
            function: None,
            partitioning,
            now: None,
            latest_chunk: 0,
            first_slice: 0,
        }
    }
}

/// The columns of a compressed chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compressed {
    /// The hypertable's id, where the chunk's name tells it (2.29).
    pub hypertable: Option<i64>,
    /// Columns with their types, without TimescaleDB's own.
    pub(super) columns: Vec<(Box<str>, Box<str>)>,
    /// Types of the columns that batches are ordered by.
    pub(super) order_types: Vec<Box<str>>,
    /// The order as the index on the segment columns and the bounds shows it.
    pub(super) descending: Vec<bool>,
}
