//! Values of parameters that are lists or names: DateStyle, TimeZone and client_encoding.
//!
//! Source: PostgreSQL `src/backend/commands/variable.c` (check_datestyle, check_timezone), `src/timezone/pgtz.c`; time zones
//! without an area as Debian 12's tzdata has them.

/// Names of time zones that have no area before them, in lower case.
const ZONES: &str = "cet cst6cdt cuba eet est est5edt egypt eire factory gb gb-eire gmt gmt+0 gmt-0 gmt0 greenwich hst \
    hongkong iceland iran israel jamaica japan kwajalein libya met mst mst7mdt nz nz-chat navajo prc pst8pdt poland \
    portugal roc rok singapore turkey uct utc universal w-su wet zulu localtime posixrules";

/// What stands before the first slash of a time zone's name, in lower case.
const AREAS: &str = "africa america antarctica arctic asia atlantic australia brazil canada chile etc europe indian mexico \
    pacific us posix right systemv";

/// True where the server knows no such time zone. Of an area that is known, and of rules in numbers (`UTC+3`, `<+03>-3`),
/// nothing is said.
pub(super) fn is_no_time_zone(value: &str) -> bool {
    if value.contains(|c: char| c.is_ascii_digit()) {
        return false;
    }
    let value = value.to_ascii_lowercase();
    let among = |words: &str, name: &str| words.split_whitespace().any(|word| word == name);
    match value.split_once('/') {
        Some((area, _)) => !among(AREAS, area),
        None => !among(ZONES, &value),
    }
}

/// True where the server refuses this value of DateStyle.
pub(super) fn is_no_date_style(value: &str) -> bool {
    let (mut style, mut order) = (None, None);
    // Nothing at all is a list without words.
    for word in value.split(',').filter(|_| !value.trim().is_empty()) {
        let word = word.trim().trim_matches('"').to_ascii_lowercase();
        let (kept, new) = match &*word {
            "iso" => (&mut style, "iso"),
            "sql" => (&mut style, "sql"),
            "german" => (&mut style, "german"),
            _ if word.starts_with("postgres") => (&mut style, "postgres"),
            "ymd" => (&mut order, "ymd"),
            "dmy" => (&mut order, "dmy"),
            _ if word.starts_with("euro") => (&mut order, "dmy"),
            "mdy" | "us" => (&mut order, "mdy"),
            _ if word.starts_with("noneuro") => (&mut order, "mdy"),
            "default" => continue,
            _ => return true,
        };
        if kept.is_some_and(|kept| kept != new) {
            return true;
        }
        *kept = Some(new);
    }
    false
}

/// Names of encodings, their letters and digits, but for those below (PostgreSQL `src/common/encnames.c`; asked of 15.18, 17.12 and
/// 18.6 with `pg_char_to_encoding`).
const ENCODINGS: &str = "abc alt big5 euccn eucjis2004 eucjp euckr euctw gb18030 gbk johab koi8 koi8r koi8u mskanji \
    muleinternal shiftjis shiftjis2004 sjis sqlascii tcvn tcvn5712 uhc unicode utf8 vscii win";

/// Numbers behind the names of encodings that have several.
const NUMBERED: [(&str, &str); 4] = [
    ("iso8859", "1 2 3 4 5 6 7 8 9 10 13 14 15 16"),
    ("latin", "1 2 3 4 5 6 7 8 9 10"),
    ("windows", "866 874 932 936 949 950 1250 1251 1252 1253 1254 1255 1256 1257 1258"),
    ("win", "866 874 932 936 949 950 1250 1251 1252 1253 1254 1255 1256 1257 1258"),
];

/// True for an encoding that the server knows, by the letters and digits of its name.
#[must_use]
pub fn is_encoding(name: &str) -> bool {
    let among = |words: &str, name: &str| words.split_whitespace().any(|word| word == name);
    let is_numbered = |(first, numbers): &(&str, &str)| {
        name.strip_prefix(first).is_some_and(|number| among(numbers, number))
    };
    among(ENCODINGS, name) || NUMBERED.iter().any(is_numbered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::cleaned;

    #[test]
    fn time_zones_are_judged_as_servers_do() {
        for value in ["Nowhere/Land", "XYZ", "", "W. Europe Standard Time", "PST"] {
            assert!(is_no_time_zone(value), "{value}");
        }
        for value in [
            "Europe/Berlin",
            "europe/berlin",
            "PST8PDT",
            "FOO5BAR",
            "CET",
            "UTC+3",
            "<+03>-3",
            "3",
            "posixrules",
            "Etc/GMT+5",
            "Zulu",
        ] {
            assert!(!is_no_time_zone(value), "{value}");
        }
    }

    #[test]
    fn encodings_are_judged_as_servers_do() {
        for value in
            ["UTF8", "utf-8", "LATIN 1", "ISO_8859-15", "windows-1251", "WIN", "sql_ascii", "SHIFT_JIS_2004"]
        {
            assert!(is_encoding(&cleaned(value)), "{value}");
        }
        for value in ["", "NOPE", "utf16", "cp1252", "iso-8859-11", "latin11", "auto", "win1259"] {
            assert!(!is_encoding(&cleaned(value)), "{value}");
        }
    }

    #[test]
    fn date_styles_are_judged_as_servers_do() {
        for value in
            ["ISO, XYZ", "non-european", "ISO, SQL", "DMY, MDY", "ISO,,DMY", "ISO DMY", "germanic", "sqlx"]
        {
            assert!(is_no_date_style(value), "{value}");
        }
        for value in [
            "ISO, DMY",
            "postgres, european",
            "us",
            "DEFAULT",
            "ISO, ISO",
            "",
            "ymd, german",
            "postgresql",
            "noneuro",
        ] {
            assert!(!is_no_date_style(value), "{value}");
        }
    }
}
