//! What the server refuses to create as it is, and creates once it is rewritten: statements that need it fail until then, too.

use std::collections::BTreeMap;

use super::missing::{error_for, first_in_body, what, words};
use crate::edit::Action;
use crate::facts::names::{role, roles, text};
use crate::facts::objects::{also_created, new_name, signature, subject};
use crate::facts::{ObjectId, Overload};
use crate::finding::{Place, ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, Reference, pg};
use crate::rule::{Context, Draft, Finding, FixDraft, States};
use crate::target::is_builtin;

/// An object, and the types that tell functions, operators and operator classes of one name apart.
type Key = (ObjectId, Option<Box<str>>);

/// What the rewrite creates, and the inputs as they are do not.
#[derive(Clone, Debug, Default)]
struct Mended {
    objects: BTreeMap<Key, Place>,
    /// The input and number of the last statement: what the rewrite makes of it is judged too, and is no other.
    last: (usize, u32),
}

impl Mended {
    fn get(&self, id: &ObjectId) -> Option<Place> {
        self.objects.get(&(id.clone(), None)).copied()
    }

    /// The same of one of several functions or operators.
    fn overload(&self, id: &ObjectId, types: &str) -> Option<Place> {
        self.get(id).or_else(|| self.objects.get(&(id.clone(), Some(types.into()))).copied())
    }

    /// What a reference names: a function where each that a call may mean is such a one.
    fn find(&self, ctx: &Context<'_>, reference: &Reference, id: &ObjectId) -> Option<Place> {
        let Some(overloads) = ctx.facts.overloads.get(id) else { return self.get(id) };
        let fits = |o: &&Overload| {
            reference.arguments.is_none_or(|n| (o.signature.least..=o.signature.most).contains(&n))
        };
        let mut places = overloads.iter().filter(fits).map(|o| self.overload(id, &o.signature.types));
        let first = places.next()??;
        places.all(|place| place.is_some()).then_some(first)
    }
}

/// Objects of a transaction that fails as it is, at this place, and passes once it is rewritten.
pub(crate) fn keep(states: &mut States, ids: &[ObjectId], place: Place) {
    let objects = &mut states.of::<Mended>().objects;
    for id in ids {
        objects.entry((id.clone(), None)).or_insert(place);
    }
}

/// Reports a statement that needs such an object, where no rule has found anything else. True where it did.
pub(super) fn find(ctx: &mut Context<'_>, statement: &Statement<'_>, node: &NodeEnum) -> bool {
    let place = statement.place(&statement.range());
    let this = (place.input, place.statement);
    let fails = ctx.findings.iter().any(|finding| finding.severity == Severity::Error);
    match ctx.states.get::<Mended>() {
        None if !fails => return false,
        Some(mended) if mended.last == this => return false,
        _ => {}
    }
    ctx.states.of::<Mended>().last = this;
    let found = if fails { None } else { needed(ctx, statement, node) };
    let is_mended = found.is_some() || ctx.findings.iter().any(is_mended);
    // What it needs is rewritten, and not the statement itself.
    let cause = found.as_ref().map_or(place, |(.., cause)| *cause);
    let made = made(ctx, node);
    let types = signature(node).map(|signature| signature.types);
    let dropped: Vec<ObjectId> = match node {
        NodeEnum::DropRoleStmt(s) => roles(&s.roles).filter_map(role).map(of_role).collect(),
        NodeEnum::DropStmt(_) => subject(node).map(|object| ctx.resolved(&object.id)).into_iter().collect(),
        _ => Vec::new(),
    };
    let objects = &mut ctx.states.of::<Mended>().objects;
    for key in made {
        if is_mended {
            objects.entry(key).or_insert(cause);
        } else {
            objects.remove(&key);
        }
    }
    for id in dropped {
        objects.remove(&(id, types.clone()));
    }
    let Some((missing, error, place)) = found else { return false };
    let line = place.line;
    let draft =
        Draft::new(format!("{missing} does not exist before the statement in line {line} is rewritten"))
            .object(what(ctx, node))
            .server(error)
            .related(place, "the statement to rewrite");
    let title = format!("Rewrite the statement in line {line}");
    ctx.report(draft.fix(FixDraft::surround(title, Vec::new(), Vec::new())));
    true
}

fn of_role(name: &str) -> ObjectId {
    ObjectId::new(Class::Role, None, name)
}

/// What the statement creates, be it by another name that it gives.
fn made(ctx: &Context<'_>, node: &NodeEnum) -> Vec<Key> {
    let named = match node {
        NodeEnum::CreateRoleStmt(s) => Some(of_role(&s.role)),
        NodeEnum::RenameStmt(s) if s.rename_type == pg::ObjectType::ObjectRole as i32 => {
            Some(of_role(&s.newname))
        }
        NodeEnum::RenameStmt(_) => new_name(node),
        _ => ctx.created(node).map(|object| object.id),
    };
    let named = named.map(|id| (id, signature(node).map(|signature| signature.types)));
    let all = named.into_iter().chain(also_created(node).into_iter().map(|id| (id, None)));
    all.filter(|(id, _)| id.class != Class::Nameless).map(|(id, types)| (ctx.resolved(&id), types)).collect()
}

