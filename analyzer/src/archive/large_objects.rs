//! Large objects in a table of contents: since version 17 one entry is about many of them.

use super::toc::{Entry, Toc};

/// What stands before the number in privileges.
const NUMBER: &[u8] = b" ON LARGE OBJECT ";

/// The statements of an entry that is about many large objects; none for all others.
pub(super) fn statements(toc: &Toc, entry: &Entry) -> Option<Vec<u8>> {
    if entry.is("BLOB METADATA") {
        return Some(each(entry, b"SELECT pg_catalog.lo_create('", b"')"));
    }
    if !(entry.is("ACL") && entry.tag.starts_with(b"LARGE OBJECTS")) {
        return None;
    }
    // It has the privileges of the first, and needs the entry that lists all.
    let of = entry.needs.first()?;
    let list = toc.entries.iter().find(|other| other.id == *of && other.is("BLOB METADATA"))?;
    let mut out = Vec::new();
    for number in numbers(list) {
        for statement in entry.definition.split_inclusive(|byte| *byte == b'\n') {
            let Some(at) = statement.windows(NUMBER.len()).position(|words| words == NUMBER) else {
                out.extend_from_slice(statement);
                continue;
            };
            let (before, after) = statement.split_at(at + NUMBER.len());
            let digits = after.iter().take_while(|byte| byte.is_ascii_digit()).count();
            out.extend_from_slice(before);
            out.extend_from_slice(number);
            out.extend_from_slice(after.get(digits..).unwrap_or_default());
        }
    }
    out.push(b'\n');
    Some(out)
}

/// A statement for each large object of an entry.
pub(super) fn each(entry: &Entry, before: &[u8], after: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for number in numbers(entry) {
        for piece in [before, number, after, b";\n"] {
            out.extend_from_slice(piece);
        }
    }
    out.push(b'\n');
    out
}

fn numbers(entry: &Entry) -> impl Iterator<Item = &[u8]> {
    entry.definition.split(|byte| *byte == b'\n').filter(|number| !number.is_empty())
}
