//! OWN-01: `OWNER TO` a role that tsdbadmin cannot give objects to yet, or ever.

use super::{Context, Doc, Draft, Finish, FixDraft, Rule, TROUBLESHOOTING};
use crate::edit::{Action, Safety};
use crate::facts::names::{quoted, role};
use crate::facts::objects::subject;
use crate::facts::{Object, ObjectId};
use crate::finding::{ServerError, Severity};
use crate::parse::{Class, NodeEnum, pg};

/// See the module's head.
pub const RULE: Rule = Rule {
    id: "OWN-01",
    name: "owner",
    severity: Severity::Error,
    fix: Safety::Safe,
    doc: Doc {
        summary: "ALTER … OWNER TO a role that the restoring role cannot hand objects to.",
        what: "pg_dump gives every object its owner with ALTER … OWNER TO.",
        why: "tsdbadmin must be able to act as the new owner (SET ROLE; membership up to 15), and the new owner must \
              have CREATE on the object's schema. Superusers of the source do not exist on the target.",
        server: &[
            "42501 must be able to SET ROLE \"app\" (16 and newer)",
            "42501 must be member of role \"app\" (15 and older)",
            "42501 permission denied for schema app",
            "42704 role \"app\" does not exist",
        ],
        help: "Owners are kept: tsdbadmin is made a member of the owner once, and the owner gets CREATE on the schema \
               for as long as ownership is handed over. What a superuser owned becomes tsdbadmin's. Hypertables stay \
               tsdbadmin's, as their chunks cannot be given away; the former owner gets all privileges on them.",
        before: "CREATE ROLE app;\nCREATE TABLE public.t (a integer);\nALTER TABLE public.t OWNER TO app;",
        after: "",
        sources: &[
            "PostgreSQL src/backend/utils/adt/acl.c, check_can_set_role; commands/tablecmds.c, ATExecChangeOwner",
        ],
        link: TROUBLESHOOTING,
    },
    check,
    finish: Some(finish),
};

fn check(ctx: &mut Context<'_>) {
    let Some((statement, node)) = ctx.node() else { return };
    let Some(spec) = new_owner(node) else { return };
    let Some(object) = subject(node) else { return };
    let Some(owner) = role(spec) else { return };
    if matches!(
        object.id.class,
        Class::Database | Class::Tablespace | Class::EventTrigger | Class::Subscription
    ) || object.id.class == Class::ForeignDataWrapper
        || ctx.facts.absence(&object.id).is_some()
        || owner == ctx.target.admin
    {
        return;
    }
    let words = ctx.describe(&object);
    let range = usize::try_from(spec.location).ok().and_then(|at| statement.name_at(at));
    let mut draft = Draft::new("").object(words.clone());
    if let Some(range) = range {
        draft = draft.at(range);
    }
    let admin = &ctx.target.admin;
    let refused = if ctx.target.version >= 16 {
        ServerError::new("42501", format!("must be able to SET ROLE \"{owner}\""))
    } else {
        ServerError::new("42501", format!("must be member of role \"{owner}\""))
    };

    if owner == "pg_database_owner" && object.id.class == Class::Schema {
        return;
    }
    let is_superuser = ctx.facts.is_superuser(owner) || ctx.target.reserved_roles.contains_key(owner);
    if is_superuser || ctx.target.provider_of(owner).is_some() {
        draft = draft
            .message(format!("{words} cannot belong to {owner} on the target: it becomes {admin}'s"))
            .server(refused)
            .fix(FixDraft::remove(format!("{words} stays {admin}'s")));
        ctx.report(draft);
        return;
    }
    if !ctx.facts.makes_role(owner) && !ctx.target.existing_roles.contains(owner) {
        draft = draft
            .message(format!("role \"{owner}\" is not made by these files: this fails unless the target has it"))
            .server(ServerError::new("42704", format!("role \"{owner}\" does not exist")))
            .advice(
                "Give the roles dump together with this one (pg_dumpall --roles-only): tsmigrate check roles.sql \
                 schema.sql. Owners are kept then. Or leave owners out: everything becomes tsdbadmin's.",
            )
            .fix(FixDraft::remove(format!("{words} stays {admin}'s")).review().lost(format!("owner {owner} of {words}")));
        ctx.report(draft);
        return;
    }
    let id = ctx.resolved(&object.id);
    if object.id.class == Class::Relation && ctx.facts.hypertables.contains(&id) {
        let (grant, lost) = hypertable(&object, &id, owner, admin);
        draft = draft
            .message(format!(
                "hypertable {} cannot be given to {owner}: its chunks are in a schema of the service",
                id.path()
            ))
            .server(ServerError::new("42501", "permission denied for schema _timescaledb_internal"))
            .fix(
                FixDraft::replace_with(format!("{owner} gets all privileges instead"), vec![grant])
                    .lost(lost),
            );
        ctx.report(draft);
        return;
    }
    if id.schema.as_deref().is_some_and(|schema| schema.starts_with("_timescaledb_")) {
        draft = draft
            .message(format!("{words} is TimescaleDB's own: it stays {admin}'s"))
            .server(ServerError::new("42501", "permission denied for schema _timescaledb_internal"))
            .fix(FixDraft::remove(format!("{words} stays {admin}'s")));
        ctx.report(draft);
        return;
    }

    let mut before = Vec::new();
    if !ctx.facts.is_member(owner, admin) {
        before.push(format!("GRANT {} TO {};", quoted(owner), quoted(admin)));
        ctx.memory.lent_membership.insert(owner.to_owned());
    }
    let mut schema_error = None;
    if let Some(schema) = id.schema.as_deref().filter(|_| needs_create(&object)) {
        let schema_id = ObjectId::new(Class::Schema, None, schema);
        let owns = ctx.facts.owner(&schema_id) == Some(owner);
        let granted = may_create(ctx, &schema_id, owner);
        let key = (schema.to_owned(), owner.to_owned());
        if !owns && (!granted || ctx.memory.borrowed_create.contains_key(&key)) {
            if !granted {
                before.push(format!("GRANT CREATE ON SCHEMA {} TO {};", quoted(schema), quoted(owner)));
            }
            schema_error = Some(ServerError::new("42501", format!("permission denied for schema {schema}")));
            ctx.memory.borrowed_create.insert(key, statement.place(&statement.range()));
        }
    }
    if before.is_empty() && schema_error.is_none() && member_by_dump(ctx, owner) {
        return;
    }
    let error = if member_by_dump(ctx, owner) { schema_error.unwrap_or(refused) } else { refused };
    draft = draft
        .message(format!("{admin} may not give {words} to {owner} yet"))
        .server(error)
        .fix(FixDraft::surround(format!("let {admin} hand over to {owner}"), before, Vec::new()));
    ctx.report(draft);
}

