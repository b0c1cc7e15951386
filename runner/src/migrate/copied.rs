//! What the target has of the rows, for the summary of a run that ends early.

use std::collections::BTreeMap;

use crate::engine::marks::Marks;
use crate::step::Step;
use crate::tables::Table;
use crate::tables::range::CopyRange;

/// Tables with the steps that their rows are copied in, and those that are done, by this start and those before.
#[derive(Default)]
pub(crate) struct Copied {
    tables: Vec<Vec<Step>>,
    done: BTreeMap<Step, u64>,
}

impl Copied {
    /// Those of a run that begins, or goes on.
    pub(super) fn new(tables: &[(Table, Vec<CopyRange>)], marks: &Marks) -> Self {
        let steps = |(table, ranges): &(Table, Vec<CopyRange>)| {
            ranges.iter().map(|range| range.step(table)).collect()
        };
        let tables: Vec<Vec<Step>> = tables.iter().map(steps).collect();
        let done =
            tables.iter().flatten().filter_map(|step| Some((step.clone(), marks.done(step)?))).collect();
        Self { tables, done }
    }

    /// Takes note of a step that is done.
    pub(super) fn note(&mut self, step: &Step, rows: u64) {
        if matches!(step, Step::Table(_) | Step::CopyRange(..)) {
            self.done.insert(step.clone(), rows);
        }
    }

    /// How many tables there are, and how many of them are copied whole; rows of all that is copied, and of how many tables
    /// they are.
    pub(super) fn counts(&self) -> CopiedCounts {
        let whole = |steps: &&Vec<Step>| steps.iter().all(|step| self.done.contains_key(step));
        let has_rows =
            |steps: &&Vec<Step>| steps.iter().any(|step| self.done.get(step).is_some_and(|rows| *rows > 0));
        CopiedCounts {
            tables: self.tables.len(),
            whole: self.tables.iter().filter(whole).count(),
            with_rows: self.tables.iter().filter(has_rows).count() as u64,
            rows: self.tables.iter().flatten().filter_map(|step| self.done.get(step)).sum(),
        }
    }
}

/// Numbers of what is copied.
pub(super) struct CopiedCounts {
    pub(super) tables: usize,
    pub(super) whole: usize,
    pub(super) with_rows: u64,
    pub(super) rows: u64,
}
