//! Every place of a tree that names a schema. Trees are read as values ([`canonical`](crate::parse::canonical)), so that a
//! place is a path that a proof can change.

use serde_json::{Map, Value};

use super::fields::{class_of, class_of_cast, defines, named_argument};
use super::names;
use crate::parse::{Class, pg};

/// A place that names a schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Its path in the tree.
    pub(super) path: String,
    /// What is named there.
    pub(super) what: What,
}

/// What a place of a tree is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// The schema of an object.
    Object {
        /// The object's class.
        class: Class,
        /// The schema.
        schema: String,
        /// The object's name.
        name: String,
    },
    /// A schema by itself.
    Schema(String),
    /// The schema that an extension is put into.
    ExtensionSchema(String),
    /// `schema.table.column` in an expression: the schema of a table that is in the query.
    Column {
        /// The schema.
        schema: String,
        /// The table.
        table: String,
    },
    /// A string that names an object as regclass and its like read it.
    Text(Class, String),
    /// A string that names a schema.
    SchemaText(String),
    /// A string with a list of schemas.
    ListText(String),
    /// The list of `SET search_path`.
    Path(Vec<String>),
}

impl What {
    /// True for a list that is no single token.
    pub(super) fn is_path(&self) -> bool {
        matches!(self, Self::Path(_))
    }
}

/// All places of a tree that name schemas. `types_of_columns` is for `schema.table.column%TYPE`, which a tree has as a type.
pub(super) fn places(tree: &Value, types_of_columns: bool) -> Vec<Named> {
    let mut finder = Finder {
        found: Vec::new(),
        path: String::new(),
        types_of_columns,
        defines: false,
        creates_extension: false,
    };
    finder.value("", tree);
    finder.found
}

struct Finder {
    found: Vec<Named>,
    path: String,
    types_of_columns: bool,
    /// The statement's options may be qualified names.
    defines: bool,
    /// The statement is CREATE EXTENSION.
    creates_extension: bool,
}

/// The text of a String node.
fn string(value: &Value) -> Option<&str> {
    value.get("String")?.get("sval")?.as_str()
}

fn strings(value: &Value) -> Option<Vec<&str>> {
    value.as_array()?.iter().map(string).collect()
}

fn number(fields: &Map<String, Value>, field: &str) -> i32 {
    fields.get(field).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok()).unwrap_or(-1)
}

/// The text of a constant, be it cast.
fn constant(value: &Value) -> Option<(&'static str, &str)> {
    if let Some(text) = value.pointer("/AConst/val/Sval/sval").and_then(Value::as_str) {
        return Some(("/AConst/val/Sval/sval", text));
    }
    let cast = value.pointer("/TypeCast/arg/AConst/val/Sval/sval").and_then(Value::as_str)?;
    Some(("/TypeCast/arg/AConst/val/Sval/sval", cast))
}

impl Finder {
    fn add(&mut self, at: &str, what: What) {
        self.found.push(Named { path: format!("{}{at}", self.path), what });
    }

    /// A list of names, whose schema is so many before the last.
    fn list(&mut self, at: &str, list: &Value, class: Class, behind: usize) {
        let Some(all) = strings(list) else { return };
        let Some(index) = all.len().checked_sub(behind + 1) else { return };
        if let (Some(schema), Some(name)) = (all.get(index), all.get(index + 1)) {
            let what = What::Object { class, schema: (*schema).to_owned(), name: (*name).to_owned() };
            self.add(&format!("{at}/{index}/String/sval"), what);
        }
    }

