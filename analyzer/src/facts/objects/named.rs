//! The identity of an object, and the object that a statement speaks of.

use arcstr::ArcStr;

use crate::facts::names::{qualified, quoted, quoted_path, relation, string, strings};
use crate::parse::{Class, NodeEnum, Reference, pg};

/// The identity of an object within a dump. Overloaded functions share one. Its names are shared: there are many copies.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub class: Class,
    /// Its schema, where it has one.
    pub schema: Option<ArcStr>,
    /// Its name; for objects that live in a table, the table's.
    pub name: ArcStr,
    /// The name of a trigger, policy, rule or constraint in its table.
    pub part: Option<ArcStr>,
}

impl ObjectId {
    /// An object in a schema (or in none).
    #[must_use]
    pub fn new(class: Class, schema: Option<&str>, name: &str) -> Self {
        Self { class, schema: schema.map(Into::into), name: name.into(), part: None }
    }

    /// What a statement names, by the name that it writes.
    #[must_use]
    pub fn of(reference: &Reference) -> Self {
        Self::new(reference.class, reference.schema.as_deref(), &reference.name)
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

pub(super) fn object(word: &'static str, class: Class, name: (Option<&str>, &str)) -> Object {
    Object { word, id: ObjectId::new(class, name.0, name.1) }
}

pub(super) fn of_relation(word: &'static str, range: Option<&pg::RangeVar>) -> Option<Object> {
    Some(object(word, Class::Relation, relation(range?)))
}

/// A trigger, policy, rule or constraint of a table.
#[must_use]
pub fn of_part(word: &'static str, range: Option<&pg::RangeVar>, part: &str) -> Option<Object> {
    let (schema, table) = relation(range?);
    Some(Object { word, id: ObjectId::attached(schema, table, part) })
}

/// The constraint that ALTER TABLE adds, where it does nothing else.
#[must_use]
pub fn added_constraint(node: &NodeEnum) -> Option<Object> {
    let NodeEnum::AlterTableStmt(s) = node else { return None };
    let [command] = s.cmds.as_slice() else { return None };
    let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return None };
    match command.def.as_ref()?.node.as_ref()? {
        NodeEnum::Constraint(constraint) if !constraint.conname.is_empty() => {
            of_part("constraint", s.relation.as_ref(), &constraint.conname)
        }
        _ => None,
    }
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
        NodeEnum::DropStmt(s) if s.remove_type == pg::ObjectType::ObjectCast as i32 => {
            cast_of(s.objects.first()?)
        }
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
        NodeEnum::AlterObjectDependsStmt(s) => match &s.relation {
            Some(range) => of_relation(relation_word(s.object_type), Some(range)),
            None => named(s.object_type, s.object.as_deref()),
        },
        NodeEnum::CommentStmt(s) if s.objtype == pg::ObjectType::ObjectCast as i32 => {
            cast_of(s.object.as_ref()?)
        }
        NodeEnum::CommentStmt(s) => named(s.objtype, s.object.as_deref()),
        NodeEnum::SecLabelStmt(s) => named(s.objtype, s.object.as_deref()),
        NodeEnum::AlterFunctionStmt(s) => {
            Some(object("function", Class::Function, qualified(&s.func.as_ref()?.objname)?))
        }
        NodeEnum::AlterCollationStmt(s) => {
            Some(object("collation", Class::Collation, qualified(&s.collname)?))
        }
        NodeEnum::AlterStatsStmt(s) => Some(object("statistics", Class::Nameless, qualified(&s.defnames)?)),
        NodeEnum::AlterEnumStmt(s) => Some(object("type", Class::Type, qualified(&s.type_name)?)),
        NodeEnum::AlterDomainStmt(s) => Some(object("domain", Class::Type, qualified(&s.type_name)?)),
        NodeEnum::AlterOperatorStmt(s) => {
            Some(object("operator", Class::Operator, qualified(&s.opername.as_ref()?.objname)?))
        }
        NodeEnum::AlterOpFamilyStmt(s) => {
            Some(object("operator family", Class::OperatorClass, qualified(&s.opfamilyname)?))
        }
        NodeEnum::AlterTsdictionaryStmt(s) => {
            Some(object("text search dictionary", Class::TextSearchDictionary, qualified(&s.dictname)?))
        }
        NodeEnum::AlterTsconfigurationStmt(s) => {
            Some(object("text search configuration", Class::TextSearchConfiguration, qualified(&s.cfgname)?))
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
        NodeEnum::AlterUserMappingStmt(s) => Some(object("server", Class::Server, (None, &s.servername))),
        NodeEnum::AlterPublicationStmt(s) => {
            Some(object("publication", Class::Publication, (None, &s.pubname)))
        }
        NodeEnum::AlterSubscriptionStmt(s) => {
            Some(object("subscription", Class::Subscription, (None, &s.subname)))
        }
        NodeEnum::AlterRoleStmt(s) => {
            Some(object("role", Class::Role, (None, crate::facts::names::role(s.role.as_ref()?)?)))
        }
        NodeEnum::AlterRoleSetStmt(s) => {
            Some(object("role", Class::Role, (None, crate::facts::names::role(s.role.as_ref()?)?)))
        }
        // What is in a schema is not named.
        NodeEnum::GrantStmt(s) if s.targtype == pg::GrantTargetType::AclTargetObject as i32 => {
            granted(s, s.objects.first()?)
        }
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

/// The cast that a list of two types names.
fn cast_of(node: &pg::Node) -> Option<Object> {
    let (source, target) = cast_types(node)?;
    cast(Some(source), Some(target))
}

/// The two types that name a cast.
#[must_use]
pub fn cast_types(node: &pg::Node) -> Option<(&pg::TypeName, &pg::TypeName)> {
    let Some(NodeEnum::List(list)) = &node.node else { return None };
    let of = |index: usize| match list.items.get(index)?.node.as_ref()? {
        NodeEnum::TypeName(name) => Some(name),
        _ => None,
    };
    Some((of(0)?, of(1)?))
}

pub(super) fn cast(source: Option<&pg::TypeName>, target: Option<&pg::TypeName>) -> Option<Object> {
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

/// The object that gets another name, or whose part does.
pub(super) fn renamed(s: &pg::RenameStmt) -> Option<Object> {
    use pg::ObjectType as T;
    match &s.relation {
        Some(range) => of_relation(relation_word(s.rename_type), Some(range)),
        None => match (T::try_from(s.rename_type).ok()?, s.object.as_deref()) {
            // Its object is the domain.
            (T::ObjectDomconstraint, Some(object)) => named_node("domain", Class::Type, object),
            (_, Some(object)) => named(s.rename_type, Some(object)),
            (T::ObjectSchema, None) => Some(object("schema", Class::Schema, (None, &s.subname))),
            (T::ObjectRole, None) => Some(object("role", Class::Role, (None, &s.subname))),
            (T::ObjectDatabase, None) => Some(object("database", Class::Database, (None, &s.subname))),
            (_, None) => None,
        },
    }
}

/// The objects that DROP names.
#[must_use]
pub fn dropped(s: &pg::DropStmt) -> Vec<Object> {
    let Some((word, class)) = word_and_class(s.remove_type) else { return Vec::new() };
    s.objects.iter().filter_map(|node| named_node(word, class, node)).collect()
}

/// The object by its type number and the node that names it.
pub(super) fn named(object_type: i32, node: Option<&pg::Node>) -> Option<Object> {
    let (word, class) = word_and_class(object_type)?;
    named_node(word, class, node?)
}

pub(super) fn named_node(word: &'static str, class: Class, node: &pg::Node) -> Option<Object> {
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
        T::ObjectTsparser => ("text search parser", Class::TextSearchParser),
        T::ObjectTsdictionary => ("text search dictionary", Class::TextSearchDictionary),
        T::ObjectTstemplate => ("text search template", Class::TextSearchTemplate),
        T::ObjectTsconfiguration => ("text search configuration", Class::TextSearchConfiguration),
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
