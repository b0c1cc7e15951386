//! A question about relations of users, in a transaction of its own: nothing of theirs runs as us (see [`crate::guard`]).

use crate::connect::{Row, Session};
use crate::error::{Error, Server};
use crate::guard::{self, Guard};
use crate::names::Relation;
use crate::quote::literal;

/// Finds a relation with these of its columns; none where it or a column is not there, or a column's type is none of
/// PostgreSQL's own: a user's operator or cast could answer for it. What inherits from it is read with it.
///
/// # Errors
/// When the server refuses the question.
pub async fn find(
    session: &Session,
    relation: &Relation,
    columns: &[String],
) -> Result<Option<Guard>, Error> {
    let name = relation.sql();
    let wanted: Vec<String> = columns.iter().map(|column| literal(column)).collect();
    let rows = session
        .ask(&format!(
            "SELECT c.oid, c.relhassubclass, (SELECT pg_catalog.json_agg(pg_catalog.json_build_array(a.attname, a.atttypid::pg_catalog.int8)) \
               FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
               AND a.atttypid < 16384 AND a.attname = ANY (ARRAY[{}]::pg_catalog.name[])) \
             FROM pg_catalog.pg_class c WHERE c.oid = pg_catalog.to_regclass({}) AND c.relkind IN ('r', 'p')",
            wanted.join(", "),
            literal(&name)
        ))
        .await?;
    let Some(row) = rows.first() else { return Ok(None) };
    let found: Vec<(String, u32)> = row.json(2)?;
    if found.len() < columns.len() {
        return Ok(None);
    }
    let from = if row.flag(1)? { name } else { format!("ONLY {name}") };
    Ok(Some(Guard { from, oid: row.number(0)?, columns: found, alone: false }))
}

/// Asks within `patience` (a `statement_timeout`): that long at most others wait for the locks that it takes, and it for theirs.
/// An answer of the server is also one of [`guard::FOLDED`], for questions that would call functions of users.
///
/// # Errors
/// When the session is lost.
pub async fn ask(
    session: &Session,
    guards: &[Guard],
    patience: &str,
    sql: &str,
) -> Result<Result<Vec<Row>, Server>, Error> {
    let begin =
        format!("BEGIN ISOLATION LEVEL READ COMMITTED READ ONLY; SET LOCAL statement_timeout = '{patience}'");
    let answer = async {
        Guard::hold_all(guards, session, &begin).await?;
        guard::still(guards, session, session).await?;
        session.try_ask(sql).await.map_err(|error| Server::new(&error))
    };
    let answer = answer.await;
    session.run("ROLLBACK").await?;
    Ok(answer)
}
