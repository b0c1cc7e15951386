//! What DEP-02 finds of statements that drop: `pg_dump --clean` without `--if-exists`, onto an empty target.

use crate::facts::names::{qualified, quoted, role, string};
use crate::facts::objects::{dropped, subject};
use crate::facts::{Object, ObjectId};
use crate::finding::ServerError;
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::Context;
use crate::rules::clauses::has_extension;
use crate::rules::data::large_objects::has_large_object;
use crate::target::{is_builtin, is_builtin_operator_class, members};

/// True for a statement that says IF EXISTS of what it is about.
pub(super) fn may_be_missing(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::DropStmt(s) => s.missing_ok,
        NodeEnum::AlterTableStmt(s) => s.missing_ok,
        NodeEnum::RenameStmt(s) => s.missing_ok,
        NodeEnum::AlterObjectSchemaStmt(s) => s.missing_ok,
        _ => false,
    }
}

/// True for a statement that does nothing but drop: a whole object or a part of one.
pub(super) fn drops(node: &NodeEnum) -> bool {
    use pg::AlterTableType as T;
    match node {
        NodeEnum::DropStmt(_) | NodeEnum::DropSubscriptionStmt(_) | NodeEnum::DropUserMappingStmt(_) => true,
        // DEFAULT, NOT NULL and CONSTRAINT, by the parser's letters for them.
        NodeEnum::AlterDomainStmt(s) => match &*s.subtype {
            "T" => s.def.is_none(),
            subtype => matches!(subtype, "N" | "X"),
        },
        NodeEnum::AlterTableStmt(s) => s.cmds.iter().all(|command| {
            let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return false };
            match T::try_from(command.subtype) {
                Ok(T::AtColumnDefault) => command.def.is_none(),
                Ok(
                    T::AtDropConstraint
                    | T::AtDropColumn
                    | T::AtDropNotNull
                    | T::AtDropIdentity
                    | T::AtDropExpression
                    | T::AtDropInherit
                    | T::AtDetachPartition
                    | T::AtDropOids
                    | T::AtDropCluster,
                ) => true,
                _ => false,
            }
        }),
        _ => false,
    }
}

/// An object that the statement drops and that nothing creates before: its words, and what the server says.
pub(super) fn nothing_to_drop(ctx: &Context<'_>, node: &NodeEnum) -> Option<(String, ServerError)> {
    let gone = |words: String, code, text: String| Some((words, ServerError::new(code, text)));
    match node {
        NodeEnum::DropUserMappingStmt(s) if !s.missing_ok => {
            let server = ObjectId::new(Class::Server, None, &s.servername);
            let who = s.user.as_ref().and_then(role).unwrap_or("public");
            let words = format!("user mapping for {} on server {}", quoted(who), quoted(&s.servername));
            if ctx.facts.declares(&server) {
                return None;
            }
            return gone(words, "42704", format!("server \"{}\" does not exist", s.servername));
        }
        NodeEnum::SelectStmt(_) => return large_object(ctx, node),
        NodeEnum::DropStmt(s) if !s.missing_ok => {}
        NodeEnum::DropSubscriptionStmt(s) if !s.missing_ok => {}
        _ => return None,
    }
    if let NodeEnum::DropStmt(s) = node
        && s.remove_type == pg::ObjectType::ObjectTransform as i32
    {
        return transform(ctx, s);
    }
    let listed = match node {
        NodeEnum::DropStmt(s) => dropped(s),
        _ => Vec::new(),
    };
    let object = subject(node);
    object.into_iter().chain(listed).find_map(|object| not_there(ctx, &object))
}

