//! How a place that is not moved is reported.

use crate::finding::Why;
use crate::rule::{Context, Draft, Subject};

/// Reports the place at hand, where it is one of these.
pub(super) fn report(ctx: &mut Context<'_>, why: Why, message: &str) {
    let Subject::Unmoved(unmoved) = ctx.subject else { return };
    if unmoved.why != why {
        return;
    }
    let draft = Draft::new(message);
    let draft = match &unmoved.object {
        Some(object) => draft.object(object.clone()),
        None => draft,
    };
    ctx.report(draft);
}
