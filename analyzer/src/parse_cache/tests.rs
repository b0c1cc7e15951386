use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::Index;

use super::{ParseCache, Trees};
use crate::batches::Tree;
use crate::split::{Kind, split};
use crate::{Analyzer, Input, InputError, Options, Report, Target, analyze};

/// No edited fixture has so many bytes of statements.
const ENOUGH: usize = 8 << 20;

const DUMPS: [(&str, &[u8]); 7] = [
    ("cluster-15.sql", include_bytes!("../../../tests/fixtures/dumps/cluster-15.sql")),
    ("database-17.sql", include_bytes!("../../../tests/fixtures/dumps/database-17.sql")),
    ("schema-18.sql", include_bytes!("../../../tests/fixtures/dumps/schema-18.sql")),
    ("data-18.sql", include_bytes!("../../../tests/fixtures/dumps/data-18.sql")),
    ("roles-17.sql", include_bytes!("../../../tests/fixtures/dumps/roles-17.sql")),
    ("plant-17.sql", include_bytes!("../../../tests/fixtures/hypertables/plant-17.sql")),
    ("hostile.sql", include_bytes!("../../../tests/fixtures/reports/hostile.sql")),
];

/// What people type and paste, and what turns the rest of a text into something else.
const SNIPPETS: [&str; 36] = [
    "'",
    "\"",
    "--",
    "/*",
    "*/",
    "$$",
    "$_$",
    ";",
    "(",
    ")",
    "\n",
    "\r\n",
    " ",
    "x",
    "é",
    "\\",
    "\\.\n",
    "E'a\\'b'",
    "'a\\'b'",
    " TABLESPACE fast",
    " OWNER TO nobody",
    "SET standard_conforming_strings = off;\n",
    "SET standard_conforming_strings = on;\n",
    "SET check_function_bodies = true;\n",
    "SET search_path = app, public;\n",
    "CREATE EXTENSION hll;\n",
    "CREATE ROLE r SUPERUSER;\n",
    "CREATE TABLE app.t (a int, v public.hll) TABLESPACE fast;\n",
    "COPY app.t (a) FROM stdin;\n1\n2\n\\.\n",
    "COPY app.t (a) FROM stdin;\n",
    "\\connect other\n",
    "DO $x$ BEGIN PERFORM pg_read_file('x'); EXECUTE 'ALTER SYSTEM SET a = 1'; END $x$;\n",
    "CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS $x$ SELECT lo_import('/etc/passwd'); SELECT 1 $x$;\n",
    "-- tsmigrate: allow TSP-04\n",
    "SELECT 1 FROM nowhere WHERE;\n",
    "INSERT INTO app.t VALUES (1), (2);\n",
];

#[derive(Clone, Debug)]
enum Change {
    Insert(Index, usize),
    Delete(Index, usize),
    Replace(Index, usize, usize),
    /// A byte that may be no UTF-8.
    Byte(Index, u8),
    Swap(Index, Index),
    Double(Index, Index),
    /// Behind one of these marks: in a comment, a body, the rows of a COPY.
    Behind(usize, Index, usize),
    /// What the strings behind it mean.
    Strings(Index),
    /// The text before the last change.
    Undo,
    /// Another major version of the target, the newest list of extensions or the oldest.
    Target(u32, bool),
    /// Fixes that are left, losses that are accepted.
    Options(bool, bool),
}

const MARKS: [&str; 6] = ["--", "$$", "$_$", "FROM stdin;\n", "AS ", "\n\n"];

