//! OWN-02: schemas that are made for a role, that the target has, or whose name is PostgreSQL's.

use super::handover::{Handover, membership};
use crate::edit::Safety;
use crate::facts::ObjectId;
use crate::facts::names::{quoted, role, string};
use crate::finding::{ServerError, Severity};
use crate::parse::{Change, Class, NodeEnum, StatementKind, pg};
use crate::rule::{Answers, Context, Doc, Draft, FixDraft, Rule};
use crate::rules::TROUBLESHOOTING;
use crate::rules::role::known::{Known, known, missing_advice, missing_message};
use crate::rules::role::lists::role_range;

pub(crate) const RULE: Rule = Rule {
    id: "OWN-02",
    name: "schema-authorization",
    severity: Severity::Error,
    fix: Safety::Safe,
    answers: Answers::limit("schema.authorization", "CREATE SCHEMA … AUTHORIZATION, and schemas that exist."),
    statements: &[StatementKind::CreateSchemaStmt, StatementKind::DropStmt],
    doc: Doc {
        summary: "CREATE SCHEMA … AUTHORIZATION, or of a schema that the target has.",
        what: "CREATE SCHEMA app AUTHORIZATION owner (old dumps, scripts), CREATE SCHEMA public and DROP SCHEMA public \
               (dumps with --clean), and schemas whose name begins with pg_.",
        why: "tsdbadmin must be able to act as the schema's owner. Schema public exists from the start, and TimescaleDB lives in it: dropping it would drop the extension.",
        server: &[
            "42501 must be able to SET ROLE \"app\" (16 and newer)",
            "42501 must be member of role \"app\" (15 and older)",
            "42P06 schema \"public\" already exists",
            "2BP01 cannot drop schema public because other objects depend on it",
            "42939 unacceptable schema name \"pg_x\"",
        ],
        help: "The owner is kept: tsdbadmin becomes a member of it first. What a superuser owned is owned by tsdbadmin on the target. CREATE and DROP of schema public are removed. A schema whose name begins with pg_ has to be renamed on the source.",
        before: "CREATE SCHEMA app AUTHORIZATION postgres;",
        after: "CREATE SCHEMA app;",
        sources: Doc::sources(&["PostgreSQL src/backend/commands/schemacmds.c, CreateSchemaCommand"]),
        link: TROUBLESHOOTING,
    },
    check,
    ..Rule::DEFAULT
};

/// Schemas of a service's database from the start, beside those that begin with `_timescaledb_`.
const SERVICE: [&str; 4] =
    ["information_schema", "timescaledb_experimental", "timescaledb_information", "toolkit_experimental"];

/// True for schemas that belong to the service or to TimescaleDB.
pub(crate) fn is_service_schema(name: &str) -> bool {
    name.starts_with("_timescaledb_") || SERVICE.contains(&name)
}

fn check(ctx: &mut Context<'_>) {
    let Some((_, node)) = ctx.node() else { return };
    match node {
        NodeEnum::CreateSchemaStmt(s) => create(ctx, s),
        NodeEnum::DropStmt(s) if s.remove_type == pg::ObjectType::ObjectSchema as i32 => {
            let names: Vec<&str> = s.objects.iter().filter_map(string).collect();
            if !names.contains(&"public") {
                return;
            }
            let cascade = s.behavior == pg::DropBehavior::DropCascade as i32;
            ctx.states.of::<PublicDropped>().0 |= cascade;
            let mut draft = Draft::new("TimescaleDB lives in schema public: it stays")
                .object("schema public")
                .fix(FixDraft::remove("schema public stays"));
            draft = if cascade {
                draft
                    .message("this would drop TimescaleDB, which lives in schema public")
                    .severity(Severity::Warning)
            } else {
                draft.server(
                    ServerError::new("2BP01", "cannot drop schema public because other objects depend on it")
                        .detail("extension timescaledb depends on schema public"),
                )
            };
            ctx.report(draft);
        }
        _ => {}
    }
}

/// The inputs drop schema public with all that is in it: they may create it again.
#[derive(Clone, Debug, Default)]
struct PublicDropped(bool);

