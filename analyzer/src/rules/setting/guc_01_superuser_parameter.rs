//! GUC-01: parameters that only a superuser can set, and those that are gone.

use super::settings::{set_by_call, sets, settings};
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::target::parameter as parameter_of;

pub(crate) const RULE: Rule = Rule {
    id: "GUC-01",
    name: "superuser-parameter",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("guc.superuser", "Parameters of superusers, and those that are gone."),
    also_answers: &["ROLE-10", "SU-05", "DATA-07", "COL-03", "PG-17"],
    statement_groups: &[StatementKind::SETTING, StatementKind::RUNNING],
    in_bodies: InBodies::Yes { queries: true, by_name: true },
    doc: Doc {
        summary: "A parameter that only a superuser can set: log_statement, session_replication_role and others.",
        what: "ALTER ROLE … SET and ALTER DATABASE … SET, the SET clause of a function, and SET by itself, of a \
               parameter whose context is superuser, or that the target's version no longer has. set_config in a query \
               is the same.",
        why: "Storing a value needs the same privilege as setting it.",
        server: &[
            "42501 permission denied to set parameter \"log_statement\"",
            "42704 unrecognized configuration parameter \"force_parallel_mode\" (gone in 16)",
        ],
        help: "The setting is removed and listed. Many of these are parameters of the service: set them for all in its console. Where SET session_replication_role was to keep triggers and foreign keys quiet while rows load, load the rows before the triggers and keys are created, as a dump of the whole database does.",
        before: "CREATE ROLE app;\nALTER ROLE app SET log_statement TO 'all';",
        after: "CREATE ROLE app;\n-- tsmigrate GUC-01: Remove it: only a superuser can set log_statement\n-- ALTER ROLE app SET log_statement TO 'all';",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/utils/misc/guc.c, set_config_with_handle, validate_option_array_item",
            "pg_settings of PostgreSQL 14 to 18, context = superuser",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// What the server says to setting this parameter, whatever the value; `None` where it takes it.
pub(crate) fn refusal(ctx: &Context<'_>, set: &pg::VariableSetStmt) -> Option<ServerError> {
    superuser_only(ctx, &set.name).or_else(|| super::guc_02_extension_parameter::refusal(ctx, set))
}

fn superuser_only(ctx: &Context<'_>, parameter: &str) -> Option<ServerError> {
    let name = parameter.to_ascii_lowercase();
    let gone = ctx.target.removed_parameters.get(&name).is_some_and(|since| *since <= ctx.target.version);
    if gone {
        let text = format!("unrecognized configuration parameter \"{parameter}\"");
        Some(ServerError::new("42704", text))
    } else if ctx.target.superuser_parameters.contains(&name)
        // Of those that nobody sets, the server says so first.
        && parameter_of(&name).is_none_or(|parameter| parameter.is_fixed(&name).is_none())
    {
        Some(ServerError::new("42501", format!("permission denied to set parameter \"{parameter}\"")))
    } else {
        None
    }
}

fn check(ctx: &mut Context<'_>) {
    let Some(statement) = ctx.statement() else { return };
    calls(ctx, statement);
    for setting in settings(ctx) {
        if !sets(ctx, &setting) {
            continue;
        }
        let name = setting.set.name.as_str();
        let Some(error) = superuser_only(ctx, name) else { continue };
        let gone = error.sqlstate == "42704";
        let title = if gone {
            format!("PostgreSQL {} has no {name}", ctx.target.version)
        } else {
            format!("only a superuser can set {name}")
        };
        let mut draft = Draft::new(title.clone()).object(setting.lost()).server(error);
        if let Some((range, _)) = &setting.clause {
            draft = draft.at(range.clone());
        }
        let mut fix = setting.without(statement, title).lost(setting.lost());
        let quiet = name.eq_ignore_ascii_case("session_replication_role");
        if quiet && (setting.stored.is_none() || setting.function) {
            // Triggers fire that did not.
            fix = fix.review();
            draft = draft.advice(if setting.function {
                "Without it triggers fire and foreign keys are checked in what the function does: see whether it \
                 still does what it should."
            } else {
                "Without it triggers fire and foreign keys are checked while rows load: load the rows before they are created."
            });
        } else if !gone && setting.stored.is_some() {
            draft = draft.advice(
                "Where the service offers it, set it for the whole service in its console (database parameters).",
            );
        }
        ctx.report(draft.fix(fix));
    }
}

/// `set_config('log_statement', …)` in a query asks for the same right as SET.
fn calls(ctx: &mut Context<'_>, statement: &Statement<'_>) {
    let found = set_by_call(statement, |name| superuser_only(ctx, name));
    let Some((name, range, error)) = found else { return };
    let title = if error.sqlstate == "42704" {
        format!("PostgreSQL {} has no {name}", ctx.target.version)
    } else {
        format!("only a superuser can set {name}")
    };
    let object = format!("SET {name}");
    let mut draft = Draft::new(title.clone())
        .object(object.clone())
        .server(error)
        .fix(FixDraft::remove(title).review().lost(object));
    if let Some(range) = range {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
