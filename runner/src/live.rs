//! A live source, asked for what no dump tells. Reads only: each question is a read-only transaction of its own, with
//! timeouts, and none of them locks a table of the user's.

use std::collections::BTreeMap;

use tsmigrate_analyzer::server::{Hazard, Server, Timescale};

use crate::connect::{Connector, Session};
use crate::error::Error;
use crate::hazards;
use crate::inspect::{self, Facts};
use crate::jobs;
use crate::omitted;
use crate::states;

/// Short: a server at work is not to wait for us.
const CAREFUL: &str =
    "SET default_transaction_read_only = on; SET statement_timeout = '60s'; SET lock_timeout = '5s'";

/// Tables of users: not PostgreSQL's own, not TimescaleDB's catalogs, no part of an extension.
const OF_USERS: &str = "n.nspname !~ '^(pg_|_timescaledb_(catalog|config|cache|debug)$)' \
    AND n.nspname <> 'information_schema' \
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend x WHERE x.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
                    AND x.objid = c.oid AND x.deptype = 'e')";

/// What text sorts by, in words that are the same for the same order. Columns that came and went with versions are
/// looked up by name.
const LOCALE: &str = "SELECT CASE pg_catalog.to_jsonb(d) ->> 'datlocprovider' \
    WHEN 'i' THEN 'icu ' || coalesce(pg_catalog.to_jsonb(d) ->> 'datlocale', pg_catalog.to_jsonb(d) ->> 'daticulocale') \
    WHEN 'b' THEN pg_catalog.to_jsonb(d) ->> 'datlocale' ELSE d.datcollate::text END \
    FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()";

/// Opens a session that only reads and waits for nobody.
///
/// # Errors
/// When the server cannot be reached or refuses the login.
pub async fn open(connector: &Connector) -> Result<Session, Error> {
    let session = connector.open().await?;
    session.run(CAREFUL).await?;
    Ok(session)
}

/// What text sorts by in the database of the session.
///
/// # Errors
/// When the server refuses the question.
pub async fn locale(session: &Session) -> Result<String, Error> {
    session.ask_text(LOCALE).await
}

/// Asks, and remembers what was not answered.
struct Survey<'a> {
    session: &'a Session,
    unanswered: Vec<String>,
}

impl Survey<'_> {
    fn answer<T: Default>(&mut self, what: &str, answer: Result<T, Error>) -> T {
        answer.unwrap_or_else(|error| {
            self.refused(what, &error);
            T::default()
        })
    }

    fn refused(&mut self, what: &str, error: &Error) {
        let why = match error {
            Error::Query { answer, .. } => answer.to_string().lines().next().unwrap_or_default().to_owned(),
            error => error.to_string(),
        };
        self.unanswered.push(format!("{what} ({why})"));
    }

    async fn names(&mut self, what: &str, sql: &str) -> Vec<String> {
        let answer = self.session.ask_list(sql).await;
        self.answer(what, answer)
    }

    async fn one(&mut self, what: &str, sql: &str) -> String {
        self.names(what, sql).await.into_iter().next().unwrap_or_default()
    }

    async fn sizes(&mut self, what: &str, sql: &str) -> Vec<(String, Option<u64>)> {
        let answer = self.session.ask(sql).await.and_then(|rows| {
            rows.iter().map(|row| Ok((row.text(0)?.to_owned(), row.optional_number(1)?))).collect()
        });
        self.answer(what, answer)
    }
}

