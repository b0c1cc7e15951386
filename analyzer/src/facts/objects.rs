//! Which object a statement makes, and which it changes or speaks of.

use super::names::{qualified, quoted, quoted_path, relation, string, strings};
use crate::parse::{Class, NodeEnum, pg};

/// The identity of an object within a dump. Overloaded functions share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub class: Class,
    /// Its schema, where it has one.
    pub schema: Option<Box<str>>,
    /// Its name; for objects that live in a table, the table's.
    pub name: Box<str>,
    /// The name of a trigger, policy, rule or constraint in its table.
    pub part: Option<Box<str>>,
}

impl ObjectId {
    /// An object in a schema (or in none).
    #[must_use]
    pub fn new(class: Class, schema: Option<&str>, name: &str) -> Self {
        Self { class, schema: schema.map(Into::into), name: name.into(), part: None }
    }

    /// An object that lives in a table.
    #[must_use]
    pub fn attached(schema: Option<&str>, table: &str, part: &str) -> Self {
        Self { part: Some(part.into()), ..Self::new(Class::Attached, schema, table) }
    }

    /// The table that it lives in.
    #[must_use]
    pub fn table(&self) -> Option<Self> {
        (self.class == Class::Attached).then(|| Self { class: Class::Relation, part: None, ..self.clone() })
    }

    /// Its name as SQL writes it.
    #[must_use]
    pub fn path(&self) -> String {
        let name = match self.class {
            // A cast's types, a transform's type and language, a user mapping's role and server.
            Class::Nameless if self.name.starts_with('(') => self.name.to_string(),
            Class::Operator => match &self.schema {
                Some(schema) => format!("{}.{}", quoted(schema), self.name),
                None => self.name.to_string(),
            },
            _ => quoted_path(self.schema.as_deref(), &self.name),
        };
        match &self.part {
            Some(part) => format!("{} on {name}", quoted(part)),
            None => name,
        }
    }
}

/// An object with the word for it: `table app.orders`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The word.
    pub word: &'static str,
    /// Which one.
    pub id: ObjectId,
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.word, self.id.path())
    }
}

fn object(word: &'static str, class: Class, name: (Option<&str>, &str)) -> Object {
    Object { word, id: ObjectId::new(class, name.0, name.1) }
}

fn of_relation(word: &'static str, range: Option<&pg::RangeVar>) -> Option<Object> {
    Some(object(word, Class::Relation, relation(range?)))
}

fn of_part(word: &'static str, range: Option<&pg::RangeVar>, part: &str) -> Option<Object> {
    let (schema, table) = relation(range?);
    Some(Object { word, id: ObjectId::attached(schema, table, part) })
}

/// The object that the statement makes.
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
                T::ObjectTsparser => ("text search parser", Class::TextSearch),
                T::ObjectTsdictionary => ("text search dictionary", Class::TextSearch),
                T::ObjectTstemplate => ("text search template", Class::TextSearch),
                T::ObjectTsconfiguration => ("text search configuration", Class::TextSearch),
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
            let role = s.user.as_ref().and_then(super::names::role).map_or_else(|| "public".into(), quoted);
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

/// True for what a person made in a database: it is why the database has to be migrated.
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

