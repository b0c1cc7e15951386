//! SU-20: objects and rows of the server's own schemas.

use crate::edit::Safety;
use crate::facts::names::{qualified, relation, shown_type};
use crate::facts::objects::{cast_types, created, dropped, signature, subject};
use crate::facts::{Object, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, InBodies, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::clauses::is_superusers_type;
use crate::target::{
    is_builtin, is_builtin_operator_class, is_in_information_schema, may_be_builtin_call, may_be_in_catalog,
};

use super::su_10_builtin_cast::server_name;

pub(crate) const RULE: Rule = Rule {
    id: "SU-20",
    name: "catalog-object",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("pg_catalog-object", "Objects and rows of pg_catalog."),
    statements: StatementKind::ALL,
    in_bodies: InBodies::Yes { queries: false, by_name: false },
    after: &["OWN-01"],
    doc: Doc {
        summary: "Changes in pg_catalog and information_schema.",
        what: "CREATE of an object in pg_catalog; ALTER, DROP and COMMENT on one of the server's objects, with the \
               schema or without, triggers, rules, policies and statistics on its tables; INSERT, UPDATE, DELETE, \
               TRUNCATE and COPY into them.",
        why: "The superuser owns the server's schemas and tables.",
        server: &[
            "42501 permission denied for schema pg_catalog",
            "42501 must be owner of function pg_catalog.now",
            "42501 permission denied for table pg_class",
            "42501 permission denied: \"pg_class\" is a system catalog",
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
    let made =
        created(node).filter(|_| !matches!(node, NodeEnum::IndexStmt(_) | NodeEnum::CreateSchemaStmt(_)));
    let made = made.filter(|object| object.id.class != Class::Attached && object.id.schema.is_some());
    if let Some(object) = made.filter(|object| is_in_servers_schema(ctx, node, object)) {
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
    if ctx.facts.subject_absence(node).is_some() || ctx.findings.iter().any(|f| f.rule.id == "OWN-01") {
        return;
    }
    if let Some(draft) = cast(ctx, node) {
        ctx.report(draft);
        return;
    }
    let Some(does) = Does::of(node) else { return };
    let table = |range: &pg::RangeVar| {
        let (schema, name) = relation(range);
        Object { word: "table", id: ObjectId::new(Class::Relation, schema, name) }
    };
    let ranges = |nodes: &[pg::Node]| {
        let of = nodes.iter().filter_map(|node| match &node.node {
            Some(NodeEnum::RangeVar(range)) => Some(table(range)),
            _ => None,
        });
        of.collect()
    };
    let targets: Vec<Object> = match node {
        NodeEnum::UpdateStmt(s) => s.relation.iter().map(table).collect(),
        NodeEnum::DeleteStmt(s) => s.relation.iter().map(table).collect(),
        NodeEnum::TruncateStmt(s) => ranges(&s.relations),
        NodeEnum::CreateStatsStmt(s) => ranges(&s.relations),
        NodeEnum::DropStmt(s) => dropped(s),
        _ => subject(node).into_iter().collect(),
    };
    let found = targets.into_iter().find(|object| is_in_servers_schema(ctx, node, object));
    // What pg_dumpall --clean does to pg_database is DB-05's; pg_settings is there to be written.
    let Some(object) = found.filter(|object| !matches!(&*object.id.name, "pg_database" | "pg_settings"))
    else {
        return;
    };
    let words = object.to_string();
    let message = match does {
        Does::WriteRows => format!("only a superuser can write {words}"),
        _ => format!("{words} belongs to the superuser"),
    };
    let fix = FixDraft::remove(format!("{words} is the server's own"));
    let fix = match node {
        NodeEnum::CommentStmt(_) => fix.lost(format!("comment on {words}")),
        _ if does == Does::WriteRows => fix.review().lost(format!("changes of rows in {words}")),
        _ => fix.review().lost(format!("change of {words}")),
    };
    let draft = Draft::new(message).object(words).server(ServerError::new("42501", does.error(&object)));
    ctx.report(draft.fix(fix));
}

/// What a statement does with an object of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// It writes rows.
    WriteRows,
    /// It changes the object, as only its owner may.
    Change,
    /// It does what the server lets nobody do with a catalog, whoever owns it.
    ChangeCatalog,
}

impl Does {
    fn of(node: &NodeEnum) -> Option<Self> {
        Some(match node {
            NodeEnum::InsertStmt(_) | NodeEnum::UpdateStmt(_) | NodeEnum::DeleteStmt(_) => Self::WriteRows,
            NodeEnum::CopyStmt(s) if s.is_from => Self::WriteRows,
            NodeEnum::CreateTrigStmt(_) | NodeEnum::RuleStmt(_) | NodeEnum::TruncateStmt(_) => {
                Self::ChangeCatalog
            }
            NodeEnum::AlterCollationStmt(_)
            | NodeEnum::AlterDomainStmt(_)
            | NodeEnum::AlterFunctionStmt(_)
            | NodeEnum::AlterObjectSchemaStmt(_)
            | NodeEnum::AlterOperatorStmt(_)
            | NodeEnum::AlterOwnerStmt(_)
            | NodeEnum::AlterTableStmt(_)
            | NodeEnum::AlterTsconfigurationStmt(_)
            | NodeEnum::AlterTsdictionaryStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::CreatePolicyStmt(_)
            | NodeEnum::CreateStatsStmt(_)
            | NodeEnum::DropStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::RenameStmt(_) => Self::Change,
            _ => return None,
        })
    }

    fn error(self, object: &Object) -> String {
        let Object { word, id } = object;
        match (self, id.class) {
            (Self::WriteRows, _) => format!("permission denied for table {}", id.name),
            (Self::ChangeCatalog, _) => format!("permission denied: \"{}\" is a system catalog", id.name),
            (_, Class::AccessMethod | Class::TextSearchParser | Class::TextSearchTemplate) => {
                "must be superuser".to_owned()
            }
            (_, Class::Relation) => format!("must be owner of {word} {}", id.name),
            (_, Class::Type) if id.schema.as_deref() != Some("information_schema") => {
                format!("must be owner of type {}", shown_type(&id.name))
            }
            _ => format!("must be owner of {word} {}", id.path()),
        }
    }
}

/// True for an object of the server's schemas: one that the statement names with the schema, or one of the server's own
/// that it names without.
fn is_in_servers_schema(ctx: &Context<'_>, node: &NodeEnum, object: &Object) -> bool {
    let id = &object.id;
    let schema = id.schema.as_deref().or(match id.class {
        Class::Schema => Some(&*id.name),
        Class::Relation | Class::Attached
            if is_builtin(Class::Relation, &id.name) && !comes_first(ctx, id) =>
        {
            Some("pg_catalog")
        }
        _ if is_servers_own(ctx, node, id) => Some("pg_catalog"),
        _ => None,
    });
    // Casts, transforms and user mappings are in no schema.
    id.class != Class::Nameless && matches!(schema, Some("pg_catalog" | "information_schema"))
}

/// True where this name without a schema is one of the server's own objects: nothing on search_path goes by it.
fn is_servers_own(ctx: &Context<'_>, node: &NodeEnum, id: &ObjectId) -> bool {
    let is_builtin = match id.class {
        Class::Function | Class::Operator => {
            // Others may have the name, with other arguments.
            let is_optional = matches!(node, NodeEnum::DropStmt(s) if s.missing_ok || s.objects.len() > 1);
            let fits = match signature(node) {
                Some(signature) if id.class == Class::Function => {
                    may_be_builtin_call(&id.name, &signature.types)
                }
                _ => true,
            };
            !is_optional && fits && is_builtin(id.class, &id.name)
        }
        Class::AccessMethod | Class::Type => is_builtin(id.class, &id.name),
        Class::OperatorClass => is_builtin_operator_class(&id.name),
        Class::Collation => {
            matches!(&*id.name, "C" | "POSIX" | "default" | "ucs_basic") || id.name.ends_with("-x-icu")
        }
        class => class.is_text_search() && may_be_in_catalog(class, &id.name),
    };
    let own = ctx.resolved(id);
    is_builtin && id.schema.is_none() && !ctx.facts.declares(&own) && !ctx.facts.overloads.contains_key(&own)
}

/// A cast between types of the server that is dropped or commented on.
fn cast(ctx: &Context<'_>, node: &NodeEnum) -> Option<Draft> {
    let kind = pg::ObjectType::ObjectCast as i32;
    let (types, is_comment) = match node {
        NodeEnum::DropStmt(s) if s.remove_type == kind && !s.missing_ok => (s.objects.first()?, false),
        NodeEnum::CommentStmt(s) if s.objtype == kind => (s.object.as_deref()?, true),
        _ => return None,
    };
    let object = subject(node).filter(|object| !ctx.facts.declares(&object.id))?;
    let (source, target) = cast_types(types)?;
    let is_servers = |name: &pg::TypeName| {
        let base = qualified(&name.names).map_or("", |(_, base)| base);
        is_builtin(Class::Type, base) && is_superusers_type(ctx, name)
    };
    let is_text = |name: &pg::TypeName| {
        let base = qualified(&name.names).map_or("", |(_, base)| base);
        matches!(base, "text" | "name" | "varchar" | "bpchar")
    };
    // All else becomes text, and text all else, without a cast.
    if !is_servers(source) || !is_servers(target) || is_text(source) != is_text(target) {
        return None;
    }
    let words = object.to_string();
    let text = format!("must be owner of type {} or type {}", server_name(source), server_name(target));
    let fix = FixDraft::remove(format!("{words} is the server's own"));
    let fix = if is_comment {
        fix.lost(format!("comment on {words}"))
    } else {
        fix.review().lost(format!("change of {words}"))
    };
    let draft = Draft::new(format!("{words} belongs to the superuser")).object(words);
    Some(draft.server(ServerError::new("42501", text)).fix(fix))
}

/// True where search_path names a schema with a table of the dump's own before it names pg_catalog, which else comes first.
fn comes_first(ctx: &Context<'_>, id: &ObjectId) -> bool {
    let path = &ctx.facts.search_path;
    let last = path.iter().position(|schema| &**schema == "pg_catalog").unwrap_or(0);
    path.iter().take(last).any(|schema| {
        ctx.facts.relations.contains_key(&ObjectId::new(Class::Relation, Some(schema), &id.name))
    })
}
