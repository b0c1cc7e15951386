//! The relations whose rows are compared, and how each is asked about.

use std::collections::{BTreeMap, BTreeSet};

use super::checksum::{self, Formula};
use super::identity;
use super::object::Catalog;
use super::options::{Check, Expect, VerifyOptions};
use super::reading::Place;
use super::relations::{self, Column, Relations};
use super::select::Selection;
use crate::guard::Guard;
use crate::names::Relation;
use crate::quote::identifier;

/// What both servers hold.
pub(super) struct Held<'a> {
    pub(super) ours: &'a Relations,
    pub(super) theirs: &'a Relations,
    pub(super) source: &'a Catalog,
    pub(super) target: &'a Catalog,
}

impl Held<'_> {
    /// The table is a hypertable on one of them, and has its rows in chunks there.
    fn is_hypertable_on_one(&self, table: &Relation) -> bool {
        let key = ("hypertable".to_owned(), table.to_string());
        self.source.objects.contains_key(&key) != self.target.objects.contains_key(&key)
    }
}

/// One relation to read.
#[derive(Clone, Debug)]
pub(super) struct Work {
    /// `rows`, `hypertable rows`, `chunk rows`, …
    pub(super) kind: &'static str,
    /// Which one: its name on the source.
    pub(super) relation: Relation,
    /// What is read of it on the source, and on the target.
    pub(super) source: Place,
    pub(super) target: Place,
    pub(super) owner: String,
    pub(super) size: u64,
    pub(super) sum: bool,
    pub(super) columns: Vec<Column>,
    pub(super) key: Vec<Column>,
    /// The key is one: no two rows have the same.
    pub(super) unique: bool,
    /// Columns whose values are counted as well, where rows are not summed up.
    pub(super) counted: Vec<String>,
    /// Its rows follow from others'.
    pub(super) derived: bool,
    /// Of a hypertable: its chunks on the source, whose rows are counted one by one where it cannot be read as a whole.
    pub(super) chunks: Vec<Place>,
}

impl Work {
    /// The question to one end.
    pub(super) fn sql(&self, from: &str, formula: Formula, options: &VerifyOptions) -> String {
        let sum = |filter: &str| {
            let row = formula.row(&self.columns);
            format!("pg_catalog.sum({row}){filter}")
        };
        match options.check {
            _ if !self.sum && !self.counted.is_empty() => {
                let values =
                    self.counted.iter().map(|name| format!("pg_catalog.count({})", identifier(name)));
                let values = values.collect::<Vec<_>>().join(", ");
                format!(
                    "SELECT pg_catalog.count(*), pg_catalog.count(*), pg_catalog.concat_ws(' ', {values}) FROM {from}"
                )
            }
            _ if !self.sum => format!("SELECT pg_catalog.count(*) FROM {from}"),
            Check::Counts | Check::None => format!("SELECT pg_catalog.count(*) FROM {from}"),
            Check::Full => {
                format!("SELECT pg_catalog.count(*), pg_catalog.count(*), {} FROM {from}", sum(""))
            }
            Check::Sample => {
                let chosen = checksum::chosen(formula, &self.key, options.percent);
                let chosen = format!(" FILTER (WHERE {chosen})");
                format!(
                    "SELECT pg_catalog.count(*), pg_catalog.count(*){chosen}, {} FROM {from}",
                    sum(&chosen)
                )
            }
        }
    }
}

/// The hypertable that heads the tables of compressed rows, up to TimescaleDB 2.28. It holds no rows itself, and 2.28
/// refuses to plan a query of it ("chunk … has no dimension slices").
fn heads_compressed(relation: &Relation) -> bool {
    relation.schema == crate::timescale::INTERNAL && relation.name.starts_with("_compressed_hypertable_")
}

