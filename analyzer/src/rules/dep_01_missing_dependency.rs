//! DEP-01: a statement that needs what the target will not have.

use super::{Context, Doc, Draft, FixDraft, Rule, TROUBLESHOOTING};
use crate::edit::Safety;
use crate::facts::objects::{created, subject};
use crate::facts::{Absence, Object};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, Reference};

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "DEP-01",
    name: "missing-dependency",
    severity: Severity::Error,
    fix: Safety::Safe,
    doc: Doc {
        summary: "Something depends on an object that the target will not have.",
        what: "A statement refers to a type, function, operator, operator class, access method, language, server or \
               table that an earlier finding keeps from the target: through columns, defaults, checks, indexes, \
               views, triggers, policies and other functions.",
        why: "The server resolves such names when the statement runs, and does not find them.",
        server: &[
            "42704 type \"public.hll\" does not exist",
            "42883 function public.hll_empty() does not exist",
            "42P01 relation \"app.visitors\" does not exist",
        ],
        help: "Replace what it depends on first (the finding named under \"because of\" says by what). Comments, owners \
               and grants of an object that is taken out go with it. To leave dependents out with their cause, accept \
               the cause's rule: --accept EXT-01.",
        before: "CREATE EXTENSION hll WITH SCHEMA public;\nCREATE TABLE app.visitors (day date, users public.hll);",
        after: "",
        sources: &[
            "PostgreSQL src/backend/parser/parse_type.c, typenameType; parse_func.c, ParseFuncOrColumn",
        ],
        link: TROUBLESHOOTING,
    },
    check,
    finish: None,
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let made = created(node);
    let own = made.as_ref().map(|object| ctx.resolved(&object.id));

    // What the statement changes or speaks of is gone: it goes with it.
    if let Some(object) =
        subject(node).filter(|object| !matches!(object.id.class, Class::Role | Class::Database))
        && let Some(absence) = ctx.facts.absence(&object.id).cloned()
    {
        let safety = if absence.removed { Safety::Safe } else { Safety::Review };
        let name = ctx.describe(&object);
        let shown = made.as_ref().map_or_else(|| name.clone(), |made| ctx.describe(made));
        let error = not_there(&object);
        report(ctx, &absence, format!("{name} will not be on the target"), &shown, error, None, safety, node);
        return;
    }
    let missing = statement.references().iter().find_map(|reference| {
        let id = crate::facts::ObjectId::new(reference.class, reference.schema.as_deref(), &reference.name);
        // What the statement itself makes is not missing.
        if own.as_ref() == Some(&ctx.resolved(&id)) {
            return None;
        }
        Some((reference, ctx.facts.missing(reference)?.clone()))
    });
    if let Some((reference, absence)) = missing {
        let range = reference
            .location
            .and_then(|at| statement.name_at(usize::try_from(at).ok()?))
            .filter(|range| !range.is_empty());
        let needed = words(reference);
        let what = made.as_ref().map_or_else(|| "this statement".to_owned(), |object| ctx.describe(object));
        let error = error_for(reference);
        report(
            ctx,
            &absence,
            format!("{what} needs {needed}, which the target will not have"),
            &what,
            error,
            range,
            Safety::Review,
            node,
        );
    }
}

#[allow(clippy::too_many_arguments)] // one call site each way; a struct would only rename the arguments
fn report(
    ctx: &mut Context<'_>,
    absence: &Absence,
    message: String,
    object: &str,
    error: ServerError,
    range: Option<std::ops::Range<usize>>,
    safety: Safety,
    node: &NodeEnum,
) {
    let mut fix = FixDraft::remove(format!("goes with {}", absence.root));
    if safety == Safety::Review {
        fix = fix.review();
    }
    fix = match node {
        NodeEnum::CopyStmt(_) => fix.lost(format!("the rows of {object}")),
        NodeEnum::CommentStmt(_) | NodeEnum::AlterOwnerStmt(_) | NodeEnum::GrantStmt(_) => fix,
        _ => fix.lost(object.to_owned()),
    };
    let mut draft = Draft::new(message)
        .object(object)
        .server(error)
        .related(absence.place, format!("[{}] {}", absence.rule, absence.root))
        .fix(fix);
    if let Some(range) = range {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

fn words(reference: &Reference) -> String {
    let word = match reference.class {
        Class::Relation => "relation",
        Class::Type => "type",
        Class::Function => "function",
        Class::Operator => "operator",
        Class::Collation => "collation",
        Class::OperatorClass => "operator class",
        Class::AccessMethod => "access method",
        Class::Language => "language",
        Class::Server => "server",
        Class::ForeignDataWrapper => "foreign-data wrapper",
        _ => "object",
    };
    let name = reference
        .schema
        .as_ref()
        .map_or_else(|| reference.name.to_string(), |s| format!("{s}.{}", reference.name));
    format!("{word} {name}")
}

fn error_for(reference: &Reference) -> ServerError {
    let words = words(reference);
    let (word, name) = words.rsplit_once(' ').unwrap_or(("object", &words));
    let code = match reference.class {
        Class::Relation => "42P01",
        Class::Function | Class::Operator => "42883",
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

fn not_there(object: &Object) -> ServerError {
    let name = object.id.path();
    match object.id.class {
        Class::Relation => ServerError::new("42P01", format!("relation \"{name}\" does not exist")),
        Class::Function => ServerError::new("42883", format!("function {name}(…) does not exist")),
        _ => ServerError::new("42704", format!("{} \"{name}\" does not exist", object.word)),
    }
}
