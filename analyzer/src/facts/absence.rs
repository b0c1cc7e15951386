//! Why an object will not be on the target.

use std::collections::{BTreeMap, BTreeSet};

use super::collect::has_signature;
use super::declared::Absence;
use super::objects::{self, ObjectId};
use super::state::{Facts, in_schema};
use crate::parse::{Class, NodeEnum, Reference};
use crate::target::{is_builtin, members};

impl Facts {
    /// Why an object will be missing, if it will.
    #[must_use]
    pub fn absence(&self, id: &ObjectId) -> Option<&Absence> {
        if self.absent.is_empty() {
            return None;
        }
        let id = self.resolved(id);
        self.absent.get(&id).or_else(|| self.absent.get(&id.table()?)).map(|absence| &**absence)
    }

    /// Why the object that a statement changes, fills or mentions will be missing. Tells overloaded
    /// functions apart, and knows members of extensions.
    #[must_use]
    pub fn subject_absence(&self, node: &NodeEnum) -> Option<&Absence> {
        let object = objects::subject(node)?;
        let id = self.resolved(&object.id);
        if has_signature(id.class)
            && let Some(signature) = objects::signature(node)
            && let Some(overload) = self
                .overloads
                .get(&id)
                .and_then(|all| all.iter().find(|o| o.signature.types == signature.types))
        {
            return overload.absence.as_deref();
        }
        if let Some(absence) = self.absence(&id) {
            return Some(absence);
        }
        let id = id.table().unwrap_or(id);
        if matches!(id.class, Class::Nameless | Class::Role | Class::Extension | Class::Database) {
            return None;
        }
        let missing = |class: Class| self.missing(&Reference::new(class, id.schema.as_deref(), &id.name));
        // The columns of a composite type are spoken of like those of a table.
        let of_type = || (object.word == "table").then(|| missing(Class::Type)).flatten();
        missing(id.class).or_else(of_type)
    }

    /// Why what a statement refers to will be missing: the object itself is absent, or it belongs
    /// to an extension that is.
    #[must_use]
    pub fn missing(&self, reference: &Reference) -> Option<&Absence> {
        self.missing_from(reference, &self.search_path)
    }

    /// The same with another `search_path`: that of a body when it runs.
    #[must_use]
    pub fn missing_from(&self, reference: &Reference, path: &[Box<str>]) -> Option<&Absence> {
        if self.absent.is_empty() && self.overloads.is_empty() || reference.class == Class::Role {
            return None;
        }
        let classes: &[Class] = match reference.class {
            // A table's name is a type too.
            Class::Type => &[Class::Type, Class::Relation],
            // A type's name is a cast or, for ranges, a constructor.
            Class::Function => &[Class::Function, Class::Type],
            ref class => std::slice::from_ref(class),
        };
        let schema = reference.schema.as_deref();
        let may_be_builtin = schema.is_none_or(|schema| schema == "pg_catalog");
        if may_be_builtin && classes.iter().any(|class| is_builtin(*class, &reference.name)) {
            return None;
        }
        let schemas: Vec<Option<&str>> = match schema {
            _ if !in_schema(reference.class) => vec![None],
            Some(schema) => vec![Some(schema)],
            None => path.iter().map(|s| Some(&**s)).collect(),
        };
        for schema in schemas {
            for class in classes {
                let id = ObjectId::new(*class, schema, &reference.name);
                match self.known(&id, reference.arguments) {
                    Known::Absent(absence) => return Some(absence),
                    Known::There => return None,
                    Known::Not => {}
                }
            }
        }
        if let Some(schema) = schema
            && let Some(absence) = self.missing_schema(schema)
        {
            return Some(absence);
        }
        self.absent_extension_of(classes, reference, path)
    }

    /// Why a schema will be missing.
    #[must_use]
    pub fn missing_schema(&self, schema: &str) -> Option<&Absence> {
        if !self.lacks_some(Class::Schema) && !self.lacks_some(Class::Extension) {
            return None;
        }
        let id = ObjectId::new(Class::Schema, None, schema);
        match self.known(&id, None) {
            Known::Absent(absence) => Some(absence),
            Known::There => None,
            Known::Not => {
                let reference = Reference::new(Class::Schema, None, schema);
                self.absent_extension_of(&[Class::Schema], &reference, &self.search_path)
            }
        }
    }

