//! How ownership is handed over: what is lent for it, and what decides about it.

use std::collections::{BTreeMap, BTreeSet};

use crate::facts::names::quoted;
use crate::facts::{Object, ObjectId, Privilege};
use crate::finding::{Place, ServerError, Severity};
use crate::parse::Class;
use crate::rule::{Context, Draft, FixDraft};

/// What fixes lend to hand over ownership, and what decides about owners.
#[derive(Clone, Debug, Default)]
pub(crate) struct Handover {
    /// CREATE on a schema that a new owner needs only while ownership is handed over: by schema and role.
    pub(crate) borrowed_create: BTreeMap<(String, String), Loan>,
    /// Roles that a fix, and not the dump, made the restoring role a member of.
    pub(crate) lent_membership: BTreeSet<String>,
    /// Owners that schemas have on the target, where that is not the restoring role.
    pub(crate) schema_owners: BTreeMap<String, String>,
    /// The table whose column a sequence belongs to: its owner is the table's.
    pub(crate) sequence_tables: BTreeMap<ObjectId, ObjectId>,
    /// Views of continuous aggregates.
    pub(crate) continuous_aggregates: BTreeSet<ObjectId>,
}

impl Handover {
    /// A role gets another name.
    pub(crate) fn rename_role(&mut self, old: &str, new: &str) {
        if self.lent_membership.remove(old) {
            self.lent_membership.insert(new.to_owned());
        }
        let loans = std::mem::take(&mut self.borrowed_create).into_iter();
        let renamed = |role: String| if role == old { new.to_owned() } else { role };
        self.borrowed_create = loans.map(|((schema, role), loan)| ((schema, renamed(role)), loan)).collect();
        for owner in self.schema_owners.values_mut().filter(|owner| *owner == old) {
            new.clone_into(owner);
        }
    }
}

/// A privilege that is lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Loan {
    /// The role's name at that statement.
    pub(crate) role: String,
    /// The last statement that needed it.
    pub(crate) place: Place,
    /// The dump itself granted it since: it stays.
    pub(crate) kept: bool,
}

/// Reports what it takes to hand an object over to a role that may own it.
pub(crate) fn hand_over(
    ctx: &mut Context<'_>,
    mut draft: Draft,
    object: &Object,
    owner: &str,
    refused: ServerError,
) {
    let Some(statement) = ctx.statement() else { return };
    let admin = ctx.target.admin.as_str();
    let words = ctx.describe(object);
    let id = ctx.resolved(&object.id);
    let (mut before, mut after) = (Vec::new(), Vec::new());
    // The dump lets tsdbadmin become the owner, and not act for it.
    let mut strange = false;
    if !ctx.facts.is_member(owner, admin) {
        if ctx.facts.reaches(admin, owner) {
            // Up to 15 a role may have been made a member of tsdbadmin, which then cannot be one of its.
            draft = draft
                .message(format!("{owner} cannot own {words}: it is a member of {admin}"))
                .server(refused)
                .fix(FixDraft::remove(format!("{admin} remains the owner of {words}")).lost(format!(
                    "owner {owner} of {words}: {admin} owns it, and {owner} is a member of {admin}"
                )));
            ctx.report(draft);
            return;
        }
        before.push(membership(ctx, owner, admin));
        let mut grants = ctx.facts.memberships.iter().filter(|m| &*m.role == owner && &*m.member == admin);
        strange = grants.any(|m| m.set);
        if !strange {
            ctx.states.of::<Handover>().lent_membership.insert(owner.to_owned());
        }
    }
    if object.id.class == Class::Schema {
        ctx.states.of::<Handover>().schema_owners.insert(id.name.to_string(), owner.to_owned());
    }
    // Whoever restores the dump sees to its schema.
    let inner = ctx.options.hands_over_chunks
        && id.class == Class::Relation
        && (is_chunk(ctx, &id)
            || id.schema.as_deref().is_some_and(|schema| schema.starts_with("_timescaledb_")));
    if inner && before.is_empty() {
        return;
    }
    // What the new owner may not create in, and what the server says then.
    let mut closed = None;
    if object.id.class == Class::Publication {
        let database = ctx.target.database.as_str();
        let creates = |p: &&Privilege| p.object.class == Class::Database;
        if !may_create(ctx, owner, creates) {
            before.push(format!("GRANT CREATE ON DATABASE {} TO {};", quoted(database), quoted(owner)));
            after.push(format!("REVOKE CREATE ON DATABASE {} FROM {};", quoted(database), quoted(owner)));
            closed = Some(format!("database {database}"));
        }
    } else if let Some(schema) = id.schema.as_deref().filter(|_| needs_create(object) && !inner) {
        let schema_id = ObjectId::new(Class::Schema, None, schema);
        let known = ctx.states.get::<Handover>();
        let owns =
            known.and_then(|known| known.schema_owners.get(schema)).is_some_and(|known| known == owner);
        let granted = may_create(ctx, owner, |p| p.object == schema_id);
        let key = (schema.to_owned(), owner.to_owned());
        let loan = known.and_then(|known| known.borrowed_create.get(&key)).cloned();
        if !owns && (!granted || loan.is_some_and(|loan| !loan.kept)) {
            if !granted {
                before.push(format!("GRANT CREATE ON SCHEMA {} TO {};", quoted(schema), quoted(owner)));
            }
            closed = Some(format!("schema {schema}"));
            let place = statement.place(&statement.range());
            ctx.states
                .of::<Handover>()
                .borrowed_create
                .insert(key, Loan { role: owner.to_owned(), place, kept: false });
        }
    }
    if before.is_empty() && closed.is_none() && member_by_dump(ctx, owner) {
        return;
    }
    if strange && closed.is_none() {
        // It passes, and all that follows on the object does not: without INHERIT its owner is a stranger.
        draft = draft
            .message(format!("{admin} can hand over {words} to {owner}, but loses its access to it"))
            .severity(Severity::Warning)
            .fix(FixDraft::surround(format!("Let {admin} act as {owner}"), before, after));
        ctx.report(draft);
        return;
    }
    let (message, error) = match closed {
        Some(closed) if strange || member_by_dump(ctx, owner) => (
            format!("{owner} needs CREATE on {closed} to own {words}"),
            ServerError::new("42501", format!("permission denied for {closed}")),
        ),
        _ => (format!("{admin} must be a member of {owner} to hand over {words}"), refused),
    };
    draft = draft.message(message).server(error).fix(FixDraft::surround(
        format!("Let {admin} hand over to {owner}"),
        before,
        after,
    ));
    ctx.report(draft);
}

