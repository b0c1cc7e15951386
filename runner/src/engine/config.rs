//! Rows of extensions' configuration tables (`pg_extension.extconfig`), TimescaleDB's catalogs above all: in the order
//! of their foreign keys, all in one transaction, before any other row.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use bytes::{Bytes, BytesMut};
use tokio_postgres::Statement;

use super::chunk_sizes::Chunks;
use super::copy::{Source, Target};
use super::job_rows::{self, Treatment};
use super::rows::RowSource;
use super::target::LiveTarget;
use crate::connect::Session;
use crate::error::Error;
use crate::guard;
use crate::names::Relation;
use crate::quote::{identifier, literal};
use crate::results::Missing;
use crate::step::Step;
use crate::tables::Shapes;
use crate::timescale::{self, Catalogs, Chosen};

/// A configuration table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigTable {
    extension: String,
    relation: Relation,
    oid: u32,
    /// `WHERE …`, or nothing: the rows that are not the extension's own.
    condition: String,
    /// Which of those go over, where not all do.
    chosen: Option<String>,
    /// A query of rows that go over besides.
    besides: Option<String>,
    /// Column names as they are.
    columns: Vec<String>,
    /// Column names as SQL writes them, with commas.
    list: String,
    /// To ask for its rows by the condition may call functions of users: they own the table, or types of its columns.
    strange: bool,
}

impl ConfigTable {
    /// Its name.
    #[must_use]
    pub fn relation(&self) -> &Relation {
        &self.relation
    }

    /// The same table with the rows that an archive of its database has, which are all of them.
    #[must_use]
    pub fn of_archive(self, columns: Vec<String>) -> Self {
        let list = columns.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
        Self { chosen: None, besides: None, columns, list, strange: false, ..self }
    }

    /// What COPY reads of it: the rows that are not the extension's own, where they go over as they are.
    #[must_use]
    pub fn kept(&self) -> Option<String> {
        let is_kept = job_rows::treatment(&self.relation, true) == Treatment::Keep;
        let query = || format!("(SELECT {} FROM ONLY {} {})", self.list, self.relation.sql(), self.condition);
        is_kept.then(query)
    }

    /// The same table of sizes of compressed chunks without what is set right on the way.
    fn with_sound_sizes(&self, catalogs: &Catalogs) -> Self {
        let columns = self.columns.iter().filter(|column| *column != "compressed_chunk_id");
        let list = columns.map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
        let sound = catalogs.sound_sizes();
        let chosen = self.chosen.iter().fold(sound, |all, one| format!("{all} AND ({one})"));
        Self { list, chosen: Some(chosen), ..self.clone() }
    }

    /// Its columns.
    #[must_use]
    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    /// A query of the rows that go over; none for all of the table.
    fn query(&self) -> Option<String> {
        let (list, name) = (&self.list, self.relation.sql());
        let condition = match (self.condition.as_str(), &self.chosen) {
            ("", None) if self.besides.is_none() => return None,
            (condition, None) => condition.to_owned(),
            ("", Some(chosen)) => format!("WHERE {chosen}"),
            (condition, Some(chosen)) => format!("{condition} AND {chosen}"),
        };
        let besides = self.besides.as_ref().map(|rows| format!(" UNION ALL {rows}")).unwrap_or_default();
        Some(format!("SELECT {list} FROM ONLY {name} {condition}{besides}"))
    }
}

const TABLES: &str = "
SELECT x.extname, n.nspname, c.relname, coalesce(x.extcondition[i], ''), c.oid,
       (SELECT pg_catalog.json_agg(attname ORDER BY attnum) FROM pg_catalog.pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''),
       (SELECT pg_catalog.string_agg('\"' || pg_catalog.replace(attname, '\"', '\"\"') || '\"', ', ' ORDER BY attnum) FROM pg_catalog.pg_attribute
        WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = ''),
       {folded} OR EXISTS (SELECT FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
         JOIN pg_catalog.pg_roles r ON r.oid = t.typowner AND NOT r.rolsuper AND r.rolname <> current_user
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped)
FROM pg_catalog.pg_extension x CROSS JOIN LATERAL pg_catalog.generate_subscripts(x.extconfig, 1) i
JOIN pg_catalog.pg_class c ON c.oid = x.extconfig[i] JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' ORDER BY n.nspname, c.relname";

const REFERENCES: &str = "
SELECT conrelid, confrelid FROM pg_catalog.pg_constraint WHERE contype = 'f' AND conrelid <> confrelid
  AND conrelid IN (SELECT pg_catalog.unnest(extconfig) FROM pg_catalog.pg_extension)";

