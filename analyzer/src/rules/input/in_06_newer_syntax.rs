//! IN-06: syntax, privileges and options that came after the target's version.

use super::newer::{Hit, PartitionedTables, mentions};
use super::newer_clauses;
use super::newer_tables::{alter_table, is, table};
use crate::edit::Safety;
use crate::facts::names::{option, option_text, role, roles};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, Class, NodeEnum, Reference, StatementKind, canonical, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::function::bodies::body;
use crate::target::members;

pub(crate) const RULE: Rule = Rule {
    id: "IN-06",
    name: "newer-syntax",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "dump.newer-than-target",
        "Syntax, privileges, options and functions newer than the target; options of memberships are ROLE-06's.",
    ),
    also_answers: &["DATA-08", "COL-02", "PG-17", "PG-18"],
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "Something that PostgreSQL got after the target's version.",
        what: "The dump comes from a newer PostgreSQL than the target: constraints NOT ENFORCED, WITHOUT OVERLAPS or NOT \
               NULL as constraints of the table, virtual generated columns, OLD and NEW in RETURNING, foreign keys NOT \
               VALID of partitioned tables (18); the privilege MAINTAIN, the \
               builtin collation provider, JSON_TABLE and its like, AT LOCAL, MERGE … RETURNING and NOT MATCHED BY, \
               infinite intervals, exclusion constraints and access methods of partitioned tables (17); STORAGE of a \
               column in CREATE TABLE, IS JSON, JSON constructors, SYSTEM_USER, numbers such as 0xff and 1_000, queries \
               in FROM without a name (16); options of COPY, VACUUM, EXPLAIN and ALTER OPERATOR, parameters and \
               functions of the same versions. Bodies of functions that are strings are not read: those BEGIN ATOMIC \
               are.",
        why: "A server reads the syntax of its own version and older ones.",
        server: &[
            "42601 syntax error at or near \"…\"",
            "42601 unrecognized privilege type \"maintain\" (16 and older)",
            "42P17 unrecognized collation provider: builtin (16 and older)",
            "22023 unrecognized parameter \"autovacuum_vacuum_max_threshold\" (17 and older)",
            "42883 function uuidv7() does not exist (17 and older)",
            "42P01 missing FROM-clause entry for table \"old\" (17 and older)",
            "0A000 exclusion constraints are not supported on partitioned tables (16 and older)",
            "42809 cannot add NOT VALID foreign key on partitioned table \"p\" referencing relation \"t\" (17 and older)",
            "22007 invalid input syntax for type interval: \"infinity\" (16 and older)",
            "42704 unrecognized configuration parameter \"vacuum_truncate\" (17 and older)",
        ],
        help: "Best: create the service with the source's major version or a newer one. MAINTAIN is removed from lists of privileges, a NOT NULL constraint that ALTER TABLE adds becomes SET NOT NULL, and settings of newer parameters are removed. The rest has to be written in the older way by hand.",
        before: "ALTER TABLE ONLY public.orders\n    ADD CONSTRAINT orders_day_not_null NOT NULL day;",
        after: "ALTER TABLE ONLY public.orders\n    ALTER COLUMN day SET NOT NULL;",
        sources: Doc::sources(&[
            "PostgreSQL release notes 16, 17 and 18; src/backend/parser/gram.y of 15 to 18",
        ]),
        link: "https://www.postgresql.org/docs/release/",
    },
    check,
    ..Rule::DEFAULT
};

/// Functions of pg_catalog with the version that brought them (release notes 16 to 18).
const FUNCTIONS: [(&str, u32); 23] = [
    ("any_value", 16),
    ("array_sample", 16),
    ("array_shuffle", 16),
    ("date_add", 16),
    ("date_subtract", 16),
    ("erf", 16),
    ("erfc", 16),
    ("pg_input_is_valid", 16),
    ("random_normal", 16),
    ("to_bin", 17),
    ("to_oct", 17),
    ("unicode_version", 17),
    ("uuid_extract_timestamp", 17),
    ("uuid_extract_version", 17),
    ("xmltext", 17),
    ("array_reverse", 18),
    ("array_sort", 18),
    ("casefold", 18),
    ("crc32", 18),
    ("crc32c", 18),
    ("gamma", 18),
    ("uuidv4", 18),
    ("uuidv7", 18),
];

