//! Rows of TimescaleDB's catalog of the sizes of compressed chunks, some of which no server takes.
//!
//! From 2.26 to 2.28 a row names the table of compressed rows that its chunk had before it was compressed again, as where
//! chunks are rolled up (`compress_chunk_time_interval`; seen with 2.26.4 and 2.28.3). Older ones hold rows of chunks that are
//! gone, which TimescaleDB's own update removes (`sql/updates/2.25.2--2.26.0.sql`). The foreign keys of a restore refuse both.

use std::collections::BTreeMap;

/// Chunks by their ids, with the id of the one that holds their compressed rows (`\N` for none).
#[derive(Debug, Default)]
pub(super) struct Chunks {
    /// This version has that id.
    names_compressed: bool,
    by_id: BTreeMap<String, String>,
}

impl Chunks {
    /// Reads the rows of the catalog of chunks, as COPY's text.
    pub(super) fn read(columns: &[String], rows: &[u8]) -> Option<Self> {
        let id = position(columns, "id")?;
        let compressed = position(columns, "compressed_chunk_id");
        let mut by_id = BTreeMap::new();
        for fields in lines(columns, rows) {
            let fields = fields?;
            let compressed =
                compressed.and_then(|compressed| fields.get(compressed).copied()).unwrap_or(NULL);
            by_id.insert((*fields.get(id)?).to_owned(), compressed.to_owned());
        }
        Some(Self { names_compressed: compressed.is_some(), by_id })
    }

    /// The rows of sizes as a server takes them: those of chunks that exist, each with the compressed chunk that there is.
    pub(super) fn sizes(&self, columns: &[String], rows: &[u8]) -> Option<Vec<u8>> {
        let (chunk, compressed) = (position(columns, "chunk_id")?, position(columns, "compressed_chunk_id"));
        let mut out = Vec::with_capacity(rows.len());
        for fields in lines(columns, rows) {
            let mut fields = fields?;
            let Some(now) = self.by_id.get(*fields.get(chunk)?) else { continue };
            let named = compressed.filter(|_| self.names_compressed).and_then(|at| fields.get_mut(at));
            if let Some(named) = named.filter(|named| !self.by_id.contains_key(**named)) {
                if now == NULL {
                    continue;
                }
                *named = now;
            }
            out.extend_from_slice(fields.join("\t").as_bytes());
            out.push(b'\n');
        }
        Some(out)
    }
}

/// A NULL in COPY's text.
const NULL: &str = r"\N";

fn position(columns: &[String], name: &str) -> Option<usize> {
    columns.iter().position(|column| column == name)
}

/// The fields of each row; none where it has others than these columns.
fn lines<'a>(columns: &'a [String], rows: &'a [u8]) -> impl Iterator<Item = Option<Vec<&'a str>>> {
    rows.split_inclusive(|&byte| byte == b'\n').map(|line| {
        let fields: Vec<&str> =
            std::str::from_utf8(line).ok()?.trim_end_matches(['\n', '\r']).split('\t').collect();
        (fields.len() == columns.len()).then_some(fields)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_size_names_the_compressed_chunk_that_there_is() {
        let rows = b"1\t5\n2\t7\n3\t\\N\n5\t\\N\n7\t\\N\n";
        let chunks = Chunks::read(&columns(&["id", "compressed_chunk_id"]), rows).expect("rows that fit");
        let sizes = b"1\t5\t100\n2\t6\t200\n3\t6\t300\n4\t5\t400\n3\t5\t500\n";
        let out = chunks.sizes(&columns(&["chunk_id", "compressed_chunk_id", "size"]), sizes);
        assert_eq!(out.expect("rows that fit"), b"1\t5\t100\n2\t7\t200\n3\t5\t500\n");
        assert_eq!(chunks.sizes(&columns(&["chunk_id"]), sizes), None);
    }

    #[test]
    fn where_chunks_name_none_a_size_says_what_it_says() {
        let chunks = Chunks::read(&columns(&["id", "relid"]), b"1\ta\n").expect("rows that fit");
        let out = chunks.sizes(&columns(&["chunk_id", "compressed_chunk_id"]), b"1\t9\n2\t9\n");
        assert_eq!(out.expect("rows that fit"), b"1\t9\n");
    }
}
