//! The schemas and relations of a source that a pattern can mean.

use std::collections::{BTreeMap, BTreeSet};

use crate::connect::Session;
use crate::error::Error;
use crate::inspect::Facts;
use crate::names::Relation;
use crate::timescale::{self, Catalogs};

/// A table, partitioned table, view, materialized view, foreign table or sequence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: Relation,
    /// `pg_class.relkind`.
    pub kind: char,
    /// The partitioned table it is a partition of.
    pub parent: Option<Relation>,
    /// The table whose column the sequence belongs to.
    pub owner: Option<Relation>,
}

impl Listed {
    /// Whether there are rows to leave behind: a view has none, a foreign table's are elsewhere, and a sequence keeps
    /// its value, for the next row may need it.
    pub(super) fn has_rows(&self) -> bool {
        !matches!(self.kind, 'v' | 'f' | 'S')
    }
}

/// What patterns can mean: nothing that belongs to PostgreSQL or an extension, and no chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// The schemas.
    pub schemas: BTreeSet<String>,
    /// The relations.
    pub relations: Vec<Listed>,
    /// Extensions by their schema; `public` is left out, for every database has it.
    pub extension_schemas: BTreeMap<String, Vec<String>>,
    /// The hypertables that people made.
    pub hypertables: BTreeSet<Relation>,
    /// The continuous aggregates.
    pub aggregates: BTreeSet<Relation>,
    /// The chunks of each hypertable, with those that hold its compressed rows.
    pub chunks: BTreeMap<Relation, Vec<Relation>>,
    /// Schemas of TimescaleDB that hold chunks and the insides of continuous aggregates.
    pub chunk_schemas: BTreeSet<String>,
    /// Jobs that run procedures of people's own, and the schemas of those.
    pub jobs: Vec<(String, String)>,
}

const NOT_AN_EXTENSIONS: &str = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.deptype = 'e' AND e.objid = x.oid AND e.classid = ";

fn schemas() -> String {
    format!(
        "SELECT nspname FROM pg_catalog.pg_namespace x WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' \
         AND {NOT_AN_EXTENSIONS} 'pg_catalog.pg_namespace'::pg_catalog.regclass)"
    )
}

fn relations() -> String {
    format!(
        "SELECT n.nspname, x.relname, x.relkind, pn.nspname, p.relname, tn.nspname, t.relname \
         FROM pg_catalog.pg_class x JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace \
         LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = x.oid AND x.relispartition \
         LEFT JOIN pg_catalog.pg_class p ON p.oid = i.inhparent \
         LEFT JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace \
         LEFT JOIN pg_catalog.pg_depend d ON x.relkind = 'S' AND d.deptype IN ('a', 'i') AND d.objid = x.oid \
              AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 \
              AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass \
         LEFT JOIN pg_catalog.pg_class t ON t.oid = d.refobjid \
         LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace \
         WHERE x.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND x.relpersistence <> 't' AND n.nspname !~ '^pg_' \
         AND n.nspname <> 'information_schema' \
         AND {NOT_AN_EXTENSIONS} 'pg_catalog.pg_class'::pg_catalog.regclass) \
         ORDER BY 1, 2"
    )
}

const EXTENSION_SCHEMAS: &str = "SELECT n.nspname, e.extname FROM pg_catalog.pg_extension e \
    JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace \
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'public' ORDER BY 1, 2";

/// Each hypertable with its chunks, then with the tables of their compressed rows.
fn chunks(catalogs: &Catalogs) -> Result<String, Error> {
    Ok(format!(
        "WITH tables AS ({}), chunks AS ({}), parts AS ( \
           SELECT hypertable_id, relid FROM chunks UNION ALL SELECT hypertable_id, compressed FROM chunks) \
         SELECT t.schema_name, t.table_name, n.nspname, k.relname \
         FROM tables t JOIN parts p ON p.hypertable_id = t.id JOIN pg_catalog.pg_class k ON k.oid = p.relid \
         JOIN pg_catalog.pg_namespace n ON n.oid = k.relnamespace",
        catalogs.hypertables()?,
        catalogs.chunks()?
    ))
}

/// Asks a source for its names.
///
/// # Errors
/// When the server refuses a question.
pub async fn names(session: &Session, facts: &Facts) -> Result<Names, Error> {
    let mut names = Names { schemas: session.ask_list(&schemas()).await?, ..Names::default() };
    for row in session.ask(EXTENSION_SCHEMAS).await? {
        let (schema, extension) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
        names.extension_schemas.entry(schema).or_default().push(extension);
    }
    let catalogs = Catalogs::read(session).await?;
    let mut of_chunks = BTreeSet::new();
    if let Some(found) = &facts.timescale {
        for row in session.ask(&chunks(&catalogs)?).await? {
            let chunk = row.relation(2)?;
            of_chunks.insert(chunk.clone());
            names.chunks.entry(row.relation(0)?).or_default().push(chunk);
        }
        let of_people = |table: &&Relation| names.schemas.contains(&table.schema);
        names.hypertables = found.hypertables.iter().filter(of_people).cloned().collect();
        names.aggregates = found.aggregates.iter().filter(of_people).cloned().collect();
        names.chunk_schemas = of_chunks.iter().map(|chunk| chunk.schema.clone()).collect();
        names.chunk_schemas.insert(timescale::INTERNAL.to_owned());
    }
    if facts.timescale.is_some() {
        let question = format!("SELECT application_name, proc_schema FROM {} ORDER BY id", catalogs.jobs()?);
        for row in session.ask(&question).await? {
            // TimescaleDB's own jobs may have no schema.
            let Some(schema) = row.optional(1)? else { continue };
            if names.schemas.contains(schema) {
                names.jobs.push((row.text(0)?.to_owned(), schema.to_owned()));
            }
        }
    }
    for row in session.ask(&relations()).await? {
        let listed = Listed {
            name: row.relation(0)?,
            kind: row.text(2)?.chars().next().unwrap_or('r'),
            parent: row.optional_relation(3)?,
            owner: row.optional_relation(5)?,
        };
        if names.schemas.contains(&listed.name.schema) && !of_chunks.contains(&listed.name) {
            names.relations.push(listed);
        }
    }
    Ok(names)
}
