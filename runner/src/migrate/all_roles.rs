//! `ALTER ROLE ALL SET`: settings of every role in every database. Neither `pg_dump` nor `pg_dumpall --roles-only` writes
//! them, and no user of a service may make them. In the one database of a service, settings of the database are the same:
//! those of a role come before both.

use crate::connect::Connector;
use crate::error::Error;

/// Parameters whose values are lists of quoted names (`GUC_LIST_QUOTE`; `variable_is_guc_list_quote` in pg_dump's
/// dumputils.c): one literal each.
pub(super) const LISTS: &str = "'local_preload_libraries', 'search_path', 'session_preload_libraries', 'shared_preload_libraries', \
    'temp_tablespaces', 'unix_socket_directories'";

/// What a dump of the database would hold of them: statements that set them for the database, but for those that it sets
/// itself.
///
/// # Errors
/// When the source refuses the question.
pub(super) async fn settings(source: &Connector) -> Result<Vec<u8>, Error> {
    let question = format!(
        r#"SELECT pg_catalog.format('ALTER DATABASE %I SET %I TO %s;', pg_catalog.current_database(), one.name,
                  CASE WHEN one.name IN ({LISTS}) THEN
                      (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(CASE WHEN found[1] LIKE '"%'
                                  THEN pg_catalog.replace(pg_catalog.substr(found[1], 2, pg_catalog.length(found[1]) - 2), '""', '"')
                                  ELSE found[1] END), ', ')
                       FROM pg_catalog.regexp_matches(one.value, '("(?:[^"]|"")*"|[^,\s]+)', 'g') found)
                  ELSE pg_catalog.quote_literal(one.value) END)
           FROM pg_catalog.pg_db_role_setting every, LATERAL pg_catalog.unnest(every.setconfig) config,
                LATERAL (SELECT pg_catalog.split_part(config, '=', 1) AS name,
                                pg_catalog.substr(config, pg_catalog.strpos(config, '=') + 1) AS value) one
           WHERE every.setrole = 0 AND every.setdatabase = 0
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_db_role_setting own
                             JOIN pg_catalog.pg_database d ON d.oid = own.setdatabase,
                             LATERAL pg_catalog.unnest(own.setconfig) its
                             WHERE own.setrole = 0 AND d.datname = pg_catalog.current_database()
                               AND pg_catalog.split_part(its, '=', 1) = one.name)"#
    );
    let settings: Vec<String> = source.open().await?.ask_list(&question).await?;
    if settings.is_empty() {
        return Ok(Vec::new());
    }
    let head = "\n-- ALTER ROLE ALL SET of the source, which no dump has: settings of the database on the target\n\n";
    Ok(format!("{head}{}\n", settings.join("\n")).into_bytes())
}
