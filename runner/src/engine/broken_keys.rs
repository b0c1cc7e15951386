//! Rows that break a constraint, in words: the values of their keys.

use crate::connect::Row;
use crate::error::Error;
use crate::quote::identifier;

/// So many keys are shown.
const SHOWN: usize = 8;

/// The columns of the relation `a`, as SQL writes them.
#[must_use]
pub fn columns(key: &[String]) -> Vec<String> {
    key.iter().map(|column| format!("a.{}", identifier(column))).collect()
}

/// The question for [`words`]. `broken` is `FROM … a WHERE …`, and what HAVING says goes to `having`.
#[must_use]
pub fn question(key: &[String], broken: &str, having: &str) -> String {
    let columns = columns(key);
    let values: Vec<String> =
        columns.iter().map(|column| format!("coalesce({column}::text, 'NULL')")).collect();
    format!(
        "SELECT pg_catalog.concat_ws(', ', {}), pg_catalog.count(*), pg_catalog.count(*) OVER () {broken} \
         GROUP BY {}{having} ORDER BY 1 LIMIT {SHOWN}",
        values.join(", "),
        columns.join(", ")
    )
}

/// `(id) = (1), (3) in 2 rows and 5 more`; none where there are no rows.
///
/// # Errors
/// When the answer is none to [`question`].
pub fn words(key: &[String], rows: &[Row]) -> Result<Option<String>, Error> {
    let Some(first) = rows.first() else { return Ok(None) };
    let keys: u64 = first.number(2)?;
    let mut words = Vec::new();
    for row in rows {
        let number: u64 = row.number(1)?;
        let times = if number == 1 { String::new() } else { format!(" in {number} rows") };
        words.push(format!("({}){times}", row.text(0)?));
    }
    if keys > rows.len() as u64 {
        words.push(format!("and {} more", keys - rows.len() as u64));
    }
    Ok(Some(format!("({}) = {}", key.join(", "), words.join(", "))))
}
