//! The server's own parameters: which version has them, and which values they take.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::session_values::{is_encoding, is_no_date_style, is_no_time_zone};
use super::{NEWEST_VERSION, OLDEST_VERSION};
use crate::text::{cleaned, parse_bool};

const PARAMETERS: &str = include_str!("parameters.txt");

/// A parameter of the server, not of an extension.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    first: u32,
    last: u32,
    values: Values,
    /// Why no session can set it, in the server's words.
    fixed: Option<&'static str>,
}

/// The values that a parameter takes.
#[derive(Clone, Copy, Debug)]
enum Values {
    Truth,
    Number {
        least: f64,
        most: f64,
        unit: &'static str,
        /// Not rounded to a whole number.
        is_real: bool,
    },
    /// One of these words, separated by commas.
    Words(&'static str),
    /// Any text, as far as is known here.
    Text,
}

static ALL: LazyLock<BTreeMap<&'static str, Parameter>> =
    LazyLock::new(|| PARAMETERS.lines().filter(|line| !line.starts_with('#')).filter_map(read).collect());

/// One line of the file: name, first and last version, type, and what values it takes.
fn read(line: &'static str) -> Option<(&'static str, Parameter)> {
    let fields: Vec<&'static str> = line.split(' ').collect();
    let [name, since, until, kind, rest @ ..] = fields.as_slice() else { return None };
    let version = |word: &str, end| if word == "-" { Some(end) } else { word.parse().ok() };
    let bound = |word: &str, end: f64| if word == "-" { Some(end) } else { decimal(word) };
    let (fixed, kind) = kind.split_once(':').map_or((None, *kind), |(fixed, kind)| (Some(fixed), kind));
    let fixed = fixed.map(|fixed| match fixed {
        "p" => "cannot be changed without restarting the server",
        "s" => "cannot be changed now",
        "b" => "cannot be set after connection start",
        _ => "cannot be changed",
    });
    let values = match (kind, rest) {
        ("bool", _) => Values::Truth,
        ("integer" | "real", [least, most, unit]) => Values::Number {
            least: bound(least, f64::NEG_INFINITY)?,
            most: bound(most, f64::INFINITY)?,
            unit: if *unit == "-" { "" } else { unit },
            is_real: kind == "real",
        },
        ("enum", [words]) => Values::Words(words),
        _ => Values::Text,
    };
    let (first, last) = (version(since, 0)?, version(until, u32::MAX)?);
    Some((*name, Parameter { first, last, values, fixed }))
}

/// The parameter of this name, in any case.
#[must_use]
pub fn parameter(name: &str) -> Option<&'static Parameter> {
    ALL.get(&*name.to_ascii_lowercase())
}

impl Parameter {
    /// True where this major version has it. Of 16, which was not asked, it is true where 15 or 17 has it.
    #[must_use]
    pub fn is_in(&self, version: u32) -> bool {
        let has = |version| (self.first..=self.last).contains(&version);
        has(version) || version == 16 && (has(OLDEST_VERSION) || has(17)) || version > NEWEST_VERSION
    }

    /// The server's words where no session can set it, whatever the value (55P02).
    #[must_use]
    pub fn is_fixed(&self, name: &str) -> Option<String> {
        self.fixed.map(|fixed| format!("parameter \"{name}\" {fixed}"))
    }

