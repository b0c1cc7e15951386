//! The facts of each table together.

use std::collections::{BTreeSet, HashMap};

use crate::facts::tables::{Attached, Attachment, Index};
use crate::facts::{Column, Constraint, Facts, ObjectId, Relation, Symbol};
use crate::parse::pg::ConstrType as Kind;

/// What belongs to one table.
#[derive(Debug, Default)]
pub(crate) struct Parts<'a> {
    /// Its constraints.
    pub constraints: Vec<&'a Constraint>,
    /// Its indexes.
    pub indexes: Vec<&'a Index>,
    /// Rules, triggers, row security, publications.
    pub attached: Vec<&'a Attached>,
    /// Foreign keys of other tables that refer to it.
    pub referenced_by: Vec<&'a Constraint>,
}

/// Facts by table.
#[derive(Debug)]
pub(crate) struct Tables<'a> {
    /// All facts.
    pub facts: &'a Facts,
    parts: HashMap<(Symbol, Symbol), Parts<'a>>,
    parents: BTreeSet<&'a ObjectId>,
}

/// One table with all that belongs to it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    /// All facts.
    pub facts: &'a Facts,
    /// Which one.
    pub id: &'a ObjectId,
    /// Its own fact.
    pub relation: &'a Relation,
    parts: Option<&'a Parts<'a>>,
}

impl<'a> Tables<'a> {
    /// One pass over the facts.
    pub(crate) fn new(facts: &'a Facts) -> Self {
        let mut parts: HashMap<(Symbol, Symbol), Parts<'a>> = HashMap::new();
        for constraint in &facts.constraints {
            let own = (constraint.schema, constraint.table);
            parts.entry(own).or_default().constraints.push(constraint);
            if let Some(other) = constraint.references.filter(|other| *other != own) {
                parts.entry(other).or_default().referenced_by.push(constraint);
            }
        }
        for index in &facts.indexes {
            parts.entry((index.schema, index.table)).or_default().indexes.push(index);
        }
        for attached in &facts.attached {
            parts.entry((attached.schema, attached.table)).or_default().attached.push(attached);
        }
        let tables = facts.relations.values().filter(|relation| relation.word == "table");
        let parents = tables.flat_map(|relation| &relation.parents).collect();
        Self { facts, parts, parents }
    }

    /// True where other tables inherit from it.
    pub(crate) fn has_children(&self, id: &ObjectId) -> bool {
        self.parents.contains(id)
    }

    /// A table that the dump makes.
    pub(crate) fn get(&'a self, id: &'a ObjectId) -> Option<Table<'a>> {
        let relation = self.facts.relations.get(id)?;
        let parts = self.facts.symbols_of(id).and_then(|symbols| self.parts.get(&symbols));
        Some(Table { facts: self.facts, id, relation, parts })
    }
}

impl<'a> Table<'a> {
    /// Its constraints.
    pub(crate) fn constraints(&self) -> impl Iterator<Item = &'a Constraint> + use<'a> {
        self.parts.into_iter().flat_map(|parts| parts.constraints.iter().copied())
    }

    /// Its indexes that CREATE INDEX makes.
    pub(crate) fn indexes(&self) -> impl Iterator<Item = &'a Index> + use<'a> {
        self.parts.into_iter().flat_map(|parts| parts.indexes.iter().copied())
    }

    /// What stands on it, of one kind.
    pub(crate) fn attached(&self, what: Attachment) -> impl Iterator<Item = &'a Attached> + use<'a> {
        self.parts
            .into_iter()
            .flat_map(|parts| parts.attached.iter().copied())
            .filter(move |attached| attached.what == what)
    }

    /// Foreign keys of other tables that refer to it.
    pub(crate) fn referenced_by(&self) -> impl Iterator<Item = &'a Constraint> + use<'a> {
        self.parts.into_iter().flat_map(|parts| parts.referenced_by.iter().copied())
    }

    /// The name of a symbol.
    pub(crate) fn name(&self, symbol: Symbol) -> &'a str {
        self.facts.names.name(symbol)
    }

    /// The name of a constraint: its own, or the one that the server chooses (indexcmds.c, `ChooseIndexName`).
    pub(crate) fn constraint_name(&self, constraint: &Constraint) -> String {
        let label = match Kind::try_from(constraint.kind) {
            Ok(Kind::ConstrPrimary) => "pkey",
            Ok(Kind::ConstrForeign) => "fkey",
            Ok(Kind::ConstrCheck) => "check",
            Ok(Kind::ConstrExclusion) => "excl",
            _ => "key",
        };
        self.chosen_name(constraint.name, constraint.table, &constraint.columns, label)
    }

    /// The name of a key: its own, or the one that the server chooses.
    pub(crate) fn key_name(&self, key: &Unique<'_>) -> String {
        let label = match key.word {
            "PRIMARY KEY" => "pkey",
            "EXCLUDE" => "excl",
            "UNIQUE INDEX" => "idx",
            _ => "key",
        };
        self.chosen_name(key.name, key.table, key.columns, label)
    }

    fn chosen_name(&self, name: Symbol, table: Symbol, columns: &[Symbol], label: &str) -> String {
        let (own, table) = (self.name(name), self.name(table));
        if !own.is_empty() {
            return own.to_owned();
        }
        let mut columns: Vec<&str> = columns.iter().map(|column| self.name(*column)).collect();
        columns.push(label);
        if label == "pkey" { format!("{table}_pkey") } else { format!("{table}_{}", columns.join("_")) }
    }

    /// A column by its name.
    pub(crate) fn column(&self, name: &str) -> Option<&'a Column> {
        let symbol = self.facts.names.known(name)?;
        self.relation.columns.iter().find(|column| column.name == symbol)
    }

    /// The type of a column without `pg_catalog`.
    pub(crate) fn data_type(&self, column: &Column) -> &'a str {
        let name = self.name(column.data_type);
        name.strip_prefix("pg_catalog.").unwrap_or(name)
    }

    /// Keys and indexes that make rows unique: the name, the columns and whether it is a constraint.
    pub(crate) fn unique(&self) -> impl Iterator<Item = Unique<'a>> + use<'a> {
        let constraints = self.constraints().filter_map(|constraint| {
            let word = match Kind::try_from(constraint.kind) {
                Ok(Kind::ConstrPrimary) => "PRIMARY KEY",
                Ok(Kind::ConstrUnique) => "UNIQUE",
                Ok(Kind::ConstrExclusion) => "EXCLUDE",
                _ => return None,
            };
            // ADD CONSTRAINT … USING INDEX has no columns of its own: the index has.
            (!constraint.columns.is_empty()).then_some(Unique {
                name: constraint.name,
                table: constraint.table,
                columns: &constraint.columns,
                word,
                place: constraint.place,
            })
        });
        let indexes = self.indexes().filter(|index| index.unique).map(|index| Unique {
            name: index.name,
            table: index.table,
            columns: &index.columns,
            word: "UNIQUE INDEX",
            place: index.place,
        });
        constraints.chain(indexes)
    }
}

/// A key or an index that makes rows unique.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unique<'a> {
    /// Its name; empty where the server chooses it.
    pub name: Symbol,
    /// The table.
    pub table: Symbol,
    /// Its columns.
    pub columns: &'a [Symbol],
    /// What it is: `PRIMARY KEY`, `UNIQUE`, `EXCLUDE`, `UNIQUE INDEX`.
    pub word: &'static str,
    /// Where.
    pub place: crate::finding::Place,
}
