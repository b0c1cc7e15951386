//! Rows of a few chosen tables: what an extension keeps in its own tables tells about the user's. All other data passes
//! unread.

use super::Facts;
use super::names::{option, option_text, relation, strings};
use crate::finding::Place;
use crate::parse::{Class, NodeEnum, pg};

/// What takes the rows of a table: it keeps in the facts what is worth keeping.
type Taker = fn(&mut Facts, &Row<'_>, Place);

/// Who takes the rows of this table. A table is added here.
fn taker(_schema: &str, table: &str) -> Option<Taker> {
    match table {
        // pg_partman lies in a schema of the user's choice.
        "part_config" => Some(super::partman::part_config),
        _ => None,
    }
}

/// A line longer than this is passed over, in bytes.
const MAX_LINE: usize = 1 << 20;

/// More rows than this of one COPY are passed over.
const MAX_ROWS: usize = 1 << 20;

/// A row: its fields by the names of their columns.
#[derive(Debug)]
pub struct Row<'a> {
    columns: &'a [Box<str>],
    fields: Vec<Option<String>>,
}

impl Row<'_> {
    /// The value of a column; `None` where it is NULL or there is no such column.
    #[must_use]
    pub fn get(&self, column: &str) -> Option<&str> {
        self.fields.get(self.columns.iter().position(|name| &**name == column)?)?.as_deref()
    }

    /// The value of the column at a place, from 0; `None` where it is NULL.
    #[must_use]
    pub fn at(&self, index: usize) -> Option<&str> {
        self.fields.get(index)?.as_deref()
    }

    /// True where the statement names the columns, or the dump makes the table.
    #[must_use]
    pub fn has_names(&self) -> bool {
        !self.columns.is_empty()
    }
}

/// A COPY whose rows are read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    taker: Taker,
    place: Place,
    columns: Box<[Box<str>]>,
    /// The beginning of a line whose end is not at hand yet.
    rest: Vec<u8>,
    /// The open line is too long.
    skipping: bool,
    rows: usize,
}

impl Facts {
    /// The next rows of the COPY that was observed last: whole lines or parts of them.
    pub fn rows(&mut self, mut bytes: &[u8]) {
        let Some(mut reading) = self.reading.take() else { return };
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, next) = (bytes.get(..end).unwrap_or_default(), bytes.get(end + 1..));
            bytes = next.unwrap_or_default();
            if !std::mem::take(&mut reading.skipping) && reading.rows < MAX_ROWS {
                reading.rows += 1;
                if reading.rest.is_empty() {
                    self.row(&reading, line);
                } else {
                    let mut whole = std::mem::take(&mut reading.rest);
                    whole.extend_from_slice(line);
                    self.row(&reading, &whole);
                }
            }
        }
        if reading.rest.len() + bytes.len() > MAX_LINE {
            reading.skipping = true;
            reading.rest.clear();
        } else if !reading.skipping {
            reading.rest.extend_from_slice(bytes);
        }
        self.reading = Some(reading);
    }

    /// The COPY has ended.
    pub fn end_rows(&mut self) {
        self.reading = None;
    }

    fn row(&mut self, reading: &Reading, line: &[u8]) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let fields = line.split(|byte| *byte == b'\t').map(field).collect();
        (reading.taker)(self, &Row { columns: &reading.columns, fields }, reading.place);
    }

    /// A COPY or INSERT into a chosen table.
    pub(super) fn rows_of(&mut self, node: &NodeEnum, place: Place) {
        self.reading = None;
        let (range, columns) = match node {
            NodeEnum::CopyStmt(s) if s.is_from && s.filename.is_empty() && !s.is_program => {
                (&s.relation, strings(&s.attlist))
            }
            NodeEnum::InsertStmt(s) => {
                let name = |node: &pg::Node| match node.node.as_ref()? {
                    NodeEnum::ResTarget(target) => Some(target.name.clone()),
                    _ => None,
                };
                let Some(range) = &s.relation else { return };
                let Some(taker) = taker(&range.schemaname, &range.relname) else { return };
                let columns: Vec<String> = s.cols.iter().filter_map(name).collect();
                let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
                let columns = self.columns_of(range, &columns);
                for fields in inserted(s) {
                    taker(self, &Row { columns: &columns, fields }, place);
                }
                return;
            }
            _ => return,
        };
        let Some(range) = range else { return };
        let (NodeEnum::CopyStmt(s), Some(taker)) = (node, taker(&range.schemaname, &range.relname)) else {
            return;
        };
        let plain = |name: &str, usual: &str| {
            option(&s.options, name).is_none_or(|option| option_text(option) == Some(usual))
        };
        if plain("format", "text") && plain("delimiter", "\t") && plain("null", "\\N") {
            let columns = self.columns_of(range, &columns);
            self.reading =
                Some(Reading { taker, place, columns, rest: Vec::new(), skipping: false, rows: 0 });
        }
    }

    /// The columns that a statement fills: those it names, or all that the dump declares.
    fn columns_of(&self, range: &pg::RangeVar, named: &[&str]) -> Box<[Box<str>]> {
        if !named.is_empty() {
            return named.iter().map(|name| (*name).into()).collect();
        }
        let (schema, name) = relation(range);
        let id = self.resolved(&super::ObjectId::new(Class::Relation, schema, name));
        let declared = self.relations.get(&id).map_or(&[][..], |table| &table.columns);
        declared.iter().map(|column| self.names.name(column.name).into()).collect()
    }
}