    fn value(&mut self, kind: &str, value: &Value) {
        match value {
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(&index.to_string(), kind, item);
                }
            }
            Value::Object(fields) => {
                let only = fields.iter().next().filter(|_| fields.len() == 1);
                match only.filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_uppercase())) {
                    Some((kind, node)) => self.below(kind, kind, node),
                    None => self.fields(kind, fields),
                }
            }
            _ => {}
        }
    }

    fn below(&mut self, step: &str, kind: &str, value: &Value) {
        let length = self.path.len();
        self.path.push('/');
        self.path.push_str(step);
        self.value(kind, value);
        self.path.truncate(length);
    }

    /// The fields of a node. `kind` is its own, or where the tree does not tell that of the node around it.
    fn fields(&mut self, kind: &str, fields: &Map<String, Value>) {
        let text = |field: &str| fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        if let (Some(schema), Some(name)) = (text("schemaname"), text("relname")) {
            let what = What::Object { class: Class::Relation, schema: schema.into(), name: name.into() };
            self.add("/schemaname", what);
        }
        if let (Some(list), Some(of_column)) = (fields.get("names"), fields.get("pct_type")) {
            let is_column = of_column.as_bool().unwrap_or_default() || self.types_of_columns;
            let (class, behind) = if is_column { (Class::Relation, 2) } else { (Class::Type, 1) };
            self.list("/names", list, class, behind);
        }
        let outer = self.defines;
        self.defines |= defines(kind);
        self.creates_extension |= kind == "CreateExtensionStmt";
        match kind {
            "CreateSchemaStmt" => {
                if let Some(schema) = text("schemaname") {
                    self.add("/schemaname", What::Schema(schema.into()));
                }
            }
            "ImportForeignSchemaStmt" => {
                if let Some(schema) = text("local_schema") {
                    self.add("/local_schema", What::Schema(schema.into()));
                }
            }
            "ReindexStmt" if number(fields, "kind") == pg::ReindexObjectType::ReindexObjectSchema as i32 => {
                if let Some(schema) = text("name") {
                    self.add("/name", What::Schema(schema.into()));
                }
            }
            "PublicationObjSpec" => {
                let is_schema = number(fields, "pubobjtype")
                    == pg::PublicationObjSpecType::PublicationobjTablesInSchema as i32;
                if let (true, Some(schema)) = (is_schema, text("name")) {
                    self.add("/name", What::Schema(schema.into()));
                }
            }
            "ColumnRef" => self.column(fields),
            "TypeCast" => self.cast(fields),
            "FuncCall" => self.call(fields),
            "DefElem" => self.option(fields),
            "VariableSetStmt" => self.setting(fields),
            _ => self.objects(kind, fields),
        }
        for (field, value) in fields {
            if let Some(class) = class_of(kind, field).filter(|_| value.is_array()) {
                self.list(&format!("/{field}"), value, class, 1);
            }
            // Lists of lists: dictionaries of a text search configuration, operators of an exclusion.
            if let ("dicts" | "exclusions", Some(items)) = (field.as_str(), value.as_array()) {
                let class = if field == "dicts" { Class::TextSearchDictionary } else { Class::Operator };
                for (index, item) in items.iter().enumerate() {
                    self.lists(&format!("/{field}/{index}"), item, class);
                }
            }
            // The tree does not tell the kind of a node that can be of one kind only.
            let is_setting =
                matches!(kind, "AlterRoleSetStmt" | "AlterDatabaseSetStmt") && field == "setstmt";
            self.below(field, if is_setting { "VariableSetStmt" } else { kind }, value);
        }
        self.defines = outer;
    }

    fn lists(&mut self, at: &str, item: &Value, class: Class) {
        let Some(items) = item.pointer("/List/items") else { return };
        if strings(items).is_some() {
            return self.list(&format!("{at}/List/items"), items, class, 1);
        }
        for (index, inner) in items.as_array().into_iter().flatten().enumerate() {
            if let Some(operator) = inner.pointer("/List/items") {
                self.list(&format!("{at}/List/items/{index}/List/items"), operator, class, 1);
            }
        }
    }

    fn column(&mut self, fields: &Map<String, Value>) {
        let Some(all) = fields.get("fields").and_then(Value::as_array) else { return };
        let Some(index) = all.len().checked_sub(3) else { return };
        let said = |at: usize| all.get(at).and_then(string);
        if let (Some(schema), Some(table)) = (said(index), said(index + 1)) {
            let what = What::Column { schema: schema.into(), table: table.into() };
            self.add(&format!("/fields/{index}/String/sval"), what);
        }
    }

    fn cast(&mut self, fields: &Map<String, Value>) {
        let names = fields.get("type_name").and_then(|name| name.get("names")).and_then(strings);
        let class = names.and_then(|names| class_of_cast(names.last().copied()?));
        if let (Some(class), Some((at, text))) = (class, fields.get("arg").and_then(constant)) {
            self.named_text(&format!("/arg{at}"), class, text);
        }
    }

    fn named_text(&mut self, at: &str, class: Class, text: &str) {
        match class {
            Class::Schema => self.add(at, What::SchemaText(text.into())),
            class => self.add(at, What::Text(class, text.into())),
        }
    }

    fn call(&mut self, fields: &Map<String, Value>) {
        let name = fields.get("funcname").and_then(strings).and_then(|names| names.last().copied());
        let Some((name, arguments)) = name.zip(fields.get("args").and_then(Value::as_array)) else { return };
        let text = |index: usize| arguments.get(index).and_then(constant);
        if name == "set_config" && text(0).is_some_and(|(_, parameter)| parameter == "search_path") {
            if let Some((at, list)) = text(1) {
                self.add(&format!("/args/1{at}"), What::ListText(list.into()));
            }
            return;
        }
        if matches!(name, "pg_restore_relation_stats" | "pg_restore_attribute_stats") {
            let is_key = |index: &usize| text(*index).is_some_and(|(_, key)| key == "schemaname");
            if let Some((index, (at, schema))) =
                (0..arguments.len()).step_by(2).find(is_key).and_then(|at| Some((at + 1, text(at + 1)?)))
            {
                self.add(&format!("/args/{index}{at}"), What::SchemaText(schema.into()));
            }
            return;
        }
        let Some((index, class)) = named_argument(name, arguments.len()) else { return };
        // A cast to regclass names it already.
        let is_plain = arguments.get(index).is_some_and(|argument| argument.get("AConst").is_some());
        let cast = arguments.get(index).and_then(|argument| argument.pointer("/TypeCast/type_name/names"));
        let is_text = cast.and_then(strings).is_some_and(|names| names.last() == Some(&"text"));
        if let Some((at, said)) = text(index).filter(|_| is_plain || is_text) {
            self.named_text(&format!("/args/{index}{at}"), class, said);
        }
    }

    fn option(&mut self, fields: &Map<String, Value>) {
        let name = fields.get("defname").and_then(Value::as_str).unwrap_or_default();
        let schema =
            fields.get("arg").and_then(string).filter(|_| name == "schema" && self.creates_extension);
        if let Some(schema) = schema {
            self.add("/arg/String/sval", What::ExtensionSchema(schema.into()));
        }
        let Some(items) = fields.get("arg").and_then(|arg| arg.pointer("/List/items")) else { return };
        match name {
            "schemas" => {
                for (index, schema) in strings(items).into_iter().flatten().enumerate() {
                    self.add(&format!("/arg/List/items/{index}/String/sval"), What::Schema(schema.into()));
                }
            }
            "owned_by" => self.list("/arg/List/items", items, Class::Relation, 2),
            "sequence_name" => self.list("/arg/List/items", items, Class::Relation, 1),
            "support" => self.list("/arg/List/items", items, Class::Function, 1),
            "as" => {}
            _ if self.defines => self.list("/arg/List/items", items, Class::Nameless, 1),
            _ => {}
        }
    }

    fn setting(&mut self, fields: &Map<String, Value>) {
        let is_path = fields.get("name").and_then(Value::as_str) == Some("search_path");
        let arguments = fields.get("args").and_then(Value::as_array).filter(|_| is_path);
        let texts: Option<Vec<String>> = arguments
            .and_then(|all| all.iter().map(|one| constant(one).map(|(_, text)| text.to_owned())).collect());
        if let Some(texts) = texts.filter(|texts| !texts.is_empty()) {
            self.add("/args", What::Path(texts));
        }
        let is_config = fields.get("name").and_then(Value::as_str) == Some("default_text_search_config");
        let first = fields.get("args").and_then(|all| constant(all.get(0)?)).filter(|_| is_config);
        if let Some((at, text)) = first {
            self.add(&format!("/args/0{at}"), What::Text(Class::TextSearchConfiguration, text.into()));
        }
    }

    /// Statements that name an object by its type: COMMENT, DROP, GRANT and their like.
    fn objects(&mut self, kind: &str, fields: &Map<String, Value>) {
        use pg::ObjectType as T;
        let (field, many) = match kind {
            "CommentStmt" | "SecLabelStmt" | "AlterExtensionContentsStmt" => ("objtype", false),
            "AlterObjectDependsStmt" | "AlterObjectSchemaStmt" | "AlterOwnerStmt" => ("object_type", false),
            "RenameStmt" => ("rename_type", false),
            "DropStmt" => ("remove_type", true),
            "GrantStmt" => ("objtype", true),
            _ => return,
        };
        let all_in_schema = kind == "GrantStmt"
            && number(fields, "targtype") == pg::GrantTargetType::AclTargetAllInSchema as i32;
        let object_type = if all_in_schema { T::ObjectSchema as i32 } else { number(fields, field) };
        let text = |field: &str| fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
        if kind == "AlterObjectSchemaStmt"
            && let Some(schema) = text("newschema")
        {
            let of_extension = object_type == T::ObjectExtension as i32;
            let what = if of_extension { What::ExtensionSchema } else { What::Schema };
            self.add("/newschema", what(schema.into()));
        }
        if kind == "RenameStmt" && object_type == T::ObjectSchema as i32 {
            for name in ["subname", "newname"] {
                if let Some(schema) = text(name) {
                    self.add(&format!("/{name}"), What::Schema(schema.into()));
                }
            }
        }
        if many {
            for (index, object) in
                fields.get("objects").and_then(Value::as_array).into_iter().flatten().enumerate()
            {
                self.object(&format!("/objects/{index}"), object_type, object);
            }
        } else if let Some(object) = fields.get("object") {
            self.object("/object", object_type, object);
        }
    }

    fn object(&mut self, at: &str, object_type: i32, object: &Value) {
        use pg::ObjectType as T;
        let Ok(object_type) = T::try_from(object_type) else { return };
        if let (T::ObjectSchema, Some(schema)) = (object_type, string(object)) {
            return self.add(&format!("{at}/String/sval"), What::Schema(schema.into()));
        }
        let Some(items) = object.pointer("/List/items") else { return };
        let (class, behind) = match object_type {
            T::ObjectColumn | T::ObjectTabconstraint | T::ObjectTrigger | T::ObjectPolicy | T::ObjectRule => {
                (Class::Relation, 2)
            }
            // The access method stands before them.
            T::ObjectOpclass | T::ObjectOpfamily if items.as_array().is_some_and(|all| all.len() < 3) => {
                return;
            }
            T::ObjectOpclass | T::ObjectOpfamily => (Class::OperatorClass, 1),
            T::ObjectType | T::ObjectDomain => (Class::Type, 1),
            T::ObjectCollation => (Class::Collation, 1),
            T::ObjectTsconfiguration => (Class::TextSearchConfiguration, 1),
            T::ObjectTsdictionary => (Class::TextSearchDictionary, 1),
            T::ObjectDomconstraint | T::ObjectCast | T::ObjectTransform => return,
            _ => (Class::Relation, 1),
        };
        self.list(&format!("{at}/List/items"), items, class, behind);
    }
}

