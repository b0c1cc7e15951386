//! How much there is to move: read off the catalogs in a few questions.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::connect::Session;
use crate::error::Error;
use crate::names::Relation;
use crate::timescale::Catalogs;

/// What the rows of a plan's table are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A table, or a partition.
    #[default]
    Table,
    /// A hypertable with its chunks.
    Hypertable,
    /// A continuous aggregate with its chunks.
    ContinuousAggregate,
}

/// A table with what stands for it: a hypertable with all of its chunks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct TableSize {
    /// `schema.name`, as people know it, with quotes where SQL needs them.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes with TOAST, without indexes.
    pub bytes: u64,
    /// Rows as the planner guesses, in compressed chunks as TimescaleDB counted them; none where nobody knows.
    pub rows: Option<u64>,
    /// Chunks.
    pub chunks: u64,
    /// Compressed ones among them.
    pub compressed: u64,
    /// COPY commands that it takes; 0 where that is not decided yet.
    pub parts: u64,
    /// Their format: `binary`, `text`, or both.
    pub format: String,
}

/// Everything there is to move.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Volume {
    /// Tables, the largest first.
    pub tables: Vec<TableSize>,
    /// Bytes of all tables.
    pub table_bytes: u64,
    /// Indexes, those of constraints among them.
    pub indexes: u64,
    /// Their bytes.
    pub index_bytes: u64,
    /// Foreign keys.
    pub foreign_keys: u64,
    /// Large objects.
    pub large_objects: u64,
    /// Their bytes.
    pub large_object_bytes: u64,
    /// Materialized views, which are filled anew.
    pub materialized_views: u64,
    /// Their bytes on the source.
    pub materialized_view_bytes: u64,
    /// Sequences.
    pub sequences: u64,
    /// Each by itself, until those are chosen that go over: there may be hundreds of thousands.
    #[serde(skip)]
    pub(crate) relations: Vec<Size>,
    /// How many of them there are.
    #[serde(skip)]
    pub(crate) number: u64,
    /// That with the most bytes.
    #[serde(skip)]
    pub(crate) largest: Option<Relation>,
}

/// The size of one relation with rows of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Size {
    name: Relation,
    /// What it is a part of for people: itself, or the hypertable of a chunk.
    group: Relation,
    kind: Kind,
    role: Role,
    bytes: u64,
    index_bytes: u64,
    indexes: u64,
    rows: Option<u64>,
    parts: u64,
    format: &'static str,
}

/// What a relation is in its group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Role {
    /// All of it, or the root of a hypertable.
    #[default]
    Root,
    Chunk,
    Compressed,
}

const RELATIONS: &str = "
SELECT n.nspname, c.relname, pg_catalog.pg_table_size(c.oid), pg_catalog.pg_indexes_size(c.oid),
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END,
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid), c.oid
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.objid = c.oid AND d.deptype = 'e')";

/// Tables of hypertables and their chunks by oid, and whose they are: a compressed chunk belongs to the hypertable that
/// it was made of, a materialization's to the continuous aggregate.
fn chunks(catalogs: &Catalogs) -> Result<String, Error> {
    Ok(format!(
        "WITH tables AS ({}), chunks AS ({}), views AS ({}), whose AS ( \
           SELECT t.id, t.relid, t.compresses, coalesce(v.user_view_schema, t.schema_name) AS schema, \
                  coalesce(v.user_view_name, t.table_name) AS name, v.mat_hypertable_id IS NOT NULL AS aggregate \
           FROM tables t LEFT JOIN views v ON v.mat_hypertable_id = t.id) \
         SELECT w.relid, coalesce(p.schema, w.schema), coalesce(p.name, w.name), coalesce(p.aggregate, w.aggregate), \
                'root', NULL::pg_catalog.int8 \
         FROM whose w LEFT JOIN whose p ON p.id = w.compresses \
         UNION ALL SELECT c.relid, w.schema, w.name, w.aggregate, 'chunk', NULL::pg_catalog.int8 \
         FROM chunks c JOIN whose w ON w.id = c.hypertable_id \
         UNION ALL SELECT c.compressed, w.schema, w.name, w.aggregate, 'compressed', c.compressed_rows \
         FROM chunks c JOIN whose w ON w.id = c.hypertable_id WHERE c.compressed IS NOT NULL",
        catalogs.hypertables()?,
        catalogs.chunks()?,
        catalogs.aggregates()?
    ))
}

