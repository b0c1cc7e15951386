//! Relations that hold rows, with what it takes to hash their rows.

use std::collections::BTreeMap;

use crate::connect::Session;
use crate::error::Error;
use crate::names::Relation;
use crate::quote::literal;
use crate::tables::UNSTABLE;

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) type_schema: String,
    pub(super) type_name: String,
    /// `typtype`.
    pub(super) type_kind: String,
    /// Its type's function for the binary format; `-` where it has none.
    pub(super) send: String,
    /// Of an array, range: the type of what is in it.
    pub(super) element: String,
    pub(super) element_schema: String,
    /// Its type's object id on this server; 0 of a domain.
    pub(super) type_id: u32,
    /// Its value follows from other columns'.
    pub(super) generated: bool,
    /// It was added with a default, which older rows show without having it.
    pub(super) added: bool,
}

impl Column {
    /// It holds batches of compressed values.
    pub(super) fn is_compressed(&self) -> bool {
        self.type_name == "compressed_data" && crate::timescale::is_own(&self.type_schema)
    }
}

/// A relation that holds rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    /// Its name there, where that is another one than it has on the target.
    pub(super) on_source: Option<Relation>,
    /// `r`, `m`, `p` for the root of partitions.
    pub(super) kind: String,
    /// Its object id.
    pub(super) oid: u32,
    /// `pg_table_size`.
    pub(super) size: u64,
    pub(super) owner: String,
    /// The root of its partitions, where which of them a row belongs to is each database's own matter: an enum's hash is
    /// that of its object id.
    pub(super) root: Option<Relation>,
    pub(super) populated: bool,
    /// By name.
    pub(super) columns: Vec<Column>,
    /// Of an extension's configuration table: which rows are the user's, `WHERE …` or nothing.
    pub(super) condition: Option<String>,
    /// Of the primary key, else of a unique index whose columns are never null, else none.
    pub(super) key: Vec<String>,
}

impl Held {
    /// The columns of its key, else of a few short values, else all: what a sample is chosen by.
    pub(super) fn chooser(&self) -> Vec<&Column> {
        let key: Vec<_> = self.columns.iter().filter(|column| self.key.contains(&column.name)).collect();
        if !key.is_empty() {
            return key;
        }
        let short = ["int2", "int4", "int8", "date", "timestamp", "timestamptz", "uuid", "float8"];
        let short: Vec<_> = self
            .columns
            .iter()
            .filter(|column| column.type_schema == "pg_catalog" && short.contains(&column.type_name.as_str()))
            .take(3)
            .collect();
        if short.is_empty() { self.columns.iter().collect() } else { short }
    }
}

/// The relations of one database.
#[derive(Clone, Debug, Default)]
pub(super) struct Relations {
    /// Those with rows of their own.
    pub(super) tables: BTreeMap<Relation, Held>,
    /// Roots of partitions.
    pub(super) roots: BTreeMap<Relation, Held>,
}

/// The columns that both have, by name: a column whose types differ is hashed as text.
pub(super) fn common(ours: &[Column], theirs: &[Column]) -> Vec<Column> {
    let text = |column: &Column| Column { type_kind: "?".into(), ..column.clone() };
    ours.iter()
        .filter_map(|column| {
            let other = theirs.iter().find(|other| other.name == column.name)?;
            let same = other.type_name == column.type_name && other.element == column.element;
            Some(if same { column.clone() } else { text(column) })
        })
        .collect()
}

/// All of them, and the configuration tables of extensions, TimescaleDB's aside. Other members of extensions are left out.
pub(super) async fn read(session: &Session) -> Result<Relations, Error> {
    let only = format!(
        "n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '{}') AND c.relpersistence <> 't' AND {}",
        crate::engine::marks::SCHEMA,
        super::object::not_member("'pg_catalog.pg_class'::pg_catalog.regclass", "c.oid")
    );
    let all = ask(session, "'r', 'm', 'p'", &only).await?;
    let (roots, mut found): (BTreeMap<_, _>, BTreeMap<_, _>) =
        all.into_iter().partition(|(_, held)| held.kind == "p");
    let configured = session
        .ask(
            "SELECT n.nspname, c.relname, coalesce(x.extcondition[i], '') FROM pg_catalog.pg_extension x \
             CROSS JOIN LATERAL pg_catalog.generate_subscripts(x.extconfig, 1) i \
             JOIN pg_catalog.pg_class c ON c.oid = x.extconfig[i] AND c.relkind = 'r' \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE x.extname <> 'timescaledb' \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
               JOIN pg_catalog.pg_roles r ON r.oid = t.typowner AND NOT r.rolsuper AND r.rolname <> current_user \
               WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND x.extcondition[i] <> '')",
        )
        .await?;
    for row in configured {
        let (relation, condition) = (row.relation(0)?, row.text(2)?);
        if let Some(held) = one(session, &relation).await? {
            found.insert(relation, Held { condition: Some(condition.trim().to_owned()), ..held });
        }
    }
    Ok(Relations { tables: found, roots })
}

