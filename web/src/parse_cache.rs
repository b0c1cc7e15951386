//! Checks of one text after another, where most of it stays the same: an editor's.

use std::rc::Rc;

use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::checker::Checker;

/// So many bytes of statements are remembered with their trees: some 60 to 80 bytes for each of them, 320 MB in all. The
/// statements of a schema are half of its text, comments and white space the rest.
const HELD: usize = 4 << 20;

/// What a check leaves for the next one: the trees of its statements.
#[wasm_bindgen]
#[derive(Debug)]
pub struct ParseCache {
    trees: Rc<tsmigrate_analyzer::ParseCache>,
}

#[wasm_bindgen]
impl ParseCache {
    /// Remembers nothing yet.
    #[wasm_bindgen(constructor)]
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a script makes it")]
    pub fn new() -> Self {
        Self { trees: Rc::new(tsmigrate_analyzer::ParseCache::new(HELD)) }
    }

    /// A checker that knows what the last check has left, and leaves what the next one may need. What it says is what any
    /// checker says.
    ///
    /// # Errors
    /// As [`Checker::new`].
    pub fn checker(&self, settings: &str) -> Result<Checker, JsError> {
        Checker::with(settings, Some(Rc::clone(&self.trees)))
    }

    /// How many bytes the statements have whose trees are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.trees.held()
    }
}
