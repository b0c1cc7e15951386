//! A schema that has changed on the source in what the target has already: what is gone is dropped from the target, what is
//! new is created, and what has changed is done again, with everything that depends on it.
//!
//! The target's server knows what depends on what: it drops with CASCADE, all statements of the dump run once more in their
//! order, and those whose objects exist are refused for that. Which rows and indexes went with it is asked of the target
//! before and after. Everything happens in one transaction, with the marks and what the run has to know of its schema.

use std::collections::{BTreeMap, BTreeSet};

use tsmigrate_analyzer::facts::names::strings;
use tsmigrate_analyzer::parse::{self, NodeEnum, pg};

use super::Context;
use super::refusal::begin_anew;
use super::undone;
use crate::connect::Session;
use crate::engine::builds;
use crate::engine::marks::Marks;
use crate::engine::statements;
use crate::error::{Error, Server};
use crate::names::Relation;
use crate::quote::literal;
use crate::script::{self, Class, Statement, Subject};
use crate::step::{List, Step};
use crate::workdir::{SavedSchema, SavedStatement};

/// What has changed.
pub(super) struct Change<'a> {
    /// The statements before the rows in the dump's order, each with whether the target has run it as it is.
    pub(super) order: Vec<(Statement, bool)>,
    /// Those before the rows that the target has run and that are gone.
    pub(super) gone: Vec<&'a SavedStatement>,
    /// What drops what was built of statements after the rows that are gone.
    pub(super) undo: Vec<String>,
    /// Steps that have to be done again.
    pub(super) again: Vec<Step>,
    /// How many places the list before the rows has, where new statements are to run here; none where their stage is still to
    /// come.
    pub(super) places: Option<usize>,
}

/// What the change has to be called where it cannot be done.
fn impossible(context: &Context, what: &str, why: &str) -> Error {
    Error::Refused {
        what: format!(
            "--resume --new-snapshot: {what} has changed on the source, and cannot be changed on the target: {why}"
        ),
        next: vec![begin_anew(context)],
    }
}

/// Has the target follow a change, in one transaction.
///
/// # Errors
/// Where something of it cannot be done, by name; then nothing of it has happened.
pub(super) async fn apply(
    context: &Context,
    marks: &Marks,
    change: &Change<'_>,
    post_data: &[Statement],
    schema: &SavedSchema,
) -> Result<(), Error> {
    let session = context.target.open().await?;
    session.run("SET check_function_bodies = off").await?;
    let grown = grown_enums(&session, change).await?;
    session.run("BEGIN").await?;
    for undo in &change.undo {
        session.run(undo).await?;
    }
    let replaced = replaced(&session, change).await?;
    let mut drops = Vec::new();
    for gone in change.gone.iter().rev() {
        let name = gone.name.as_deref().unwrap_or("something");
        if grown.contains(name) || replaced.contains(name) {
            continue;
        }
        match gone.undo.as_deref() {
            None => return Err(impossible(context, name, "tsmigrate knows no statement that drops it")),
            Some(undo) if undone::drops(undo) => drops.push((name, undo)),
            Some(undo) => session.run(undo).await?,
        }
    }
    let before = held(&session).await?;
    for (name, drop) in &drops {
        session.run(drop).await.map_err(|error| explained(context, name, &error))?;
    }
    drop_hurt(&session, &before).await?;
    if change.places.is_some() {
        run_all(context, &session, change, &grown, &replaced, !drops.is_empty()).await?;
        drop_overloads(context, &session, change, &replaced).await?;
    }
    let after = held(&session).await?;
    let vanished: BTreeSet<&Object> = before
        .iter()
        .filter(|(object, there)| !there.is_same(after.get(object)))
        .map(|(object, _)| object)
        .collect();
    let mut forgotten = change.again.clone();
    forgotten.extend(lost_steps(marks, &vanished, post_data));
    if !change.order.iter().all(|(_, known)| *known) || !vanished.is_empty() {
        forgotten.extend([Step::Owners, Step::Access]);
    }
    let mut done = Vec::new();
    if let Some(places) = change.places {
        forgotten.extend(marks.of_list(List::PreData));
        done.extend(statements::steps(List::PreData, places).into_iter().map(|(step, _)| step));
    }
    let noted: String = done.iter().map(|step| Marks::sql(step, 0) + "; ").collect();
    let text = serde_json::to_string(schema).map_err(|error| Error::Defect(error.to_string()))?;
    let forget =
        if forgotten.is_empty() { String::new() } else { format!("{}; ", Marks::forget_sql(&forgotten)) };
    session.run(&format!("{forget}{noted}{}; COMMIT", Marks::schema_sql(&text))).await?;
    marks.forget(&forgotten);
    for step in &done {
        marks.note(step, 0);
    }
    Ok(())
}

