//! Every name that a statement refers to, wherever in its tree: columns, defaults, checks, policies,
//! trigger conditions and all else. pg_query's own lists skip many of these, so this reads the whole
//! tree, with no list of node kinds to keep complete.

use super::reference::{Class, Reference};
use super::tree::{Visitor, visit, visit_list};
use pg_query::NodeEnum;
use serde_json::Number;

use std::collections::BTreeSet;

/// All references of a statement, in the order of its tree.
#[must_use]
pub fn references(node: &NodeEnum) -> Vec<Reference> {
    let mut walker = Walker::default();
    // The definitions of CREATE AGGREGATE and its like write every value as a type's name: options knows what each
    // means.
    match node {
        NodeEnum::DefineStmt(s) => visit_list(&s.args, &mut walker),
        NodeEnum::CreateRangeStmt(_) => {}
        _ => visit(node, &mut walker),
    }
    let Walker { mut found, ctes, .. } = walker;
    found.retain(|r| r.class != Class::Relation || r.schema.is_some() || !ctes.contains(&*r.name));
    super::options::references(node, &mut found);
    if let NodeEnum::AlterObjectDependsStmt(s) = node {
        found.extend(s.extname.as_ref().map(|name| Reference::new(Class::Extension, None, &name.sval)));
    }
    found
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
    /// The references that this node has made, to be given its location.
    made: Vec<usize>,
    /// The first argument of a call or cast, where it is a string constant.
    constant: Option<String>,
    /// How many arguments a call has so far.
    arguments: usize,
}

impl Frame {
    fn new(node: &'static str) -> Self {
        Self {
            node,
            field: "",
            schema: String::new(),
            name: String::new(),
            names: Vec::new(),
            location: None,
            made: Vec::new(),
            constant: None,
            arguments: 0,
        }
    }
}

#[derive(Default)]
struct Walker {
    frames: Vec<Frame>,
    found: Vec<Reference>,
    ctes: BTreeSet<String>,
}

impl Visitor for Walker {
    fn open(&mut self, node: &'static str) {
        self.frames.push(Frame::new(node));
    }

    fn field(&mut self, name: &'static str) {
        if let Some(frame) = self.frames.last_mut() {
            frame.field = name;
        }
    }

    /// A field has passed: a list of names in it is complete.
    fn field_ends(&mut self) {
        let Some(frame) = self.frames.last_mut() else { return };
        if frame.names.is_empty() {
            return;
        }
        let class = match frame.node {
            "List" => Some(Class::Operator),
            _ => class_of_names(frame.node, frame.field),
        };
        let mut names = std::mem::take(&mut frame.names);
        let name = names.pop().unwrap_or_default();
        let schema = names.pop();
        if let Some(class) = class {
            frame.made.push(self.found.len());
            self.found.push(Reference::new(class, schema.as_deref(), &name));
        }
        // What the node's parent or its end wants to know.
        frame.name = name;
    }

    fn close(&mut self) {
        let Some(frame) = self.frames.pop() else { return };
        for index in &frame.made {
            if let Some(reference) = self.found.get_mut(*index) {
                reference.location = frame.location;
                reference.arguments = (frame.node == "FuncCall").then_some(frame.arguments);
                let names_parameter = match &*frame.name {
                    "set_config" => true,
                    // With two arguments it may be missing.
                    "current_setting" => frame.arguments == 1,
                    _ => false,
                };
                if frame.node == "FuncCall" && names_parameter {
                    reference.parameter = frame.constant.as_deref().map(Into::into);
                }
            }
        }
        if let Some(parent) = self.frames.last_mut() {
            match (parent.node, parent.field, frame.node) {
                ("FuncCall", "args", _) => {
                    let constant =
                        frame.node == "AConst" || frame.node == "TypeCast" && parent.name == "set_config";
                    if parent.arguments == 0 && constant {
                        parent.constant.clone_from(&frame.constant);
                    }
                    parent.arguments += 1;
                }
                ("TypeCast", "arg", "AConst") => parent.constant.clone_from(&frame.constant),
                ("TypeCast", "type_name", "TypeName") => parent.name.clone_from(&frame.name),
                _ => {}
            }
        }
        let class = match frame.node {
            "RangeVar" => Class::Relation,
            "IndexStmt" | "Constraint" | "IntoClause" | "CreateStmt" => Class::AccessMethod,
            "CreateForeignTableStmt" | "CreateUserMappingStmt" => Class::Server,
            "CreateForeignServerStmt" => Class::ForeignDataWrapper,
            "RoleSpec" => Class::Role,
            "TypeCast" | "FuncCall" => return self.named_by_string(&frame),
            _ => return,
        };
        if !frame.name.is_empty() {
            let schema = Some(&*frame.schema).filter(|schema| !schema.is_empty());
            let reference = Reference::new(class, schema, &frame.name);
            self.found.push(Reference { location: frame.location, ..reference });
        }
    }

