//! Large objects: their content, in pieces that a server can hold in memory whatever their size, up to 4 TB each.

use std::collections::BTreeMap;

use super::options::{Check, VerifyOptions};
use super::result::{Difference, Verification};
use super::sessions::{self, SessionPair};
use crate::connect::Session;
use crate::error::Error;
use crate::progress::{Progress, TaskKind};

/// So many objects are asked for in one question.
const BATCH: usize = 500;
/// Of each object the first piece: most have no second.
const PIECE: u64 = 256 << 10;
/// A piece of those that go on, and how many of them are hashed in one question.
const LONG: u64 = 8 << 20;
const PIECES: u64 = 16;

/// Length and hashes of the pieces read so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Content {
    bytes: u64,
    hash: String,
}

/// Compares the large objects that both servers have; that one is missing is told by the comparison of objects.
pub(super) async fn compare(
    pair: &SessionPair<'_>,
    options: &VerifyOptions,
    progress: &Progress,
    verification: &mut Verification,
) -> Result<(), Error> {
    if options.check == Check::Counts || !options.include.is_empty() {
        return Ok(());
    }
    let (ours, theirs) = tokio::try_join!(list(pair.source), list(pair.target))?;
    let mut both: Vec<u32> = ours.into_iter().filter(|id| theirs.binary_search(id).is_ok()).collect();
    if options.check == Check::Sample {
        // Both ends have the same ids, and a sample of them is the same on both.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let each = (100.0 / options.percent).round().max(1.0) as u32;
        both.retain(|id| id.wrapping_mul(2_654_435_761) % each == 0);
    }
    if both.is_empty() {
        return Ok(());
    }
    let task = progress.task(TaskKind::Verify, "large objects", 0);
    for batch in both.chunks(BATCH) {
        let (ours, theirs) = tokio::try_join!(first(pair.source, batch), first(pair.target, batch))?;
        for id in batch {
            *verification.compared.entry("large objects' contents".into()).or_default() += 1;
            let (mut wanted, mut found) = (ours.get(id).cloned(), theirs.get(id).cloned());
            if wanted == found && wanted.as_ref().is_some_and(|content| content.bytes == PIECE) {
                (wanted, found) = tokio::try_join!(rest(pair.source, *id), rest(pair.target, *id))?;
            }
            let bytes = wanted.as_ref().map_or(0, |content| content.bytes);
            task.add(bytes);
            match (wanted, found) {
                (Some(wanted), Some(found)) if wanted == found => {}
                (Some(wanted), Some(found)) => {
                    verification.differences.push(Difference {
                        kind: "large object content".into(),
                        object: id.to_string(),
                        expected: Some(show(&wanted)),
                        found: Some(show(&found)),
                        ..Difference::default()
                    });
                }
                (None, _) => verification.notes.push(format!(
                    "large object {id}: its content cannot be read on the source, and was not compared"
                )),
                (_, None) => verification.notes.push(format!(
                    "large object {id}: its content cannot be read on the target, and was not compared"
                )),
            }
        }
    }
    Ok(())
}

fn show(content: &Content) -> String {
    let more = if content.bytes == PIECE { " or more" } else { "" };
    format!("{} bytes{more} with md5 {}", content.bytes, content.hash)
}

async fn list(session: &Session) -> Result<Vec<u32>, Error> {
    let rows = session.ask("SELECT oid FROM pg_catalog.pg_largeobject_metadata").await?;
    let mut ids: Vec<u32> = rows.iter().map(|row| row.number(0)).collect::<Result<_, _>>()?;
    ids.sort_unstable();
    Ok(ids)
}

/// The first piece of each; one that may not be read is not in the answer.
async fn first(session: &Session, ids: &[u32]) -> Result<BTreeMap<u32, Content>, Error> {
    let question = |ids: &[u32]| {
        let ids = ids.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        format!(
            "SELECT o.id, pg_catalog.length(x.piece), pg_catalog.md5(x.piece) \
             FROM pg_catalog.unnest('{{{ids}}}'::oid[]) o(id), LATERAL (SELECT pg_catalog.lo_get(o.id, 0, {PIECE}) AS piece \
             OFFSET 0) x"
        )
    };
    let mut contents = BTreeMap::new();
    let rows = if let Ok(rows) = sessions::attempt(session, &question(ids)).await? {
        rows
    } else {
        // One that may not be read takes the others with it: each by itself then.
        let mut rows = Vec::new();
        for id in ids {
            rows.extend(sessions::attempt(session, &question(&[*id])).await?.unwrap_or_default());
        }
        rows
    };
    for row in rows {
        contents.insert(row.number(0)?, Content { bytes: row.number(1)?, hash: row.text(2)?.to_owned() });
    }
    Ok(contents)
}

/// All of a long one: the md5 of its pieces' md5s.
async fn rest(session: &Session, id: u32) -> Result<Option<Content>, Error> {
    let mut all = Content::default();
    let mut from = 0;
    loop {
        let sql = format!(
            "SELECT pg_catalog.sum(pg_catalog.length(x.piece)), \
             pg_catalog.md5('{}' || pg_catalog.string_agg(pg_catalog.md5(x.piece), '' ORDER BY n)) \
             FROM pg_catalog.generate_series(0, {PIECES} - 1) n, \
             LATERAL (SELECT pg_catalog.lo_get({id}, {from} + n * {LONG}::int8, {LONG}) AS piece OFFSET 0) x",
            all.hash
        );
        let Ok(rows) = sessions::attempt(session, &sql).await? else { return Ok(None) };
        let Some(row) = rows.first() else { return Ok(None) };
        let bytes: u64 = row.number(0)?;
        all.bytes += bytes;
        row.text(1)?.clone_into(&mut all.hash);
        from += PIECES * LONG;
        if bytes < PIECES * LONG {
            return Ok(Some(all));
        }
    }
}