fn explained(context: &Context, name: &str, error: &Error) -> Error {
    let answer = error.answer().map_or_else(|| error.to_string(), ToString::to_string);
    impossible(context, name, &answer)
}

/// A relation, or a constraint of one.
type Object = (Relation, Option<String>);

/// One that the target has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct There {
    oid: u32,
    kind: String,
    /// What a table is made of, as far as it may go with something else: columns, defaults, checks.
    parts: Option<String>,
}

impl There {
    fn is_same(&self, other: Option<&Self>) -> bool {
        other.is_some_and(|other| other.oid == self.oid)
    }
}

/// Relations and constraints, but those of the system and of the run itself.
const HELD: &str = "
SELECT n.nspname, c.relname, NULL, c.oid, c.relkind, CASE WHEN c.relkind IN ('r', 'p', 'f') THEN pg_catalog.md5(pg_catalog.concat_ws('|',
  (SELECT pg_catalog.string_agg(pg_catalog.concat_ws(' ', a.attname, a.atttypid, a.atthasdef), ',' ORDER BY a.attnum)
   FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT pg_catalog.string_agg(k.conname, ',' ORDER BY k.conname)
   FROM pg_catalog.pg_constraint k WHERE k.conrelid = c.oid AND k.contype = 'c'))) END
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_tsmigrate')
UNION ALL SELECT n.nspname, t.relname, k.conname, k.oid, 'k', NULL FROM pg_catalog.pg_constraint k
JOIN pg_catalog.pg_class t ON t.oid = k.conrelid JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
WHERE k.contype IN ('p', 'u', 'x', 'f') AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', '_tsmigrate')";

async fn held(session: &Session) -> Result<BTreeMap<Object, There>, Error> {
    let rows = session.ask(HELD).await?;
    let of = |row: &crate::connect::Row| {
        let there = There {
            oid: row.number(3)?,
            kind: row.text(4)?.to_owned(),
            parts: row.optional(5)?.map(str::to_owned),
        };
        Ok(((row.relation(0)?, row.optional(2)?.map(str::to_owned)), there))
    };
    rows.iter().map(of).collect()
}

/// Drops tables that have lost a column, a default or a check to what was dropped: they are created anew as a whole.
async fn drop_hurt(session: &Session, before: &BTreeMap<Object, There>) -> Result<(), Error> {
    loop {
        let now = held(session).await?;
        let is_hurt = |object: &Object, was: &There| {
            now.get(object).is_some_and(|is| is.oid == was.oid && is.parts != was.parts)
        };
        let hurt: Vec<String> = before
            .iter()
            .filter(|(object, was)| is_hurt(object, was))
            .map(|((relation, _), was)| {
                let what = if was.kind == "f" { "FOREIGN TABLE" } else { "TABLE" };
                format!("DROP {what} IF EXISTS {} CASCADE", relation.sql())
            })
            .collect();
        if hurt.is_empty() {
            return Ok(());
        }
        session.run(&hurt.join("; ")).await?;
    }
}

/// Answers of a server that has what a statement creates.
const EXISTS: [&str; 11] = [
    "42P06", "42P07", "42710", "42723", "42701", "23505", // it is an identity column already
    "55000", // it is a partition already
    "42809", // it inherits already, or is a hypertable already
    "42P16", "42P17", "TS110",
];

