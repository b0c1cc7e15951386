//! Archives of `pg_dump`: the script of one, of which only the table of contents is read, and rows of TimescaleDB's catalogs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use tsmigrate_analyzer::archive::{Compression, Damage, Entry, Part, Place, ROWS_END, Script, Toc};
use tsmigrate_analyzer::quote::shell_file;
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

/// Rows that an analysis looks at.
#[derive(Debug, Serialize)]
struct Wanted {
    /// The entry's number.
    id: i64,
    /// Where its block begins in a custom archive.
    at: Option<u64>,
    /// Its member of a tar file.
    file: Option<String>,
}

/// The script of an archive.
#[wasm_bindgen]
#[allow(missing_debug_implementations)]
pub struct ArchiveScript {
    toc: Arc<Toc>,
    script: Script,
    rows: BTreeMap<i64, Vec<u8>>,
}

#[wasm_bindgen]
impl ArchiveScript {
    /// The script of the archive of this name that begins with these bytes; none where its table of contents has more.
    ///
    /// # Errors
    /// Where it is damaged, or of another version: as `Checker::feed`.
    pub fn of(name: &str, head: &[u8], is_whole: bool) -> Result<Option<ArchiveScript>, JsError> {
        match Toc::read(head) {
            Ok(toc) => {
                let toc = Arc::new(toc);
                Ok(Some(Self { script: Script::new(Arc::clone(&toc), "page"), toc, rows: BTreeMap::new() }))
            }
            Err(Damage::CutOff) if !is_whole => Ok(None),
            Err(damage) => Err(refusal(name, &damage)),
        }
    }

    /// Rows that are looked at, as JSON: `id`, and `at` or `file`.
    ///
    /// # Errors
    /// None: writing to memory does not fail.
    pub fn wanted(&self) -> Result<String, JsError> {
        let looked_at = self.toc.entries.iter().filter(|entry| entry.is_looked_at());
        let wanted = looked_at.filter_map(|entry| match &entry.place {
            Place::At(at) => Some(Wanted { id: entry.id, at: Some(*at), file: None }),
            Place::File(name) => Some(Wanted {
                id: entry.id,
                at: None,
                file: Some(String::from_utf8_lossy(name).into_owned()),
            }),
            Place::Unknown | Place::Nowhere => None,
        });
        Ok(serde_json::to_string(&wanted.collect::<Vec<_>>())?)
    }

    /// How the data is packed: none, gzip, lz4 or zstd.
    #[must_use]
    pub fn packing(&self) -> String {
        let packing = match self.toc.compression {
            Compression::None => "none",
            Compression::Gzip => "gzip",
            Compression::Lz4 => "lz4",
            Compression::Zstd => "zstd",
        };
        packing.to_owned()
    }

    /// Bytes of a number in blocks of data, behind the one of its sign.
    #[must_use]
    pub fn number_size(&self) -> u8 {
        self.toc.int_size
    }

    /// Takes the rows of an entry, as they stand in the archive.
    pub fn rows(&mut self, id: i32, rows: &[u8]) {
        self.rows.insert(id.into(), rows.to_vec());
    }

    /// The next part of the script; none at its end.
    #[allow(clippy::should_implement_trait, reason = "JavaScript calls it")]
    pub fn next(&mut self) -> Option<Vec<u8>> {
        Some(match self.script.next()? {
            Part::Text(text) => text,
            Part::Data(index) => {
                self.toc.entries.get(index).map(|entry| self.data(entry)).unwrap_or_default()
            }
        })
    }
}

impl ArchiveScript {
    /// What stands where the data of an entry is.
    fn data(&self, entry: &Entry) -> Vec<u8> {
        match self.rows.get(&entry.id) {
            Some(rows) => rows.clone(),
            None if entry.copy.is_empty() => Vec::new(),
            // Nobody knows what they say.
            None if entry.is_looked_at() => ROWS_END.to_vec(),
            None => [&entry.row_of_nulls(), ROWS_END].concat(),
        }
    }
}

/// Why an archive cannot be read, as JSON.
fn refusal(name: &str, damage: &Damage) -> JsError {
    let file = shell_file(name);
    let next = match damage {
        Damage::Version(..) => format!(
            "turn it into text with the pg_restore of the version that wrote it: pg_restore --file=dump.sql {file}"
        ),
        _ => format!("write or copy it again; this tells whether it is whole: pg_restore --list {file}"),
    };
    let what = damage.to_string();
    JsError::new(&json!({ "input": name, "what": what, "next": next, "line": null }).to_string())
}
