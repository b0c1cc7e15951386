//! Which fields, casts and calls hold names of objects.

use crate::parse::Class;

/// What the lists of names in these fields name.
pub(super) fn class_of(kind: &str, field: &str) -> Option<Class> {
    Some(match (kind, field) {
        (
            _,
            "funcname" | "func_name" | "objname" | "plhandler" | "plinline" | "plvalidator" | "handler_name",
        )
        | ("RangeTableSample", "method") => Class::Function,
        (_, "collname" | "collation") => Class::Collation,
        (_, "opclass" | "opclassname" | "opfamilyname" | "order_family") => Class::OperatorClass,
        ("AExpr", "name") | (_, "oper_name" | "use_op") => Class::Operator,
        (_, "type_name" | "domainname") => Class::Type,
        (_, "dictname") => Class::TextSearchDictionary,
        (_, "cfgname") => Class::TextSearchConfiguration,
        (_, "defnames" | "conversion_name") => Class::Nameless,
        _ => return None,
    })
}

/// The class that a cast to this type reads a string as.
pub(super) fn class_of_cast(name: &str) -> Option<Class> {
    Some(match name {
        "regclass" => Class::Relation,
        "regtype" => Class::Type,
        "regproc" | "regprocedure" => Class::Function,
        "regoper" | "regoperator" => Class::Operator,
        "regconfig" => Class::TextSearchConfiguration,
        "regdictionary" => Class::TextSearchDictionary,
        "regcollation" => Class::Collation,
        "regnamespace" => Class::Schema,
        _ => return None,
    })
}

/// The arguments of a call that are names in strings: which one, and of what.
pub(super) fn named_argument(function: &str, count: usize) -> Option<(usize, Class)> {
    let last = |back: usize, class| count.checked_sub(back).map(|at| (at, class));
    match function {
        "nextval"
        | "currval"
        | "setval"
        | "to_regclass"
        | "pg_get_serial_sequence"
        | "pg_relation_size"
        | "pg_total_relation_size"
        | "pg_table_size"
        | "pg_indexes_size"
        | "row_security_active"
        | "create_hypertable"
        | "add_dimension"
        | "add_retention_policy"
        | "add_compression_policy"
        | "add_continuous_aggregate_policy"
        | "add_columnstore_policy"
        | "set_integer_now_func"
        | "show_chunks"
        | "drop_chunks"
        | "hypertable_size" => Some((0, Class::Relation)),
        "to_regtype" => Some((0, Class::Type)),
        "to_regproc" | "to_regprocedure" => Some((0, Class::Function)),
        "to_regnamespace" => Some((0, Class::Schema)),
        "to_tsvector" | "to_tsquery" | "plainto_tsquery" | "phraseto_tsquery" | "websearch_to_tsquery"
            if count > 1 =>
        {
            Some((0, Class::TextSearchConfiguration))
        }
        "has_table_privilege" | "has_sequence_privilege" => last(2, Class::Relation),
        "has_column_privilege" => last(3, Class::Relation),
        "has_function_privilege" => last(2, Class::Function),
        "has_type_privilege" => last(2, Class::Type),
        "has_schema_privilege" => last(2, Class::Schema),
        _ => None,
    }
}

/// Statements whose options may be qualified names.
pub(super) fn defines(kind: &str) -> bool {
    matches!(
        kind,
        "DefineStmt"
            | "AlterOperatorStmt"
            | "AlterTypeStmt"
            | "CreateFdwStmt"
            | "AlterFdwStmt"
            | "CreateRangeStmt"
    )
}