    fn text(&mut self, value: &str) {
        let Some(frame) = self.frames.last_mut() else { return };
        match (frame.node, frame.field) {
            ("RangeVar", "schemaname") => value.clone_into(&mut frame.schema),
            ("RangeVar", "relname")
            | ("IndexStmt" | "Constraint" | "IntoClause" | "CreateStmt", "access_method")
            | ("CreateForeignTableStmt" | "CreateUserMappingStmt", "servername")
            | ("CreateForeignServerStmt", "fdwname")
            | ("RoleSpec", "rolename") => {
                value.clone_into(&mut frame.name);
            }
            ("CommonTableExpr", "ctename") => {
                self.ctes.insert(value.to_owned());
            }
            // A String node is written through to the node that holds the list of names.
            ("String", "sval") => self.string(value),
            _ => {}
        }
    }

    fn number(&mut self, value: Number) {
        if let Some(frame) = self.frames.last_mut()
            && frame.field == "location"
        {
            frame.location = value.as_u64().and_then(|at| u32::try_from(at).ok());
        }
    }
}

impl Walker {
    fn string(&mut self, value: &str) {
        let is_operator_list = match self.frames.as_slice() {
            [.., constraint, _, _, _] => constraint.node == "Constraint" && constraint.field == "exclusions",
            _ => false,
        };
        let Some(holder) = self.frames.iter_mut().rev().nth(1) else { return };
        if class_of_names(holder.node, holder.field).is_some() || is_operator_list && holder.node == "List" {
            holder.names.push(value.to_owned());
        } else if holder.node == "AConst" {
            holder.constant = Some(value.to_owned());
        }
    }

    /// `'app.s'::regclass` and `setval('app.s', 1)`: the name is in a string.
    fn named_by_string(&mut self, frame: &Frame) {
        let Some(text) = &frame.constant else { return };
        let class = match (frame.node, frame.name.as_str()) {
            ("TypeCast", "regclass") | ("FuncCall", "setval" | "nextval" | "currval") => Class::Relation,
            ("TypeCast", "regtype") => Class::Type,
            ("TypeCast", "regproc" | "regprocedure") => Class::Function,
            ("TypeCast", "regoper" | "regoperator") => Class::Operator,
            ("TypeCast", "regconfig") => Class::TextSearchConfiguration,
            ("TypeCast", "regdictionary") => Class::TextSearchDictionary,
            ("TypeCast", "regcollation") => Class::Collation,
            _ => return,
        };
        if let Some((schema, name)) = path_of_text(text) {
            let reference = Reference::new(class, schema.as_deref(), &name);
            self.found.push(Reference { location: frame.location, ..reference });
        }
    }
}

/// A qualified name in a string, as regclass and its like read it: `app.t`, `"App".t`, `f(integer)`.
/// Numbers (an OID) and types with more than a name are none.
fn path_of_text(text: &str) -> Option<(Option<String>, String)> {
    let mut names = vec![String::new()];
    let mut quoted = false;
    let mut chars = text.trim().chars().peekable();
    while let Some(c) = chars.next() {
        let last = names.last_mut()?;
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                last.push('"');
            }
            '"' => quoted = !quoted,
            '.' if !quoted => names.push(String::new()),
            '(' | '[' if !quoted => break,
            c if quoted => last.push(c),
            c => last.push(c.to_ascii_lowercase()),
        }
    }
    let name = names.pop()?.trim_end().to_owned();
    let is_oid = !name.is_empty() && name.bytes().all(|b| b.is_ascii_digit());
    (!name.is_empty() && !is_oid).then(|| (names.pop(), name))
}

