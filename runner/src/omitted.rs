//! What is on the source and in no dump: `pg_dump` writes an extension and nothing that belongs to it, and no state of
//! the triggers behind a foreign key.

use std::collections::BTreeMap;

use tsmigrate_analyzer::parse::Class;
use tsmigrate_analyzer::server::Omitted;
use tsmigrate_analyzer::target::{Members, members};

use crate::altered_builtins;
use crate::altered_members;
use crate::connect::Session;
use crate::error::Error;

/// More unknown functions and the like than that in one extension are another version of it, and nobody's additions.
const ANOTHER_VERSION: usize = 10;

/// Members of extensions: extension, catalog, kind, name as [`Members`] knows it, identity, the extension's name in SQL,
/// and whether it calls or holds what is a user's. C functions and base types are an extension's library, whatever its version.
const MEMBERS: &str = r#"
SELECT e.extname, catalog.relname, i.type, o.name, i.identity, pg_catalog.quote_ident(e.extname), o.has_own
FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
JOIN pg_catalog.pg_class catalog ON catalog.oid = d.classid,
LATERAL (
  SELECT c.relname AS name, false AS has_own FROM pg_catalog.pg_class c
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  UNION ALL SELECT p.proname, false FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang
    WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid
    AND (l.lanname NOT IN ('c', 'internal') OR p.prokind = 'a')
  UNION ALL SELECT t.typname, false FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid
    AND (t.typtype IN ('d', 'e', 'r') OR t.typtype = 'c' AND c.relkind = 'c')
  UNION ALL SELECT n.nspname, EXISTS (SELECT FROM pg_catalog.pg_depend i WHERE i.refobjid = n.oid
      AND i.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND i.deptype = 'n' AND NOT EXISTS (
        SELECT FROM pg_catalog.pg_depend m WHERE m.classid = i.classid AND m.objid = i.objid AND m.deptype = 'e'))
    FROM pg_catalog.pg_namespace n
    WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.oid = d.objid
  UNION ALL SELECT o.oprname, EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.oid = o.oprcode AND p.oid >= 16384
      AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend f WHERE f.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
                      AND f.objid = p.oid AND f.deptype = 'e'))
    FROM pg_catalog.pg_operator o WHERE d.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND o.oid = d.objid
  UNION ALL SELECT pg_catalog.regexp_replace(pg_catalog.format_type(k.castsource, NULL), '^.*\.|"', '', 'g') || '/'
      || pg_catalog.regexp_replace(pg_catalog.format_type(k.casttarget, NULL), '^.*\.|"', '', 'g'), false
    FROM pg_catalog.pg_cast k WHERE d.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND k.oid = d.objid
  UNION ALL SELECT t.typname || '/' || l.lanname, false FROM pg_catalog.pg_transform f
    JOIN pg_catalog.pg_type t ON t.oid = f.trftype JOIN pg_catalog.pg_language l ON l.oid = f.trflang
    WHERE d.classid = 'pg_catalog.pg_transform'::pg_catalog.regclass AND f.oid = d.objid
  {named}
) o,
LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) i
WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e' ORDER BY 1, 3, 5"#;

/// Catalogs whose objects are known by one name: the catalog, and the column of the name.
const NAMED: [(&str, &str); 12] = [
    ("pg_opclass", "opcname"),
    ("pg_opfamily", "opfname"),
    ("pg_collation", "collname"),
    ("pg_conversion", "conname"),
    ("pg_ts_config", "cfgname"),
    ("pg_ts_dict", "dictname"),
    ("pg_ts_parser", "prsname"),
    ("pg_ts_template", "tmplname"),
    ("pg_event_trigger", "evtname"),
    ("pg_foreign_data_wrapper", "fdwname"),
    ("pg_foreign_server", "srvname"),
    ("pg_language", "lanname"),
];

/// The question for all of them.
fn members_question() -> String {
    let named = NAMED.map(|(catalog, name)| {
        format!(
            "UNION ALL SELECT x.{name}, false FROM pg_catalog.{catalog} x \
             WHERE d.classid = 'pg_catalog.{catalog}'::pg_catalog.regclass AND x.oid = d.objid"
        )
    });
    MEMBERS.replace("{named}", &named.join("\n  "))
}

/// An object that a user made a member of an extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// Its kind: `operator class`.
    pub kind: String,
    /// Its name, as the server identifies it.
    pub identity: String,
    /// The extension's name in SQL.
    extension: String,
    /// Versions of an extension differ in such objects.
    comes_with_versions: bool,
    /// It is a schema with objects of users, which is made for those.
    is_needed: bool,
}

/// What a dump of the session's database would not have.
///
/// # Errors
/// When the server refuses a question.
pub async fn find(session: &Session) -> Result<Vec<Omitted>, Error> {
    let mut found: Vec<_> = additions(session).await?.into_iter().map(Addition::omitted).collect();
    found.extend(altered_members::find(session).await?);
    found.extend(altered_builtins::find(session).await?);
    found.extend(in_system_schemas(session).await?);
    found.extend(unchecked_keys(session).await?);
    found.extend(invalid_indexes(session).await?);
    Ok(found)
}

