//! Rows of a few chosen tables, from COPY data and from INSERT statements: what an extension keeps in its own tables
//! tells about the user's. All other data passes unread.

use super::names::{option, option_text, relation, string};
use super::state::Facts;
use crate::finding::Place;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, pg};
use crate::text::{Position, Span, parseable};

use std::ops::Range;

/// A row longer than this is none of those that are looked at.
const LONGEST: usize = 1 << 20;

/// The tables whose rows are looked at: TimescaleDB's catalogs and pg_partman's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatalogTable {
    /// `hypertable`.
    Hypertable,
    /// `dimension`.
    Dimension,
    /// `compression_settings`: from 2.14 on.
    CompressionSettings,
    /// `hypertable_compression`: up to 2.13.
    HypertableCompression,
    /// `continuous_agg`.
    ContinuousAgg,
    /// `metadata`.
    Metadata,
    /// `tablespace`.
    Tablespace,
    /// `bgw_job`.
    Job,
    /// pg_partman's `part_config`.
    Partman,
}

impl CatalogTable {
    /// The table of this name.
    #[must_use]
    pub fn named(schema: &str, name: &str) -> Option<Self> {
        Some(match (schema, name) {
            ("_timescaledb_catalog", "hypertable") => Self::Hypertable,
            ("_timescaledb_catalog", "dimension") => Self::Dimension,
            ("_timescaledb_catalog", "compression_settings") => Self::CompressionSettings,
            ("_timescaledb_catalog", "hypertable_compression") => Self::HypertableCompression,
            ("_timescaledb_catalog", "continuous_agg") => Self::ContinuousAgg,
            ("_timescaledb_catalog", "metadata") => Self::Metadata,
            ("_timescaledb_catalog", "tablespace") => Self::Tablespace,
            ("_timescaledb_catalog" | "_timescaledb_config", "bgw_job") => Self::Job,
            // pg_partman lies in a schema of the user's choice.
            (_, "part_config") => Self::Partman,
            _ => return None,
        })
    }

    /// The columns that all releases since 2.0 begin with: an INSERT may name none.
    const fn first_columns(self) -> &'static [&'static str] {
        match self {
            Self::Hypertable => &["id", "schema_name", "table_name"],
            Self::Dimension => &[
                "id",
                "hypertable_id",
                "column_name",
                "column_type",
                "aligned",
                "num_slices",
                "partitioning_func_schema",
                "partitioning_func",
                "interval_length",
            ],
            Self::CompressionSettings | Self::HypertableCompression | Self::ContinuousAgg | Self::Partman => {
                &[]
            }
            Self::Metadata => &["key", "value"],
            Self::Tablespace => &["id", "hypertable_id", "tablespace_name"],
            Self::Job => &[
                "id",
                "application_name",
                "schedule_interval",
                "max_runtime",
                "max_retries",
                "retry_period",
                "proc_schema",
                "proc_name",
                "owner",
                "scheduled",
            ],
        }
    }
}

/// A value of a row: its column, its text (`None` is NULL), its bytes in the text of the row or statement.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Value {
    column: Box<str>,
    text: Option<String>,
    range: Range<usize>,
}

/// A row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The table.
    pub table: CatalogTable,
    /// The row's line in COPY data, the statement of an INSERT.
    pub text: String,
    /// Where that is.
    pub place: Place,
    values: Vec<Value>,
}

impl Row {
    /// The value of a column; `None` where it is NULL or the table has no such column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        self.value(column)?.text.as_deref()
    }

    /// The value of a column as a number.
    #[must_use]
    pub fn number(&self, column: &str) -> Option<i64> {
        self.get(column)?.parse().ok()
    }

    /// The value of a column as a truth value.
    #[must_use]
    pub fn flag(&self, column: &str) -> Option<bool> {
        Some(matches!(self.get(column)?, "t" | "true"))
    }

    /// The bytes of a value in [`Row::text`].
    #[must_use]
    pub fn range(&self, column: &str) -> Option<Range<usize>> {
        self.value(column).map(|value| value.range.clone())
    }

    /// The place of a value among the row's values.
    #[must_use]
    pub fn position(&self, column: &str) -> Option<usize> {
        self.values.iter().position(|value| &*value.column == column)
    }

    fn value(&self, column: &str) -> Option<&Value> {
        self.values.iter().find(|value| &*value.column == column)
    }
}

/// Reads the rows of one COPY as their bytes stream by.
#[derive(Clone, Debug)]
pub(crate) struct RowReader {
    table: CatalogTable,
    columns: Vec<Box<str>>,
    /// The statement.
    place: Place,
    /// The beginning of a row whose end has not come yet, and where it stands.
    held: Vec<u8>,
    held_at: Option<(u64, Position)>,
    /// The open row is too long.
    skipping: bool,
}

