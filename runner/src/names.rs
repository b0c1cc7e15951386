//! Names as PostgreSQL has them: parts that are compared, never a text that is taken apart.
//!
//! A name may hold dots, spaces, quotes, line ends: `"a.b".c` and `a."b.c"` are two tables. Where a text has to stand
//! for a name (on the screen, in a report, in a journal), it is quoted as `quote_ident` quotes, so that no two names have
//! one text, and every text can be pasted into SQL.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::quote::{identifier, is_plain_char, quoted};

/// The name of a relation: a table, index, sequence or view with its schema.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Relation {
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
}

impl Relation {
    /// The relation of this schema and name, both as they are, without quotes.
    #[must_use]
    pub fn new(schema: &str, name: &str) -> Self {
        Self { schema: schema.to_owned(), name: name.to_owned() }
    }

    /// The name for a query of ours: always in quotes.
    #[must_use]
    pub fn sql(&self) -> String {
        format!("{}.{}", identifier(&self.schema), identifier(&self.name))
    }

    /// What people call an index or a constraint of it: `orders_pkey on shop.orders`.
    #[must_use]
    pub fn part(&self, name: &str) -> String {
        format!("{} on {self}", quoted(name))
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", quoted(&self.schema), quoted(&self.name))
    }
}

/// A text that is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no qualified name")]
pub struct NoName;

impl FromStr for Relation {
    type Err = NoName;

    /// Reads what [`Relation`] displays.
    fn from_str(text: &str) -> Result<Self, NoName> {
        match read(text) {
            Some((relation, "")) => Ok(relation),
            _ => Err(NoName),
        }
    }
}

/// The qualified name that `text` begins with, and the rest.
#[must_use]
pub fn read(text: &str) -> Option<(Relation, &str)> {
    let (schema, rest) = part(text)?;
    let (name, rest) = part(rest.strip_prefix('.')?)?;
    Some((Relation { schema, name }, rest))
}

/// The name that `text` begins with, quoted or plain, and the rest.
#[must_use]
pub fn part(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(|c: char| !is_plain_char(c)).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end)?;
        return (!name.is_empty()).then(|| (name.to_owned(), rest));
    };
    let mut name = String::new();
    let mut rest = quoted;
    loop {
        let (before, after) = rest.split_once('"')?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(after) => {
                name.push('"');
                rest = after;
            }
            None => return Some((name, after)),
        }
    }
}

/// The names in a list of columns, as SQL writes it.
pub fn list(columns: &str) -> impl Iterator<Item = String> {
    let mut rest = columns;
    std::iter::from_fn(move || {
        let (name, after) = part(rest)?;
        rest = after.strip_prefix(", ").unwrap_or(after);
        Some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that mean something else where they are joined, split or matched without care.
    const ODD: [&str; 22] = [
        "plain",
        "Case",
        "a.b",
        "b.c",
        "t 1/2",
        " lead",
        "trail ",
        "q\"uote",
        "\"",
        "\"\"",
        "\".\"",
        "data/x",
        "1st",
        "order",
        "json",
        "name",
        "back\\slash",
        "new\nline",
        "tab\t",
        "*",
        "[a]?",
        "größe",
    ];

    #[test]
    fn no_two_names_have_one_text_and_every_text_is_read_back() {
        let mut seen = std::collections::BTreeMap::new();
        for schema in ODD {
            for name in ODD {
                let relation = Relation::new(schema, name);
                let text = relation.to_string();
                assert_eq!(text.parse(), Ok(relation.clone()), "{text}");
                assert_eq!(seen.insert(text.clone(), relation), None, "{text}");
            }
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in ["", "a", "a.", ".b", "\"a", "\"a\".", "a.b.c", "a.b c", "A.b", "a.\"b\"\""] {
            assert_eq!(text.parse::<Relation>(), Err(NoName), "{text}");
        }
        assert_eq!(read("\"a.b\".c 1/2"), Some((Relation::new("a.b", "c"), " 1/2")));
    }
}