/// Objects that users have put into schemas of the server, extensions' own aside: pg_dump leaves those schemas out.
const IN_SYSTEM_SCHEMAS: &str = "
SELECT i.type, i.identity FROM (
  SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, oid, pronamespace FROM pg_catalog.pg_proc
  UNION ALL SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, oid, relnamespace FROM pg_catalog.pg_class
    WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f')
  UNION ALL SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typnamespace FROM pg_catalog.pg_type t
    LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid
    WHERE t.typcategory <> 'A' AND t.typtype <> 'm' AND coalesce(c.relkind, 'c') = 'c'
  UNION ALL SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, oid, oprnamespace FROM pg_catalog.pg_operator
  UNION ALL SELECT 'pg_catalog.pg_opclass'::pg_catalog.regclass, oid, opcnamespace FROM pg_catalog.pg_opclass
  UNION ALL SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, oid, cfgnamespace FROM pg_catalog.pg_ts_config
  UNION ALL SELECT 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, oid, dictnamespace FROM pg_catalog.pg_ts_dict
) o(class, oid, namespace) JOIN pg_catalog.pg_namespace n ON n.oid = o.namespace,
LATERAL pg_catalog.pg_identify_object(o.class, o.oid, 0) i
WHERE o.oid >= 16384 AND n.nspname IN ('pg_catalog', 'information_schema')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
    WHERE d.classid = o.class AND d.objid = o.oid AND d.deptype IN ('e', 'i'))
ORDER BY 1, 2";

async fn in_system_schemas(session: &Session) -> Result<Vec<Omitted>, Error> {
    let mut found = Vec::new();
    for row in session.ask(IN_SYSTEM_SCHEMAS).await? {
        let (kind, identity) = (row.text(0)?, row.text(1)?);
        found.push(Omitted {
            object: format!("{kind} {identity}"),
            is_lost: true,
            why: "it is in a schema of the server, which no dump has, and only a superuser can put anything there".into(),
            next: vec!["Move it into a schema of your own before, with ALTER … SET SCHEMA, where anything needs it.".into()],
        });
    }
    Ok(found)
}

impl Addition {
    fn omitted(self) -> Omitted {
        let Self { kind, identity, extension, is_needed, .. } = self;
        let words = match kind.as_str() {
            "transform" => {
                format!(
                    "TRANSFORM {}",
                    identity.replacen("for ", "FOR ", 1).replace(" on language ", " language ")
                )
            }
            "foreign-data wrapper" => format!("FOREIGN DATA WRAPPER {identity}"),
            kind => format!("{} {identity}", kind.to_uppercase()),
        };
        let object = if is_needed {
            format!("owner, privileges and comment of {kind} {identity}")
        } else {
            format!("{kind} {identity}")
        };
        Omitted {
            object,
            is_lost: true,
            why: format!(
                "the {kind} was made a part of the extension {extension}, and no dump has what belongs to one"
            ),
            next: vec![
                "Take it out of the extension before the dump, on the source:".into(),
                format!("  ALTER EXTENSION {extension} DROP {words};"),
            ],
        }
    }
}

/// Members of extensions that the extension itself does not make, as far as its members are known.
///
/// # Errors
/// When the server refuses the question.
pub async fn additions(session: &Session) -> Result<Vec<Addition>, Error> {
    let mut by_extension = BTreeMap::<String, Vec<Addition>>::new();
    for row in session.ask(&members_question()).await? {
        let extension = row.text(0)?;
        let catalog = row.text(1)?;
        let Some(known) = members(extension).filter(|known| known.known.is_none()) else { continue };
        let has_own = row.flag(6)?;
        if (!has_own || catalog == "pg_namespace") && is_known(known, catalog, row.text(3)?) {
            continue;
        }
        by_extension.entry(extension.to_owned()).or_default().push(Addition {
            kind: row.text(2)?.to_owned(),
            identity: row.text(4)?.to_owned(),
            extension: row.text(5)?.to_owned(),
            is_needed: catalog == "pg_namespace" && has_own,
            comes_with_versions: ["pg_proc", "pg_operator", "pg_opclass", "pg_opfamily", "pg_cast"]
                .contains(&catalog),
        });
    }
    let mut found = Vec::new();
    for mut additions in by_extension.into_values() {
        let number = additions.iter().filter(|addition| addition.comes_with_versions).count();
        if number > ANOTHER_VERSION {
            additions.retain(|addition| !addition.comes_with_versions);
        }
        found.extend(additions);
    }
    Ok(found)
}

