//! Content that follows from other rows: materialized views and continuous aggregates.
//!
//! A materialized view comes over as its query, which the target runs anew. Where the source's content is older than its
//! tables, the target's is right and the source's is stale: a note, if the source's own query says now what the target has.
//! Sums of floating-point numbers depend on the order of the rows, which no restore keeps: a note, if everything else is
//! the same and the sums of such columns agree but for their last digits. A query that asks for the time or for chance
//! gives something else each time: a note as well, for nobody can say more. Everything else is a difference.

use super::checksum::Formula;
use super::relations::Column;
use super::rows::{Reading, Work, read};
use crate::connect::{Session, literal};
use crate::error::Error;

/// Words of queries whose result is another one each time.
const FLEETING: [&str; 12] = [
    "now(",
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "localtime",
    "clock_timestamp(",
    "statement_timestamp(",
    "transaction_timestamp(",
    "random(",
    "gen_random_uuid(",
    "tablesample",
];

/// Why the contents differ, where that is no fault.
pub(super) async fn explain(
    source: &Session,
    target: &Session,
    work: &Work,
    formula: Formula,
    wanted: &Reading,
    found: &Reading,
) -> Result<Option<String>, Error> {
    let (Reading::Rows { .. }, Reading::Rows { sum, .. }) = (wanted, found) else { return Ok(None) };
    let object = &work.relation;
    if close(source, target, work, formula).await? {
        return Ok(Some(format!(
            "{object}: the same but for the last digits of sums of floating-point numbers"
        )));
    }
    if work.kind != "materialized view rows" {
        return Ok(None);
    }
    let name = literal(&work.relation.sql());
    let sql = format!("SELECT pg_catalog.pg_get_viewdef({name}::pg_catalog.regclass)");
    let query = match super::attempt(source, &sql, None).await? {
        Ok(rows) => rows.into_iter().flatten().flatten().next().unwrap_or_default(),
        Err(_) => return Ok(None),
    };
    let query = query.trim_end().trim_end_matches(';').to_owned();
    let lower = query.to_lowercase();
    if let Some(fleeting) = FLEETING.iter().find(|fleeting| lower.contains(**fleeting)) {
        let fleeting = fleeting.trim_end_matches('(');
        return Ok(Some(format!(
            "{object}: its content cannot be compared, for its query depends on {fleeting}; its definition was"
        )));
    }
    let now = |formula: Formula| {
        let row = formula.row(&work.columns);
        let sum = if sum.is_some() { format!("pg_catalog.sum({row})") } else { "NULL".to_owned() };
        format!("SELECT pg_catalog.count(*), pg_catalog.count(*), {sum} FROM ({query}) q")
    };
    let (fresh, _) = read(source, now, formula, &work.owner).await?;
    let same = match (&fresh, found) {
        (Reading::Rows { count, sum, .. }, Reading::Rows { count: c, sum: s, .. }) => count == c && sum == s,
        _ => false,
    };
    Ok(same.then(|| {
        format!("{object}: the source's content is older than its tables; the target has what a refresh of the source would give")
    }))
}

fn float(column: &Column) -> bool {
    column.type_schema == "pg_catalog" && ["float4", "float8"].contains(&column.type_name.as_str())
}

/// All but floating-point columns is the same, and the sums of those are nearly.
async fn close(source: &Session, target: &Session, work: &Work, formula: Formula) -> Result<bool, Error> {
    let (floats, rest): (Vec<_>, Vec<_>) = work.columns.iter().cloned().partition(float);
    if floats.is_empty() {
        return Ok(false);
    }
    let sums = floats.iter().map(|column| {
        let name = crate::connect::identifier(&column.name);
        format!("pg_catalog.sum({name}::float8), pg_catalog.sum(pg_catalog.abs({name}::float8)), pg_catalog.count({name})")
    });
    let row = formula.row(&rest);
    let sql = |from: &str| {
        format!(
            "SELECT pg_catalog.count(*), pg_catalog.sum({row}), {} FROM {from}",
            sums.clone().collect::<Vec<_>>().join(", ")
        )
    };
    let (first, second) = (sql(&work.source), sql(&work.target));
    let (ours, theirs) =
        tokio::try_join!(super::attempt(source, &first, None), super::attempt(target, &second, None))?;
    let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return Ok(false) };
    let (ours, theirs) = (ours.into_iter().flatten(), theirs.into_iter().flatten());
    Ok(ours.zip(theirs).enumerate().all(|(column, (a, b))| match (column, a, b) {
        (_, a, b) if a == b => true,
        // The rows and their hashes are exact.
        (0 | 1, ..) => false,
        (_, Some(a), Some(b)) => near(&a, &b),
        _ => false,
    }))
}

fn near(a: &str, b: &str) -> bool {
    let (Ok(a), Ok(b)) = (a.parse::<f64>(), b.parse::<f64>()) else { return false };
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_last_digits_are_near() {
        assert!(near("0.30000000000000004", "0.3"));
        assert!(!near("0.3001", "0.3"));
        assert!(!near("12", "x"));
    }
}
