//! IN-10: a statement that PostgreSQL's parser refuses.

use crate::edit::Safety;
use crate::facts::names::options;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{MAX_NESTING, MAX_TOKENS, NodeEnum, ParseError, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Piece, Rule, Subject};

pub(crate) const RULE: Rule = Rule {
    id: "IN-10",
    name: "syntax-error",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("what the parser refuses must not go by in silence"),
    statements: &[StatementKind::CreateFunctionStmt, StatementKind::CreateStmt],
    pieces: &[Piece::Unparsed],
    // Without it a dump that is cut off would pass for a whole one.
    may_be_off: false,
    doc: Doc {
        summary: "A statement that PostgreSQL's parser refuses.",
        what: "Each statement is read with the parser of PostgreSQL 18. Text that it refuses is shown with its \
               place; everything around it is still analysed. So are attributes of functions in CREATE PROCEDURE, which \
               the server refuses in a second look. A statement whose tree would take too much memory is not judged (warning).",
        why: "The target has the same parser. Usual causes: a dump of a version or fork with syntax of its own, \
              text that a tool or an editor put into the file, syntax that newer versions no longer take \
              (postfix operators, WITH OIDS).",
        server: &["42601 syntax error at or near \"…\""],
        help: "Look at the place. Write the dump again with a current pg_dump, or correct the statement by hand.",
        before: "CREATE TABEL orders (id integer);",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/parser/gram.y"]),
        link: "https://www.postgresql.org/docs/current/errcodes-appendix.html",
    },
    check,
    ..Rule::DEFAULT
};

/// What gram.y takes in CREATE PROCEDURE and the server does not (functioncmds.c, compute_common_attribute).
const FUNCTION_ONLY: [&str; 8] =
    ["volatility", "strict", "leakproof", "support", "cost", "rows", "parallel", "window"];

fn check(ctx: &mut Context<'_>) {
    if let Some((statement, NodeEnum::CreateFunctionStmt(s))) = ctx.node()
        && s.is_procedure
        && let Some(option) = options(&s.options).find(|o| FUNCTION_ONLY.contains(&o.defname.as_str()))
    {
        let range = usize::try_from(option.location).ok().and_then(|at| statement.token_at(at));
        let draft =
            Draft::new("this statement fails: procedures do not have all attributes that functions have")
                .server(ServerError::new("42P13", "invalid attribute in procedure definition"));
        ctx.report(match range {
            Some(token) => draft.at(Statement::token_range(token)),
            None => draft,
        });
        return;
    }
    if let Some((_, NodeEnum::CreateStmt(s))) = ctx.node()
        && ctx.target.version >= 18
        && s.table_elts.iter().any(|element| {
            matches!(&element.node, Some(NodeEnum::Constraint(c)) if c.without_overlaps && c.keys.len() < 2)
        })
    {
        let words = "constraint using WITHOUT OVERLAPS needs at least two columns";
        ctx.report(Draft::new(format!("this statement fails: a {words}")).server(ServerError::new("42601", words)));
        return;
    }
    let Subject::Unparsed { error, sql, .. } = ctx.subject else { return };
    let ParseError::Syntax { message, near } = error else {
        let why = match error {
            ParseError::TooDeep => format!("nests its expressions deeper than {MAX_NESTING} brackets"),
            _ => format!("has more than {MAX_TOKENS} words and signs"),
        };
        too_large(ctx, sql, &why);
        return;
    };
    // The server looks at the bytes first.
    if ctx.findings.iter().any(|finding| finding.rule.id == "IN-08") {
        return;
    }
    // DATA-12 says why.
    if crate::rules::data::data_12_postfix_operator::use_in(ctx).is_some() {
        return;
    }
    let range = near.map_or(0..sql.len(), |(start, end)| start..end);
    let is_recheck = sql.get(range.clone()).is_some_and(|word| word.eq_ignore_ascii_case("RECHECK"));
    // A word of operator classes that 18 no longer takes; older servers ask for a superuser first.
    let server = if is_recheck && ctx.target.version <= 17 {
        ServerError::new("42501", "must be superuser to create an operator class")
    } else {
        ServerError::new("42601", message.clone())
    };
    ctx.report(Draft::new("this statement fails: the parser refuses it").at(range).server(server));
}

/// A statement that the parser would take, for all that is known.
fn too_large(ctx: &mut Context<'_>, sql: &str, why: &str) {
    let size = crate::human::bytes(sql.len() as u64);
    ctx.report(
        Draft::new(format!("this statement of {size} was not judged: it {why}"))
            .severity(Severity::Warning)
            .advice(
                "Split it into smaller statements, or look at it by hand: nothing is known of what it needs and creates.",
            ),
    );
}
