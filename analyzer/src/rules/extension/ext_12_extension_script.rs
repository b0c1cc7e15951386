//! EXT-12: an extension's objects, created by its script and not by CREATE EXTENSION.

use std::collections::BTreeMap;

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{option, option_text, qualified, string};
use crate::facts::objects::{signature, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, Reference, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::has_extension;
use crate::target::{Members, is_builtin, known, members};

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "EXT-12",
    name: "extension-script",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::Purpose("extensions that a script created, as before CREATE EXTENSION"),
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "The objects of an extension that was loaded by its script.",
        what: "Types, functions in C, operators, operator classes, casts, aggregates and tables of hstore, cube, PostGIS and \
               other extensions, each as a statement of its own: the source had them from contrib's SQL script, as was usual \
               before PostgreSQL 9.1, or from a dump of such a database. They are known by their library and by their names.",
        why: "Only a superuser may create base types and functions in C.",
        server: &[
            "42501 must be superuser to create a base type",
            "42501 permission denied for language c",
            "42704 type \"public.cube\" does not exist",
            "42883 function public.cube_in(…) does not exist",
        ],
        help: "The rewrite creates the extension in the schema of its first object, and leaves out its script. Tables, columns \
               and indexes that use it stay. What the extension no longer has is named.",
        before: "CREATE TYPE public.cube;\nCREATE FUNCTION public.cube_in(cstring) RETURNS public.cube\n    LANGUAGE c IMMUTABLE STRICT AS '$libdir/cube', 'cube_in';\nCREATE TABLE public.places (at public.cube);",
        after: "-- tsmigrate EXT-12: Create extension cube\n-- CREATE TYPE public.cube;\nCREATE EXTENSION IF NOT EXISTS cube WITH SCHEMA public;\n-- tsmigrate EXT-12: extension cube has it\n-- CREATE FUNCTION public.cube_in(cstring) RETURNS public.cube\n--     LANGUAGE c IMMUTABLE STRICT AS '$libdir/cube', 'cube_in';\nCREATE TABLE public.places (at public.cube);",
        sources: &[
            "PostgreSQL 9.1 release notes: contrib modules are extensions; contrib/*/*--unpackaged--1.0.sql",
        ],
        link: "https://www.postgresql.org/docs/current/sql-createextension.html",
    },
    check,
    ..Rule::DEFAULT
};

/// Extensions whose scripts are in the inputs, with the schema of their first object.
#[derive(Clone, Debug, Default)]
struct Scripts {
    /// By extension.
    schemas: BTreeMap<&'static str, String>,
    /// What is left out of them, with the types that tell it apart, and its extension.
    left_out: BTreeMap<(ObjectId, Box<str>), &'static str>,
    /// What uses them, and is created because the rewrite creates the extension.
    users: BTreeMap<ObjectId, &'static str>,
}

/// A statement of an extension's script.
struct Part {
    extension: &'static str,
    /// The server refuses the statement: what it says.
    server: Option<ServerError>,
    /// The extension of today has such an object.
    is_member: bool,
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    if mentions(ctx, node) {
        return;
    }
    let made = ctx.created(node);
    let found = made.as_ref().and_then(|object| part(ctx, node, object.id.class, &object.id.name));
    let (Some(object), Some(Part { extension, server, is_member })) = (made, found) else {
        uses(ctx, node);
        return;
    };
    let schema = object.id.schema.as_deref().unwrap_or("public").to_owned();
    if ctx.target.installed_in(extension).is_some_and(|there| there != schema) {
        return;
    }
    let is_new = !ctx.states.of::<Scripts>().schemas.contains_key(extension);
    let schema = ctx.states.of::<Scripts>().schemas.entry(extension).or_insert(schema).clone();
    let key = (object.id.clone(), types(node));
    ctx.states.of::<Scripts>().left_out.insert(key, extension);
    let words = ctx.describe(&object);
    let fix = if is_new && !has_extension(ctx, extension) {
        let sql = format!(
            "CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {};",
            crate::facts::names::quoted(extension),
            crate::facts::names::quoted(&schema)
        );
        FixDraft::replace_with(format!("Create extension {extension}"), vec![sql])
    } else if is_member {
        FixDraft::remove(format!("extension {extension} has it"))
    } else {
        FixDraft::remove(format!("extension {extension} no longer has it")).lost(words.clone())
    };
    let fix = if is_member { fix.present() } else { fix };
    let mut draft = Draft::new(format!("{words} is part of extension {extension}, which a script created"))
        .object(words)
        .fix(fix);
    draft = match server {
        Some(server) => draft.server(server),
        None => draft.severity(Severity::Warning),
    };
    ctx.report(draft);
}

fn types(node: &NodeEnum) -> Box<str> {
    signature(node).map(|signature| signature.types).unwrap_or_default()
}

