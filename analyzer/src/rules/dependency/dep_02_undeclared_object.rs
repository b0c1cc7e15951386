//! DEP-02: a dump that needs what it does not make: a part of a dump, or one without an extension.

use super::dep_01_missing_dependency;
use super::drops::{drops, may_be_missing, nothing_to_drop};
use super::mended;
use super::missing::{Missing, NOT_IN_DUMP, error, is_of_column, is_option, what};
use super::order;
use super::overloads;
use super::parts;
use super::there::{extension_of_schema, has_schema, is_known, placed};
use crate::edit::{Action, Fix, Safety};
use crate::facts::names::quoted;
use crate::facts::objects::{dropped, subject};
use crate::facts::session::TEMPORARY;
use crate::facts::{Object, ObjectId};
use crate::finding::{Place, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, Reference, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Finding, FixDraft, Rule, Unjudged};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::has_extension;
use crate::target::{known, may_be_in_catalog};

pub(crate) const RULE: Rule = Rule {
    id: "DEP-02",
    name: "undeclared-object",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("what a statement needs and no dump creates"),
    statements: StatementKind::ALL,
    after: &["*", "DEP-01", "DEP-04"],
    doc: Doc {
        summary: "The dump needs an object that it does not create.",
        what: "A dump of some tables or schemas only (pg_dump -t, -n, --data-only, --clean without --if-exists) refers \
               to a schema, table, type, function or server that none of the files creates, or to a member of an \
               extension that none of them creates, or to a role whose own statement only the rewrite makes pass. Of a script only what it uses before it creates it, and what it uses after a DROP. No further than \
               the first DO, CALL or call of a function that could have created anything.",
        why: "A new service is empty: the server finds nothing of that name.",
        server: &[
            "3F000 schema \"app\" does not exist",
            "42P01 relation \"app.orders\" does not exist",
            "42704 type \"public.citext\" does not exist",
            "42883 function app.stamp() does not exist",
        ],
        help: "Give all files of the dump together (roles, schema, data), in the order in which they are restored. Otherwise dump the missing part too, or create it on the target first. A schema that the dump puts objects into is created.",
        before: "SET statement_timeout = 0;\nSET check_function_bodies = false;\nCREATE TABLE app.orders (id integer);",
        after: "SET statement_timeout = 0;\nSET check_function_bodies = false;\n-- tsmigrate DEP-02: Create schema app first\nCREATE SCHEMA IF NOT EXISTS app;\nCREATE TABLE app.orders (id integer);",
        sources: Doc::sources(&[
            "PostgreSQL doc/src/sgml/ref/pg_dump.sgml, notes at --table and --schema",
            "PostgreSQL src/backend/catalog/namespace.c, get_namespace_oid; src/backend/parser/parse_relation.c, \
             parserOpenTable",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    finish: Some(order::finish),
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    order::creates(ctx, statement, node);
    if mended::find(ctx, statement, node) || may_be_missing(node) {
        return;
    }
    if ctx.findings.iter().any(says_it_all) {
        // What may stay, and fails for now, needs its schema too.
        let may_stay = |finding: &Finding| {
            *finding.rule == dep_01_missing_dependency::RULE
                && finding.fix.as_deref().is_some_and(|fix| fix.safety == Safety::Review)
        };
        if ctx.findings.iter().filter(|finding| says_it_all(finding)).all(may_stay) {
            missing_schema(ctx, statement, node);
        }
        return;
    }
    if let Some(server) = parts::undeclared_link(ctx, node, is_judged(ctx)) {
        report(ctx, statement, node, &server, false);
        return;
    }
    if !is_judged(ctx) && !matches!(node, NodeEnum::DropStmt(_)) && parts::is_strange(ctx, node) {
        ctx.not_judged(Unjudged::Objects);
    }
    if let Some((words, error)) = nothing_to_drop(ctx, node) {
        if is_judged(ctx) {
            ctx.report(nothing_of(node, &words).server(error));
        } else {
            ctx.not_judged(Unjudged::Objects);
            if let Some(object) = subject(node).filter(|_| !ctx.facts.dynamic) {
                let missing = Missing::of(ctx.resolved(&object.id), None);
                let id = missing.id(ctx);
                order::waits(ctx, node, &missing, &id, true);
            }
        }
        return;
    }
    if named_otherwise(ctx, node) {
        return;
    }
    let made = ctx.created(node);
    let subjects = if let NodeEnum::DropStmt(s) = node {
        dropped(s)
    } else {
        let of_call = || Some(Object { word: "table", id: ctx.facts.hypertable_call(node)?.table });
        subject(node).or_else(of_call).into_iter().collect()
    };
    let lost = subjects.into_iter().find_map(|object| {
        let id = object.id.table().unwrap_or(object.id);
        let reference = Reference::new(id.class, id.schema.as_deref(), &id.name);
        missing(ctx, &reference, None, drops(node))
    });
    if let Some(missing) = lost {
        judge(ctx, statement, node, &missing, true);
        return;
    }
    if let Some(missing) = named_schema(ctx, node) {
        // What is moved into a schema is as what is created in one.
        judge(ctx, statement, node, &missing, !matches!(node, NodeEnum::AlterObjectSchemaStmt(_)));
        return;
    }
    let new_schema = missing_schema(ctx, statement, node);
    if new_schema.as_ref().is_some_and(|missing| missing.extension.is_some() || !is_judged(ctx)) {
        return;
    }
    // With the schema made, the statement may miss more.
    let new_schema = new_schema.map(|missing| missing.name);
    let own = made.map(|object| object.id);
    if order::uses_what_fails(ctx, statement, node, own.as_ref()) {
        return;
    }
    let of_query =
        !matches!(node, NodeEnum::CreateStmt(_) | NodeEnum::AlterTableStmt(_) | NodeEnum::IndexStmt(_));
    // FOR UPDATE OF names an alias, and `column%TYPE` a column: neither is what it looks like in the tree.
    let aliases = || of_query && statement.words(&["FOR"]).is_some();
    let found = statement.references().iter().find_map(|reference| {
        let id = ObjectId::of(reference);
        let id = ctx.resolved(&id);
        // A composite type is written like a table.
        let is_own = own.as_ref().is_some_and(|own| {
            let is_temporary = || reference.schema.is_none() && own.schema.as_deref() == Some(TEMPORARY);
            own.name == id.name && (own.schema == id.schema || is_temporary())
        });
        let is_other = reference.class == Class::Relation && reference.schema.is_none() && aliases()
            || reference.class == Class::Type && is_of_column(statement, reference.location)
            || is_option(statement, reference)
            || is_own;
        if is_other { None } else { missing(ctx, reference, new_schema.as_deref(), false) }
    });
    if let Some(found) = found {
        judge(ctx, statement, node, &found, false);
    }
}

/// Reports an object that is of another kind than the statement says, or that has other arguments, or a part of a table
/// that nothing creates: true where it is one.
fn named_otherwise(ctx: &mut Context<'_>, node: &NodeEnum) -> bool {
    if let Some((words, error)) = overloads::of_other_kind(ctx, node)
        .or_else(|| overloads::of_other_relation(ctx, node))
        .filter(|_| !ctx.facts.dynamic)
    {
        let advice = "Write the word for what it is.";
        ctx.report(
            Draft::new(format!("{words} is created as something else"))
                .object(words)
                .server(error)
                .advice(advice),
        );
        return true;
    }
    if let Some((words, error)) = overloads::undeclared(ctx, node).filter(|_| !ctx.facts.dynamic) {
        let draft = match node {
            NodeEnum::DropStmt(_) => nothing(&words),
            _ => Draft::new(format!("{words} is not created by these files: others of its name are"))
                .object(words)
                .advice("Write the arguments of one that exists."),
        };
        ctx.report(draft.server(error));
        return true;
    }
    let part = || parts::undeclared(ctx, node).filter(|_| !ctx.facts.dynamic);
    if let Some((words, error)) = overloads::large_object(ctx, node).filter(|_| is_judged(ctx)).or_else(part)
    {
        let draft = if drops(node) {
            nothing(&words)
        } else {
            Draft::new(format!("{words} is not created by these files")).object(words)
        };
        ctx.report(draft.server(error));
        return true;
    }
    false
}

/// The schema that the statement would create its object in: reported where it is missing.
fn missing_schema(ctx: &mut Context<'_>, statement: &Statement<'_>, node: &NodeEnum) -> Option<Missing> {
    let object = ctx.created(node)?;
    let schema = object.id.schema.as_deref()?;
    if matches!(object.id.class, Class::Nameless | Class::Attached) || has_schema(ctx, schema) {
        return None;
    }
    let missing = Missing {
        class: Class::Schema,
        schema: None,
        name: schema.into(),
        whole_schema: true,
        extension: extension_of_schema(ctx.target, schema),
        location: None,
    };
    judge(ctx, statement, node, &missing, false);
    Some(missing)
}

/// True where what no input creates is missing: in dumps, and as long as nothing could have created anything.
fn is_judged(ctx: &Context<'_>) -> bool {
    ctx.facts.is_dump && !ctx.facts.dynamic
}

/// Reports what is missing, or notes that it was not looked at.
fn judge(
    ctx: &mut Context<'_>,
    statement: &Statement<'_>,
    node: &NodeEnum,
    missing: &Missing,
    is_subject: bool,
) {
    // Nobody puts anything into pg_catalog, and these files put an extension elsewhere.
    let is_elsewhere =
        || missing.schema.is_some() && missing.extension.is_some_and(|name| placed(ctx, name).is_some());
    let is_known = !ctx.facts.dynamic && (missing.schema.as_deref() == Some("pg_catalog") || is_elsewhere());
    if is_judged(ctx) || is_known {
        report(ctx, statement, node, missing, is_subject);
        return;
    }
    let id = missing.id(ctx);
    if ctx.facts.dynamic {
        ctx.not_judged(Unjudged::Objects);
    } else if let Some((gone, place)) = gone(ctx, &id) {
        let words = missing.words();
        let what = what(ctx, node);
        let message = if what == words {
            format!("{words} is {gone} in line {}", place.line)
        } else {
            format!("{what} needs {words}, which is {gone} in line {}", place.line)
        };
        let advice = if gone == "dropped" {
            "Remove the statement, or the DROP before it."
        } else {
            "Use the new name."
        };
        let draft = Draft::new(message)
            .object(what)
            .server(error(node, missing, is_subject))
            .advice(advice)
            .related(place, format!("{words} is {gone} here"));
        ctx.report(draft);
    } else {
        ctx.not_judged(Unjudged::Objects);
        order::waits(ctx, node, missing, &id, is_subject);
    }
}

/// What the inputs have done to an object that they had created: the word for it, and where.
fn gone(ctx: &Context<'_>, id: &ObjectId) -> Option<(&'static str, Place)> {
    let dropped = ctx.facts.dropped.get(id).map(|place| ("dropped", *place));
    let renamed = ctx.facts.renamed.get(id).filter(|place| !order::has_failed(ctx, **place));
    dropped.or_else(|| renamed.map(|place| ("renamed or moved", *place)))
}

/// Another rule has said that the statement goes, or that something is missing, and what is said is not solved beside it.
pub(super) fn says_it_all(finding: &Finding) -> bool {
    finding.severity == Severity::Error
        && !finding.fix.as_ref().is_some_and(|fix| matches!(fix.action, Action::Surround { .. }))
        && (finding.fix.as_deref().is_some_and(Fix::removes_statement)
            || finding
                .server_error
                .as_ref()
                .is_some_and(|error| matches!(error.sqlstate, "3F000" | "42P01" | "42704" | "42883")))
}

/// A schema that is missing, of those that a statement names for what is in them.
fn named_schema(ctx: &Context<'_>, node: &NodeEnum) -> Option<Missing> {
    let mut names = parts::schemas(node).into_iter();
    names.find_map(|name| missing(ctx, &Reference::new(Class::Schema, None, name), None, false))
}

/// What is missing of a reference: nothing that another rule speaks of, nothing that the server may have.
/// `new_schema` is a schema that a fix of this statement makes.
fn missing(
    ctx: &Context<'_>,
    reference: &Reference,
    new_schema: Option<&str>,
    drops: bool,
) -> Option<Missing> {
    let Reference { class, schema, name, location, .. } = reference;
    let facts = ctx.facts;
    let looked_for = class.is_in_search_path() || *class == Class::Schema;
    if !looked_for || facts.missing(reference).is_some() {
        return None;
    }
    let found = |whole_schema: bool, extension: Option<&'static str>| {
        let (schema, name) = (schema.as_deref().map(Into::into), (**name).into());
        Some(Missing { class: *class, schema, name, whole_schema, extension, location: *location })
    };
    if *class == Class::Schema {
        return if has_schema(ctx, name) { None } else { found(true, extension_of_schema(ctx.target, name)) };
    }
    if let Some(schema) = schema.as_deref() {
        let is_new = new_schema == Some(schema);
        if !is_new && !has_schema(ctx, schema) {
            return found(true, extension_of_schema(ctx.target, schema));
        }
        let is_catalog = schema == "pg_catalog" && matches!(class, Class::Function | Class::Relation);
        if !is_new && schema != "public" && !is_catalog && !facts.schemas.contains_key(schema) {
            // The server's own, or an extension's: not all that they hold is known.
            return None;
        }
    }
    if is_known(ctx, *class, schema.as_deref(), name) {
        return None;
    }
    // A member of an extension that could be there, and is not.
    let extension = known()
        .find(|(extension, of)| of.holds(*class, name) && ctx.target.allows_extension(extension))
        .map(|(extension, _)| extension);
    match class {
        Class::Relation => found(false, extension),
        _ if schema.is_some() => found(false, extension),
        // Not PostgreSQL's own.
        Class::Type | Class::OperatorClass => found(false, extension),
        // A script takes it from the target.
        Class::Function if drops || !is_judged(ctx) => found(false, extension),
        class if class.is_text_search() && !may_be_in_catalog(*class, name) => found(false, extension),
        // What else is not declared may be the server's own.
        _ => extension.and_then(|extension| found(false, Some(extension))),
    }
}

fn report(
    ctx: &mut Context<'_>,
    statement: &Statement<'_>,
    node: &NodeEnum,
    missing: &Missing,
    is_subject: bool,
) {
    let Missing { class, schema, name, extension, location, .. } = missing;
    let (words, what) = (missing.words(), what(ctx, node));
    let hidden = extension.filter(|name| schema.is_none() && has_extension(ctx, name));
    let elsewhere = extension.and_then(|name| placed(ctx, name)).filter(|_| schema.is_some());
    let message = match extension {
        Some(extension) if elsewhere.is_some() => {
            let own = quoted(elsewhere.unwrap_or_default());
            let needs =
                if what == words { format!("{words} is not there") } else { format!("{what} needs {words}") };
            format!("{needs}: these files put extension {extension} into schema {own}")
        }
        Some(extension) if hidden.is_some() => {
            format!("{what} needs {words} of extension {extension}, whose schema is not in search_path here")
        }
        Some(extension) => {
            format!(
                "{what} needs {words}, which belongs to extension {extension}: these files do not create it"
            )
        }
        None if what == words => format!("{words} is not created by these files"),
        None => format!("{what} needs {words}, which these files do not create"),
    };
    if drops(node) {
        let draft = nothing_of(node, &words);
        ctx.report(draft.object(what).server(error(node, missing, is_subject)));
        return;
    }
    let mut draft = Draft::new(message).object(what).server(error(node, missing, is_subject));
    if let (Class::Schema, false, None) = (class, is_subject, extension) {
        draft = draft.fix(FixDraft::surround(
            format!("Create schema {name} first"),
            vec![format!("CREATE SCHEMA IF NOT EXISTS {};", quoted(name))],
            Vec::new(),
        ));
    } else if let Some(extension) = extension {
        draft = draft.advice(if let Some(own) = elsewhere {
            format!("Write {} before the name.", quoted(own))
        } else if hidden.is_some() {
            "Write its schema before the name.".to_owned()
        } else {
            format!(
                "Create extension {extension} on the target first, or put CREATE EXTENSION {}; before it.",
                quoted(extension)
            )
        });
    } else if ctx.options.catalogs_follow {
        draft = draft.advice(NOT_IN_DUMP);
    }
    let range = location.and_then(|at| statement.name_at(usize::try_from(at).ok()?));
    if let Some(range) = range.filter(|range| !range.is_empty()) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// The same of one of a list, where the rest may exist.
fn nothing_of(node: &NodeEnum, words: &str) -> Draft {
    match node {
        NodeEnum::DropStmt(s) if s.objects.len() > 1 => {
            Draft::new(format!("there is nothing to drop: these files do not create {words} before"))
                .object(words)
                .advice("Write DROP … IF EXISTS.")
        }
        _ => nothing(words),
    }
}

/// A statement that drops what is not there.
fn nothing(words: &str) -> Draft {
    Draft::new(format!("there is nothing to drop: these files do not create {words} before"))
        .object(words)
        .fix(FixDraft::remove("a new service has nothing to drop"))
}
