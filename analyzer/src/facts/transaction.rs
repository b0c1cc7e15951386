//! The transaction that a session is in.

use super::objects::ObjectId;
use super::session::Session;
use crate::finding::Place;

/// A transaction, or none.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// Where it began; `None` outside of one.
    pub begun: Option<Place>,
    /// The statement that failed in it: the server refuses all that follows.
    pub failed: Option<Place>,
    /// The statement that fails in it before it is rewritten, and not after.
    pub fails_as_it_is: Option<Place>,
    /// What it creates, in order.
    created: Vec<ObjectId>,
    /// Where it can go back to: its begin, then its savepoints.
    marks: Vec<Mark>,
}

/// The begin of a transaction, or a savepoint in it.
#[derive(Clone, Debug)]
struct Mark {
    /// The savepoint's name.
    name: String,
    /// How many objects the transaction had created.
    created: usize,
    /// The settings at this point.
    session: Session,
    /// Before the rewrite, the transaction has failed at this point: the savepoint does not exist.
    is_refused: bool,
}

impl Transaction {
    /// A transaction that begins here.
    #[must_use]
    pub fn begin(place: Place, session: &Session) -> Self {
        let begin = Mark { name: String::new(), created: 0, session: session.clone(), is_refused: false };
        Self { begun: Some(place), marks: vec![begin], ..Self::default() }
    }

    /// A statement fails in it, where there is one.
    pub fn fail(&mut self, place: Place) {
        if self.begun.is_some() {
            self.failed.get_or_insert(place);
        }
    }

    /// A statement fails in it before it is rewritten, where there is one.
    pub fn fail_as_it_is(&mut self, place: Place) {
        if self.begun.is_some() {
            self.fails_as_it_is.get_or_insert(place);
        }
    }

    /// What it has created so far.
    #[must_use]
    pub fn created(&self) -> &[ObjectId] {
        &self.created
    }

    /// True for a mark that exists before the rewrite, too.
    #[must_use]
    pub fn is_there(&self, mark: usize) -> bool {
        self.marks.get(mark).is_some_and(|mark| !mark.is_refused)
    }

    /// It creates an object, where there is one.
    pub fn create(&mut self, id: ObjectId) {
        if self.begun.is_some() {
            self.created.push(id);
        }
    }

    /// SAVEPOINT.
    pub fn save(&mut self, name: &str, session: &Session) {
        self.marks.push(Mark {
            name: name.to_owned(),
            created: self.created.len(),
            session: session.clone(),
            is_refused: self.fails_as_it_is.is_some(),
        });
    }

    /// The place of a savepoint among the marks, of two of one name the later one.
    #[must_use]
    pub fn savepoint(&self, name: &str) -> Option<usize> {
        self.marks.iter().skip(1).rposition(|mark| mark.name == name).map(|index| index + 1)
    }

    /// RELEASE: the savepoint and those behind it can no longer be gone back to.
    pub fn release(&mut self, mark: usize) {
        self.marks.truncate(mark);
    }

    /// ROLLBACK, or ROLLBACK TO a savepoint: the objects that were created since, and the settings to go back to.
    pub fn go_back(&mut self, mark: usize) -> (Vec<ObjectId>, Session) {
        self.failed = None;
        if self.is_there(mark) {
            self.fails_as_it_is = None;
        }
        self.marks.truncate(mark + 1);
        match self.marks.last() {
            Some(mark) => {
                (self.created.split_off(mark.created.min(self.created.len())), mark.session.clone())
            }
            None => (Vec::new(), Session::default()),
        }
    }
}