/// Takes out what is said of an object that was left out with a script. False where the statement is none of those.
fn mentions(ctx: &mut Context<'_>, node: &NodeEnum) -> bool {
    let Some(scripts) = ctx.states.get::<Scripts>().filter(|_| ctx.facts.created(node).is_none()) else {
        return false;
    };
    let Some(object) = subject(node) else { return false };
    let id = ctx.resolved(&object.id);
    let Some(extension) = scripts.left_out.get(&(id.clone(), types(node))).copied() else { return false };
    let words = ctx.describe(&object);
    let server = match id.class {
        Class::Function | Class::Operator => {
            ServerError::new("42883", format!("{} does not exist", object.word))
        }
        Class::Relation => ServerError::new("42501", format!("must be owner of {} {}", object.word, id.name)),
        _ => ServerError::new("42704", format!("{} \"{}\" does not exist", object.word, id.path())),
    };
    let fix = FixDraft::remove(format!("{words} belongs to extension {extension}"));
    let fix = match node {
        NodeEnum::GrantStmt(_) => fix.lost(format!("privileges on {words}")),
        _ => fix,
    };
    let draft = Draft::new(format!("{words} belongs to extension {extension} on the target")).object(words);
    ctx.report(draft.server(server).fix(fix));
    true
}

/// Says of a statement that it fails without the extension: it needs an object of the script, or another one that does.
fn uses(ctx: &mut Context<'_>, node: &NodeEnum) {
    let (Some(statement), Some(scripts)) = (ctx.statement(), ctx.states.get::<Scripts>()) else { return };
    if scripts.schemas.is_empty() || matches!(node, NodeEnum::DropStmt(_)) {
        return;
    }
    let made = ctx.created(node);
    let known = || scripts.schemas.keys().filter_map(|extension| Some((*extension, members(extension)?)));
    let of_subject = subject(node).map(|object| {
        let id = object.id.table().unwrap_or(object.id);
        Reference::new(id.class, id.schema.as_deref(), &id.name)
    });
    let found = of_subject.iter().chain(statement.references()).find_map(|reference| {
        let id = ctx.resolved(&ObjectId::new(reference.class, reference.schema.as_deref(), &reference.name));
        if made.as_ref().is_some_and(|made| made.id == id) {
            return None;
        }
        if let Some(extension) = scripts.users.get(&id) {
            return Some((*extension, reference.clone()));
        }
        let is_own = |of: &Members| match reference.class {
            Class::Type => of.types.contains(&reference.name),
            Class::OperatorClass => of.operator_classes.contains(&reference.name),
            Class::Function => {
                of.functions.contains(&reference.name) && !is_builtin(Class::Function, &reference.name)
            }
            Class::Operator => reference.schema.is_some() && of.operators.contains(&reference.name),
            _ => false,
        };
        known().find(|(_, of)| is_own(of)).map(|(extension, _)| (extension, reference.clone()))
    });
    let Some((extension, reference)) = found else { return };
    let path = ObjectId::new(reference.class, reference.schema.as_deref(), &reference.name).path();
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
    ctx.report(
        Draft::new(format!("{what} needs {words}, which takes extension {extension}"))
            .object(what)
            .server(server)
            .fix(FixDraft::surround(
                format!("extension {extension} is created before it"),
                Vec::new(),
                Vec::new(),
            )),
    );
}

/// What the statement is of an extension's script.
fn part(ctx: &Context<'_>, node: &NodeEnum, class: Class, name: &str) -> Option<Part> {
    let allowed =
        || known().filter(|(extension, _)| *extension != "plpgsql" && ctx.target.allows_extension(extension));
    let scripts = ctx.states.get::<Scripts>();
    let recognised = || {
        let names = scripts.into_iter().flat_map(|scripts| scripts.schemas.keys().copied());
        names.filter_map(|extension| Some((extension, members(extension)?)))
    };
    let denied = |text: &str| Some(ServerError::new("42501", text));
    match node {
        NodeEnum::DefineStmt(s) if s.kind == pg::ObjectType::ObjectType as i32 => {
            let mut of = recognised().chain(allowed()).filter(|(_, of)| of.types.contains(name));
            let (extension, _) = of.next()?;
            Some(Part {
                extension,
                server: denied("must be superuser to create a base type"),
                is_member: true,
            })
        }
        NodeEnum::CreateFunctionStmt(s) if is_c(s) => {
            let library = library(s)?;
            let (extension, of) = allowed().find(|(extension, _)| is_library_of(&library, extension))?;
            let is_member = of.functions.contains(name) || of.overloads.contains(name) || is_internal(s);
            Some(Part { extension, server: denied("permission denied for language c"), is_member })
        }
        _ => {
            let (extension, of) = recognised().find(|(_, of)| belongs(of, node, class, name))?;
            Some(Part { extension, server: lacks(ctx, of), is_member: true })
        }
    }
}