    /// The server's words where it refuses this value (22023).
    #[must_use]
    pub fn refusal(&self, name: &str, value: &str) -> Option<String> {
        let invalid = || Some(format!("invalid value for parameter \"{name}\": \"{value}\""));
        match self.values {
            Values::Text => {
                let is_refused = match &*name.to_ascii_lowercase() {
                    "datestyle" => is_no_date_style(value),
                    "timezone" => is_no_time_zone(value),
                    "timezone_abbreviations" => !["Default", "Australia", "India"].contains(&value),
                    "client_encoding" => !is_encoding(&cleaned(value)),
                    _ => false,
                };
                if is_refused { invalid() } else { None }
            }
            Values::Truth => {
                parse_bool(value).is_none().then(|| format!("parameter \"{name}\" requires a Boolean value"))
            }
            Values::Words(words) => {
                let given = value.replace(' ', "_");
                let known = words.split(',').any(|word| word.eq_ignore_ascii_case(&given));
                if known
                    || parse_bool(value).is_some()
                    || HIDDEN.iter().any(|word| word.eq_ignore_ascii_case(value))
                {
                    None
                } else {
                    invalid()
                }
            }
            Values::Number { least, most, unit, is_real } => {
                let Some(number) = number(value, unit) else { return invalid() };
                // Fractions of a unit are rounded (convert_to_base_unit).
                let slack = if is_real { 0.0 } else { 0.5 };
                if !number.is_finite() || (least - slack..=most + slack).contains(&number) {
                    return None;
                }
                let space = if unit.is_empty() { "" } else { " " };
                let (number, least, most) = (shown(number), shown(least), shown(most));
                Some(format!(
                    "{number}{space}{unit} is outside the valid range for parameter \"{name}\" ({least}{space}{unit} .. \
                     {most}{space}{unit})"
                ))
            }
        }
    }
}

/// A number as the server's messages write it (`%g` of C where it is large).
pub(super) fn shown(number: f64) -> String {
    if number.abs() < 1e15 {
        return number.to_string();
    }
    // Not `{:e}`: its code would be a kilobyte of a module for browsers.
    let (mut digits, mut power) = (number, 0);
    while digits.abs() >= 10.0 {
        digits /= 10.0;
        power += 1;
    }
    format!("{digits:.5}e+{power}")
}

/// Values of enumerations that pg_settings does not list (`hidden` in guc_tables.c), of whichever parameter.
const HIDDEN: [&str; 6] = ["debug", "info", "archive", "hot_standby", "try", "unspecified"];

/// A value in its parameter's unit; infinite where it cannot be told, `None` where it is no number with a fitting unit.
pub(super) fn number(value: &str, unit: &str) -> Option<f64> {
    let value = value.trim();
    // Other bases than 10 are rare, and their range is not looked at.
    if value.trim_start_matches(['+', '-']).starts_with('0') && value.len() > 1 && !value.contains('.') {
        let digits = value.trim_start_matches(['+', '-']);
        if digits.as_bytes().get(1).is_some_and(u8::is_ascii_alphanumeric) {
            return Some(f64::INFINITY);
        }
    }
    let end = value
        .char_indices()
        .find(|(at, c)| {
            let exponent = matches!(c, 'e' | 'E')
                && value[at + 1..].starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-'));
            let sign = matches!(c, '+' | '-') && (*at == 0 || value[..*at].ends_with(['e', 'E']));
            !(c.is_ascii_digit() || *c == '.' || exponent || sign)
        })
        .map_or(value.len(), |(at, _)| at);
    let (digits, given) = value.split_at(end);
    let amount = decimal(digits)?;
    let given = given.trim();
    if given.is_empty() {
        return Some(amount);
    }
    Some(amount * size(given)? / size(unit)?)
        .filter(|_| MEMORY.iter().any(|(name, _)| *name == given) == is_memory(unit))
}

