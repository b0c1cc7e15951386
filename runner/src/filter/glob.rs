//! Patterns of names, written as PostgreSQL writes names.

use crate::names::Relation;

/// One piece of a name's pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Piece {
    /// This character.
    Just(char),
    /// Any one character.
    One,
    /// Any text.
    Any,
}

/// A pattern: a schema, or a table of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    schema: Vec<Piece>,
    table: Option<Vec<Piece>>,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        let mut parts = vec![Vec::new()];
        let mut quoted = false;
        let mut chars = text.trim().chars().peekable();
        while let Some(c) = chars.next() {
            let Some(part) = parts.last_mut() else { break };
            match c {
                '"' if quoted && chars.next_if_eq(&'"').is_some() => part.push(Piece::Just('"')),
                '"' => quoted = !quoted,
                c if quoted => part.push(Piece::Just(c)),
                '.' => parts.push(Vec::new()),
                '*' => part.push(Piece::Any),
                '?' => part.push(Piece::One),
                // PostgreSQL folds a name's ASCII letters whatever the encoding.
                c => part.push(Piece::Just(c.to_ascii_lowercase())),
            }
        }
        if quoted {
            return Err("its double quote has no end");
        }
        if parts.iter().any(Vec::is_empty) {
            return Err("a name in it is empty");
        }
        let mut parts = parts.into_iter();
        let (Some(schema), table, None) = (parts.next(), parts.next(), parts.next()) else {
            return Err("it has more than one dot outside quotes");
        };
        Ok(Self { text: text.trim().to_owned(), schema, table })
    }

    /// As it was given.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// True for a pattern of schemas.
    #[must_use]
    pub fn is_schema(&self) -> bool {
        self.table.is_none()
    }

    /// Whether it is a pattern of schemas and takes this one.
    #[must_use]
    pub fn takes_schema(&self, schema: &str) -> bool {
        self.table.is_none() && matches(&self.schema, schema)
    }

    /// Whether it is a pattern of tables and takes this one.
    #[must_use]
    pub fn takes(&self, relation: &Relation) -> bool {
        !self.is_schema() && self.covers(relation)
    }

    /// Whether it takes this table, by its name or with its schema.
    #[must_use]
    pub fn covers(&self, relation: &Relation) -> bool {
        self.reaches(&relation.schema)
            && self.table.as_ref().is_none_or(|table| matches(table, &relation.name))
    }

    /// Whether it takes this schema, or tables of it.
    #[must_use]
    pub fn reaches(&self, schema: &str) -> bool {
        matches(&self.schema, schema)
    }
}

/// Patterns that a comma inside quotes has torn apart, put together again.
pub(crate) fn joined(texts: &[String]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::new();
    let mut open = false;
    for text in texts {
        match joined.last_mut() {
            Some(last) if open => {
                last.push(',');
                last.push_str(text);
            }
            _ => joined.push(text.clone()),
        }
        open ^= text.matches('"').count() % 2 == 1;
    }
    joined
}

/// Glob matching that goes back to the last `*` only: linear in pattern times name.
fn matches(pattern: &[Piece], name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    let (mut at, mut of) = (0, 0);
    let mut star = None;
    while of < name.len() {
        match pattern.get(at) {
            Some(Piece::Any) => {
                star = Some((at, of));
                at += 1;
            }
            Some(Piece::One) => (at, of) = (at + 1, of + 1),
            Some(Piece::Just(c)) if name.get(of) == Some(c) => (at, of) = (at + 1, of + 1),
            _ => match star {
                Some((star_at, star_of)) => {
                    star = Some((star_at, star_of + 1));
                    (at, of) = (star_at + 1, star_of + 1);
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(at).all(|piece| *piece == Piece::Any)
}
