//! OWN-08: what another role than tsdbadmin may not do, between SET ROLE and RESET ROLE.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::handover::{Handover, may_create};
use super::own_01_owner::new_owner;
use crate::edit::{Action, Fix, Safety};
use crate::facts::names::{quoted, relation, role, roles};
use crate::facts::objects::subject;
use crate::facts::session::TEMPORARY;
use crate::facts::{ObjectId, Privilege};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, Finding, FixDraft, Rule};

pub(crate) const RULE: Rule = Rule {
    id: "OWN-08",
    name: "acting-role",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::purpose("what a role may not do that SET ROLE has made the acting one"),
    statements: StatementKind::ALL,
    doc: Doc {
        summary: "A statement behind SET ROLE that the role has no privilege for.",
        what: "Between SET ROLE (which works, because tsdbadmin is a member of the role) and RESET ROLE: objects in schemas in \
               which the role may not create, or which it may not use; changes of objects that others own; rows of tables \
               of others without a privilege; statements about roles and databases.",
        why: "Behind SET ROLE the privileges of the role count, and not those of tsdbadmin. On the source the role may have \
              been a superuser.",
        server: &[
            "42501 permission denied for schema app",
            "42501 must be owner of table orders",
            "42501 permission denied for table orders",
            "42501 permission denied for database tsdb",
            "42501 permission denied to create role",
        ],
        help: "The rewrite grants what the role needs to create its objects, so that they stay its own. All else is done as \
               tsdbadmin, between RESET ROLE and SET ROLE.",
        before: "CREATE ROLE app;\nGRANT app TO tsdbadmin;\nSET ROLE app;\nCREATE TABLE public.t (id integer);",
        after: "CREATE ROLE app;\nGRANT app TO tsdbadmin;\nSET ROLE app;\n-- tsmigrate OWN-08: Let app create it\nRESET ROLE;\nGRANT USAGE, CREATE ON SCHEMA public TO app;\nSET ROLE app;\nCREATE TABLE public.t (id integer);",
        sources: Doc::sources(&[
            "PostgreSQL src/backend/catalog/namespace.c, RangeVarGetAndCheckCreationNamespace; \
             catalog/objectaddress.c, check_object_ownership; commands/user.c, CreateRole",
        ]),
        link: "https://www.postgresql.org/docs/current/sql-set-role.html",
    },
    check,
    ..Rule::DEFAULT
};

/// Who was granted what on tables.
#[derive(Clone, Debug, Default)]
struct Granted {
    /// The hashes of table, grantee and privilege: a dump may have very many. What is revoked stays here: a false alarm is
    /// worse than none.
    on_tables: BTreeSet<u64>,
    /// Something was granted on tables that are not named.
    on_unnamed: bool,
}

/// What the role lacks.
struct Lack {
    message: String,
    server: String,
    /// The table that it is about, where the statement is no change of one.
    table: Option<ObjectId>,
    /// What to grant it; where there is nothing to grant, the statement runs as tsdbadmin.
    grants: Vec<String>,
    /// There is no fix: what follows is the role's, too.
    is_open: bool,
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    remember(ctx, node);
    let Some(acting) = ctx.facts.session.now.role.clone() else { return };
    let removed = |finding: &Finding| {
        finding.severity == Severity::Error && finding.fix.as_deref().is_some_and(Fix::removes_statement)
    };
    if *acting == *ctx.target.admin || ctx.findings.iter().any(removed) {
        return;
    }
    let (reset, set) = commands(ctx, &acting);
    let surrounds = ctx.findings.iter_mut().find_map(|finding| match &mut finding.fix.as_mut()?.action {
        Action::Surround { before, after, .. } => Some((before, after)),
        _ => None,
    });
    if let Some((before, after)) = surrounds {
        // What another rule adds is tsdbadmin's to do.
        before.insert(0, reset);
        after.push(set);
        return;
    }
    let Some(Lack { message, server, table: of_rows, grants, is_open }) = lack(ctx, node, &acting) else {
        return;
    };
    let grants = match node {
        // Its rows follow it: nothing may stand between them.
        NodeEnum::CopyStmt(s) if grants.is_empty() => {
            let table = s.relation.as_ref().map(|range| table(ctx, range));
            let id = table.unwrap_or_else(|| ObjectId::new(Class::Relation, None, ""));
            let (path, acting) = (id.path(), quoted(&acting));
            let schema = id.schema.as_deref().filter(|schema| *schema != "public");
            let usage = schema.map(|schema| format!("GRANT USAGE ON SCHEMA {} TO {acting};", quoted(schema)));
            let privilege = if s.is_from { "INSERT" } else { "SELECT" };
            usage.into_iter().chain([format!("GRANT {privilege} ON TABLE {path} TO {acting};")]).collect()
        }
        _ => grants,
    };
    let fix = if grants.is_empty() {
        FixDraft::surround(format!("Run it as {}", ctx.target.admin), vec![reset], vec![set])
    } else {
        let before = std::iter::once(reset).chain(grants).chain([set]).collect();
        let verb = if matches!(node, NodeEnum::CopyStmt(_)) { "copy" } else { "create" };
        FixDraft::surround(format!("Let {acting} {verb} it"), before, Vec::new())
    };
    let words = ctx.created(node).or_else(|| subject(node));
    let words = match (words, of_rows) {
        (Some(object), _) => ctx.describe(&object),
        (None, Some(id)) => format!("table {}", id.path()),
        (None, None) => "this statement".to_owned(),
    };
    let draft = Draft::new(message).object(words).server(ServerError::new("42501", server));
    ctx.report(if is_open {
        draft.advice("Put it behind RESET ROLE, after all that the role does with the object.")
    } else {
        draft.fix(fix)
    });
}

