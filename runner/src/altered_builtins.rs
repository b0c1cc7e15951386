//! PostgreSQL's own objects that somebody has altered: no dump has them.
//!
//! `initdb` writes them in its first transactions, and every later one has a higher number; `pg_upgrade` has `initdb` write them
//! anew. Numbers begin anew after a wraparound: what was altered by such a low one is not known.

use tsmigrate_analyzer::server::Omitted;

use crate::connect::Session;
use crate::error::Error;
use crate::human::count;

/// More of one kind than that were altered by whoever runs the server, as providers do.
const BY_PROVIDER: usize = 10;

/// What is altered, and of which object. Grants are in dumps, and write the function's row too. The schema public and its
/// comment are in dumps as well.
const QUESTION: &str = "
WITH first(last) AS (
  -- Of initdb's last step but one; a GRANT does not write them anew.
  SELECT pg_catalog.max(xmin::pg_catalog.text::pg_catalog.int8) + 20 FROM pg_catalog.pg_type
  WHERE typnamespace = 'information_schema'::pg_catalog.regnamespace AND oid < 16384)
SELECT DISTINCT a.what, i.type, i.identity FROM (
  SELECT 'comment on', c.classoid, c.objoid, c.xmin FROM pg_catalog.pg_description c
  WHERE c.objoid < 16384 AND c.objsubid = 0
    AND (c.classoid, c.objoid) <> ('pg_catalog.pg_namespace'::pg_catalog.regclass, 'public'::pg_catalog.regnamespace)
  UNION ALL
  SELECT 'properties of', 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.xmin FROM pg_catalog.pg_proc p
  WHERE p.oid < 16384 AND p.proacl IS NULL
  UNION ALL
  SELECT 'mappings of', 'pg_catalog.pg_ts_config'::pg_catalog.regclass, m.mapcfg, m.xmin FROM pg_catalog.pg_ts_config_map m
  WHERE m.mapcfg < 16384
  UNION ALL
  SELECT 'options of', 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, d.oid, d.xmin FROM pg_catalog.pg_ts_dict d WHERE d.oid < 16384
) a(what, class, oid, later) JOIN first ON a.later::pg_catalog.text::pg_catalog.int8 > first.last,
LATERAL pg_catalog.pg_identify_object(a.class, a.oid, 0) i
ORDER BY 1, 2, 3";

/// What somebody has altered.
///
/// # Errors
/// When the server refuses the question.
pub async fn find(session: &Session) -> Result<Vec<Omitted>, Error> {
    let mut all: Vec<(String, String)> = Vec::new();
    for row in session.ask(QUESTION).await? {
        all.push((row.text(0)?.to_owned(), format!("{} {}", row.text(1)?, row.text(2)?)));
    }
    let by_kind = all.chunk_by(|one, other| one.0 == other.0);
    Ok(by_kind.flat_map(of_kind).collect())
}

fn of_kind(altered: &[(String, String)]) -> Vec<Omitted> {
    let object = match altered {
        [(what, _), ..] if altered.len() > BY_PROVIDER => {
            vec![format!("{what} {} of the server's own", count(altered.len() as u64, "object"))]
        }
        _ => altered.iter().map(|(what, object)| format!("{what} {object}")).collect(),
    };
    object.into_iter().map(omitted).collect()
}

fn omitted(object: String) -> Omitted {
    Omitted {
        object,
        is_lost: true,
        why: "it was altered on the source, and no dump has what is PostgreSQL's own: the target has it as PostgreSQL brings it"
            .into(),
        next: vec![
            "Look whether anything depends on it. Make an object of your own of it, in your schema, and use that.".into(),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_alters_is_said_once_and_few_by_name() {
        let of = |number: usize| -> Vec<(String, String)> {
            (0..number).map(|n| ("properties of".to_owned(), format!("function f{n}()"))).collect()
        };
        assert_eq!(of_kind(&of(10)).len(), 10);
        let many = of_kind(&of(11));
        assert!(
            matches!(many.as_slice(), [one] if one.object == "properties of 11 objects of the server's own"),
            "{many:?}"
        );
    }
}
