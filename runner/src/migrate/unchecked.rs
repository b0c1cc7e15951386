//! Rows of the source that break a foreign key: the target checks it, when all rows are there.
//!
//! To look for a row without its partner reads both tables whole, which takes as long as the target's own check. So the keys
//! whose checks are off are looked at, and of the others those of small tables, for a short time: rows that break them come
//! from sessions whose checks were off (`session_replication_role`).

use std::time::{Duration, Instant};

use tsmigrate_analyzer::server::Omitted;

use super::{broken, violations};
use crate::connect::{Connector, Session};
use crate::error::Error;
use crate::names::Relation;
use crate::quote::{argument, quoted};
use crate::timescale;

/// So many keys are looked at.
const MOST: usize = 8;

/// So long for each of them.
const PATIENCE: &str = "10s";

/// Keys whose checks are on are looked at for so long, all together.
const ALL_OTHERS: Duration = Duration::from_secs(5);

/// The keys, whether their checks are off, and small tables first. An extension's own table arrives without rows, unless it is
/// one of those whose rows are dumped.
const KEYS: &str = "
SELECT n.nspname, c.relname, k.conname, x.is_off FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM pg_catalog.pg_trigger t
  WHERE t.tgconstraint = k.oid AND t.tgrelid = k.conrelid AND t.tgisinternal AND t.tgenabled = 'D')) x(is_off)
WHERE k.contype = 'f' AND k.convalidated
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
      AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND c.oid <> ALL (coalesce(x.extconfig, '{}')))
  AND (x.is_off OR k.conparentid = 0 AND pg_catalog.pg_relation_size(c.oid) BETWEEN 1 AND 33554432
       AND pg_catalog.pg_relation_size(k.confrelid) <= 33554432)
ORDER BY NOT x.is_off, CASE WHEN NOT x.is_off THEN pg_catalog.pg_relation_size(c.oid) END, 1, 2, 3";

/// Names the keys with their rows.
///
/// # Errors
/// When the source cannot be reached, or refuses to tell its keys.
pub async fn find(source: &Connector, wanted: impl Fn(&Relation) -> bool) -> Result<Vec<Omitted>, Error> {
    let session = source.open().await?;
    let begun = Instant::now();
    let mut found = Vec::new();
    for row in session.ask(KEYS).await? {
        let (table, name, is_off) = (row.relation(0)?, row.text(2)?.to_owned(), row.flag(3)?);
        if found.len() >= MOST || !is_off && begun.elapsed() > ALL_OTHERS {
            break;
        }
        // Sizes of compressed chunks are set right on the way.
        if !wanted(&table) || timescale::is_catalog(&table.schema, &table.name, "compression_chunk_size") {
            continue;
        }
        found.extend(rows(&session, &table, &name, is_off).await);
    }
    Ok(found)
}

async fn rows(session: &Session, table: &Relation, name: &str, is_off: bool) -> Option<Omitted> {
    let constraint = format!("{table}.{}", quoted(name));
    let why = match broken::keys(session, session, &constraint, PATIENCE, None).await {
        Ok(None) => return None,
        Ok(Some(keys)) => format!("rows break it, which the target refuses when all rows are there: {keys}"),
        // The target's own check will tell.
        Err(_) if !is_off => return None,
        Err(error) => {
            let why = error.answer().map_or_else(|| error.to_string(), |answer| answer.message.clone());
            format!("whether rows break it was not found out within {PATIENCE} ({why})")
        }
    };
    let next = match violations::why_it_stays(session, &constraint, None).await {
        Ok(Some(why)) => vec![format!("Correct the rows on the source: {why}.")],
        _ => vec![
            "Correct the rows on the source, or keep them without that check:".into(),
            format!("  tsmigrate migrate --allow-violations {}", argument(&constraint)),
        ],
    };
    Some(Omitted { object: format!("rows of foreign key {constraint}"), is_lost: false, why, next })
}
