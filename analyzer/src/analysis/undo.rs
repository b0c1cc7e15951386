//! What a transaction goes back to.

use std::sync::Arc;

use crate::facts::Facts;
use crate::rules::ownership::handover::Handover;

/// So many facts are copied at most for transactions to go back to: an input of thousands of transactions must not take
/// time that grows with the square of its length. Behind that only what they create is undone.
pub(super) const MAX_COPIED: usize = 20_000_000;

/// What was known before the first change behind a BEGIN or a SAVEPOINT; `None` until there is a change.
pub(super) type Before = Option<Arc<(Facts, Handover)>>;

/// What the marks of the transaction go back to, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Undo {
    pub(super) before: Vec<Before>,
    /// How many facts were copied.
    pub(super) copied: usize,
}

impl Undo {
    /// No transaction.
    pub(super) fn clear(&mut self) {
        self.before.clear();
    }
}
