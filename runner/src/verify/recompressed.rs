//! Chunks that were compressed again on the source since the snapshot.
//!
//! A chunk with rows beside its compressed ones can be compressed again under locks that let readers in. TimescaleDB plans a
//! query by the chunk's state of now, which says that all its rows are compressed, while the snapshot still has the others
//! in the chunk itself: the query gives too few (`ts_chunk_is_partial`, tsl/src/nodes/decompress_chunk/planner.c). COPY of
//! the chunk plans nothing, and gives what the snapshot has.

use super::reading::Reader;
use super::work::Work;
use crate::error::Error;
use crate::timescale::Catalogs;

/// What such a relation's difference means.
pub(super) const WHY: &str = "chunks of it were compressed again on the source meanwhile";

/// True where the state of a chunk that the work reads has changed since the snapshot.
pub(super) async fn since(source: &Reader<'_>, work: &Work) -> Result<bool, Error> {
    let own = (work.kind == "rows" && work.source.guard.alone).then_some(&work.source);
    let oids: Vec<String> =
        own.into_iter().chain(&work.chunks).map(|place| place.guard.oid.to_string()).collect();
    if oids.is_empty() {
        return Ok(false);
    }
    let catalogs = Catalogs::read(source.watch).await?;
    if !catalogs.has("chunk", "status") {
        return Ok(false);
    }
    let question = format!(
        "SELECT pg_catalog.string_agg(pg_catalog.concat(k.relid, ' ', c.status), ',' ORDER BY k.relid) \
         FROM ({}) k JOIN _timescaledb_catalog.chunk c ON c.id = k.id WHERE k.relid IN ({})",
        catalogs.chunks()?,
        oids.join(", ")
    );
    Ok(source.session.ask_one(&question).await? != source.watch.ask_one(&question).await?)
}
