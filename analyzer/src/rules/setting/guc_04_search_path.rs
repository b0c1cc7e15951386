//! GUC-04: a stored `search_path` that hides TimescaleDB's functions.

use super::settings::settings;
use crate::edit::Safety;
use crate::facts::names::text;
use crate::finding::Severity;
use crate::parse::{StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finish, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "GUC-04",
    name: "search-path",
    severity: Severity::Note,
    fix: Safety::None,
    answers: Answers::limit("guc.search_path", "Stored search paths without schema public."),
    statement_groups: &[StatementKind::SETTING],
    doc: Doc {
        summary: "A search_path stored for a role or the database, without public.",
        what: "ALTER ROLE … SET and ALTER DATABASE … SET of search_path to schemas that public is not among, in a dump \
               with TimescaleDB or with tables that are to become hypertables.",
        why: "The service has timescaledb in schema public, and nowhere else. Sessions with such a path do not find \
              time_bucket and create_hypertable by their names alone. On the source the extension may have been in \
              another schema.",
        server: &["42883 function time_bucket(interval, timestamp with time zone) does not exist"],
        help: "Add public to the path, behind the others: ALTER ROLE app SET search_path = app, public. Or write \
               public.time_bucket.",
        before: "CREATE ROLE app;\nALTER ROLE app SET search_path TO 'app';\nCREATE EXTENSION IF NOT EXISTS timescaledb WITH SCHEMA public;",
        after: "",
        sources: Doc::sources(&[
            "timescale/docs, migrate/troubleshooting.md, Extension availability: timescaledb is in schema public",
        ]),
        link: "https://www.postgresql.org/docs/current/ddl-schemas.html#DDL-SCHEMAS-PATH",
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    for setting in settings(ctx) {
        let to_a_value = setting.stored.is_some()
            && !setting.function
            && setting.set.kind == pg::VariableSetKind::VarSetValue as i32;
        if !to_a_value || !setting.set.name.eq_ignore_ascii_case("search_path") {
            continue;
        }
        if setting.set.args.iter().filter_map(text).any(|schema| schema == "public") {
            continue;
        }
        let stored = setting.stored.clone().unwrap_or_default();
        ctx.report(
            Draft::new(format!(
                "the search_path of {stored} hides TimescaleDB's functions, which are in schema public"
            ))
            .object(setting.lost()),
        );
    }
}

/// Only now it is known whether TimescaleDB is used.
fn finish(all: &mut Finish<'_>) {
    if !all.facts.has_timescaledb() && all.options.hypertables.is_empty() {
        all.findings.retain(|finding| *finding.rule != RULE);
    }
}
