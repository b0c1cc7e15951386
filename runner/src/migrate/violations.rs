//! `--allow-violations`: constraints and unique indexes that rows of the source break, and that arrive without being
//! checked, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::constraint_questions::{COMMENT, HEIRS, INCOMPLETE, NEEDED, QUESTION, STATE, filled};
use super::{Context, RunContext};
use crate::connect::Session;
use crate::engine::allowed::{Allowed, BY_ROWS, May};
use crate::error::Error;
use crate::inspect::{Facts, Timescale};
use crate::moving::Moving;
use crate::names::{self, Relation};
use crate::quote::{self, identifier, literal};
use crate::results::{Finding, Missing};
use crate::timescale::{self, Catalogs};

/// What kind of thing rows may break.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    ForeignKey,
    Check,
    OfDomain,
    /// A unique index, or a constraint that an index enforces.
    Key,
}

/// One constraint or unique index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Violation {
    kind: Kind,
    /// Its table, or the domain.
    of: Relation,
    name: String,
    /// The statement that adds a CHECK, without the semicolon; empty of other kinds.
    check: String,
    /// The statement that creates it.
    sql: String,
    /// Tables that inherit a CHECK, the nearest first.
    heirs: Vec<Relation>,
    /// The statements that comment on a CHECK, and on those of its heirs: a comment goes with what it is on.
    comments: Vec<String>,
    /// Foreign keys that need the key.
    needed_by: Vec<Need>,
}

/// A foreign key that needs a key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Need {
    table: Relation,
    name: String,
    /// The statement that adds it.
    sql: String,
}

fn add_constraint(alter: &str, name: &str, definition: &str) -> String {
    format!("{alter} ADD CONSTRAINT {} {definition};", identifier(name))
}

impl Violation {
    /// One that a statement creates when all rows are there. `needed_by` are tables, names and statements of foreign keys that
    /// need it.
    pub(super) fn behind_rows(
        is_foreign_key: bool,
        (of, name, sql): (Relation, String, String),
        needed_by: impl Iterator<Item = (Relation, String, String)>,
    ) -> Self {
        Self {
            kind: if is_foreign_key { Kind::ForeignKey } else { Kind::Key },
            of,
            name,
            check: String::new(),
            sql,
            heirs: Vec::new(),
            comments: Vec::new(),
            needed_by: needed_by.map(|(table, name, sql)| Need { table, name, sql }).collect(),
        }
    }

    /// Whether it is the constraint of that name.
    pub(super) fn is(&self, table: &Relation, name: &str) -> bool {
        self.of == *table && self.name == name
    }

    /// The same by the names that the target has for what is in schemas that move.
    ///
    /// # Errors
    /// A defect.
    fn moved(&self, moving: &Moving) -> Result<Self, Error> {
        let schema = moving.schema_of(&self.of);
        let of = Relation::new(schema.as_ref().unwrap_or(&self.of.schema), &self.of.name);
        let need = |need: &Need| {
            let (table, name) = (moving.relation(&need.table), need.name.clone());
            Ok(Need { table, name, sql: moving.statement(&need.sql)? })
        };
        Ok(Self {
            kind: self.kind,
            of,
            name: self.name.clone(),
            check: if self.check.is_empty() { String::new() } else { moving.statement(&self.check)? },
            sql: moving.statement(&self.sql)?,
            heirs: self.heirs.iter().map(|heir| moving.relation(heir)).collect(),
            comments: self.comments.iter().map(|sql| moving.statement(sql)).collect::<Result<_, Error>>()?,
            needed_by: self.needed_by.iter().map(need).collect::<Result<_, Error>>()?,
        })
    }

    fn title(&self) -> String {
        self.of.part(&self.name)
    }

    fn alter(&self) -> String {
        alter(self.kind, &self.of)
    }
}

fn alter(kind: Kind, of: &Relation) -> String {
    format!("ALTER {} {}", if kind == Kind::OfDomain { "DOMAIN" } else { "TABLE" }, of.sql())
}

/// What became of one on the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfulfilled {
    /// As the comparison names it.
    object: String,
    /// It is not there at all.
    gone: bool,
}

impl Unfulfilled {
    /// For the comparison: what was announced.
    pub(super) fn finding(&self) -> Finding {
        Finding {
            rule: "--allow-violations".into(),
            severity: "warning",
            part: "",
            line: 0,
            object: Some(self.object.as_str().into()),
            message: Box::default(),
            solved: true,
            accepted: true,
            lost: self.gone.then(|| self.object.as_str().into()),
            advice: None,
            cause: None,
            view: None,
        }
    }
}

