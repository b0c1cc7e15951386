//! References that stand in a statement's options and in fields of its own, where the generic walk of
//! the tree cannot tell what a name means: `SFUNC = app.f`, `LANGUAGE x`, `OWNED BY t.c`.

use pg_query::NodeEnum;
use pg_query::protobuf as pg;

use super::reference::{Class, Reference};

/// Adds the references of one statement.
#[allow(clippy::too_many_lines, reason = "a list: one arm for each kind of statement")]
pub(super) fn references(node: &NodeEnum, found: &mut Vec<Reference>) {
    use pg::AlterTableType as T;
    let mut add = |class: Class, name: Option<(Option<&str>, &str)>| {
        if let Some((schema, name)) = name.filter(|(_, name)| !name.is_empty()) {
            found.push(Reference::new(class, schema, name));
        }
    };
    match node {
        NodeEnum::CreateFunctionStmt(s) => {
            add(Class::Language, value(&s.options, "language"));
        }
        NodeEnum::DoStmt(s) => add(Class::Language, value(&s.args, "language")),
        NodeEnum::DefineStmt(s) => {
            for option in options(&s.definition) {
                let name = option_name(option);
                if let Some(class) = meaning(s.kind, &option.defname) {
                    add(class, name);
                }
            }
        }
        NodeEnum::CreateRangeStmt(s) => {
            for option in options(&s.params) {
                let class = match option.defname.as_str() {
                    "subtype" => Class::Type,
                    "subtype_opclass" => Class::OperatorClass,
                    "collation" => Class::Collation,
                    "canonical" | "subtype_diff" => Class::Function,
                    _ => continue,
                };
                add(class, option_name(option));
            }
        }
        NodeEnum::CreateOpClassStmt(s) => {
            add(Class::AccessMethod, Some((None, &s.amname)));
            for (class, name) in items(&s.items) {
                add(class, name);
            }
            add(Class::OperatorClass, qualified(&s.opfamilyname));
        }
        NodeEnum::CreateOpFamilyStmt(s) => add(Class::AccessMethod, Some((None, &s.amname))),
        NodeEnum::AlterOpFamilyStmt(s) => {
            add(Class::AccessMethod, Some((None, &s.amname)));
            for (class, name) in items(&s.items) {
                add(class, name);
            }
        }
        NodeEnum::CreateCastStmt(s) => add(Class::Function, s.func.as_ref().and_then(with_args)),
        NodeEnum::CreateTransformStmt(s) => {
            add(Class::Language, Some((None, &s.lang)));
            for function in [&s.fromsql, &s.tosql] {
                add(Class::Function, function.as_ref().and_then(with_args));
            }
        }
        NodeEnum::CreateConversionStmt(s) => add(Class::Function, qualified(&s.func_name)),
        NodeEnum::CreatePlangStmt(s) => {
            for function in [&s.plhandler, &s.plinline, &s.plvalidator] {
                add(Class::Function, qualified(function));
            }
        }
        NodeEnum::CreateAmStmt(s) => add(Class::Function, qualified(&s.handler_name)),
        NodeEnum::CreateFdwStmt(s) => {
            for option in options(&s.func_options) {
                add(Class::Function, option_name(option));
            }
        }
        NodeEnum::AlterTypeStmt(s) => {
            for option in options(&s.options) {
                if let Some(class) = meaning(pg::ObjectType::ObjectType as i32, &option.defname) {
                    add(class, option_name(option));
                }
            }
        }
        NodeEnum::CreateSeqStmt(s) => add(Class::Relation, owning_table(&s.options)),
        NodeEnum::AlterSeqStmt(s) => add(Class::Relation, owning_table(&s.options)),
        NodeEnum::ImportForeignSchemaStmt(s) => add(Class::Server, Some((None, &s.server_name))),
        NodeEnum::AlterUserMappingStmt(s) => add(Class::Server, Some((None, &s.servername))),
        NodeEnum::AlterTsconfigurationStmt(s) => {
            for dictionary in &s.dicts {
                if let Some(NodeEnum::List(list)) = &dictionary.node {
                    add(Class::TextSearchDictionary, qualified(&list.items));
                }
            }
        }
        NodeEnum::CreatePublicationStmt(s) => published_schemas(&s.pubobjects, &mut add),
        NodeEnum::AlterPublicationStmt(s) => published_schemas(&s.pubobjects, &mut add),
        NodeEnum::AlterTableStmt(s) => {
            let schema = s.relation.as_ref().map_or("", |r| &r.schemaname);
            let schema = (!schema.is_empty()).then_some(schema);
            for command in &s.cmds {
                let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
                match (T::try_from(command.subtype), command.def.as_ref().and_then(|d| d.node.as_ref())) {
                    (Ok(T::AtSetAccessMethod), _) => add(Class::AccessMethod, Some((None, &command.name))),
                    (Ok(T::AtClusterOn), _) => add(Class::Relation, Some((schema, &command.name))),
                    (Ok(T::AtReplicaIdentity), Some(NodeEnum::ReplicaIdentityStmt(identity))) => {
                        add(Class::Relation, Some((schema, &identity.name)));
                    }
                    (_, Some(NodeEnum::Constraint(constraint))) => {
                        add(Class::Relation, Some((schema, &constraint.indexname)));
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// What an option of CREATE AGGREGATE, OPERATOR, TYPE, COLLATION or TEXT SEARCH … names. COMMUTATOR and
/// NEGATOR may name operators to come. Estimators (RESTRICT, JOIN) and support functions are left out: only a
/// superuser may name one that is not built in, so that none stays (SU-04, SU-17).
fn meaning(kind: i32, option: &str) -> Option<Class> {
    use pg::ObjectType as T;
    Some(match (T::try_from(kind).ok()?, option) {
        (
            T::ObjectAggregate,
            "sfunc" | "finalfunc" | "combinefunc" | "serialfunc" | "deserialfunc" | "msfunc" | "minvfunc"
            | "mfinalfunc" | "sfunc1",
        )
        | (T::ObjectOperator, "function" | "procedure")
        | (
            T::ObjectType,
            "input" | "output" | "receive" | "send" | "typmod_in" | "typmod_out" | "analyze" | "subscript",
        )
        | (T::ObjectTsparser, "start" | "gettoken" | "end" | "headline" | "lextypes")
        | (T::ObjectTstemplate, "init" | "lexize") => Class::Function,
        (T::ObjectAggregate, "stype" | "mstype" | "basetype" | "stype1")
        | (T::ObjectOperator, "leftarg" | "rightarg")
        | (T::ObjectType, "like" | "element") => Class::Type,
        (T::ObjectAggregate, "sortop") => Class::Operator,
        (T::ObjectCollation, "from") => Class::Collation,
        (T::ObjectTsdictionary, "template") => Class::TextSearchTemplate,
        (T::ObjectTsdictionary, "dictionary") => Class::TextSearchDictionary,
        (T::ObjectTsconfiguration, "parser") => Class::TextSearchParser,
        (T::ObjectTsconfiguration, "copy") => Class::TextSearchConfiguration,
        _ => return None,
    })
}

fn published_schemas(nodes: &[pg::Node], add: &mut impl FnMut(Class, Option<(Option<&str>, &str)>)) {
    for node in nodes {
        if let Some(NodeEnum::PublicationObjSpec(object)) = &node.node {
            add(Class::Schema, Some((None, &object.name)));
        }
    }
}

/// The table of OWNED BY; none for OWNED BY NONE.
fn owning_table(nodes: &[pg::Node]) -> Option<(Option<&str>, &str)> {
    let owned = options(nodes).find(|option| option.defname == "owned_by")?;
    match owned.arg.as_ref()?.node.as_ref()? {
        NodeEnum::List(list) => qualified(list.items.split_last()?.1),
        _ => None,
    }
}

fn items(nodes: &[pg::Node]) -> impl Iterator<Item = (Class, Option<(Option<&str>, &str)>)> {
    nodes.iter().filter_map(|node| match node.node.as_ref()? {
        NodeEnum::CreateOpClassItem(item) => {
            let name = item.name.as_ref().and_then(with_args);
            // OPCLASS_ITEM_OPERATOR, OPCLASS_ITEM_FUNCTION, OPCLASS_ITEM_STORAGETYPE (parsenodes.h).
            match item.itemtype {
                1 => Some((Class::Operator, name)),
                2 => Some((Class::Function, name)),
                _ => None,
            }
        }
        _ => None,
    })
}

fn with_args(object: &pg::ObjectWithArgs) -> Option<(Option<&str>, &str)> {
    qualified(&object.objname)
}

fn value<'a>(nodes: &'a [pg::Node], name: &str) -> Option<(Option<&'a str>, &'a str)> {
    option_name(options(nodes).find(|option| option.defname == name)?)
}

fn options(nodes: &[pg::Node]) -> impl Iterator<Item = &pg::DefElem> {
    nodes.iter().filter_map(|node| match node.node.as_ref()? {
        NodeEnum::DefElem(option) => Some(option.as_ref()),
        _ => None,
    })
}

/// The qualified name that is an option's value.
fn option_name(option: &pg::DefElem) -> Option<(Option<&str>, &str)> {
    match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::TypeName(name) => qualified(&name.names),
        NodeEnum::List(list) => qualified(&list.items),
        NodeEnum::String(string) => Some((None, &string.sval)),
        _ => None,
    }
}

fn qualified(nodes: &[pg::Node]) -> Option<(Option<&str>, &str)> {
    let mut names = nodes.iter().filter_map(|node| match node.node.as_ref()? {
        NodeEnum::String(string) => Some(string.sval.as_str()),
        _ => None,
    });
    let first = names.next()?;
    Some(names.fold((None, first), |(_, schema), name| (Some(schema), name)))
}

#[cfg(test)]
mod tests {
    use super::super::{parse, references};
    use super::Class;

    fn names(sql: &str, class: Class) -> Vec<String> {
        references(parse(sql, true).unwrap().unwrap().node())
            .into_iter()
            .filter(|r| r.class == class)
            .map(|r| r.schema.map_or(r.name.to_string(), |s| format!("{s}.{}", r.name)))
            .collect()
    }

    #[test]
    fn definitions_name_functions_types_and_operators() {
        let aggregate = "CREATE AGGREGATE app.g(public.hll) (SFUNC = app.f, STYPE = public.hll, SORTOP = OPERATOR(app.<<))";
        assert_eq!(names(aggregate, Class::Function), ["app.f"]);
        assert_eq!(names(aggregate, Class::Type), ["public.hll", "public.hll"]);
        assert_eq!(names(aggregate, Class::Operator), ["app.<<"]);
        let base =
            "CREATE TYPE app.b (INPUT = app.b_in, OUTPUT = app.b_out, ALIGNMENT = int4, STORAGE = plain)";
        assert_eq!(names(base, Class::Function), ["app.b_in", "app.b_out"]);
        assert!(names(base, Class::Type).is_empty());
        let operator = "CREATE OPERATOR app.= (FUNCTION = app.eq, LEFTARG = app.b, RIGHTARG = app.b, COMMUTATOR = OPERATOR(app.=), RESTRICT = eqsel)";
        assert_eq!(names(operator, Class::Function), ["app.eq"]);
        assert_eq!(names(operator, Class::Type), ["app.b", "app.b"]);
        assert!(names(operator, Class::Operator).is_empty());
        let range =
            "CREATE TYPE app.r AS RANGE (subtype = app.b, subtype_diff = app.d, subtype_opclass = app.o)";
        assert_eq!(names(range, Class::Type), ["app.b"]);
        assert_eq!(names(range, Class::Function), ["app.d"]);
        assert_eq!(names(range, Class::OperatorClass), ["app.o"]);
        let class = "CREATE OPERATOR CLASS app.o FOR TYPE app.b USING btree AS OPERATOR 1 app.<(app.b,app.b), FUNCTION 1 (app.b, app.b) app.cmp(app.b,app.b)";
        assert_eq!(names(class, Class::Operator), ["app.<"]);
        assert_eq!(names(class, Class::Function), ["app.cmp"]);
        assert_eq!(names(class, Class::AccessMethod), ["btree"]);
        assert_eq!(
            names("CREATE TEXT SEARCH DICTIONARY app.d (TEMPLATE = app.t)", Class::TextSearchTemplate),
            ["app.t"]
        );
    }

    #[test]
    fn options_name_languages_tables_and_indexes() {
        assert_eq!(names("CREATE FUNCTION f() RETURNS int LANGUAGE plv8 AS ''", Class::Language), ["plv8"]);
        assert_eq!(names("DO LANGUAGE plv8 ''", Class::Language), ["plv8"]);
        assert_eq!(names("ALTER SEQUENCE a.s OWNED BY a.t.c", Class::Relation), ["a.s", "a.t"]);
        assert_eq!(names("ALTER SEQUENCE a.s OWNED BY NONE", Class::Relation), ["a.s"]);
        assert_eq!(names("ALTER TABLE a.t REPLICA IDENTITY USING INDEX i", Class::Relation), ["a.t", "a.i"]);
        assert_eq!(names("ALTER TABLE a.t CLUSTER ON i", Class::Relation), ["a.t", "a.i"]);
        assert_eq!(names("CREATE CAST (a AS b) WITH FUNCTION app.f(a)", Class::Function), ["app.f"]);
    }
}
