//! An archive whose entries say what a rewrite has made of its script: `pg_restore` prints the rewritten script of it.

use std::collections::BTreeSet;
use std::io::{self, Write};

use tsmigrate_analyzer::archive::{Compression, Entry, Field, Format, Pieces, Place, Toc};

use super::copied::From;
use super::{Archive, Places, ScriptReader};

/// Why a rewritten script cannot be said by entries.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// The archive cannot be read.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// A change that no entry can hold: the entry's name, and what is changed.
    #[error("{1} of {0} are changed, and an archive cannot say so")]
    Change(String, &'static str),
}

/// An archive that was rewritten and is to be written.
pub struct Rewritten<'a> {
    archive: &'a Archive,
    places: Places,
    toc: Toc,
    /// Changes of lines that `pg_restore` writes by itself.
    pub own_lines: u64,
    /// Bytes of the script that was rewritten.
    pub read: u64,
}

/// A setting that holds until the script changes it: what it was changed to.
type Setting = Option<(Option<Vec<u8>>, Option<Vec<u8>>)>;

struct Rewriting<'a> {
    toc: &'a mut Toc,
    tablespace: Setting,
    access_method: Setting,
    gone: BTreeSet<i64>,
    own_lines: u64,
    read: u64,
}

impl<'a> Rewritten<'a> {
    /// Rewrites the script of all but rows, and takes what becomes of each entry. `rewrite` is given the script's bytes in their
    /// order, and appends what they become.
    ///
    /// # Errors
    /// When the archive cannot be read, or a change has no place in an entry.
    pub fn new(
        archive: &'a Archive,
        rewrite: &mut dyn FnMut(&[u8], &mut Vec<u8>),
    ) -> Result<Self, Unwritable> {
        let mut toc = (*archive.toc).clone();
        let mut rewriting = Rewriting {
            toc: &mut toc,
            tablespace: None,
            access_method: None,
            gone: BTreeSet::new(),
            own_lines: 0,
            read: 0,
        };
        let mut script = archive.script(false)?;
        while let Some(is_text) = script.next_part()? {
            if is_text {
                rewriting.text(&mut script, rewrite)?;
            } else {
                rewriting.data(&mut script, rewrite)?;
            }
        }
        let Rewriting { gone, own_lines, read, .. } = rewriting;
        toc.entries.retain(|entry| !gone.contains(&entry.id));
        if toc.format != Format::Custom {
            // What is packed anew.
            (toc.format, toc.compression) = (Format::Custom, Compression::Gzip);
            for entry in &mut toc.entries {
                let has_data = entry.has_data && entry.place != Place::Nowhere;
                entry.place = if has_data { Place::Unknown } else { Place::Nowhere };
            }
        }
        Ok(Self { places: archive.places()?, archive, toc, own_lines, read })
    }

    /// Writes the archive to where nobody can go back: as `pg_dump` does, it does not say where its data is.
    ///
    /// # Errors
    /// When it cannot be written, or the data cannot be read.
    pub fn write(&mut self, out: &mut dyn Write) -> io::Result<()> {
        for entry in self.toc.entries.iter_mut().filter(|entry| entry.place != Place::Nowhere) {
            entry.place = Place::Unknown;
        }
        self.write_with_places(out).map(|_| ())
    }

    /// Writes the archive as it is now, and says how its table of contents should have begun: with the places of the data, which
    /// only then are known. It is as long as the one that was written.
    ///
    /// # Errors
    /// When it cannot be written, or the data cannot be read.
    pub fn write_with_places(&mut self, out: &mut dyn Write) -> io::Result<Vec<u8>> {
        let mut out = Counted { out, written: 0 };
        out.write_all(&self.toc.bytes())?;
        let from = From { toc: &self.archive.toc, files: &self.archive.files, offsets: &self.places.offsets };
        for entry in self.toc.entries.iter_mut().filter(|entry| entry.place != Place::Nowhere) {
            entry.place = Place::At(out.written);
            // The data is found by what the archive says of it.
            let own = from.toc.entries.iter().find(|own| own.id == entry.id);
            from.copy(own.unwrap_or(entry), &mut out)?;
        }
        out.flush()?;
        Ok(self.toc.bytes())
    }
}

