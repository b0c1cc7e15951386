//! DEP-07: labels of enums, attributes of composite types and constraints of domains that are not there, or are there already.

use super::dep_02_undeclared_object::says_it_all;
use crate::edit::Safety;
use crate::facts::names::quoted_path;
use crate::facts::objects::Object;
use crate::facts::type_parts::{attributes, changed_type};
use crate::facts::{Facts, ObjectId, TypeKind, TypeParts};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "DEP-07",
    name: "type-part",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::purpose(
        "labels, attributes and constraints of types that are missing, or there already",
    ),
    statements: StatementKind::ALL,
    after: &["*", "DEP-01", "DEP-02", "DEP-03"],
    doc: Doc {
        summary: "A label, an attribute or a constraint of a type that is not there, or is there already.",
        what: "Of types that the files create: ALTER TYPE … ADD VALUE, RENAME VALUE, ADD, DROP, ALTER and RENAME ATTRIBUTE, ALTER \
               DOMAIN … ADD, DROP, VALIDATE and RENAME CONSTRAINT, COMMENT ON CONSTRAINT … ON DOMAIN. A label or attribute that \
               stands twice in CREATE TYPE. A constant of an enum that is none of its labels: 'sad'::public.mood. Not behind a \
               DO, CALL or call of a function that could have changed the type.",
        why: "The server looks the label, attribute or constraint up when the statement runs.",
        server: &[
            "42710 enum label \"ok\" already exists",
            "22023 \"great\" is not an existing enum label",
            "22P02 invalid input value for enum public.mood: \"sad\"",
            "42701 column \"street\" of relation \"address\" already exists",
            "42703 column \"street\" of relation \"address\" does not exist",
            "42704 constraint \"positive\" of domain \"public.price\" does not exist",
        ],
        help: "Leave out what is there already: --accept DEP-07. Else write the name that the type has.",
        before: "CREATE TYPE public.mood AS ENUM ('sad', 'ok');\nALTER TYPE public.mood ADD VALUE 'ok';",
        after: "CREATE TYPE public.mood AS ENUM ('sad', 'ok');",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/pg_enum.c, AddEnumLabel, RenameEnumLabel; src/backend/commands/typecmds.c, \
             AlterDomainDropConstraint; src/backend/utils/adt/enum.c, enum_in",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-altertype.html",
    },
    check,
    ..Rule::DEFAULT
};

/// What the server says, and whether what the statement makes is there already.
struct Refusal {
    error: ServerError,
    words: String,
    is_there: bool,
}

impl Refusal {
    fn there(sqlstate: &'static str, text: String, words: String) -> Self {
        Self { error: ServerError::new(sqlstate, text), words, is_there: true }
    }

    fn missing(sqlstate: &'static str, text: String, words: String) -> Self {
        Self { is_there: false, ..Self::there(sqlstate, text, words) }
    }
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if ctx.facts.dynamic || ctx.facts.cascaded.is_some() || ctx.findings.iter().any(says_it_all) {
        return;
    }
    let found = twice(ctx, node).or_else(|| {
        let id = changed_type(ctx.facts, node)?;
        let parts = ctx.facts.type_parts(&id)?;
        changed(node, &id, parts).map(|refusal| (words(&id, parts), refusal))
    });
    if let Some((object, Refusal { error, words, is_there })) = found {
        let message = if is_there {
            format!("{object} has {words} already")
        } else {
            format!("{object} has no {words}")
        };
        let is_alone = !matches!(node, NodeEnum::AlterTableStmt(s) if s.cmds.len() != 1);
        let mut draft = Draft::new(message).object(object).server(error);
        if is_there && is_alone && !creates_type(node) {
            let fix = FixDraft::remove(format!("{words} exists")).review().present();
            draft = draft.fix(fix.lost("what differs from the first"));
        }
        ctx.report(draft);
        return;
    }
    constant(ctx, statement);
}