/// The tables in the order they have to be filled, of TimescaleDB's catalogs with the rows that are `chosen`.
///
/// # Errors
/// When the source refuses a question, or its TimescaleDB is not known.
pub async fn list(session: &Session, chosen: Option<&Chosen>) -> Result<Vec<ConfigTable>, Error> {
    let catalogs = if chosen.is_some() { Catalogs::read(session).await? } else { Catalogs::default() };
    let mut tables = Vec::new();
    for row in session.ask(&TABLES.replace("{folded}", &guard::folded("c.oid"))).await? {
        let mut table = ConfigTable {
            extension: row.text(0)?.to_owned(),
            relation: row.relation(1)?,
            oid: row.number(4)?,
            condition: row.optional(3)?.unwrap_or_default().trim().to_owned(),
            chosen: None,
            besides: None,
            columns: row.json(5)?,
            list: row.optional(6)?.unwrap_or_default().to_owned(),
            strange: row.flag(7)?,
        };
        if let Some(chosen) = chosen.filter(|_| table.extension == "timescaledb") {
            if chosen.is_nothing() {
                continue;
            }
            let name = &table.relation.name;
            table.chosen = chosen.rows(&catalogs, name, &table.columns)?;
            table.besides = chosen.besides(name, &table.columns);
        }
        tables.push((row.text(4)?.to_owned(), table));
    }
    let mut needs = BTreeMap::<String, BTreeSet<String>>::new();
    for row in session.ask(REFERENCES).await? {
        needs.entry(row.text(0)?.to_owned()).or_default().insert(row.text(1)?.to_owned());
    }
    Ok(in_order(tables, &needs))
}

/// Tables after those they refer to; what goes round in circles comes last, as it stands.
fn in_order<T>(mut tables: Vec<(String, T)>, needs: &BTreeMap<String, BTreeSet<String>>) -> Vec<T> {
    let mut ordered = Vec::new();
    loop {
        let waiting: BTreeSet<String> = tables.iter().map(|(id, _)| id.clone()).collect();
        let free = |id: &String| needs.get(id).is_none_or(|needs| needs.is_disjoint(&waiting));
        let (ready, rest): (Vec<_>, Vec<_>) = tables.into_iter().partition(|(id, _)| free(id));
        if ready.is_empty() {
            ordered.extend(rest.into_iter().map(|(_, table)| table));
            return ordered;
        }
        ordered.extend(ready.into_iter().map(|(_, table)| table));
        tables = rest;
    }
}

/// What went over.
#[derive(Debug, Default)]
pub struct Filled {
    /// Rows of each table.
    pub rows: BTreeMap<Relation, u64>,
    /// Bytes.
    pub bytes: u64,
    /// Tables whose rows stayed behind.
    pub skipped: BTreeSet<Relation>,
    /// What did not go over, and why.
    pub missing: Vec<Missing>,
}

/// What becomes of the rows of one table.
enum Rows {
    /// They go over, through this COPY.
    Copy(Statement),
    /// The same for jobs.
    Jobs(Statement),
    /// The same for sizes of compressed chunks.
    Sizes(Statement),
    /// They stay behind, for this reason.
    Skip(String),
}

