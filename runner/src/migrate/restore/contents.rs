//! What an archive holds, as far as a run has to know it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use tsmigrate_analyzer::archive::{Entry, Section};
use tsmigrate_analyzer::finding::Unmoved;
use tsmigrate_analyzer::moving::SchemaMap;

use super::dump::{self, Dump, From, Named};
use super::hypertables::{self, Hypertables};
use super::moved;
use super::options::Args;
use super::{entries, refused};
use crate::engine::marks;
use crate::engine::rows::OpenRows;
use crate::engine::sequences;
use crate::error::{Blocker, Error};
use crate::human::{self, count};
use crate::inspect::{Extension, Facts, Timescale};
use crate::journal::{ARCHIVE, Identity};
use crate::migrate::brought::{self, Brought};
use crate::migrate::manifest::Manifest;
use crate::migrate::scripts::Scripts;
use crate::moving::Moving;
use crate::names::Relation;
use crate::script;
use crate::tables::Table;
use crate::timescale;

/// So much of a large object is written at once, in bytes.
const PIECE: u64 = 1 << 20;

/// What nobody knows without a manifest.
const UNKNOWN: &str = "not known, for no dump tells it: what the source's rows were, ALTER ROLE ALL, hazards of TimescaleDB, when \
    jobs are due; tsmigrate dump writes it down";

/// A piece of a large object.
#[derive(Debug, Default)]
pub(super) struct ObjectPiece {
    /// The object; 0 at the end of all.
    pub(super) id: u32,
    /// Where it begins.
    pub(super) offset: i64,
    pub(super) bytes: Vec<u8>,
}

/// A dump, and what it holds.
pub(super) struct Contents {
    dump: Arc<Dump>,
    /// The number of the entry that holds the rows of each table.
    of_tables: Arc<BTreeMap<Relation, usize>>,
    /// Tables with rows, the largest first.
    pub(super) tables: Vec<Table>,
    /// Tables that the archive creates.
    pub(super) created: BTreeSet<Relation>,
    /// Values of sequences.
    pub(super) sequences: sequences::Values,
    /// The database that was dumped, as far as the archive tells.
    pub(super) facts: Facts,
    /// By which the archive is known again.
    pub(super) identity: Identity,
    /// What a person has to know of it.
    pub(super) notes: Vec<String>,
    /// What it lacks of a whole database.
    pub(super) lacks: Vec<String>,
    /// TimescaleDB, where the archive has it.
    pub(super) hypertables: Hypertables,
    /// What `tsmigrate dump` has written beside it.
    pub(super) manifest: Option<Manifest>,
    /// What becomes of its schemas, where they move.
    pub(super) map: Option<SchemaMap>,
}

