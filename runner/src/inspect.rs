//! What the two servers are: read only, in a few questions each.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::connect::{Row, Session, Side};
use crate::error::Error;
use crate::names::Relation;
use crate::timescale::{Catalogs, INTERNAL};

/// An extension as a database has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extension {
    /// Its version.
    pub version: String,
    /// The schema it is in.
    pub schema: String,
}

/// TimescaleDB as a database has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timescale {
    /// `extversion`.
    pub version: String,
    /// The schema of its functions.
    pub schema: String,
    /// `timescale` (the full edition) or `apache`.
    pub license: String,
    /// A restore is under way, or was left half done.
    pub restoring: bool,
    /// The commands that take `timescaledb.restoring` back where a role has it: `timescaledb_post_restore` does not.
    #[serde(default)]
    pub restoring_of_role: Vec<String>,
    /// Its hypertables, TimescaleDB's own among them (compressed data, continuous aggregates).
    pub hypertables: Vec<Relation>,
    /// The views of its continuous aggregates.
    pub aggregates: Vec<Relation>,
    /// Chunks, and the tables of their compressed rows, in schemas of the user's own (`associated_schema_name`).
    #[serde(default)]
    pub chunks: Vec<Relation>,
}

impl Timescale {
    /// The full edition, whose background jobs run; the Apache edition has none.
    #[must_use]
    pub fn runs_jobs(&self) -> bool {
        self.license != "apache"
    }

    /// Tables that TimescaleDB keeps, in whatever schema: hypertables and chunks.
    pub fn tables(&self) -> impl Iterator<Item = &Relation> {
        self.hypertables.iter().chain(&self.chunks)
    }
}

/// One server, seen through one database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// `server_version_num`.
    pub version_num: u32,
    /// `server_version`.
    pub version: String,
    /// The database.
    pub database: String,
    /// The user of the session.
    pub user: String,
    /// The user is a superuser.
    pub superuser: bool,
    /// The database's encoding.
    pub encoding: String,
    /// The database's collation and character type.
    pub locale: String,
    /// What tells this server from others: `pg_control_system()`, where it may be asked.
    pub system: String,
    /// The database's object id.
    pub database_oid: String,
    /// The server is a standby.
    pub in_recovery: bool,
    /// `pg_database_size`.
    pub size: u64,
    /// Roles other than its administrator that may create in `public`, or have functions or operators there, as SQL writes them.
    #[serde(default)]
    pub public_creators: Vec<String>,
    /// Extensions that are installed.
    pub extensions: BTreeMap<String, Extension>,
    /// Extensions that the server has files of, with their default versions.
    pub available: BTreeMap<String, String>,
    /// Those the user may create: on the allow-list, trusted, or any for a superuser.
    pub creatable: BTreeSet<String>,
    /// Versions of TimescaleDB that the server has files of.
    pub timescale_versions: Vec<String>,
    /// TimescaleDB, where it is installed.
    pub timescale: Option<Timescale>,
    /// Role names, those of PostgreSQL itself left out.
    pub roles: BTreeSet<String>,
    /// Superusers among them.
    pub superusers: BTreeSet<String>,
    /// Those that can log in.
    #[serde(default)]
    pub logins: BTreeSet<String>,
    /// Those that own something in the database.
    #[serde(default)]
    pub owners: BTreeSet<String>,
    /// Objects that somebody has made in the database, some of them by name.
    pub objects: Vec<String>,
    /// Collations of `pg_catalog`, of a target; none of a plan that is read again.
    #[serde(skip)]
    pub collations: BTreeSet<String>,
    /// Of a target: foreign-data wrappers of the source's servers that the user may not use there.
    #[serde(default)]
    pub refused_wrappers: BTreeSet<String>,
}

impl Facts {
    /// The schemas of its extensions, by their names.
    #[must_use]
    pub fn schemas_of_extensions(&self) -> BTreeMap<String, String> {
        self.extensions.iter().map(|(name, extension)| (name.clone(), extension.schema.clone())).collect()
    }

    /// The major version.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.version_num / 10000
    }

    /// Both are one database, or files of one were copied to make the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        !self.system.is_empty()
            && (&self.system, &self.database, &self.database_oid)
                == (&other.system, &other.database, &other.database_oid)
    }
}

