//! FDW-02: options of postgres_fdw that it does not take.

use std::collections::{BTreeMap, BTreeSet};

use crate::edit::Safety;
use crate::facts::names::{option_text, options, strict_truth};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "FDW-02",
    name: "foreign-option",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("options of foreign data that postgres_fdw refuses"),
    statements: &[
        StatementKind::CreateForeignServerStmt,
        StatementKind::AlterForeignServerStmt,
        StatementKind::CreateUserMappingStmt,
        StatementKind::CreateForeignTableStmt,
    ],
    after: &["FDW-01"],
    doc: Doc {
        summary: "An option of a server, a foreign table or a user mapping that postgres_fdw does not take.",
        what: "Options of servers on postgres_fdw, and of foreign tables, their columns and user mappings on servers that the \
               files create: names that it does not have there, values that it refuses, and, in ALTER SERVER, options that \
               are there already or are not.",
        why: "postgres_fdw looks at each option when the statement runs.",
        server: &[
            "HV00D invalid option \"nosuch\"",
            "22023 \"fetch_size\" must be an integer value greater than zero",
            "42601 use_remote_estimate requires a Boolean value",
            "42704 option \"port\" not found",
            "42710 option \"host\" provided more than once",
        ],
        help: "Write the option where it belongs: user and password stand in the user mapping, table_name in the foreign table.",
        before: "CREATE SERVER old FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'old.example', user 'shop');",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL contrib/postgres_fdw/option.c, postgres_fdw_validator, InitPgFdwOptions",
            "asked of 15.18, 17.12 and 18.6 with each option of libpq",
        ]),
        link: "https://www.postgresql.org/docs/current/postgres-fdw.html",
    },
    check,
    ..Rule::DEFAULT
};

/// The servers on postgres_fdw at this point, with the options of each.
#[derive(Clone, Debug, Default)]
struct Servers(BTreeMap<Box<str>, BTreeSet<Box<str>>>);

/// Options of libpq that stand with a server, of all versions.
const SERVER: &str = "service passfile channel_binding connect_timeout dbname host hostaddr port options application_name \
    keepalives keepalives_idle keepalives_interval keepalives_count tcp_user_timeout sslmode sslnegotiation sslcompression \
    sslcert sslkey sslcertmode sslrootcert sslcrl sslcrldir sslsni requirepeer require_auth min_protocol_version \
    max_protocol_version ssl_min_protocol_version ssl_max_protocol_version gssencmode krbsrvname gsslib gssdelegation \
    target_session_attrs load_balance_hosts fdw_startup_cost fdw_tuple_cost extensions parallel_commit keep_connections";
/// Those of both.
const BOTH: &str = "use_remote_estimate updatable truncatable fetch_size batch_size async_capable";
const MAPPING: &str = "user password sslpassword sslcert sslkey gssdelegation password_required";
/// Those that came later: the version, and whether they are a server's, a mapping's or a table's.
const NEWER: [(&str, u32, &str); 5] = [
    ("parallel_abort", 16, "server"),
    ("analyze_sampling", 16, "server"),
    ("analyze_sampling", 16, "table"),
    ("use_scram_passthrough", 18, "server"),
    ("use_scram_passthrough", 18, "mapping"),
];

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let fails = ctx.findings.iter().any(|finding| finding.severity == Severity::Error);
    let version = ctx.target.version;
    let judged = |place: &str, given: &[pg::Node]| judged(version, place, given, &BTreeSet::new());
    let of = |ctx: &Context<'_>, name: &str| {
        ctx.states.get::<Servers>().is_some_and(|servers| servers.0.contains_key(name))
    };
    let error = match node {
        NodeEnum::CreateForeignServerStmt(s) => {
            let error = (s.fdwname == "postgres_fdw").then(|| judged("server", &s.options)).flatten();
            let servers = &mut ctx.states.of::<Servers>().0;
            servers.remove(&*s.servername);
            if s.fdwname == "postgres_fdw" && error.is_none() && !fails {
                let names = options(&s.options).map(|option| option.defname.as_str().into());
                servers.insert(s.servername.as_str().into(), names.collect());
            }
            error
        }
        NodeEnum::AlterForeignServerStmt(s) => {
            let known = ctx.states.of::<Servers>().0.get_mut(&*s.servername);
            known.filter(|_| !fails).and_then(|known| {
                let error = self::judged(version, "server", &s.options, known);
                if error.is_none() {
                    change(known, &s.options);
                }
                error
            })
        }
        NodeEnum::CreateUserMappingStmt(s) if of(ctx, &s.servername) => judged("mapping", &s.options),
        NodeEnum::CreateForeignTableStmt(s) if of(ctx, &s.servername) => {
            let columns = s.base_stmt.iter().flat_map(|base| &base.table_elts);
            let mut of_columns = columns.filter_map(|column| match column.node.as_ref()? {
                NodeEnum::ColumnDef(column) => judged("column", &column.fdwoptions),
                _ => None,
            });
            of_columns.next().or_else(|| judged("table", &s.options))
        }
        _ => None,
    };
    let Some(error) = error.filter(|_| !fails) else { return };
    let words = created(node)
        .or_else(|| subject(node))
        .map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    ctx.report(Draft::new(format!("{words}: {}", error.text)).object(words.clone()).server(error));
}

