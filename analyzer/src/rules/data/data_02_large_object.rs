//! DATA-02: a large object's number that is taken already.

use super::large_objects::LargeObjects;
use crate::edit::Safety;
use crate::facts::names::{qualified, text};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "DATA-02",
    name: "large-object-number",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit(
        "large-objects",
        "Numbers that two dumps both bring. All else of large objects is taken; their owners are OWN-01's.",
    ),
    statements: &[StatementKind::SelectStmt],
    doc: Doc {
        summary: "Two dumps bring a large object of the same number.",
        what: "lo_create of a number that an earlier input has made. A large object has no name but its number, and \
               numbers are given out by each server for itself.",
        why: "One database can have a number once. Where the restore goes on after the error, the rows of the second \
              object are written over the first. All else about large objects works for their owner: creating, \
              filling, comments, grants.",
        server: &[
            "23505 duplicate key value violates unique constraint \"pg_largeobject_metadata_oid_index\"",
        ],
        help: "Restore one of the dumps with pg_dump --no-large-objects, load its objects with lo_create(0), which \
               gives new numbers, and change the columns that hold the old ones.",
        before: "SELECT pg_catalog.lo_create('16499');\nSELECT pg_catalog.lo_create('16499');",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/pg_largeobject.c, LargeObjectCreate",
            "PostgreSQL src/bin/pg_dump/pg_dump.c, dumpLO",
        ]),
        link: "https://www.postgresql.org/docs/current/largeobjects.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, NodeEnum::SelectStmt(s))) = ctx.node() else { return };
    let Some((function, number)) = call(s) else { return };
    let place = statement.place(&statement.range());
    if function == "lo_unlink" {
        ctx.states.of::<LargeObjects>().0.remove(&number);
        return;
    }
    // 0 asks for a number that is free.
    if number == 0 || ctx.states.of::<LargeObjects>().0.insert(number) {
        return;
    }
    let mut draft = Draft::new(format!("large object {number} already exists"))
        .object(format!("large object {number}"))
        .server(
            ServerError::new(
                "23505",
                "duplicate key value violates unique constraint \"pg_largeobject_metadata_oid_index\"",
            )
            .detail(format!("Key (oid)=({number}) already exists.")),
        );
    if place.input > 0 {
        draft = draft.advice(
            "Both dumps have a large object of this number: move one of the databases without its large objects.",
        );
    }
    ctx.report(draft);
}

/// `SELECT lo_create('number')` and `SELECT lo_unlink('number')`.
fn call(select: &pg::SelectStmt) -> Option<(&str, u32)> {
    let [target] = select.target_list.as_slice() else { return None };
    let NodeEnum::ResTarget(target) = target.node.as_ref()? else { return None };
    let NodeEnum::FuncCall(call) = target.val.as_ref()?.node.as_ref()? else { return None };
    let (schema, function) = qualified(&call.funcname)?;
    let [number] = call.args.as_slice() else { return None };
    let own = schema.is_none_or(|schema| schema == "pg_catalog");
    (own && matches!(function, "lo_create" | "lo_unlink")).then_some(())?;
    Some((function, constant(number)?))
}

fn constant(node: &pg::Node) -> Option<u32> {
    if let Some(NodeEnum::AConst(pg::AConst { val: Some(pg::a_const::Val::Ival(number)), .. })) = &node.node {
        return u32::try_from(number.ival).ok();
    }
    text(node)?.parse().ok()
}
