//! DATA-12: postfix operators.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::edit::Safety;
use crate::facts::names::{options, qualified};
use crate::facts::objects::created;
use crate::facts::{Object, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, ParseError, StatementKind, Token, TokenKind, Tokens, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Piece, Rule, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "DATA-12",
    name: "postfix-operator",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "postfix-operators",
        "Operators behind their operand, in definitions and in use.",
    ),
    also_answers: &["PG-14"],
    statements: &[
        StatementKind::AlterObjectSchemaStmt,
        StatementKind::AlterOperatorStmt,
        StatementKind::AlterOwnerStmt,
        StatementKind::CommentStmt,
        StatementKind::CreateStmt,
        StatementKind::CreateTableAsStmt,
        StatementKind::DefineStmt,
        StatementKind::DropStmt,
        StatementKind::RuleStmt,
        StatementKind::SelectStmt,
        StatementKind::ViewStmt,
    ],
    pieces: &[Piece::Unparsed],
    doc: Doc {
        summary: "An operator behind its operand, such as n !.",
        what: "CREATE OPERATOR with a left argument only, and expressions that use such an operator: n ! of \
               PostgreSQL itself, and those that the dump makes.",
        why: "PostgreSQL 14 did away with operators that stand behind their operand, and with the factorial operators \
              ! and !!.",
        server: &[
            "42P13 operator right argument type must be specified",
            "DETAIL Postfix operators are not supported.",
            "42601 postfix operators are not supported (COMMENT ON, ALTER and DROP OPERATOR)",
            "42601 syntax error at or near \")\"",
        ],
        help: "What is said of such an operator is removed. Write factorial(n) for n !, and call the operator's function by its name elsewhere: change the views and functions on the source, and dump again. To leave the operator out: --accept DATA-12.",
        before: "CREATE OPERATOR app.!! (FUNCTION = app.double_factorial, LEFTARG = bigint);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL 14 release notes, Migration to Version 14",
            "PostgreSQL src/backend/commands/operatorcmds.c, DefineOperator",
        ]),
        link: "https://www.postgresql.org/docs/release/14.0/",
    },
    check,
    ..Rule::DEFAULT
};

/// Operators that stand behind their operand, by name.
#[derive(Clone, Debug, Default)]
struct PostfixOperators(BTreeSet<Box<str>>);

fn check(ctx: &mut Context<'_>) {
    if let Some(near) = use_in(ctx) {
        let Subject::Unparsed { sql, error: ParseError::Syntax { message, .. }, .. } = ctx.subject else {
            return;
        };
        let operator = sql.get(near.start..near.end).unwrap_or_default().to_owned();
        let draft =
            Draft::new(format!("{operator} stands behind its operand, which PostgreSQL 14 and newer reject"))
                .at(near.start..near.end)
                .server(ServerError::new("42601", message.clone()));
        return ctx.report(if operator == "!" {
            draft.advice("Write factorial(n) for n !.")
        } else {
            draft.advice("Call the operator's function by its name.")
        });
    }
    let Some((statement, node)) = ctx.node() else { return };
    if let Some(named) = named_in(node) {
        let name =
            qualified(&named.objname).map(|(schema, name)| ObjectId::new(Class::Operator, schema, name));
        let words = name.map_or_else(String::new, |id| ctx.describe(&Object { word: "operator", id }));
        return ctx.report(
            Draft::new(format!("{words} stands behind its operand, which PostgreSQL 14 and newer reject"))
                .object(words)
                .server(ServerError::new("42601", "postfix operators are not supported"))
                .fix(FixDraft::remove("there are no postfix operators any more")),
        );
    }
    if let Some(range) = factorial(ctx, statement) {
        return ctx.report(
            Draft::new("PostgreSQL 14 and newer have no operator !! for numbers")
                .at(range)
                .server(ServerError::new("42883", "operator does not exist: !! integer"))
                .advice("Write factorial(n) for !! n."),
        );
    }
    let NodeEnum::DefineStmt(s) = node else { return };
    let has = |name: &str| options(&s.definition).any(|option| option.defname.eq_ignore_ascii_case(name));
    if s.kind != pg::ObjectType::ObjectOperator as i32 || has("rightarg") || !has("leftarg") {
        return;
    }
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    if let Some((_, name)) = qualified(&s.defnames) {
        ctx.states.of::<PostfixOperators>().0.insert(name.into());
    }
    let mut draft =
        Draft::new(format!("{words} stands behind its operand, which PostgreSQL 14 and newer reject"))
            .object(words.clone())
            .server(
                ServerError::new("42P13", "operator right argument type must be specified")
                    .detail("Postfix operators are not supported."),
            )
            .fix(FixDraft::remove("there are no postfix operators any more").review().lost(words));
    if let Some(word) = statement.words_where(&["LEFTARG"], |_| true) {
        draft = draft.at(word);
    }
    ctx.report(draft);
}