/// RESET ROLE and back, in the way in which the role was set.
fn commands(ctx: &Context<'_>, acting: &str) -> (String, String) {
    let local = if ctx.facts.session.role_is_local() { "LOCAL " } else { "" };
    let reset = if local.is_empty() { "RESET ROLE;" } else { "SET LOCAL ROLE NONE;" };
    (reset.to_owned(), format!("SET {local}ROLE {};", quoted(acting)))
}

fn lack(ctx: &Context<'_>, node: &NodeEnum, acting: &str) -> Option<Lack> {
    if let Some(server) = of_cluster(ctx, node, acting) {
        let message = format!("{acting} is the acting role here, and cannot change roles and databases");
        return Some(Lack { message, server, table: None, grants: Vec::new(), is_open: false });
    }
    if let NodeEnum::CreateSchemaStmt(_) | NodeEnum::CreatePublicationStmt(_) = node {
        let database = &ctx.target.database;
        let granted = may_create(ctx, acting, |p: &&Privilege| p.object.class == Class::Database);
        return (!granted).then(|| Lack {
            message: format!("{acting} is the acting role here, and cannot create in database {database}"),
            server: format!("permission denied for database {database}"),
            table: None,
            grants: vec![format!("GRANT CREATE ON DATABASE {} TO {};", quoted(database), quoted(acting))],
            is_open: false,
        });
    }
    let made = ctx.created(node);
    let mut grants = Vec::new();
    let mut first = None;
    let mut lacks = |schema: &str, words: &str| {
        grants.push(format!("GRANT {words} ON SCHEMA {} TO {};", quoted(schema), quoted(acting)));
        first.get_or_insert_with(|| schema.to_owned());
    };
    let own = made.as_ref().filter(|object| object.id.class.is_in_search_path() && object.word != "index");
    let into = own.and_then(|object| object.id.schema.as_deref()).filter(|schema| !schema.starts_with("pg_"));
    if let Some(schema) = into.filter(|schema| !may(ctx, acting, schema, "create")) {
        lacks(schema, "USAGE, CREATE");
    } else if let Some(schema) =
        into.filter(|schema| *schema != "public" && !may(ctx, acting, schema, "usage"))
    {
        lacks(schema, "USAGE");
    }
    for schema in used(ctx, node) {
        if Some(&*schema) != into && !may(ctx, acting, &schema, "usage") {
            lacks(&schema, "USAGE");
        }
    }
    let changed = subject(node).filter(|_| changes_subject(node));
    let stranger = changed.and_then(|object| {
        let id = ctx.resolved(&object.id);
        let id = id.table().unwrap_or(id);
        let known = ctx.facts.declares(&id) || ctx.facts.overloads.contains_key(&id);
        (known && !owns(ctx, acting, &id)).then_some((object.word, id))
    });
    if let Some(schema) = first {
        let grants = if own.is_some() && stranger.is_none() { grants } else { Vec::new() };
        return Some(Lack {
            message: format!("{acting} is the acting role here, and has no privilege in schema {schema}"),
            server: format!("permission denied for schema {schema}"),
            table: None,
            grants,
            is_open: false,
        });
    }
    if let NodeEnum::AlterOwnerStmt(_) | NodeEnum::AlterTableStmt(_) = node
        && let Some(owner) = new_owner(node).and_then(role)
        && stranger.is_none()
        && !is_or_in(ctx, acting, owner)
    {
        return Some(Lack {
            message: format!("{acting} is the acting role here, and cannot hand over to {owner}"),
            server: format!("must be able to SET ROLE \"{owner}\""),
            table: None,
            grants: Vec::new(),
            is_open: true,
        });
    }
    if let Some(id) = denied(ctx, node, acting) {
        return Some(Lack {
            message: format!(
                "{acting} is the acting role here, and has no privilege for table {}",
                id.path()
            ),
            server: format!("permission denied for table {}", id.name),
            table: Some(id),
            grants: Vec::new(),
            is_open: false,
        });
    }
    let (word, id) = stranger?;
    Some(Lack {
        message: format!("{acting} is the acting role here, and does not own {word} {}", id.path()),
        server: format!("must be owner of {word} {}", id.name),
        table: None,
        grants: Vec::new(),
        is_open: false,
    })
}

