//! What IN-06 finds beside tables: options of statements, queries and parameters that came after the target's
//! version. Seen on servers of 15, 17 and 18.

use serde_json::Value;

use super::newer::{Hit, PartitionedTables, mentions};
use crate::facts::ObjectId;
use crate::facts::names::{option, option_text, options, relation};
use crate::finding::ServerError;
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, Token, TokenKind, canonical, pg};
use crate::rule::Context;
use crate::rules::setting::settings::settings;

/// Options in brackets of VACUUM, ANALYZE and EXPLAIN with the version that brought them.
const OPTIONS: [(&str, u32); 7] = [
    ("process_main", 16),
    ("skip_database_stats", 16),
    ("only_database_stats", 16),
    ("buffer_usage_limit", 16),
    ("generic_plan", 16),
    ("serialize", 17),
    ("memory", 17),
];

/// Parameters that every user may set, with the version that brought them (`pg_settings` of 15, 17 and 18; release
/// notes tell 16 from 17).
const PARAMETERS: [(&str, u32); 16] = [
    ("createrole_self_grant", 16),
    ("debug_logical_replication_streaming", 16),
    ("debug_parallel_query", 16),
    ("enable_presorted_aggregate", 16),
    ("icu_validation_level", 16),
    ("scram_iterations", 16),
    ("vacuum_buffer_usage_limit", 16),
    ("enable_group_by_reordering", 17),
    ("io_combine_limit", 17),
    ("transaction_timeout", 17),
    ("enable_distinct_reordering", 18),
    ("enable_self_join_elimination", 18),
    ("file_copy_method", 18),
    ("md5_password_warnings", 18),
    ("vacuum_max_eager_freeze_failure_rate", 18),
    ("vacuum_truncate", 18),
];

/// Functions whose versions with so many arguments are newer than their name.
const ARGUMENTS: [(&str, usize, u32); 4] = [
    ("generate_series", 4, 16),
    ("random", 2, 17),
    ("json_strip_nulls", 2, 18),
    ("jsonb_strip_nulls", 2, 18),
];

/// Methods of a jsonpath that came with 17.
const METHODS: [&str; 11] = [
    "bigint",
    "boolean",
    "date",
    "decimal",
    "integer",
    "number",
    "string",
    "time",
    "time_tz",
    "timestamp",
    "timestamp_tz",
];

pub(crate) fn find(ctx: &Context<'_>, statement: &Statement<'_>, node: &NodeEnum, hits: &mut Vec<Hit>) {
    of_statement(ctx, statement, node, hits);
    partitioned(ctx, statement, node, hits);
    parameters(ctx, statement, hits);
    words(statement, hits);
    calls(ctx, statement, hits);
    queries(ctx, statement, node, hits);
}

