//! A checksum of a table's rows that is taken of COPY's text: of an archive while it is read, and of a server.
//!
//! A row's hash is XXH3 (64 bits) of its line, a table's is the sum of its rows' hashes: the order of rows does not count, and
//! two equal rows do not cancel. `pg_dump` pins what values look like, but for the time zone and the form of bytes: a
//! `timestamptz` goes into the hash as microseconds of UTC, a `bytea` as hexadecimal digits, a `regclass` and the like without
//! quotes. Types that hold one of those inside, and money, are left out.

use crate::names::Relation;

/// What of a value goes into the hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Its text.
    Text,
    /// Of a `timestamptz`: the moment.
    Moment,
    /// Of a `bytea`: its bytes.
    Bytes,
    /// Of the name of an object: without quotes, which `pg_dump --quote-all-identifiers` puts around all of them.
    Name,
    /// Nothing: its text depends on who has written it.
    Nothing,
}

/// Which values of a line go into its hash, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Positions in the line; empty where the whole line goes in as it is.
    fields: Vec<(usize, Field)>,
}

impl Shape {
    /// The shape of lines with these columns. `in_order` has columns in the order of their names, for tables whose columns
    /// stand in different orders.
    #[must_use]
    pub fn new(columns: &[(String, Field)], in_order: bool) -> Self {
        if !in_order && columns.iter().all(|(_, field)| *field == Field::Text) {
            return Self::default();
        }
        let mut named: Vec<(&String, usize, Field)> =
            columns.iter().enumerate().map(|(position, (name, field))| (name, position, *field)).collect();
        if in_order {
            named.sort_unstable_by_key(|(name, position, _)| (*name, *position));
        }
        let wanted = named.into_iter().filter(|(_, _, field)| *field != Field::Nothing);
        Self { fields: wanted.map(|(_, position, field)| (position, field)).collect() }
    }
}

/// Rows and their checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// Rows.
    pub rows: u64,
    /// The sum of their hashes.
    pub sum: u128,
}

impl std::ops::AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.rows += other.rows;
        self.sum = self.sum.wrapping_add(other.sum);
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows, checksum {:x}", self.rows, self.sum)
    }
}

/// A sum that is being taken.
#[derive(Debug, Default)]
pub struct Summing {
    /// None where rows are only counted.
    shape: Option<Shape>,
    /// The beginning of a line that is not whole yet.
    line: Vec<u8>,
    /// Where the values of a line begin, and one behind its end.
    starts: Vec<usize>,
    values: Vec<u8>,
    sum: Sum,
}

impl Summing {
    /// Begins.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self { shape: Some(shape), ..Self::default() }
    }

    /// Counts rows, and takes no checksum.
    #[must_use]
    pub fn counting() -> Self {
        Self::default()
    }

    /// Takes bytes, which may end anywhere.
    pub fn take(&mut self, mut bytes: &[u8]) {
        if self.shape.is_none() {
            self.sum.rows += memchr::memchr_iter(b'\n', bytes).count() as u64;
            return;
        }
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            if self.line.is_empty() {
                self.row(line);
            } else {
                let mut whole = std::mem::take(&mut self.line);
                whole.extend_from_slice(line);
                self.row(&whole);
                whole.clear();
                self.line = whole;
            }
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.line.extend_from_slice(bytes);
    }

    /// The sum of all whole lines so far.
    #[must_use]
    pub fn sum(&self) -> Sum {
        self.sum
    }

    fn row(&mut self, line: &[u8]) {
        let fields = self.shape.as_ref().map(|shape| shape.fields.as_slice()).unwrap_or_default();
        let hash = if fields.is_empty() {
            twox_hash::XxHash3_64::oneshot(line)
        } else {
            self.starts.clear();
            self.starts.push(0);
            self.starts.extend(memchr::memchr_iter(b'\t', line).map(|at| at + 1));
            self.starts.push(line.len() + 1);
            self.values.clear();
            for (position, field) in fields {
                let value = match self.starts.get(*position..position + 2) {
                    Some([start, next]) => line.get(*start..next - 1).unwrap_or_default(),
                    _ => &[],
                };
                write(value, *field, &mut self.values);
                self.values.push(b'\t');
            }
            twox_hash::XxHash3_64::oneshot(&self.values)
        };
        self.sum += Sum { rows: 1, sum: hash.into() };
    }
}

