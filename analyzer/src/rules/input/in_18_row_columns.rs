//! IN-18: Rows that do not fit the columns that their COPY or INSERT names.

use crate::edit::Safety;
use crate::facts::names::{quoted, string};
use crate::facts::row_shape::RowFault;
use crate::facts::tables::Traits;
use crate::facts::{Column, Relation};
use crate::finding::{ServerError, Severity};
use crate::human::count;
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule, Unjudged};

pub(crate) const RULE: Rule = Rule {
    id: "IN-18",
    name: "row-columns",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose(
        "rows that do not fit the columns that their COPY or INSERT names, as in a file edited by hand",
    ),
    statements: &[StatementKind::InsertStmt, StatementKind::CopyStmt],
    doc: Doc {
        summary: "A row has more or fewer values than its COPY or INSERT names columns, or ends in another way than the rows before it.",
        what: "Rows in COPY's text format below a COPY whose columns are known, where the client encoding needs no conversion: \
               tabs (or the delimiter that the COPY names) are counted in each row. \\. that is not alone on its line, and \
               carriage returns that are not written as \\r. Rows of INSERT … VALUES with other numbers of values.",
        why: "A row is refused where its values do not fit the columns, and a COPY loads all of its rows or none. Editors \
              that turn tabs into blanks, or ends of lines into those of another system, do it to every row.",
        server: &[
            "22P04 extra data after last expected column",
            "22P04 missing data for column \"note\"",
            "22P04 end-of-copy marker corrupt",
            "22P04 end-of-copy marker is not alone on its line (18)",
            "22P04 literal carriage return found in data",
            "22P04 literal newline found in data",
            "42P10 column \"total\" is a generated column",
            "42601 INSERT has more expressions than target columns",
            "42601 INSERT has more target columns than expressions",
            "42601 VALUES lists must all be the same length",
        ],
        help: "Correct the row, or write the dump again. Between two values stands one tab; a tab in a value is \\t, a line \
               break \\n, a carriage return \\r, a backslash \\\\.",
        before: "COPY public.orders (id, note) FROM stdin;\n1\tfirst\tsecond\n\\.",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/copyfromparse.c, CopyReadLineText, NextCopyFrom; src/backend/parser/analyze.c, transformInsertStmt",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    if let NodeEnum::CopyStmt(s) = node {
        copy(ctx, s);
    }
    let NodeEnum::InsertStmt(s) = node else { return };
    let Some(NodeEnum::SelectStmt(select)) = s.select_stmt.as_deref().and_then(|of| of.node.as_ref()) else {
        return;
    };
    let mut values = select.values_lists.iter().map(|row| match &row.node {
        Some(NodeEnum::List(row)) => row.items.len(),
        _ => 0,
    });
    let Some(first) = values.next() else { return };
    let columns = if s.cols.is_empty() { all_columns(ctx, s) } else { Some(s.cols.len()) };
    let (what, answer) = if values.any(|other| other != first) {
        (
            "the rows of this INSERT differ in their numbers of values",
            "VALUES lists must all be the same length",
        )
    } else if columns.is_some_and(|columns| first > columns) {
        ("this INSERT has more values than columns", "INSERT has more expressions than target columns")
    } else if first < s.cols.len() {
        ("this INSERT has fewer values than columns", "INSERT has more target columns than expressions")
    } else if let Some(column) = own_value(ctx, s, &select.values_lists) {
        let answer = format!("cannot insert a non-DEFAULT value into column \"{column}\"");
        let draft = Draft::new(format!("this INSERT has values for column {column}, which has its own"));
        ctx.report(draft.server(ServerError::new("428C9", answer)).advice(
            "Leave the column out; numbers of an identity column are kept with OVERRIDING SYSTEM VALUE.",
        ));
        return;
    } else {
        // Rows that pg_dump writes were in such a table.
        if !ctx.facts.is_dump {
            ctx.not_judged(Unjudged::Values);
        }
        return;
    };
    ctx.report(Draft::new(what).server(ServerError::new("42601", answer)));
}

