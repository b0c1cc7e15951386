//! What a dump tells of tables beyond their columns, as data: traits of columns, indexes, partitions, attachments,
//! hypertables.

use super::intern::Symbol;
use crate::finding::Place;

/// What is known of a column beside its name and type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits(u8);

impl Traits {
    /// NOT NULL.
    pub const NOT_NULL: Self = Self(1);
    /// Its default is the time of the statement or transaction.
    pub const NOW: Self = Self(2);
    /// Its default is a sequence's next value: serial, identity.
    pub const NUMBERED: Self = Self(4);
    /// GENERATED ALWAYS AS (expression).
    pub const GENERATED: Self = Self(8);
    /// An array of its type.
    pub const ARRAY: Self = Self(16);
    /// GENERATED ALWAYS AS IDENTITY.
    pub const ALWAYS: Self = Self(32);

    /// True where all of these are known of the column.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// All but these.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// These too.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// An index that CREATE INDEX creates. Its place is that of its relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// The schema of the table and the index.
    pub schema: Symbol,
    /// The table.
    pub table: Symbol,
    /// Its name; empty where the server chooses it.
    pub name: Symbol,
    /// Its columns; an expression is an empty name.
    pub columns: Box<[Symbol]>,
    /// UNIQUE.
    pub unique: bool,
    /// USING: its access method.
    pub method: Symbol,
    /// Where.
    pub place: Place,
}

/// How a table is partitioned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Strategy {
    /// PARTITION BY RANGE.
    Range,
    /// PARTITION BY LIST.
    List,
    /// PARTITION BY HASH.
    Hash,
    /// Child tables that inherit, each with a CHECK on a range.
    Inheritance,
}

/// A table whose rows lie in partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partitioned {
    /// How.
    pub strategy: Strategy,
    /// The columns that decide; an expression is an empty name.
    pub columns: Vec<Symbol>,
    /// Where the table is created.
    pub place: Place,
    /// How many partitions were seen.
    pub partitions: u32,
    /// The ranges of the first ones, as the dump writes their ends. A range over a list or an expression is not here.
    pub bounds: Vec<(Box<str>, Box<str>)>,
}

/// What stands on a table and matters where it is to become a hypertable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// A rule.
    Rule,
    /// A row trigger with transition tables.
    TransitionTrigger,
    /// A BEFORE INSERT row trigger: such triggers route rows to child tables.
    InsertTrigger,
    /// Row-level security is on.
    RowSecurity,
    /// A publication names the table.
    Publication,
}

/// One such thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attached {
    /// The table's schema.
    pub schema: Symbol,
    /// The table.
    pub table: Symbol,
    /// What it is.
    pub what: Attachment,
    /// Its name.
    pub name: Symbol,
    /// Where.
    pub place: Place,
}

/// A table that is a hypertable at this point of the restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hypertable {
    /// The columns that decide about a row's chunk, the time column first.
    pub columns: Vec<Box<str>>,
    /// The statement that made it one.
    pub place: Place,
    /// Its columnstore is on.
    pub columnstore: bool,
}
