//! Everything a database holds, by kind and name, with owners and privileges.

use std::collections::{BTreeMap, BTreeSet};

use crate::connect::Session;
use crate::error::Error;

/// One privilege: who, what, and whether it may be handed on.
pub(super) type Privilege = (String, String, bool);

/// One object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) owner: Option<String>,
    pub(super) privileges: BTreeSet<Privilege>,
    /// What else is compared: a column's type, a comment's hash.
    pub(super) value: String,
}

/// A relation that holds rows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Relation {
    pub(super) schema: String,
    pub(super) name: String,
}

/// A database.
#[derive(Clone, Debug, Default)]
pub(super) struct Catalog {
    /// By kind and identity.
    pub(super) objects: BTreeMap<(String, String), Object>,
    /// Tables, partitions, chunks and materialized views.
    pub(super) relations: BTreeSet<Relation>,
    /// Sequences: `last_value` and `is_called`.
    pub(super) sequences: BTreeMap<String, String>,
}

/// Kinds of objects: the catalog, what of it, its owner and its privileges.
/// `o` is the row.
const KINDS: &[Kind] = &[
    Kind::new("pg_namespace").owner("nspowner").acl("nspacl", "'n'"),
    Kind::new("pg_class")
        .owner("relowner")
        .acl("relacl", "CASE o.relkind WHEN 'S' THEN 's' ELSE 'r' END::\"char\"")
        // Toast tables follow their table; indexes come with it in another question.
        .only(
            // A composite type's class is a part of the type, and it is the type that an extension has.
            "o.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND o.relpersistence <> 't' AND NOT EXISTS \
             (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = 'pg_catalog.pg_type'::pg_catalog.regclass \
             AND e.objid = o.reltype AND e.deptype = 'e')",
        ),
    Kind::new("pg_proc").owner("proowner").acl("proacl", "'f'").only(NOT_INTERNAL),
    Kind::new("pg_type").owner("typowner").acl("typacl", "'T'").only(
        "o.typtype IN ('b', 'd', 'e', 'r') AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = o.oid)",
    ),
    Kind::new("pg_foreign_data_wrapper").owner("fdwowner").acl("fdwacl", "'F'"),
    Kind::new("pg_foreign_server").owner("srvowner").acl("srvacl", "'S'"),
    Kind::new("pg_language").owner("lanowner").acl("lanacl", "'l'"),
    Kind::new("pg_largeobject_metadata").owner("lomowner").acl("lomacl", "'L'"),
    Kind::new("pg_collation").owner("collowner"),
    Kind::new("pg_conversion").owner("conowner"),
    Kind::new("pg_operator").owner("oprowner"),
    Kind::new("pg_opclass").owner("opcowner"),
    Kind::new("pg_opfamily").owner("opfowner"),
    Kind::new("pg_ts_config").owner("cfgowner"),
    Kind::new("pg_ts_dict").owner("dictowner"),
    Kind::new("pg_ts_parser"),
    Kind::new("pg_ts_template"),
    Kind::new("pg_statistic_ext").owner("stxowner"),
    Kind::new("pg_event_trigger").owner("evtowner"),
    Kind::new("pg_publication").owner("pubowner"),
    Kind::new("pg_cast").only(NOT_INTERNAL),
    Kind::new("pg_transform"),
    Kind::new("pg_am"),
    Kind::new("pg_policy").of("polrelid"),
    Kind::new("pg_trigger").of("tgrelid").only("NOT o.tgisinternal"),
    Kind::new("pg_rewrite").of("ev_class").only("o.rulename <> '_RETURN'"),
    Kind::new("pg_attrdef").of("adrelid"),
    // Not-null constraints have rows from 18 on; those that a partition inherits are named by the server.
    Kind::new("pg_constraint").of("conrelid").only("o.contype <> 'n' AND o.conparentid = 0"),
];

/// Leaves out what the server makes and drops together with something else.
const NOT_INTERNAL: &str = "NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = o.tableoid \
                            AND d.objid = o.oid AND d.deptype = 'i')";

