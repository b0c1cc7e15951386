//! SU-02: a function that is one of the server's own under another name.

use super::su_01_c_function::{language, language_range};
use crate::edit::Safety;
use crate::facts::names::{option, options, qualified, quoted, string};
use crate::facts::objects::created;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, Class, NodeEnum, StatementKind, TokenKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::target::{builtin_of_internal, is_builtin};

pub(crate) const RULE: Rule = Rule {
    id: "SU-02",
    name: "internal-function",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("func.internal", "Functions in language internal."),
    statements: &[StatementKind::CreateFunctionStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "A function in LANGUAGE internal.",
        what: "CREATE FUNCTION … LANGUAGE internal gives a name to a C function inside the server.",
        why: "It runs as the server itself, with whatever argument types were declared. Only a superuser can create \
               it.",
        server: &["42501 permission denied for language internal"],
        help: "Where one of the server's functions is the same by its arguments and result, it becomes a function in \
               LANGUAGE sql that calls that one. Else write it so by hand: AS 'SELECT pg_catalog.sin($1)'. To leave it \
               out with everything that depends on it: --accept SU-02.",
        before: "CREATE FUNCTION app.sine(double precision) RETURNS double precision\n    LANGUAGE internal IMMUTABLE STRICT\n    AS $$dsin$$;",
        after: "CREATE FUNCTION app.sine(double precision) RETURNS double precision\n    LANGUAGE sql IMMUTABLE STRICT\n    AS 'SELECT pg_catalog.sin($1)';",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/functioncmds.c, CreateFunction"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::CreateFunctionStmt(s) = node else { return };
    if !language(&s.options).is_some_and(|name| name.eq_ignore_ascii_case("internal")) {
        return;
    }
    let Some(object) = created(node) else { return };
    let words = ctx.describe(&object);
    let fix = same(statement, s).unwrap_or_else(|| {
        FixDraft::remove("a function in language internal cannot be on the target")
            .review()
            .lost(words.clone())
    });
    let mut draft = Draft::new(format!("{words} is in language internal: only a superuser can create it"))
        .object(words)
        .server(ServerError::new("42501", "permission denied for language internal"))
        .fix(fix);
    if let Some(range) = language_range(statement) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// The same function in SQL, where the server has one with this signature.
fn same(statement: &Statement<'_>, s: &pg::CreateFunctionStmt) -> Option<FixDraft> {
    use pg::FunctionParameterMode as Mode;
    let mut arguments = Vec::new();
    for parameter in &s.parameters {
        let Some(NodeEnum::FunctionParameter(parameter)) = &parameter.node else { return None };
        let goes_in =
            matches!(Mode::try_from(parameter.mode), Ok(Mode::FuncParamIn | Mode::FuncParamDefault));
        arguments.push(type_name(parameter.arg_type.as_ref()?).filter(|_| goes_in)?);
    }
    let result = type_name(s.return_type.as_ref()?)?;
    let position = |name: &str| options(&s.options).position(|option| option.defname == name);
    let (body_index, language_index) = (position("as")?, position("language")?);
    let body = option(&s.options, "as")?;
    let inside = match body.arg.as_ref()?.node.as_ref()? {
        NodeEnum::List(list) if list.items.len() == 1 => string(list.items.first()?)?,
        _ => return None,
    };
    let name = builtin_of_internal(inside, &arguments, &result)?;
    let numbers: Vec<String> = (1..=arguments.len()).map(|number| format!("${number}")).collect();
    let sql = format!("SELECT pg_catalog.{}({})", quoted(name), numbers.join(", "));
    let from = usize::try_from(body.location).ok()?;
    let text = statement.code().find(|token| token.start >= from && token.kind == TokenKind::String)?;
    let path = "/CreateFunctionStmt/options";
    Some(
        FixDraft::edit(format!("Call pg_catalog.{name}"))
            .replace(language_range(statement)?, "sql")
            .change(Change::set_str(format!("{path}/{language_index}/DefElem/arg/String/sval"), "sql"))
            .replace(Statement::token_range(text), format!("'{sql}'"))
            .change(Change::set_str(
                format!("{path}/{body_index}/DefElem/arg/List/items/0/String/sval"),
                &sql,
            )),
    )
}

/// A type of the server as pg_type names it; `None` for a set, and for types of other schemas.
fn type_name(name: &pg::TypeName) -> Option<String> {
    let (schema, base) = qualified(&name.names)?;
    let builtin = schema.is_none_or(|schema| schema == "pg_catalog") && is_builtin(Class::Type, base);
    let array = if name.array_bounds.is_empty() { "" } else { "_" };
    (builtin && !name.setof && !name.pct_type).then(|| format!("{array}{base}"))
}
