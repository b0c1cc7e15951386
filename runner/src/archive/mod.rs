//! Archives of `pg_dump` on this machine's disk: custom, directory and tar format, read as the script that
//! `pg_restore --file=-` would print.
//!
//! The table of contents and the script are the analyzer's; here are files, blocks and compression. Nothing holds an
//! entry's data whole.

mod blocks;
mod data;
mod files;
mod script;

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use tsmigrate_analyzer::archive::{Damage, Format, MAGIC, Toc};

use files::{CHUNK, Files};
pub use script::ScriptReader;

/// An archive that was opened: its table of contents is whole.
#[derive(Debug)]
pub struct Archive {
    toc: Arc<Toc>,
    files: Arc<Files>,
}

/// True for a file that begins as an archive in custom or tar format does.
#[must_use]
pub fn begins(head: &[u8]) -> bool {
    head.starts_with(MAGIC) || head.starts_with(b"toc.dat\0") && head.get(257..262) == Some(b"ustar")
}

/// True for a directory that `pg_dump -Fd` wrote.
#[must_use]
pub fn is_directory(path: &Path) -> bool {
    path.join("toc.dat").is_file()
}

impl Archive {
    /// Opens a file that [`begins`] as an archive does. Its place in the file is where the archive begins.
    ///
    /// # Errors
    /// When its table of contents cannot be read.
    pub fn of_file(mut file: File) -> Result<Self, Damage> {
        let start = file.stream_position()?;
        let mut head = [0; MAGIC.len()];
        file.read_exact(&mut head)?;
        file.seek(SeekFrom::Start(start))?;
        if head == *MAGIC {
            let toc = Toc::read(BufReader::with_capacity(CHUNK, &mut file))?;
            if toc.format != Format::Custom {
                return Err(Damage::Broken("its format needs files beside it"));
            }
            return Ok(Self::new(toc, Files::custom(file, start)));
        }
        let files = Files::tar(file, start)?;
        let toc = Toc::read(BufReader::with_capacity(CHUNK, files.open(b"toc.dat")?))?;
        Ok(Self::new(toc, files))
    }

    /// Opens a directory.
    ///
    /// # Errors
    /// When its table of contents cannot be read.
    pub fn of_directory(path: &Path) -> Result<Self, Damage> {
        let files = Files::directory(path);
        let toc = Toc::read(BufReader::with_capacity(CHUNK, files.open(b"toc.dat")?))?;
        if toc.format == Format::Custom {
            return Err(Damage::Broken("its format is another"));
        }
        Ok(Self::new(toc, files))
    }

    fn new(toc: Toc, files: Files) -> Self {
        Self { toc: Arc::new(toc), files: Arc::new(files) }
    }

    /// What it holds.
    #[must_use]
    pub fn toc(&self) -> &Arc<Toc> {
        &self.toc
    }

    /// The script, from its beginning; with the data, or without rows but for those of TimescaleDB's catalogs.
    ///
    /// # Errors
    /// When the places of the data cannot be found.
    pub fn script(&self, with_data: bool) -> io::Result<ScriptReader> {
        ScriptReader::new(Arc::clone(&self.toc), Arc::clone(&self.files), with_data)
    }
}
