//! TS-03: timescaledb_post_restore() by its bare name, after a dump has emptied `search_path`.

use crate::edit::Safety;
use crate::facts::names::{qualified, strings};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "TS-03",
    name: "unqualified-restore-call",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::Limit {
        slug: "ts.post-restore-unqualified",
        how: "The calls without their schema, where search_path is empty.",
    },
    statements: &[StatementKind::SelectStmt],
    doc: Doc {
        summary: "timescaledb_pre_restore() or timescaledb_post_restore() without its schema, where search_path is empty.",
        what: "Calls of the two functions by their bare names in the session of a dump: every dump empties search_path at \
               its start.",
        why: "The function is in schema public, and nothing is looked for there any more. The database then stays in \
              restoring mode.",
        server: &["42883 function timescaledb_post_restore() does not exist"],
        help: "public. is put before the name.",
        before: "SELECT pg_catalog.set_config('search_path', '', false);\nSELECT timescaledb_pre_restore();\nSELECT timescaledb_post_restore();",
        after: "SELECT pg_catalog.set_config('search_path', '', false);\nSELECT public.timescaledb_pre_restore();\nSELECT public.timescaledb_post_restore();",
        sources: &["timescale/docs, migrate/pg-dump-and-restore: the call lacks its schema there"],
        link: "https://www.tigerdata.com/docs/migrate/latest/pg-dump-and-restore",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::SelectStmt(select))) = ctx.node() else { return };
    if ctx.facts.search_path.iter().any(|schema| &**schema == "public") {
        return;
    }
    for (index, target) in select.target_list.iter().enumerate() {
        let Some(NodeEnum::ResTarget(target)) = &target.node else { continue };
        let Some(NodeEnum::FuncCall(call)) = target.val.as_ref().and_then(|val| val.node.as_ref()) else {
            continue;
        };
        let Some((None, name @ ("timescaledb_pre_restore" | "timescaledb_post_restore"))) =
            qualified(&call.funcname)
        else {
            continue;
        };
        let Some(range) = usize::try_from(call.location).ok().and_then(|at| statement.name_at(at)) else {
            continue;
        };
        let names: Vec<serde_json::Value> = ["public"]
            .into_iter()
            .chain(strings(&call.funcname))
            .map(|name| serde_json::json!({ "String": { "sval": name } }))
            .collect();
        let path = format!("/SelectStmt/target_list/{index}/ResTarget/val/FuncCall/funcname");
        ctx.report(
            Draft::new(format!("{name}() is in schema public, which is not in search_path here"))
                .at(range.clone())
                .object(format!("function public.{name}"))
                .server(ServerError::new("42883", format!("function {name}() does not exist")))
                .fix(
                    FixDraft::edit("name its schema")
                        .replace(range.start..range.start, "public.")
                        .change(Change::Set(path, serde_json::Value::Array(names))),
                ),
        );
    }
}
