//! COL-01: partitions that divide text by the database's collation.

use std::collections::BTreeSet;

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{option_text, options, qualified, quoted, relation, text};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "COL-01",
    name: "text-partitions",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit(
        "database.locale",
        "Partitions that divide text by the database's order. DB-01 names the locale that the database was created with; the migration compares both servers' locales.",
    ),
    statements: &[StatementKind::AlterTableStmt, StatementKind::CreateStmt, StatementKind::CreatedbStmt],
    doc: Doc {
        summary: "A table partitioned by ranges of text: which rows a partition takes depends on the database's locale.",
        what: "PARTITION BY RANGE of a text column without a collation of its own, from a database whose locale is not C. \
               And a partition whose bounds are no range in the C locale, such as FROM ('a') TO ('M').",
        why: "A dump does not carry the database's locale into the service. In the C locale capital letters come before \
              all small ones; in others they stand side by side. A row may then belong to another partition than on the \
              source, or to none, and a range may be empty. Queries, unique keys and ORDER BY sort differently too, \
              which loses no rows.",
        server: &[
            "42P17 empty range bound specified for partition \"orders_a\"",
            "23514 no partition of relation \"orders\" found for row",
            "23514 new row for relation \"orders_a\" violates partition constraint",
        ],
        help: "Compare the locales of both databases (SELECT datcollate FROM pg_database): where they are the same \
               nothing happens. Else give the column or the key the collation that it was made for, COLLATE \
               \"en-US-x-icu\", on the source or in the dump.",
        before: "CREATE TABLE public.orders (customer text) PARTITION BY RANGE (customer);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/partitioning/partbounds.c, check_new_partition_bound",
            "timescaledb-docker-ha, Dockerfile: LANG=C.UTF-8",
        ]),
        link: "https://www.postgresql.org/docs/current/ddl-partitioning.html",
    },
    check,
    ..Rule::DEFAULT
};

/// What sorts text, and how.
#[derive(Clone, Debug, Default)]
struct TextOrder {
    /// Databases of the dump that sort as the C locale does.
    c_databases: BTreeSet<Box<str>>,
    /// Tables that are partitioned by ranges of text in the order of the database.
    partitioned: BTreeSet<ObjectId>,
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreatedbStmt(s) => {
            let is_c = options(&s.options).any(|option| {
                matches!(option.defname.as_str(), "locale" | "lc_collate")
                    && option_text(option).is_some_and(is_c)
            });
            if is_c {
                ctx.states.of::<TextOrder>().c_databases.insert(s.dbname.as_str().into());
            }
        }
        NodeEnum::CreateStmt(s) => {
            if let (Some(parent), Some(bound)) = (s.inh_relations.first(), &s.partbound)
                && let (Some(NodeEnum::RangeVar(parent)), Some(range)) = (&parent.node, &s.relation)
            {
                partition(ctx, parent, range, bound);
            }
            let Some(column) = text_key(s).filter(|_| !is_from_c(ctx)) else { return };
            let Some(object) = ctx.created(node) else { return };
            ctx.states.of::<TextOrder>().partitioned.insert(object.id.clone());
            let words = ctx.describe(&object);
            let mut draft = Draft::new(format!(
                "{words} divides its rows by the order of {}, which the locale of the target's database decides",
                quoted(column)
            ))
            .severity(Severity::Warning)
            .object(words);
            if let Some(range) = statement.words(&["PARTITION", "BY"]) {
                draft = draft.at(range.start..statement.body().end);
            }
            ctx.report(draft);
        }
        NodeEnum::AlterTableStmt(s) => {
            let Some(parent) = &s.relation else { return };
            for command in &s.cmds {
                if let Some(NodeEnum::AlterTableCmd(command)) = &command.node
                    && command.subtype == pg::AlterTableType::AtAttachPartition as i32
                    && let Some(NodeEnum::PartitionCmd(attached)) =
                        command.def.as_ref().and_then(|def| def.node.as_ref())
                    && let (Some(range), Some(bound)) = (&attached.name, &attached.bound)
                {
                    partition(ctx, parent, range, bound);
                }
            }
        }
        _ => {}
    }
}

fn is_c(locale: &str) -> bool {
    matches!(locale, "C" | "POSIX" | "C.UTF-8" | "C.utf8")
}

/// The database that is being read is known to sort as C does.
fn is_from_c(ctx: &Context<'_>) -> bool {
    let known = ctx.states.get::<TextOrder>().map(|order| &order.c_databases);
    known.zip(ctx.facts.current_database.as_ref()).is_some_and(|(known, name)| known.contains(name))
}

/// The only column of a range partitioned table's key, where it is text that sorts as the database does.
fn text_key(s: &pg::CreateStmt) -> Option<&str> {
    let key = s.partspec.as_ref()?;
    if key.strategy != pg::PartitionStrategy::Range as i32 {
        return None;
    }
    key.part_params.iter().find_map(|element| {
        let NodeEnum::PartitionElem(element) = element.node.as_ref()? else { return None };
        if !element.collation.is_empty() {
            return None;
        }
        s.table_elts.iter().find_map(|column| {
            let NodeEnum::ColumnDef(column) = column.node.as_ref()? else { return None };
            let (_, data_type) = qualified(&column.type_name.as_ref()?.names)?;
            let is_text = matches!(data_type, "text" | "varchar" | "bpchar" | "citext");
            (column.colname == element.name && is_text && column.coll_clause.is_none())
                .then_some(column.colname.as_str())
        })
    })
}

/// A range that is empty where the bytes decide.
fn partition(
    ctx: &mut Context<'_>,
    parent: &pg::RangeVar,
    part: &pg::RangeVar,
    bound: &pg::PartitionBoundSpec,
) {
    let id = |range: &pg::RangeVar| {
        let (schema, name) = relation(range);
        ctx.resolved(&ObjectId::new(Class::Relation, schema, name))
    };
    let parent = id(parent);
    if !ctx.states.get::<TextOrder>().is_some_and(|order| order.partitioned.contains(&parent)) {
        return;
    }
    let ([lower], [upper]) = (bound.lowerdatums.as_slice(), bound.upperdatums.as_slice()) else { return };
    let (Some(lower), Some(upper)) = (constant(lower), constant(upper)) else { return };
    if lower < upper {
        return;
    }
    let words = format!("table {}", id(part).path());
    let draft =
        Draft::new(format!("in the C locale no text is from '{lower}' to '{upper}': {words} takes no rows"))
            .object(words)
            .server(
                ServerError::new(
                    "42P17",
                    format!("empty range bound specified for partition \"{}\"", part.relname),
                )
                .detail(format!(
                    "Specified lower bound ('{lower}') is greater than or equal to upper bound ('{upper}')."
                )),
            );
    ctx.report(draft);
}

fn constant(node: &pg::Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::TypeCast(cast) => constant(cast.arg.as_deref()?),
        NodeEnum::AConst(_) => text(node),
        _ => None,
    }
}
