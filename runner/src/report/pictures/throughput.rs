//! Bytes in a second, over the time in which rows were copied.

use std::fmt::Write as _;

use super::super::pieces::Cell;
use super::axis::{marks, step, time_step, upright};
use super::{Picture, WIDTH};
use crate::human;
use crate::progress::Activity;
use crate::results::span;
use tsmigrate_analyzer::report::page::text;

/// Stretches of time that are measured.
const STRETCHES: usize = 50;
/// Room for the rates beside the picture.
const LEFT: f64 = 80.0;
/// The height of the highest.
const HEIGHT: f64 = 160.0;

/// Bytes in a second in each stretch: those of a copy are spread evenly over its time.
fn rates(copies: &[&Activity], from: f64, length: f64) -> Vec<f64> {
    let mut bytes = vec![0.0; STRETCHES];
    for one in copies {
        let took = one.seconds.max(0.001);
        for (at, sum) in bytes.iter_mut().enumerate() {
            let begun = from + at as f64 * length;
            let shared = (begun + length).min(one.begun + took) - begun.max(one.begun);
            if shared > 0.0 {
                *sum += one.bytes as f64 * shared / took;
            }
        }
    }
    bytes.into_iter().map(|sum| sum / length).collect()
}

/// Draws how fast rows were copied.
pub(in super::super) fn throughput(page: &mut String, activity: &[Activity]) {
    let copies: Vec<&Activity> = activity.iter().filter(|one| one.bytes > 0).collect();
    let from = copies.iter().map(|one| one.begun).fold(f64::INFINITY, f64::min);
    let until = copies.iter().map(|one| one.begun + one.seconds).fold(0.0, f64::max);
    // Less than a second has no course.
    if until - from < 1.0 || !from.is_finite() {
        return;
    }
    let length = (until - from) / STRETCHES as f64;
    let rates = rates(&copies, from, length);
    let highest = rates.iter().copied().fold(1.0, f64::max);
    let mut drawn = String::new();
    let across = |at: f64| LEFT + (WIDTH - LEFT) * at;
    let mut path = format!("M{LEFT} {HEIGHT}");
    for (at, rate) in rates.iter().enumerate() {
        let (begins, ends) = (at as f64 / STRETCHES as f64, (at + 1) as f64 / STRETCHES as f64);
        let y = HEIGHT * (1.0 - rate / highest);
        let _ = write!(path, "L{:.1} {y:.1}H{:.1}", across(begins), across(ends));
    }
    let _ = writeln!(drawn, "<path class=\"rows\" d=\"{path}V{HEIGHT}Z\"/>");
    for (rate, place) in marks(highest, step(highest)).skip(1) {
        let y = HEIGHT * (1.0 - place);
        let _ = writeln!(
            drawn,
            "<line class=\"mark\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{WIDTH}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            LEFT - 6.0,
            (y + 4.0).max(9.0),
            text(&human::rate(rate as u64))
        );
    }
    for (at, _) in marks(until, time_step(until - from)).filter(|(at, _)| *at >= from) {
        upright(&mut drawn, across((at - from) / (until - from)), HEIGHT, &human::duration(span(at)));
    }
    let bytes: u64 = copies.iter().map(|one| one.bytes).sum();
    let row = |(at, rate): (usize, &f64)| {
        vec![
            Cell::Number(human::duration(span(from + at as f64 * length))),
            Cell::Number(human::rate(*rate as u64)),
        ]
    };
    Picture {
        title: "Throughput",
        words: format!(
            "{} in {}, {} at most. The bytes of each copy are spread evenly over its time.",
            human::bytes(bytes),
            human::duration(span(until - from)),
            human::rate(highest as u64)
        ),
        height: HEIGHT + 18.0,
        drawn,
        legend: &[],
        head: &["After", "Rate"],
        rows: rates.iter().enumerate().map(row).collect(),
    }
    .write(page);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_all_stretches_are_the_bytes_of_all_copies() {
        let copy =
            |begun, seconds, bytes| Activity { kind: "copy", begun, seconds, bytes, ..Activity::default() };
        let all = [copy(1.0, 4.0, 4_000_000), copy(2.0, 8.0, 1_000_000), copy(3.0, 0.0, 10)];
        let length = 9.0 / STRETCHES as f64;
        let sum: f64 =
            rates(&all.iter().collect::<Vec<_>>(), 1.0, length).iter().map(|rate| rate * length).sum();
        assert!((sum - 5_000_010.0).abs() < 1.0, "{sum}");
        let mut page = String::new();
        throughput(&mut page, &all);
        assert!(page.contains("5.00 MB in 9.0 s"), "{page}");
        let mut short = String::new();
        throughput(&mut short, &[copy(0.0, 0.5, 9)]);
        assert!(short.is_empty());
    }
}
