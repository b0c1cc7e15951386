//! What ran at once: each line is one after the other, waits stand below.

use std::fmt::Write as _;

use tsmigrate_analyzer::report::page::text;

use super::super::pieces::Cell;
use super::axis::{marks, time_step, upright};
use super::{Picture, WIDTH};
use crate::human::{self, count};
use crate::progress::Activity;
use crate::results::span;

/// Bars that are drawn: of more, the longest.
const BARS: usize = 2000;
/// A line's height.
const LINE: f64 = 18.0;
/// A bar's height.
const BAR: f64 = 14.0;
/// The width of a letter in a bar.
const LETTER: f64 = 6.4;

/// The class of a kind's bars.
fn class(kind: &str) -> &'static str {
    match kind {
        "copy" => "rows",
        "wait" => "wait",
        "verify" => "check",
        _ => "build",
    }
}

const LEGEND: [(&str, &str); 4] =
    [("rows", "rows copied"), ("build", "indexes, keys, views"), ("check", "compared"), ("wait", "waiting")];

/// Puts what overlaps on lines of its own: the line of each.
fn lines(all: &[&Activity]) -> (Vec<usize>, usize) {
    let mut ends: Vec<f64> = Vec::new();
    let places = all
        .iter()
        .map(|one| {
            let end = one.begun + one.seconds;
            if let Some((line, free)) = ends.iter_mut().enumerate().find(|(_, free)| **free <= one.begun) {
                *free = end;
                return line;
            }
            ends.push(end);
            ends.len() - 1
        })
        .collect();
    (places, ends.len())
}

/// Draws what ran at once, over `all` seconds.
pub(in super::super) fn workers(page: &mut String, activity: &[Activity], all: f64) {
    let mut kept: Vec<&Activity> =
        activity.iter().filter(|one| one.begun >= 0.0 && one.begun <= all).collect();
    if kept.is_empty() || all <= 0.0 {
        return;
    }
    kept.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    kept.truncate(BARS);
    kept.sort_by(|a, b| a.begun.total_cmp(&b.begun));
    let (waits, busy): (Vec<_>, Vec<_>) = kept.iter().copied().partition(|one| one.kind == "wait");
    let ((work_lines, most), (wait_lines, waiting)) = (lines(&busy), lines(&waits));
    // A line of room between those who work and those who wait.
    let below = most + usize::from(!waits.is_empty());
    let height = (below + waiting) as f64 * LINE;
    let mut drawn = String::new();
    let step = time_step(all);
    for (at, place) in marks(all, step) {
        upright(&mut drawn, place * WIDTH, height, &human::duration(span(at)));
    }
    for (one, line) in
        busy.iter().zip(work_lines).chain(waits.iter().zip(wait_lines.into_iter().map(|line| line + below)))
    {
        bar(&mut drawn, one, line, all);
    }
    let longest = busy.iter().max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let mut said = format!("{} at once at most", count(most as u64, "worker"));
    if let Some(longest) = longest {
        let _ = write!(
            said,
            ", the longest {}: {}, {}",
            longest.kind,
            longest.what,
            human::duration(span(longest.seconds))
        );
    }
    let _ = match waits.len() as u64 {
        0 => write!(said, ". Nobody waited."),
        number => write!(said, ". {}.", count(number, "wait")),
    };
    let mut rows: Vec<&Activity> = activity.iter().collect();
    rows.sort_by(|a, b| a.begun.total_cmp(&b.begun));
    let row = |one: &&Activity| {
        vec![
            Cell::Text(one.kind.to_owned()),
            Cell::Code(one.what.clone()),
            Cell::Number(human::duration(span(one.begun))),
            Cell::Number(human::duration(span(one.seconds))),
            Cell::Text(one.why.clone().unwrap_or_default()),
        ]
    };
    let seen: Vec<_> =
        LEGEND.into_iter().filter(|(name, _)| kept.iter().any(|one| class(one.kind) == *name)).collect();
    Picture {
        title: "Workers",
        words: said,
        height: height + 18.0,
        drawn,
        legend: &seen,
        head: &["What", "Of", "Began after", "Took", "Waited for"],
        rows: rows.iter().map(row).collect(),
    }
    .write(page);
}

fn bar(out: &mut String, one: &Activity, line: usize, all: f64) {
    let x = (one.begun / all * WIDTH).clamp(0.0, WIDTH - 1.5);
    let width = (one.seconds / all * WIDTH).clamp(1.5, WIDTH - x);
    let y = line as f64 * LINE + (LINE - BAR) / 2.0;
    let why = one.why.as_ref().map_or_else(String::new, |why| format!(", for {why}"));
    let title = format!("{} {}: {}{why}", one.kind, one.what, human::duration(span(one.seconds)));
    let _ = write!(
        out,
        "<rect class=\"{}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{BAR}\"><title>{}</title></rect>",
        class(one.kind),
        text(&title)
    );
    // Its name, as far as it has room.
    let letters = (width / LETTER) as usize;
    if letters >= 6 {
        let name = human::clip(&human::line(&one.what), letters.saturating_sub(1));
        let _ = write!(
            out,
            "<text class=\"in\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            x + 3.0,
            y + BAR - 3.5,
            text(&name)
        );
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn activity(kind: &'static str, what: &str, begun: f64, seconds: f64) -> Activity {
        let why = (kind == "wait").then(|| "session 7 of <b>app</b>".to_owned());
        Activity { kind, what: what.to_owned(), why, begun, seconds, bytes: 0 }
    }

    #[test]
    fn what_overlaps_has_a_line_of_its_own_and_waits_say_for_whom() {
        let all = [
            activity("copy", "public.a", 0.0, 4.0),
            activity("copy", "public.b", 1.0, 2.0),
            activity("index", "i on public.b", 3.0, 2.0),
            activity("wait", "copy of public.c", 2.0, 1.0),
        ];
        let (places, most) = lines(&all[..3].iter().collect::<Vec<_>>());
        assert_eq!((places, most), (vec![0, 1, 1], 2));
        let mut page = String::new();
        workers(&mut page, &all, 6.0);
        assert!(
            page.contains("2 workers at once at most, the longest copy: public.a, 4.0 s. 1 wait."),
            "{page}"
        );
        assert!(page.contains("for session 7 of &lt;b&gt;app&lt;/b&gt;") && !page.contains("<b>app"));
        assert_eq!(page.matches("<rect class=\"rows\" x=").count(), 2);
        assert!(page.contains("<td>session 7 of &lt;b&gt;app&lt;/b&gt;</td>"), "the table says it too");
    }

    #[test]
    fn bars_stay_inside_whatever_the_times_are() {
        let odd = [
            activity("copy", "t", -1.0, 2.0),
            activity("copy", "u", 0.0, 1e9),
            activity("copy", "v", 5.0, 0.0),
        ];
        let mut page = String::new();
        workers(&mut page, &odd, 5.0);
        for bar in page.split("<rect class=\"rows\" x=\"").skip(1) {
            let mut numbers =
                bar.split('"').step_by(2).take(3).filter_map(|number| number.parse::<f64>().ok());
            let (x, _, width) = (numbers.next().unwrap(), numbers.next().unwrap(), numbers.next().unwrap());
            assert!(x >= 0.0 && width >= 1.5 && x + width <= WIDTH + 0.1, "{bar}");
        }
        let mut none = String::new();
        workers(&mut none, &[], 5.0);
        assert!(none.is_empty());
    }
}