/// Writes what of a value goes into the hash.
fn write(value: &[u8], field: Field, out: &mut Vec<u8>) {
    match field {
        Field::Moment => match moment(value) {
            Some(moment) => out.extend_from_slice(itoa::Buffer::new().format(moment).as_bytes()),
            None => out.extend_from_slice(value),
        },
        Field::Name => out.extend(value.iter().filter(|byte| **byte != b'"')),
        Field::Bytes => match bytes(value) {
            Some(bytes) => {
                out.extend_from_slice(b"\\\\x");
                out.extend_from_slice(crate::human::hex(&bytes).as_bytes());
            }
            None => out.extend_from_slice(value),
        },
        Field::Text | Field::Nothing => out.extend_from_slice(value),
    }
}

/// Microseconds of UTC of `2026-01-02 03:04:05.678+01:30 BC`; none of anything else.
fn moment(text: &[u8]) -> Option<i128> {
    let (text, is_bc) = text.strip_suffix(b" BC").map_or((text, false), |text| (text, true));
    let (date, time) = split(text, memchr::memchr(b' ', text)?)?;
    let mut numbers = date.split(|byte| *byte == b'-').map(number);
    let (year, month, day) = (numbers.next()??, numbers.next()??, numbers.next()??);
    let zone = memchr::memchr2(b'+', b'-', time)?;
    let is_west = time.get(zone) == Some(&b'-');
    let (time, offset) = split(time, zone)?;
    let (whole, fraction) = match memchr::memchr(b'.', time) {
        Some(point) => split(time, point)?,
        None => (time, &b"0"[..]),
    };
    let missing = u32::try_from(6_usize.saturating_sub(fraction.len())).ok()?;
    let micros = number(fraction)? * 10_i64.pow(missing);
    let offset = if is_west { -seconds(offset)? } else { seconds(offset)? };
    let year = if is_bc { 1 - year } else { year };
    let seconds = days(year, month, day) * 86_400 + seconds(whole)? - offset;
    Some(i128::from(seconds) * 1_000_000 + i128::from(micros))
}