/// True where the dump itself, and not a fix, made the restoring role a member of the owner.
fn member_by_dump(ctx: &Context<'_>, owner: &str) -> bool {
    ctx.facts.is_member(owner, &ctx.target.admin) && !ctx.memory.lent_membership.contains(owner)
}

fn hypertable(object: &Object, id: &ObjectId, owner: &str, admin: &str) -> (String, String) {
    let _ = object;
    (
        format!("GRANT ALL ON TABLE {} TO {};", id.path(), quoted(owner)),
        format!(
            "owner {owner} of hypertable {}: it stays {admin}'s, {owner} has all privileges on it",
            id.path()
        ),
    )
}

/// Kinds of objects whose new owner needs CREATE on their schema (AlterObjectOwner_internal,
/// ATExecChangeOwner).
fn needs_create(object: &Object) -> bool {
    !matches!(
        object.id.class,
        Class::Schema | Class::Language | Class::Server | Class::Publication | Class::Attached
    ) && object.word != "large object"
}

fn may_create(ctx: &Context<'_>, schema: &ObjectId, owner: &str) -> bool {
    ctx.facts
        .privileges
        .iter()
        .rev()
        .find(|p| {
            p.object == *schema
                && p.grantee.as_deref() == Some(owner)
                && (&*p.privileges == "ALL"
                    || p.privileges.split(", ").any(|word| word.eq_ignore_ascii_case("create")))
        })
        .is_some_and(|p| p.granted)
}

/// The role that the statement makes an owner.
fn new_owner(node: &NodeEnum) -> Option<&pg::RoleSpec> {
    match node {
        NodeEnum::AlterOwnerStmt(s) => s.newowner.as_ref(),
        NodeEnum::AlterTableStmt(s) => s.cmds.iter().find_map(|command| match command.node.as_ref()? {
            NodeEnum::AlterTableCmd(c) if c.subtype == pg::AlterTableType::AtChangeOwner as i32 => {
                c.newowner.as_ref()
            }
            _ => None,
        }),
        _ => None,
    }
}

/// Takes back what was lent, after the last statement that needed it.
fn finish(all: &mut Finish<'_>) {
    for ((schema, owner), place) in &all.memory.borrowed_create {
        let last = all.findings.iter_mut().rfind(|f| {
            f.rule == RULE.id
                && f.solved
                && f.place.input == place.input
                && f.place.statement == place.statement
        });
        if let Some(Action::Surround { after, .. }) =
            last.and_then(|f| f.fix.as_mut()).map(|fix| &mut fix.action)
        {
            after.push(format!("REVOKE CREATE ON SCHEMA {} FROM {};", quoted(schema), quoted(owner)));
        }
    }
}
