//! What the scripts of extensions create: which statements are theirs.

use std::collections::BTreeMap;

use crate::facts::ObjectId;
use crate::facts::names::{option, option_text, qualified, string};
use crate::facts::objects::signature;
use crate::finding::ServerError;
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::{Context, Finding};
use crate::target::{Members, is_builtin, is_builtin_operator, known, members};

/// Full text search before PostgreSQL had it: no server has had this extension since 10.
pub(super) const TSEARCH2: &str = "tsearch2";

/// Types that its script creates and PostgreSQL has.
const TYPES_OF_SEARCH: [&str; 3] = ["gtsvector", "tsquery", "tsvector"];

/// Base types that extensions no longer have.
const GONE_TYPES: [(&str, &str); 3] =
    [("postgis", "box3d_extent"), ("postgis", "chip"), ("postgis", "histogram2d")];

/// Extensions with functions in SQL or PL/pgSQL that no type of theirs tells apart.
const WITH_SQL_FUNCTIONS: [&str; 10] = [
    "earthdistance",
    "lo",
    "pg_freespacemap",
    "pgrouting",
    "postgis",
    "postgis_raster",
    "postgis_tiger_geocoder",
    "postgis_topology",
    TSEARCH2,
    "xml2",
];

/// True where a function is the extension's by its name, in whatever language.
pub(super) fn has_sql_functions(extension: &str) -> bool {
    WITH_SQL_FUNCTIONS.contains(&extension)
}

/// The extensions of this kind whose scripts are left out.
pub(super) fn scripted<'a>(
    ctx: &'a Context<'_>,
    is_it: impl Fn(&'static str, &'static Members) -> bool + 'a,
) -> impl Iterator<Item = (&'static str, &'static Members)> + 'a {
    let is_left_out = |extension: &str| {
        extension == TSEARCH2 || extension != "plpgsql" && ctx.target.allows_extension(extension)
    };
    known().filter(move |(extension, of)| is_it(extension, of) && is_left_out(extension))
}

/// Extensions whose scripts are in the inputs, with the schema of their first object.
#[derive(Clone, Debug, Default)]
pub(super) struct Scripts {
    /// By extension.
    pub(super) schemas: BTreeMap<&'static str, String>,
    pub(super) left_out: BTreeMap<Key, LeftOut>,
    /// What uses them, and is created because the rewrite creates the extension.
    pub(super) users: BTreeMap<ObjectId, &'static str>,
    /// What may be of a script of which nothing else has come yet: the server takes it.
    pub(super) waiting: Vec<(&'static str, Key, Finding)>,
    /// Of that, what was of a script: it came.
    pub(super) late: Vec<Finding>,
}

/// An object that is left out with a script.
#[derive(Clone, Copy, Debug)]
pub(super) struct LeftOut {
    pub(super) extension: &'static str,
    /// The server would refuse it.
    pub(super) is_refused: bool,
    /// The extension of today has it.
    pub(super) is_member: bool,
}

/// An object with the types that tell it apart.
pub(super) type Key = (ObjectId, Box<str>);

impl Scripts {
    /// The extensions.
    pub(super) fn extensions(&self) -> impl Iterator<Item = (&'static str, &'static Members)> {
        self.schemas.keys().filter_map(|extension| Some((*extension, members(extension)?)))
    }

    /// The function of this name that is left out with the extension's script.
    fn function(&self, extension: &str, name: &str) -> Option<LeftOut> {
        let is_it = |(id, _): &Key, of: &LeftOut| {
            id.class == Class::Function && &*id.name == name && of.extension == extension
        };
        self.left_out.iter().find(|(key, of)| is_it(key, of)).map(|(_, of)| *of)
    }

    /// True for a row type or domain of a script: the server takes those.
    pub(super) fn has_taken_type(&self, name: &str) -> bool {
        let is_it = |(id, _): &Key| id.class == Class::Type && &*id.name == name;
        self.left_out.iter().any(|(key, left)| !left.is_refused && is_it(key))
    }

