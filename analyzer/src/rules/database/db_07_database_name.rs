//! DB-07: The old database's name in a string.

use crate::edit::Safety;
use crate::facts::names::{option, option_text, qualified, quoted_path, string};
use crate::facts::objects::created;
use crate::finding::Severity;
use crate::input::connection_parameter;
use crate::parse::{NodeEnum, StatementKind, Token, TokenKind, Tokens, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::rules::TROUBLESHOOTING;

pub(crate) const RULE: Rule = Rule {
    id: "DB-07",
    name: "database-name",
    severity: Severity::Warning,
    fix: Safety::None,
    answers: Answers::limit(
        "database.name-literals",
        "The old name in functions and foreign servers. An application's own settings are not in a dump.",
    ),
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "The old database's name in a string.",
        what: "current_database() compared with a name, a connection string with dbname= the source's own database in the body of a function, and a foreign server with that dbname. Names of databases are known from \\connect and CREATE DATABASE.",
        why: "The database is called tsdb on the target. A comparison that was true is false there, and connections to the old name lead to the source or nowhere.",
        server: &["FATAL 3D000 database \"shop\" does not exist"],
        help: "Change the name to tsdb where the service itself is meant. It is left alone: it may as well mean another server.",
        before: "CREATE FUNCTION public.is_live() RETURNS boolean LANGUAGE sql AS $$ SELECT current_database() = 'shop' $$;",
        after: "",
        sources: Doc::sources(&[
            "timescale/docs, migrate/troubleshooting.md, Only one database per instance",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if let NodeEnum::CreateForeignServerStmt(s) = node {
        return server(ctx, s);
    }
    let found = match node {
        NodeEnum::CreateFunctionStmt(s) => {
            let body =
                option(&s.options, "as").and_then(|option| match option.arg.as_ref()?.node.as_ref()? {
                    NodeEnum::List(list) => list.items.first().and_then(string),
                    _ => None,
                });
            // A body that does not call it is not scanned.
            body.filter(|body| {
                body.contains("dbname")
                    || body.contains("current_database")
                    || body.contains("CURRENT_DATABASE")
            })
            .and_then(|body| literal(ctx, body, Tokens::scan(body).as_slice()))
        }
        // Rows are data, whatever they say.
        NodeEnum::InsertStmt(_) | NodeEnum::CopyStmt(_) => None,
        _ => {
            let named = statement.sql().contains("current_database");
            named.then(|| compared(ctx, statement.sql(), statement.tokens())).flatten()
        }
    };
    let Some(name) = found else { return };
    let object = match node {
        NodeEnum::CreateFunctionStmt(s) => {
            let path = qualified(&s.funcname).map(|(schema, name)| quoted_path(schema, name));
            format!("function {}", path.unwrap_or_default())
        }
        node => created(node).map_or_else(|| "this statement".into(), |object| ctx.describe(&object)),
    };
    let database = &ctx.target.database;
    ctx.report(
        Draft::new(format!(
            "{object} names database \"{name}\": on the target the database is called {database}"
        ))
        .object(object),
    );
}

/// The name of the source's database in a connection string or beside `current_database()`.
fn literal(ctx: &Context<'_>, body: &str, tokens: &[Token]) -> Option<String> {
    let known = |name: &String| {
        ctx.facts.databases.contains_key(&**name)
            && *name != ctx.target.database
            && !matches!(&**name, "postgres" | "template0" | "template1")
    };
    tokens
        .iter()
        .filter(|token| token.kind == TokenKind::String)
        .filter_map(|token| connection_parameter(unquoted(token.text(body)), "dbname"))
        .find(known)
        .or_else(|| compared(ctx, body, tokens))
}

/// `current_database() = 'name'`, either way round, and `current_database() IN ('name'`.
fn compared(ctx: &Context<'_>, sql: &str, tokens: &[Token]) -> Option<String> {
    let code: Vec<&Token> = tokens.iter().filter(|token| token.kind != TokenKind::Comment).collect();
    let text = |index: usize| code.get(index).map_or("", |token| token.text(sql));
    let constant = |index: usize| {
        code.get(index)
            .filter(|token| token.kind == TokenKind::String)
            .map(|token| unquoted(token.text(sql)).to_owned())
    };
    (0..code.len())
        .filter(|&index| {
            code.get(index).is_some_and(|token| token.is_word(sql, "current_database"))
                && text(index + 1) == "("
                && text(index + 2) == ")"
        })
        .find_map(|index| {
            // A cast between the two: current_database()::text, (current_database())::text.
            let mut after = index + 3;
            while text(after) == ")" || text(after) == "::" {
                after += if text(after) == "::" { 2 } else { 1 };
            }
            let behind = match text(after) {
                "=" | "<>" | "!=" => constant(after + 1).or_else(|| constant(after + 2)),
                word if word.eq_ignore_ascii_case("in") => constant(after + 2),
                _ => None,
            };
            let qualified = if index >= 2 && text(index - 1) == "." { index - 2 } else { index };
            let before = qualified
                .checked_sub(1)
                .filter(|&sign| matches!(text(sign), "=" | "<>" | "!="))
                .and_then(|sign| constant(sign.checked_sub(1)?));
            behind.or(before)
        })
        .filter(|name| *name != ctx.target.database)
}

fn unquoted(text: &str) -> &str {
    let text = text.trim_start_matches(['E', 'e', 'U', 'u', '&', 'N', 'n']);
    let inner = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    inner.unwrap_or_else(|| text.trim_matches('$'))
}

fn server(ctx: &mut Context<'_>, s: &pg::CreateForeignServerStmt) {
    let Some(name) = option(&s.options, "dbname").and_then(option_text) else { return };
    if name == ctx.target.database || !ctx.facts.databases.contains_key(name) {
        return;
    }
    let host = option(&s.options, "host").and_then(option_text).unwrap_or_default();
    let local = matches!(host, "" | "localhost" | "127.0.0.1" | "::1") || host.starts_with('/');
    let object = format!("server {}", s.servername);
    let draft = if local {
        Draft::new(format!(
            "{object} leads to database \"{name}\" of its own server, and the target has only {}",
            ctx.target.database
        ))
    } else {
        Draft::new(format!("{object} leads to a database \"{name}\": look whether it is the one that moves"))
            .severity(Severity::Note)
    };
    ctx.report(draft.object(object));
}
