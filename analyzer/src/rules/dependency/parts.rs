//! What DEP-02 finds of statements about triggers, policies, rules and constraints that nothing creates, of tables that
//! exist, and about statistics and conversions that nothing creates.

use super::missing::Missing;
use super::overloads::large_object;
use crate::facts::ObjectId;
use crate::facts::names::{option, string, strings};
use crate::facts::objects::{of_part, subject};
use crate::finding::ServerError;
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::Context;
use crate::rules::clauses::has_extension;

/// What is missing in words, and what the server says.
pub(super) fn undeclared(ctx: &Context<'_>, node: &NodeEnum) -> Option<(String, ServerError)> {
    if let Some(object) = subject(node).filter(|object| matches!(object.word, "statistics" | "conversion")) {
        let id = ctx.resolved(&object.id);
        let is_judged = ctx.facts.is_dump && !matches!(node, NodeEnum::DropStmt(_)) && id.schema.is_some();
        if !is_judged || ctx.facts.declares(&id) || ctx.facts.absence(&id).is_some() {
            return None;
        }
        let word = if object.word == "statistics" { "statistics object" } else { object.word };
        let text = format!("{word} \"{}\" does not exist", id.path().replace('"', ""));
        return Some((object.to_string(), ServerError::new("42704", text)));
    }
    let (word, id, of) = named(node)?;
    let id = ctx.resolved(&id);
    let (table, part) = (id.table()?, id.part.as_deref()?);
    let facts = ctx.facts;
    let is_known = match word {
        // A partition has the triggers of its table.
        "trigger" => !facts.partitioned.is_empty() || facts.declares(&id),
        "policy" => facts.declares(&id),
        // A view's own.
        "rule" => part == "_RETURN" || facts.declares(&id),
        // The server's own names begin with the table's; those of NOT NULL, of keys and of parents are names as others.
        "constraint" => {
            let of_table = part.strip_prefix(&*table.name).is_some_and(|rest| rest.starts_with('_'));
            of_table || part.len() >= 60 || facts.names.known(part).is_some()
        }
        _ => return None,
    };
    // What belongs to a table that got another name is known under the old one.
    if is_known || !facts.renamed.is_empty() || !facts.exists(&table) || facts.absent.contains_key(&id) {
        return None;
    }
    let text = format!("{word} \"{part}\" {of} \"{}\" does not exist", table.name);
    Some((format!("{word} {}", id.path()), ServerError::new("42704", text)))
}

/// The schemas in whose tables or functions a statement sets privileges, or that it moves an object to.
pub(super) fn schemas(node: &NodeEnum) -> Vec<&str> {
    match node {
        NodeEnum::GrantStmt(s) if s.targtype == pg::GrantTargetType::AclTargetAllInSchema as i32 => {
            strings(&s.objects)
        }
        NodeEnum::AlterDefaultPrivilegesStmt(s) => {
            match option(&s.options, "schemas").and_then(|option| option.arg.as_ref()?.node.as_ref()) {
                Some(NodeEnum::List(list)) => strings(&list.items),
                _ => Vec::new(),
            }
        }
        NodeEnum::AlterObjectSchemaStmt(s) => vec![s.newschema.as_str()],
        _ => Vec::new(),
    }
}

/// True where a statement of a script is about an object that none of the inputs creates: a publication, server, event
/// trigger or large object, or statistics or a conversion.
pub(super) fn is_strange(ctx: &Context<'_>, node: &NodeEnum) -> bool {
    let Some(object) = subject(node) else { return false };
    let id = ctx.resolved(&object.id);
    if let NodeEnum::AlterTableStmt(s) = node
        && let Some(index) = s.cmds.iter().find_map(identity_index)
    {
        let index = ObjectId { name: index.into(), ..id };
        return !ctx.facts.declares(&index) && ctx.facts.absence(&index).is_none();
    }
    let is_looked_for = match object.word {
        "large object" => return large_object(ctx, node).is_some(),
        "statistics" | "conversion" => true,
        _ => {
            matches!(id.class, Class::Publication | Class::Server | Class::EventTrigger | Class::Subscription)
        }
    };
    is_looked_for && !ctx.facts.declares(&id) && ctx.facts.absence(&id).is_none()
}

