//! Objects that a statement drops, renames, moves or rolls back: they are no longer there under their old names.

use std::sync::Arc;

use super::names::{role, roles};
use super::objects::{ObjectId, new_name, signature, subject};
use super::{Absence, Declared, Facts, Owner, Scope, Session};
use crate::finding::Place;
use crate::parse::{Class, NodeEnum, pg};

impl Facts {
    /// Takes what was known at the begin of a transaction, or at a savepoint, in place of what is known now. What the inputs
    /// say of themselves stays.
    pub(crate) fn undo(&mut self, before: Self) {
        let now = std::mem::replace(self, before);
        self.headers = now.headers;
        self.databases = now.databases;
        self.current_database = now.current_database;
        self.kept_database = now.kept_database;
        self.transaction = now.transaction;
        self.is_dump = now.is_dump;
        self.without_timeout = now.without_timeout;
        self.role_statements = now.role_statements;
        self.temporary_objects |= now.temporary_objects;
        // What has failed does not exist, whatever is undone.
        for (id, absence) in now.absent {
            if !self.declares(&id) {
                self.absent.entry(id).or_insert(absence);
            }
        }
        // Where an extension would have been tells what its members are.
        for (name, extension) in now.extensions {
            self.extensions.entry(name).or_insert(extension);
        }
    }

    /// True where the object exists at this point.
    pub(crate) fn exists(&self, id: &ObjectId) -> bool {
        self.declares(id) && !self.absent.contains_key(id)
    }

    /// A transaction goes back: what it has created since will not exist, and the settings are those of before.
    pub(crate) fn roll_back(&mut self, created: Vec<ObjectId>, session: Session, absence: &Absence) {
        // A table that it has dropped exists again.
        self.dropped.clear();
        let absence = Arc::new(absence.clone());
        for id in created {
            self.mark(id, Some(&absence));
        }
        self.session = session;
        self.refresh_path();
    }

    /// Follows what the statement drops, renames and moves.
    pub(super) fn follow(&mut self, node: &NodeEnum, place: Place) {
        match node {
            NodeEnum::DropStmt(s) => {
                if s.behavior == pg::DropBehavior::DropCascade as i32 {
                    self.cascaded = Some(place);
                }
                for object in super::objects::dropped(s) {
                    let id = self.resolved(&object.id);
                    if self.is_type_of_column(&id) && s.behavior != pg::DropBehavior::DropCascade as i32 {
                        // The server refuses to drop it.
                        continue;
                    }
                    if id.class == Class::Relation
                        && (s.behavior == pg::DropBehavior::DropCascade as i32 || !self.may_be_needed(&id))
                    {
                        self.dropped.insert(id.clone(), place);
                    }
                    self.forget(node, &id);
                }
            }
            NodeEnum::DropOwnedStmt(_) => self.cascaded = Some(place),
            NodeEnum::DropRoleStmt(s) => {
                for name in roles(&s.roles).filter_map(role) {
                    self.roles.remove(name);
                    self.memberships.retain(|one| &*one.role != name && &*one.member != name);
                }
            }
            NodeEnum::RenameStmt(s) => {
                self.rename_part(s);
                let (Some(old), Some(new)) = (subject(node), new_name(node)) else { return };
                match old.id.class {
                    Class::Role => self.rename_role(&old.id.name, &new.name),
                    Class::Schema => self.rename_schema(&old.id.name, &new.name, place),
                    _ => self.put_under(&old.id, &new, place),
                }
            }
            NodeEnum::AlterObjectSchemaStmt(s) => {
                let Some(old) = subject(node) else { return };
                if let Some(extension) = self.extensions.get_mut(&*old.id.name)
                    && old.id.class == Class::Extension
                {
                    extension.schema = Some(s.newschema.as_str().into());
                }
                let new = ObjectId { schema: Some(s.newschema.as_str().into()), ..old.id.clone() };
                self.put_under(&old.id, &new, place);
            }
            _ => {}
        }
    }

    /// A trigger, policy or rule is known under another name from here on.
    fn rename_part(&mut self, s: &pg::RenameStmt) {
        use pg::ObjectType as T;
        if s.rename_type == T::ObjectTabconstraint as i32 {
            self.names.symbol(&s.newname);
        }
        let is_part =
            matches!(T::try_from(s.rename_type), Ok(T::ObjectTrigger | T::ObjectRule | T::ObjectPolicy));
        let Some(range) = s.relation.as_ref().filter(|_| is_part) else { return };
        let table = self.table_id(range);
        let id = |part: &str| ObjectId { class: Class::Attached, part: Some(part.into()), ..table.clone() };
        if let Some(object) = self.objects.remove(&id(&s.subname)) {
            self.objects.insert(id(&s.newname), object);
        }
    }

    /// It is known under another name from here on.
    fn put_under(&mut self, old: &ObjectId, new: &ObjectId, place: Place) {
        let old = self.resolved(old);
        // It stays in its schema where the statement does not move it.
        let new = ObjectId { schema: new.schema.clone().or_else(|| old.schema.clone()), ..new.clone() };
        if let Some(relation) = self.relations.remove(&old) {
            self.relations.insert(new.clone(), relation);
            self.dropped.remove(&new);
            self.renamed.remove(&new);
            self.renamed.insert(old.clone(), place);
        } else if let Some(object) = self.objects.remove(&old) {
            if let Some(overloads) = self.overloads.remove(&old) {
                self.overloads.insert(new.clone(), overloads);
            }
            self.objects.insert(new.clone(), object);
        } else {
            return;
        }
        self.keep_owner(&old, &new);
        if let Some(hypertable) = self.converted.remove(&old) {
            self.converted.insert(new.clone(), hypertable);
        }
        if self.hypertables.remove(&old) {
            self.hypertables.insert(new);
        }
    }

