//! A schema that has changed on the source in what the target has already: what is gone is dropped from the target, what is
//! new is created, and what has changed is done again, with everything that depends on it.
//!
//! The target's server knows what depends on what: it drops with CASCADE, all statements of the dump run once more in their
//! order, and those whose objects exist are refused for that. Which rows and indexes went with it is asked of the target
//! before and after. Everything happens in one transaction, with the marks and what the run has to know of its schema.

use std::collections::{BTreeMap, BTreeSet};

use tsmigrate_analyzer::facts::names::strings;
use tsmigrate_analyzer::parse::{self, NodeEnum};

use super::Context;
use super::refusal::begin_anew;
use super::{enums, others, undone};
use crate::connect::Session;
use crate::engine::builds;
use crate::engine::marks::Marks;
use crate::engine::statements;
use crate::error::{Error, Server};
use crate::names::{self, Relation};
use crate::quote::{identifier, literal};
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
    /// Objects that the source has or had.
    pub(super) known: BTreeSet<String>,
    /// What takes back grants and owners that are gone.
    pub(super) revoked: Vec<String>,
    /// Statements that create new schemas, and the names of those that are gone.
    pub(super) schemas: (Vec<String>, Vec<String>),
}

impl Change<'_> {
    /// The statements before the rows that the target has not run.
    fn unknown(&self) -> impl Iterator<Item = &Statement> {
        self.order.iter().filter(|(_, known)| !known).map(|(statement, _)| statement)
    }
}

/// What has to be dropped first.
struct Drops<'a> {
    /// What takes back a part of an object.
    parts: Vec<&'a str>,
    /// What drops an object, with its name.
    whole: Vec<(&'a str, &'a str)>,
    /// What drops that which was built behind the rows, the last first: others need the first.
    built: Vec<&'a str>,
}

impl<'a> Drops<'a> {
    fn of(
        context: &Context,
        change: &'a Change<'_>,
        grown: &BTreeSet<String>,
        replaced: &BTreeSet<String>,
    ) -> Result<Self, Error> {
        let built = change.undo.iter().rev().map(String::as_str).collect();
        let mut drops = Self { parts: Vec::new(), whole: Vec::new(), built };
        for gone in change.gone.iter().rev() {
            let name = gone.name.as_deref().unwrap_or("something");
            if grown.contains(name) || replaced.contains(name) {
                continue;
            }
            match gone.undo.as_deref() {
                None => return Err(impossible(context, name, "tsmigrate knows no statement that drops it")),
                Some(undo) if undone::drops(undo) => drops.whole.push((name, undo)),
                Some(undo) => drops.parts.push(undo),
            }
        }
        Ok(drops)
    }

    fn are_none(&self) -> bool {
        self.parts.is_empty() && self.whole.is_empty() && self.built.is_empty()
    }