impl RowReader {
    /// A reader for the rows of this COPY, where they are looked at.
    #[must_use]
    pub(crate) fn of(facts: &Facts, copy: &pg::CopyStmt, place: Place) -> Option<Self> {
        let is_inline = copy.is_from && copy.filename.is_empty() && !copy.is_program;
        let range = copy.relation.as_ref().filter(|_| is_inline)?;
        let table = CatalogTable::named(&range.schemaname, &range.relname)?;
        let usual = |name: &str, value: &str| {
            option(&copy.options, name).is_none_or(|option| option_text(option) == Some(value))
        };
        let is_text = usual("format", "text") && usual("delimiter", "\t") && usual("null", "\\N");
        let columns = columns_of(facts, range, copy.attlist.iter().filter_map(string));
        (is_text && !columns.is_empty()).then(|| Self {
            table,
            columns,
            place,
            held: Vec::new(),
            held_at: None,
            skipping: false,
        })
    }

    /// Takes bytes that stand at byte `offset`, line and column `at`, and gives every row that they complete.
    pub(crate) fn feed(&mut self, bytes: &[u8], offset: u64, at: Position, sink: &mut dyn FnMut(Row)) {
        let (mut start, mut at) = (0, at);
        while let Some(end) = memchr::memchr(b'\n', bytes.get(start..).unwrap_or_default()) {
            let line = bytes.get(start..start + end).unwrap_or_default();
            let (from, first) = self.held_at.take().unwrap_or((offset + start as u64, at));
            let row = if self.held.is_empty() {
                self.row(line, from, first)
            } else {
                self.held.extend_from_slice(line);
                let held = std::mem::take(&mut self.held);
                self.row(&held, from, first)
            };
            let skipped = std::mem::take(&mut self.skipping);
            if let Some(row) = row.filter(|_| !skipped) {
                sink(row);
            }
            start += end + 1;
            at = Position { line: at.line + 1, column: 1 };
        }
        let rest = bytes.get(start..).unwrap_or_default();
        if self.held.len() + rest.len() > LONGEST {
            self.skipping = true;
            self.held.clear();
        } else if !rest.is_empty() && !self.skipping {
            self.held_at.get_or_insert((offset + start as u64, at));
            self.held.extend_from_slice(rest);
        }
    }

    fn row(&self, line: &[u8], offset: u64, at: Position) -> Option<Row> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = parseable(line).into_owned();
        let mut values = Vec::with_capacity(self.columns.len());
        let mut start = 0;
        for (field, column) in text.split('\t').zip(&self.columns) {
            let range = start..start + field.len();
            values.push(Value { column: column.clone(), text: unescaped(field), range });
            start += field.len() + 1;
        }
        // The row of a damaged dump: the server refuses it too.
        if start != text.len() + 1 || values.len() != self.columns.len() {
            return None;
        }
        let span = Span::new(offset, offset + line.len() as u64);
        let place = Place { span, line: at.line, column: at.column, ..self.place };
        Some(Row { table: self.table, text, place, values })
    }
}

/// The columns that a statement fills: those it names, or all that the dump declares.
fn columns_of<'a>(
    facts: &Facts,
    range: &pg::RangeVar,
    named: impl Iterator<Item = &'a str>,
) -> Vec<Box<str>> {
    let named: Vec<Box<str>> = named.map(Into::into).collect();
    if !named.is_empty() {
        return named;
    }
    let (schema, name) = relation(range);
    let id = facts.resolved(&super::ObjectId::new(Class::Relation, schema, name));
    facts.columns_of(&id).map(|(name, _)| name.into()).collect()
}