/// Nodes of expressions with the version that brought them and a word that the scanner sees there.
const NODES: [(&str, u32, &str, &str); 11] = [
    ("JsonIsPredicate", 16, "IS JSON", "JSON"),
    ("JsonObjectConstructor", 16, "JSON_OBJECT", "JSON_OBJECT"),
    ("JsonArrayConstructor", 16, "JSON_ARRAY", "JSON_ARRAY"),
    ("JsonArrayQueryConstructor", 16, "JSON_ARRAY", "JSON_ARRAY"),
    ("JsonObjectAgg", 16, "JSON_OBJECTAGG", "JSON_OBJECTAGG"),
    ("JsonArrayAgg", 16, "JSON_ARRAYAGG", "JSON_ARRAYAGG"),
    ("JsonTable", 17, "JSON_TABLE", "JSON_TABLE"),
    ("JsonParseExpr", 17, "JSON()", "JSON"),
    ("JsonScalarExpr", 17, "JSON_SCALAR", "JSON_SCALAR"),
    ("JsonSerializeExpr", 17, "JSON_SERIALIZE", "JSON_SERIALIZE"),
    ("JsonFuncExpr", 17, "JSON_VALUE, JSON_QUERY and JSON_EXISTS", ""),
];

fn check(ctx: &mut Context<'_>) {
    if ctx.target.version >= crate::target::NEWEST_VERSION {
        return;
    }
    let Some((statement, node)) = ctx.node() else { return };
    if let NodeEnum::CreateStmt(s) = node
        && s.partspec.is_some()
        && let Some(object) = ctx.created(node)
    {
        ctx.states.of::<PartitionedTables>().0.insert(object.id);
    }
    let mut hits = Vec::new();
    match node {
        NodeEnum::CreateStmt(s) => table(statement, s, &mut hits),
        NodeEnum::CreateForeignTableStmt(s) => {
            if let Some(base) = &s.base_stmt {
                table(statement, base, &mut hits);
            }
        }
        NodeEnum::AlterTableStmt(s) => alter_table(statement, s, &mut hits),
        NodeEnum::AlterDomainStmt(s) => {
            if let Some(NodeEnum::Constraint(c)) = s.def.as_ref().and_then(|def| def.node.as_ref())
                && is(c, pg::ConstrType::ConstrNotnull)
            {
                hits.push(Hit::syntax("a NOT NULL constraint that is added to a domain", 17, "NOT"));
            }
        }
        NodeEnum::GrantStmt(s) => maintain(statement, s, "/GrantStmt", &mut hits),
        NodeEnum::AlterDefaultPrivilegesStmt(s) => {
            if let Some(action) = &s.action {
                maintain(statement, action, "/AlterDefaultPrivilegesStmt/action", &mut hits);
            }
        }
        NodeEnum::DefineStmt(s) if s.kind == pg::ObjectType::ObjectCollation as i32 => {
            collation(statement, s, &mut hits);
        }
        NodeEnum::CreatePublicationStmt(s) if option(&s.options, "publish_generated_columns").is_some() => {
            let error = "unrecognized publication parameter: \"publish_generated_columns\"";
            hits.push(
                Hit::new("publish_generated_columns", 18, ServerError::new("42601", error))
                    .at(statement, &["publish_generated_columns"]),
            );
        }
        NodeEnum::CopyStmt(s) => {
            for (name, since) in [("on_error", 17), ("log_verbosity", 17), ("reject_limit", 18)] {
                if option(&s.options, name).is_some() {
                    let error = ServerError::new("42601", format!("option \"{name}\" not recognized"));
                    hits.push(Hit::new(name.to_ascii_uppercase(), since, error).at(statement, &[name]));
                }
            }
        }
        _ => {}
    }
    expressions(ctx, statement, node, &mut hits);
    body_in_sql(ctx, &mut hits);
    newer_clauses::find(ctx, statement, node, &mut hits);
    hits.retain(|hit| hit.since > ctx.target.version);
    if hits.is_empty() {
        return;
    }
    let object = created(node).or_else(|| subject(node)).map(|object| ctx.describe(&object));
    for hit in hits {
        let mut draft = Draft::new(format!(
            "{} came with PostgreSQL {}, and the target has {}",
            hit.what, hit.since, ctx.target.version
        ))
        .server(hit.error)
        .advice(format!("Create the service with PostgreSQL {} or newer.", hit.since));
        if let Some(object) = &object {
            draft = draft.object(object);
        }
        if let Some(at) = hit.at {
            draft = draft.at(at);
        }
        if let Some(fix) = hit.fix {
            draft = draft.fix(fix);
        }
        ctx.report(draft);
    }
}

