//! What of an archive is not restored: all of it is named before anything is written.

use std::io;
use std::path::{Path, PathBuf};

use tsmigrate_analyzer::archive::{Damage, Entry};
use tsmigrate_analyzer::input::{Problem, sniff, sniff_text};
use tsmigrate_analyzer::quote::{shell, shell_file};

use crate::archive;
use crate::error::{Blocker, Error};
use crate::frames::Packing;
use crate::hazards;
use crate::human;
use crate::migrate::manifest::Hazard;
use crate::moving;
use crate::names::Relation;
use crate::quote::quoted;
use crate::text_dump::{self, Choice, Failure, TextFile};

/// So many are named.
const SHOWN: usize = 5;

/// Bytes that tell what a file is.
pub(super) const HEAD: usize = 512;

/// The way on where a live source can be had.
const MIGRATE: &str = "move the database itself, where its server can be reached: tsmigrate migrate";

/// The way on with the archive alone.
const BY_HAND: &str = "or rewrite its script, and run that with psql: tsmigrate rewrite ARCHIVE -o dump.sql";

/// Names of entries, the first of them.
pub(super) fn named(entries: &[&Entry]) -> String {
    human::first(entries.iter().map(|entry| String::from_utf8_lossy(&entry.tag)), SHOWN)
}

/// A database with TimescaleDB, of which no row says which version it was.
pub(super) fn no_version() -> Blocker {
    Blocker::new(
        "archive-timescaledb-version",
        "the dump does not say which version of TimescaleDB it needs: rows of TimescaleDB's catalogs are not in it, or \
         they are older than 2.13",
        &["dump it again as a whole, without --schema-only, --no-data and --section", MIGRATE],
    )
}

/// Parts of hypertables without the extension.
pub(super) fn no_extension(found: &[String]) -> Blocker {
    Blocker::new(
        "archive-hypertables",
        format!(
            "the dump has parts of hypertables, and not the extension with its catalogs: {}",
            human::first(found, SHOWN)
        ),
        &["dump it again as a whole, without --table, --schema and their opposites", MIGRATE],
    )
}

/// Hypertables, chunks or aggregates that TimescaleDB's catalogs name, without their tables or views.
pub(super) fn hypertables(missing: &[&Relation]) -> Blocker {
    Blocker::new(
        "archive-hypertables",
        format!(
            "the dump has TimescaleDB's records of hypertables, chunks or aggregates that it does not create: {}",
            human::first(missing, SHOWN)
        ),
        &["dump it again as a whole, without --table, --schema and their opposites", MIGRATE],
    )
}

/// Rows that are not read by COPY.
pub(super) fn inserts(entries: &[&Entry]) -> Blocker {
    Blocker::new(
        "archive-inserts",
        format!(
            "the dump holds rows as statements that restore does not read, or of TimescaleDB's catalogs without names of columns: {}",
            named(entries)
        ),
        &["dump it again without --inserts, --column-inserts and --rows-per-insert"],
    )
}

/// Text in another encoding.
pub(super) fn encoding() -> Blocker {
    Blocker::new(
        "archive-encoding",
        "the dump's text is not in UTF-8",
        &["dump it again with: pg_dump --encoding=UTF8"],
    )
}

/// Rows without the tables that they belong to.
pub(super) fn rows_alone(entries: &[&Entry]) -> Blocker {
    Blocker::new(
        "archive-rows-alone",
        format!("the dump holds rows of tables that it does not create: {}", named(entries)),
        &["dump it again as a whole, without --data-only and --section"],
    )
}

/// Two entries with the rows of one table.
pub(super) fn twice(entries: &[&Entry]) -> Blocker {
    Blocker::new(
        "archive-rows-twice",
        format!("the dump holds the rows of one table twice: {}", named(entries)),
        &["pg_dump writes no such dump: dump it again"],
    )
}