/// What stands before the byte at `at`, and behind it.
fn split(text: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// A number of up to nine digits.
fn number(text: &[u8]) -> Option<i64> {
    if text.is_empty() || text.len() > 9 {
        return None;
    }
    text.iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// Seconds of `03:04:05`, `03:04` or `03`.
fn seconds(text: &[u8]) -> Option<i64> {
    let mut parts = text.split(|byte| *byte == b':').zip([3600, 60, 1]);
    parts.try_fold(0, |seconds, (part, unit)| Some(seconds + number(part)? * unit))
}

/// Days from 1 March of the year 0 of the Gregorian calendar, as astronomers count years.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years that begin in March end with the leap day.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 1
}

/// The bytes that `bytea_output = escape` has written, within COPY's text; none of hexadecimal digits, which are so already.
fn bytes(text: &[u8]) -> Option<Vec<u8>> {
    if text == b"\\N" || text.starts_with(b"\\\\x") {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = unescaped(text);
    // Within it three octal digits or another backslash follow a backslash.
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        match rest.next()? {
            b'\\' => out.push(b'\\'),
            first => {
                let mut value = u32::from(first.checked_sub(b'0')?);
                for _ in 0..2 {
                    value = value * 8 + u32::from(rest.next()?.checked_sub(b'0')?);
                }
                out.push(u8::try_from(value).ok()?);
            }
        }
    }
    Some(out)
}

/// The bytes of a value, without COPY's own backslashes.
fn unescaped(text: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut rest = text.iter().copied();
    std::iter::from_fn(move || {
        let byte = rest.next()?;
        if byte != b'\\' {
            return Some(byte);
        }
        Some(match rest.next()? {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            other => other,
        })
    })
}

/// A relation's shape.
pub type Shapes = std::collections::BTreeMap<Relation, Shape>;

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(lines: &[&str], columns: &[(&str, Field)], in_order: bool) -> Sum {
        let columns: Vec<_> = columns.iter().map(|(name, field)| ((*name).to_owned(), *field)).collect();
        let mut summing = Summing::new(Shape::new(&columns, in_order));
        for line in lines {
            summing.take(line.as_bytes());
        }
        summing.sum()
    }

    #[test]
    fn the_order_of_rows_and_the_places_of_cuts_do_not_count() {
        let of = |lines: &[&str]| sum(lines, &[], false);
        let whole = of(&["1\ta\n2\tb\n2\tb\n"]);
        assert_eq!(whole, of(&["2\tb\n1", "\ta\n", "2\tb", "\n"]));
        assert_eq!(whole.rows, 3);
        assert_ne!(whole, of(&["1\ta\n", "2\tb\n"]), "equal rows do not cancel");
        assert_ne!(whole, of(&["1\tb\n", "2\ta\n", "2\tb\n"]), "values have not changed their rows");
    }

    #[test]
    fn a_moment_is_one_in_every_time_zone() {
        let columns = [("id", Field::Text), ("at", Field::Moment)];
        let of = |at: &str| sum(&[&format!("1\t{at}\n")], &columns, false);
        assert_eq!(of("2026-01-02 03:04:05.5+01"), of("2026-01-02 02:04:05.5+00"));
        assert_eq!(of("2026-01-01 00:30:00+05:30"), of("2025-12-31 19:00:00+00"));
        assert_eq!(of("2024-02-29 23:59:59-08"), of("2024-03-01 07:59:59+00"));
        assert_eq!(of("0001-01-01 00:00:00+00"), of("0001-12-31 23:00:00-01 BC"));
        assert_eq!(of("1890-01-01 00:53:28+00:53:28"), of("1890-01-01 00:00:00+00"));
        assert_eq!(of("294276-12-31 23:59:59.999999+00"), of("294277-01-01 00:59:59.999999+01"));
        assert_eq!(of("4714-11-24 00:00:00+00 BC"), of("4714-11-23 23:00:00-01 BC"));
        assert_ne!(of("2026-01-02 03:04:05+00"), of("2026-01-02 03:04:05.000001+00"));
        assert_ne!(of("infinity"), of("-infinity"));
        assert_ne!(of("\\N"), of("infinity"));
    }

    /// Manifests of dumps hold sums: what goes into them stays.
    #[test]
    fn a_sum_is_what_it_was_in_dumps_of_before() {
        let columns =
            [("id", Field::Text), ("at", Field::Moment), ("raw", Field::Bytes), ("m", Field::Nothing)];
        let rows = [
            "1\t2026-01-02 03:04:05.5+01\ta\\\\000\t$1\n",
            "2\t0044-03-15 12:00:00-00:01:15 BC\t\\\\x61\t$2\n",
            "3\t\\N\t\\N\t\\N\n4\tinfinity\t\t\n",
        ];
        assert_eq!(sum(&rows, &columns, false).to_string(), "4 rows, checksum 28c6e76fb97bb5a8d");
        assert_eq!(sum(&rows, &columns, true).to_string(), "4 rows, checksum 26e274ad39eab0eab");
    }

    #[test]
    fn rows_are_counted_without_a_checksum() {
        let mut counting = Summing::counting();
        for piece in ["1\ta\n2", "\tb\n", "\n"] {
            counting.take(piece.as_bytes());
        }
        assert_eq!(counting.sum(), Sum { rows: 3, sum: 0 });
    }

    #[test]
    fn bytes_are_the_same_in_both_forms() {
        let of = |value: &str| sum(&[&format!("{value}\n")], &[("data", Field::Bytes)], false);
        assert_eq!(of(r"a\\000\\\\b\\377"), of(r"\\x61005c62ff"));
        assert_eq!(of(""), of(r"\\x"));
        assert_ne!(of(r"\N"), of(r"\\x"));
    }

    #[test]
    fn names_are_the_same_with_and_without_quotes() {
        let of = |value: &str| sum(&[&format!("{value}\n")], &[("relid", Field::Name)], false);
        assert_eq!(of("public.metrics"), of("\"public\".\"metrics\""));
        assert_ne!(of("public.metrics"), of("public.other"));
    }

    #[test]
    fn columns_in_another_order_are_the_same_and_what_depends_on_the_writer_is_left_out() {
        let one = sum(&["1\tx\n"], &[("a", Field::Text), ("b", Field::Text)], true);
        assert_eq!(one, sum(&["x\t1\n"], &[("b", Field::Text), ("a", Field::Text)], true));
        let money = [("a", Field::Text), ("m", Field::Nothing)];
        assert_eq!(sum(&["1\t$2\n"], &money, false), sum(&["1\t2 EUR\n"], &money, false));
    }
}
