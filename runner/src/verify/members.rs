//! What belongs to extensions: a dump has none of it, so what a user added to one, or changed in one, stays behind.

use std::collections::BTreeSet;

use super::identity;
use super::object::{Catalog, Object};
use crate::connect::Session;
use crate::error::Error;
use crate::omitted::{Addition, additions};
use crate::quote::quoted;

/// The kind of these objects.
pub(super) const KIND: &str = "extension member";

/// Members, but TimescaleDB's: those are compared as what they are. Types of tables, of arrays and of many ranges go
/// with what they are of. A body is compared where it is no library's. Which types of arguments need quotes depends on a server's version
/// (`json` from 17 on).
pub(super) const QUESTION: &str = "SELECT 'extension member', i.type || ' ' || CASE d.classid \
       WHEN 'pg_proc'::regclass THEN replace(i.identity, '\"', '') ELSE i.identity END, NULL, NULL, \
     json_build_object('extension', e.extname, 'definition', f.definition, 'properties', f.properties) \
     FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid \
     LEFT JOIN LATERAL (SELECT concat_ws(' ', l.lanname, CASE WHEN l.lanname NOT IN ('c', 'internal') THEN md5(regexp_replace(p.prosrc, '/postgresql/[0-9]+/', '/')) END) AS definition, \
         concat_ws(' ', 'COST ' || p.procost, 'ROWS ' || nullif(p.prorows, 0), CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' END, \
           CASE WHEN p.proleakproof THEN 'LEAKPROOF' END, CASE WHEN p.proisstrict THEN 'STRICT' END, \
           'volatility ' || p.provolatile::text, 'parallel ' || p.proparallel::text, \
           'SET ' || array_to_string(p.proconfig, ', ')) AS properties \
       FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang \
       WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid) f ON true, \
     LATERAL pg_identify_object(d.classid, d.objid, 0) i \
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname <> 'timescaledb' \
     AND (i.type = 'transform' OR i.type !~ ' (of|for) ') \
     AND NOT (d.classid = 'pg_type'::regclass AND EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid \
       WHERE t.oid = d.objid AND (t.typtype = 'm' OR c.relkind <> 'c' OR EXISTS (SELECT FROM pg_type element WHERE element.typarray = t.oid))))";

/// Kinds whose names say too little to compare those that the extension itself makes.
const NAMELESS: [&str; 6] =
    ["cast ", "operator ", "operator class ", "operator family ", "transform ", "language "];

/// What users made members of extensions, as [`QUESTION`] names it.
///
/// # Errors
/// When the server refuses the question.
pub(super) async fn added(session: &Session) -> Result<BTreeSet<String>, Error> {
    let name = |addition: Addition| {
        let Addition { kind, identity, .. } = addition;
        let of_function = ["function", "procedure", "aggregate"].contains(&kind.as_str());
        let identity = if of_function { identity.replace('"', "") } else { identity };
        identity::plain(&format!("{kind} {identity}"))
    };
    Ok(additions(session).await?.into_iter().map(name).collect())
}

/// Whether a member can be told from what only another version of its extension has: a user has added it, or both servers
/// have the same version in the same schema. Relations are always compared: they may hold rows.
pub(super) fn comparable(identity: &str, (source, target): (&Catalog, &Catalog)) -> bool {
    if source.added.contains(identity) {
        // A schema that the dump's objects need is made for them.
        let schema = identity.strip_prefix("schema ").map(|name| ("schema".to_owned(), name.to_owned()));
        return schema.is_none_or(|schema| !target.objects.contains_key(&schema));
    }
    if NAMELESS.iter().any(|kind| identity.starts_with(kind)) {
        return false;
    }
    let Some(name) = source.objects.get(&(KIND.to_owned(), identity.to_owned())).and_then(extension) else {
        return false;
    };
    let key = ("extension".to_owned(), quoted(name));
    let (Some(ours), Some(theirs)) = (source.objects.get(&key), target.objects.get(&key)) else {
        return false;
    };
    let relation = ["table ", "materialized view ", "sequence "];
    relation.iter().any(|kind| identity.starts_with(kind)) || ours.says == theirs.says
}

fn extension(member: &Object) -> Option<&str> {
    member.says.get("extension").map(String::as_str)
}
