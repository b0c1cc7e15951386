//! SU-20: objects and rows of the server's own schemas.

use crate::edit::Safety;
use crate::facts::names::relation;
use crate::facts::objects::{created, subject};
use crate::facts::{Object, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::target::{is_builtin, is_builtin_operator_class, is_builtin_template, is_in_information_schema};

pub(crate) const RULE: Rule = Rule {
    id: "SU-20",
    name: "catalog-object",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("pg_catalog-object", "Objects and rows of pg_catalog."),
    statements: StatementKind::ALL,
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    doc: Doc {
        summary: "Changes in pg_catalog and information_schema.",
        what: "CREATE of an object in pg_catalog, ALTER and COMMENT on one of the server's objects, INSERT, \
               UPDATE, DELETE and COPY into its tables.",
        why: "The superuser owns the server's schemas and tables.",
        server: &[
            "42501 permission denied for schema pg_catalog",
            "42501 must be owner of function pg_catalog.now",
            "42501 permission denied for table pg_class",
        ],
        help: "Put the object into a schema of yours and add that to search_path. A comment on one of the server's \
               objects is left out by itself; for all else look at what it is for: --accept SU-20 leaves it out.",
        before: "CREATE FUNCTION pg_catalog.first_word(text) RETURNS text\n    LANGUAGE sql\n    AS $_$select split_part($1, ' ', 1)$_$;",
        after: "",
        sources: Doc::sources(&["PostgreSQL src/backend/catalog/aclchk.c"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    let is_comment = matches!(node, NodeEnum::CommentStmt(_));
    let in_server = |object: &Object| {
        let schema = object.id.schema.as_deref().or(match object.id.class {
            Class::Schema => Some(&*object.id.name),
            Class::Relation
                if is_builtin(Class::Relation, &object.id.name) && !comes_first(ctx, &object.id) =>
            {
                Some("pg_catalog")
            }
            _ if is_comment && is_servers_own(ctx, &object.id) => Some("pg_catalog"),
            _ => None,
        });
        // Casts, transforms and user mappings are in no schema.
        object.id.class != Class::Nameless
            && schema.is_some_and(|schema| matches!(schema, "pg_catalog" | "information_schema"))
    };
    let made =
        created(node).filter(|_| !matches!(node, NodeEnum::IndexStmt(_) | NodeEnum::CreateSchemaStmt(_)));
    if let Some(object) = made.filter(|object| object.id.schema.is_some() && in_server(object)) {
        if matches!(object.id.class, Class::Attached) {
            return;
        }
        let schema = object.id.schema.as_deref().unwrap_or("pg_catalog");
        let words = ctx.describe(&object);
        // Some tools dump information_schema too: the target has its own.
        let fix = if schema == "information_schema" && is_in_information_schema(&object.id.name) {
            FixDraft::remove(format!("the target has its own {schema}")).present()
        } else {
            FixDraft::remove(format!("nothing can be created in {schema}")).review().lost(words.clone())
        };
        let draft = Draft::new(format!("{words} would be in a schema of the server"))
            .object(words)
            .server(ServerError::new("42501", format!("permission denied for schema {schema}")))
            .fix(fix);
        ctx.report(draft);
        return;
    }
    if ctx.facts.subject_absence(node).is_some() {
        return;
    }
    let writes = match node {
        NodeEnum::InsertStmt(_) | NodeEnum::UpdateStmt(_) | NodeEnum::DeleteStmt(_) => true,
        NodeEnum::CopyStmt(s) if s.is_from => true,
        NodeEnum::AlterFunctionStmt(_)
        | NodeEnum::AlterTableStmt(_)
        | NodeEnum::CommentStmt(_)
        | NodeEnum::AlterObjectSchemaStmt(_)
        | NodeEnum::IndexStmt(_)
        | NodeEnum::DropStmt(_) => false,
        _ => return,
    };
    let target = match node {
        NodeEnum::UpdateStmt(s) => s.relation.as_ref().map(table),
        NodeEnum::DeleteStmt(s) => s.relation.as_ref().map(table),
        _ => subject(node),
    };
    let Some(object) = target.filter(in_server) else { return };
    // What pg_dumpall --clean does to pg_database is DB-05's; pg_settings is there to be written.
    if matches!(&*object.id.name, "pg_database" | "pg_settings") {
        return;
    }
    let words = object.to_string();
    let (message, error) = if writes {
        let table = &object.id.name;
        (format!("only a superuser can write {words}"), format!("permission denied for table {table}"))
    } else {
        let owned = if object.word == "table" { object.id.name.to_string() } else { object.id.path() };
        let error = match object.id.class {
            Class::AccessMethod | Class::TextSearchParser | Class::TextSearchTemplate => {
                "must be superuser".to_owned()
            }
            _ => format!("must be owner of {} {owned}", object.word),
        };
        (format!("{words} belongs to the superuser"), error)
    };
    let fix = FixDraft::remove(format!("{words} is the server's own"));
    let fix = match node {
        NodeEnum::CommentStmt(_) => fix.lost(format!("comment on {words}")),
        _ if writes => fix.review().lost(format!("changes of rows in {words}")),
        _ => fix.review().lost(format!("change of {words}")),
    };
    ctx.report(Draft::new(message).object(words).server(ServerError::new("42501", error)).fix(fix));
}

/// True where this name without a schema is one of the server's own objects: nothing on search_path goes by it.
fn is_servers_own(ctx: &Context<'_>, id: &ObjectId) -> bool {
    let builtin = match id.class {
        Class::Function | Class::Operator | Class::AccessMethod => is_builtin(id.class, &id.name),
        Class::OperatorClass => is_builtin_operator_class(&id.name),
        Class::Collation => matches!(&*id.name, "C" | "POSIX" | "default" | "ucs_basic"),
        Class::TextSearchParser => &*id.name == "default",
        Class::TextSearchTemplate => is_builtin_template(&id.name),
        _ => false,
    };
    let own = ctx.resolved(id);
    builtin && id.schema.is_none() && !ctx.facts.declares(&own) && !ctx.facts.overloads.contains_key(&own)
}

/// True where search_path names a schema with a table of the dump's own before it names pg_catalog, which else comes first.
fn comes_first(ctx: &Context<'_>, id: &ObjectId) -> bool {
    let path = &ctx.facts.search_path;
    let last = path.iter().position(|schema| &**schema == "pg_catalog").unwrap_or(0);
    path.iter().take(last).any(|schema| {
        ctx.facts.relations.contains_key(&ObjectId::new(Class::Relation, Some(schema), &id.name))
    })
}

fn table(range: &pg::RangeVar) -> Object {
    let (schema, name) = relation(range);
    Object { word: "table", id: ObjectId::new(Class::Relation, schema, name) }
}
