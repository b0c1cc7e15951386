//! What the bodies of functions need, for who judges the expressions that call them.

use std::collections::BTreeSet;

use arcstr::ArcStr;

use crate::facts::ObjectId;
use crate::parse::{Class, NodeEnum, Reference};
use crate::target::is_builtin;

/// What a function's body needs. Overloads are one: what one of them does not need is not counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Function {
    /// The first name without a schema that no catalog has; true where it may not be reached.
    pub(super) unqualified: Option<(Reference, bool)>,
    /// A table that it reads.
    pub(super) reads: Option<ObjectId>,
    /// Other functions, by names with a schema.
    pub(super) calls: BTreeSet<ObjectId>,
    /// It sets a search_path.
    pub(super) has_path: bool,
}

/// Takes a name of the body.
pub(super) fn look(found: &mut Function, reference: &Reference, conditional: bool, own: &BTreeSet<ArcStr>) {
    let (class, name, schema) = (reference.class, &reference.name, reference.schema.as_deref());
    let judged = matches!(class, Class::Function | Class::Relation | Class::Type | Class::Operator);
    let of_server = matches!(schema, Some("pg_catalog" | "information_schema"));
    let builtin = is_builtin(class, name)
        || matches!(class, Class::Type | Class::Function) && is_builtin(Class::Type, name)
        || class == Class::Type && is_builtin(Class::Relation, name);
    if !judged
        || of_server
        || own.contains(&**name)
        || name.contains(crate::body::UNKNOWN)
        || schema.is_none() && builtin
    {
        return;
    }
    if schema.is_none() && !found.has_path {
        // One that is surely reached counts more.
        if found.unqualified.as_ref().is_none_or(|(_, before)| *before && !conditional) {
            found.unqualified = Some((Reference { location: None, ..reference.clone() }, conditional));
        }
        return;
    }
    let id = ObjectId::new(class, schema, name);
    match class {
        Class::Relation if found.reads.is_none() => found.reads = Some(id),
        Class::Function => drop(found.calls.insert(id)),
        _ => {}
    }
}

/// It sets a search_path for its body.
pub(super) fn has_path(node: &NodeEnum) -> bool {
    let NodeEnum::CreateFunctionStmt(s) = node else { return false };
    crate::facts::names::options(&s.options).any(|option| {
        matches!(option.arg.as_ref().and_then(|arg| arg.node.as_ref()),
            Some(NodeEnum::VariableSetStmt(set)) if set.name == "search_path")
    })
}
