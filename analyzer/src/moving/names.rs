//! Names of schemas in strings: `'app.orders'` as regclass reads it, and lists as `search_path` has them.

use std::ops::Range;

/// A name in a text: its bytes, quotes included, and what it says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) range: Range<usize>,
    pub(super) name: String,
}

/// Reads a name, quoted or not, that begins here: what it says, and where it ends.
fn name(text: &str, from: usize) -> Option<Name> {
    let rest = text.get(from..)?;
    if let Some(inner) = rest.strip_prefix('"') {
        let mut said = String::new();
        let mut chars = inner.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c != '"' {
                said.push(c);
            } else if chars.next_if(|(_, next)| *next == '"').is_some() {
                said.push('"');
            } else {
                return Some(Name { range: from..from + 1 + at + 1, name: said });
            }
        }
        return None;
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '$'))).unwrap_or(rest.len());
    let said = rest.get(..end)?;
    (!said.is_empty()).then(|| Name { range: from..from + end, name: said.to_ascii_lowercase() })
}

/// The parts of a qualified name: `app.t`, `"App".t`, `app.f(integer)`. Empty where the text is none. What stands behind
/// the name is the second.
pub(super) fn path(text: &str) -> (Vec<Name>, usize) {
    let mut at = text.len() - text.trim_start().len();
    let mut found = Vec::new();
    loop {
        let Some(part) = name(text, at) else { return (found, at) };
        at = part.range.end;
        found.push(part);
        match text.as_bytes().get(at) {
            Some(b'.') => at += 1,
            _ => return (found, at),
        }
    }
}

/// The names of a list as `search_path` has it; `None` where it is none.
pub(super) fn list(text: &str) -> Option<Vec<Name>> {
    let skip = |at: usize| at + text.get(at..).map_or(0, |rest| rest.len() - rest.trim_start().len());
    let mut at = skip(0);
    let mut found = Vec::new();
    if at == text.len() {
        return Some(found);
    }
    loop {
        let one = name(text, at)?;
        at = skip(one.range.end);
        found.push(one);
        match text.as_bytes().get(at) {
            None => return Some(found),
            Some(b',') => at = skip(at + 1),
            Some(_) => return None,
        }
    }
}

/// The places in a text where this schema's name stands before a dot, as a word of its own.
pub(super) fn spoken_of(text: &str, schema: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let lower = text.to_ascii_lowercase();
    let (lower, wanted) = (lower.as_str(), schema.to_ascii_lowercase());
    let mut from = 0;
    while let Some(at) = lower.get(from..).and_then(|rest| rest.find(&wanted)) {
        let start = from + at;
        let end = start + wanted.len();
        from = end;
        let before = lower.get(..start).and_then(|text| text.chars().next_back());
        let quoted = before == Some('"') && lower.as_bytes().get(end) == Some(&b'"');
        let is_word = |c: char| c.is_alphanumeric() || matches!(c, '_' | '$' | '.' | '-' | '@' | '/');
        let begins = quoted || before.is_none_or(|c| !is_word(c) && c != '"');
        let rest = lower.get(if quoted { end + 1 } else { end }..).unwrap_or_default();
        let mut behind = rest.strip_prefix('.').into_iter().flat_map(str::chars);
        let names =
            behind.next().is_some_and(|c| c.is_alphabetic() || matches!(c, '_' | '"' | '%' | '*' | '\''));
        if begins && names {
            found.push(if quoted { start - 1..end + 1 } else { start..end });
        }
    }
    found
}

/// True for a text that asks the catalogs for schemas: there a string may be the name of one.
pub(super) fn asks_catalogs(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    ["nspname", "schemaname", "_schema", "schema_name", "pg_namespace", "regnamespace"]
        .iter()
        .any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(names: &[Name]) -> Vec<&str> {
        names.iter().map(|name| name.name.as_str()).collect()
    }

    #[test]
    fn qualified_names_are_read_as_regclass_reads_them() {
        assert_eq!(said(&path("App.\"T \"\"x\"").0), ["app", "T \"x"]);
        assert_eq!(said(&path("app.f(integer)").0), ["app", "f"]);
        assert_eq!(path("app.f(integer)").1, 5);
        assert_eq!(said(&path("").0), [""; 0]);
    }

    #[test]
    fn lists_are_read_as_search_path_reads_them() {
        assert_eq!(said(&list("\"$user\", Public ,x").unwrap()), ["$user", "public", "x"]);
        assert_eq!(said(&list("").unwrap()), [""; 0]);
        assert_eq!(list("a b"), None);
        assert_eq!(list("a,"), None);
    }

    #[test]
    fn a_schema_is_spoken_of_before_a_dot() {
        let places = |text: &str| spoken_of(text, "crm");
        assert_eq!(places("SELECT * FROM crm.t, \"crm\".u"), [14..17, 21..26]);
        assert_eq!(places("a.crm.t my-crm.de x@crm.org crm. crm.5 acrm.t"), []);
        assert_eq!(places("CRM.%I").len(), 1);
    }
}
