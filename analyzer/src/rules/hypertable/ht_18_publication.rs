//! HT-18: a publication of a hypertable.

use super::links::LIMITS;
use super::obstacle::When;
use super::obstacle::{NewHypertable, Obstacle};
use super::statements::hypertable;
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::facts::tables::Attachment;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-18",
    name: "hypertable-publication",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit("ht.publication", "Publications of hypertables."),
    statements: &[StatementKind::AlterPublicationStmt, StatementKind::CreatePublicationStmt],
    doc: Doc {
        summary: "A publication of a hypertable.",
        what: "create_hypertable on a table that a publication names, CREATE PUBLICATION … FOR TABLE of a \
               hypertable, and (as a note) publications of tables that could be hypertables.",
        why: "A table of a publication does not become a hypertable. And a publication of a hypertable sends \
               nothing: its rows change in chunks, which the publication does not name.",
        server: &["TS101 cannot create hypertable for table \"m\" because it is part of a publication"],
        help: "Remove the table from the publication first: ALTER PUBLICATION p DROP TABLE t. What follows the \
               changes of a hypertable needs the chunks in its publication, or \
               timescaledb.enable_chunk_auto_publication where the version has it.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL);\nCREATE PUBLICATION p FOR TABLE \
               public.m;\nSELECT create_hypertable('public.m', 'ts');",
        after: "",
        sources: Doc::sources(&["TimescaleDB src/hypertable.c; seen on 2.19.3 and 2.31.0"]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

/// What the server answers.
pub(crate) fn answer(table: &str) -> ServerError {
    ServerError::new(
        "TS101",
        format!("cannot create hypertable for table \"{table}\" because it is part of a publication"),
    )
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    if ctx.facts.converted.is_empty() {
        return;
    }
    let (name, objects) = match node {
        NodeEnum::CreatePublicationStmt(s) => (&s.pubname, &s.pubobjects),
        NodeEnum::AlterPublicationStmt(s) => (&s.pubname, &s.pubobjects),
        _ => return,
    };
    for object in objects {
        let Some(NodeEnum::PublicationObjSpec(object)) = &object.node else { continue };
        let table = object.pubtable.as_ref().and_then(|table| table.relation.as_ref());
        let Some((id, _)) = hypertable(ctx, table) else { continue };
        let draft = Draft::new(format!(
            "the publication {} sends no changes of the hypertable {}: they are in its chunks",
            quoted(name),
            id.path()
        ))
        .severity(Severity::Warning)
        .object(format!("publication {}", quoted(name)));
        ctx.report(draft);
    }
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let (table, when) = (&new.table, new.when);
    for publication in table.attached(Attachment::Publication) {
        let name = table.name(publication.name);
        found.push(Obstacle {
            rule: &RULE,
            place: publication.place,
            object: Some(format!("publication {}", quoted(name))),
            message: format!("{} belongs to the publication {}", table.id.path(), quoted(name)),
            server: Some(answer(&table.id.name)),
            advice: format!(
                "ALTER PUBLICATION {} DROP TABLE {}; before, and ADD TABLE after. Rows of a hypertable lie in chunks, \
                 and a publication of the hypertable does not send their changes.",
                quoted(name),
                table.id.path()
            ),
            severity: Severity::Error,
            decision: matches!(when, When::Later(_)),
        });
    }
}
