//! DEP-06: columns of the server's own tables and views that the target's version does not have.

use super::dep_02_undeclared_object::says_it_all;
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, ColumnName, NodeEnum, Reference, StatementKind, all_columns, names_of_relations};
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
               of pg_constraint (12), oid of a table that was made WITH OIDS (12). Bodies in strings are not looked at: they fail when they are called.",
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
    let of_catalogs = relations.next().is_some();
    let without_oid = without_oid(ctx, statement);
    if !of_catalogs && without_oid.is_empty() {
        return;
    }
    // What the view itself is called is among them.
    let own = ctx.created(node).map(|object| object.id.name);
    let named = names_of_relations(node);
    let read: Vec<_> = named.iter().filter(|(name, _)| own.as_deref() != Some(&**name)).collect();
    let columns = all_columns(node);
    let is_one_query =
        || statement.code().filter(|token| token.is_word(statement.sql(), "SELECT")).count() == 1;
    let named_by = |gone: &str, alias: &str| {
        let is_it = |column: &&ColumnName| match column.names.as_slice() {
            [name] => name == gone && read.len() == 1 && (of_catalogs || is_one_query()),
            [.., of, name] => name == gone && of == alias,
            [] => false,
        };
        columns.iter().find(is_it)
    };
    let of_catalog = read.iter().filter(|_| of_catalogs).find_map(|(relation, alias)| {
        gone_columns(relation, version).find_map(|gone| {
            let column = named_by(gone.name, alias)?;
            let advice = format!("From PostgreSQL {} on {}.", gone.since, gone.instead);
            Some((format!("{}.{}", gone.relation, gone.name), column, advice))
        })
    });
    let found = of_catalog.or_else(|| {
        read.iter().find_map(|(relation, alias)| {
            let is_sure = read.iter().all(|(name, other)| other != alias || without_oid.contains(&&**name));
            let column = named_by("oid", alias).filter(|_| is_sure)?;
            let advice = "No table has a hidden oid column any more. Add a column oid on the source, with the values, and dump \
                          again.";
            Some((format!("{relation}.oid"), column, advice.to_owned()))
        })
    });
    let Some((gone, column, advice)) = found else { return };
    let words = ctx.created(node).map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    let name = match column.names.as_slice() {
        [name] => format!("\"{name}\""),
        path => path.join("."),
    };
    let mut draft = Draft::new(format!("{words} reads {gone}, which PostgreSQL {version} does not have"))
        .object(words.clone())
        .server(ServerError::new("42703", format!("column {name} does not exist")))
        .advice(advice)
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

/// The tables that a statement names and that have no column oid, which those WITH OIDS had. None where another relation
/// has the name of one.
fn without_oid<'a>(ctx: &Context<'_>, statement: &'a Statement<'_>) -> Vec<&'a str> {
    let relations = || statement.references().iter().filter(|found| found.class == Class::Relation);
    let lacks = |found: &&Reference| {
        let id = ctx.resolved(&ObjectId::of(found));
        let is_table = ctx.facts.relations.get(&id).is_some_and(|found| found.word == "table");
        is_table && ctx.facts.has_column(&id, "oid") == Some(false)
    };
    let others: Vec<&str> = relations().filter(|found| !lacks(found)).map(|found| &*found.name).collect();
    relations().filter(lacks).map(|found| &*found.name).filter(|name| !others.contains(name)).collect()
}
