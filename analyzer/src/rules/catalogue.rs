//! Every known limit of the service, and what answers for it: a rule, a check against the live servers, or a reason
//! why a dump does not show it.

use crate::rules::all;

/// What answers for a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cover {
    /// These rules find it in a dump.
    Rules(&'static [&'static str]),
    /// `tsmigrate migrate` does it or looks at the servers for it: a dump does not show it.
    Live,
    /// There is nothing to find: the target takes it, or nothing but a person can see it.
    Nothing,
}

/// A limit of the service, or something that is often taken for one.
#[derive(Clone, Copy, Debug)]
pub struct Limit {
    /// Its id.
    pub id: &'static str,
    /// Its name in short.
    pub slug: &'static str,
    /// What answers for it.
    pub cover: Cover,
    /// How, in a sentence.
    pub how: &'static str,
}

const fn rules(
    id: &'static str,
    slug: &'static str,
    ids: &'static [&'static str],
    how: &'static str,
) -> Limit {
    Limit { id, slug, cover: Cover::Rules(ids), how }
}

const fn live(id: &'static str, slug: &'static str, how: &'static str) -> Limit {
    Limit { id, slug, cover: Cover::Live, how }
}

const fn nothing(id: &'static str, slug: &'static str, how: &'static str) -> Limit {
    Limit { id, slug, cover: Cover::Nothing, how }
}

/// Rules that answer for no limit of the service: they are about dumps as such.
pub const OWN: &[(&str, &str)] = &[
    ("IN-10", "what the parser refuses must not go by in silence"),
    (
        "IN-11",
        "meta-commands that pg_dump never writes run programs or read files of the machine that restores",
    ),
    ("IN-12", "messages of tools among the statements"),
    ("IN-13", "comments in a dump that allow findings: whether they do what they say"),
    ("IN-14", "LOCK TABLE and SAVEPOINT need a transaction, which scripts forget"),
    ("IN-15", "options of columns that no other server takes, such as PostgreSQL 17.12's own"),
    ("SU-25", "operators that old dumps link with PostgreSQL's own"),
    ("DEP-01", "what follows from another finding: a statement that needs what the target will not have"),
    ("DEP-02", "what a statement needs and no dump makes"),
    ("SRV-01", "of a live source: how much there is to move"),
    ("SRV-02", "of a live source: tables that cannot be read"),
    ("SRV-04", "of a live source: transactions that stand in the way"),
    ("SRV-11", "of a live source: a standby gives no snapshot"),
    ("SRV-12", "of a live source: chunks that a dump damages"),
    ("SRV-13", "of a live source: what it did not answer"),
];

