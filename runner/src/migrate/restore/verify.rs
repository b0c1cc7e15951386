//! The comparison of the target's rows with those of the archive: their number, and a checksum that was taken while they were
//! read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::TryStreamExt;

use super::context::Restore;
use crate::connect::Session;
use crate::engine::config::ConfigTable;
use crate::engine::retry::retrying;
use crate::engine::rows::ArchiveRows;
use crate::engine::sums::{Field, Shape, Shapes, Sum, Summing};
use crate::error::{Error, Server};
use crate::human::{self, count};
use crate::migrate::copy_plan::TableRanges;
use crate::migrate::driver::open_target;
use crate::names::{self, Relation};
use crate::quote::literal;
use crate::tables::Table;
use crate::verify::{Difference, Rows, Verification};

/// What is compared with what.
pub(super) struct Compared {
    /// What of each table's values goes into its checksum.
    pub(super) shapes: Shapes,
    /// Columns of the target's tables.
    columns: BTreeMap<Relation, BTreeMap<String, Field>>,
    /// Tables of the archive whose rows came to the same place, and tables of the target that hold them.
    groups: Vec<Group>,
    notes: Vec<String>,
}

/// Rows that are compared together: a table, or all partitions that rows were put into.
struct Group {
    name: Relation,
    of_archive: Vec<Relation>,
    /// With what COPY reads of each.
    of_target: Vec<(Relation, String)>,
    shape: Shape,
}

/// Columns of users' tables, and what their text depends on: the session's time zone, its form of bytes, its money.
const COLUMNS: &str = "
WITH RECURSIVE columns AS (
  SELECT c.oid, n.nspname, c.relname, a.attname, a.attnum, a.atttypid
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.oid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped),
parts(root, part) AS (
  SELECT DISTINCT atttypid, atttypid FROM columns
  UNION SELECT p.root, x.part FROM parts p JOIN pg_catalog.pg_type t ON t.oid = p.part, LATERAL (
    SELECT t.typelem AS part WHERE t.typelem <> 0 UNION ALL SELECT t.typbasetype WHERE t.typbasetype <> 0
    UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)
    UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
      WHERE t.typrelid <> 0 AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) x)
SELECT nspname, relname, attname, CASE WHEN atttypid = 'timestamptz'::pg_catalog.regtype THEN 'moment'
  WHEN atttypid = 'bytea'::pg_catalog.regtype THEN 'bytes'
  WHEN EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = atttypid AND t.typname ~ '^reg'
               AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace) THEN 'name'
  WHEN EXISTS (SELECT FROM parts p WHERE p.root = atttypid
               AND p.part IN ('timestamptz'::pg_catalog.regtype, 'bytea'::pg_catalog.regtype, 'money'::pg_catalog.regtype))
  THEN 'nothing' ELSE 'text' END
FROM columns ORDER BY oid, attnum";

impl Compared {
    /// Looks at the tables of the target. `created` are those that the archive creates: of an extension's own nobody knows
    /// which rows came with it.
    pub(super) async fn new(
        session: &Session,
        tables: &[TableRanges],
        created: &BTreeSet<Relation>,
    ) -> Result<Self, Error> {
        let mut columns = BTreeMap::<Relation, BTreeMap<String, Field>>::new();
        for row in session.ask(COLUMNS).await? {
            let field = match row.text(3)? {
                "moment" => Field::Moment,
                "bytes" => Field::Bytes,
                "name" => Field::Name,
                "nothing" => Field::Nothing,
                _ => Field::Text,
            };
            columns.entry(row.relation(0)?).or_default().insert(row.text(2)?.to_owned(), field);
        }
        let mut compared = Self { shapes: Shapes::new(), columns, groups: Vec::new(), notes: Vec::new() };
        let (ours, others): (Vec<&Table>, Vec<&Table>) =
            tables.iter().map(|(table, _)| table).partition(|table| created.contains(&table.relation));
        if !others.is_empty() {
            let names = human::first(others.iter().map(|table| table.relation.to_string()), 5);
            compared
                .notes
                .push(format!("not compared, for extensions have rows of their own there: {names}"));
        }
        let roots: BTreeSet<&Relation> =
            ours.iter().filter(|table| table.into != table.relation).map(|table| &table.into).collect();
        let mut inside = BTreeMap::<Relation, &Relation>::new();
        for root in &roots {
            for leaf in leaves(session, root).await? {
                inside.insert(leaf, root);
            }
        }
        let mut left_out = 0;
        let mut together = BTreeMap::<&Relation, Group>::new();
        for table in ours {
            let root = inside.get(&table.relation).copied().or_else(|| roots.get(&table.into).copied());
            let named = compared.fields(&table.into, names::list(&table.columns));
            left_out += named.iter().filter(|(_, field)| *field == Field::Nothing).count();
            let shape = Shape::new(&named, root.is_some());
            compared.shapes.insert(table.relation.clone(), shape.clone());
            let new = |name: &Relation| Group {
                name: name.clone(),
                of_archive: Vec::new(),
                of_target: Vec::new(),
                shape: shape.clone(),
            };
            let copied = |name: &Relation| (name.clone(), copied(name, &table.columns));
            let Some(root) = root else {
                let name = table.relation.clone();
                let of_target = vec![copied(&name)];
                compared.groups.push(Group { of_archive: vec![name.clone()], of_target, ..new(&name) });
                continue;
            };
            let group = together.entry(root).or_insert_with(|| Group {
                of_target: inside
                    .iter()
                    .filter(|(_, of)| **of == root)
                    .map(|(leaf, _)| copied(leaf))
                    .collect(),
                ..new(root)
            });
            group.of_archive.push(table.relation.clone());
        }
        compared.groups.extend(together.into_values());
        if left_out > 0 {
            compared.notes.push(format!(
                "{} left out of checksums: arrays, ranges and composites with time zones or bytes, and money, look as the \
                 session that dumped them was set",
                count(left_out as u64, "column")
            ));
        }
        Ok(compared)
    }