/// Objects that belong to nobody's extension and not to PostgreSQL: what a restore could collide with. What a
/// superuser has made does not count where we are none: a service has helpers of its own, and nobody can drop them.
const OBJECTS: &str = "
SELECT 'schema ' || quote_ident(nspname) FROM pg_catalog.pg_namespace n
 WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'public', '_tsmigrate')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass
                   AND d.objid = n.oid AND d.deptype = 'e') AND {schemas}
UNION ALL
SELECT 'relation ' || c.oid::pg_catalog.regclass::text FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', '_tsmigrate') AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                   AND d.objid = c.oid AND d.deptype = 'e') AND {relations}
UNION ALL
SELECT 'function ' || p.oid::pg_catalog.regprocedure::text FROM pg_catalog.pg_proc p
  JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
 WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                   AND d.objid = p.oid AND d.deptype IN ('e', 'i')) AND {functions}
UNION ALL
SELECT 'type ' || t.oid::pg_catalog.regtype::text FROM pg_catalog.pg_type t
  JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
 WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND t.typtype IN ('d', 'e', 'r')
   AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass
                   AND d.objid = t.oid AND d.deptype = 'e') AND {types}
UNION ALL
SELECT 'large object ' || oid FROM pg_catalog.pg_largeobject_metadata
ORDER BY 1 LIMIT 20";

/// Of the owner's objects those that count: all to a superuser, else those of who is none.
const OURS: &str = "((SELECT u.rolsuper FROM pg_catalog.pg_roles u WHERE u.rolname = current_user)
    OR NOT (SELECT o.rolsuper FROM pg_catalog.pg_roles o WHERE o.oid = {owner}))";

/// What somebody has made in the session's database, up to twenty of them.
///
/// # Errors
/// When the server refuses the question.
pub async fn objects(session: &Session) -> Result<Vec<String>, Error> {
    let ours = |owner: &str| OURS.replace("{owner}", owner);
    let question = OBJECTS
        .replace("{schemas}", &ours("n.nspowner"))
        .replace("{relations}", &ours("c.relowner"))
        .replace("{functions}", &ours("p.proowner"))
        .replace("{types}", &ours("t.typowner"));
    session.ask_list(&question).await
}

/// Tables and sequences that the session's user may not read, or of whose rows a policy would hide some, and which of them
/// are an extension's: those come over whatever is left out.
const UNREADABLE: &str = "
SELECT n.nspname, c.relname, c.oid IN (SELECT pg_catalog.unnest(extconfig) FROM pg_catalog.pg_extension), c.relkind::text <> 'S' AND pg_catalog.row_security_active(c.oid)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'S') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND (c.oid IN (SELECT pg_catalog.unnest(extconfig) FROM pg_catalog.pg_extension)
       OR NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                      AND d.objid = c.oid AND d.deptype = 'e'))
  AND CASE c.relkind WHEN 'S' THEN NOT pg_catalog.has_sequence_privilege(c.oid, 'SELECT')
      ELSE NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') OR pg_catalog.row_security_active(c.oid) END
ORDER BY 1, 2";

/// What of that which comes over cannot be read as a whole: the names, and whether a policy is the reason.
///
/// # Errors
/// When the server refuses the question.
pub async fn unreadable(
    session: &Session,
    comes: impl Fn(&Relation) -> bool,
) -> Result<Vec<(String, bool)>, Error> {
    let mut found = Vec::new();
    for row in session.ask(UNREADABLE).await? {
        let relation = row.relation(0)?;
        if row.flag(2)? || comes(&relation) {
            found.push((relation.to_string(), row.flag(3)?));
        }
    }
    Ok(found)
}

/// Roles, and whether each is a superuser, can log in, and owns something in the database.
const ROLES: &str = "
SELECT r.rolname, r.rolsuper, r.rolcanlogin, EXISTS (SELECT FROM pg_catalog.pg_shdepend d
  WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass AND d.refobjid = r.oid AND d.deptype = 'o'
  AND d.dbid = (SELECT b.oid FROM pg_catalog.pg_database b WHERE b.datname = pg_catalog.current_database()))
FROM pg_catalog.pg_roles r WHERE r.rolname !~ '^pg_'";

