//! Where the data of an archive's entries is, and how much it takes there.

use std::collections::BTreeMap;
use std::io;

use tsmigrate_analyzer::archive::{Entry, Format, Toc};

use super::files::Files;
use super::{blocks, data, files};

/// Where the data of an archive's entries is.
#[derive(Debug)]
pub struct Places {
    /// Of a custom archive: where each entry's block begins.
    pub(super) offsets: BTreeMap<i64, u64>,
    /// By the numbers of entries.
    sizes: BTreeMap<i64, u64>,
}

impl Places {
    pub(super) fn find(toc: &Toc, files: &Files) -> io::Result<Self> {
        let mut sizes = BTreeMap::new();
        let has_data = || toc.entries.iter().filter(|entry| entry.has_data);
        if toc.format != Format::Custom {
            for entry in has_data().filter(|entry| !entry.is("BLOBS")) {
                sizes.insert(entry.id, data::packed(files, entry)?);
            }
            return Ok(Self { offsets: BTreeMap::new(), sizes });
        }
        let offsets = blocks::places(toc, files)?;
        let range = files.from(0)?;
        let end = range.end - range.at;
        let mut starts: Vec<u64> = offsets.values().copied().collect();
        starts.sort_unstable();
        for entry in has_data() {
            let missing = || data::named(entry, &files::damaged("it is not in the archive"));
            let start = offsets.get(&entry.id).copied().filter(|start| *start < end).ok_or_else(missing)?;
            let next = starts.get(starts.partition_point(|other| *other <= start)).copied();
            sizes.insert(entry.id, next.unwrap_or(end).min(end) - start);
        }
        Ok(Self { offsets, sizes })
    }

    /// The bytes that the data of an entry takes in the archive.
    #[must_use]
    pub fn size(&self, entry: &Entry) -> u64 {
        self.sizes.get(&entry.id).copied().unwrap_or_default()
    }
}
