//! TS-09: what newer versions of TimescaleDB do not have any more.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{option_is_on, options, qualified};
use crate::facts::objects::{created, subject};
use crate::facts::timescale::{INTERNAL, Version};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::clauses::calls;

pub(crate) const RULE: Rule = Rule {
    id: "TS-09",
    name: "removed-timescaledb-feature",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "ts.removed-features",
        "Functions and options that newer TimescaleDB does not have.",
    ),
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "A feature or function of TimescaleDB that the target's version does not have.",
        what: "Calls of multi-node functions (until 2.13), of set_adaptive_chunking and its arguments of \
               create_hypertable (until 2.27), of 1.x policies, drop_chunks with its interval first, CREATE VIEW WITH \
               (timescaledb.continuous) and its 1.x options, and calls of functions of _timescaledb_internal that moved to \
               _timescaledb_functions in 2.12. The table access method hypercore (2.18 to 2.21) is SU-06's.",
        why: "They were removed, or became something else.",
        server: &[
            "42883 function create_distributed_hypertable(unknown, unknown) does not exist",
            "42883 function create_hypertable(unknown, unknown, replication_factor => integer) does not exist",
            "42883 function public.add_drop_chunks_policy(unknown, interval) does not exist",
            "XX000 cannot create continuous aggregate with CREATE VIEW",
            "22023 unrecognized parameter \"timescaledb.refresh_lag\"",
        ],
        help: "A distributed hypertable becomes a plain one: create_hypertable without space dimensions, and its rows by \
               COPY. Calls that configure multi-node or adaptive chunking go. add_drop_chunks_policy is \
               add_retention_policy, add_compress_chunks_policy is add_compression_policy, drop_chunks takes the table \
               first: drop_chunks('t', older_than => interval '3 months'). A continuous aggregate is a CREATE \
               MATERIALIZED VIEW, its refreshing a policy: add_continuous_aggregate_policy.",
        before: "SELECT public.add_data_node('dn1', host => 'dn1.example.com');",
        after: "-- tsmigrate TS-09: Remove it: multi-node is gone\n-- SELECT public.add_data_node('dn1', host => 'dn1.example.com');",
        sources: Doc::sources(&[
            "TimescaleDB CHANGELOG 2.0.0, 2.12.0, 2.14.0, 2.28.0",
            "TimescaleDB tsl/src/continuous_aggs/create.c; src/process_utility.c, process_viewstmt",
        ]),
        link: "https://www.tigerdata.com/docs/self-hosted/latest/upgrades",
    },
    check,
    ..Rule::DEFAULT
};

/// What was removed, and with which version.
#[derive(Clone, Copy)]
struct Gone {
    since: Version,
    what: &'static str,
    /// A call of its own can go: what it configures is gone.
    idle: bool,
    advice: &'static str,
}

const MULTI_NODE: Gone = Gone {
    since: Version(2, 14, 0),
    what: "multi-node is gone",
    idle: true,
    advice: "The service scales a single node.",
};

const DISTRIBUTED: Gone = Gone {
    idle: false,
    advice: "Make it a plain hypertable: create_hypertable('table', by_range('time')).",
    ..MULTI_NODE
};

const ADAPTIVE: Gone = Gone {
    since: Version(2, 28, 0),
    what: "adaptive chunking is gone",
    idle: true,
    advice: "Choose an interval: set_chunk_time_interval('table', interval '1 day').",
};

const fn renamed(advice: &'static str) -> Gone {
    Gone { since: Version(2, 0, 0), what: "this function of TimescaleDB 1 is gone", idle: false, advice }
}

