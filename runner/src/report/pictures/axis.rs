//! Marks along an axis.

use std::fmt::Write as _;

use tsmigrate_analyzer::report::page::text;

/// Marks on an axis, at most.
const MARKS: f64 = 8.0;

/// Steps that people count time in, in seconds.
const TIMES: [f64; 16] =
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 21_600.0];

/// A length between two marks of `all` seconds.
pub(super) fn time_step(all: f64) -> f64 {
    TIMES.into_iter().find(|step| all / step <= MARKS).unwrap_or_else(|| (all / MARKS).max(1.0))
}

/// A length between two marks up to `all`: 1, 2 or 5 with zeros behind.
pub(super) fn step(all: f64) -> f64 {
    let mut unit = 1.0;
    while unit * 10.0 < all / MARKS {
        unit *= 10.0;
    }
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|times| times * unit)
        .find(|step| all / step <= MARKS)
        .unwrap_or(unit)
}

/// Marks from 0 to `all`, each with its place from 0 to 1.
pub(super) fn marks(all: f64, step: f64) -> impl Iterator<Item = (f64, f64)> {
    let number = if step > 0.0 { (all / step).floor().clamp(0.0, 1000.0) } else { 0.0 };
    (0_u16..=1000)
        .map(f64::from)
        .take_while(move |at| *at <= number)
        .map(move |at| (at * step, at * step / all))
}

/// A line across the picture with its words under it.
pub(super) fn upright(out: &mut String, x: f64, height: f64, words: &str) {
    let anchor = if x < 20.0 {
        "start"
    } else if x > 960.0 {
        "end"
    } else {
        "middle"
    };
    let _ = writeln!(
        out,
        "<line class=\"mark\" x1=\"{x:.1}\" y1=\"0\" x2=\"{x:.1}\" y2=\"{height:.1}\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{}</text>",
        height + 13.0,
        text(words)
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_has_a_few_marks_whatever_it_shows() {
        for all in [0.3, 1.0, 7.0, 59.0, 3_700.0, 86_400.0, 1e7] {
            let number = marks(all, time_step(all)).count();
            assert!((2..=10).contains(&number), "{all}: {number}");
        }
        for all in [3.0, 999.0, 5e6, 3e9] {
            let number = marks(all, step(all)).count();
            assert!((2..=10).contains(&number), "{all}: {number}");
        }
        assert_eq!(marks(0.0, 0.0).count(), 1);
    }
}
