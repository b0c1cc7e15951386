//! What is restored: an archive, or text; with its roles.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use tsmigrate_analyzer::archive::{Damage, Entry, Place, Section};

use super::moved::Moved;
use super::{entries, refused};
use crate::archive::{self, Archive, Places};
use crate::error::Error;
use crate::frames::Packing;
use crate::migrate::manifest::{self, Manifest};
use crate::names::Relation;
use crate::tables::Table;
use crate::text_dump::{self, Choice, TextDump, TextFile};

/// An archive with the places of its data, or a database's text.
pub(super) enum From {
    Archive(Archive, Places),
    Text(Box<TextDump>),
}

/// A dump of one database.
pub(super) struct Dump {
    pub(super) from: From,
    /// What of it reads otherwise, where its schemas move into other names.
    pub(super) moved: Option<Moved>,
}

/// What a person has named, opened.
pub(super) struct Named {
    pub(super) dump: Dump,
    /// Statements about roles.
    pub(super) roles: Vec<u8>,
    /// What `tsmigrate dump` has written beside an archive.
    pub(super) manifest: Option<Manifest>,
}

/// Opens what a person has named: one archive, or files of text; the roles' statements of those come with it.
///
/// # Errors
/// When it cannot be read, or is not what can be restored.
pub(super) fn open(paths: &[PathBuf], database: Option<&str>) -> Result<Named, Error> {
    let mut archives = Vec::new();
    let mut texts = Vec::new();
    for path in paths {
        match opened(path)? {
            Opened::Archive(archive) => archives.push((path, archive)),
            Opened::Text(file) => texts.push(file),
        }
    }
    let found = text_dump::look(texts).map_err(|failure| refused::text(&failure))?;
    if let Some(database) = database.filter(|_| archives.len() > 1) {
        archives.retain(|(_, archive)| String::from_utf8_lossy(&archive.toc().database) == database);
    }
    if archives.len() > 1 || !archives.is_empty() && !found.is_roles_alone() {
        return Err(refused::several(paths));
    }
    let Some((path, mut archive)) = archives.pop() else {
        let roles = found.roles.clone();
        let text = found.choose(database).map_err(|choice| refused::choice(&choice, paths))?;
        return Ok(Named { dump: Dump::new(From::Text(Box::new(text))), roles, manifest: None });
    };
    if let Some(database) = database {
        let own = String::from_utf8_lossy(&archive.toc().database);
        if own != database {
            let others = Choice::Others(vec![own.into_owned()]);
            return Err(refused::choice(&others, std::slice::from_ref(path)));
        }
    }
    let places = archive.places().map_err(|error| refused::damage(path, &Damage::Io(error)))?;
    archive.take_inserts(&places).map_err(|error| refused::damage(path, &Damage::Io(error)))?;
    let manifest = if path.is_dir() { Manifest::read(path)? } else { None };
    if let Some(manifest) = &manifest {
        unchanged(path, &archive, manifest)?;
    }
    let mut roles = found.roles;
    if roles.is_empty() && manifest.is_some() {
        let file = path.join(manifest::ROLES);
        roles = std::fs::read(&file)
            .map_err(|error| Error::File { what: format!("read {}", file.display()), error })?;
    }
    Ok(Named { dump: Dump::new(From::Archive(archive, places)), roles, manifest })
}

