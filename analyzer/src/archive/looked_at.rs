//! Which rows of an archive an analysis looks at, and what stands in the place of the others.

use super::toc::Entry;
use crate::facts::rows::CatalogTable;
use crate::parse::{NodeEnum, Parsed, parse};

/// What ends the rows of a COPY in `pg_dump`'s own data.
pub const ROWS_END: &[u8] = b"\\.\n\n\n";

impl Entry {
    /// True for rows of some extensions' own tables. They say what TimescaleDB's version is and which tables are hypertables: the
    /// schema is not judged without them.
    #[must_use]
    pub fn is_looked_at(&self) -> bool {
        let schema = self.schema.as_deref().and_then(|schema| str::from_utf8(schema).ok());
        let names = schema.zip(str::from_utf8(&self.tag).ok());
        self.has_data && names.is_some_and(|(schema, name)| CatalogTable::named(schema, name).is_some())
    }

    /// What stands in the place of rows that are not read: a row of nothing but NULLs. Whether there are rows decides findings.
    #[must_use]
    pub fn row_of_nulls(&self) -> Vec<u8> {
        let copy = str::from_utf8(&self.copy).ok().and_then(|sql| parse(sql, true).ok().flatten());
        let columns = match copy.as_ref().map(Parsed::node) {
            Some(NodeEnum::CopyStmt(copy)) => copy.attlist.len(),
            _ => 0,
        };
        let mut row = vec!["\\N"; columns].join("\t").into_bytes();
        row.push(b'\n');
        row
    }
}
