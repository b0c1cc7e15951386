//! REP-01: a publication of all tables.

use std::ops::Range;

use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "REP-01",
    name: "publication-of-all-tables",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("publication.all-tables", "FOR ALL TABLES becomes a list of tables."),
    statements: &[StatementKind::CreatePublicationStmt],
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "CREATE PUBLICATION … FOR ALL TABLES.",
        what: "A publication that includes every table, those to come too.",
        why: "It includes tables of others: only a superuser can create it.",
        server: &["42501 must be superuser to create FOR ALL TABLES publication"],
        help: "It becomes a publication of the tables that the dump creates; tables created later have to be added. A \
               migration target rarely needs the publications of its source: pg_dump --no-publications leaves them \
               out.",
        before: "CREATE TABLE public.orders (id integer);\nCREATE PUBLICATION everything FOR ALL TABLES WITH (publish = 'insert');",
        after: "CREATE TABLE public.orders (id integer);\nCREATE PUBLICATION everything WITH (publish = 'insert');\nALTER PUBLICATION everything ADD TABLE ONLY public.orders;",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/publicationcmds.c, CreatePublication"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let NodeEnum::CreatePublicationStmt(s) = node else { return };
    if !s.for_all_tables {
        return;
    }
    let words = format!("publication {}", quoted(&s.pubname));
    let Some(range) = statement.words(&["FOR", "ALL", "TABLES"]) else { return };
    let draft = Draft::new(format!("only a superuser can create {words} for all tables"))
        .at(range.clone())
        .object(words.clone())
        .server(ServerError::new("42501", "must be superuser to create FOR ALL TABLES publication"));
    let tables = published(ctx, None);
    let fix = match cut(statement, &range) {
        Some(empty) if !tables.is_empty() => FixDraft::replace_with(
            "Publish the tables that exist",
            vec![
                empty,
                format!(
                    "ALTER PUBLICATION {} ADD TABLE ONLY {};",
                    quoted(&s.pubname),
                    tables.join(", ONLY ")
                ),
            ],
        )
        .lost(format!("tables to come in {words}: add each to it")),
        _ => FixDraft::remove("only a superuser can create it").review().lost(words),
    };
    ctx.report(draft.fix(fix));
}

/// The statement without these bytes, with its semicolon.
pub(crate) fn cut(statement: &Statement<'_>, range: &Range<usize>) -> Option<String> {
    let gap = statement.with_gap(range);
    let (before, after) =
        (statement.sql().get(..gap.start)?, statement.sql().get(gap.end..statement.body().end)?);
    Some(format!("{before}{after};"))
}

/// The tables that the dump has made so far, those of one schema or all, as a publication names them.
pub(crate) fn published(ctx: &Context<'_>, schemas: Option<&[&str]>) -> Vec<String> {
    ctx.facts
        .relations
        .iter()
        .filter(|(id, relation)| {
            let schema = id.schema.as_deref().unwrap_or("public");
            relation.word == "table"
                && !relation.transient
                && schemas.is_none_or(|schemas| schemas.contains(&schema))
                && !schema.starts_with("_timescaledb_")
                && !ctx.facts.absent.contains_key(id)
        })
        .map(|(id, _)| id.path())
        .collect()
}
