//! `--allow-violations`: constraints and unique indexes that rows of the source break, and that arrive without being
//! checked, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{Context, RunContext};
use crate::connect::Session;
use crate::engine::allowed::{Allowed, BY_ROWS, May};
use crate::error::Error;
use crate::inspect::{Facts, Timescale};
use crate::names::{self, Relation};
use crate::quote::{self, identifier, literal};
use crate::results::{Finding, Missing};
use crate::timescale;

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
    /// `CHECK (…)`; empty of other kinds.
    definition: String,
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
            definition: String::new(),
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
        match of_name((source, !context.args.no_comments), facts, given, named).await {
            // Dropped since on the source.
            Err(Error::Refused { .. }) if !context.args.allow_violations.contains(given) => {}
            result => found.extend(result?),
        }
    }
    Ok(found)
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

/// The constraint or unique index `{name}` of `{table}` in `{schema}`: kind, definition, table and name. A foreign key or a CHECK
/// that a partition has from its root is that of the root.
const QUESTION: &str = "
WITH RECURSIVE c AS (
  SELECT k.oid, k.conparentid, k.contype, k.conrelid, k.contypid, k.conname FROM pg_catalog.pg_constraint k
  LEFT JOIN pg_catalog.pg_class t ON t.oid = k.conrelid LEFT JOIN pg_catalog.pg_type d ON d.oid = k.contypid
  JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(t.relnamespace, d.typnamespace)
  WHERE n.nspname = {schema} AND coalesce(t.relname, d.typname) = {table} AND k.conname = {name}
    AND k.contype IN ('f', 'c', 'p', 'u', 'x')
  UNION SELECT p.oid, p.conparentid, p.contype, p.conrelid, p.contypid, p.conname FROM c
  JOIN pg_catalog.pg_constraint p ON c.contype = 'f' AND p.oid = c.conparentid OR c.contype = 'c' AND p.contype = 'c'
    AND p.conname = c.conname AND p.conrelid IN (SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.conrelid))
SELECT CASE WHEN c.contypid <> 0 THEN 'd' ELSE c.contype::text END, pg_catalog.pg_get_constraintdef(c.oid), n.nspname,
       coalesce(t.relname, d.typname), c.conname
FROM c LEFT JOIN pg_catalog.pg_class t ON t.oid = c.conrelid LEFT JOIN pg_catalog.pg_type d ON d.oid = c.contypid
JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(t.relnamespace, d.typnamespace)
WHERE c.contype NOT IN ('f', 'c') OR NOT EXISTS (SELECT FROM c a WHERE c.contype = 'f' AND a.oid = c.conparentid
  OR c.contype = 'c' AND a.conrelid IN (SELECT i.inhparent FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.conrelid))
UNION ALL SELECT 'i', pg_catalog.pg_get_indexdef(i.indexrelid), n.nspname, t.relname, x.relname
FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE i.indisunique AND n.nspname = {schema} AND t.relname = {table} AND x.relname = {name}
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))";

/// What needs the index of that name: foreign keys, by their root, and anything else, by a description.
const NEEDED: &str = "
WITH RECURSIVE x AS (
  SELECT x.oid FROM pg_catalog.pg_class x JOIN pg_catalog.pg_namespace n ON n.oid = x.relnamespace
  WHERE n.nspname = {schema} AND x.relname = {name} AND x.relkind IN ('i', 'I')
  UNION SELECT i.inhparent FROM x JOIN pg_catalog.pg_inherits i ON i.inhrelid = x.oid),
k AS (SELECT k.oid FROM pg_catalog.pg_constraint k JOIN x ON k.conindid = x.oid WHERE k.contype IN ('p', 'u', 'x'))
SELECT n.nspname, t.relname, f.conname, NULL, pg_catalog.pg_get_constraintdef(f.oid) FROM pg_catalog.pg_constraint f JOIN x ON x.oid = f.conindid
JOIN pg_catalog.pg_class t ON t.oid = f.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0
UNION ALL SELECT NULL, NULL, NULL, pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid), NULL
FROM pg_catalog.pg_depend d
WHERE (d.refclassid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM k)
    OR d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjid IN (SELECT oid FROM x))
  AND d.deptype = 'n' AND d.classid IN ('pg_catalog.pg_rewrite'::pg_catalog.regclass, 'pg_catalog.pg_proc'::pg_catalog.regclass)";