impl Rewriting<'_> {
    /// Takes what becomes of a text of the script.
    fn text(
        &mut self,
        script: &mut ScriptReader,
        rewrite: &mut dyn FnMut(&[u8], &mut Vec<u8>),
    ) -> Result<(), Unwritable> {
        let mut text = Vec::new();
        let mut chunk = [0; 16 << 10];
        loop {
            match script.read_part(&mut chunk)? {
                0 => break,
                length => text.extend_from_slice(chunk.get(..length).unwrap_or_default()),
            }
        }
        self.read += text.len() as u64;
        let Pieces { entry, fields } = script.pieces().clone();
        let mut start = 0;
        for (field, end) in fields {
            let end = end.min(text.len());
            let old = text.get(start..end).unwrap_or_default();
            start = end;
            let mut new = Vec::new();
            rewrite(old, &mut new);
            let is_setting = matches!(field, Field::Tablespace | Field::AccessMethod);
            if (old != new || is_setting)
                && let Some(entry) = entry.and_then(|index| self.toc.entries.get_mut(index))
            {
                let setting = match field {
                    Field::Tablespace => Some(&mut self.tablespace),
                    Field::AccessMethod => Some(&mut self.access_method),
                    _ => None,
                };
                match setting {
                    Some(setting) => set(entry, field, setting, old, &new)?,
                    None if field == Field::Copy && is_comment(&new) => {
                        self.gone.insert(entry.id);
                    }
                    None => take(entry, field, &new)?,
                }
            }
        }
        let rest = text.get(start..).unwrap_or_default();
        let mut new = Vec::new();
        rewrite(rest, &mut new);
        self.own_lines += u64::from(new != rest);
        Ok(())
    }

    /// Data stays as it is, or goes with its COPY.
    fn data(
        &mut self,
        script: &mut ScriptReader,
        rewrite: &mut dyn FnMut(&[u8], &mut Vec<u8>),
    ) -> Result<(), Unwritable> {
        let (mut chunk, mut new) = (vec![0; 64 << 10], Vec::new());
        let entry = script.pieces().entry.and_then(|index| self.toc.entries.get(index));
        loop {
            let length = script.read_part(&mut chunk)?;
            if length == 0 {
                return Ok(());
            }
            self.read += length as u64;
            let old = chunk.get(..length).unwrap_or_default();
            new.clear();
            rewrite(old, &mut new);
            if let Some(entry) = entry.filter(|entry| new != old && !self.gone.contains(&entry.id)) {
                return Err(unwritable(entry, "rows"));
            }
        }
    }
}

fn unwritable(entry: &Entry, what: &'static str) -> Unwritable {
    let kind = String::from_utf8_lossy(&entry.kind).to_lowercase();
    Unwritable::Change(format!("{kind} {}", String::from_utf8_lossy(&entry.tag)), what)
}

/// What becomes of a setting before an entry, and of the entry that relies on it.
fn set(
    entry: &mut Entry,
    field: Field,
    setting: &mut Setting,
    old: &[u8],
    new: &[u8],
) -> Result<(), Unwritable> {
    let own = if field == Field::Tablespace { &mut entry.tablespace } else { &mut entry.access_method };
    if old != new {
        let becomes = if is_comment(new) { None } else { Some(value(new)) };
        match becomes {
            None => *setting = Some((own.clone(), None)),
            Some(Some(value)) => *setting = Some((own.clone(), Some(value))),
            Some(None) => return Err(unwritable(entry, "settings")),
        }
    } else if !old.is_empty() {
        *setting = None;
    }
    if let Some((from, to)) = setting
        && own == from
    {
        own.clone_from(to);
    }
    Ok(())
}

/// The value of `SET name = value;` alone.
fn value(statement: &[u8]) -> Option<Vec<u8>> {
    let statement = statement.trim_ascii().strip_prefix(b"SET ")?.strip_suffix(b";")?;
    let at = statement.windows(3).position(|word| word == b" = ")?;
    match statement.get(at + 3..)? {
        b"''" => Some(Vec::new()),
        name if name.iter().all(|byte| byte.is_ascii_lowercase() || *byte == b'_') => Some(name.to_vec()),
        _ => None,
    }
}

/// What becomes of the statements of an entry.
fn take(entry: &mut Entry, field: Field, new: &[u8]) -> Result<(), Unwritable> {
    let is_gone = is_comment(new);
    let new = new.trim_ascii_end();
    // Statements about many large objects are made of a list.
    let is_list = entry.is("BLOB METADATA") || entry.is("ACL") && entry.tag.starts_with(b"LARGE OBJECTS");
    match field {
        Field::Definition if is_list => return Err(unwritable(entry, "large objects")),
        Field::Definition => {
            entry.definition = new.to_vec();
            if is_gone {
                entry.drop.clear();
            }
        }
        // What nobody owns has no ALTER … OWNER TO.
        Field::Owner if is_gone => entry.owner = Some(Vec::new()),
        Field::Owner if is_list => return Err(unwritable(entry, "owners")),
        Field::Owner => {
            entry.owner = Some(Vec::new());
            entry.definition.extend_from_slice(b"\n\n");
            entry.definition.extend_from_slice(new);
        }
        Field::PartitionedMethod if is_gone => entry.access_method = None,
        Field::Copy => entry.copy = [new, b"\n"].concat(),
        Field::PartitionedMethod
        | Field::SearchPath
        | Field::Tablespace
        | Field::AccessMethod
        | Field::Frame => {
            return Err(unwritable(entry, "settings"));
        }
    }
    Ok(())
}

/// True for text that says nothing to a server.
fn is_comment(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    lines.all(|line| line.is_empty() || line.starts_with(b"--"))
}

/// A file that is written, with the bytes it has.
struct Counted<'a> {
    out: &'a mut dyn Write,
    written: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.written += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
