//! TS-12: objects of users in TimescaleDB's schemas, names of chunks in views and functions, data of the toolkit.

use super::ts_04_schema_only;
use crate::edit::Safety;
use crate::facts::names::options;
use crate::facts::objects::created;
use crate::facts::timescale::{INTERNAL, chunk_ids};
use crate::finding::{Place, ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, StatementKind};
use crate::rule::{Answers, Context, Doc, Draft, Finish, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "TS-12",
    name: "timescaledb-internals",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::limit(
        "ts.notes",
        "Privileges on TimescaleDB's own objects, references to chunks, objects in its schemas.",
    ),
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "Objects of users among TimescaleDB's own, and columns that depend on the toolkit's version.",
        what: "Tables, views and functions of users in schemas of TimescaleDB; in a dump of the schema alone, views and \
               functions that name a chunk; columns of types of timescaledb_toolkit. Privileges on TimescaleDB's own \
               objects are OWN-03's.",
        why: "In some of these schemas only a superuser can create anything; what lies in the others is in the way of updates of TimescaleDB. Chunks have other names once hypertables are created again. The toolkit keeps summaries in a format of its own, which fits one version.",
        server: &[
            "42501 permission denied for schema _timescaledb_functions",
            "42P01 relation \"_timescaledb_internal._hyper_1_1_chunk\" does not exist (in a dump of the schema alone)",
        ],
        help: "Move the objects to a schema of your own before the dump. Name the hypertable in place of a chunk, with a \
               condition on its time column. Give the target the same version of timescaledb_toolkit: ALTER EXTENSION \
               timescaledb_toolkit UPDATE on the older side.",
        before: "CREATE TABLE _timescaledb_internal.notes (a integer);",
        after: "",
        sources: Doc::sources(&[
            "timescaledb-docker-ha, scripts/timescaledb/after-create.sql",
            "timescaledb-toolkit, README.md, A note on stabilization",
        ]),
        link: "https://www.tigerdata.com/docs/migrate/latest/troubleshooting",
    },
    check,
    finish: Some(finish),
    ..Rule::DEFAULT
};

/// Views and functions that name a chunk.
#[derive(Clone, Debug, Default)]
struct NamedChunks(Vec<NamesChunk>);

/// A statement that names a chunk.
#[derive(Clone, Debug)]
pub(crate) struct NamesChunk {
    place: Place,
    object: String,
    chunk: String,
    /// In a text that the server does not look at.
    in_body: bool,
}

/// Types of timescaledb_toolkit that hold summaries.
const SUMMARIES: &[&str] = &[
    "tdigest",
    "uddsketch",
    "hyperloglog",
    "timeweightsummary",
    "countersummary",
    "gaugesummary",
    "statssummary1d",
    "statssummary2d",
    "stateagg",
    "compactstateagg",
    "heartbeatagg",
    "candlestick",
    "spacesavingaggregate",
    "spacesavingbigintaggregate",
    "spacesavingtextaggregate",
    "timevector_tstz_f64",
    "mcvagg",
];

/// The schemas of TimescaleDB in which the restoring role may create.
const OPEN: [&str; 4] = [INTERNAL, "_timescaledb_catalog", "_timescaledb_config", "_timescaledb_cache"];

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    in_schema(ctx, node);
    names_chunk(ctx, statement, node);
}

fn in_schema(ctx: &mut Context<'_>, node: &NodeEnum) {
    let Some(object) = created(node) else { return };
    let id = ctx.resolved(&object.id);
    let is_chunk = matches!(node, NodeEnum::CreateStmt(s) if !s.inh_relations.is_empty());
    if is_chunk
        || !matches!(id.class, Class::Relation | Class::Function | Class::Type)
        || matches!(node, NodeEnum::IndexStmt(_))
    {
        return;
    }
    let Some(schema) = id.schema.as_deref() else { return };
    let is_internal = schema.starts_with("_timescaledb_")
        || matches!(schema, "timescaledb_information" | "timescaledb_experimental");
    if !is_internal || schema == INTERNAL && super::orphans::has_own_name(&id.name) {
        return;
    }
    // A schema that the dump itself makes is the user's.
    if ctx.facts.schemas.contains_key(schema) {
        return;
    }
    let words = ctx.describe(&object);
    let draft = Draft::new(format!("{words} lies in a schema of TimescaleDB's"))
        .object(words)
        .advice("Move it to a schema of your own before the dump: ALTER … SET SCHEMA.");
    ctx.report(if OPEN.contains(&schema) {
        draft.severity(Severity::Warning)
    } else {
        draft.server(ServerError::new("42501", format!("permission denied for schema {schema}")))
    });
}

