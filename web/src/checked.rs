//! The result of an analysis: its reports, its changes, and the rewritten bytes.

use std::rc::Rc;

use serde::Serialize;
use tsmigrate_analyzer::report::{Around, Format};
use tsmigrate_analyzer::rewrite::Planned;
use tsmigrate_analyzer::{Analysis, Report, Rewriter, Style};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};

use crate::checker::Setup;

/// An analysis with what it was done with.
#[derive(Debug)]
struct Whole {
    setup: Setup,
    analysis: Analysis,
}

/// A change of an input: what an editor shows before the rewrite is made.
#[derive(Debug, Serialize)]
struct Change<'a> {
    /// The bytes it covers.
    start: u64,
    end: u64,
    /// What comes in their place; `None` where they become a comment.
    text: Option<&'a str>,
    /// The rule, where the change takes a statement out.
    rule: Option<&'a str>,
}

/// The result of an analysis.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Checked {
    whole: Rc<Whole>,
}

impl Checked {
    pub(crate) fn new(setup: Setup, analysis: Analysis) -> Self {
        Self { whole: Rc::new(Whole { setup, analysis }) }
    }

    fn report(&self) -> Report<'_> {
        let Whole { setup, analysis } = &*self.whole;
        Report::new(analysis, &setup.target, &setup.options)
    }
}

#[wasm_bindgen]
impl Checked {
    /// The report in one of the command line's formats: json, sarif, html, markdown, github. The same bytes.
    ///
    /// # Errors
    /// Where there is no such format.
    pub fn write(&self, format: &str) -> Result<Vec<u8>, JsError> {
        let format =
            Format::named(format).ok_or_else(|| JsError::new(&format!("there is no format {format}")))?;
        let mut out = Vec::new();
        self.report().write(format, &Around::default(), &mut out)?;
        Ok(out)
    }

    /// The report as JSON without spaces, for the page: the same fields. With `most`, it has so many findings at most: of
    /// each rule the first ones, and then the worst. The counts are those of all.
    ///
    /// # Errors
    /// None: writing to memory does not fail.
    pub fn view(&self, most: Option<usize>) -> Result<String, JsError> {
        let mut report = self.report();
        if let Some(most) = most {
            report.keep_findings(most);
        }
        Ok(serde_json::to_string(&report)?)
    }

    /// The answer in words, as every format says it, as JSON: `sign`, `title`, `sentence`, and `checked`, which has names
    /// and what is said of each.
    ///
    /// # Errors
    /// None: writing to memory does not fail.
    pub fn words(&self) -> Result<String, JsError> {
        Ok(serde_json::to_string(&self.report().words())?)
    }

    /// The changes of an input in the order of its bytes, as JSON: `start`, `end`, `text` (null where a statement
    /// becomes a comment) and `rule`.
    ///
    /// # Errors
    /// None: writing to memory does not fail.
    pub fn changes(&self, input: usize) -> Result<String, JsError> {
        let planned = self.whole.analysis.inputs.get(input).map_or(&[][..], |input| &input.planned);
        let changes: Vec<Change<'_>> = planned
            .iter()
            .map(|planned| {
                let span = planned.span();
                let (text, rule) = match planned {
                    Planned::Replace(edit) => (Some(edit.text.as_str()), None),
                    Planned::Remove { rule, .. } => (None, Some(*rule)),
                };
                Change { start: span.start, end: span.end, text, rule }
            })
            .collect();
        Ok(serde_json::to_string(&changes)?)
    }

    /// What rewrites an input: to be fed with the same bytes again. `delete` deletes statements that are removed,
    /// which stay as comments otherwise.
    #[must_use]
    pub fn rewriting(&self, input: usize, delete: bool) -> Rewriting {
        let style = if delete { Style::Delete } else { Style::Comment };
        let under_way = UnderWay::new(self.whole.clone(), |whole| whole.analysis.rewriter(input, style));
        Rewriting { under_way }
    }
}

self_cell::self_cell!(
    struct UnderWay {
        owner: Rc<Whole>,
        #[not_covariant]
        dependent: Rewriter,
    }
);

/// A rewrite under way.
#[wasm_bindgen]
#[allow(missing_debug_implementations)]
pub struct Rewriting {
    under_way: UnderWay,
}

#[wasm_bindgen]
impl Rewriting {
    /// Takes the next bytes of the input and returns what they become.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        self.under_way.with_dependent_mut(|_, rewriter| rewriter.feed(bytes, &mut out));
        out
    }

    /// The input has ended: what is still to come.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let mut out = Vec::new();
        self.under_way.with_dependent_mut(|_, rewriter| rewriter.finish(&mut out));
        out
    }
}
