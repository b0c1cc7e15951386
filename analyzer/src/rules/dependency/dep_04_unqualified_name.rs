//! DEP-04: a name without its schema, which `search_path` does not lead to.

use arcstr::ArcStr;

use super::dep_02_undeclared_object::says_it_all;
use super::drops::{drops, may_be_missing};
use super::missing::{Missing, error, is_of_column, is_option, what};
use super::order::waits;
use super::there::is_servers_own;
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::objects::{created, dropped, granted, subject};
use crate::facts::session::{TEMPORARY, path_of_function};
use crate::finding::Severity;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::has_extension;
use crate::rules::function::bodies::body;
use crate::rules::qualify::qualify;
use crate::rules::superuser::su_01_c_function::language;
use crate::target::{Members, known, may_be_in_catalog, members};

pub(crate) const RULE: Rule = Rule {
    id: "DEP-04",
    name: "unqualified-name",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("names without a schema where search_path does not lead to them"),
    statements: StatementKind::ALL,
    after: &["*", "DEP-01"],
    doc: Doc {
        summary: "A name without its schema, which search_path does not lead to.",
        what: "A statement names a table, type, function or other object without its schema where search_path is empty, as \
               it is behind the first lines of every dump, or leads to other schemas than the one that has the object. The \
               path is followed through SET, SET LOCAL, RESET, set_config, transactions and \\connect.",
        why: "The server looks for a bare name in pg_catalog and in the schemas of search_path, and nowhere else.",
        server: &[
            "42P01 relation \"notes\" does not exist",
            "42704 type \"mood\" does not exist",
            "42883 function stamp() does not exist",
        ],
        help: "The rewrite writes the schema before the name, where the files create one object of that name. Where there are \
               several, write the one that you mean.",
        before: "CREATE TABLE public.notes (id integer);\nSELECT pg_catalog.set_config('search_path', '', false);\nALTER TABLE notes ADD COLUMN text text;",
        after: "CREATE TABLE public.notes (id integer);\nSELECT pg_catalog.set_config('search_path', '', false);\nALTER TABLE public.notes ADD COLUMN text text;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/namespace.c, RelnameGetRelid, TypenameGetTypid, FuncnameGetCandidates",
        ]),
        link: "https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH",
    },
    check,
    ..Rule::DEFAULT
};

/// A name without a schema.
struct Bare {
    class: Class,
    name: ArcStr,
    location: Option<u32>,
    is_subject: bool,
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if may_be_missing(node) || ctx.findings.iter().any(says_it_all) {
        return;
    }
    let mut seen: Vec<(Class, ArcStr)> = Vec::new();
    for name in names(ctx, statement, node) {
        let key = (name.class, name.name.clone());
        if seen.contains(&key) || is_found(ctx, &ctx.facts.search_path, name.class, &name.name) {
            continue;
        }
        seen.push(key);
        judge(ctx, statement, node, &name);
    }
    checked_body(ctx, node);
}

/// The body of a function in SQL, which the server checks when it creates the function (pg_dump turns that off): names are
/// looked for along the function's own search_path, where it sets one.
fn checked_body(ctx: &mut Context<'_>, node: &NodeEnum) {
    let NodeEnum::CreateFunctionStmt(s) = node else { return };
    let is_sql = language(&s.options).is_some_and(|name| name.eq_ignore_ascii_case("sql"));
    if !is_sql || s.sql_body.is_some() || ctx.facts.session.now.unchecked_bodies {
        return;
    }
    let own = path_of_function(s);
    let facts = ctx.facts;
    let path = own.map_or_else(
        || facts.search_path.clone(),
        |path| path.into_iter().filter(|schema| facts.may_have_schema(schema)).collect(),
    );
    let parts = body(ctx);
    let in_body = parts.iter().filter_map(|part| created(part.parsed().node()));
    // The function itself exists when its body is looked at.
    let made: Vec<ArcStr> = in_body.chain(ctx.created(node)).map(|object| object.id.name).collect();
    for reference in parts.iter().flat_map(|part| part.parsed().references()) {
        let (class, name) = (reference.class, &*reference.name);
        if reference.schema.is_some()
            || !matches!(class, Class::Relation | Class::Type | Class::Function)
            || made.iter().any(|made| **made == *name)
            || is_found(ctx, &path, class, name)
        {
            continue;
        }
        let found = schemas(ctx, class, name);
        if facts.dynamic {
            continue;
        }
        let missing = Missing::of(ObjectId::new(class, None, name), None);
        if found.is_empty() && !path.is_empty() {
            // A later statement of the script may create it.
            if !facts.is_dump {
                let needed = missing.id(ctx);
                waits(ctx, node, &missing, &needed, false);
            }
            continue;
        }
        let (function, words) = (what(ctx, node), missing.words());
        let draft = Draft::new(format!("the body of {function} names {words} without its schema"))
            .object(function)
            .server(error(node, &missing, false))
            .advice(
                "The server checks the body when it creates the function. Write the schema before the name, SET search_path \
                 in the function, or run SET check_function_bodies = off before it.",
            );
        ctx.report(draft);
        return;
    }
}

