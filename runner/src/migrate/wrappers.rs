//! Foreign-data wrappers that the target does not let the administrator use: each CREATE SERVER would be refused there,
//! after the run has begun to write.

use std::collections::{BTreeMap, BTreeSet};

use tsmigrate_analyzer::parse::{self, NodeEnum};

use super::Context;
use super::scripts::Scripts;
use crate::error::{Blocker, Error};
use crate::quote::{identifier, literal, quoted};
use crate::script::Class;

/// Asks the target for every wrapper that a server of the dump needs. One that comes with an extension that is not there
/// yet is tried in a transaction that is rolled back: who may use it is known only then.
pub(super) async fn unusable(
    context: &Context,
    scripts: &Scripts,
    user: &str,
) -> Result<Vec<Blocker>, Error> {
    let servers = servers(scripts);
    if servers.is_empty() {
        return Ok(Vec::new());
    }
    let session = context.target.open().await?;
    let created: BTreeSet<&String> = scripts
        .extensions
        .iter()
        .filter_map(|statement| match &statement.class {
            Class::CreateExtension { name, .. } => Some(name),
            _ => None,
        })
        .collect();
    let mut blockers = Vec::new();
    for (wrapper, servers) in servers {
        session.run("BEGIN").await?;
        if created.contains(&wrapper) {
            let create = format!("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public", identifier(&wrapper));
            // Its own stage says why it is refused.
            if session.run(&create).await.is_err() {
                session.run("ROLLBACK").await?;
                continue;
            }
        }
        let question = format!(
            "SELECT pg_catalog.has_foreign_data_wrapper_privilege(w.oid, 'USAGE') \
             FROM pg_catalog.pg_foreign_data_wrapper w WHERE w.fdwname = {}",
            literal(&wrapper)
        );
        let rows = session.ask(&question).await?;
        session.run("ROLLBACK").await?;
        let Some(row) = rows.first() else { continue };
        if row.flag(0)? {
            continue;
        }
        let (wrapper, user) = (quoted(&wrapper), quoted(user));
        blockers.push(Blocker {
            check: "target-wrapper",
            what: format!(
                "{user} may not use the foreign-data wrapper {wrapper} on the target: it cannot create {}",
                servers.join(", ")
            ),
            next: vec![
                format!("ask the provider for it: GRANT USAGE ON FOREIGN DATA WRAPPER {wrapper} TO {user}"),
                "or drop the servers, with their foreign tables, on the source".into(),
            ],
        });
    }
    Ok(blockers)
}

/// Servers of the dump by their wrapper.
fn servers(scripts: &Scripts) -> BTreeMap<String, Vec<String>> {
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for statement in &scripts.pre_data {
        // Few statements are: the others are not parsed.
        if !statement.sql.get(..13).is_some_and(|start| start.eq_ignore_ascii_case("CREATE SERVER")) {
            continue;
        }
        let Some(parsed) = parse::parse(&statement.sql, true).ok().flatten() else { continue };
        if let NodeEnum::CreateForeignServerStmt(create) = parsed.node() {
            let name = format!("server {}", quoted(&create.servername));
            found.entry(create.fdwname.clone()).or_default().push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_known_by_their_wrapper() {
        let dumped = "CREATE SERVER \"F s\" FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'h');\n\
                      CREATE SCHEMA a;\nCREATE SERVER b FOREIGN DATA WRAPPER postgres_fdw;\n";
        let pre_data = crate::script::statements("pre-data", dumped.as_bytes()).unwrap();
        let found = servers(&Scripts { pre_data, ..Scripts::default() });
        assert_eq!(found.len(), 1);
        assert_eq!(found["postgres_fdw"], ["server \"F s\"", "server b"]);
    }
}