/// Refuses a folder that is not as `tsmigrate dump` has left it. Rows are looked at when they are read.
fn unchanged(path: &Path, archive: &Archive, manifest: &Manifest) -> Result<(), Error> {
    let sums = manifest.sums();
    let with_sums = archive.toc().entries.iter().filter(|entry| entry.is("TABLE DATA"));
    let with_sums =
        with_sums.filter(|entry| entries::name(entry).is_some_and(|name| sums.contains_key(&name)));
    let files: BTreeSet<String> = with_sums
        .filter_map(|entry| match &entry.place {
            Place::File(name) => Some(String::from_utf8_lossy(name).into_owned()),
            _ => None,
        })
        .collect();
    let by_rows = |name: &str| {
        let plain = [".gz", ".lz4", ".zst"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        files.contains(plain)
    };
    let failed = |error| Error::File { what: format!("read {}", path.display()), error };
    match manifest.changed(path, by_rows).map_err(failed)? {
        None => Ok(()),
        Some(name) => Err(refused::changed(path, &name)),
    }
}

/// The roles' statements of a file, where it has nothing else.
///
/// # Errors
/// When it cannot be read, or has databases too.
pub(super) fn roles(path: &Path) -> Result<Vec<u8>, Error> {
    let not_alone = |why: &str| Error::Refused {
        what: format!("--roles {}: {why}", path.display()),
        next: vec!["name a dump of the roles alone: pg_dumpall --roles-only > roles.sql".into()],
    };
    let failed = |error| Error::File { what: format!("read {}", path.display()), error };
    let Opened::Text(file) = opened(path)? else { return Err(not_alone("it is an archive")) };
    let mut text = Vec::new();
    file.from_start().and_then(|mut from| from.read_to_end(&mut text)).map_err(failed)?;
    if str::from_utf8(&text).is_err() {
        return Err(not_alone("it is no text in UTF-8"));
    }
    let is_alone = text_dump::look(vec![file]).map_err(|failure| refused::text(&failure))?.is_roles_alone();
    if is_alone { Ok(text) } else { Err(not_alone("it holds databases too")) }
}

enum Opened {
    Archive(Archive),
    Text(TextFile),
}

fn opened(path: &Path) -> Result<Opened, Error> {
    let failed = |error| Error::File { what: format!("read {}", path.display()), error };
    let damaged = |damage: Damage| refused::damage(path, &damage);
    if archive::is_of_cluster(path) {
        return Err(refused::of_cluster(path));
    }
    if path.is_dir() {
        manifest::check_whole(path)?;
        if !archive::is_directory(path) {
            return Err(refused::no_directory(path));
        }
        return Archive::of_directory(path).map(Opened::Archive).map_err(damaged);
    }
    if path == Path::new("-") || path.exists() && !text_dump::can_be_read_twice(path) {
        return Err(refused::read_once(path));
    }
    let mut file = File::open(path).map_err(failed)?;
    let mut head = Vec::new();
    (&mut file).take(refused::HEAD as u64).read_to_end(&mut head).map_err(failed)?;
    if archive::begins(&head) {
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        return Archive::of_file(file).map(Opened::Archive).map_err(|damage| {
            match archive::directory_of(path) {
                Some(directory) => refused::part_of_directory(path, directory),
                None => damaged(damage),
            }
        });
    }
    let text = TextFile::open(path).map_err(failed)?;
    if text.packing() != Packing::Plain {
        head.clear();
        let from = text.from_start().map_err(failed)?;
        from.take(refused::HEAD as u64)
            .read_to_end(&mut head)
            .map_err(|error| refused::unreadable(&text, &error))?;
    }
    refused::unless_text(&text, &head)?;
    Ok(Opened::Text(text))
}

impl Dump {
    fn new(from: From) -> Self {
        Self { from, moved: None }
    }

    /// What it holds.
    pub(super) fn entries(&self) -> &[Entry] {
        if let Some(moved) = &self.moved {
            return &moved.entries;
        }
        match &self.from {
            From::Archive(archive, _) => &archive.toc().entries,
            From::Text(text) => text.entries(),
        }
    }

    /// True where its text is UTF-8.
    pub(super) fn is_utf8(&self) -> bool {
        match &self.from {
            From::Archive(archive, _) => archive.toc().is_utf8(),
            From::Text(text) => text.is_utf8(),
        }
    }

    /// The name of the database that was dumped.
    pub(super) fn database(&self) -> String {
        match &self.from {
            From::Archive(archive, _) => String::from_utf8_lossy(&archive.toc().database).into_owned(),
            From::Text(text) => text.name(),
        }
    }

    /// The version of its server; empty where nothing tells it.
    pub(super) fn server(&self) -> String {
        let version = match &self.from {
            From::Archive(archive, _) => &archive.toc().server,
            From::Text(text) => text.versions().0,
        };
        String::from_utf8_lossy(version).into_owned()
    }

    /// The bytes that the data of an entry takes.
    pub(super) fn size(&self, entry: &Entry) -> u64 {
        match &self.from {
            From::Archive(_, places) => places.size(entry),
            From::Text(text) => {
                let (_, start, end) = text.place(entry);
                end.saturating_sub(start)
            }
        }
    }

    /// Tables in the order in which they are read best: the largest first, or as they stand in a compressed file.
    pub(super) fn order(&self, tables: &mut [Table], of: &BTreeMap<Relation, usize>) {
        let place = |table: &Table| match &self.from {
            From::Text(text) if text.is_packed() => {
                let entry = of.get(&table.relation).and_then(|number| self.entries().get(*number));
                let (file, start, _) = entry.map(|entry| text.place(entry)).unwrap_or_default();
                (file, start)
            }
            _ => (0, u64::MAX - table.bytes),
        };
        tables.sort_by(|a, b| place(a).cmp(&place(b)).then_with(|| a.relation.cmp(&b.relation)));
    }

    /// The text of one part, but for large objects. Statistics are left out: they are made anew.
    pub(super) fn section(&self, section: Section) -> Vec<u8> {
        match (&self.moved, section) {
            (Some(moved), Section::PreData) => return moved.pre_data.clone(),
            (Some(moved), Section::PostData) => return moved.post_data.clone(),
            _ => {}
        }
        match &self.from {
            From::Archive(archive, _) => archive.text(|of, entry| {
                of == section && !entry.is("STATISTICS DATA") && !entry.is_of_large_objects()
            }),
            From::Text(text) => text.section(section),
        }
    }

    /// Owners, privileges and comments of large objects; empty where there are none.
    pub(super) fn about_objects(&self) -> Vec<u8> {
        if let Some(moved) = &self.moved {
            return moved.about_objects.clone();
        }
        match &self.from {
            From::Archive(archive, _) if archive.toc().entries.iter().any(Entry::is_of_large_objects) => {
                archive.text(|_, entry| !entry.has_data && entry.is_of_large_objects())
            }
            From::Archive(..) => Vec::new(),
            From::Text(text) => text.about_objects().to_vec(),
        }
    }

    /// The rows of an entry.
    pub(super) fn rows(&self, entry: &Entry) -> io::Result<Box<dyn Read>> {
        Ok(match &self.from {
            From::Archive(archive, places) => archive.rows(places, entry)?,
            From::Text(text) => text.rows(entry)?,
        })
    }

    /// Reads the large objects of an entry, one after the other: their numbers and bytes.
    pub(super) fn large_objects(
        &self,
        entry: &Entry,
        each: &mut dyn FnMut(u64, &mut dyn Read) -> io::Result<()>,
    ) -> io::Result<()> {
        match &self.from {
            From::Archive(archive, places) => archive.large_objects(places, entry, each),
            From::Text(text) => text.large_objects(entry, each),
        }
    }
}