fn gone(function: &str) -> Option<Gone> {
    Some(match function {
        "create_distributed_hypertable" => DISTRIBUTED,
        "add_data_node"
        | "attach_data_node"
        | "detach_data_node"
        | "delete_data_node"
        | "alter_data_node"
        | "distributed_exec"
        | "create_distributed_restore_point"
        | "set_replication_factor" => MULTI_NODE,
        "set_adaptive_chunking" => ADAPTIVE,
        "add_drop_chunks_policy" => renamed("Use add_retention_policy('table', drop_after => interval '…')."),
        "remove_drop_chunks_policy" => renamed("Use remove_retention_policy('table')."),
        "add_compress_chunks_policy" => renamed("Use add_compression_policy('table', interval '…')."),
        "remove_compress_chunks_policy" => renamed("Use remove_compression_policy('table')."),
        "alter_job_schedule" => renamed("Use alter_job(id, schedule_interval => interval '…')."),
        _ => return None,
    })
}

/// Functions that were in `_timescaledb_internal` until 2.11 and that code of users is seen to call.
const MOVED: &[&str] = &[
    "interval_to_usec",
    "to_unix_microseconds",
    "to_timestamp",
    "to_timestamp_without_timezone",
    "to_date",
    "to_interval",
    "time_to_internal",
    "get_partition_hash",
    "get_partition_for_key",
    "hypertable_local_size",
    "chunks_local_size",
    "indexes_local_size",
    "relation_size",
    "cagg_watermark",
    "start_background_workers",
    "stop_background_workers",
    "restart_background_workers",
    "freeze_chunk",
    "unfreeze_chunk",
    "drop_chunk",
    "policy_compression",
    "policy_recompression",
    "policy_retention",
    "policy_reorder",
    "policy_refresh_continuous_aggregate",
    "recompress_chunk_segmentwise",
];

fn is_gone(ctx: &Context<'_>, since: Version) -> bool {
    ctx.target.timescaledb.latest().is_none_or(|latest| latest >= since)
}

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    match node {
        NodeEnum::SelectStmt(_) | NodeEnum::CallStmt(_) => {
            for (call, only) in calls(node) {
                self::call(ctx, statement, call, only);
            }
        }
        NodeEnum::ViewStmt(s) => options_of_view(ctx, &s.options, true),
        NodeEnum::CreateTableAsStmt(s) => {
            let options = s.into.as_ref().map_or(&[][..], |into| into.options.as_slice());
            options_of_view(ctx, options, false);
        }
        _ => {}
    }
    moved(ctx, statement, node);
}

fn call(ctx: &mut Context<'_>, statement: &Statement<'_>, call: &pg::FuncCall, only: bool) {
    let Some((schema, name)) = qualified(&call.funcname) else { return };
    // A function of the user's own may have the name.
    if ctx.facts.overloads.contains_key(&ctx.resolved(&ObjectId::new(Class::Function, schema, name))) {
        return;
    }
    let named = |wanted: &str| {
        call.args.iter().any(|argument| {
            matches!(&argument.node, Some(NodeEnum::NamedArgExpr(argument)) if argument.name == wanted)
        })
    };
    let (found, words) = match name {
        "create_hypertable" if named("replication_factor") || named("data_nodes") => {
            (Some(DISTRIBUTED), "create_hypertable with data nodes")
        }
        "create_hypertable" if named("chunk_target_size") || named("chunk_sizing_func") => {
            (Some(Gone { idle: false, ..ADAPTIVE }), "create_hypertable with a target size")
        }
        "drop_chunks" if call.args.first().is_some_and(is_interval) => (
            Some(renamed("The table comes first: drop_chunks('table', older_than => interval '…').")),
            "drop_chunks with its interval first",
        ),
        _ => (gone(name), name),
    };
    let Some(found) = found.filter(|found| is_gone(ctx, found.since)) else { return };
    let mut draft = Draft::new(format!("{words}: {} from TimescaleDB {} on", found.what, minor(found.since)))
        .object(format!("function {name}"))
        .server(ServerError::new("42883", format!("function {name}(…) does not exist")))
        .advice(found.advice);
    if let Some(range) = usize::try_from(call.location).ok().and_then(|at| statement.name_at(at)) {
        draft = draft.at(range);
    }
    if only && found.idle {
        draft = draft.fix(FixDraft::remove(found.what));
    }
    ctx.report(draft);
}

