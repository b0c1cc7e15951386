//! The transaction that a session is in.

use super::objects::ObjectId;
use crate::finding::Place;

/// A transaction, or none.
#[derive(Clone, Debug, Default)]
pub struct Transaction {
    /// Where it began; `None` outside of one.
    pub begun: Option<Place>,
    /// The statement that failed in it: the server refuses all that follows.
    pub failed: Option<Place>,
    /// What it creates, in order.
    created: Vec<ObjectId>,
    /// Savepoints by name, with how much was created before each.
    savepoints: Vec<(String, usize)>,
}

impl Transaction {
    /// A transaction that begins here.
    #[must_use]
    pub fn begin(place: Place) -> Self {
        Self { begun: Some(place), ..Self::default() }
    }

    /// A statement fails in it, where there is one.
    pub fn fail(&mut self, place: Place) {
        if self.begun.is_some() {
            self.failed.get_or_insert(place);
        }
    }

    /// It creates an object, where there is one.
    pub fn create(&mut self, id: ObjectId) {
        if self.begun.is_some() {
            self.created.push(id);
        }
    }

    /// SAVEPOINT.
    pub fn save(&mut self, name: &str) {
        self.savepoints.push((name.to_owned(), self.created.len()));
    }

    /// ROLLBACK TO: what was created since the savepoint, and the transaction goes on. Nothing where there is no such
    /// savepoint.
    pub fn roll_back_to(&mut self, savepoint: &str) -> Vec<ObjectId> {
        let Some(index) = self.savepoints.iter().rposition(|(name, _)| name == savepoint) else {
            return Vec::new();
        };
        let (_, before) = self.savepoints[index];
        self.savepoints.truncate(index + 1);
        self.failed = None;
        self.created.split_off(before)
    }

    /// ROLLBACK, or COMMIT of one that has failed: what was created in it.
    pub fn roll_back(&mut self) -> Vec<ObjectId> {
        std::mem::take(&mut self.created)
    }
}
