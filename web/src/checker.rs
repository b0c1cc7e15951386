//! An analysis whose inputs arrive in pieces.

use std::rc::Rc;

use serde_json::json;
use tsmigrate_analyzer::quote::shell_file;
use tsmigrate_analyzer::{Analyzer, InputError, Options, ParseCache, Target};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::checked::Checked;
use crate::settings::Settings;

/// What an analysis is done with.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) target: Target,
    pub(crate) options: Options,
    /// What earlier checks have left, while the analysis runs.
    cache: Option<Rc<ParseCache>>,
}

/// The analyzer while it runs; `None` once it has finished.
type Slot<'a> = Option<Analyzer<'a>>;

self_cell::self_cell!(
    struct Running {
        owner: Setup,
        #[not_covariant]
        dependent: Slot,
    }
);

/// Takes inputs as their bytes arrive. For each: `begin`, `feed` as often as needed, `end`; then `finish`.
#[wasm_bindgen]
#[allow(missing_debug_implementations)]
pub struct Checker {
    running: Running,
}

#[wasm_bindgen]
impl Checker {
    /// A checker with these settings (JSON, see `Settings`).
    ///
    /// # Errors
    /// What of the settings cannot be, in words.
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &str) -> Result<Self, JsError> {
        Self::with(settings, None)
    }

    /// The next input begins.
    pub fn begin(&mut self, name: &str) {
        self.act(|analyzer| analyzer.begin(name));
    }

    /// Takes the next bytes of the input.
    ///
    /// # Errors
    /// Where they are not those of a dump in text form: JSON with `input`, `what`, `next` and `line`.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), JsError> {
        self.act(|analyzer| analyzer.feed(bytes))
            .map_or(Ok(()), |result| result.map_err(|error| refusal(&error)))
    }

    /// The input has ended.
    ///
    /// # Errors
    /// Where it is empty, cut off, or cannot be analysed safely: as [`Checker::feed`].
    #[allow(
        clippy::redundant_closure_for_method_calls,
        reason = "the method's path has one lifetime, not any"
    )]
    pub fn end(&mut self) -> Result<(), JsError> {
        self.act(|analyzer| analyzer.end()).map_or(Ok(()), |result| result.map_err(|error| refusal(&error)))
    }

    /// All inputs have ended.
    #[must_use]
    pub fn finish(mut self) -> Checked {
        let analyzer = self.running.with_dependent_mut(|_, slot| slot.take());
        // `finish` takes the checker: the slot is full.
        let analysis = analyzer.map(Analyzer::finish).unwrap_or_default();
        let mut setup = self.running.into_owner();
        if let Some(cache) = setup.cache.take() {
            cache.end_check();
        }
        Checked::new(setup, analysis)
    }
}

impl Checker {
    /// A checker that may remember.
    pub(crate) fn with(settings: &str, cache: Option<Rc<ParseCache>>) -> Result<Self, JsError> {
        let (target, options) = Settings::read(settings).map_err(|error| JsError::new(&error))?;
        let setup = Setup { target, options, cache };
        let running = Running::new(setup, |setup| {
            let Setup { target, options, cache } = setup;
            Some(match cache {
                Some(cache) => Analyzer::with_executor(target, options, &**cache),
                None => Analyzer::new(target, options),
            })
        });
        Ok(Self { running })
    }

    fn act<T>(&mut self, act: impl FnOnce(&mut Analyzer<'_>) -> T) -> Option<T> {
        self.running.with_dependent_mut(|_, slot| slot.as_mut().map(act))
    }
}

/// What is wrong with an input, as JSON.
fn refusal(error: &InputError) -> JsError {
    let InputError { input, problem } = error;
    let words = json!({
        "input": input,
        "what": problem.what(),
        "next": problem.next(&shell_file(input)),
        "line": problem.line(),
    });
    JsError::new(&words.to_string())
}
