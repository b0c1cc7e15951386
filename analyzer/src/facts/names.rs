//! Names out of tree nodes.

pub use crate::quote::{quoted, quoted_path};

use crate::parse::{NodeEnum, pg};
use crate::text::parse_bool;

/// The strings of a list of String nodes, in order.
#[must_use]
pub fn strings(nodes: &[pg::Node]) -> Vec<&str> {
    nodes.iter().filter_map(string).collect()
}

/// The text of a String node.
#[must_use]
pub fn string(node: &pg::Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(string) => Some(&string.sval),
        _ => None,
    }
}

/// A list of String nodes as schema and name: `a.b` or `b`; of `db.a.b` the last two.
#[must_use]
pub fn qualified(nodes: &[pg::Node]) -> Option<(Option<&str>, &str)> {
    let mut names = strings(nodes);
    let name = names.pop()?;
    Some((names.pop(), name))
}

/// The schema and name of a relation.
#[must_use]
pub fn relation(range: &pg::RangeVar) -> (Option<&str>, &str) {
    ((!range.schemaname.is_empty()).then_some(range.schemaname.as_str()), &range.relname)
}

/// True for a temporary relation: it lives in a schema of its own, and as long as the session.
#[must_use]
pub fn is_temporary(range: &pg::RangeVar) -> bool {
    range.relpersistence == "t"
}

/// The name of a type as the server's messages write it (`format_type_be`); `name` is that of `pg_type`.
#[must_use]
pub fn shown_type(name: &str) -> &str {
    match name {
        "int2" => "smallint",
        "int4" => "integer",
        "int8" => "bigint",
        "float4" => "real",
        "float8" => "double precision",
        "bool" => "boolean",
        "varchar" => "character varying",
        "bpchar" => "character",
        "varbit" => "bit varying",
        "timestamp" => "timestamp without time zone",
        "timestamptz" => "timestamp with time zone",
        "time" => "time without time zone",
        "timetz" => "time with time zone",
        other => other,
    }
}

/// The name of a role; `None` for PUBLIC, CURRENT_USER and their like.
#[must_use]
pub fn role(spec: &pg::RoleSpec) -> Option<&str> {
    (spec.roletype == pg::RoleSpecType::RolespecCstring as i32).then_some(spec.rolename.as_str())
}

/// The names of a list of roles.
pub fn roles(nodes: &[pg::Node]) -> impl Iterator<Item = &pg::RoleSpec> {
    nodes.iter().filter_map(|node| match node.node.as_ref()? {
        NodeEnum::RoleSpec(spec) => Some(spec),
        _ => None,
    })
}

/// The options of a statement.
pub fn options(nodes: &[pg::Node]) -> impl Iterator<Item = &pg::DefElem> {
    nodes.iter().filter_map(|node| match node.node.as_ref()? {
        NodeEnum::DefElem(option) => Some(option.as_ref()),
        _ => None,
    })
}

/// The option of this name.
#[must_use]
pub fn option<'a>(nodes: &'a [pg::Node], name: &str) -> Option<&'a pg::DefElem> {
    options(nodes).find(|option| option.defname == name)
}

/// The value of an option or constant as a string: a String node, a string constant, a type name.
#[must_use]
pub fn text(node: &pg::Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::String(string) => Some(&string.sval),
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            pg::a_const::Val::Sval(string) => Some(&string.sval),
            _ => None,
        },
        NodeEnum::TypeName(name) => qualified(&name.names).map(|(_, name)| name),
        NodeEnum::TypeCast(cast) => text(cast.arg.as_ref()?),
        _ => None,
    }
}

/// The value of an option as a string.
#[must_use]
pub fn option_text(option: &pg::DefElem) -> Option<&str> {
    text(option.arg.as_ref()?)
}

/// True for an option that stands alone or is set to a true value.
#[must_use]
pub fn option_is_on(option: &pg::DefElem) -> bool {
    match option.arg.as_ref().and_then(|arg| arg.node.as_ref()) {
        None => true,
        Some(NodeEnum::Boolean(boolean)) => boolean.boolval,
        Some(NodeEnum::Integer(integer)) => integer.ival != 0,
        Some(NodeEnum::String(string)) => parse_bool(&string.sval) == Some(true),
        Some(_) => false,
    }
}

/// The value of an option that takes true and false, on and off, 1 and 0 and nothing else (`defGetBoolean`); `None` where the
/// server refuses it. Without a value it is true.
#[must_use]
pub fn strict_truth(option: &pg::DefElem) -> Option<bool> {
    let Some(arg) = &option.arg else { return Some(true) };
    let word = match arg.node.as_ref()? {
        NodeEnum::Integer(integer) => integer.ival.to_string(),
        NodeEnum::Boolean(boolean) => return Some(boolean.boolval),
        _ => text(arg)?.to_ascii_lowercase(),
    };
    match word.as_str() {
        "true" | "on" | "1" => Some(true),
        "false" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// What a parameter that is on or off is set to.
#[must_use]
pub fn truth(value: &pg::Node) -> Option<bool> {
    match &value.node {
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(pg::a_const::Val::Ival(integer)) => parse_bool(&integer.ival.to_string()),
            Some(pg::a_const::Val::Boolval(value)) => Some(value.boolval),
            _ => parse_bool(text(value)?),
        },
        _ => parse_bool(text(value)?),
    }
}

/// `SELECT set_config('name', 'value', …)`: the name and the value.
#[must_use]
pub fn set_config(select: &pg::SelectStmt) -> Option<(&str, &str)> {
    set_configs(select).next().map(|(name, value, _)| (name, value))
}

/// All calls of `set_config` in a list of SELECT: the name, the value, and whether it is for the transaction only.
pub fn set_configs(select: &pg::SelectStmt) -> impl Iterator<Item = (&str, &str, bool)> {
    select.target_list.iter().filter_map(|item| {
        let NodeEnum::ResTarget(target) = item.node.as_ref()? else { return None };
        let NodeEnum::FuncCall(call) = target.val.as_ref()?.node.as_ref()? else { return None };
        let (_, function) = qualified(&call.funcname)?;
        match call.args.as_slice() {
            [name, value, rest @ ..] if function == "set_config" => {
                Some((text(name)?, text(value)?, rest.first().is_some_and(is_true)))
            }
            _ => None,
        }
    })
}

/// True for a constant that is true.
#[must_use]
pub fn is_true(node: &pg::Node) -> bool {
    match &node.node {
        Some(NodeEnum::AConst(constant)) => match &constant.val {
            Some(pg::a_const::Val::Boolval(value)) => value.boolval,
            Some(pg::a_const::Val::Sval(value)) => parse_bool(&value.sval) == Some(true),
            _ => false,
        },
        Some(NodeEnum::TypeCast(cast)) => cast.arg.as_ref().is_some_and(|arg| is_true(arg)),
        _ => false,
    }
}
