//! Every name that a statement refers to, wherever in its tree: columns, defaults, checks, policies,
//! trigger conditions and all else. pg_query's own lists skip many of these, so this walks the whole
//! tree through its `Serialize` implementation, with no list of node kinds to keep complete.

use pg_query::NodeEnum;
use serde::ser::{self, Serialize};

/// What kind of object a reference names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A table, view, materialized view, sequence, index, foreign table or composite type's relation.
    Relation,
    /// A data type or domain.
    Type,
    /// A function, procedure or aggregate.
    Function,
    /// An operator.
    Operator,
    /// A collation.
    Collation,
    /// An operator class (of an index column).
    OperatorClass,
    /// An index or table access method.
    AccessMethod,
    /// A procedural language.
    Language,
    /// A foreign server.
    Server,
    /// A foreign-data wrapper.
    ForeignDataWrapper,
    /// A schema.
    Schema,
    /// An extension.
    Extension,
    /// A text search object of any kind.
    TextSearch,
    /// A role.
    Role,
    /// A trigger, policy, rule or constraint: an object that lives in a relation.
    Attached,
    /// An event trigger.
    EventTrigger,
    /// A publication.
    Publication,
    /// A subscription.
    Subscription,
    /// A database.
    Database,
    /// A tablespace.
    Tablespace,
    /// A cast, transform or other object without a name of its own.
    Nameless,
}

/// A name that a statement refers to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// What it names.
    pub class: Class,
    /// The schema, where the statement writes one.
    pub schema: Option<Box<str>>,
    /// The name.
    pub name: Box<str>,
    /// Byte offset in the statement, where the tree knows it.
    pub location: Option<u32>,
}

/// All references of a statement, in the order of its tree.
#[must_use]
pub fn references(node: &NodeEnum) -> Vec<Reference> {
    let mut walker = Walker::default();
    // The walker's serializer never fails: its error type has no way to be made.
    let _ = node.serialize(&mut walker);
    walker.found
}

/// A tree node of interest while its fields pass by.
#[derive(Debug)]
struct Frame {
    node: &'static str,
    field: &'static str,
    schema: String,
    name: String,
    names: Vec<String>,
    location: Option<u32>,
}

#[derive(Default)]
struct Walker {
    frames: Vec<Frame>,
    found: Vec<Reference>,
}

impl Walker {
    fn text(&mut self, value: &str) {
        let Some(frame) = self.frames.last_mut() else { return };
        match (frame.node, frame.field) {
            ("RangeVar", "schemaname") => value.clone_into(&mut frame.schema),
            ("RangeVar", "relname")
            | ("IndexStmt", "access_method")
            | ("CreateForeignTableStmt" | "CreateUserMappingStmt", "servername")
            | ("CreateForeignServerStmt", "fdwname")
            | ("RoleSpec", "rolename") => {
                value.clone_into(&mut frame.name);
            }
            // A String node is written through to the node that holds the list of names.
            ("String", "sval") => {
                let owned = value.to_owned();
                let holder = self.frames.iter_mut().rev().nth(1);
                if let Some(holder) = holder
                    && names_field(holder.node, holder.field)
                {
                    holder.names.push(owned);
                }
            }
            _ => {}
        }
    }

    fn number(&mut self, value: i64) {
        if let Some(frame) = self.frames.last_mut()
            && frame.field == "location"
        {
            frame.location = u32::try_from(value).ok();
        }
    }

    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        let class = match frame.node {
            "RangeVar" => Class::Relation,
            "TypeName" => Class::Type,
            "FuncCall" | "CreateTrigStmt" | "CreateEventTrigStmt" => Class::Function,
            "AExpr" | "SortBy" => Class::Operator,
            "CollateClause" => Class::Collation,
            "IndexElem" => Class::OperatorClass,
            "IndexStmt" => Class::AccessMethod,
            "CreateForeignTableStmt" | "CreateUserMappingStmt" => Class::Server,
            "CreateForeignServerStmt" => Class::ForeignDataWrapper,
            "RoleSpec" => Class::Role,
            _ => return,
        };
        let (schema, name) = if frame.names.is_empty() {
            (frame.schema, frame.name)
        } else {
            let mut names = frame.names;
            let name = names.pop().unwrap_or_default();
            (names.pop().unwrap_or_default(), name)
        };
        if !name.is_empty() {
            self.found.push(Reference {
                class,
                schema: (!schema.is_empty()).then(|| schema.into()),
                name: name.into(),
                location: frame.location,
            });
        }
    }
}

/// The fields whose list of String nodes is a qualified name of interest.
fn names_field(node: &str, field: &str) -> bool {
    matches!(
        (node, field),
        ("TypeName", "names")
            | ("FuncCall" | "CreateTrigStmt" | "CreateEventTrigStmt", "funcname")
            | ("AExpr", "name")
            | ("SortBy", "use_op")
            | ("CollateClause", "collname")
            | ("IndexElem", "opclass")
    )
}

/// The error of a serializer that cannot fail.
#[derive(Debug)]
struct Never;

