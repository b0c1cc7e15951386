//! GUC-05: parameters that the target's version does not have.

use super::settings::{called, set_by_call, sets, settings};
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finding, FixDraft, InBodies, Rule};
use crate::target::parameter;

pub(crate) const RULE: Rule = Rule {
    id: "GUC-05",
    name: "unknown-parameter",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("parameters of another version or of a fork"),
    statements: &[StatementKind::VariableShowStmt],
    statement_groups: &[StatementKind::SETTING, StatementKind::RUNNING],
    in_bodies: InBodies::Yes { queries: true, by_name: true },
    after: &["GUC-01", "IN-05", "IN-06"],
    doc: Doc {
        summary: "A parameter that the target's version does not have.",
        what: "SET, RESET and SHOW, ALTER ROLE … SET, ALTER DATABASE … SET, the SET clause of a function and set_config() of a \
               parameter without a dot in its name that the target's PostgreSQL does not know: one of another version, of a \
               fork (RDS, Greenplum, EDB), or a name that is misspelt; current_setting() of one. Names with a dot are GUC-02's.",
        why: "The server refuses names that it does not know, unless they have a dot.",
        server: &["42704 unrecognized configuration parameter \"shard_mode\""],
        help: "Remove the setting, or set the parameter that has its place in the target's version. An application's own \
               parameter needs a dot in its name (myapp.shard_mode).",
        before: "SET shard_mode = 'all';\nSELECT 1;",
        after: "-- tsmigrate GUC-05: Remove shard_mode: PostgreSQL 17 does not have it\n-- SET shard_mode = 'all';\nSELECT 1;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/utils/misc/guc.c, find_option, assignable_custom_variable_name",
            "pg_settings of 15.18, 17.12 and 18.6 (target/parameters.txt)",
        ]),
        link: "https://www.postgresql.org/docs/current/runtime-config.html",
    },
    check,
    ..Rule::DEFAULT
};

/// The server's words where the target's version does not have the parameter.
pub(crate) fn refusal(ctx: &Context<'_>, name: &str) -> Option<ServerError> {
    let known = name.is_empty()
        || name.contains('.')
        || parameter(name).is_some_and(|parameter| parameter.is_in(ctx.target.version));
    if known {
        return None;
    }
    let error = ServerError::new("42704", format!("unrecognized configuration parameter \"{name}\""));
    // Another rule has said it, or removes what stands here.
    let said = |finding: &Finding| {
        finding.server_error.as_ref().is_some_and(|said| said.text.eq_ignore_ascii_case(&error.text))
    };
    (!ctx.findings.iter().any(said)).then_some(error)
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    for setting in settings(ctx) {
        // SET TRANSACTION and SET SESSION CHARACTERISTICS name no parameter, nor does RESET ALL.
        let named = !matches!(
            pg::VariableSetKind::try_from(setting.set.kind),
            Ok(pg::VariableSetKind::VarSetMulti | pg::VariableSetKind::VarResetAll)
        );
        let name = setting.set.name.as_str();
        // What is stored is reset by its name only (GUCArrayDelete), whoever knows it.
        let error = refusal(ctx, name).or_else(|| setting.stored.is_none().then(|| misspelt(name)).flatten());
        let Some(error) = error.filter(|_| named && sets(ctx, &setting)) else { continue };
        let mut fix = setting.without(statement, reason(ctx, name)).lost(setting.lost());
        if setting.function {
            // The body may ask for the value.
            fix = fix.review();
        }
        let mut draft = Draft::new(message(ctx, name)).object(setting.lost()).server(error).fix(fix);
        if let Some((range, _)) = &setting.clause {
            draft = draft.at(range.clone());
        }
        ctx.report(draft);
    }
    if let NodeEnum::VariableShowStmt(show) = node
        && let Some(error) = refusal(ctx, &show.name).filter(|_| show.name != "all")
    {
        let fix = FixDraft::remove(reason(ctx, &show.name));
        ctx.report(Draft::new(message(ctx, &show.name)).server(error).fix(fix));
    }
    let read = || called(statement, "current_setting", |name| refusal(ctx, name));
    let set = set_by_call(statement, |name| refusal(ctx, name)).map(|found| (found, "SET"));
    let Some(((name, range, error), verb)) = set.or_else(|| Some((read()?, "SHOW"))) else { return };
    let object = format!("{verb} {name}");
    let fix = FixDraft::remove(reason(ctx, name)).review().lost(object.clone());
    let mut draft = Draft::new(message(ctx, name)).object(object).server(error).fix(fix);
    if let Some(range) = range {
        draft = draft.at(range);
    }
    ctx.report(draft);
}

/// The server's words for a name with a dot that no parameter can have.
fn misspelt(name: &str) -> Option<ServerError> {
    let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_' || !c.is_ascii();
    let is_name = |part: &str| {
        part.starts_with(is_letter) && part.chars().all(|c| is_letter(c) || c.is_ascii_digit() || c == '$')
    };
    (name.contains('.') && !name.split('.').all(is_name)).then(|| {
        ServerError::new("42602", format!("invalid configuration parameter name \"{name}\""))
            .detail("Custom parameter names must be two or more simple identifiers separated by dots.")
    })
}

fn message(ctx: &Context<'_>, name: &str) -> String {
    format!("PostgreSQL {} does not have parameter {name}", ctx.target.version)
}

fn reason(ctx: &Context<'_>, name: &str) -> String {
    format!("PostgreSQL {} has no {name}", ctx.target.version)
}
