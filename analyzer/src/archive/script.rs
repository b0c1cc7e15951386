//! The script that `pg_restore --file=-` makes of an archive: the same bytes, but for the key of `\restrict`.

use std::sync::Arc;

use super::large_objects;
use super::toc::{Entry, Section, Toc};
use crate::quote::quote_ident;

/// A piece of the script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text of it.
    Text(Vec<u8>),
    /// Here stands the data of the entry with this index: rows of COPY with the line that ends them, statements, or
    /// large objects.
    Data(usize),
}

/// What of an entry a piece of the script's text comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The path of names, in archives of before CVE-2018-1058.
    SearchPath,
    /// `SET default_tablespace`, where it changes.
    Tablespace,
    /// `SET default_table_access_method`, where it changes.
    AccessMethod,
    /// The comment that names the entry, and what else is written around it.
    Frame,
    /// Its statements.
    Definition,
    /// `ALTER … OWNER TO`.
    Owner,
    /// `ALTER TABLE … SET ACCESS METHOD` of a partitioned table.
    PartitionedMethod,
    /// The COPY before its rows.
    Copy,
}

/// What the last text of a script is made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pieces {
    /// The index of its entry; none of what is written around all entries.
    pub entry: Option<usize>,
    /// The fields in their order, each with the byte behind its end.
    pub fields: Vec<(Field, usize)>,
}

/// Kinds that only tell how the others are to be read.
const SETTINGS: [&str; 3] = ["ENCODING", "STDSTRINGS", "SEARCHPATH"];

/// Kinds whose owner is changed by their name.
pub(super) const OWNED: [&str; 20] = [
    "COLLATION",
    "CONVERSION",
    "DATABASE",
    "DOMAIN",
    "EVENT TRIGGER",
    "FOREIGN DATA WRAPPER",
    "FOREIGN TABLE",
    "MATERIALIZED VIEW",
    "PROCEDURAL LANGUAGE",
    "PUBLICATION",
    "SCHEMA",
    "SEQUENCE",
    "SERVER",
    "STATISTICS",
    "SUBSCRIPTION",
    "TABLE",
    "TEXT SEARCH CONFIGURATION",
    "TEXT SEARCH DICTIONARY",
    "TYPE",
    "VIEW",
];

/// Kinds whose owner is changed by the signature that stands in their DROP.
const OWNED_BY_SIGNATURE: [&str; 6] =
    ["AGGREGATE", "FUNCTION", "OPERATOR", "OPERATOR CLASS", "OPERATOR FAMILY", "PROCEDURE"];

/// The first minor versions whose `pg_restore` restricts psql to what the script says.
const RESTRICTED: [(u32, u32); 5] = [(13, 22), (14, 19), (15, 14), (16, 10), (17, 6)];

/// The script of an archive, in parts.
#[derive(Debug)]
pub struct Script {
    toc: Arc<Toc>,
    /// The entries in the order in which they are restored.
    order: Vec<usize>,
    next: usize,
    /// What of the entry comes next.
    step: Step,
    restrict: Option<String>,
    /// None until something sets it.
    tablespace: Option<Vec<u8>>,
    access_method: Option<Vec<u8>>,
    schema: Option<Vec<u8>>,
    /// The archive says which search_path holds from the start.
    has_search_path: bool,
    pieces: Pieces,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Start,
    Definition,
    DataHead,
    Data,
    DataEnd,
    End,
}

/// When an entry is restored: privileges after all objects, what has to see privileges after those.
fn pass(entry: &Entry) -> u8 {
    let about_event_trigger =
        || (entry.is("COMMENT") || entry.is("SECURITY LABEL")) && entry.tag.starts_with(b"EVENT TRIGGER ");
    // Statistics of a materialized view wait for its rows.
    let of_view_data = || entry.is("STATISTICS DATA") && entry.section == Section::PostData;
    if entry.is("ACL") || entry.is("ACL LANGUAGE") || entry.is("DEFAULT ACL") {
        1
    } else if entry.is("EVENT TRIGGER")
        || entry.is("MATERIALIZED VIEW DATA")
        || of_view_data()
        || about_event_trigger()
    {
        2
    } else {
        0
    }
}

/// True for what is the database's own, which is restored with `--create` alone.
fn is_of_database(entry: &Entry) -> bool {
    let about = entry.is("ACL") || entry.is("COMMENT") || entry.is("SECURITY LABEL");
    entry.is("DATABASE") || entry.is("DATABASE PROPERTIES") || about && entry.tag.starts_with(b"DATABASE ")
}