/// The table that a sequence belongs to.
const TABLE_OF_SEQUENCE: &str = "(SELECT format('%I.%I', n.nspname, t.relname) FROM pg_catalog.pg_depend d \
     JOIN pg_catalog.pg_class t ON t.oid = d.refobjid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace \
     WHERE o.relkind = 'S' AND d.objid = o.oid AND d.classid = o.tableoid AND d.refclassid = o.tableoid \
     AND d.deptype IN ('a', 'i') LIMIT 1)";

struct Kind {
    catalog: &'static str,
    owner: &'static str,
    /// The column of its privileges, and the letter that `acldefault` knows it by.
    acl: Option<(&'static str, &'static str)>,
    /// The column that names the table it is a part of: an extension's table has no parts of the user's.
    table: &'static str,
    filter: &'static str,
}

/// The first object id of a user's own: everything below belongs to the server itself.
const FIRST_USER_OID: u32 = 16384;

impl Kind {
    const fn new(catalog: &'static str) -> Self {
        Self { catalog, owner: "", acl: None, table: "", filter: "true" }
    }

    const fn owner(self, owner: &'static str) -> Self {
        Self { owner, ..self }
    }

    const fn acl(self, column: &'static str, kind: &'static str) -> Self {
        Self { acl: Some((column, kind)), ..self }
    }

    const fn of(self, table: &'static str) -> Self {
        Self { table, ..self }
    }

    const fn only(self, filter: &'static str) -> Self {
        Self { filter, ..self }
    }

    fn question(&self) -> String {
        let Self { catalog, owner, acl, table, filter } = self;
        let owner_name =
            if owner.is_empty() { "NULL".into() } else { format!("pg_catalog.pg_get_userbyid(o.{owner})") };
        let privileges = acl.map_or("NULL".into(), |(acl, kind)| {
            explode(&format!("coalesce(o.{acl}, pg_catalog.acldefault({kind}, o.{owner}))"))
        });
        let public = if *catalog == "pg_namespace" { "OR o.nspname = 'public'" } else { "" };
        let user = format!("(o.oid >= {FIRST_USER_OID} {public})");
        // Large objects have ids of their own choice, and are known by the catalog of their contents.
        let (user, class) = match *catalog {
            "pg_largeobject_metadata" => {
                ("true".to_owned(), "'pg_catalog.pg_largeobject'::pg_catalog.regclass")
            }
            _ => (user, "o.tableoid"),
        };
        let table = match *table {
            "" => String::new(),
            column => format!(
                "AND {}",
                not_member("'pg_catalog.pg_class'::pg_catalog.regclass", &format!("o.{column}"))
            ),
        };
        let value = if *catalog == "pg_class" { TABLE_OF_SEQUENCE } else { "''" };
        format!(
            "SELECT i.type, i.identity, {owner_name}, {privileges}, {value} FROM pg_catalog.{catalog} o, \
             LATERAL pg_catalog.pg_identify_object({class}, o.oid, 0) i WHERE {user} AND {filter} \
             {table} AND i.schema IS DISTINCT FROM 'pg_toast' AND i.identity !~ '^pg_(toast|temp)' AND {}",
            not_member(class, "o.oid")
        )
    }
}

pub(super) fn explode(acl: &str) -> String {
    format!(
        "(SELECT json_agg(json_build_array(CASE a.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(a.grantee) \
         END, a.privilege_type, a.is_grantable)) FROM pg_catalog.aclexplode({acl}) a)"
    )
}

pub(super) fn not_member(class: &str, oid: &str) -> String {
    format!(
        "NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = {class} AND e.objid = {oid} \
         AND e.deptype = 'e')"
    )
}

