//! The proof at the end: everything that can be read off both ends is compared.
//!
//! Objects come first, by kind and name (`kinds`, `timescale`): their definitions as the servers print them, owners and
//! privileges. `compare` judges them, `definition` knows what versions of PostgreSQL print differently. Then all rows of
//! tables, chunks and materialized views (`rows`, `reading`, `checksum`, `views`), and large objects (`large`); where rows
//! differ, `keys` finds which. No view is read, for its query would run as us: a continuous aggregate is compared as its
//! materialized rows and its definition. Everything is read in one snapshot of each server, and nothing is written.
//!
//! Not compared: passwords, which only a superuser may read; options of user mappings, for they hold passwords; rows of
//! foreign tables, which are elsewhere; what a database owner cannot change on a service, such as tablespaces.

mod catalog;
mod checksum;
mod compare;
mod databases;
mod definition;
mod gone;
mod identity;
mod keys;
mod kinds;
mod large;
mod locked;
mod members;
mod printed;
mod reading;
mod relations;
mod rows;
mod same;
mod select;
mod text;
mod timescale;
mod views;
mod work;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use clap::ValueEnum;
use serde::Serialize;
use tsmigrate_analyzer::secrets;

pub use databases::databases;
pub use same::same;
pub use select::Chosen;

use self::catalog::Catalog;
use self::select::Selection;
use crate::connect::{Connector, Row, Session, pinned};
use crate::engine::holder::Holder;
use crate::error::{Error, Server};
use crate::inspect::Facts;
use crate::names::Relation;
use crate::progress::Progress;
use crate::quote::literal;
use crate::results::Finding;
use crate::tools;

/// How much is compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Check {
    /// Objects, definitions, owners, privileges, and a checksum of every row.
    #[default]
    Full,
    /// The same with a checksum of a sample of the rows.
    Sample,
    /// The same with the number of rows alone.
    Counts,
    /// Nothing.
    None,
}

/// How a comparison is done.
#[derive(Clone, Debug)]
pub struct How {
    /// How much is compared.
    pub check: Check,
    /// The part of the rows that a sample has, in percent.
    pub percent: f64,
    /// Tables that are read at once; each takes a session on both ends.
    pub jobs: usize,
    /// Only these schemas and tables.
    pub include: Vec<String>,
    /// Not these schemas and tables.
    pub exclude: Vec<String>,
    /// What the migration was told to leave behind or to change.
    pub chosen: Chosen,
    /// Kinds that stayed behind, as asked for.
    pub without: Without,
    /// Whether jobs are scheduled is compared as well: not while a migration has them paused.
    pub scheduled: bool,
}

/// Kinds of objects that a migration was told to leave behind: they are not compared, and a note says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Without {
    /// Roles, their memberships and settings: everything belongs to the target's user, and nobody else has privileges.
    pub roles: bool,
    /// Owners: everything belongs to the target's user.
    pub owners: bool,
    /// Privileges, default privileges too.
    pub privileges: bool,
    /// Comments.
    pub comments: bool,
    /// Publications.
    pub publications: bool,
}

impl Without {
    /// In words.
    fn names(self) -> Vec<&'static str> {
        let all = [
            (self.roles, "roles"),
            (self.owners || self.roles, "owners"),
            (self.privileges || self.roles, "privileges"),
            (self.comments, "comments"),
            (self.publications, "publications"),
        ];
        all.into_iter().filter(|(left, _)| *left).map(|(_, name)| name).collect()
    }

    /// An object of this kind stayed behind.
    fn has(self, kind: &str) -> bool {
        match kind {
            "role" | "membership" | "role setting" => self.roles,
            "owner" => self.roles || self.owners,
            "privileges" | "default privileges" => self.roles || self.privileges,
            "comment" => self.comments,
            "publication" | "publication schema" => self.publications,
            _ => false,
        }
    }
}

/// The part of the rows that a sample has where nothing else is said, in percent.
pub const PERCENT: f64 = 1.0;

impl From<Check> for How {
    fn from(check: Check) -> Self {
        Self {
            check,
            percent: PERCENT,
            jobs: 4,
            include: Vec::new(),
            exclude: Vec::new(),
            chosen: Chosen::default(),
            without: Without::default(),
            scheduled: false,
        }
    }
}

/// How both ends are read: the source as it was when the data was read.
pub struct Sessions<'a> {
    /// The source.
    pub source: &'a Connector,
    /// The target.
    pub target: &'a Connector,
    /// The exported snapshot; its transaction is still open.
    pub snapshot: &'a str,
    /// The session that holds the locks of the source's tables, where one does.
    pub holder: Option<&'a Arc<Holder>>,
}

/// What may differ, and how.
pub struct Expect<'a> {
    /// The source.
    pub source: &'a Facts,
    /// The target as it was before.
    pub target: &'a Facts,
    /// Rows that the target counted as they came in.
    pub rows: &'a BTreeMap<Relation, u64>,
    /// Tables whose rows stayed behind, which the report says.
    pub skipped: &'a BTreeSet<Relation>,
    /// Sequences as the dump set them.
    pub sequences: &'a BTreeMap<Relation, (i64, bool)>,
    /// What was announced.
    pub findings: Vec<Finding>,
}