/// The path of the text of a body in the tree of the statement that holds it.
pub(super) fn body(tree: &Value) -> Option<String> {
    let (kind, field) = [("CreateFunctionStmt", "options"), ("DoStmt", "args")]
        .into_iter()
        .find(|(kind, _)| tree.get(kind).is_some())?;
    let options = tree.get(kind)?.get(field)?.as_array()?;
    let index = options
        .iter()
        .position(|option| option.pointer("/DefElem/defname").and_then(Value::as_str) == Some("as"))?;
    let option = options.get(index)?;
    let inner = ["/DefElem/arg/List/items/0/String/sval", "/DefElem/arg/String/sval"]
        .into_iter()
        .find(|path| option.pointer(path).is_some())?;
    Some(format!("/{kind}/{field}/{index}{inner}"))
}

/// All strings of a tree that a person wrote as constants, with their paths. Comments on objects are none.
pub(super) fn constants(tree: &Value) -> Vec<(String, String)> {
    fn walk(path: &mut String, value: &Value, found: &mut Vec<(String, String)>) {
        match value {
            Value::Object(fields) => {
                for (field, value) in fields {
                    let length = path.len();
                    path.push('/');
                    path.push_str(field);
                    walk(path, value, found);
                    path.truncate(length);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let length = path.len();
                    path.push('/');
                    path.push_str(&index.to_string());
                    walk(path, item, found);
                    path.truncate(length);
                }
            }
            Value::String(text) if path.ends_with("/AConst/val/Sval/sval") => {
                found.push((path.clone(), text.clone()));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(&mut String::new(), tree, &mut found);
    found
}

/// The parts of a qualified name in a string, with where they stand in it; the schema is the one before the last.
pub(super) fn schema_of_text(text: &str) -> Option<(names::Name, String)> {
    let (mut parts, _) = names::path(text);
    let name = parts.pop()?;
    Some((parts.pop()?, name.name))
}
