//! The bounds of a range: of a partition, and of a check constraint that stands for one.

use super::names::string;
use crate::parse::{NodeEnum, pg};

/// FROM (a) TO (b) of one column.
pub(super) fn bounds(bound: &pg::PartitionBoundSpec) -> Option<(Box<str>, Box<str>)> {
    match (bound.lowerdatums.as_slice(), bound.upperdatums.as_slice()) {
        ([from], [to]) => Some((constant(from)?.into(), constant(to)?.into())),
        _ => None,
    }
}

fn constant(node: &pg::Node) -> Option<String> {
    use pg::a_const::Val;
    match node.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Sval(text) => Some(text.sval.clone()),
            Val::Ival(number) => Some(number.ival.to_string()),
            Val::Fval(number) => Some(number.fval.clone()),
            _ => None,
        },
        NodeEnum::TypeCast(cast) => constant(cast.arg.as_ref()?),
        _ => None,
    }
}

/// `column >= 'a' AND column < 'b'`: the column and both ends.
pub(super) fn checked_range(expression: &pg::Node) -> Option<(String, Box<str>, Box<str>)> {
    let NodeEnum::BoolExpr(both) = expression.node.as_ref()? else { return None };
    if both.boolop != pg::BoolExprType::AndExpr as i32 {
        return None;
    }
    let ends: Vec<(&str, (String, String))> = both.args.iter().filter_map(comparison).collect();
    // The last one counts.
    let end = |of: &str| ends.iter().rev().find(|(operator, _)| *operator == of).map(|(_, end)| end);
    let (from, to) = (end(">=").or_else(|| end(">"))?, end("<").or_else(|| end("<="))?);
    (from.0 == to.0).then(|| (from.0.clone(), from.1.as_str().into(), to.1.as_str().into()))
}

fn comparison(node: &pg::Node) -> Option<(&str, (String, String))> {
    let NodeEnum::AExpr(expression) = node.node.as_ref()? else { return None };
    let operator = expression.name.first().and_then(string)?;
    let NodeEnum::ColumnRef(column) = expression.lexpr.as_ref()?.node.as_ref()? else { return None };
    let column = column.fields.last().and_then(string)?;
    Some((operator, (column.to_owned(), constant(expression.rexpr.as_ref()?)?)))
}
