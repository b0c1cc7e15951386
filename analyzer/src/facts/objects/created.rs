//! The objects that a statement creates.

use super::named::{Object, ObjectId, cast, object, of_part, of_relation, renamed, type_text};
use crate::facts::names::{qualified, quoted, relation};
use crate::parse::{Class, NodeEnum, pg};

/// The object that the statement creates.
#[must_use]
pub fn created(node: &NodeEnum) -> Option<Object> {
    use pg::ObjectType as T;
    match node {
        NodeEnum::CreateStmt(s) => of_relation("table", s.relation.as_ref()),
        NodeEnum::CreateForeignTableStmt(s) => {
            of_relation("foreign table", s.base_stmt.as_ref()?.relation.as_ref())
        }
        NodeEnum::CreateTableAsStmt(s) => {
            let word = if s.objtype == T::ObjectMatview as i32 { "materialized view" } else { "table" };
            of_relation(word, s.into.as_ref()?.rel.as_ref())
        }
        NodeEnum::SelectStmt(s) => of_relation("table", s.into_clause.as_ref()?.rel.as_ref()),
        NodeEnum::ViewStmt(s) => of_relation("view", s.view.as_ref()),
        NodeEnum::CreateSeqStmt(s) => of_relation("sequence", s.sequence.as_ref()),
        NodeEnum::IndexStmt(s) if !s.idxname.is_empty() => {
            let (schema, _) = relation(s.relation.as_ref()?);
            Some(object("index", Class::Relation, (schema, &s.idxname)))
        }
        NodeEnum::CompositeTypeStmt(s) => {
            let (schema, name) = relation(s.typevar.as_ref()?);
            Some(object("type", Class::Type, (schema, name)))
        }
        NodeEnum::CreateEnumStmt(s) => Some(object("type", Class::Type, qualified(&s.type_name)?)),
        NodeEnum::CreateRangeStmt(s) => Some(object("type", Class::Type, qualified(&s.type_name)?)),
        NodeEnum::CreateDomainStmt(s) => Some(object("domain", Class::Type, qualified(&s.domainname)?)),
        NodeEnum::DefineStmt(s) => {
            let name = qualified(&s.defnames)?;
            let (word, class) = match T::try_from(s.kind).ok()? {
                T::ObjectType => ("type", Class::Type),
                T::ObjectAggregate => ("aggregate", Class::Function),
                T::ObjectOperator => ("operator", Class::Operator),
                T::ObjectCollation => ("collation", Class::Collation),
                T::ObjectTsparser => ("text search parser", Class::TextSearchParser),
                T::ObjectTsdictionary => ("text search dictionary", Class::TextSearchDictionary),
                T::ObjectTstemplate => ("text search template", Class::TextSearchTemplate),
                T::ObjectTsconfiguration => ("text search configuration", Class::TextSearchConfiguration),
                _ => return None,
            };
            Some(object(word, class, name))
        }
        NodeEnum::CreateFunctionStmt(s) => {
            let word = if s.is_procedure { "procedure" } else { "function" };
            Some(object(word, Class::Function, qualified(&s.funcname)?))
        }
        NodeEnum::CreateOpClassStmt(s) => {
            Some(object("operator class", Class::OperatorClass, qualified(&s.opclassname)?))
        }
        NodeEnum::CreateOpFamilyStmt(s) => {
            Some(object("operator family", Class::OperatorClass, qualified(&s.opfamilyname)?))
        }
        NodeEnum::CreateConversionStmt(s) => {
            Some(object("conversion", Class::Nameless, qualified(&s.conversion_name)?))
        }
        NodeEnum::CreateStatsStmt(s) => Some(object("statistics", Class::Nameless, qualified(&s.defnames)?)),
        NodeEnum::CreateSchemaStmt(s) => {
            let name = if s.schemaname.is_empty() { &s.authrole.as_ref()?.rolename } else { &s.schemaname };
            Some(object("schema", Class::Schema, (None, name)))
        }
        NodeEnum::CreateExtensionStmt(s) => Some(object("extension", Class::Extension, (None, &s.extname))),
        NodeEnum::CreatePlangStmt(s) => Some(object("language", Class::Language, (None, &s.plname))),
        NodeEnum::CreateAmStmt(s) => Some(object("access method", Class::AccessMethod, (None, &s.amname))),
        NodeEnum::CreateFdwStmt(s) => {
            Some(object("foreign-data wrapper", Class::ForeignDataWrapper, (None, &s.fdwname)))
        }
        NodeEnum::CreateForeignServerStmt(s) => Some(object("server", Class::Server, (None, &s.servername))),
        NodeEnum::CreateEventTrigStmt(s) => {
            Some(object("event trigger", Class::EventTrigger, (None, &s.trigname)))
        }
        NodeEnum::CreatePublicationStmt(s) => {
            Some(object("publication", Class::Publication, (None, &s.pubname)))
        }
        NodeEnum::CreateSubscriptionStmt(s) => {
            Some(object("subscription", Class::Subscription, (None, &s.subname)))
        }
        NodeEnum::CreateCastStmt(s) => cast(s.sourcetype.as_ref(), s.targettype.as_ref()),
        NodeEnum::CreateTransformStmt(s) => {
            let of = format!("(for {} language {})", type_text(s.type_name.as_ref()?), quoted(&s.lang));
            Some(object("transform", Class::Nameless, (Some("pg_catalog"), &of)))
        }
        NodeEnum::CreateUserMappingStmt(s) => {
            let role =
                s.user.as_ref().and_then(crate::facts::names::role).map_or_else(|| "public".into(), quoted);
            let of = format!("(for {role} server {})", quoted(&s.servername));
            Some(object("user mapping", Class::Nameless, (Some("pg_catalog"), &of)))
        }
        NodeEnum::CreateTrigStmt(s) => of_part("trigger", s.relation.as_ref(), &s.trigname),
        NodeEnum::RuleStmt(s) => of_part("rule", s.relation.as_ref(), &s.rulename),
        NodeEnum::CreatePolicyStmt(s) => of_part("policy", s.table.as_ref(), &s.policy_name),
        NodeEnum::CreateRoleStmt(s) => Some(object("role", Class::Role, (None, &s.role))),
        NodeEnum::CreatedbStmt(s) => Some(object("database", Class::Database, (None, &s.dbname))),
        NodeEnum::CreateTableSpaceStmt(s) => {
            Some(object("tablespace", Class::Tablespace, (None, &s.tablespacename)))
        }
        _ => None,
    }
}