/// The GRANT that makes the restoring role a member of `owner`, with its privileges and the right to
/// become it, whatever an earlier GRANT of the dump denied.
pub(crate) fn membership(ctx: &Context<'_>, owner: &str, admin: &str) -> String {
    let denied = ctx.facts.memberships.iter().any(|m| &*m.role == owner && &*m.member == admin);
    let options = if denied && ctx.target.version >= 16 { " WITH INHERIT TRUE, SET TRUE" } else { "" };
    format!("GRANT {} TO {}{options};", quoted(owner), quoted(admin))
}

/// True where the dump itself, and not a fix, made the restoring role a member of the owner.
pub(crate) fn member_by_dump(ctx: &Context<'_>, owner: &str) -> bool {
    ctx.facts.is_member(owner, &ctx.target.admin)
        && !ctx.states.get::<Handover>().is_some_and(|known| known.lent_membership.contains(owner))
}

/// True for a chunk in a schema of the user's own.
pub(super) fn is_chunk(ctx: &Context<'_>, id: &ObjectId) -> bool {
    let key = |schema: &str| (schema.to_owned(), id.name.to_string());
    id.class == Class::Relation && id.schema.as_deref().is_some_and(|s| ctx.options.chunks.contains(&key(s)))
}

/// Kinds of objects whose new owner needs CREATE on their schema (AlterObjectOwner_internal,
/// ATExecChangeOwner).
fn needs_create(object: &Object) -> bool {
    !matches!(object.id.class, Class::Schema | Class::Attached) && object.word != "large object"
}

/// True where the role, or PUBLIC, may create in what the condition takes.
pub(crate) fn may_create(ctx: &Context<'_>, owner: &str, on: impl Fn(&&Privilege) -> bool) -> bool {
    let creates = |p: &&Privilege| {
        &*p.privileges == "ALL" || p.privileges.split(", ").any(|word| word.eq_ignore_ascii_case("create"))
    };
    [Some(owner), None].into_iter().any(|grantee| {
        let privileges = ctx.facts.privileges.iter().rev();
        privileges
            .filter(|p| p.grantee.as_deref() == grantee)
            .filter(&on)
            .find(creates)
            .is_some_and(|p| p.granted)
    })
}