    /// Drops all, with what depends on it; refuses where something of others would go with it. `before` and `objects` are
    /// what the target had.
    async fn run(
        &self,
        context: &Context,
        session: &Session,
        change: &Change<'_>,
        before: &BTreeMap<Object, There>,
        objects: &BTreeSet<String>,
    ) -> Result<(), Error> {
        for drop in self.built.iter().chain(&self.parts) {
            session.run(drop).await?;
        }
        for (name, drop) in &self.whole {
            session.run(drop).await.map_err(|error| explained(context, name, &error))?;
        }
        loop {
            others::gone_with_ours(context, session, objects, &change.known).await?;
            let hurt = hurt(&held(session).await?, before);
            if hurt.is_empty() {
                return Ok(());
            }
            session.run(&hurt.join("; ")).await?;
        }
    }
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
    let grown = enums::grown(&session, change.unknown(), &change.gone).await?;
    session.run("BEGIN").await?;
    for create in &change.schemas.0 {
        session.run(create).await.map_err(|error| explained(context, create, &error))?;
    }
    let replaced = replaced(&session, change).await?;
    let drops = Drops::of(context, change, &grown, &replaced)?;
    let before = held(&session).await?;
    if !drops.are_none() {
        let objects = others::objects(&session).await?;
        // Once to see what goes: nobody writes there while the rows of that are looked at.
        session.run("SAVEPOINT tried").await?;
        drops.run(context, &session, change, &before, &objects).await?;
        let after = held(&session).await?;
        session.run("ROLLBACK TO SAVEPOINT tried; RELEASE SAVEPOINT tried").await?;
        let goes =
            before.iter().filter(|(object, there)| there.kind == "r" && !there.is_same(after.get(object)));
        for ((table, _), _) in goes {
            others::rows(context, &session, marks, table).await?;
        }
        drops.run(context, &session, change, &before, &objects).await?;
    }
    if change.places.is_some() {
        run_all(context, &session, change, &grown, &replaced, !drops.whole.is_empty()).await?;
        drop_overloads(context, &session, change, &replaced).await?;
        build_again(&session, &replaced).await?;
        for gone in &change.schemas.1 {
            // Nothing may go with it.
            let drop = format!("DROP SCHEMA IF EXISTS {}", identifier(gone));
            session.run(&drop).await.map_err(|error| explained(context, gone, &error))?;
        }
    }
    // Last, for nothing of a former owner's may run as ours.
    for revoke in &change.revoked {
        // Who or what it is about may be gone as well.
        let _ = attempt(&session, revoke).await?;
    }
    let after = held(&session).await?;
    let vanished: BTreeSet<&Object> = before
        .iter()
        .filter(|(object, there)| !there.is_same(after.get(object)))
        .map(|(object, _)| object)
        .collect();
    let mut forgotten = change.again.clone();
    forgotten.extend(lost_steps(marks, &vanished, post_data));
    if !change.order.iter().all(|(_, known)| *known) || !vanished.is_empty() || !change.schemas.0.is_empty() {
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

/// What drops tables that have lost a column, a default or a check to what was dropped: they are created anew as a whole.
fn hurt(now: &BTreeMap<Object, There>, before: &BTreeMap<Object, There>) -> Vec<String> {
    let is_hurt = |object: &Object, was: &There| {
        now.get(object).is_some_and(|is| is.oid == was.oid && is.parts != was.parts)
    };
    let drop = |((relation, _), was): (&Object, &There)| {
        let what = if was.kind == "f" { "FOREIGN TABLE" } else { "TABLE" };
        format!("DROP {what} IF EXISTS {} CASCADE", relation.sql())
    };
    before.iter().filter(|(object, was)| is_hurt(object, was)).map(drop).collect()
}

/// Answers of a server that has what a statement creates, where nothing of it was dropped.
const EXISTS: [&str; 11] = [
    "42P06", // a schema
    "42P07", // a relation
    "42710", // another object, such as a type, a trigger or a policy
    "42723", // a function
    "42701", // a column
    "23505", // a mapping of a text search configuration
    "55000", // it is an identity column already
    "42809", // it is a partition already
    "42P16", // it has a primary key already
    "42P17", // it is a partition of another bound already, or an overlapping one
    "TS110", // it is a hypertable already
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
        let sql =
            if replaced.contains(&name) { script::or_replace(&statement.sql) } else { statement.sql.clone() };
        let Err(mut error) = attempt(session, &sql).await? else { continue };
        if let Some(give) = with_its_table(session, &sql, &error).await? {
            match attempt(session, &format!("{give}; {sql}")).await? {
                Ok(()) => continue,
                Err(other) => error = other,
            }
        }
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

/// What gives a sequence to the owner of the table that it is to be a part of, where it was refused for having another.
/// Owners follow later.
async fn with_its_table(session: &Session, sql: &str, error: &Server) -> Result<Option<String>, Error> {
    if error.code != "55000" {
        return Ok(None);
    }
    let Some(parsed) = parse::parse(sql, true).ok().flatten() else { return Ok(None) };
    let NodeEnum::AlterSeqStmt(alter) = parsed.node() else { return Ok(None) };
    let Some(sequence) = &alter.sequence else { return Ok(None) };
    let Some(NodeEnum::List(column)) =
        alter.options.iter().find_map(|option| match option.node.as_ref()? {
            NodeEnum::DefElem(option) => option.arg.as_ref()?.node.as_ref(),
            _ => None,
        })
    else {
        return Ok(None);
    };
    let [schema, table, _] = strings(&column.items)[..] else { return Ok(None) };
    let owner = format!(
        "SELECT pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) FROM pg_catalog.pg_class c \
         WHERE c.oid = pg_catalog.to_regclass({})",
        literal(&Relation::new(schema, table).sql())
    );
    let Some(owner) = session.ask_one(&owner).await? else { return Ok(None) };
    let sequence = Relation::new(&sequence.schemaname, &sequence.relname).sql();
    Ok(Some(format!("ALTER SEQUENCE {sequence} OWNER TO {owner}")))
}

/// Runs a statement; what the server answers where it refuses it. The transaction goes on.
async fn attempt(session: &Session, sql: &str) -> Result<Result<(), Server>, Error> {
    let all = format!("SAVEPOINT anew; {sql}\n; RELEASE SAVEPOINT anew");
    let Err(error) = session.client().batch_execute(&all).await else { return Ok(Ok(())) };
    let error = Server::new(&error);
    session.run("ROLLBACK TO SAVEPOINT anew; RELEASE SAVEPOINT anew").await?;
    Ok(Err(error))
}

/// Answers to CREATE OR REPLACE where something else than a body has changed.
const NOT_REPLACED: [&str; 3] = ["42P13", "42P16", "42809"];

/// Functions and views of which the new one takes the place of the old one.
async fn replaced(session: &Session, change: &Change<'_>) -> Result<BTreeSet<String>, Error> {
    let mut replaced = BTreeSet::new();
    for statement in change.unknown() {
        let Some((Subject::Replaceable, name)) = script::subject(&statement.sql) else { continue };
        if !change.gone.iter().any(|gone| gone.name.as_deref() == Some(&name)) {
            continue;
        }
        let tried = attempt(
            session,
            &format!("{}\n; ROLLBACK TO SAVEPOINT anew", script::or_replace(&statement.sql)),
        )
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
        let wanted = wanted(context, &source, &name).await?;
        let found: Vec<String> = session.ask_list(&question).await?;
        for routine in found.iter().filter(|routine| !wanted.contains(*routine)) {
            let drop = format!("DROP ROUTINE {routine}");
            session.run(&drop).await.map_err(|error| explained(context, &name, &error))?;
        }
    }
    Ok(())
}

/// The source's routines of that name, as the target calls them.
async fn wanted(context: &Context, source: &Session, name: &str) -> Result<BTreeSet<String>, Error> {
    let Some(moving) = context.moving() else {
        return source.ask_list(&format!("{ROUTINES}{}", literal(name))).await;
    };
    let Some((new, _)) = names::read(name) else { return Ok(BTreeSet::new()) };
    let question = format!("{ROUTINES}{}", literal(&moving.before(&new).to_string()));
    let routines: Vec<String> = source.ask_list(&question).await?;
    Ok(routines.iter().map(|routine| moving.identity(routine)).collect())
}

/// Indexes whose expressions call functions of users, with or without one in between.
const CALLING: &str = "
SELECT DISTINCT i.indexrelid::pg_catalog.regclass::pg_catalog.text FROM pg_catalog.pg_index i
JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE d.objid >= 16384 AND d.refobjid >= 16384 AND n.nspname !~ '^pg_'
AND d.refclassid IN ('pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_operator'::pg_catalog.regclass)
AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.refclassid AND e.objid = d.refobjid AND e.deptype = 'e')
ORDER BY 1";

/// Indexes that hold what a function has answered before it was replaced.
async fn build_again(session: &Session, replaced: &BTreeSet<String>) -> Result<(), Error> {
    if !replaced.iter().any(|name| name.starts_with("function ")) {
        return Ok(());
    }
    let indexes: Vec<String> = session.ask_list(CALLING).await?;
    for index in indexes {
        session.run(&format!("REINDEX INDEX {index}")).await?;
    }
    Ok(())
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