/// True where the extension makes such an object itself, or may do so.
fn is_known(known: &Members, catalog: &str, name: &str) -> bool {
    let holds = |class| known.holds(class, name) || known.overloads(class, name);
    let of_class = || holds(Class::OperatorClass) || known.operator_class_overloads.contains(name);
    match catalog {
        "pg_proc" => holds(Class::Function),
        "pg_type" => holds(Class::Type),
        "pg_namespace" => holds(Class::Schema),
        "pg_class" => holds(Class::Relation),
        "pg_operator" => holds(Class::Operator),
        "pg_opclass" => of_class(),
        "pg_opfamily" => known.operator_families.contains(name) || of_class(),
        "pg_cast" => known.casts.as_ref().is_none_or(|casts| casts.contains(name)),
        "pg_ts_config" | "pg_ts_dict" | "pg_ts_parser" | "pg_ts_template" => known.text_search.contains(name),
        "pg_transform" => known.transforms.contains(name),
        "pg_event_trigger" => holds(Class::EventTrigger),
        "pg_foreign_data_wrapper" => holds(Class::ForeignDataWrapper),
        "pg_language" => holds(Class::Language),
        // No extension makes collations, conversions or servers.
        _ => false,
    }
}

/// Keys that are not checked, or are checked for what comes from a replica too. A partition whose state is not that of its
/// table is in the dump, as a statement that no other server takes.
async fn unchecked_keys(session: &Session) -> Result<Vec<Omitted>, Error> {
    let question = "SELECT CASE k.contype WHEN 'f' THEN 'foreign key' WHEN 'x' THEN 'exclusion constraint' \
                    ELSE 'deferrable key' END, \
                pg_catalog.format('%I on %s', k.conname, k.conrelid::pg_catalog.regclass), \
                pg_catalog.bool_or(t.tgenabled = 'D'), \
                pg_catalog.string_agg(DISTINCT t.tgrelid::pg_catalog.regclass::text, ', ') \
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint \
              AND k.contype IN ('f', 'u', 'p', 'x') \
         WHERE t.tgisinternal AND t.tgenabled <> 'O' GROUP BY k.contype, k.conname, k.conrelid ORDER BY 1, 2";
    let mut found = Vec::new();
    for row in session.ask(question).await? {
        let state = if row.flag(2)? { "switched off" } else { "set to ALWAYS or REPLICA" };
        found.push(Omitted {
            object: format!("{} {}", row.text(0)?, row.text(1)?),
            is_lost: false,
            why: format!(
                "its checks are {state} on the source (triggers of {}), no dump can say so for another server, and \
                 the target checks as usual",
                row.text(3)?
            ),
            next: vec!["Switch them on, or expect that the target refuses rows that the source took.".into()],
        });
    }
    Ok(found)
}

/// Indexes that are not valid, which `pg_dump` leaves out but for those of partitioned tables.
async fn invalid_indexes(session: &Session) -> Result<Vec<Omitted>, Error> {
    let question = format!(
        "SELECT pg_catalog.format('%I.%I', n.nspname, x.relname), pg_catalog.format('%I.%I', n.nspname, c.relname) \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid \
         JOIN pg_catalog.pg_class c ON c.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE NOT {DUMPED_INDEX} AND n.nspname !~ '^pg_' AND c.relpersistence <> 't' ORDER BY 1"
    );
    let mut found = Vec::new();
    for row in session.ask(&question).await? {
        let (index, table) = (row.text(0)?, row.text(1)?);
        found.push(Omitted {
            object: format!("index {index} on {table}"),
            is_lost: true,
            why: "it is not valid, for its build failed or was interrupted: no query uses it, and no dump has it".into(),
            next: vec![
                "Build it on the source before the dump, or drop it there:".into(),
                format!("  REINDEX INDEX CONCURRENTLY {index};"),
                format!("  DROP INDEX CONCURRENTLY {index};"),
            ],
        });
    }
    Ok(found)
}

/// A condition on `pg_index i` of a `pg_class c`: a dump has the index (`getIndexes` in PostgreSQL's pg_dump.c).
pub const DUMPED_INDEX: &str = "((i.indisvalid OR c.relkind = 'p') AND i.indisready)";

/// Parameters that are set for all roles in all databases: a migration makes them settings of the database, a dump alone
/// loses them.
///
/// # Errors
/// When the server refuses the question.
pub async fn settings_of_all_roles(session: &Session) -> Result<Vec<Omitted>, Error> {
    let question = "SELECT pg_catalog.split_part(c, '=', 1) FROM pg_catalog.pg_db_role_setting s, \
         LATERAL pg_catalog.unnest(s.setconfig) c WHERE s.setrole = 0 AND s.setdatabase = 0 ORDER BY 1";
    let names: Vec<String> = session.ask_list(question).await?;
    let omitted = |name: String| Omitted {
        object: format!("setting {name} of all roles"),
        is_lost: true,
        why: "pg_dumpall does not write ALTER ROLE ALL".into(),
        next: vec!["Make it a setting of the target's database: ALTER DATABASE … SET.".into()],
    };
    Ok(names.into_iter().map(omitted).collect())
}