fn of_statement(ctx: &Context<'_>, statement: &Statement<'_>, node: &NodeEnum, hits: &mut Vec<Hit>) {
    match node {
        NodeEnum::VacuumStmt(s) => {
            let verb = if s.is_vacuumcmd { "VACUUM" } else { "ANALYZE" };
            bracketed(statement, verb, &s.options, hits);
            let only = s.rels.iter().any(|rel| match &rel.node {
                Some(NodeEnum::VacuumRelation(rel)) => rel.relation.as_ref().is_some_and(|range| !range.inh),
                _ => false,
            });
            if only {
                hits.push(Hit::syntax(format!("{verb} ONLY"), 18, "ONLY").at(statement, &["ONLY"]));
            }
        }
        NodeEnum::ExplainStmt(s) => bracketed(statement, "EXPLAIN", &s.options, hits),
        NodeEnum::ReindexStmt(s) if s.relation.is_none() && s.name.is_empty() => {
            hits.push(Hit::syntax("REINDEX of the database without its name", 16, ";"));
        }
        NodeEnum::CreateStatsStmt(s) if s.defnames.is_empty() => {
            hits.push(Hit::syntax("CREATE STATISTICS without a name", 16, "ON").at(statement, &["ON"]));
        }
        NodeEnum::AlterOperatorStmt(s) => operator(statement, s, hits),
        NodeEnum::CopyStmt(s) => {
            if option(&s.options, "default").is_some() {
                let error = ServerError::new("42601", "option \"default\" not recognized");
                hits.push(Hit::new("DEFAULT of COPY", 16, error).at(statement, &["DEFAULT"]));
            }
            for name in ["force_null", "force_not_null"] {
                let all = option(&s.options, name).and_then(|option| option.arg.as_ref()?.node.as_ref());
                if matches!(all, Some(NodeEnum::AStar(_))) {
                    let error = ServerError::new(
                        "22023",
                        format!("argument to option \"{name}\" must be a list of column names"),
                    );
                    hits.push(
                        Hit::new(format!("{} *", name.to_ascii_uppercase()), 17, error)
                            .at(statement, &[name]),
                    );
                }
            }
            if option(&s.options, "log_verbosity")
                .and_then(option_text)
                .is_some_and(|value| value.eq_ignore_ascii_case("silent"))
                && ctx.target.version == 17
            {
                let error = ServerError::new("22023", "COPY LOG_VERBOSITY \"silent\" not recognized");
                hits.push(Hit::new("LOG_VERBOSITY silent", 18, error).at(statement, &["silent"]));
            }
        }
        _ => {}
    }
}

fn bracketed(statement: &Statement<'_>, verb: &str, nodes: &[pg::Node], hits: &mut Vec<Hit>) {
    for option in options(nodes) {
        let name = option.defname.to_ascii_lowercase();
        if let Some((name, since)) = OPTIONS.iter().find(|(known, _)| *known == name) {
            let error = ServerError::new("42601", format!("unrecognized {verb} option \"{name}\""));
            hits.push(
                Hit::new(format!("{} of {verb}", name.to_ascii_uppercase()), *since, error)
                    .at(statement, &[name]),
            );
        }
    }
}

fn operator(statement: &Statement<'_>, s: &pg::AlterOperatorStmt, hits: &mut Vec<Hit>) {
    for option in options(&s.options) {
        let name = option.defname.as_str();
        if !matches!(name, "merges" | "hashes" | "commutator" | "negator") {
            continue;
        }
        let what = format!("{} in ALTER OPERATOR", name.to_ascii_uppercase());
        let hit = if option.arg.is_none() {
            Hit::syntax(what, 17, ")")
        } else {
            let error = format!("operator attribute \"{name}\" cannot be changed");
            Hit::new(what, 17, ServerError::new("42601", error))
        };
        hits.push(hit.at(statement, &[name]));
    }
}