/// What has to be read, the largest first. A table that the target does not have is told by the comparison of objects.
pub(super) fn list(all: &Held<'_>, expect: &Expect<'_>, selection: &Selection) -> Vec<Work> {
    let mut list = Vec::new();
    let mut of_hypertables: BTreeMap<Relation, Vec<Place>> = BTreeMap::new();
    let mut roots = BTreeSet::new();
    let (ours, theirs) = (&all.ours.tables, &all.theirs.tables);
    let chunks: BTreeMap<&Relation, &String> =
        all.source.chunks.iter().map(|(chunk, table)| (table, chunk)).collect();
    for (relation, held) in ours {
        let chunk = chunks.get(relation).copied();
        let selected = match chunk {
            Some(chunk) => selection.has_object("chunk", chunk),
            None => selection.has(relation),
        };
        if !selected || heads_compressed(relation) {
            continue;
        }
        let there = chunk.and_then(|chunk| all.target.chunks.get(chunk)).unwrap_or(relation);
        let Some(other) = theirs.get(there) else { continue };
        let columns = relations::common(&held.columns, &other.columns);
        if let Some(root) = &held.root {
            // All its partitions as one.
            if !roots.insert(root) {
                continue;
            }
            let (Some(our_root), Some(their_root)) = (all.ours.roots.get(root), all.theirs.roots.get(root))
            else {
                continue;
            };
            list.push(Work {
                kind: "rows",
                relation: root.clone(),
                source: Place::new(root, our_root, &columns, false),
                target: Place::new(root, their_root, &columns, false),
                owner: other.owner.clone(),
                size: held.size,
                sum: true,
                key: columns.clone(),
                columns,
                unique: false,
                counted: Vec::new(),
                derived: false,
                chunks: Vec::new(),
            });
            continue;
        }
        // A chunk that is compressed has its rows in another table, and shows them only when it is not asked for alone.
        let spread =
            chunk.is_some() || selection.is_converted(relation) || all.is_hypertable_on_one(relation);
        let plain =
            chunk.is_some_and(|chunk| all.source.is_plain_chunk(chunk) && all.target.is_plain_chunk(chunk));
        let place = |relation: &Relation, table: &relations::Held| {
            let place = Place::new(relation, table, &columns, !spread);
            let guard = Guard { alone: chunk.is_some(), ..place.guard };
            let place = Place { copies: place.copies || plain, guard, ..place };
            match &held.condition {
                // The rows that a dump carries: the others come with the extension.
                Some(condition) => Place {
                    from: format!("(SELECT * FROM ONLY {} {condition}) configured", relation.sql()),
                    copies: false,
                    ..place
                },
                None => place,
            }
        };
        if let Some(identity::Place::Schema(hypertable)) = chunk.map(|chunk| identity::place("chunk", chunk))
        {
            of_hypertables.entry(hypertable).or_default().push(place(relation, held));
        }
        let key = held.chooser().into_iter().filter(|column| columns.contains(column)).cloned().collect();
        list.push(Work {
            kind: if held.kind == "m" { "materialized view rows" } else { "rows" },
            relation: relation.clone(),
            source: place(relation, held),
            target: place(there, other),
            owner: other.owner.clone(),
            size: held.size,
            sum: true,
            columns,
            key,
            unique: !held.key.is_empty(),
            counted: Vec::new(),
            derived: held.kind != "r",
            chunks: Vec::new(),
        });
    }
    list.extend(by_root(all, expect, selection, of_hypertables));
    list.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.relation.cmp(&b.relation)));
    list
}

/// Tables that are read through their root: partitioned tables that become hypertables, and hypertables as an application
/// asks for them, with the chunks that each has on the source.
fn by_root(
    all: &Held<'_>,
    expect: &Expect<'_>,
    selection: &Selection,
    mut of_hypertables: BTreeMap<Relation, Vec<Place>>,
) -> Vec<Work> {
    let mut list = Vec::new();
    let (ours, theirs) = (&all.ours.tables, &all.theirs.tables);
    let became = all.ours.roots.keys().filter(|root| selection.has(root) && all.is_hypertable_on_one(root));
    let converted: BTreeSet<&Relation> = selection.partitioned().chain(became).collect();
    for relation in converted {
        let (Some(root), Some(held)) = (all.ours.roots.get(relation), theirs.get(relation)) else {
            continue;
        };
        list.push(Work {
            kind: "rows",
            relation: relation.clone(),
            source: Place::new(relation, root, &held.columns, false),
            target: Place::new(relation, held, &held.columns, false),
            owner: held.owner.clone(),
            size: held.size,
            sum: true,
            columns: held.columns.clone(),
            key: held.chooser().into_iter().cloned().collect(),
            unique: !held.key.is_empty(),
            counted: Vec::new(),
            derived: false,
            chunks: Vec::new(),
        });
    }
    // Through the hypertable as an application asks: a target in restoring mode answers zero.
    for relation in expect.source.timescale.iter().flat_map(|timescale| &timescale.hypertables) {
        let (Some(held), Some(other)) = (ours.get(relation), theirs.get(relation)) else { continue };
        if relation.schema == crate::timescale::INTERNAL || !selection.has(relation) {
            continue;
        }
        list.push(Work {
            kind: "hypertable rows",
            relation: relation.clone(),
            source: Place::new(relation, held, &[], false),
            target: Place::new(relation, other, &[], false),
            owner: String::new(),
            size: 0,
            sum: false,
            columns: Vec::new(),
            key: Vec::new(),
            unique: false,
            // A batch of compressed rows from before may have lost its default on the way.
            counted: relations::common(&held.columns, &other.columns)
                .into_iter()
                .filter(|column| column.added)
                .map(|column| column.name)
                .collect(),
            derived: false,
            chunks: of_hypertables.remove(relation).unwrap_or_default(),
        });
    }
    list
}