/// What was named by this start, and by those before: what was taken away for them is still to be added.
pub(super) fn given(context: &RunContext, asked: &[String], resumed: bool) -> Vec<String> {
    let before = context.work.saved_plan(&context.run).ok().filter(|_| resumed);
    let mut all = before.map(|plan| plan.allow_violations).unwrap_or_default();
    for given in asked {
        if !all.contains(given) {
            all.push(given.clone());
        }
    }
    all
}

/// The constraints of a source that a person has named.
///
/// # Errors
/// Where a name stands for none, or for one that cannot stay away.
pub(super) async fn find(
    context: &Context,
    all: &[String],
    source: &Session,
    facts: &Facts,
) -> Result<Vec<Violation>, Error> {
    let mut found = Vec::new();
    for given in all {
        let named = named(given).ok_or_else(|| {
            refused(
                given,
                "it is no name of that form",
                "write schema.table.constraint, each as SQL writes it",
            )
        })?;
        let of = (source, !context.args.no_comments);
        let result = match before(context, source, &named).await? {
            Some(old) => match of_name(of, facts, given, old).await {
                // It may be called as on the source.
                Err(Error::Refused { .. }) => of_name(of, facts, given, named).await,
                result => result,
            },
            None => of_name(of, facts, given, named).await,
        };
        match result {
            // Dropped since on the source, or another database's.
            Err(Error::Refused { .. })
                if context.args.one_of_several || !context.args.allow_violations.contains(given) => {}
            result => found.extend(result?),
        }
    }
    Ok(found)
}

/// What a constraint is called on the source that is named as on the target; none where nothing moves to that schema.
async fn before(
    context: &Context,
    source: &Session,
    (table, name): &(Relation, String),
) -> Result<Option<(Relation, String)>, Error> {
    let map = context.args.schemas.of(context.source.endpoint().database())?;
    let Some(map) = map.and_then(|map| map.only) else { return Ok(None) };
    let schemas: Vec<String> = source.ask_list("SELECT nspname FROM pg_catalog.pg_namespace").await?;
    let old = schemas.iter().find(|schema| map.moved(schema).as_deref() == Some(&table.schema));
    Ok(old.map(|old| (Relation::new(old, &table.name), name.clone())))
}

/// The same by the names that the target has for them.
///
/// # Errors
/// A defect.
pub(super) fn on_target(context: &Context, violations: &[Violation]) -> Result<Vec<Violation>, Error> {
    match context.moving() {
        Some(moving) => violations.iter().map(|violation| violation.moved(&moving)).collect(),
        None => Ok(violations.to_vec()),
    }
}

pub(super) fn refused(given: &str, what: &str, next: &str) -> Error {
    Error::Refused { what: format!("--allow-violations {given}: {what}"), next: vec![next.to_owned()] }
}

/// Schema, table and constraint as SQL writes them: folded to lower case where they are not in quotes.
pub(super) fn named(given: &str) -> Option<(Relation, String)> {
    let mut in_quotes = false;
    let fold = |c: char| {
        in_quotes ^= c == '"';
        if in_quotes { c } else { c.to_ascii_lowercase() }
    };
    let text: String = quote::from_argument(given)?.chars().map(fold).collect();
    let (table, rest) = names::read(&text)?;
    let (name, rest) = names::part(rest.strip_prefix('.')?)?;
    rest.is_empty().then_some((table, name))
}

/// The statements that comment on a CHECK and on those of its heirs.
async fn comments(
    source: &Session,
    kind: Kind,
    name: &str,
    tables: impl Iterator<Item = &Relation>,
) -> Result<Vec<String>, Error> {
    let of = if kind == Kind::OfDomain { "DOMAIN " } else { "" };
    let mut all = Vec::new();
    for table in tables {
        for comment in source.ask_list::<Vec<String>>(&filled(COMMENT, table, name)).await? {
            let (name, comment) = (identifier(name), literal(&comment));
            all.push(format!("COMMENT ON CONSTRAINT {name} ON {of}{} IS {comment}", table.sql()));
        }
    }
    Ok(all)
}

