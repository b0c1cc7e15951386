//! IN-17: statements after an error in a transaction.

use crate::edit::Safety;
use crate::finding::{Place, ServerError, Severity};
use crate::rule::{Answers, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "IN-17",
    name: "aborted-transaction",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("what the server ignores after an error in a transaction"),
    doc: Doc {
        summary: "A statement after one that fails in the same transaction.",
        what: "Every statement between an error and the end of its transaction (BEGIN … COMMIT); where the rewrite fixes the error, they pass with it.",
        why: "After an error the server refuses all statements of a transaction, and its COMMIT rolls back what was done \
              before, too.",
        server: &["25P02 current transaction is aborted, commands ignored until end of transaction block"],
        help: "Fix or accept the error before it: then these statements run. Or remove BEGIN and COMMIT: each statement then \
               stands for itself.",
        before: "BEGIN;\nCREATE FUNCTION public.f() RETURNS integer LANGUAGE c AS 'mylib', 'f';\nCREATE TABLE public.b (id integer);\nCOMMIT;",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/tcop/postgres.c, exec_simple_query"]),
        link: "https://www.postgresql.org/docs/current/tutorial-transactions.html",
    },
    // It looks at nothing itself: the pass follows transactions (analysis/transaction.rs), for only it knows which errors a
    // fix solves.
    ..Rule::DEFAULT
};

/// What is said of a statement in a transaction that has failed.
pub(crate) fn draft(begun: Place, failed: Place) -> Draft {
    let line = failed.line;
    Draft::new(format!("the transaction has failed in line {line}: the server ignores this statement"))
        .server(ServerError::new(
            "25P02",
            "current transaction is aborted, commands ignored until end of transaction block",
        ))
        .related(failed, format!("the error, in the transaction that begins in line {}", begun.line))
}

/// What is said of one that fails because of an error that the rewrite fixes; `savepoint` is one that it goes back to and
/// that the server has not made either.
pub(crate) fn until_rewritten(begun: Place, failed: Place, savepoint: Option<&str>) -> Draft {
    let line = failed.line;
    let draft = draft(begun, failed).message(format!(
        "the transaction fails in line {line}, before it is rewritten: the server ignores this statement"
    ));
    let draft = match savepoint {
        Some(name) => draft.server(ServerError::new("3B001", format!("savepoint \"{name}\" does not exist"))),
        None => draft,
    };
    let title = format!("Rewrite the statement in line {line}");
    draft.fix(FixDraft::surround(title, Vec::new(), Vec::new()))
}