/// Runs what is new; where something was dropped, what is as it was too, for it may have gone with that.
async fn run_all(
    context: &Context,
    session: &Session,
    change: &Change<'_>,
    grown: &BTreeSet<String>,
    replaced: &BTreeSet<String>,
    dropped: bool,
) -> Result<(), Error> {
    for (statement, known) in &change.order {
        let is_setting = statement.class == Class::Setting;
        if *known && !dropped && !is_setting {
            continue;
        }
        let subject = if *known { None } else { script::subject(&statement.sql) };
        let name = subject.map(|(_, name)| name).unwrap_or_default();
        if grown.contains(&name) {
            continue;
        }
        let sql = if replaced.contains(&name) { or_replace(&statement.sql) } else { statement.sql.clone() };
        let Err(error) = attempt(session, &sql).await? else { continue };
        if is_setting || *known && EXISTS.contains(&error.code.as_str()) {
            continue;
        }
        let name = match script::subject(&statement.sql) {
            Some((_, name)) => name,
            None => format!("line {} of pre-data", statement.line),
        };
        return Err(impossible(context, &name, &error.to(&statement.sql).to_string()));
    }
    Ok(())
}

/// Runs a statement; what the server answers where it refuses it. The transaction goes on.
async fn attempt(session: &Session, sql: &str) -> Result<Result<(), Server>, Error> {
    let all = format!("SAVEPOINT anew; {sql}\n; RELEASE SAVEPOINT anew");
    let Err(error) = session.client().batch_execute(&all).await else { return Ok(Ok(())) };
    let error = Server::new(&error);
    session.run("ROLLBACK TO SAVEPOINT anew; RELEASE SAVEPOINT anew").await?;
    Ok(Err(error))
}

fn or_replace(sql: &str) -> String {
    sql.replacen("CREATE ", "CREATE OR REPLACE ", 1)
}

/// Answers to CREATE OR REPLACE where something else than a body has changed.
const NOT_REPLACED: [&str; 3] = ["42P13", "42P16", "42809"];

/// Functions and views of which the new one takes the place of the old one.
async fn replaced(session: &Session, change: &Change<'_>) -> Result<BTreeSet<String>, Error> {
    let mut replaced = BTreeSet::new();
    for (statement, _) in change.order.iter().filter(|(_, known)| !known) {
        let Some((Subject::Replaceable, name)) = script::subject(&statement.sql) else { continue };
        if !change.gone.iter().any(|gone| gone.name.as_deref() == Some(&name)) {
            continue;
        }
        let tried =
            attempt(session, &format!("{}\n; ROLLBACK TO SAVEPOINT anew", or_replace(&statement.sql)))
                .await?;
        if !tried.is_err_and(|error| NOT_REPLACED.contains(&error.code.as_str())) {
            replaced.insert(name);
        }
    }
    Ok(replaced)
}

const ROUTINES: &str = "
SELECT p.oid::pg_catalog.regprocedure::pg_catalog.text FROM pg_catalog.pg_proc p
JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
WHERE pg_catalog.format('%I.%I', n.nspname, p.proname) = ";

/// Of functions that were replaced, those of the same name that the source does not have any more.
async fn drop_overloads(
    context: &Context,
    session: &Session,
    change: &Change<'_>,
    replaced: &BTreeSet<String>,
) -> Result<(), Error> {
    let routine = |name: &String| {
        let (kind, name) = name.split_once(' ')?;
        ["function", "procedure"].contains(&kind).then(|| name.to_owned())
    };
    let names: Vec<String> = replaced.iter().filter_map(routine).collect();
    if names.is_empty() || change.gone.is_empty() {
        return Ok(());
    }
    let source = context.source.open().await?;
    for name in names {
        let question = format!("{ROUTINES}{}", literal(&name));
        let wanted: BTreeSet<String> = source.ask_list(&question).await?;
        let found: Vec<String> = session.ask_list(&question).await?;
        for routine in found.iter().filter(|routine| !wanted.contains(*routine)) {
            let drop = format!("DROP ROUTINE {routine}");
            session.run(&drop).await.map_err(|error| explained(context, &name, &error))?;
        }
    }
    Ok(())
}

