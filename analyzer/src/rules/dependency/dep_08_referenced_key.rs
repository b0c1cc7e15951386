//! DEP-08: foreign keys to columns that have no key.

use std::collections::HashMap;

use crate::edit::Safety;
use crate::facts::names::strings;
use crate::facts::{Facts, ObjectId, Symbol};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finding, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "DEP-08",
    name: "referenced-key",
    severity: Severity::Error,
    fix: Safety::Review,
    answers: Answers::purpose("foreign keys to columns without a key"),
    statements: &[StatementKind::CreateStmt, StatementKind::AlterTableStmt],
    after: &["*", "DEP-01", "DEP-02", "DEP-03", "DEP-05"],
    doc: Doc {
        summary: "A foreign key to columns that have no primary key or unique constraint.",
        what: "REFERENCES and FOREIGN KEY to a table that the files create with all its columns, where no primary key, unique \
               constraint or unique index of these columns is created before. Not looked at: partitions and tables that \
               inherit, tables made by LIKE, and all behind a DO, CALL or call of a function.",
        why: "The server makes a foreign key only where the columns that it refers to are known to be unique.",
        server: &[
            "42830 there is no unique constraint matching given keys for referenced table \"orders\"",
            "42704 there is no primary key for referenced table \"orders\"",
        ],
        help: "Put the statement that makes the key before the one that refers to it, as pg_dump does. To leave the foreign key \
               out: --accept DEP-08.",
        before: "CREATE TABLE public.orders (id integer);\nCREATE TABLE public.lines (order_id integer);\nALTER TABLE public.lines ADD CONSTRAINT lines_order FOREIGN KEY (order_id) REFERENCES public.orders(id);",
        after: "CREATE TABLE public.orders (id integer);\nCREATE TABLE public.lines (order_id integer);",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/tablecmds.c, transformFkeyCheckAttrs, transformFkeyGetPrimaryKey",
        ]),
        link: "https://www.postgresql.org/docs/current/ddl-constraints.html#DDL-CONSTRAINTS-FK",
    },
    check,
    ..Rule::DEFAULT
};

/// The keys of each table, by where they stand among all constraints, or among all indexes.
#[derive(Clone, Debug, Default)]
struct Keys {
    constraints: usize,
    indexes: usize,
    tables: HashMap<(Symbol, Symbol), Vec<Key>>,
}

#[derive(Clone, Copy, Debug)]
enum Key {
    Constraint(usize),
    Index(usize),
}

impl Keys {
    /// Takes in what has come since.
    fn observe(&mut self, facts: &Facts) {
        // A transaction went back.
        if facts.constraints.len() < self.constraints || facts.indexes.len() < self.indexes {
            *self = Self::default();
        }
        for (at, one) in facts.constraints.iter().enumerate().skip(self.constraints) {
            if is_key(one.kind) {
                self.tables.entry((one.schema, one.table)).or_default().push(Key::Constraint(at));
            }
        }
        for (at, one) in facts.indexes.iter().enumerate().skip(self.indexes).filter(|(_, one)| one.unique) {
            self.tables.entry((one.schema, one.table)).or_default().push(Key::Index(at));
        }
        (self.constraints, self.indexes) = (facts.constraints.len(), facts.indexes.len());
    }
}

