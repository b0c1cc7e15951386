//! What the definition of a column tells of its values.

use super::names::qualified;
use super::table_types::Traits;
use crate::parse::{NodeEnum, pg};

pub(super) fn excluded(node: &pg::Node) -> &str {
    // An element and its operator.
    let element = match &node.node {
        Some(NodeEnum::List(list)) => list.items.first(),
        _ => None,
    };
    match element.and_then(|element| element.node.as_ref()) {
        Some(NodeEnum::IndexElem(element)) => &element.name,
        _ => "",
    }
}

pub(super) fn column_traits(column: &pg::ColumnDef, data_type: &str) -> Traits {
    use pg::ConstrType as C;
    let mut traits = Traits::default();
    if column.type_name.as_ref().is_some_and(|name| !name.array_bounds.is_empty()) {
        traits = traits.with(Traits::ARRAY);
    }
    if data_type.ends_with("serial") || data_type.ends_with("serial4") || data_type.ends_with("serial8") {
        traits = traits.with(Traits::NUMBERED).with(Traits::NOT_NULL);
    }
    for constraint in &column.constraints {
        let Some(NodeEnum::Constraint(constraint)) = &constraint.node else { continue };
        traits = match C::try_from(constraint.contype) {
            Ok(C::ConstrNotnull | C::ConstrPrimary) => traits.with(Traits::NOT_NULL),
            Ok(C::ConstrIdentity) => {
                let always =
                    if constraint.generated_when == "a" { Traits::ALWAYS } else { Traits::default() };
                traits.with(Traits::NUMBERED).with(Traits::NOT_NULL).with(always)
            }
            Ok(C::ConstrGenerated) => traits.with(Traits::GENERATED),
            Ok(C::ConstrDefault) => {
                let default = constraint.raw_expr.as_ref().and_then(|expression| expression.node.as_ref());
                default.map_or(traits, |default| traits.with(default_traits(default)))
            }
            _ => traits,
        };
    }
    traits
}

pub(super) fn default_traits(default: &NodeEnum) -> Traits {
    match default {
        NodeEnum::FuncCall(call) => match qualified(&call.funcname) {
            Some((
                None | Some("pg_catalog"),
                "now" | "clock_timestamp" | "statement_timestamp" | "transaction_timestamp",
            )) => Traits::NOW,
            Some((None | Some("pg_catalog"), "nextval")) => Traits::NUMBERED,
            // timezone('utc', now()) is what AT TIME ZONE becomes.
            Some((_, "timezone" | "date_trunc")) => call
                .args
                .last()
                .and_then(|arg| arg.node.as_ref())
                .map_or_else(Traits::default, default_traits),
            _ => Traits::default(),
        },
        NodeEnum::SqlvalueFunction(_) => {
            use pg::SqlValueFunctionOp as O;
            let NodeEnum::SqlvalueFunction(function) = default else { return Traits::default() };
            match O::try_from(function.op) {
                Ok(
                    O::SvfopCurrentDate
                    | O::SvfopCurrentTimestamp
                    | O::SvfopCurrentTimestampN
                    | O::SvfopLocaltimestamp
                    | O::SvfopLocaltimestampN,
                ) => Traits::NOW,
                _ => Traits::default(),
            }
        }
        NodeEnum::TypeCast(cast) => {
            let inner = cast.arg.as_ref().and_then(|arg| arg.node.as_ref());
            match inner {
                // 'now'::text::timestamp is how older servers keep now().
                Some(NodeEnum::AConst(_)) => {
                    let is_now = cast.arg.as_ref().and_then(|arg| super::names::text(arg)) == Some("now");
                    if is_now { Traits::NOW } else { Traits::default() }
                }
                Some(inner) => default_traits(inner),
                None => Traits::default(),
            }
        }
        _ => Traits::default(),
    }
}