fn maintain(statement: &Statement<'_>, s: &pg::GrantStmt, path: &str, hits: &mut Vec<Hit>) {
    let found = s.privileges.iter().position(|privilege| match &privilege.node {
        Some(NodeEnum::AccessPriv(privilege)) => privilege.priv_name == "maintain",
        _ => false,
    });
    let Some(index) = found else { return };
    // The privilege stands before ON.
    let on = statement.words(&["ON"]).map_or(0, |on| on.start);
    let word =
        statement.words_where(&["MAINTAIN"], |token| token.depth == 0 && (on == 0 || token.start < on));
    let Some(word) = word else { return };
    let fix = if s.privileges.len() == 1 {
        FixDraft::remove("only a newer server has MAINTAIN")
    } else {
        FixDraft::edit("Remove MAINTAIN")
            .delete(statement.list_item(&word))
            .change(Change::Remove(format!("{path}/privileges/{index}")))
    };
    let grantees: Vec<&str> = roles(&s.grantees).map(|spec| role(spec).unwrap_or("PUBLIC")).collect();
    let fix = if s.is_grant {
        fix.lost(format!("MAINTAIN (VACUUM, ANALYZE, REINDEX and their like) of {}", grantees.join(", ")))
    } else {
        fix
    };
    let error = ServerError::new("42601", "unrecognized privilege type \"maintain\"");
    let mut hit = Hit::new("the privilege MAINTAIN", 17, error).fix(fix);
    hit.at = Some(word);
    hits.push(hit);
}

fn collation(statement: &Statement<'_>, s: &pg::DefineStmt, hits: &mut Vec<Hit>) {
    let builtin = option(&s.definition, "provider")
        .and_then(option_text)
        .is_some_and(|provider| provider.eq_ignore_ascii_case("builtin"));
    if builtin {
        let error = ServerError::new("42P17", "unrecognized collation provider: builtin");
        hits.push(Hit::new("the builtin collation provider", 17, error).at(statement, &["builtin"]));
        let locale = option(&s.definition, "locale").and_then(option_text);
        if locale == Some("PG_UNICODE_FAST") {
            let error =
                ServerError::new("42809", "invalid locale name \"PG_UNICODE_FAST\" for builtin provider");
            hits.push(Hit::new("the locale PG_UNICODE_FAST", 18, error));
        }
    }
    if option(&s.definition, "rules").is_some() {
        let error = ServerError::new("42601", "collation attribute \"rules\" not recognized");
        hits.push(Hit::new("rules of a collation", 16, error).at(statement, &["rules"]));
    }
}

/// The version that brought a function, where it is the server's own.
fn brought_with(ctx: &Context<'_>, reference: &Reference) -> Option<(&'static str, u32)> {
    if reference.class != Class::Function || !matches!(reference.schema.as_deref(), None | Some("pg_catalog"))
    {
        return None;
    }
    let (name, since) = FUNCTIONS.iter().find(|(name, _)| *name == &*reference.name)?;
    // Without a schema it may be the dump's own, an extension's, or what a script finds.
    let is_declared = || ctx.facts.objects.keys().any(|id| id.class == Class::Function && &*id.name == *name);
    let is_of_extension = |extension: &str| members(extension).is_none_or(|of| of.has(Class::Function, name));
    let is_own = reference.schema.is_none()
        && (is_declared()
            || !ctx.facts.search_path.is_empty()
                && (ctx.facts.dynamic || ctx.facts.extensions.keys().any(|name| is_of_extension(name))));
    (!is_own).then_some((*name, *since))
}

