//! Where a run's rows come from: the source's server, or an archive that is read in the background.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc;

use super::copy::{LiveSource, Source};
use super::holder::Holder;
use crate::connect::Connector;
use crate::error::Error;
use crate::names::Relation;
use crate::progress::Progress;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// Opens the rows of a table, as COPY takes them as text.
pub type OpenRows = Arc<dyn Fn(&Relation) -> io::Result<Box<dyn Read>> + Send + Sync>;

/// Where rows come from.
#[derive(Clone)]
pub enum Rows {
    /// A server, with the session that keeps its snapshot.
    Live(Box<Connector>, Arc<Holder>),
    /// An archive.
    Archive(OpenRows),
}

impl Rows {
    /// Batches of compressed rows that went over as NULL.
    #[must_use]
    pub fn null_batches(&self) -> u64 {
        match self {
            Self::Live(_, holder) => holder.null_batches(),
            Self::Archive(_) => 0,
        }
    }
}

/// A reader of rows.
pub enum RowSource {
    /// Of a server.
    Live(Box<LiveSource>),
    /// Of an archive.
    Archive(ArchiveSource),
}

impl RowSource {
    /// A reader that has not begun.
    #[must_use]
    pub fn new(rows: &Rows, progress: &Progress) -> Self {
        match rows {
            Rows::Live(source, holder) => Self::Live(Box::new(LiveSource::new(source, holder, progress))),
            Rows::Archive(open) => {
                Self::Archive(ArchiveSource { open: open.clone(), reading: None, rows: 0 })
            }
        }
    }

    /// Ends what is under way.
    pub async fn reset(&mut self) {
        match self {
            Self::Live(source) => source.reset().await,
            // Its reader ends when nobody takes what it reads.
            Self::Archive(source) => source.reading = None,
        }
    }
}

impl Source for RowSource {
    async fn begin(&mut self, table: &Table, range: &CopyRange) -> Result<(), Error> {
        match self {
            Self::Live(source) => source.begin(table, range).await,
            Self::Archive(source) => source.begin(table, range).await,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        match self {
            Self::Live(source) => source.next().await,
            Self::Archive(source) => source.next().await,
        }
    }

    fn counted(&self) -> Option<u64> {
        match self {
            Self::Live(source) => source.counted(),
            Self::Archive(source) => source.counted(),
        }
    }
}

/// So much is read at a time.
const CHUNK: usize = 256 << 10;

/// So many chunks wait to be sent.
const WAITING: usize = 4;

/// A reader of an archive.
pub struct ArchiveSource {
    open: OpenRows,
    reading: Option<(Relation, mpsc::Receiver<io::Result<Bytes>>)>,
    /// Rows that were read of the table.
    rows: u64,
}

impl Source for ArchiveSource {
    async fn begin(&mut self, table: &Table, range: &CopyRange) -> Result<(), Error> {
        if range.of != 1 {
            return Err(Error::Defect(format!("{} is not read in ranges", table.relation)));
        }
        let (sender, receiver) = mpsc::channel(WAITING);
        let (open, relation) = (self.open.clone(), table.relation.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read(&open, &relation, &sender) {
                // Nobody listens where the copy has ended before.
                let _ = sender.blocking_send(Err(error));
            }
        });
        self.reading = Some((table.relation.clone(), receiver));
        self.rows = 0;
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some((table, receiver)) = &mut self.reading else { return Ok(None) };
        let cannot =
            |error| Error::File { what: format!("read the rows of {table} from the archive"), error };
        match receiver.recv().await {
            Some(Ok(chunk)) if chunk.is_empty() => {
                self.reading = None;
                Ok(None)
            }
            Some(Ok(chunk)) => {
                self.rows += memchr::memchr_iter(b'\n', &chunk).count() as u64;
                Ok(Some(chunk))
            }
            Some(Err(error)) => Err(cannot(error)),
            // The reader has ended without having said so.
            None => Err(cannot(io::Error::other("reading it ended in a defect"))),
        }
    }

    fn counted(&self) -> Option<u64> {
        Some(self.rows)
    }
}

/// Reads all rows of a table; an empty chunk says that these were all.
fn read(open: &OpenRows, table: &Relation, sender: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut rows = open(table)?;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        rows.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        let is_over = chunk.is_empty();
        if sender.blocking_send(Ok(chunk.into())).is_err() || is_over {
            return Ok(());
        }
    }
}
