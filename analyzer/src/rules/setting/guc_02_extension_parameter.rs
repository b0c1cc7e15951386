//! GUC-02: stored settings of a library that the session has not loaded, and an application's own.

use super::settings::{sets, settings};
use crate::edit::Safety;
use crate::facts::names::{option, option_text};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Piece, Rule, Subject};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "GUC-02",
    name: "extension-parameter",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("guc.extension-class", "Parameters with a dot whose library is not loaded."),
    also_answers: &["EXT-09"],
    statements: &[StatementKind::DoStmt],
    statement_groups: &[StatementKind::SETTING],
    pieces: &[Piece::Meta, Piece::End],
    in_bodies: InBodies::Yes { queries: false, by_name: true },
    doc: Doc {
        summary: "A stored setting with a prefix: auto_explain.log_level, myapp.tenant.",
        what: "ALTER ROLE … SET, ALTER DATABASE … SET and the SET clause of a function, of a parameter prefix.name \
               whose library is not loaded: an extension's, or one that an application made up, and of parameters that TimescaleDB had before 2.19.",
        why: "A parameter that the server does not know may be stored only by a superuser: it might turn out to be one that only superusers can set. SET myapp.tenant in a session works.",
        server: &["42501 permission denied to set parameter \"auto_explain.log_level\""],
        help: "The setting is removed and listed. An application's own parameters can be set when it connects (options=-c myapp.tenant=x) or by SET. Settings that TimescaleDB still has stay: its library is always loaded. Those of PL/pgSQL stay, too: an empty DO block loads it first.",
        before: "CREATE ROLE app;\nALTER ROLE app SET auto_explain.log_level TO 'notice';",
        after: "CREATE ROLE app;\n-- tsmigrate GUC-02: Remove it: only a superuser can store auto_explain.log_level\n-- ALTER ROLE app SET auto_explain.log_level TO 'notice';",
        sources: Doc::sources(&["PostgreSQL src/backend/utils/misc/guc.c, validate_option_array_item"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// Whether PL/pgSQL is loaded in the session, with its parameters.
#[derive(Clone, Debug, Default)]
struct Plpgsql {
    /// A statement of the dump has loaded it.
    loaded: bool,
    /// A fix has loaded it.
    lent: bool,
}

/// Parameters of PL/pgSQL that anyone may set once it is loaded (pl_handler.c).
const PLPGSQL: [&str; 4] = ["check_asserts", "extra_errors", "extra_warnings", "print_strict_params"];

/// Parameters that TimescaleDB had until 2.18, most of them of multi-node, and has in no version from 2.19 on (src/guc.c).
const GONE: [&str; 18] = [
    "cagg_processing_wal_batch_size",
    "dist_copy_transfer_format",
    "enable_2pc",
    "enable_async_append",
    "enable_cagg_wal_based_invalidation",
    "enable_client_ddl_on_data_nodes",
    "enable_connection_binary_data",
    "enable_decompression_logrep_markers",
    "enable_parameterized_data_node_scan",
    "enable_per_data_node_queries",
    "enable_remote_explain",
    "hypertable_distributed_default",
    "hypertable_replication_factor_default",
    "max_insert_batch_size",
    "passfile",
    "remote_data_fetcher",
    "ssl_dir",
    "vectorized_aggregation",
];

/// What the server says to storing this parameter; `None` where it is none of this rule's.
pub(crate) fn refusal(ctx: &Context<'_>, set: &pg::VariableSetStmt) -> Option<ServerError> {
    let (prefix, rest) = set.name.split_once('.')?;
    let rest = rest.to_ascii_lowercase();
    let known = prefix.eq_ignore_ascii_case("timescaledb") && !GONE.contains(&&*rest)
        || is_plpgsql(prefix) && PLPGSQL.contains(&&*rest);
    let refused = ServerError::new("42501", format!("permission denied to set parameter \"{}\"", set.name));
    (!known && !ctx.target.superuser_parameters.contains(&set.name.to_ascii_lowercase())).then_some(refused)
}

fn is_plpgsql(prefix: &str) -> bool {
    prefix.eq_ignore_ascii_case("plpgsql")
}

fn check(ctx: &mut Context<'_>) {
    if matches!(ctx.subject, Subject::End { .. } | Subject::Meta { .. }) {
        // Another session may begin.
        ctx.states.of::<Plpgsql>().loaded = false;
        ctx.states.of::<Plpgsql>().lent = false;
    }
    let Some((statement, node)) = ctx.node() else { return };
    for setting in settings(ctx) {
        let Some((prefix, rest)) = setting.set.name.split_once('.') else { continue };
        if setting.stored.is_none()
            && is_plpgsql(prefix)
            && rest.eq_ignore_ascii_case("variable_conflict")
            && sets(ctx, &setting)
            && ctx.states.of::<Plpgsql>().loaded
        {
            let text = format!("permission denied to set parameter \"{}\"", setting.set.name);
            let draft =
                Draft::new("only a superuser can set plpgsql.variable_conflict once PL/pgSQL is loaded")
                    .object(setting.lost())
                    .server(ServerError::new("42501", text))
                    .advice("Write #variable_conflict into the functions that need it.");
            let reason = "only a superuser can set plpgsql.variable_conflict";
            ctx.report(draft.fix(setting.without(statement, reason).lost(setting.lost())));
        }
        if setting.stored.is_none() || !sets(ctx, &setting) {
            continue;
        }
        let name = setting.set.name.as_str();
        let error = ServerError::new("42501", format!("permission denied to set parameter \"{name}\""));
        let mut draft = Draft::new(format!("only a superuser can store {name}")).object(setting.lost());
        if let Some((range, _)) = &setting.clause {
            draft = draft.at(range.clone());
        }
        if is_plpgsql(prefix) && PLPGSQL.contains(&rest.to_ascii_lowercase().as_str()) {
            if !ctx.states.of::<Plpgsql>().loaded {
                let lent = std::mem::replace(&mut ctx.states.of::<Plpgsql>().lent, true);
                let before = if lent { Vec::new() } else { vec!["DO $$BEGIN END$$;".into()] };
                ctx.report(
                    draft
                        .message(format!("{name} can be stored only once PL/pgSQL is loaded"))
                        .server(error)
                        .fix(FixDraft::surround("Load PL/pgSQL first", before, Vec::new())),
                );
            }
            continue;
        }
        let Some(error) = refusal(ctx, setting.set) else { continue };
        let mut fix =
            setting.without(statement, format!("only a superuser can store {name}")).lost(setting.lost());
        if setting.function {
            // The body may ask for the value.
            fix = fix.review();
        }
        let extension = ctx.target.allows_extension(prefix);
        draft = draft.advice(if prefix.eq_ignore_ascii_case("timescaledb") {
            "TimescaleDB has no such parameter any more.".to_owned()
        } else if extension {
            format!(
                "{prefix} is on the service's list of extensions: ask its support, or look in its console."
            )
        } else if setting.function {
            format!("Set it in the function's body: PERFORM set_config('{name}', …, true).")
        } else {
            format!("An application can set it when it connects: options=-c {name}=….")
        });
        ctx.report(draft.server(error).fix(fix));
    }
    // Making a PL/pgSQL function loads it (its validator runs), and so does a DO block.
    ctx.states.of::<Plpgsql>().loaded |= match node {
        NodeEnum::CreateFunctionStmt(s) => {
            option(&s.options, "language").and_then(option_text).is_some_and(is_plpgsql)
        }
        NodeEnum::DoStmt(s) => option(&s.args, "language").and_then(option_text).is_none_or(is_plpgsql),
        _ => false,
    };
}
