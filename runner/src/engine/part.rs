//! What goes over in one piece: a table, or a range of a large table's blocks.

use serde::{Deserialize, Serialize};

use super::table::Table;

/// One piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Its number in its table, from 0.
    pub number: usize,
    /// How many its table has.
    pub of: usize,
    /// The first block, and the one after the last; `None` for the end of the table, however far that is.
    pub blocks: Option<(u64, Option<u64>)>,
    /// Bytes, roughly.
    pub bytes: u64,
}

impl Part {
    /// What its mark is called.
    #[must_use]
    pub fn step(&self, table: &Table) -> String {
        format!("data/{}{}", table.relation, self.suffix())
    }

    /// What people call it.
    #[must_use]
    pub fn label(&self, table: &Table) -> String {
        format!("{}{}", table.relation, self.suffix())
    }

    fn suffix(&self) -> String {
        if self.of == 1 { String::new() } else { format!(" {}/{}", self.number + 1, self.of) }
    }
}

/// More parts than this gain nothing.
const MOST: u64 = 2000;

/// The parts of `table`; one, or several of about `size` bytes where it is larger than that. None where it is empty:
/// nothing can be written to it while the snapshot's session holds its lock in a way that the snapshot would see.
#[must_use]
pub fn parts(table: &Table, size: u64) -> Vec<Part> {
    if table.blocks == 0 {
        return Vec::new();
    }
    let wanted = table.bytes.div_ceil(size.max(1)).clamp(1, MOST).min(table.blocks);
    if wanted == 1 || !table.ranges {
        return vec![Part { number: 0, of: 1, blocks: None, bytes: table.bytes }];
    }
    let each = table.blocks.div_ceil(wanted);
    let count = table.blocks.div_ceil(each);
    let of = usize::try_from(count).unwrap_or(usize::MAX);
    (0..count)
        .zip(0..of)
        .map(|(n, number)| {
            let end = (n + 1 < count).then(|| (n + 1) * each);
            Part { number, of, blocks: Some((n * each, end)), bytes: table.bytes / count }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::format::Format;
    use crate::engine::table::Relation;

    fn table(blocks: u64, bytes: u64) -> Table {
        Table {
            relation: Relation::new("s", "t"),
            into: Relation::new("s", "t"),
            columns: String::new(),
            blocks,
            bytes,
            rows: 0,
            ranges: true,
            format: Format::Text,
            routed: false,
        }
    }

    #[test]
    fn parts_cover_every_block_once() {
        for blocks in [1, 2, 7, 1000, 1001, 99_999] {
            let parts = parts(&table(blocks, blocks * 8192), 100 * 8192);
            let mut next = 0;
            for part in &parts {
                let Some((from, to)) = part.blocks else { break };
                assert_eq!(from, next);
                next = to.unwrap_or(blocks);
            }
            assert!(
                parts.len() == 1
                    || next == blocks
                        && parts.last().is_some_and(|p| p.blocks.is_some_and(|b| b.1.is_none()))
            );
        }
    }

    #[test]
    fn a_table_with_large_values_is_split_by_its_toast_too() {
        assert_eq!(parts(&table(50, 1 << 30), 256 << 20).len(), 4);
        assert_eq!(parts(&table(2, 1 << 30), 256 << 20).len(), 2);
        assert!(parts(&table(0, 8192), 256 << 20).is_empty());
    }
}