/// What a list of String nodes in this field names, where it is a qualified name of interest.
fn class_of_names(node: &str, field: &str) -> Option<Class> {
    Some(match (node, field) {
        ("TypeName", "names") => Class::Type,
        ("FuncCall" | "CreateTrigStmt" | "CreateEventTrigStmt", "funcname")
        | ("RangeTableSample", "method") => Class::Function,
        ("AExpr", "name") | ("SortBy", "use_op") => Class::Operator,
        ("CollateClause", "collname") | ("IndexElem" | "PartitionElem", "collation") => Class::Collation,
        ("IndexElem" | "PartitionElem", "opclass") => Class::OperatorClass,
        _ => return None,
    })
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
        assert_eq!(names(trigger, Class::Function), ["app.f", "app.w"]);
        let index = "CREATE INDEX i ON t USING hnsw (v public.vector_l2_ops, app.g(a))";
        assert_eq!(names(index, Class::OperatorClass), ["public.vector_l2_ops"]);
        assert_eq!(names(index, Class::AccessMethod), ["hnsw"]);
        assert_eq!(names(index, Class::Function), ["app.g"]);
        let exclude =
            "ALTER TABLE t ADD EXCLUDE USING gist (a app.gist_x_ops WITH OPERATOR(app.&&), b WITH =)";
        assert_eq!(names(exclude, Class::Operator), ["app.&&", "="]);
        assert_eq!(names(exclude, Class::AccessMethod), ["gist"]);
        let parts = "CREATE TABLE t (a text) PARTITION BY RANGE (a COLLATE app.c app.o)";
        assert_eq!(names(parts, Class::Collation), ["app.c"]);
        assert_eq!(names(parts, Class::OperatorClass), ["app.o"]);
    }

    #[test]
    fn names_are_found_in_strings_that_name_objects() {
        assert_eq!(names("SELECT nextval('app.\"S q\"'::regclass)", Class::Relation), ["app.S q"]);
        assert_eq!(names("SELECT pg_catalog.setval('app.s', 1, true)", Class::Relation), ["app.s"]);
        assert_eq!(
            names("SELECT 'App.f(integer)'::regprocedure, '42'::regclass", Class::Function),
            ["app.f"]
        );
        assert_eq!(names("SELECT setval('42'::regclass, 1), upper('app.s')", Class::Relation), [""; 0]);
    }

    #[test]
    fn a_with_query_is_no_table() {
        let sql = "CREATE VIEW v AS WITH q AS (SELECT 1) SELECT * FROM q, app.q";
        assert_eq!(names(sql, Class::Relation), ["v", "app.q"]);
    }

    #[test]
    fn a_call_of_set_config_knows_its_parameter() {
        for sql in
            ["SELECT set_config('a.b', 'c', true)", "SELECT pg_catalog.set_config('a.b'::text, 'c', true)"]
        {
            let found = references(parse(sql, true).unwrap().unwrap().node());
            assert!(found.iter().any(|r| r.parameter.as_deref() == Some("a.b")), "{sql}");
        }
        let found =
            references(parse("SELECT set_config(a, 'c', true), f('b')", true).unwrap().unwrap().node());
        assert!(found.iter().all(|r| r.parameter.is_none()));
    }

    #[test]
    fn calls_know_how_many_arguments_they_have() {
        let sql = "SELECT f(1, g(2)), h()";
        let found = references(parse(sql, true).unwrap().unwrap().node());
        let calls: Vec<_> = found.iter().map(|r| (&*r.name, r.arguments)).collect();
        assert_eq!(calls, [("f", Some(2)), ("g", Some(1)), ("h", Some(0))]);
    }
}
