//! What every PostgreSQL server has in pg_catalog, by name.

use std::sync::LazyLock;

use serde::Deserialize;

use super::Names;
use crate::parse::Class;

const BUILTIN: &str = include_str!("builtin.json");

#[derive(Default, Deserialize)]
#[serde(bound(deserialize = "'de: 'static"))]
struct File {
    functions: Names,
    variadic_functions: Names,
    types: Names,
    relations: Names,
    operators: Names,
    information_schema: Names,
    operator_classes: Names,
    operator_signatures: Names,
}

// A test reads the built-in file; without it names of pg_catalog are taken for others' names.
static ALL: LazyLock<File> = LazyLock::new(|| serde_json::from_str(BUILTIN).unwrap_or_default());

/// True where pg_catalog has an object of this class and name: it comes before all others that an
/// unqualified name could mean.
#[must_use]
pub fn is_builtin(class: Class, name: &str) -> bool {
    match class {
        Class::Function => ALL.functions.contains(name),
        Class::Type => ALL.types.contains(name),
        Class::Relation => ALL.relations.contains(name),
        Class::Operator => ALL.operators.contains(name),
        Class::AccessMethod => matches!(name, "heap" | "btree" | "hash" | "gist" | "gin" | "spgist" | "brin"),
        Class::Language => matches!(name, "sql" | "c" | "internal" | "plpgsql"),
        _ => false,
    }
}

/// True where pg_catalog has an operator class or family of this name, for one access method or another.
#[must_use]
pub fn is_builtin_operator_class(name: &str) -> bool {
    ALL.operator_classes.contains(name)
}

/// True where pg_catalog has this operator for these types, by their names in pg_type; `left` is empty for a prefix
/// operator.
#[must_use]
pub fn is_builtin_operator(name: &str, left: &str, right: &str) -> bool {
    ALL.operator_signatures.contains(format!("{name}({left},{right})").as_str())
}

/// True where every server has a table, view, domain or function of this name in information_schema.
#[must_use]
pub fn is_in_information_schema(name: &str) -> bool {
    ALL.information_schema.contains(name)
}

/// True where pg_catalog has a function of this name that takes any number of arguments.
#[must_use]
pub fn is_variadic_builtin(name: &str) -> bool {
    ALL.variadic_functions.contains(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_pg_catalog_are_known() {
        assert!(is_builtin(Class::Function, "lower") && is_builtin(Class::Type, "int4"));
        assert!(is_builtin(Class::Relation, "pg_class") && is_builtin(Class::Operator, "="));
        assert!(!is_builtin(Class::Function, "time_bucket"));
        assert!(is_variadic_builtin("concat") && !is_variadic_builtin("lower"));
    }
}
