//! Compressed dumps, unpacked as they are read: gzip, Zstandard and LZ4, told by their first bytes; and archives as text.

use std::cell::Cell;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;
use std::rc::Rc;

use tsmigrate::archive::ScriptReader;
use tsmigrate::frames::{Packing, Unpacking};
use tsmigrate_analyzer::archive::Damage;
use tsmigrate_analyzer::quote::shell_file;

use super::failure::Failure;

/// Bytes that are unpacked at a time.
const CHUNK: usize = 256 << 10;

/// What looks whether an archive is whole.
const TEST: &str = "pg_restore --file=/dev/null";

/// The text of a dump.
pub(super) struct Unpacked {
    /// None of an archive's script.
    packing: Option<Packing>,
    reader: Box<dyn Read>,
    state: Rc<State>,
}

/// What the packed bytes have come to.
#[derive(Default)]
struct State {
    /// How many were read since they were last asked for.
    fresh: Cell<u64>,
    has_ended: Cell<bool>,
    has_failed: Cell<bool>,
}

impl Unpacked {
    /// Reads from its beginning.
    pub(super) fn new(source: impl Read + 'static) -> io::Result<Self> {
        let state = Rc::new(State::default());
        let mut source = Counted { source, state: Rc::clone(&state) };
        let mut head = Vec::with_capacity(Packing::MAGIC);
        source.by_ref().take(Packing::MAGIC as u64).read_to_end(&mut head)?;
        let packing = Packing::of(&head);
        let whole = Cursor::new(head).chain(source);
        let reader: Box<dyn Read> = match packing {
            Packing::Plain => Box::new(whole),
            _ => Box::new(Unpacking::new(packing, BufReader::with_capacity(CHUNK, whole))),
        };
        Ok(Self { packing: Some(packing), reader, state })
    }

    /// An archive's script.
    pub(super) fn of_archive(script: ScriptReader) -> Self {
        Self { packing: None, reader: Box::new(script), state: Rc::default() }
    }

    /// How many packed bytes were read since this was last asked.
    pub(super) fn advanced(&self) -> u64 {
        self.state.fresh.take()
    }

    /// Why it cannot be read any further.
    pub(super) fn failure(&self, name: &str, error: &io::Error) -> Failure {
        let Some(packing) = self.packing else {
            return archive_failure(name, &Damage::Io(io::Error::new(error.kind(), error.to_string())));
        };
        if packing == Packing::Plain || self.state.has_failed.get() {
            return Failure::io("the file cannot be read", Path::new(name), error);
        }
        let what = if self.state.has_ended.get() {
            "the compressed file is cut off: its end is missing"
        } else {
            "the compressed file is damaged"
        };
        let test = format!("{} {}", packing.test(), shell_file(name));
        Failure::new(what)
            .at(name)
            .next(format!("write or copy it again; this tells whether it is whole: {test}"))
    }
}

/// Why an archive cannot be read.
pub(super) fn archive_failure(name: &str, damage: &Damage) -> Failure {
    let file = shell_file(name);
    let failure = match damage {
        Damage::Io(error) => match error.kind() {
            // The decompressor of Zstandard says it in its own words.
            _ if error.kind() == io::ErrorKind::UnexpectedEof
                || error.to_string().contains("UnexpectedEof") =>
            {
                Failure::new("the archive is cut off: its end is missing")
            }
            io::ErrorKind::InvalidData
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::NotFound
            | io::ErrorKind::Other => Failure::new(format!("the archive is damaged: {error}")),
            _ => return Failure::io("the archive cannot be read", Path::new(name), error),
        },
        Damage::Version(..) => {
            let next = format!(
                "turn it into text with the pg_restore of the version that wrote it: pg_restore --file=dump.sql {file}"
            );
            let what = format!("{damage}, and 1.12 to 1.16 are known (pg_dump 9.0 to 18)");
            return Failure::new(what).at(name).next(next);
        }
        // What pg_restore does not see itself.
        Damage::Entry { .. } => {
            let next = format!("copy it again; this shows what it holds: pg_restore --list {file}");
            return Failure::new(damage.to_string()).at(name).next(next);
        }
        Damage::CutOff | Damage::Broken(_) | Damage::NoArchive => Failure::new(damage.to_string()),
    };
    let test = format!("{TEST} {file}");
    failure.at(name).next(format!("write or copy it again; this tells whether it is whole: {test}"))
}

impl Read for Unpacked {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.reader.read(out)
    }
}

struct Counted<R> {
    source: R,
    state: Rc<State>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(out);
        match &read {
            Ok(0) if !out.is_empty() => self.state.has_ended.set(true),
            Ok(length) => self.state.fresh.set(self.state.fresh.get() + *length as u64),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.state.has_failed.set(true),
        }
        read
    }
}

/// How a file is packed, by the ending of its name.
pub(super) fn packing_of(name: &str) -> Packing {
    match Path::new(name).extension().map(std::ffi::OsStr::to_ascii_lowercase) {
        Some(ending) if ending == "gz" => Packing::Gzip,
        Some(ending) if ending == "zst" => Packing::Zstd,
        Some(ending) if ending == "lz4" => Packing::Lz4,
        _ => Packing::Plain,
    }
}

/// A name without the ending that says how a file is packed: `dump.sql` of `dump.sql.gz`.
pub(super) fn unpacked_name(name: &str) -> &str {
    if packing_of(name) == Packing::Plain {
        return name;
    }
    name.rsplit_once('.').map(|(name, _)| name).filter(|name| !name.is_empty()).unwrap_or(name)
}