    fn keep_owner(&mut self, old: &ObjectId, new: &ObjectId) {
        let Some(role) = self.owner(old).map(Into::into) else { return };
        let place = self.owners.iter().rev().find(|owner| owner.object == *old).map(|owner| owner.place);
        if let Some(place) = place {
            self.set_owner(Owner { object: new.clone(), role, place });
        }
    }

    /// What is in the schema is in it under its new name.
    fn rename_schema(&mut self, old: &str, new: &str, place: Place) {
        // Every database has schema public, whether or not the inputs create it.
        let public =
            || (old == "public" && self.may_have_schema(old)).then_some(Declared { word: "schema", place });
        let Some(declared) = public().or_else(|| self.schemas.get(old).cloned()) else { return };
        self.schemas.remove(old);
        self.schemas.insert(new.into(), declared);
        self.renamed.remove(&ObjectId::new(Class::Schema, None, new));
        self.renamed.insert(ObjectId::new(Class::Schema, None, old), place);
        let is_in = |id: &ObjectId| id.schema.as_deref() == Some(old);
        let moved = |id: &ObjectId| ObjectId { schema: Some(new.into()), ..id.clone() };
        let relations: Vec<ObjectId> = self.relations.keys().filter(|id| is_in(id)).cloned().collect();
        for id in relations {
            if let Some(relation) = self.relations.remove(&id) {
                self.relations.insert(moved(&id), relation);
                self.renamed.remove(&moved(&id));
                self.renamed.insert(id.clone(), place);
            }
            self.keep_owner(&id, &moved(&id));
        }
        let objects: Vec<ObjectId> = self.objects.keys().filter(|id| is_in(id)).cloned().collect();
        for id in objects {
            if let Some(object) = self.objects.remove(&id) {
                self.objects.insert(moved(&id), object);
            }
            if let Some(overloads) = self.overloads.remove(&id) {
                self.overloads.insert(moved(&id), overloads);
            }
            self.keep_owner(&id, &moved(&id));
        }
        for extension in self.extensions.values_mut().filter(|one| one.schema.as_deref() == Some(old)) {
            extension.schema = Some(new.into());
        }
        for privilege in &mut self.privileges {
            if privilege.object.class == Class::Schema && &*privilege.object.name == old {
                privilege.object.name = new.into();
            }
        }
    }

    /// What the role owns, is granted and is stored for it is known under its new name.
    fn rename_role(&mut self, old: &str, new: &str) {
        let rename = |name: &mut Box<str>| {
            if &**name == old {
                *name = new.into();
            }
        };
        if let Some(role) = self.roles.remove(old) {
            self.roles.insert(new.into(), role);
        }
        for one in &mut self.memberships {
            rename(&mut one.role);
            rename(&mut one.member);
        }
        self.owners.iter_mut().filter(|owner| &*owner.role == old).for_each(|owner| owner.role = new.into());
        self.privileges.iter_mut().filter_map(|one| one.grantee.as_mut()).for_each(rename);
        for setting in &mut self.settings {
            if let Scope::Role(role) | Scope::RoleInDatabase(role, _) = &mut setting.scope {
                rename(role);
            }
        }
        self.session.rename_role(old, new);
    }

    /// A database gets another name, whether or not the target takes the statement: what connects to it uses the new one.
    pub(super) fn follow_database(&mut self, node: &NodeEnum) {
        let NodeEnum::RenameStmt(s) = node else { return };
        if s.rename_type != pg::ObjectType::ObjectDatabase as i32 {
            return;
        }
        if let Some(database) = self.databases.remove(s.subname.as_str()) {
            self.databases.entry(s.newname.as_str().into()).or_insert(database);
        }
        for name in [&mut self.kept_database, &mut self.current_database].into_iter().flatten() {
            if **name == *s.subname {
                *name = s.newname.as_str().into();
            }
        }
        for setting in &mut self.settings {
            if let Scope::Database(name) | Scope::RoleInDatabase(_, name) = &mut setting.scope
                && **name == *s.subname
            {
                *name = s.newname.as_str().into();
            }
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

    /// True for a type that a column of a table has.
    fn is_type_of_column(&self, id: &ObjectId) -> bool {
        let path = format!("{}.{}", id.schema.as_deref().unwrap_or_default(), id.name);
        let Some(symbol) = self.names.known(&path).filter(|_| id.class == Class::Type) else { return false };
        self.relations
            .iter()
            .any(|(id, of)| self.exists(id) && of.columns.iter().any(|column| column.data_type == symbol))
    }

    fn forget(&mut self, node: &NodeEnum, id: &ObjectId) {
        if super::collect::has_signature(id.class)
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
            self.schemas.remove(&*id.name);
        }
        if self.relations.remove(id).is_some() {
            // Its indexes, triggers and policies go with it.
            self.relations.retain(|_, relation| relation.word != "index" || !relation.parents.contains(id));
            self.objects.retain(|part, _| part.table().as_ref() != Some(id));
        }
    }
}