/// The object that the statement changes, fills, comments on or grants: it cannot do without it.
#[must_use]
pub fn subject(node: &NodeEnum) -> Option<Object> {
    match node {
        NodeEnum::AlterTableStmt(s) => of_relation(relation_word(s.objtype), s.relation.as_ref()),
        NodeEnum::AlterSeqStmt(s) => of_relation("sequence", s.sequence.as_ref()),
        NodeEnum::IndexStmt(s) => of_relation("table", s.relation.as_ref()),
        NodeEnum::CreateTrigStmt(s) => of_relation("table", s.relation.as_ref()),
        NodeEnum::RuleStmt(s) => of_relation("table", s.relation.as_ref()),
        NodeEnum::CreatePolicyStmt(s) => of_relation("table", s.table.as_ref()),
        NodeEnum::CopyStmt(s) => of_relation("table", s.relation.as_ref()),
        NodeEnum::InsertStmt(s) => of_relation("table", s.relation.as_ref()),
        NodeEnum::RefreshMatViewStmt(s) => of_relation("materialized view", s.relation.as_ref()),
        NodeEnum::AlterOwnerStmt(s) => named(s.object_type, s.object.as_deref()),
        NodeEnum::RenameStmt(s) => renamed(s),
        NodeEnum::DropStmt(s) => {
            let (word, class) = word_and_class(s.remove_type)?;
            match s.objects.as_slice() {
                [one] => named_node(word, class, one),
                _ => None,
            }
        }
        NodeEnum::DropSubscriptionStmt(s) => {
            Some(object("subscription", Class::Subscription, (None, &s.subname)))
        }
        NodeEnum::AlterObjectSchemaStmt(s) => match &s.relation {
            Some(range) => of_relation("table", Some(range)),
            None => named(s.object_type, s.object.as_deref()),
        },
        NodeEnum::CommentStmt(s) if s.objtype == pg::ObjectType::ObjectCast as i32 => {
            let Some(NodeEnum::List(list)) = &s.object.as_ref()?.node else { return None };
            let types = |index: usize| match list.items.get(index)?.node.as_ref()? {
                NodeEnum::TypeName(name) => Some(name),
                _ => None,
            };
            cast(types(0), types(1))
        }
        NodeEnum::CommentStmt(s) => named(s.objtype, s.object.as_deref()),
        NodeEnum::SecLabelStmt(s) => named(s.objtype, s.object.as_deref()),
        NodeEnum::AlterFunctionStmt(s) => {
            Some(object("function", Class::Function, qualified(&s.func.as_ref()?.objname)?))
        }
        NodeEnum::AlterEnumStmt(s) => Some(object("type", Class::Type, qualified(&s.type_name)?)),
        NodeEnum::AlterDomainStmt(s) => Some(object("domain", Class::Type, qualified(&s.type_name)?)),
        NodeEnum::AlterOpFamilyStmt(s) => {
            Some(object("operator family", Class::OperatorClass, qualified(&s.opfamilyname)?))
        }
        NodeEnum::AlterTsconfigurationStmt(s) => {
            Some(object("text search configuration", Class::TextSearch, qualified(&s.cfgname)?))
        }
        NodeEnum::AlterEventTrigStmt(s) => {
            Some(object("event trigger", Class::EventTrigger, (None, &s.trigname)))
        }
        NodeEnum::AlterExtensionStmt(s) => Some(object("extension", Class::Extension, (None, &s.extname))),
        NodeEnum::AlterExtensionContentsStmt(s) => {
            Some(object("extension", Class::Extension, (None, &s.extname)))
        }
        NodeEnum::AlterFdwStmt(s) => {
            Some(object("foreign-data wrapper", Class::ForeignDataWrapper, (None, &s.fdwname)))
        }
        NodeEnum::AlterForeignServerStmt(s) => Some(object("server", Class::Server, (None, &s.servername))),
        NodeEnum::AlterPublicationStmt(s) => {
            Some(object("publication", Class::Publication, (None, &s.pubname)))
        }
        NodeEnum::AlterSubscriptionStmt(s) => {
            Some(object("subscription", Class::Subscription, (None, &s.subname)))
        }
        NodeEnum::AlterRoleStmt(s) => {
            Some(object("role", Class::Role, (None, super::names::role(s.role.as_ref()?)?)))
        }
        NodeEnum::AlterRoleSetStmt(s) => {
            Some(object("role", Class::Role, (None, super::names::role(s.role.as_ref()?)?)))
        }
        NodeEnum::GrantStmt(s) => granted(s, s.objects.first()?),
        NodeEnum::AlterDatabaseStmt(s) => Some(object("database", Class::Database, (None, &s.dbname))),
        NodeEnum::AlterDatabaseSetStmt(s) => Some(object("database", Class::Database, (None, &s.dbname))),
        _ => None,
    }
}

/// An object of those that the statement grants rights on.
#[must_use]
pub fn granted(s: &pg::GrantStmt, object: &pg::Node) -> Option<Object> {
    let (word, class) = word_and_class(s.objtype)?;
    named_node(word, class, object)
}

/// What a statement makes beside [`created`]: indexes of constraints, sequences of identity columns,
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
            let named = super::names::option(&s.params, "multirange_type_name");
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
                let named = super::names::option(&constraint.options, "sequence_name");
                if let Some(NodeEnum::List(list)) =
                    named.and_then(|option| option.arg.as_ref()).and_then(|arg| arg.node.as_ref())
                    && let Some((sequence_schema, sequence)) = qualified(&list.items)
                {
                    made.push(ObjectId::new(Class::Relation, sequence_schema.or(schema), sequence));
                }
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

fn cast(source: Option<&pg::TypeName>, target: Option<&pg::TypeName>) -> Option<Object> {
    let types = format!("({} AS {})", type_text(source?), type_text(target?));
    Some(object("cast", Class::Nameless, (Some("pg_catalog"), &types)))
}

