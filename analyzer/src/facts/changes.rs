//! Objects that a statement drops, renames, moves or rolls back: they are no longer there under their old names.

use super::objects::{ObjectId, new_name, signature, subject};
use super::{Absence, Declared, Facts};
use crate::finding::Place;
use crate::parse::{Class, NodeEnum, pg};

impl Facts {
    /// ROLLBACK TO: what was created since the savepoint will not exist.
    pub(crate) fn roll_back_to(&mut self, savepoint: &str, absence: &Absence) {
        self.dropped.clear();
        for id in self.transaction.roll_back_to(savepoint) {
            self.mark(id, Some(absence));
        }
    }

    /// ROLLBACK, or COMMIT of a transaction that has failed: nothing that it has created will exist.
    pub(crate) fn roll_back(&mut self, absence: &Absence) {
        // A table that it has dropped exists again.
        self.dropped.clear();
        for id in self.transaction.roll_back() {
            self.mark(id, Some(absence));
        }
    }

    /// Follows what the statement drops, renames and moves.
    pub(super) fn follow(&mut self, node: &NodeEnum, place: Place) {
        match node {
            NodeEnum::DropStmt(s) => {
                self.cascaded |= s.behavior == pg::DropBehavior::DropCascade as i32;
                for object in super::objects::dropped(s) {
                    let id = self.resolved(&object.id);
                    if id.class == Class::Relation
                        && (s.behavior == pg::DropBehavior::DropCascade as i32 || !self.may_be_needed(&id))
                    {
                        self.dropped.insert(id.clone(), place);
                    }
                    self.forget(node, &id);
                }
            }
            NodeEnum::DropOwnedStmt(_) => self.cascaded = true,
            NodeEnum::RenameStmt(_) => {
                let (Some(old), Some(new)) = (subject(node), new_name(node)) else { return };
                self.put_under(&old.id, &new);
            }
            NodeEnum::AlterObjectSchemaStmt(s) => {
                let Some(old) = subject(node) else { return };
                let new = ObjectId { schema: Some(s.newschema.as_str().into()), ..old.id.clone() };
                self.put_under(&old.id, &new);
            }
            _ => {}
        }
    }

    /// It is known under another name from here on.
    fn put_under(&mut self, old: &ObjectId, new: &ObjectId) {
        let (old, new) = (self.resolved(old), self.resolved(new));
        if let Some(relation) = self.relations.remove(&old) {
            self.relations.insert(new, relation);
        } else if let Some(object) = self.objects.remove(&old) {
            if let Some(overloads) = self.overloads.remove(&old) {
                self.overloads.insert(new.clone(), overloads);
            }
            self.objects.insert(new, object);
        } else if old.class == Class::Schema
            && let Some(Declared { word, place }) = self.schemas.remove(&old.name)
        {
            self.schemas.insert(new.name, Declared { word, place });
        }
    }

    /// True where another object may need a relation, so that DROP without CASCADE is refused.
    fn may_be_needed(&self, id: &ObjectId) -> bool {
        let named = |symbol, name: &str| self.names.name(symbol) == name;
        let schema = id.schema.as_deref().unwrap_or_default();
        self.relations.iter().any(|(other, relation)| {
            other != id
                && (relation.word == "view"
                    || relation.word == "materialized view"
                    || relation.word != "index" && relation.parents.contains(id))
        }) || self.constraints.iter().any(|constraint| {
            constraint.references.is_some_and(|(of, name)| named(of, schema) && named(name, &id.name))
        })
    }

    fn forget(&mut self, node: &NodeEnum, id: &ObjectId) {
        if id.class == Class::Function
            && let Some(signature) = signature(node)
            && let Some(overloads) = self.overloads.get_mut(id)
        {
            overloads.retain(|overload| overload.signature.types != signature.types);
            if !overloads.is_empty() {
                return;
            }
        }
        self.overloads.remove(id);
        self.objects.remove(id);
        if id.class == Class::Schema {
            self.schemas.remove(&id.name);
        }
        if self.relations.remove(id).is_some() {
            // Its indexes, triggers and policies go with it.
            self.relations.retain(|_, relation| relation.word != "index" || !relation.parents.contains(id));
            self.objects.retain(|part, _| part.table().as_ref() != Some(id));
        }
    }
}
