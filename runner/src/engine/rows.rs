//! Where a run's rows come from: the source's server, or an archive that is read in the background.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::copy::{LiveSource, Source};
use super::holder::Holder;
use super::null_batches::NullBatches;
use super::sums::{Shape, Shapes, Sum, Summing};
use crate::connect::Connector;
use crate::error::Error;
use crate::names::Relation;
use crate::progress::Progress;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// Opens the rows of a table, as COPY takes them as text.
pub type OpenRows = Arc<dyn Fn(&Relation) -> io::Result<Box<dyn Read>> + Send + Sync>;

/// An archive that rows are read from, with the checksums of what was read.
pub struct ArchiveRows {
    open: OpenRows,
    /// What of each table's values goes into its checksum: known once the target has the tables.
    pub shapes: OnceLock<Shapes>,
    /// What went into the checksum that the source took of a table, where it is not that: of rows that go to the root of a
    /// tree of partitions, whose columns may stand in other orders.
    pub shapes_of_source: OnceLock<Shapes>,
    /// Positions of columns whose batches of NULLs are written as NULL, by table: known with the shapes.
    pub null_batches: OnceLock<BTreeMap<Relation, Vec<usize>>>,
    sums: Mutex<BTreeMap<Relation, Sum>>,
    /// What the source had, by table, where that is known.
    expected: BTreeMap<Relation, Sum>,
    /// All rows are compared with the target's: without it only those that are expected have a checksum.
    is_compared: bool,
}

impl ArchiveRows {
    /// An archive of which nothing has been read. `expected` is what the source had, where that is known.
    #[must_use]
    pub fn new(open: OpenRows, expected: BTreeMap<Relation, Sum>, is_compared: bool) -> Self {
        let (shapes, shapes_of_source) = (OnceLock::new(), OnceLock::new());
        let (null_batches, sums) = (OnceLock::new(), Mutex::default());
        Self { open, shapes, shapes_of_source, null_batches, sums, expected, is_compared }
    }

    /// What is taken of a table's rows while they go over.
    fn summing(&self, table: &Relation) -> Summing {
        if self.is_compared || self.expected.contains_key(table) {
            Summing::new(self.shape(table))
        } else {
            Summing::counting()
        }
    }

    /// What is taken beside that, to be compared with what the source had.
    fn summing_of_source(&self, table: &Relation) -> Option<Box<Summing>> {
        let shape = self.shapes_of_source.get()?.get(table)?;
        self.expected.contains_key(table).then(|| Summing::new(shape.clone()).into())
    }

    /// Refuses rows that are not those that the source had.
    fn check(&self, table: &Relation, sum: Sum) -> Result<(), Error> {
        // Batches of NULLs go over as others.
        let is_other = self.null_batches.get().is_some_and(|tables| tables.contains_key(table));
        match self.expected.get(table).filter(|expected| !is_other && **expected != sum) {
            None => Ok(()),
            Some(expected) => Err(Error::Refused {
                what: format!(
                    "the rows of {table} are not those that were dumped: {sum} in the archive, {expected} on the source"
                ),
                next: vec!["copy the archive again, or dump it again".into()],
            }),
        }
    }

    /// Opens the rows of a table as they go over.
    fn opened(&self, table: &Relation) -> io::Result<Box<dyn Read>> {
        let rows = (self.open)(table)?;
        let columns = self.null_batches.get().and_then(|tables| tables.get(table));
        Ok(match columns.and_then(|columns| NullBatches::in_text(columns.clone())) {
            Some(batches) => Box::new(batches.reading(rows)),
            None => rows,
        })
    }

    /// What of a table's values goes into its checksum.
    #[must_use]
    pub fn shape(&self, table: &Relation) -> Shape {
        self.shapes.get().and_then(|shapes| shapes.get(table)).cloned().unwrap_or_default()
    }

    /// The checksum of a table's rows, which are read once more where a start before has copied them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn sum(self: &Arc<Self>, table: &Relation) -> Result<Sum, Error> {
        if let Some(sum) = self.sums.lock().unwrap_or_else(PoisonError::into_inner).get(table) {
            return Ok(*sum);
        }
        let (rows, relation) = (self.clone(), table.clone());
        let read = tokio::task::spawn_blocking(move || {
            let mut summing = Summing::new(rows.shape(&relation));
            let mut source = rows.opened(&relation)?;
            let mut chunk = vec![0; CHUNK];
            loop {
                match source.read(&mut chunk)? {
                    0 => return Ok(summing.sum()),
                    length => summing.take(chunk.get(..length).unwrap_or_default()),
                }
            }
        });
        let read = read.await.unwrap_or_else(|error| Err(io::Error::other(error.to_string())));
        read.map_err(|error| cannot_read(table, error))
    }
}

