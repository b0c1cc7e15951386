//! EXT-12: an extension's objects, created by its script and not by CREATE EXTENSION.

use super::script::{Key, LeftOut, Part, Scripts, TSEARCH2, has_sql_functions, part, scripted, types};
use crate::edit::Safety;
use crate::facts::names::{qualified, quoted, role};
use crate::facts::objects::subject;
use crate::facts::{Object, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, Reference, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finish, FixDraft, Rule};
use crate::rules::clauses::has_extension;
use crate::target::{Members, is_builtin};

pub(crate) const RULE: Rule = Rule {
    id: "EXT-12",
    name: "extension-script",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("extensions that a script created, as before CREATE EXTENSION"),
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "The objects of an extension that was loaded by its script.",
        what: "Types, functions in C, operators, operator classes, casts, aggregates and tables of hstore, cube, PostGIS and \
               other extensions, each as a statement of its own: the source had them from contrib's SQL script, as was usual \
               before PostgreSQL 9.1, or from a dump of such a database. They are known by their library and by their names.",
        why: "Only a superuser can create base types and functions in C.",
        server: &[
            "42501 must be superuser to create a base type",
            "42501 permission denied for language c",
            "42704 type \"public.cube\" does not exist",
            "42883 function public.cube_in(…) does not exist",
        ],
        help: "The rewrite creates the extension in the schema of its first object, and leaves out its script. Tables, columns \
               and indexes that use it stay. What the extension no longer has is named. The script of tsearch2 is left out, \
               too: PostgreSQL has had tsvector, tsquery and most of their functions since 8.3, and the rest is named.",
        before: "CREATE TYPE public.cube;\nCREATE FUNCTION public.cube_in(cstring) RETURNS public.cube\n    LANGUAGE c IMMUTABLE STRICT AS '$libdir/cube', 'cube_in';\nCREATE TABLE public.places (at public.cube);",
        after: "-- tsmigrate EXT-12: Create extension cube\n-- CREATE TYPE public.cube;\nCREATE EXTENSION IF NOT EXISTS cube WITH SCHEMA public;\n-- tsmigrate EXT-12: Remove it: extension cube has it\n-- CREATE FUNCTION public.cube_in(cstring) RETURNS public.cube\n--     LANGUAGE c IMMUTABLE STRICT AS '$libdir/cube', 'cube_in';\nCREATE TABLE public.places (at public.cube);",
        sources: Doc::sources(&[
            "PostgreSQL 9.1 release notes: contrib modules are extensions; contrib/*/*--unpackaged--1.0.sql",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-createextension.html",
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    if mentions(ctx, node) {
        return;
    }
    let made = ctx.created(node);
    let found = made.as_ref().and_then(|object| Some((object, part(ctx, node, &object.id)?)));
    let Some((object, Part { extension, server, is_member })) = found else {
        if let Some(object) = &made {
            waits(ctx, node, object);
        }
        uses(ctx, node);
        return;
    };
    let schema = object.id.schema.as_deref().unwrap_or("public").to_owned();
    if ctx.target.installed_in(extension).is_some_and(|there| there != schema) {
        return;
    }
    let words = ctx.describe(object);
    let fix = match ctx.states.of::<Scripts>().schemas.get(extension) {
        None => {
            ctx.states.of::<Scripts>().begin(extension, &schema);
            (extension != TSEARCH2 && !has_extension(ctx, extension)).then(|| {
                let (name, schema) = (quoted(extension), quoted(&schema));
                let sql = format!("CREATE EXTENSION IF NOT EXISTS {name} WITH SCHEMA {schema};");
                let fix = FixDraft::replace_with(format!("Create extension {extension}"), vec![sql]);
                if is_member { fix } else { fix.lost(words.clone()) }
            })
        }
        Some(_) => None,
    };
    let fix = fix.unwrap_or_else(|| left_out(extension, is_member, &words));
    let fix = if is_member && extension != TSEARCH2 { fix.present() } else { fix };
    let key = (object.id.clone(), types(node));
    let left = LeftOut { extension, is_refused: server.is_some(), is_member };
    ctx.states.of::<Scripts>().left_out.insert(key, left);
    ctx.report(draft(is_part(extension, &words), words, server, fix));
}

fn is_part(extension: &str, words: &str) -> String {
    format!("{words} is part of extension {extension}, which a script created")
}

/// Takes out an object of a script.
fn left_out(extension: &str, is_member: bool, words: &str) -> FixDraft {
    match (extension, is_member) {
        (TSEARCH2, true) => FixDraft::remove("PostgreSQL has it"),
        (TSEARCH2, false) => FixDraft::remove("PostgreSQL has another full text search").lost(words),
        (_, true) => FixDraft::remove(format!("extension {extension} has it")),
        (_, false) => FixDraft::remove(format!("extension {extension} no longer has it")).lost(words),
    }
}

/// What is said of a statement. Where the server says nothing, it takes it.
fn draft(message: String, words: String, server: Option<ServerError>, fix: FixDraft) -> Draft {
    let draft = Draft::new(message).object(words).fix(fix);
    match server {
        Some(server) => draft.server(server),
        None => draft.severity(Severity::Warning),
    }
}

/// Keeps what is of an extension's script if that comes: pg_dump writes objects by their kinds and names.
fn waits(ctx: &mut Context<'_>, node: &NodeEnum, object: &Object) {
    let name = &*object.id.name;
    let of: Vec<&'static str> = match node {
        NodeEnum::CompositeTypeStmt(_) | NodeEnum::CreateDomainStmt(_) => {
            scripted(ctx, |_, of| of.types.contains(name)).map(|(extension, _)| extension).collect()
        }
        NodeEnum::CreateFunctionStmt(_) => {
            let is_it = |extension, of: &Members| has_sql_functions(extension) && of.functions.contains(name);
            scripted(ctx, is_it).map(|(extension, _)| extension).collect()
        }
        _ => return,
    };
    for extension in &of {
        let words = ctx.describe(object);
        let fix = left_out(extension, *extension != TSEARCH2, &words);
        let draft = draft(is_part(extension, &words), words, None, fix);
        wait(ctx, extension, (object.id.clone(), types(node)), draft);
    }
}

fn wait(ctx: &mut Context<'_>, extension: &'static str, key: Key, draft: Draft) {
    ctx.report(draft);
    if let Some(finding) = ctx.findings.pop() {
        ctx.states.of::<Scripts>().waiting.push((extension, key, finding));
    }
}

/// What came before the script that it is of.
fn finish(finish: &mut Finish<'_>) {
    let late = finish.states.get::<Scripts>().into_iter().flat_map(|scripts| scripts.late.iter().cloned());
    finish.findings.extend(late);
}

/// Takes out what is said of an object that was left out with a script. False where the statement is none of those.
fn mentions(ctx: &mut Context<'_>, node: &NodeEnum) -> bool {
    let Some(scripts) = ctx.states.get::<Scripts>().filter(|_| ctx.facts.created(node).is_none()) else {
        return false;
    };
    let Some(object) = subject(node) else { return false };
    let id = ctx.resolved(&object.id);
    let key = (id.clone(), types(node));
    let known = scripts.left_out.get(&key).map(|left| (left.extension, left.is_refused));
    let waits = |(_, waiting, _): &&(_, Key, _)| *waiting == key;
    let waiting = scripts.waiting.iter().find(waits).map(|(extension, ..)| (*extension, false));
    let Some((extension, is_refused)) = known.or(waiting) else { return false };
    let words = ctx.describe(&object);
    // Two tables of tsearch2 have names of its functions in their rows.
    let names_functions = extension == TSEARCH2 && matches!(&*id.name, "pg_ts_dict" | "pg_ts_parser");
    let is_copy = matches!(node, NodeEnum::CopyStmt(_)) && names_functions;
    let server = match id.class {
        Class::Relation if is_copy => ServerError::new("42883", "function … does not exist"),
        Class::Function | Class::Operator => {
            ServerError::new("42883", format!("{} does not exist", object.word))
        }
        Class::Relation => ServerError::new("42501", format!("must be owner of {} {}", object.word, id.name)),
        _ => ServerError::new("42704", format!("{} \"{}\" does not exist", object.word, id.path())),
    };
    let fix = match node {
        _ if extension == TSEARCH2 => FixDraft::remove(format!("{words} was part of tsearch2")),
        NodeEnum::GrantStmt(_) => FixDraft::remove(format!("{words} belongs to extension {extension}"))
            .lost(format!("privileges on {words}")),
        _ => FixDraft::remove(format!("{words} belongs to extension {extension}")),
    };
    let message = match extension {
        TSEARCH2 => format!("{words} is left out with the script of tsearch2"),
        _ => format!("{words} belongs to extension {extension} on the target"),
    };
    let server = if is_refused || is_copy { Some(server) } else { handed_over(ctx, node) };
    let draft = draft(message, words, server, fix);
    let draft = if is_copy { draft.needs_rows() } else { draft };
    if known.is_some() {
        ctx.report(draft);
    } else {
        wait(ctx, extension, key, draft);
    }
    true
}

/// What the server says of a new owner where it has taken the object itself.
fn handed_over(ctx: &Context<'_>, node: &NodeEnum) -> Option<ServerError> {
    let NodeEnum::AlterOwnerStmt(s) = node else { return None };
    let owner = s.newowner.as_ref().and_then(role).filter(|owner| *owner != ctx.target.admin)?;
    if !ctx.facts.makes_role(owner) && !ctx.target.has_role(owner) {
        return Some(ServerError::missing_role(owner));
    }
    Some(ServerError::new("42501", format!("must be able to SET ROLE \"{owner}\"")))
}

/// Says of a statement that it fails without the extension: it needs an object of the script, or another one that does.
fn uses(ctx: &mut Context<'_>, node: &NodeEnum) {
    let (Some(statement), Some(scripts)) = (ctx.statement(), ctx.states.get::<Scripts>()) else { return };
    if scripts.schemas.is_empty() || matches!(node, NodeEnum::DropStmt(_)) {
        return;
    }
    let made = ctx.created(node);
    let of_subject = subject(node).map(|object| {
        let id = object.id.table().unwrap_or(object.id);
        Reference::new(id.class, id.schema.as_deref(), &id.name)
    });
    let found = of_subject.iter().chain(statement.references()).find_map(|reference| {
        let id = ctx.resolved(&ObjectId::of(reference));
        if made.as_ref().is_some_and(|made| made.id == id) {
            return None;
        }
        if let Some(extension) = scripts.users.get(&id) {
            return Some((*extension, reference.clone()));
        }
        // Others have names in other schemas, and may have the same ones.
        let is_there = |extension| {
            let schema = scripts.schemas.get(extension).map(String::as_str);
            // What is left out with tsearch2 is missing.
            extension != TSEARCH2 && (reference.schema.is_none() || reference.schema.as_deref() == schema)
        };
        let is_users = || ctx.facts.declares(&id) && !scripts.left_out.keys().any(|(of, _)| *of == id);
        let is_own = |of: &Members| match reference.class {
            Class::Type => of.types.contains(&reference.name) && !scripts.has_taken_type(&reference.name),
            Class::OperatorClass => of.operator_classes.contains(&reference.name),
            Class::Function => {
                of.functions.contains(&reference.name) && !is_builtin(Class::Function, &reference.name)
            }
            Class::Operator => reference.schema.is_some() && of.operators.contains(&reference.name),
            _ => false,
        };
        let found = scripts.extensions().find(|(extension, of)| is_there(*extension) && is_own(of));
        found.filter(|_| !is_users()).map(|(extension, _)| (extension, reference.clone()))
    });
    let Some((extension, reference)) = found else { return };
    // Whoever casts between two types owns one of them.
    let owns_type = |name: &Option<pg::TypeName>| {
        let id = name.as_ref().and_then(|name| qualified(&name.names));
        let id = id.map(|(schema, name)| ctx.resolved(&ObjectId::new(Class::Type, schema, name)));
        id.is_some_and(|id| ctx.facts.declares(&id) && !scripts.left_out.keys().any(|(of, _)| *of == id))
    };
    let is_refused = match node {
        NodeEnum::CreateCastStmt(s) => !owns_type(&s.sourcetype) && !owns_type(&s.targettype),
        _ => false,
    };
    let path = ObjectId::of(&reference).path();
    let word = reference.class.word();
    let (what, words) = (made.clone().or_else(|| subject(node)), format!("{word} {path}"));
    let what = what.map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    let state = match reference.class {
        Class::Function | Class::Operator => "42883",
        Class::Relation => "42P01",
        _ => "42704",
    };
    let server = ServerError::new(state, format!("{word} \"{}\" does not exist", path.replace('"', "")));
    if let Some(object) = made {
        ctx.states.of::<Scripts>().users.insert(object.id, extension);
    }
    let draft = Draft::new(format!("{what} needs {words}, which takes extension {extension}"));
    let draft = draft.object(what.clone()).server(server);
    ctx.report(if is_refused {
        draft
            .advice(format!("Only the owner of a type casts it, and extension {extension} owns {words}."))
            .fix(FixDraft::remove("the types are an extension's and the server's").review().lost(what))
    } else {
        let title = format!("Use extension {extension}, which is created before it");
        draft.fix(FixDraft::surround(title, Vec::new(), Vec::new()))
    });
}