fn table(ctx: &Context<'_>, range: &pg::RangeVar) -> ObjectId {
    let (schema, name) = relation(range);
    ctx.resolved(&ObjectId::new(Class::Relation, schema, name))
}

/// Keeps what is granted on tables.
fn remember(ctx: &mut Context<'_>, node: &NodeEnum) {
    let is_table = |kind| kind == pg::ObjectType::ObjectTable as i32;
    match node {
        NodeEnum::AlterDefaultPrivilegesStmt(_) => ctx.states.of::<Granted>().on_unnamed = true,
        NodeEnum::GrantStmt(s) if s.is_grant && is_table(s.objtype) => {
            let mut names: Vec<&str> = s.privileges.iter().filter_map(privilege).collect();
            if names.is_empty() {
                names.push("");
            }
            for object in &s.objects {
                let Some(NodeEnum::RangeVar(range)) = &object.node else {
                    ctx.states.of::<Granted>().on_unnamed = true;
                    continue;
                };
                let id = table(ctx, range);
                for grantee in roles(&s.grantees) {
                    let of = names.iter().map(|name| hash(&id, role(grantee), name));
                    ctx.states.of::<Granted>().on_tables.extend(of);
                }
            }
        }
        _ => {}
    }
}

fn hash(table: &ObjectId, grantee: Option<&str>, privilege: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (table, grantee, privilege).hash(&mut hasher);
    hasher.finish()
}

fn privilege(node: &pg::Node) -> Option<&str> {
    match node.node.as_ref()? {
        NodeEnum::AccessPriv(privilege) => Some(&privilege.priv_name),
        _ => None,
    }
}

/// A table of another whose rows the role may not read or write.
fn denied(ctx: &Context<'_>, node: &NodeEnum, acting: &str) -> Option<ObjectId> {
    let (range, privilege) = match node {
        NodeEnum::InsertStmt(s) => (s.relation.as_ref()?, "insert"),
        NodeEnum::CopyStmt(s) if s.is_from => (s.relation.as_ref()?, "insert"),
        NodeEnum::CopyStmt(s) => (s.relation.as_ref()?, "select"),
        NodeEnum::UpdateStmt(s) => (s.relation.as_ref()?, "update"),
        NodeEnum::DeleteStmt(s) => (s.relation.as_ref()?, "delete"),
        NodeEnum::TruncateStmt(s) => match s.relations.first()?.node.as_ref()? {
            NodeEnum::RangeVar(range) => (range, "truncate"),
            _ => return None,
        },
        NodeEnum::SelectStmt(s) => match s.from_clause.first()?.node.as_ref()? {
            NodeEnum::RangeVar(range) if s.with_clause.is_none() => (range, "select"),
            _ => return None,
        },
        _ => return None,
    };
    let granted = ctx.states.get::<Granted>();
    let id = table(ctx, range);
    if !ctx.facts.relations.contains_key(&id)
        || ctx.facts.absence(&id).is_some()
        || id.schema.as_deref() == Some(TEMPORARY)
        || owns(ctx, acting, &id)
        || ctx.facts.dynamic
        || granted.is_some_and(|granted| granted.on_unnamed)
    {
        return None;
    }
    let of_all = if privilege == "select" { "pg_read_all_data" } else { "pg_write_all_data" };
    if is_or_in(ctx, acting, of_all) {
        return None;
    }
    let others = ctx.facts.memberships.iter().map(|membership| &*membership.role);
    let roles = others.filter(|role| ctx.facts.reaches(role, acting)).chain([acting]).map(Some);
    let may = granted.is_some_and(|granted| {
        let has = |who, what| granted.on_tables.contains(&hash(&id, who, what));
        roles.chain([None]).any(|who| has(who, "") || has(who, privilege))
    });
    (!may).then_some(id)
}

