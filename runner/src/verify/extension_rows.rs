//! Rows that extensions bring themselves: no dump has them, so that what the source's users changed in them is not on the
//! target.

use super::result::Verification;
use super::sessions::{SessionPair, attempt};
use crate::altered_members::{ExtensionTable, tables};
use crate::connect::Session;
use crate::error::Error;
use crate::human::thousands;

/// Notes tables whose rows of an extension's own are not the same, where both servers have the same version of it.
pub(super) async fn compare(pair: &SessionPair<'_>, verification: &mut Verification) -> Result<(), Error> {
    let theirs = tables(pair.target).await?;
    for ours in tables(pair.source).await? {
        let is_same = |other: &&ExtensionTable| {
            other.relation == ours.relation
                && other.extension == ours.extension
                && other.version == ours.version
        };
        let Some(other) = theirs.iter().find(is_same) else { continue };
        let (Some(source), Some(target)) = (
            content(pair.source, ours.own.as_deref()).await?,
            content(pair.target, other.own.as_deref()).await?,
        ) else {
            continue;
        };
        if source != target {
            verification.notes.push(format!(
                "table {}: the rows that extension {} brings were changed on the source ({} there, {} on the target)",
                ours.relation,
                ours.extension,
                thousands(source.0),
                thousands(target.0)
            ));
        }
    }
    Ok(())
}

/// How many rows, and their checksum; none where they cannot be read.
async fn content(session: &Session, own: Option<&str>) -> Result<Option<(u64, String)>, Error> {
    let Some(own) = own else { return Ok(None) };
    let question = format!(
        "SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(('x' || pg_catalog.substr(pg_catalog.md5( \
           own::pg_catalog.text), 1, 15))::bit(60)::bigint), 0) FROM {own}"
    );
    match attempt(session, &question).await? {
        Ok(rows) => rows.first().map(|row| Ok((row.number(0)?, row.text(1)?.to_owned()))).transpose(),
        Err(_) => Ok(None),
    }
}
