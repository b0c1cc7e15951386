//! Roles whose CREATE ROLE the server refuses as it is, and takes once it is rewritten: what names them fails until then, too.

use super::missing::what;
use crate::edit::Action;
use crate::facts::names::{role, roles, text};
use crate::facts::objects::subject;
use crate::finding::{Place, ServerError, Severity};
use crate::locate::Statement;
use crate::parse::{Class, NodeEnum, pg};
use crate::rule::{Context, Draft, Finding, FixDraft};

/// The roles that the rewrite creates, and the inputs as they are do not.
#[derive(Clone, Debug, Default)]
struct Mended {
    roles: Vec<(Box<str>, Place)>,
    /// The input and number of the last statement: what the rewrite makes of it is judged too, and is no other.
    last: (usize, u32),
}

/// Reports a statement that names such a role, where no rule has found anything else. True where it did.
pub(super) fn find(ctx: &mut Context<'_>, statement: &Statement<'_>, node: &NodeEnum) -> bool {
    let is_create = matches!(node, NodeEnum::CreateRoleStmt(_));
    let place = statement.place(&statement.range());
    let this = (place.input, place.statement);
    if ctx.states.get::<Mended>().map_or(!is_create, |mended| mended.last == this) {
        return false;
    }
    ctx.states.of::<Mended>().last = this;
    let fails = ctx.findings.iter().any(|finding| finding.severity == Severity::Error);
    let found = if fails { None } else { named(ctx, statement, node) };
    let all = &mut ctx.states.of::<Mended>().roles;
    match node {
        NodeEnum::CreateRoleStmt(s) => {
            if ctx.findings.iter().any(is_mended) {
                all.push((s.role.as_str().into(), place));
            } else {
                all.retain(|(name, _)| **name != *s.role);
            }
        }
        NodeEnum::DropRoleStmt(s) => {
            let dropped: Vec<&str> = roles(&s.roles).filter_map(role).collect();
            all.retain(|(name, _)| !dropped.contains(&&**name));
        }
        NodeEnum::RenameStmt(s) if s.rename_type == pg::ObjectType::ObjectRole as i32 => {
            for (name, _) in all.iter_mut().filter(|(name, _)| **name == *s.subname) {
                *name = s.newname.as_str().into();
            }
        }
        _ => {}
    }
    let Some((name, place)) = found else { return false };
    let line = place.line;
    let draft =
        Draft::new(format!("role {name} does not exist before the statement in line {line} is rewritten"))
            .object(what(ctx, node))
            .server(ServerError::missing_role(&name))
            .related(place, format!("role {name} is created here"));
    let title = format!("Rewrite the statement in line {line}");
    ctx.report(draft.fix(FixDraft::surround(title, Vec::new(), Vec::new())));
    true
}

/// The statement fails as it is, and a fix has it do what it does.
fn is_mended(finding: &Finding) -> bool {
    finding.severity == Severity::Error
        && finding.fix.as_deref().is_some_and(|fix| match &fix.action {
            Action::Edit { .. } | Action::Replace { .. } => true,
            Action::Surround { before, after, .. } => !before.is_empty() || !after.is_empty(),
            Action::Remove { .. } => false,
        })
}

/// The first such role that a statement names, and where it is created.
fn named(ctx: &Context<'_>, statement: &Statement<'_>, node: &NodeEnum) -> Option<(String, Place)> {
    let all = &ctx.states.get::<Mended>()?.roles;
    let is_optional = matches!(node, NodeEnum::DropRoleStmt(s) if s.missing_ok);
    if all.is_empty() || is_optional {
        return None;
    }
    let known = |name: &str| {
        let (name, place) = all.iter().find(|(known, _)| **known == *name)?;
        Some((name.to_string(), *place))
    };
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