/// A type as SQL writes it, without its modifiers.
#[must_use]
pub fn type_text(name: &pg::TypeName) -> String {
    let (schema, base) = qualified(&name.names).unwrap_or((None, ""));
    let schema = schema.filter(|schema| *schema != "pg_catalog");
    format!("{}{}", quoted_path(schema, base), "[]".repeat(name.array_bounds.len()))
}

/// The arguments of a function: what tells overloaded functions apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// The types of its input arguments, without schemas.
    pub types: Box<str>,
    /// How many arguments a call has at least.
    pub least: usize,
    /// How many it has at most.
    pub most: usize,
}

/// The arguments of the function that the statement makes, changes or speaks of.
#[must_use]
pub fn signature(node: &NodeEnum) -> Option<Signature> {
    use pg::FunctionParameterMode as M;
    let of_parameters = |parameters: &[pg::Node]| {
        let (mut types, mut least, mut variadic) = (Vec::new(), 0, false);
        for parameter in parameters {
            let Some(NodeEnum::FunctionParameter(p)) = &parameter.node else { continue };
            let mode = M::try_from(p.mode);
            if matches!(mode, Ok(M::FuncParamOut | M::FuncParamTable)) {
                continue;
            }
            types.push(argument(p.arg_type.as_ref()));
            variadic |= matches!(mode, Ok(M::FuncParamVariadic));
            least += usize::from(p.defexpr.is_none() && !matches!(mode, Ok(M::FuncParamVariadic)));
        }
        let most = if variadic { usize::MAX } else { types.len() };
        Signature { types: types.join(",").into(), least, most }
    };
    match node {
        NodeEnum::CreateFunctionStmt(s) => Some(of_parameters(&s.parameters)),
        NodeEnum::DefineStmt(s) if s.kind == pg::ObjectType::ObjectAggregate as i32 => {
            match s.args.first().and_then(|args| args.node.as_ref()) {
                Some(NodeEnum::List(list)) => Some(of_parameters(&list.items)),
                _ => Some(of_parameters(&[])),
            }
        }
        NodeEnum::AlterFunctionStmt(s) => s.func.as_ref().map(of_object),
        NodeEnum::AlterOwnerStmt(s) => of_named(s.object.as_deref()?),
        NodeEnum::AlterObjectSchemaStmt(s) => of_named(s.object.as_deref()?),
        NodeEnum::CommentStmt(s) => of_named(s.object.as_deref()?),
        NodeEnum::SecLabelStmt(s) => of_named(s.object.as_deref()?),
        NodeEnum::GrantStmt(s) => of_named(s.objects.first()?),
        _ => None,
    }
}

fn of_named(node: &pg::Node) -> Option<Signature> {
    match node.node.as_ref()? {
        NodeEnum::ObjectWithArgs(object) if !object.args_unspecified => Some(of_object(object)),
        _ => None,
    }
}

fn of_object(object: &pg::ObjectWithArgs) -> Signature {
    let types: Vec<String> = object
        .objargs
        .iter()
        .map(|node| match &node.node {
            Some(NodeEnum::TypeName(name)) => argument(Some(name)),
            _ => String::new(),
        })
        .collect();
    Signature { least: types.len(), most: types.len(), types: types.join(",").into() }
}

/// An argument's type without its schema: `integer` is `pg_catalog.int4` to the parser, `app.t` may be
/// written without its schema.
fn argument(name: Option<&pg::TypeName>) -> String {
    name.map_or_else(String::new, |name| {
        let base = qualified(&name.names).map_or("", |(_, base)| base);
        format!("{base}{}", "[]".repeat(name.array_bounds.len()))
    })
}