impl Script {
    /// The script of all but the database itself. `key` is what `\restrict` names, where that `pg_dump` knew it: letters
    /// and digits that no data holds.
    #[must_use]
    pub fn new(toc: Arc<Toc>, key: &str) -> Self {
        let order = (0..toc.entries.len())
            .filter(|index| toc.entries.get(*index).is_some_and(|entry| !is_of_database(entry)));
        let order = order.collect();
        Self::with(toc, key, order)
    }

    /// The script of the entries that are `wanted`, by the part of a dump that they belong to; what is the database's own may be
    /// among them, as `pg_restore --create` prints it.
    #[must_use]
    pub fn of(toc: Arc<Toc>, key: &str, wanted: impl Fn(Section, &Entry) -> bool) -> Self {
        let all = toc.sections().into_iter().zip(&toc.entries).enumerate();
        let order = all.filter(|(_, (section, entry))| wanted(*section, entry)).map(|(index, _)| index);
        let order = order.collect();
        Self::with(toc, key, order)
    }

    fn with(toc: Arc<Toc>, key: &str, mut order: Vec<usize>) -> Self {
        order.retain(|index| {
            let entry = toc.entries.get(*index);
            entry.is_some_and(|entry| !SETTINGS.iter().any(|kind| entry.is(kind)))
        });
        order.sort_by_key(|index| toc.entries.get(*index).map_or(0, pass));
        let (major, minor) = toc.writer_version();
        let since = RESTRICTED.iter().find(|(of, _)| *of == major).map_or(0, |(_, since)| *since);
        let restricts = major >= 13 && minor >= since;
        let has_search_path = toc.setting("SEARCHPATH").is_some();
        Self {
            toc,
            order,
            next: 0,
            step: Step::Start,
            restrict: restricts.then(|| key.to_owned()),
            tablespace: None,
            access_method: None,
            schema: None,
            has_search_path,
            pieces: Pieces::default(),
        }
    }

    /// What the text that was given last is made of.
    #[must_use]
    pub fn pieces(&self) -> &Pieces {
        &self.pieces
    }

    /// Everything since the field before is of this one.
    fn mark(&mut self, field: Field, out: &[u8]) {
        self.pieces.fields.push((field, out.len()));
    }

    fn head(&self) -> Vec<u8> {
        let mut out = b"--\n-- PostgreSQL database dump\n--\n\n".to_vec();
        if let Some(key) = &self.restrict {
            push(&mut out, &[b"\\restrict ", key.as_bytes(), b"\n\n"]);
        }
        for (what, version) in [("from database", &self.toc.server), ("by pg_dump", &self.toc.writer)] {
            if !version.is_empty() {
                push(&mut out, &[b"-- Dumped ", what.as_bytes(), b" version ", &line(version), b"\n"]);
            }
        }
        out.push(b'\n');
        self.settings(&mut out);
        out
    }

    /// What is set at the beginning of a session.
    fn settings(&self, out: &mut Vec<u8>) {
        let (major, _) = self.toc.writer_version();
        out.extend_from_slice(b"SET statement_timeout = 0;\nSET lock_timeout = 0;\n");
        out.extend_from_slice(b"SET idle_in_transaction_session_timeout = 0;\n");
        if major >= 17 {
            out.extend_from_slice(b"SET transaction_timeout = 0;\n");
        }
        for kind in SETTINGS {
            if let Some(entry) = self.toc.setting(kind) {
                // pg_restore reads the value, and writes it without quotes.
                let value = if kind == "STDSTRINGS" {
                    without_quotes(&entry.definition)
                } else {
                    entry.definition.clone()
                };
                out.extend_from_slice(&value);
            }
        }
        out.extend_from_slice(b"SET check_function_bodies = false;\n");
        out.extend_from_slice(b"SET xmloption = content;\n");
        out.extend_from_slice(b"SET client_min_messages = warning;\n");
        if !self.toc.has_standard_strings() {
            out.extend_from_slice(b"SET escape_string_warning = off;\n");
        }
        out.extend_from_slice(b"SET row_security = off;\n\n");
    }

    /// Goes over to the database that was created.
    fn connect(&mut self, database: &[u8], out: &mut Vec<u8>) {
        if let Some(key) = &self.restrict {
            push(out, &[b"\\unrestrict ", key.as_bytes(), b"\n"]);
        }
        push(out, &[b"\\connect ", &connection(database), b"\n"]);
        if let Some(key) = &self.restrict {
            push(out, &[b"\\restrict ", key.as_bytes(), b"\n"]);
        }
        out.push(b'\n');
        (self.tablespace, self.access_method, self.schema) = (None, None, None);
        self.settings(out);
    }