const fn creates_type(node: &NodeEnum) -> bool {
    matches!(node, NodeEnum::CreateEnumStmt(_) | NodeEnum::CompositeTypeStmt(_))
}

fn words(id: &ObjectId, parts: &TypeParts) -> String {
    let word = if parts.kind == TypeKind::Domain { "domain" } else { "type" };
    Object { word, id: id.clone() }.to_string()
}

/// A label or attribute that stands twice in the statement that creates the type.
fn twice(ctx: &Context<'_>, node: &NodeEnum) -> Option<(String, Refusal)> {
    let names: Vec<&str> = match node {
        NodeEnum::CreateEnumStmt(s) => crate::facts::names::strings(&s.vals),
        NodeEnum::CompositeTypeStmt(s) => attributes(&s.coldeflist).collect(),
        _ => return None,
    };
    let second =
        names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|first| first == *name));
    let name = second?.1;
    let refusal = if matches!(node, NodeEnum::CreateEnumStmt(_)) {
        let text = "duplicate key value violates unique constraint \"pg_enum_typid_label_index\"";
        Refusal::there("23505", text.to_owned(), format!("label {name}"))
    } else {
        let text = format!("column \"{name}\" specified more than once");
        Refusal::there("42701", text, format!("attribute {name}"))
    };
    Some((ctx.created(node)?.to_string(), refusal))
}

/// What a statement changes of a type that has these parts.
fn changed(node: &NodeEnum, id: &ObjectId, parts: &TypeParts) -> Option<Refusal> {
    match (parts.kind, node) {
        (TypeKind::Enum, NodeEnum::AlterEnumStmt(s)) => label(s, parts),
        (TypeKind::Domain, NodeEnum::AlterDomainStmt(s)) => constraint(s, id, parts),
        (TypeKind::Domain, NodeEnum::RenameStmt(s)) => no_constraint("for", &s.subname, id, parts),
        (TypeKind::Domain, NodeEnum::CommentStmt(s))
            if s.objtype == pg::ObjectType::ObjectDomconstraint as i32 =>
        {
            let name = crate::facts::objects::subject(node)?.id.part?;
            no_constraint("for", &name, id, parts)
        }
        (TypeKind::Composite, NodeEnum::AlterTableStmt(s)) => s.cmds.iter().find_map(|command| {
            let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return None };
            attribute(command, id, parts)
        }),
        (TypeKind::Composite, NodeEnum::RenameStmt(s))
            if s.rename_type == pg::ObjectType::ObjectAttribute as i32 =>
        {
            let text = format!("column \"{}\" does not exist", s.subname);
            (!parts.has(&s.subname))
                .then(|| Refusal::missing("42703", text, format!("attribute {}", s.subname)))
        }
        _ => None,
    }
}

fn label(s: &pg::AlterEnumStmt, parts: &TypeParts) -> Option<Refusal> {
    let missing = |name: &str| {
        let text = format!("\"{name}\" is not an existing enum label");
        Refusal::missing("22023", text, format!("label {name}"))
    };
    let needed = if s.old_val.is_empty() { &s.new_val_neighbor } else { &s.old_val };
    if parts.has(&s.new_val) {
        let text = format!("enum label \"{}\" already exists", s.new_val);
        return (!s.skip_if_new_val_exists)
            .then(|| Refusal::there("42710", text, format!("label {}", s.new_val)));
    }
    (!needed.is_empty() && !parts.has(needed)).then(|| missing(needed))
}

fn attribute(command: &pg::AlterTableCmd, id: &ObjectId, parts: &TypeParts) -> Option<Refusal> {
    use pg::AlterTableType as T;
    match T::try_from(command.subtype).ok()? {
        T::AtAddColumn => {
            let name = attributes(command.def.as_deref()).find(|name| parts.has(name))?;
            let text = format!("column \"{name}\" of relation \"{}\" already exists", id.name);
            Some(Refusal::there("42701", text, format!("attribute {name}")))
        }
        T::AtDropColumn | T::AtAlterColumnType if !command.missing_ok && !parts.has(&command.name) => {
            let text = format!("column \"{}\" of relation \"{}\" does not exist", command.name, id.name);
            Some(Refusal::missing("42703", text, format!("attribute {}", command.name)))
        }
        _ => None,
    }
}

