//! HT-02: a unique key or index of a hypertable that lacks its time column.

use super::obstacle::{NewHypertable, Obstacle};
use serde_json::Value;

use super::links::LIMITS;
use super::statements::{added, commands, hypertable};
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::hypertables::Hypertable;
use crate::facts::names::{quoted, strings};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, NodeEnum, StatementKind, canonical, parse, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "HT-02",
    name: "hypertable-unique",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::limit("ht.unique", "Unique keys without the time column."),
    statements: &[StatementKind::AlterTableStmt, StatementKind::IndexStmt],
    doc: Doc {
        summary: "A unique key or index of a hypertable that lacks its time column.",
        what: "PRIMARY KEY, UNIQUE, EXCLUDE and unique indexes without every column that decides about a row's \
               chunk: on hypertables, where a table becomes one, and (as a note) on tables that could become \
               one.",
        why: "Each chunk has its own index, and only the columns that tell chunks apart make it unique over \
               all of them.",
        server: &["TS103 cannot create a unique index without the column \"ts\" (used in partitioning)"],
        help: "Add the time column to the key. It then keeps apart less than before: two rows may have the same \
               id at different times, and foreign keys and ON CONFLICT that name the old columns find no key. \
               Where a number alone has to be unique, keep it in an ordinary table beside the hypertable.",
        before: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nALTER TABLE public.m ADD CONSTRAINT m_pkey PRIMARY KEY \
               (id);",
        after: "CREATE TABLE public.m (ts timestamp with time zone NOT NULL, id bigint NOT NULL);\nSELECT \
               create_hypertable('public.m', 'ts');\nALTER TABLE public.m ADD CONSTRAINT m_pkey PRIMARY KEY \
               (id, ts);",
        sources: Doc::sources(&[
            "TimescaleDB src/indexing.c, ts_indexing_verify_columns",
            "seen on 2.19.3, 2.29.2 and 2.31.0",
        ]),
        link: LIMITS,
    },
    check,
    ..Rule::DEFAULT
};

/// What the server answers.
pub(crate) fn answer(column: &str) -> ServerError {
    ServerError::new(
        "TS103",
        format!("cannot create a unique index without the column \"{column}\" (used in partitioning)"),
    )
    .hint(
        "If you're creating a hypertable on a table with a primary key, ensure the partitioning column is part of \
         the primary or composite key.",
    )
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    if ctx.facts.converted.is_empty() {
        return;
    }
    match node {
        NodeEnum::AlterTableStmt(s) => altered(ctx, s),
        NodeEnum::IndexStmt(s) if s.unique => index(ctx, node, s),
        _ => {}
    }
}

fn missing<'a>(hypertable: &'a Hypertable, columns: &[&str]) -> Option<&'a str> {
    hypertable.columns.iter().map(|column| &**column).find(|column| !columns.contains(column))
}

fn altered(ctx: &mut Context<'_>, s: &pg::AlterTableStmt) {
    use pg::ConstrType as C;
    let Some((id, hypertable)) = hypertable(ctx, s.relation.as_ref()) else { return };
    for (place, command) in commands(s) {
        let column = match command.def.as_ref().and_then(|def| def.node.as_ref()) {
            Some(NodeEnum::ColumnDef(column)) => Some(column),
            _ => None,
        };
        let of_column =
            column.into_iter().flat_map(|column| &column.constraints).filter_map(|node| match &node.node {
                Some(NodeEnum::Constraint(constraint)) => Some(&**constraint),
                _ => None,
            });
        for constraint in added(command).into_iter().chain(of_column) {
            let kind = C::try_from(constraint.contype);
            let word = match kind {
                Ok(C::ConstrPrimary) => "PRIMARY KEY",
                Ok(C::ConstrUnique) => "UNIQUE",
                Ok(C::ConstrExclusion) => "EXCLUDE",
                _ => continue,
            };
            // USING INDEX is HT-14.
            if !constraint.indexname.is_empty() {
                continue;
            }
            let columns: Vec<&str> = match (kind, column) {
                (_, Some(column)) => vec![&column.colname],
                (Ok(C::ConstrExclusion), None) => excluded(constraint),
                _ => strings(&constraint.keys),
            };
            let Some(missing) = missing(hypertable, &columns) else { continue };
            let mut draft = draft(&id, word, &columns, missing);
            if column.is_none() && kind != Ok(C::ConstrExclusion) && s.cmds.len() == 1 {
                let path = format!("/AlterTableStmt/cmds/{place}/AlterTableCmd/def/Constraint/keys");
                let mut keys: Vec<Value> = columns.iter().map(|name| key(name)).collect();
                keys.push(key(missing));
                let after: &[&str] = if word == "UNIQUE" { &["UNIQUE"] } else { &["PRIMARY", "KEY"] };
                draft = widened(ctx, draft, after, missing, Change::Set(path, Value::Array(keys)), &columns);
            }
            ctx.report(draft);
        }
    }
}

