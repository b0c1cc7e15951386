//! Foreign keys to tables whose rows are to stay behind: the target would refuse them when all other rows are there.

use super::violations::Violation;
use crate::connect::Session;
use crate::error::{Blocker, Error};
use crate::filter::Filter;
use crate::names::Relation;
use crate::quote::{argument, quoted};
use crate::timescale;

/// Foreign keys of tables with rows, the tables that they refer to, and the partitions of those that have rows.
const REFERENCES: &str = "
SELECT n.nspname, t.relname, r.nspname, p.relname, k.conname,
  (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(n.nspname, c.relname))
   FROM pg_catalog.pg_partition_tree(p.oid) x JOIN pg_catalog.pg_class c ON c.oid = x.relid
   JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE x.isleaf AND pg_catalog.pg_relation_size(c.oid) > 0)
FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class t ON t.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
JOIN pg_catalog.pg_class p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace r ON r.oid = p.relnamespace
WHERE k.contype = 'f' AND k.conparentid = 0 AND k.convalidated AND t.oid <> p.oid
  AND (t.relkind = 'p' OR pg_catalog.pg_relation_size(t.oid) > 0) ORDER BY 1, 2, 5";

/// Those of a source that has rows.
pub(super) async fn without_rows(
    source: &Session,
    filter: &Filter,
    violations: &[Violation],
) -> Result<Option<Blocker>, Error> {
    if !filter.leaves_any_rows() && filter.left_out().is_empty() {
        return Ok(None);
    }
    let mut keys = Vec::new();
    for row in source.ask(REFERENCES).await? {
        let (table, other, name) = (row.relation(0)?, row.relation(2)?, row.text(4)?);
        let is_allowed = violations.iter().any(|violation| violation.is(&table, name));
        if !filter.keeps_rows(&table) || !filter.has(&other) || is_allowed {
            continue;
        }
        let parts: Vec<(String, String)> = row.json(5)?;
        let mut parts = parts.into_iter().map(|(schema, name)| Relation { schema, name });
        let without = if filter.leaves_rows(&other) {
            Some(other)
        } else {
            parts.find(|part| !filter.keeps_rows(part))
        };
        keys.extend(without.map(|without| (format!("{table}.{}", quoted(name)), without)));
    }
    let left = "leave the rows behind that refer to those too, with --exclude-data";
    Ok(excluded_rows(&keys, "whose rows stay behind (--exclude-data, or --exclude of a partition)", left))
}

/// The same in words: `keys` with the tables that they refer to, `why` those have no rows, and the first way on.
pub(super) fn excluded_rows(keys: &[(String, Relation)], why: &str, first: &str) -> Option<Blocker> {
    let (key, other) = keys.first()?;
    // What TimescaleDB's tables refer to cannot stay away.
    let all: Vec<String> = keys
        .iter()
        .map(|(key, _)| key)
        .filter(|key| !timescale::is_own(key))
        .map(|key| argument(key))
        .collect();
    let mut next = vec![first.to_owned()];
    if all.len() == keys.len() {
        next.push(format!(
            "or have these keys NOT VALID on the target where rows break them: --allow-violations {}",
            all.join(" ")
        ));
    }
    Some(Blocker {
        check: "excluded-rows",
        what: format!(
            "{} to tables {why}, such as {key} to {other}: the target would refuse it once all other rows are there",
            if keys.len() == 1 {
                "a foreign key refers".to_owned()
            } else {
                format!("{} foreign keys refer", keys.len())
            }
        ),
        next,
    })
}