impl std::fmt::Display for Never {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("never")
    }
}

impl std::error::Error for Never {}

impl ser::Error for Never {
    fn custom<T: std::fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<(), Never> {
            self.number(i64::from(value));
            Ok(())
        })*
    };
}

impl<'a> ser::Serializer for &'a mut Walker {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Self;
    type SerializeTupleVariant = Self;
    type SerializeMap = Self;
    type SerializeStruct = Fields<'a>;
    type SerializeStructVariant = ser::Impossible<(), Never>;

    numbers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
             serialize_u8: u8, serialize_u16: u16, serialize_u32: u32);

    fn serialize_u64(self, _: u64) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_bool(self, _: bool) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_f32(self, _: f32) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_f64(self, _: f64) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_char(self, _: char) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_str(self, value: &str) -> Result<(), Never> {
        self.text(value);
        Ok(())
    }
    fn serialize_bytes(self, _: &[u8]) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_none(self) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Never> {
        value.serialize(self)
    }
    fn serialize_unit(self) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_newtype_struct<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }
    fn serialize_newtype_variant<T: ?Sized + Serialize>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        value.serialize(self)
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self, Never> {
        Ok(self)
    }
    fn serialize_struct(self, node: &'static str, _: usize) -> Result<Fields<'a>, Never> {
        let wrapper = node == "Node";
        if !wrapper {
            self.frames.push(Frame {
                node,
                field: "",
                schema: String::new(),
                name: String::new(),
                names: Vec::new(),
                location: None,
            });
        }
        Ok(Fields { walker: self, wrapper })
    }
    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Never> {
        Err(Never)
    }
}

/// The struct being walked; the wrapper between a list and its real nodes has no frame of its own.
struct Fields<'a> {
    walker: &'a mut Walker,
    wrapper: bool,
}

impl ser::SerializeStruct for Fields<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        field: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        if !self.wrapper
            && let Some(frame) = self.walker.frames.last_mut()
        {
            frame.field = field;
        }
        value.serialize(&mut *self.walker)
    }

    fn end(self) -> Result<(), Never> {
        if !self.wrapper {
            self.walker.close();
        }
        Ok(())
    }
}

macro_rules! sequences {
    ($($trait:ident: $method:ident),*) => {
        $(impl ser::$trait for &mut Walker {
            type Ok = ();
            type Error = Never;
            fn $method<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Never> {
                value.serialize(&mut **self)
            }
            fn end(self) -> Result<(), Never> {
                Ok(())
            }
        })*
    };
}

sequences!(SerializeSeq: serialize_element, SerializeTuple: serialize_element,
           SerializeTupleStruct: serialize_field, SerializeTupleVariant: serialize_field);

impl ser::SerializeMap for &mut Walker {
    type Ok = ();
    type Error = Never;
    fn serialize_key<T: ?Sized + Serialize>(&mut self, _: &T) -> Result<(), Never> {
        Ok(())
    }
    fn serialize_value<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Never> {
        value.serialize(&mut **self)
    }
    fn end(self) -> Result<(), Never> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn names(sql: &str, class: Class) -> Vec<String> {
        references(parse(sql, true).unwrap().unwrap().node())
            .into_iter()
            .filter(|r| r.class == class)
            .map(|r| r.schema.map_or(r.name.to_string(), |s| format!("{s}.{}", r.name)))
            .collect()
    }

    #[test]
    fn names_are_found_in_columns_defaults_and_checks() {
        let sql = "CREATE TABLE app.t (a public.hll DEFAULT public.hll_empty(), b text COLLATE app.ci,
                   CHECK (app.ok(b) AND a OPERATOR(public.@@) 'x'::public.q)) INHERITS (app.p)";
        assert_eq!(names(sql, Class::Relation), ["app.t", "app.p"]);
        assert_eq!(
            names(sql, Class::Type),
            ["public.hll", "pg_catalog.text", "public.q"].map(|t| t.replace("pg_catalog.text", "text"))
        );
        assert_eq!(names(sql, Class::Function), ["public.hll_empty", "app.ok"]);
        assert_eq!(names(sql, Class::Operator), ["public.@@"]);
        assert_eq!(names(sql, Class::Collation), ["app.ci"]);
    }

    #[test]
    fn names_are_found_in_policies_trigger_conditions_and_indexes() {
        assert_eq!(names("CREATE POLICY p ON t USING (app.visible(id))", Class::Function), ["app.visible"]);
        let trigger =
            "CREATE TRIGGER g AFTER UPDATE ON t FOR EACH ROW WHEN (app.w(NEW.a)) EXECUTE FUNCTION app.f()";
        assert_eq!(names(trigger, Class::Function), ["app.w", "app.f"]);
        let index = "CREATE INDEX i ON t USING hnsw (v public.vector_l2_ops, app.g(a))";
        assert_eq!(names(index, Class::OperatorClass), ["public.vector_l2_ops"]);
        assert_eq!(names(index, Class::AccessMethod), ["hnsw"]);
        assert_eq!(names(index, Class::Function), ["app.g"]);
    }
}
