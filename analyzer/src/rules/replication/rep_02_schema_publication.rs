//! REP-02: a publication of all tables of a schema.

use super::rep_01_all_tables::{cut, published};
use crate::edit::Safety;
use crate::facts::names::quoted;
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "REP-02",
    name: "publication-of-schema",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("publication.schema", "TABLES IN SCHEMA becomes a list of tables."),
    also_answers: &["PG-15"],
    statements: &[StatementKind::AlterPublicationStmt, StatementKind::CreatePublicationStmt],
    doc: Doc {
        summary: "ALTER PUBLICATION … ADD TABLES IN SCHEMA, and CREATE PUBLICATION … FOR TABLES IN SCHEMA.",
        what: "A publication that includes every table of a schema, those to come too.",
        why: "It includes tables of others: only a superuser can create it.",
        server: &[
            "42501 must be superuser to add or set schemas",
            "42501 must be superuser to create FOR TABLES IN SCHEMA publication",
        ],
        help: "The tables of the schema that the dump creates are added one by one; tables created later have to be \
               added. pg_dump --no-publications leaves publications out.",
        before: "CREATE SCHEMA app;\nCREATE TABLE app.orders (id integer);\nCREATE PUBLICATION p WITH (publish = 'insert');\nALTER PUBLICATION p ADD TABLES IN SCHEMA app;",
        after: "CREATE SCHEMA app;\nCREATE TABLE app.orders (id integer);\nCREATE PUBLICATION p WITH (publish = 'insert');\nALTER PUBLICATION p ADD TABLE ONLY app.orders;",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/publicationcmds.c, CreatePublication, AlterPublicationSchemas",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let (objects, name, adds): (&[pg::Node], _, _) = match node {
        NodeEnum::CreatePublicationStmt(s) => (&s.pubobjects, &s.pubname, false),
        NodeEnum::AlterPublicationStmt(s) => {
            if s.action != pg::AlterPublicationAction::ApAddObjects as i32 {
                return;
            }
            (&s.pubobjects, &s.pubname, true)
        }
        _ => return,
    };
    let schemas: Vec<&str> = objects
        .iter()
        .filter_map(|node| match node.node.as_ref()? {
            NodeEnum::PublicationObjSpec(object)
                if object.pubobjtype == pg::PublicationObjSpecType::PublicationobjTablesInSchema as i32 =>
            {
                Some(object.name.as_str())
            }
            _ => None,
        })
        .collect();
    if schemas.is_empty() || ctx.facts.subject_absence(node).is_some() {
        return;
    }
    let words = format!("publication {}", quoted(name));
    let error = if adds {
        "must be superuser to add or set schemas"
    } else {
        "must be superuser to create FOR TABLES IN SCHEMA publication"
    };
    let mut draft = Draft::new(format!("only a superuser can add all tables of a schema to {words}"))
        .object(words.clone())
        .server(ServerError::new("42501", error));
    let list = statement.words(&["TABLES", "IN", "SCHEMA"]);
    if let Some(range) = &list {
        draft = draft.at(range.clone());
    }
    let tables = published(ctx, Some(&schemas));
    let add = format!("ALTER PUBLICATION {} ADD TABLE ONLY {};", quoted(name), tables.join(", ONLY "));
    let loss = format!("tables to come in {words}: add each to it");
    // Where tables stand beside schemas in one list, a person has to write it anew.
    let plain = schemas.len() == objects.len();
    let fix = match (adds, list) {
        (true, _) if plain && tables.is_empty() => FixDraft::remove("the schema has no tables").lost(loss),
        (true, _) if plain => FixDraft::replace_with("Add the tables that exist", vec![add]).lost(loss),
        (false, Some(list)) if plain => {
            let from =
                statement.code().rfind(|token| token.end <= list.start).map_or(list.start, |t| t.start);
            let to =
                statement.words_from(list.end, &["WITH"]).map_or(statement.body().end, |with| with.start);
            match cut(statement, &(from..statement.end_before(to))) {
                Some(empty) if tables.is_empty() => {
                    FixDraft::replace_with("Publish nothing: the schema has no tables", vec![empty])
                        .lost(loss)
                }
                Some(empty) => {
                    FixDraft::replace_with("Add the tables that exist", vec![empty, add]).lost(loss)
                }
                None => FixDraft::remove("only a superuser can create it").review().lost(words),
            }
        }
        _ => FixDraft::remove("only a superuser can create it").review().lost(words),
    };
    ctx.report(draft.fix(fix));
}