/// Tables that inherit from `{schema}.{table}`, the nearest first.
const HEIRS: &str = "
WITH RECURSIVE h AS (
  SELECT c.oid, 0 AS depth FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = {schema} AND c.relname = {table}
  UNION SELECT i.inhrelid, h.depth + 1 FROM h JOIN pg_catalog.pg_inherits i ON i.inhparent = h.oid)
SELECT n.nspname, c.relname FROM h JOIN pg_catalog.pg_class c ON c.oid = h.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE h.depth > 0
GROUP BY 1, 2 ORDER BY max(h.depth), 1, 2";

/// Comments on the CHECK `{name}` of `{schema}.{table}`, which may be a domain.
const COMMENT: &str = "
SELECT e.description FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_description e ON e.classoid = k.tableoid AND e.objoid = k.oid
LEFT JOIN pg_catalog.pg_class t ON t.oid = k.conrelid LEFT JOIN pg_catalog.pg_type d ON d.oid = k.contypid
JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(t.relnamespace, d.typnamespace)
WHERE n.nspname = {schema} AND coalesce(t.relname, d.typname) = {table} AND k.conname = {name} AND k.contype = 'c'";

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

fn filled(question: &str, table: &Relation, name: &str) -> String {
    // Names may hold braces: each place is filled once, from the end.
    let mut out = String::new();
    let mut rest = question;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((place, after)) = after.split_once('}') else { break };
        out.push_str(before);
        out.push_str(&literal(match place {
            "schema" => &table.schema,
            "table" => &table.name,
            _ => name,
        }));
        rest = after;
    }
    out + rest
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
        let definition = if is_check { whole } else { "" }.to_owned();
        found.push(Violation { kind, of, name, definition, sql, heirs, comments, needed_by });
    }
    if found.is_empty() {
        let what = "the source has no foreign key, CHECK, unique index or exclusion constraint of that name";
        return Err(refused(given, what, "look there: psql -X \"$SOURCE\" -c '\\d schema.table'"));
    }
    Ok(found)
}

/// What of the source needs a constraint, and would be another thing without it: such a constraint cannot stay away.
///
/// # Errors
/// When the source refuses the question.
pub(super) async fn needing(source: &Session, given: &str) -> Result<Option<String>, Error> {
    let Some((table, name)) = named(given) else { return Ok(None) };
    for row in source.ask(&filled(NEEDED, &table, &name)).await? {
        if let Some(other) = row.optional(3)? {
            return Ok(Some(other.to_owned()));
        }
    }
    Ok(None)
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
    for violation in violations.iter().filter(|violation| !violation.definition.is_empty()) {
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
    for violation in violations.iter().filter(|violation| !violation.definition.is_empty()) {
        let (alter, definition) = (violation.alter(), &violation.definition);
        let add = format!("{alter} ADD CONSTRAINT {} {definition}", identifier(&violation.name));
        match target.run(&add).await {
            Err(error) if BY_ROWS.contains(&error.code()) => target.run(&format!("{add} NOT VALID")).await?,
            result => result?,
        }
        for comment in &violation.comments {
            target.run(comment).await?;
        }
    }
    Ok(())
}

/// What the target has of a constraint or an index of that name: `valid`, `not valid`, or nothing.
const STATE: &str = "
SELECT CASE WHEN valid THEN 'valid' ELSE 'not valid' END FROM (
  SELECT k.convalidated FROM pg_catalog.pg_constraint k
  LEFT JOIN pg_catalog.pg_class t ON t.oid = k.conrelid LEFT JOIN pg_catalog.pg_type d ON d.oid = k.contypid
  JOIN pg_catalog.pg_namespace n ON n.oid = coalesce(t.relnamespace, d.typnamespace)
  WHERE n.nspname = {schema} AND coalesce(t.relname, d.typname) = {table} AND k.conname = {name}
  UNION ALL SELECT i.indisvalid FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
  WHERE n.nspname = {schema} AND t.relname = {table} AND x.relname = {name}) found(valid) ORDER BY valid LIMIT 1";

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

/// Indexes of what a table is a partition of, which are invalid until each partition has its own.
const INCOMPLETE: &str = "
WITH RECURSIVE up(oid) AS (
  SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {schema} AND c.relname = {table}
  UNION SELECT i.inhparent FROM pg_catalog.pg_inherits i JOIN up ON i.inhrelid = up.oid)
SELECT n.nspname, t.relname, x.relname FROM up JOIN pg_catalog.pg_index i ON i.indrelid = up.oid AND NOT i.indisvalid
JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace ORDER BY 1, 2, 3";

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
