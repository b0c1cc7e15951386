//! The first look through a dump's text: everything but rows is kept, and where those are.

use std::collections::{BTreeMap, BTreeSet};

use tsmigrate_analyzer::archive::{Entry, Place, Section};
use tsmigrate_analyzer::input::connect_target;
use tsmigrate_analyzer::split::{End, Kind, Piece};

use super::statement::{What, what};
use crate::inserts;
use crate::names::Relation;

/// Where rows are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) file: usize,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// What of a text cannot be restored, with the first line of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// Rows stand behind statements that create what belongs behind all rows.
    Mixed(u64),
    /// A name without its schema.
    Unqualified(u64, String),
    /// A command of psql.
    Psql(u64, String),
    /// Rows of a statement that cannot be read.
    Rows(u64),
    /// Lines end as on Windows.
    LineEnds,
}

/// What stands in `pg_dump`'s comment before the rows of a table.
const ROWS_OF: &str = "-- Data for Name: ";

/// The first and the last line that `pg_dump` and `pg_dumpall` write.
const MARKS: [(&[u8], &[u8]); 2] = [
    (b"-- PostgreSQL database dump", b"-- PostgreSQL database dump complete"),
    (b"-- PostgreSQL database cluster dump", b"-- PostgreSQL database cluster dump complete"),
];

/// One database of a dump's text.
#[derive(Debug, Default)]
pub(super) struct Database {
    /// As `\connect` names it; none where nothing does.
    pub(super) name: Option<String>,
    /// That `\connect`.
    pub(super) connect: Vec<u8>,
    /// Versions of the server that was dumped, and of the `pg_dump` that did it.
    pub(super) server: Vec<u8>,
    pub(super) writer: Vec<u8>,
    /// What stands before the rows, and behind them.
    pub(super) before_rows: Vec<u8>,
    pub(super) behind_rows: Vec<u8>,
    /// About large objects.
    pub(super) about_objects: Vec<u8>,
    pub(super) entries: Vec<Entry>,
    /// Entries whose rows are statements, with whether backslashes in their strings are backslashes.
    pub(super) inserts: BTreeMap<i64, bool>,
    /// Where rows and large objects are, by the numbers of entries.
    pub(super) spans: BTreeMap<i64, Span>,
    /// What is not restored.
    pub(super) problems: BTreeSet<Problem>,
    /// Statements that drop what an empty target does not have.
    pub(super) drops: u64,
    /// Its text is in another encoding than UTF-8.
    pub(super) is_of_other_encoding: bool,
    /// The first of the files that have something of it.
    pub(super) file: Option<usize>,
    /// Rows have been seen, then statements behind them.
    has_data: bool,
    has_more: bool,
    /// It is more than settings.
    pub(super) has_objects: bool,
    /// The last statement that sets each setting.
    settings: Vec<(String, String)>,
    /// Tables that `pg_dump` has begun to write rows of, and there were none.
    empty: BTreeSet<Relation>,
    /// Tables that rows are of, where they go through another.
    labels: BTreeMap<i64, Relation>,
}

impl Database {
    /// Text that is run where it stands; what is among the rows is none.
    fn push(&mut self, text: &[u8]) {
        match (self.has_data, self.has_more) {
            (false, _) => self.before_rows.extend_from_slice(text),
            (true, true) => self.behind_rows.extend_from_slice(text),
            (true, false) => {}
        }
    }

    /// Keeps the lines of what is left out.
    fn push_lines_of(&mut self, text: &[u8]) {
        let lines = memchr::memchr_iter(b'\n', text).count();
        self.push(&vec![b'\n'; lines]);
    }

    /// Adds an entry, and says its number.
    fn enter(&mut self, kind: &str, name: &Relation, section: Section, fill: impl FnOnce(&mut Entry)) -> i64 {
        let id = i64::try_from(self.entries.len()).unwrap_or(i64::MAX).saturating_add(1);
        let mut entry = Entry {
            id,
            object: (0, 0),
            has_data: false,
            tag: name.name.as_bytes().to_vec(),
            kind: kind.as_bytes().to_vec(),
            section,
            definition: Vec::new(),
            drop: Vec::new(),
            copy: Vec::new(),
            schema: Some(name.schema.as_bytes().to_vec()),
            tablespace: None,
            access_method: None,
            relation_kind: 0,
            owner: None,
            needs: Vec::new(),
            place: Place::Nowhere,
        };
        fill(&mut entry);
        self.entries.push(entry);
        id
    }

