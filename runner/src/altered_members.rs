//! Members of extensions that were altered since the extension was created: no dump has them, as it has no member.
//!
//! What an extension's script makes, it makes in the transaction of the membership. A comment, or a body, that another
//! transaction wrote is not the script's. Where no two members have one transaction, `pg_upgrade` has made them one by
//! one, and nothing can be told (PostgreSQL src/bin/pg_dump/pg_dump.c, `binary_upgrade_extension_member`).

use tsmigrate_analyzer::server::Omitted;

use crate::connect::Session;
use crate::error::Error;

/// More than that in one extension come from an update of it.
const AN_UPDATE: usize = 10;

/// The extension's name in SQL, what was written, and by which statement it is seen. A function that is replaced gets its
/// dependency on its schema anew, one that is granted or given away does not.
const QUESTION: &str = "
WITH made AS (
  SELECT e.oid AS extension, pg_catalog.quote_ident(e.extname) AS name, e.xmin AS last, d.classid, d.objid, d.xmin AS by,
    pg_catalog.count(*) OVER (PARTITION BY e.oid, d.xmin::pg_catalog.text) > 1 OR d.xmin = e.xmin AS is_told
  FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
  WHERE d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass AND d.deptype = 'e' AND d.objid >= 16384),
written AS (
  SELECT 'comment on ' AS what, m.*, c.xmin AS later
  FROM made m JOIN pg_catalog.pg_description c ON c.classoid = m.classid AND c.objoid = m.objid AND c.objsubid = 0
  UNION ALL
  SELECT 'body of ', m.*, n.xmin
  FROM made m JOIN pg_catalog.pg_depend n ON n.classid = m.classid AND n.objid = m.objid AND n.objsubid = 0
    AND n.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.deptype = 'n'
  WHERE m.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass)
SELECT w.name, w.what || i.type || ' ' || i.identity
FROM written w, LATERAL pg_catalog.pg_identify_object(w.classid, w.objid, 0) i
WHERE w.is_told AND w.later <> w.last
  AND NOT EXISTS (SELECT FROM made o WHERE o.extension = w.extension AND o.by = w.later)
ORDER BY 1, 2";

/// Comments and bodies of members that their extension did not write.
///
/// # Errors
/// When the server refuses the question.
pub async fn find(session: &Session) -> Result<Vec<Omitted>, Error> {
    let mut all: Vec<(String, String)> = Vec::new();
    for row in session.ask(QUESTION).await? {
        all.push((row.text(0)?.to_owned(), row.text(1)?.to_owned()));
    }
    let by_extension = all.chunk_by(|one, other| one.0 == other.0);
    Ok(by_extension.flat_map(of_extension).collect())
}

fn of_extension(altered: &[(String, String)]) -> Vec<Omitted> {
    match altered {
        [(extension, _), ..] if altered.len() > AN_UPDATE => vec![Omitted {
            object: format!("{} bodies of and comments on members of extension {extension}", altered.len()),
            is_lost: false,
            why: "they were written after the extension was created, by updates of it or by somebody: no server tells \
                  which, and the target has what the extension itself brings"
                .into(),
            next: vec!["Nothing, unless somebody has replaced functions of it.".into()],
        }],
        _ => altered.iter().map(|(extension, object)| omitted(extension, object)).collect(),
    }
}

fn omitted(extension: &str, object: &str) -> Omitted {
    Omitted {
        object: object.to_owned(),
        is_lost: true,
        why: format!(
            "it was written after the extension {extension} was created, and no dump has what belongs to an extension: \
             the target has what the extension itself brings"
        ),
        next: vec!["Look whether anything uses it. Only a superuser can write it on the target.".into()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_altered_members_are_said_once_and_few_by_name() {
        let of = |number: usize| -> Vec<(String, String)> {
            (0..number).map(|n| ("hstore".to_owned(), format!("comment on function f{n}()"))).collect()
        };
        assert_eq!(of_extension(&of(10)).len(), 10);
        let many = of_extension(&of(11));
        assert!(
            matches!(many.as_slice(), [one] if !one.is_lost && one.object.starts_with("11 ")),
            "{many:?}"
        );
        assert!(of_extension(&[]).is_empty());
    }
}
