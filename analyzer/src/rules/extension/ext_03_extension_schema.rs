//! EXT-03: an extension's schema that is missing, or another than the target's.

use super::ext_01_unsupported_extension::extension_name;
use super::moved::{Moved, MovedExtensions};
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{option, option_text, options, quoted, string};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, Class, NodeEnum, StatementKind, Tokens, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::{requalified, value};
use crate::target::members;

pub(crate) const RULE: Rule = Rule {
    id: "EXT-03",
    name: "extension-schema",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("extension.schema", "An extension that the service has in another schema."),
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "CREATE EXTENSION in a schema that does not exist, or of an extension that the target already has in another schema.",
        what: "The schema of CREATE EXTENSION … WITH SCHEMA is not created before it; or the extension is one that \
               every service has from the start, in schema public (the target file lists them; a live target is \
               asked), and the dump puts it elsewhere. Then all names that the dump qualifies with the other \
               schema are found too.",
        why: "A missing schema is an error. An extension that exists stays where it is: the server only says so, and names qualified with the dump's schema are not found later.",
        server: &[
            "3F000 schema \"ext\" does not exist",
            "42710 extension \"vector\" already exists",
            "42704 type \"ext.vector\" does not exist",
        ],
        help: "A missing schema is created before the extension. For one that exists, the names are changed to the schema that it is in. In the bodies of functions they are text: look at those. An extension may also be moved: DROP EXTENSION and CREATE EXTENSION … SCHEMA, before the restore.",
        before: "CREATE SCHEMA ext;\nCREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA ext;\nCREATE TABLE public.items (v ext.vector(3));",
        after: "CREATE SCHEMA ext;\nCREATE EXTENSION IF NOT EXISTS vector WITH SCHEMA public;\nCREATE TABLE public.items (v public.vector(3));",
        sources: Doc::sources(&[
            "tigerdata.com docs, Tiger Cloud extensions (the target file has the lists and their dates)",
            "PostgreSQL src/backend/commands/extension.c, CreateExtension",
        ]),
        link: "https://www.tigerdata.com/docs/deploy/tiger-cloud/tiger-cloud-aws/tiger-cloud-extensions",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if let NodeEnum::CreateExtensionStmt(s) = node {
        if s.extname != TIMESCALEDB {
            creation(ctx, s);
        }
        return;
    }
    if let NodeEnum::DropStmt(s) = node {
        dropping(ctx, s);
        return;
    }
    if let NodeEnum::AlterExtensionContentsStmt(_) | NodeEnum::AlterObjectSchemaStmt(_) = node {
        changing(ctx);
        return;
    }
    let Some(moved) = ctx.states.get::<MovedExtensions>() else { return };
    let moved: Vec<Moved> = moved.0.iter().filter(|m| m.extension != TIMESCALEDB).cloned().collect();
    for moved in moved {
        uses(ctx, statement, &moved);
    }
}

pub(crate) const TIMESCALEDB: &str = "timescaledb";

fn creation(ctx: &mut Context<'_>, s: &pg::CreateExtensionStmt) {
    let name = &s.extname;
    if !ctx.target.allows_extension(name) && ctx.target.installed_in(name).is_none() {
        return;
    }
    match ctx.target.installed_in(name).map(str::to_owned) {
        Some(there) => already_there(ctx, s, &there),
        None => missing_schema(ctx, s),
    }
}

/// pg_dump --clean drops every extension of the source. Those of the service stay.
fn dropping(ctx: &mut Context<'_>, s: &pg::DropStmt) {
    let Some((_, node)) = ctx.node() else { return };
    let Some(object) = subject(node).filter(|object| object.id.class == Class::Extension) else { return };
    let name = object.id.name.clone();
    if ctx.target.installed_in(&name).is_none() || s.remove_type != pg::ObjectType::ObjectExtension as i32 {
        return;
    }
    let words = format!("extension {}", quoted(&name));
    let mut draft = Draft::new(format!("{words} is the service's own: it has to stay"))
        .object(words)
        .fix(FixDraft::remove("the service's own extension stays"));
    // TimescaleDB's functions depend on it; without them it would go.
    draft = if &*name == "plpgsql" && ctx.target.installed_in(TIMESCALEDB).is_some() {
        draft.server(ServerError::new(
            "2BP01",
            "cannot drop extension plpgsql because other objects depend on it",
        ))
    } else {
        draft.severity(Severity::Warning)
    };
    ctx.report(draft);
}