fn index(ctx: &mut Context<'_>, node: &NodeEnum, s: &pg::IndexStmt) {
    let Some((id, hypertable)) = hypertable(ctx, s.relation.as_ref()) else { return };
    let columns: Vec<&str> = s
        .index_params
        .iter()
        .map(|node| match &node.node {
            Some(NodeEnum::IndexElem(element)) => element.name.as_str(),
            _ => "",
        })
        .collect();
    let Some(missing) = missing(hypertable, &columns) else { return };
    let mut draft = draft(&id, "UNIQUE INDEX", &columns, missing);
    if let Some(more) = element(missing)
        && let Some(Value::Array(mut elements)) = canonical(node).pointer("/IndexStmt/index_params").cloned()
    {
        elements.push(more);
        let change = Change::Set("/IndexStmt/index_params".into(), Value::Array(elements));
        // The list comes behind the table: CREATE UNIQUE INDEX i ON t USING btree (a).
        draft = widened(ctx, draft, &["ON"], missing, change, &columns);
    }
    ctx.report(draft);
}

fn listed(columns: &[&str]) -> Vec<String> {
    let named = |name: &&str| if name.is_empty() { "(expression)".into() } else { quoted(name) };
    columns.iter().map(named).collect()
}

fn draft(id: &ObjectId, word: &str, columns: &[&str], missing: &str) -> Draft {
    let list = listed(columns);
    Draft::new(format!(
        "the {word} ({}) of the hypertable {} lacks the column {}",
        list.join(", "),
        id.path(),
        quoted(missing)
    ))
    .object(format!("table {}", id.path()))
    .server(answer(missing))
}

/// The column is added behind the last one of the list in brackets.
fn widened(
    ctx: &Context<'_>,
    draft: Draft,
    after: &[&str],
    missing: &str,
    change: Change,
    columns: &[&str],
) -> Draft {
    let Some(statement) = ctx.statement() else { return draft };
    let sql = statement.sql();
    let Some(word) = statement.words(after) else { return draft };
    let mut tokens = statement.code().skip_while(|token| token.start < word.end);
    let Some(open) = tokens.find(|token| token.text(sql) == "(" && token.depth == 0) else { return draft };
    let Some(close) = tokens.find(|token| token.text(sql) == ")" && token.depth == open.depth) else {
        return draft;
    };
    let at = statement.end_before(close.start);
    let list = listed(columns);
    draft.at(open.start..close.end).fix(
        FixDraft::edit(format!("Add the column {}", quoted(missing)))
            .review()
            .replace(at..at, format!(", {}", quoted(missing)))
            .change(change)
            .lost(format!("({}) unique over all times", list.join(", "))),
    )
}

fn key(name: &str) -> Value {
    serde_json::json!({ "String": { "sval": name } })
}

/// An element of an index, as the parser makes it.
fn element(name: &str) -> Option<Value> {
    let parsed = parse(&format!("CREATE INDEX ON t ({})", quoted(name)), true).ok()??;
    canonical(parsed.node()).pointer("/IndexStmt/index_params/0").cloned()
}

fn excluded(constraint: &pg::Constraint) -> Vec<&str> {
    constraint
        .exclusions
        .iter()
        .map(|node| match &node.node {
            Some(NodeEnum::List(list)) => match list.items.first().and_then(|item| item.node.as_ref()) {
                Some(NodeEnum::IndexElem(element)) => element.name.as_str(),
                _ => "",
            },
            _ => "",
        })
        .collect()
}

/// What stands in the way of a hypertable.
pub(crate) fn obstacle(new: &NewHypertable<'_>, found: &mut Vec<Obstacle>) {
    let (table, columns) = (&new.table, new.columns);
    for key in table.unique() {
        let has = |column: &&&str| !key.columns.iter().any(|symbol| table.name(*symbol) == **column);
        let Some(missing) = columns.iter().find(has) else { continue };
        let list: Vec<String> = key
            .columns
            .iter()
            .map(|column| {
                Some(table.name(*column)).filter(|n| !n.is_empty()).map_or("(expression)".into(), quoted)
            })
            .collect();
        let name = table.name(key.name);
        let named = if name.is_empty() { String::new() } else { format!(" {}", quoted(name)) };
        let word = if key.word == "UNIQUE INDEX" { "index" } else { "constraint" };
        found.push(Obstacle {
            rule: &RULE,
            place: key.place,
            object: (!name.is_empty()).then(|| format!("{word} {} on {}", quoted(name), table.id.path())),
            message: format!(
                "the {}{named} ({}) of {} lacks the column {}",
                key.word,
                list.join(", "),
                table.id.path(),
                quoted(missing)
            ),
            server: Some(answer(missing)),
            advice: format!(
                "With the time column in it, ({}, {}), it no longer keeps two rows of the same {} apart at different \
                 times. Decide whether the application needs more.",
                list.join(", "),
                quoted(missing),
                list.join(", ")
            ),
            severity: Severity::Error,
            decision: true,
        });
    }
}