/// Entries of which nothing is known.
pub(super) fn unknown(entries: &[&Entry]) -> Blocker {
    let mut kinds: Vec<_> = entries.iter().map(|entry| String::from_utf8_lossy(&entry.kind)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    Blocker::new(
        "archive-unknown",
        format!("the dump holds data that restore does not know ({}): {}", kinds.join(", "), named(entries)),
        &[MIGRATE, BY_HAND],
    )
}

/// The schema that marks are kept in.
pub(super) fn marks(schema: &str) -> Blocker {
    Blocker::new(
        "archive-marks",
        format!(
            "the dump creates a schema {schema}, and tsmigrate keeps its marks on the target under that name"
        ),
        &["drop or rename that schema on the source, and dump it again"],
    )
}

/// An archive that cannot be read.
pub(super) fn damage(path: &Path, damage: &Damage) -> Error {
    let file = shell_file(&path.display().to_string());
    let test =
        format!("write or copy it again; this tells whether it is whole: pg_restore --file=/dev/null {file}");
    let next = match damage {
        Damage::Version(..) => {
            format!(
                "turn it into text with the pg_restore that wrote it, and see tsmigrate rewrite: pg_restore --file=dump.sql {file}"
            )
        }
        Damage::Entry { .. } => format!("copy it again; this shows what it holds: pg_restore --list {file}"),
        _ => test,
    };
    Error::Refused { what: format!("{} cannot be restored: {damage}", path.display()), next: vec![next] }
}

/// Refuses what is no text of a dump; `head` is what it begins with, unpacked.
pub(super) fn unless_text(file: &TextFile, head: &[u8]) -> Result<(), Error> {
    let name = shell_file(&file.path().display().to_string());
    let (what, next) = match (file.packing(), head) {
        (_, []) => ("it is empty".to_owned(), "dump it again".to_owned()),
        (Packing::Plain, [b'P', b'K', ..]) => {
            ("it is a zip file".to_owned(), "unpack it, and name the dump in it".to_owned())
        }
        (packing, head) if packing != Packing::Plain && archive::begins(head) => {
            let program = packing.program();
            let (command, unpacked) = archive::unpacking(&file.path().display().to_string(), packing);
            (
                format!("it is an archive that was compressed once more, by {program}"),
                format!("unpack it first: {command}; then name {}", shell_file(&unpacked)),
            )
        }
        (_, head) => match sniff(head).and_then(|()| sniff_text(head)) {
            Ok(()) => return Ok(()),
            Err(Problem::Compressed(_, tool)) => (
                "it is compressed by a program that restore does not know".to_owned(),
                format!("unpack it first: {tool} {name} > dump.sql; then name dump.sql"),
            ),
            Err(Problem::Binary) => (
                "it is no dump of pg_dump, or an encrypted one".to_owned(),
                "decrypt it, and name what pg_dump wrote".to_owned(),
            ),
            Err(problem) => (problem.what(), problem.next(&name)),
        },
    };
    Err(Error::Refused {
        what: format!("{} cannot be restored: {what}", file.path().display()),
        next: vec![next],
    })
}

/// A text that cannot be read to its end.
pub(super) fn unreadable(file: &TextFile, error: &io::Error) -> Error {
    let path = file.path().display();
    if file.packing() == Packing::Plain {
        return Error::File {
            what: format!("read {path}"),
            error: io::Error::new(error.kind(), error.to_string()),
        };
    }
    // The decompressor of Zstandard says it in its own words.
    let is_cut = error.kind() == io::ErrorKind::UnexpectedEof || error.to_string().contains("UnexpectedEof");
    let why = if is_cut { "it is cut off: its end is missing" } else { "it is damaged" };
    let test = format!("{} {}", file.packing().test(), shell_file(&path.to_string()));
    Error::Refused {
        what: format!("{path} cannot be restored: {why}"),
        next: vec![format!("write or copy it again; this tells whether it is whole: {test}")],
    }
}

/// A text that cannot be looked through.
pub(super) fn text(failure: &Failure) -> Error {
    match failure {
        Failure::Io(file, error) => unreadable(file, error),
        Failure::CutOff(file, line) => Error::Refused {
            what: format!(
                "{} cannot be restored: it is cut off, what is open in line {line} has no end",
                file.path().display()
            ),
            next: vec![
                "write or copy it again: pg_dump ends a dump with \"PostgreSQL database dump complete\""
                    .into(),
            ],
        },
    }
}

/// What can be read only once.
pub(super) fn read_once(path: &Path) -> Error {
    Error::Refused {
        what: format!(
            "{} cannot be restored: it can be read only once, and a restore looks through a dump before it writes anything",
            path.display()
        ),
        next: vec!["write it into a file, and name that; .gz, .zst and .lz4 are read as they are".into()],
    }
}

/// A folder of `tsmigrate dump` that has changed since.
pub(super) fn changed(path: &Path, name: &str) -> Error {
    Error::Refused {
        what: format!("{} cannot be restored: {name} is not as it was dumped", path.display()),
        next: vec!["copy it again, with all of its files, or dump it again".into()],
    }
}

/// A hazard that was found on the source when it was dumped.
pub(super) fn hazard(hazard: &Hazard) -> Blocker {
    let known = [hazards::ADDED_DEFAULT, hazards::CHUNK_SKIPPING, hazards::ENUM_DIMENSION, hazards::TIERED];
    let check = known.into_iter().find(|known| *known == hazard.check).unwrap_or("source-hazard");
    Blocker { check, what: hazard.what.clone(), next: hazard.next.clone() }
}

/// More than one dump.
pub(super) fn several(paths: &[PathBuf]) -> Error {
    let names = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    Error::Refused {
        what: format!("more than one database is named: {names}"),
        next: vec!["name one archive, or files of text; beside an archive text with roles alone".into()],
    }
}

/// No database, or more than one.
pub(super) fn choice(choice: &Choice, paths: &[PathBuf]) -> Error {
    let names = paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    let (what, next) = match choice {
        Choice::Several(all) => (
            format!("{names} has {}: {}", human::count(all.len() as u64, "database"), list(all)),
            "name one of them: --database NAME; or move them into schemas: --into-schema DATABASE=SCHEMA for each".to_owned(),
        ),
        Choice::Others(all) if all.is_empty() => {
            (format!("{names} does not say which database it has"), "leave out --database".to_owned())
        }
        Choice::Others(all) => (
            format!("{names} does not have the database that --database names; it has {}", list(all)),
            "name one that is there".to_owned(),
        ),
        Choice::Nothing => (
            format!("{names} has no database, roles at the most"),
            "name a dump of the database too: tsmigrate restore roles.sql shop.sql".to_owned(),
        ),
    };
    Error::Refused { what, next: vec![next] }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ")
}

/// What of a text is not restored.
pub(super) fn problem(problem: &text_dump::Problem) -> Blocker {
    match problem {
        text_dump::Problem::Mixed(line) => Blocker::new(
            "text-order",
            format!(
                "rows stand behind indexes, keys or other statements that belong behind all rows, in line {line}"
            ),
            &[
                "dump it as a whole, or name its files in the order of pg_dump: schema, rows, indexes and keys",
            ],
        ),
        text_dump::Problem::Unqualified(line, name) => Blocker::new(
            "text-names",
            format!("table {} is named without its schema, in line {line}", quoted(name)),
            &["dump it again with a pg_dump that names schemas (10.3 or newer)"],
        ),
        text_dump::Problem::Psql(line, command) => Blocker::new(
            "text-psql",
            format!("a command of psql, {command}, in line {line}: restore runs none"),
            &["put in its place what it stands for, or run the file with psql", BY_HAND],
        ),
        text_dump::Problem::Rows(line) => Blocker::new(
            "text-rows",
            format!("rows whose COPY cannot be read, in line {line}"),
            &["pg_dump writes no such text: dump it again"],
        ),
        text_dump::Problem::LineEnds => Blocker::new(
            "text-line-ends",
            "the text's lines end as on Windows, and no row of it could be compared",
            &["write them as pg_dump does elsewhere: sed -i 's/\\r$//' dump.sql"],
        ),
    }
}

/// A text that says nothing of its server.
pub(super) fn no_head() -> Blocker {
    Blocker::new(
        "text-version",
        "the text does not say which version of PostgreSQL was dumped: its first lines are missing",
        &["name the dump as pg_dump wrote it, with \"-- Dumped from database version …\" in its head"],
    )
}

/// The table of contents of an archive that is a directory.
pub(super) fn part_of_directory(path: &Path, directory: &Path) -> Error {
    let what =
        format!("{} cannot be restored: it is one file of an archive that is a directory", path.display());
    let next = format!("name the directory: {}", shell_file(&directory.display().to_string()));
    Error::Refused { what, next: vec![next] }
}

/// An archive of a whole cluster.
pub(super) fn of_cluster(path: &Path) -> Error {
    Error::Refused {
        what: format!(
            "{} cannot be restored: it is an archive of a whole cluster (pg_dumpall of PostgreSQL 19), which is not read",
            path.display()
        ),
        next: vec![
            archive::text_of_cluster(path),
            "then name that, with --database for one of its databases".into(),
        ],
    }
}

/// A database with hypertables whose schemas are to move.
pub(super) fn moved_hypertables(database: &str) -> Error {
    let how = format!("tsmigrate restore FILE --database {} --into-schema OTHER=SCHEMA", shell(database));
    Error::Refused {
        what: format!(
            "--into-schema: database {} has hypertables or jobs, whose schemas TimescaleDB keeps in rows of its own catalogs",
            quoted(database)
        ),
        next: moving::ways_of_hypertables(&how),
    }
}

/// A directory that is no archive.
pub(super) fn no_directory(path: &Path) -> Error {
    let what = format!("{} cannot be restored: it is a directory without toc.dat", path.display());
    Error::Refused { what, next: vec!["name the directory that pg_dump -Fd wrote, as a whole".into()] }
}
