//! A dump whose schemas move into other names: what of it reads otherwise then. Rows stay as they are.

use std::collections::BTreeMap;

use tsmigrate_analyzer::archive::Entry;
use tsmigrate_analyzer::finding::Unmoved;
use tsmigrate_analyzer::moving::SchemaMap;

use super::entries;
use crate::error::Error;
use crate::migrate::manifest::Manifest;
use crate::moving::{self, MovedTexts, Moving};

/// What stands before a statement of an entry, whose names are qualified.
const HEAD: &[u8] = b"SELECT pg_catalog.set_config('search_path', '', false);\n";

/// Parts that are analysed, in the order of the analysis: roles, what comes before and after the rows, large objects.
const PARTS: usize = 4;

/// What of a dump reads otherwise.
pub(super) struct Moved {
    pub(super) entries: Vec<Entry>,
    pub(super) pre_data: Vec<u8>,
    pub(super) post_data: Vec<u8>,
    pub(super) about_objects: Vec<u8>,
    pub(super) moving: Moving,
    /// What nothing proves; inputs are numbered as the analysis has them.
    pub(super) unmoved: Vec<Unmoved>,
}

/// Moves a dump, by its entries, what comes before and after the rows, and what is said about large objects; with its roles'
/// statements, and what its manifest says.
///
/// # Errors
/// [`Error::Refused`] where it cannot be moved.
pub(super) fn moved(
    all: &[Entry],
    [pre, post, about]: [Vec<u8>; 3],
    roles: &mut Vec<u8>,
    manifest: Option<&mut Manifest>,
    map: &SchemaMap,
    installed: &BTreeMap<String, String>,
) -> Result<Moved, Error> {
    let settings =
        manifest.as_ref().map(|manifest| manifest.settings_of_all_roles.clone()).unwrap_or_default();
    let of_entries: Vec<(usize, Vec<u8>)> =
        all.iter().enumerate().filter_map(|(number, entry)| Some((number, statement(entry)?))).collect();
    let mut texts: Vec<&[u8]> = vec![roles, &pre, &post, &about, settings.as_bytes()];
    let first = texts.len();
    texts.extend(of_entries.iter().map(|(_, text)| &text[..]));
    let MovedTexts { texts: mut new, mut unmoved, moving } = moving::move_texts(map, &texts, installed)?;
    let mut entries = all.to_vec();
    let lost = || Error::Defect("a part of the dump was lost as its schemas moved".into());
    for ((number, _), text) in of_entries.iter().zip(new.split_off(first)) {
        let entry = entries.get_mut(*number).ok_or_else(lost)?;
        let text = text.strip_prefix(HEAD).ok_or_else(lost)?.to_vec();
        if entry.copy.is_empty() {
            entry.definition = text;
        } else {
            entry.copy = text.strip_suffix(ROWS_END).ok_or_else(lost)?.to_vec();
        }
    }
    for entry in entries.iter_mut().filter(|entry| names_a_relation(entry)) {
        if let Some(name) = entries::name(entry) {
            entry.schema = Some(moving.relation(&name).schema.into_bytes());
        }
    }
    if let Some(manifest) = manifest {
        manifest.rename(|table| moving.relation(table));
        manifest.settings_of_all_roles =
            new.get(PARTS).map(|text| String::from_utf8_lossy(text).into_owned()).ok_or_else(lost)?;
    }
    // Settings of all roles stand behind what comes before the rows; of COPY and setval all is proved, or they are refused.
    unmoved.retain(|place| place.place.input < PARTS);
    new.truncate(PARTS);
    let parts: [Vec<u8>; PARTS] = new.try_into().map_err(|_| lost())?;
    let [new_roles, pre_data, post_data, about_objects] = parts;
    *roles = new_roles;
    Ok(Moved { entries, pre_data, post_data, about_objects, moving, unmoved })
}

/// What ends the rows of a COPY.
const ROWS_END: &[u8] = b"\\.\n";

/// The statement of an entry that is read by itself: the COPY of rows, and what sets a sequence. `TRIGGER`s of text dumps are
/// read for their tables.
fn statement(entry: &Entry) -> Option<Vec<u8>> {
    if !entry.copy.is_empty() {
        let line_end: &[u8] = if entry.copy.ends_with(b"\n") { b"" } else { b"\n" };
        return Some([HEAD, &entry.copy, line_end, ROWS_END].concat());
    }
    let is_read = entry.is("SEQUENCE SET") || entry.is("TRIGGER");
    (is_read && !entry.definition.is_empty()).then(|| [HEAD, &entry.definition].concat())
}

/// True for an entry whose schema and tag are the name of a table, a view or a sequence.
fn names_a_relation(entry: &Entry) -> bool {
    ["TABLE", "TABLE DATA", "VIEW", "MATERIALIZED VIEW", "SEQUENCE", "FOREIGN TABLE"]
        .iter()
        .any(|kind| entry.is(kind))
}