/// A COPY from this file.
fn copy(ctx: &mut Context<'_>, s: &pg::CopyStmt) {
    if !s.is_from || s.is_program || !s.filename.is_empty() {
        return;
    }
    let names: Vec<&str> = s.attlist.iter().filter_map(string).collect();
    let is_generated = |column: &&Column| column.traits.has(Traits::GENERATED);
    let columns = ctx.facts.filled_by(s.relation.as_ref()).into_iter().flat_map(|table| &table.columns);
    let mut generated = columns.filter(is_generated).map(|column| ctx.facts.names.name(column.name));
    if let Some(name) = generated.find(|name| names.contains(name)) {
        let answer = format!("column \"{name}\" is a generated column");
        let draft = Draft::new(format!("this COPY fills column {}, which is generated", quoted(name)));
        ctx.report(
            draft.server(ServerError::new("42P10", answer)).advice("Leave the column out, with its values."),
        );
        return;
    }
    // Rows that pg_dump writes were in such a table.
    if !ctx.facts.is_dump
        && !ctx.facts.filled_by(s.relation.as_ref()).is_some_and(|table| takes_all(ctx, table))
    {
        ctx.not_judged(Unjudged::Values);
    }
}

/// True for a table whose columns take every text.
fn takes_all(ctx: &Context<'_>, table: &Relation) -> bool {
    !table.columns.is_empty()
        && table.columns.iter().all(|column| {
            let narrow = column.traits.has(Traits::NOT_NULL) || column.traits.has(Traits::ARRAY);
            ctx.facts.names.name(column.data_type) == "text" && !narrow
        })
}

/// A column that takes no values, and gets some: GENERATED ALWAYS.
fn own_value(ctx: &Context<'_>, s: &pg::InsertStmt, rows: &[pg::Node]) -> Option<String> {
    let overrides = s.r#override > pg::OverridingKind::OverridingNotSet as i32;
    for (at, column) in ctx.facts.filled_by(s.relation.as_ref())?.columns.iter().enumerate() {
        let always = column.traits.has(Traits::ALWAYS) && !overrides;
        if !always && !column.traits.has(Traits::GENERATED) {
            continue;
        }
        let name = ctx.facts.names.name(column.name);
        let is_it =
            |listed: &pg::Node| matches!(&listed.node, Some(NodeEnum::ResTarget(of)) if of.name == *name);
        let at = if s.cols.is_empty() { Some(at) } else { s.cols.iter().position(is_it) };
        let is_given = |row: &pg::Node| match (&row.node, at) {
            (Some(NodeEnum::List(row)), Some(at)) => {
                row.items.get(at).is_some_and(|value| !matches!(value.node, Some(NodeEnum::SetToDefault(_))))
            }
            _ => false,
        };
        if rows.iter().any(is_given) {
            return Some(name.to_owned());
        }
    }
    None
}

/// How many columns the table of an INSERT has, where all are known.
fn all_columns(ctx: &Context<'_>, s: &pg::InsertStmt) -> Option<usize> {
    let relation = ctx.facts.filled_by(s.relation.as_ref()).filter(|relation| relation.is_whole_table())?;
    Some(relation.columns.len())
}

/// What is said of the first row that a server of this version refuses, of a COPY into so many columns.
pub(crate) fn refused(fault: &RowFault, columns: usize, version: u32) -> Draft {
    let columns = count(columns as u64, "column");
    let (what, answer) = match fault {
        RowFault::Extra => {
            (format!("has more values than its COPY names columns ({columns})"), EXTRA.to_owned())
        }
        RowFault::Missing(column) => {
            let answer = format!("missing data for column \"{column}\"");
            (format!("has fewer values than its COPY names columns ({columns})"), answer)
        }
        RowFault::Marker if version < 18 => {
            let message =
                "this row ends with \\., which ends all rows for the server: those behind it are lost";
            return Draft::new(message);
        }
        RowFault::Marker => ("ends with \\.".to_owned(), NOT_ALONE.to_owned()),
        RowFault::MarkerCorrupt => {
            let answer = if version < 18 { "end-of-copy marker corrupt" } else { NOT_ALONE };
            ("holds \\.".to_owned(), answer.to_owned())
        }
        RowFault::Return => {
            ("holds a carriage return".to_owned(), "literal carriage return found in data".to_owned())
        }
        RowFault::Newline => (
            "ends without the carriage return of the first row".to_owned(),
            "literal newline found in data".to_owned(),
        ),
    };
    Draft::new(format!("this row {what}: no row of its COPY will be loaded"))
        .server(ServerError::new("22P04", answer))
}

const EXTRA: &str = "extra data after last expected column";
const NOT_ALONE: &str = "end-of-copy marker is not alone on its line";