fn constraint(s: &pg::AlterDomainStmt, id: &ObjectId, parts: &TypeParts) -> Option<Refusal> {
    match &*s.subtype {
        "C" => {
            let Some(NodeEnum::Constraint(one)) = &s.def.as_ref()?.node else { return None };
            let text = format!("constraint \"{}\" for domain \"{}\" already exists", one.conname, id.name);
            parts
                .has(&one.conname)
                .then(|| Refusal::there("42710", text, format!("constraint {}", one.conname)))
        }
        "X" | "V" if !s.missing_ok => no_constraint("of", &s.name, id, parts),
        _ => None,
    }
}

/// A constraint that the domain does not have. Names that the server chose begin with the domain's.
fn no_constraint(of: &str, name: &str, id: &ObjectId, parts: &TypeParts) -> Option<Refusal> {
    if parts.has(name) || parts.has_unnamed && name.starts_with(&*id.name) {
        return None;
    }
    let path = id.path().replace('"', "");
    let domain = if of == "of" { format!("\"{path}\"") } else { path };
    let text = format!("constraint \"{name}\" {of} domain {domain} does not exist");
    Some(Refusal::missing("42704", text, format!("constraint {name}")))
}

/// A constant of an enum that is none of its labels: `'sad'::public.mood`, and the default of a column of this type.
fn constant(ctx: &mut Context<'_>, statement: &Statement<'_>) {
    if statement.references().iter().all(|one| one.class != Class::Type) || ctx.facts.types.is_empty() {
        return;
    }
    let code: Vec<_> = statement.code().collect();
    let found = statement.references().iter().filter(|one| one.class == Class::Type).find_map(|reference| {
        let (id, parts) = enum_named(ctx.facts, reference.schema.as_deref(), &reference.name)?;
        let from = usize::try_from(reference.location?).ok()?;
        let at = code.iter().position(|token| token.start >= from)?;
        let name = statement.name_at(from)?;
        let behind: Vec<&str> = code
            .iter()
            .skip_while(|token| token.start < name.end)
            .take(2)
            .map(|token| token.text(statement.sql()))
            .collect();
        let text = |before: usize| Some(code.get(at.checked_sub(before)?)?.text(statement.sql()));
        let (constant, token) = match behind.as_slice() {
            ["[", ..] => return None,
            _ if text(1) == Some("::") => (text(2)?, code.get(at.checked_sub(2)?)?),
            [default, constant] if default.eq_ignore_ascii_case("default") => {
                (*constant, code.iter().skip_while(|token| token.start < name.end).nth(1)?)
            }
            _ => return None,
        };
        let value = constant.strip_prefix('\'')?.strip_suffix('\'')?.replace("''", "'");
        (!parts.has(&value)).then_some((id, value, token.start..token.end))
    });
    let Some((id, value, range)) = found else { return };
    let path = quoted_path(id.schema.as_deref(), &id.name);
    let text = format!("invalid input value for enum {path}: \"{value}\"");
    let object = Object { word: "type", id }.to_string();
    ctx.report(
        Draft::new(format!("{object} has no label {value}"))
            .object(object)
            .server(ServerError::new("22P02", text))
            .at(range),
    );
}

fn enum_named<'a>(facts: &'a Facts, schema: Option<&str>, name: &str) -> Option<(ObjectId, &'a TypeParts)> {
    let id = facts.resolved(&ObjectId::new(Class::Type, schema, name));
    let parts = facts.type_parts(&id).filter(|parts| parts.kind == TypeKind::Enum)?;
    Some((id, parts))
}
