//! The schemas and relations of a source that a pattern can mean.

use std::collections::{BTreeMap, BTreeSet};

use crate::connect::Session;
use crate::error::Error;
use crate::names::Relation;
use crate::timescale::Catalogs;

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
    /// The hypertables and continuous aggregates that people made, by the names that people know.
    pub hypertables: BTreeMap<Relation, Hypertable>,
    /// Ids of the other ones, whose schemas belong to extensions.
    pub other_hypertables: BTreeSet<i64>,
    /// What relations use: another relation, or something else of a schema.
    pub uses: Vec<(Relation, Used)>,
    /// Jobs but TimescaleDB's own.
    pub jobs: Vec<Job>,
}

/// What a relation uses, as PostgreSQL notes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Used {
    /// A table by a foreign key, a table of a view, a sequence of a default.
    Relation(Relation),
    /// A type or a function of this schema.
    Schema(String),
}

/// A hypertable, or the one that holds the rows of a continuous aggregate.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hypertable {
    /// Its id in TimescaleDB's catalogs, and that of the one for its compressed rows (up to 2.28).
    pub ids: BTreeSet<i64>,
    /// Its chunks, with those that hold their compressed rows.
    pub chunks: BTreeSet<Relation>,
    /// Other tables and views that TimescaleDB keeps for it.
    pub inside: BTreeSet<Relation>,
    /// Of a continuous aggregate: the hypertable or the aggregate that it is made from.
    pub made_from: Option<Relation>,
}

impl Hypertable {
    /// All that TimescaleDB keeps for it.
    pub fn kept(&self) -> impl Iterator<Item = &Relation> {
        self.chunks.iter().chain(&self.inside)
    }
}

/// A job that a policy or a user has made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// The schema of the procedure it runs.
    pub schema: String,
    /// The id of the hypertable that it works on.
    pub hypertable: Option<i64>,
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

/// Relations (schema, name) and what they, their constraints, rules, defaults, policies, triggers and indexes use: a relation,
/// or of a type or a function only the schema.
fn uses() -> String {
    let of = |catalog: &str| format!("d.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass");
    let used = |catalog: &str| format!("d.refclassid = 'pg_catalog.{catalog}'::pg_catalog.regclass");
    format!(
        "SELECT DISTINCT un.nspname, u.relname, coalesce(cn.nspname, xn.nspname), c.relname \
         FROM pg_catalog.pg_depend d \
         LEFT JOIN pg_catalog.pg_constraint k ON {constraint} AND k.oid = d.objid \
         LEFT JOIN pg_catalog.pg_rewrite r ON {rewrite} AND r.oid = d.objid \
         LEFT JOIN pg_catalog.pg_attrdef a ON {attrdef} AND a.oid = d.objid \
         LEFT JOIN pg_catalog.pg_policy p ON {policy} AND p.oid = d.objid \
         LEFT JOIN pg_catalog.pg_trigger g ON {trigger} AND g.oid = d.objid \
         LEFT JOIN pg_catalog.pg_index i ON {class} AND i.indexrelid = d.objid \
         JOIN pg_catalog.pg_class u ON u.oid = coalesce(k.conrelid, r.ev_class, a.adrelid, p.polrelid, g.tgrelid, i.indrelid, \
              CASE WHEN {class} THEN d.objid END) \
         JOIN pg_catalog.pg_namespace un ON un.oid = u.relnamespace \
         LEFT JOIN pg_catalog.pg_type t ON {of_type} AND t.oid = d.refobjid \
         LEFT JOIN pg_catalog.pg_proc f ON {of_proc} AND f.oid = d.refobjid \
         LEFT JOIN pg_catalog.pg_class c ON c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') \
              AND c.oid = coalesce(t.typrelid, CASE WHEN {of_class} THEN d.refobjid END) \
         LEFT JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace \
         LEFT JOIN pg_catalog.pg_namespace xn ON xn.oid = coalesce(t.typnamespace, f.pronamespace) \
         WHERE un.nspname !~ '^pg_' AND coalesce(cn.nspname, xn.nspname) !~ '^pg_' AND u.oid IS DISTINCT FROM c.oid \
         ORDER BY 1, 2, 3, 4",
        constraint = of("pg_constraint"),
        rewrite = of("pg_rewrite"),
        attrdef = of("pg_attrdef"),
        policy = of("pg_policy"),
        trigger = of("pg_trigger"),
        class = of("pg_class"),
        of_type = used("pg_type"),
        of_proc = used("pg_proc"),
        of_class = used("pg_class"),
    )
}

