//! Foreign-data wrappers that the target does not let the administrator use: each CREATE SERVER would be refused there,
//! after the run has begun to write.

use std::collections::BTreeSet;

use tsmigrate_analyzer::parse::{NodeEnum, parse};

use crate::connect::Session;
use crate::error::Error;
use crate::inspect::Facts;
use crate::quote::{identifier, literal};
use crate::script;

/// Wrappers that servers of the source use.
const USED: &str = "
SELECT DISTINCT w.fdwname FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw";

/// Wrappers that servers of the source use.
pub(super) async fn used(source: &Session) -> Result<BTreeSet<String>, Error> {
    source.ask_list(USED).await
}

/// Wrappers that servers of a dump use.
pub(super) fn used_in(pre_data: &[u8]) -> Result<BTreeSet<String>, Error> {
    let statements = script::statements("pre-data", pre_data)?;
    let servers = statements.iter().filter(|statement| statement.sql.starts_with("CREATE SERVER "));
    let wrapper = |sql: &str| match parse(sql, true).ok()??.node() {
        NodeEnum::CreateForeignServerStmt(server) => Some(server.fdwname.clone()),
        _ => None,
    };
    Ok(servers.filter_map(|server| wrapper(&server.sql)).collect())
}

/// Asks the target for every wrapper that a server needs. One that comes with an extension that is not there
/// yet is tried in a transaction that is rolled back: who may use it is known only then.
pub(super) async fn refused(
    used: BTreeSet<String>,
    target: &Session,
    facts: &Facts,
) -> Result<BTreeSet<String>, Error> {
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
