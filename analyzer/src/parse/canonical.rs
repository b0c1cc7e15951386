//! A parse tree without its places, and the changes that a rewrite intends: what a proof compares.

use pg_query::NodeEnum;
use serde_json::{Map, Number, Value};

use super::tree::{Visitor, visit};

/// One intended change to a tree. Paths are JSON pointers into [`canonical`]'s form, such as
/// `/AlterRoleStmt/options/2`.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A list loses the element at this place. Several removals from one list all count the
    /// elements of the unchanged list.
    Remove(String),
    /// The value at this place becomes another. Setting a field that the tree lacks fails the proof.
    Set(String, Value),
}

impl Change {
    /// A string field becomes another string.
    pub fn set_str(path: impl Into<String>, value: &str) -> Self {
        Self::Set(path.into(), Value::String(value.into()))
    }

    /// A field becomes empty: no node.
    pub fn unset(path: impl Into<String>) -> Self {
        Self::Set(path.into(), Value::Null)
    }
}

/// The tree as a value that is equal for two statements exactly where they mean the same: node
/// wrappers and byte positions are left out.
#[must_use]
pub fn canonical(node: &NodeEnum) -> Value {
    let mut builder = Builder::default();
    visit(node, &mut builder);
    builder.value
}

/// A part of the tree that is not complete.
enum Open {
    /// A node, with the name of the field that is being filled.
    Fields(Map<String, Value>, &'static str),
    List(Vec<Value>),
    /// A kind of node and the node.
    Kind(&'static str, Value),
}

/// Builds the value of a tree.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    value: Value,
}

impl Builder {
    fn put(&mut self, value: Value) {
        match self.open.last_mut() {
            Some(Open::Fields(_, field)) if is_position(field) => {}
            Some(Open::Fields(fields, field)) => drop(fields.insert((*field).to_owned(), value)),
            Some(Open::List(items)) => items.push(value),
            Some(Open::Kind(_, node)) => *node = value,
            None => self.value = value,
        }
    }

    fn end(&mut self) {
        let value = match self.open.pop() {
            Some(Open::Fields(fields, _)) => Value::Object(fields),
            Some(Open::List(items)) => Value::Array(items),
            Some(Open::Kind(name, node)) => Value::Object(Map::from_iter([(name.to_owned(), node)])),
            None => return,
        };
        self.put(value);
    }
}

impl Visitor for Builder {
    fn open(&mut self, _: &'static str) {
        self.open.push(Open::Fields(Map::new(), ""));
    }

    fn field(&mut self, name: &'static str) {
        if let Some(Open::Fields(_, field)) = self.open.last_mut() {
            *field = name;
        }
    }

    fn close(&mut self) {
        self.end();
    }

    fn kind(&mut self, name: &'static str) {
        self.open.push(Open::Kind(name, Value::Null));
    }

    fn kind_ends(&mut self) {
        self.end();
    }

    fn list(&mut self) {
        self.open.push(Open::List(Vec::new()));
    }

    fn list_ends(&mut self) {
        self.end();
    }

    fn text(&mut self, value: &str) {
        self.put(Value::String(value.to_owned()));
    }

    fn number(&mut self, value: Number) {
        self.put(Value::Number(value));
    }

    fn truth(&mut self, value: bool) {
        self.put(Value::Bool(value));
    }

    fn nothing(&mut self) {
        self.put(Value::Null);
    }
}

/// The tree with the changes applied; `None` where one names a place that the tree lacks.
#[must_use]
pub fn changed(mut tree: Value, changes: &[Change]) -> Option<Value> {
    for change in changes {
        match change {
            Change::Remove(path) => *tree.pointer_mut(path)? = removed(),
            Change::Set(path, value) => *tree.pointer_mut(path)? = value.clone(),
        }
    }
    prune(&mut tree);
    Some(tree)
}

/// A value that no tree holds: marks list elements until all changes are applied.
fn removed() -> Value {
    Value::String("\0removed".into())
}

fn prune(value: &mut Value) {
    match value {
        Value::Array(items) => {
            let mark = removed();
            items.retain(|item| *item != mark);
            items.iter_mut().for_each(prune);
        }
        Value::Object(fields) => fields.values_mut().for_each(prune),
        _ => {}
    }
}

/// Fields of parse nodes that hold a byte offset or length (`ParseLoc`, nodes/parsenodes.h).
fn is_position(field: &str) -> bool {
    field.ends_with("location")
        || matches!(field, "stmt_len" | "list_start" | "list_end" | "rexpr_list_start" | "rexpr_list_end")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse::parse;

    fn tree(sql: &str) -> Value {
        canonical(parse(sql, true).unwrap().unwrap().node())
    }

    #[test]
    fn layout_and_comments_do_not_count() {
        assert_eq!(
            tree("SELECT a FROM t WHERE b IN (1,2);"),
            tree("select  a\nfrom /* x */ t where b in ( 1 , 2 )")
        );
        assert_ne!(tree("SELECT a FROM t;"), tree("SELECT b FROM t;"));
    }

    #[test]
    fn removing_list_elements_gives_the_tree_of_the_shorter_statement() {
        let long = tree("ALTER ROLE r WITH NOSUPERUSER LOGIN NOREPLICATION;");
        let changes = [
            Change::Remove("/AlterRoleStmt/options/0".into()),
            Change::Remove("/AlterRoleStmt/options/2".into()),
        ];
        assert_eq!(changed(long, &changes).unwrap(), tree("ALTER ROLE r WITH LOGIN"));
    }

    #[test]
    fn a_change_of_a_missing_place_is_refused() {
        assert!(changed(tree("SELECT 1"), &[Change::unset("/SelectStmt/nothing")]).is_none());
    }
}
