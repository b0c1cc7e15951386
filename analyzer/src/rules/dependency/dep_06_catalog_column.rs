//! DEP-06: columns of the server's own tables and views that the target's version does not have.

use super::dep_02_undeclared_object::says_it_all;
use crate::edit::Safety;
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, ColumnName, NodeEnum, StatementKind, all_columns, names_of_relations};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::target::gone_columns;

pub(crate) const RULE: Rule = Rule {
    id: "DEP-06",
    name: "catalog-column",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::purpose("columns of the server's catalogs that newer versions do not have"),
    statements: &[
        StatementKind::CreateFunctionStmt,
        StatementKind::CreateTableAsStmt,
        StatementKind::RuleStmt,
        StatementKind::ViewStmt,
    ],
    after: &["*", "DEP-01", "DEP-02"],
    doc: Doc {
        summary: "A view reads a column of a catalog or of a statistics view that the target's version does not have.",
        what: "Views, materialized views, rules and bodies in standard SQL that name such a column: checkpoints_timed of \
               pg_stat_bgwriter (gone in 17), blk_read_time of pg_stat_statements (17), wal_write of pg_stat_wal (18), consrc \
               of pg_constraint (12). Bodies in strings are not looked at: they fail when they are called.",
        why: "The server's own tables and views are its version's. A dump has the query as the source understood it.",
        server: &["42703 column \"checkpoints_timed\" does not exist"],
        help: "Write the view again on the source, so that it does without the column, or leave it out with all that needs it \
               and create it anew on the target: --accept DEP-06.",
        before: "CREATE VIEW public.checkpoints AS\n SELECT pg_stat_bgwriter.checkpoints_timed\n   FROM pg_stat_bgwriter;",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL release notes, 17 and 18, migration; the catalogs of 15.18, 17.12 and 18.6 compared",
        ]),
        link: "https://www.postgresql.org/docs/current/monitoring-stats.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let is_string = matches!(node, NodeEnum::CreateFunctionStmt(s) if s.sql_body.is_none());
    if is_string || ctx.findings.iter().any(says_it_all) {
        return;
    }
    let is_servers = |schema: Option<&str>, name: &str| match schema {
        None | Some("pg_catalog") => true,
        Some(_) => name == "pg_stat_statements",
    };
    let version = ctx.target.version;
    let mut relations =
        statement.references().iter().filter(|found| found.class == Class::Relation).filter(|found| {
            is_servers(found.schema.as_deref(), &found.name)
                && gone_columns(&found.name, version).next().is_some()
        });
    if relations.next().is_none() {
        return;
    }
    // What the view itself is called is among them.
    let own = ctx.created(node).map(|object| object.id.name);
    let named = names_of_relations(node);
    let read: Vec<_> = named.iter().filter(|(name, _)| own.as_deref() != Some(&**name)).collect();
    let columns = all_columns(node);
    let found = read.iter().find_map(|(relation, alias)| {
        gone_columns(relation, version).find_map(|gone| {
            let is_it = |column: &&ColumnName| match column.names.as_slice() {
                [name] => name == gone.name && read.len() == 1,
                [.., of, name] => name == gone.name && of == alias,
                [] => false,
            };
            columns.iter().find(is_it).map(|column| (gone, column))
        })
    });
    let Some((gone, column)) = found else { return };
    let words = ctx.created(node).map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    let name = match column.names.as_slice() {
        [name] => format!("\"{name}\""),
        path => path.join("."),
    };
    let mut draft = Draft::new(format!(
        "{words} reads {}.{}, which PostgreSQL {version} does not have",
        gone.relation, gone.name
    ))
    .object(words.clone())
    .server(ServerError::new("42703", format!("column {name} does not exist")))
    .advice(format!("From PostgreSQL {} on {}.", gone.since, gone.instead))
    .fix(
        FixDraft::remove(format!("it reads a column that PostgreSQL {version} does not have"))
            .review()
            .lost(words),
    );
    let range = column.location.and_then(|at| statement.name_at(usize::try_from(at).ok()?));
    if let Some(range) = range.filter(|range| !range.is_empty()) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
