//! What is on the source and in no dump: `pg_dump` writes an extension and nothing that belongs to it, and no state of
//! the triggers behind a foreign key.

use std::collections::BTreeMap;

use tsmigrate_analyzer::parse::Class;
use tsmigrate_analyzer::server::Omitted;
use tsmigrate_analyzer::target::members;

use crate::connect::Session;
use crate::error::Error;

/// More unknown functions than that in one extension are another version of it, and nobody's additions.
const ANOTHER_VERSION: usize = 10;

/// What a dump of the session's database would not have.
///
/// # Errors
/// When the server refuses a question.
pub async fn find(session: &Session) -> Result<Vec<Omitted>, Error> {
    let mut found = additions(session).await?;
    found.extend(unchecked_keys(session).await?);
    Ok(found)
}

/// Members of extensions that the extension itself does not make, as far as its members are known.
async fn additions(session: &Session) -> Result<Vec<Omitted>, Error> {
    // C functions are an extension's library, whatever its version.
    let question = "SELECT e.extname, i.type, o.name, i.identity, pg_catalog.quote_ident(e.extname) \
         FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid, \
         LATERAL (SELECT c.relname AS name FROM pg_catalog.pg_class c \
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND c.oid = d.objid \
                  AND c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f') \
                  UNION ALL SELECT p.proname FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_language l ON l.oid = p.prolang \
                  WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND p.oid = d.objid \
                  AND (l.lanname NOT IN ('c', 'internal') OR p.prokind = 'a') \
                  UNION ALL SELECT t.typname FROM pg_catalog.pg_type t \
                  WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND t.oid = d.objid AND t.typtype IN ('d', 'e') \
                  UNION ALL SELECT n.nspname FROM pg_catalog.pg_namespace n \
                  WHERE d.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.oid = d.objid) o, \
         LATERAL pg_catalog.pg_identify_object(d.classid, d.objid, 0) i \
         WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e' ORDER BY 1, 2, 4";
    let mut by_extension = BTreeMap::<String, Vec<(bool, Omitted)>>::new();
    for row in session.ask(question).await? {
        let (extension, kind, name, identity, quoted) =
            (row.text(0)?, row.text(1)?, row.text(2)?, row.text(3)?, row.text(4)?);
        let Some(known) = members(extension) else { continue };
        let class = match kind {
            "function" | "procedure" | "aggregate" => Class::Function,
            "type" => Class::Type,
            "schema" => Class::Schema,
            _ => Class::Relation,
        };
        if known.holds(class, name) || known.overloads(class, name) {
            continue;
        }
        let omitted = Omitted {
            object: format!("{kind} {identity}"),
            is_lost: true,
            why: format!("it was made a part of the extension {quoted}, and no dump has what belongs to one"),
            next: vec![
                "Take it out of the extension before the dump, on the source:".into(),
                format!("  ALTER EXTENSION {quoted} DROP {} {identity};", kind.to_uppercase()),
            ],
        };
        by_extension.entry(extension.to_owned()).or_default().push((class == Class::Function, omitted));
    }
    let mut found = Vec::new();
    for members in by_extension.into_values() {
        let functions = members.iter().filter(|(is_function, _)| *is_function).count();
        let counts = |is_function: bool| !is_function || functions <= ANOTHER_VERSION;
        let own = members.into_iter().filter(|(is_function, _)| counts(*is_function));
        found.extend(own.map(|(_, omitted)| omitted));
    }
    Ok(found)
}

/// Foreign keys that check nothing, or check what comes from a replica too.
async fn unchecked_keys(session: &Session) -> Result<Vec<Omitted>, Error> {
    let question = "SELECT pg_catalog.format('foreign key %I on %s', k.conname, k.conrelid::pg_catalog.regclass), \
                pg_catalog.bool_or(t.tgenabled = 'D'), \
                pg_catalog.string_agg(DISTINCT t.tgrelid::pg_catalog.regclass::text, ', ') \
         FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_constraint k ON k.oid = t.tgconstraint AND k.contype = 'f' \
         WHERE t.tgisinternal AND t.tgenabled <> 'O' GROUP BY k.conname, k.conrelid ORDER BY 1";
    let mut found = Vec::new();
    for row in session.ask(question).await? {
        let state = if row.flag(1)? { "switched off" } else { "set to ALWAYS or REPLICA" };
        found.push(Omitted {
            object: row.text(0)?.to_owned(),
            is_lost: false,
            why: format!(
                "its checks are {state} on the source (triggers of {}), no dump says so, and the target checks \
                 as usual",
                row.text(2)?
            ),
            next: vec!["Switch them on, or expect that the target refuses rows that the source took.".into()],
        });
    }
    Ok(found)
}

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