/// Enums that have got more values: they are added. Their names. Added values can be used only when that is committed.
async fn grown_enums(session: &Session, change: &Change<'_>) -> Result<BTreeSet<String>, Error> {
    let mut grown = BTreeSet::new();
    for (statement, _) in change.order.iter().filter(|(_, known)| !known) {
        let Some(parsed) = parse::parse(&statement.sql, true).ok().flatten() else { continue };
        let NodeEnum::CreateEnumStmt(create) = parsed.node() else { continue };
        let Some((_, name)) = script::subject(&statement.sql) else { continue };
        if !change.gone.iter().any(|gone| gone.name.as_deref() == Some(&name)) {
            continue;
        }
        let Some(kind) = enum_name(create) else { continue };
        let question = format!(
            "SELECT e.enumlabel FROM pg_catalog.pg_enum e JOIN pg_catalog.pg_type t ON t.oid = e.enumtypid \
             JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
             WHERE n.nspname = {} AND t.typname = {} ORDER BY e.enumsortorder",
            literal(&kind.schema),
            literal(&kind.name)
        );
        let old: Vec<String> = session.ask_list(&question).await?;
        let Some(added) = added(&old, &strings(&create.vals)) else { continue };
        for value in added {
            session.run(&format!("ALTER TYPE {} ADD VALUE IF NOT EXISTS {value}", kind.sql())).await?;
        }
        grown.insert(name);
    }
    Ok(grown)
}

fn enum_name(create: &pg::CreateEnumStmt) -> Option<Relation> {
    match strings(&create.type_name)[..] {
        [schema, name] => Some(Relation::new(schema, name)),
        _ => None,
    }
}

/// Values that an enum has got, each with its place; none where it has lost some, or has them in another order.
fn added(old: &[String], new: &[&str]) -> Option<Vec<String>> {
    let first = old.first()?;
    let mut rest = old.iter().peekable();
    let mut added = Vec::new();
    let mut before: Option<&str> = None;
    for value in new {
        if rest.next_if(|old| old == value).is_none() {
            let place = before.map_or_else(
                || format!("BEFORE {}", literal(first)),
                |value| format!("AFTER {}", literal(value)),
            );
            added.push(format!("{} {place}", literal(value)));
        }
        before = Some(value);
    }
    rest.next().is_none().then_some(added)
}

/// Steps whose effect has gone with relations and constraints.
fn lost_steps(marks: &Marks, vanished: &BTreeSet<&Object>, post_data: &[Statement]) -> Vec<Step> {
    if vanished.is_empty() {
        return Vec::new();
    }
    let gone = |relation: &Relation, part: Option<&str>| {
        vanished.contains(&(relation.clone(), part.map(str::to_owned)))
    };
    let mut lost = marks.steps();
    lost.retain(|step| match step {
        Step::Table(table) | Step::CopyRange(table, _, _) => gone(table, None),
        _ => false,
    });
    let all = builds::built(post_data);
    for built in &all {
        let table = &built.relation;
        let own = built
            .name
            .as_deref()
            .is_some_and(|name| gone(table, Some(name)) || gone(&Relation::new(&table.schema, name), None));
        if own || gone(table, None) {
            let number = built.number;
            lost.extend([Step::Build(number), Step::Index(number)]);
            // One check is for all keys of a table, by the number of the first.
            let same = all.iter().filter(|other| other.relation == *table);
            lost.extend(same.map(|other| Step::Check(other.number)));
        }
    }
    lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_enum_grows_where_its_old_values_stay_in_their_order() {
        let old = ["b", "d"].map(str::to_owned);
        assert_eq!(
            added(&old, &["a", "b", "c", "d", "e'"]).expect("it has grown"),
            ["'a' BEFORE 'b'", "'c' AFTER 'b'", "'e''' AFTER 'd'"]
        );
        assert_eq!(added(&old, &["a", "z", "b", "d"]).expect("two"), ["'a' BEFORE 'b'", "'z' AFTER 'a'"]);
        assert_eq!(added(&old, &["d", "b"]), None);
        assert_eq!(added(&old, &["b"]), None);
        assert_eq!(added(&[], &["a"]), None);
    }
}