/// A decimal number. Exact where it has few digits, which limits need no more of: the tables of `str::parse` would be ten
/// kilobytes of a module for browsers.
fn decimal(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let magnitude = mantissa.strip_prefix(['+', '-']).unwrap_or(mantissa);
    let (whole, fraction) = magnitude.split_once('.').unwrap_or((magnitude, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits = whole.chars().chain(fraction.chars());
    let number =
        digits.map(|c| c.to_digit(10)).try_fold(0.0, |sum, digit| Some(sum * 10.0 + f64::from(digit?)))?;
    let power = exponent.parse::<i32>().ok()?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    let scale = 10_f64.powi(power.abs());
    let number = if power < 0 { number / scale } else { number * scale };
    Some(if mantissa.starts_with('-') { -number } else { number })
}

/// Units of memory in bytes, with those that only parameters have.
const MEMORY: [(&str, f64); 6] = [
    ("B", 1.0),
    ("kB", 1024.0),
    ("8kB", 8192.0),
    ("MB", 1_048_576.0),
    ("GB", 1_073_741_824.0),
    ("TB", 1_099_511_627_776.0),
];

/// Units of time in microseconds.
const TIME: [(&str, f64); 6] = [
    ("us", 1.0),
    ("ms", 1_000.0),
    ("s", 1_000_000.0),
    ("min", 60_000_000.0),
    ("h", 3_600_000_000.0),
    ("d", 86_400_000_000.0),
];

fn is_memory(unit: &str) -> bool {
    MEMORY.iter().any(|(name, _)| *name == unit)
}

fn size(unit: &str) -> Option<f64> {
    MEMORY.iter().chain(&TIME).find(|(name, _)| *name == unit).map(|(_, size)| *size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_list_is_read() {
        assert_eq!(ALL.len(), PARAMETERS.lines().filter(|line| !line.starts_with('#')).count());
    }

    #[test]
    fn parameters_are_known_by_version_and_in_any_case() {
        let is_in = |name, version| parameter(name).is_some_and(|parameter| parameter.is_in(version));
        assert!(is_in("Work_Mem", 15) && is_in("transaction_timeout", 17) && is_in("DateStyle", 18));
        assert!(
            !is_in("transaction_timeout", 15)
                && !is_in("force_parallel_mode", 17)
                && !is_in("shard_mode", 17)
        );
        // What came with 16 or 17 is not known apart.
        assert!(is_in("transaction_timeout", 16));
    }

    #[test]
    fn decimals_are_those_of_rust() {
        for text in [
            "0",
            "-1",
            "+7",
            "10.5",
            ".5",
            "5.",
            "-0.25",
            "1e1",
            "2.5E-3",
            "2147483647",
            "1e10",
            "1.1",
            "0.9",
            "1e9",
            "007.5",
            "9007199254740991",
            "3.14159",
            "0e5",
        ] {
            assert_eq!(decimal(text), text.parse::<f64>().ok(), "{text}");
        }
        for text in ["", ".", "-", "e5", "1e", "1e+", "1.2.3", "--1", "1e5e5", "1e99999999999"] {
            assert_eq!(decimal(text), None, "{text}");
        }
        assert!(
            decimal("1e400").is_some_and(f64::is_infinite)
                && decimal("1.79769e+308").is_some_and(f64::is_finite)
        );
    }

    #[test]
    fn values_are_judged_as_the_server_judges_them() {
        let refusal = |name: &str, value| parameter(name).unwrap().refusal(name, value);
        for (name, value) in [
            ("work_mem", "4MB"),
            ("work_mem", "64"),
            ("work_mem", "63.5"),
            ("client_encoding", "Windows-1252"),
            ("timezone_abbreviations", "India"),
            ("work_mem", " 1 GB"),
            ("statement_timeout", "1.5h"),
            ("statement_timeout", "0"),
            ("random_page_cost", "1.1"),
            ("random_page_cost", "1e1"),
            ("enable_seqscan", "of"),
            ("client_min_messages", "Warning"),
            ("synchronous_commit", "true"),
            ("default_text_search_config", "anything"),
            ("effective_cache_size", "0x10"),
        ] {
            assert_eq!(refusal(name, value), None, "{name} {value}");
        }
        for (name, value, says) in [
            ("work_mem", "10", "outside the valid range"),
            ("work_mem", "10 parsecs", "invalid value"),
            ("work_mem", "1min", "invalid value"),
            (
                "random_page_cost",
                "-1",
                "-1 is outside the valid range for parameter \"random_page_cost\" (0 .. 1.79769e+308)",
            ),
            ("enable_seqscan", "maybe", "requires a Boolean value"),
            ("geqo_seed", "1.5", "1.5 is outside the valid range for parameter \"geqo_seed\" (0 .. 1)"),
            ("cursor_tuple_fraction", "-0.0001", "outside the valid range"),
            ("hash_mem_multiplier", "0.5", "outside the valid range"),
            ("client_encoding", "utf8mb4", "invalid value"),
            ("timezone_abbreviations", "default", "invalid value"),
            ("client_min_messages", "loud", "invalid value"),
            ("client_min_messages", "fatal", "invalid value"),
        ] {
            assert!(refusal(name, value).unwrap().contains(says), "{name} {value}");
        }
    }
}