/// The statement fails as it is, and a fix has it do what it does.
fn is_mended(finding: &Finding) -> bool {
    finding.severity == Severity::Error
        && finding.server_error.as_ref().is_some_and(|error| !error.sqlstate.starts_with('0'))
        && finding.fix.as_deref().is_some_and(|fix| match &fix.action {
            // Empty where an earlier fix does the work.
            Action::Edit { .. } | Action::Replace { .. } | Action::Surround { .. } => true,
            Action::Remove { .. } => false,
        })
}

/// The first such object that a statement needs, in words, with what the server says of it and where it is created.
fn needed(
    ctx: &Context<'_>,
    statement: &Statement<'_>,
    node: &NodeEnum,
) -> Option<(String, ServerError, Place)> {
    let mended = ctx.states.get::<Mended>().filter(|mended| !mended.objects.is_empty())?;
    if is_optional(node) {
        return None;
    }
    if let Some((name, place)) = needed_role(mended, statement, node) {
        return Some((format!("role {name}"), ServerError::missing_role(&name), place));
    }
    let resolved = |reference: &Reference| ctx.resolved(&ObjectId::of(reference));
    let of = |reference: &Reference| {
        let id = resolved(reference);
        let schema = id.schema.as_deref().map(|schema| ObjectId::new(Class::Schema, None, schema));
        let as_table = || {
            let id = ObjectId { class: Class::Relation, ..id.clone() };
            (reference.class == Class::Type).then(|| mended.get(&id)).flatten()
        };
        if let Some((schema, place)) = schema.and_then(|id| Some((id.clone(), mended.get(&id)?))) {
            let missing = Reference::new(Class::Schema, None, &schema.name);
            return Some((missing, place));
        }
        let place = mended
            .find(ctx, reference, &id)
            .or_else(as_table)
            .or_else(|| of_extension(ctx, mended, reference, &id))?;
        Some((reference.clone(), place))
    };
    let subject = subject(node)
        .map(|object| object.id)
        .or_else(|| Some(ctx.facts.hypertable_call(node)?.table))
        .filter(|id| id.class != Class::Role)
        .map(|id| id.table().unwrap_or(id))
        .map(|id| Reference::new(id.class, id.schema.as_deref(), &id.name));
    let own = ctx.created(node).map(|object| ctx.resolved(&object.id));
    let of_subject = |reference: &Reference| match signature(node) {
        Some(signature) => {
            let place = mended.overload(&resolved(reference), &signature.types);
            place.map(|place| (reference.clone(), place))
        }
        None => of(reference),
    };
    let is_own = |reference: &&Reference| own.as_ref() == Some(&resolved(reference));
    let in_schema = || {
        let schema = own.as_ref().filter(|id| id.class != Class::Nameless)?.schema.as_deref()?;
        of(&Reference::new(Class::Schema, None, schema))
    };
    let (missing, place) = subject
        .as_ref()
        .and_then(of_subject)
        .or_else(in_schema)
        .or_else(|| statement.references().iter().filter(|reference| !is_own(reference)).find_map(of))
        .or_else(|| first_in_body(ctx, node, |reference| of(reference)))?;
    Some((words(&missing), error_for(&missing), place))
}

/// The statement to rewrite of the extension that has this member.
fn of_extension(ctx: &Context<'_>, mended: &Mended, reference: &Reference, id: &ObjectId) -> Option<Place> {
    let has = |name: &str| {
        ctx.facts.is_member_of(name, reference.class, reference.schema.as_deref(), &reference.name)
    };
    let is_own = || ctx.facts.declares(id) || is_builtin(reference.class, &reference.name);
    let first = (ObjectId::new(Class::Extension, None, ""), None);
    let extensions = mended.objects.range(first..);
    let mut extensions = extensions.take_while(|((known, _), _)| known.class == Class::Extension);
    let (_, place) = extensions.find(|((known, _), _)| has(&known.name) && !is_own())?;
    Some(*place)
}

/// A statement that takes it when what it names is not there.
fn is_optional(node: &NodeEnum) -> bool {
    match node {
        NodeEnum::DropRoleStmt(s) => s.missing_ok,
        NodeEnum::DropStmt(s) => s.missing_ok,
        NodeEnum::AlterTableStmt(s) => s.missing_ok,
        NodeEnum::RenameStmt(s) => s.missing_ok,
        NodeEnum::AlterObjectSchemaStmt(s) => s.missing_ok,
        NodeEnum::AlterSeqStmt(s) => s.missing_ok,
        _ => false,
    }
}

/// The first such role that a statement names, and where it is created.
fn needed_role(mended: &Mended, statement: &Statement<'_>, node: &NodeEnum) -> Option<(String, Place)> {
    let known = |name: &str| Some((name.to_owned(), mended.get(&of_role(name))?));
    let object = subject(node).filter(|object| object.id.class == Class::Role);
    let own = match node {
        NodeEnum::GrantRoleStmt(s) => s.granted_roles.iter().find_map(|node| match node.node.as_ref()? {
            NodeEnum::AccessPriv(granted) => known(&granted.priv_name),
            _ => None,
        }),
        NodeEnum::VariableSetStmt(s) if matches!(s.name.as_str(), "role" | "session_authorization") => {
            known(text(s.args.first()?)?)
        }
        _ => object.and_then(|object| known(&object.id.name)),
    };
    let mut others = statement.references().iter().filter(|reference| reference.class == Class::Role);
    own.or_else(|| others.find_map(|reference| known(&reference.name)))
}
