//! Content that follows from other rows: materialized views.
//!
//! A materialized view comes over as its query, which the target runs anew, as the view's owner. Where the source's content
//! is older than its tables, the target's is right and the source's is stale. Nobody runs the source's query to see: it is a
//! user's, and would run as us, for even PostgreSQL's own functions take queries and names of types as text
//! (`query_to_xml`, `ts_stat`, `pg_input_is_valid`). Where all rows and all definitions are the same, other content is a
//! note, and else a difference. Sums of floating-point numbers depend on the order of the rows, which no restore keeps: a
//! note, if everything else is the same and the sums of such columns agree but for their last digits. A query that asks for
//! the time, for chance, or for who asks where gives something else each time: a note as well, for nobody can say more.

use super::checksum::Formula;
use super::measured::Reading;
use super::reading::{self, Reader};
use super::relations::Column;
use super::sessions;
use super::work::Work;
use crate::connect::Row;
use crate::error::Error;

/// Words of queries whose result is another one each time, for another user, or in another database.
const FLEETING: [&str; 12] = [
    "current_timestamp",
    "current_date",
    "current_time",
    "localtimestamp",
    "localtime",
    "current_user",
    "session_user",
    "system_user",
    "current_role",
    "current_catalog",
    "current_schema",
    "tablesample",
];

/// Functions like that.
const FLEETING_FUNCTIONS: [&str; 33] = [
    "now",
    "clock_timestamp",
    "statement_timestamp",
    "transaction_timestamp",
    "timeofday",
    "random",
    "random_normal",
    "gen_random_uuid",
    "uuidv4",
    "uuidv7",
    "nextval",
    "current_database",
    "current_schemas",
    "current_setting",
    "current_query",
    "getpgusername",
    "version",
    "inet_server_addr",
    "inet_server_port",
    "inet_client_addr",
    "inet_client_port",
    "pg_backend_pid",
    "pg_postmaster_start_time",
    "pg_conf_load_time",
    "pg_is_in_recovery",
    "pg_current_wal_lsn",
    "pg_current_xact_id",
    "pg_current_snapshot",
    "txid_current",
    "txid_current_snapshot",
    "pg_relation_size",
    "pg_total_relation_size",
    "pg_database_size",
];

/// What in a query, as the server prints it, makes its result depend on more than rows: a word of the language, a function
/// of the server's, or a catalog. Names of users have a schema, a table or quotes before them.
fn fleeting(sql: &str) -> Option<&'static str> {
    let mut words: Vec<(&str, bool, bool)> = Vec::new();
    let mut rest = sql;
    let mut qualified = false;
    while let Some(first) = rest.chars().next() {
        let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        let length = match first {
            '\'' | '"' => {
                let inner = rest.get(1..).unwrap_or_default();
                inner.find(first).map_or(rest.len(), |end| end + 2)
            }
            c if is_name(c) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
            c => c.len_utf8(),
        };
        let (token, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
        if is_name(first) {
            words.push((token, qualified, after.starts_with('(')));
        }
        qualified = token == ".";
        rest = after;
    }
    let mut from = false;
    for (word, qualified, called) in words {
        let word = word.to_lowercase();
        if !qualified {
            let known = if called { &FLEETING_FUNCTIONS[..] } else { &[] };
            if let Some(known) = FLEETING.iter().chain(known).find(|known| **known == word) {
                return Some(known);
            }
            if from && !called && (word.starts_with("pg_") || word == "information_schema") {
                return Some("catalogs of the server");
            }
        }
        from = ["from", "join", "only"].contains(&word.as_str());
    }
    None
}

/// Why contents differ.
pub(super) enum Explained {
    /// Not by what is known: a difference.
    Not,
    /// No fault.
    Note(String),
    /// No fault, if all rows of tables and all definitions are the same.
    IfAllElseIsEqual(String),
}

