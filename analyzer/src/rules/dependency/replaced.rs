//! What DEP-03 finds of OR REPLACE where the function or view that exists has another shape.

use std::collections::BTreeMap;

use crate::facts::ObjectId;
use crate::facts::names::string;
use crate::facts::objects::{argument, signature};
use crate::finding::{Place, ServerError};
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::Context;

/// The functions and views of scripts, functions by the types of their arguments. `pg_dump` replaces no function, and a view only
/// by one with its columns: of a dump those alone are kept that say OR REPLACE.
#[derive(Clone, Debug, Default)]
struct Shapes(BTreeMap<(ObjectId, Box<str>), Shape>);

/// What OR REPLACE cannot change.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shape {
    place: Place,
    kind: &'static str,
    /// The type of a function's results.
    result: String,
    /// The names of a function's arguments, or of a view's columns.
    names: Vec<String>,
    /// How many arguments a call has at least.
    least: usize,
}

/// Keeps the shape of what the statement creates; where it replaces what has another one, the place of that and the server's words.
pub(super) fn replaced(ctx: &mut Context<'_>, node: &NodeEnum, place: Place) -> Option<(Place, ServerError)> {
    let replaces = match node {
        NodeEnum::ViewStmt(s) => s.replace,
        NodeEnum::CreateFunctionStmt(s) => s.replace,
        _ => return None,
    };
    if ctx.facts.is_dump && !replaces {
        return None;
    }
    let id = ctx.created(node)?.id;
    let types = signature(node).map_or_else(Box::default, |signature| signature.types);
    let exists = match ctx.facts.overloads.get(&id) {
        Some(all) => all.iter().any(|one| one.signature.types == types && one.absence.is_none()),
        None => id.class == Class::Relation && ctx.facts.exists(&id),
    };
    let new = shape(node, place);
    let all = &mut ctx.states.of::<Shapes>().0;
    let key = (id, types);
    let known = all.remove(&key);
    let is_known = known.is_some() || !exists;
    let old = known.filter(|old| exists && replaces && old.place != place);
    let found = old.as_ref().zip(new.as_ref()).and_then(|(old, new)| old.refuses(new));
    // The server may have refused to replace what is not known: then neither is what exists now.
    let kept = if found.is_some() { old.clone() } else { new.filter(|_| is_known) };
    all.extend(kept.map(|shape| (key, shape)));
    Some((old?.place, found?))
}

impl Shape {
    /// The server's words where it cannot become the other one (ProcedureCreate, checkViewColumns).
    fn refuses(&self, new: &Self) -> Option<ServerError> {
        let is_view = self.kind == "view";
        let refused = |text: String| Some(ServerError::new(if is_view { "42P16" } else { "42P13" }, text));
        if self.kind != new.kind {
            return Some(ServerError::new("42809", "cannot change routine kind"));
        }
        if self.result != new.result {
            return refused("cannot change return type of existing function".to_owned());
        }
        if is_view && new.names.len() < self.names.len() {
            return refused("cannot drop columns from view".to_owned());
        }
        let mut names = self.names.iter().zip(&new.names).filter(|(old, new)| old != new);
        if let Some((old, new)) = names.find(|(old, _)| !old.is_empty()) {
            return refused(if is_view {
                format!("cannot change name of view column \"{old}\" to \"{new}\"")
            } else {
                format!("cannot change name of input parameter \"{old}\"")
            });
        }
        if new.least > self.least {
            return refused("cannot remove parameter defaults from existing function".to_owned());
        }
        None
    }
}

fn shape(node: &NodeEnum, place: Place) -> Option<Shape> {
    match node {
        NodeEnum::CreateFunctionStmt(s) => of_function(s, signature(node)?.least, place),
        NodeEnum::ViewStmt(s) => {
            let Some(NodeEnum::SelectStmt(select)) = &s.query.as_deref()?.node else { return None };
            let mut names = columns(select)?;
            for (name, alias) in names.iter_mut().zip(s.aliases.iter().filter_map(string)) {
                alias.clone_into(name);
            }
            Some(Shape { place, kind: "view", result: String::new(), names, least: 0 })
        }
        _ => None,
    }
}

fn of_function(s: &pg::CreateFunctionStmt, least: usize, place: Place) -> Option<Shape> {
    use pg::FunctionParameterMode as M;
    let (mut names, mut out) = (Vec::new(), Vec::new());
    for parameter in &s.parameters {
        let Some(NodeEnum::FunctionParameter(p)) = &parameter.node else { return None };
        let mode = M::try_from(p.mode).ok()?;
        if !matches!(mode, M::FuncParamOut | M::FuncParamTable) {
            names.push(p.name.clone());
        }
        if matches!(mode, M::FuncParamOut | M::FuncParamTable | M::FuncParamInout) {
            out.push((p.name.as_str(), result(p.arg_type.as_ref()?)?));
        }
    }
    let result = match (out.as_slice(), &s.return_type) {
        // Of procedures the server compares no types.
        _ if s.is_procedure => String::new(),
        // One is the result itself, whatever its name.
        ([(_, only)], of) => format!("{} {only}", of.as_ref().is_some_and(|of| of.setof)),
        ([], Some(of)) => format!("{} {}", of.setof, result(of)?),
        (out, of) => format!("{} {out:?}", of.as_ref().is_some_and(|of| of.setof)),
    };
    let kind = if s.is_procedure { "procedure" } else { "function" };
    Some(Shape { place, kind, result, names, least })
}

/// A type as it is compared; `None` for that of a column (`t.a%TYPE`).
fn result(name: &pg::TypeName) -> Option<String> {
    (!name.pct_type).then(|| argument(Some(name)))
}

/// The names of a query's columns, where all are told.
fn columns(select: &pg::SelectStmt) -> Option<Vec<String>> {
    if let Some(first) = &select.larg {
        return columns(first);
    }
    if select.target_list.is_empty() {
        return None;
    }
    let name = |node: &pg::Node| match &node.node {
        Some(NodeEnum::ResTarget(target)) if !target.name.is_empty() => Some(target.name.clone()),
        Some(NodeEnum::ResTarget(target)) => named_by(target.val.as_deref()?).map(str::to_owned),
        _ => None,
    };
    select.target_list.iter().map(name).collect()
}

/// The name that a column has by its expression (FigureColname).
fn named_by(node: &pg::Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::ColumnRef(column) => column.fields.last().and_then(string),
        NodeEnum::FuncCall(call) => call.funcname.last().and_then(string),
        NodeEnum::TypeCast(cast) => match cast.arg.as_ref()?.node.as_ref()? {
            NodeEnum::AConst(_) => cast.type_name.as_ref()?.names.last().and_then(string),
            NodeEnum::ColumnRef(_) | NodeEnum::FuncCall(_) => named_by(cast.arg.as_deref()?),
            _ => None,
        },
        _ => None,
    }
}