/// Looks at the source of `session`, whose facts are known. `name` is what to call it.
#[allow(clippy::too_many_lines, reason = "a list: one question after another")]
pub async fn survey(session: &Session, facts: &Facts, name: String) -> Server {
    let mut ask = Survey { session, unanswered: Vec::new() };
    let known = |sizes: Vec<(String, Option<u64>)>| {
        sizes.into_iter().map(|(name, size)| (name, size.unwrap_or_default())).collect::<Vec<_>>()
    };
    let preload = ask
        .one(
            "shared_preload_libraries",
            "SELECT setting FROM pg_catalog.pg_settings WHERE name = 'shared_preload_libraries'",
        )
        .await;
    let mut server = Server {
        name,
        version: facts.version.clone(),
        database: facts.database.clone(),
        user: facts.user.clone(),
        in_recovery: facts.in_recovery,
        encoding: facts.encoding.clone(),
        locale: ask.one("the locale", LOCALE).await,
        size: facts.size,
        extensions: facts
            .extensions
            .iter()
            .map(|(name, extension)| (name.clone(), extension.version.clone()))
            .collect(),
        wal_level: ask.one("wal_level", "SELECT pg_catalog.current_setting('wal_level')").await,
        preload_libraries: preload
            .split(',')
            .map(|name| name.trim().trim_matches('"').to_owned())
            .filter(|name| !name.is_empty())
            .collect(),
        // The planner's numbers take no lock, where a size takes one on each table.
        tables: known(
            ask.sizes(
                "the biggest tables",
                &format!(
                    "SELECT coalesce(i.inhparent, c.oid)::pg_catalog.regclass::text, \
                            pg_catalog.sum(c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint)::bigint \
                     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                     LEFT JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid \
                     WHERE c.relkind IN ('r', 'm') AND {OF_USERS} \
                     GROUP BY 1 HAVING pg_catalog.sum(c.relpages) > 0 ORDER BY 2 DESC, 1 LIMIT 5"
                ),
            )
            .await,
        ),
        databases: ask
            .sizes(
                "the other databases",
                "SELECT datname, CASE WHEN pg_catalog.has_database_privilege(oid, 'CONNECT') \
                 THEN pg_catalog.pg_database_size(oid) END FROM pg_catalog.pg_database \
                 WHERE datallowconn AND NOT datistemplate \
                 AND datname NOT IN (pg_catalog.current_database(), 'postgres') ORDER BY 1",
            )
            .await,
        tablespaces: known(
            ask.sizes(
                "the tablespaces",
                "SELECT s.spcname, pg_catalog.sum(c.relpages::bigint * pg_catalog.current_setting('block_size')::bigint)::bigint \
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_database d ON d.datname = pg_catalog.current_database() \
                 JOIN pg_catalog.pg_tablespace s ON s.oid = coalesce(nullif(c.reltablespace, 0), d.dattablespace) \
                 WHERE s.spcname NOT IN ('pg_default', 'pg_global') GROUP BY 1 ORDER BY 1",
            )
            .await,
        ),
        slots: ask
            .names(
                "replication slots",
                "SELECT slot_name FROM pg_catalog.pg_replication_slots \
                 WHERE slot_type = 'logical' AND database = pg_catalog.current_database() ORDER BY 1",
            )
            .await,
        subscriptions: ask
            .names(
                "subscriptions",
                "SELECT s.subname FROM pg_catalog.pg_subscription s JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
                 WHERE d.datname = pg_catalog.current_database() ORDER BY 1",
            )
            .await,
        large_objects: ask
            .one("large objects", "SELECT pg_catalog.count(*) FROM pg_catalog.pg_largeobject_metadata")
            .await
            .parse()
            .unwrap_or_default(),
        prepared: ask
            .names(
                "prepared transactions",
                "SELECT gid FROM pg_catalog.pg_prepared_xacts WHERE database = pg_catalog.current_database() ORDER BY 1",
            )
            .await,
        long_transactions: ask
            .names(
                "open transactions",
                "SELECT 'process ' || pid || ' of ' || usename || ' since ' \
                     || pg_catalog.to_char(xact_start, 'YYYY-MM-DD HH24:MI') \
                 FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database() \
                 AND xact_start < pg_catalog.now() - '5 minutes'::interval \
                 AND pid <> pg_catalog.pg_backend_pid() ORDER BY xact_start",
            )
            .await,
        unreadable: ask
            .names(
                "privileges",
                &format!(
                    "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
                     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                     WHERE c.relkind IN ('r', 'p', 'S') AND {OF_USERS} \
                     AND NOT (pg_catalog.has_schema_privilege(n.oid, 'USAGE') \
                              AND pg_catalog.has_table_privilege(c.oid, 'SELECT')) ORDER BY 1"
                ),
            )
            .await,
        hidden_rows: ask
            .names(
                "row-level security",
                &format!(
                    "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c \
                     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
                     WHERE c.relrowsecurity AND {OF_USERS} AND pg_catalog.row_security_active(c.oid) ORDER BY 1"
                ),
            )
            .await,
        ..Server::default()
    };
    for answer in [omitted::find(session).await, omitted::settings_of_all_roles(session).await] {
        server.omitted.extend(ask.answer("what no dump has", answer));
    }
    server.states = ask.answer("states of the source", states::find(session).await);
    if let Some(timescale) = &facts.timescale {
        server.timescale = Some(Timescale {
            version: timescale.version.clone(),
            license: timescale.license.clone(),
            restoring: timescale.restoring,
            old_aggregates: ask
                .names(
                    "continuous aggregates",
                    "SELECT pg_catalog.format('%I.%I', c.user_view_schema, c.user_view_name) \
                     FROM _timescaledb_catalog.continuous_agg c \
                     WHERE pg_catalog.to_jsonb(c) ->> 'finalized' = 'false' ORDER BY 1",
                )
                .await,
            jobs: jobs_of(&mut ask).await,
        });
        match hazards::find(session, timescale, |_| true).await {
            Ok(found) => {
                server.hazards =
                    found.into_iter().map(|hazard| Hazard { what: hazard.what, next: hazard.next }).collect();
            }
            Err(error) => ask.refused("compressed chunks", &error),
        }
    }
    server.unanswered = ask.unanswered;
    server
}

async fn jobs_of(ask: &mut Survey<'_>) -> Vec<String> {
    match jobs::list(ask.session).await {
        Ok(jobs) => jobs.into_iter().filter(|job| job.scheduled).map(|job| job.name).collect(),
        Err(error) => {
            ask.refused("background jobs", &error);
            Vec::new()
        }
    }
}

/// Versions of the extensions that a target has, or would make.
#[must_use]
pub fn versions(facts: &Facts) -> BTreeMap<String, String> {
    let has = facts.extensions.iter().map(|(name, extension)| (name.clone(), extension.version.clone()));
    let makes = facts.available.iter().filter(|(name, _)| facts.creatable.contains(*name));
    // What it has counts more than what it would make.
    makes.map(|(name, version)| (name.clone(), version.clone())).chain(has).collect()
}

/// Looks at a target.
///
/// # Errors
/// When it cannot be reached, or refuses a question.
pub async fn target(connector: &Connector) -> Result<(Facts, String), Error> {
    let session = open(connector).await?;
    let facts = inspect::inspect(&session, connector.side()).await?;
    let locale = locale(&session).await?;
    Ok((facts, locale))
}
