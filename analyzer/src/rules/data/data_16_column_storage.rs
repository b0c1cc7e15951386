//! DATA-16: how columns are stored: words that the server does not know, and types that do not take them.

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{relation, string};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Rule};
use crate::rules::known_type::{KnownType, column_type, known_type};
use crate::target::is_toastable;

pub(crate) const RULE: Rule = Rule {
    id: "DATA-16",
    name: "column-storage",
    severity: Severity::Error,
    fix: Safety::None,
    answers: Answers::purpose("ways to store a column that no server has, or that its type does not take"),
    statements: &[StatementKind::CreateStmt, StatementKind::AlterTableStmt],
    after: &["IN-06", "DATA-14"],
    doc: Doc {
        summary: "STORAGE or COMPRESSION of a column that the server refuses.",
        what: "STORAGE and COMPRESSION with a word that PostgreSQL does not have (zstd of a fork), or of a column whose values are \
               never stored outside of their row: numbers, dates, uuid, enums. SET (…) of a sequence.",
        why: "The server takes the ways that it knows, of types that can be stored so.",
        server: &[
            "22023 invalid storage type \"funny\"",
            "22023 invalid compression method \"zstd\"",
            "0A000 column data type integer can only have storage PLAIN",
            "0A000 column data type integer does not support compression",
            "42809 ALTER action SET cannot be performed on relation \"s\"",
        ],
        help: "Leave it out: it says how values are stored, not what they are. PostgreSQL compresses with pglz and lz4.",
        before: "CREATE TABLE public.events (body text COMPRESSION zstd);",
        after: "",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/tablecmds.c, GetAttributeStorage, GetAttributeCompression",
            "asked of 15.18, 17.12 and 18.6",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-altertable.html",
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    if ctx.findings.iter().any(|finding| finding.severity == Severity::Error) {
        return;
    }
    let error = match node {
        NodeEnum::CreateStmt(s) => s.table_elts.iter().find_map(|element| match element.node.as_ref()? {
            NodeEnum::ColumnDef(column) => of_definition(ctx, column),
            _ => None,
        }),
        NodeEnum::AlterTableStmt(s) => s.cmds.iter().find_map(|command| match command.node.as_ref()? {
            NodeEnum::AlterTableCmd(command) => of_command(ctx, s, command),
            _ => None,
        }),
        _ => None,
    };
    let Some(error) = error else { return };
    let object = created(node).or_else(|| subject(node));
    let words = object.map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    ctx.report(Draft::new(format!("{words}: {}", error.text)).object(words).server(error));
}

fn of_definition(ctx: &Context<'_>, column: &pg::ColumnDef) -> Option<ServerError> {
    let known = || known_type(ctx, column.type_name.as_ref()?);
    let storage = || {
        let word = Some(column.storage_name.as_str()).filter(|word| !word.is_empty())?;
        storage(word, known())
    };
    let word = Some(column.compression.as_str()).filter(|word| !word.is_empty());
    // The server looks at compression first.
    word.and_then(|word| compression(word, known())).or_else(storage)
}

fn of_command(ctx: &Context<'_>, s: &pg::AlterTableStmt, command: &pg::AlterTableCmd) -> Option<ServerError> {
    use pg::AlterTableType as T;
    let range = s.relation.as_ref()?;
    let (schema, name) = relation(range);
    let known = || {
        let table = ctx.resolved(&ObjectId::new(Class::Relation, schema, name));
        column_type(ctx, &table, None, &command.name)
    };
    let word = || command.def.as_ref().and_then(|def| string(def));
    match T::try_from(command.subtype).ok()? {
        T::AtSetStorage => storage(word()?, known()),
        T::AtSetCompression => compression(word()?, known()),
        T::AtAddColumn => match command.def.as_ref()?.node.as_ref()? {
            NodeEnum::ColumnDef(column) => of_definition(ctx, column),
            _ => None,
        },
        T::AtSetRelOptions if s.objtype == pg::ObjectType::ObjectSequence as i32 => Some(ServerError::new(
            "42809",
            format!("ALTER action SET cannot be performed on relation \"{name}\""),
        )),
        _ => None,
    }
}

fn storage(word: &str, known: Option<KnownType<'_>>) -> Option<ServerError> {
    let lower = word.to_ascii_lowercase();
    if !matches!(&*lower, "plain" | "external" | "extended" | "main" | "default") {
        return Some(ServerError::new("22023", format!("invalid storage type \"{word}\"")));
    }
    let known = known.filter(|known| is_toastable(known.base) == Some(false))?;
    let text = || format!("column data type {} can only have storage PLAIN", known.shown);
    (!matches!(&*lower, "plain" | "default")).then(|| ServerError::new("0A000", text()))
}

fn compression(word: &str, known: Option<KnownType<'_>>) -> Option<ServerError> {
    if word == "default" {
        return None;
    }
    if let Some(known) = known.filter(|known| is_toastable(known.base) == Some(false)) {
        let text = format!("column data type {} does not support compression", known.shown);
        return Some(ServerError::new("0A000", text));
    }
    let text = || format!("invalid compression method \"{word}\"");
    (!matches!(word, "pglz" | "lz4")).then(|| ServerError::new("22023", text()))
}