const COUNTS: &str = "
SELECT (SELECT pg_catalog.count(*) FROM pg_catalog.pg_constraint f WHERE contype = 'f' AND conparentid = 0
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_namespace t WHERE t.oid = f.connamespace AND t.nspname ~ '^_timescaledb_')),
       (SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata),
       pg_catalog.pg_total_relation_size('pg_catalog.pg_largeobject'::pg_catalog.regclass),
       pg_catalog.count(*) FILTER (WHERE relkind = 'm'),
       coalesce(pg_catalog.sum(pg_catalog.pg_table_size(c.oid)) FILTER (WHERE relkind = 'm'), 0),
       pg_catalog.count(*) FILTER (WHERE relkind = 'S')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE relkind IN ('m', 'S') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.objid = c.oid AND d.deptype = 'e')";

/// Reads how much there is in the session's database.
///
/// # Errors
/// When the server refuses a question, or its TimescaleDB is not known.
pub async fn read(session: &Session) -> Result<Volume, Error> {
    let mut groups = BTreeMap::new();
    let catalogs = Catalogs::read(session).await?;
    if !catalogs.is_empty() {
        for row in session.ask(&chunks(&catalogs)?).await? {
            let kind = if row.flag(3)? { Kind::ContinuousAggregate } else { Kind::Hypertable };
            let role = match row.text(4)? {
                "chunk" => Role::Chunk,
                "compressed" => Role::Compressed,
                _ => Role::Root,
            };
            // A catalog may name a chunk whose table is gone.
            let Some(oid) = row.optional_number::<u32>(0)? else { continue };
            groups.insert(oid, (row.relation(1)?, kind, role, row.optional_number::<u64>(5)?));
        }
    }
    let mut relations = Vec::new();
    for row in session.ask(RELATIONS).await? {
        let name = row.relation(0)?;
        // A table that was dropped in the meantime has no size.
        let (Some(bytes), Some(index_bytes)) = (row.optional_number(2)?, row.optional_number(3)?) else {
            continue;
        };
        let (group, kind, role, compressed) = groups
            .remove(&row.number::<u32>(6)?)
            .unwrap_or_else(|| (name.clone(), Kind::Table, Role::Root, None));
        relations.push(Size {
            name,
            group,
            kind,
            role,
            bytes,
            index_bytes,
            // A row of a compressed chunk holds up to a thousand.
            rows: if role == Role::Compressed { compressed } else { row.optional_number(4)? },
            indexes: row.number(5)?,
            parts: 0,
            format: "",
        });
    }
    let counts = session.ask_row(COUNTS).await?;
    let large_objects = counts.number(1)?;
    let mut volume = Volume {
        foreign_keys: counts.number(0)?,
        large_objects,
        // An empty catalog has its page of an index.
        large_object_bytes: if large_objects == 0 { 0 } else { counts.number(2)? },
        materialized_views: counts.number(3)?,
        materialized_view_bytes: counts.number(4)?,
        sequences: counts.number(5)?,
        relations,
        ..Volume::default()
    };
    volume.group();
    Ok(volume)
}

