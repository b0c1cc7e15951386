//! Names without a schema: the places of one in the tree and in the text, and the fix that writes its schema before it.

use serde_json::{Value, json};

use crate::facts::hypertables::regclass;
use crate::facts::names::quoted;
use crate::facts::objects::subject;
use crate::locate::Statement;
use crate::parse::{Change, Class, Token, TokenKind, canonical};
use crate::rule::FixDraft;

/// A place of the name in the tree.
enum Named {
    /// `schemaname` of a relation.
    Relation(String),
    /// A list of names, which gets one more in front.
    List(String, Vec<Value>),
    /// A constant that is read as a name: regclass.
    Text(String),
}

/// Writes the schema before each name of this class that has none, in the text and in the tree. `None` where the two do
/// not agree on the number of such names.
pub(crate) fn qualify(
    statement: &Statement<'_>,
    (class, name): (Class, &str),
    schema: &str,
    mut fix: FixDraft,
) -> Option<FixDraft> {
    let of_subject = subject(statement.node()).map(|object| object.id.class);
    let mut places = Vec::new();
    find(&canonical(statement.node()), "", (class, name), of_subject, &mut places);
    let texts = places.iter().filter(|place| matches!(place, Named::Text(_))).count();
    let words = words(statement, class, name, places.len() - texts)?;
    let literals = if texts == 0 { Vec::new() } else { literals(statement, name) };
    if places.is_empty() || literals.len() != texts {
        return None;
    }
    for word in words {
        fix = fix.replace(word.start..word.start, format!("{}.", quoted(schema)));
    }
    let path = format!("{}.{}", quoted(schema), quoted(name));
    for literal in literals {
        fix = fix.replace(literal.start..literal.end, format!("'{}'", path.replace('\'', "''")));
    }
    for place in places {
        fix = fix.change(match place {
            Named::Relation(at) => Change::set_str(format!("{at}/schemaname"), schema),
            Named::List(at, mut names) => {
                names.insert(0, json!({ "String": { "sval": schema } }));
                Change::Set(at, Value::Array(names))
            }
            Named::Text(at) => Change::set_str(format!("{at}/sval"), &path),
        });
    }
    Some(fix)
}

fn find(
    value: &Value,
    path: &str,
    (class, name): (Class, &str),
    of_subject: Option<Class>,
    found: &mut Vec<Named>,
) {
    let is = |value: &Value, field: &str, text: &str| value.get(field).and_then(Value::as_str) == Some(text);
    match value {
        Value::Object(fields) => {
            if class == Class::Relation && is(value, "relname", name) && is(value, "schemaname", "") {
                found.push(Named::Relation(path.to_owned()));
            }
            let is_constant = path.contains("/AConst/") && class == Class::Relation;
            if is_constant
                && fields.get("sval").and_then(Value::as_str).is_some_and(|text| is_name(text, name))
            {
                found.push(Named::Text(path.to_owned()));
            }
            for (field, value) in fields {
                find(value, &format!("{path}/{field}"), (class, name), of_subject, found);
            }
        }
        Value::Array(items) => {
            let first = items.first().and_then(|item| item.pointer("/String/sval")?.as_str());
            if first == Some(name) && is_list_of(path, class, of_subject, items.len()) {
                found.push(Named::List(path.to_owned(), items.clone()));
            }
            for (index, value) in items.iter().enumerate() {
                find(value, &format!("{path}/{index}"), (class, name), of_subject, found);
            }
        }
        _ => {}
    }
}

/// True for a list of names at this place that begins with an unqualified name of this class.
fn is_list_of(path: &str, class: Class, of_subject: Option<Class>, length: usize) -> bool {
    let field = path.rsplit('/').next().unwrap_or_default();
    let of_statement = path.ends_with("/object/List/items")
        || path.contains("/objects/") && path.ends_with("/List/items")
        || matches!(field, "type_name" | "cfgname" | "opfamilyname");
    match class {
        // A column, or a part of a table, stands behind the table.
        Class::Relation => {
            of_statement
                && match of_subject {
                    Some(Class::Attached) => length == 2,
                    Some(Class::Relation) => length <= 2,
                    _ => false,
                }
        }
        _ if length > 1 => false,
        Class::Function => matches!(field, "funcname" | "objname"),
        Class::Type => field == "names" || of_statement && of_subject == Some(class),
        Class::Collation => matches!(field, "collname" | "collation"),
        Class::OperatorClass => field == "opclass",
        class => of_statement && of_subject == Some(class),
    }
}

/// The tokens that name it: those where the tree says, or all words of that name where they are as many as the tree has.
fn words<'a>(
    statement: &'a Statement<'_>,
    class: Class,
    name: &str,
    number: usize,
) -> Option<Vec<&'a Token>> {
    if number == 0 {
        return Some(Vec::new());
    }
    let sql = statement.sql();
    let code: Vec<&Token> = statement.code().collect();
    let is_word = |index: usize, token: &Token| {
        let before = index.checked_sub(1).and_then(|before| code.get(before));
        token.identifier(sql).as_deref() == Some(name) && before.is_none_or(|before| before.text(sql) != ".")
    };
    let all: Vec<&Token> = code
        .iter()
        .enumerate()
        .filter(|(index, token)| is_word(*index, token))
        .map(|(_, token)| *token)
        .collect();
    let mut at: Vec<usize> = statement
        .references()
        .iter()
        .filter(|reference| {
            reference.class == class && reference.schema.is_none() && &*reference.name == name
        })
        .filter_map(|reference| usize::try_from(reference.location?).ok())
        .collect();
    at.sort_unstable();
    at.dedup();
    let said: Vec<&Token> = all.iter().copied().filter(|token| at.contains(&token.start)).collect();
    [said, all].into_iter().find(|tokens| tokens.len() == number)
}

fn is_name(text: &str, name: &str) -> bool {
    regclass(text).is_some_and(|(schema, table)| schema.is_none() && table == name)
}

/// The string literals that are read as this name.
fn literals<'a>(statement: &'a Statement<'_>, name: &str) -> Vec<&'a Token> {
    let sql = statement.sql();
    let is_literal = |token: &&Token| {
        let text = token.text(sql);
        let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        token.kind != TokenKind::Comment
            && inner.is_some_and(|inner| is_name(&inner.replace("''", "'"), name))
    };
    statement.code().filter(is_literal).collect()
}