async fn of_name(
    (source, with_comments): (&Session, bool),
    facts: &Facts,
    given: &str,
    (table, name): (Relation, String),
) -> Result<Vec<Violation>, Error> {
    let mut found = Vec::new();
    for row in source.ask(&filled(QUESTION, &table, &name)).await? {
        let kind = match row.text(0)? {
            "f" => Kind::ForeignKey,
            "c" => Kind::Check,
            "d" => Kind::OfDomain,
            _ => Kind::Key,
        };
        let (of, name) = (row.relation(2)?, row.text(4)?.to_owned());
        let hypertable = facts.timescale.iter().flat_map(Timescale::tables).any(|table| *table == of);
        if hypertable || timescale::is_own(&of.schema) {
            let why = format!("{of} is TimescaleDB's, whose constraints cannot stay away");
            return Err(refused(given, &why, "correct the rows on the source"));
        }
        let mut heirs = Vec::new();
        if kind == Kind::Check {
            for row in source.ask(&filled(HEIRS, &of, &name)).await? {
                heirs.push(row.relation(0)?);
            }
        }
        let is_check = matches!(kind, Kind::Check | Kind::OfDomain);
        let comments = if is_check && with_comments {
            comments(source, kind, &name, std::iter::once(&of).chain(&heirs)).await?
        } else {
            Vec::new()
        };
        let mut needed_by = Vec::new();
        if kind == Kind::Key {
            for row in source.ask(&filled(NEEDED, &of, &name)).await? {
                if let Some(other) = row.optional(3)? {
                    let why = format!("{other} needs it, and would be another thing without it");
                    return Err(refused(given, &why, "correct the rows on the source"));
                }
                let (table, name) = (row.relation(0)?, row.text(2)?.to_owned());
                let sql = add_constraint(&alter(Kind::ForeignKey, &table), &name, row.text(4)?);
                needed_by.push(Need { table, name, sql });
            }
        }
        let whole = row.text(1)?;
        let sql = match row.text(0)? {
            "i" => format!("{whole};"),
            _ => add_constraint(&alter(kind, &of), &name, whole),
        };
        let check = if is_check { sql.trim_end_matches(';').to_owned() } else { String::new() };
        found.push(Violation { kind, of, name, check, sql, heirs, comments, needed_by });
    }
    if found.is_empty() {
        let what = "the source has no foreign key, CHECK, unique index or exclusion constraint of that name";
        return Err(refused(given, what, "look there: psql -X \"$SOURCE\" -c '\\d schema.table'"));
    }
    Ok(found)
}

/// Why a constraint of the source cannot stay away, if so.
///
/// # Errors
/// When the source refuses a question.
pub(super) async fn why_it_stays(
    source: &Session,
    given: &str,
    moving: Option<&Moving>,
) -> Result<Option<String>, Error> {
    let Some((table, name)) = named(given) else { return Ok(None) };
    let table = moving.map_or_else(|| table.clone(), |moving| moving.before(&table));
    if let Some(hypertable) = hypertable_of(source, &table).await? {
        return Ok(Some(format!("it is of the hypertable {hypertable}, whose constraints cannot stay away")));
    }
    if timescale::is_own(&table.schema) {
        return Ok(Some("it is TimescaleDB's own".to_owned()));
    }
    for row in source.ask(&filled(NEEDED, &table, &name)).await? {
        if let Some(other) = row.optional(3)? {
            return Ok(Some(format!("{other} needs it, and would be another thing without it")));
        }
    }
    Ok(None)
}

/// The hypertable that a table is, or is a chunk of.
async fn hypertable_of(session: &Session, table: &Relation) -> Result<Option<Relation>, Error> {
    let catalogs = Catalogs::read(session).await?;
    if catalogs.is_empty() {
        return Ok(None);
    }
    let question = format!(
        "SELECT DISTINCT h.schema_name, h.table_name FROM ({}) h LEFT JOIN ({}) c ON c.hypertable_id = h.id \
         WHERE pg_catalog.to_regclass({}) IN (h.relid, c.relid)",
        catalogs.hypertables()?,
        catalogs.chunks()?,
        literal(&table.sql())
    );
    session.ask(&question).await?.first().map(|row| row.relation(0)).transpose()
}

/// What of post-data may stay away.
pub(super) fn allowed(violations: &[Violation]) -> Allowed {
    let mut allowed = Allowed::default();
    for violation in violations {
        allowed.add(&violation.of, &violation.name, May::BreakIt);
        for need in &violation.needed_by {
            allowed.add(&need.table, &need.name, May::LackItsKey);
        }
    }
    allowed
}