/// ALTER EXTENSION … SET SCHEMA, ADD and DROP: what the allow-list creates belongs to the superuser.
fn changing(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let Some(object) = subject(node).filter(|object| object.id.class == Class::Extension) else { return };
    let name = &object.id.name;
    let made = ctx.facts.extensions.contains_key(&**name);
    if ctx.facts.absence(&object.id).is_some() {
        return;
    }
    let words = format!("extension {}", quoted(name));
    let there =
        !ctx.facts.dropped_extensions.contains(&**name) && (made || ctx.target.installed_in(name).is_some());
    let server = if there {
        ServerError::new("42501", format!("must be owner of extension {name}"))
    } else {
        ServerError::new("42704", format!("extension \"{name}\" does not exist"))
    };
    let mut fix = FixDraft::remove("extensions of the service stay as they are");
    if matches!(node, NodeEnum::AlterObjectSchemaStmt(_)) {
        fix = fix.review().lost(format!("the other schema of {words}"));
    }
    let draft = Draft::new(format!("{words} belongs to the service's superuser: it cannot be changed"))
        .object(words)
        .advice("Give the schema in CREATE EXTENSION … WITH SCHEMA.")
        .server(server)
        .fix(fix);
    ctx.report(draft);
}

/// The schema that a CREATE EXTENSION gives, and which of its options that is.
fn schema_option(s: &pg::CreateExtensionStmt) -> Option<(usize, &pg::DefElem, &str)> {
    let (index, option) = options(&s.options).enumerate().find(|(_, option)| option.defname == "schema")?;
    Some((index, option, option_text(option)?))
}