/// What partitioned tables could not have.
fn partitioned(ctx: &Context<'_>, statement: &Statement<'_>, node: &NodeEnum, hits: &mut Vec<Hit>) {
    use pg::AlterTableType as T;
    let is = |c: &pg::Constraint, kind: pg::ConstrType| c.contype == kind as i32;
    let exclusion = || {
        let error =
            ServerError::new("0A000", "exclusion constraints are not supported on partitioned tables");
        Hit::new("an exclusion constraint of a partitioned table", 17, error).at(statement, &["EXCLUDE"])
    };
    match node {
        NodeEnum::CreateStmt(s) if s.partspec.is_some() => {
            let has = s.table_elts.iter().any(|element| {
                matches!(&element.node, Some(NodeEnum::Constraint(c)) if is(c, pg::ConstrType::ConstrExclusion))
            });
            if has {
                hits.push(exclusion());
            }
            if !s.access_method.is_empty() {
                let error = ServerError::new(
                    "0A000",
                    "specifying a table access method is not supported on a partitioned table",
                );
                hits.push(
                    Hit::new("the access method of a partitioned table", 17, error).at(statement, &["USING"]),
                );
            }
        }
        NodeEnum::AlterTableStmt(s) => {
            let Some(range) = &s.relation else { return };
            let (schema, name) = relation(range);
            let id = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
            if !ctx.states.get::<PartitionedTables>().is_some_and(|tables| tables.0.contains(&id)) {
                return;
            }
            for command in &s.cmds {
                let Some(NodeEnum::AlterTableCmd(command)) = &command.node else { continue };
                let def = command.def.as_ref().and_then(|def| def.node.as_ref());
                match (T::try_from(command.subtype), def) {
                    (Ok(T::AtAddConstraint), Some(NodeEnum::Constraint(c)))
                        if is(c, pg::ConstrType::ConstrExclusion) =>
                    {
                        hits.push(exclusion());
                    }
                    (Ok(T::AtAddConstraint), Some(NodeEnum::Constraint(c)))
                        if is(c, pg::ConstrType::ConstrForeign) && c.skip_validation =>
                    {
                        let other = c.pktable.as_ref().map_or("", |table| table.relname.as_str());
                        let error = ServerError::new(
                            "42809",
                            format!(
                                "cannot add NOT VALID foreign key on partitioned table \"{name}\" referencing \
                                 relation \"{other}\""
                            ),
                        );
                        hits.push(
                            Hit::new("a foreign key NOT VALID of a partitioned table", 18, error)
                                .at(statement, &["NOT", "VALID"]),
                        );
                    }
                    (Ok(T::AtSetAccessMethod), _) => {
                        let error =
                            ServerError::new("42809", "cannot change access method of a partitioned table");
                        hits.push(
                            Hit::new("the access method of a partitioned table", 17, error)
                                .at(statement, &["ACCESS", "METHOD"]),
                        );
                    }
                    _ => {}
                }
            }
        }
        _ => {}
    }
}

/// Parameters that are stored or set. What stands at the head of a dump is IN-05's.
fn parameters(ctx: &Context<'_>, statement: &Statement<'_>, hits: &mut Vec<Hit>) {
    for setting in settings(ctx) {
        let name = setting.set.name.to_ascii_lowercase();
        let Some((_, since)) = PARAMETERS.iter().find(|(known, _)| *known == name) else { continue };
        let is_preamble = setting.stored.is_none() && name == "transaction_timeout";
        if is_preamble || !crate::rules::setting::settings::sets(ctx, &setting) {
            continue;
        }
        let error = ServerError::new(
            "42704",
            format!("unrecognized configuration parameter \"{}\"", setting.set.name),
        );
        let reason = format!("PostgreSQL {} has no {name}", ctx.target.version);
        let mut hit = Hit::new(format!("the parameter {name}"), *since, error)
            .fix(setting.without(statement, reason).lost(setting.lost()));
        hit.at = setting.clause.as_ref().map(|(range, _)| range.clone());
        hits.push(hit);
    }
}

/// What single words and signs tell.
fn words(statement: &Statement<'_>, hits: &mut Vec<Hit>) {
    let sql = statement.sql();
    if has(sql, "local") && statement.words_where(&["AT", "LOCAL"], |_| true).is_some() {
        hits.push(Hit::syntax("AT LOCAL", 17, "LOCAL").at(statement, &["AT", "LOCAL"]));
    }
    if has(sql, "matched") && statement.words_where(&["MATCHED", "BY"], |_| true).is_some() {
        hits.push(Hit::syntax("MERGE … NOT MATCHED BY", 17, "BY").at(statement, &["MATCHED", "BY"]));
    }
    let is_user = |token: &&Token| token.kind == TokenKind::Keyword && token.is_word(sql, "SYSTEM_USER");
    if has(sql, "system_user")
        && let Some(token) = statement.code().find(is_user)
    {
        let error = ServerError::new("42703", "column \"system_user\" does not exist");
        let mut hit = Hit::new("SYSTEM_USER", 16, error);
        hit.at = Some(Statement::token_range(token));
        hits.push(hit);
    }
    let is_number = |token: &&Token| {
        let text = token.text(sql).as_bytes();
        token.kind == TokenKind::Other
            && text.first().is_some_and(u8::is_ascii_digit)
            && (text.contains(&b'_')
                || text.get(1).is_some_and(|c| matches!(c, b'x' | b'X' | b'o' | b'O' | b'b' | b'B')))
    };
    if has_letters_in_numbers(sql)
        && let Some(token) = statement.code().find(is_number)
    {
        let text = token.text(sql);
        let error =
            ServerError::new("42601", format!("trailing junk after numeric literal at or near \"{text}\""));
        let mut hit = Hit::new(format!("the way {text} is written"), 16, error);
        hit.at = Some(Statement::token_range(token));
        hits.push(hit);
    }
    if has(sql, "jsonpath") {
        path_methods(statement, hits);
    }
}