/// Each hypertable with the one whose compressed rows it holds.
fn hypertables(catalogs: &Catalogs) -> Result<String, Error> {
    Ok(format!(
        "SELECT t.id, coalesce(t.compresses, t.id), t.schema_name, t.table_name FROM ({}) t ORDER BY 1",
        catalogs.hypertables()?
    ))
}

/// The chunks of each hypertable, then the tables of their compressed rows.
fn chunks(catalogs: &Catalogs) -> Result<String, Error> {
    Ok(format!(
        "WITH chunks AS ({}), parts AS ( \
           SELECT hypertable_id, relid FROM chunks UNION ALL SELECT hypertable_id, compressed FROM chunks) \
         SELECT p.hypertable_id, n.nspname, k.relname FROM parts p JOIN pg_catalog.pg_class k ON k.oid = p.relid \
         JOIN pg_catalog.pg_namespace n ON n.oid = k.relnamespace",
        catalogs.chunks()?
    ))
}

/// Asks a source for its names.
///
/// # Errors
/// When the server refuses a question.
pub async fn names(session: &Session) -> Result<Names, Error> {
    let mut names = Names { schemas: session.ask_list(&schemas()).await?, ..Names::default() };
    for row in session.ask(EXTENSION_SCHEMAS).await? {
        let (schema, extension) = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
        names.extension_schemas.entry(schema).or_default().push(extension);
    }
    let catalogs = Catalogs::read(session).await?;
    if !catalogs.is_empty() {
        timescale(session, &catalogs, &mut names).await?;
    }
    let kept: BTreeSet<Relation> = names.hypertables.values().flat_map(Hypertable::kept).cloned().collect();
    for row in session.ask(&relations()).await? {
        let listed = Listed {
            name: row.relation(0)?,
            kind: row.text(2)?.chars().next().unwrap_or('r'),
            parent: row.optional_relation(3)?,
            owner: row.optional_relation(5)?,
        };
        if names.schemas.contains(&listed.name.schema) && !kept.contains(&listed.name) {
            names.relations.push(listed);
        }
    }
    for row in session.ask(&uses()).await? {
        let (by, schema) = (row.relation(0)?, row.text(2)?);
        if names.schemas.contains(&by.schema) && names.schemas.contains(schema) {
            let used = match row.optional(3)? {
                Some(name) => Used::Relation(Relation::new(schema, name)),
                None => Used::Schema(schema.to_owned()),
            };
            names.uses.push((by, used));
        }
    }
    Ok(names)
}

async fn timescale(session: &Session, catalogs: &Catalogs, names: &mut Names) -> Result<(), Error> {
    // By id: the name that people know, and what it is.
    let mut found = BTreeMap::<i64, (Relation, Hypertable)>::new();
    for row in session.ask(&hypertables(catalogs)?).await? {
        let (id, of, table) = (row.number(0)?, row.number(1)?, row.relation(2)?);
        let (name, hypertable) = found.entry(of).or_default();
        hypertable.ids.insert(id);
        if id == of {
            *name = table;
        } else {
            hypertable.inside.insert(table);
        }
    }
    let mut made_from = BTreeMap::<i64, i64>::new();
    for row in session.ask(catalogs.inner_views()?).await? {
        let id = row.number(0)?;
        made_from.insert(id, row.number(1)?);
        if let Some((name, aggregate)) = found.get_mut(&id) {
            let table = std::mem::replace(name, row.relation(2)?);
            aggregate.inside.extend([table, row.relation(4)?, row.relation(6)?]);
        }
    }
    for (id, of) in made_from {
        let of = found.get(&of).map(|(name, _)| name.clone());
        if let Some((_, aggregate)) = found.get_mut(&id) {
            aggregate.made_from = of;
        }
    }
    for row in session.ask(&chunks(catalogs)?).await? {
        if let Some((_, hypertable)) = found.get_mut(&row.number(0)?) {
            hypertable.chunks.insert(row.relation(1)?);
        }
    }
    for (name, hypertable) in found.into_values() {
        if names.schemas.contains(&name.schema) {
            names.hypertables.insert(name, hypertable);
        } else {
            names.other_hypertables.extend(hypertable.ids);
        }
    }
    let question = format!(
        "SELECT id, application_name, coalesce(proc_schema, ''), hypertable_id FROM {} WHERE id >= 1000 ORDER BY id",
        catalogs.jobs()?
    );
    for row in session.ask(&question).await? {
        names.jobs.push(Job {
            id: row.number(0)?,
            name: row.text(1)?.to_owned(),
            schema: row.text(2)?.to_owned(),
            hypertable: row.optional_number(3)?,
        });
    }
    Ok(())
}