fn minor(version: Version) -> String {
    format!("{}.{}", version.0, version.1)
}

/// `interval '3 months'`, `'3 months'::interval`.
fn is_interval(node: &pg::Node) -> bool {
    let Some(NodeEnum::TypeCast(cast)) = &node.node else { return false };
    let names = cast.type_name.as_ref().map(|name| name.names.as_slice()).unwrap_or_default();
    qualified(names).is_some_and(|(_, name)| name == "interval")
}

/// Options of a continuous aggregate that only version 1 knew.
fn options_of_view(ctx: &mut Context<'_>, given: &[pg::Node], is_view: bool) {
    let of_timescaledb = |option: &&pg::DefElem| option.defnamespace.eq_ignore_ascii_case("timescaledb");
    let given: Vec<&pg::DefElem> = options(given).filter(of_timescaledb).collect();
    if !given.iter().any(|option| option.defname == "continuous") {
        return;
    }
    let old = given.iter().find(|option| {
        matches!(
            &*option.defname,
            "refresh_lag" | "refresh_interval" | "max_interval_per_job" | "ignore_invalidation_older_than"
        )
    });
    let finalized = given.iter().find(|option| option.defname == "finalized");
    let error = match (is_view, old) {
        (true, _) => ServerError::new("XX000", "cannot create continuous aggregate with CREATE VIEW")
            .hint("Use CREATE MATERIALIZED VIEW to create a continuous aggregate."),
        (false, Some(option)) => {
            ServerError::new("22023", format!("unrecognized parameter \"timescaledb.{}\"", option.defname))
        }
        (false, None) if finalized.is_some() && is_gone(ctx, Version(2, 25, 0)) => {
            ServerError::new("22023", "unrecognized parameter \"timescaledb.finalized\"")
        }
        (false, None)
            if finalized.is_some_and(|option| !option_is_on(option)) && is_gone(ctx, Version(2, 14, 0)) =>
        {
            ServerError::new("0A000", "old format of continuous aggregate is not supported")
        }
        (false, None) => return,
    };
    ctx.report(
        Draft::new("a continuous aggregate in the words of an older TimescaleDB").server(error).advice(
            "CREATE MATERIALIZED VIEW … WITH (timescaledb.continuous) AS … WITH NO DATA, then \
             add_continuous_aggregate_policy for its refreshing.",
        ),
    );
}

/// Functions by their place of before 2.12: a wrapper with a warning, until it is removed.
fn moved(ctx: &mut Context<'_>, statement: &Statement<'_>, node: &NodeEnum) {
    let about = subject(node).or_else(|| created(node)).and_then(|object| object.id.schema);
    let is_own = about.is_some_and(|schema| schema.starts_with("_timescaledb_"))
        || matches!(node, NodeEnum::CreateTrigStmt(_) | NodeEnum::GrantStmt(_) | NodeEnum::CopyStmt(_))
        || super::orphans::aggregate_of(statement).is_some();
    if is_own {
        return;
    }
    let found = statement.references().iter().find(|r| {
        r.class == Class::Function && r.schema.as_deref() == Some(INTERNAL) && MOVED.contains(&&*r.name)
    });
    let Some(found) = found else { return };
    let name = format!("{INTERNAL}.{}", found.name);
    let mut draft =
        Draft::new(format!("{name} moved to _timescaledb_functions in TimescaleDB 2.12: the old name goes"))
            .severity(Severity::Warning)
            .object(format!("function {name}"))
            .advice(format!("Call _timescaledb_functions.{}, or better a public function.", found.name));
    if let Some(range) = found.location.and_then(|at| statement.name_at(at as usize)) {
        draft = draft.at(range);
    }
    ctx.report(draft);
}