/// A server that a foreign table or user mapping names, which scripts make too, or an extension that an object depends on.
pub(super) fn undeclared_link(ctx: &Context<'_>, node: &NodeEnum, is_judged: bool) -> Option<Missing> {
    let id = match node {
        NodeEnum::CreateForeignTableStmt(s) => ObjectId::new(Class::Server, None, &s.servername),
        NodeEnum::CreateUserMappingStmt(s) => ObjectId::new(Class::Server, None, &s.servername),
        NodeEnum::AlterObjectDependsStmt(s) if is_judged => {
            let extension = s.extname.as_ref().filter(|name| !has_extension(ctx, &name.sval))?;
            ObjectId::new(Class::Extension, None, &extension.sval)
        }
        NodeEnum::GrantStmt(_)
        | NodeEnum::CommentStmt(_)
        | NodeEnum::AlterForeignServerStmt(_)
        | NodeEnum::AlterEventTrigStmt(_)
        | NodeEnum::AlterPublicationStmt(_)
        | NodeEnum::AlterUserMappingStmt(_)
            if is_judged =>
        {
            let of = [Class::Server, Class::EventTrigger, Class::Publication];
            subject(node).filter(|object| of.contains(&object.id.class))?.id
        }
        _ => return None,
    };
    let gone = !ctx.facts.dynamic && !ctx.facts.declares(&id) && ctx.facts.absence(&id).is_none();
    gone.then(|| Missing::of(id, None))
}

/// The part of a table that a statement is about: the word for it, which one, and how the server names its table.
fn named(node: &NodeEnum) -> Option<(&'static str, ObjectId, &'static str)> {
    use pg::ObjectType as T;
    let of = |word| if word == "rule" { "for relation" } else { "for table" };
    let object = match node {
        NodeEnum::AlterTableStmt(s) => {
            let mut parts = s.cmds.iter().filter_map(altered);
            return parts
                .find_map(|(word, part, of)| Some((word, of_part(word, s.relation.as_ref(), part)?.id, of)));
        }
        NodeEnum::RenameStmt(s) => {
            let word = match T::try_from(s.rename_type).ok()? {
                T::ObjectTrigger => "trigger",
                T::ObjectPolicy => "policy",
                T::ObjectRule => "rule",
                T::ObjectTabconstraint => "constraint",
                _ => return None,
            };
            of_part(word, s.relation.as_ref().filter(|_| !s.missing_ok), &s.subname)?
        }
        NodeEnum::AlterPolicyStmt(s) => of_part("policy", s.table.as_ref(), &s.policy_name)?,
        NodeEnum::AlterObjectDependsStmt(s) if s.object_type == T::ObjectTrigger as i32 => {
            let Some(NodeEnum::List(list)) = &s.object.as_ref()?.node else { return None };
            of_part("trigger", s.relation.as_ref(), string(list.items.first()?)?)?
        }
        node => subject(node).filter(|object| object.id.class == Class::Attached)?,
    };
    Some((object.word, object.id, of(object.word)))
}

/// The index of `REPLICA IDENTITY USING INDEX`.
fn identity_index(node: &pg::Node) -> Option<&str> {
    let Some(NodeEnum::AlterTableCmd(command)) = &node.node else { return None };
    let Some(NodeEnum::ReplicaIdentityStmt(s)) = &command.def.as_ref()?.node else { return None };
    (!s.name.is_empty()).then_some(&*s.name)
}

/// The part of its table that a command of ALTER TABLE is about.
fn altered(node: &pg::Node) -> Option<(&'static str, &str, &'static str)> {
    use pg::AlterTableType as T;
    let Some(NodeEnum::AlterTableCmd(command)) = &node.node else { return None };
    let name = &*command.name;
    match T::try_from(command.subtype).ok()? {
        T::AtEnableTrig | T::AtEnableAlwaysTrig | T::AtEnableReplicaTrig | T::AtDisableTrig => {
            Some(("trigger", name, "for table"))
        }
        T::AtEnableRule | T::AtEnableAlwaysRule | T::AtEnableReplicaRule | T::AtDisableRule => {
            Some(("rule", name, "for relation"))
        }
        T::AtDropConstraint | T::AtValidateConstraint if !command.missing_ok => {
            Some(("constraint", name, "of relation"))
        }
        _ => None,
    }
}
