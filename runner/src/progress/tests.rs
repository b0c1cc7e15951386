//! What is written, in each form.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::screen::Screen;
use super::state::State;
use super::writer::{Form, Writer};
use super::{Progress, TaskKind};

/// A pipe that keeps what was written.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("one writer").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("one writer").clone()).expect("text")
    }
}

fn play(progress: &Progress) {
    progress.line("work directory: \"tsmigrate-shop\"");
    progress.done("roles", "12 statements", Duration::from_millis(300));
    progress.start("data", 1_000);
    let task = progress.task(TaskKind::Copy, "odd.\"na\nme\u{1b}[2J\"", 600);
    task.add(100);
    task.restart();
    task.add(600);
    drop(task);
    progress.task(TaskKind::Index, "i", 0).failed();
    progress.retry("copy of t", "08006: connection lost", Duration::from_secs(2), 1, 10);
    progress.wait("copy of t", "the target's disk is full").over();
    progress.warn("a job still runs");
    progress.stop();
    progress.flush();
}

#[test]
fn every_line_for_programs_is_an_object_with_version_time_and_event() {
    let kept = Kept::default();
    let progress = Progress::with(Some(Form::Json), true, Box::new(kept.clone()));
    play(&progress);
    let mut events = Vec::new();
    for line in kept.text().lines() {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(value["version"], 1);
        let at = value["at"].as_str().expect("a time");
        assert!(at.parse::<jiff::Timestamp>().is_ok(), "{at}");
        events.push(value["event"].as_str().expect("an event").to_owned());
        if value["event"] == "task-end" && value["kind"] == "copy" {
            assert_eq!((value["bytes"].as_u64(), value["finished"].as_bool()), (Some(600), Some(true)));
            assert_eq!(value["label"], "odd.\"na\nme\u{1b}[2J\"");
        }
    }
    let expected =
        "line done stage-start task-start task-end task-start task-end retry wait wait-end warning stage-end";
    assert_eq!(events.join(" "), expected);
}

#[test]
fn programs_are_told_how_far_it_is_while_there_is_work() {
    let kept = Kept::default();
    let state = Arc::new(Mutex::new(State::default()));
    let mut writer = writer(Form::Json, &state, &kept);
    let start = Instant::now();
    writer.tick(start);
    assert_eq!(kept.text(), "", "there is no work");
    state.lock().expect("one thread").start("data", 1_000, start);
    state.lock().expect("one thread").at(100, "t");
    writer.tick(start);
    state.lock().expect("one thread").at(300, "t");
    writer.tick(start + Duration::from_secs(2));
    let text = kept.text();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().expect("a line")).expect("JSON");
    assert_eq!(last["event"], "progress");
    assert_eq!(last["rate"], 100);
    assert_eq!(last["seconds_left"], 7);
}

#[test]
fn a_log_has_a_line_every_ten_seconds_and_nothing_that_steers() {
    let kept = Kept::default();
    let state = Arc::new(Mutex::new(State::default()));
    let mut writer = writer(Form::Lines, &state, &kept);
    let start = Instant::now();
    state.lock().expect("one thread").start("data", 1_000_000_000, start);
    for second in 0..=25 {
        state.lock().expect("one thread").at(second * 10_000_000, "sales.\u{1b}[2Jorders");
        writer.tick(start + Duration::from_secs(second));
    }
    let text = kept.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(
        lines[1].starts_with("  data 0.20 of 1.00 GB (20 %), 10.0 MB/s, about 1 min 20 s left: sales."),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn a_line_of_a_log_has_room_for_what_workers_do() {
    let kept = Kept::default();
    let progress = Progress::with(Some(Form::Lines), false, Box::new(kept.clone()));
    progress.start("data", 10_000);
    let tasks: Vec<_> = (0..9)
        .map(|number| progress.task(TaskKind::Copy, &format!("sales.orders_{number}"), 1_000))
        .collect();
    for task in &tasks {
        task.add(450);
    }
    let mut writer = writer(Form::Lines, &progress.shared.state, &kept);
    let start = Instant::now();
    writer.tick(start);
    writer.tick(start + Duration::from_secs(10));
    let text = kept.text();
    assert!(text.contains("sales.orders_0 45 %, ") && text.trim_end().ends_with(" more"), "{text}");
    assert!(text.lines().all(|line| crate::human::width(line) <= 100), "{text}");
}

#[test]
fn the_display_comes_after_two_seconds_and_leaves_nothing() {
    let kept = Kept::default();
    let state = Arc::new(Mutex::new(State::default()));
    let mut writer = writer(Form::Live, &state, &kept);
    let start = Instant::now();
    state.lock().expect("one thread").start("data", 1_000, start);
    writer.tick(start);
    writer.tick(start + Duration::from_millis(1900));
    assert_eq!(kept.text(), "");
    writer.tick(start + Duration::from_millis(2100));
    assert!(kept.text().contains("data"));
    state.lock().expect("one thread").stage = None;
    writer.tick(start + Duration::from_millis(2200));
    assert!(kept.text().ends_with("\r\x1b[2A\x1b[J"), "{:?}", kept.text());
}

#[test]
fn people_read_each_line_once_and_programs_words_without_colours() {
    let kept = Kept::default();
    let progress = Progress::with(Some(Form::Lines), false, Box::new(kept.clone()));
    play(&progress);
    let text = kept.text();
    assert!(text.contains("✓ roles        12 statements"), "{text}");
    assert!(text.contains("! copy of t: 08006: connection lost; retry 1 of 10 in 2 s\n"), "{text}");
    assert!(text.contains("! copy of t waits: the target's disk is full\n"), "{text}");
    assert_eq!(text.lines().count(), 6, "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn nothing_is_written_where_nothing_is_wanted() {
    let kept = Kept::default();
    let progress = Progress::with(None, false, Box::new(kept.clone()));
    play(&progress);
    assert_eq!(kept.text(), "");
}

#[test]
fn a_log_file_keeps_events() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log.jsonl");
    let progress = Progress::with(Some(Form::Lines), false, Box::new(Kept::default()));
    progress.log_to(std::fs::File::create(&path).expect("a file"));
    play(&progress);
    let text = std::fs::read_to_string(&path).expect("a file");
    assert_eq!(text.lines().count(), 12);
    assert!(text.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()));
}

fn writer(form: Form, state: &Arc<Mutex<State>>, kept: &Kept) -> Writer {
    Writer {
        form,
        color: false,
        state: state.clone(),
        out: Box::new(kept.clone()),
        size: || (80, 24),
        log: None,
        screen: Screen::default(),
        last: None,
    }
}

#[test]
fn only_what_has_waited_to_the_end_goes_on() {
    let kept = Kept::default();
    let progress = Progress::with(Some(Form::Lines), false, Box::new(kept.clone()));
    progress.wait("copy of t", "a lock").over();
    drop(progress.wait("copy of u", "a lock"));
    progress.stop();
    progress.flush();
    let text = kept.text();
    assert!(text.contains("copy of t goes on after") && text.contains("copy of u waits"), "{text}");
    assert!(!text.contains("copy of u goes on"), "{text}");
}
