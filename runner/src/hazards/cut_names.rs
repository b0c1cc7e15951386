//! Names that TimescaleDB has cut in the middle of a character, and that nobody can read as text.
//!
//! It names the constraints of chunks after those of their hypertable (`1_1_…`), and columns of compressed rows after the
//! hypertable's (`_ts_meta_v2_first_60eb_…`, 2.28 and newer), and cuts both after 63 bytes (seen with 2.19.3, 2.28.3 and
//! 2.29.2). A dump has such a name as it is, and no server takes it from there.

use crate::connect::Session;
use crate::error::{Blocker, Error};
use crate::human::{self, count};
use crate::names::Relation;
use crate::timescale::Catalogs;

use super::SHOWN;

/// The bytes of a text in UTF-8, as hexadecimal digits.
const WHOLE: &str = "^([0-7].|(c[2-9a-f]|d.)[89ab].|e.([89ab].){2}|f[0-4].([89ab].){3})*$";

/// Looks for them in the hypertables that come over. It asks for no name that may be cut.
///
/// # Errors
/// When the server refuses a question, or its TimescaleDB is not known.
pub async fn cut_names(
    session: &Session,
    comes: impl Fn(&Relation) -> bool,
) -> Result<Option<Blocker>, Error> {
    let catalogs = Catalogs::read(session).await?;
    if catalogs.is_empty() {
        return Ok(None);
    }
    let question = format!(
        "WITH chunks AS ({}), tables AS (SELECT h.id, coalesce(v.user_view_schema, h.schema_name) AS schema, \
           coalesce(v.user_view_name, h.table_name) AS name \
           FROM ({}) h LEFT JOIN ({}) v ON v.mat_hypertable_id = h.id), \
         names(id, kind, name) AS ( \
           SELECT c.hypertable_id, 'constraint', k.conname FROM chunks c JOIN pg_catalog.pg_constraint k ON k.conrelid = c.relid \
           UNION ALL SELECT c.hypertable_id, 'column', a.attname FROM chunks c \
             JOIN pg_catalog.pg_attribute a ON a.attrelid = c.compressed AND a.attnum > 0 AND NOT a.attisdropped \
           UNION ALL SELECT c.hypertable_id, 'chunk', r.relname FROM chunks c \
             JOIN pg_catalog.pg_class r ON r.oid IN (c.relid, c.compressed)) \
         SELECT t.schema, t.name, n.kind, \
           pg_catalog.min(pg_catalog.encode(pg_catalog.textsend(n.name::pg_catalog.text), 'hex')), pg_catalog.count(*) \
         FROM names n JOIN tables t USING (id) \
         WHERE pg_catalog.encode(pg_catalog.textsend(n.name::pg_catalog.text), 'hex') !~ '{WHOLE}' \
         GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        catalogs.chunks()?,
        catalogs.hypertables()?,
        catalogs.aggregates()?
    );
    let (mut found, mut next) = (Vec::new(), Vec::new());
    for row in session.ask(&question).await? {
        let (table, kind) = (row.relation(0)?, row.text(2)?);
        if comes(&table) {
            found.push(format!(
                "{} of chunks of {table}, such as {}",
                count(row.number(4)?, kind),
                human::line(&readable(row.text(3)?))
            ));
            next.push(match kind {
                "constraint" => format!("  ALTER TABLE {table} RENAME CONSTRAINT … TO …"),
                "column" => format!("  ALTER TABLE {table} RENAME COLUMN … TO …"),
                _ => format!("  ALTER TABLE … RENAME TO … (the chunks of {table})"),
            });
        }
    }
    Ok((!found.is_empty()).then(|| Blocker {
        check: "names-cut",
        what: format!(
            "TimescaleDB has cut names in the middle of a character, which no dump can be restored with: {}",
            human::first(&found, SHOWN)
        ),
        next: std::iter::once("give them names of 40 bytes or less on the source:".to_owned())
            .chain(next)
            .collect(),
    }))
}

/// Ends a run that would ask for such a name.
///
/// # Errors
/// Where there is one; when the server refuses a question, or its TimescaleDB is not known.
pub async fn refuse_cut_names(session: &Session, comes: impl Fn(&Relation) -> bool) -> Result<(), Error> {
    match cut_names(session, comes).await? {
        Some(cut) => Err(Error::Preflight(vec![cut])),
        None => Ok(()),
    }
}

/// What can be read of a name that is cut.
fn readable(hex: &str) -> String {
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .filter_map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok())
        .collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_shown_up_to_there() {
        assert_eq!(readable("315f315fc3a4c3b6"), "1_1_äö");
        assert_eq!(readable("315f315fc3a4c3"), "1_1_ä\u{fffd}");
    }
}