    fn tail(&self) -> Vec<u8> {
        let mut out = b"--\n-- PostgreSQL database dump complete\n--\n\n".to_vec();
        if let Some(key) = &self.restrict {
            push(&mut out, &[b"\\unrestrict ", key.as_bytes(), b"\n\n"]);
        }
        out
    }

    /// What has to be set before an entry, and its comment.
    fn before(&mut self, entry: &Entry, prefix: &str, out: &mut Vec<u8>) {
        self.pieces.fields.clear();
        self.select_schema(entry, out);
        self.mark(Field::SearchPath, out);
        if let Some(wanted) = entry.tablespace.as_deref()
            && self.tablespace.as_deref() != Some(wanted)
        {
            let name = if wanted.is_empty() { b"''".to_vec() } else { name(wanted) };
            push(out, &[b"SET default_tablespace = ", &name, b";\n\n"]);
            self.tablespace = Some(wanted.to_vec());
        }
        self.mark(Field::Tablespace, out);
        if let Some(wanted) = entry.access_method.as_deref()
            && entry.relation_kind != b'p'
            && self.access_method.as_deref() != Some(wanted)
        {
            push(out, &[b"SET default_table_access_method = ", &name(wanted), b";\n\n"]);
            self.access_method = Some(wanted.to_vec());
        }
        self.mark(Field::AccessMethod, out);
        let or_hyphen =
            |text: &Option<Vec<u8>>| text.as_ref().map_or_else(|| b"-".to_vec(), |text| line(text));
        push(out, &[b"--\n-- ", prefix.as_bytes(), b"Name: ", &line(&entry.tag), b"; Type: ", &entry.kind]);
        push(out, &[b"; Schema: ", &or_hyphen(&entry.schema), b"; Owner: ", &or_hyphen(&entry.owner)]);
        if let Some(tablespace) = entry.tablespace.as_deref().filter(|name| !name.is_empty()) {
            push(out, &[b"; Tablespace: ", &line(tablespace)]);
        }
        out.extend_from_slice(b"\n--\n\n");
        self.mark(Field::Frame, out);
    }

    /// Archives of before CVE-2018-1058 change the path from schema to schema.
    fn select_schema(&mut self, entry: &Entry, out: &mut Vec<u8>) {
        let wanted = entry.schema.as_deref().filter(|name| !name.is_empty());
        if self.has_search_path || self.schema.as_deref() == wanted {
            return;
        }
        if let Some(schema) = wanted {
            self.schema = Some(schema.to_vec());
            push(out, &[b"SET search_path = ", &name(schema)]);
            out.extend_from_slice(if schema == b"pg_catalog" { b";\n\n" } else { b", pg_catalog;\n\n" });
        }
    }

    fn definition(&mut self, entry: &Entry) -> Vec<u8> {
        let mut out = Vec::new();
        self.before(entry, if entry.is("STATISTICS DATA") { "Statistics for " } else { "" }, &mut out);
        if let Some(statements) = large_objects::statements(&self.toc, entry) {
            out.extend_from_slice(&statements);
        } else {
            push(&mut out, &[&entry.definition, b"\n\n"]);
        }
        self.mark(Field::Definition, &out);
        if let Some(owner) = entry.owner.as_deref().filter(|owner| !owner.is_empty())
            && !entry.drop.is_empty()
        {
            let to = [b" OWNER TO ".as_slice(), &name(owner)].concat();
            if entry.is("BLOB METADATA") {
                out.extend_from_slice(&large_objects::each(entry, b"ALTER LARGE OBJECT ", &to));
            } else if let Some(object) = self.object(entry) {
                push(&mut out, &[b"ALTER ", &object, &to, b";\n\n"]);
            }
        }
        self.mark(Field::Owner, &out);
        if entry.relation_kind == b'p'
            && let Some(method) = entry.access_method.as_deref().filter(|method| !method.is_empty())
        {
            let table = path(entry);
            push(&mut out, &[b"ALTER TABLE ", &table, b" SET ACCESS METHOD ", &name(method), b";\n\n"]);
        }
        self.mark(Field::PartitionedMethod, &out);
        if entry.is("DATABASE") || entry.is("DATABASE PROPERTIES") {
            self.connect(&entry.tag, &mut out);
            self.mark(Field::Frame, &out);
        }
        out
    }

