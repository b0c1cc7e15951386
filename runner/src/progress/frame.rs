//! What the live display shows at one moment, as lines that fit into the terminal.

use std::time::Instant;

use anstyle::{AnsiColor, Style};

use super::TaskKind;
use super::state::{Position, Running, State};
use crate::human::{self, clip, fit};

/// More columns make a line longer and not more readable.
const WIDEST: usize = 110;
/// Below this there is room for a name and one number.
const NARROW: usize = 60;
/// `foreign key`.
const KIND: usize = 11;
/// `12.5 of 40.0 MB`, a percentage, and a rate or a time.
const NUMBERS: usize = 16 + 7 + 13;

/// The size of a terminal, and whether it shows colours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Room {
    pub(super) columns: usize,
    pub(super) rows: usize,
    pub(super) color: bool,
}

impl Room {
    fn paint(self, style: Style, text: &str) -> String {
        if self.color { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Columns that a line may fill: the last one stays free, where terminals differ.
    fn width(self) -> usize {
        self.columns.saturating_sub(1).clamp(10, WIDEST)
    }
}

/// The lines of the display, the stage first. `None` stands where there is nothing to show.
pub(super) fn lines(state: &State, now: Instant, room: Room) -> Vec<String> {
    let mut lines = Vec::new();
    if let (Some(stage), Some(position)) = (&state.stage, state.position(now)) {
        lines.push(bar(&stage.name, position, room));
        lines.push(numbers(position, state.retries, room));
        if state.running.is_empty() && !stage.note.is_empty() {
            lines.push(format!("  {}", clip(&human::line(&stage.note), room.width().saturating_sub(2))));
        }
    }
    let waiting = state.waiting.iter().map(|waiting| {
        let time = match waiting.until {
            Some(until) => format!("again in {} s", until.saturating_duration_since(now).as_secs() + 1),
            None => human::passing(now.saturating_duration_since(waiting.since)),
        };
        let label = human::line(&format!("{}: {}", waiting.what, waiting.why));
        let yellow = AnsiColor::Yellow.on_default();
        worker(("waits", yellow), &label, ["", "", &time], room)
    });
    let running = state.running.iter().map(|task| busy(task, now, room));
    let workers: Vec<_> = waiting.chain(running).collect();
    // One row stays for the cursor, one for the line that was written last.
    let most = room.rows.saturating_sub(lines.len() + 2).max(1);
    let hidden = workers.len().saturating_sub(most);
    if hidden == 0 {
        lines.extend(workers);
    } else {
        let shown = most.saturating_sub(1);
        lines.extend(workers.into_iter().take(shown));
        lines.push(room.paint(Style::new().dimmed(), &format!("  … and {} more", hidden + most - shown)));
    }
    lines.truncate(room.rows.saturating_sub(1).max(1));
    lines
}

fn bar(name: &str, position: Position, room: Room) -> String {
    let percent = human::percent(position.bytes, position.total);
    let name = clip(&human::line(name), room.width().saturating_sub(9).min(20));
    let length = room.width().saturating_sub(human::width(&name) + 9).min(60);
    let full = usize::try_from(percent).unwrap_or(100) * length / 100;
    let full = if position.bytes >= position.total { length } else { full };
    format!(
        "{}  {}{} {percent:>3} %",
        room.paint(Style::new().bold(), &name),
        room.paint(AnsiColor::Green.on_default(), &"━".repeat(full)),
        room.paint(Style::new().dimmed(), &"─".repeat(length - full)),
    )
}

fn numbers(position: Position, retries: u64, room: Room) -> String {
    let mut words = vec![human::part(position.bytes, position.total)];
    words.extend(rate_words(position));
    words.push(format!("{} so far", human::passing(position.elapsed)));
    if retries > 0 {
        words.push(format!("{retries} tried again"));
    }
    format!("  {}", clip(&words.join(", "), room.width().saturating_sub(2)))
}

/// The rate and what it means for the rest; nothing where nothing moves.
pub(super) fn rate_words(position: Position) -> Vec<String> {
    match position.left {
        Some(_) if position.bytes >= position.total => Vec::new(),
        Some(left) => vec![human::rate(position.rate), format!("about {} left", human::passing(left))],
        None => Vec::new(),
    }
}

fn busy(task: &Running, now: Instant, room: Room) -> String {
    let moved = task.moved();
    let last = match moved {
        0 => human::passing(now.saturating_duration_since(task.since)),
        _ => human::rate(task.rate(now)),
    };
    let (bytes, percent) = match (task.size, moved) {
        (0, 0) => (String::new(), String::new()),
        (0, moved) => (human::bytes(moved), String::new()),
        // The table may hold more than was measured: what is over is shown as it is.
        (size, moved) if moved > size => (human::bytes(moved), "99 %".to_owned()),
        (size, 0) => (human::bytes(size), String::new()),
        (size, moved) => (human::part(moved, size), format!("{} %", human::percent(moved, size))),
    };
    let kind = (task.kind.word(), Style::new().dimmed());
    worker(kind, &human::line(&task.label), [&bytes, &percent, &last], room)
}

/// One line of a worker: what it does, to what, how far, how fast.
fn worker((kind, style): (&str, Style), label: &str, numbers: [&str; 3], room: Room) -> String {
    let width = room.width();
    let [bytes, percent, last] = numbers;
    if width < NARROW {
        let number = if percent.is_empty() { last } else { percent };
        let label = if kind == TaskKind::Copy.word() { label.to_owned() } else { format!("{kind} {label}") };
        let number = clip(number, width.saturating_sub(4));
        let label = fit(&label, width.saturating_sub(human::width(&number) + 3));
        return format!("  {label} {number}");
    }
    let wide = width.saturating_sub(2 + KIND + 1 + NUMBERS);
    let kind = room.paint(style, &fit(kind, KIND));
    if bytes.is_empty() && percent.is_empty() {
        // The room of the numbers is the label's.
        let label = fit(label, width.saturating_sub(2 + KIND + 1 + human::width(last) + 1));
        return format!("  {kind} {label} {last}");
    }
    format!("  {kind} {} {bytes:>15} {percent:>6} {last:>12}", fit(label, wide))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::super::state::Waiting;
    use super::*;

    fn moment(columns: usize, rows: usize, workers: u64) -> Vec<String> {
        let start = Instant::now();
        let now = start + Duration::from_secs(24);
        let mut state = State::default();
        state.start("data", 4_000_000_000, start);
        state.tick(start);
        state.at(1_000_000_000, "");
        let task = |id, kind, label: &str, size, moved: u64| {
            Arc::new(Running { id, kind, label: label.to_owned(), size, since: start, moved: moved.into() })
        };
        state.running.push(task(1, TaskKind::Copy, "sales.orders (part 3 of 8)", 268_000_000, 120_000_000));
        state.running.push(task(2, TaskKind::Index, "sales.orders_customer_id_created_at_idx", 0, 0));
        for id in 3..=workers {
            state.running.push(task(id, TaskKind::Copy, "表\n\u{1b}[2J", 1_000, 5_000));
        }
        state.waiting.push(Waiting {
            id: 9,
            what: "copy of sales.items".into(),
            why: "the target's disk is full".into(),
            since: start,
            until: None,
        });
        lines(&state, now, Room { columns, rows, color: false })
    }

    #[test]
    fn a_usual_terminal_shows_all_of_it() {
        let shown = moment(80, 24, 2);
        let expected = [
            "data  ━━━━━━━━━━━━━━━━────────────────────────────────────────────  28 %",
            "  1.12 of 4.00 GB, 46.6 MB/s, about 1 min 1 s left, 24 s so far",
            "  waits       copy of sales.items: the target's disk is full               24 s",
            "  copy        sales.orders (part 3 of 8)      120 of 268 MB   44 %    5.00 MB/s",
            "  index       sales.orders_customer_id_created_at_idx                      24 s",
        ];
        assert_eq!(shown, expected, "{}", shown.join("\n"));
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_and_no_more_than_fit() {
        for columns in [16, 20, 37, 59, 60, 61, 79, 80, 200] {
            for rows in [2, 3, 5, 24] {
                let shown = moment(columns, rows, 40);
                assert!(shown.len() < rows.max(2), "{columns}x{rows}: {shown:#?}");
                for line in &shown {
                    assert!(human::width(line) < columns, "{columns}x{rows}: {line:?}");
                    assert!(!line.contains(['\n', '\u{1b}']), "{line:?}");
                }
            }
        }
        assert_eq!(moment(80, 8, 40).last().map(String::as_str), Some("  … and 38 more"));
    }
}