fn create(ctx: &mut Context<'_>, s: &pg::CreateSchemaStmt) {
    let Some(statement) = ctx.statement() else { return };
    let owner = s.authrole.as_ref().and_then(|spec| Some((spec, role(spec)?)));
    let name = match owner {
        Some((_, owner)) if s.schemaname.is_empty() => owner,
        _ => s.schemaname.as_str(),
    };
    if name.starts_with("pg_") {
        ctx.report(
            Draft::new(format!("schema names that begin with pg_ are PostgreSQL's own: \"{name}\""))
                .object(format!("schema {name}"))
                .server(
                    ServerError::new("42939", format!("unacceptable schema name \"{name}\""))
                        .detail("The prefix \"pg_\" is reserved for system schemas."),
                )
                .advice("Rename the schema on the source: ALTER SCHEMA … RENAME TO …."),
        );
        return;
    }
    let is_public = name == "public" && ctx.facts.may_have_schema(name);
    if (is_public || is_service_schema(name)) && !s.if_not_exists {
        let mut draft =
            Draft::new(format!("the target has schema {name} already")).object(format!("schema {name}"));
        let is_dropped = is_public && ctx.states.get::<PublicDropped>().is_some_and(|dropped| dropped.0);
        draft = match owner {
            _ if !is_dropped => {
                draft.server(ServerError::new("42P06", format!("schema \"{name}\" already exists")))
            }
            Some((_, owner))
                if *owner != *ctx.target.admin && !ctx.facts.is_member(owner, &ctx.target.admin) =>
            {
                draft.server(not_member(ctx, owner))
            }
            // Once dropped it could be created: the DROP is removed, and so is this.
            _ => draft.severity(Severity::Warning),
        };
        draft = if s.schema_elts.is_empty() {
            draft.fix(FixDraft::remove(format!("the target has schema {name}")).present())
        } else {
            draft.advice("The statement creates objects, too: write them as statements of their own.")
        };
        ctx.report(draft);
        return;
    }
    let Some((spec, owner)) = owner else { return };
    let admin = ctx.target.admin.as_str();
    if owner == admin {
        return;
    }
    let mut draft = Draft::new("").object(format!("schema {name}"));
    if let Some(range) = role_range(statement, spec) {
        draft = draft.at(range);
    }
    let refused = not_member(ctx, owner);
    let absent = ServerError::missing_role(owner);
    let becomes = format!("{owner} cannot own schema {name} on the target");
    match known(ctx, owner) {
        Known::Target
            if ctx.target.reserved_roles.contains_key(owner)
                || ctx.target.predefined_roles.contains_key(owner) =>
        {
            draft = draft.message(becomes).server(refused);
            if let Some(fix) = without_owner(ctx, s, name) {
                draft = draft.fix(fix);
            }
        }
        Known::Provider(_) => {
            draft = draft.message(becomes).server(absent);
            if let Some(fix) = without_owner(ctx, s, name) {
                draft = draft.fix(fix);
            }
        }
        Known::Missing => {
            draft = draft.message(missing_message(owner)).server(absent).advice(missing_advice(ctx));
            if let Some(fix) = without_owner(ctx, s, name) {
                draft = draft.fix(fix.review().lost(format!("owner {owner} of schema {name}")));
            }
        }
        Known::Made | Known::Target => {
            ctx.states.of::<Handover>().schema_owners.insert(name.to_owned(), owner.to_owned());
            let member = ctx.facts.is_member(owner, admin);
            if member
                && !ctx.states.get::<Handover>().is_some_and(|known| known.lent_membership.contains(owner))
            {
                return;
            }
            let mut before = Vec::new();
            if !member {
                before.push(membership(ctx, owner, admin));
                ctx.states.of::<Handover>().lent_membership.insert(owner.to_owned());
            }
            draft = draft
                .message(format!("{admin} must be a member of {owner} to create schema {name} for it"))
                .server(refused)
                .fix(FixDraft::surround(format!("Let {admin} hand over to {owner}"), before, Vec::new()));
        }
    }
    ctx.report(draft);
}

/// What the server says to who is no member of the owner, or where there is no such role.
fn not_member(ctx: &Context<'_>, owner: &str) -> ServerError {
    match known(ctx, owner) {
        Known::Missing | Known::Provider(_) => ServerError::missing_role(owner),
        _ if ctx.target.version >= 16 => {
            ServerError::new("42501", format!("must be able to SET ROLE \"{owner}\""))
        }
        _ => ServerError::new("42501", format!("must be member of role \"{owner}\"")),
    }
}

/// The schema as tsdbadmin's.
fn without_owner(ctx: &Context<'_>, s: &pg::CreateSchemaStmt, name: &str) -> Option<FixDraft> {
    let statement = ctx.statement()?;
    let clause = statement.words(&["AUTHORIZATION"])?;
    let range = clause.start..role_range(statement, s.authrole.as_ref()?)?.end;
    let fix = FixDraft::edit(format!("Give schema {name} to {}", ctx.target.admin))
        .change(Change::unset("/CreateSchemaStmt/authrole"));
    Some(if s.schemaname.is_empty() {
        fix.replace(range, quoted(name)).change(Change::set_str("/CreateSchemaStmt/schemaname", name))
    } else {
        fix.delete(statement.with_gap(&range))
    })
}

/// The schema that an object is in, or is.
pub(crate) fn schema_of(id: &ObjectId) -> Option<&str> {
    if id.class == Class::Schema { Some(&id.name) } else { id.schema.as_deref() }
}
