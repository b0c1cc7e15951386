//! TSP-04: TABLESPACE in the definition of a table, index, materialized view or constraint.

use std::ops::Range;

use super::tsp_03_default_tablespace::{is_usable, no_tablespace};
use crate::edit::Safety;
use crate::facts::names::{option, option_text};
use crate::facts::objects::{created, subject};
use crate::finding::Severity;
use crate::locate::Statement;
use crate::parse::{Change, NodeEnum, StatementKind, Token, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "TSP-04",
    name: "tablespace-clause",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "tablespace.clause",
        "TABLESPACE clauses, SET TABLESPACE, ALL IN TABLESPACE, REINDEX (TABLESPACE).",
    ),
    statements: &[
        StatementKind::AlterTableMoveAllStmt,
        StatementKind::AlterTableStmt,
        StatementKind::CreateSchemaStmt,
        StatementKind::CreateStmt,
        StatementKind::CreateTableAsStmt,
        StatementKind::IndexStmt,
        StatementKind::ReindexStmt,
        StatementKind::SelectStmt,
    ],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "TABLESPACE in the definition of a table, index, materialized view or constraint.",
        what: "CREATE TABLE … TABLESPACE, CREATE INDEX … TABLESPACE, CREATE MATERIALIZED VIEW … TABLESPACE, USING INDEX TABLESPACE of a constraint, ALTER … SET TABLESPACE, ALTER TABLE ALL IN TABLESPACE, REINDEX (TABLESPACE …). pg_dump does not write them; schemas written by hand or by other tools have them. TABLESPACE pg_default is allowed.",
        why: "The service has no tablespaces but its own. pg_global is for the server's shared catalogs.",
        server: &[
            "42704 tablespace \"ts1\" does not exist",
            "42501 permission denied for tablespace pg_global",
        ],
        help: "The clause is removed: the object goes to the target's own storage. ALTER … SET TABLESPACE is removed as a whole.",
        before: "CREATE TABLE public.orders (\n    id integer PRIMARY KEY USING INDEX TABLESPACE fast\n) TABLESPACE slow;",
        after: "CREATE TABLE public.orders (\n    id integer PRIMARY KEY\n);",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/tablespace.c, get_tablespace_oid"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// A clause in the order of the text.
struct Clause {
    name: String,
    /// USING INDEX TABLESPACE, and not TABLESPACE.
    index: bool,
    /// Its place in the tree.
    change: Change,
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::AlterTableMoveAllStmt(s) => {
            let names = [&s.orig_tablespacename, &s.new_tablespacename];
            return whole(
                ctx,
                statement,
                names.into_iter().find(|name| !is_usable(name)),
                "nothing is to be moved",
            );
        }
        NodeEnum::ReindexStmt(s) => {
            let name = option(&s.params, "tablespace").and_then(option_text);
            let name = name.filter(|name| !is_usable(name));
            return whole(ctx, statement, name, "indexes are new after a restore");
        }
        _ => {}
    }
    let mut clauses = Vec::new();
    match node {
        NodeEnum::AlterTableStmt(s) => {
            let moves = |node: &pg::Node| match &node.node {
                Some(NodeEnum::AlterTableCmd(c))
                    if c.subtype == pg::AlterTableType::AtSetTableSpace as i32 =>
                {
                    Some(c.name.clone()).filter(|name| !is_usable(name))
                }
                _ => None,
            };
            if let [command] = s.cmds.as_slice()
                && let Some(name) = moves(command)
            {
                return whole(ctx, statement, Some(name), "it stays in the target's own storage");
            }
            for (index, node) in s.cmds.iter().enumerate() {
                let path = format!("/AlterTableStmt/cmds/{index}");
                if let Some(name) = moves(node) {
                    clauses.push(Clause { name, index: false, change: Change::Remove(path) });
                } else if let Some(NodeEnum::AlterTableCmd(command)) = &node.node
                    && let Some(def) = command.def.as_deref()
                {
                    elements(
                        std::slice::from_ref(def),
                        |_| format!("{path}/AlterTableCmd/def"),
                        &mut clauses,
                    );
                }
            }
        }
        node => clauses_of(node, "", &mut clauses),
    }
    let Some(first) = clauses.first() else { return };
    let name = first.name.clone();
    let set = matches!(node, NodeEnum::AlterTableStmt(_));
    let mut fix = FixDraft::edit("Use the target's own storage");
    let mut at: Option<Range<usize>> = None;
    let mut from = 0;
    for clause in clauses {
        let Some(range) = find(statement, from, &clause, set) else { return };
        from = range.end;
        at.get_or_insert_with(|| range.clone());
        let deleted = match &clause.change {
            Change::Remove(_) => statement.list_item(&range),
            Change::Set(..) => statement.with_gap(&range),
        };
        fix = fix.delete(deleted).change(clause.change);
    }
    let object = created(node).or_else(|| subject(node)).map(|object| ctx.describe(&object));
    let mut draft = Draft::new(message(&name)).server(no_tablespace(&name)).fix(fix);
    if let Some(object) = object {
        draft = draft.object(object);
    }
    if let Some(at) = at {
        draft = draft.at(at);
    }
    ctx.report(draft);
}

