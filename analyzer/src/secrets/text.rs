//! Secrets in plain text: messages, comments, connection strings, what cannot be scanned as SQL.

use std::ops::Range;

use super::names::{self, is_plain_value, is_secret};

/// Beginnings of tokens and hashes that are known by their looks, with the least number of characters behind them.
const KNOWN: [(&str, usize); 16] = [
    ("SCRAM-SHA-256$", 8),
    ("md5", 32),
    ("eyJ", 20),
    ("AKIA", 16),
    ("ASIA", 16),
    ("ghp_", 20),
    ("gho_", 20),
    ("ghs_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("sk_live_", 10),
    ("sk-", 20),
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("hvs.", 16),
    ("-----BEGIN", 20),
];

/// The places of secrets in a text.
pub(super) fn find(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    userinfo(text, &mut found);
    named(text, &mut found);
    known(text, &mut found);
    rows(text, &mut found);
    merged(found, text.len())
}

/// Where the first word ends that names a secret.
pub(super) fn first_word(text: &str) -> Option<usize> {
    words(text).find(|word| names::speaks(&text[word.clone()])).map(|word| word.end)
}

/// Where the program begins that a command of psql starts: `\! …`, `\o | …`, `\copy … program …`.
pub(super) fn program(text: &str) -> Option<usize> {
    let command = text.trim_start();
    let start = text.len() - command.len();
    let lower = command.strip_prefix('\\')?.to_ascii_lowercase();
    if lower.starts_with('!') {
        return Some(start + 2);
    }
    let word = lower.find("program").map(|at| at + "program".len());
    let pipe = lower.find(['|', '`']).map(|at| at + 1);
    word.into_iter().chain(pipe).min().map(|at| start + 1 + at)
}

/// True where a text names a secret, so that one may stand beside it.
pub(super) fn speaks(text: &str) -> bool {
    first_word(text).is_some()
}

/// True where a text ends with the name of a secret, and its value comes next: `password=`.
pub(super) fn ends_with_name(text: &str) -> bool {
    let head = text.trim_end_matches(|c: char| c.is_whitespace() || "=:'\"".contains(c));
    words(head).last().is_some_and(|word| word.end == head.len() && names::speaks(&head[word]))
}

/// Runs of characters that names are made of.
fn words(text: &str) -> impl Iterator<Item = Range<usize>> {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '-');
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at + text.get(at..)?.find(is_part)?;
        let length = text[start..].find(|c: char| !is_part(c)).unwrap_or(text.len() - start);
        at = start + length;
        Some(start..at)
    })
}

/// `scheme://user:secret@host`: from the colon to the last @ of the word, for a password may hold one.
fn userinfo(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, _) in text.match_indices("://") {
        let start = at + 3;
        let rest = &text[start..];
        let word =
            &rest[..rest.find(|c: char| c.is_whitespace() || "'\"<>`".contains(c)).unwrap_or(rest.len())];
        let Some(end) = word.rfind('@') else { continue };
        let Some(colon) = word[..end].find(':') else { continue };
        if colon + 1 < end {
            found.push(start + colon + 1..start + end);
        }
    }
}

/// `name = value`, `name: "value"`, `"name" => 'value'`, `name 'value'`.
fn named(text: &str, found: &mut Vec<Range<usize>>) {
    for word in words(text) {
        if !is_secret(text[word.clone()].trim_matches(['.', '-'])) && !is_header(&text[word.clone()]) {
            continue;
        }
        let mut rest = text[word.end..].trim_start_matches(['"', '\'', '\\']);
        let closed = rest.len() < text.len() - word.end;
        rest = rest.trim_start_matches([' ', '\t']);
        let sign =
            ["=>", ":=", "=", ":"].into_iter().find(|sign| rest.starts_with(sign) && !rest.starts_with("::"));
        let to = rest.get(..3).is_some_and(|to| to.eq_ignore_ascii_case("to "));
        let value = match sign {
            Some(sign) => &rest[sign.len()..],
            None if to => &rest[3..],
            // PASSWORD 'x', as in a statement; "password" in quotes of its own is a name.
            None if !closed && rest.starts_with('\'') => rest,
            None => continue,
        };
        let value = value.trim_start_matches([' ', '\t', '\\']);
        let start = text.len() - value.len();
        if let Some(length) = length(value) {
            found.push(start..start + length);
        }
    }
}

