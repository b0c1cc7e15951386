//! What a table of contents says twice, compared: `pg_restore` itself does not notice a damaged kind or name.

use std::collections::BTreeSet;
use std::io::Read;

use super::head::Damage;
use super::script::OWNED;
use super::toc::{Entry, Toc};
use crate::clean;

/// All kinds that `pg_dump` 9.0 to 18 writes (`.description` in its `pg_dump.c`), and one of before that `pg_restore` knows.
const KINDS: [&str; 68] = [
    "ACCESS METHOD",
    "ACL",
    "ACL LANGUAGE",
    "AGGREGATE",
    "BLOB",
    "BLOB COMMENTS",
    "BLOB METADATA",
    "BLOBS",
    "CAST",
    "CHECK CONSTRAINT",
    "COLLATION",
    "COMMENT",
    "CONSTRAINT",
    "CONVERSION",
    "DATABASE",
    "DATABASE PROPERTIES",
    "DEFAULT",
    "DEFAULT ACL",
    "DOMAIN",
    "ENCODING",
    "EVENT TRIGGER",
    "EXTENSION",
    "FK CONSTRAINT",
    "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE",
    "FUNCTION",
    "INDEX",
    "INDEX ATTACH",
    "MATERIALIZED VIEW",
    "MATERIALIZED VIEW DATA",
    "OPERATOR",
    "OPERATOR CLASS",
    "OPERATOR FAMILY",
    "POLICY",
    "PROCEDURAL LANGUAGE",
    "PROCEDURE",
    "PUBLICATION",
    "PUBLICATION TABLE",
    "PUBLICATION TABLES IN SCHEMA",
    "ROW SECURITY",
    "RULE",
    "SCHEMA",
    "SEARCHPATH",
    "SECURITY LABEL",
    "SEQUENCE",
    "SEQUENCE OWNED BY",
    "SEQUENCE SET",
    "SERVER",
    "SHELL TYPE",
    "STATISTICS",
    "STATISTICS DATA",
    "STDSTRINGS",
    "SUBSCRIPTION",
    "SUBSCRIPTION TABLE",
    "TABLE",
    "TABLE ATTACH",
    "TABLE DATA",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TEXT SEARCH PARSER",
    "TEXT SEARCH TEMPLATE",
    "TRANSFORM",
    "TRIGGER",
    "TYPE",
    "USER MAPPING",
    "VIEW",
    "WARNING",
    // With --binary-upgrade.
    "pg_largeobject",
];

/// Kinds whose tag is a name that stands in their DROP, beside those whose owner is changed by it.
const NAMED: [&str; 2] = ["EXTENSION", "INDEX"];

impl Toc {
    /// Reads it from its first byte.
    ///
    /// # Errors
    /// When it is of another version, not whole, or damaged as far as that can be seen.
    pub fn read(source: impl Read) -> Result<Self, Damage> {
        let toc = Self::unchecked(source)?;
        check(&toc)?;
        Ok(toc)
    }
}

/// Refuses entries that no `pg_dump` writes.
fn check(toc: &Toc) -> Result<(), Damage> {
    let mut tables = None;
    for entry in &toc.entries {
        let known = |entry: &Entry| {
            tables
                .get_or_insert_with(|| names_of_tables(toc))
                .contains(&(entry.schema.as_deref(), &entry.tag))
        };
        if let Some(why) = problem(entry, known) {
            let shown = |text: &[u8]| clean::line(&String::from_utf8_lossy(text));
            let (kind, tag) = (shown(&entry.kind), shown(&entry.tag));
            return Err(Damage::Entry { id: entry.id, kind, tag, why });
        }
    }
    Ok(())
}

fn names_of_tables(toc: &Toc) -> BTreeSet<(Option<&[u8]>, &Vec<u8>)> {
    let tables = toc.entries.iter().filter(|entry| entry.is("TABLE"));
    tables.map(|entry| (entry.schema.as_deref(), &entry.tag)).collect()
}

/// Why an entry is none of `pg_dump`'s. `is_table` knows whether a TABLE has its name.
fn problem(entry: &Entry, is_table: impl FnOnce(&Entry) -> bool) -> Option<&'static str> {
    if !KINDS.iter().any(|kind| entry.is(kind)) {
        return Some("pg_dump writes no such kind");
    }
    let is_named = NAMED.iter().chain(&OWNED).any(|kind| entry.is(kind));
    if is_named && !entry.drop.is_empty() && !names(&entry.drop, &entry.tag) {
        return Some("its statements have another name");
    }
    // COPY names the root where partitions are loaded through it.
    if entry.is("TABLE DATA") && !entry.copy.is_empty() && !names(&entry.copy, &entry.tag) && !is_table(entry)
    {
        return Some("its COPY has another name");
    }
    let setting = |values: &[&str]| values.iter().any(|value| contains(&entry.definition, value.as_bytes()));
    if entry.is("STDSTRINGS") && !setting(&["'on'", "'off'"]) || entry.is("ENCODING") && !setting(&["'"]) {
        return Some("its value is unknown");
    }
    None
}

/// True where a statement has this name, with quotes or without.
fn names(statement: &[u8], name: &[u8]) -> bool {
    if !name.contains(&b'"') {
        return contains(statement, name);
    }
    let quoted: Vec<u8> =
        name.iter().flat_map(|byte| std::iter::repeat_n(*byte, if *byte == b'"' { 2 } else { 1 })).collect();
    contains(statement, &quoted)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    part.is_empty() || text.windows(part.len()).any(|window| window == part)
}