    /// Something that belongs to the data: behind it nothing may be created before.
    fn data(&mut self, line: u64) {
        (self.has_data, self.has_objects) = (true, true);
        if self.has_more {
            self.problems.insert(Problem::Mixed(line));
        }
    }

    /// Adds an entry for rows that this COPY takes.
    fn rows(&mut self, into: &Relation, copy: &str, label: Option<Relation>, line: u64) -> i64 {
        self.data(line);
        if into.schema.is_empty() {
            self.problems.insert(Problem::Unqualified(line, into.name.clone()));
        }
        let id = self.enter("TABLE DATA", into, Section::Data, |entry| {
            entry.has_data = true;
            entry.copy = copy.as_bytes().to_vec();
        });
        self.labels.extend(label.filter(|label| label != into).map(|label| (id, label)));
        id
    }

    /// A statement that is run where it stands.
    fn define(&mut self, text: &[u8]) {
        self.has_objects = true;
        if self.has_data && !std::mem::replace(&mut self.has_more, true) {
            // What stands behind the rows is a text of its own.
            for (_, sql) in std::mem::take(&mut self.settings) {
                self.push(format!("{sql}\n").as_bytes());
            }
        }
        self.push(text);
    }

    fn setting(&mut self, name: String, sql: &str) {
        if name == "client_encoding" {
            self.is_of_other_encoding = !sql.to_ascii_uppercase().contains("UTF8");
        }
        self.push(sql.as_bytes());
        self.settings.retain(|(other, _)| *other != name);
        self.settings.push((name, sql.to_owned()));
    }

    /// To be called at the end: rows that go through the root of their table are known by their own, and tables without rows
    /// have some too: none.
    fn finish(&mut self) {
        self.finish_labels();
        let created: BTreeSet<Relation> =
            self.entries.iter().filter(|entry| entry.is("TABLE")).filter_map(relation).collect();
        let filled: BTreeSet<Relation> =
            self.entries.iter().filter(|entry| entry.is("TABLE DATA")).filter_map(relation).collect();
        for table in std::mem::take(&mut self.empty) {
            // The comment has the name without line ends: only a table that is created is one.
            if created.contains(&table) && !filled.contains(&table) {
                let id = self.enter("TABLE DATA", &table, Section::Data, |entry| {
                    entry.has_data = true;
                    entry.copy = format!("COPY {} FROM stdin;\n", table.sql()).into_bytes();
                });
                self.inserts.insert(id, true);
                self.spans.insert(id, Span { file: self.file.unwrap_or_default(), start: 0, end: 0 });
            }
        }
    }

    fn finish_labels(&mut self) {
        let name = |entry: &Entry| (entry.schema.clone().unwrap_or_default(), entry.tag.clone());
        let tables = || self.entries.iter().filter(|entry| entry.is("TABLE"));
        let created: BTreeSet<_> = tables().map(name).collect();
        let roots: BTreeSet<_> = tables().filter(|entry| entry.relation_kind == b'p').map(name).collect();
        for entry in &mut self.entries {
            let Some(label) = self.labels.get(&entry.id).filter(|_| roots.contains(&name(entry))) else {
                continue;
            };
            // The comment has the name without line ends: only a table that is created is one.
            let label = (label.schema.as_bytes().to_vec(), label.name.as_bytes().to_vec());
            if created.contains(&label) {
                (entry.schema, entry.tag) = (Some(label.0), label.1);
            }
        }
    }
}

fn relation(entry: &Entry) -> Option<Relation> {
    let schema = str::from_utf8(entry.schema.as_deref()?).ok()?;
    Some(Relation::new(schema, str::from_utf8(&entry.tag).ok()?))
}

/// The look through.
#[derive(Default)]
pub(super) struct Scan {
    pub(super) databases: Vec<Database>,
    /// Statements about databases as a whole.
    pub(super) about: BTreeMap<String, Vec<u8>>,
    pub(super) roles: Vec<u8>,
    /// The line in which the file ends although something is open.
    pub(super) cut_off: Option<u64>,
    /// Versions that the last head of a dump names: in a dump of all databases it stands before `\connect`.
    versions: (Vec<u8>, Vec<u8>),
    file: usize,
    current: Database,
    /// Whether `\encoding` has named another one than UTF-8, until something follows.
    encoding: Option<bool>,
    /// How often each mark has begun and ended.
    marks: [(u64, u64); 2],
    /// The table that the last comment says rows are of.
    label: Option<Relation>,
    /// The entry whose rows are read.
    rows: Option<i64>,
    /// The entry whose rows are read from statements, and what they go into.
    inserts: Option<(i64, Relation)>,
    /// The entry whose large objects are read.
    objects: Option<i64>,
    /// A transaction that has begun with nothing in it yet.
    begun: Vec<u8>,
}