/// A field of COPY's text format; `None` is NULL.
fn unescaped(field: &str) -> Option<String> {
    if field == "\\N" {
        return None;
    }
    if !field.contains('\\') {
        return Some(field.to_owned());
    }
    let mut out = Vec::with_capacity(field.len());
    let mut bytes = field.bytes().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match bytes.next() {
            Some(b'b') => out.push(8),
            Some(b'f') => out.push(12),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'v') => out.push(11),
            Some(first @ b'0'..=b'7') => {
                let mut value = u32::from(first - b'0');
                for _ in 0..2 {
                    let Some(next) = bytes.next_if(|b| matches!(b, b'0'..=b'7')) else { break };
                    value = value * 8 + u32::from(next - b'0');
                }
                out.push(value.to_le_bytes()[0]);
            }
            Some(b'x') if bytes.peek().is_some_and(u8::is_ascii_hexdigit) => {
                let mut value = 0_u32;
                for _ in 0..2 {
                    let Some(next) = bytes.next_if(u8::is_ascii_hexdigit) else { break };
                    value = value * 16 + char::from(next).to_digit(16).unwrap_or(0);
                }
                out.push(value.to_le_bytes()[0]);
            }
            Some(other) => out.push(other),
            None => out.push(b'\\'),
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// The rows of an INSERT into a table that is looked at.
pub(crate) fn rows_of_insert(facts: &Facts, statement: &Statement<'_>) -> Vec<Row> {
    let NodeEnum::InsertStmt(insert) = statement.node() else { return Vec::new() };
    let Some(range) = &insert.relation else { return Vec::new() };
    let Some(table) = CatalogTable::named(&range.schemaname, &range.relname) else { return Vec::new() };
    let Some(NodeEnum::SelectStmt(select)) = insert.select_stmt.as_ref().and_then(|s| s.node.as_ref()) else {
        return Vec::new();
    };
    let named: Vec<&str> = insert
        .cols
        .iter()
        .filter_map(|column| match column.node.as_ref()? {
            NodeEnum::ResTarget(target) => Some(target.name.as_str()),
            _ => None,
        })
        .collect();
    let mut columns = columns_of(facts, range, named.into_iter());
    if columns.is_empty() {
        columns = table.first_columns().iter().map(|column| (*column).into()).collect();
    }
    let lists = select.values_lists.iter().filter_map(|list| match list.node.as_ref()? {
        NodeEnum::List(list) => Some(&list.items),
        _ => None,
    });
    lists
        .map(|items| Row {
            table,
            text: statement.sql().to_owned(),
            place: statement.place(&statement.range()),
            values: items
                .iter()
                .zip(&columns)
                .map(|(item, column)| {
                    let (text, range) = constant(statement, item);
                    Value { column: column.clone(), text, range }
                })
                .collect(),
        })
        .collect()
}

/// A constant as COPY would write it, and its token.
fn constant(statement: &Statement<'_>, node: &pg::Node) -> (Option<String>, Range<usize>) {
    let constant = match &node.node {
        Some(NodeEnum::AConst(constant)) => Some(constant),
        Some(NodeEnum::TypeCast(cast)) => match cast.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
            Some(NodeEnum::AConst(constant)) => Some(constant),
            _ => None,
        },
        _ => None,
    };
    let Some(constant) = constant else { return (None, 0..0) };
    let text = constant.val.as_ref().map(|value| match value {
        pg::a_const::Val::Ival(value) => value.ival.to_string(),
        pg::a_const::Val::Fval(value) => value.fval.clone(),
        pg::a_const::Val::Boolval(value) => if value.boolval { "t" } else { "f" }.into(),
        pg::a_const::Val::Sval(value) => value.sval.clone(),
        pg::a_const::Val::Bsval(value) => value.bsval.clone(),
    });
    let token = usize::try_from(constant.location).ok().and_then(|at| statement.token_at(at));
    (text.filter(|_| !constant.isnull), token.map_or(0..0, |token| token.start..token.end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;
    use crate::text::position;

    fn rows(copy: &str, chunks: &[&str]) -> Vec<Row> {
        let parsed = parse(copy, true).unwrap().unwrap();
        let NodeEnum::CopyStmt(copy) = parsed.node() else { panic!() };
        let place = Place { input: 0, statement: 1, span: Span::new(0, 9), line: 1, column: 1 };
        let mut reader = RowReader::of(&Facts::default(), copy, place).unwrap();
        let (mut out, mut offset) = (Vec::new(), 100);
        let mut at = Position { line: 2, column: 1 };
        for chunk in chunks {
            reader.feed(chunk.as_bytes(), offset, at, &mut |row| out.push(row));
            offset += chunk.len() as u64;
            at = position(chunk.as_bytes(), at, chunk.len());
        }
        out
    }

    const METADATA: &str =
        r#"COPY "_timescaledb_catalog"."metadata" ("key", "value", "include_in_telemetry") FROM stdin;"#;

    #[test]
    fn rows_are_read_wherever_the_chunks_end() {
        let whole = "a\\tb\t\\N\tt\r\ntimescaledb_version\t2.17.2\tf\n";
        let expected = rows(METADATA, &[whole]);
        assert_eq!(expected[0].get("key"), Some("a\tb"));
        assert_eq!((expected[0].get("value"), expected[0].flag("include_in_telemetry")), (None, Some(true)));
        assert_eq!((expected[1].place.line, expected[1].place.span.start), (3, 100 + 11));
        assert_eq!(&expected[1].text[expected[1].range("value").unwrap()], "2.17.2");
        for cut in 1..whole.len() {
            assert_eq!(rows(METADATA, &[&whole[..cut], &whole[cut..]]), expected, "{cut}");
        }
    }

    #[test]
    fn escapes_are_those_of_copys_text_format() {
        assert_eq!(unescaped("a\\\\b\\N\\x41\\101\\q"), Some("a\\bNAAq".into()));
        assert_eq!(unescaped("\\N"), None);
    }

    #[test]
    fn a_row_with_too_few_or_too_many_fields_is_none() {
        assert_eq!(rows(METADATA, &["a\tb\n", "a\tb\tc\td\n"]), []);
    }
}
