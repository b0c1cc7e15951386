//! What goes over in one piece: a table, or a range of a large table's blocks.

use serde::{Deserialize, Serialize};

use super::Table;
use crate::step::Step;

/// One piece.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyRange {
    /// Its number in its table, from 0.
    pub number: usize,
    /// How many its table has.
    pub of: usize,
    /// The first block, and the one after the last; `None` for the end of the table, however far that is.
    pub blocks: Option<(u64, Option<u64>)>,
    /// Bytes, roughly.
    pub bytes: u64,
}

impl CopyRange {
    /// The step that copies it.
    #[must_use]
    pub fn step(&self, table: &Table) -> Step {
        let relation = table.relation.clone();
        if self.of == 1 { Step::Table(relation) } else { Step::CopyRange(relation, self.number + 1, self.of) }
    }

    /// What people call it: the table, and which part of it.
    #[must_use]
    pub fn label(&self, table: &Table) -> String {
        let range = if self.of == 1 { String::new() } else { format!(" {}/{}", self.number + 1, self.of) };
        format!("{}{range}", table.relation)
    }
}

/// More parts than this gain nothing.
const MOST: u64 = 4000;

/// Which tables are split, and into what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Split {
    /// Tables with more bytes than this are split.
    pub above: u64,
    /// Parts have about so many.
    pub into: u64,
}

impl Split {
    /// A part as small as this is not worth its while.
    const SMALLEST: u64 = 256 << 20;
    /// As much as may have to be copied again when a connection breaks.
    const LARGEST: u64 = 4 << 30;
    /// Larger tables are split in any case.
    const IN_ANY_CASE: u64 = 20 << 30;

    /// What keeps `jobs` readers busy to the end. A whole table costs both servers less than its parts: it is read
    /// without a filter, and written with `FREEZE` (measured: a tenth of the processors' time for all of a migration).
    #[must_use]
    pub fn balanced(tables: impl Iterator<Item = u64>, jobs: u64) -> Self {
        let share = tables.sum::<u64>() / jobs.max(1);
        let above = if jobs < 2 { Self::IN_ANY_CASE } else { (share / 2 * 3).min(Self::IN_ANY_CASE) };
        Self { above: above.max(Self::SMALLEST), into: (share / 2).clamp(Self::SMALLEST, Self::LARGEST) }
    }
}

/// The parts of `table`. None where it is empty: nothing can be written to it that the snapshot would see.
#[must_use]
pub fn ranges(table: &Table, split: Split) -> Vec<CopyRange> {
    if table.blocks == 0 {
        return Vec::new();
    }
    let wanted = if table.bytes > split.above { table.bytes.div_ceil(split.into.max(1)) } else { 1 };
    let wanted = wanted.clamp(1, MOST).min(table.blocks);
    if wanted == 1 || !table.ranges {
        return vec![CopyRange { number: 0, of: 1, blocks: None, bytes: table.bytes }];
    }
    let each = table.blocks.div_ceil(wanted);
    let count = table.blocks.div_ceil(each);
    let of = usize::try_from(count).unwrap_or(usize::MAX);
    (0..count)
        .zip(0..of)
        .map(|(n, number)| {
            let end = (n + 1 < count).then(|| (n + 1) * each);
            CopyRange { number, of, blocks: Some((n * each, end)), bytes: table.bytes / count }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::names::Relation;
    use crate::tables::format::Format;

    fn table(blocks: u64, bytes: u64) -> Table {
        Table {
            from: None,
            relation: Relation::new("s", "t"),
            into: Relation::new("s", "t"),
            columns: String::new(),
            blocks,
            bytes,
            rows: 0,
            ranges: true,
            format: Format::Text,
            routed: false,
            null_batches: Vec::new(),
        }
    }

    fn each(size: u64) -> Split {
        Split { above: size, into: size }
    }

    #[test]
    fn a_table_is_split_where_it_would_be_the_last_one() {
        const GB: u64 = 1 << 30;
        let two = Split::balanced([8 * GB, 7 * GB].into_iter(), 2);
        assert!(two.above > 8 * GB, "two of a size keep two readers busy");
        let one = Split::balanced([8 * GB, GB].into_iter(), 2);
        assert!(one.above < 8 * GB && one.into < 4 * GB);
        let huge = Split::balanced([900 * GB; 4].into_iter(), 4);
        assert_eq!((huge.above, huge.into), (20 * GB, 4 * GB));
        let small = Split::balanced([GB / 8].into_iter(), 4);
        assert_eq!(small.above, GB / 4);
    }

    #[test]
    fn parts_cover_every_block_once() {
        for blocks in [1, 2, 7, 1000, 1001, 99_999] {
            let ranges = ranges(&table(blocks, blocks * 8192), each(100 * 8192));
            let mut next = 0;
            for range in &ranges {
                let Some((from, to)) = range.blocks else { break };
                assert_eq!(from, next);
                next = to.unwrap_or(blocks);
            }
            assert!(
                ranges.len() == 1
                    || next == blocks
                        && ranges.last().is_some_and(|p| p.blocks.is_some_and(|b| b.1.is_none()))
            );
        }
    }

    #[test]
    fn a_table_with_large_values_is_split_by_its_toast_too() {
        assert_eq!(ranges(&table(50, 1 << 30), each(256 << 20)).len(), 4);
        assert_eq!(ranges(&table(2, 1 << 30), each(256 << 20)).len(), 2);
        assert!(ranges(&table(0, 8192), each(256 << 20)).is_empty());
    }
}
