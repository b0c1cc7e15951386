//! FN-05: a body in SQL that the parser refuses.

use super::bodies::fails_already;
use crate::body::syntax_error;
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "FN-05",
    name: "body-syntax",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::purpose("bodies of functions with syntax errors"),
    statements: &[StatementKind::CreateFunctionStmt],
    after: &["*", "DEP-01", "DEP-02", "FN-01", "FN-03"],
    doc: Doc {
        summary: "The body of a function in SQL has a syntax error.",
        what: "Functions and procedures in SQL whose body is a string, in scripts: pg_dump turns check_function_bodies off, and \
               the server looks at no body then. Bodies in PL/pgSQL are not looked at: a script with any is not called ready. \
               Nor are targets of PostgreSQL 18 and newer, whose words the parser of 17 may not know.",
        why: "With check_function_bodies on, as it is by default, the server parses the body when the function is created.",
        server: &["42601 syntax error at or near \"SELEC\""],
        help: "Correct the body. To leave the function out with all that needs it: --accept FN-05.",
        before: "CREATE FUNCTION public.one() RETURNS integer LANGUAGE sql AS 'SELEC 1';",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/catalog/pg_proc.c, fmgr_sql_validator"]),
        link: "https://www.postgresql.org/docs/current/runtime-config-client.html#GUC-CHECK-FUNCTION-BODIES",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::CreateFunctionStmt(s))) = ctx.node() else { return };
    if s.sql_body.is_some()
        || ctx.facts.session.now.unchecked_bodies
        || ctx.target.version > 17
        || fails_already(ctx)
    {
        return;
    }
    let Some((range, message)) = syntax_error(statement) else { return };
    let words = ctx.created(statement.node()).map_or_else(String::new, |object| ctx.describe(&object));
    ctx.report(
        Draft::new(format!("{words} has a syntax error in its body"))
            .object(words.clone())
            .at(range)
            .server(ServerError::new("42601", message))
            .fix(FixDraft::remove("its body has a syntax error").review().lost(words)),
    );
}