    /// The object as ALTER … OWNER names it; none for what is nobody's.
    fn object(&self, entry: &Entry) -> Option<Vec<u8>> {
        if entry.is("BLOB") {
            return Some([b"LARGE OBJECT ".as_slice(), &entry.tag].concat());
        }
        if OWNED_BY_SIGNATURE.iter().any(|kind| entry.is(kind)) {
            let signature = entry.drop.strip_prefix(b"DROP ")?;
            let end = signature.iter().rposition(|byte| !matches!(byte, b'\n' | b';'))?;
            return signature.get(..=end).map(<[u8]>::to_vec);
        }
        if !OWNED.iter().any(|kind| entry.is(kind)) {
            return None;
        }
        // Until version 16 they were tables to this statement.
        let relation = entry.is("VIEW") || entry.is("SEQUENCE") || entry.is("MATERIALIZED VIEW");
        let kind: &[u8] = match entry.kind.as_slice() {
            _ if relation && self.toc.writer_major() < 16 => b"TABLE",
            b"PROCEDURAL LANGUAGE" if self.toc.writer_major() < 16 => b"LANGUAGE",
            kind => kind,
        };
        Some([kind, b" ", &path(entry)].concat())
    }

    fn part(&mut self, index: usize) -> Option<Part> {
        let toc = Arc::clone(&self.toc);
        let entry = toc.entries.get(index)?;
        self.pieces.entry = Some(index);
        loop {
            match self.step {
                Step::Definition => {
                    self.step = Step::DataHead;
                    if !entry.definition.is_empty() && !entry.has_data {
                        return Some(Part::Text(self.definition(entry)));
                    }
                }
                Step::DataHead if entry.has_data => {
                    self.step = Step::Data;
                    let mut out = Vec::new();
                    self.before(entry, "Data for ", &mut out);
                    if !entry.definition.is_empty() {
                        // A comment: the table that the rows are loaded by.
                        push(&mut out, &[&entry.definition, b"\n\n"]);
                    }
                    let large = entry.is("BLOBS");
                    if large {
                        out.extend_from_slice(b"BEGIN;\n\n");
                    }
                    self.mark(Field::Frame, &out);
                    out.extend_from_slice(&entry.copy);
                    self.mark(Field::Copy, &out);
                    return Some(Part::Text(out));
                }
                Step::Data => {
                    self.step = Step::DataEnd;
                    return Some(Part::Data(index));
                }
                Step::DataEnd if entry.is("BLOBS") => {
                    self.step = Step::End;
                    self.pieces.fields = vec![(Field::Frame, usize::MAX)];
                    return Some(Part::Text(b"COMMIT;\n\n".to_vec()));
                }
                Step::Start | Step::DataHead | Step::DataEnd | Step::End => return None,
            }
        }
    }
}

impl Iterator for Script {
    type Item = Part;

    fn next(&mut self) -> Option<Part> {
        if self.step == Step::Start {
            self.step = Step::Definition;
            return Some(Part::Text(self.head()));
        }
        while let Some(index) = self.order.get(self.next).copied() {
            if let Some(part) = self.part(index) {
                return Some(part);
            }
            self.next += 1;
            self.step = Step::Definition;
        }
        if self.next == self.order.len() {
            self.next += 1;
            self.pieces = Pieces::default();
            return Some(Part::Text(self.tail()));
        }
        None
    }
}

/// A database as `\connect` names it.
fn connection(database: &[u8]) -> Vec<u8> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
    if database.iter().all(is_plain) {
        return name(database);
    }
    let escaped = database.iter().flat_map(|byte| match byte {
        b'\'' | b'\\' => vec![b'\\', *byte],
        b'"' => vec![b'"'; 2],
        byte => vec![*byte],
    });
    let mut out = b"-reuse-previous=on \"dbname='".to_vec();
    out.extend(escaped);
    out.extend_from_slice(b"'\"");
    out
}

fn without_quotes(text: &[u8]) -> Vec<u8> {
    text.iter().copied().filter(|byte| *byte != b'\'').collect()
}

/// Text on one line, as comments need it.
fn line(text: &[u8]) -> Vec<u8> {
    text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect()
}

/// A name as `pg_restore` quotes it.
fn name(text: &[u8]) -> Vec<u8> {
    if let Ok(text) = str::from_utf8(text) {
        return quote_ident(text).into_bytes();
    }
    // Of another encoding, whose letters are quoted as they are.
    let inner = text.iter().flat_map(|byte| if *byte == b'"' { vec![b'"'; 2] } else { vec![*byte] });
    std::iter::once(b'"').chain(inner).chain([b'"']).collect()
}

/// An entry's name, with its schema.
fn path(entry: &Entry) -> Vec<u8> {
    match entry.schema.as_deref().filter(|schema| !schema.is_empty()) {
        Some(schema) => [&name(schema), b".".as_slice(), &name(&entry.tag)].concat(),
        None => name(&entry.tag),
    }
}

fn push(out: &mut Vec<u8>, pieces: &[&[u8]]) {
    for piece in pieces {
        out.extend_from_slice(piece);
    }
}
