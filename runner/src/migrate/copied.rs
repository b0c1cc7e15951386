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

    /// What is copied, in numbers.
    pub(super) fn counts(&self) -> CopiedCounts {
        let mut counts = CopiedCounts::default();
        for steps in self.tables.iter().filter(|steps| !steps.is_empty()) {
            let done = steps.iter().filter(|step| self.done.contains_key(step)).count();
            counts.tables += 1;
            counts.whole += u64::from(done == steps.len());
            counts.in_part += u64::from(done > 0 && done < steps.len());
            counts.rows += steps.iter().filter_map(|step| self.done.get(step)).sum::<u64>();
        }
        counts
    }
}

/// Numbers of tables with something to copy, and of their rows.
#[derive(Default)]
pub(super) struct CopiedCounts {
    pub(super) tables: u64,
    pub(super) whole: u64,
    pub(super) in_part: u64,
    pub(super) rows: u64,
}
