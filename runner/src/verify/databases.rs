//! The comparison of two databases by themselves, without a migration.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::known::Known;
use super::options::{Expect, VerifyOptions};
use super::result::Verification;
use super::select::Chosen;
use super::sessions::{self, Sessions};
use crate::connect::{Connector, Side};
use crate::converted::Conversions;
use crate::error::Error;
use crate::filter::Filter;
use crate::progress::Progress;
use crate::{inspect, watch};

/// Compares two databases. Nothing is written. What a migration between them has announced may be `known`, with the place
/// where it stands.
///
/// # Errors
/// When one of them cannot be read; a difference is no error here.
pub async fn databases(
    source: &Connector,
    target: &Connector,
    mut options: VerifyOptions,
    known: Option<(&str, &Known)>,
    progress: &Progress,
) -> Result<Verification, Error> {
    let _watch = [source, target].map(|end| watch::start(end, progress));
    let (reader, other) = tokio::try_join!(source.open(), target.open())?;
    let (mut source_facts, target_facts) =
        tokio::try_join!(inspect::inspect(&reader, Side::Source), inspect::inspect(&other, Side::Target))?;
    drop(other);
    if let Some((place, known)) = known {
        known.check(place, &source_facts, &target_facts)?;
        let filter = Filter::ask(&reader, &known.wish).await?;
        filter.restrict(&mut source_facts);
        options.chosen = Chosen {
            moving: known.moving.clone().map(Arc::new),
            has_others: known.has_others,
            filter,
            convert: Conversions::ask(&reader, &source_facts, &known.before, &known.hypertable).await?,
        };
        options.without = known.without;
    }
    let source_facts = source_facts;
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
    let nothing = Known { before: target_facts, ..Known::default() };
    let told = known.map_or(&nothing, |(_, known)| known);
    let expect = Expect {
        source: &source_facts,
        target: &told.before,
        rows: &BTreeMap::new(),
        skipped: &told.skipped,
        sequences: &BTreeMap::new(),
        findings: told.findings(),
        kept: known.map(|(_, known)| &known.kept),
        seen: told.seen.as_ref(),
        jobs_wait: told.jobs_wait,
    };
    let found = super::verify(&sessions, &expect, options, progress).await;
    progress.flush();
    let mut found = found?;
    found.notes.extend(notes);
    Ok(found)
}
