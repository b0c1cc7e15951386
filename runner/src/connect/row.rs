//! One row of a server's answer as text. What is missing or cannot be read is an error, never 0 or an empty text.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::Side;
use crate::error::Error;
use crate::names::Relation;

/// The question that rows answer.
#[derive(Debug)]
pub(crate) struct Question {
    /// The server that was asked.
    pub(crate) side: Side,
    /// The question, without secrets.
    pub(crate) sql: String,
}

/// One row, whose columns are read by their numbers, from 0.
#[derive(Clone, Debug)]
pub struct Row {
    question: Arc<Question>,
    values: Vec<Option<String>>,
}

/// Rows are equal where their values are, whoever was asked.
impl PartialEq for Row {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl Row {
    /// The rows among a server's messages.
    pub(crate) fn all(question: Question, messages: &[tokio_postgres::SimpleQueryMessage]) -> Vec<Self> {
        let question = Arc::new(question);
        let row = |message: &tokio_postgres::SimpleQueryMessage| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(Self {
                question: question.clone(),
                values: (0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect(),
            }),
            _ => None,
        };
        messages.iter().filter_map(row).collect()
    }

    /// A row as a server might have sent it.
    #[cfg(test)]
    pub(crate) fn of(values: &[Option<&str>]) -> Self {
        let question = Arc::new(Question { side: Side::Source, sql: "SELECT …".into() });
        Self { question, values: values.iter().map(|value| value.map(str::to_owned)).collect() }
    }

    /// A text.
    ///
    /// # Errors
    /// When the column is missing or NULL.
    pub fn text(&self, column: usize) -> Result<&str, Error> {
        self.optional(column)?.ok_or_else(|| self.unreadable(column, &"it is NULL"))
    }

    /// A text, or NULL.
    ///
    /// # Errors
    /// When the column is missing.
    pub fn optional(&self, column: usize) -> Result<Option<&str>, Error> {
        match self.values.get(column) {
            Some(value) => Ok(value.as_deref()),
            None => Err(self.unreadable(column, &"it is missing")),
        }
    }

    /// A number.
    ///
    /// # Errors
    /// When the column is missing, NULL or no such number.
    pub fn number<T: FromStr>(&self, column: usize) -> Result<T, Error> {
        self.parse(column, self.text(column)?)
    }

    /// A number, or NULL.
    ///
    /// # Errors
    /// When the column is missing or no such number.
    pub fn optional_number<T: FromStr>(&self, column: usize) -> Result<Option<T>, Error> {
        self.optional(column)?.map(|text| self.parse(column, text)).transpose()
    }

    /// A boolean.
    ///
    /// # Errors
    /// When the column is missing, NULL or no boolean.
    pub fn flag(&self, column: usize) -> Result<bool, Error> {
        match self.text(column)? {
            "t" => Ok(true),
            "f" => Ok(false),
            _ => Err(self.unreadable(column, &"it is no boolean")),
        }
    }

    /// A relation, whose schema and name are in this column and the next.
    ///
    /// # Errors
    /// When one of them is missing or NULL.
    pub fn relation(&self, column: usize) -> Result<Relation, Error> {
        Ok(Relation::new(self.text(column)?, self.text(column + 1)?))
    }

    /// A relation, or NULL in either column.
    ///
    /// # Errors
    /// When one of them is missing.
    pub fn optional_relation(&self, column: usize) -> Result<Option<Relation>, Error> {
        let parts = self.optional(column)?.zip(self.optional(column + 1)?);
        Ok(parts.map(|(schema, name)| Relation::new(schema, name)))
    }

    /// What a JSON value says; the default of the type for NULL.
    ///
    /// # Errors
    /// When the column is missing or holds something else.
    pub fn json<T: DeserializeOwned + Default>(&self, column: usize) -> Result<T, Error> {
        let Some(text) = self.optional(column)? else { return Ok(T::default()) };
        serde_json::from_str(text).map_err(|error| self.unreadable(column, &error))
    }

    /// All values, to be compared with those of another row.
    #[must_use]
    pub fn values(&self) -> &[Option<String>] {
        &self.values
    }

    fn parse<T: FromStr>(&self, column: usize, text: &str) -> Result<T, Error> {
        text.parse().map_err(|_| self.unreadable(column, &format_args!("{text} is no such number")))
    }

    fn unreadable(&self, column: usize, why: &dyn Display) -> Error {
        Error::Answer {
            side: self.question.side.name(),
            why: format!("column {}: {why}", column + 1),
            sql: self.question.sql.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let row = Row::of(&[Some("12"), None, Some("t"), Some("many"), Some("-1")]);
        assert_eq!(row.number::<u64>(0).expect("a number"), 12);
        assert!(row.flag(2).expect("a boolean"));
        assert_eq!(row.optional(1).expect("a column"), None);
        assert_eq!(row.optional_number::<u64>(1).expect("a column"), None);
        for error in [
            row.text(1).map(drop),
            row.text(5).map(drop),
            row.optional(5).map(drop),
            row.number::<u64>(1).map(drop),
            row.number::<u64>(3).map(drop),
            row.number::<u64>(4).map(drop),
            row.optional_number::<u64>(3).map(drop),
            row.flag(0).map(drop),
            row.relation(0).map(drop),
            row.json::<Vec<u64>>(3).map(drop),
        ] {
            assert!(matches!(error, Err(Error::Answer { .. })), "{error:?}");
        }
        let text = row.number::<u64>(3).expect_err("no number").to_string();
        assert!(text.contains("column 4: many is no such number"), "{text}");
    }
}
