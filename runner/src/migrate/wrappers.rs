//! Foreign-data wrappers that the target does not let the administrator use: each CREATE SERVER would be refused there,
//! after the run has begun to write.

use std::collections::BTreeSet;

use crate::connect::Session;
use crate::error::Error;
use crate::inspect::Facts;
use crate::quote::{identifier, literal};

/// Wrappers that servers of the source use.
const USED: &str = "
SELECT DISTINCT w.fdwname FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw";

/// Asks the target for every wrapper that a server of the source needs. One that comes with an extension that is not there
/// yet is tried in a transaction that is rolled back: who may use it is known only then.
pub(super) async fn refused(
    source: &Session,
    target: &Session,
    facts: &Facts,
) -> Result<BTreeSet<String>, Error> {
    let used: Vec<String> = source.ask_list(USED).await?;
    let mut refused = BTreeSet::new();
    for wrapper in used {
        target.run("BEGIN").await?;
        if !facts.extensions.contains_key(&wrapper) && facts.creatable.contains(&wrapper) {
            let create = format!("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public", identifier(&wrapper));
            // Its own stage says why it is refused.
            if target.run(&create).await.is_err() {
                target.run("ROLLBACK").await?;
                continue;
            }
        }
        let question = format!(
            "SELECT pg_catalog.has_foreign_data_wrapper_privilege(w.oid, 'USAGE') \
             FROM pg_catalog.pg_foreign_data_wrapper w WHERE w.fdwname = {}",
            literal(&wrapper)
        );
        let rows = target.ask(&question).await;
        target.run("ROLLBACK").await?;
        let usable = match rows?.first() {
            Some(row) => row.flag(0)?,
            None => true,
        };
        if !usable {
            refused.insert(wrapper);
        }
    }
    Ok(refused)
}