fn names_chunk(ctx: &mut Context<'_>, statement: &Statement<'_>, node: &NodeEnum) {
    let is_view = matches!(node, NodeEnum::ViewStmt(_) | NodeEnum::CreateTableAsStmt(_));
    let is_function = matches!(node, NodeEnum::CreateFunctionStmt(_));
    let Some(object) = created(node).filter(|_| is_view || is_function) else { return };
    let id = ctx.resolved(&object.id);
    if id.schema.as_deref().is_some_and(|schema| schema.starts_with("_timescaledb_")) {
        return;
    }
    let referenced = statement
        .references()
        .iter()
        .find(|r| r.schema.as_deref() == Some(INTERNAL) && chunk_ids(&r.name, "_hyper_").is_some())
        .map(|r| (r.name.to_string(), false));
    let in_body = || match node {
        NodeEnum::CreateFunctionStmt(s) => options(&s.options)
            .filter(|option| option.defname == "as")
            .filter_map(|option| match option.arg.as_ref()?.node.as_ref()? {
                NodeEnum::List(list) => list.items.first().and_then(crate::facts::names::string),
                _ => None,
            })
            .find_map(chunk_in)
            .map(|chunk| (chunk.to_owned(), true)),
        _ => None,
    };
    let Some((chunk, in_body)) = referenced.or_else(in_body) else { return };
    let place = statement.place(&statement.range());
    let object = ctx.describe(&object);
    ctx.states.of::<NamedChunks>().0.push(NamesChunk { place, object, chunk, in_body });
}

/// The first name of a chunk in a text.
fn chunk_in(text: &str) -> Option<&str> {
    text.match_indices("_hyper_").find_map(|(at, _)| {
        let rest = text.get(at..)?;
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        rest.get(..end).filter(|name| chunk_ids(name, "_hyper_").is_some())
    })
}

fn finish(all: &mut Finish<'_>) {
    if ts_04_schema_only::applies(all.facts, all.options) {
        let found = all.states.get::<NamedChunks>().cloned().unwrap_or_default().0;
        for NamesChunk { place, object, chunk, in_body } in found {
            let chunk = format!("{INTERNAL}.{chunk}");
            let draft =
                Draft::new(format!("{object} names the chunk {chunk}, which the target will not have"))
                    .object(object)
                    .advice("Name the hypertable instead, with a condition on its time column.");
            all.report(
                place,
                if in_body {
                    draft.severity(Severity::Warning)
                } else {
                    draft.server(ServerError::new("42P01", format!("relation \"{chunk}\" does not exist")))
                },
            );
        }
    }
    let names = &all.facts.names;
    let first = all
        .facts
        .relations
        .iter()
        .filter(|(id, _)| id.schema.as_deref() != Some(INTERNAL))
        .flat_map(|(id, relation)| relation.columns.iter().map(move |column| (id, relation.place, column)))
        .find(|(_, _, column)| {
            let data_type = names.name(column.data_type);
            data_type.rsplit('.').next().is_some_and(|data_type| SUMMARIES.contains(&data_type))
        });
    let Some((id, place, column)) =
        first.filter(|_| all.facts.extensions.contains_key("timescaledb_toolkit"))
    else {
        return;
    };
    let words = format!("column {} of table {}", names.name(column.name), id.path());
    all.report(
        place,
        Draft::new(format!(
            "{words} holds a summary of timescaledb_toolkit: the target needs the same version of it"
        ))
        .severity(Severity::Note)
        .object(words)
        .advice("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb_toolkit' on both sides."),
    );
}
