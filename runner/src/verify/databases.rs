//! The comparison of two databases by themselves, without a migration.

use std::collections::{BTreeMap, BTreeSet};

use super::options::{Expect, VerifyOptions};
use super::result::Verification;
use super::sessions::{self, Sessions};
use crate::connect::{Connector, Side};
use crate::error::Error;
use crate::progress::Progress;
use crate::{inspect, watch};

/// Compares two databases. Nothing is written.
///
/// # Errors
/// When one of them cannot be read; a difference is no error here.
pub async fn databases(
    source: &Connector,
    target: &Connector,
    options: VerifyOptions,
    progress: &Progress,
) -> Result<Verification, Error> {
    let _watch = [source, target].map(|end| watch::start(end, progress));
    let (reader, other) = tokio::try_join!(source.open(), target.open())?;
    let (source_facts, target_facts) =
        tokio::try_join!(inspect::inspect(&reader, Side::Source), inspect::inspect(&other, Side::Target))?;
    drop(other);
    reader.run(sessions::BEGIN).await?;
    let mut notes = Vec::new();
    if source_facts.is_same(&target_facts) {
        notes.push(
            "the source and the target are one database, or copies of its files: look at --target".to_owned(),
        );
    }
    let snapshot = if source_facts.in_recovery {
        notes.push(
            "the source is a standby, which exports no snapshot: what was written while it was read shows as a difference"
                .to_owned(),
        );
        String::new()
    } else {
        reader.ask_text("SELECT pg_catalog.pg_export_snapshot()").await?
    };
    let sessions = Sessions { source, target, snapshot: &snapshot, holder: None };
    let expect = Expect {
        source: &source_facts,
        target: &target_facts,
        rows: &BTreeMap::new(),
        skipped: &BTreeSet::new(),
        sequences: &BTreeMap::new(),
        findings: Vec::new(),
        kept: None,
    };
    let found = super::verify(&sessions, &expect, options, progress).await;
    progress.flush();
    let mut found = found?;
    found.notes.extend(notes);
    Ok(found)
}