/// All limits, in the order of their sections.
pub const LIMITS: &[Limit] = &[
    rules(
        "IN-01",
        "dump.header",
        &["IN-01"],
        "The comments of pg_dump give the versions; a dump without its end mark is incomplete.",
    ),
    rules(
        "IN-02",
        "psql.restrict",
        &["IN-02"],
        "\\restrict and \\unrestrict stop a psql that does not know them.",
    ),
    rules(
        "IN-03",
        "psql.connect",
        &["IN-03", "DB-02"],
        "\\connect leads to a database that the service does not have.",
    ),
    rules(
        "IN-04",
        "copy.stdin",
        &["IN-04"],
        "COPY is read and streamed as it is; rows as INSERT statements are noted.",
    ),
    rules(
        "IN-05",
        "preamble.guc",
        &["IN-05"],
        "transaction_timeout for targets up to 16, default_with_oids for all.",
    ),
    rules(
        "IN-06",
        "dump.newer-than-target",
        &["IN-06", "ROLE-06"],
        "Syntax, privileges, options and functions newer than the target; options of memberships are ROLE-06's.",
    ),
    rules(
        "IN-07",
        "dump.statistics",
        &["IN-07"],
        "Calls that load planner statistics, for targets up to 17.",
    ),
    rules("IN-08", "encoding", &["IN-08"], "SQL_ASCII and encodings that cannot be converted to UTF8."),
    rules("IN-09", "dump.owner-switch", &["IN-09"], "SET SESSION AUTHORIZATION and SET ROLE."),
    rules(
        "TSP-01",
        "tablespace.create",
        &["TSP-01", "SRV-10"],
        "CREATE and DROP TABLESPACE; tablespaces in use on a live source.",
    ),
    rules(
        "TSP-02",
        "tablespace.attrs",
        &["TSP-02"],
        "Settings, owners, privileges, comments and labels of tablespaces.",
    ),
    rules(
        "TSP-03",
        "tablespace.default-guc",
        &["TSP-03"],
        "SET default_tablespace, as pg_dump writes it before an object.",
    ),
    rules(
        "TSP-04",
        "tablespace.clause",
        &["TSP-04"],
        "TABLESPACE clauses, SET TABLESPACE, ALL IN TABLESPACE, REINDEX (TABLESPACE).",
    ),
    rules(
        "TSP-05",
        "tablespace.database",
        &["TSP-05", "DB-01"],
        "The tablespace of a database goes with CREATE DATABASE.",
    ),
    rules(
        "TSP-06",
        "tablespace.role-db-guc",
        &["TSP-06"],
        "default_tablespace and temp_tablespaces stored for roles, databases and functions.",
    ),
    rules(
        "TSP-07",
        "tablespace.ts-catalog",
        &["TSP-07"],
        "Rows of TimescaleDB's own table of tablespaces, and calls that attach one.",
    ),
    rules("DB-01", "database.create", &["DB-01"], "CREATE DATABASE."),
    rules(
        "DB-02",
        "database.multiple",
        &["DB-02"],
        "Several databases in one dump. Which one is kept is a person's choice (--database): merging them into schemas changes names that applications use, and stays a person's work.",
    ),
    rules("DB-03", "database.owner", &["DB-03"], "ALTER DATABASE … OWNER TO."),
    rules("DB-04", "database.set", &["DB-04"], "ALTER DATABASE … SET is renamed to the service's database."),
    rules("DB-05", "database.props", &["DB-05"], "Connection limit, template, DROP DATABASE."),
    rules("DB-06", "database.acl-comment", &["DB-06"], "Privileges and comments of databases."),
    rules(
        "DB-07",
        "database.name-literals",
        &["DB-07"],
        "The old name in functions and foreign servers. An application's own settings are not in a dump.",
    ),
    rules("ROLE-01", "role.exists", &["ROLE-01"], "Roles that the service has from the start."),
    rules("ROLE-02", "role.provider-roles", &["ROLE-02"], "Roles of other providers."),
    rules("ROLE-03", "role.reserved-name", &["ROLE-03"], "Names that PostgreSQL keeps for itself."),
    rules(
        "ROLE-04",
        "role.superuser-attrs",
        &["ROLE-04"],
        "SUPERUSER, REPLICATION and BYPASSRLS, with NO and without.",
    ),
    rules("ROLE-05", "role.password", &["ROLE-05"], "Missing and MD5 passwords."),
    rules(
        "ROLE-06",
        "role.grant-options",
        &["ROLE-06"],
        "GRANTED BY, and options of memberships that came with 16.",
    ),
    rules(
        "ROLE-07",
        "role.grant-back-to-grantor",
        &["ROLE-07"],
        "Memberships of tsdbadmin in roles that it makes.",
    ),
    rules("ROLE-08", "role.predefined-grants", &["ROLE-08"], "PostgreSQL's predefined roles."),
    rules(
        "ROLE-09",
        "role.grant-not-admin",
        &["ROLE-09"],
        "Memberships in superusers and in roles of the service.",
    ),
    rules(
        "ROLE-10",
        "role.set-guc",
        &["ROLE-10", "GUC-01"],
        "ALTER ROLE … SET of the service's roles and of all roles; which parameters is GUC-01's.",
    ),
    rules(
        "ROLE-11",
        "role.misc",
        &["ROLE-11", "ROLE-01", "SEC-01"],
        "Roles made twice, comments, labels, DROP ROLE. Whether a VALID UNTIL has expired is not told: the analysis has no clock.",
    ),
    rules(
        "OWN-01",
        "owner.to",
        &["OWN-01", "OWN-07"],
        "Owners are kept by lending memberships; those of superusers and of hypertables become tsdbadmin's. REASSIGN OWNED is OWN-07's.",
    ),
    rules(
        "OWN-02",
        "schema.authorization",
        &["OWN-02"],
        "CREATE SCHEMA … AUTHORIZATION, and schemas that are there.",
    ),
    rules(
        "OWN-03",
        "acl.grant",
        &["OWN-03"],
        "Privileges on what tsdbadmin does not own, to roles that are not there, in another's name.",
    ),
    rules(
        "OWN-04",
        "acl.public-schema",
        &["OWN-04"],
        "CREATE on schema public from sources up to 14; USAGE that is taken from everyone.",
    ),
    rules("OWN-05", "acl.default-privileges", &["OWN-05"], "ALTER DEFAULT PRIVILEGES FOR ROLE."),
    rules("OWN-06", "acl.parameter", &["OWN-06"], "GRANT … ON PARAMETER."),
    rules("SEC-01", "security.label", &["SEC-01"], "SECURITY LABEL."),
    rules("SEC-02", "security.definer", &["SEC-02"], "SECURITY DEFINER functions of superusers."),
    rules(
        "RLS-01",
        "rls.owner-bypass",
        &["RLS-01", "SRV-03"],
        "Roles that bypassed policies, policies of missing roles, rows that are loaded too late; rows that policies hide from the dump.",
    ),
    rules(
        "EXT-01",
        "extension.unsupported",
        &["EXT-01", "DEP-01"],
        "Extensions that the service does not offer, with what to use in their place; what depends on them is DEP-01's.",
    ),
    rules("EXT-02", "extension.comment", &["EXT-02"], "COMMENT ON EXTENSION."),
    rules("EXT-03", "extension.schema", &["EXT-03"], "An extension that the service has in another schema."),
    rules("EXT-04", "extension.timescaledb-schema", &["EXT-04"], "TimescaleDB outside of schema public."),
    rules(
        "EXT-05",
        "extension.version",
        &["EXT-05", "SRV-09"],
        "VERSION of an extension; versions of live servers.",
    ),
    rules("EXT-06", "extension.cascade/order", &["EXT-06"], "Extensions that need others first."),
    rules(
        "EXT-07",
        "extension.shadow-and-temp",
        &["EXT-07"],
        "CREATE EXTENSION after temporary tables or after functions that shadow PostgreSQL's.",
    ),
    rules("EXT-08", "extension.members", &["EXT-08"], "Rows and changes of an extension's own tables."),
    rules(
        "EXT-09",
        "extension.preload",
        &["EXT-09", "GUC-02", "GUC-03", "SRV-05"],
        "Extensions and parameters of libraries that the server must preload.",
    ),
    rules("EXT-10", "language", &["EXT-10"], "Languages that the service does not have."),
    rules("FDW-01", "fdw", &["FDW-01"], "Foreign-data wrappers, servers and user mappings."),
    rules("SU-01", "func.c", &["SU-01"], "Functions in C."),
    rules("SU-02", "func.internal", &["SU-02"], "Functions in language internal."),
    rules("SU-03", "func.leakproof", &["SU-03"], "LEAKPROOF."),
    rules("SU-04", "func.support", &["SU-04"], "SUPPORT."),
    rules("SU-05", "func.set-guc", &["GUC-01"], "Superusers' parameters in the SET clause of a function."),
    rules("SU-06", "am", &["SU-06"], "Access methods and tables that use them: the tables become heap."),
    rules("SU-07", "opclass", &["SU-07"], "Operator classes and families."),
    rules("SU-08", "type.base", &["SU-08"], "Base types and shell types."),
    rules("SU-09", "cast.nofunc", &["SU-09"], "Casts WITHOUT FUNCTION."),
    rules("SU-10", "cast.builtin", &["SU-10"], "Casts between types of the superuser."),
    rules("SU-11", "ts.parser / ts.template", &["SU-11"], "Text search parsers and templates."),
    rules("SU-12", "ts.dict-file", &["SU-12"], "Dictionaries that read files of the server."),
    rules("SU-13", "event-trigger", &["SU-13"], "Event triggers."),
    rules("SU-14", "transform", &["SU-14"], "Transforms."),
    rules(
        "SU-15",
        "conversion",
        &["SU-01", "DEP-01"],
        "A conversion with one of PostgreSQL's own functions is taken. One with a function in C goes with that function.",
    ),
    rules("SU-16", "aggregate.internal", &["SU-16"], "Aggregates with internal state."),
    rules("SU-17", "operator.estimator", &["SU-17"], "Operators with estimators of their own."),
    rules("SU-18", "system-trigger", &["SU-18"], "DISABLE TRIGGER ALL becomes DISABLE TRIGGER USER."),
    rules("SU-19", "alter-system", &["SU-19"], "ALTER SYSTEM."),
    rules("SU-20", "pg_catalog-object", &["SU-20"], "Objects and rows of pg_catalog."),
    rules(
        "SU-21",
        "rule",
        &["SU-21", "HT-06"],
        "Rules are taken on plain tables, but for the one that makes a view of a table. On a hypertable they are HT-06's.",
    ),
    rules("SU-22", "collation", &["COL-02"], "Collations of the operating system."),
    rules(
        "SU-23",
        "checkpoint etc.",
        &["SU-23", "FN-01"],
        "Statements and functions of the server's administration; in bodies they are FN-01's.",
    ),
    rules("SU-24", "analyze", &["SU-24"], "ANALYZE and VACUUM of everything warn and go on."),
    rules(
        "FN-01",
        "body.superuser-call",
        &["FN-01", "FN-03"],
        "Bodies of functions and DO blocks that do what only a superuser may.",
    ),
    rules(
        "FN-02",
        "function.atomic/deps",
        &["DEP-01", "FN-03"],
        "BEGIN ATOMIC bodies and views need at restore what they name; text bodies need it when they are called.",
    ),
    rules("GUC-01", "guc.superuser", &["GUC-01"], "Parameters of superusers, and those that are gone."),
    rules("GUC-02", "guc.extension-class", &["GUC-02"], "Parameters with a dot whose library is not loaded."),
    rules("GUC-03", "guc.local_preload_libraries", &["GUC-03"], "Stored libraries that logins fail over."),
    rules("GUC-04", "guc.search_path", &["GUC-04"], "Stored search paths without schema public."),
    rules("REP-01", "publication.all-tables", &["REP-01"], "FOR ALL TABLES becomes a list of tables."),
    rules("REP-02", "publication.schema", &["REP-02"], "TABLES IN SCHEMA becomes a list of tables."),
    rules(
        "REP-03",
        "publication.table",
        &["REP-03"],
        "Publications of tables are taken: one note for all of them.",
    ),
    rules("REP-04", "subscription", &["REP-04"], "Subscriptions."),
    rules(
        "REP-05",
        "replica-identity",
        &["HT-01"],
        "Taken on plain tables as it is; ONLY on a hypertable is HT-01's. A note for each table would help nobody.",
    ),
    rules(
        "REP-06",
        "slots",
        &["REP-03", "REP-06"],
        "Slots are in no dump: the note on publications says so, and a live source is asked for them.",
    ),
    rules("DATA-01", "unlogged", &["DATA-01"], "Unlogged tables and sequences."),
    rules(
        "DATA-02",
        "large-objects",
        &["DATA-02", "OWN-01"],
        "Numbers that two dumps both bring. All else of large objects is taken; their owners are OWN-01's.",
    ),
    rules(
        "DATA-03",
        "circular-fk",
        &["IN-12", "SU-18"],
        "In a whole dump foreign keys come after the rows, so that a circle does no harm. pg_dump's warning in the file is IN-12's, DISABLE TRIGGER ALL of a dump of rows SU-18's.",
    ),
    nothing("DATA-04", "not-valid / deferrable", "The target takes both as they are."),
    nothing(
        "DATA-05",
        "matview",
        "REFRESH runs as tsdbadmin like every statement of the dump. How long it takes is not seen in a dump.",
    ),
    rules("DATA-06", "inheritance", &["HT-05"], "Taken as it is; in the way of a hypertable it is HT-05's."),
    rules(
        "DATA-07",
        "disable-triggers",
        &["SU-18", "GUC-01"],
        "DISABLE TRIGGER ALL, and SET session_replication_role.",
    ),
    rules(
        "DATA-08",
        "generated/identity",
        &["IN-06"],
        "Taken as they are; virtual generated columns need 18.",
    ),
    rules("DATA-09", "rls", &["RLS-01"], "Row security."),
    rules(
        "DATA-11",
        "array-agg polymorphism",
        &["DATA-11"],
        "Functions on arrays whose argument types changed with 14.",
    ),
    rules(
        "DATA-12",
        "postfix-operators",
        &["DATA-12"],
        "Operators behind their operand, in definitions and in use.",
    ),
    rules("DATA-13", "removed-types", &["DATA-13"], "abstime and its like, from dumps of servers before 12."),
    rules(
        "COL-01",
        "database.locale",
        &["COL-01", "DB-01", "SRV-14"],
        "Partitions that divide text by the database's order. DB-01 names the locale that the database was made with; the migration compares both servers' locales.",
    ),
    rules(
        "COL-02",
        "create-collation",
        &["COL-02", "IN-06"],
        "Collations of missing locales become ICU's; what is newer than the target is IN-06's.",
    ),
    rules(
        "COL-03",
        "locale-settings",
        &["COL-03", "GUC-01"],
        "lc_time, lc_numeric and lc_monetary of missing locales; lc_messages is GUC-01's.",
    ),
    rules(
        "TS-01",
        "ts.version-mismatch",
        &["TS-01", "SRV-06"],
        "Versions of a full dump and of a live source; the migration compares both servers and says how to make them equal.",
    ),
    rules(
        "TS-02",
        "ts.pre-restore",
        &["TS-02"],
        "A full dump needs restoring mode. The migration turns it on before and off after, however it ends.",
    ),
    rules(
        "TS-03",
        "ts.post-restore-unqualified",
        &["TS-03"],
        "The calls without their schema, where search_path is empty.",
    ),
    rules(
        "TS-04",
        "ts.schema-only",
        &["TS-04"],
        "Hypertables of a schema-only dump come back as plain tables.",
    ),
    rules("TS-05", "ts.only-keyword", &["HT-01"], "The same as HT-01."),
    rules(
        "TS-06",
        "ts.jobs",
        &["TS-06", "SRV-08"],
        "Rows of jobs with owners that the target does not have; jobs that run on a live source.",
    ),
    rules("TS-07", "ts.tablespace-rows", &["TSP-07"], "The same as TSP-07."),
    rules(
        "TS-08",
        "ts.partial-cagg",
        &["TS-08", "SRV-07"],
        "Continuous aggregates of the old form, in a dump and on a live source.",
    ),
    rules(
        "TS-09",
        "ts.removed-features",
        &["TS-09"],
        "Functions and options that newer TimescaleDB does not have.",
    ),
    rules("TS-10", "ts.apache-edition", &["TS-10"], "Sources of the Apache edition."),
    live(
        "TS-11",
        "ts.concurrency",
        "The migration loads TimescaleDB's catalog before the chunks, and only then with several connections.",
    ),
    rules(
        "TS-12",
        "ts.notes",
        &["TS-12"],
        "Privileges on TimescaleDB's own objects, references to chunks, objects in its schemas.",
    ),
    rules("HT-00", "ht.candidates", &["HT-00"], "Tables that may become hypertables."),
    rules("HT-01", "ht.only", &["HT-01"], "ONLY on a table that becomes a hypertable."),
    rules("HT-02", "ht.unique", &["HT-02"], "Unique keys without the time column."),
    rules("HT-03", "ht.partitioned", &["HT-03"], "Partitioned tables."),
    rules("HT-04", "ht.partition", &["HT-04"], "Partitions."),
    rules("HT-05", "ht.inheritance", &["HT-05"], "Inheritance."),
    rules("HT-06", "ht.rules", &["HT-06"], "Rules."),
    rules("HT-07", "ht.fk", &["HT-07"], "Foreign keys between hypertables."),
    rules("HT-08", "ht.trigger-transition", &["HT-08"], "Triggers with transition tables."),
    rules("HT-09", "ht.nonempty", &["HT-09"], "Tables that have rows already."),
    rules("HT-10", "ht.type", &["HT-10"], "Columns that cannot be a time dimension."),
    rules("HT-11", "ht.generated", &["HT-11"], "Generated time columns."),
    rules("HT-12", "ht.null", &["HT-12"], "Time columns that may be NULL."),
    rules("HT-13", "ht.noinherit-check", &["HT-13"], "CHECK … NO INHERIT."),
    rules(
        "HT-14",
        "ht.index-concurrently/using-index",
        &["HT-14"],
        "CREATE INDEX CONCURRENTLY and USING INDEX.",
    ),
    rules("HT-15", "ht.types-warning", &["HT-15"], "timestamp without time zone, varchar(n)."),
    rules("HT-16", "ht.update-partition", &["HT-16"], "Updates that move a row to another chunk."),
    rules("HT-17", "ht.columnstore-rls", &["HT-17"], "Row security and the columnstore."),
    rules("HT-18", "ht.publication", &["HT-18"], "Publications of hypertables."),
    rules(
        "PG-13",
        "target.13",
        &["EXT-01"],
        "Trusted extensions: no target is older than 15, and the service's own list decides.",
    ),
    rules(
        "PG-14",
        "target.14",
        &["ROLE-08", "DATA-11", "DATA-12"],
        "Predefined roles of data, functions on arrays, postfix operators.",
    ),
    rules(
        "PG-15",
        "target.15",
        &["OWN-04", "OWN-06", "REP-02", "DB-05"],
        "Schema public belongs to the database's owner, GRANT ON PARAMETER, publications of schemas.",
    ),
    rules(
        "PG-16",
        "target.16",
        &["ROLE-04", "ROLE-06", "ROLE-07", "ROLE-08", "ROLE-09", "OWN-01", "REP-04"],
        "CREATEROLE needs ADMIN; other words of the server. Options of memberships are taken out for 15.",
    ),
    rules(
        "PG-17",
        "target.17",
        &["IN-05", "IN-06", "ROLE-08", "GUC-01", "EXT-01"],
        "MAINTAIN, transaction_timeout, the builtin locale provider; parameters and extensions that went.",
    ),
    rules(
        "PG-18",
        "target.18",
        &["IN-06", "IN-07", "ROLE-05", "ROLE-08"],
        "Constraints and generated columns of 18, statistics in dumps, warnings about MD5.",
    ),
    nothing(
        "NS-1",
        "open.tsdbadmin",
        "The newest public list of tsdbadmin's attributes is of 2022 and 2024. The analysis takes the strictest reading: no REPLICATION, no BYPASSRLS, no pg_create_subscription, no event triggers.",
    ),
    rules(
        "NS-2",
        "open.tsdb_admin-words",
        &["DB-01"],
        "The words of the service's own module are known from its documentation only: such findings have no SQLSTATE.",
    ),
    rules(
        "NS-3",
        "open.extension-list",
        &["EXT-01"],
        "The newest published list counts. The migration asks the service itself (pg_available_extensions).",
    ),
    live("NS-4", "open.locale", "The migration reads both servers' locales and says where they differ."),
    rules("NS-5", "open.md5-logins", &["ROLE-05"], "MD5 passwords are kept with a warning."),
    nothing(
        "NS-6",
        "open.source-12",
        "Dumps of 12 were not made for these rules; those of 13 to 18 and older ones from public projects were.",
    ),
];

