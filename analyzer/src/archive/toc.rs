//! The table of contents: what an archive holds, in the order in which it is restored.

use std::io::Read;

use super::MAGIC;
use super::head::{Damage, Reader};

/// The oldest and the newest format that is read: `pg_dump` 9.0 to 10 wrote 1.12, 17 and 18 write 1.16.
const VERSIONS: (u8, u8) = (12, 16);

/// How an archive keeps its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// In one file, behind the table of contents.
    Custom,
    /// In files of their own, beside it.
    Directory,
    /// In members of a tar file, behind it.
    Tar,
}

/// How data is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    None,
    /// zlib's format in custom archives, gzip's in files.
    Gzip,
    /// LZ4 frames.
    Lz4,
    /// Zstandard frames.
    Zstd,
}

/// Which part of a dump an entry belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// That of the entry before it: comments and privileges.
    Open = 1,
    /// What stands before the rows.
    PreData = 2,
    /// Rows, large objects and the values of sequences.
    Data = 3,
    /// What stands behind them.
    PostData = 4,
}

/// Where the data of an entry is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// It has none.
    Nowhere,
    /// It is in a custom archive whose writer could not go back to write where.
    Unknown,
    /// So many bytes from the custom archive's beginning.
    At(u64),
    /// In the file or member of this name; of a directory's files, the name without the ending of its compression.
    File(Vec<u8>),
}

/// One object, or the data of one.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `pg_dump`'s number for it.
    pub id: i64,
    /// The numbers of its catalog and of the object itself on the server.
    pub object: (u32, u32),
    /// True where it has data.
    pub has_data: bool,
    /// Its name for people; for functions with their arguments.
    pub tag: Vec<u8>,
    /// Its kind, in `pg_dump`'s words: `TABLE`, `TABLE DATA`, `FK CONSTRAINT`.
    pub kind: Vec<u8>,
    /// Which part of a dump it belongs to.
    pub section: Section,
    /// The statements that make it.
    pub definition: Vec<u8>,
    /// The statement that drops it.
    pub drop: Vec<u8>,
    /// The COPY before its data; empty for data that is statements.
    pub copy: Vec<u8>,
    /// Its schema; none for what is in no schema.
    pub schema: Option<Vec<u8>>,
    /// Its tablespace: empty for the database's own, none for what has no place.
    pub tablespace: Option<Vec<u8>>,
    /// The access method of a table.
    pub access_method: Option<Vec<u8>>,
    /// `relkind` of `pg_class`; 0 where it is not known.
    pub relation_kind: u8,
    /// Its owner; none for what nobody owns.
    pub owner: Option<Vec<u8>>,
    /// The numbers of the entries that it needs.
    pub needs: Vec<i64>,
    /// Where its data is.
    pub place: Place,
}

impl Entry {
    /// True for this kind.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.kind == kind.as_bytes()
    }

    /// True for large objects, and for what is said about them.
    #[must_use]
    pub fn is_of_large_objects(&self) -> bool {
        let is_about = ["ACL", "COMMENT", "SECURITY LABEL"].iter().any(|kind| self.is(kind));
        ["BLOB", "BLOBS", "BLOB METADATA"].iter().any(|kind| self.is(kind))
            || is_about && self.tag.starts_with(b"LARGE OBJECT")
    }
}

/// The table of contents of an archive.
#[derive(Clone, Debug)]
pub struct Toc {
    /// How the data is kept.
    pub format: Format,
    /// Its version, without the 1 before it.
    pub version: u8,
    /// How the data is compressed.
    pub compression: Compression,
    /// Bytes of a number in the data's blocks.
    pub int_size: u8,
    /// When it was begun: second, minute, hour, day, month from 0, years since 1900, and whether it was summer.
    pub created: [i64; 7],
    /// The database's name.
    pub database: Vec<u8>,
    /// The server's version, as it says it: `17.12 (Debian 17.12-1)`.
    pub server: Vec<u8>,
    /// The version of the `pg_dump` that wrote it.
    pub writer: Vec<u8>,
    /// What it holds.
    pub entries: Vec<Entry>,
}