/// The body of a function in SQL is looked at when the function is created.
fn body_in_sql(ctx: &mut Context<'_>, hits: &mut Vec<Hit>) {
    let Some((_, NodeEnum::CreateFunctionStmt(s))) = ctx.node() else { return };
    let is_sql = option(&s.options, "language")
        .and_then(option_text)
        .is_some_and(|name| name.eq_ignore_ascii_case("sql"));
    if !is_sql || s.sql_body.is_some() || ctx.facts.session.now.unchecked_bodies {
        return;
    }
    for part in body(ctx).iter() {
        let found = part.parsed().references().iter().find_map(|reference| brought_with(ctx, reference));
        if let Some((name, since)) = found {
            let error = ServerError::new("42883", format!("function {name}(…) does not exist"));
            hits.push(Hit::new(format!("the function {name}"), since, error));
        }
    }
}

fn expressions(ctx: &Context<'_>, statement: &Statement<'_>, node: &NodeEnum, hits: &mut Vec<Hit>) {
    for reference in statement.references() {
        if let Some((name, since)) = brought_with(ctx, reference) {
            let error = ServerError::new("42883", format!("function {name}(…) does not exist"));
            let mut hit = Hit::new(format!("the function {name}"), since, error);
            hit.at = reference.location.and_then(|at| statement.name_at(usize::try_from(at).ok()?));
            hits.push(hit);
        }
    }
    // Tokens and the tree are looked at only where a word gives reason to: jsonb is everywhere.
    let sql = statement.sql();
    let worth = mentions(sql, b"json", |next| next != b'b' && next != b'B')
        || mentions(sql, b"merge", |next| next.is_ascii_whitespace() || next == b'/');
    if worth {
        walk(&canonical(node), statement, hits);
    }
}

fn walk(value: &serde_json::Value, statement: &Statement<'_>, hits: &mut Vec<Hit>) {
    match value {
        serde_json::Value::Object(fields) => {
            for (name, field) in fields {
                if let Some((_, since, what, word)) = NODES.iter().find(|(node, ..)| node == name) {
                    let word = match *word {
                        "" => ["JSON_VALUE", "JSON_QUERY", "JSON_EXISTS"]
                            .into_iter()
                            .find(|word| statement.words_where(&[word], |_| true).is_some())
                            .unwrap_or_default(),
                        word => word,
                    };
                    let error = json_error(statement, word);
                    hits.push(Hit::new(*what, *since, error).at(statement, &[word]));
                }
                let returns = ["returning_list", "returning_clause"].into_iter().any(|name| {
                    field.get(name).is_some_and(|value| match value {
                        serde_json::Value::Array(items) => !items.is_empty(),
                        value => !value.is_null(),
                    })
                });
                if name == "MergeStmt" && returns {
                    hits.push(
                        Hit::syntax("MERGE … RETURNING", 17, "RETURNING").at(statement, &["RETURNING"]),
                    );
                }
                walk(field, statement, hits);
            }
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| walk(item, statement, hits)),
        _ => {}
    }
}

/// An older server knows these words as names of functions only: it stumbles over the first word that no
/// argument of a function has, or does not find the function.
fn json_error(statement: &Statement<'_>, word: &str) -> ServerError {
    const CLAUSES: [&str; 14] = [
        "COLUMNS",
        "AS",
        "RETURNING",
        "VALUE",
        ":",
        "PASSING",
        "WITH",
        "WITHOUT",
        "ABSENT",
        "KEEP",
        "OMIT",
        "EMPTY",
        "ERROR",
        "FORMAT",
    ];
    let sql = statement.sql();
    let syntax = |near: &str| ServerError::new("42601", format!("syntax error at or near \"{near}\""));
    let mut code = statement.code().skip_while(|token| !token.is_word(sql, word));
    let name = code.next();
    let depth = name.map_or(0, |token| token.depth);
    if code.next().is_none_or(|bracket| bracket.text(sql) != "(") {
        // IS JSON.
        return syntax(name.map_or(word, |token| token.text(sql)));
    }
    let stop = code
        .take_while(|token| token.depth > depth)
        .filter(|token| token.depth == depth + 1)
        .find(|token| CLAUSES.iter().any(|clause| token.text(sql).eq_ignore_ascii_case(clause)));
    match stop {
        Some(token) => syntax(token.text(sql)),
        None => {
            ServerError::new("42883", format!("function {}(…) does not exist", word.to_ascii_lowercase()))
        }
    }
}