/// The limits that a rule answers for.
pub fn limits_of(rule: &str) -> impl Iterator<Item = &'static Limit> {
    LIMITS.iter().filter(move |limit| matches!(limit.cover, Cover::Rules(ids) if ids.contains(&rule)))
}

/// True where a rule of this id exists.
#[must_use]
pub fn exists(id: &str) -> bool {
    all().any(|rule| rule.id == id)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_limit_is_answered_for_by_rules_that_exist() {
        for limit in LIMITS {
            assert!(limit.how.ends_with('.') && !limit.slug.is_empty(), "{}", limit.id);
            let Cover::Rules(ids) = limit.cover else { continue };
            assert!(!ids.is_empty(), "{} has no rule", limit.id);
            for id in ids {
                assert!(exists(id), "{} names rule {id}, which does not exist", limit.id);
            }
        }
        let ids: BTreeSet<&str> = LIMITS.iter().map(|limit| limit.id).collect();
        assert_eq!(ids.len(), LIMITS.len(), "a limit is there twice");
    }

    #[test]
    fn every_rule_answers_for_a_limit_or_says_what_it_is_for() {
        for rule in all() {
            let own = OWN.iter().any(|(id, _)| *id == rule.id);
            let limits = limits_of(rule.id).count();
            assert!(
                own || limits > 0,
                "{} is in no row of analyzer/src/rules/catalogue.rs: add it to LIMITS, or to OWN with what it is for",
                rule.id
            );
        }
        for (id, _) in OWN {
            assert!(exists(id), "{id} does not exist");
        }
    }
}
