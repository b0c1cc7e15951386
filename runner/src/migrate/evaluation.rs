//! Settings that users' expressions see while rows are checked, indexed and refreshed: those of the source's database,
//! as its applications have them. `pg_dump --create | psql` gives them the same way.

use super::Context;
use crate::connect::Session;
use crate::error::Error;
use crate::quote::literal;

/// What stable functions look at, and no text of ours: rows and literals mean the same whatever these are.
const NAMES: &str = "'TimeZone', 'lc_time', 'lc_numeric', 'default_text_search_config'";

/// What changes the text of values, and how text is read. Our sessions pin them (`connect::pinned`); expressions of users
/// see what the source's sessions have.
const STYLES: &str = "'DateStyle', 'IntervalStyle', 'bytea_output', 'extra_float_digits'";

/// The styles of the source's database, of all roles, or of its server. Where the role that reads has one of its own,
/// PostgreSQL does not tell the server's, and the built-in one stands for it.
async fn styles(source: &Session) -> Result<Vec<(String, String)>, Error> {
    let of = |role: &str| {
        format!(
            "FROM pg_catalog.pg_db_role_setting s, LATERAL pg_catalog.unnest(s.setconfig) c WHERE s.setrole = {role} \
             AND s.setdatabase IN (0, (SELECT d.oid FROM pg_catalog.pg_database d \
             WHERE d.datname = pg_catalog.current_database())) \
             AND pg_catalog.lower(pg_catalog.split_part(c, '=', 1)) = pg_catalog.lower(n.name)"
        )
    };
    let question = format!(
        "SELECT n.name, coalesce((SELECT pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) {} \
         ORDER BY s.setdatabase DESC LIMIT 1), CASE WHEN EXISTS (SELECT {}) THEN n.boot_val ELSE n.reset_val END) \
         FROM pg_catalog.pg_settings n WHERE n.name IN ({STYLES})",
        of("0"),
        of("(SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = session_user)")
    );
    let rows = source.ask(&question).await?;
    rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.text(1)?.to_owned()))).collect()
}

/// The statements that give a transaction which fills materialized views all of the source's styles.
pub(super) async fn of_refresh(context: &Context) -> Result<Vec<String>, Error> {
    let styles = styles(&context.source.open().await?).await?;
    Ok(styles.iter().map(|(name, value)| set(name, value, true)).collect())
}

/// The statement that sets a parameter, for the transaction or for the session.
fn set(name: &str, value: &str, local: bool) -> String {
    format!("SELECT pg_catalog.set_config({}, {}, {local})", literal(name), literal(value))
}

/// A style that sessions that load rows can have: dates are read in the source's order and written as ISO, intervals are
/// read as we write them.
fn of_copy(name: &str, value: &str) -> Option<String> {
    match name {
        "DateStyle" => {
            let value = value.to_lowercase();
            let has = |words: &[&str]| words.iter().any(|word| value.contains(word));
            let order = if has(&["ymd"]) {
                "YMD"
            } else if has(&["dmy", "german"]) || has(&["euro"]) && !has(&["noneuro"]) {
                "DMY"
            } else {
                "MDY"
            };
            Some(format!("ISO, {order}"))
        }
        "IntervalStyle" => None,
        _ => Some(value.to_owned()),
    }
}

/// The statements that set them, those that the target knows: the server's configuration of searches, what is set for all
/// roles, then the database's own.
pub(super) async fn settings(context: &Context, target: &Session) -> Result<String, Error> {
    let question = format!(
        "SELECT pg_catalog.split_part(c, '=', 1), pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1), s.setdatabase \
         FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase, \
         LATERAL pg_catalog.unnest(s.setconfig) c WHERE s.setrole = 0 \
         AND (s.setdatabase = 0 OR d.datname = pg_catalog.current_database()) \
         AND pg_catalog.split_part(c, '=', 1) IN ({NAMES}) \
         UNION ALL SELECT n.name, n.reset_val, NULL FROM pg_catalog.pg_settings n \
         WHERE n.name = 'default_text_search_config' AND n.source IN ('configuration file', 'command line') \
         ORDER BY 3 NULLS FIRST"
    );
    let source = context.source.open().await?;
    let mut known = Vec::new();
    for row in source.ask(&question).await? {
        let (name, value) = (row.text(0)?, row.text(1)?);
        let set = set(name, value, false);
        match target.run(&set).await {
            Ok(()) => known.push(set),
            Err(error) => {
                let why = error.answer().map(|answer| answer.message.clone()).unwrap_or_default();
                context.progress.warn(&format!(
                    "The target refuses {name} = {value} of the source's database: {why}. Constraints, indexes and \
                     materialized views are evaluated with its own."
                ));
            }
        }
    }
    for (name, value) in styles(&source).await? {
        known.extend(of_copy(&name, &value).map(|value| set(&name, &value, false)));
    }
    Ok(known.iter().fold(String::new(), |all, set| all + "; " + set))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_the_same_whatever_the_order_of_dates() {
        for (value, expected) in [
            ("ISO, MDY", "ISO, MDY"),
            ("SQL, DMY", "ISO, DMY"),
            ("German", "ISO, DMY"),
            ("ISO, European", "ISO, DMY"),
            ("Postgres, NonEuropean", "ISO, MDY"),
            ("iso, ymd", "ISO, YMD"),
        ] {
            assert_eq!(of_copy("DateStyle", value).as_deref(), Some(expected), "{value}");
        }
        assert_eq!(of_copy("IntervalStyle", "sql_standard"), None);
        assert_eq!(of_copy("bytea_output", "escape").as_deref(), Some("escape"));
    }
}