/// The names without a schema that the statement uses.
fn names(ctx: &Context<'_>, statement: &Statement<'_>, node: &NodeEnum) -> Vec<Bare> {
    // The new schema comes first on the path of what stands in CREATE SCHEMA.
    if matches!(node, NodeEnum::CreateSchemaStmt(_)) {
        return Vec::new();
    }
    let own = ctx.created(node).map(|object| object.id.name);
    let into = match node {
        NodeEnum::SelectStmt(s) => s.into_clause.as_ref().and_then(|into| into.rel.as_ref()),
        _ => None,
    };
    // TS-03 speaks of these.
    let of_timescale = |class: Class, name: &str| {
        class == Class::Function
            && matches!(node, NodeEnum::SelectStmt(_) | NodeEnum::CallStmt(_))
            && members("timescaledb").is_some_and(|of| of.has(class, name))
    };
    let of_query =
        !matches!(node, NodeEnum::CreateStmt(_) | NodeEnum::AlterTableStmt(_) | NodeEnum::IndexStmt(_));
    // FOR UPDATE OF names an alias, and `column%TYPE` a column.
    let aliases = || of_query && statement.words(&["FOR"]).is_some();
    let is_other = |class: Class, location: Option<u32>| {
        class == Class::Relation && aliases() || class == Class::Type && is_of_column(statement, location)
    };
    let subjects = match node {
        NodeEnum::DropStmt(s) => dropped(s),
        // ALL TABLES IN SCHEMA lists schemas.
        NodeEnum::GrantStmt(s) if s.targtype != pg::GrantTargetType::AclTargetObject as i32 => Vec::new(),
        NodeEnum::GrantStmt(s) => s.objects.iter().filter_map(|object| granted(s, object)).collect(),
        _ => subject(node).into_iter().collect(),
    };
    let subjects = subjects.into_iter().map(|object| {
        let id = object.id.table().unwrap_or(object.id);
        (id, None, true)
    });
    let references = statement.references().iter().filter(|of| !is_option(statement, of)).map(|reference| {
        let id = ObjectId::of(reference);
        (id, reference.location, false)
    });
    subjects
        .chain(references)
        .filter(|(id, location, is_subject)| {
            let is_own = own.as_deref() == Some(&*id.name)
                || into.is_some_and(|into| into.relname == *id.name && id.class == Class::Relation);
            id.schema.is_none()
                && id.class.is_in_search_path()
                && !id.name.is_empty()
                && (*is_subject || !is_own && !is_other(id.class, *location))
                && !of_timescale(id.class, &id.name)
        })
        .map(|(id, location, is_subject)| Bare { class: id.class, name: id.name, location, is_subject })
        .collect()
}

/// True where the server finds the name along `search_path`, or may.
fn is_found(ctx: &Context<'_>, path: &[Box<str>], class: Class, name: &str) -> bool {
    if is_servers_own(class, name) || may_be_in_catalog(class, name) {
        return true;
    }
    let facts = ctx.facts;
    let on_path = |class: Class| {
        std::iter::once(TEMPORARY).chain(path.iter().map(|schema| &**schema)).any(|schema| {
            let id = ObjectId::new(class, Some(schema), name);
            facts.declares(&id) || facts.overloads.contains_key(&id) || facts.absent.contains_key(&id)
        })
    };
    let of_extension = |(extension, of): (&str, &Members)| {
        of.holds(class, name)
            && has_extension(ctx, extension)
            && schema_of(ctx, extension)
                .is_none_or(|schema| schema == "pg_catalog" || path.iter().any(|one| **one == *schema))
    };
    classes(class).iter().any(|class| on_path(*class)) || known().any(of_extension)
}