impl Volume {
    /// Keeps the relations that `chosen` knows, with the number of their parts and their format (`binary` or `text`), as
    /// far as rows go; foreign keys, views and large objects stay as they are.
    pub fn choose(&mut self, chosen: impl Fn(&Relation) -> Option<(u64, &'static str)>) {
        self.relations.retain_mut(|relation| match chosen(&relation.name) {
            Some((parts, format)) => {
                relation.parts = parts;
                // What takes no COPY has no format.
                relation.format = if parts == 0 { "" } else { format };
                true
            }
            None => false,
        });
        self.group();
        self.relations = Vec::new();
    }

    /// The relation with the most bytes.
    #[must_use]
    pub const fn largest(&self) -> Option<&Relation> {
        self.largest.as_ref()
    }

    /// Relations that rows are copied of, each by itself.
    #[must_use]
    pub const fn relations(&self) -> u64 {
        self.number
    }

    /// Chunks, compressed ones among them, of all hypertables and continuous aggregates.
    #[must_use]
    pub fn chunks(&self) -> (u64, u64) {
        let chunks = self.tables.iter().map(|table| table.chunks).sum();
        (chunks, self.tables.iter().map(|table| table.compressed).sum())
    }

    /// How many there are of a kind.
    #[must_use]
    pub fn count(&self, kind: Kind) -> u64 {
        self.tables.iter().filter(|table| table.kind == kind).count() as u64
    }

    /// Bytes that the target will hold: rows, indexes, large objects and views.
    #[must_use]
    pub fn target_bytes(&self) -> u64 {
        [self.table_bytes, self.index_bytes, self.large_object_bytes, self.materialized_view_bytes]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    fn group(&mut self) {
        let mut groups = BTreeMap::<&Relation, TableSize>::new();
        for relation in &self.relations {
            let table = groups.entry(&relation.group).or_insert_with(|| TableSize {
                name: relation.group.to_string(),
                kind: relation.kind,
                ..TableSize::default()
            });
            table.bytes += relation.bytes;
            table.parts += relation.parts;
            match relation.role {
                Role::Root => {}
                Role::Chunk => table.chunks += 1,
                Role::Compressed => table.compressed += 1,
            }
            if let Some(rows) = relation.rows {
                table.rows = Some(table.rows.unwrap_or_default() + rows);
            }
            if table.format.is_empty() {
                relation.format.clone_into(&mut table.format);
            } else if !relation.format.is_empty() && table.format != relation.format {
                "both".clone_into(&mut table.format);
            }
        }
        let mut tables: Vec<TableSize> = groups.into_values().collect();
        tables.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.name.cmp(&b.name)));
        self.tables = tables;
        self.number = self.relations.len() as u64;
        let largest = self.relations.iter().max_by_key(|relation| relation.bytes);
        self.largest = largest.map(|relation| relation.name.clone());
        self.table_bytes = self.relations.iter().map(|relation| relation.bytes).sum();
        self.indexes = self.relations.iter().map(|relation| relation.indexes).sum();
        self.index_bytes = self.relations.iter().map(|relation| relation.index_bytes).sum();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relation(name: &str, group: &str, role: Role, bytes: u64, rows: Option<u64>) -> Size {
        let kind = if name == group { Kind::Table } else { Kind::Hypertable };
        Size {
            name: name.parse().expect("a name"),
            group: group.parse().expect("a name"),
            kind,
            role,
            bytes,
            rows,
            indexes: 2,
            index_bytes: 10,
            ..Size::default()
        }
    }

    pub(crate) fn volume() -> Volume {
        let mut volume = Volume {
            relations: vec![
                relation("s.small", "s.small", Role::Root, 100, None),
                relation("i.chunk1", "s.metrics", Role::Chunk, 500, Some(5)),
                relation("i.chunk2", "s.metrics", Role::Chunk, 0, Some(0)),
                relation("i.compressed2", "s.metrics", Role::Compressed, 300, Some(3)),
                relation("s.orders", "s.orders", Role::Root, 700, Some(7)),
            ],
            ..Volume::default()
        };
        volume.group();
        volume
    }

    #[test]
    fn chunks_stand_under_their_hypertable_and_the_largest_comes_first() {
        let volume = volume();
        let names: Vec<_> = volume.tables.iter().map(|table| (table.name.as_str(), table.bytes)).collect();
        assert_eq!(names, [("s.metrics", 800), ("s.orders", 700), ("s.small", 100)]);
        let metrics = &volume.tables[0];
        assert_eq!((metrics.chunks, metrics.compressed, metrics.rows), (2, 1, Some(8)));
        assert_eq!(volume.tables[2].rows, None, "it was never analysed");
        assert_eq!((volume.table_bytes, volume.indexes, volume.index_bytes), (1600, 10, 50));
        assert_eq!(volume.largest(), Some(&Relation::new("s", "orders")));
        assert_eq!(volume.chunks(), (2, 1));
    }

    #[test]
    fn what_is_not_chosen_does_not_count() {
        let mut volume = volume();
        volume.choose(|name| match name.to_string().as_str() {
            "s.small" => None,
            "i.chunk2" => Some((0, "text")),
            "i.compressed2" => Some((1, "text")),
            _ => Some((2, "binary")),
        });
        assert_eq!(volume.tables.len(), 2);
        assert_eq!((volume.tables[0].parts, volume.tables[0].format.as_str()), (3, "both"));
        assert_eq!((volume.tables[1].parts, volume.tables[1].format.as_str()), (2, "binary"));
        assert_eq!(volume.table_bytes, 1500);
    }
}
