//! Settings that users' expressions see while rows are checked, indexed and refreshed: those of the source's database,
//! as its applications have them. `pg_dump --create | psql` gives them the same way.

use super::Context;
use crate::connect::Session;
use crate::error::Error;
use crate::quote::literal;

/// What stable functions look at, and no text of ours: rows and literals mean the same whatever these are.
const NAMES: &str = "'TimeZone', 'lc_time', 'lc_numeric', 'default_text_search_config'";

/// The statements that set them, those that the target knows; nothing where the source's database sets none.
pub(super) async fn settings(context: &Context, target: &Session) -> Result<String, Error> {
    let question = format!(
        "SELECT pg_catalog.split_part(c, '=', 1), pg_catalog.substr(c, pg_catalog.strpos(c, '=') + 1) \
         FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase, \
         LATERAL pg_catalog.unnest(s.setconfig) c WHERE s.setrole = 0 \
         AND d.datname = pg_catalog.current_database() AND pg_catalog.split_part(c, '=', 1) IN ({NAMES})"
    );
    let mut known = Vec::new();
    for row in context.source.open().await?.ask(&question).await? {
        let (name, value) = (row.text(0)?, row.text(1)?);
        let set = format!("SELECT pg_catalog.set_config({}, {}, false)", literal(name), literal(value));
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
    Ok(known.iter().fold(String::new(), |all, set| all + "; " + set))
}
