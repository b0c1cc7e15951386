//! The tables of the source that hold rows, as its snapshot shows them.

pub mod format;
pub mod range;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::format::{Format, Types};
use crate::connect::Session;
use crate::error::Error;
use crate::guard;
use crate::names::Relation;
use crate::timescale;

/// A table with rows of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name: on both servers, where `from` names no other one of the source's.
    pub relation: Relation,
    /// Its name on the source, where its schema moves into another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Relation>,
    /// Where its rows go: itself, the hypertable that a partitioned table becomes, or the root of partitions whose
    /// bounds mean something else on another server.
    pub into: Relation,
    /// Its columns but generated ones, quoted, with commas; none for a table without any.
    pub columns: String,
    /// Blocks of its main fork.
    pub blocks: u64,
    /// Bytes with TOAST, without indexes.
    pub bytes: u64,
    /// Rows as the planner guesses.
    pub rows: u64,
    /// Ranges of blocks can be read by themselves, and planning such a query calls no function of a user's, nor one that a
    /// user adds meanwhile.
    pub ranges: bool,
    /// How rows go over.
    pub format: Format,
    /// The target's table becomes a hypertable: rows are routed, and `FREEZE` is refused.
    pub routed: bool,
    /// Positions of columns of compressed rows, where the source writes a batch of NULLs so that no restore reads it: a
    /// NULL goes over in its place, which means the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub null_batches: Vec<usize>,
}

impl Table {
    /// Its name on the source.
    #[must_use]
    pub fn on_source(&self) -> &Relation {
        self.from.as_ref().unwrap_or(&self.relation)
    }

    /// Gives it the name that it has on the target, and what its rows go into.
    pub fn rename(&mut self, new: impl Fn(&Relation) -> Relation) {
        let name = new(&self.relation);
        self.into = new(&self.into);
        if name != self.relation {
            self.from = Some(std::mem::replace(&mut self.relation, name));
        }
    }
}

/// Columns go into statements for the target, whose keywords are others: all of them in quotes.
/// Tables of users with rows of their own: no partitioned parents, none that belong to an extension. An enum's hash
/// is that of its object id, so partitions by it, or by what may be made of it, hold other rows on another server (`pg_dump`
/// knows that of enums alone); one by a collation that is not deterministic depends on the version of ICU.
const TABLES: &str = "{guard}
SELECT c.oid, n.nspname, c.relname, pg_catalog.pg_relation_size(c.oid), pg_catalog.pg_table_size(c.oid),
       greatest(c.reltuples, 0)::bigint, coalesce(m.amname, 'heap') = 'heap' AND ({locks} OR o.oid IS NULL) AND f.oid IS NULL,
       {rewritten}{moved}, a.columns, a.types,
       rn.nspname, r.relname
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
LEFT JOIN folded f ON f.oid = c.oid
LEFT JOIN owned o ON o.oid = c.oid
LEFT JOIN pg_catalog.pg_class r ON c.relispartition AND r.oid = pg_catalog.pg_partition_root(c.oid)
  AND EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) p
              JOIN pg_catalog.pg_partitioned_table t ON t.partrelid = p.relid AND t.partstrat = 'h'
              WHERE {unstable})
LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace,
LATERAL (SELECT pg_catalog.string_agg('\"' || pg_catalog.replace(attname, '\"', '\"\"') || '\"', ', ' ORDER BY attnum) AS columns,
                pg_catalog.string_agg(atttypid::bigint::text, ' ' ORDER BY attnum) AS types
         FROM pg_catalog.pg_attribute
         WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '') a
WHERE c.relkind = 'r' AND {only} ORDER BY 5 DESC, 2, 3";

/// Of `pg_partitioned_table t`: another server may put a row into another of its partitions.
pub const UNSTABLE: &str = "(EXISTS (SELECT FROM pg_catalog.pg_opclass o WHERE o.oid = ANY (t.partclass)
    AND o.opcname IN ('enum_ops', 'array_ops', 'record_ops', 'range_ops', 'multirange_ops'))
  OR EXISTS (SELECT FROM pg_catalog.pg_collation k WHERE k.oid = ANY (t.partcollation) AND NOT k.collisdeterministic))";

/// What is a user's own.
const OF_USERS: &str = "c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                  AND d.objid = c.oid AND d.deptype = 'e')";

/// The name as it is now, which no snapshot shows, is another table's.
const MOVED: &str = "
       OR pg_catalog.to_regclass(pg_catalog.format('%I.%I', n.nspname, c.relname)) IS DISTINCT FROM c.oid::pg_catalog.regclass";