/// One thing that is not the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Difference {
    /// What was compared: `rows`, `table`, `owner`, …
    pub kind: String,
    /// Of which object, with quotes where SQL needs them: `app.t`, `"t r" on "a.b".c`.
    pub object: String,
    /// What was expected; none where nothing was.
    pub expected: Option<String>,
    /// What the target has; none where it has nothing.
    pub found: Option<String>,
    /// Why it was to be expected: the rule that announced it, or another reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Where exactly: the rows' keys, a definition's line.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Difference {
    /// Takes secrets out of what both ends have: settings, options and definitions may hold them.
    fn hide_secrets(&mut self) {
        // `default value definition` of `for public.t.api_key`, `type default` of a domain.
        let is_default = self.kind.starts_with("default value") || self.kind.ends_with(" default");
        let is_named = is_default && self.object.rsplit('.').next().is_some_and(secrets::is_secret);
        let is_options = OPTIONS.contains(&self.kind.as_str());
        // Keys of rows are what a person looks for, unless their column is named like a secret; `key` alone is none.
        let is_rows = self.kind.ends_with("rows");
        let is_secret_column = |text: &str| {
            text.split([' ', ',', '(', ')']).any(|word| word != "key" && secrets::is_secret(word))
        };
        let kind = &self.kind;
        let hide = |text: &mut String| {
            if is_rows && !is_secret_column(text) {
                return;
            }
            *text = match kind.as_str() {
                kind if kind.ends_with("setting") => secrets::in_setting(text),
                _ if is_options => secrets::in_options(text),
                _ if is_named && !text.is_empty() => secrets::MASK.to_owned(),
                _ => secrets::in_text(&secrets::in_sql(text)),
            }
        };
        self.expected.iter_mut().chain(&mut self.found).chain(&mut self.details).for_each(hide);
    }
}

/// Kinds of options that are written as SQL writes those of foreign data.
const OPTIONS: [&str; 4] =
    ["foreign-data wrapper options", "server options", "foreign table options", "column foreign options"];

/// Rows that were read on both ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rows {
    /// Tables, chunks, materialized views.
    pub tables: u64,
    /// Their rows on the source.
    pub counted: u64,
    /// Rows that are part of a checksum.
    pub summed: u64,
    /// Bytes that the tables take on the source.
    pub bytes: u64,
}

/// What the comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Verification {
    /// How many things of each kind were compared.
    pub compared: BTreeMap<String, usize>,
    /// How many rows.
    pub rows: Rows,
    /// What differs and was not announced: the migration failed.
    pub differences: Vec<Difference>,
    /// What differs, as announced.
    pub announced: Vec<Difference>,
    /// What could be compared in a lesser way only.
    pub notes: Vec<String>,
}

/// Compares both ends.
///
/// # Errors
/// When one of them cannot be read; a difference is no error here.
pub async fn verify(
    sessions: &Sessions<'_>,
    expect: &Expect<'_>,
    how: impl Into<How>,
    progress: &Progress,
) -> Result<Verification, Error> {
    let how = how.into();
    if how.check == Check::None {
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
    let ends = Ends { source: &source, target: &target, snapshot: &exported };
    let selection = Selection::new(&how.include, &how.exclude, how.chosen.clone())?;
    let of_source = async {
        match sessions.holder {
            Some(holder) => objects(&*holder.turn().await?).await,
            None => objects(&source).await,
        }
    };
    let ((ours, our_rows), (theirs, their_rows)) = tokio::try_join!(of_source, objects(&target))?;
    selection.check(&our_rows.tables.keys().chain(&ours.aggregates).collect::<Vec<_>>())?;
    let mut verification = compare::compare(&ours, &theirs, expect, &how, &selection);
    // A run's plan and dump are older than this comparison.
    if sessions.holder.is_some() {
        gone::explain(&source, &mut verification).await?;
    }
    let held = work::Held { ours: &our_rows, theirs: &their_rows, source: &ours, target: &theirs };
    let task = rows::Task { expect, how: &how, selection: &selection, held: &held };
    rows::compare(sessions, &ends, &task, progress, &mut verification).await?;
    large::compare(&ends, &how, progress, &mut verification).await?;
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
            Err(error) if locked::locked(Error::code(&error)) && tries < locked::TRIES => tries += 1,
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

/// The two sessions that everything but rows is read in.
struct Ends<'a> {
    source: &'a Session,
    target: &'a Session,
    /// The target's exported snapshot; empty where it exports none.
    snapshot: &'a str,
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A session that sees a server as an exported snapshot shows it, or as it is where there is none. Where another session
/// holds the locks (`held`), nothing is waited for long: what is locked is read there.
async fn reader(connector: &Connector, snapshot: &str, held: bool) -> Result<Session, Error> {
    let session = connector.open().await?;
    let import = match snapshot {
        "" => String::new(),
        snapshot => format!("SET TRANSACTION SNAPSHOT {}", literal(snapshot)),
    };
    let lock = if held { "SET LOCAL lock_timeout = '2s'" } else { "" };
    session.run(&format!("{BEGIN}; {import}; {lock}; {}", pinned::views(false, false))).await?;
    Ok(session)
}

/// Asks the server's own catalogs within a transaction that goes on whatever the answer is. What the server refuses is an
/// answer; a session that is lost is an error.
async fn attempt(session: &Session, sql: &str) -> Result<Result<Vec<Row>, Server>, Error> {
    session.run("SAVEPOINT attempt").await?;
    let answer = session.try_ask(sql).await;
    session.run("ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt").await?;
    Ok(answer.map_err(|error| Server::new(&error)))
}
