//! The plan as a person reads and approves it.

use tsmigrate_analyzer::report::{count, thousands};

use super::Plan;
use crate::estimate;
use crate::human;
use crate::volume::{Kind, TableSize, Volume};

/// So many tables are named.
const TABLES: usize = 10;

impl Plan {
    /// The plan for people, part by part, in lines of so many columns. Parts without lines are left out.
    #[must_use]
    pub fn parts(&self, columns: usize) -> Vec<(&'static str, Vec<String>)> {
        let steps = self.steps.iter().enumerate();
        let steps = steps.flat_map(|(number, step)| {
            human::hang(&format!("{:>2}. {:<13} ", number + 1, step.name), &step.what, columns)
        });
        let parts = [
            ("steps", steps.collect()),
            ("tables", self.volume.as_ref().map(tables).unwrap_or_default()),
            ("time", self.time(columns)),
            ("disk", self.disk(columns)),
            ("sessions", self.sessions.iter().map(sessions).collect()),
            ("good to know", self.notes.iter().flat_map(|note| good_to_know(note, columns)).collect()),
        ];
        parts.into_iter().filter(|(_, lines)| !lines.is_empty()).collect()
    }

    fn time(&self, columns: usize) -> Vec<String> {
        let Some(estimate) = &self.estimate else { return Vec::new() };
        let mut lines = vec![estimate::range(estimate.low, estimate.high)];
        for span in &estimate.spans {
            lines.push(format!("{:<18} {}", span.what, estimate::range(span.low, span.high)));
        }
        let measured = [
            estimate.rates.read.map(|rate| format!("the source reads {}", human::rate(rate))),
            estimate.rates.send.map(|rate| format!("the target takes {}", human::rate(rate))),
            estimate.rates.round_trip.map(|time| format!("a round trip takes {time} ms")),
        ];
        let measured: Vec<String> = measured.into_iter().flatten().collect();
        let origin = if measured.is_empty() {
            "from known rates: there was too little to measure".to_owned()
        } else {
            format!("measured with one session: {}; the rest from known rates", measured.join(", "))
        };
        lines.extend(human::hang("", &origin, columns));
        lines
    }

    fn disk(&self, columns: usize) -> Vec<String> {
        let (Some(bytes), Some(volume)) = (self.target_bytes, &self.volume) else { return Vec::new() };
        let of = [
            ("tables", volume.table_bytes),
            ("indexes", volume.index_bytes),
            ("large objects", volume.large_object_bytes),
            ("materialized views", volume.materialized_view_bytes),
        ];
        let of = of.iter().filter(|(_, bytes)| *bytes > 0);
        let of: Vec<String> = of.map(|(what, bytes)| format!("{what} {}", human::bytes(*bytes))).collect();
        let of = if of.is_empty() { String::new() } else { format!(": {}", of.join(", ")) };
        let text = format!("the target needs about {} and room for its WAL{of}", human::bytes(bytes));
        human::hang("", &text, columns)
    }
}

/// A note, and the commands in the lines after it, which stay whole.
fn good_to_know(note: &str, columns: usize) -> Vec<String> {
    let (text, commands) = note.split_once('\n').unwrap_or((note, ""));
    let mut lines = human::hang("- ", text, columns);
    lines.extend(commands.lines().map(|command| format!("  {command}")));
    lines
}

fn sessions(sessions: &super::Sessions) -> String {
    let (needed, connections) = (sessions.needed, sessions.connections);
    format!(
        "{:<7} up to {needed}; {} of {} are open, {} more can be",
        sessions.side.name(),
        connections.used,
        connections.most,
        connections.left
    )
}

/// The largest tables in columns, and what the others come to.
fn tables(volume: &Volume) -> Vec<String> {
    if volume.tables.is_empty() {
        return Vec::new();
    }
    let mut lines =
        vec![format!("{:>7} {:>13} {:>6}  {:<7} {}", "bytes", "rows, about", "parts", "format", "table")];
    lines.extend(volume.tables.iter().take(TABLES).map(table));
    let rest = volume.tables.get(TABLES..).unwrap_or_default();
    if !rest.is_empty() {
        let bytes = rest.iter().map(|table| table.bytes).sum();
        let rows: u64 = rest.iter().filter_map(|table| table.rows).sum();
        let parts: u64 = rest.iter().map(|table| table.parts).sum();
        let all = TableSize {
            name: format!("… {} others", thousands(rest.len() as u64)),
            bytes,
            rows: Some(rows),
            parts,
            ..TableSize::default()
        };
        lines.push(table(&all));
    }
    lines
}