/// Looks at the database of `session`.
///
/// # Errors
/// When the server refuses a question.
pub async fn inspect(session: &Session, side: Side) -> Result<Facts, Error> {
    let row = session
        .ask_row(
            "SELECT current_setting('server_version_num'), current_setting('server_version'), current_database(), \
             current_user, r.rolsuper, pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate || '/' || d.datctype, \
             pg_catalog.pg_is_in_recovery(), pg_catalog.pg_database_size(d.oid), \
             current_setting('extwlist.extensions', true), d.oid, \
             CASE WHEN pg_catalog.has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') \
             THEN (SELECT system_identifier::text FROM pg_catalog.pg_control_system()) END \
             FROM pg_catalog.pg_database d, pg_catalog.pg_roles r \
             WHERE d.datname = current_database() AND r.rolname = current_user",
        )
        .await?;
    let text = |column| row.text(column).map(str::to_owned);
    let mut facts = Facts {
        version_num: row.number(0)?,
        version: text(1)?,
        database: text(2)?,
        user: text(3)?,
        superuser: row.flag(4)?,
        encoding: text(5)?,
        locale: text(6)?,
        in_recovery: row.flag(7)?,
        size: row.number(8)?,
        database_oid: text(10)?,
        system: row.optional(11)?.unwrap_or_default().to_owned(),
        ..Facts::default()
    };
    let allow_list = row.optional(9)?.unwrap_or_default();
    facts.extensions = extensions(session).await?;
    if side == Side::Target {
        facts.public_creators = session.ask_list(PUBLIC_CREATORS).await?;
    }
    for row in session.ask(ROLES).await? {
        let name = row.text(0)?;
        if row.flag(1)? {
            facts.superusers.insert(name.to_owned());
        }
        if row.flag(2)? {
            facts.logins.insert(name.to_owned());
        }
        if row.flag(3)? {
            facts.owners.insert(name.to_owned());
        }
        facts.roles.insert(name.to_owned());
    }
    facts.timescale_versions = session
        .ask_list("SELECT version FROM pg_catalog.pg_available_extension_versions WHERE name = 'timescaledb'")
        .await?;
    if side == Side::Target {
        creatable(session, &mut facts, allow_list).await?;
        facts.objects = objects(session).await?;
        facts.collations = session
            .ask_list(
                "SELECT collname FROM pg_catalog.pg_collation WHERE collnamespace = 'pg_catalog'::pg_catalog.regnamespace \
                 AND collencoding IN (-1, (SELECT encoding FROM pg_catalog.pg_database WHERE datname = current_database()))",
            )
            .await?;
    }
    if let Some(extension) = facts.extensions.get("timescaledb").cloned() {
        facts.timescale = Some(timescale(session, extension).await?);
    }
    Ok(facts)
}

/// Roles that may create in `public`, or have functions or operators there; PUBLIC is all of them. A service's own are trusted.
const PUBLIC_CREATORS: &str = "
WITH creators AS (
  SELECT a.grantee FROM pg_catalog.pg_namespace n, pg_catalog.aclexplode(n.nspacl) a
  WHERE n.nspname = 'public' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner
  UNION SELECT p.proowner FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = 'public'
  UNION SELECT o.oprowner FROM pg_catalog.pg_operator o JOIN pg_catalog.pg_namespace n ON n.oid = o.oprnamespace WHERE n.nspname = 'public'
)
SELECT CASE c.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(r.rolname) END
FROM creators c LEFT JOIN pg_catalog.pg_roles r ON r.oid = c.grantee
WHERE c.grantee = 0 OR NOT r.rolsuper AND r.rolname <> current_user AND r.rolname !~ '^(pg_|tsdb)' ORDER BY 1";

/// Extensions that are installed, by their names.
///
/// # Errors
/// When the server refuses the question.
pub async fn extensions(session: &Session) -> Result<BTreeMap<String, Extension>, Error> {
    let rows = session
        .ask(
            "SELECT extname, extversion, nspname FROM pg_catalog.pg_extension e \
             JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace",
        )
        .await?;
    rows.iter()
        .map(|row| {
            let extension = Extension { version: row.text(1)?.to_owned(), schema: row.text(2)?.to_owned() };
            Ok((row.text(0)?.to_owned(), extension))
        })
        .collect()
}