/// Object ids and names of tables, partitioned ones too: to ask for more than that takes locks.
///
/// # Errors
/// When the server refuses the question.
pub async fn names(session: &Session) -> Result<Vec<(u32, Relation)>, Error> {
    let question = format!(
        "SELECT c.oid, n.nspname, c.relname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND {OF_USERS} ORDER BY 1"
    );
    let rows = session.ask(&question).await?;
    rows.iter().map(|row| Ok((row.number(0)?, row.relation(1)?))).collect()
}

/// What a table of the target is made of, so that a binary row fits it.
const SHAPES: &str = "
SELECT n.nspname, c.relname, c.relkind, pg_catalog.md5(coalesce((
  SELECT pg_catalog.string_agg(pg_catalog.format('%I %s', attname, pg_catalog.format_type(atttypid, atttypmod)), ','
                               ORDER BY attname COLLATE \"C\")
  FROM pg_catalog.pg_attribute WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''), ''))
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";

/// What the source has.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Tables, the largest first.
    pub tables: Vec<Table>,
    /// Tables that were rewritten, emptied or replaced after the snapshot was taken: it cannot see their rows.
    pub rewritten: Vec<Relation>,
}

/// Lists the tables in the session's snapshot. Those of `locked` alone, where they are locked: then a table that has
/// another name now, or whose name is another's, counts as rewritten.
///
/// # Errors
/// When the server refuses a question.
pub async fn list(session: &Session, locked: Option<&[u32]>) -> Result<Listing, Error> {
    let types = Types::read(session).await?;
    let server = session.ask_row(SERVER).await?;
    let block: u64 = server.number(0)?;
    let null_batches = server.optional(1)?.is_some_and(timescale::writes_null_batches);
    let mut listing = Listing::default();
    let (only, moved) = match locked {
        None => (OF_USERS.to_owned(), ""),
        Some(oids) => {
            let oids: Vec<String> = oids.iter().map(ToString::to_string).collect();
            (format!("c.oid = ANY ('{{{}}}'::pg_catalog.oid[])", oids.join(",")), MOVED)
        }
    };
    let tables =
        TABLES.replace("{only}", &only).replace("{rewritten}", guard::REWRITTEN).replace("{moved}", moved);
    let tables =
        tables.replace("{guard}", guard::FOLDED_AND_OWNED).replace("{locks}", guard::LOCKS_OWNERS_OUT);
    for row in session.ask(&tables.replace("{unstable}", UNSTABLE)).await? {
        let relation = row.relation(1)?;
        // A table that was dropped after the snapshot was taken has no size any more. The server may ask for sizes after
        // it has looked at the file: it puts off volatile functions until it has sorted.
        let (rewritten, sizes) = (row.flag(7)?, row.optional_number::<u64>(3)?.zip(row.optional_number(4)?));
        let Some((main, bytes)) = sizes.filter(|_| !rewritten) else {
            listing.rewritten.push(relation);
            continue;
        };
        let oids = row.optional(9)?.unwrap_or_default();
        let oids: Vec<u32> = oids.split(' ').filter_map(|oid| oid.parse().ok()).collect();
        let format = if oids.iter().all(|oid| types.binary(*oid)) { Format::Binary } else { Format::Text };
        let compressed =
            oids.iter().enumerate().filter(|(_, oid)| null_batches && types.is_compressed(**oid));
        listing.tables.push(Table {
            into: row.optional_relation(10)?.unwrap_or_else(|| relation.clone()),
            relation,
            from: None,
            columns: row.optional(8)?.unwrap_or_default().to_owned(),
            blocks: main / block,
            bytes,
            rows: row.number(5)?,
            ranges: row.flag(6)?,
            format,
            routed: false,
            null_batches: compressed.map(|(position, _)| position).collect(),
        });
    }
    Ok(listing)
}

/// The size of its blocks, and the version of TimescaleDB.
const SERVER: &str = "
SELECT pg_catalog.current_setting('block_size'),
       (SELECT extversion FROM pg_catalog.pg_extension WHERE extname = 'timescaledb')";

/// The kind of every relation of a database and a hash of its columns' names and types.
pub type Shapes = BTreeMap<Relation, (String, String)>;

/// Reads them.
///
/// # Errors
/// When the server refuses the question.
pub async fn shapes(session: &Session) -> Result<Shapes, Error> {
    let rows = session.ask(SHAPES).await?;
    rows.iter()
        .map(|row| Ok((row.relation(0)?, (row.text(2)?.to_owned(), row.text(3)?.to_owned()))))
        .collect()
}