    fn known(&self, id: &ObjectId, arguments: Option<usize>) -> Known<'_> {
        if has_signature(id.class)
            && let Some(overloads) = self.overloads.get(id)
        {
            let mut fitting = overloads
                .iter()
                .filter(|o| arguments.is_none_or(|n| (o.signature.least..=o.signature.most).contains(&n)))
                .peekable();
            if fitting.peek().is_none() {
                return Known::Not;
            }
            // Which of several is meant depends on types that only the server knows.
            return match fitting.find_map(|o| o.absence.is_none().then_some(())) {
                Some(()) => Known::There,
                None => self
                    .absent
                    .get(id)
                    .or_else(|| overloads.iter().find_map(|o| o.absence.as_ref()))
                    .map(|absence| &**absence)
                    .into(),
            };
        }
        match self.absent.get(id) {
            Some(absence) => Known::Absent(absence),
            None if self.declares(id) => Known::There,
            None => Known::Not,
        }
    }

    /// True where some schema has an object of this class and name that will be there.
    #[must_use]
    pub fn is_somewhere(&self, class: Class, name: &str) -> bool {
        let stays = |id: &ObjectId| id.class == class && &*id.name == name && !self.absent.contains_key(id);
        // What others are called is not looked at: a large schema has too many.
        let mut objects = of_class(&self.objects, class).map(|(id, _)| id);
        objects.any(stays) || class == Class::Relation && self.relations.keys().any(stays)
    }

    /// The schemas in which the inputs create an object of this class and name that exists at this point.
    #[must_use]
    pub fn schemas_with(&self, class: Class, name: &str) -> Vec<&str> {
        let own = self.schemas.keys().map(|schema| &**schema).filter(|schema| *schema != "public");
        let has = |schema: &&str| {
            let id = ObjectId::new(class, Some(schema), name);
            self.exists(&id)
        };
        std::iter::once("public").chain(own).filter(has).collect()
    }

    /// The schemas of extensions that will be missing.
    #[must_use]
    pub fn schemas_of_absent_extensions(&self) -> BTreeSet<Box<str>> {
        let schema = |name: &str| self.extensions.get(name)?.schema.clone();
        self.absent_extensions().filter_map(|(name, _)| schema(name)).collect()
    }

    /// Extensions that will be missing.
    fn absent_extensions(&self) -> impl Iterator<Item = (&str, &Absence)> {
        self.absent_of(Class::Extension)
    }

    /// True where some object of this class will be missing.
    fn lacks_some(&self, class: Class) -> bool {
        self.absent_of(class).next().is_some()
    }

    /// The names of what will be missing of a class whose objects are in no schema.
    fn absent_of(&self, class: Class) -> impl Iterator<Item = (&str, &Absence)> {
        of_class(&self.absent, class).map(|(id, absence)| (&*id.name, &**absence))
    }

    /// The absent extension that this name belongs to.
    fn absent_extension_of(
        &self,
        classes: &[Class],
        reference: &Reference,
        path: &[Box<str>],
    ) -> Option<&Absence> {
        let schema = reference.schema.as_deref();
        // What an extension's own schema holds, and the dump does not create, is the extension's.
        let in_own_schema = |extension: &str| {
            schema.is_some_and(|used| {
                !matches!(used, "public" | "pg_catalog")
                    && members(extension)
                        .is_some_and(|known| known.schema == Some(used) || known.schemas.contains(used))
            })
        };
        let has = |extension: &str| {
            in_own_schema(extension)
                || classes
                    .iter()
                    .any(|class| self.is_member_on(extension, *class, schema, &reference.name, path))
        };
        let (_, absence) = self.absent_extensions().find(|(extension, _)| has(extension))?;
        // Another extension that stays may have a member of the same name.
        let stays = self
            .extensions
            .keys()
            .any(|name| !self.absent.contains_key(&ObjectId::new(Class::Extension, None, name)) && has(name));
        (!stays).then_some(absence)
    }

    /// True where the extension has a member of this class and name in this schema; without a schema,
    /// where the search path finds it.
    #[must_use]
    pub fn is_member_of(&self, extension: &str, class: Class, schema: Option<&str>, name: &str) -> bool {
        self.is_member_on(extension, class, schema, name, &self.search_path)
    }

    fn is_member_on(
        &self,
        extension: &str,
        class: Class,
        schema: Option<&str>,
        name: &str,
        path: &[Box<str>],
    ) -> bool {
        let Some(known) = members(extension) else { return false };
        let put = self.extensions.get(extension).and_then(|e| e.schema.as_deref()).or(known.schema);
        let seen = |own: &str| match schema {
            Some(used) => used == own,
            None => own == "pg_catalog" || path.iter().any(|s| &**s == own),
        };
        match class {
            Class::Relation => known.relation_schemas(name).any(|own| own.or(put).is_some_and(seen)),
            Class::Schema => {
                known.schemas.contains(name)
                    || known.schema == Some(name) && name != "pg_catalog" && name != "public"
            }
            class if !in_schema(class) => known.has(class, name),
            class => {
                (known.has(class, name) || schema.is_some() && known.overloads(class, name))
                    && (put.is_some_and(seen)
                        || known.schema.is_some_and(seen)
                        || known.schemas.iter().any(seen))
            }
        }
    }
}

/// The part of a map that has objects of this class: they stand together.
fn of_class<V>(all: &BTreeMap<ObjectId, V>, class: Class) -> impl Iterator<Item = (&ObjectId, &V)> {
    let first = ObjectId::new(class, None, "");
    all.range(first..).take_while(move |(id, _)| id.class == class)
}

/// What is known of an object.
enum Known<'a> {
    /// It will be missing.
    Absent(&'a Absence),
    /// The dump makes it.
    There,
    /// The dump does not speak of it.
    Not,
}

impl<'a> From<Option<&'a Absence>> for Known<'a> {
    fn from(absence: Option<&'a Absence>) -> Self {
        absence.map_or(Known::Not, Known::Absent)
    }
}