/// Questions whose answers do not fit the pattern of [`KINDS`]. All give kind, identity, owner, privileges, value.
fn others() -> Vec<String> {
    let member = not_member("'pg_catalog.pg_class'::pg_catalog.regclass", "c.oid");
    let user = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'";
    vec![
        "SELECT 'extension', quote_ident(extname), NULL, NULL, '' FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql'"
            .into(),
        format!(
            "SELECT 'index', format('%I.%I on %I.%I', n.nspname, x.relname, n.nspname, c.relname), NULL, NULL, \
             CASE WHEN i.indisunique THEN 'unique' ELSE '' END || CASE WHEN i.indisvalid THEN '' ELSE ' invalid' END \
             FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
             JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE {user} AND c.relpersistence <> 't' AND {member}"
        ),
        format!(
            "SELECT 'column', format('%I.%I.%I', n.nspname, c.relname, a.attname), \
             pg_catalog.pg_get_userbyid(c.relowner), {}, pg_catalog.format_type(a.atttypid, a.atttypmod) || \
             CASE WHEN a.attnotnull THEN ' not null' ELSE '' END \
             FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
             JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE a.attnum > 0 AND NOT a.attisdropped AND {user} AND n.nspname <> '_timescaledb_internal' \
             AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND c.relpersistence <> 't' AND {member} AND {}",
            explode("a.attacl"),
            not_member("'pg_catalog.pg_type'::pg_catalog.regclass", "c.reltype")
        ),
        format!(
            "SELECT 'default privileges', format('for %s on %s%s', quote_ident(pg_catalog.pg_get_userbyid(d.defaclrole)), \
             d.defaclobjtype, coalesce(' in ' || quote_ident(n.nspname), '')), \
             pg_catalog.pg_get_userbyid(d.defaclrole), {}, '' FROM pg_catalog.pg_default_acl d \
             LEFT JOIN pg_catalog.pg_namespace n ON n.oid = d.defaclnamespace",
            explode("d.defaclacl")
        ),
        format!(
            "SELECT 'comment', 'on ' || i.type || ' ' || i.identity, NULL, NULL, pg_catalog.md5(d.description) \
             FROM pg_catalog.pg_description d, LATERAL pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) i \
             WHERE d.objoid >= {FIRST_USER_OID} AND i.type <> 'extension' AND {}",
            not_member("d.classoid", "d.objoid")
        ),
        "SELECT 'role', quote_ident(rolname), NULL, NULL, concat_ws(' ', \
         CASE WHEN rolcanlogin THEN 'login' END, CASE WHEN rolinherit THEN 'inherit' END, \
         CASE WHEN rolcreaterole THEN 'createrole' END, CASE WHEN rolcreatedb THEN 'createdb' END, \
         'limit ' || rolconnlimit, 'until ' || rolvaliduntil::text) \
         FROM pg_catalog.pg_roles WHERE rolname !~ '^pg_'"
            .into(),
        "SELECT 'membership', format('%I in %I', m.rolname, g.rolname), NULL, NULL, \
         CASE WHEN bool_or(a.admin_option) THEN 'with admin option' ELSE '' END \
         FROM pg_catalog.pg_auth_members a JOIN pg_catalog.pg_roles m ON m.oid = a.member \
         JOIN pg_catalog.pg_roles g ON g.oid = a.roleid GROUP BY m.rolname, g.rolname"
            .into(),
        "SELECT 'role setting', format('%I %s', r.rolname, split_part(c, '=', 1)), NULL, NULL, c \
         FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, \
         pg_catalog.unnest(s.setconfig) c WHERE s.setdatabase = 0"
            .into(),
        "SELECT 'database setting', concat_ws(' ', quote_ident(r.rolname), split_part(c, '=', 1)), NULL, NULL, c \
         FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase \
         AND d.datname = current_database() LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, \
         pg_catalog.unnest(s.setconfig) c WHERE split_part(c, '=', 1) <> 'timescaledb.restoring'"
            .into(),
    ]
}

/// What TimescaleDB knows, name by name. Asked only where it is.
const TIMESCALE: &str = "
SELECT 'hypertable', format('%I.%I', h.schema_name, h.table_name), NULL, NULL, concat(
  (SELECT string_agg(concat_ws(' ', d.column_name, d.column_type, d.interval_length, d.num_slices), ', ' ORDER BY d.id)
   FROM _timescaledb_catalog.dimension d WHERE d.hypertable_id = h.id), '; ',
  (SELECT count(*) FROM _timescaledb_catalog.chunk c WHERE c.hypertable_id = h.id), ' chunks')