impl Contents {
    /// Opens what a person has named, and looks at what it holds; with it come the roles' statements. `installed` has the schemas of
    /// the extensions that the target has.
    ///
    /// # Errors
    /// When it cannot be read, or [`Error::Preflight`] with all that cannot be restored.
    pub(super) fn open(args: &Args, installed: &BTreeMap<String, String>) -> Result<(Self, Vec<u8>), Error> {
        let Named { mut dump, mut roles, mut manifest } = dump::open(&args.files, args.database.as_deref())?;
        if let Some(path) = &args.roles {
            roles.splice(0..0, dump::roles(path)?);
        }
        let map = args.schemas.of(&dump.database())?;
        if let Some(map) = &map {
            let parts =
                [dump.section(Section::PreData), dump.section(Section::PostData), dump.about_objects()];
            dump.moved =
                Some(moved::moved(dump.entries(), parts, &mut roles, manifest.as_mut(), map, installed)?);
        }
        let entries = dump.entries();
        let created: BTreeSet<Relation> =
            entries.iter().filter(|entry| entry.is("TABLE")).filter_map(entries::name).collect();
        let mut blockers = blockers(&dump);
        let failed = |error| Error::File { what: "read the dump".to_owned(), error };
        let mut hypertables =
            if blockers.is_empty() { Hypertables::read(&dump, &created).map_err(failed)? } else { None };
        if let (Some(hypertables), Some(manifest)) = (&mut hypertables, &manifest) {
            // They were paused while their rows were dumped.
            hypertables.jobs.clone_from(&manifest.jobs);
        }
        if map.is_some() {
            // What is the extension's alone is created with it.
            hypertables = match hypertables {
                Some(found) if found.has_own() => return Err(refused::moved_hypertables(&dump.database())),
                _ => None,
            };
        }
        let all = hypertables::relations(entries);
        if blockers.is_empty() {
            blockers.extend(hypertables.iter().flat_map(|hypertables| hypertables.blockers(&all)));
            blockers.extend(hypertables::without_extension(entries, &created));
        }
        if !blockers.is_empty() {
            return Err(Error::Preflight(blockers));
        }
        let (mut tables, mut of_tables) = (Vec::new(), BTreeMap::new());
        let mut sequences = sequences::Values::new();
        for (number, entry) in entries.iter().enumerate() {
            if entry.has_data
                && entry.is("TABLE DATA")
                && let Some(table) = entries::table(entry, dump.size(entry))
            {
                of_tables.insert(table.relation.clone(), number);
                let of_catalogs = hypertables::is_catalog(&table.relation, &created);
                if !of_catalogs || hypertables.is_none() && map.is_none() {
                    tables.push(table);
                }
            }
            sequences
                .extend(Some(entry).filter(|entry| entry.is("SEQUENCE SET")).and_then(entries::sequence));
        }
        if map.is_some() {
            // TimescaleDB's are those of another database by then.
            sequences.retain(|sequence, _| !timescale::is_own(&sequence.schema));
        }
        // What an extension has made may hold rows of its own, which stay.
        for table in &mut tables {
            table.routed |= !created.contains(&table.relation);
        }
        dump.order(&mut tables, &of_tables);
        let mut facts = facts(&dump);
        if let Some(hypertables) = &hypertables {
            let Timescale { version, schema, .. } = hypertables.timescale.clone();
            facts.extensions.insert("timescaledb".to_owned(), Extension { version, schema });
            facts.timescale = Some(hypertables.timescale.clone());
        }
        let identity = Identity {
            system: ARCHIVE.to_owned(),
            database: facts.database.clone(),
            oid: fingerprint(&dump),
        };
        let lacks = lacks(&dump, &of_tables);
        let mut notes = notes(&dump);
        notes.push(match &manifest {
            Some(manifest) => format!(
                "the source as of {}: its rows have to be those that the manifest counts",
                manifest.begun
            ),
            None => UNKNOWN.to_owned(),
        });
        let contents = Self {
            dump: Arc::new(dump),
            of_tables: Arc::new(of_tables),
            tables,
            created,
            sequences,
            facts,
            identity,
            notes,
            lacks,
            hypertables: hypertables.unwrap_or_default(),
            manifest,
            map,
        };
        Ok((contents, roles))
    }

    /// What it brings to the target by these statements; `user` is the target's.
    pub(super) fn brought(&self, scripts: &Scripts, user: &str) -> Result<Brought, Error> {
        let mut brought = Brought::of(scripts, user);
        brought.large_objects = brought::large_objects(&script::statements("data", &self.about_objects())?);
        Ok(brought)
    }

    /// What becomes of its names, where its schemas move.
    pub(super) fn moving(&self) -> Option<&Moving> {
        self.dump.moved.as_ref().map(|moved| &moved.moving)
    }

    /// Places that nothing proves to have moved rightly.
    pub(super) fn unmoved(&self) -> &[Unmoved] {
        self.dump.moved.as_ref().map(|moved| &moved.unmoved[..]).unwrap_or_default()
    }

    /// The text of one part, but for large objects.
    pub(super) fn section(&self, section: Section) -> Vec<u8> {
        self.dump.section(section)
    }

    /// Owners, privileges and comments of large objects; empty where there are none.
    pub(super) fn about_objects(&self) -> Vec<u8> {
        self.dump.about_objects()
    }

    fn object_lists(&self) -> impl Iterator<Item = &Entry> {
        self.dump.entries().iter().filter(|entry| entry.has_data && entry.is("BLOBS"))
    }

    /// How many lists of large objects there are.
    pub(super) fn lists_of_objects(&self) -> usize {
        self.object_lists().count()
    }

