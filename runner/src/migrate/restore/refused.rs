//! What of an archive is not restored: all of it is named before anything is written.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::bufread::GzDecoder;
use tsmigrate_analyzer::archive::{Damage, Entry};
use tsmigrate_analyzer::quote::shell_file;

use crate::archive;
use crate::error::{Blocker, Error};
use crate::frames::Frames;
use crate::human;
use crate::names::Relation;

/// So many are named.
const SHOWN: usize = 5;

/// Bytes that tell what a file is.
pub(super) const HEAD: usize = 512;

/// The way on where a live source can be had.
const MIGRATE: &str = "move the database itself, where its server can be reached: tsmigrate migrate";

/// The way on with the archive alone.
const BY_HAND: &str = "or rewrite its script, and run that with psql: tsmigrate rewrite ARCHIVE -o dump.sql";

/// What stands in the way.
pub(super) fn blocker(check: &'static str, what: impl Into<String>, next: &[&str]) -> Blocker {
    Blocker { check, what: what.into(), next: next.iter().map(|&next| next.to_owned()).collect() }
}

/// Names of entries, the first of them.
pub(super) fn named(entries: &[&Entry]) -> String {
    human::first(entries.iter().map(|entry| String::from_utf8_lossy(&entry.tag)), SHOWN)
}

/// A database with TimescaleDB, of which no row says which version it was.
pub(super) fn no_version() -> Blocker {
    blocker(
        "archive-timescaledb-version",
        "the archive does not say which version of TimescaleDB it needs: rows of TimescaleDB's catalogs are not in it, or \
         they are older than 2.13",
        &["dump it again as a whole, without --schema-only, --no-data and --section", MIGRATE],
    )
}

/// Parts of hypertables without the extension.
pub(super) fn no_extension(found: &[String]) -> Blocker {
    blocker(
        "archive-hypertables",
        format!(
            "the archive has parts of hypertables, and not the extension with its catalogs: {}",
            human::first(found, SHOWN)
        ),
        &["dump it again as a whole, without --table, --schema and their opposites", MIGRATE],
    )
}

/// Hypertables, chunks or aggregates that TimescaleDB's catalogs name, without their tables or views.
pub(super) fn hypertables(missing: &[&Relation]) -> Blocker {
    blocker(
        "archive-hypertables",
        format!(
            "the archive has TimescaleDB's records of hypertables, chunks or aggregates that it does not create: {}",
            human::first(missing, SHOWN)
        ),
        &["dump it again as a whole, without --table, --schema and their opposites", MIGRATE],
    )
}

/// Rows that are not read by COPY.
pub(super) fn inserts(entries: &[&Entry]) -> Blocker {
    blocker(
        "archive-inserts",
        format!(
            "the archive holds rows as statements other than COPY from standard input: {}",
            named(entries)
        ),
        &["dump it again without --inserts, --column-inserts and --rows-per-insert"],
    )
}

/// Text in another encoding.
pub(super) fn encoding() -> Blocker {
    blocker(
        "archive-encoding",
        "the archive's text is not in UTF-8",
        &["dump it again with: pg_dump --encoding=UTF8"],
    )
}

/// Rows without the tables that they belong to.
pub(super) fn rows_alone(entries: &[&Entry]) -> Blocker {
    blocker(
        "archive-rows-alone",
        format!("the archive holds rows of tables that it does not create: {}", named(entries)),
        &["dump it again as a whole, without --data-only and --section"],
    )
}

/// Two entries with the rows of one table.
pub(super) fn twice(entries: &[&Entry]) -> Blocker {
    blocker(
        "archive-rows-twice",
        format!("the archive holds the rows of one table twice: {}", named(entries)),
        &["pg_dump writes no such archive: dump it again"],
    )
}

/// Entries of which nothing is known.
pub(super) fn unknown(entries: &[&Entry]) -> Blocker {
    let mut kinds: Vec<_> = entries.iter().map(|entry| String::from_utf8_lossy(&entry.kind)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    blocker(
        "archive-unknown",
        format!(
            "the archive holds data that restore does not know ({}): {}",
            kinds.join(", "),
            named(entries)
        ),
        &[MIGRATE, BY_HAND],
    )
}

/// The schema that marks are kept in.
pub(super) fn marks(schema: &str) -> Blocker {
    blocker(
        "archive-marks",
        format!(
            "the archive creates a schema {schema}, and tsmigrate keeps its marks on the target under that name"
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
        _ => test,
    };
    Error::Refused { what: format!("{} cannot be restored: {damage}", path.display()), next: vec![next] }
}

/// The way on with a dump that is text.
const TEXT: &str =
    "rewrite it, and run the result with psql: tsmigrate rewrite roles.sql dump.sql --output-dir rewritten";

/// What begins like this, in words, and what to do with it.
pub(super) fn no_archive(path: &Path, head: &[u8]) -> Error {
    let (what, next) = match head {
        [] => ("it is empty", "dump it again"),
        [0x1f, 0x8b, ..] | [0x28, 0xb5, 0x2f, 0xfd, ..] => return packed(path, head),
        [b'P', b'K', ..] => ("it is a zip file", "unpack it, and name the archive in it"),
        head if str::from_utf8(head).is_ok() || head.starts_with(b"--") => {
            ("it is text; restore reads archives of pg_dump -Fc, -Fd and -Ft", TEXT)
        }
        _ => ("it is no archive of pg_dump, or an encrypted one", "decrypt it, and name what pg_dump wrote"),
    };
    Error::Refused { what: format!("{} cannot be restored: {what}", path.display()), next: vec![next.into()] }
}

/// A file that another program has compressed: an archive, or text.
fn packed(path: &Path, head: &[u8]) -> Error {
    let is_gzip = head.starts_with(&[0x1f, 0x8b]);
    // What cannot be unpacked is not taken for an archive.
    let first = |unpacked: &mut dyn Read| {
        let mut head = Vec::new();
        let _ = unpacked.take(HEAD as u64).read_to_end(&mut head);
        head
    };
    let is_archive = File::open(path).is_ok_and(|file| {
        let file = BufReader::new(file);
        let head = if is_gzip { first(&mut GzDecoder::new(file)) } else { first(&mut Frames::new(file)) };
        archive::begins(&head)
    });
    let program = if is_gzip { "gzip" } else { "zstd" };
    let (what, next) = if is_archive {
        let (command, name) = archive::unpacking(&path.display().to_string(), is_gzip);
        (
            format!("it is an archive that was compressed once more, by {program}"),
            format!("unpack it first: {command}; then name {}", shell_file(&name)),
        )
    } else {
        (
            format!(
                "it is text, compressed by {program}; restore reads archives of pg_dump -Fc, -Fd and -Ft"
            ),
            TEXT.to_owned(),
        )
    };
    Error::Refused { what: format!("{} cannot be restored: {what}", path.display()), next: vec![next] }
}

/// The table of contents of an archive that is a directory.
pub(super) fn part_of_directory(path: &Path, directory: &Path) -> Error {
    let what =
        format!("{} cannot be restored: it is one file of an archive that is a directory", path.display());
    let next = format!("name the directory: {}", shell_file(&directory.display().to_string()));
    Error::Refused { what, next: vec![next] }
}

/// A directory that is no archive.
pub(super) fn no_directory(path: &Path) -> Error {
    let what = format!("{} cannot be restored: it is a directory without toc.dat", path.display());
    Error::Refused { what, next: vec!["name the directory that pg_dump -Fd wrote, as a whole".into()] }
}