FROM _timescaledb_catalog.hypertable h
UNION ALL
SELECT 'continuous aggregate', format('%I.%I', user_view_schema, user_view_name), NULL, NULL,
  CASE WHEN materialized_only THEN 'materialized only' ELSE 'real time' END
FROM _timescaledb_catalog.continuous_agg";

/// TimescaleDB's tables that have to hold the same number of rows on both ends.
const TIMESCALE_TABLES: [&str; 12] = [
    "hypertable",
    "dimension",
    "dimension_slice",
    "chunk",
    "chunk_constraint",
    "chunk_index",
    "chunk_column_stats",
    "compression_settings",
    "compression_chunk_size",
    "continuous_agg",
    "continuous_aggs_bucket_function",
    "continuous_aggs_watermark",
];

/// Reads all of it in the session's snapshot.
pub(super) async fn read(session: &Session) -> Result<Catalog, Error> {
    let mut catalog = Catalog::default();
    let mut questions: Vec<String> = KINDS.iter().map(Kind::question).chain(others()).collect();
    if session
        .ask_one("SELECT pg_catalog.to_regclass('_timescaledb_catalog.hypertable') IS NOT NULL")
        .await?
        .as_deref()
        == Some("t")
    {
        questions.push(TIMESCALE.to_owned());
        for table in TIMESCALE_TABLES {
            let regclass = session
                .ask_one(&format!("SELECT pg_catalog.to_regclass('_timescaledb_catalog.{table}')::text"))
                .await?;
            if regclass.is_some() {
                questions.push(format!(
                    "SELECT 'TimescaleDB catalog', '{table}', NULL, NULL, count(*)::text FROM _timescaledb_catalog.{table}"
                ));
            }
        }
        if let Some(table) = crate::jobs::table(session).await? {
            questions
                .push(format!("SELECT 'job', id::text, NULL, NULL, proc_name FROM {table} WHERE id >= 1000"));
        }
    }
    for question in questions {
        for row in session.ask(&question).await? {
            let [Some(kind), Some(identity), owner, privileges, value] = &row[..] else { continue };
            let privileges =
                privileges.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
            let object =
                Object { owner: owner.clone(), privileges, value: value.clone().unwrap_or_default() };
            catalog.objects.insert((kind.clone(), identity.clone()), object);
        }
    }
    // The marks of a run that is not over.
    let ours = crate::engine::marks::SCHEMA;
    catalog.objects.retain(|(_, identity), _| !identity.contains(ours));
    catalog.relations = relations(session).await?;
    catalog.relations.retain(|relation| relation.schema != ours);
    catalog.sequences = sequences(session).await?;
    Ok(catalog)
}

async fn relations(session: &Session) -> Result<BTreeSet<Relation>, Error> {
    let question = format!(
        "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
         AND n.nspname <> 'information_schema' AND {}",
        not_member("'pg_catalog.pg_class'::pg_catalog.regclass", "c.oid")
    );
    let rows = session.ask(&question).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| {
            let mut row = row.into_iter().flatten();
            Some(Relation { schema: row.next()?, name: row.next()? })
        })
        .collect())
}

async fn sequences(session: &Session) -> Result<BTreeMap<String, String>, Error> {
    let question = format!(
        "SELECT format('\"%s\".\"%s\"', replace(n.nspname, '\"', '\"\"'), replace(c.relname, '\"', '\"\"')) \
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND {}",
        not_member("'pg_catalog.pg_class'::pg_catalog.regclass", "c.oid")
    );
    let names: Vec<String> = session.ask(&question).await?.into_iter().flatten().flatten().collect();
    let mut found = BTreeMap::new();
    for names in names.chunks(100) {
        let questions: Vec<_> = names
            .iter()
            .map(|name| {
                let literal = crate::connect::literal(name);
                format!("SELECT {literal}, last_value || CASE WHEN is_called THEN ' called' ELSE '' END FROM {name}")
            })
            .collect();
        for row in session.ask(&questions.join(" UNION ALL ")).await? {
            let mut row = row.into_iter().flatten();
            if let (Some(name), Some(value)) = (row.next(), row.next()) {
                found.insert(name, value);
            }
        }
    }
    Ok(found)
}
