//! SU-17: an operator with estimators of its own.

use crate::edit::Safety;
use crate::facts::names::{options, qualified, quoted_path};
use crate::facts::objects::created;
use crate::facts::{Object, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::{from_list, value};
use crate::target::is_builtin;

pub(crate) const RULE: Rule = Rule {
    id: "SU-17",
    name: "operator-estimator",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("operator.estimator", "Operators with estimators of their own."),
    statements: &[StatementKind::AlterOperatorStmt, StatementKind::DefineStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "CREATE OPERATOR or ALTER OPERATOR with a RESTRICT or JOIN function that is not PostgreSQL's own.",
        what: "Estimators tell the planner how many rows an operator will find.",
        why: "They take the planner's own data: since 14.21, 15.16, 16.12, 17.8 and 18.2 only a superuser can name \
               one that is not built in.",
        server: &[
            "42501 must be superuser to specify a non-built-in restriction estimator function",
            "42501 must be superuser to specify a non-built-in join estimator function",
            "42883 function app.my_estimate(internal, oid, internal, integer) does not exist",
        ],
        help: "The clause is removed: the operator works as before, the planner guesses. One of the built-in estimators (eqsel, contsel, scalarltsel …) may fit.",
        before: "CREATE OPERATOR app.<~> (\n    FUNCTION = int4eq,\n    LEFTARG = integer,\n    RIGHTARG = integer,\n    RESTRICT = app.my_estimate\n);",
        after: "CREATE OPERATOR app.<~> (\n    FUNCTION = int4eq,\n    LEFTARG = integer,\n    RIGHTARG = integer\n);",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/operatorcmds.c, ValidateRestrictionEstimator, ValidateJoinEstimator",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let (nodes, path): (&[pg::Node], _) = match node {
        NodeEnum::DefineStmt(s) if s.kind == pg::ObjectType::ObjectOperator as i32 => {
            (&s.definition, "/DefineStmt/definition")
        }
        NodeEnum::AlterOperatorStmt(s) => (&s.options, "/AlterOperatorStmt/options"),
        _ => return,
    };
    let own: Vec<(usize, &pg::DefElem)> = options(nodes)
        .enumerate()
        .filter(|(_, option)| {
            matches!(option.defname.as_str(), "restrict" | "join") && !is_server_own(option)
        })
        .collect();
    let Some((_, first)) = own.first() else { return };
    let Some(object) = created(node).or_else(|| operator(node)) else { return };
    let words = ctx.describe(&object);
    let kind = if first.defname == "join" { "join" } else { "restriction" };
    let gone: Vec<usize> = own.iter().map(|(index, _)| *index).collect();
    let fix = match from_list(statement, nodes, &gone) {
        Some(ranges) => {
            let fix = ranges.into_iter().fold(FixDraft::edit("Remove the estimators"), FixDraft::delete);
            gone.iter().fold(fix, |fix, index| fix.change(Change::Remove(format!("{path}/{index}"))))
        }
        None => FixDraft::remove("nothing is left of it without the estimators"),
    };
    // A function with such arguments is in C or internal, so that one of the dump's own will not be there.
    let own_function = estimator(first).filter(|(schema, name)| {
        ctx.facts.declares(&ctx.resolved(&ObjectId::new(Class::Function, *schema, name)))
    });
    let error = match own_function {
        Some((schema, name)) => {
            let arguments = match kind {
                "join" => "internal, oid, internal, smallint, internal",
                _ => "internal, oid, internal, integer",
            };
            let path = quoted_path(schema, name);
            ServerError::new("42883", format!("function {path}({arguments}) does not exist"))
        }
        None => ServerError::new(
            "42501",
            format!("must be superuser to specify a non-built-in {kind} estimator function"),
        ),
    };
    let mut draft = Draft::new(format!("{words} cannot have an estimator of its own on the target"))
        .object(words.clone())
        .server(error)
        .fix(fix.lost(format!("estimators of {words}: the planner guesses")));
    if let Some(range) = value(statement, first) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// The function that an option names; none for NONE.
fn estimator(option: &pg::DefElem) -> Option<(Option<&str>, &str)> {
    match option.arg.as_ref()?.node.as_ref()? {
        NodeEnum::TypeName(name) => qualified(&name.names),
        NodeEnum::List(list) => qualified(&list.items),
        _ => None,
    }
}

/// True for NONE and for functions of pg_catalog.
fn is_server_own(option: &pg::DefElem) -> bool {
    estimator(option).is_none_or(|(schema, name)| {
        schema.is_none_or(|schema| schema == "pg_catalog") && is_builtin(Class::Function, name)
    })
}

fn operator(node: &NodeEnum) -> Option<Object> {
    let NodeEnum::AlterOperatorStmt(s) = node else { return None };
    let (schema, name) = qualified(&s.opername.as_ref()?.objname)?;
    Some(Object { word: "operator", id: ObjectId::new(Class::Operator, schema, name) })
}
