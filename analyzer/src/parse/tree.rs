//! A parse tree as a run of events. pg_query's nodes tell what they hold only through their `Serialize`
//! implementation, which is a lot of code for 270 kinds of nodes: it is compiled once, for all who read trees.

use std::fmt;

use pg_query::{Node, NodeEnum};
use serde::ser::{self, Serialize};
use serde_json::Number;

/// What takes the parts of a tree in their order. The wrapper `Node` around each node is left out.
pub(super) trait Visitor {
    /// A node or another group of fields begins.
    fn open(&mut self, node: &'static str);
    /// Its next field begins.
    fn field(&mut self, name: &'static str);
    /// The field has ended.
    fn field_ends(&mut self) {}
    /// All its fields have ended.
    fn close(&mut self);
    /// One of several kinds begins: which.
    fn kind(&mut self, _name: &'static str) {}
    /// It has ended.
    fn kind_ends(&mut self) {}
    /// A list begins.
    fn list(&mut self) {}
    /// The list has ended.
    fn list_ends(&mut self) {}
    /// A string.
    fn text(&mut self, value: &str);
    /// A number.
    fn number(&mut self, value: Number);
    /// True or false.
    fn truth(&mut self, _value: bool) {}
    /// Nothing is where something may be.
    fn nothing(&mut self) {}
}

/// Tells the visitor what a node holds.
pub(super) fn visit(node: &NodeEnum, visitor: &mut dyn Visitor) {
    tell(node, visitor);
}

/// Tells the visitor what some nodes hold.
pub(super) fn visit_list(nodes: &[Node], visitor: &mut dyn Visitor) {
    tell(nodes, visitor);
}

fn tell<T: ?Sized + Serialize>(value: &T, visitor: &mut dyn Visitor) {
    // The serializer never fails: nothing in a tree is of a type that it refuses.
    let _ = value.serialize(&mut Teller { visitor });
}

/// The serializer that tells a visitor.
struct Teller<'v> {
    visitor: &'v mut dyn Visitor,
}

/// The fields of a struct, of which the wrapper `Node` is not told.
struct Fields<'a, 'v> {
    teller: &'a mut Teller<'v>,
    wrapper: bool,
}

/// The error of a serializer that does not fail.
#[derive(Debug)]
struct Never;

impl fmt::Display for Never {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("never")
    }
}

impl std::error::Error for Never {}

impl ser::Error for Never {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty),*) => {
        $(fn $method(self, value: $type) -> Result<(), Never> {
            self.visitor.number(value.into());
            Ok(())
        })*
    };
}

impl<'a, 'v> ser::Serializer for &'a mut Teller<'v> {
    type Ok = ();
    type Error = Never;
    type SerializeSeq = Self;
    type SerializeTuple = ser::Impossible<(), Never>;
    type SerializeTupleStruct = ser::Impossible<(), Never>;
    type SerializeTupleVariant = ser::Impossible<(), Never>;
    type SerializeMap = ser::Impossible<(), Never>;
    type SerializeStruct = Fields<'a, 'v>;
    type SerializeStructVariant = ser::Impossible<(), Never>;

    numbers!(serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
             serialize_u8: u8, serialize_u16: u16, serialize_u32: u32, serialize_u64: u64);

    fn serialize_f32(self, value: f32) -> Result<(), Never> {
        self.serialize_f64(value.into())
    }
    fn serialize_f64(self, value: f64) -> Result<(), Never> {
        match Number::from_f64(value) {
            Some(number) => self.visitor.number(number),
            None => self.visitor.nothing(),
        }
        Ok(())
    }
    fn serialize_bool(self, value: bool) -> Result<(), Never> {
        self.visitor.truth(value);
        Ok(())
    }
    fn serialize_char(self, value: char) -> Result<(), Never> {
        self.visitor.text(value.encode_utf8(&mut [0; 4]));
        Ok(())
    }
    fn serialize_str(self, value: &str) -> Result<(), Never> {
        self.visitor.text(value);
        Ok(())
    }
    fn serialize_none(self) -> Result<(), Never> {
        self.visitor.nothing();
        Ok(())
    }
    fn serialize_unit(self) -> Result<(), Never> {
        self.serialize_none()
    }
    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Never> {
        self.serialize_none()
    }
    fn serialize_unit_variant(self, _: &'static str, _: u32, name: &'static str) -> Result<(), Never> {
        self.serialize_str(name)
    }
    fn serialize_some<T: ?Sized + Serialize>(self, value: &T) -> Result<(), Never> {
        value.serialize(self)
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
        name: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        self.visitor.kind(name);
        value.serialize(&mut *self)?;
        self.visitor.kind_ends();
        Ok(())
    }
    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Never> {
        self.visitor.list();
        Ok(self)
    }
    fn serialize_struct(self, node: &'static str, _: usize) -> Result<Fields<'a, 'v>, Never> {
        let wrapper = node == "Node";
        if !wrapper {
            self.visitor.open(node);
        }
        Ok(Fields { teller: self, wrapper })
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), Never> {
        Err(Never)
    }
    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, Never> {
        Err(Never)
    }
    fn serialize_tuple_struct(self, _: &str, _: usize) -> Result<Self::SerializeTupleStruct, Never> {
        Err(Never)
    }
    fn serialize_tuple_variant(
        self,
        _: &str,
        _: u32,
        _: &str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, Never> {
        Err(Never)
    }
    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, Never> {
        Err(Never)
    }
    fn serialize_struct_variant(
        self,
        _: &str,
        _: u32,
        _: &str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, Never> {
        Err(Never)
    }
}

impl ser::SerializeSeq for &mut Teller<'_> {
    type Ok = ();
    type Error = Never;

    fn serialize_element<T: ?Sized + Serialize>(&mut self, value: &T) -> Result<(), Never> {
        value.serialize(&mut **self)
    }

    fn end(self) -> Result<(), Never> {
        self.visitor.list_ends();
        Ok(())
    }
}

impl ser::SerializeStruct for Fields<'_, '_> {
    type Ok = ();
    type Error = Never;

    fn serialize_field<T: ?Sized + Serialize>(
        &mut self,
        field: &'static str,
        value: &T,
    ) -> Result<(), Never> {
        if self.wrapper {
            return value.serialize(&mut *self.teller);
        }
        self.teller.visitor.field(field);
        value.serialize(&mut *self.teller)?;
        self.teller.visitor.field_ends();
        Ok(())
    }

    fn end(self) -> Result<(), Never> {
        if !self.wrapper {
            self.teller.visitor.close();
        }
        Ok(())
    }
}
