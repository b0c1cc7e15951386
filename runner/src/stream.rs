//! The data of a dump as it comes out of `pg_dump`, in constant memory.

use std::process::ExitStatus;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout};
use tokio::task::JoinHandle;
use tsmigrate_analyzer::split::{End, Kind, Piece, Splitter};

use crate::error::Error;
use crate::tools;

/// As much of the pipe as is read at once. A piece of COPY data is about as long.
const CHUNK: usize = 256 << 10;

/// What comes out of a dump.
#[derive(Debug)]
pub enum Event {
    /// A statement.
    Statement {
        /// Its text.
        sql: String,
        /// Its line.
        line: u64,
        /// Its column.
        column: u64,
    },
    /// Rows of the COPY before it, whole lines.
    Rows(Bytes),
    /// The end of these rows.
    EndOfRows,
}

/// A running dump.
pub struct Stream {
    child: Child,
    stdout: BufReader<ChildStdout>,
    stderr: JoinHandle<Vec<u8>>,
    splitter: Splitter,
    buffer: Vec<u8>,
    ended: bool,
}

impl Stream {
    /// Reads the output of `child`, a `pg_dump` that has just been started.
    ///
    /// # Errors
    /// When the child has no pipes.
    pub fn new(mut child: Child) -> Result<Self, Error> {
        let (Some(stdout), Some(mut stderr)) = (child.stdout.take(), child.stderr.take()) else {
            return Err(Error::Defect("pg_dump was started without pipes".into()));
        };
        let stderr = tokio::spawn(async move {
            let mut text = Vec::new();
            // Its output matters only if it fails, and then what there is of it will do.
            let _ = stderr.read_to_end(&mut text).await;
            text
        });
        Ok(Self {
            child,
            stdout: BufReader::with_capacity(CHUNK, stdout),
            stderr,
            splitter: Splitter::new(),
            buffer: vec![0; CHUNK],
            ended: false,
        })
    }

    /// The next events; none at the end of the dump.
    ///
    /// # Errors
    /// When `pg_dump` fails or its output is cut off.
    pub async fn next(&mut self) -> Result<Vec<Event>, Error> {
        let mut events = Vec::new();
        while events.is_empty() && !self.ended {
            let read = self
                .stdout
                .read(&mut self.buffer)
                .await
                .map_err(|error| Error::File { what: "read from pg_dump".into(), error })?;
            let mut fault = None;
            let mut sink = |piece: Piece<'_>| match event(&piece) {
                Ok(event) => events.extend(event),
                Err(error) => drop(fault.get_or_insert(error)),
            };
            if read == 0 {
                self.ended = true;
                self.splitter.finish(&mut sink);
            } else {
                self.splitter.feed(&self.buffer[..read], &mut sink);
            }
            // The tool's own failure explains a cut-off better than the cut-off itself.
            if self.ended {
                let status = self.status().await?;
                if !status.success() {
                    let stderr = (&mut self.stderr).await.unwrap_or_default();
                    return Err(tools::failed("pg_dump", status, &stderr));
                }
            }
            if let Some(error) = fault {
                return Err(error);
            }
        }
        Ok(events)
    }

    async fn status(&mut self) -> Result<ExitStatus, Error> {
        self.child.wait().await.map_err(|error| Error::File { what: "wait for pg_dump".into(), error })
    }
}

fn event(piece: &Piece<'_>) -> Result<Option<Event>, Error> {
    let cut = |what: String| Error::CutOff { tool: "pg_dump", line: piece.at.line, what };
    if let End::CutOff(open) = piece.end {
        return Err(cut(format!("{open:?}")));
    }
    Ok(match piece.kind {
        Kind::Statement => Some(Event::Statement {
            sql: std::str::from_utf8(piece.text)
                .map_err(|_| cut("a text that is not UTF-8".into()))?
                .to_owned(),
            line: piece.at.line,
            column: piece.at.column,
        }),
        Kind::CopyData => Some(Event::Rows(Bytes::copy_from_slice(piece.text))),
        Kind::CopyEnd => Some(Event::EndOfRows),
        _ => None,
    })
}
