//! A piece of the input, as rules look at it.

use crate::facts::rows::Row;
use crate::finding::{Place, Unmoved};
use crate::locate::Statement;
use crate::parse::ParseError;
use crate::server::Server;
use crate::split::End;

/// The piece of the dump that rules look at.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// A statement that the parser takes.
    Statement(&'a Statement<'a>),
    /// A statement that it does not take.
    Unparsed {
        /// Its text.
        sql: &'a str,
        /// Why.
        error: &'a ParseError,
        /// How the statement ended.
        end: End,
        /// Its place.
        place: Place,
    },
    /// A psql meta-command.
    Meta {
        /// Its text, from the backslash on.
        text: &'a str,
        /// Its place.
        place: Place,
    },
    /// A line of a tool's output.
    Noise {
        /// Its text.
        text: &'a str,
        /// Its place.
        place: Place,
    },
    /// A row of COPY data, of one of the tables whose rows are looked at.
    Row(&'a Row),
    /// A live server.
    Server {
        /// What it was seen to be.
        server: &'a Server,
        /// Its place among the inputs: no line of a text.
        place: Place,
    },
    /// A place that is not moved with its schema.
    Unmoved(&'a Unmoved),
    /// The end of an input.
    End {
        /// The place behind its last byte.
        place: Place,
    },
}