    /// The script of an extension begins: what has waited for it is of it.
    pub(super) fn begin(&mut self, extension: &'static str, schema: &str) {
        self.schemas.insert(extension, schema.to_owned());
        for (of, key, finding) in std::mem::take(&mut self.waiting) {
            if of == extension && key.0.schema.as_deref() == Some(schema) {
                self.left_out.insert(key, LeftOut { extension, is_refused: false, is_member: true });
                self.late.push(finding);
            } else {
                self.waiting.push((of, key, finding));
            }
        }
    }
}

pub(super) fn types(node: &NodeEnum) -> Box<str> {
    signature(node).map(|signature| signature.types).unwrap_or_default()
}

/// A statement of an extension's script.
pub(super) struct Part {
    pub(super) extension: &'static str,
    /// The server refuses the statement: what it says.
    pub(super) server: Option<ServerError>,
    /// The extension of today has such an object; of tsearch2, PostgreSQL has.
    pub(super) is_member: bool,
}

/// What the statement is of an extension's script.
pub(super) fn part(ctx: &Context<'_>, node: &NodeEnum, object: &ObjectId) -> Option<Part> {
    let name = &*object.name;
    let scripts = ctx.states.get::<Scripts>();
    let recognised = || scripts.into_iter().flat_map(Scripts::extensions);
    let denied = |text: &str| Some(ServerError::new("42501", text));
    match node {
        NodeEnum::DefineStmt(s) if s.kind == pg::ObjectType::ObjectType as i32 => {
            let creates = |extension: &'static str, of: &'static Members| {
                of.types.contains(name)
                    || extension == TSEARCH2 && TYPES_OF_SEARCH.contains(&name)
                    || GONE_TYPES.contains(&(extension, name))
            };
            let (extension, of) = recognised()
                .find(|(extension, of)| creates(extension, of))
                .or_else(|| scripted(ctx, creates).next())?;
            Some(Part {
                extension,
                server: denied("must be superuser to create a base type"),
                is_member: of.types.contains(name)
                    || extension == TSEARCH2 && TYPES_OF_SEARCH.contains(&name),
            })
        }
        NodeEnum::CreateFunctionStmt(s) if language(s).eq_ignore_ascii_case("c") => {
            let library = library(s)?;
            let (extension, of) = scripted(ctx, |extension, _| is_library_of(&library, extension)).next()?;
            let is_member = of.functions.contains(name)
                || of.overloads.contains(name)
                || extension == TSEARCH2 && is_builtin(Class::Function, name)
                || is_internal(s);
            Some(Part { extension, server: denied("permission denied for language c"), is_member })
        }
        _ => {
            let scripts = scripts?;
            let is_there = |extension| {
                let schema = object.schema.as_deref();
                matches!(object.class, Class::Nameless)
                    || schema == scripts.schemas.get(extension).map(String::as_str)
            };
            let (extension, of) = scripts.extensions().find(|(extension, of)| {
                is_there(*extension) && belongs(scripts, (extension, of), node, object)
            })?;
            let is_member = match object.class {
                _ if extension == TSEARCH2 => {
                    matches!(object.class, Class::Operator | Class::OperatorClass)
                }
                Class::Operator => of.operators.contains(name),
                Class::Function => of.holds(object.class, name) || of.overloads(object.class, name),
                _ => true,
            };
            Some(Part { extension, server: lacks(ctx, scripts, of), is_member })
        }
    }
}

/// True for an object of an extension whose script is there.
fn belongs(scripts: &Scripts, (extension, of): (&str, &Members), node: &NodeEnum, object: &ObjectId) -> bool {
    let (class, name) = (object.class, &*object.name);
    let calls = |name: &str| of.functions.contains(name) || scripts.function(extension, name).is_some();
    match node {
        NodeEnum::CreateFunctionStmt(s)
            if !has_sql_functions(extension) && !language(s).eq_ignore_ascii_case("internal") =>
        {
            let is_own = |name: &str| of.types.contains(name);
            let signature = types(node);
            (of.functions.contains(name) || of.overloads.contains(name))
                && (signature.split(',').any(|name| is_own(name.trim_end_matches("[]")))
                    || s.return_type
                        .as_ref()
                        .and_then(|of| qualified(&of.names))
                        .is_some_and(|(_, name)| is_own(name)))
        }
        // Others have casts and operators of these types, too: the function tells.
        NodeEnum::CreateCastStmt(s) => match &s.func {
            Some(function) => qualified(&function.objname).is_some_and(|(_, name)| calls(name)),
            None => [&s.sourcetype, &s.targettype]
                .into_iter()
                .flatten()
                .any(|of_type| qualified(&of_type.names).is_some_and(|(_, name)| of.types.contains(name))),
        },
        NodeEnum::DefineStmt(s) if class == Class::Operator => function_of_operator(s).is_some_and(calls),
        NodeEnum::CreateOpFamilyStmt(_) | NodeEnum::CreateOpClassStmt(_) => {
            of.operator_classes.contains(name)
        }
        // An aggregate of functions that are gone is gone with them.
        NodeEnum::DefineStmt(s) if class == Class::Function && !of.holds(class, name) => {
            let function = ["sfunc", "sfunc1"].iter().find_map(|word| option(&s.definition, word));
            let function = function.and_then(name_of).and_then(|name| scripts.function(extension, name));
            function.is_some_and(|left| !left.is_member)
        }
        _ => of.holds(class, name) || of.overloads(class, name),
    }
}

/// What the server says of a statement that needs what the script would have created.
fn lacks(ctx: &Context<'_>, scripts: &Scripts, of: &Members) -> Option<ServerError> {
    let statement = ctx.statement()?;
    let of_type = |name: &str| ServerError::new("42704", format!("type \"{name}\" does not exist"));
    let found = statement.references().iter().find_map(|reference| match reference.class {
        Class::Type if of.types.contains(&reference.name) && !scripts.has_taken_type(&reference.name) => {
            Some(of_type(&reference.name))
        }
        Class::Function if of.functions.contains(&reference.name) => {
            Some(ServerError::new("42883", format!("function {}(…) does not exist", reference.name)))
        }
        _ => None,
    });
    let own = || match statement.node() {
        NodeEnum::DefineStmt(s) if s.kind == pg::ObjectType::ObjectOperator as i32 => {
            // Of concat PostgreSQL has one for any types, which no operator can take.
            let of_server = function_of_operator(s)
                .is_some_and(|name| name != "concat" && is_builtin(Class::Function, name));
            let name = |word| option(&s.definition, word).and_then(name_of).unwrap_or_default();
            let (left, right) = (name("leftarg"), name("rightarg"));
            let linked = is_builtin_operator(name("commutator"), right, left)
                || is_builtin_operator(name("negator"), left, right);
            match (of_server, linked) {
                (false, _) => Some(ServerError::new("42883", "function … does not exist")),
                // PostgreSQL has the operator that it is linked with.
                (true, true) => Some(ServerError::new("42501", "must be owner of operator …")),
                (true, false) => None,
            }
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

/// The name of the function that an operator calls.
fn function_of_operator(s: &pg::DefineStmt) -> Option<&str> {
    ["procedure", "function"].iter().find_map(|word| option(&s.definition, word)).and_then(name_of)
}

/// The name that an option has as its value.
fn name_of(option: &pg::DefElem) -> Option<&str> {
    match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::TypeName(name) => qualified(&name.names).map(|(_, name)| name),
        NodeEnum::List(list) => qualified(&list.items).map(|(_, name)| name),
        NodeEnum::String(name) => Some(&name.sval),
        _ => None,
    }
}

fn language(s: &pg::CreateFunctionStmt) -> &str {
    option(&s.options, "language").and_then(option_text).unwrap_or_default()
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
