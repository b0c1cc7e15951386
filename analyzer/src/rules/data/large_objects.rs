//! The large objects that a dump creates.

use std::collections::BTreeSet;

use crate::rule::Context;

/// Numbers of the large objects that exist.
#[derive(Clone, Debug, Default)]
pub(crate) struct LargeObjects(pub(crate) BTreeSet<u32>);

/// True where the dump has created the large object of this number.
pub(crate) fn has_large_object(ctx: &Context<'_>, number: u32) -> bool {
    ctx.states.get::<LargeObjects>().is_some_and(|known| known.0.contains(&number))
}
