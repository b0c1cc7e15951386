//! Tables that a person wants as hypertables.

/// How a table is to become a hypertable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// Its time column.
    pub column: String,
    /// How much a chunk covers: an interval such as `1 day`, or a number for an integer column.
    pub interval: Option<String>,
}

/// Reads `schema.table:column` or `schema.table:column:interval`. Names are quoted as in SQL where they need it.
///
/// # Errors
/// What is wrong with the text.
pub fn conversion(text: &str) -> Result<((String, String), Conversion), String> {
    let parts = split(text);
    let (table, column, interval) = match parts.as_slice() {
        [table, column] => (table, column, None),
        [table, column, interval @ ..] if !interval.is_empty() => (table, column, Some(interval.join(":"))),
        _ => return Err(format!("{text} is not of the form schema.table:column[:interval]")),
    };
    let (schema, name) = crate::facts::hypertables::regclass(table)
        .ok_or_else(|| format!("{table} is no name of a table: write schema.table"))?;
    let (None, column) = crate::facts::hypertables::regclass(column)
        .ok_or_else(|| format!("{column} is no name of a column"))?
    else {
        return Err(format!("{column} is no name of a column"));
    };
    let interval = interval.map(|interval| interval.trim().to_owned());
    if interval.as_deref() == Some("") {
        return Err(format!("the interval in {text} is empty"));
    }
    if let Some(interval) = interval.as_deref().filter(|interval| !is_interval(interval)) {
        return Err(format!("{interval} is no interval: write a number and a unit, such as 1 day"));
    }
    Ok(((schema.unwrap_or_else(|| "public".into()), name), Conversion { column, interval }))
}

/// Units of intervals, and what may stand beside them (PostgreSQL's documentation, Interval Input).
const UNITS: [&str; 41] = [
    "microsecond",
    "microseconds",
    "us",
    "usec",
    "usecs",
    "millisecond",
    "milliseconds",
    "ms",
    "msec",
    "msecs",
    "second",
    "seconds",
    "s",
    "sec",
    "secs",
    "minute",
    "minutes",
    "m",
    "min",
    "mins",
    "hour",
    "hours",
    "h",
    "hr",
    "hrs",
    "day",
    "days",
    "d",
    "week",
    "weeks",
    "w",
    "month",
    "months",
    "mon",
    "mons",
    "year",
    "years",
    "y",
    "yr",
    "yrs",
    "decade",
];

/// True for what PostgreSQL may take for an interval, or for the number of an integer column.
fn is_interval(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    // ISO 8601: P1DT12H.
    let words = text.strip_prefix('p').map_or(text.as_str(), |_| "");
    let mut words = words.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    text.contains(|c: char| c.is_ascii_digit()) && words.all(|word| UNITS.contains(&word))
}

/// The parts between colons that stand outside of double quotes.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        quoted ^= c == '"';
        match parts.last_mut() {
            Some(_) if c == ':' && !quoted => parts.push(String::new()),
            Some(last) => last.push(c),
            None => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversion_is_read_with_quoted_names_and_an_interval() {
        let read = |text| conversion(text).unwrap();
        let named = |schema: &str, table: &str, column: &str, interval: Option<&str>| {
            let conversion = Conversion { column: column.into(), interval: interval.map(Into::into) };
            ((schema.to_owned(), table.to_owned()), conversion)
        };
        assert_eq!(read("app.m:ts"), named("app", "m", "ts", None));
        assert_eq!(read("m:ts:1 day"), named("public", "m", "ts", Some("1 day")));
        assert_eq!(read("app.\"A:b\":\"Ts\":01:00:00"), named("app", "A:b", "Ts", Some("01:00:00")));
        for interval in ["7 days", "1 mon 2 d", "P1DT12H", "86400000000"] {
            let (_, read) = conversion(&format!("m:ts:{interval}")).unwrap();
            assert_eq!(read.interval.as_deref(), Some(interval));
        }
        for text in ["", "m", "a.b.c.d:ts", "m:", "m:ts:", "m:a.b", "m:ts:1 parsec", "m:ts:day"] {
            assert!(conversion(text).is_err(), "{text}");
        }
    }
}
