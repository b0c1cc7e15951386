//! The comparison of the target's rows with those of the archive: their number, and a checksum that was taken while they were
//! read.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use futures_util::TryStreamExt;

use super::context::Restore;
use crate::connect::Session;
use crate::engine::config::ConfigTable;
use crate::engine::fields::{self, Fields};
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
    /// What went into the checksum that the source took, of tables whose rows go to the root of a tree of partitions.
    pub(super) shapes_of_source: Shapes,
    /// Columns of the target's tables.
    columns: Fields,
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

impl Compared {
    /// Looks at the tables of the target. `created` are those that the archive creates: of an extension's own nobody knows
    /// which rows came with it.
    pub(super) async fn new(
        session: &Session,
        tables: &[TableRanges],
        created: &BTreeSet<Relation>,
    ) -> Result<Self, Error> {
        let columns = fields::read(session).await?;
        let (shapes, shapes_of_source) = (Shapes::new(), Shapes::new());
        let mut compared = Self { shapes, shapes_of_source, columns, groups: Vec::new(), notes: Vec::new() };
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
            let named = fields::of_table(&compared.columns, &table.into, names::list(&table.columns));
            left_out += named.iter().filter(|(_, field)| *field == Field::Nothing).count();
            let shape = Shape::new(&named, root.is_some());
            compared.shapes.insert(table.relation.clone(), shape.clone());
            if root.is_some() {
                compared.shapes_of_source.insert(table.relation.clone(), Shape::new(&named, false));
            }
            let new = |name: &Relation| Group {
                name: name.clone(),
                of_archive: Vec::new(),
                of_target: Vec::new(),
                shape: shape.clone(),
            };
            let copied = |name: &Relation| (name.clone(), fields::copied(name, &table.columns));
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

    /// Compares TimescaleDB's catalogs too, as far as their rows come as they are.
    pub(super) fn with_catalogs(&mut self, catalogs: &[ConfigTable]) {
        for catalog in catalogs {
            let Some(kept) = catalog.kept() else { continue };
            let name = catalog.relation().clone();
            let shape =
                Shape::new(&fields::of_table(&self.columns, &name, catalog.columns().iter().cloned()), false);
            self.shapes.insert(name.clone(), shape.clone());
            let of_target = vec![(name.clone(), kept)];
            self.groups.push(Group { of_archive: vec![name.clone()], name, of_target, shape });
        }
    }
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
    // In the order in which they were copied: so a compressed file is read once.
    let queue = Mutex::new(compared.groups.iter().collect::<VecDeque<_>>());
    let found = Mutex::new(Vec::new());
    let hidden = Mutex::new(Vec::new());
    let worker = || async {
        let session = tokio::sync::Mutex::new(None);
        loop {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
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
    let notes = [&context.contents.lacks[..], &compared.notes].concat();
    let mut verification = Verification { notes, ..Verification::default() };
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
