//! The proof at the end: everything that can be read off both servers is compared.
//!
//! Objects come first, by kind and name (`kinds`, `timescale`): their definitions as the servers print them, owners and
//! privileges. `compare` judges them, `definition` knows what versions of PostgreSQL print differently. Then all rows of
//! tables, chunks and materialized views (`rows`, `reading`, `checksum`, `views`), and large objects (`large`); where rows
//! differ, `keys` finds which. No view is read, for its query would run as us: a continuous aggregate is compared as its
//! materialized rows and its definition. Everything is read in one snapshot of each server, and nothing is written.
//!
//! Not compared: passwords, which only a superuser can read; options of user mappings, for they hold passwords; rows of
//! foreign tables, which are elsewhere; what a database owner cannot change on a service, such as tablespaces.

mod announced;
mod besides;
mod catalog;
mod changed;
mod checksum;
mod compare;
mod databases;
mod definition;
mod extension_rows;
mod gone;
mod identity;
mod kept;
mod keys;
mod kinds;
pub mod known;
mod large;
mod locked;
mod measured;
mod members;
mod moved;
mod object;
mod options;
mod printed;
mod published;
mod reading;
mod recompressed;
mod relation_rows;
mod relations;
mod result;
mod rows;
mod same;
mod select;
mod sessions;
mod text;
mod timescale;
mod together;
mod views;
mod work;

pub use databases::databases;
pub use known::Known;
pub use options::{Check, Expect, Kept, PERCENT, Seen, VerifyOptions, Without};
pub use result::{Difference, Rows, Verification};
pub use same::same;
pub use select::Chosen;
pub use sessions::Sessions;
pub(crate) use text::plural;

use self::moved::Moved;
use self::object::Catalog;
use self::select::Selection;
use self::sessions::{BEGIN, SessionPair, attempt, reader};
use crate::connect::{Session, pinned};
use crate::error::{Error, is_locked};
use crate::progress::Progress;
use crate::tools;

/// Compares both servers.
///
/// # Errors
/// When one of them cannot be read; a difference is no error here.
pub async fn verify(
    sessions: &Sessions<'_>,
    expect: &Expect<'_>,
    options: impl Into<VerifyOptions>,
    progress: &Progress,
) -> Result<Verification, Error> {
    let options = options.into();
    if options.check == Check::None {
        let notes = vec!["nothing was compared, as asked for".to_owned()];
        return Ok(Verification { notes, ..Verification::default() });
    }
    let target = sessions.target.open().await?;
    target.run(&format!("{BEGIN}; {}", pinned::views(false, false))).await?;
    // All sessions see one state of the target as well; a standby exports none.
    let exported = match attempt(&target, "SELECT pg_catalog.pg_export_snapshot()").await? {
        Ok(rows) => match rows.first() {
            Some(row) => row.text(0)?.to_owned(),
            None => String::new(),
        },
        Err(_) => String::new(),
    };
    let source = reader(sessions.source, sessions.snapshot, sessions.holder.is_some()).await?;
    let pair = SessionPair { source: &source, target: &target, snapshot: &exported };
    let selection = Selection::new(&options.include, &options.exclude, options.chosen.clone())?;
    let of_source = async {
        match sessions.holder {
            Some(holder) => objects(&*holder.turn().await?).await,
            None => objects(&source).await,
        }
    };
    let ((mut ours, mut our_rows), (mut theirs, their_rows)) = tokio::try_join!(of_source, objects(&target))?;
    let moving = options.chosen.moving.clone();
    let moved = moving.as_ref().map(|moving| Moved::new(moving, &mut ours, &mut our_rows)).transpose()?;
    match &moved {
        Some(moved) => moved.without_others(&ours, &mut theirs),
        None if options.chosen.has_others => moved::without_neighbours(&ours, &mut theirs),
        None => {}
    }
    selection.check(&our_rows.tables.keys().chain(&ours.aggregates).collect::<Vec<_>>())?;
    let mut verification = compare::compare(&ours, &theirs, expect, &options, (&selection, moved.as_ref()));
    // A run's plan and dump are older than this comparison. By other names nobody knows what is gone.
    if sessions.holder.is_some() && moved.is_none() {
        gone::explain(&source, &mut verification).await?;
    }
    let held = work::Held { ours: &our_rows, theirs: &their_rows, source: &ours, target: &theirs };
    let task = rows::Task { expect, options: &options, selection: &selection, held: &held };
    rows::compare(sessions, &pair, &task, progress, &mut verification).await?;
    large::compare(&pair, &options, progress, &mut verification).await?;
    extension_rows::compare(&pair, &mut verification).await?;
    let differences = verification.differences.iter_mut().chain(&mut verification.announced);
    differences.for_each(Difference::hide_secrets);
    verification.differences.sort();
    verification.announced.sort();
    verification.notes.sort();
    Ok(verification)
}

/// Everything but rows. Definitions are printed under locks of the tables they speak of: those are given back, or whoever
/// waits for them would stop what is read later.
async fn objects(session: &Session) -> Result<(Catalog, relations::Relations), Error> {
    let (mut tries, mut gone) = (0, 0);
    loop {
        session.run("SAVEPOINT objects").await?;
        let result = async {
            let catalog = catalog::read(session).await?;
            let rows = relations::read(session).await?;
            Ok((catalog, rows))
        };
        let result = result.await;
        let back = session.run("ROLLBACK TO SAVEPOINT objects; RELEASE SAVEPOINT objects").await;
        match result {
            Err(error) if is_locked(error.code()) && tries < sessions::TRIES => tries += 1,
            // It was dropped while it was printed: the next time it is known to be gone.
            Err(Error::Query { answer, .. }) if tools::gone(&answer.message) && gone < GONE => gone += 1,
            Err(Error::Query { side, answer, .. }) if tools::gone(&answer.message) => {
                return Err(Error::Refused {
                    what: format!(
                        "objects of the {side} are dropped faster than they can be compared: {}",
                        answer.message
                    ),
                    next: vec![
                        "stop what drops them for as long as it takes, then compare: tsmigrate verify".into(),
                    ],
                });
            }
            Err(error) => return Err(error),
            Ok(found) => return back.map(|()| found),
        }
        back?;
    }
}

/// So often everything is read again where something is dropped meanwhile.
const GONE: u32 = 20;
