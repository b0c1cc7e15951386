//! Which roles exist on the target, and what to do about one that does not.

use std::collections::BTreeSet;

use crate::facts::encoding::Encoding;
use crate::parse::NodeEnum;
use crate::rule::Context;
use crate::rules::function::bodies::body;

/// Roles that could do on the source what none can do on the target.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceAttributes {
    /// Superusers, whatever becomes of them.
    pub(crate) superusers: BTreeSet<String>,
    /// Roles that bypass row-level security.
    pub(crate) bypass: BTreeSet<String>,
    /// Members of pg_read_all_data that are none on the target.
    pub(crate) readers: BTreeSet<String>,
}

impl SourceAttributes {
    /// True where no role had more than it has on the target.
    pub(crate) fn is_empty(&self) -> bool {
        self.superusers.is_empty() && self.bypass.is_empty() && self.readers.is_empty()
    }

    /// A role has this attribute on the source.
    pub(crate) fn add(&mut self, role: &str, attribute: &str) {
        match attribute {
            "superuser" => self.superusers.insert(role.to_owned()),
            "bypassrls" => self.bypass.insert(role.to_owned()),
            _ => false,
        };
    }
}

/// The service's superuser.
pub(crate) const SUPERUSER: &str = "postgres";

/// A role whose explicit members no server takes.
pub(crate) const DATABASE_OWNER: &str = "pg_database_owner";

/// Names that a provider uses and that others give to roles of their own, too.
const AMBIGUOUS: &[&str] = &["pgbouncer"];

/// Where a role comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known<'a> {
    /// The dump makes it.
    Made,
    /// The target has it.
    Target,
    /// It is a provider's own: it will not be there.
    Provider(&'a str),
    /// Neither.
    Missing,
}

/// Where this role comes from.
pub(crate) fn known<'a>(ctx: &Context<'a>, name: &str) -> Known<'a> {
    if ctx.target.has_role(name) {
        Known::Target
    } else if ctx.facts.makes_role(name)
        || is_made_in_another_encoding(ctx, name)
        || ctx.states.get::<MadeInBlocks>().is_some_and(|made| made.0.contains(name))
    {
        Known::Made
    } else {
        provider(ctx, name).map_or(Known::Missing, Known::Provider)
    }
}

/// Roles that DO blocks make, perhaps where they do not exist yet.
#[derive(Clone, Debug, Default)]
struct MadeInBlocks(BTreeSet<String>);

/// Keeps the roles that the DO block at hand makes.
pub(super) fn look_into_block(ctx: &mut Context<'_>) {
    let parts = body(ctx);
    let made = parts.iter().filter_map(|part| match part.parsed().node() {
        NodeEnum::CreateRoleStmt(s) => Some(s.role.clone()),
        _ => None,
    });
    let made: Vec<String> = made.collect();
    if !made.is_empty() {
        ctx.states.of::<MadeInBlocks>().0.extend(made);
    }
}

/// True where a role that other inputs make may be the one that this input names in another encoding than UTF-8: each byte
/// beyond ASCII is `_` here.
fn is_made_in_another_encoding(ctx: &Context<'_>, name: &str) -> bool {
    let is_other = matches!(ctx.facts.session.now.encoding, Encoding::Converted | Encoding::MayFail);
    let here = |role: &str| role.chars().map(|c| if c.is_ascii() { c } else { '_' }).eq(name.chars());
    is_other
        && name.contains('_')
        && ctx.facts.roles.keys().any(|role| here(role) && ctx.facts.makes_role(role))
}

/// The provider whose own role this is.
pub(crate) fn provider<'a>(ctx: &Context<'a>, name: &str) -> Option<&'a str> {
    let provider = ctx.target.provider_of(name)?;
    let others = || {
        ctx.facts.roles.keys().map(|role| &**role).chain(ctx.facts.owners.iter().map(|owner| &*owner.role))
    };
    let sure = !AMBIGUOUS.contains(&name)
        || others().any(|other| other != name && ctx.target.provider_of(other) == Some(provider));
    sure.then_some(provider)
}

/// True where the restoring role may change this role: always up to 15 (CREATEROLE), with ADMIN from 16
/// on. Superusers are out of reach.
pub(crate) fn may_alter(ctx: &Context<'_>, name: &str) -> bool {
    name != SUPERUSER
        && (ctx.target.version <= 15
            || ctx.target.grantable_roles.contains(name)
            || !ctx.target.reserved_roles.contains_key(name))
}

/// What is said of a statement that needs a role which nothing creates.
pub(crate) fn missing_message(name: &str) -> String {
    format!("role {name} is missing: these files do not create it")
}

/// What to do about a role that nothing creates.
pub(crate) fn missing_advice(ctx: &Context<'_>) -> String {
    if ctx.facts.role_statements == 0 {
        "Give the roles dump together with this one (pg_dumpall --roles-only): tsmigrate check roles.sql \
         schema.sql. Or create the role on the target first."
            .into()
    } else {
        "The roles dump does not create it: create it on the target first, or leave this out.".into()
    }
}
