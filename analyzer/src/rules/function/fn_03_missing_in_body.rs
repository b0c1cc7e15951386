//! FN-03: a body that needs what the target will not have. It restores, and fails when it is called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arcstr::ArcStr;

use super::bodies::{body, fails_already};
use crate::edit::Safety;
use crate::facts::objects::created;
use crate::facts::session::path_of_function;
use crate::facts::{Absence, Facts, ObjectId};
use crate::finding::{Place, ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, Reference, StatementKind};
use crate::rule::{Context, Doc, Draft, Finish, Registry, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::dependency::missing::{error_for, words};
use crate::rules::superuser::su_23_server_access::place;
use crate::target::is_builtin;
use crate::text::Position;

pub(crate) const RULE: Rule = Rule {
    id: "FN-03",
    name: "missing-in-body",
    severity: Severity::Error,
    fix: Safety::None,
    also_answers: &["FN-01", "FN-02"],
    statements: &[StatementKind::CreateFunctionStmt, StatementKind::DoStmt],
    after: &["*", "DEP-01", "DEP-02", "FN-01"],
    doc: Doc {
        summary: "The body of a function, procedure or DO block needs what the target will not have.",
        what: "A body in SQL or PL/pgSQL refers to a function, type, operator, table or schema that another finding keeps \
               from the target, such as dblink or cron.schedule: in its statements, expressions, the types of its \
               variables, and in the texts that it gives to EXECUTE as far as they are written there.",
        why: "Names in a body are looked up when it runs. Nothing is said at the restore; the call fails. A DO block runs \
              at once, and fails at the restore.",
        server: &[
            "42883 function dblink(…) does not exist (when it is called)",
            "3F000 schema \"cron\" does not exist (when it is called)",
            "42P01 relation \"app.visitors\" does not exist (when it is called)",
        ],
        help: "Replace what it needs first: the finding named under \"because of\" says by what. Where nobody calls the \
               function any more, drop it on the source.",
        before: "CREATE EXTENSION dblink WITH SCHEMA public;\nCREATE FUNCTION app.remote() RETURNS void LANGUAGE plpgsql AS $$ BEGIN PERFORM public.dblink_connect('x'); END $$;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/pl/plpgsql/src/pl_comp.c and src/backend/catalog/pg_proc.c, ProcedureCreate",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

/// The names that bodies use and the dump has not created yet.
#[derive(Clone, Debug, Default)]
struct Awaited {
    /// The bodies.
    bodies: Vec<AwaitingBody>,
    /// Where each name is used.
    names: BTreeMap<Name, Vec<Use>>,
}

/// Class, schema and name of an object.
type Name = (Class, Option<Box<str>>, Box<str>);

/// A function or procedure whose body needs what the dump has not created yet.
#[derive(Clone, Debug)]
struct AwaitingBody {
    /// Its words.
    words: Box<str>,
    /// Its search path; `None` where it sets none.
    path: Option<Arc<[Box<str>]>>,
}

/// Where a body uses a name.
#[derive(Clone, Copy, Debug)]
struct Use {
    /// The body's place in the list.
    body: usize,
    /// Where.
    place: Place,
    /// It may not be reached.
    conditional: bool,
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let at_once = match node {
        NodeEnum::CreateFunctionStmt(_) => false,
        NodeEnum::DoStmt(_) => true,
        _ => return,
    };
    if fails_already(ctx) {
        return;
    }
    let parts = body(ctx);
    let function = created(node).map_or_else(|| "the DO block".to_owned(), |object| ctx.describe(&object));
    // What the body makes itself (a temporary table) is there.
    let own = parts.iter().filter_map(|part| created(part.parsed().node())).map(|object| object.id.name);
    let own: BTreeSet<ArcStr> = own.collect();
    let path: Option<Arc<[Box<str>]>> = match node {
        NodeEnum::DoStmt(_) => Some(ctx.facts.search_path.clone().into()),
        NodeEnum::CreateFunctionStmt(s) => path_of_function(s).map(Into::into),
        _ => None,
    };
    let mut index = None;
    let mut seen = BTreeSet::new();
    let mut needs = Needs::default();
    for part in parts.iter() {
        let start = Position { line: 1, column: 1 };
        let inner = Statement::new(part.sql(), part.parsed(), 0, 0, 0, start);
        for reference in inner.references() {
            let (class, name) = (reference.class, &reference.name);
            let builtin = reference.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
                && (is_builtin(class, name) || class == Class::Type && is_builtin(Class::Relation, name));
            let judged =
                !matches!(class, Class::Role | Class::Attached | Class::Database | Class::Tablespace);
            if builtin
                || !judged
                || own.contains(&**name)
                || name.contains(crate::body::UNKNOWN)
                || !seen.insert((class, reference.schema.clone(), name.clone()))
            {
                continue;
            }
            let range =
                place(&inner, reference).map(|range| part.range(&range)).filter(|range| !range.is_empty());
            if at_once || reference.schema.is_some() {
                let known = path.as_deref().unwrap_or(&[]);
                if let Some(absence) = ctx.facts.missing_from(reference, known) {
                    needs.add(absence, reference, part.conditional, range);
                    continue;
                }
            }
            // What comes later in the dump may be left out.
            let id = ObjectId::new(class, reference.schema.as_deref(), name);
            if at_once || reference.schema.is_some() && ctx.facts.declares(&id) {
                continue;
            }
            let awaited = ctx.states.of::<Awaited>();
            let index = *index.get_or_insert_with(|| {
                awaited.bodies.push(AwaitingBody { words: function.as_str().into(), path: path.clone() });
                awaited.bodies.len() - 1
            });
            let place = statement.place(&range.unwrap_or_else(|| statement.body()));
            let key = (class, reference.schema.clone(), name.clone());
            awaited.names.entry(key).or_default().push(Use {
                body: index,
                place,
                conditional: part.conditional,
            });
        }
    }
    for need in needs.0 {
        let mut draft = draft(ctx.registry, ctx.facts, &function, &need, at_once);
        if let Some(range) = need.place {
            draft = draft.at(range);
        }
        ctx.report(draft);
    }
}

/// What a body needs of one thing that is missing.
struct Need<P> {
    absence: Absence,
    first: Reference,
    conditional: bool,
    place: P,
    more: usize,
}

struct Needs<P>(Vec<Need<P>>);

impl<P> Default for Needs<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P> Needs<P> {
    /// One finding for each root is enough, at the first place that is surely reached.
    fn add(&mut self, absence: &Absence, reference: &Reference, conditional: bool, place: P) {
        match self.0.iter_mut().find(|need| need.absence.root == absence.root) {
            None => {
                let (absence, first) = (absence.clone(), reference.clone());
                self.0.push(Need { absence, first, conditional, place, more: 0 });
            }
            Some(need) => {
                need.more += 1;
                if need.conditional && !conditional {
                    (need.first, need.conditional, need.place) = (reference.clone(), false, place);
                }
            }
        }
    }
}

fn draft<P>(registry: &Registry, facts: &Facts, function: &str, need: &Need<P>, at_once: bool) -> Draft {
    let Need { absence, first: reference, conditional, more, .. } = need;
    let needed = match more {
        0 => words(reference),
        _ => format!("{} and {more} more of {}", words(reference), absence.root),
    };
    let message = match (at_once, conditional) {
        (true, false) => format!("{function} fails: it needs {needed}, which the target will not have"),
        (true, true) => {
            format!("{function} fails where it gets there: it needs {needed}, which the target will not have")
        }
        (false, false) => {
            format!(
                "{function} is created, but fails when it is called: it needs {needed}, which the target will not have"
            )
        }
        (false, true) => format!(
            "{function} is created, but fails when it gets there: it needs {needed}, which the target will not have"
        ),
    };
    // The schema is looked for first, but for tables.
    let schema = reference.schema.as_deref().filter(|schema| facts.missing_schema(schema).is_some());
    let error = match schema {
        Some(schema) if matches!(reference.class, Class::Function | Class::Type) => {
            ServerError::missing_schema(schema)
        }
        _ => error_for(reference),
    };
    let draft = Draft::new(message).object(function).server(error).cause(registry.cause(absence));
    if at_once && !*conditional { draft } else { draft.severity(Severity::Warning) }
}

/// What was made, or left out, behind the body that needs it, and what a name without a schema means.
fn finish(all: &mut Finish<'_>) {
    let Some(awaited) = all.states.get::<Awaited>() else { return };
    let mut anywhere: Vec<Box<str>> = vec!["public".into()];
    anywhere.extend(all.facts.schemas_of_absent_extensions());
    let mut needs: BTreeMap<usize, Needs<Place>> = BTreeMap::new();
    for ((class, schema, name), uses) in &awaited.names {
        let reference = Reference::new(*class, schema.as_deref(), name);
        for Use { body, place, conditional } in uses {
            let Some(path) = awaited.bodies.get(*body).map(|body| &body.path) else { continue };
            let guessed = schema.is_none() && path.is_none();
            let path = path.as_deref().unwrap_or(&anywhere);
            let Some(absence) = all.facts.missing_from(&reference, path) else { continue };
            // Whoever calls it may have another schema on the path.
            if guessed && all.facts.is_somewhere(*class, name) {
                continue;
            }
            needs.entry(*body).or_default().add(absence, &reference, *conditional, *place);
        }
    }
    for (index, needs) in needs {
        let Some(body) = awaited.bodies.get(index) else { continue };
        for need in needs.0 {
            let draft = draft(all.registry, all.facts, &body.words, &need, false);
            all.report(need.place, draft);
        }
    }
}