fn is_key(kind: i32) -> bool {
    use pg::ConstrType as C;
    matches!(C::try_from(kind), Ok(C::ConstrPrimary | C::ConstrUnique | C::ConstrExclusion))
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let removed = |finding: &Finding| finding.severity == Severity::Error;
    if ctx.facts.dynamic || ctx.findings.iter().any(removed) {
        return;
    }
    let constraints = constraints(node);
    let Some(found) = constraints.iter().find_map(|one| {
        let table = ctx.facts.table_id(one.pktable.as_ref()?);
        Some((table.clone(), refusal(ctx, one, &table, &constraints)?))
    }) else {
        return;
    };
    let (table, error) = found;
    let words =
        ctx.created(node).map_or_else(|| super::missing::what(ctx, node), |object| object.to_string());
    let mut draft = Draft::new(format!(
        "{words} refers to columns of table {} that have no key at this point",
        table.path()
    ))
    .object(words)
    .server(error)
    .advice("Put the statement that makes the key before it.");
    if let Some(first) = ctx.facts.relations.get(&table) {
        draft = draft.related(first.place, format!("table {}", table.path()));
    }
    if let NodeEnum::AlterTableStmt(s) = node
        && s.cmds.len() == 1
        && constraints.len() == 1
    {
        let fix = FixDraft::remove(format!("table {} has no such key", table.path())).review();
        draft = draft.fix(fix.lost("the foreign key"));
    }
    ctx.report(draft);
}

/// What the server says of a foreign key, where the table that it refers to is known to have no such key.
fn refusal(
    ctx: &mut Context<'_>,
    one: &pg::Constraint,
    table: &ObjectId,
    own: &[&pg::Constraint],
) -> Option<ServerError> {
    let facts = ctx.facts;
    let relation = facts.relations.get(table).filter(|_| facts.exists(table))?;
    if !relation.is_whole_table() {
        return None;
    }
    let wanted = strings(&one.pk_attrs);
    let is_it = |columns: &mut dyn Iterator<Item = &str>, kind: i32| {
        let mut columns: Vec<&str> = columns.collect();
        if wanted.is_empty() {
            return kind == pg::ConstrType::ConstrPrimary as i32;
        }
        let mut wanted = wanted.clone();
        columns.sort_unstable();
        wanted.sort_unstable();
        // Of a key that takes an index the columns are not known.
        columns.is_empty() || columns == wanted
    };
    // What the statement itself makes is of its own table.
    if own.iter().any(|one| is_key(one.contype) && is_it(&mut strings(&one.keys).into_iter(), one.contype)) {
        return None;
    }
    let pair = (facts.names.known(table.schema.as_deref()?)?, facts.names.known(&table.name)?);
    let keys = ctx.states.of::<Keys>();
    keys.observe(facts);
    let mut of_table = keys.tables.get(&pair).into_iter().flatten();
    let has_key = of_table.any(|key| match *key {
        Key::Constraint(at) => facts
            .constraints
            .get(at)
            .is_none_or(|one| is_it(&mut one.columns.iter().map(|name| facts.names.name(*name)), one.kind)),
        Key::Index(at) => facts
            .indexes
            .get(at)
            .is_none_or(|one| is_it(&mut one.columns.iter().map(|name| facts.names.name(*name)), 0)),
    });
    let name = &table.name;
    (!has_key).then(|| match wanted.as_slice() {
        [] => ServerError::new("42704", format!("there is no primary key for referenced table \"{name}\"")),
        _ => ServerError::new(
            "42830",
            format!("there is no unique constraint matching given keys for referenced table \"{name}\""),
        ),
    })
}

/// The constraints that a statement adds, those behind columns included.
fn constraints(node: &NodeEnum) -> Vec<&pg::Constraint> {
    fn all(element: Option<&pg::Node>) -> Vec<&pg::Constraint> {
        match element.and_then(|element| element.node.as_ref()) {
            Some(NodeEnum::Constraint(one)) => vec![one],
            Some(NodeEnum::ColumnDef(column)) => {
                column.constraints.iter().flat_map(|one| all(Some(one))).collect()
            }
            _ => Vec::new(),
        }
    }
    match node {
        NodeEnum::CreateStmt(s) => s.table_elts.iter().flat_map(|element| all(Some(element))).collect(),
        NodeEnum::AlterTableStmt(s) => s
            .cmds
            .iter()
            .flat_map(|command| match &command.node {
                Some(NodeEnum::AlterTableCmd(command)) => all(command.def.as_deref()),
                _ => Vec::new(),
            })
            .collect(),
        _ => Vec::new(),
    }
}
