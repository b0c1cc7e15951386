//! COL-02: collations of the source's operating system.

use std::ops::Range;

use serde_json::{Value, json};

use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{option, option_text, options, quoted};
use crate::facts::objects::{created, subject};
use crate::finding::{ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Change, Class, NodeEnum, StatementKind, canonical, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::{paths, value};
use crate::rules::function::bodies::body;
use crate::target::{icu_of_locale, is_locale, is_newer_collation, is_no_icu_collation, may_be_collation};
use crate::text::Position;

pub(crate) const RULE: Rule = Rule {
    id: "COL-02",
    name: "missing-collation",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit(
        "create-collation",
        "Collations of missing locales become ICU's; what is newer than the target is IN-06's.",
    ),
    also_answers: &["SU-22"],
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "Collations of the C library that the target's operating system does not have.",
        what: "CREATE COLLATION of provider libc with a locale such as de_DE.utf8, COLLATE \
               pg_catalog.\"de_DE.utf8\" of a column, index or expression, and in a body in SQL where the session has \
               the server look at bodies; any name behind pg_catalog that no PostgreSQL has. What is newer than the target in \
               collations (provider builtin, RULES) is IN-06's.",
        why: "A libc collation needs the locale on the server's machine. The service has C, POSIX, C.UTF-8 and \
               en_US.UTF-8 only. ICU collations of all languages are everywhere.",
        server: &[
            "22023 could not create locale \"de_DE.utf8\": No such file or directory",
            "42704 collation \"pg_catalog.de_DE.utf8\" for encoding \"UTF8\" does not exist",
        ],
        help: "The ICU collation of the same language takes its place: it sorts by the rules of the Unicode \
               consortium, libc by those of the C library; they agree in most of what a person would notice. Look \
               at unique keys and range partitions on such columns.",
        before: "CREATE COLLATION app.german (provider = libc, locale = 'de_DE.utf8');",
        after: "CREATE COLLATION app.german (provider = icu, locale = 'de-DE');",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/commands/collationcmds.c, DefineCollation",
            "PostgreSQL src/backend/utils/adt/pg_locale.c, report_newlocale_failure",
        ]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    if let NodeEnum::DefineStmt(s) = node
        && s.kind == pg::ObjectType::ObjectCollation as i32
    {
        definition(ctx, statement, s);
    }
    uses(ctx, statement, node);
    if let NodeEnum::CreateFunctionStmt(s) = node {
        in_body(ctx, statement, s);
    }
}

fn definition(ctx: &mut Context<'_>, statement: &Statement<'_>, s: &pg::DefineStmt) {
    let Some(object) = created(statement.node()) else { return };
    let words = ctx.describe(&object);
    let text = |name: &str| option(&s.definition, name).and_then(option_text);
    let provider = text("provider").map_or("libc".to_owned(), str::to_ascii_lowercase);
    let place = |name: &str| {
        options(&s.definition).enumerate().find(|(_, option)| option.defname.eq_ignore_ascii_case(name))
    };
    // A value is a string in the tree, or a name where it was written without quotes.
    let path = |index: usize, option: &pg::DefElem| {
        let arg = option.arg.as_ref().and_then(|arg| arg.node.as_ref());
        let rest = match arg {
            Some(NodeEnum::TypeName(_)) => "TypeName/names/0/String/sval",
            _ => "String/sval",
        };
        format!("/DefineStmt/definition/{index}/DefElem/arg/{rest}")
    };
    if provider != "libc" {
        return;
    }
    let (Some(collate), Some(ctype)) =
        (text("locale").or(text("lc_collate")), text("locale").or(text("lc_ctype")))
    else {
        return;
    };
    let Some(missing) = [collate, ctype].into_iter().find(|name| !ctx.target.has_locale(name)) else {
        return;
    };
    let server = ServerError::new(
        "22023",
        format!("could not create locale \"{missing}\": No such file or directory"),
    )
    .detail(format!(
        "The operating system could not find any locale data for the locale name \"{missing}\"."
    ));
    let lost = format!("order by the C library's {collate} in {words}: ICU's takes its place");
    let fix = icu_of_locale(collate).and_then(|new| {
        let mut fix = FixDraft::edit(format!("Use ICU's {new}"));
        match place("provider") {
            Some((index, option)) => {
                fix = fix
                    .replace(value(statement, option)?, "icu")
                    .change(Change::set_str(path(index, option), "icu"));
            }
            // Without one it is libc: written anew below.
            None => return None,
        }
        let (index, option) = place("locale")?;
        Some(fix.replace(value(statement, option)?, format!("'{new}'")).change(Change::Set(
            format!("/DefineStmt/definition/{index}/DefElem/arg"),
            json!({"String": {"sval": new}}),
        )))
    });
    let fix = fix.or_else(|| {
        // lc_collate and lc_ctype, as old dumps write it, or no provider.
        let new = icu_of_locale(collate)?;
        let rest = options(&s.definition).all(|o| {
            matches!(o.defname.as_str(), "locale" | "lc_collate" | "lc_ctype" | "provider" | "version")
        });
        rest.then(|| {
            let name = object.id.path();
            FixDraft::replace_with(
                format!("Use ICU's {new}"),
                vec![format!("CREATE COLLATION {name} (provider = icu, locale = '{new}');")],
            )
        })
    });
    let fix = match fix {
        Some(fix) => fix.lost(lost),
        None => FixDraft::remove(format!("there is no locale {missing}")).review().lost(words.clone()),
    };
    let at = place("locale").or_else(|| place("lc_collate")).and_then(|(_, option)| value(statement, option));
    let draft = Draft::new(format!("{words} needs locale {missing}, which the target does not have"))
        .object(words)
        .server(server)
        .fix(fix);
    ctx.report(match at {
        Some(range) => draft.at(range),
        None => draft,
    });
}