/// The name of the table, view or sequence that the statement creates, as the parser has it.
#[must_use]
pub fn created_range(node: &NodeEnum) -> Option<&pg::RangeVar> {
    match node {
        NodeEnum::CreateStmt(s) => s.relation.as_ref(),
        NodeEnum::CreateTableAsStmt(s) => s.into.as_ref()?.rel.as_ref(),
        NodeEnum::SelectStmt(s) => s.into_clause.as_ref()?.rel.as_ref(),
        NodeEnum::ViewStmt(s) => s.view.as_ref(),
        NodeEnum::CreateSeqStmt(s) => s.sequence.as_ref(),
        _ => None,
    }
}

/// True for what a person created in a database: it is why the database has to be migrated.
#[must_use]
pub fn is_user_object(node: &NodeEnum) -> bool {
    !matches!(
        node,
        NodeEnum::CreateRoleStmt(_)
            | NodeEnum::CreatedbStmt(_)
            | NodeEnum::CreateTableSpaceStmt(_)
            | NodeEnum::CreateExtensionStmt(_)
    ) && created(node).is_some()
}

/// What a statement creates beside [`created`]: indexes of constraints, sequences of identity columns,
/// constraints, the types and families that come with others.
#[must_use]
pub fn also_created(node: &NodeEnum) -> Vec<ObjectId> {
    let mut made = Vec::new();
    match node {
        NodeEnum::CreateStmt(s) => {
            for element in &s.table_elts {
                of_element(s.relation.as_ref(), element, &mut made);
            }
        }
        NodeEnum::AlterTableStmt(s) => {
            for command in &s.cmds {
                if let Some(NodeEnum::AlterTableCmd(command)) = &command.node
                    && let Some(element) = &command.def
                {
                    of_element(s.relation.as_ref(), element, &mut made);
                }
            }
        }
        NodeEnum::CreateRangeStmt(s) => {
            let named = crate::facts::names::option(&s.params, "multirange_type_name");
            let name = match named.and_then(|option| option.arg.as_ref()).and_then(|arg| arg.node.as_ref()) {
                Some(NodeEnum::TypeName(name)) => qualified(&name.names),
                Some(NodeEnum::List(list)) => qualified(&list.items),
                _ => None,
            };
            let schema = qualified(&s.type_name).and_then(|(schema, _)| schema);
            made.extend(name.map(|(own, name)| ObjectId::new(Class::Type, own.or(schema), name)));
        }
        // An operator class without a family makes one of its own name: the same identity here.
        _ => {}
    }
    made
}

/// The sequence of an identity column, where the constraint names it.
#[must_use]
pub fn identity_sequence(table: &pg::RangeVar, constraint: &pg::Constraint) -> Option<ObjectId> {
    let named = crate::facts::names::option(&constraint.options, "sequence_name")?;
    let NodeEnum::List(list) = named.arg.as_ref()?.node.as_ref()? else { return None };
    let (schema, sequence) = qualified(&list.items)?;
    Some(ObjectId::new(Class::Relation, schema.or(relation(table).0), sequence))
}

