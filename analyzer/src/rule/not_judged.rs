//! What an analysis does not judge. Where there is any, a verdict without errors means "no known incompatibility".

use serde::Serialize;

use crate::finding::Place;
use crate::human::count;

/// A kind of what is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Unjudged {
    /// Statements that fail, and that the options count as less than errors or do not look for.
    Settings,
    /// Statements that fail, and that comments in the dump allow.
    Comments,
    /// Objects that a script uses and no input creates: the target may have them.
    Objects,
    /// Code in DO blocks and prepared statements, which runs during the restore.
    Code,
    /// Calls of functions that the inputs create.
    Calls,
    /// Columns that a script's queries, views and expressions name.
    Columns,
    /// Values that a script inserts.
    Values,
    /// Statements behind one that makes the session or a transaction read-only.
    ReadOnly,
    /// Bytes that rows of COPY write as numbers.
    Escapes,
    /// Bytes beyond ASCII whose encoding no input declares.
    Encoding,
    /// Bytes beyond ASCII that the server converts to UTF-8 from another encoding.
    Conversion,
    /// NUL bytes: psql drops the rest of their lines.
    NulByte,
    /// Statements, or bodies of functions, too large or nested too deep to be read.
    Size,
    /// Statements of a script that drop what the inputs have created.
    Drops,
}

impl Unjudged {
    /// What is not judged, in words that begin a sentence or follow another: `8 errors are ignored …`.
    #[must_use]
    pub fn words(self, number: u64) -> String {
        let verb = |one: &'static str, more: &'static str| if number == 1 { one } else { more };
        let are = verb("is", "are");
        match self {
            Self::Settings => {
                format!("{} {are} ignored by your settings", count(number, "error"))
            }
            Self::Comments => {
                format!("{} {are} allowed by comments in the dump", count(number, "error"))
            }
            Self::Objects => format!(
                "{} {} objects that these files do not create: whether the target has them was not looked at",
                count(number, "statement"),
                verb("uses", "use")
            ),
            Self::Code => format!(
                "{} {} code during the restore, and what it does was not judged",
                count(number, "DO block"),
                verb("runs", "run")
            ),
            Self::Calls => format!(
                "{} {} functions of the dump during the restore, and what they do was not judged",
                count(number, "statement"),
                verb("runs", "run")
            ),
            Self::Columns => format!(
                "{} {} columns in queries or expressions: whether they exist was not looked at",
                count(number, "statement"),
                verb("names", "name")
            ),
            Self::Values => format!(
                "{} {} values: whether their columns take them was not looked at",
                count(number, "statement"),
                verb("inserts", "insert")
            ),
            Self::ReadOnly => "which statements a read-only transaction refuses was not looked at".to_owned(),
            Self::Escapes => {
                "rows write bytes as numbers: whether they are text was not looked at".to_owned()
            }
            Self::Encoding => "no client_encoding is set: bytes beyond ASCII were taken for UTF-8".to_owned(),
            Self::Conversion => {
                "whether all text can be converted from its client_encoding to UTF-8 was not looked at"
                    .to_owned()
            }
            Self::Size => {
                format!(
                    "{} {are} too large or nested too deep to be judged, whole or in part",
                    count(number, "statement")
                )
            }
            Self::Drops => format!(
                "{} {} what these files create: whether others need it, and what goes with it, was not looked at",
                count(number, "statement"),
                verb("drops", "drop")
            ),
            Self::NulByte => format!(
                "{} {} a NUL byte: psql drops the rest of the line",
                count(number, "place"),
                verb("has", "have")
            ),
        }
    }
}

/// Something that is not judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotJudged {
    /// What.
    pub what: Unjudged,
    /// How many times.
    pub count: u64,
    /// Where it is first.
    pub place: Place,
    /// Where it was last: a statement counts once.
    last: (usize, u32, u64),
}

/// All that is not judged: one entry of each kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NotJudgedList(Vec<NotJudged>);

impl NotJudgedList {
    /// Adds what is not judged in the statement at this place.
    pub fn add(&mut self, what: Unjudged, place: Place) {
        let key = match place.statement {
            0 => (place.input, 0, place.span.start),
            number => (place.input, number, 0),
        };
        match self.0.iter_mut().find(|known| known.what == what) {
            Some(known) if known.last == key => {}
            Some(known) => {
                known.count += 1;
                known.last = key;
            }
            None => self.0.push(NotJudged { what, count: 1, place, last: key }),
        }
    }

    /// Each kind once, in the order of the kinds.
    #[must_use]
    pub fn sorted(mut self) -> Vec<NotJudged> {
        self.0.sort_by_key(|entry| entry.what);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Span;

    #[test]
    fn a_statement_counts_once_and_the_first_place_is_kept() {
        let at = |statement: u64| Place {
            input: 0,
            statement: Place::number(statement),
            span: Span::new(statement * 10, statement * 10 + 5),
            line: statement,
            column: 1,
        };
        let mut list = NotJudgedList::default();
        for (what, statement) in
            [(Unjudged::Code, 2), (Unjudged::Settings, 3), (Unjudged::Code, 2), (Unjudged::Code, 4)]
        {
            list.add(what, at(statement));
        }
        let list: Vec<_> =
            list.sorted().iter().map(|entry| (entry.what, entry.count, entry.place.line)).collect();
        assert_eq!(list, [(Unjudged::Settings, 1, 3), (Unjudged::Code, 2, 2)]);
        assert_eq!(Unjudged::Settings.words(8), "8 errors are ignored by your settings");
    }
}