/// Fills all of them; none where that is done. Most are small or empty: the end of one COPY and the beginning of the next
/// are one way there and back, and a table without rows needs none.
///
/// # Errors
/// Those of both servers; then nothing of it is kept.
pub async fn copy(
    source: &mut RowSource,
    target: &mut LiveTarget,
    tables: &[ConfigTable],
    shapes: &Shapes,
    admin: &str,
) -> Result<Option<Filled>, Error> {
    if !target.transaction(&[Step::Catalogs]).await? {
        return Ok(None);
    }
    let mut filled = Filled::default();
    let (strange, tables): (Vec<_>, Vec<_>) =
        tables.iter().partition(|table| table.strange && !table.condition.is_empty());
    for table in strange {
        filled.skipped.insert(table.relation.clone());
        filled.missing.push(Missing {
            what: format!("rows of {}", table.relation),
            why: format!(
                "which of them are not the extension's is asked with a condition of {}, which could call functions of the \
                 table's owner as us",
                table.extension
            ),
            sql: None,
        });
    }
    let all = treatments(target, &tables, shapes).await?;
    // The table whose COPY is under way.
    let mut open: Option<&Relation> = None;
    let mut chunks = Chunks::default();
    for (table, treatment) in tables.into_iter().zip(all) {
        let (name, columns) = (table.relation.sql(), &table.list);
        let sql = match table.query() {
            None => format!("COPY {name} ({columns}) TO STDOUT"),
            Some(query) => format!("COPY ({query}) TO STDOUT"),
        };
        source.copy(&table.relation, table.oid, &sql).await?;
        let (copy, first) = match treatment {
            Rows::Skip(why) => {
                let rows = all_rows(source).await?.split_inclusive(|byte| *byte == b'\n').count();
                filled.skipped.insert(table.relation.clone());
                if rows > 0 {
                    let what = format!("{rows} rows of {}", table.relation);
                    filled.missing.push(Missing { what, why, sql: None });
                }
                continue;
            }
            Rows::Jobs(copy) => {
                let rows = all_rows(source).await?;
                let rows = job_rows::jobs(&table.columns, &rows, admin).ok_or_else(|| strange_rows(table))?;
                (copy, Some(Bytes::from(rows)).filter(|rows| !rows.is_empty()))
            }
            Rows::Sizes(copy) => {
                let rows = all_rows(source).await?;
                let rows = chunks.sizes(&table.columns, &rows).ok_or_else(|| strange_rows(table))?;
                (copy, Some(Bytes::from(rows)).filter(|rows| !rows.is_empty()))
            }
            Rows::Copy(copy)
                if timescale::is_catalog(&table.relation.schema, &table.relation.name, "chunk") =>
            {
                let rows = all_rows(source).await?;
                chunks = Chunks::read(&table.columns, &rows).ok_or_else(|| strange_rows(table))?;
                (copy, Some(rows).filter(|rows| !rows.is_empty()))
            }
            Rows::Copy(copy) => (copy, source.next().await?),
        };
        filled.rows.insert(table.relation.clone(), 0);
        let Some(first) = first else { continue };
        let rows = target.turn_to(Some((&table.relation, &copy))).await?;
        if let Some(before) = open.replace(&table.relation) {
            filled.rows.insert(before.clone(), rows);
        }
        let mut next = Some(first);
        while let Some(row) = next {
            filled.bytes += row.len() as u64;
            target.send(row).await?;
            next = source.next().await?;
        }
    }
    let rows = target.turn_to(None).await?;
    if let Some(last) = open {
        filled.rows.insert(last.clone(), rows);
    }
    target.end(&[filled.rows.values().sum()]).await?;
    Ok(Some(filled))
}

/// What becomes of the rows of each.
async fn treatments(
    target: &mut LiveTarget,
    tables: &[&ConfigTable],
    shapes: &Shapes,
) -> Result<Vec<Rows>, Error> {
    let of =
        |table: &&ConfigTable| job_rows::treatment(&table.relation, shapes.contains_key(&table.relation));
    let wanted: Vec<Treatment> = tables.iter().map(of).collect();
    // Those that the target has.
    let open: Vec<&ConfigTable> = tables
        .iter()
        .zip(&wanted)
        .filter(|(_, treatment)| !matches!(treatment, Treatment::Skip(_)))
        .map(|(table, _)| *table)
        .collect();
    let may_insert = writable(target.session().await?, &open).await?;
    let open: Vec<&ConfigTable> =
        open.into_iter().filter(|table| may_insert.contains(&table.relation.sql())).collect();
    let sql = |table: &&ConfigTable| {
        let sql = format!("COPY {} ({}) FROM STDIN", table.relation.sql(), table.list);
        (table.relation.clone(), sql)
    };
    let copies = target.understood("", &open.iter().map(sql).collect::<Vec<_>>()).await?;
    let mut copies: BTreeMap<&Relation, Statement> =
        open.iter().map(|table| &table.relation).zip(copies).collect();
    let of = |(table, treatment): (&&ConfigTable, Treatment)| match (
        treatment,
        copies.remove(&table.relation),
    ) {
        (Treatment::Skip(why), _) => Rows::Skip(why),
        (Treatment::Keep, Some(copy)) => Rows::Copy(copy),
        (Treatment::Jobs, Some(copy)) => Rows::Jobs(copy),
        (Treatment::Sizes, Some(copy)) => Rows::Sizes(copy),
        (_, None) => Rows::Skip(format!(
            "the extension {} lets nobody but a superuser write them, or they have columns that somebody added",
            table.extension
        )),
    };
    Ok(tables.iter().zip(wanted).map(of).collect())
}

/// The tables whose rows stay behind, whether or not there are any.
///
/// # Errors
/// When the target refuses the question.
pub async fn left_behind(
    target: &Session,
    tables: &[ConfigTable],
    shapes: &Shapes,
) -> Result<BTreeSet<Relation>, Error> {
    let goes_over = |table: &&ConfigTable| {
        let treatment = job_rows::treatment(&table.relation, shapes.contains_key(&table.relation));
        !matches!(treatment, Treatment::Skip(_)) && (!table.strange || table.condition.is_empty())
    };
    let open: Vec<&ConfigTable> = tables.iter().filter(goes_over).collect();
    let writable = writable(target, &open).await?;
    let is_open = |table: &&ConfigTable| goes_over(table) && writable.contains(&table.relation.sql());
    Ok(tables.iter().filter(|table| !is_open(table)).map(|table| table.relation.clone()).collect())
}