fn cannot_read(table: &Relation, error: io::Error) -> Error {
    // The system has a number for what it refuses itself.
    if error.raw_os_error().is_none() {
        return Error::Refused {
            what: format!("the rows of {table} in the archive are damaged or cut off: {error}"),
            next: vec!["copy the archive again, or dump it again".into()],
        };
    }
    Error::File { what: format!("read the rows of {table} from the archive"), error }
}

/// Where rows come from.
#[derive(Clone)]
pub enum Rows {
    /// A server, with the session that keeps its snapshot.
    Live(Box<Connector>, Arc<Holder>),
    /// An archive.
    Archive(Arc<ArchiveRows>),
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
            Rows::Archive(rows) => Self::Archive(ArchiveSource {
                rows: rows.clone(),
                reading: None,
                summing: Summing::counting(),
                summing_of_source: None,
            }),
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

impl RowSource {
    /// Begins to read a table by this COPY, or all that an archive has of it.
    pub(super) async fn copy(&mut self, relation: &Relation, oid: u32, sql: &str) -> Result<(), Error> {
        match self {
            Self::Live(source) => source.copy(relation, Some(oid), sql).await,
            Self::Archive(source) => {
                source.open(relation);
                Ok(())
            }
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
    rows: Arc<ArchiveRows>,
    reading: Option<(Relation, mpsc::Receiver<io::Result<Bytes>>)>,
    /// What was read of the table.
    summing: Summing,
    summing_of_source: Option<Box<Summing>>,
}

impl ArchiveSource {
    fn open(&mut self, table: &Relation) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let (rows, relation) = (self.rows.clone(), table.clone());
        tokio::task::spawn_blocking(move || {
            if let Err(error) = read(&rows, &relation, &sender) {
                // Nobody listens where the copy has ended before.
                let _ = sender.blocking_send(Err(error));
            }
        });
        self.reading = Some((table.clone(), receiver));
        self.summing = self.rows.summing(table);
        self.summing_of_source = self.rows.summing_of_source(table);
    }
}

impl Source for ArchiveSource {
    async fn begin(&mut self, table: &Table, range: &CopyRange) -> Result<(), Error> {
        if range.of != 1 {
            return Err(Error::Defect(format!("{} is not read in ranges", table.relation)));
        }
        self.open(&table.relation);
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let Some((table, receiver)) = &mut self.reading else { return Ok(None) };
        match receiver.recv().await {
            Some(Ok(chunk)) if chunk.is_empty() => {
                self.rows.check(table, self.summing_of_source.as_deref().unwrap_or(&self.summing).sum())?;
                let mut sums = self.rows.sums.lock().unwrap_or_else(PoisonError::into_inner);
                sums.insert(table.clone(), self.summing.sum());
                drop(sums);
                self.reading = None;
                Ok(None)
            }
            Some(Ok(chunk)) => {
                self.summing.take(&chunk);
                if let Some(summing) = &mut self.summing_of_source {
                    summing.take(&chunk);
                }
                Ok(Some(chunk))
            }
            Some(Err(error)) => Err(cannot_read(table, error)),
            // The reader has ended without having said so.
            None => Err(Error::Defect(format!("reading the rows of {table} ended without an answer"))),
        }
    }

    fn counted(&self) -> Option<u64> {
        Some(self.summing.sum().rows)
    }
}

/// Reads all rows of a table; an empty chunk says that these were all.
fn read(archive: &ArchiveRows, table: &Relation, sender: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    let mut rows = archive.opened(table)?;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        rows.by_ref().take(CHUNK as u64).read_to_end(&mut chunk)?;
        let is_over = chunk.is_empty();
        if is_over {
            // Whoever reads the next table goes on where this one has ended.
            drop(rows);
            let _ = sender.blocking_send(Ok(Bytes::new()));
            return Ok(());
        }
        if sender.blocking_send(Ok(chunk.into())).is_err() {
            return Ok(());
        }
    }
}