/// True where the text holds this word in any case: tokens are read only where one is worth it.
fn has(sql: &str, word: &str) -> bool {
    mentions(sql, word.as_bytes(), |_| true)
}

/// True where digits that begin a word go on with `_`, `x`, `o` or `b`.
fn has_letters_in_numbers(sql: &str) -> bool {
    let mut in_word = false;
    let mut in_number = false;
    for byte in sql.bytes() {
        if in_number && matches!(byte.to_ascii_lowercase(), b'_' | b'x' | b'o' | b'b') {
            return true;
        }
        in_number = byte.is_ascii_digit() && (in_number || !in_word);
        in_word = byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
    }
    false
}

/// `'$.a.bigint()'::jsonpath`.
fn path_methods(statement: &Statement<'_>, hits: &mut Vec<Hit>) {
    let sql = statement.sql();
    let code: Vec<_> = statement.code().collect();
    let text = |index: usize| code.get(index).map_or("", |token| token.text(sql));
    for (index, token) in code.iter().enumerate() {
        if token.kind != TokenKind::String || text(index + 1) != "::" {
            continue;
        }
        let name = if text(index + 3) == "." { index + 4 } else { index + 2 };
        if !text(name).eq_ignore_ascii_case("jsonpath") {
            continue;
        }
        let path = token.text(sql);
        let Some(method) = METHODS.iter().find(|method| path.contains(&format!(".{method}("))) else {
            continue;
        };
        let error = ServerError::new("42601", "syntax error at or near \"(\" of jsonpath input");
        let mut hit = Hit::new(format!("the method {method}() of a jsonpath"), 17, error);
        hit.at = Some(Statement::token_range(token));
        hits.push(hit);
    }
}

fn calls(ctx: &Context<'_>, statement: &Statement<'_>, hits: &mut Vec<Hit>) {
    for reference in statement.references() {
        let known = reference.class == Class::Function
            && matches!(reference.schema.as_deref(), None | Some("pg_catalog"));
        let Some((name, count, since)) = ARGUMENTS.iter().find(|(name, count, _)| {
            known && *name == &*reference.name && reference.arguments == Some(*count)
        }) else {
            continue;
        };
        let own = ctx.facts.objects.keys().any(|id| id.class == Class::Function && &*id.name == *name);
        if own && reference.schema.is_none() {
            continue;
        }
        let error = ServerError::new("42883", format!("function {name}(…) does not exist"));
        let mut hit = Hit::new(format!("{name} with {count} arguments"), *since, error);
        hit.at = reference.location.and_then(|at| statement.name_at(usize::try_from(at).ok()?));
        hits.push(hit);
    }
}

/// What only the tree tells. It is walked where a word gives reason to.
fn queries(ctx: &Context<'_>, statement: &Statement<'_>, node: &NodeEnum, hits: &mut Vec<Hit>) {
    let sql = statement.sql();
    let is_returning = |token: &Token| token.is_word(sql, "RETURNING");
    let returns = ctx.target.version < 18
        && has(sql, "returning")
        && statement.code().any(is_returning)
        && !matches!(node, NodeEnum::RuleStmt(_));
    let infinite = ctx.target.version < 17
        && has(sql, "inf")
        && statement
            .code()
            .any(|token| token.kind == TokenKind::String && is_infinity(token.text(sql).trim_matches('\'')));
    let nameless = ctx.target.version < 16 && nested_query(statement);
    if !(returns || infinite || nameless) {
        return;
    }
    let tree = canonical(node);
    if returns {
        returning(statement, &tree, hits);
    }
    if infinite && any(&tree, &|value| is_infinite_interval(value)) {
        let error = ServerError::new("22007", "invalid input syntax for type interval: \"infinity\"");
        hits.push(Hit::new("an infinite interval", 17, error));
    }
    if nameless {
        let is_nameless = |value: &Value| {
            value.get("RangeSubselect").is_some_and(|query| query.get("alias").is_none_or(Value::is_null))
        };
        if any(&tree, &is_nameless) {
            let error = ServerError::new("42601", "subquery in FROM must have an alias")
                .hint("For example, FROM (SELECT ...) [AS] foo.");
            hits.push(Hit::new("a query in FROM without a name", 16, error));
        }
    }
}