/// Headers of HTTP that carry one.
fn is_header(word: &str) -> bool {
    ["authorization", "cookie", "set-cookie", "x-api-key"].contains(&word.to_ascii_lowercase().as_str())
}

/// How long a value is; none where it is no secret.
fn length(value: &str) -> Option<usize> {
    let quote = value.chars().next()?;
    if quote == '\'' || quote == '"' {
        let inner = value.trim_start_matches(quote);
        let open = value.len() - inner.len();
        // Quotes in a text in quotes are doubled; two alone are an empty value.
        let end = inner.find(quote)?;
        let close = inner[end..].len() - inner[end..].trim_start_matches(quote).len();
        return (end > 0 && (open < 2 || close >= 2)).then_some(open + end + close.min(open));
    }
    if quote == '(' {
        return Some(value.find(')').map_or(value.len(), |end| end + 1));
    }
    let scheme =
        ["Bearer ", "Basic ", "bearer ", "basic "].into_iter().find(|scheme| value.starts_with(scheme));
    let from = scheme.map_or(0, str::len);
    let end = value[from..]
        .find(|c: char| c.is_whitespace() || ",;&)}]'\"".contains(c))
        .unwrap_or(value.len() - from);
    let plain = &value[..from + end];
    let is_blank =
        plain.is_empty() || is_plain_value(plain) || plain.starts_with(['%', '$', '?']) && plain.len() < 4;
    (!is_blank).then_some(from + end)
}

/// What is known by its looks.
fn known(text: &str, found: &mut Vec<Range<usize>>) {
    for (begin, least) in KNOWN {
        for (at, _) in text.match_indices(begin) {
            if text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_') {
                continue;
            }
            if begin.starts_with('-') {
                let is_key = text[at..].lines().next().is_some_and(|line| line.contains("PRIVATE KEY"));
                found.extend(is_key.then_some(at..text.len()));
                continue;
            }
            let rest = &text[at + begin.len()..];
            let is_part = |c: char| c.is_ascii_alphanumeric() || "+/=_-.:$".contains(c);
            let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
            let is_hash =
                begin != "md5" || length == 32 && rest[..32].bytes().all(|byte| byte.is_ascii_hexdigit());
            if length >= least && is_hash {
                found.push(at..at + begin.len() + length);
            }
        }
    }
}

/// Rows and keys that a server quotes: whole rows never, keys where a column's name says so.
fn rows(text: &str, found: &mut Vec<Range<usize>>) {
    for (at, begin) in text.match_indices("Failing row contains (") {
        let end = text[at..].find('\n').unwrap_or(text.len() - at);
        found.push(at + begin.len() - 1..at + end);
    }
    for (at, begin) in text.match_indices("Key (") {
        let rest = &text[at + begin.len()..];
        let Some((columns, _)) = rest.split_once(")=(") else { continue };
        if columns.split([',', ' ', '(', ')', '"']).any(is_secret) {
            let start = at + begin.len() + columns.len() + 2;
            let end = text[start..].find('\n').unwrap_or(text.len() - start);
            let end = text[start..start + end].rfind(')').map_or(end, |close| close + 1);
            found.push(start..start + end);
        }
    }
    // COPY t, line 3: "1	abc": a whole row, whatever its columns are.
    for (at, _) in text.match_indices("COPY ") {
        let line = text[at..].lines().next().unwrap_or_default();
        let Some((head, rest)) = line.split_once(": \"") else { continue };
        if head.contains(", line ") && !head.contains(", column ") {
            let start = at + head.len() + 2;
            found.push(start..start + 1 + rest.len());
        }
    }
}

/// Ranges in order, those that touch each other as one.
pub(super) fn merged(mut found: Vec<Range<usize>>, length: usize) -> Vec<Range<usize>> {
    found.retain(|range| range.start < range.end && range.start < length);
    found.sort_by_key(|range| range.start);
    let mut out: Vec<Range<usize>> = Vec::new();
    for range in found {
        match out.last_mut().filter(|last| range.start <= last.end) {
            Some(last) => last.end = last.end.max(range.end),
            None => out.push(range),
        }
    }
    out
}