fn table(table: &TableSize) -> String {
    let mut name = human::line(&table.name);
    let kind = match table.kind {
        Kind::Table => "",
        Kind::Hypertable => "hypertable",
        Kind::ContinuousAggregate => "continuous aggregate",
    };
    if !kind.is_empty() {
        let compressed = if table.compressed > 0 {
            format!(", {} compressed", thousands(table.compressed))
        } else {
            String::new()
        };
        name = format!("{name} ({kind}, {}{compressed})", count(table.chunks, "chunk"));
    }
    let rows = table.rows.map_or_else(|| "?".to_owned(), thousands);
    let parts = if table.parts == 0 { String::new() } else { thousands(table.parts) };
    let line = format!("{:>7} {rows:>13} {parts:>6}  {:<7} {name}", human::bytes(table.bytes), table.format);
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;
    use crate::capacity::Connections;
    use crate::connect::Side;
    use crate::estimate::{Estimate, Rates, Span};
    use crate::inspect::{Facts, Timescale};
    use crate::jobs::Job;
    use crate::plan::{Basis, Counts, plan};

    fn sized(name: &str, kind: Kind, bytes: u64, rows: Option<u64>, chunks: u64) -> TableSize {
        let format = "binary".to_owned();
        TableSize {
            name: name.into(),
            kind,
            bytes,
            rows,
            chunks,
            compressed: chunks / 2,
            parts: 1 + chunks,
            format,
        }
    }

    fn volume() -> Volume {
        let mut tables = vec![
            sized("public.metrics", Kind::Hypertable, 2_500_000_000, Some(40_000_000), 24),
            sized("sales.orders", Kind::Table, 1_200_000_000, Some(12_000_000), 0),
            sized("public.by_day", Kind::ContinuousAggregate, 80_000_000, None, 2),
        ];
        tables.extend((0..11).map(|n| sized(&format!("s.t{n}"), Kind::Table, 100, Some(10), 0)));
        Volume {
            tables,
            table_bytes: 3_780_001_100,
            indexes: 41,
            index_bytes: 900_000_000,
            foreign_keys: 1,
            large_objects: 3,
            large_object_bytes: 70_000,
            materialized_views: 2,
            materialized_view_bytes: 16_000,
            ..Volume::default()
        }
    }

    #[test]
    fn a_plan_can_be_read_and_approved() {
        let facts = Facts {
            version_num: 170_002,
            encoding: "UTF8".into(),
            locale: "C".into(),
            timescale: Some(Timescale { license: "timescale".into(), ..Timescale::default() }),
            ..Facts::default()
        };
        let target = Facts { locale: "en_US".into(), ..facts.clone() };
        let jobs = [Job { id: 1000, name: "j".into(), owner: "o".into(), scheduled: true }];
        let connections = Connections { most: 97, used: 10, left: 87, ..Connections::default() };
        let span = |what, low, high| Span { what, low, high };
        let estimate = Estimate {
            rates: Rates {
                read: Some(310_000_000),
                density: Some(90),
                send: Some(45_000_000),
                round_trip: Some(30.4),
            },
            spans: vec![span("data", 360.0, 720.0), span("indexes and keys", 240.0, 540.0)],
            low: 600.0,
            high: 1260.0,
        };
        let volume = volume();
        let plan = plan(&Basis {
            source: &facts,
            target: &target,
            dumped_by: "pg_dump (PostgreSQL) 17.2",
            counts: Counts { roles: 12, extensions: 1, pre_data: 310, post_data: 120, access: 88 },
            jobs: &jobs,
            pause_jobs: true,
            start_jobs: false,
            update_timescaledb: false,
            volume: Some(&volume),
            connections: Some((connections, Connections { left: 97, used: 0, ..connections })),
            estimate: Some(&estimate),
            copies: 6,
            small: 6,
            builds: 3,
            check: Some("checksums"),
        });
        let mut shown = String::new();
        for (title, lines) in plan.parts(96) {
            let _ = writeln!(shown, "{title}");
            for line in &lines {
                let _ = writeln!(shown, "  {line}");
            }
        }
        let expected = include_str!("expected.txt");
        assert_eq!(shown, expected, "{shown}");
        assert!(shown.lines().all(|line| human::width(line) <= 100), "{shown}");
        // In a narrow terminal all is narrower but the tables' own columns.
        for (title, lines) in plan.parts(60).into_iter().filter(|(title, _)| *title != "tables") {
            assert!(lines.iter().all(|line| human::width(line) <= 60), "{title}: {lines:?}");
        }
    }

    #[test]
    fn a_plan_without_figures_still_has_its_steps() {
        let facts = Facts { size: 5_000_000, ..Facts::default() };
        let plan = plan(&Basis {
            source: &facts,
            target: &facts,
            dumped_by: "pg_dump",
            counts: Counts::default(),
            jobs: &[],
            pause_jobs: true,
            start_jobs: false,
            update_timescaledb: false,
            volume: None,
            connections: None,
            estimate: None,
            copies: 1,
            small: 1,
            builds: 1,
            check: None,
        });
        let titles: Vec<_> = plan.parts(96).into_iter().map(|(title, _)| title).collect();
        assert_eq!(titles, ["steps", "good to know"]);
        assert!(plan.steps.iter().any(|step| step.what == "5.00 MB at the source"));
        assert!(plan.sessions.iter().all(|sessions| sessions.side == Side::Source));
    }
}