async fn creatable(session: &Session, facts: &mut Facts, allow_list: &str) -> Result<(), Error> {
    let allowed: BTreeSet<_> = allow_list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    for row in session
        .ask(
            "SELECT e.name, e.default_version, bool_or(v.trusted) FROM pg_catalog.pg_available_extensions e \
             JOIN pg_catalog.pg_available_extension_versions v USING (name) GROUP BY 1, 2",
        )
        .await?
    {
        let name = row.text(0)?;
        if facts.superuser || allowed.contains(name) || row.flag(2)? {
            facts.creatable.insert(name.to_owned());
        }
        // An extension's control file need not name a default version.
        facts.available.extend(row.optional(1)?.map(|version| (name.to_owned(), version.to_owned())));
    }
    Ok(())
}

async fn timescale(session: &Session, extension: Extension) -> Result<Timescale, Error> {
    // The library is loaded, and its settings are known, once one of its functions has run.
    let settings = session
        .ask_row(
            "SELECT current_setting('timescaledb.license', true), current_setting('timescaledb.restoring', true), \
             (SELECT bool_or(c LIKE 'timescaledb.restoring=on%') FROM pg_catalog.pg_db_role_setting s \
              JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase AND d.datname = current_database(), \
              pg_catalog.unnest(s.setconfig) c)",
        )
        .await?;
    Ok(Timescale {
        version: extension.version,
        schema: extension.schema,
        license: settings.optional(0)?.unwrap_or_default().to_owned(),
        restoring: settings.optional(1)? == Some("on") || settings.optional(2)? == Some("t"),
        restoring_of_role: resets(session, "timescaledb.restoring")
            .await?
            .into_iter()
            .filter(|sql| sql.starts_with("ALTER ROLE"))
            .collect(),
        ..listed(session, &Timescale::default()).await?
    })
}

/// The same with its hypertables, aggregates and chunks as the session sees them: they come and go at any time.
///
/// # Errors
/// When the server refuses the question.
pub async fn listed(session: &Session, timescale: &Timescale) -> Result<Timescale, Error> {
    let named =
        |rows: Vec<Row>| rows.iter().map(|row| row.relation(0)).collect::<Result<Vec<Relation>, Error>>();
    let catalogs = Catalogs::read(session).await?;
    let hypertables = session
        .ask(&format!("SELECT schema_name, table_name FROM ({}) t ORDER BY 1, 2", catalogs.hypertables()?))
        .await?;
    let aggregates = session
        .ask(&format!(
            "SELECT user_view_schema, user_view_name FROM ({}) v ORDER BY 1, 2",
            catalogs.aggregates()?
        ))
        .await?;
    let chunks = session
        .ask(&format!(
            "WITH chunks AS ({}) SELECT n.nspname, r.relname FROM chunks c JOIN pg_catalog.pg_class r \
             ON r.oid IN (c.relid, c.compressed) JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace \
             WHERE n.nspname <> '{INTERNAL}' ORDER BY 1, 2",
            catalogs.chunks()?
        ))
        .await?;
    Ok(Timescale {
        hypertables: named(hypertables)?,
        aggregates: named(aggregates)?,
        chunks: named(chunks)?,
        ..timescale.clone()
    })
}

/// The commands that take back what roles and the database say of a setting, for the session's user.
///
/// # Errors
/// When the server refuses the question.
pub async fn resets(session: &Session, name: &str) -> Result<Vec<String>, Error> {
    let question = format!(
        "SELECT CASE WHEN s.setrole = 0 AND s.setdatabase <> 0 THEN pg_catalog.format('ALTER DATABASE %I', d.datname) \
                ELSE 'ALTER ROLE ' || CASE s.setrole WHEN 0 THEN 'ALL' ELSE pg_catalog.quote_ident(r.rolname) END || \
                  coalesce(' IN DATABASE ' || pg_catalog.quote_ident(d.datname), '') END || ' RESET ' || {name} \
         FROM pg_catalog.pg_db_role_setting s LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole \
         LEFT JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase \
         WHERE (s.setrole = 0 OR r.rolname = session_user) AND (s.setdatabase = 0 OR d.datname = current_database()) \
           AND EXISTS (SELECT FROM pg_catalog.unnest(s.setconfig) c WHERE pg_catalog.split_part(c, '=', 1) = {name})",
        name = crate::quote::literal(name)
    );
    session.ask_list(&question).await
}