/// A table's name is a type, too; a type's is a function, which converts to it.
fn classes(class: Class) -> &'static [Class] {
    match class {
        Class::Relation => &[Class::Relation],
        Class::Type => &[Class::Type, Class::Relation],
        Class::Function => &[Class::Function, Class::Type],
        Class::Operator => &[Class::Operator],
        Class::OperatorClass => &[Class::OperatorClass],
        Class::Collation => &[Class::Collation],
        Class::TextSearchParser => &[Class::TextSearchParser],
        Class::TextSearchDictionary => &[Class::TextSearchDictionary],
        Class::TextSearchTemplate => &[Class::TextSearchTemplate],
        Class::TextSearchConfiguration => &[Class::TextSearchConfiguration],
        _ => &[],
    }
}

/// The schema that an extension is in; `None` where that is not known.
fn schema_of(ctx: &Context<'_>, extension: &str) -> Option<String> {
    let here = ctx.facts.extensions.get(extension).and_then(|extension| extension.schema.as_deref());
    ctx.target.installed_in(extension).or(here).map(str::to_owned)
}

/// The schemas that have an object of this name.
fn schemas(ctx: &Context<'_>, class: Class, name: &str) -> Vec<String> {
    let mut found: Vec<String> = classes(class)
        .iter()
        .flat_map(|class| ctx.facts.schemas_with(*class, name))
        .map(str::to_owned)
        .collect();
    let of_extensions =
        known().filter(|(extension, of)| of.holds(class, name) && has_extension(ctx, extension));
    found.extend(of_extensions.filter_map(|(extension, _)| schema_of(ctx, extension)));
    found.sort();
    found.dedup();
    found
}

fn judge(ctx: &mut Context<'_>, statement: &Statement<'_>, node: &NodeEnum, name: &Bare) {
    let Bare { class, name, location, is_subject } = name;
    let found = schemas(ctx, *class, name);
    let is_listed = !matches!(
        class,
        Class::Collation
            | Class::TextSearchDictionary
            | Class::TextSearchTemplate
            | Class::TextSearchParser
            | Class::TextSearchConfiguration
    );
    if found.is_empty() && !is_listed {
        // Nobody knows all that pg_catalog has of these.
        return;
    }
    let facts = ctx.facts;
    let is_empty = facts.search_path.is_empty();
    // What nothing creates may be the target's, where the path leads anywhere.
    if !facts.knows_path() && (found.is_empty() || facts.dynamic) || found.is_empty() && !is_empty {
        return;
    }
    let missing = Missing::of(ObjectId::new(*class, None, name), *location);
    let words = missing.words();
    if drops(node) && found.is_empty() {
        // DEP-02 says that there is nothing to drop.
        return;
    }
    let why = if is_empty {
        "search_path is empty here".to_owned()
    } else {
        format!("search_path does not lead to schema {} here", found.join(" or "))
    };
    let mut draft = Draft::new(format!("{words} names no schema, and {why}"))
        .object(what(ctx, node))
        .server(error(node, &missing, *is_subject));
    let range = location.and_then(|at| statement.name_at(usize::try_from(at).ok()?));
    if let Some(range) = range.filter(|range| !range.is_empty()) {
        draft = draft.at(range);
    }
    let usual = found.iter().find(|schema| *schema == "public");
    let one = usual.or(if found.len() == 1 { found.first() } else { None });
    let fix = one.and_then(|schema| {
        let title = format!("Name schema {schema}");
        qualify(statement, (*class, name), schema, FixDraft::edit(title))
    });
    draft = match (fix, found.as_slice()) {
        (Some(fix), _) => draft.fix(fix),
        (None, []) => match known().find(|(_, of)| of.holds(*class, name)) {
            Some((extension, _)) => draft.advice(format!(
                "It belongs to extension {extension}, which these files do not create: put CREATE EXTENSION {extension}; before \
                 it, and write its schema before the name."
            )),
            None => draft.advice(
                "None of these files creates it before: write its schema before the name, or remove the statement.",
            ),
        },
        (None, all) => draft.advice(format!("Write its schema before the name: {}.", all.join(" or "))),
    };
    ctx.report(draft);
}