/// The target has the extension from the start: the statement has to say IF NOT EXISTS, and names are
/// qualified with the schema that it is in there.
pub(crate) fn already_there(ctx: &mut Context<'_>, s: &pg::CreateExtensionStmt, there: &str) {
    let Some((statement, _)) = ctx.node() else { return };
    let name = &s.extname;
    let words = format!("extension {}", quoted(name));
    let moved = schema_option(s).filter(|(_, _, schema)| *schema != there);
    let mut fix = FixDraft::edit(format!("Leave it in {there}"));
    let mut range = extension_name(statement);
    if let Some((index, option, schema)) = moved {
        let Some(clause) = value(statement, option) else { return };
        remember(ctx, name, schema, there);
        let path = format!("/CreateExtensionStmt/options/{index}/DefElem/arg/String/sval");
        fix = fix.replace(clause.clone(), quoted(there)).change(Change::set_str(path, there));
        range = Some(clause);
    }
    if !s.if_not_exists {
        // CREATE LANGUAGE says it in other words (gram.y, CreatePLangStmt).
        let insert = match statement.words(&["EXTENSION"]) {
            Some(word) => (word.end, " IF NOT EXISTS"),
            None => match statement.words(&["CREATE"]) {
                Some(word) => (word.end, " OR REPLACE"),
                None => return,
            },
        };
        fix = fix
            .replace(insert.0..insert.0, insert.1)
            .change(Change::Set("/CreateExtensionStmt/if_not_exists".into(), true.into()));
    }
    if s.if_not_exists && moved.is_none() {
        return;
    }
    let mut draft = match moved {
        Some((_, _, schema)) => Draft::new(format!(
            "the target has {words} in schema {there} already, not in {schema}"
        ))
        .advice(format!(
            "Names that the dump qualifies with {schema} are changed to {there}. Function bodies that name \
                 {schema} are text: look at them."
        )),
        None => Draft::new(format!("the target has {words} already")),
    }
    .object(words)
    .fix(fix);
    draft = if s.extname == TIMESCALEDB && moved.is_some() {
        // The service prepares the extension again, in the schema that the statement gives.
        let schema = moved.map_or("", |(_, _, schema)| schema);
        let error = format!("function {schema}.timescaledb_pre_restore() does not exist");
        draft.server(ServerError::new("42883", error))
    } else if s.if_not_exists {
        draft.severity(Severity::Warning)
    } else {
        draft.server(ServerError::new("42710", format!("extension \"{name}\" already exists")))
    };
    if let Some(range) = range {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

fn missing_schema(ctx: &mut Context<'_>, s: &pg::CreateExtensionStmt) {
    let Some((statement, _)) = ctx.node() else { return };
    let Some((_, option, schema)) = schema_option(s) else { return };
    let id = ObjectId::new(Class::Extension, None, &s.extname);
    let made = ctx.facts.extensions.contains_key(s.extname.as_str()) && ctx.facts.absence(&id).is_none();
    if s.if_not_exists && made
        || ctx.facts.schemas.contains_key(schema)
        || matches!(schema, "public" | "pg_catalog" | "information_schema")
        || ctx.facts.missing_schema(schema).is_some()
    {
        return;
    }
    let words = format!("extension {}", quoted(&s.extname));
    let mut draft = Draft::new(format!("schema {} is not created before {words}", quoted(schema)))
        .object(words)
        .server(ServerError::missing_schema(schema))
        .fix(FixDraft::surround(
            format!("Create schema {schema} first"),
            vec![format!("CREATE SCHEMA IF NOT EXISTS {};", quoted(schema))],
            Vec::new(),
        ));
    if let Some(range) = value(statement, option) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// Remembers where an extension was and is.
pub(crate) fn remember(ctx: &mut Context<'_>, extension: &str, from: &str, to: &str) {
    let moved = Moved { extension: extension.to_owned(), from: from.to_owned(), to: to.to_owned() };
    let known = &mut ctx.states.of::<MovedExtensions>().0;
    if !known.contains(&moved) {
        known.push(moved);
    }
}

/// Names of a moved extension that are qualified with its old schema.
pub(crate) fn uses(ctx: &mut Context<'_>, statement: &Statement<'_>, moved: &Moved) {
    let Moved { extension, from, to } = moved;
    let Some(known) = members(extension) else { return };
    let classes = [
        Class::Type,
        Class::Function,
        Class::Operator,
        Class::OperatorClass,
        Class::TextSearchParser,
        Class::TextSearchDictionary,
        Class::TextSearchTemplate,
        Class::TextSearchConfiguration,
        Class::Relation,
    ];
    let takes = |name: &str| {
        let is_member = classes.iter().any(|class| known.has(*class, name))
            || known.relation_schemas(name).any(|s| s.is_none());
        // An object of the user's own with such a name stays where it is.
        let is_own = classes.iter().any(|class| ctx.facts.declares(&ObjectId::new(*class, Some(from), name)));
        is_member && !is_own
    };
    let object = created(statement.node()).or_else(|| subject(statement.node()));
    let words = object.map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    let title = format!("Name schema {to}, which {extension} is in");
    if let Some((range, name, fix)) = requalified(statement, (from, to), title, takes) {
        let member = name.rsplit('.').next().unwrap_or("").trim_matches('"');
        let error = if known.has(Class::Type, member) {
            ServerError::new("42704", format!("type \"{name}\" does not exist"))
        } else if known.has(Class::Function, member) {
            ServerError::new("42883", format!("function {name}(…) does not exist"))
        } else if known.has(Class::Operator, member) {
            ServerError::new("42883", format!("operator does not exist: … {name} …"))
        } else {
            ServerError::new("42704", format!("\"{name}\" does not exist"))
        };
        let draft =
            Draft::new(format!("{words} names {name}: the target has extension {extension} in schema {to}"))
                .at(range)
                .object(words.clone())
                .server(error)
                .fix(fix);
        ctx.report(draft);
    }
    if let Some(name) = body(statement.node()).and_then(|body| named_in_text(body, from, takes)) {
        let draft = Draft::new(format!(
            "the body of {words} names {name}: the target has extension {extension} in schema {to}"
        ))
        .severity(Severity::Warning)
        .object(words)
        .advice(format!(
            "The body is text that is not rewritten: change {from} to {to} in it, here or after the restore."
        ));
        ctx.report(draft);
    }
}

/// The text of a function's body.
fn body(node: &NodeEnum) -> Option<&str> {
    let NodeEnum::CreateFunctionStmt(s) = node else { return None };
    match option(&s.options, "as")?.arg.as_ref()?.node.as_ref()? {
        NodeEnum::List(list) if list.items.len() == 1 => string(list.items.first()?),
        _ => None,
    }
}

/// The first `schema.name` in a text whose name the test takes.
fn named_in_text(text: &str, schema: &str, takes: impl Fn(&str) -> bool) -> Option<String> {
    let tokens = Tokens::scan(text);
    tokens.as_slice().windows(3).find_map(|window| {
        let [first, dot, name] = window else { return None };
        let name = name.identifier(text)?;
        let found =
            first.identifier(text).as_deref() == Some(schema) && dot.text(text) == "." && takes(&name);
        found.then(|| format!("{}.{}", quoted(schema), quoted(&name)))
    })
}
