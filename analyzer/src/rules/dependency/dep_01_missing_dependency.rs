//! DEP-01: a statement that needs what the target will not have.

use std::ops::Range;

use super::missing::{error_for, first_in_body, words};
use crate::edit::{Fix, Safety};
use crate::facts::names::{relation, role};
use crate::facts::objects::{added_constraint, created, subject};
use crate::facts::{Absence, Object, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, Reference, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finding, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::extension::ext_12_extension_script;
use crate::rules::role::known::{Known, known};

pub(crate) const RULE: Rule = Rule {
    id: "DEP-01",
    name: "missing-dependency",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose(
        "what follows from another finding: a statement that needs what the target will not have",
    ),
    also_answers: &["EXT-01", "SU-15", "FN-02"],
    statements: StatementKind::ALL,
    after: &["*"],
    doc: Doc {
        summary: "Something depends on an object that the target will not have.",
        what: "A statement refers to a type, function, operator, operator class, access method, language, server or table that an earlier finding keeps from the target: through columns, defaults, checks, indexes, views, triggers, policies and other functions. Bodies of standard SQL (BEGIN ATOMIC, RETURN) are resolved when the function is created, as views are. Bodies in strings are FN-03's.",
        why: "The server resolves such names when the statement runs, and does not find them.",
        server: &[
            "42704 type \"public.hll\" does not exist",
            "42883 function public.hll_empty() does not exist",
            "42P01 relation \"app.visitors\" does not exist",
        ],
        help: "Replace what it depends on first (the finding named under \"because of\" says by what). Comments, owners and grants of an object that is removed go with it. To leave dependents out with their cause, accept the cause's rule: --accept EXT-01.",
        before: "CREATE EXTENSION hll WITH SCHEMA public;\nCREATE TABLE app.visitors (day date, users public.hll);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/parser/parse_type.c, typenameType; parse_func.c, ParseFuncOrColumn",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// What a statement needs and the target will not have.
struct Lack {
    absence: Absence,
    message: String,
    /// The object of the finding.
    object: String,
    error: ServerError,
    range: Option<Range<usize>>,
    safety: Safety,
    /// What the statement changes or speaks of is missing, not something that it uses.
    subject_is_gone: bool,
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    // What is dropped may be missing; what another rule takes out whole needs nothing.
    let taken_out = |f: &Finding| {
        (f.severity == Severity::Error || *f.rule == ext_12_extension_script::RULE)
            && f.fix.as_deref().is_some_and(Fix::only_removes)
    };
    let may_be_missing = match node {
        NodeEnum::DropStmt(s) => s.missing_ok,
        NodeEnum::DropSubscriptionStmt(s) => s.missing_ok,
        _ => false,
    };
    if may_be_missing || ctx.findings.iter().any(taken_out) {
        return;
    }
    let lack = missing_subject(ctx, statement, node)
        .or_else(|| missing_part(ctx, node))
        .or_else(|| missing_reference(ctx, statement, node));
    if let Some(lack) = lack {
        report(ctx, lack, node);
    }
}

/// What the statement changes or speaks of is missing: it goes with it.
fn missing_subject(ctx: &Context<'_>, statement: &Statement<'_>, node: &NodeEnum) -> Option<Lack> {
    let object = subject(node).filter(|object| !matches!(object.id.class, Class::Role | Class::Database))?;
    let absence = ctx.facts.subject_absence(node)?.clone();
    let name = ctx.describe(&object);
    let shown = ctx.created(node).map_or_else(|| name.clone(), |created| ctx.describe(&created));
    // The server looks for the types of arguments before it looks for the function.
    let argument = statement
        .references()
        .iter()
        .find(|r| r.class == Class::Type && ctx.facts.missing(r).is_some())
        .filter(|_| matches!(object.id.class, Class::Function | Class::Operator | Class::Nameless));
    // The new owner is looked for before all else, but for ALTER TABLE and its like.
    let owner = match node {
        NodeEnum::AlterOwnerStmt(s) => s.newowner.as_ref().and_then(role),
        _ => None,
    };
    let error = match owner.filter(|owner| known(ctx, owner) == Known::Missing) {
        Some(owner) => ServerError::missing_role(owner),
        None => argument.map_or_else(|| not_there(&object), error_for),
    };
    Some(Lack::of_subject(absence, &name, shown, error))
}

/// A part of a table that the statement changes is missing.
fn missing_part(ctx: &Context<'_>, node: &NodeEnum) -> Option<Lack> {
    let (part, absence) = part_of_table(ctx, node)?;
    let name = ctx.describe(&part);
    Some(Lack::of_subject(absence, &name, name.clone(), not_there(&part)))
}

impl Lack {
    /// The statement's own subject is missing.
    fn of_subject(absence: Absence, name: &str, object: String, error: ServerError) -> Self {
        let safety = if absence.removed { Safety::Safe } else { Safety::Review };
        let message = format!("{name} will not be on the target");
        Self { absence, message, object, error, range: None, safety, subject_is_gone: true }
    }
}

/// Something that the statement uses is missing.
fn missing_reference(ctx: &Context<'_>, statement: &Statement<'_>, node: &NodeEnum) -> Option<Lack> {
    let made = ctx.created(node);
    let own = made.as_ref().map(|object| object.id.clone());
    let all: Vec<(Reference, Absence)> = statement
        .references()
        .iter()
        .filter_map(|reference| {
            let id = ObjectId::of(reference);
            // What the statement itself makes is not missing. A table does without its access method (SU-06).
            let of_table = reference.class == Class::AccessMethod
                && matches!(
                    node,
                    NodeEnum::CreateStmt(_) | NodeEnum::CreateTableAsStmt(_) | NodeEnum::AlterTableStmt(_)
                );
            if of_table || own.as_ref() == Some(&ctx.resolved(&id)) {
                return None;
            }
            Some((reference.clone(), ctx.facts.missing(reference)?.clone()))
        })
        .collect();
    // The one that the server misses first: the types of a definition, the tables of a query.
    let first = match node {
        NodeEnum::DefineStmt(_) => Some(Class::Type),
        NodeEnum::ViewStmt(_) | NodeEnum::CreateTableAsStmt(_) => Some(Class::Relation),
        _ => None,
    };
    let missing = all.iter().find(|(r, _)| Some(r.class) == first).or_else(|| all.first()).cloned();
    let missing = missing.or_else(|| {
        let schema = made.as_ref()?.id.schema.as_deref()?;
        let absence = ctx.facts.missing_schema(schema)?.clone();
        Some((Reference::new(Class::Schema, None, schema), absence))
    });
    let in_body = || {
        first_in_body(ctx, node, |reference| Some((reference.clone(), ctx.facts.missing(reference)?.clone())))
    };
    let (reference, absence) = missing.or_else(in_body)?;
    let range = reference.location.and_then(|at| {
        let at = usize::try_from(at).ok()?;
        statement.name_at(at).or_else(|| statement.token_at(at).map(Statement::token_range))
    });
    let object = made
        .or_else(|| added_constraint(node))
        .or_else(|| subject(node).filter(|object| object.id.class != Class::Role))
        .map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    Some(Lack {
        message: format!("{object} needs {}, which the target will not have", words(&reference)),
        absence,
        object,
        error: error_for(&reference),
        range: range.filter(|range| !range.is_empty()),
        // DEPENDS ON EXTENSION says when to drop the object, and nothing else.
        safety: if matches!(node, NodeEnum::AlterObjectDependsStmt(_)) {
            Safety::Safe
        } else {
            Safety::Review
        },
        subject_is_gone: false,
    })
}

/// The trigger, rule or constraint that ALTER TABLE names, where it will not be there.
fn part_of_table(ctx: &Context<'_>, node: &NodeEnum) -> Option<(Object, Absence)> {
    use pg::AlterTableType as T;
    let NodeEnum::AlterTableStmt(s) = node else { return None };
    let (schema, table) = relation(s.relation.as_ref()?);
    s.cmds.iter().find_map(|command| {
        let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { return None };
        let word = match T::try_from(command.subtype).ok()? {
            T::AtEnableTrig | T::AtEnableAlwaysTrig | T::AtEnableReplicaTrig | T::AtDisableTrig => "trigger",
            T::AtEnableRule | T::AtEnableAlwaysRule | T::AtEnableReplicaRule | T::AtDisableRule => "rule",
            T::AtValidateConstraint | T::AtAlterConstraint => "constraint",
            _ => return None,
        };
        let part = Object { word, id: ObjectId::attached(schema, table, &command.name) };
        let absence = (**ctx.facts.absent.get(&ctx.resolved(&part.id))?).clone();
        Some((part, absence))
    })
}

fn report(ctx: &mut Context<'_>, lack: Lack, node: &NodeEnum) {
    let Lack { absence, message, object, error, range, safety, subject_is_gone } = lack;
    let mut fix = FixDraft::removal(format!("Remove it together with {}", absence.root));
    if safety == Safety::Review {
        fix = fix.review();
    }
    fix = match node {
        NodeEnum::CopyStmt(_) | NodeEnum::InsertStmt(_) => fix.lost(format!("rows of {object}")),
        // What was said of an object that is gone is gone with it.
        NodeEnum::CommentStmt(_)
        | NodeEnum::AlterOwnerStmt(_)
        | NodeEnum::AlterObjectDependsStmt(_)
        | NodeEnum::GrantStmt(_) => fix,
        _ if created(node).is_some() || added_constraint(node).is_some() => fix.lost(object.clone()),
        _ if subject_is_gone => fix,
        NodeEnum::DoStmt(_) | NodeEnum::CallStmt(_) | NodeEnum::SelectStmt(_) => {
            fix.lost("what the statement does")
        }
        _ => fix.lost(format!("change of {object}")),
    };
    let mut draft =
        Draft::new(message).object(object).server(error).cause(ctx.registry.cause(&absence)).fix(fix);
    if let Some(range) = range {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

fn not_there(object: &Object) -> ServerError {
    let name = object.id.path();
    match object.id.class {
        Class::Relation => ServerError::new("42P01", format!("relation \"{name}\" does not exist")),
        Class::Function => ServerError::new("42883", format!("function {name}(…) does not exist")),
        _ => ServerError::new("42704", format!("{} \"{name}\" does not exist", object.word)),
    }
}
