//! What a check leaves for the next one of nearly the same text: the trees of its statements. A tree depends on the
//! statement's text and on `standard_conforming_strings` alone, and so does what [`Tree`] holds besides: a statement that
//! stands somewhere else, or is checked for another target, is not read anew. What the dump says before it is not in
//! there: facts and rules look at every statement in every check.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::batches::{Batch, Executor, ParseOutcome, Tree, read};

/// Trees of earlier checks, found by the texts of their statements. It parses batches for [`crate::Analyzer`] where they
/// are asked for.
#[derive(Debug)]
pub struct ParseCache {
    trees: RefCell<Trees>,
}

#[derive(Debug, Default)]
struct Trees {
    /// With `standard_conforming_strings` on.
    standard: HashMap<Box<str>, CachedTree>,
    /// With it off.
    escaping: HashMap<Box<str>, CachedTree>,
    /// Bytes of the texts in there.
    held: usize,
    limit: usize,
    /// Counts the checks that have ended.
    check: u64,
}

#[derive(Debug)]
struct CachedTree {
    tree: Arc<Tree>,
    /// The last check that needed it.
    used: u64,
}

impl ParseCache {
    /// Holds trees of statements with at most so many bytes of text: a tree takes some seventy times that. Of a longer
    /// text it holds the first ones; what another text has left makes room at the end of that one's check.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { trees: RefCell::new(Trees { limit, ..Trees::default() }) }
    }

    /// A check has ended: forgets what it did not need. Where a check does not come to its end (an open quote swallows
    /// the rest of the text), nothing is forgotten: the next one may need it.
    pub fn end_check(&self) {
        let mut trees = self.trees.borrow_mut();
        trees.forget();
        trees.check += 1;
    }

    /// How many bytes the texts have whose trees it holds.
    #[must_use]
    pub fn held(&self) -> usize {
        self.trees.borrow().held
    }
}

impl Trees {
    fn read(&mut self, sql: &str, standard_strings: bool) -> ParseOutcome {
        let used = self.check;
        if let Some(cached) = self.known(standard_strings).get_mut(sql) {
            cached.used = used;
            return Ok(Some(Arc::clone(&cached.tree)));
        }
        let outcome = read(sql, standard_strings);
        if let Ok(Some(tree)) = &outcome
            && self.held + sql.len() <= self.limit
        {
            self.held += sql.len();
            let cached = CachedTree { tree: Arc::clone(tree), used };
            self.known(standard_strings).insert(sql.into(), cached);
        }
        outcome
    }

    fn known(&mut self, standard_strings: bool) -> &mut HashMap<Box<str>, CachedTree> {
        if standard_strings { &mut self.standard } else { &mut self.escaping }
    }

    /// Forgets what the check under way has not needed.
    fn forget(&mut self) {
        let Self { standard, escaping, held, check, .. } = self;
        for known in [standard, escaping] {
            known.retain(|sql, cached| {
                let stays = cached.used == *check;
                if !stays {
                    *held -= sql.len();
                }
                stays
            });
        }
    }
}

impl Executor for ParseCache {
    fn submit(&self, mut batch: Batch) -> Box<dyn FnOnce() -> Batch> {
        batch.parse_by(|sql, standard_strings| self.trees.borrow_mut().read(sql, standard_strings));
        Box::new(move || batch)
    }

    fn depth(&self) -> usize {
        0
    }
}

#[cfg(test)]
mod tests;