fn message(name: &str) -> String {
    if name == "pg_global" {
        "nothing can be created in tablespace \"pg_global\"".into()
    } else {
        format!("tablespace \"{name}\" does not exist on the target")
    }
}

fn whole(ctx: &mut Context<'_>, statement: &Statement<'_>, name: Option<impl AsRef<str>>, reason: &str) {
    let Some(name) = name else { return };
    let name = name.as_ref();
    let object = subject(statement.node()).map_or_else(|| format!("tablespace {name}"), |o| ctx.describe(&o));
    ctx.report(
        Draft::new(message(name)).object(object).server(no_tablespace(name)).fix(FixDraft::remove(reason)),
    );
}

fn clauses_of(node: &NodeEnum, path: &str, clauses: &mut Vec<Clause>) {
    let mut clause = |name: &str, field: &str| {
        if !is_usable(name) {
            let change = Change::set_str(format!("{path}{field}"), "");
            clauses.push(Clause { name: name.to_owned(), index: false, change });
        }
    };
    match node {
        NodeEnum::CreateStmt(s) => {
            elements(&s.table_elts, |index| format!("{path}/CreateStmt/table_elts/{index}"), clauses);
            if !is_usable(&s.tablespacename) {
                let change = Change::set_str(format!("{path}/CreateStmt/tablespacename"), "");
                clauses.push(Clause { name: s.tablespacename.clone(), index: false, change });
            }
        }
        NodeEnum::CreateTableAsStmt(s) => {
            let name = s.into.as_ref().map_or("", |into| &into.table_space_name);
            clause(name, "/CreateTableAsStmt/into/table_space_name");
        }
        NodeEnum::SelectStmt(s) => {
            let name = s.into_clause.as_ref().map_or("", |into| &into.table_space_name);
            clause(name, "/SelectStmt/into_clause/table_space_name");
        }
        NodeEnum::IndexStmt(s) => clause(&s.table_space, "/IndexStmt/table_space"),
        NodeEnum::CreateSchemaStmt(s) => {
            for (index, element) in s.schema_elts.iter().enumerate() {
                if let Some(node) = &element.node {
                    clauses_of(node, &format!("{path}/CreateSchemaStmt/schema_elts/{index}"), clauses);
                }
            }
        }
        _ => {}
    }
}

/// Constraints of a table or of its columns.
fn elements(nodes: &[pg::Node], path: impl Fn(usize) -> String, clauses: &mut Vec<Clause>) {
    let mut constraint = |c: &pg::Constraint, path: String| {
        if !is_usable(&c.indexspace) {
            let change = Change::set_str(format!("{path}/Constraint/indexspace"), "");
            clauses.push(Clause { name: c.indexspace.clone(), index: true, change });
        }
    };
    for (index, node) in nodes.iter().enumerate() {
        match &node.node {
            Some(NodeEnum::Constraint(c)) => constraint(c, path(index)),
            Some(NodeEnum::ColumnDef(column)) => {
                for (inner, node) in column.constraints.iter().enumerate() {
                    if let Some(NodeEnum::Constraint(c)) = &node.node {
                        constraint(c, format!("{}/ColumnDef/constraints/{inner}", path(index)));
                    }
                }
            }
            _ => {}
        }
    }
}

/// The clause's bytes: `TABLESPACE name`, `SET TABLESPACE name` or `USING INDEX TABLESPACE name`.
fn find(statement: &Statement<'_>, from: usize, clause: &Clause, set: bool) -> Option<Range<usize>> {
    let words: &[&str] = match (clause.index, set) {
        (true, _) => &["USING", "INDEX", "TABLESPACE"],
        (false, true) => &["SET", "TABLESPACE"],
        (false, false) => &["TABLESPACE"],
    };
    let code: Vec<&Token> = statement.code().filter(|token| token.start >= from).collect();
    code.windows(words.len() + 1).find_map(|window| {
        let (name, rest) = window.split_last()?;
        let fits = rest.iter().zip(words).all(|(token, word)| token.is_word(statement.sql(), word))
            && (clause.index || rest.first().is_some_and(|token| token.depth == 0))
            && name.identifier(statement.sql()).is_some_and(|found| found == clause.name);
        fits.then(|| rest.first().map_or(name.start, |first| first.start)..name.end)
    })
}
