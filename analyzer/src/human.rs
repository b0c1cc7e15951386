//! Numbers and names as people read them.

/// The units of bytes, each a thousand times the one before it.
const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];

/// Names that [`list`] shows.
const NAMES: usize = 8;

/// A number of bytes in three digits: `999 B`, `1.25 kB`, `12.5 MB`, `125 GB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    let (scale, unit) = unit(number);
    format!("{} {unit}", scaled(number, scale))
}

/// A part of a whole, both in the unit of the whole: `1.25 of 4.00 GB`.
#[must_use]
pub fn part(moved: u64, whole: u64) -> String {
    let (scale, unit) = unit(whole);
    format!("{} of {} {unit}", scaled(moved, scale), scaled(whole, scale))
}

/// The largest unit of which there is at least one.
fn unit(number: u64) -> (u64, &'static str) {
    let mut scale = 1_u64;
    for unit in UNITS {
        if number < scale.saturating_mul(1000) {
            return (scale, unit);
        }
        scale = scale.saturating_mul(1000);
    }
    (scale / 1000, "PB")
}

/// Three digits, cut and not rounded: what is nearly whole is not shown as whole.
fn scaled(number: u64, scale: u64) -> String {
    let hundredths = u128::from(number) * 100 / u128::from(scale.max(1));
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match (scale, whole) {
        (1, _) | (_, 100..) => whole.to_string(),
        (_, 10..) => format!("{whole}.{}", rest / 10),
        _ => format!("{whole}.{rest:02}"),
    }
}

/// A number with its thousands apart.
#[must_use]
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `1 error`, `2,000 errors`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    format!("{} {}", thousands(number), plural(number, noun))
}

/// `error` or `errors`.
#[must_use]
pub fn plural(number: u64, noun: &str) -> String {
    if number == 1 { noun.to_owned() } else { format!("{noun}s") }
}

/// The first names of a list, and how many more there are.
#[must_use]
pub fn list(names: &[String]) -> String {
    let shown = names.iter().take(NAMES).cloned().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMES) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_digits() {
        let numbers = [0, 999, 1000, 1_259, 12_599, 125_999, 999_999, 1_000_000, 4_000_000_000];
        assert_eq!(
            numbers.map(bytes),
            ["0 B", "999 B", "1.00 kB", "1.25 kB", "12.5 kB", "125 kB", "999 kB", "1.00 MB", "4.00 GB"]
        );
        assert_eq!(part(1_259_000_000, 4_000_000_000), "1.25 of 4.00 GB");
    }

    #[test]
    fn numbers_and_lists_are_readable() {
        assert_eq!([0, 999, 1_234_567].map(thousands), ["0", "999", "1,234,567"]);
        assert_eq!([0, 1, 2_000].map(|n| count(n, "error")), ["0 errors", "1 error", "2,000 errors"]);
        let names: Vec<String> = (0..10).map(|n| n.to_string()).collect();
        assert_eq!(list(&names), "0, 1, 2, 3, 4, 5, 6, 7 and 2 more");
    }
}
