//! One table of both servers, compared as a whole: are its rows the same?

use super::checksum::Formula;
use super::measured::TOO_LONG;
use super::reading::{self, Place, Reader};
use super::relations;
use crate::connect::Session;
use crate::error::Error;
use crate::guard;
use crate::names::Relation;

/// The rows of this one table, by the names that it has on either side, and of none that inherits from it, are the same in both
/// sessions, whatever their order. Both are read as a whole. Beside each session stands one that sees the server as it is now.
///
/// # Errors
/// When a server does not have the table, or refuses to have it read.
pub async fn same(
    source: (&Session, &Session),
    target: (&Session, &Session),
    (relation, into): (&Relation, &Relation),
) -> Result<bool, Error> {
    let ((source, watch_source), (target, watch_target)) = (source, target);
    let (ours, theirs) = tokio::try_join!(relations::one(source, relation), relations::one(target, into))?;
    let missing = |side: &str, of: &Relation| Error::Defect(format!("{side} has no table {of} to compare"));
    let ours = ours.ok_or_else(|| missing("the source", relation))?;
    let theirs = theirs.ok_or_else(|| missing("the target", into))?;
    let columns = relations::common(&ours.columns, &theirs.columns);
    if columns.len() != ours.columns.len() || columns.len() != theirs.columns.len() {
        return Ok(false);
    }
    let encoding = "SELECT pg_catalog.current_setting('server_encoding'), pg_catalog.current_setting('server_version_num')";
    let (first, second) = tokio::try_join!(source.ask_row(encoding), target.ask_row(encoding))?;
    let oldest: u32 = first.number::<u32>(1)?.min(second.number(1)?);
    let formula = Formula { md5: oldest < 140_000, encoded: first.text(0)? != second.text(0)?, wide: false };
    let places = [(source, relation, &ours), (target, into, &theirs)];
    let [ours, theirs] =
        places.map(|(session, relation, held)| (session, Place::new(relation, held, &columns, true)));
    let ask = async |formula: Formula| {
        let one = async |(session, place): &(&Session, Place), watch: &Session| {
            let sql = format!(
                "SELECT pg_catalog.count(*), pg_catalog.sum({}) FROM {}",
                formula.row(&columns),
                place.from
            );
            // Within a transaction a refusal must not end it; outside of one there is none to keep.
            let inside = session.client().batch_execute("SAVEPOINT same").await.is_ok();
            let (begin, end) = if inside {
                ("", "ROLLBACK TO SAVEPOINT same; RELEASE SAVEPOINT same")
            } else {
                ("BEGIN READ ONLY", "ROLLBACK")
            };
            let reader = Reader { session, watch };
            let guards = std::slice::from_ref(&place.guard);
            let answer = match reading::hold(&reader, guards, begin).await {
                Ok(locked) => reading::ask(&reader, guards, locked, session.try_ask(&sql)).await,
                Err(answer) => Err(answer),
            };
            let answer = match answer {
                Ok(rows) => rows
                    .into_iter()
                    .next()
                    .ok_or_else(|| Error::Defect("a count of rows has no answer".into())),
                Err(answer) => Err(Error::Query {
                    side: session.side().name(),
                    sql: place.guard.from.clone(),
                    answer: Box::new(answer),
                }),
            };
            session.run(end).await?;
            answer
        };
        // Both come to their end, whatever the other says: a transaction that is left open keeps its locks.
        let (ours, theirs) = tokio::join!(one(&ours, watch_source), one(&theirs, watch_target));
        Ok::<_, Error>(ours? == theirs?)
    };
    match ask(formula).await {
        // Not to be told without functions of users: copied anew.
        Err(error) if error.code() == guard::FOLDED => Ok(false),
        // A row of several long values is more than a server can hold in one piece: their md5 is not.
        Err(Error::Query { answer, .. }) if TOO_LONG.contains(&answer.code.as_str()) => {
            ask(Formula { wide: true, ..formula }).await
        }
        result => result,
    }
}
