//! How much time one chunk should cover.

use crate::facts::partman::Partman;
use crate::facts::tables::{Partitioned, Strategy};

/// The type of a time column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeType {
    /// timestamp with time zone.
    TimestampTz,
    /// timestamp without time zone.
    Timestamp,
    /// date.
    Date,
    /// smallint, integer, bigint: only the application knows what they count.
    Integer,
}

/// The type that a time column may have, by its name without `pg_catalog`.
pub(crate) fn time_type(name: &str) -> Option<TimeType> {
    Some(match name {
        "timestamptz" => TimeType::TimestampTz,
        "timestamp" => TimeType::Timestamp,
        "date" => TimeType::Date,
        "int2" | "int4" | "int8" | "bigint" | "integer" | "int" | "smallint" => TimeType::Integer,
        _ => return None,
    })
}

/// A chunk's interval and where it comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Interval {
    /// As SQL writes it: `INTERVAL '7 days'`, `1000000`.
    pub sql: String,
    /// The same in hours, for columns that hold time and where it can be told.
    pub hours: Option<u64>,
    /// Why this one.
    pub why: String,
    /// Only a person can tell whether it fits.
    pub guessed: bool,
}

/// TimescaleDB's own default.
const DEFAULT_HOURS: u64 = 7 * 24;

/// The interval for a table.
pub(crate) fn interval(
    kind: TimeType,
    column: &str,
    partitioned: Option<&Partitioned>,
    partman: Option<&Partman>,
) -> Interval {
    if kind == TimeType::Integer {
        return integer(column, partitioned, partman);
    }
    if let Some(known) = partman.and_then(|partman| of_partman(&partman.interval)) {
        let why = format!("pg_partman's partition_interval is {}", partman.map_or("", |p| &*p.interval));
        return hours(known, why);
    }
    if let Some(partitioned) = partitioned
        && let Some(known) = usual(partitioned.bounds.iter().filter_map(|(from, to)| span(from, to)))
    {
        let what = if partitioned.strategy == Strategy::Inheritance { "child tables" } else { "partitions" };
        return hours(known, format!("the {what} of the source cover {} each", words(known)));
    }
    hours(DEFAULT_HOURS, "TimescaleDB's default, as the dump does not tell how many rows a day brings".into())
}

fn hours(hours: u64, why: String) -> Interval {
    Interval { sql: format!("INTERVAL '{}'", words(hours)), hours: Some(hours), why, guessed: false }
}

