//! IN-07: Statistics for the planner that a target before 18 cannot take.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::hypertables::called;
use crate::facts::names::text;
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

/// New in 18 (functions-admin.sgml).
const FUNCTIONS: [&str; 4] = [
    "pg_restore_relation_stats",
    "pg_restore_attribute_stats",
    "pg_clear_relation_stats",
    "pg_clear_attribute_stats",
];

pub(crate) const RULE: Rule = Rule {
    id: "IN-07",
    name: "planner-statistics",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("dump.statistics", "Calls that load planner statistics, for targets up to 17."),
    also_answers: &["PG-18"],
    statements: &[StatementKind::SelectStmt],
    doc: Doc {
        summary: "Statistics for the planner that a target before 18 cannot take.",
        what: "pg_dump 18 with --statistics or --statistics-only calls pg_restore_relation_stats and pg_restore_attribute_stats for every table.",
        why: "The functions came with PostgreSQL 18. From 18 on the owner of the table can call them.",
        server: &[
            "42883 function pg_catalog.pg_restore_relation_stats(unknown, integer, …) does not exist (17 and older)",
        ],
        help: "The calls are removed. Run ANALYZE once the rows are loaded: it collects the statistics again.",
        before: "SELECT * FROM pg_catalog.pg_restore_relation_stats(\n	'version', '180004'::integer,\n	'schemaname', 'public',\n	'relname', 'orders',\n	'relpages', '10'::integer\n);",
        after: "-- tsmigrate IN-07: Remove it: ANALYZE collects the statistics again\n-- SELECT * FROM pg_catalog.pg_restore_relation_stats(\n-- 	'version', '180004'::integer,\n-- 	'schemaname', 'public',\n-- 	'relname', 'orders',\n-- 	'relpages', '10'::integer\n-- );",
        sources: Doc::sources(&["PostgreSQL 18 src/bin/pg_dump/pg_dump.c, dumpRelationStats"]),
        link: "https://www.postgresql.org/docs/18/functions-admin.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::SelectStmt(select))) = ctx.node() else { return };
    let called = statement.references().iter().find(|reference| {
        reference.class == Class::Function
            && matches!(reference.schema.as_deref(), None | Some("pg_catalog"))
            && FUNCTIONS.contains(&&*reference.name)
    });
    let Some(function) = called.map(|reference| reference.name.to_string()) else { return };
    if ctx.target.version >= 18 {
        of_what_is_absent(ctx, select);
        return;
    }
    ctx.report(
        Draft::new(format!("PostgreSQL {} cannot take statistics from a dump", ctx.target.version))
            .server(ServerError::new("42883", format!("function pg_catalog.{function}(…) does not exist")))
            .advice("Run ANALYZE on the target once the rows are loaded.")
            .fix(
                FixDraft::remove("ANALYZE collects the statistics again")
                    .lost("planner statistics, until ANALYZE"),
            ),
    );
}

/// Statistics of a table or an index that another finding keeps from the target.
fn of_what_is_absent(ctx: &mut Context<'_>, select: &pg::SelectStmt) {
    let Some(call) = called(select) else { return };
    let texts: Vec<Option<&str>> = call.args.iter().map(text).collect();
    let after = |name: &str| {
        let at = texts.iter().position(|text| *text == Some(name))?;
        texts.get(at + 1).copied().flatten()
    };
    let (Some(schema), Some(name)) = (after("schemaname"), after("relname")) else { return };
    let id = ObjectId::new(Class::Relation, Some(schema), name);
    let Some(absence) = ctx.facts.absence(&id).cloned() else { return };
    ctx.report(
        Draft::new(format!("{} will not be on the target, and these are its statistics", id.path()))
            .server(ServerError::new("42P01", format!("relation \"{schema}.{name}\" does not exist")))
            .cause(ctx.registry.cause(&absence))
            .fix(FixDraft::removal(format!("Remove it together with {}", absence.root))),
    );
}
