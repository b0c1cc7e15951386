//! What came of each dump, a line for each.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use tsmigrate_tests::score::{Difference, Judged, Score, Unjudged};

/// What came of a dump on one version.
pub(crate) struct Line {
    pub(crate) dump: String,
    pub(crate) score: Score,
    /// Why statements are not judged, and how many.
    pub(crate) unjudged: BTreeMap<Unjudged, usize>,
    /// By file.
    pub(crate) differences: Vec<(String, Vec<Difference>)>,
}

impl Line {
    pub(crate) fn of(name: String, judged: &Judged) -> Self {
        let mut unjudged = BTreeMap::new();
        for why in judged.unjudged.values() {
            *unjudged.entry(*why).or_default() += 1;
        }
        Self { dump: name, score: judged.score, unjudged, differences: Vec::new() }
    }
}

/// A line for each, and the totals of those that count.
pub(crate) fn table(lines: &[Line]) -> String {
    let width = lines.iter().map(|line| line.dump.len()).max().unwrap_or(0);
    let mut out = format!("{:width$} {}\n", "", Score::HEAD);
    let (mut total, mut unjudged) = (Score::default(), BTreeMap::<Unjudged, usize>::new());
    for line in lines {
        let _ = writeln!(out, "{:width$} {}", line.dump, line.score);
        // What nobody can migrate to is for information.
        if line.dump.ends_with(" 14") {
            continue;
        }
        total += line.score;
        for (why, count) in &line.unjudged {
            *unjudged.entry(*why).or_default() += count;
        }
    }
    let _ = writeln!(out, "{:width$} {total}", "total");
    let _ = writeln!(out, "recall {}, precision {}", total.recall(), total.precision());
    let unjudged: Vec<String> = unjudged.iter().map(|(why, count)| format!("{why:?} {count}")).collect();
    let _ =
        writeln!(out, "unjudged: {}", if unjudged.is_empty() { "none".into() } else { unjudged.join(", ") });
    out
}