/// Hours as an interval that a person reads.
pub(crate) fn words(hours: u64) -> String {
    let (count, unit) = match hours {
        h if h >= 365 * 24 && (h / 24) % 365 <= (h / 24) / 365 => (h / 24 / 365, "year"),
        h if (28 * 24..=31 * 24).contains(&h) => (1, "month"),
        h if (89 * 24..=92 * 24).contains(&h) => (3, "month"),
        h if h % (7 * 24) == 0 && h > 7 * 24 => (h / 24 / 7, "week"),
        h if h % 24 == 0 => (h / 24, "day"),
        h => (h, "hour"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn integer(column: &str, partitioned: Option<&Partitioned>, partman: Option<&Partman>) -> Interval {
    let number = |text: &str| text.parse::<i64>().ok();
    let exact =
        |value: i64, why: String| Interval { sql: value.to_string(), hours: None, why, guessed: false };
    if let Some(value) = partman.and_then(|partman| number(&partman.interval)) {
        return exact(value, "pg_partman's partition_interval".into());
    }
    let widths = partitioned
        .into_iter()
        .flat_map(|partitioned| &partitioned.bounds)
        .filter_map(|(from, to)| u64::try_from(number(to)?.checked_sub(number(from)?)?).ok());
    if let Some(value) = usual(widths).and_then(|value| i64::try_from(value).ok()) {
        return exact(value, format!("the partitions of the source cover {value} each"));
    }
    let (factor, unit) = match column {
        c if c.ends_with("_ms") || c.ends_with("millis") => (1_000, "milliseconds"),
        c if c.ends_with("_us") || c.ends_with("micros") => (1_000_000, "microseconds"),
        c if c.ends_with("_ns") || c.ends_with("nanos") => (1_000_000_000, "nanoseconds"),
        _ => (1, "seconds"),
    };
    let value = 7 * 24 * 3_600 * factor;
    Interval {
        sql: value.to_string(),
        hours: None,
        why: format!("7 days where the column counts {unit}: look at its values"),
        guessed: true,
    }
}

/// The value that occurs most.
fn usual(values: impl Iterator<Item = u64>) -> Option<u64> {
    let mut counts = std::collections::BTreeMap::new();
    for value in values.filter(|value| *value > 0) {
        *counts.entry(value).or_insert(0_u32) += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(value, _)| value)
}

/// The hours between two timestamps or dates.
fn span(from: &str, to: &str) -> Option<u64> {
    let hours = hour(to)?.checked_sub(hour(from)?)?;
    u64::try_from(hours).ok().filter(|hours| *hours > 0)
}

/// Hours since 1970 of `2024-01-31 12:00:00+00`; its minutes and zone do not matter for a span.
fn hour(text: &str) -> Option<i64> {
    let (date, rest) = text.trim().split_at_checked(10)?;
    let mut parts = date.split('-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let hour: i64 = rest.trim_start_matches(['T', ' ']).get(..2).map_or(Some(0), |hour| hour.parse().ok())?;
    Some(days(year, month, day) * 24 + hour)
}

/// Days since 1970-01-01 in the Gregorian calendar (Hinnant, `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// pg_partman's intervals: `1 day`, `7 days`, `1 mon`, `01:00:00`, and version 4's `daily`, `weekly`.
fn of_partman(text: &str) -> Option<u64> {
    let named = match text.trim() {
        "yearly" => Some(365 * 24),
        "quarterly" => Some(91 * 24),
        "monthly" => Some(30 * 24),
        "weekly" => Some(7 * 24),
        "daily" => Some(24),
        "hourly" => Some(1),
        _ => None,
    };
    if named.is_some() {
        return named;
    }
    let mut hours = 0;
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        if let Some((clock, _)) = word.split_once(':') {
            hours += clock.parse::<u64>().ok()?;
            continue;
        }
        let count: u64 = word.parse().ok()?;
        hours += count
            * match words.next()?.trim_end_matches('s') {
                "hour" => 1,
                "day" => 24,
                "week" => 7 * 24,
                "mon" | "month" => 30 * 24,
                "year" => 365 * 24,
                _ => return None,
            };
    }
    (hours > 0).then_some(hours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_partitions_is_read_off_their_bounds() {
        for (from, to, expected) in [
            ("2024-01-01 00:00:00+00", "2024-02-01 00:00:00+00", "1 month"),
            ("2024-02-01", "2024-03-01", "1 month"),
            ("2024-01-01", "2024-01-02", "1 day"),
            ("2024-01-01", "2025-01-01", "1 year"),
            ("2024-01-01", "2024-04-01", "3 months"),
            ("2024-01-01 00:00:00", "2024-01-01 06:00:00", "6 hours"),
            ("2024-01-01", "2024-01-15", "2 weeks"),
        ] {
            assert_eq!(span(from, to).map(words).as_deref(), Some(expected), "{from} {to}");
        }
        assert_eq!(span("MINVALUE", "2024-01-01"), None);
    }

    #[test]
    fn intervals_of_pg_partman_are_understood() {
        for (text, expected) in [
            ("1 day", 24),
            ("7 days", 168),
            ("1 mon", 720),
            ("01:00:00", 1),
            ("daily", 24),
            ("1 day 12:00:00", 36),
        ] {
            assert_eq!(of_partman(text), Some(expected), "{text}");
        }
        assert_eq!(of_partman("100000"), None);
    }
}