    /// The columns of a table, with what of each goes into its checksum.
    fn fields(&self, table: &Relation, columns: impl Iterator<Item = String>) -> Vec<(String, Field)> {
        let of_table = self.columns.get(table);
        let field = |name: &String| of_table.and_then(|of| of.get(name)).copied().unwrap_or(Field::Text);
        columns.map(|name| (name.clone(), field(&name))).collect()
    }

    /// Compares TimescaleDB's catalogs too, as far as their rows come as they are.
    pub(super) fn with_catalogs(&mut self, catalogs: &[ConfigTable]) {
        for catalog in catalogs {
            let Some(kept) = catalog.kept() else { continue };
            let name = catalog.relation().clone();
            let shape = Shape::new(&self.fields(&name, catalog.columns().iter().cloned()), false);
            self.shapes.insert(name.clone(), shape.clone());
            let of_target = vec![(name.clone(), kept)];
            self.groups.push(Group { of_archive: vec![name.clone()], name, of_target, shape });
        }
    }
}

/// What COPY reads of a table.
fn copied(table: &Relation, columns: &str) -> String {
    if columns.is_empty() { table.sql() } else { format!("{} ({columns})", table.sql()) }
}

/// The partitions of a table that hold rows.
async fn leaves(session: &Session, root: &Relation) -> Result<Vec<Relation>, Error> {
    let question = format!(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass({})) t \
         JOIN pg_catalog.pg_class c ON c.oid = t.relid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE t.isleaf",
        literal(&root.sql())
    );
    session.ask(&question).await?.iter().map(|row| row.relation(0)).collect()
}

/// Compares all rows; true where they are the same, or nothing was to be compared.
pub(super) async fn run(
    context: &Restore,
    archive: &Arc<ArchiveRows>,
    compared: &Compared,
) -> Result<bool, Error> {
    if context.args.no_verify {
        return Ok(true);
    }
    let start = Instant::now();
    let queue = Mutex::new(compared.groups.iter().collect::<Vec<_>>());
    let found = Mutex::new(Vec::new());
    let hidden = Mutex::new(Vec::new());
    let worker = || async {
        let session = tokio::sync::Mutex::new(None);
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let Some(group) = next else { return Ok::<(), Error>(()) };
            let mut expected = Sum::default();
            for table in &group.of_archive {
                expected += archive.sum(table).await?;
            }
            let sum = retrying(context.retry_policy(), &context.progress, "verify", || {
                of_target(context, &session, group)
            });
            match sum.await {
                // Of a start before: owners have taken back by now what was lent.
                Err(error) if error.code() == "42501" => {
                    hidden.lock().unwrap_or_else(PoisonError::into_inner).push(group.name.to_string());
                }
                sum => {
                    let result = (group, expected, sum?);
                    found.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                }
            }
        }
    };
    let workers = (0..context.jobs()).map(|_| worker());
    futures_util::future::try_join_all(workers).await?;
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut verification = Verification { notes: compared.notes.clone(), ..Verification::default() };
    let hidden = hidden.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !hidden.is_empty() {
        let names = human::first(&hidden, 5);
        verification
            .notes
            .push(format!("not compared, for the target lets nobody but their owners read them: {names}"));
    }
    verification.compared.insert("tables' rows".to_owned(), found.len());
    for (group, expected, sum) in found {
        let Rows { tables, counted, summed, .. } = &mut verification.rows;
        (*tables, *counted, *summed) = (*tables + 1, *counted + expected.rows, *summed + expected.rows);
        if expected != sum {
            verification.differences.push(Difference {
                kind: "rows".to_owned(),
                object: group.name.to_string(),
                expected: Some(expected.to_string()),
                found: Some(sum.to_string()),
                ..Difference::default()
            });
        }
    }
    verification.differences.sort();
    let equal = verification.differences.is_empty();
    let summary = format!(
        "{} of {}, {}",
        count(verification.rows.counted, "row"),
        count(verification.rows.tables, "table"),
        if equal {
            "as in the archive".to_owned()
        } else {
            count(verification.differences.len() as u64, "difference")
        }
    );
    context.report().verification = Some(verification);
    context.stage("verify", summary, start.elapsed());
    Ok(equal)
}

/// The rows of the target. COPY plans nothing, so that no function of a user's runs.
async fn of_target(
    context: &Restore,
    session: &tokio::sync::Mutex<Option<Session>>,
    group: &Group,
) -> Result<Sum, Error> {
    let mut held = session.lock().await;
    let session = match held.take() {
        Some(session) if !session.client().is_closed() => session,
        _ => open_target(context).await?,
    };
    let session = held.insert(session);
    let mut sum = Sum::default();
    for (table, copied) in &group.of_target {
        let refused = |error: tokio_postgres::Error| Error::Copy {
            table: table.to_string(),
            side: "target",
            answer: Box::new(Server::new(&error)),
        };
        let copy = format!("COPY {copied} TO STDOUT");
        let mut rows = std::pin::pin!(session.client().copy_out(&copy).await.map_err(refused)?);
        let mut summing = Summing::new(group.shape.clone());
        while let Some(row) = rows.try_next().await.map_err(refused)? {
            summing.take(&row);
        }
        sum += summing.sum();
    }
    Ok(sum)
}
