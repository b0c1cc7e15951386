//! What a comparison found.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};
use tsmigrate_analyzer::secrets;

use super::options::Seen;
use crate::human::hex;

/// So many bytes of a hash tell what was seen apart.
const HASH: usize = 8;

/// One thing that is not the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// What was compared: `rows`, `table`, `owner`, …
    pub kind: String,
    /// Of which object, with quotes where SQL needs them: `app.t`, `"t r" on "a.b".c`.
    pub object: String,
    /// What was expected; none where nothing was.
    pub expected: Option<String>,
    /// What the target has; none where it has nothing.
    pub found: Option<String>,
    /// Why it was to be expected: the rule that announced it, or another reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where exactly: the rows' keys, a definition's line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Difference {
    /// Its object, and a hash of what the target has, for a comparison later on; none where the target has nothing. Secrets are hidden.
    pub(super) fn seen(&self) -> Option<(String, String)> {
        let found = self.found.as_ref()?;
        Some((format!("{} {}", self.kind, self.object), hex(&Sha256::digest(found)[..HASH])))
    }

    /// Takes secrets out of what both servers have: settings, options and definitions may hold them.
    pub(super) fn hide_secrets(&mut self) {
        // `default value definition` of `for public.t.api_key`, `type default` of a domain.
        let is_default = self.kind.starts_with("default value") || self.kind.ends_with(" default");
        let is_named = is_default && self.object.rsplit('.').next().is_some_and(secrets::is_secret);
        let is_options = OPTIONS.contains(&self.kind.as_str());
        // Keys of rows are what a person looks for, unless their column is named like a secret; `key` alone is none.
        let is_rows = self.kind.ends_with("rows");
        let is_secret_column = |text: &str| {
            text.split([' ', ',', '(', ')']).any(|word| word != "key" && secrets::is_secret(word))
        };
        let kind = &self.kind;
        let hide = |text: &mut String| {
            if is_rows && !is_secret_column(text) {
                return;
            }
            *text = match kind.as_str() {
                kind if kind.ends_with("setting") => secrets::in_setting(text),
                _ if is_options => secrets::in_options(text),
                _ if is_named && !text.is_empty() => secrets::MASK.to_owned(),
                _ => secrets::in_text(&secrets::in_sql(text)),
            }
        };
        self.expected.iter_mut().chain(&mut self.found).chain(&mut self.details).for_each(hide);
    }
}

/// Kinds of options that are written as SQL writes those of foreign data.
const OPTIONS: [&str; 4] =
    ["foreign-data wrapper options", "server options", "foreign table options", "column foreign options"];

/// Rows that were read on both servers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rows {
    /// Tables, chunks, materialized views.
    pub tables: u64,
    /// Their rows on the source.
    pub counted: u64,
    /// Rows that are part of a checksum.
    pub summed: u64,
    /// Bytes that the tables take on the source.
    pub bytes: u64,
    /// Tables and the like whose rows could not be compared: a note says of each why.
    #[serde(skip_serializing_if = "is_none")]
    pub not_compared: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
fn is_none(number: &u64) -> bool {
    *number == 0
}

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verification {
    /// How many things of each kind were compared.
    pub compared: BTreeMap<String, usize>,
    /// How many rows.
    pub rows: Rows,
    /// What differs and was not announced: the migration failed.
    pub differences: Vec<Difference>,
    /// What differs, as announced.
    pub announced: Vec<Difference>,
    /// What could be compared in a lesser way only.
    pub notes: Vec<String>,
}

impl Verification {
    /// What was found as it was announced.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.announced.iter().filter_map(Difference::seen).collect()
    }
}