/// The tables, as SQL writes their names, that the target lets us write, and that have all these columns there.
async fn writable(target: &Session, tables: &[&ConfigTable]) -> Result<BTreeSet<String>, Error> {
    if tables.is_empty() {
        return Ok(BTreeSet::new());
    }
    let values: Vec<String> = tables
        .iter()
        .map(|table| {
            let columns = table.columns.iter().map(|name| literal(name)).collect::<Vec<_>>().join(", ");
            format!("({}, ARRAY[{columns}]::pg_catalog.name[])", literal(&table.relation.sql()))
        })
        .collect();
    let question = format!(
        "SELECT v.name FROM (VALUES {}) v(name, columns) WHERE pg_catalog.has_table_privilege(v.name, 'INSERT') \
         AND NOT EXISTS (SELECT FROM pg_catalog.unnest(v.columns) c(name) WHERE NOT EXISTS (SELECT \
           FROM pg_catalog.pg_attribute a WHERE a.attrelid = pg_catalog.to_regclass(v.name) AND a.attname = c.name \
           AND NOT a.attisdropped))",
        values.join(", ")
    );
    target.ask_list(&question).await
}

/// True where the target still holds the rows that the source has now. Rows that never go over as they are (jobs, whose
/// owners change; tablespaces), or that nobody may write, are not compared.
///
/// # Errors
/// When one of the servers refuses the question.
pub async fn same(source: &Session, target: &Session, table: &ConfigTable) -> Result<bool, Error> {
    let sound;
    let table = match job_rows::treatment(&table.relation, true) {
        _ if table.strange => return Ok(true),
        Treatment::Keep => table,
        Treatment::Sizes => {
            sound = table.with_sound_sizes(&Catalogs::read(source).await?);
            &sound
        }
        Treatment::Jobs | Treatment::Skip(_) => return Ok(true),
    };
    let name = table.relation.sql();
    let there = format!("SELECT pg_catalog.to_regclass({}) IS NOT NULL", literal(&name));
    if !target.ask_flag(&there).await? || !writable(target, &[table]).await?.contains(&name) {
        return Ok(true);
    }
    let question = |rows: &str| {
        format!(
            "SELECT pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended(t::text, 0)::numeric) FROM ({rows}) t"
        )
    };
    // The target holds nothing else.
    let all = format!("SELECT {} FROM ONLY {name} {}", table.list, table.condition);
    let wanted = question(table.query().as_ref().unwrap_or(&all));
    let found = question(&all);
    let (ours, theirs) = tokio::try_join!(source.ask_row(&wanted), target.ask_row(&found))?;
    Ok(ours == theirs)
}

/// The statements that take away what [`copy`] has filled these tables with, each with a semicolon. What is an extension's
/// own stays.
///
/// # Errors
/// When the target refuses the question.
pub async fn empty_sql(target: &Session, tables: &[ConfigTable]) -> Result<String, Error> {
    let mut sql = String::new();
    // Those that refer to others come first.
    for table in tables.iter().rev() {
        let name = table.relation.sql();
        let strange = table.strange && !table.condition.is_empty();
        let there = format!("SELECT pg_catalog.to_regclass({}) IS NOT NULL", literal(&name));
        let goes_over = !matches!(job_rows::treatment(&table.relation, true), Treatment::Skip(_));
        if goes_over && !strange && target.ask_flag(&there).await? {
            // Writing to a String cannot fail.
            let _ = write!(sql, "DELETE FROM ONLY {name} {}; ", table.condition);
        }
    }
    Ok(sql)
}

fn strange_rows(table: &ConfigTable) -> Error {
    Error::Defect(format!("the rows of {} are not in the form that is known", table.relation))
}

async fn all_rows(source: &mut RowSource) -> Result<Bytes, Error> {
    let mut all = BytesMut::new();
    while let Some(row) = source.next().await? {
        all.extend_from_slice(&row);
    }
    Ok(all.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_comes_after_those_it_refers_to() {
        let table = |name: &str| (name.to_owned(), name.to_owned());
        let needs = |from: &str, to: &[&str]| (from.to_owned(), to.iter().map(|&to| to.to_owned()).collect());
        let tables = vec![table("chunk"), table("dimension"), table("hypertable"), table("loop")];
        let needs = BTreeMap::from([
            needs("chunk", &["hypertable"]),
            needs("dimension", &["hypertable"]),
            needs("loop", &["loop", "chunk"]),
            needs("hypertable", &["elsewhere"]),
        ]);
        assert_eq!(in_order(tables, &needs), ["hypertable", "chunk", "dimension", "loop"]);
    }
}
