//! GUC-06: values that a parameter does not take.

use super::settings::settings;
use crate::edit::Safety;
use crate::facts::names::text;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, InBodies, Rule};
use crate::target::parameter;

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "GUC-06",
    name: "parameter-value",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::Purpose("values that a parameter does not take"),
    statement_groups: &[StatementKind::SETTING],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    after: &["GUC-01", "GUC-02", "GUC-03", "GUC-04", "GUC-05", "IN-05"],
    doc: Doc {
        summary: "A value that a parameter of the server does not take.",
        what: "SET, ALTER ROLE … SET, ALTER DATABASE … SET and the SET clause of a function with a number out of range, with \
               a unit that does not fit, or with a word that is none of the parameter's.",
        why: "The server looks at each value before it sets or stores it.",
        server: &[
            "22023 10 kB is outside the valid range for parameter \"work_mem\" (64 kB .. 2147483647 kB)",
            "22023 invalid value for parameter \"client_min_messages\": \"loud\"",
            "22023 parameter \"enable_seqscan\" requires a Boolean value",
        ],
        help: "Write a value that the server takes. Without the setting the target's own value is in force.",
        before: "SET work_mem = '10kB';\nSELECT 1;",
        after: "-- tsmigrate GUC-06: Remove work_mem = 10kB: the server refuses this value\n-- SET work_mem = '10kB';\nSELECT 1;",
        sources: &[
            "PostgreSQL src/backend/utils/misc/guc.c, parse_and_validate_value",
            "pg_settings of 15.18, 17.12 and 18.6 (target/parameters.txt)",
        ],
        link: "https://www.postgresql.org/docs/current/config-setting.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some(statement) = ctx.statement() else { return };
    if ctx.is_removed() {
        return;
    }
    for setting in settings(ctx) {
        let name = setting.set.name.as_str();
        if setting.set.kind != pg::VariableSetKind::VarSetValue as i32 {
            continue;
        }
        let [argument] = setting.set.args.as_slice() else { continue };
        let (Some(parameter), Some(value)) = (parameter(name), value(argument)) else { continue };
        let Some(refusal) = parameter.refusal(name, &value) else { continue };
        let fix = setting
            .without(statement, format!("Remove {name} = {value}: the server refuses this value"))
            .lost(setting.lost());
        let mut draft = Draft::new(format!("the server refuses {value} for parameter {name}"))
            .object(setting.lost())
            .server(ServerError::new("22023", refusal))
            .fix(if setting.function { fix.review() } else { fix });
        if let Some((range, _)) = &setting.clause {
            draft = draft.at(range.clone());
        }
        ctx.report(draft);
    }
}

/// The value as the server reads it; `None` where that is not known.
fn value(argument: &pg::Node) -> Option<String> {
    use pg::a_const::Val;
    match argument.node.as_ref()? {
        NodeEnum::AConst(constant) => match constant.val.as_ref()? {
            Val::Ival(integer) => Some(integer.ival.to_string()),
            Val::Fval(float) => Some(float.fval.clone()),
            Val::Boolval(boolean) => Some(boolean.boolval.to_string()),
            Val::Sval(string) => Some(string.sval.clone()),
            Val::Bsval(_) => None,
        },
        NodeEnum::String(_) => text(argument).map(Into::into),
        _ => None,
    }
}