impl Toc {
    /// Reads it as it stands.
    pub(super) fn unchecked(source: impl Read) -> Result<Self, Damage> {
        let mut reader = Reader::new(source);
        if reader.bytes::<5>()? != *MAGIC {
            return Err(Damage::NoArchive);
        }
        let [major, version, _revision] = reader.bytes()?;
        if major != 1 || !(VERSIONS.0..=VERSIONS.1).contains(&version) {
            return Err(Damage::Version(major, version));
        }
        let [int_size, offset_size, format] = reader.bytes()?;
        reader.set_int_size(int_size)?;
        let format = match format {
            1 => Format::Custom,
            3 => Format::Tar,
            5 => Format::Directory,
            _ => return Err(Damage::Broken("an unknown format")),
        };
        let compression = if version >= 15 {
            match reader.byte()? {
                0 => Compression::None,
                1 => Compression::Gzip,
                2 => Compression::Lz4,
                3 => Compression::Zstd,
                _ => return Err(Damage::Broken("an unknown compression")),
            }
        } else if reader.int()? == 0 {
            Compression::None
        } else {
            Compression::Gzip
        };
        let mut created = [0; 7];
        for number in &mut created {
            *number = reader.int()?;
        }
        let mut toc = Self {
            format,
            version,
            compression,
            int_size,
            created,
            database: reader.text()?,
            server: reader.text()?,
            writer: reader.text()?,
            entries: Vec::new(),
        };
        for _ in 0..reader.int()? {
            toc.entries.push(entry(&mut reader, &toc, offset_size)?);
        }
        Ok(toc)
    }

    /// The part of a dump that each entry belongs to.
    #[must_use]
    pub fn sections(&self) -> Vec<Section> {
        let mut now = Section::PreData;
        let of = |entry: &Entry| {
            if entry.section != Section::Open {
                now = entry.section;
            }
            now
        };
        self.entries.iter().map(of).collect()
    }

    /// The entry of this kind that only tells how the others are to be read.
    pub(super) fn setting(&self, kind: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is(kind))
    }

    /// True where its text is UTF-8.
    #[must_use]
    pub fn is_utf8(&self) -> bool {
        let is_named = |entry: &Entry| entry.definition.windows(6).any(|word| word == b"'UTF8'");
        self.setting("ENCODING").is_some_and(is_named)
    }

    /// True where a backslash in its strings is a backslash.
    #[must_use]
    pub fn has_standard_strings(&self) -> bool {
        let is_on = |entry: &Entry| entry.definition.windows(4).any(|word| word == b"'on'");
        self.setting("STDSTRINGS").is_none_or(is_on)
    }

    /// The major version of the `pg_dump` that wrote it; 0 where it says none.
    #[must_use]
    pub fn writer_major(&self) -> u32 {
        self.writer_version().0
    }

    /// Major and minor version of that `pg_dump`.
    pub(super) fn writer_version(&self) -> (u32, u32) {
        let text = String::from_utf8_lossy(&self.writer);
        let mut numbers = text.split(|c: char| !c.is_ascii_digit()).map(|word| word.parse().unwrap_or(0));
        (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0))
    }
}

/// A number of an object; 0 of what has none.
fn oid(text: &[u8]) -> u32 {
    str::from_utf8(text).ok().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn entry(reader: &mut Reader<impl Read>, toc: &Toc, offset_size: u8) -> Result<Entry, Damage> {
    let id = reader.int()?;
    if id <= 0 {
        return Err(Damage::Broken("an entry's number is out of range"));
    }
    let has_data = reader.int()? != 0;
    let object = (oid(&reader.text()?), oid(&reader.text()?));
    let tag = reader.text()?;
    let kind = reader.text()?;
    let section = match reader.int()? {
        1 => Section::Open,
        2 => Section::PreData,
        3 => Section::Data,
        4 => Section::PostData,
        _ => return Err(Damage::Broken("an unknown section")),
    };
    let definition = reader.text()?;
    let drop = reader.text()?;
    let copy = reader.text()?;
    let schema = reader.string()?;
    let tablespace = reader.string()?;
    let access_method = if toc.version >= 14 { reader.string()? } else { None };
    let relation_kind = if toc.version >= 16 { u8::try_from(reader.int()?).unwrap_or(0) } else { 0 };
    let owner = reader.string()?;
    let _with_oids = reader.string()?;
    let mut needs = Vec::new();
    while let Some(number) = reader.string()? {
        let number = str::from_utf8(&number).ok().and_then(|number| number.parse().ok());
        needs.push(number.ok_or(Damage::Broken("a dependency is no number"))?);
    }
    let place = match toc.format {
        Format::Custom => match (reader.byte()?, reader.little(offset_size.into())?) {
            (1, _) => Place::Unknown,
            (2, offset) => Place::At(offset),
            (3, _) => Place::Nowhere,
            _ => return Err(Damage::Broken("an unknown place of data")),
        },
        Format::Directory | Format::Tar => match reader.text()? {
            name if name.is_empty() => Place::Nowhere,
            name => Place::File(name),
        },
    };
    Ok(Entry {
        id,
        object,
        has_data,
        tag,
        kind,
        section,
        definition,
        drop,
        copy,
        schema,
        tablespace,
        access_method,
        relation_kind,
        owner,
        needs,
        place,
    })
}