/// Why the contents differ, where that is no fault.
pub(super) async fn explain(
    source: &Reader<'_>,
    target: &Reader<'_>,
    work: &Work,
    formula: Formula,
    wanted: &Reading,
    found: &Reading,
) -> Result<Explained, Error> {
    let (Reading::Rows { .. }, Reading::Rows { .. }) = (wanted, found) else {
        return Ok(Explained::Not);
    };
    let object = &work.relation;
    if close(source, target, work, formula).await? {
        return Ok(Explained::Note(format!(
            "{object}: the same but for the last digits of sums of floating-point numbers"
        )));
    }
    let question = format!("SELECT pg_catalog.pg_get_viewdef({}::pg_catalog.oid)", work.source.guard.oid);
    let Ok(rows) = sessions::attempt(source.session, &question).await? else { return Ok(Explained::Not) };
    // A view that was dropped in the meantime has no query.
    let Some(query) = rows.first().map(|row| row.optional(0)).transpose()?.flatten() else {
        return Ok(Explained::Not);
    };
    if let Some(fleeting) = fleeting(query) {
        return Ok(Explained::Note(format!(
            "{object}: its content cannot be compared, for its query depends on {fleeting}; its definition was"
        )));
    }
    Ok(Explained::IfAllElseIsEqual(format!(
        "{object}: its content differs, while all rows and definitions are the same: on one server it is older than the rows \
         it comes from, and a refresh there ends that. Its query was not run, for it would run as us"
    )))
}

fn float(column: &Column) -> bool {
    column.type_schema == "pg_catalog" && ["float4", "float8"].contains(&column.type_name.as_str())
}

/// All but floating-point columns is the same, and the sums of those are nearly.
async fn close(
    source: &Reader<'_>,
    target: &Reader<'_>,
    work: &Work,
    formula: Formula,
) -> Result<bool, Error> {
    let (floats, rest): (Vec<_>, Vec<_>) = work.columns.iter().cloned().partition(float);
    if floats.is_empty() {
        return Ok(false);
    }
    let sums = floats.iter().map(|column| {
        let name = crate::quote::identifier(&column.name);
        format!("pg_catalog.sum({name}::float8), pg_catalog.sum(pg_catalog.abs({name}::float8)), pg_catalog.count({name})")
    });
    let row = formula.row(&rest);
    let sql = |from: &str| {
        format!(
            "SELECT pg_catalog.count(*), pg_catalog.sum({row}), {} FROM {from}",
            sums.clone().collect::<Vec<_>>().join(", ")
        )
    };
    let ask = async |reader, place: &reading::Place| {
        reading::attempt(reader, std::slice::from_ref(&place.guard), &sql(&place.from), None).await
    };
    let (ours, theirs) = tokio::try_join!(ask(source, &work.source), ask(target, &work.target))?;
    let (Ok(ours), Ok(theirs)) = (ours, theirs) else { return Ok(false) };
    let (ours, theirs) = (ours.iter().flat_map(Row::values), theirs.iter().flat_map(Row::values));
    Ok(ours.zip(theirs).enumerate().all(|(column, (a, b))| match (column, a, b) {
        (_, a, b) if a == b => true,
        // The rows and their hashes are exact.
        (0 | 1, ..) => false,
        (_, Some(a), Some(b)) => near(a, b),
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
    fn what_is_another_each_time_is_found_and_names_of_users_are_not() {
        for (sql, expected) in [
            (" SELECT CURRENT_USER AS u FROM t", Some("current_user")),
            (" SELECT SESSION_USER AS u", Some("session_user")),
            (" SELECT current_database() AS d", Some("current_database")),
            (" SELECT now() AS n", Some("now")),
            (" SELECT CURRENT_TIMESTAMP(3) AS n", Some("current_timestamp")),
            (" SELECT count(*) AS count FROM pg_class", Some("catalogs of the server")),
            (
                " SELECT a.x FROM (t a JOIN information_schema.tables b ON true)",
                Some("catalogs of the server"),
            ),
            (" SELECT t.now, know() AS k, app.now() AS n, t.current_user FROM t", None),
            (" SELECT 'now()'::text AS \"current_user\", version AS pg_class FROM t", None),
            (" SELECT t.pg_class FROM app.pg_class t", None),
        ] {
            assert_eq!(fleeting(sql), expected, "{sql}");
        }
    }

    #[test]
    fn only_last_digits_are_near() {
        assert!(near("0.30000000000000004", "0.3"));
        assert!(!near("0.3001", "0.3"));
        assert!(!near("12", "x"));
    }
}
