//! Rows of the source that break a foreign key whose checks are off there: the target checks it, when all rows are there.
//!
//! Of keys whose checks are on nothing is asked: to look for a row without its partner reads both tables whole, which takes as
//! long as the target's own check, and such rows come only from who has switched the checks off before.

use tsmigrate_analyzer::server::Omitted;

use super::broken;
use crate::connect::{Connector, Session};
use crate::error::Error;
use crate::names::Relation;
use crate::quote::{argument, quoted};

/// So many keys are looked at.
const MOST: usize = 8;

/// So long for each of them.
const PATIENCE: &str = "10s";

const KEYS: &str = "
SELECT n.nspname, c.relname, k.conname FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE k.contype = 'f' AND k.convalidated AND EXISTS (SELECT FROM pg_catalog.pg_trigger t
  WHERE t.tgconstraint = k.oid AND t.tgrelid = k.conrelid AND t.tgisinternal AND t.tgenabled = 'D')
ORDER BY 1, 2, 3";

/// Names the keys with their rows.
///
/// # Errors
/// When the source cannot be reached, or refuses to tell its keys.
pub(super) async fn find(
    source: &Connector,
    wanted: impl Fn(&Relation) -> bool,
) -> Result<Vec<Omitted>, Error> {
    let session = source.open().await?;
    let mut found = Vec::new();
    for row in session.ask(KEYS).await? {
        let (table, name) = (row.relation(0)?, row.text(2)?.to_owned());
        if found.len() < MOST && wanted(&table) {
            found.extend(rows(&session, &table, &name).await);
        }
    }
    Ok(found)
}

async fn rows(session: &Session, table: &Relation, name: &str) -> Option<Omitted> {
    let constraint = format!("{table}.{}", quoted(name));
    let why = match broken::keys(session, session, &constraint, PATIENCE).await {
        Ok(None) => return None,
        Ok(Some(keys)) => format!("rows break it, which the target refuses when all rows are there: {keys}"),
        Err(error) => {
            let why = error.answer().map_or_else(|| error.to_string(), |answer| answer.message.clone());
            format!("whether rows break it was not found out within {PATIENCE} ({why})")
        }
    };
    Some(Omitted {
        object: format!("rows of foreign key {constraint}"),
        is_lost: false,
        why,
        next: vec![
            "Correct the rows on the source, or keep them without that check:".into(),
            format!("  tsmigrate migrate --allow-violations {}", argument(&constraint)),
        ],
    })
}
