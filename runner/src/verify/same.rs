//! One table of both servers, compared as a whole: are its rows the same?

use super::checksum::Formula;
use super::reading::Place;
use super::relations;
use super::rows::TOO_LONG;
use crate::connect::Session;
use crate::error::Error;
use crate::guard;
use crate::names::Relation;

/// The rows of this one table, and of none that inherits from it, are the same in both sessions, whatever their order.
/// Both are read as a whole.
///
/// # Errors
/// When a server does not have the table, or refuses to have it read.
pub async fn same(source: &Session, target: &Session, relation: &Relation) -> Result<bool, Error> {
    let (ours, theirs) =
        tokio::try_join!(relations::one(source, relation), relations::one(target, relation))?;
    let missing = |side: &str| Error::Defect(format!("{side} has no table {relation} to compare"));
    let ours = ours.ok_or_else(|| missing("the source"))?;
    let theirs = theirs.ok_or_else(|| missing("the target"))?;
    let columns = relations::common(&ours.columns, &theirs.columns);
    if columns.len() != ours.columns.len() || columns.len() != theirs.columns.len() {
        return Ok(false);
    }
    let encoding = "SELECT pg_catalog.current_setting('server_encoding'), pg_catalog.current_setting('server_version_num')";
    let (first, second) = tokio::try_join!(source.ask_row(encoding), target.ask_row(encoding))?;
    let oldest: u32 = first.number::<u32>(1)?.min(second.number(1)?);
    let formula = Formula { md5: oldest < 140_000, encoded: first.text(0)? != second.text(0)?, wide: false };
    let places = [(source, relation, &ours), (target, relation, &theirs)];
    let [ours, theirs] =
        places.map(|(session, relation, held)| (session, Place::new(relation, held, &columns, true)));
    for (session, place) in [&ours, &theirs] {
        // Not to be told without functions of users: copied anew.
        let folds = format!("SELECT {}", guard::folded(&place.guard.oid.to_string()));
        if session.ask_flag(&folds).await? {
            return Ok(false);
        }
    }
    let ask = async |formula: Formula| {
        let one = async |(session, place): &(&Session, Place)| {
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
            let held = place.guard.hold(session, begin).await;
            let answer = match held {
                Ok(()) => session.ask_row(&sql).await,
                Err(answer) => Err(Error::Query {
                    side: session.side().name(),
                    sql: place.guard.from.clone(),
                    answer: Box::new(answer),
                }),
            };
            session.run(end).await?;
            answer
        };
        tokio::try_join!(one(&ours), one(&theirs)).map(|(ours, theirs)| ours == theirs)
    };
    match ask(formula).await {
        // A row of several long values is more than a server can hold in one piece: their md5 is not.
        Err(Error::Query { answer, .. }) if TOO_LONG.contains(&answer.code.as_str()) => {
            ask(Formula { wide: true, ..formula }).await
        }
        result => result,
    }
}