/// A bracket that opens a query, not right behind a word such as IN or EXISTS.
fn nested_query(statement: &Statement<'_>) -> bool {
    let sql = statement.sql();
    let code: Vec<_> = statement.code().collect();
    code.windows(3).any(|window| {
        let [before, bracket, first] = window else { return false };
        bracket.text(sql) == "("
            && ["SELECT", "VALUES", "WITH", "("].iter().any(|word| first.text(sql).eq_ignore_ascii_case(word))
            && ["FROM", "JOIN", ",", "(", "LATERAL"]
                .iter()
                .any(|word| before.text(sql).eq_ignore_ascii_case(word))
    })
}

/// RETURNING old.x, and RETURNING WITH (OLD AS o).
fn returning(statement: &Statement<'_>, tree: &Value, hits: &mut Vec<Hit>) {
    if statement.words_where(&["RETURNING", "WITH"], |_| true).is_some() {
        hits.push(Hit::syntax("RETURNING WITH", 18, "WITH").at(statement, &["RETURNING", "WITH"]));
        return;
    }
    for name in ["old", "new"] {
        let is_named = |value: &Value| {
            ["aliasname", "relname", "ctename"]
                .iter()
                .any(|field| value.get(field).and_then(Value::as_str) == Some(name))
        };
        let is_used = |value: &Value| {
            let fields = value.pointer("/ColumnRef/fields").and_then(Value::as_array);
            fields.is_some_and(|fields| {
                fields.len() > 1
                    && fields.first().and_then(|field| field.pointer("/String/sval")).and_then(Value::as_str)
                        == Some(name)
            })
        };
        let in_returning = |value: &Value| {
            ["returning_clause", "returning_list"]
                .iter()
                .filter_map(|field| value.get(field))
                .any(|clause| any(clause, &is_used))
        };
        if any(tree, &in_returning) && !any(tree, &is_named) {
            let error = ServerError::new("42P01", format!("missing FROM-clause entry for table \"{name}\""));
            hits.push(
                Hit::new(format!("{} in RETURNING", name.to_ascii_uppercase()), 18, error)
                    .at(statement, &["RETURNING"]),
            );
            return;
        }
    }
}

fn is_infinity(text: &str) -> bool {
    text.trim().trim_start_matches(['+', '-']).eq_ignore_ascii_case("infinity")
}

fn is_infinite_interval(value: &Value) -> bool {
    let Some(cast) = value.get("TypeCast") else { return false };
    let names = cast.pointer("/type_name/names").and_then(Value::as_array);
    let last = names.and_then(|names| names.last()).and_then(|name| name.pointer("/String/sval"));
    last.and_then(Value::as_str) == Some("interval")
        && any(cast.get("arg").unwrap_or(&Value::Null), &|value| {
            value.get("sval").and_then(Value::as_str).is_some_and(is_infinity)
                || value.pointer("/Sval/sval").and_then(Value::as_str).is_some_and(is_infinity)
        })
}

/// True where the test takes the value or one in it.
fn any(value: &Value, test: &dyn Fn(&Value) -> bool) -> bool {
    test(value)
        || match value {
            Value::Object(fields) => fields.values().any(|value| any(value, test)),
            Value::Array(items) => items.iter().any(|value| any(value, test)),
            _ => false,
        }
}