fn change(known: &mut BTreeSet<Box<str>>, given: &[pg::Node]) {
    for option in options(given) {
        if option.defaction == pg::DefElemAction::DefelemDrop as i32 {
            known.remove(&*option.defname);
        } else {
            known.insert(option.defname.as_str().into());
        }
    }
}

/// What the server says of the first option that it refuses, of an object that has these already.
fn judged(version: u32, place: &str, given: &[pg::Node], has: &BTreeSet<Box<str>>) -> Option<ServerError> {
    use pg::DefElemAction as A;
    let mut has = has.clone();
    // First they are put together, then looked at.
    for option in options(given) {
        let name = &*option.defname;
        let action = A::try_from(option.defaction).unwrap_or(A::Undefined);
        match action {
            A::DefelemSet | A::DefelemDrop if !has.contains(name) => {
                return Some(ServerError::new("42704", format!("option \"{name}\" not found")));
            }
            A::DefelemDrop => {
                has.remove(name);
            }
            A::DefelemSet => {}
            _ if !has.insert(name.into()) => {
                return Some(ServerError::new("42710", format!("option \"{name}\" provided more than once")));
            }
            _ => {}
        }
    }
    let is_dropped = |option: &&pg::DefElem| option.defaction == A::DefelemDrop as i32;
    let among = |words: &str, name: &str| words.split_whitespace().any(|word| word == name);
    options(given).filter(|option| !is_dropped(option)).find_map(|option| {
        let name = &*option.defname;
        let is_known =
            match place {
                "server" => {
                    among(SERVER, name) || among(BOTH, name) // What newer libraries of libpq may bring is not judged.
                || name.starts_with("oauth_")
                }
                "mapping" => among(MAPPING, name),
                "table" => among(BOTH, name) || matches!(name, "schema_name" | "table_name"),
                _ => name == "column_name",
            } || NEWER.iter().any(|(newer, since, of)| *newer == name && *of == place && *since <= version);
        if !is_known {
            return Some(ServerError::new("HV00D", format!("invalid option \"{name}\"")));
        }
        let value = option_text(option)?;
        let refused = |text: String| Some(ServerError::new("22023", text));
        match name {
            "use_remote_estimate"
            | "updatable"
            | "truncatable"
            | "async_capable"
            | "parallel_commit"
            | "parallel_abort"
            | "keep_connections" => {
                let text = || format!("{name} requires a Boolean value");
                strict_truth(option).is_none().then(|| ServerError::new("42601", text()))
            }
            "fetch_size" | "batch_size" => match value.parse::<i64>() {
                Ok(number) if number > 0 => None,
                Ok(_) => refused(format!("\"{name}\" must be an integer value greater than zero")),
                Err(_) if value.bytes().all(|b| b.is_ascii_alphabetic()) => {
                    refused(format!("invalid value for integer option \"{name}\": {value}"))
                }
                Err(_) => None,
            },
            "fdw_startup_cost" | "fdw_tuple_cost" if value.starts_with('-') => {
                refused(format!("\"{name}\" must be a floating point value greater than or equal to zero"))
            }
            _ => None,
        }
    })
}
