//! How rows are read: no object of a database's users runs as us, whatever happens to the relation meanwhile.

use std::future::Future;
use std::sync::Arc;

use futures_util::{TryStreamExt, future};
use sha2::{Digest, Sha256};

use super::checksum::Formula;
use super::measured::{Reading, TOO_LONG};
use super::relations::{Column, Held};
use super::sessions::{Sessions, back, reader};
use crate::connect::{Connector, Row, Session};
use crate::engine::null_batches::NullBatches;
use crate::error::{Error, Server, is_locked};
use crate::guard::{self, Guard};
use crate::names::Relation;
use crate::quote::identifier;

/// A session that reads rows in a snapshot, and one beside it that sees the server as it is now.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) session: &'a Session,
    pub(super) watch: &'a Session,
}

/// The two sessions of a reader.
pub(super) struct Opened {
    session: Session,
    watch: Arc<Session>,
}

impl Opened {
    /// The reader.
    pub(super) fn reader(&self) -> Reader<'_> {
        Reader { session: &self.session, watch: &self.watch }
    }
}

/// Opens the sessions of `count` readers on each server.
pub(super) async fn readers(
    sessions: &Sessions<'_>,
    target: &str,
    count: usize,
) -> Result<Vec<(Opened, Opened)>, Error> {
    let watch = async |connector: &Connector| connector.open().await.map(Arc::new);
    let (of_source, of_target) = tokio::try_join!(watch(sessions.source), watch(sessions.target))?;
    let pairs = (0..count).map(async |_| {
        let held = sessions.holder.is_some();
        let (source, target) = tokio::try_join!(
            reader(sessions.source, sessions.snapshot, held),
            reader(sessions.target, target, false)
        )?;
        Ok((
            Opened { session: source, watch: of_source.clone() },
            Opened { session: target, watch: of_target.clone() },
        ))
    });
    future::try_join_all(pairs).await
}

/// What is read on one server.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    /// What stands behind FROM.
    pub(super) from: String,
    /// The relation.
    pub(super) guard: Guard,
    /// COPY can read all of it: a plain table, as a whole.
    pub(super) copies: bool,
}

impl Place {
    /// The relation with these of its columns; `only` leaves out what inherits from it.
    pub(super) fn new(relation: &Relation, held: &Held, columns: &[Column], only: bool) -> Self {
        let relation = held.on_source.as_ref().unwrap_or(relation);
        let from = format!("{}{}", if only { "ONLY " } else { "" }, relation.sql());
        let types = held.columns.iter().filter(|own| columns.iter().any(|column| column.name == own.name));
        let columns = types.map(|column| (column.name.clone(), column.type_id)).collect();
        let guard = Guard { from: from.clone(), oid: held.oid, columns, alone: false };
        Self { from, guard, copies: only && held.kind == "r" }
    }
}

/// Asks about relations of users, which are locked and looked at before, within a transaction that goes on whatever the
/// answer is.
pub(super) async fn attempt(
    reader: &Reader<'_>,
    guards: &[Guard],
    sql: &str,
    role: Option<&str>,
) -> Result<Result<Vec<Row>, Server>, Error> {
    let session = reader.session;
    let held = async {
        let locked = hold(reader, guards, "SAVEPOINT attempt").await?;
        become_role(session, role).await.map(|()| locked)
    };
    let answer = match held.await {
        // In one way there and back, in this order.
        Ok(false) => {
            let (answer, seen, ended) =
                future::join3(session.try_ask(sql), seen(session, guards), back(session)).await;
            ended?;
            match answer {
                Ok(rows) => seen.map(|()| rows),
                Err(error) => Err(Server::new(&error)),
            }
        }
        Ok(true) => {
            let answer = match ask(reader, guards, true, session.try_ask(sql)).await {
                Ok(rows) => seen(session, guards).await.map(|()| rows),
                Err(server) => Err(server),
            };
            back(session).await?;
            answer
        }
        Err(server) => {
            back(session).await?;
            Err(server)
        }
    };
    unlocked(session, sql, answer)
}

/// Looks whether the snapshot saw the rows that were just read. Their locks are still held.
///
/// # Errors
/// Code [`guard::UNSEEN`] where it did not.
pub(super) async fn seen(session: &Session, guards: &[Guard]) -> Result<(), Server> {
    let rows = session.try_ask(&guard::unseen(guards)).await.map_err(|error| Server::new(&error))?;
    let Some(table) = rows.first().and_then(|row| row.text(0).ok()) else { return Ok(()) };
    Err(Server {
        code: guard::UNSEEN.into(),
        message: format!(
            "{table} was rewritten or emptied on the {} while it was compared: compare again",
            session.side().name()
        ),
        ..Server::default()
    })
}

/// A lock that another session keeps is no answer: it is asked for again (see [`is_locked`]).
fn unlocked<T>(session: &Session, sql: &str, answer: Result<T, Server>) -> Result<Result<T, Server>, Error> {
    match answer {
        Err(server) if is_locked(&server.code) => {
            let (side, sql) = (session.side().name(), crate::redact::statement(sql));
            Err(Error::Query { side, sql, answer: Box::new(server) })
        }
        answer => Ok(answer),
    }
}

/// Locks relations, looks whether they are what was listed, and keeps what planning would call functions of users for out:
/// true where others may have to wait for that (see [`guard::still`]).
pub(super) async fn hold(reader: &Reader<'_>, guards: &[Guard], first: &str) -> Result<bool, Server> {
    Guard::hold_all(guards, reader.session, first).await?;
    guard::still(guards, reader.session, reader.watch).await
}