/// `!! n`, the factorial of a number, where the dump has no such operator of its own.
fn factorial(ctx: &Context<'_>, statement: &Statement<'_>) -> Option<Range<usize>> {
    const NAME: &str = "!!";
    let sql = statement.sql();
    if !sql.contains(NAME)
        || ctx.facts.objects.keys().any(|id| id.class == Class::Operator && &*id.name == NAME)
    {
        return None;
    }
    let mut tokens = statement.code().skip_while(|token| token.text(sql) != NAME);
    let operator = tokens.next()?;
    let operand = tokens.find(|token| token.text(sql) != "(")?;
    let is_number = operand.text(sql).starts_with(|c: char| c.is_ascii_digit());
    is_number.then_some(operator.start..operator.end)
}

/// The operator that a statement names by its left argument only: `!! (integer, NONE)`.
fn named_in(node: &NodeEnum) -> Option<&pg::ObjectWithArgs> {
    let is_operator = |kind: i32| kind == pg::ObjectType::ObjectOperator as i32;
    let object = match node {
        NodeEnum::CommentStmt(s) if is_operator(s.objtype) => s.object.as_deref()?,
        NodeEnum::AlterOwnerStmt(s) if is_operator(s.object_type) => s.object.as_deref()?,
        NodeEnum::AlterObjectSchemaStmt(s) if is_operator(s.object_type) => s.object.as_deref()?,
        NodeEnum::AlterOperatorStmt(s) => return s.opername.as_ref().filter(|named| is_postfix(named)),
        NodeEnum::DropStmt(s) if is_operator(s.remove_type) && !s.missing_ok => s.objects.first()?,
        _ => return None,
    };
    match object.node.as_ref()? {
        NodeEnum::ObjectWithArgs(named) if is_postfix(named) => Some(named),
        _ => None,
    }
}

fn is_postfix(named: &pg::ObjectWithArgs) -> bool {
    matches!(named.objargs.as_slice(), [pg::Node { node: Some(_) }, pg::Node { node: None }])
}

/// The postfix operator that the parser stumbles over, where that is why it does. The parser names the token
/// behind it, but not its place.
pub(crate) fn use_in(ctx: &Context<'_>) -> Option<Token> {
    let Subject::Unparsed { sql, error: ParseError::Syntax { message, .. }, .. } = ctx.subject else {
        return None;
    };
    let near = message.strip_prefix("syntax error at or near \"")?.strip_suffix('"')?;
    let tokens = Tokens::scan(sql);
    let code: Vec<&Token> = tokens.iter().filter(|token| token.kind != TokenKind::Comment).collect();
    let text = |index: usize| code.get(index).map_or("", |token| token.text(sql));
    let known = ctx.states.get::<PostfixOperators>();
    let is_known = |name: &str| name == "!" || known.is_some_and(|known| known.0.contains(name));
    (0..code.len()).filter(|at| text(*at) == near).find_map(|at| {
        // `n !`, or `n OPERATOR(schema.!)` as pg_dump writes an operator that is not in the search path.
        let operator = match text(at.checked_sub(1)?) {
            ")" => at.checked_sub(2)?,
            _ => at - 1,
        };
        code.get(operator).filter(|token| is_known(token.text(sql))).map(|token| **token)
    })
}