    /// Reads the large objects of a list, by its number, in pieces. An empty one is a piece too.
    pub(super) fn read_objects(
        &self,
        number: usize,
        each: &mut dyn FnMut(ObjectPiece) -> io::Result<()>,
    ) -> io::Result<()> {
        let Some(entry) = self.object_lists().nth(number) else { return Ok(()) };
        self.dump.large_objects(entry, &mut |id, object| {
            let id =
                u32::try_from(id).map_err(|_| io::Error::other("a large object's number is too large"))?;
            let mut offset = 0;
            loop {
                let mut bytes = Vec::new();
                object.take(PIECE).read_to_end(&mut bytes)?;
                let length = bytes.len() as u64;
                if length > 0 || offset == 0 {
                    each(ObjectPiece { id, offset, bytes })?;
                }
                if length < PIECE {
                    return Ok(());
                }
                offset += i64::try_from(length).unwrap_or(i64::MAX);
            }
        })
    }

    /// Tables whose rows are not in the archive: `pg_dump` says so of empty ones too.
    pub(super) fn without_rows(&self) -> BTreeSet<Relation> {
        without_rows(&self.dump, &self.of_tables)
    }

    /// Tables whose rows are in the archive; there may be none.
    pub(super) fn with_rows(&self) -> impl Iterator<Item = &Relation> {
        self.of_tables.keys()
    }

    /// Whether there are some.
    pub(super) fn has_rows(&self, table: &Relation) -> io::Result<bool> {
        Ok((self.rows())(table)?.read(&mut [0])? > 0)
    }

    /// What opens the rows of a table.
    pub(super) fn rows(&self) -> OpenRows {
        let (dump, of_tables) = (Arc::clone(&self.dump), Arc::clone(&self.of_tables));
        Arc::new(move |table| {
            let entry = of_tables.get(table).and_then(|number| dump.entries().get(*number));
            let entry = entry.ok_or_else(|| io::Error::other("it has no rows of this table"))?;
            dump.rows(entry)
        })
    }
}

/// What refuses some entries.
type Refuse = fn(&[&Entry]) -> Blocker;

/// All that cannot be restored.
fn blockers(dump: &Dump) -> Vec<Blocker> {
    let all = dump.entries();
    let of_kind = |kind: &'static str| all.iter().filter(move |entry| entry.is(kind));
    let mut blockers = Vec::new();
    if let From::Text(text) = &dump.from {
        blockers.extend(text.problems().map(refused::problem));
        if text.versions().0.is_empty() {
            blockers.push(refused::no_head());
        }
    }
    if !dump.is_utf8() {
        blockers.push(refused::encoding());
    }
    if of_kind("SCHEMA").any(|entry| entry.tag == marks::SCHEMA.as_bytes()) {
        blockers.push(refused::marks(marks::SCHEMA));
    }
    let (rows, others): (Vec<&Entry>, Vec<&Entry>) = all
        .iter()
        .filter(|entry| !entry.is_of_large_objects())
        .filter(|entry| entry.has_data || entry.section == Section::Data)
        .partition(|entry| entry.has_data && entry.is("TABLE DATA"));
    let (values, others): (Vec<&Entry>, Vec<&Entry>) =
        others.into_iter().partition(|entry| !entry.has_data && entry.is("SEQUENCE SET"));
    let mut unknown: Vec<&Entry> = others.into_iter().filter(|entry| !entry.is("STATISTICS DATA")).collect();
    unknown.extend(values.into_iter().filter(|entry| entries::sequence(entry).is_none()));
    let created: BTreeSet<_> = of_kind("TABLE").filter_map(entries::name).collect();
    let not_copied: Vec<&Entry> = rows.iter().copied().filter(|entry| !is_known(entry, &created)).collect();
    // An extension's own tables are created with it.
    let has_extensions = of_kind("EXTENSION").next().is_some();
    let is_alone = |entry: &&Entry| entries::name(entry).is_none_or(|name| !created.contains(&name));
    let alone: Vec<&Entry> =
        rows.iter().copied().filter(|entry| !has_extensions && is_alone(entry)).collect();
    let mut seen = BTreeSet::new();
    let twice: Vec<&Entry> = rows
        .iter()
        .copied()
        .filter(|entry| entries::name(entry).is_some_and(|name| !seen.insert(name)))
        .collect();
    let lists: [(&Vec<&Entry>, Refuse); 4] = [
        (&not_copied, refused::inserts),
        (&alone, refused::rows_alone),
        (&twice, refused::twice),
        (&unknown, refused::unknown),
    ];
    blockers.extend(lists.into_iter().filter(|(found, _)| !found.is_empty()).map(|(found, of)| of(found)));
    blockers
}