/// Asks, and stops where others wait for our locks.
pub(super) async fn ask<T>(
    reader: &Reader<'_>,
    guards: &[Guard],
    locked: bool,
    question: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Server> {
    if !locked {
        return question.await.map_err(|error| Server::new(&error));
    }
    let row = reader.session.try_ask("SELECT pg_catalog.pg_backend_pid()").await;
    let rows = row.map_err(|error| Server::new(&error))?;
    let pid = rows.first().and_then(|row| row.number(0).ok()).unwrap_or_default();
    let mut question = std::pin::pin!(question);
    tokio::select! {
        answer = &mut question => return answer.map_err(|error| Server::new(&error)),
        others = guard::stop_for_others(guards, pid, reader.watch) => others?,
    }
    match question.await.map_err(|error| Server::new(&error)) {
        Err(server) if server.code == "57014" => {
            Err(guard::refused("another session waits to change it, and we keep nobody waiting"))
        }
        answer => answer,
    }
}

pub(super) async fn become_role(session: &Session, role: Option<&str>) -> Result<(), Server> {
    let Some(role) = role else { return Ok(()) };
    let sql = format!("SET LOCAL ROLE {}", identifier(role));
    session.client().batch_execute(&sql).await.map_err(|error| Server::new(&error))
}

/// Reads a plain table by COPY, which plans nothing, and hashes its rows here. `sum` says whether values count.
pub(super) async fn copied(
    reader: &Reader<'_>,
    place: &Place,
    columns: &[Column],
    sum: bool,
    owner: &str,
) -> Result<Reading, Error> {
    let columns: Vec<_> = columns.iter().filter(|column| !column.generated).collect();
    let compressed = columns.iter().enumerate().filter(|(_, column)| column.is_compressed());
    let compressed: Vec<usize> = compressed.map(|(position, _)| position).collect();
    let names: Vec<_> = columns.iter().map(|column| identifier(&column.name)).collect();
    let list = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let sql = format!("COPY {}{list} TO STDOUT", place.from.trim_start_matches("ONLY "));
    let mut answer = copy(reader, place, &sql, None, &compressed).await?;
    // The administrator may become the owner, and an owner may read.
    if answer.as_ref().is_err_and(|server| server.code == "42501") && !owner.is_empty() {
        answer = copy(reader, place, &sql, Some(owner), &compressed).await?;
    }
    Ok(match answer {
        Ok((count, hash)) => Reading::Rows { count, sample: count, sum: sum.then(|| hash.to_string()) },
        Err(server) => Reading::Refused { code: server.code, why: server.message },
    })
}

/// The number of rows, and the sum of their hashes.
async fn copy(
    reader: &Reader<'_>,
    place: &Place,
    sql: &str,
    role: Option<&str>,
    compressed: &[usize],
) -> Result<Result<(u64, u128), Server>, Error> {
    let session = reader.session;
    let answer = async {
        place.guard.hold(session, "SAVEPOINT attempt").await?;
        become_role(session, role).await?;
        let rows = session.client().copy_out(sql).await.map_err(|error| Server::new(&error))?;
        let mut rows = std::pin::pin!(rows);
        let (mut count, mut sum) = (0_u64, 0_u128);
        // A row is a line, whatever comes in one piece.
        let mut line = Sha256::new();
        let mut null_batches = NullBatches::in_text(compressed.to_vec());
        while let Some(piece) = rows.try_next().await.map_err(|error| Server::new(&error))? {
            let piece = match &mut null_batches {
                Some(batches) => batches.rows(piece),
                None => piece,
            };
            for part in piece.split_inclusive(|byte| *byte == b'\n') {
                line.update(part);
                if part.ends_with(b"\n") {
                    let hash = line.finalize_reset();
                    let half = hash.iter().take(16).fold(0_u128, |half, byte| half << 8 | u128::from(*byte));
                    count += 1;
                    sum = sum.wrapping_add(half);
                }
            }
        }
        seen(session, std::slice::from_ref(&place.guard)).await.map(|()| (count, sum))
    };
    let answer = answer.await;
    back(session).await?;
    unlocked(session, sql, answer)
}

/// Reads one relation on one end, and says whether its values were too long to be read as they are.
/// What the server refuses is an answer; a session that is lost is an error.
pub(super) async fn read(
    reader: &Reader<'_>,
    place: &Place,
    sql: impl Fn(Formula) -> String,
    formula: Formula,
    owner: &str,
) -> Result<(Reading, bool), Error> {
    let guards = std::slice::from_ref(&place.guard);
    let once = async |sql: String, role: Option<&str>| {
        attempt(reader, guards, &sql, role).await.and_then(Reading::of)
    };
    let mut reading = once(sql(formula), None).await?;
    let mut formula = formula;
    // A row of several long values is more than a server can hold in one piece: their md5 is not.
    if let Reading::Refused { code, .. } = &reading
        && TOO_LONG.contains(&code.as_str())
        && !formula.wide
    {
        formula.wide = true;
        reading = once(sql(formula), None).await?;
    }
    // The administrator may become the owner, and an owner may read.
    if let Reading::Refused { code, .. } = &reading
        && code == "42501"
        && !owner.is_empty()
        && let allowed @ (Reading::Rows { .. } | Reading::Unpopulated) =
            once(sql(formula), Some(owner)).await?
    {
        reading = allowed;
    }
    Ok((reading, formula.wide))
}