/// True for a collation that `pg_catalog` does not have and that nothing before creates.
fn is_missing(ctx: &Context<'_>, schema: Option<&str>, name: &str) -> bool {
    if schema.is_some_and(|schema| schema != "pg_catalog") {
        return false;
    }
    let own = ctx.resolved(&ObjectId::new(Class::Collation, schema, name));
    let version = ctx.target.version;
    let missing = match &ctx.target.live_collations {
        Some(live) => !live.contains(name),
        None if !may_be_collation(name, version, &ctx.target.locales) => {
            // Another schema may have what is not named as a system's are.
            schema.is_some() || is_of_system(name) || is_newer_collation(name, version)
        }
        None => false,
    };
    missing && !ctx.facts.declares(&own)
}

/// Collations of pg_catalog that were made of the source's locales when its cluster was.
fn uses(ctx: &mut Context<'_>, statement: &Statement<'_>, node: &NodeEnum) {
    let found = statement
        .references()
        .iter()
        .find(|r| r.class == Class::Collation && is_missing(ctx, r.schema.as_deref(), &r.name));
    let Some((schema, name)) = found.map(|r| (r.schema.clone(), r.name.to_string())) else { return };
    // The C locale's is the same one, as the system spells it.
    let new = if name == "C.UTF-8" {
        Some("C.utf8".to_owned())
    } else {
        icu_of_locale(&name).map(|locale| format!("{locale}-x-icu"))
    };
    let new = new.filter(|new| ctx.target.live_collations.as_ref().is_none_or(|live| live.contains(new)));
    let object = created(node).or_else(|| subject(node));
    let words = object.map_or_else(|| "this statement".to_owned(), |object| ctx.describe(&object));
    // The name is an identifier after COLLATE (or FROM), at the end of a qualified name.
    let sql = statement.sql();
    let ranges: Vec<Range<usize>> = statement
        .code()
        .filter(|token| token.identifier(sql).as_deref() == Some(&*name))
        .map(|token| token.start..token.end)
        .collect();
    let Some(first) = ranges.first().cloned() else { return };
    let tree = canonical(node);
    let places = paths(&tree, &|value| value.get("sval").and_then(Value::as_str) == Some(&*name));
    let draft = Draft::new(format!("{words} needs collation \"{name}\", which the target does not have"))
        .at(first)
        .object(words.clone())
        .server(not_there(schema.as_deref(), &name));
    let Some(new) = new else {
        ctx.report(draft.advice("Write a collation that the target has: SELECT collname FROM pg_collation;"));
        return;
    };
    let whose = if new.ends_with("-x-icu") { "ICU's " } else { "" };
    let mut fix = FixDraft::edit(format!("Use {whose}{new}"));
    for range in ranges {
        fix = fix.replace(range, quoted(&new));
    }
    for place in places {
        fix = fix.change(Change::set_str(format!("{place}/sval"), &new));
    }
    ctx.report(
        draft.fix(fix.lost(format!("order by collation {name} in {words}: {whose}{new} takes its place"))),
    );
}

/// The server's words.
fn not_there(schema: Option<&str>, name: &str) -> ServerError {
    let shown = schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"));
    ServerError::new("42704", format!("collation \"{shown}\" for encoding \"UTF8\" does not exist"))
}

/// A body in SQL, which the server looks through when the function is created.
fn in_body(ctx: &mut Context<'_>, statement: &Statement<'_>, s: &pg::CreateFunctionStmt) {
    let language = option(&s.options, "language").and_then(option_text).unwrap_or("sql");
    if ctx.facts.session.now.unchecked_bodies || !language.eq_ignore_ascii_case("sql") || ctx.is_removed() {
        return;
    }
    for part in body(ctx).iter() {
        let start = Position { line: 1, column: 1 };
        let inner = Statement::new(part.sql(), part.parsed(), 0, 0, 0, start);
        let Some(found) = inner.references().iter().find(|reference| {
            reference.class == Class::Collation
                && is_missing(ctx, reference.schema.as_deref(), &reference.name)
        }) else {
            continue;
        };
        let name = &*found.name;
        let words = created(statement.node()).map_or_else(String::new, |object| ctx.describe(&object));
        let at = inner
            .code()
            .find(|token| token.identifier(inner.sql()).as_deref() == Some(name))
            .map(|token| part.range(&(token.start..token.end)));
        let draft = Draft::new(format!(
            "the body of {words} needs collation \"{name}\", which the target does not have"
        ))
        .object(words)
        .server(not_there(found.schema.as_deref(), name))
        .advice("Write a collation that the target has: SELECT collname FROM pg_collation;");
        ctx.report(match at {
            Some(range) if !range.is_empty() => draft.at(range),
            _ => draft,
        });
        return;
    }
}

/// True for names of collations that initdb makes of the locales of the system or of an ICU: `de_DE.utf8`, `zh-CN-x-icu`
/// of no version, `English_United States.1252`.
fn is_of_system(name: &str) -> bool {
    name.strip_suffix("-x-icu").map_or_else(|| is_locale(name) || name.starts_with("C."), is_no_icu_collation)
}