/// What the server says of a statement about roles or databases.
fn of_cluster(ctx: &Context<'_>, node: &NodeEnum, acting: &str) -> Option<String> {
    let creates_roles = ctx.facts.roles.get(acting).is_some_and(|role| role.createrole);
    match node {
        NodeEnum::CreateRoleStmt(_) if !creates_roles => Some("permission denied to create role".into()),
        NodeEnum::AlterRoleStmt(_) if !creates_roles => Some("permission denied to alter role".into()),
        NodeEnum::AlterRoleSetStmt(s)
            if !creates_roles && s.role.as_ref().and_then(role).is_some_and(|role| role != acting) =>
        {
            Some("permission denied to alter role".into())
        }
        NodeEnum::DropRoleStmt(_) if !creates_roles => Some("permission denied to drop role".into()),
        NodeEnum::GrantRoleStmt(s) if !creates_roles => {
            let role = s.granted_roles.iter().find_map(|role| match role.node.as_ref()? {
                NodeEnum::AccessPriv(role) => Some(role.priv_name.as_str()),
                _ => None,
            });
            Some(format!("permission denied to grant role \"{}\"", role.unwrap_or("…")))
        }
        NodeEnum::AlterDatabaseSetStmt(s) => Some(format!("must be owner of database {}", s.dbname)),
        NodeEnum::AlterDatabaseStmt(s) => Some(format!("must be owner of database {}", s.dbname)),
        _ => None,
    }
}

/// The schemas of what the statement names, as far as the inputs create them.
fn used(ctx: &Context<'_>, node: &NodeEnum) -> BTreeSet<String> {
    let Some(statement) = ctx.statement() else { return BTreeSet::new() };
    let referred = statement.references().iter().filter(|reference| reference.class.is_in_search_path());
    let referred =
        referred.map(ObjectId::of).chain(subject(node).map(|object| object.id.table().unwrap_or(object.id)));
    referred
        .map(|id| ctx.resolved(&id))
        .filter(|id| ctx.facts.declares(id) || ctx.facts.overloads.contains_key(id))
        .filter_map(|id| id.schema.map(|schema| schema.to_string()))
        .filter(|schema| ctx.facts.schemas.contains_key(schema.as_str()) && schema != "public")
        .collect()
}

/// True where the role owns the schema, or was granted a privilege on it.
fn may(ctx: &Context<'_>, acting: &str, schema: &str, privilege: &str) -> bool {
    let id = ObjectId::new(Class::Schema, None, schema);
    let named = |p: &&Privilege| {
        p.object == id
            && (p.grantee.is_none() || p.grantee.as_deref().is_some_and(|who| is_or_in(ctx, acting, who)))
    };
    let gives = |p: &&Privilege| {
        &*p.privileges == "ALL" || p.privileges.split(", ").any(|word| word.eq_ignore_ascii_case(privilege))
    };
    owns(ctx, acting, &id)
        || ctx.facts.privileges.iter().rev().filter(named).find(gives).is_some_and(|p| p.granted)
}

/// True where the role owns the object, or is a member of its owner.
fn owns(ctx: &Context<'_>, acting: &str, id: &ObjectId) -> bool {
    let of_schema = || {
        let known = ctx.states.get::<Handover>()?;
        known.schema_owners.get(&*id.name).map(String::as_str)
    };
    let owner = match id.class {
        Class::Schema => of_schema().or_else(|| ctx.facts.owner(id)),
        _ => ctx.facts.owner(id),
    };
    is_or_in(ctx, acting, owner.unwrap_or(&ctx.target.admin))
}

fn is_or_in(ctx: &Context<'_>, acting: &str, role: &str) -> bool {
    acting == role || ctx.facts.reaches(role, acting)
}

/// True for statements that only the owner of their object may run.
fn changes_subject(node: &NodeEnum) -> bool {
    matches!(
        node,
        NodeEnum::AlterTableStmt(_)
            | NodeEnum::AlterSeqStmt(_)
            | NodeEnum::AlterOwnerStmt(_)
            | NodeEnum::AlterFunctionStmt(_)
            | NodeEnum::AlterEnumStmt(_)
            | NodeEnum::AlterDomainStmt(_)
            | NodeEnum::AlterObjectSchemaStmt(_)
            | NodeEnum::RenameStmt(_)
            | NodeEnum::CommentStmt(_)
            | NodeEnum::IndexStmt(_)
            | NodeEnum::CreateTrigStmt(_)
            | NodeEnum::RuleStmt(_)
            | NodeEnum::CreatePolicyStmt(_)
            | NodeEnum::DropStmt(_)
            | NodeEnum::RefreshMatViewStmt(_)
    )
}