/// The rows of an INSERT whose values are constants.
fn inserted(s: &pg::InsertStmt) -> Vec<Vec<Option<String>>> {
    let Some(NodeEnum::SelectStmt(select)) = s.select_stmt.as_ref().and_then(|node| node.node.as_ref())
    else {
        return Vec::new();
    };
    let row = |node: &pg::Node| match node.node.as_ref()? {
        NodeEnum::List(list) => Some(list.items.iter().map(constant).collect()),
        _ => None,
    };
    select.values_lists.iter().filter_map(row).collect()
}

/// A constant as COPY would write it.
fn constant(node: &pg::Node) -> Option<String> {
    use pg::a_const::Val;
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Sval(s) => Some(s.sval.clone()),
            Val::Ival(i) => Some(i.ival.to_string()),
            Val::Fval(f) => Some(f.fval.clone()),
            Val::Boolval(b) => Some(if b.boolval { "t".into() } else { "f".into() }),
            Val::Bsval(b) => Some(b.bsval.clone()),
        },
        NodeEnum::TypeCast(cast) => constant(cast.arg.as_ref()?),
        _ => None,
    }
}

/// A field of COPY's text format; `None` is NULL.
fn field(bytes: &[u8]) -> Option<String> {
    if bytes == b"\\N" {
        return None;
    }
    if memchr::memchr(b'\\', bytes).is_none() {
        return Some(String::from_utf8_lossy(bytes).into_owned());
    }
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let Some(escaped) = rest.next() else { break };
        out.push(match escaped {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            b'0'..=b'7' => {
                let mut value = escaped - b'0';
                for _ in 0..2 {
                    let Some(digit) = rest.next_if(|byte| (b'0'..=b'7').contains(byte)) else { break };
                    value = value.wrapping_mul(8).wrapping_add(digit - b'0');
                }
                value
            }
            b'x' if rest.peek().is_some_and(u8::is_ascii_hexdigit) => {
                let mut value = 0_u8;
                for _ in 0..2 {
                    let Some(digit) = rest.next_if(u8::is_ascii_hexdigit) else { break };
                    let digit = char::from(digit).to_digit(16).unwrap_or(0);
                    value = value.wrapping_mul(16).wrapping_add(u8::try_from(digit).unwrap_or(0));
                }
                value
            }
            other => other,
        });
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Analyzer, Options, Target};

    #[test]
    fn fields_are_read_as_copy_reads_them() {
        for (bytes, value) in [
            (&b"a"[..], Some("a")),
            (b"", Some("")),
            (b"\\N", None),
            (b"a\\tb\\\\c\\n", Some("a\tb\\c\n")),
            (b"\\101\\x42\\q", Some("ABq")),
            (b"\\", Some("")),
        ] {
            assert_eq!(field(bytes).as_deref(), value, "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn rows_are_the_same_however_their_bytes_arrive() {
        let dump = "COPY partman.part_config (parent_table, control, partition_interval, retention) FROM stdin;\n\
                    public.a\tts\t1 day\t30 days\npublic.b\tts\t7 days\t\\N\n\\.\n\
                    INSERT INTO partman.part_config (parent_table, control, partition_interval) VALUES \
                    ('public.c', 'id', '100000');\nSELECT 1;\n";
        let (target, options) = (Target::default(), Options::default());
        let read = |size: usize| {
            let mut analyzer = Analyzer::new(&target, &options);
            analyzer.begin("d");
            for chunk in dump.as_bytes().chunks(size) {
                analyzer.feed(chunk).unwrap();
            }
            analyzer.end().unwrap();
            analyzer.finish().facts.partman
        };
        let whole = read(dump.len());
        let parents: Vec<_> = whole.iter().map(|one| (&*one.parent, one.retention.as_deref())).collect();
        assert_eq!(parents, [("public.a", Some("30 days")), ("public.b", None), ("public.c", None)]);
        for size in [1, 2, 7, 64] {
            assert_eq!(read(size), whole, "{size}");
        }
    }
}