impl Scan {
    /// Begins a file.
    pub(super) fn begin(&mut self, file: usize) {
        (self.file, self.marks) = (file, Default::default());
        self.connect(None, b"");
    }

    /// Ends a file, which has so many lines.
    pub(super) fn end(&mut self, line: u64) {
        if self.marks.iter().any(|(begun, ended)| begun > ended) {
            self.cut_off.get_or_insert(line);
        }
    }

    /// Settles what only the end tells.
    pub(super) fn finish(&mut self) {
        self.current.empty.extend(self.label.take());
        self.databases.push(std::mem::take(&mut self.current));
        for database in &mut self.databases {
            database.finish();
        }
    }

    fn connect(&mut self, name: Option<String>, meta: &[u8]) {
        self.current.empty.extend(self.label.take());
        (self.rows, self.objects) = (None, None);
        self.inserts = None;
        if self.current.name == name {
            return;
        }
        let (server, writer) = self.versions.clone();
        let found = self.databases.iter().position(|database| database.name == name);
        let next = found.map(|number| self.databases.swap_remove(number));
        let next = next.unwrap_or_else(|| Database {
            name,
            connect: meta.to_vec(),
            server,
            writer,
            ..Database::default()
        });
        self.databases.push(std::mem::replace(&mut self.current, next));
        self.encode();
    }

    /// What `\encoding` has said is about what follows, in the database that is connected to by then.
    fn encode(&mut self) {
        if let Some(is_other) = self.encoding.take() {
            self.current.is_of_other_encoding = is_other;
        }
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: &Piece<'_>) {
        if let End::CutOff(_) = piece.end {
            self.cut_off.get_or_insert(piece.at.line);
        }
        match piece.kind {
            Kind::Statement => {
                self.statement(piece);
                if self.current.has_objects {
                    self.current.file.get_or_insert(self.file);
                }
            }
            Kind::CopyData => {
                if piece.text.ends_with(b"\r\n") {
                    self.current.problems.insert(Problem::LineEnds);
                }
                match self.rows {
                    Some(id) => self.extend(id, piece),
                    None => {
                        self.current.problems.insert(Problem::Rows(piece.at.line));
                    }
                }
            }
            Kind::CopyEnd => {
                let (file, start) = (self.file, piece.span.start);
                if let Some(id) = self.rows.take() {
                    self.current.spans.entry(id).or_insert(Span { file, start, end: start });
                }
            }
            Kind::Meta => self.meta(&String::from_utf8_lossy(piece.text), piece.at.line),
            Kind::Comment => {
                self.comment(piece.text);
                // What tells the kind of a whole file says nothing of a part of it.
                if !MARKS.iter().any(|(begin, end)| [*begin, end].contains(&piece.text)) {
                    self.current.push(piece.text);
                }
            }
            Kind::Blank | Kind::Noise => self.current.push(piece.text),
        }
    }

    fn extend(&mut self, id: i64, piece: &Piece<'_>) {
        let (file, start, end) = (self.file, piece.span.start, piece.span.end);
        self.current.spans.entry(id).or_insert(Span { file, start, end }).end = end;
    }

    fn meta(&mut self, command: &str, line: u64) {
        let name = command.split_whitespace().next().unwrap_or_default();
        if let Some(database) = connect_target(command) {
            if database != "-" {
                self.connect(Some(database), command.as_bytes());
            }
        } else if name == "\\encoding" {
            // pg_dump writes it before it connects to a name that is not plain; SET client_encoding follows.
            self.encoding = Some(!command.to_ascii_uppercase().contains("UTF8"));
        } else if !["\\restrict", "\\unrestrict"].contains(&name) {
            let problem = Problem::Psql(line, name.to_owned());
            self.current.problems.insert(problem);
        }
    }

    fn comment(&mut self, text: &[u8]) {
        for ((begin, end), (begun, ended)) in MARKS.into_iter().zip(&mut self.marks) {
            *begun += u64::from(text == begin);
            *ended += u64::from(text == end);
        }
        let Ok(text) = str::from_utf8(text) else { return };
        if let Some(version) = text.strip_prefix("-- Dumped from database version ") {
            self.versions.0 = version.as_bytes().to_vec();
            self.current.server.clone_from(&self.versions.0);
        } else if let Some(version) = text.strip_prefix("-- Dumped by pg_dump version ") {
            self.versions.1 = version.as_bytes().to_vec();
            self.current.writer.clone_from(&self.versions.1);
        } else if let Some(rows) = text.strip_prefix(ROWS_OF) {
            self.current.empty.extend(self.label.take());
            self.label = rows.split_once("; Type: TABLE DATA; Schema: ").and_then(|(name, rest)| {
                let (schema, _) = rest.rsplit_once("; Owner: ")?;
                Some(Relation::new(schema, name))
            });
        }
    }

