//! What a statement misses, in words and in the server's.

use arcstr::ArcStr;

use crate::facts::names::{option, option_text, options, quoted, quoted_path, string};
use crate::facts::objects::{added_constraint, relation_word, subject};
use crate::facts::{Facts, ObjectId};
use crate::finding::ServerError;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, Reference, parse, references};
use crate::rule::Context;
use crate::split::{Kind, Piece, Splitter};

/// What a statement misses.
pub(super) struct Missing {
    pub(super) class: Class,
    pub(super) schema: Option<ArcStr>,
    pub(super) name: ArcStr,
    /// The schema itself is missing.
    pub(super) whole_schema: bool,
    /// The extension that has it.
    pub(super) extension: Option<&'static str>,
    pub(super) location: Option<u32>,
}

impl Missing {
    /// An object that is missing.
    pub(super) fn of(id: ObjectId, location: Option<u32>) -> Self {
        let ObjectId { class, schema, name, .. } = id;
        Self { class, schema, name, whole_schema: false, extension: None, location }
    }

    /// The identity of what is missing: the schema, where that is missing as a whole.
    pub(super) fn id(&self, ctx: &Context<'_>) -> ObjectId {
        match (&self.schema, self.whole_schema) {
            (Some(schema), true) => ObjectId::new(Class::Schema, None, schema),
            _ => ctx.resolved(&ObjectId::new(self.class, self.schema.as_deref(), &self.name)),
        }
    }

    /// It in words.
    pub(super) fn words(&self) -> String {
        let Self { class, schema, name, whole_schema, .. } = self;
        let schema_name = if *class == Class::Schema { Some(&**name) } else { schema.as_deref() };
        if let (true, Some(schema)) = (whole_schema, schema_name) {
            return format!("schema {}", quoted(schema));
        }
        format!("{} {}", word(*class), ObjectId::new(*class, schema.as_deref(), name).path())
    }
}

/// What to do where the dump is of a whole database, as far as it was wanted: there are no other files to give.
pub(super) const NOT_IN_DUMP: &str = "The dump of this database does not have it: it was left out (--include, --exclude), or made a part \
                           of an extension (SRV-15 says which). Have it come over too, or leave out what needs it.";

/// What the statement creates or changes, in words.
pub(super) fn what(ctx: &Context<'_>, node: &NodeEnum) -> String {
    ctx.created(node)
        .or_else(|| added_constraint(node))
        .or_else(|| subject(node))
        .map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object))
}

/// True for what is written like a type and is `table.column%TYPE`.
pub(super) fn is_of_column(statement: &Statement<'_>, location: Option<u32>) -> bool {
    let name = location.and_then(|at| statement.name_at(usize::try_from(at).ok()?));
    let behind = name.and_then(|name| statement.sql().get(name.end..));
    behind.is_some_and(|behind| behind.trim_start().starts_with('%'))
}

/// True for a word that is the value of an option, which PostgreSQL's grammar reads as a type: `WITH (fastupdate = off)`.
pub(super) fn is_option(statement: &Statement<'_>, of: &Reference) -> bool {
    if of.class != Class::Type {
        return false;
    }
    let before = of.location.and_then(|at| statement.sql().get(..usize::try_from(at).ok()?));
    let option = before.and_then(|before| before.trim_end().strip_suffix('=')).map(str::trim_end);
    let name = option.and_then(|option| option.rsplit(|c: char| !c.is_ascii_alphanumeric()).next());
    name.is_some_and(|name| !OF_TYPES.iter().any(|of| of.eq_ignore_ascii_case(name)))
}

/// Options whose value is a type.
const OF_TYPES: [&str; 8] =
    ["leftarg", "rightarg", "stype", "mstype", "basetype", "subtype", "element", "like"];

fn word(class: Class) -> &'static str {
    match class {
        Class::Relation => "table",
        class => class.word(),
    }
}