fn of_element(table: Option<&pg::RangeVar>, element: &pg::Node, made: &mut Vec<ObjectId>) {
    use pg::ConstrType as C;
    let Some(table) = table else { return };
    let (schema, name) = relation(table);
    match &element.node {
        Some(NodeEnum::ColumnDef(column)) => {
            for constraint in &column.constraints {
                of_element(Some(table), constraint, made);
            }
        }
        Some(NodeEnum::Constraint(constraint)) => {
            let kind = C::try_from(constraint.contype);
            if matches!(kind, Ok(C::ConstrIdentity)) {
                made.extend(identity_sequence(table, constraint));
                return;
            }
            let index = match kind {
                Ok(C::ConstrPrimary | C::ConstrUnique | C::ConstrExclusion)
                    if constraint.conname.is_empty() =>
                {
                    // ChooseIndexName, for the one name that can be told: makeObjectName(…, "pkey").
                    matches!(kind, Ok(C::ConstrPrimary)).then(|| format!("{name}_pkey"))
                }
                Ok(C::ConstrPrimary | C::ConstrUnique | C::ConstrExclusion) => {
                    Some(constraint.conname.clone())
                }
                _ => None,
            };
            if let Some(index) = index {
                made.push(ObjectId::new(Class::Relation, schema, &index));
            }
            if !constraint.conname.is_empty() {
                made.push(ObjectId::attached(schema, name, &constraint.conname));
            }
        }
        _ => {}
    }
}

/// The object under its new name, where a statement gives it one.
#[must_use]
pub fn new_name(node: &NodeEnum) -> Option<ObjectId> {
    use pg::ObjectType as T;
    let NodeEnum::RenameStmt(s) = node else { return None };
    let is_part = matches!(
        T::try_from(s.rename_type),
        Ok(T::ObjectColumn
            | T::ObjectAttribute
            | T::ObjectTabconstraint
            | T::ObjectDomconstraint
            | T::ObjectTrigger
            | T::ObjectRule
            | T::ObjectPolicy)
    );
    let object = renamed(s).filter(|_| !is_part)?;
    Some(ObjectId { name: s.newname.as_str().into(), ..object.id })
}

#[cfg(test)]
mod tests {
    use super::super::named::subject;
    use super::*;
    use crate::parse::parse;

    fn both(sql: &str) -> (Option<String>, Option<String>) {
        let parsed = parse(sql, true).unwrap().unwrap();
        let node = parsed.node();
        (created(node).map(|o| o.to_string()), subject(node).map(|o| o.to_string()))
    }

    #[test]
    fn a_range_type_makes_its_multirange() {
        let of = |sql| also_created(parse(sql, true).unwrap().unwrap().node());
        assert_eq!(
            of("CREATE TYPE a.r AS RANGE (subtype = float8, multirange_type_name = a.many)"),
            [ObjectId::new(Class::Type, Some("a"), "many")]
        );
        assert_eq!(of("CREATE TYPE a.r AS RANGE (subtype = float8)"), []);
    }

    #[test]
    fn statements_name_what_they_make_and_what_they_change() {
        for (sql, creates, changes) in [
            ("CREATE TABLE app.t (a int)", Some("table app.t"), None),
            ("CREATE INDEX i ON app.t (a)", Some("index app.i"), Some("table app.t")),
            (
                "CREATE TRIGGER g BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION f()",
                Some("trigger g on app.t"),
                Some("table app.t"),
            ),
            ("ALTER TABLE ONLY app.t ADD CONSTRAINT c UNIQUE (a)", None, Some("table app.t")),
            ("ALTER FUNCTION app.f(integer) OWNER TO r", None, Some("function app.f")),
            ("ALTER OPERATOR CLASS app.oc USING btree OWNER TO r", None, Some("operator class app.oc")),
            ("COMMENT ON COLUMN app.t.a IS 'x'", None, Some("table app.t")),
            ("COMMENT ON TRIGGER g ON app.t IS 'x'", None, Some("trigger g on app.t")),
            ("COMMENT ON CONSTRAINT c ON DOMAIN app.d IS 'x'", None, Some("domain constraint c on app.d")),
            ("COMMENT ON EXTENSION x IS 'x'", None, Some("extension x")),
            ("GRANT ALL ON FUNCTION app.f(integer) TO r", None, Some("function app.f")),
            ("GRANT USAGE ON SCHEMA \"A\" TO r", None, Some("schema \"A\"")),
            ("CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION f()", Some("event trigger e"), None),
            ("COPY app.t (a) FROM stdin", None, Some("table app.t")),
            (
                "CREATE AGGREGATE app.g(integer) (SFUNC = int4pl, STYPE = integer)",
                Some("aggregate app.g"),
                None,
            ),
            ("SELECT 1", None, None),
        ] {
            assert_eq!(both(sql), (creates.map(Into::into), changes.map(Into::into)), "{sql}");
        }
    }
}
