//! What a dump tells of a TimescaleDB source: from the rows of its catalogs in a full dump, and from
//! chunks, triggers and views where a dump has no rows.

mod catalog;
mod chunks;
mod version;

pub(crate) use catalog::unquoted;
pub use catalog::{Aggregate, Compression, Job, Kind, Order};
pub use chunks::{Dimension, Partitioning, Unit};
pub use version::{Evidence, Version};

use std::collections::{BTreeMap, BTreeSet};

use super::names::{qualified, relation, string, strings, text};
use super::{Facts, ObjectId};
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, pg};

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
    /// How many chunks the dump makes.
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
    /// The hypertables that users made, by name.
    pub hypertables: BTreeMap<ObjectId, Hypertable>,
    /// Names of all hypertables with a known id, those of materializations and compressed data too.
    pub ids: BTreeMap<i64, ObjectId>,
    /// Continuous aggregates, by the id of their materialization hypertable.
    pub aggregates: BTreeMap<i64, Aggregate>,
    /// Columns of the first compressed chunk of each compressed hypertable, by that hypertable's id.
    pub compressed: BTreeMap<i64, chunks::Compressed>,
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

    fn hypertable(&mut self, id: &ObjectId, place: Place) -> &mut Hypertable {
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
fn is_users(id: &ObjectId) -> bool {
    id.schema.as_deref() != Some(INTERNAL)
}

impl Facts {
    /// Takes what a statement tells of TimescaleDB.
    pub(super) fn observe_timescale(&mut self, statement: &Statement<'_>) {
        let place = || statement.place(&statement.range());
        match statement.node() {
            NodeEnum::CommentStmt(s) if s.objtype == pg::ObjectType::ObjectExtension as i32 => {
                let name = s.object.as_ref().and_then(|object| string(object));
                let edition = match () {
                    () if name != Some("timescaledb") => None,
                    () if s.comment.ends_with("(Community Edition)") => Some(Edition::Community),
                    () if s.comment.ends_with("(Apache 2 Edition)") => Some(Edition::Apache),
                    () => None,
                };
                self.timescale.edition = edition.map(|edition| (edition, place())).or(self.timescale.edition);
            }
            NodeEnum::CreateStmt(s) => self.table_of_timescale(s, place()),
            NodeEnum::CreateFunctionStmt(s) if s.parameters.is_empty() => self.clock(s),
            NodeEnum::CreateTrigStmt(s) if s.trigname.starts_with("ts_") => self.trigger(s, place()),
            NodeEnum::ViewStmt(s) => self.view_of_timescale(statement, s),
            NodeEnum::IndexStmt(s) => self.index_of_timescale(statement, s),
            NodeEnum::CopyStmt(s) if s.is_from => {
                if let Some(range) = &s.relation {
                    self.timescale.evidence.copied(range, &s.attlist);
                    self.catalog_rows(range, place());
                }
            }
            NodeEnum::InsertStmt(s) => {
                if let Some(range) = &s.relation {
                    self.catalog_rows(range, place());
                }
            }
            NodeEnum::SelectStmt(s) => {
                for name in called(s) {
                    match name {
                        "timescaledb_pre_restore" => self.timescale.restoring.0 = Some(place()),
                        "timescaledb_post_restore" => self.timescale.restoring.1 = Some(place()),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }

    fn catalog_rows(&mut self, range: &pg::RangeVar, place: Place) {
        if range.schemaname == "_timescaledb_catalog" && range.relname == "hypertable" {
            self.timescale.catalogs.get_or_insert(place);
        }
        if range.schemaname == INTERNAL && chunk_ids(&range.relname, "_hyper_").is_some() {
            self.timescale.chunk_rows.get_or_insert(place);
        }
    }

    fn clock(&mut self, s: &pg::CreateFunctionStmt) {
        let Some(returned) = s.return_type.as_ref().filter(|returned| !returned.setof) else { return };
        let data_type = strings(&returned.names).join(".");
        let is_integer = matches!(&*data_type, "pg_catalog.int2" | "pg_catalog.int4" | "pg_catalog.int8");
        if let Some((schema, name)) = qualified(&s.funcname).filter(|_| is_integer) {
            let id = self.resolved(&ObjectId::new(Class::Function, schema, name));
            self.timescale.clocks.push((id, data_type.into()));
        }
    }

    fn trigger(&mut self, s: &pg::CreateTrigStmt, place: Place) {
        let Some(range) = &s.relation else { return };
        let (schema, table) = relation(range);
        let id = self.resolved(&ObjectId::new(Class::Relation, schema, table));
        match &*s.trigname {
            "ts_insert_blocker" => {
                // TimescaleDB up to 2.22 marks every hypertable with this trigger.
                let schema = s.funcname.first().and_then(string).unwrap_or_default();
                self.timescale.evidence.blocker(schema);
                if is_users(&id) {
                    self.timescale.hypertable(&id, place);
                }
                self.hypertables.insert(id);
            }
            "ts_cagg_invalidation_trigger" if is_users(&id) => {
                let number = s.args.first().and_then(text).and_then(|number| number.parse().ok());
                self.timescale.ids.extend(number.map(|number: i64| (number, id.clone())));
                self.timescale.hypertable(&id, place).id = number;
            }
            _ => {}
        }
    }
}

/// The functions that a `SELECT f(…)` calls at its top.
pub(crate) fn called(select: &pg::SelectStmt) -> impl Iterator<Item = &str> {
    select.target_list.iter().filter_map(|target| {
        let NodeEnum::ResTarget(target) = target.node.as_ref()? else { return None };
        let NodeEnum::FuncCall(call) = target.val.as_ref()?.node.as_ref()? else { return None };
        call.funcname.last().and_then(string)
    })
}