/// True for an object of an extension whose script is there.
fn belongs(of: &Members, node: &NodeEnum, class: Class, name: &str) -> bool {
    match node {
        NodeEnum::CreateCastStmt(s) => [&s.sourcetype, &s.targettype]
            .into_iter()
            .flatten()
            .any(|of_type| qualified(&of_type.names).is_some_and(|(_, name)| of.types.contains(name))),
        // Operators of that name may be others' too: their types or their function tell.
        NodeEnum::DefineStmt(s) if class == Class::Operator => {
            ["leftarg", "rightarg", "procedure", "function"]
                .iter()
                .filter_map(|word| option(&s.definition, word))
                .any(|option| {
                    type_of(option).is_some_and(|name| of.types.contains(name) || of.functions.contains(name))
                })
        }
        NodeEnum::CreateOpFamilyStmt(_) | NodeEnum::CreateOpClassStmt(_) => {
            of.operator_classes.contains(name)
        }
        _ => of.holds(class, name) || of.overloads(class, name) && class == Class::Function,
    }
}

/// What the server says of a statement that needs what the script would have created.
fn lacks(ctx: &Context<'_>, of: &Members) -> Option<ServerError> {
    let statement = ctx.statement()?;
    let of_type = |name: &str| ServerError::new("42704", format!("type \"{name}\" does not exist"));
    let found = statement.references().iter().find_map(|reference| match reference.class {
        Class::Type if of.types.contains(&reference.name) => Some(of_type(&reference.name)),
        Class::Function if of.functions.contains(&reference.name) => {
            Some(ServerError::new("42883", format!("function {}(…) does not exist", reference.name)))
        }
        _ => None,
    });
    let own = || match statement.node() {
        NodeEnum::DefineStmt(s) if s.kind == pg::ObjectType::ObjectOperator as i32 => {
            Some(ServerError::new("42883", "function … does not exist"))
        }
        NodeEnum::CreateOpClassStmt(_) => {
            Some(ServerError::new("42501", "must be superuser to create an operator class"))
        }
        NodeEnum::CreateOpFamilyStmt(_) => {
            Some(ServerError::new("42501", "must be superuser to create an operator family"))
        }
        _ => None,
    };
    match statement.node() {
        NodeEnum::CreateOpClassStmt(_) | NodeEnum::CreateOpFamilyStmt(_) => own(),
        _ => found.or_else(own),
    }
}

fn type_of(option: &pg::DefElem) -> Option<&str> {
    match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::TypeName(name) => qualified(&name.names).map(|(_, name)| name),
        NodeEnum::List(list) => qualified(&list.items).map(|(_, name)| name),
        _ => None,
    }
}

fn is_c(s: &pg::CreateFunctionStmt) -> bool {
    option(&s.options, "language").and_then(option_text).is_some_and(|name| name.eq_ignore_ascii_case("c"))
}

/// True for functions that only the server calls, as those that read and write a type: the members that are known are
/// those that people name.
fn is_internal(s: &pg::CreateFunctionStmt) -> bool {
    let of_server = |name: &pg::TypeName| {
        qualified(&name.names).is_some_and(|(_, name)| matches!(name, "internal" | "cstring"))
    };
    s.return_type.as_ref().is_some_and(of_server)
        || s.parameters.iter().any(|parameter| match &parameter.node {
            Some(NodeEnum::FunctionParameter(parameter)) => {
                parameter.arg_type.as_ref().is_some_and(of_server)
            }
            _ => false,
        })
}

/// The library of a C function without its folder and its version: `$libdir/postgis-2.1` is `postgis`.
fn library(s: &pg::CreateFunctionStmt) -> Option<String> {
    let NodeEnum::List(list) = option(&s.options, "as")?.arg.as_ref()?.node.as_ref()? else { return None };
    let path = string(list.items.first()?)?;
    let file = path.rsplit('/').next()?;
    let file = file.strip_suffix(".so").unwrap_or(file);
    let version = file
        .rfind('-')
        .filter(|at| file.get(at + 1..).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())));
    Some(version.and_then(|at| file.get(..at)).unwrap_or(file).to_owned())
}

/// Libraries with another name than their extension's.
const LIBRARIES: [(&str, &str); 8] = [
    ("_int", "intarray"),
    ("liblwgeom", "postgis"),
    ("lwpostgis", "postgis"),
    ("rtpostgis", "postgis_raster"),
    ("postgis_topology", "postgis_topology"),
    ("librouting", "pgrouting"),
    ("libpgrouting", "pgrouting"),
    ("pgxml", "xml2"),
];

fn is_library_of(library: &str, extension: &str) -> bool {
    library == extension || LIBRARIES.contains(&(library, extension))
}