/// One table.
pub(super) async fn one(session: &Session, relation: &Relation) -> Result<Option<Held>, Error> {
    let only =
        format!("n.nspname = {} AND c.relname = {}", literal(&relation.schema), literal(&relation.name));
    Ok(ask(session, "'r', 'm'", &only).await?.into_values().next())
}

async fn ask(session: &Session, kinds: &str, only: &str) -> Result<BTreeMap<Relation, Held>, Error> {
    let question = format!(
        "SELECT n.nspname, c.relname, c.relkind, pg_catalog.pg_table_size(c.oid), \
           pg_catalog.pg_get_userbyid(c.relowner), c.relispopulated, \
           (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.attname, tn.nspname, t.typname, t.typtype, \
              CASE WHEN t.typname <> 'refcursor' THEN t.typsend::pg_catalog.regproc::pg_catalog.text END, en.nspname, e.typname, \
              CASE t.typtype WHEN 'd' THEN '0' ELSE t.oid::bigint::pg_catalog.text END, a.attgenerated, \
              CASE WHEN a.atthasmissing THEN 't' ELSE '' END) \
              ORDER BY a.attname::pg_catalog.text COLLATE pg_catalog.\"C\") \
            FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
            JOIN pg_catalog.pg_namespace tn ON tn.oid = t.typnamespace \
            LEFT JOIN pg_catalog.pg_range r ON r.rngtypid = t.oid \
            LEFT JOIN pg_catalog.pg_type e ON e.oid = coalesce(r.rngsubtype, nullif(t.typelem, 0)) \
            LEFT JOIN pg_catalog.pg_namespace en ON en.oid = e.typnamespace \
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), \
           (SELECT pg_catalog.json_agg(a.attname ORDER BY k.ord) FROM (SELECT i.indkey FROM pg_catalog.pg_index i \
              WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL \
              AND (i.indisprimary OR NOT EXISTS (SELECT FROM pg_catalog.pg_attribute b WHERE b.attrelid = c.oid \
                AND b.attnum = ANY (i.indkey::pg_catalog.int2[]) AND NOT b.attnotnull)) \
              ORDER BY i.indisprimary DESC, i.indnatts, i.indexrelid LIMIT 1) x, \
            LATERAL pg_catalog.unnest(x.indkey::pg_catalog.int2[]) WITH ORDINALITY k(num, ord) \
            JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.num), \
           (SELECT pg_catalog.json_build_array(rn.nspname, r.relname) FROM pg_catalog.pg_class r \
            JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace \
            WHERE c.relispartition AND r.oid = pg_catalog.pg_partition_root(c.oid) AND EXISTS \
              (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) p \
               JOIN pg_catalog.pg_partitioned_table t ON t.partrelid = p.relid AND t.partstrat = 'h' \
               WHERE {UNSTABLE})), c.oid \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ({kinds}) AND {only}"
    );
    let mut found = BTreeMap::new();
    for row in session.ask(&question).await? {
        let columns: Vec<Vec<Option<String>>> = row.json(6)?;
        let column = |row: Vec<Option<String>>| {
            let mut row = row.into_iter().map(Option::unwrap_or_default);
            Column {
                name: row.next().unwrap_or_default(),
                type_schema: row.next().unwrap_or_default(),
                type_name: row.next().unwrap_or_default(),
                type_kind: row.next().unwrap_or_default(),
                send: row.next().unwrap_or_default(),
                element_schema: row.next().unwrap_or_default(),
                element: row.next().unwrap_or_default(),
                type_id: row.next().and_then(|id| id.parse().ok()).unwrap_or_default(),
                generated: row.next().is_some_and(|generated| !generated.is_empty()),
                added: row.next().is_some_and(|added| !added.is_empty()),
            }
        };
        let held = Held {
            on_source: None,
            kind: row.text(2)?.to_owned(),
            oid: row.number(9)?,
            // A table that was dropped in the meantime has no size; reading it says so.
            size: row.optional_number(3)?.unwrap_or_default(),
            owner: row.text(4)?.to_owned(),
            populated: row.flag(5)?,
            columns: columns.into_iter().map(column).collect(),
            condition: None,
            key: row.json(7)?,
            root: match &row.json::<Vec<String>>(8)?[..] {
                [schema, name] => Some(Relation { schema: schema.clone(), name: name.clone() }),
                _ => None,
            },
        };
        found.insert(row.relation(0)?, held);
    }
    Ok(found)
}
