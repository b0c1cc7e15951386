//! The rows of one table, as COPY takes them.

use std::io::{self, Read};

use tsmigrate_analyzer::archive::{Entry, ROWS_END as NO_ROWS, Toc};

use super::data;
use super::files::Files;
use super::places::Places;

/// The rows of one table, without the line that ends them.
pub(super) struct Rows {
    data: Box<dyn Read>,
    /// Bytes that were read and not given away, the last of which may be the end.
    held: Vec<u8>,
    is_over: bool,
}

impl Rows {
    pub(super) fn open(toc: &Toc, files: &Files, places: &Places, entry: &Entry) -> io::Result<Self> {
        let data = data::of_entry(toc, files, &places.offsets, entry)?;
        Ok(Self { data, held: Vec::new(), is_over: false })
    }
}

impl Read for Rows {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.is_over && self.held.len() <= NO_ROWS.len() {
            let before = self.held.len();
            // As much as is asked for, behind what is held back.
            self.held.resize(before + out.len().max(NO_ROWS.len()), 0);
            let read = self.data.read(self.held.get_mut(before..).unwrap_or_default());
            self.held.truncate(before + *read.as_ref().unwrap_or(&0));
            match read {
                Ok(0) => {
                    // Whatever a decompressor took for the end: rows that lack theirs are not all.
                    if self.held != NO_ROWS {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.held.clear();
                    self.is_over = true;
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let free = if self.is_over { 0 } else { self.held.len() - NO_ROWS.len() };
        let given = free.min(out.len());
        out.get_mut(..given).unwrap_or_default().copy_from_slice(self.held.get(..given).unwrap_or_default());
        self.held.drain(..given);
        Ok(given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(packed: &'static [u8], at_once: usize) -> io::Result<Vec<u8>> {
        let mut rows = Rows { data: Box::new(packed), held: Vec::new(), is_over: false };
        let (mut all, mut piece) = (Vec::new(), vec![0; at_once]);
        loop {
            match rows.read(&mut piece)? {
                0 => return Ok(all),
                length => all.extend_from_slice(&piece[..length]),
            }
        }
    }

    #[test]
    fn rows_end_where_their_last_line_says_so() {
        for at_once in [1, 2, 5, 6, 100] {
            assert_eq!(read(b"1\ta\n2\tb\n\\.\n\n\n", at_once).unwrap(), b"1\ta\n2\tb\n");
            assert_eq!(read(b"\\.\n\n\n", at_once).unwrap(), b"");
            for cut in [&b"1\ta\n2\tb\n"[..], b"", b"1\n\\.\n\n", b"\\.\n"] {
                assert!(read(cut, at_once).is_err(), "{cut:?}");
            }
        }
    }
}
