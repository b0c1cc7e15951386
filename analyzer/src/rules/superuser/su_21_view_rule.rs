//! SU-21: an ON SELECT rule that makes a view of a table, as pg_dump up to 9.6 wrote views that depend on each other.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{quoted_path, relation};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "SU-21",
    name: "view-rule",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit(
        "rule",
        "Rules are taken on plain tables, but for the one that makes a view of a table. On a hypertable they are HT-06's.",
    ),
    statements: &[StatementKind::RuleStmt],
    doc: Doc {
        summary: "A rule \"_RETURN\" that makes a view of a table.",
        what: "pg_dump up to 9.6 wrote a view that is part of a circle (a function returns its rows, and it calls the function) as a table and, later, CREATE RULE \"_RETURN\" AS ON SELECT. Other rules work.",
        why: "Up to 15 the server makes a view of an empty table that gets such a rule. From 16 on it refuses.",
        server: &["42809 relation \"totals\" cannot have ON SELECT rules (16 and newer)"],
        help: "Dump with pg_dump 10 or newer, which writes such views as views. Or write CREATE VIEW in place of CREATE \
               TABLE and the rule by hand, behind what it needs.",
        before: "CREATE TABLE public.totals (n bigint);\nCREATE RULE \"_RETURN\" AS ON SELECT TO public.totals DO INSTEAD SELECT count(*) AS n FROM pg_class;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/rewrite/rewriteDefine.c, DefineQueryRewrite; release notes 16",
            "PostgreSQL 9.6 src/bin/pg_dump/pg_dump_sort.c, repairViewRuleMultiLoop",
        ]),
        link: "https://www.postgresql.org/docs/release/16.0/",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, NodeEnum::RuleStmt(s))) = ctx.node() else { return };
    let Some(range) = s.relation.as_ref().filter(|_| s.event == pg::CmdType::CmdSelect as i32) else {
        return;
    };
    let (schema, name) = relation(range);
    let id = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
    let is_table = ctx.facts.relations.get(&id).is_some_and(|relation| relation.word == "table");
    if ctx.target.version <= 15 || !is_table {
        return;
    }
    let path = quoted_path(id.schema.as_deref(), name);
    let draft = Draft::new(format!("rule \"_RETURN\" would make a view of table {path}"))
        .object(format!("table {path}"))
        .server(
            ServerError::new("42809", format!("relation \"{name}\" cannot have ON SELECT rules"))
                .detail("This operation is not supported for tables."),
        );
    ctx.report(draft);
}