/// True for rows of which it is known where they go. Those of TimescaleDB's catalogs are read before the target has them: their
/// columns have to be named. What a dump has `created` beside them may have none, as the heads of compressed tables up to 2.28.
fn is_known(entry: &Entry, created: &BTreeSet<Relation>) -> bool {
    entries::table(entry, 0).is_some_and(|table| {
        let name = &table.relation;
        !timescale::is_own(&name.schema) || created.contains(name) || !table.columns.is_empty()
    })
}

/// The database that was dumped, in the form in which a server's is known.
fn facts(dump: &Dump) -> Facts {
    let version = dump.server();
    let major = version.split(|c: char| !c.is_ascii_digit()).next().and_then(|word| word.parse().ok());
    let extensions = dump.entries().iter().filter(|entry| entry.is("EXTENSION"));
    let extensions = extensions
        .map(|entry| (String::from_utf8_lossy(&entry.tag).into_owned(), Extension::default()))
        .collect();
    Facts {
        version_num: major.unwrap_or(0_u32).saturating_mul(10_000),
        version,
        database: dump.database(),
        encoding: "UTF8".to_owned(),
        extensions,
        ..Facts::default()
    }
}

/// A hash of what it holds; of an archive, with when it was written. Rows that were damaged may be put right meanwhile.
fn fingerprint(dump: &Dump) -> String {
    let mut hash = Sha256::new();
    match &dump.from {
        From::Archive(archive, _) => {
            let toc = archive.toc();
            hash.update(format!("{:?} {:?} {:?} {:?}", toc.format, toc.created, toc.server, toc.writer));
        }
        From::Text(text) => hash.update(format!("text {:?}", text.versions())),
    }
    for entry in dump.entries() {
        hash.update(format!("{entry:?}\n"));
    }
    crate::human::hex(&hash.finalize())
}

fn notes(dump: &Dump) -> Vec<String> {
    let mut notes = Vec::new();
    match &dump.from {
        From::Archive(archive, _) => {
            let toc = archive.toc();
            let [second, minute, hour, day, month, year, _] = toc.created;
            notes.push(format!(
                "the archive was begun at {}-{:02}-{day:02} {hour:02}:{minute:02}:{second:02}, its server's clock, by pg_dump {}",
                year.saturating_add(1900),
                month.saturating_add(1),
                String::from_utf8_lossy(&toc.writer)
            ));
        }
        From::Text(text) => {
            let (server, writer) = text.versions();
            let (server, writer) = (String::from_utf8_lossy(server), String::from_utf8_lossy(writer));
            notes.push(format!("the text was written by pg_dump {writer}, of a server of version {server}"));
            if !text.has_database() {
                notes.push("it was written without --create: settings, privileges and comments of the database itself are not in it".to_owned());
            }
            if text.drops() > 0 {
                notes.push(format!(
                    "left out, for the target is empty: {} that drop objects",
                    count(text.drops(), "statement")
                ));
            }
            if text.is_packed() {
                notes.push("tables go over in the order of the compressed file".to_owned());
            }
        }
    }
    notes
}

/// What a dump of a whole database has, and this one does not: the target will not have it either.
fn lacks(dump: &Dump, of_tables: &BTreeMap<Relation, usize>) -> Vec<String> {
    let mut lacks = Vec::new();
    let has_more = match &dump.from {
        From::Archive(archive, _) => {
            archive.toc().entries.iter().any(|entry| entry.section == Section::PostData)
        }
        From::Text(text) => !text.section(Section::PostData).is_empty(),
    };
    if !of_tables.is_empty() && !has_more {
        lacks.push("the dump has no index, key or trigger: was it dumped with --section?".to_owned());
    }
    let without = without_rows(dump, of_tables);
    if !without.is_empty() {
        let (number, names) = (count(without.len() as u64, "table"), human::first(&without, 5));
        lacks.push(if of_tables.is_empty() {
            format!("the dump has no rows at all ({number}: {names}): was it dumped with --schema-only?")
        } else {
            format!("the dump has no rows of {number}: {names}")
        });
    }
    lacks
}

/// Tables whose rows are not in the dump.
fn without_rows(dump: &Dump, of_tables: &BTreeMap<Relation, usize>) -> BTreeSet<Relation> {
    // Partitioned tables have none of their own.
    let is_plain = |entry: &&Entry| entry.is("TABLE") && !entries::is_partitioned(entry);
    let plain = dump.entries().iter().filter(is_plain).filter_map(entries::name);
    plain.filter(|table| !of_tables.contains_key(table)).collect()
}
