//! What belongs to extensions: a dump has none of it, so what a user added to one, or changed in one, stays behind.

use super::object::{Catalog, Object};
use crate::quote::quoted;

/// The kind of these objects.
pub(super) const KIND: &str = "extension member";

/// Members that have a name, but TimescaleDB's: those are compared as what they are. A body is compared where it is no
/// library's. Which types of arguments need quotes depends on a server's version (`json` from 17 on).
pub(super) const QUESTION: &str = "SELECT 'extension member', i.type || ' ' || CASE d.classid \
       WHEN 'pg_proc'::regclass THEN replace(i.identity, '\"', '') ELSE i.identity END, NULL, NULL, \
     json_build_object('extension', e.extname, 'definition', f.definition) \
     FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid \
     LEFT JOIN LATERAL (SELECT concat_ws(' ', l.lanname, CASE WHEN l.lanname NOT IN ('c', 'internal') THEN md5(p.prosrc) END) AS definition \
       FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang \
       WHERE d.classid = 'pg_proc'::regclass AND p.oid = d.objid) f ON true, \
     LATERAL pg_identify_object(d.classid, d.objid, 0) i \
     WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname <> 'timescaledb' \
     AND i.type !~ ' (of|for) ' AND d.classid NOT IN ('pg_cast'::regclass, 'pg_operator'::regclass, 'pg_opclass'::regclass, \
       'pg_opfamily'::regclass, 'pg_transform'::regclass, 'pg_language'::regclass)";

/// Whether a member can be told from what only another version of its extension has: both servers have the same version
/// in the same schema. Relations are always compared: they may hold rows.
pub(super) fn comparable(identity: &str, (source, target): (&Catalog, &Catalog)) -> bool {
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