/// The object that gets another name, or whose part does.
fn renamed(s: &pg::RenameStmt) -> Option<Object> {
    use pg::ObjectType as T;
    match &s.relation {
        Some(range) => of_relation(relation_word(s.rename_type), Some(range)),
        None => match (T::try_from(s.rename_type).ok()?, s.object.as_deref()) {
            (_, Some(object)) => named(s.rename_type, Some(object)),
            (T::ObjectSchema, None) => Some(object("schema", Class::Schema, (None, &s.subname))),
            (_, None) => None,
        },
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

/// The object by its type number and the node that names it.
fn named(object_type: i32, node: Option<&pg::Node>) -> Option<Object> {
    let (word, class) = word_and_class(object_type)?;
    named_node(word, class, node?)
}

fn named_node(word: &'static str, class: Class, node: &pg::Node) -> Option<Object> {
    match node.node.as_ref()? {
        NodeEnum::String(name) => Some(object(word, class, (None, &name.sval))),
        // Large objects have numbers.
        NodeEnum::Integer(number) => Some(object(word, class, (None, &number.ival.to_string()))),
        NodeEnum::Float(number) => Some(object(word, class, (None, &number.fval))),
        NodeEnum::RangeVar(range) => Some(object(word, class, relation(range))),
        NodeEnum::ObjectWithArgs(with_args) => Some(object(word, class, qualified(&with_args.objname)?)),
        NodeEnum::TypeName(name) => Some(object(word, class, qualified(&name.names)?)),
        NodeEnum::List(list) if class == Class::Attached => {
            // The table's name with the part's after it; a domain constraint has a type first.
            let (part, table) = list.items.split_last()?;
            let (schema, table) = match table.first()?.node.as_ref()? {
                NodeEnum::TypeName(name) => qualified(&name.names)?,
                _ => qualified(table)?,
            };
            Some(Object { word, id: ObjectId::attached(schema, table, string(part)?) })
        }
        NodeEnum::List(list) if matches!(word, "column") => {
            let (_, table) = list.items.split_last()?;
            Some(object("table", Class::Relation, qualified(table)?))
        }
        NodeEnum::List(list) if matches!(word, "operator class" | "operator family") => {
            // The access method comes first.
            Some(object(word, class, qualified(list.items.get(1..)?)?))
        }
        NodeEnum::List(list) if !strings(&list.items).is_empty() => {
            Some(object(word, class, qualified(&list.items)?))
        }
        _ => None,
    }
}

/// The word for a relation in ALTER TABLE and its like.
#[must_use]
pub fn relation_word(object_type: i32) -> &'static str {
    word_and_class(object_type).map_or("table", |(word, _)| word)
}

/// The word and the class of a parser's object type.
#[must_use]
pub fn word_and_class(object_type: i32) -> Option<(&'static str, Class)> {
    use pg::ObjectType as T;
    Some(match T::try_from(object_type).ok()? {
        T::ObjectTable => ("table", Class::Relation),
        T::ObjectView => ("view", Class::Relation),
        T::ObjectMatview => ("materialized view", Class::Relation),
        T::ObjectSequence => ("sequence", Class::Relation),
        T::ObjectIndex => ("index", Class::Relation),
        T::ObjectForeignTable => ("foreign table", Class::Relation),
        T::ObjectColumn => ("column", Class::Relation),
        T::ObjectType => ("type", Class::Type),
        T::ObjectDomain => ("domain", Class::Type),
        T::ObjectFunction | T::ObjectRoutine => ("function", Class::Function),
        T::ObjectProcedure => ("procedure", Class::Function),
        T::ObjectAggregate => ("aggregate", Class::Function),
        T::ObjectOperator => ("operator", Class::Operator),
        T::ObjectOpclass => ("operator class", Class::OperatorClass),
        T::ObjectOpfamily => ("operator family", Class::OperatorClass),
        T::ObjectCollation => ("collation", Class::Collation),
        T::ObjectAccessMethod => ("access method", Class::AccessMethod),
        T::ObjectLanguage => ("language", Class::Language),
        T::ObjectForeignServer => ("server", Class::Server),
        T::ObjectFdw => ("foreign-data wrapper", Class::ForeignDataWrapper),
        T::ObjectSchema => ("schema", Class::Schema),
        T::ObjectExtension => ("extension", Class::Extension),
        T::ObjectTsparser => ("text search parser", Class::TextSearch),
        T::ObjectTsdictionary => ("text search dictionary", Class::TextSearch),
        T::ObjectTstemplate => ("text search template", Class::TextSearch),
        T::ObjectTsconfiguration => ("text search configuration", Class::TextSearch),
        T::ObjectRole => ("role", Class::Role),
        T::ObjectTrigger => ("trigger", Class::Attached),
        T::ObjectPolicy => ("policy", Class::Attached),
        T::ObjectRule => ("rule", Class::Attached),
        T::ObjectTabconstraint => ("constraint", Class::Attached),
        T::ObjectDomconstraint => ("domain constraint", Class::Attached),
        T::ObjectEventTrigger => ("event trigger", Class::EventTrigger),
        T::ObjectPublication => ("publication", Class::Publication),
        T::ObjectSubscription => ("subscription", Class::Subscription),
        T::ObjectDatabase => ("database", Class::Database),
        T::ObjectTablespace => ("tablespace", Class::Tablespace),
        T::ObjectConversion => ("conversion", Class::Nameless),
        T::ObjectStatisticExt => ("statistics", Class::Nameless),
        T::ObjectLargeobject => ("large object", Class::Nameless),
        T::ObjectParameterAcl => ("parameter", Class::Nameless),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
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