/// Takes CHECKs away that rows may break, before there are rows.
pub(super) async fn before_rows(target: &Session, violations: &[Violation]) -> Result<(), Error> {
    for violation in violations.iter().filter(|violation| !violation.check.is_empty()) {
        let name = identifier(&violation.name);
        let mut sql = format!("{} DROP CONSTRAINT IF EXISTS {name}", violation.alter());
        for heir in &violation.heirs {
            // Writing to a String cannot fail.
            let _ = write!(sql, "; ALTER TABLE {} DROP CONSTRAINT IF EXISTS {name}", heir.sql());
        }
        target.run(&sql).await?;
    }
    Ok(())
}

/// Adds them again: as they are where rows fulfil them, else for new rows alone.
pub(super) async fn after_rows(target: &Session, violations: &[Violation]) -> Result<(), Error> {
    for violation in violations.iter().filter(|violation| !violation.check.is_empty()) {
        let add = &violation.check;
        match target.run(add).await {
            // Of a domain that an array holds no rows are looked at (`feature_not_supported`).
            Err(error) if BY_ROWS.contains(&error.code()) || error.code() == "0A000" => {
                target.run(&format!("{add} NOT VALID")).await?;
            }
            result => result?,
        }
        for comment in &violation.comments {
            target.run(comment).await?;
        }
    }
    Ok(())
}

/// Unique indexes that were left out: what else of the dump is about them cannot be done.
pub(super) async fn keys_left_out(
    target: &Session,
    violations: &[Violation],
) -> Result<BTreeSet<Relation>, Error> {
    let mut gone = BTreeSet::new();
    for violation in violations.iter().filter(|violation| violation.kind == Kind::Key) {
        if target.ask_one(&filled(STATE, &violation.of, &violation.name)).await?.is_none() {
            gone.insert(Relation::new(&violation.of.schema, &violation.name));
        }
    }
    Ok(gone)
}

/// What the target lacks in the end, in words and for the comparison.
pub(super) async fn unfulfilled(
    target: &Session,
    violations: &[Violation],
) -> Result<(Vec<Missing>, Vec<Unfulfilled>), Error> {
    let (mut missing, mut all, mut incomplete) = (Vec::new(), Vec::new(), BTreeMap::new());
    let mut note = |kind: Kind, of: &Relation, (name, sql): (&str, &str), state: Option<&str>, why: &str| {
        let title = of.part(name);
        let (what, sql) = match state {
            Some("valid") => return,
            Some(_) => (
                format!("the check of {title} over the existing rows (it is NOT VALID)"),
                format!("{} VALIDATE CONSTRAINT {};", alter(kind, of), identifier(name)),
            ),
            None => (title.clone(), sql.to_owned()),
        };
        let gone = state.is_none();
        missing.push(Missing { what, why: why.to_owned(), sql: Some(sql) });
        all.push(Unfulfilled { object: title, gone });
        if gone {
            all.push(Unfulfilled { object: Relation::new(&of.schema, name).to_string(), gone });
        }
    };
    for violation in violations {
        let state = target.ask_one(&filled(STATE, &violation.of, &violation.name)).await?;
        let (kind, own) = (violation.kind, (violation.name.as_str(), violation.sql.as_str()));
        note(kind, &violation.of, own, state.as_deref(), "rows break it (--allow-violations)");
        for heir in &violation.heirs {
            let state = target.ask_one(&filled(STATE, heir, &violation.name)).await?;
            note(kind, heir, own, state.as_deref(), "rows break it (--allow-violations)");
        }
        if kind == Kind::Key && state.is_none() {
            for row in target.ask(&filled(INCOMPLETE, &violation.of, &violation.name)).await? {
                let of = row.relation(0)?;
                incomplete.insert((Relation::new(&of.schema, row.text(2)?), of), violation.title());
            }
        }
        for Need { table, name, sql } in &violation.needed_by {
            let state = target.ask_one(&filled(STATE, table, name)).await?;
            let why = format!("it needs {}, which does not exist", violation.title());
            note(Kind::ForeignKey, table, (name, sql), state.as_deref(), &why);
        }
    }
    for ((index, of), part) in incomplete {
        missing.push(Missing {
            what: format!("a part of index {index} on {of}, which is invalid"),
            why: format!("it needs {part}, which does not exist"),
            sql: None,
        });
        all.push(Unfulfilled { object: format!("{index} on {of}"), gone: false });
    }
    Ok((missing, all))
}