/// What the server says.
pub(super) fn error(node: &NodeEnum, missing: &Missing, is_subject: bool) -> ServerError {
    let Missing { class, schema, name, whole_schema, .. } = missing;
    let path = quoted_path(schema.as_deref(), name).replace('"', "");
    // A query looks for the table, all else for the schema first.
    let in_query = matches!(
        node,
        NodeEnum::ViewStmt(_)
            | NodeEnum::CreateTableAsStmt(_)
            | NodeEnum::SelectStmt(_)
            | NodeEnum::InsertStmt(_)
    );
    let schema_first = *whole_schema && !(in_query && *class == Class::Relation);
    if schema_first {
        let schema = if *class == Class::Schema { name } else { schema.as_ref().unwrap_or(name) };
        return ServerError::missing_schema(schema);
    }
    if *class == Class::Relation
        && is_subject
        && let NodeEnum::DropStmt(s) = node
    {
        let kind = relation_word(s.remove_type);
        return ServerError::new("42P01", format!("{kind} \"{name}\" does not exist"));
    }
    match class {
        Class::Relation => ServerError::new("42P01", format!("relation \"{path}\" does not exist")),
        Class::Function => ServerError::new("42883", format!("function {path}(…) does not exist")),
        Class::Operator => ServerError::new("42883", format!("operator does not exist: … {path} …")),
        Class::Server => ServerError::new("42704", format!("server \"{name}\" does not exist")),
        class => ServerError::new("42704", format!("{} \"{path}\" does not exist", word(*class))),
    }
}

/// True for a relation that a declared table may have brought with it: indexes of its constraints, sequences of its
/// columns. Their names begin with the table's, which is cut to fit.
pub(super) fn is_implied(facts: &Facts, schema: Option<&str>, name: &str) -> bool {
    let of_constraint =
        || facts.constraints.iter().any(|constraint| facts.names.name(constraint.name) == name);
    let of_table = || {
        name.char_indices().filter(|(_, c)| *c == '_').any(|(end, _)| {
            name.get(..end).is_some_and(|table| {
                facts.relations.contains_key(&ObjectId::new(Class::Relation, schema, table))
            })
        })
    };
    let of_identity = || facts.identity_sequences.contains(&ObjectId::new(Class::Relation, schema, name));
    name.len() >= 60 || of_constraint() || of_table() || of_identity()
}

/// The first reference that `missing` takes in the body of a function in SQL, where the server checks bodies (pg_dump turns
/// that off).
pub(super) fn first_in_body<T>(
    ctx: &Context<'_>,
    node: &NodeEnum,
    missing: impl Fn(&Reference) -> Option<(Reference, T)>,
) -> Option<(Reference, T)> {
    let NodeEnum::CreateFunctionStmt(s) = node else { return None };
    let language = option(&s.options, "language").and_then(option_text);
    let is_sql = language.is_some_and(|name| name.eq_ignore_ascii_case("sql"));
    if ctx.facts.session.now.unchecked_bodies || !is_sql || s.sql_body.is_some() {
        return None;
    }
    let body = match option(&s.options, "as")?.arg.as_ref()?.node.as_ref()? {
        NodeEnum::List(list) => string(list.items.first()?)?,
        _ => return None,
    };
    // A search path of its own is not the one at this point.
    let has_path = options(&s.options).any(|option| option.defname == "set");
    let mut found = None;
    let mut take = |piece: Piece<'_>| {
        let text = String::from_utf8_lossy(piece.text);
        if piece.kind == Kind::Statement
            && found.is_none()
            && let Ok(Some(parsed)) = parse(&text, piece.standard_strings)
        {
            found = references(parsed.node()).into_iter().find_map(|reference| {
                if has_path && reference.schema.is_none() {
                    return None;
                }
                let (reference, found) = missing(&reference)?;
                Some((Reference { location: None, ..reference }, found))
            });
        }
    };
    let mut splitter = Splitter::new();
    splitter.feed(body.as_bytes(), &mut take);
    splitter.finish(&mut take);
    found
}

/// The word for what is referred to, and its name as the server prints it in errors: without quotes.
fn word_and_name(reference: &Reference) -> (&'static str, String) {
    let name = reference
        .schema
        .as_ref()
        .map_or_else(|| reference.name.to_string(), |s| format!("{s}.{}", reference.name));
    (reference.class.word(), name)
}

/// The reference in words: `type public.hll`.
pub(crate) fn words(reference: &Reference) -> String {
    let (word, name) = word_and_name(reference);
    match reference.class {
        Class::Operator => format!("{word} {name}"),
        _ => format!("{word} {}", quoted_path(reference.schema.as_deref(), &reference.name)),
    }
}

/// What the server says where the object is not there.
pub(crate) fn error_for(reference: &Reference) -> ServerError {
    let (word, name) = word_and_name(reference);
    let code = match reference.class {
        Class::Relation => "42P01",
        Class::Function | Class::Operator => "42883",
        Class::Schema => "3F000",
        _ => "42704",
    };
    ServerError::new(
        code,
        match reference.class {
            Class::Function => format!("function {name}(…) does not exist"),
            Class::Operator => format!("operator does not exist: … {name} …"),
            _ => format!("{word} \"{name}\" does not exist"),
        },
    )
}