/// The object in words, and what the server says, where nothing creates it.
fn not_there(ctx: &Context<'_>, object: &Object) -> Option<(String, ServerError)> {
    let id = ctx.resolved(&object.id);
    let judged = matches!(
        id.class,
        Class::Extension
            | Class::Publication
            | Class::Subscription
            | Class::EventTrigger
            | Class::Server
            | Class::ForeignDataWrapper
            | Class::Language
            | Class::AccessMethod
            | Class::Operator
            | Class::OperatorClass
            | Class::Collation
            | Class::Nameless
    ) || id.class.is_text_search();
    if !judged || ctx.facts.declares(&id) || ctx.facts.absence(&id).is_some() || exists(ctx, &id) {
        return None;
    }
    let (words, path) = (object.word, id.path().replace('"', ""));
    let server = match (id.class, words) {
        (_, "cast") => {
            let types = path.trim_matches(['(', ')']).replacen(" AS ", " to type ", 1);
            ("42704", format!("cast from type {types} does not exist"))
        }
        (Class::Operator, _) => ("42883", format!("operator does not exist: … {path} …")),
        (Class::Collation, _) => {
            ("42704", format!("collation \"{path}\" for encoding \"UTF8\" does not exist"))
        }
        (_, "statistics") => ("42704", format!("statistics object \"{path}\" does not exist")),
        _ => ("42704", format!("{words} \"{path}\" does not exist")),
    };
    Some((format!("{words} {}", id.path()), ServerError::new(server.0, server.1)))
}

/// `DROP TRANSFORM FOR type LANGUAGE language` of one that no extension brings and nothing creates.
fn transform(ctx: &Context<'_>, s: &pg::DropStmt) -> Option<(String, ServerError)> {
    let [object] = s.objects.as_slice() else { return None };
    let Some(NodeEnum::List(list)) = &object.node else { return None };
    let [of, language] = list.items.as_slice() else { return None };
    let Some(NodeEnum::TypeName(of)) = &of.node else { return None };
    let ((_, of), language) = (qualified(&of.names)?, string(language)?);
    let mut extensions = ctx.facts.extensions.keys().map(|name| &**name);
    let brings =
        |name: &str| members(name).is_none_or(|known| known.transforms.contains(&format!("{of}/{language}")));
    let created = ctx
        .facts
        .objects
        .keys()
        .any(|id| id.class == Class::Nameless && id.name.contains(of) && id.name.contains(language));
    if created || extensions.any(brings) || ctx.target.live_extensions.is_some() {
        return None;
    }
    let known = is_builtin(Class::Type, of) || ctx.facts.is_somewhere(Class::Type, of);
    let text = if known {
        format!("transform for type {of} language \"{language}\" does not exist")
    } else {
        format!("type \"{of}\" does not exist")
    };
    Some((format!("the transform for {of} language {language}"), ServerError::new("42704", text)))
}

/// True where the target or an extension has it.
fn exists(ctx: &Context<'_>, id: &ObjectId) -> bool {
    let extensions = || ctx.facts.extensions.keys().map(|name| &**name).chain(["timescaledb", "plpgsql"]);
    match id.class {
        Class::Extension => has_extension(ctx, &id.name) || ctx.target.live_extensions.is_some(),
        Class::OperatorClass => is_builtin_operator_class(&id.name),
        class
            if id.schema.as_deref().is_none_or(|schema| schema == "pg_catalog")
                && is_builtin(class, &id.name) =>
        {
            true
        }
        class => extensions().any(|name| members(name).is_some_and(|of| of.has(class, &id.name))),
    }
}

/// `SELECT pg_catalog.lo_unlink('16400')` of a large object that nothing creates.
fn large_object(ctx: &Context<'_>, node: &NodeEnum) -> Option<(String, ServerError)> {
    let calls = crate::rules::clauses::calls(node);
    let [(call, true)] = calls.as_slice() else { return None };
    let (_, name) = crate::facts::names::qualified(&call.funcname)?;
    let [argument] = call.args.as_slice() else { return None };
    let number: u32 = match argument.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            pg::a_const::Val::Ival(integer) => u32::try_from(integer.ival).ok()?,
            pg::a_const::Val::Sval(string) => string.sval.parse().ok()?,
            _ => return None,
        },
        _ => return None,
    };
    if name != "lo_unlink" || has_large_object(ctx, number) {
        return None;
    }
    let error = ServerError::new("42704", format!("large object {number} does not exist"));
    Some((format!("large object {number}"), error))
}