fn change() -> impl Strategy<Value = Change> {
    let at = || any::<Index>();
    let snippet = || 0..SNIPPETS.len();
    prop_oneof![
        4 => (at(), snippet()).prop_map(|(at, what)| Change::Insert(at, what)),
        3 => (at(), 1..60_usize).prop_map(|(at, length)| Change::Delete(at, length)),
        3 => (at(), 1..60_usize, snippet()).prop_map(|(at, length, what)| Change::Replace(at, length, what)),
        1 => (at(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        3 => (at(), at()).prop_map(|(one, other)| Change::Swap(one, other)),
        2 => (at(), at()).prop_map(|(one, other)| Change::Double(one, other)),
        4 => (0..MARKS.len(), at(), snippet()).prop_map(|(mark, at, what)| Change::Behind(mark, at, what)),
        2 => at().prop_map(Change::Strings),
        3 => Just(Change::Undo),
        2 => (15..19_u32, any::<bool>()).prop_map(|(version, newest)| Change::Target(version, newest)),
        2 => (any::<bool>(), any::<bool>()).prop_map(|(leave, accept)| Change::Options(leave, accept)),
    ]
}

/// The bytes of a piece of the text that is no blank.
fn piece(text: &[u8], at: Index) -> Option<std::ops::Range<usize>> {
    let all: Vec<_> = split(text).into_iter().filter(|piece| piece.kind != Kind::Blank).collect();
    let span = all.get(at.index(all.len().max(1)))?.span;
    Some(usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap())
}

/// Where a mark ends, one of all such places.
fn behind(text: &[u8], mark: &str, at: Index) -> Option<usize> {
    let all: Vec<usize> = memchr::memmem::find_iter(text, mark).map(|found| found + mark.len()).collect();
    (!all.is_empty()).then(|| all[at.index(all.len())])
}

/// A text that is edited, and how it is checked.
struct Edited {
    name: &'static str,
    text: Vec<u8>,
    before: Vec<u8>,
    target: Target,
    options: Options,
}

impl Edited {
    fn new((name, text): (&'static str, &[u8])) -> Self {
        let text = text.to_vec();
        Self { name, before: text.clone(), text, target: Target::default(), options: Options::default() }
    }

    fn edit(&mut self, change: &Change) {
        let before = self.text.clone();
        let text = &mut self.text;
        let part = |text: &[u8], at: Index, length: usize| {
            let start = at.index(text.len() + 1);
            start..(start + length).min(text.len())
        };
        match *change {
            Change::Insert(at, what) => {
                let at = at.index(text.len() + 1);
                text.splice(at..at, SNIPPETS[what].bytes());
            }
            Change::Delete(at, length) => drop(text.drain(part(text, at, length))),
            Change::Replace(at, length, what) => {
                let range = part(text, at, length);
                text.splice(range, SNIPPETS[what].bytes());
            }
            Change::Byte(at, byte) => {
                let at = at.index(text.len() + 1);
                text.insert(at, byte);
            }
            Change::Swap(one, other) => {
                if let (Some(one), Some(other)) = (piece(text, one), piece(text, other)) {
                    let (first, second) = if one.start < other.start { (one, other) } else { (other, one) };
                    if first.end <= second.start {
                        let parts = [second.clone(), first.end..second.start, first.clone()];
                        let swapped: Vec<u8> =
                            parts.into_iter().flat_map(|part| text[part].to_vec()).collect();
                        text.splice(first.start..second.end, swapped);
                    }
                }
            }
            Change::Double(one, other) => {
                if let (Some(from), Some(to)) = (piece(text, one), piece(text, other)) {
                    let copy = text[from].to_vec();
                    text.splice(to.start..to.start, copy);
                }
            }
            Change::Behind(mark, at, what) => {
                if let Some(at) = behind(text, MARKS[mark], at) {
                    text.splice(at..at, SNIPPETS[what].bytes());
                }
            }
            Change::Strings(at) => {
                let setting = "standard_conforming_strings = o";
                if let Some(at) = behind(text, setting, at) {
                    let off = text[at..].starts_with(b"ff");
                    text.splice(at..at + if off { 2 } else { 1 }, if off { "n" } else { "ff" }.bytes());
                }
            }
            Change::Undo => std::mem::swap(text, &mut self.before),
            Change::Target(version, newest) => {
                self.target = Target::default().with_version(version);
                if !newest {
                    self.target.extension_lists.truncate(1);
                }
            }
            Change::Options(leave, accept) => {
                self.options = Options::default();
                if leave {
                    self.options.leave("TSP-04").unwrap();
                }
                if accept {
                    self.options.accept("EXT-01").unwrap();
                    self.options.accept("OWN-01").unwrap();
                }
            }
        }
        if !matches!(change, Change::Undo) {
            self.before = before;
        }
    }

    fn fresh(&self) -> String {
        let analysis = analyze(&[Input { name: self.name, text: &self.text }], &self.target, &self.options);
        self.words(analysis)
    }

    fn again(&self, recall: &ParseCache) -> String {
        let mut analyzer = Analyzer::with_executor(&self.target, &self.options, recall);
        analyzer.begin(self.name);
        // In pieces, as the page gives them.
        let mut fed = self.text.chunks(16 << 10).try_for_each(|chunk| analyzer.feed(chunk));
        if fed.is_ok() {
            fed = analyzer.end();
        }
        self.words(fed.map(|()| {
            let analysis = analyzer.finish();
            recall.end_check();
            analysis
        }))
    }

    /// All that a check says and does.
    fn words(&self, analysis: Result<crate::Analysis, InputError>) -> String {
        match analysis {
            Err(error) => format!("{error:?}"),
            Ok(analysis) => {
                let report = Report::new(&analysis, &self.target, &self.options);
                let report = serde_json::to_string_pretty(&report).unwrap();
                let rewritten = analysis.rewritten(0, &self.text);
                format!("{report}\n{:#?}\n{}", analysis.inputs, String::from_utf8_lossy(&rewritten))
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_edited_text_is_checked_as_if_for_the_first_time(
        dump in 0..DUMPS.len(),
        changes in proptest::collection::vec(change(), 1..12),
    ) {
        let recall = ParseCache::new(ENOUGH);
        let mut edited = Edited::new(DUMPS[dump]);
        prop_assert_eq!(edited.fresh(), edited.again(&recall));
        for change in &changes {
            edited.edit(change);
            let (fresh, again) = (edited.fresh(), edited.again(&recall));
            prop_assert!(fresh == again, "{}", first_difference(&fresh, &again));
        }
    }

    #[test]
    fn nothing_is_said_in_another_way_where_memory_is_scarce(
        dump in 0..DUMPS.len(),
        changes in proptest::collection::vec(change(), 1..4),
        limit in 0..40_000_usize,
    ) {
        let recall = ParseCache::new(limit);
        let mut edited = Edited::new(DUMPS[dump]);
        for change in &changes {
            edited.edit(change);
            prop_assert_eq!(edited.fresh(), edited.again(&recall));
            prop_assert!(recall.held() <= limit);
        }
    }
}

fn first_difference(one: &str, other: &str) -> String {
    let lines = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    lines.map_or_else(|| "one is longer".into(), |(one, other)| format!("fresh: {one}\nagain: {other}"))
}

fn tree(trees: &mut Trees, sql: &str, standard_strings: bool) -> Arc<Tree> {
    trees.read(sql, standard_strings).unwrap().unwrap()
}

#[test]
fn a_text_is_read_once_for_each_way_of_reading_strings() {
    let mut trees = Trees { limit: ENOUGH, ..Trees::default() };
    let first = tree(&mut trees, "SELECT 'a';", true);
    assert!(Arc::ptr_eq(&first, &tree(&mut trees, "SELECT 'a';", true)));
    assert!(!Arc::ptr_eq(&first, &tree(&mut trees, "SELECT 'a';", false)));
    assert!(!Arc::ptr_eq(&first, &tree(&mut trees, "SELECT 'b';", true)));
}

#[test]
fn one_edited_statement_is_all_that_is_read_anew() {
    let recall = ParseCache::new(ENOUGH);
    let mut edited = Edited::new(DUMPS[1]);
    edited.again(&recall);
    let trees = |recall: &ParseCache| -> Vec<(String, Arc<Tree>)> {
        let trees = recall.trees.borrow();
        trees.standard.iter().map(|(sql, cached)| (sql.to_string(), Arc::clone(&cached.tree))).collect()
    };
    let before = trees(&recall);
    let mark = b"CREATE TABLE \"app\".\"";
    let at = memchr::memmem::find(&edited.text, mark).unwrap() + mark.len();
    edited.text.splice(at..at, *b"x");
    // What stands above moves everything below.
    edited.text.splice(0..0, *b"-- a comment\n\n");
    edited.again(&recall);
    let anew: Vec<_> = trees(&recall)
        .into_iter()
        .filter(|(_, tree)| !before.iter().any(|(_, known)| Arc::ptr_eq(known, tree)))
        .map(|(sql, _)| sql)
        .collect();
    assert_eq!(anew.len(), 1, "{anew:?}");
    assert!(anew[0].starts_with("CREATE TABLE \"app\".\"x"));
    assert_eq!(trees(&recall).len(), before.len());
}

#[test]
fn what_a_check_did_not_need_is_forgotten_at_its_end() {
    let recall = ParseCache::new(ENOUGH);
    let of = |text: &'static str| Edited::new(("x.sql", text.as_bytes()));
    of("SELECT 1;\nSELECT 22;\n").again(&recall);
    assert_eq!(recall.held(), "SELECT 1;SELECT 22;".len());
    // An open quote: this check ends early.
    of("SELECT ';\nSELECT 1;\nSELECT 22;\n").again(&recall);
    assert_eq!(recall.held(), "SELECT 1;SELECT 22;".len());
    of("SELECT 1;\n").again(&recall);
    assert_eq!(recall.held(), "SELECT 1;".len());
}

#[test]
fn another_dump_takes_the_place_of_the_last_one() {
    let recall = ParseCache::new(20);
    let of = |text: &'static str| Edited::new(("x.sql", text.as_bytes()));
    of("SELECT 11;\nSELECT 1;\n").again(&recall);
    assert_eq!(recall.held(), 19);
    // While it is checked for the first time, there is no room; nothing of a longer text is given up for its end.
    for held in [0, 19, 19] {
        of("SELECT 3;\nSELECT 44;\nSELECT 5;\n").again(&recall);
        assert_eq!(recall.held(), held);
    }
    let trees = recall.trees.borrow();
    assert!(trees.standard.contains_key("SELECT 3;") && trees.standard.contains_key("SELECT 44;"));
}