    fn statement(&mut self, piece: &Piece<'_>) {
        self.encode();
        let Ok(sql) = str::from_utf8(piece.text) else {
            self.current.is_of_other_encoding = true;
            return;
        };
        let found = what(sql, piece.standard_strings);
        let (label, objects) = (self.label.take(), self.objects.take());
        if found == What::Transaction {
            // Large objects are written within one.
            match objects {
                Some(_) => self.current.push_lines_of(piece.text),
                None => self.begun = piece.text.to_vec(),
            }
            return;
        }
        let inserts = self.inserts.take();
        let is_rows = matches!(found, What::Rows(_) | What::Insert(_));
        let (label, without_rows) = if is_rows { (label, None) } else { (None, label) };
        self.current.empty.extend(without_rows);
        let begun = std::mem::take(&mut self.begun);
        if !begun.is_empty() && found != What::ObjectBytes {
            self.current.define(&begun);
        }
        let line = |text: &[u8]| [text, b"\n"].concat();
        match found {
            What::Rows(into) => self.rows_of(&into, sql, label, piece.at.line),
            What::Insert(into) => self.inserted(into, label, inserts, piece),
            What::Sequence => self.sequence(sql, piece.at.line),
            What::ObjectBytes => self.object_bytes(objects, piece),
            What::Role => self.roles.extend(line(piece.text)),
            What::Database(name) => self.about.entry(name).or_default().extend(line(piece.text)),
            What::Setting(name) => return self.current.setting(name, sql),
            What::Own | What::Transaction => {}
            What::AboutObject => {
                self.current.has_objects = true;
                self.current.about_objects.extend(line(piece.text));
            }
            What::Drop if !self.current.has_objects => self.current.drops += 1,
            What::Creates(kind, name, relation_kind) => {
                let section = if self.current.has_data { Section::PostData } else { Section::PreData };
                if kind == "TABLE" && name.schema.is_empty() {
                    let problem = Problem::Unqualified(piece.at.line, name.name.clone());
                    self.current.problems.insert(problem);
                }
                self.current.enter(kind, &name, section, |entry| {
                    entry.relation_kind = relation_kind;
                    if kind == "TRIGGER" {
                        entry.definition = piece.text.to_vec();
                    }
                });
                return self.current.define(piece.text);
            }
            What::Other | What::Drop => return self.current.define(piece.text),
        }
        self.current.push_lines_of(piece.text);
    }

    fn rows_of(&mut self, into: &Relation, sql: &str, label: Option<Relation>, line: u64) {
        self.rows = Some(self.current.rows(into, sql, label, line));
    }

    /// Rows of a table that stand in statements, one behind the other.
    fn inserted(
        &mut self,
        into: Relation,
        label: Option<Relation>,
        before: Option<(i64, Relation)>,
        piece: &Piece<'_>,
    ) {
        let (line, standard_strings) = (piece.at.line, piece.standard_strings);
        let id = match before {
            // A comment stands before the rows of each table.
            Some((id, table)) if table == into && label.is_none() => id,
            _ => {
                // Of what is not as pg_dump writes it, nobody knows where it goes.
                let found = inserts::look(piece.text, standard_strings).ok().flatten();
                let copy = found.map(|into| into.copy()).unwrap_or_default();
                let id = self.current.rows(&into, &copy, label, line);
                self.current.inserts.insert(id, standard_strings);
                id
            }
        };
        self.current.data(line);
        self.extend(id, piece);
        self.inserts = Some((id, into));
    }

    fn sequence(&mut self, sql: &str, line: u64) {
        self.current.data(line);
        self.current.enter("SEQUENCE SET", &Relation::new("", sql), Section::Data, |entry| {
            entry.definition = sql.as_bytes().to_vec();
        });
    }

    /// A piece of a large object, of those that stand one behind the other.
    fn object_bytes(&mut self, objects: Option<i64>, piece: &Piece<'_>) {
        self.current.data(piece.at.line);
        let id = objects.unwrap_or_else(|| {
            let name = Relation::new("", "BLOBS");
            self.current.enter("BLOBS", &name, Section::Data, |entry| entry.has_data = true)
        });
        self.objects = Some(id);
        self.extend(id, piece);
    }
}
