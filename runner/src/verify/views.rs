//! Content that follows from other rows: materialized views.
//!
//! A materialized view comes over as its query, which the target runs anew, as the view's owner. Where the source's content
//! is older than its tables, the target's is right and the source's is stale: a note, if the source's query says now what
//! the target has. We run that query only where nothing but the server's own functions and types and rows of tables is in
//! it: anything of a user's would run as us. Of other queries the target's content has to be right where all rows and all
//! definitions are the same: a note then, and else a difference. Sums of floating-point numbers depend on the order of the
//! rows, which no restore keeps: a note, if everything else is the same and the sums of such columns agree but for their
//! last digits. A query that asks for the time, for chance, or for who asks where gives something else each time: a note as
//! well, for nobody can say more. Everything else is a difference.

use super::checksum::Formula;
use super::measured::Reading;
use super::reading::{self, Reader};
use super::relations::Column;
use super::sessions;
use super::work::Work;
use crate::connect::Row;
use crate::error::Error;
use crate::guard::Guard;
use crate::names::Relation;

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
    let (Reading::Rows { .. }, Reading::Rows { sum, .. }) = (wanted, found) else {
        return Ok(Explained::Not);
    };
    let object = &work.relation;
    if close(source, target, work, formula).await? {
        return Ok(Explained::Note(format!(
            "{object}: the same but for the last digits of sums of floating-point numbers"
        )));
    }
    let Some(query) = query(source, work.source.guard.oid).await? else { return Ok(Explained::Not) };
    if let Some(fleeting) = fleeting(&query.sql) {
        return Ok(Explained::Note(format!(
            "{object}: its content cannot be compared, for its query depends on {fleeting}; its definition was"
        )));
    }
    let older = "the source's content is older than its tables";
    let Some(reads) = query.reads else {
        return Ok(Explained::IfAllElseIsEqual(format!(
            "{object}: its content differs, while all rows and definitions are the same: {older}. Its query was not run: it \
             uses more than PostgreSQL's own functions and types on plain tables"
        )));
    };
    let row = formula.row(&work.columns);
    let sum_now = if sum.is_some() { format!("pg_catalog.sum({row})") } else { "NULL".to_owned() };
    let now = format!("SELECT pg_catalog.count(*), pg_catalog.count(*), {sum_now} FROM ({}) q", query.sql);
    let fresh = Reading::of(reading::attempt(source, &reads, &now, None).await?)?;
    let same = match (&fresh, found) {
        (Reading::Rows { count, sum, .. }, Reading::Rows { count: c, sum: s, .. }) => count == c && sum == s,
        _ => false,
    };
    Ok(if same {
        Explained::Note(format!("{object}: {older}; the target has what a refresh of the source would give"))
    } else if reads.iter().any(|read| read.alone) {
        // What is read is as old as it is, and the target's was filled anew.
        Explained::IfAllElseIsEqual(format!(
            "{object}: its content differs, while all rows and definitions are the same: {older}, or than those of a \
             materialized view that it reads"
        ))
    } else {
        Explained::Not
    })
}

/// A materialized view's query.
struct Query {
    sql: String,
    /// The tables that it reads; none where it has anything of a user's but rows of them.
    reads: Option<Vec<Guard>>,
}

/// A table that a query reads: schema, name, object id, its columns with the ids of their types, and whether
/// it is a materialized view.
type Read = (String, String, u32, Option<Vec<(String, u32)>>, bool);

/// Asks for the query of the materialized view `oid`. What has an id from 16384 on is no part of PostgreSQL itself; the
/// columns of its tables count too, for a cast of theirs is looked up anew when the query is read.
async fn query(reader: &Reader<'_>, oid: u32) -> Result<Option<Query>, Error> {
    let sql = format!(
        "WITH uses AS (SELECT d.refclassid, d.refobjid, d.refobjsubid FROM pg_catalog.pg_rewrite r \
           JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid \
           WHERE r.ev_class = {oid} AND d.refobjid <> {oid} AND d.refobjid >= 16384), \
         reads AS (SELECT c.oid, c.relkind, n.nspname, c.relname FROM pg_catalog.pg_class c \
           JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN (SELECT u.refobjid FROM uses u)), \
         columns AS (SELECT a.attrelid, a.attname, a.atttypid, a.attnum FROM pg_catalog.pg_attribute a \
           JOIN reads ON reads.oid = a.attrelid WHERE a.attnum > 0 AND NOT a.attisdropped) \
         SELECT pg_catalog.pg_get_viewdef({oid}::pg_catalog.oid), \
           NOT EXISTS (SELECT FROM uses WHERE refclassid <> 'pg_catalog.pg_class'::pg_catalog.regclass) \
           AND NOT EXISTS (SELECT FROM reads WHERE relkind NOT IN ('r', 'p', 'm')) \
           AND NOT EXISTS (SELECT FROM columns WHERE atttypid >= 16384), \
           (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(r.nspname, r.relname, r.oid::bigint, \
              (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(c.attname, c.atttypid::bigint)) FROM columns c \
               WHERE c.attrelid = r.oid), r.relkind = 'm')) FROM reads r)"
    );
    let Ok(rows) = sessions::attempt(reader.session, &sql).await? else { return Ok(None) };
    let Some(row) = rows.first() else { return Ok(None) };
    // A view that was dropped in the meantime has no query.
    let Some(sql) = row.optional(0)? else { return Ok(None) };
    let reads: Vec<Read> = row.json(2)?;
    let guard = |(schema, name, oid, columns, materialized): Read| Guard {
        from: Relation::new(&schema, &name).sql(),
        oid,
        columns: columns.unwrap_or_default(),
        alone: materialized,
    };
    Ok(Some(Query {
        sql: sql.trim_end().trim_end_matches(';').to_owned(),
        reads: row.flag(1)?.then(|| reads.into_iter().map(guard).collect()),
    }))
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
