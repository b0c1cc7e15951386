//! GUC-06: values that a parameter does not take, and parameters that no session sets.

use super::settings::{sets, settings};
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{qualified, set_configs, text};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finding, FixDraft, InBodies, Rule};
use crate::rules::clauses::calls;
use crate::target::{Parameter, may_be_in_catalog, parameter};
use crate::text::parse_bool;

pub(crate) const RULE: Rule = Rule {
    id: "GUC-06",
    name: "parameter-value",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("values that a parameter refuses"),
    statements: &[StatementKind::SelectStmt],
    statement_groups: &[StatementKind::SETTING],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    after: &["GUC-01", "GUC-02", "GUC-03", "GUC-04", "GUC-05", "IN-05", "IN-08"],
    doc: Doc {
        summary: "A value that a parameter of the server refuses.",
        what: "SET, ALTER ROLE … SET, ALTER DATABASE … SET and the SET clause of a function with a number out of range, with \
               a unit that does not fit, or with a word that is none of the parameter's (DateStyle, TimeZone and client_encoding, too); default_with_oids that is \
               on; a parameter that no session can set. set_config in a query is the same; setseed out of range.",
        why: "The server looks at each value before it sets or stores it.",
        server: &[
            "22023 10 kB is outside the valid range for parameter \"work_mem\" (64 kB .. 2147483647 kB)",
            "22023 invalid value for parameter \"client_min_messages\": \"loud\"",
            "22023 parameter \"enable_seqscan\" requires a Boolean value",
            "55P02 parameter \"max_connections\" cannot be changed without restarting the server",
        ],
        help: "Write a value that the server takes. Without the setting the target's own value is in force.",
        before: "SET work_mem = '10kB';\nSELECT 1;",
        after: "-- tsmigrate GUC-06: Remove work_mem = 10kB: the server refuses it\n-- SET work_mem = '10kB';\nSELECT 1;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/utils/misc/guc.c, parse_and_validate_value",
            "pg_settings of 15.18, 17.12 and 18.6 (target/parameters.txt)",
        ]),
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
        let Some(parameter) = parameter(name).filter(|_| sets(ctx, &setting)) else { continue };
        let value = match setting.set.args.as_slice() {
            [argument] => value(argument),
            // A parameter that is a list: `SET DateStyle = ISO, DMY`.
            all => all.iter().map(value).collect::<Option<Vec<_>>>().map(|all| all.join(", ")),
        };
        let value = value.filter(|_| !setting.set.args.is_empty());
        let is_stored = setting.stored.is_some();
        let text_search = || no_configuration(ctx, name, value.as_deref().filter(|_| !is_stored)?);
        let refusal = refusal(parameter, name, value.as_deref()).or_else(text_search);
        let Some((what, error)) = refusal else { continue };
        if is_said(ctx, &error) {
            continue;
        }
        let fix = setting.without(statement, format!("the server refuses {what}")).lost(setting.lost());
        let mut draft = Draft::new(format!("the server refuses {what}"))
            .object(setting.lost())
            .server(error)
            .fix(if setting.function { fix.review() } else { fix });
        if let Some((range, _)) = &setting.clause {
            draft = draft.at(range.clone());
        }
        ctx.report(draft);
    }
    let NodeEnum::SelectStmt(select) = statement.node() else { return };
    if let Some((seed, text)) = calls(statement.node()).iter().find_map(|(call, _)| seed(call)) {
        let message = format!("setseed takes a number from -1 to 1, and not {seed}");
        let fix = FixDraft::remove(format!("setseed does not take {seed}")).review().lost("setseed");
        ctx.report(Draft::new(message).object("setseed").server(ServerError::new("22023", text)).fix(fix));
    }
    let refused = set_configs(select)
        .find_map(|(name, value, _)| Some((name, refusal(parameter(name)?, name, Some(value))?)));
    if let Some((name, (what, error))) = refused.filter(|(_, (_, error))| !is_said(ctx, error)) {
        let object = format!("SET {name}");
        let fix = FixDraft::remove(format!("the server refuses {what}")).review().lost(object.clone());
        ctx.report(Draft::new(format!("the server refuses {what}")).object(object).server(error).fix(fix));
    }
}

/// True where another rule has said it: IN-08 of a session's encoding.
fn is_said(ctx: &Context<'_>, error: &ServerError) -> bool {
    let said = |finding: &Finding| {
        finding.server_error.as_ref().is_some_and(|said| said.text.eq_ignore_ascii_case(&error.text))
    };
    ctx.findings.iter().any(said)
}

/// A call of setseed with a constant that it refuses, and the server's words.
fn seed(call: &pg::FuncCall) -> Option<(String, String)> {
    let (None | Some("pg_catalog"), "setseed") = qualified(&call.funcname)? else { return None };
    let [argument] = call.args.as_slice() else { return None };
    let written = value(argument)?;
    // The parameter of the same name takes the same numbers.
    parameter("seed")?.refusal("seed", &written)?;
    let text = format!("setseed parameter {written} is out of allowed range [-1,1]");
    Some((written, text))
}

/// A text search configuration that a session of a dump is to use and that does not exist.
fn no_configuration(ctx: &Context<'_>, name: &str, value: &str) -> Option<(String, ServerError)> {
    if !name.eq_ignore_ascii_case("default_text_search_config") || !ctx.facts.is_dump || ctx.facts.dynamic {
        return None;
    }
    let (schema, named) =
        value.split_once('.').map_or((None, value), |(schema, named)| (Some(schema), named));
    let is_plain =
        |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    let class = Class::TextSearchConfiguration;
    let is_servers = schema.is_none_or(|schema| schema == "pg_catalog") && may_be_in_catalog(class, named);
    let id = ctx.resolved(&ObjectId::new(class, schema, named));
    if is_servers || ctx.facts.declares(&id) || !is_plain(named) || !schema.is_none_or(is_plain) {
        return None;
    }
    let text = format!("invalid value for parameter \"{name}\": \"{value}\"");
    Some((format!("{name} = {value}"), ServerError::new("22023", text)))
}

/// What the server refuses, and its words.
pub(crate) fn refusal(
    parameter: &Parameter,
    name: &str,
    value: Option<&str>,
) -> Option<(String, ServerError)> {
    if let Some(text) = parameter.is_fixed(name) {
        return Some((format!("SET {name}"), ServerError::new("55P02", text)));
    }
    let value = value?;
    if name.eq_ignore_ascii_case("default_with_oids") && parse_bool(value) == Some(true) {
        let text = "tables declared WITH OIDS are not supported";
        return Some((format!("{name} = {value}"), ServerError::new("0A000", text)));
    }
    let text = parameter.refusal(name, value)?;
    Some((format!("{name} = {value}"), ServerError::new("22023", text)))
}

/// The value as the server reads it; `None` where that is not known.
pub(crate) fn value(argument: &pg::Node) -> Option<String> {
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
