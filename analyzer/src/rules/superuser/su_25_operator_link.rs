//! SU-25: an operator whose commutator or negator is PostgreSQL's own.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{option, options, qualified};
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::{from_list, value};
use crate::target::{is_builtin, is_builtin_operator};

pub(crate) const RULE: Rule = Rule {
    id: "SU-25",
    name: "operator-link",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("operators that old dumps link with PostgreSQL's own"),
    statements: &[StatementKind::DefineStmt],
    doc: Doc {
        summary: "An operator whose COMMUTATOR or NEGATOR is PostgreSQL's own.",
        what: "CREATE OPERATOR on types of PostgreSQL with a commutator or negator that PostgreSQL has for the same \
               types. Dumps of old servers write the operators of modules so that became part of PostgreSQL \
               (tsearch2).",
        why: "The server links both operators with each other, and only their owner can change the one it has.",
        server: &["42501 must be owner of operator >"],
        help: "The link is removed: the planner cannot turn the operator around any more, and its results are the same. An operator that PostgreSQL has itself is better left out.",
        before: "CREATE FUNCTION public.after(tsvector, tsvector) RETURNS boolean LANGUAGE sql AS 'SELECT true';\n\
                 CREATE OPERATOR public.> (FUNCTION = public.after, LEFTARG = tsvector, RIGHTARG = tsvector, COMMUTATOR = OPERATOR(pg_catalog.<));",
        after: "CREATE FUNCTION public.after(tsvector, tsvector) RETURNS boolean LANGUAGE sql AS 'SELECT true';\n\
                CREATE OPERATOR public.> (FUNCTION = public.after, LEFTARG = tsvector, RIGHTARG = tsvector);",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/pg_operator.c, OperatorCreate, get_other_operator",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::DefineStmt(s) = node else { return };
    if s.kind != pg::ObjectType::ObjectOperator as i32 {
        return;
    }
    let operand = |name: &str| match option(&s.definition, name) {
        None => Some(""),
        Some(option) => builtin_type(ctx, option),
    };
    let (Some(left), Some(right)) = (operand("leftarg"), operand("rightarg")) else { return };
    let linked: Vec<(usize, &pg::DefElem, &str)> = options(&s.definition)
        .enumerate()
        .filter_map(|(index, option)| {
            let (left, right) = match option.defname.as_str() {
                "commutator" => (right, left),
                "negator" => (left, right),
                _ => return None,
            };
            let name = servers_operator(ctx, option)?;
            is_builtin_operator(name, left, right).then_some((index, option, name))
        })
        .collect();
    let (Some((_, first, name)), Some(object)) = (linked.first(), created(node)) else { return };
    let words = ctx.describe(&object);
    let gone: Vec<usize> = linked.iter().map(|(index, ..)| *index).collect();
    let mut draft = Draft::new(format!("{words} is linked with PostgreSQL's own operator {name}"))
        .object(words.clone())
        .server(ServerError::new("42501", format!("must be owner of operator {name}")));
    if let Some(ranges) = from_list(statement, &s.definition, &gone) {
        let fix = ranges.into_iter().fold(FixDraft::edit("Remove the link"), FixDraft::delete);
        let fix = gone
            .iter()
            .fold(fix, |fix, index| fix.change(Change::Remove(format!("/DefineStmt/definition/{index}"))));
        draft = draft.fix(fix.lost(format!("the link of {words} with {name}")));
    }
    if let Some(range) = value(statement, first) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// The name in pg_type of a type of PostgreSQL.
fn builtin_type<'a>(ctx: &Context<'_>, option: &'a pg::DefElem) -> Option<&'a str> {
    let Some(NodeEnum::TypeName(of)) = option.arg.as_ref()?.node.as_ref() else { return None };
    let (schema, name) = qualified(&of.names)?;
    let is_own = || {
        let mut path = ctx.facts.search_path.iter().take_while(|schema| &***schema != "pg_catalog");
        path.any(|schema| {
            let id = ObjectId::new(Class::Type, Some(schema), name);
            ctx.facts.declares(&id) && ctx.facts.absence(&id).is_none()
        })
    };
    let found = match schema {
        Some(schema) => schema == "pg_catalog",
        // pg_catalog comes first where the path does not name it.
        None => !names_catalog(ctx) || !is_own(),
    };
    (found && of.array_bounds.is_empty() && is_builtin(Class::Type, name)).then_some(name)
}

/// The name of an operator that is looked for in pg_catalog.
fn servers_operator<'a>(ctx: &Context<'_>, option: &'a pg::DefElem) -> Option<&'a str> {
    let (schema, name) = match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::List(list) => qualified(&list.items)?,
        NodeEnum::TypeName(of) => qualified(&of.names)?,
        NodeEnum::String(of) => (None, of.sval.as_str()),
        _ => return None,
    };
    let is_own = || {
        let mut path = ctx.facts.search_path.iter().take_while(|schema| &***schema != "pg_catalog");
        path.any(|schema| {
            let id = ObjectId::new(Class::Operator, Some(schema), name);
            ctx.facts.declares(&id) && ctx.facts.absence(&id).is_none()
        })
    };
    match schema {
        Some(schema) => (schema == "pg_catalog").then_some(name),
        None => (!names_catalog(ctx) || !is_own()).then_some(name),
    }
}

fn names_catalog(ctx: &Context<'_>) -> bool {
    ctx.facts.search_path.iter().any(|schema| &**schema == "pg_catalog")
}
